"""Tables of other libraries: pandas and polars data frames, and Arrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base.arrow import import_pyarrow
from fastmlp.data._table import Column, Table, quoted

_TEXTS = ("string", "large_string", "string_view")


def read_frame(frame: Any) -> Table:
    """Turn a pandas or polars data frame or an Arrow table into a table.

    Columns of integers, floats, decimals, booleans, dates, times, strings and categories are taken. Integers
    and booleans with missing values become float64 with NaN; times with a zone are turned into UTC; of
    nanoseconds, whole microseconds are kept. The index of a pandas data frame is left out.

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame, pyarrow.Table, or another Arrow object
        Anything that offers a table through the Arrow PyCapsule interface; a `Table` comes back as it is.

    Returns
    -------
    Table

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    TypeError
        If this is no table, or a column holds something else.
    ValueError
        If two columns have the same name, or a value does not fit.
    """
    if isinstance(frame, Table):
        return frame
    pa = import_pyarrow()
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):  # pandas, whose object columns must be looked at
        return _table(
            list(frame.columns), lambda i: pa.chunked_array([pa.array(frame.iloc[:, i], from_pandas=True)])
        )
    if not (hasattr(frame, "__arrow_c_stream__") or hasattr(frame, "__arrow_c_array__")):
        hint = "; collect() it first" if hasattr(frame, "collect") else ""
        raise TypeError(
            f"expected a pandas or polars data frame or an Arrow table, got {type(frame).__name__}{hint}"
        )
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError) as error:
        raise TypeError(f"expected a table of columns, got {type(frame).__name__}: {error}") from None
    return from_arrow(table, "table")


def from_arrow(table: Any, source: str) -> Table:
    """Turn a pyarrow.Table into a table, which messages call `source`."""
    return _table(table.column_names, table.column, source)


def _table(names: list[Any], column: Callable[[int], Any], source: str = "table") -> Table:
    """Build a table from the names of the columns and a function that returns each as a ChunkedArray."""
    doubled = [str(name) for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise ValueError(f"{source}: several columns have the same name: {quoted(doubled)}")
    pa, columns = import_pyarrow(), {}
    for i, name in enumerate(names):
        try:
            columns[name] = _values(column(i))
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise TypeError(
                f"{source}: column {name!r} cannot be read as numbers, booleans, dates or strings: {error}"
            ) from None
    return Table(columns, source=source)


def _values(column: Any) -> Column:
    """Return a pyarrow.ChunkedArray as an array that a Table takes."""
    pa = import_pyarrow()
    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        plain = pa.large_string() if str(kind.value_type) in _TEXTS else kind.value_type  # views take no rows
        chunks = [chunk.dictionary.cast(plain).take(chunk.indices) for chunk in column.chunks]
        return _values(pa.chunked_array(chunks, type=plain))
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_floating(kind):
        values = column
    elif types.is_integer(kind) or types.is_boolean(kind):
        values = column.cast(pa.float64(), safe=False) if column.null_count else column
    elif types.is_decimal(kind):
        values = column.cast(pa.float64())
    elif types.is_date(kind):
        values = column.cast(pa.timestamp("us"))
    elif types.is_timestamp(kind):  # counted in UTC, whatever the zone
        microseconds = pa.timestamp("us", tz=kind.tz)
        options = pa.compute.CastOptions(target_type=microseconds, allow_time_truncate=True)
        values = pa.compute.cast(column, options=options)
    elif str(kind) in _TEXTS:
        values = column.cast(pa.large_string())
    else:
        raise TypeError(f"its type is {kind}")
    array: Column = values.to_numpy()
    return array
