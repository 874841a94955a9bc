"""Batches of rows, from an iterator or a Parquet dataset, copied once into files that are read by slices."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._rows import features_and_target
from fastmlp._targets import as_targets
from fastmlp._validation import as_matrix, as_table, feature_names, same_length

_PARQUET_BYTES = 2**24  # read at a time, about


class CodedLabels:
    """Labels of any type, as codes in a file; a slice gives the labels."""

    def __init__(self, codes: NDArray[np.int64], labels: NDArray[Any]) -> None:
        self._codes, self._labels = codes, labels
        self.base = codes  # whose pages can be released

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return self._labels[self._codes[rows]]


def mapped(data: Any) -> Any:
    """Open an .npy file as a memory map; anything else comes back as it is."""
    if not is_npy(data):
        return data
    from fastmlp.data import read_npy

    return read_npy(data)


def is_npy(path: Any) -> bool:
    """Whether this is the path of an .npy file."""
    return isinstance(path, (str, os.PathLike)) and Path(path).suffix == ".npy"


def as_batches(X: Any, y: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the batches (X, y) of an iterator or a Parquet dataset; None for rows that lie in an array."""
    if isinstance(X, (str, os.PathLike)) or hasattr(X, "scanner"):
        return _parquet_batches(X, y)
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
    with _Rows(np.dtype(dtype)) as X_file, _Rows(None) as y_file:
        return _spool(batches, dtype, X_file, y_file)


def _spool(
    batches: Iterable[tuple[Any, Any]], dtype: str, X_file: _Rows, y_file: _Rows
) -> tuple[Any, Any, tuple[str, ...]]:
    names: tuple[str, ...] | None = None
    labels: _Labels | None = None
    for number, batch in enumerate(batches):
        try:
            X, y = _checked_pair(batch)
            given = feature_names(X)
            if names is not None and given != names:
                raise ValueError(f"its columns are {given}, those of the first one {names}")
            names = given
            X, y = as_matrix("X", X, dtype), as_targets(y)
            same_length("y", len(y), len(X))
            if len(y) == 0:
                continue
            X_file.append(X)
            if y_file.dtype is None and y.dtype.kind not in "biuf":
                labels = _Labels(y.dtype)
            y_file.append(y if labels is None else labels.codes(y))
        except (ValueError, TypeError) as error:
            raise type(error)(f"batch {number}: {error}") from None
    if names is None:
        raise ValueError("X must be an iterator of at least one batch, got none")
    targets = y_file.array()
    return X_file.array(), targets if labels is None else CodedLabels(targets, labels.array()), names


class _Labels:
    """Labels that are no numbers, numbered as they appear."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._numbers: dict[Any, int] = {}

    def codes(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Return the numbers of labels."""
        same = y.dtype.kind == self._dtype.kind and (y.dtype.kind in "US" or y.dtype == self._dtype)
        if not same:
            raise TypeError(f"y has dtype {y.dtype}, that of the first batch {self._dtype}")
        distinct, inverse = np.unique(y, return_inverse=True)
        numbers = self._numbers
        found = [numbers.setdefault(label, len(numbers)) for label in distinct.tolist()]
        return np.array(found, np.int64)[inverse.reshape(y.shape)]

    def array(self) -> NDArray[Any]:
        """Return the labels, in the order of their numbers."""
        return np.array(list(self._numbers), None if self._dtype.kind in "US" else self._dtype)


class _Rows:
    """An unnamed file of rows of one width and type."""

    def __init__(self, dtype: np.dtype[Any] | None) -> None:
        self._file: Any = tempfile.TemporaryFile(prefix="fastmlp-")  # noqa: SIM115
        self.dtype, self._rows = dtype, 0
        self._width: tuple[int, ...] = ()

    def __enter__(self) -> _Rows:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, rows: NDArray[Any]) -> None:
        if self._rows == 0:
            self.dtype, self._width = self.dtype or rows.dtype, rows.shape[1:]
        if rows.shape[1:] != self._width:
            raise ValueError(f"rows have the shape {rows.shape[1:]}, those of the first batch {self._width}")
        if self.dtype is None or not np.can_cast(rows.dtype, self.dtype, "safe"):
            raise TypeError(f"y has dtype {rows.dtype}, that of the first batch {self.dtype}")
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self._rows += len(rows)

    def array(self) -> NDArray[Any]:
        self._file.flush()
        if self._rows == 0 or self.dtype is None:
            raise ValueError("X must have at least one row, got 0")
        mapped: NDArray[Any] = np.memmap(self._file, self.dtype, "r", shape=(self._rows, *self._width))
        return mapped


def _checked_pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise TypeError(f"must be a pair (X, y), got {type(batch).__name__}")
    return batch[0], batch[1]


def _with_target(tables: Iterable[Any], y: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(y, str):
        raise TypeError(f"y must be None for an iterator of pairs (X, y), or a column's name, got {y!r}")
    for table in tables:
        yield features_and_target(as_table(table), y)


def _parquet_batches(source: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    from fastmlp.data._frames import import_pyarrow

    pa = import_pyarrow()
    from pyarrow import dataset as ds

    if not isinstance(y, str):
        raise TypeError(f"y must be the name of a column of the Parquet dataset, got {y!r}")
    dataset = source
    if not hasattr(source, "scanner"):
        if not Path(source).exists():
            raise FileNotFoundError(f"X: {os.fspath(source)!r} is not there")
        try:
            dataset = ds.dataset(source, format="parquet")
        except (OSError, ValueError) as error:
            raise ValueError(f"{os.fspath(source)}: not a Parquet dataset: {error}") from None
    # Columns are read in pieces, and nothing ahead: by default whole row groups wait in memory.
    options = ds.ParquetFragmentScanOptions(use_buffered_stream=True, buffer_size=2**20, pre_buffer=False)
    rows = max(_PARQUET_BYTES // (8 * len(dataset.schema.names)), 256)
    batches = dataset.to_batches(
        batch_size=rows, batch_readahead=0, fragment_readahead=0, use_threads=False,
        fragment_scan_options=options,
    )  # fmt: skip
    return _with_target((pa.Table.from_batches([batch]) for batch in batches), y)
