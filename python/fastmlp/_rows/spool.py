"""Batches of rows, from an iterator or a Parquet dataset, copied once into files that are read by slices."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.arrow import import_pyarrow
from fastmlp._base.validation import as_matrix, as_table, feature_names, features_and_target, same_length
from fastmlp._rows.targets import as_targets
from fastmlp.data import read_npy

_PARQUET_BYTES = 2**23  # of a row group's columns that are read at a time
_BLOCK_BYTES = 2**23  # of its rows that are put together at a time


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
    with _Rows(np.dtype(dtype)) as X_file, _Targets() as targets:
        return _spool(batches, dtype, X_file, targets)


def _spool(
    batches: Iterable[tuple[Any, Any]], dtype: str, X_file: _Rows, targets: _Targets
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


_AnyRows = TypeVar("_AnyRows", bound="_Rows")


class _Rows:
    """An unnamed file of rows of one width and type."""

    def __init__(self, dtype: np.dtype[Any] | None) -> None:
        self._file: Any = tempfile.TemporaryFile(prefix="fastmlp-")  # noqa: SIM115
        self.dtype, self._rows = dtype, 0
        self._width: tuple[int, ...] = ()

    def __enter__(self: _AnyRows) -> _AnyRows:  # noqa: PYI019 (Self is not in Python 3.10)
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

    def array(self) -> Any:
        self._file.flush()
        if self._rows == 0 or self.dtype is None:
            raise ValueError("X must have at least one row, got 0")
        mapped: NDArray[Any] = np.memmap(self._file, self.dtype, "r", shape=(self._rows, *self._width))
        return mapped


class _Targets(_Rows):
    """An unnamed file of targets: numbers of one type, or the numbers of labels."""

    def __init__(self) -> None:
        super().__init__(None)
        self._labels: _Labels | None = None

    def append(self, rows: NDArray[Any]) -> None:
        if self.dtype is None and rows.dtype.kind not in "biuf":
            self._labels = _Labels(rows.dtype)
        super().append(rows if self._labels is None else self._labels.codes(rows))

    def array(self) -> Any:
        numbers = super().array()
        return numbers if self._labels is None else CodedLabels(numbers, self._labels.array())


def _checked_pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise TypeError(f"must be a pair (X, y), got {type(batch).__name__}")
    return batch[0], batch[1]


def _with_target(tables: Iterable[Any], y: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(y, str):
        raise TypeError(f"y must be None for an iterator of pairs (X, y), or a column's name, got {y!r}")
    for table in tables:
        yield features_and_target(as_table(table), y)


def is_parquet(X: Any) -> bool:
    """Whether this is the path of a Parquet dataset, or a pyarrow dataset."""
    return isinstance(X, (str, os.PathLike)) or hasattr(X, "get_fragments")


def spool_parquet(source: Any, y: Any, dtype: str) -> tuple[Any, Any, tuple[str, ...]]:
    """Copy a Parquet dataset as `spool` does, row group by row group, a few columns at a time.

    All columns at once would take as many decompressed pages, which for many columns are more than the rows.
    """
    if not isinstance(y, str):
        raise TypeError(f"y must be the name of a column of the Parquet dataset, got {y!r}")
    dataset, name = parquet_dataset(source)
    names = list(dataset.schema.names)
    if names.count(y) != 1:
        raise ValueError(f"{name}: y must be one of the columns {', '.join(names)}; got {y!r}")
    inputs = [column for column in names if column != y]
    pa = import_pyarrow()
    try:
        groups = [group for fragment in dataset.get_fragments() for group in fragment.split_by_row_group()]
        rows = sum(_row_count(group) for group in groups)
        if rows == 0:
            raise ValueError("there are no rows")
        with (
            _Rows(np.dtype(dtype)) as X_file,
            _Targets() as targets,
            _Stripes(np.dtype(dtype)) as stripes,
        ):
            for group in groups:
                _copy_group(group, dataset.schema, inputs, stripes, y, targets)
                for part in stripes.rows():
                    X_file.append(part)
                pa.system_memory_pool().release_unused()  # malloc would keep tens of MB
            return X_file.array(), targets.array(), tuple(inputs)
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from None


def parquet_dataset(source: Any) -> tuple[Any, str]:
    import_pyarrow()
    from pyarrow import dataset as ds

    if not isinstance(source, (str, os.PathLike)):
        return source, "the dataset"
    name = os.fspath(source)
    if not Path(source).exists():
        raise FileNotFoundError(f"X: {name!r} is not there")
    try:
        return ds.dataset(source, format="parquet"), name
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{name}: not a Parquet dataset; fastmlp.data.read reads other files: {error}"
        ) from None


def _row_count(group: Any) -> int:
    return sum(int(part.num_rows) for part in group.row_groups)


class _Stripes:
    """The columns of a row group, a few at a time in an unnamed file, from which they are read row by row.

    In memory, or in a map of the rows, they would take as much as the whole row group.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._file: Any = tempfile.TemporaryFile(prefix="fastmlp-")  # noqa: SIM115
        self.dtype, self._height = dtype, 0
        self._widths: list[int] = []

    def __enter__(self) -> _Stripes:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, columns: NDArray[Any]) -> None:
        """Add columns, (rows, several)."""
        self._height = len(columns)
        self._widths.append(columns.shape[1])
        self._file.write(np.ascontiguousarray(columns, self.dtype).data)

    def rows(self) -> Iterator[NDArray[Any]]:
        """Yield the rows, block by block, and forget them."""
        size = self.dtype.itemsize
        step = max(_BLOCK_BYTES // (size * sum(self._widths)), 1)
        for first in range(0, self._height, step):
            count = min(step, self._height - first)
            block = np.empty((count, sum(self._widths)), self.dtype)
            start = column = 0
            for width in self._widths:
                self._file.seek((start + first * width) * size)
                part = np.frombuffer(self._file.read(count * width * size), self.dtype)
                block[:, column : column + width] = part.reshape(count, width)
                start, column = start + self._height * width, column + width
            yield block
        self._widths.clear()
        self._file.seek(0)


def _copy_group(
    group: Any, schema: Any, inputs: list[str], stripes: _Stripes, y: str, targets: _Targets
) -> None:
    """Copy a row group to the stripes and the targets."""
    pa = import_pyarrow()
    from pyarrow import dataset as ds

    options = ds.ParquetFragmentScanOptions(use_buffered_stream=True, buffer_size=2**18, pre_buffer=False)

    def read(columns: list[str]) -> Any:
        return group.to_table(
            schema=schema,
            columns=columns,
            use_threads=False,
            fragment_scan_options=options,
            memory_pool=pa.system_memory_pool(),
        )

    targets.append(as_targets(read([y]).column(y)))
    rows = _row_count(group)
    several = max(_PARQUET_BYTES // (8 * max(rows, 1)), 1)
    for first in range(0, len(inputs), several):
        columns = inputs[first : first + several]
        try:
            stripes.append(as_matrix("X", read(columns), stripes.dtype))
        except (ValueError, TypeError) as error:
            raise type(error)(f"columns {columns[0]!r} to {columns[-1]!r}: {error}") from None


def release(source: Any) -> None:
    """Give back the memory of the pages of a file that have been used; they stay in the system's cache."""
    array: Any = source
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    mapping: Any = getattr(array, "_mmap", None)  # a copy of a map has none
    if array is None or mapping is None or array.mode == "c":  # "c" may have been changed
        return
    if hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)
