"""The compiled core and the machine it runs on.

It chooses and loads the library for the best instruction set, counts and limits threads, and prints what the
installation is made of. It imports no other package of fastmlp.
"""
