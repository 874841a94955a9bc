"""A computational graph as an SVG picture: left to right, values above the wires, gradients below.

A node stands one column right of its inputs; what nothing computed, left of the first gate that reads it. A
wire that passes a column has a bend there, laid out as nodes are, so that it runs around them. Each column
moves near the mean height of its neighbours, a few times over (Sugiyama, Tagawa, Toda, 1981).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from html import escape

import numpy as np

from fastmlp._graph_node import Array, Node
from fastmlp._graph_text import SIGNS, drawn, formula, has_gradients, labels, number, stands_for_itself

_ROW, _BEND, _CURVE, _MARGIN, _BOX = 72, 26, 26, 20, 30  # pixels
_SWEEPS = 12
_RULES = {
    "text": "font:14px sans-serif;text-anchor:middle;fill:#222",
    ".small": "font-size:11px;fill:#666",
    ".name": "font-weight:bold",
    ".value": "fill:#15702c",
    ".grad": "fill:#c01c28",
    "path": "fill:none;stroke:#777;stroke-width:1.3",
    ".gate": "fill:#eef3fb;stroke:#3b5b92",
}
# A page's style sheets act on all of the page: these name the picture that they are for.
_STYLE = "".join(f".fastmlp-graph {what}{{{rule}}}" for what, rule in _RULES.items())


@dataclass(eq=False)
class _Spot:
    """A node in its column, or the bend of a wire that passes the column."""

    column: int
    y: float
    node: Node | None = None
    left: list[_Spot] = field(default_factory=list)  # in the column before
    right: list[_Spot] = field(default_factory=list)
    box: str = ""  # the texts in the box, above and below it, and on the wire
    name: str = ""
    shape: str = ""
    value: str = ""
    gradient: str = ""

    @property
    def height(self) -> float:
        return _BEND if self.node is None else _ROW

    @property
    def width(self) -> float:
        """The width of the box."""
        return 0 if self.node is None else max(_BOX, _width(self.box) + 14)

    @property
    def room(self) -> float:
        """The width of the box and of the texts above and below it."""
        return max(self.width, _width(self.name) * 1.1, _width(self.shape) * 0.8)

    @property
    def wire(self) -> float:
        """The width of the texts on the wire."""
        return 0 if self.node is None else max(_width(self.value), _width(self.gradient)) + 8


def svg(root: Node) -> str:
    """Return the picture of `Node.to_svg`."""
    nodes = root.nodes()
    names, backward = labels(nodes), has_gradients(nodes)
    spots = _place(drawn(nodes))
    for spot in spots:
        if spot.node is not None:
            _write(spot, spot.node, names, backward)
    columns: list[list[_Spot]] = [[] for _ in range(max(spot.column for spot in spots) + 1)]
    for spot in spots:
        columns[spot.column].append(spot)
    _settle(columns)
    boxes = [max(spot.room for spot in column) for column in columns]
    widths = [box + max(spot.wire for spot in column) for box, column in zip(boxes, columns, strict=True)]
    starts = _MARGIN + np.concatenate([[0], np.cumsum(np.array(widths) + _CURVE)])
    top = min(spot.y for spot in spots) - _ROW / 2 - _MARGIN / 2
    height = max(spot.y for spot in spots) + _ROW / 2 + _MARGIN - top
    parts = []
    for spot in spots:
        spot.y -= top
    for column, start, box, width in zip(columns, starts, boxes, widths, strict=False):
        for spot in column:
            parts += _drawn(spot, start, box, width)
    return _page(parts, float(starts[-1]) - _CURVE + _MARGIN, height + 14, backward)


def _page(parts: list[str], width: float, height: float, backward: bool) -> str:
    width = max(width, 260)
    legend = '<tspan class="value">value</tspan> above the wire'
    legend += ', <tspan class="grad">gradient</tspan> below' if backward else ""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fastmlp-graph" {size}>',
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *parts,
            f'<text class="small" x="{width / 2:.0f}" y="{height - 10:.0f}">{legend}</text>',
            "</svg>",
        ]
    )


# ------------------------------------------------------------------------------------------------- the layout


def _place(nodes: list[Node]) -> list[_Spot]:
    """Return a spot for each node and each bend, each in its column, connected with its neighbours."""
    spots: dict[Node, _Spot] = {}
    for node in nodes:
        inputs = [spots[edge.input] for edge in node.edges if edge.input in spots]
        y = float(np.mean([spot.y for spot in inputs])) if inputs else _ROW * len(spots)
        spots[node] = _Spot(1 + max((spot.column for spot in inputs), default=-1), y, node)
    readers: dict[Node, list[_Spot]] = {node: [] for node in nodes}
    for node in nodes:
        for read in dict.fromkeys(edge.input for edge in node.edges if edge.input in spots):
            readers[read].append(spots[node])
    bends: list[_Spot] = []
    for node, spot in spots.items():
        if not node.edges and readers[node]:
            spot.column = min(reader.column for reader in readers[node]) - 1
        at = spot
        for reader in sorted(readers[node], key=lambda reader: reader.column):
            while at.column < reader.column - 1:  # one chain of bends serves all readers
                bends.append(_Spot(at.column + 1, spot.y))
                _connect(at, bends[-1])
                at = bends[-1]
            _connect(at, reader)
    return [*spots.values(), *bends]


def _connect(left: _Spot, right: _Spot) -> None:
    left.right.append(right)
    right.left.append(left)


def _settle(columns: list[list[_Spot]]) -> None:
    """Move each column near its neighbours, from left to right and back."""
    for column in columns:
        column.sort(key=lambda spot: spot.y)
        _spread(column, [spot.y for spot in column])
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 else columns[::-1]:
            wanted = {
                spot: float(np.mean([s.y for s in spot.left + spot.right] or [spot.y])) for spot in column
            }
            if sweep < _SWEEPS / 2:  # later sweeps keep the order
                column.sort(key=wanted.__getitem__)
            _spread(column, [wanted[spot] for spot in column])


def _spread(column: list[_Spot], wanted: list[float]) -> None:
    """Put spots as near to where they want to be as their heights allow, in the least squares sense.

    Without the heights this is isotonic regression: neighbours in the wrong order share their mean.
    """
    heights = np.array([spot.height for spot in column])
    offsets = np.cumsum((heights + np.append(0, heights[:-1])) / 2)
    pools: list[tuple[float, int]] = []
    for target in np.array(wanted) - offsets:
        mean, count = float(target), 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (mean * count + before * many) / (count + many), count + many
        pools.append((mean, count))
    places = np.repeat([mean for mean, _ in pools], [count for _, count in pools])
    for spot, y in zip(column, places + offsets, strict=True):
        spot.y = float(y)


# ------------------------------------------------------------------------------------------------ the drawing


def _write(spot: _Spot, node: Node, names: dict[Node, str], backward: bool) -> None:
    """Fill in a spot's texts."""
    held = [names[edge.input] if stands_for_itself(edge.input) else "" for edge in node.edges]
    if not node.edges:
        spot.box = _short(names[node])
    elif any(held):
        spot.box = _short(formula(node, [text or "·" for text in held]))  # such as · + 1
    else:
        spot.box = SIGNS.get(node.gate, node.gate)
    spot.name = _short(names[node]) if node.edges and node.name is not None else ""
    spot.shape = str(node.shape) if node.shape else ""
    spot.value = _few(node._value)
    spot.gradient = _few(node._grad) if backward and node._grad is not None else ""


