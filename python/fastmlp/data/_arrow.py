"""Read the columnar files that Arrow knows: Parquet, and Arrow's own, which Feather is too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp._base.arrow import import_pyarrow
from fastmlp.data._frames import from_arrow
from fastmlp.data._source import Source, check_growth, opened, size_of
from fastmlp.data._table import Table

PARQUET = b"PAR1"
ARROW_FILE = b"ARROW1"
ARROW_STREAM = b"\xff\xff\xff\xff"
FEATHER_1 = b"FEA1"

_VALUE_BYTES = 8


def read_parquet(path_or_file: Source) -> Table:
    """Read a Parquet file into a table.

    Parameters
    ----------
    path_or_file : path or open binary file
        Its columns may be of the types that `read_frame` takes.

    Returns
    -------
    Table

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    OSError
        If the file cannot be read.
    TypeError
        If a column holds something else than numbers, booleans, dates or strings.
    ValueError
        If the file is damaged or no Parquet file.

    References
    ----------
    Apache Parquet, File Format, https://parquet.apache.org/docs/file-format/.
    """

    def table_of(file: Any) -> Any:
        from pyarrow import parquet

        whole = parquet.ParquetFile(file)
        values = whole.metadata.num_rows * whole.metadata.num_columns
        check_growth(
            _VALUE_BYTES * values, size_of(file)
        )  # a run of one value takes a few bytes, however long
        return whole.read()

    return _read(path_or_file, "Parquet", table_of)


def read_arrow(path_or_file: Source) -> Table:
    """Read an Arrow IPC file, which Feather files are too, or an IPC stream into a table.

    Parameters
    ----------
    path_or_file : path or open binary file
        Its columns may be of the types that `read_frame` takes. Feather version 1, replaced in 2020, is not
        read.

    Returns
    -------
    Table

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    OSError
        If the file cannot be read.
    TypeError
        If a column holds something else than numbers, booleans, dates or strings.
    ValueError
        If the file is damaged or no Arrow file.

    References
    ----------
    Apache Arrow, Columnar Format, https://arrow.apache.org/docs/format/Columnar.html.
    """

    def table_of(file: Any) -> Any:
        from pyarrow import ipc

        head = file.read(len(ARROW_FILE))
        file.seek(0)
        if head.startswith(FEATHER_1):
            raise ValueError("this is Feather version 1; write it again with pyarrow.feather.write_feather")
        reader = ipc.open_file(file) if head == ARROW_FILE else ipc.open_stream(file)
        return reader.read_all()

    return _read(path_or_file, "Arrow", table_of)


def _read(path_or_file: Source, form: str, table_of: Callable[[Any], Any]) -> Table:
    import_pyarrow()
    with opened(path_or_file) as (file, name), _damage_is_a_value_error(name, form):
        table = table_of(file)
        table.validate(full=True)  # a damaged file may point outside of its own memory
    return from_arrow(table, name)


@contextmanager
def _damage_is_a_value_error(name: str, form: str) -> Iterator[None]:
    pa = import_pyarrow()
    try:
        yield
    except (pa.ArrowException, OSError, MemoryError, OverflowError, ValueError) as error:
        raise ValueError(f"{name}: damaged, or no {form} file: {error}") from None
