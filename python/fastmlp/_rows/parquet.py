"""The rows of a Parquet dataset, copied once into files that are read by slices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.arrow import import_pyarrow, is_pandas_index
from fastmlp._base.said import say
from fastmlp._base.text import shortened
from fastmlp._base.validation import as_matrix, as_numbers
from fastmlp._rows.targets import as_targets
from fastmlp._rows.temporary import NoRoomError, Rows, TargetRows, TemporaryFile

_PARQUET_BYTES = 2**23  # of a row group's columns that are read at a time
_BLOCK_BYTES = 2**23  # of its rows that are put together at a time


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
    inputs = [column for column in names if column != y and not is_pandas_index(column)]
    for column in {*names} - {*inputs, y}:
        say(f"{name}: column {column!r} is left out: it is the index of the frame that was written")
    pa = import_pyarrow()
    with _errors_name(name):
        files = list(dataset.get_fragments())
        _check_files(files, names, strict=source is not dataset)
        if not sum(_row_count(file) for file in files):
            raise ValueError("there are no rows")
    with (
        _little_memory(),
        Rows(np.dtype(dtype)) as X_file,
        TargetRows() as targets,
        _Stripes(np.dtype(dtype)) as stripes,
    ):
        for file in files:
            row = 0
            with _errors_name(_path(file)):
                for group in file.split_by_row_group():
                    _copy_group(group, row, dataset.schema, inputs, stripes, y, targets)
                    row += _row_count(group)
                    for part in stripes.rows():
                        X_file.append(part)
                    pa.system_memory_pool().release_unused()  # malloc would keep tens of MB
        return X_file.array(), targets.array(), tuple(inputs)


@contextmanager
def _errors_name(file: str) -> Iterator[None]:
    """Put a file before what is wrong with it."""
    pa = import_pyarrow()
    try:
        yield
    except NoRoomError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{file}: {error}") from None


def parquet_dataset(source: Any) -> tuple[Any, str]:
    """Return the dataset of a path, or the one given, and what to call it."""
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


def _path(file: Any) -> str:
    return str(getattr(file, "path", None) or "the dataset")


def _check_files(files: list[Any], names: list[str], *, strict: bool) -> None:
    """Refuse files that lack a column of the dataset, whose values would be missing.

    The dataset has the columns of its first file: if strict, others must not have more.
    """
    from pyarrow import dataset as ds

    for file in files:
        if not hasattr(file, "split_by_row_group"):
            raise TypeError("X must be a Parquet dataset; give a table in memory as it is")
        own = {*file.physical_schema.names, *ds.get_partition_keys(file.partition_expression)}
        missing = [name for name in names if name not in own]
        more = sorted(own - {*names}) if strict else []
        for columns, what in ((missing, "has not the column"), (more, "alone has the column")):
            if columns:
                others = f" and {len(columns) - 1} others" if len(columns) > 1 else ""
                raise ValueError(f"{_path(file)} {what} {shortened(repr(columns[0]), 80)}{others}")


@contextmanager
def _little_memory() -> Iterator[None]:
    """Let Arrow take memory from malloc and give it back, and read with one thread of each of its two kinds.

    Its own allocator, and malloc for each thread that reads, would keep tens of MB: sometimes so much that
    the process went beyond the limit.
    """
    pa = import_pyarrow()
    usual, computing, reading = pa.default_memory_pool(), pa.cpu_count(), pa.io_thread_count()
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        yield
    finally:
        pa.set_io_thread_count(reading)
        pa.set_cpu_count(computing)
        pa.set_memory_pool(usual)
        for pool in (pa.system_memory_pool(), usual):
            pool.release_unused()


def _row_count(part: Any) -> int:
    return sum(int(group.num_rows) for group in part.row_groups)


class _Stripes(TemporaryFile):
    """The columns of a row group, a few at a time in an unnamed file, from which they are read row by row.

    In memory, or in a map of the rows, they would take as much as the whole row group.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        super().__init__()
        self.dtype, self._height = dtype, 0
        self._widths: list[int] = []

    def append(self, columns: NDArray[Any]) -> None:
        """Add columns, (rows, several)."""
        self._height = len(columns)
        self._widths.append(columns.shape[1])
        self._write(np.asarray(columns, self.dtype))

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
    group: Any, row: int, schema: Any, inputs: list[str], stripes: _Stripes, y: str, targets: TargetRows
) -> None:
    """Copy a row group, which begins at a row of its file, to the stripes and the targets."""
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
    several = max(_PARQUET_BYTES // (8 * max(_row_count(group), 1)), 1)
    for first in range(0, len(inputs), several):
        columns = inputs[first : first + several]
        try:
            stripes.append(as_matrix("X", read(columns), stripes.dtype))
        except (ValueError, TypeError):
            _check_columns(read, columns, row, stripes.dtype)
            raise


def _check_columns(
    read: Callable[[list[str]], Any], columns: list[str], row: int, dtype: np.dtype[Any]
) -> None:
    """Raise the error of the first column that holds something else than finite numbers."""
    for name in columns:
        values = read([name]).column(name)
        as_numbers(f"column {shortened(repr(name), 80)}", values, dtype, lambda at: (row + at,))
