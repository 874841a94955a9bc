"""The exit codes of the command.

Exit codes: 0 done; 1 the training diverged, or memory or time ran out; 2 bad input, with one line on
standard error; 130 interrupted (Ctrl-C); 141 the reader of standard output went away.
"""

OK, FAILED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141

#: The paragraph on them, for the help.
EXIT_CODES = (__doc__ or "").partition("\n\n")[2]
