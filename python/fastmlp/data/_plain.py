"""Whether a table's columns are numbers without gaps, which a network takes as they are."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

import numpy as np

from fastmlp.data._table import Table


def odd_column(table: Any, left_out: Collection[Any] = ()) -> tuple[Any, str] | None:
    """Return the first column that is more than numbers without gaps, and what it holds; None without any.

    Parameters
    ----------
    table : Table, pandas or polars data frame, or Arrow table
        pyarrow is not needed for pandas and polars.
    left_out : collection of names
        Columns that are not looked at, such as targets.
    """
    if isinstance(table, Table):
        return _first_odd(table.names, left_out, lambda i: _odd_array(table[table.names[i]]))
    if hasattr(table, "iloc"):
        return _first_odd(list(table.columns), left_out, lambda i: _odd_pandas(table.iloc[:, i]))
    if hasattr(table, "column_names"):
        return _first_odd(table.column_names, left_out, lambda i: odd_arrow(table.column(i)))
    return _first_odd(table.columns, left_out, lambda i: _odd_polars(table[table.columns[i]]))


def _first_odd(
    names: Collection[Any], left_out: Collection[Any], odd: Callable[[int], str | None]
) -> tuple[Any, str] | None:
    for i, name in enumerate(names):
        what = None if name in left_out else odd(i)
        if what is not None:
            return name, what
    return None


def odd_type(kind: Any) -> str | None:
    """Return what an Arrow type holds, if that is no numbers."""
    from pyarrow import types

    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return None
    if types.is_boolean(kind):
        return "booleans"
    return "dates" if types.is_temporal(kind) else "texts or categories"


def odd_arrow(column: Any) -> str | None:
    """Return what is odd about an Arrow column."""
    what = odd_type(column.type)
    if what is None and column.null_count:
        return "gaps"
    return what or (_odd_array(column.to_numpy()) if str(column.type) in ("float", "double") else None)


def _odd_pandas(column: Any) -> str | None:
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf":
        return "gaps" if bool(column.isna().any()) else None
    if kind == "b":
        return "booleans"
    return _odd_array(column.to_numpy())


def _odd_polars(column: Any) -> str | None:
    if not column.dtype.is_numeric():
        if str(column.dtype) == "Object":
            return _odd_array(column.to_numpy())
        return {"Boolean": "booleans", "Date": "dates", "Null": "gaps"}.get(
            str(column.dtype), "dates" if column.dtype.is_temporal() else "texts or categories"
        )
    gaps = column.null_count() or (column.dtype.is_float() and column.is_nan().any())
    return "gaps" if gaps else None


def _odd_array(values: Any) -> str | None:
    kind = values.dtype.kind
    if kind in "iu":
        return None
    if kind == "f":
        return "gaps" if bool(np.isnan(values).any()) else None
    if kind == "O":
        return next((what for what in map(_odd_value, values) if what is not None), None)
    return {"b": "booleans", "M": "dates", "m": "dates"}.get(kind, "texts or categories")


def _odd_value(value: Any) -> str | None:
    if isinstance(value, (bool, np.bool_)):
        return "booleans"
    if isinstance(value, (numbers.Real, Decimal)):
        return "gaps" if value != value else None
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return "gaps"
    return "texts or categories" if isinstance(value, (str, bytes)) else "other than numbers"