def _drawn(spot: _Spot, start: float, box: float, width: float) -> list[str]:
    """Return a spot's wires to the right, its box and its texts; its column begins at `start`."""
    y, end, centre = spot.y, start + width, start + box / 2
    left, right = (start, start) if spot.node is None else (centre - spot.width / 2, centre + spot.width / 2)
    parts = [_line(right, end, y), *(_curve(end, y, next_spot.y) for next_spot in spot.right)]
    if spot.left and left > start:
        parts.append(_line(start, left, y))
    if spot.node is not None and spot.node.edges:
        parts.append(
            f'<rect class="gate" rx="{_BOX / 2}" x="{left:.1f}" y="{y - _BOX / 2:.1f}" '
            f'width="{right - left:.1f}" height="{_BOX}"/>'
        )
    middle = (right + end) / 2
    return parts + [
        f'<text class="{style}" x="{x:.1f}" y="{height:.1f}">{escape(text)}</text>'
        for text, style, x, height in (
            (spot.box, "box" if spot.left else "name", centre, y + 5),
            (spot.name, "name", centre, y - _BOX / 2 - 5),
            (spot.shape, "small", centre, y + _BOX / 2 + 12),
            (spot.value, "value", middle, y - 6),
            (spot.gradient, "grad", middle, y + 17),
        )
        if text
    ]


def _line(x: float, end: float, y: float) -> str:
    return f'<path d="M{x:.1f},{y:.1f}H{end:.1f}"/>'


def _curve(x: float, y: float, target: float) -> str:
    end, middle = x + _CURVE, x + _CURVE / 2
    return (
        f'<path d="M{x:.1f},{y:.1f}C{middle:.1f},{y:.1f} {middle:.1f},{target:.1f} {end:.1f},{target:.1f}"/>'
    )


def _few(value: Array) -> str:
    """Return a number, or the first of many."""
    first = [number(x, 3) for x in value.flat[:2]]
    if value.ndim == 0:
        return first[0]
    return f"[{' '.join(first)}]" if value.size <= 2 else f"[{first[0]} ..]"


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"


def _width(text: str) -> float:
    """Return about how many pixels a text takes."""
    narrow, wide = " .,:;'|!()[]ijlt", "mwMW@…"
    return sum(
        15 if unicodedata.east_asian_width(c) in "WF" else 4.4 if c in narrow else 12 if c in wide else 8
        for c in text
    )
