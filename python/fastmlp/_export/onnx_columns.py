"""A table's columns in ONNX: what the encoder does before the network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._export.onnx_graph import Graph
from fastmlp.data._categories import CategoryColumn, EmbeddingColumn, Numbering, PairColumn
from fastmlp.data._columns import BoolColumn, NumberColumn
from fastmlp.data._dates import CYCLES, DateColumn
from fastmlp.data._quantiles import Points
from fastmlp.data._scaling import CLIP, FAR

ML_DOMAIN = "ai.onnx.ml"


def _number(graph: Graph, column: Any, value: str) -> list[str]:
    """Add (x - center) / scale, or what else the scaling is, in double; and whether x is NaN.

    The median is in place of NaN.
    """
    missing = graph.add("IsNaN", value)
    known = graph.add("Where", missing, np.float64(column.median), value)
    if column.quantiles:
        standardized = _through(graph, column.points, known)
    elif column.scale == 0:
        standardized = graph.add("Mul", known, np.float64(0))
    else:
        centered = graph.add("Sub", known, np.float64(column.center))
        standardized = graph.add("Div", centered, np.float64(column.scale))
        if column.clipped:
            standardized = _clipped(graph, standardized)
    parts = [graph.from_double(standardized)]
    return [*parts, graph.cast(missing, graph.dtype)] if column.indicator else parts


def _clipped(graph: Graph, value: str) -> str:
    """Add the smooth clip."""
    near = graph.add("Clip", value, np.float64(-FAR), np.float64(FAR))
    part = graph.add("Div", near, np.float64(CLIP))
    square = graph.add("Add", graph.add("Mul", part, part), np.float64(1))
    return graph.add("Div", near, graph.add("Sqrt", square))


def _through(graph: Graph, points: Points, value: str) -> str:
    """Add the function that is linear between points; the place of a value is how many of them it reaches."""
    if len(points.x) < 2:
        return graph.add("Mul", value, np.float64(0))
    within = graph.add("Clip", value, points.x[0], points.x[-1])
    reached = graph.cast(graph.add("GreaterOrEqual", within, points.x[np.newaxis, 1:-1]), np.int64)
    place = graph.add("ReduceSum", reached, np.array([1]), keepdims=1)
    small = points.x / points.unit
    starts, widths, z, steps = (
        graph.add("Gather", values, place)
        for values in (small[:-1], np.diff(small), points.z, np.diff(points.z))
    )
    beyond = graph.add("Sub", graph.add("Div", within, np.float64(points.unit)), starts)
    return graph.add("Add", z, graph.add("Mul", graph.add("Div", beyond, widths), steps))


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
    """Add the 0 or 1, the usual one in place of NaN; or -1 or 1, and 0."""
    missing = graph.add("IsNaN", value)
    if column.sign:
        signs = graph.add("Sub", graph.add("Mul", value, np.float64(2)), np.float64(1))
        return [graph.from_double(graph.add("Where", missing, np.float64(0), signs))]
    flag = graph.add("Where", missing, np.float64(column.usual), value)
    return [graph.from_double(flag)]


def _category(graph: Graph, column: Any, value: str) -> list[str]:
    """Add 1 in the place of the category, 0 elsewhere."""
    places = np.arange(len(column.feature_names), dtype=np.int64)
    if not len(places):
        return []
    place = _place(graph, column.categories, column.numbering, value)
    return [graph.cast(graph.add("Equal", place, places), graph.dtype)]


def _pair(graph: Graph, column: Any, value: str) -> list[str]:
    """Add -1 or 1, and 0 for what is neither."""
    signs = {"": 0} | dict(zip(column.categories, (-1, 1), strict=True))
    return [graph.cast(_label(graph, signs, 0, value), graph.dtype)]


def _embedding(graph: Graph, column: Any, value: str) -> list[str]:
    """Add the number of the category."""
    return [graph.cast(_place(graph, column.categories, column.numbering, value), graph.dtype)]


def _place(graph: Graph, categories: tuple[str, ...], numbers: Numbering, value: str) -> str:
    """Add the number of a text; a missing one is ""."""
    if "" in categories and numbers.missing != numbers.other:
        raise ValueError("a column has the category '' and missing values, which are '' in ONNX, too")
    places = {"": numbers.missing} | {text: i for i, text in enumerate(categories, numbers.first)}
    return _label(graph, places, numbers.other, value)


def _label(graph: Graph, numbers: dict[str, int], other: int, value: str) -> str:
    """Add the number of a text, `other` for those that have none."""
    return graph.add(
        "LabelEncoder",
        value,
        domain=ML_DOMAIN,
        keys_strings=list(numbers),
        values_int64s=list(numbers.values()),
        default_int64=other,
    )


#: Each class of column: whether it is text, and what adds its inputs to the graph, (n, k) each.
COLUMNS: dict[type, tuple[bool, Callable[[Graph, Any, str], list[str]]]] = {
    NumberColumn: (False, _number),
    DateColumn: (False, _date),
    BoolColumn: (False, _boolean),
    CategoryColumn: (True, _category),
    PairColumn: (True, _pair),
    EmbeddingColumn: (True, _embedding),
}
