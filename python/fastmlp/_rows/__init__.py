"""Rows as the core reads them.

Features, dense or sparse; targets and weights; `read_rows`, from what a user gave to checked rows, and
`divide_rows`, from these to the rows of a run: in memory, in windows read from files, or spooled to a file
first. It imports `_native`, `_base`, `spec` and `data`.
"""
