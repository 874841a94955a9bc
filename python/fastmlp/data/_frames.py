"""Tables of other libraries: pandas and polars data frames, and Arrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from numbers import Integral
from typing import Any

from fastmlp._base.arrow import import_pyarrow, values_of
from fastmlp.data._table import Table, quoted


def read_frame(frame: Any) -> Table:
    """Turn a pandas or polars data frame or an Arrow table into a table.

    Columns of integers, floats, decimals, booleans, dates, times, strings and categories are taken. Integers
    and booleans with missing values become float64 with NaN; times with a zone are turned into UTC; of
    nanoseconds, whole microseconds are kept. The index of a pandas data frame is left out, and names that are
    whole numbers are written out: 0 becomes "0", as the columns of files without a header are called.

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
        names = [str(name) if _is_number(name) else name for name in frame.columns]
        return _table(names, lambda i: pa.array(frame.iloc[:, i], from_pandas=True))
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


def _is_number(name: Any) -> bool:
    return isinstance(name, Integral) and not isinstance(name, bool)


def from_arrow(table: Any, source: str) -> Table:
    """Turn a pyarrow.Table into a table, which messages call `source`."""
    return _table(table.column_names, table.column, source)


def _table(names: list[Any], column: Callable[[int], Any], source: str = "table") -> Table:
    """Build a table from the names of the columns and a function that returns each, as Arrow has it."""
    doubled = [str(name) for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise ValueError(f"{source}: several columns have the same name: {quoted(doubled)}")
    pa, columns = import_pyarrow(), {}
    for i, name in enumerate(names):
        try:
            columns[name] = values_of(column(i))
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise TypeError(
                f"{source}: column {name!r} cannot be read as numbers, booleans, dates or strings: {error}"
            ) from None
    return Table(columns, source=source)
