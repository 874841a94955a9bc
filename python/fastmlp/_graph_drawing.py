"""A computational graph as an SVG picture: values on one side of the wires, gradients on the other.

A node stands one rank after its inputs; what nothing computed, before the first gate that reads it. A wire
that passes a rank has a bend there, laid out as nodes are, so that it runs around them. Each rank moves near
the mean place of its neighbours, a few times over (Sugiyama, Tagawa, Toda, 1981). Ranks follow each other
from left to right or, where that would be too wide for a page, from top to bottom.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

import numpy as np

from fastmlp._graph_node import Array, Node
from fastmlp._graph_text import SIGNS, drawn, formula, has_gradients, labels, number, stands_for_itself

_ROW, _BEND, _CURVE, _MARGIN, _BOX, _WIRE = 72, 26, 22, 20, 30, 34  # pixels
_PAGE = 900  # the widest picture from left to right
_SWEEPS = 12
_RULES = {
    "text": "font:14px sans-serif;fill:#222",
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
    """A node in its rank, or the bend of a wire that passes the rank."""

    rank: int
    across: float  # its place in the rank
    node: Node | None = None
    before: list[_Spot] = field(default_factory=list)  # in the rank before
    after: list[_Spot] = field(default_factory=list)
    box: str = ""  # the texts in the box, beside it, and on the wire
    name: str = ""
    shape: str = ""
    value: str = ""
    gradient: str = ""

    @property
    def width(self) -> float:
        """The width of the box."""
        return 0 if self.node is None else max(_BOX, _width(self.box) + 14)


class _Right:
    """From left to right: values above the wires, gradients below."""

    legend = ("above the wire", "below")

    def point(self, along: float, across: float) -> tuple[float, float]:
        return along, across

    def breadth(self, spot: _Spot) -> float:
        """How much of its rank a spot takes."""
        return _BEND if spot.node is None else _ROW

    def box(self, spot: _Spot) -> float:
        """How long a box is in the direction of the wires, and with what stands beside it."""
        return spot.width

    def room(self, spot: _Spot) -> float:
        return max(spot.width, _width(spot.name) * 1.1, _width(spot.shape) * 0.8)

    def wire(self, spot: _Spot) -> float:
        """How long a wire must be for its texts."""
        return 0 if spot.node is None else max(_width(spot.value), _width(spot.gradient)) + 8

    def texts(
        self, spot: _Spot, centre: float, middle: float
    ) -> Iterator[tuple[str, str, float, float, str]]:
        """Yield text, style, x, y and anchor of what stands beside the box and on the wire."""
        y = spot.across
        yield spot.name, "name", centre, y - _BOX / 2 - 5, "middle"
        yield spot.shape, "small", centre, y + _BOX / 2 + 12, "middle"
        yield spot.value, "value", middle, y - 6, "middle"
        yield spot.gradient, "grad", middle, y + 17, "middle"


class _Down(_Right):
    """From top to bottom: values left of the wires, gradients right."""

    legend = ("left of the wire", "right")

    def point(self, along: float, across: float) -> tuple[float, float]:
        return across, along

    def breadth(self, spot: _Spot) -> float:
        beside = max(_width(spot.name) * 1.1, _width(spot.shape) * 0.8) + spot.width / 2
        return _BEND if spot.node is None else 2 * max(beside, super().wire(spot)) + 20

    def box(self, spot: _Spot) -> float:
        return 0 if spot.node is None else _BOX

    def room(self, spot: _Spot) -> float:
        return self.box(spot)

    def wire(self, spot: _Spot) -> float:
        return 0 if spot.node is None else _WIRE

    def texts(
        self, spot: _Spot, centre: float, middle: float
    ) -> Iterator[tuple[str, str, float, float, str]]:
        x, side = spot.across, spot.width / 2 + 5
        yield spot.name, "name", x - side, centre + 5, "end"
        yield spot.shape, "small", x + side, centre + 4, "start"
        yield spot.value, "value", x - 6, middle + 5, "end"
        yield spot.gradient, "grad", x + 6, middle + 5, "start"


def svg(root: Node) -> str:
    """Return the picture of `Node.to_svg`."""
    nodes = root.nodes()
    names, backward = labels(nodes), has_gradients(nodes)
    spots = _place(drawn(nodes))
    for spot in spots:
        if spot.node is not None:
            _write(spot, spot.node, names, backward)
    ranks: list[list[_Spot]] = [[] for _ in range(max(spot.rank for spot in spots) + 1)]
    for spot in spots:
        ranks[spot.rank].append(spot)
    way = _Right()
    starts, boxes = _lengths(ranks, way)
    if starts[-1] + _MARGIN - _CURVE > _PAGE:
        way = _Down()
        starts, boxes = _lengths(ranks, way)
    _settle(ranks, way)
    low = min(spot.across - way.breadth(spot) / 2 for spot in spots) - _MARGIN / 2
    high = max(spot.across + way.breadth(spot) / 2 for spot in spots) + _MARGIN / 2
    for spot in spots:
        spot.across -= low
    parts = []
    for spot in spots:
        start, end = starts[spot.rank], starts[spot.rank + 1] - _CURVE
        parts += _drawn(spot, way, start, boxes[spot.rank], end)
    return _page(parts, way.point(starts[-1] - _CURVE + _MARGIN, high - low), way.legend, backward)


def _lengths(ranks: list[list[_Spot]], way: _Right) -> tuple[list[float], list[float]]:
    """Return where the ranks begin, and the last ends, and how long the boxes of each are."""
    boxes = [max(map(way.room, rank)) for rank in ranks]
    wires = [max(map(way.wire, rank)) for rank in ranks]
    lengths = np.add(boxes, wires) + _CURVE
    return [float(start) for start in _MARGIN + np.concatenate([[0], np.cumsum(lengths)])], boxes


def _page(parts: list[str], size: tuple[float, float], sides: tuple[str, str], backward: bool) -> str:
    width, height = max(size[0], 260), size[1] + 24
    legend = f'<tspan class="value">value</tspan> {sides[0]}'
    legend += f', <tspan class="grad">gradient</tspan> {sides[1]}' if backward else ""
    place = f'x="{width / 2:.0f}" y="{height - 10:.0f}"'
    box = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fastmlp-graph" {box}>',
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *parts,
            f'<text class="small" text-anchor="middle" {place}>{legend}</text>',
            "</svg>",
        ]
    )


# ------------------------------------------------------------------------------------------------- the layout


def _place(nodes: list[Node]) -> list[_Spot]:
    """Return a spot for each node and each bend, each in its rank, connected with its neighbours."""
    spots: dict[Node, _Spot] = {}
    for node in nodes:
        inputs = [spots[edge.input] for edge in node.edges if edge.input in spots]
        across = float(np.mean([spot.across for spot in inputs])) if inputs else _ROW * len(spots)
        spots[node] = _Spot(1 + max((spot.rank for spot in inputs), default=-1), across, node)
    readers: dict[Node, list[_Spot]] = {node: [] for node in nodes}
    for node in nodes:
        for read in dict.fromkeys(edge.input for edge in node.edges if edge.input in spots):
            readers[read].append(spots[node])
    bends: list[_Spot] = []
    for node, spot in spots.items():
        if not node.edges and readers[node]:
            spot.rank = min(reader.rank for reader in readers[node]) - 1
        at = spot
        for reader in sorted(readers[node], key=lambda reader: reader.rank):
            while at.rank < reader.rank - 1:  # one chain of bends serves all readers
                bends.append(_Spot(at.rank + 1, spot.across))
                _connect(at, bends[-1])
                at = bends[-1]
            _connect(at, reader)
    return [*spots.values(), *bends]


def _connect(before: _Spot, after: _Spot) -> None:
    before.after.append(after)
    after.before.append(before)


def _settle(ranks: list[list[_Spot]], way: _Right) -> None:
    """Move each rank near its neighbours, from the first to the last and back."""
    for rank in ranks:
        rank.sort(key=lambda spot: spot.across)
        _spread(rank, [spot.across for spot in rank], way)
    for sweep in range(_SWEEPS):
        for rank in ranks if sweep % 2 else ranks[::-1]:
            wanted = {
                spot: float(np.mean([s.across for s in spot.before + spot.after] or [spot.across]))
                for spot in rank
            }
            if sweep < _SWEEPS / 2:  # later sweeps keep the order
                rank.sort(key=wanted.__getitem__)
            _spread(rank, [wanted[spot] for spot in rank], way)


def _spread(rank: list[_Spot], wanted: list[float], way: _Right) -> None:
    """Put spots as near to where they want to be as their breadths allow, in the least squares sense.

    Without the breadths this is isotonic regression: neighbours in the wrong order share their mean.
    """
    breadths = np.array([way.breadth(spot) for spot in rank])
    offsets = np.cumsum((breadths + np.append(0, breadths[:-1])) / 2)
    pools: list[tuple[float, int]] = []
    for target in np.array(wanted) - offsets:
        mean, count = float(target), 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (mean * count + before * many) / (count + many), count + many
        pools.append((mean, count))
    places = np.repeat([mean for mean, _ in pools], [count for _, count in pools])
    for spot, across in zip(rank, places + offsets, strict=True):
        spot.across = float(across)


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


def _drawn(spot: _Spot, way: _Right, start: float, room: float, end: float) -> list[str]:
    """Return a spot's wires onwards, its box and its texts; its rank goes from `start` to `end`."""
    centre, half = start + room / 2, way.box(spot) / 2
    near, far = (start, start) if spot.node is None else (centre - half, centre + half)

    def at(along: float, across: float) -> str:
        x, y = way.point(along, across)
        return f"{x:.1f},{y:.1f}"

    across, bend = spot.across, end + _CURVE / 2
    paths = [f"M{at(far, across)}L{at(end, across)}"]
    for reader in spot.after:
        there = reader.across
        paths.append(f"M{at(end, across)}C{at(bend, across)} {at(bend, there)} {at(end + _CURVE, there)}")
    if spot.before and near > start:
        paths.append(f"M{at(start, across)}L{at(near, across)}")
    parts = [f'<path d="{path}"/>' for path in paths]
    x, y = way.point(centre, across)
    if spot.node is not None and spot.node.edges:
        corner = f'x="{x - spot.width / 2:.1f}" y="{y - _BOX / 2:.1f}"'
        parts.append(
            f'<rect class="gate" rx="{_BOX / 2}" {corner} width="{spot.width:.1f}" height="{_BOX}"/>'
        )
    texts = [(spot.box, "box" if spot.before else "name", x, y + 5, "middle")]
    texts += way.texts(spot, centre, (far + end) / 2)
    return parts + [
        f'<text class="{style}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
        for text, style, x, y, anchor in texts
        if text
    ]


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
