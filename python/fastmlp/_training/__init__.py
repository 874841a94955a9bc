"""Training a network.

`train` and, for the estimators too, settings, the core's options and `run`, which calls the core or L-BFGS;
callbacks, checkpoints, and the bar that shows progress. It imports `_network` and
what lies below it.
"""
