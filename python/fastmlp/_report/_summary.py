"""The data, column by column, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastmlp._report._html import Html, join, paragraph, table
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
    shown = list(_rows(data, inputs, target))
    parts = [
        paragraph(f"{data.source}: {data.n_rows:,} rows, {len(data.names)} columns."),
        table(("column", "role", "kind", "missing", "values"), shown[:_COLUMNS]),
    ]
    if len(shown) > _COLUMNS:
        parts.append(paragraph(f"and {len(shown) - _COLUMNS} more columns"))
    return join(parts)


def _rows(data: Table, inputs: tuple[str, ...], target: str) -> Iterator[tuple[object, ...]]:
    kinds = {"i": "whole numbers", "f": "numbers", "b": "true or false", "M": "dates", "O": "texts"}
    for name in data.names:
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
    values, counts = np.unique(column.astype(str), return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_VALUES]
    listed = ", ".join(f"{str(values[i])[:40]} ({counts[i]:,})" for i in most)
    more = len(values) - len(most)
    return listed + (f" and {more:,} more" if more else "")
