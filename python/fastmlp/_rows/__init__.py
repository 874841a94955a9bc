"""Rows as the core reads them.

Features, dense or sparse; targets and weights; and the rows of a run: in memory, in windows read from files,
or spooled to a file first. It imports `_native`, `_base` and `data`.
"""
