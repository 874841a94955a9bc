"""A table's columns in ONNX: what the encoder does before the network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._export.onnx_graph import Graph
from fastmlp.data._categories import CategoryColumn, EmbeddingColumn, Numbering
from fastmlp.data._columns import BoolColumn, NumberColumn
from fastmlp.data._dates import CYCLES, DateColumn

ML_DOMAIN = "ai.onnx.ml"


def _number(graph: Graph, column: Any, value: str) -> list[str]:
    """Add (x - center) / scale in double, the median in place of NaN; and whether it is NaN."""
    missing = graph.add("IsNaN", value)
    known = graph.add("Where", missing, np.float64(column.median), value)
    if column.scale == 0:
        standardized = graph.add("Mul", known, np.float64(0))
    else:
        centered = graph.add("Sub", known, np.float64(column.center))
        standardized = graph.add("Div", centered, np.float64(column.scale))
    parts = [graph.from_double(standardized)]
    return [*parts, graph.cast(missing, graph.dtype)] if column.indicator else parts


def _date(graph: Graph, column: Any, value: str) -> list[str]:
    """Add the days as a number, then sin and cos of each cycle, computed in double, and 0 in place of NaN."""
    parts = _number(graph, column, value)
    missing = graph.add("IsNaN", value)
    for name in column.cycles:
        days = graph.add("Floor", value) if CYCLES[name].whole_days else value
        turns = graph.add("Div", days, np.float64(CYCLES[name].period))
        angle = graph.add("Mul", graph.add("Sub", turns, graph.add("Floor", turns)), np.float64(math.tau))
        # ONNX Runtime has Sin for doubles in every version, Cos not.
        for shifted in (angle, graph.add("Add", angle, np.float64(math.pi / 2))):
            wave = graph.add("Where", missing, np.float64(0), graph.add("Sin", shifted))
            parts.append(graph.from_double(wave))
    return parts


def _boolean(graph: Graph, column: Any, value: str) -> list[str]:
    """Add the 0 or 1, the usual one in place of NaN."""
    flag = graph.add("Where", graph.add("IsNaN", value), np.float64(column.usual), value)
    return [graph.from_double(flag)]


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
    DateColumn: (False, _date),
    BoolColumn: (False, _boolean),
    CategoryColumn: (True, _category),
    EmbeddingColumn: (True, _embedding),
}
