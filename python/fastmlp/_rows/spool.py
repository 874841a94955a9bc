"""Batches of rows from an iterator, copied once into files that are read by slices."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._base.validation import as_matrix, as_table, feature_names, features_and_target, same_length
from fastmlp._rows.targets import as_targets
from fastmlp._rows.temporary import Rows, TargetRows
from fastmlp.data import read_npy


def mapped(data: Any) -> Any:
    """Open an .npy file as a memory map; anything else comes back as it is."""
    if not is_npy(data):
        return data
    return read_npy(data)


def is_npy(path: Any) -> bool:
    """Whether this is the path of an .npy file."""
    return isinstance(path, (str, os.PathLike)) and Path(path).suffix == ".npy"


def as_batches(X: Any, y: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the batches (X, y) of an iterator; None for rows that lie in an array."""
    if hasattr(X, "read_next_batch"):
        return _with_target(X, y)
    array_like = ("shape", "__array__", "__getitem__", "__arrow_c_stream__", "to_numpy")
    if not hasattr(X, "__iter__") or any(hasattr(X, name) for name in array_like):
        return None
    return X if y is None else _with_target(X, y)


def spool(batches: Iterable[tuple[Any, Any]], dtype: str) -> tuple[Any, Any, tuple[str, ...]]:
    """Copy batches into unnamed files in the folder for temporary ones; return X, y and column names.

    They are gone with the arrays, or with the process.
    """
    with Rows(np.dtype(dtype)) as X_file, TargetRows() as targets:
        return _spool(batches, dtype, X_file, targets)


def _spool(
    batches: Iterable[tuple[Any, Any]], dtype: str, X_file: Rows, targets: TargetRows
) -> tuple[Any, Any, tuple[str, ...]]:
    names: tuple[str, ...] | None = None
    for number, batch in enumerate(batches):
        try:
            X, y = _checked_pair(batch)
            given = feature_names(X)
            if names is not None and given != names:
                raise ValueError(f"its columns are {given}, those of the first one {names}")
            names = given
            X, y = as_matrix("X", X, dtype), as_targets(y)
            same_length("y", len(y), len(X))
            if len(y):
                X_file.append(X)
                targets.append(y)
        except (ValueError, TypeError) as error:
            raise type(error)(f"batch {number}: {error}") from None
    if names is None:
        raise ValueError("X must be an iterator of at least one batch, got none")
    return X_file.array(), targets.array(), names


def _checked_pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise TypeError(f"must be a pair (X, y), got {type(batch).__name__}")
    return batch[0], batch[1]


def _with_target(tables: Iterable[Any], y: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(y, str):
        raise TypeError(f"y must be None for an iterator of pairs (X, y), or a column's name, got {y!r}")
    for table in tables:
        yield features_and_target(as_table(table), y)
