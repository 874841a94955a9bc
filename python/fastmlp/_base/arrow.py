"""pyarrow, imported where a table is read, and what its columns hold as NumPy has it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INDEX = re.compile(r"__index_level_[0-9]+__")
_TEXTS = ("string", "large_string", "string_view")


def import_pyarrow() -> Any:
    """Return the module pyarrow, with its functions."""
    try:
        import pyarrow as pa
        import pyarrow.compute  # so that pa.compute is there
    except ImportError:
        raise ImportError("Arrow data and data frames need pyarrow: pip install 'fastmlp[data]'") from None
    return pa


def is_arrow_column(data: Any) -> bool:
    """Tell whether data is one column of Arrow's own: an array, or one in chunks."""
    return type(data).__module__.partition(".")[0] == "pyarrow" and hasattr(data, "null_count")


def values_of(column: Any) -> NDArray[Any]:
    """Return a pyarrow.Array or ChunkedArray as an array of numbers, booleans, datetime64[us] or objects.

    Objects are strings, with None where missing. Integers and booleans with missing values become float64
    with NaN, decimals float64; times with a zone are turned into UTC; categories become what they stand for.

    Raises
    ------
    TypeError
        If the column is of any other type.
    """
    pa = import_pyarrow()
    kind, types = column.type, pa.types
    if isinstance(column, pa.Array):
        return values_of(pa.chunked_array([column]))
    if types.is_dictionary(kind):
        plain = pa.large_string() if str(kind.value_type) in _TEXTS else kind.value_type  # views take no rows
        chunks = [chunk.dictionary.cast(plain).take(chunk.indices) for chunk in column.chunks]
        return values_of(pa.chunked_array(chunks, type=plain))
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
    array: NDArray[Any] = values.to_numpy()
    return array


def is_pandas_index(name: Any) -> bool:
    """Tell whether a column is an index without a name, as pandas writes it beside the columns of a frame."""
    return isinstance(name, str) and _INDEX.fullmatch(name) is not None
