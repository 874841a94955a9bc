"""The data, column by column, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fastmlp._base.text import shortened
from fastmlp._report.html import Html, join, paragraph, table
from fastmlp.data import Table
from fastmlp.data._table import Column, missing_values

_COLUMNS = 200
_VALUES = 3


def describe_table(data: Table, inputs: tuple[str, ...], target: str) -> Html:
    """Make a table with a row for each column of the data.

    Parameters
    ----------
    data : Table
    inputs : tuple of str
        The columns that the network sees.
    target : str
        The column that it predicts.
    """
    shown = _rows(data, inputs, target)
    parts = [
        paragraph(f"{data.source}: {data.n_rows:,} rows, {len(data.names)} columns."),
        table(("column", "role", "kind", "missing", "values"), shown),
    ]
    if len(data.names) > _COLUMNS:
        parts.append(paragraph(f"and {len(data.names) - _COLUMNS} more columns"))
    return join(parts)


def _rows(data: Table, inputs: tuple[str, ...], target: str) -> Iterator[tuple[object, ...]]:
    kinds = {"i": "whole numbers", "f": "numbers", "b": "true or false", "M": "dates", "O": "texts"}
    for name in data.names[:_COLUMNS]:
        role = "target" if name == target else "input" if name in inputs else "ignored"
        column = data[name]
        missing = missing_values(column)
        yield name, role, kinds[column.dtype.kind], int(missing.sum()), _values(column[~missing])


def _values(column: Column) -> str:
    if not len(column):
        return "none"
    if column.dtype.kind == "M":
        return f"{column.min()} to {column.max()}"
    if column.dtype.kind in "if":
        return f"{column.min():.6g} to {column.max():.6g}, mean {column.mean():.6g}"
    counts = Counter(map(str, column))
    listed = ", ".join(f"{shortened(text, 40)} ({count:,})" for text, count in counts.most_common(_VALUES))
    more = len(counts) - _VALUES
    return listed + (f" and {more:,} more" if more > 0 else "")
