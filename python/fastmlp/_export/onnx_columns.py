"""A table's columns in ONNX: what the encoder does before the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._export.onnx_graph import Graph
from fastmlp.data._categories import CategoryColumn, EmbeddingColumn, Numbering
from fastmlp.data._columns import BoolColumn, DateColumn, NumberColumn

ML_DOMAIN = "ai.onnx.ml"


def _number(graph: Graph, column: Any, value: str) -> list[str]:
    """Add (x - center) / scale in double, the median in place of NaN; and whether it is NaN."""
    missing = graph.add("IsNaN", value)

    def standardized(x: str) -> str:
        known = graph.add("Where", missing, np.float64(column.median), x)
        if column.scale == 0:
            return graph.add("Mul", known, np.float64(0))
        return graph.add("Div", graph.add("Sub", known, np.float64(column.center)), np.float64(column.scale))

    parts = [graph.in_double(value, standardized)]
    return [*parts, graph.cast(missing, graph.dtype)] if column.indicator else parts


def _boolean(graph: Graph, column: Any, value: str) -> list[str]:
    """Add the 0 or 1, the usual one in place of NaN."""
    return [graph.add("Where", graph.add("IsNaN", value), float(column.usual), value)]


def _category(graph: Graph, column: Any, value: str) -> list[str]:
    """Add 1 in the place of the category, 0 elsewhere."""
    places = np.arange(len(column.feature_names), dtype=np.int64)
    if not len(places):
        return []
    place = _place(graph, column.categories, column.numbering, value)
    return [graph.cast(graph.add("Equal", place, places), graph.dtype)]


def _embedding(graph: Graph, column: Any, value: str) -> list[str]:
    """Add the number of the category."""
    return [graph.cast(_place(graph, column.categories, column.numbering, value), graph.dtype)]


def _place(graph: Graph, categories: tuple[str, ...], numbers: Numbering, value: str) -> str:
    """Add the number of a text; a missing one is ""."""
    if "" in categories and numbers.missing != numbers.other:
        raise ValueError("a column has the category '' and missing values, which are '' in ONNX, too")
    places = {"": numbers.missing} | {text: i for i, text in enumerate(categories, numbers.first)}
    return graph.add(
        "LabelEncoder",
        value,
        domain=ML_DOMAIN,
        keys_strings=list(places),
        values_int64s=list(places.values()),
        default_int64=numbers.other,
    )


#: Each class of column: whether it is text, and what adds its inputs to the graph, (n, k) each.
COLUMNS: dict[type, tuple[bool, Callable[[Graph, Any, str], list[str]]]] = {
    NumberColumn: (False, _number),
    DateColumn: (False, _number),
    BoolColumn: (False, _boolean),
    CategoryColumn: (True, _category),
    EmbeddingColumn: (True, _embedding),
}
