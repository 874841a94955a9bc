"""A table's columns in ONNX: what the encoder does before the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.data._columns import CategoryColumn, NumberColumn
from fastmlp.export._onnx_graph import Graph

ML_DOMAIN = "ai.onnx.ml"


def _number(graph: Graph, column: Any, value: str) -> list[str]:
    """Add (x - mean) / scale in double, the median in place of NaN; and whether it is NaN."""
    missing = graph.add("IsNaN", value)

    def standardized(x: str) -> str:
        known = graph.add("Where", missing, np.float64(column.median), x)
        if column.scale == 0:
            return graph.add("Mul", known, np.float64(0))
        return graph.add("Div", graph.add("Sub", known, np.float64(column.mean)), np.float64(column.scale))

    parts = [graph.in_double(value, standardized)]
    return [*parts, graph.cast(missing, graph.dtype)] if column.indicator else parts


def _category(graph: Graph, column: Any, value: str) -> list[str]:
    """Add 1 in the place of the category; 0 for others, missing ones ("") with them."""
    if not column.categories:
        return []
    places = np.arange(len(column.categories), dtype=np.int64)
    place = graph.add(
        "LabelEncoder",
        value,
        domain=ML_DOMAIN,
        keys_strings=list(column.categories),
        values_int64s=places,
        default_int64=-1,
    )
    return [graph.cast(graph.add("Equal", place, places), graph.dtype)]


#: Each class of column: whether it is text, and what adds its inputs to the graph, (n, k) each.
COLUMNS: dict[type, tuple[bool, Callable[[Graph, Any, str], list[str]]]] = {
    NumberColumn: (False, _number),
    CategoryColumn: (True, _category),
}
