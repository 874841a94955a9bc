"""Read svmlight files (also called libsvm), with scikit-learn's reader."""

from __future__ import annotations

import re

import numpy as np

from fastmlp.data._select import Dataset
from fastmlp.data._source import Source, opened

# No two neighbouring parts may take the same characters: otherwise k digits can be split in k ways, and a
# line of many numbers in exponentially many.
_NUMBER = rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_LINE = re.compile(rb"%b(?:[ \t]+qid:[0-9]+)?(?:[ \t]+[0-9]+:%b)+[ \t\r]*(?:#.*)?" % (_NUMBER, _NUMBER))


def is_svmlight(head: bytes) -> bool:
    """Tell whether the first line that holds data reads like "1 3:0.5 7:1"."""
    lines = (line for line in head.split(b"\n") if line.strip() and not line.lstrip().startswith(b"#"))
    line = next(lines, b"")
    whole_entries = line.rpartition(b" ")[0]  # of a line that is longer than the head
    return _LINE.fullmatch(line) is not None or (
        b"\n" not in head and _LINE.fullmatch(whole_entries) is not None
    )


def read_svmlight(path_or_file: Source, *, n_features: int | None = None) -> Dataset:
    """Read an svmlight file, plain or gzipped, whose rows are "label index:value index:value ...".

    Parameters
    ----------
    path_or_file : path or open binary file
    n_features : int, optional
        The number of columns. By default the highest index in the file decides, so that a file of test rows
        may turn out narrower than the one of the training rows.

    Returns
    -------
    Dataset
        X is a CSR matrix of float64, y an array of int64 if all labels are whole numbers, else of float64.
        Indices count from 0 if the file has an index 0, else from 1.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    OSError
        If the file cannot be read.
    ValueError
        If the file is empty, or a line is not as above.

    References
    ----------
    T. Joachims, Making Large-Scale SVM Learning Practical, in Advances in Kernel Methods, MIT Press, 1999.
    """
    try:
        from sklearn.datasets import load_svmlight_file
    except ImportError:
        raise ImportError("svmlight files need scikit-learn: pip install 'fastmlp[sklearn]'") from None
    with opened(path_or_file) as (file, name):
        try:
            X, y = load_svmlight_file(file, n_features=n_features)
        except (ValueError, OverflowError, IndexError, MemoryError) as error:
            raise ValueError(f"{name}: damaged, or no svmlight file: {error}") from None
    if not len(y):
        raise ValueError(f"{name}: the file has no rows")
    whole = np.isfinite(y).all() and (y == np.floor(y)).all() and np.abs(y).max() < 2.0**53
    return Dataset(X, y.astype(np.int64) if whole else y)
