"""Rows of an array as a table: of numbers, or of objects whose kinds are looked up."""

from __future__ import annotations

import datetime as dt
import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import is_missing
from fastmlp.data._frames import read_frame
from fastmlp.data._table import Column, Table


def is_array(data: Any) -> bool:
    """Tell whether data is an array or a list of rows, which have no names for their columns."""
    return isinstance(data, (np.ndarray, list, tuple))


def read_rows(data: Any, names: Sequence[str] = ()) -> Table:
    """Return a table of anything that holds rows: a data frame, an array, a list of rows.

    Parameters
    ----------
    data : Table, data frame, Arrow table, array of shape (n, columns), or list of rows
    names : sequence of str, default ()
        Names for the columns of an array of so many columns; else they are x0, x1 and so on, as scikit-learn
        has them.

    Raises
    ------
    TypeError
        If this is no table, or a column holds anything but numbers, booleans, dates and strings.
    ValueError
        If an array is not of two dimensions.
    """
    if hasattr(data, "tocsr"):
        raise TypeError("expected a table, got a sparse matrix, whose columns are numbers already")
    if not is_array(data):
        return read_frame(data)
    array = data if isinstance(data, np.ndarray) else _rectangle(data)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"an array must have the shape (rows, columns) to be a table, got {array.shape}")
    width = array.shape[1]
    called = list(names) if len(names) == width else [f"x{i}" for i in range(width)]
    objects = array.dtype.kind == "O"
    return Table(
        {name: _of_objects(name, array[:, i]) if objects else array[:, i] for i, name in enumerate(called)}
    )


def _rectangle(rows: Sequence[Any]) -> NDArray[Any]:
    widths = {len(row) if isinstance(row, (list, tuple, np.ndarray)) else -1 for row in rows}
    if len(widths) != 1 or -1 in widths:
        raise ValueError("a list must hold rows of one length to be a table")
    array = np.empty((len(rows), widths.pop()), dtype=object)
    for i, row in enumerate(rows):
        array[i] = row
    return array


def _of_objects(name: str, values: NDArray[Any]) -> Column:
    """Return a column of objects as one of the kinds that a table holds."""
    missing = np.fromiter(map(is_missing, values), dtype=np.bool_, count=len(values))
    present = values[~missing]
    kinds = [kind for kind, types in _TYPES.items() if all(isinstance(value, types) for value in present)]
    if len(present) and not kinds:
        raise _mixed(name, present)
    if not len(present):
        return np.full(len(values), np.nan)
    kind = kinds[0]
    if kind in ("bool", "int64") and missing.any():
        kind = "float64"
    out = np.full(len(values), None if kind == "object" else np.nan if kind == "float64" else 0)
    column: Column = np.full(len(values), "NaT", dtype=kind) if kind.startswith("date") else out.astype(kind)
    column[~missing] = [_utc(value) for value in present] if kind.startswith("date") else present
    return column


#: The kinds of columns, and the types of their values; a value of the first ones is also of later ones.
_TYPES: dict[str, Any] = {
    "bool": (bool, np.bool_),
    "int64": numbers.Integral,
    "float64": (numbers.Real, Decimal),
    "datetime64[us]": (dt.date, np.datetime64),
    "object": str,
}


def _utc(value: Any) -> Any:
    """Return a time without its zone, in UTC."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return value


def _mixed(name: str, present: NDArray[Any]) -> TypeError:
    kinds = sorted({type(value).__name__ for value in present})
    return TypeError(
        f"column {name!r} must hold numbers, booleans, dates or strings alone, got {', '.join(kinds)}"
    )
