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

_PARQUET_ROWS = 2**16  # read at a time


class CodedLabels:
    """Labels of any type, as codes in a file; a slice gives the labels."""

    def __init__(self, codes: NDArray[np.int64], labels: NDArray[Any]) -> None:
        self._codes, self._labels = codes, labels
        self.base = codes  # whose pages can be released

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return self._labels[self._codes[rows]]


def mapped(*arrays: Any) -> list[Any]:
    """Open .npy files as memory maps; other arguments come back as they are."""
    return [np.load(a, mmap_mode="r") if _is_npy(a) else a for a in arrays]


def _is_npy(path: Any) -> bool:
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
    labels: dict[Any, int] | None = None
    for number, batch in enumerate(batches):
        try:
            X, y = _checked_pair(batch)
            given = feature_names(X)
            if names is not None and given != names:
                raise ValueError(f"its columns are {given}, those of the first one {names}")
            names = given
            X_file.append(as_matrix("X", X, dtype))
            y = as_targets(y)
            same_length("y", len(y), len(X))
            if y.dtype.kind in "biuf":
                y_file.append(y)
            else:
                labels = {} if labels is None else labels
                y_file.append(_codes(y, labels))
        except (ValueError, TypeError) as error:
            raise type(error)(f"batch {number}: {error}") from None
    if names is None:
        raise ValueError("X must be an iterator of at least one batch, got none")
    targets: Any = y_file.array()
    if labels is not None:
        targets = CodedLabels(targets, np.array(list(labels)))
    return X_file.array(), targets, names


class _Rows:
    """An unnamed file of rows of one width and type."""

    def __init__(self, dtype: np.dtype[Any] | None) -> None:
        self._file: Any = tempfile.TemporaryFile(prefix="fastmlp-")  # noqa: SIM115
        self._dtype, self._rows = dtype, 0
        self._width: tuple[int, ...] = ()

    def __enter__(self) -> _Rows:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, rows: NDArray[Any]) -> None:
        if self._rows == 0:
            self._dtype, self._width = self._dtype or rows.dtype, rows.shape[1:]
        if rows.shape[1:] != self._width:
            raise ValueError(f"rows have the shape {rows.shape[1:]}, those of the first batch {self._width}")
        assert self._dtype is not None
        if not np.can_cast(rows.dtype, self._dtype, "same_kind"):
            raise TypeError(f"y has dtype {rows.dtype}, that of the first batch {self._dtype}")
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        self._rows += len(rows)

    def array(self) -> NDArray[Any]:
        self._file.flush()
        if self._rows == 0 or self._dtype is None:
            raise ValueError("X must have at least one row, got 0")
        mapped: NDArray[Any] = np.memmap(self._file, self._dtype, "r", shape=(self._rows, *self._width))
        return mapped


def _codes(y: NDArray[Any], labels: dict[Any, int]) -> NDArray[np.int64]:
    """Return the numbers of labels, which are numbered as they appear."""
    distinct, inverse = np.unique(y, return_inverse=True)
    numbers = [labels.setdefault(label, len(labels)) for label in distinct.tolist()]
    return np.array(numbers, np.int64)[inverse.reshape(y.shape)]


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
    try:
        import pyarrow.dataset as ds
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install 'fastmlp[data]'") from None
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
    batches = dataset.to_batches(
        batch_size=_PARQUET_ROWS, batch_readahead=0, fragment_readahead=0, use_threads=False,
        fragment_scan_options=options,
    )  # fmt: skip
    import pyarrow as pa

    return _with_target((pa.Table.from_batches([batch]) for batch in batches), y)
