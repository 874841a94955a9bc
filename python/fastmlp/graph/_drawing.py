"""A computational graph as an SVG picture: values on one side of the wires, gradients on the other.

A node stands one rank after its inputs; what nothing computed, before the first gate that reads it. A wire
that passes a rank has a bend there, laid out as nodes are, so that it runs around them. Each rank moves near
the mean place of its neighbours, a few times over (Sugiyama, Tagawa, Toda, 1981). Ranks follow each other
from left to right or, where that would be too wide for a page, from top to bottom. Where the order of a
gate's inputs matters, their wires reach it in that order.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fastmlp._base.text import printable, shortened
from fastmlp.graph._node import Edge, Node
from fastmlp.graph._text import (
    SIGNS,
    drawn,
    formula,
    has_gradients,
    labels,
    number,
    slopes,
    stands_for_itself,
)

_ROW, _BEND, _CURVE, _MARGIN, _BOX, _WIRE, _LEAD = 72, 26, 22, 20, 30, 34, 16  # pixels
_PAGE = 900  # the widest picture from left to right
_SWEEPS = 6
_NOTEBOOK = 300  # nodes that a notebook draws, at most, without being asked
_LARGEST = 20_000  # nodes and bends of wires, of which n nodes may have n^2 / 2
_ORDERED = ("sub", "div", "pow", "matmul", "concatenate")
_LETTERS = 24  # of a name or formula
_RULE = 18  # letters: a longer rule stands in the table alone
_RULES = {
    "text": "font:14px sans-serif;fill:#222",
    ".small": "font-size:11px;fill:#666",
    ".name": "font-weight:bold",
    ".value": "fill:#15702c",
    ".grad": "fill:#c01c28",
    ".local": "font-size:11px;fill:#7a3fb0",
    "path": "fill:none;stroke:#777;stroke-width:1.3",
    ".gate": "fill:#eef3fb;stroke:#3b5b92",
}
# A page's style sheets act on all of the page: these name the picture that they are for.
_STYLE = "".join(f".fastmlp-graph {what}{{{rule}}}" for what, rule in _RULES.items())


_Text: TypeAlias = tuple[str, str, float, float, str]


@dataclass(eq=False)
class _Spot:
    """A node in its rank, or the bend of a wire that passes the rank."""

    rank: int
    across: float  # its place in the rank
    node: Node | None = None
    before: list[_Wire] = field(default_factory=list)  # from the rank before
    after: list[_Wire] = field(default_factory=list)
    box: str = ""  # the texts in the box, beside it, and on the wire
    name: str = ""
    shape: str = ""
    value: str = ""
    gradient: str = ""

    @property
    def width(self) -> float:
        """The width of the box."""
        return 0 if self.node is None else max(_BOX, _width(self.box) + 14)

    @property
    def ordered(self) -> bool:
        """Whether the order of a gate's inputs matters."""
        return self.node is not None and self.node.gate in _ORDERED


@dataclass(eq=False)
class _Wire:
    """What joins two spots, in neighbouring ranks; at a gate, input number `place`."""

    start: _Spot
    end: _Spot
    place: int = 0
    port: float = 0.0  # where it meets the box, across from its middle
    local: str = ""
    crossed: bool = False

    @property
    def text(self) -> str:
        """The local gradient, with the number of the input if the picture does not show it."""
        return ": ".join(filter(None, [f"input {self.place + 1}" * self.crossed, self.local]))


class _Rank(NamedTuple):
    """Where a rank stands in the direction of the wires."""

    start: float
    inner: float  # the wires with their local gradients come before, boxes after
    centre: float  # of the boxes
    end: float


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

    def lead(self, spot: _Spot) -> float:
        """How long the wires before a box must be for their local gradients."""
        return max([_width(wire.text) * 0.8 + 4 for wire in spot.before if wire.text], default=0)

    def wire(self, spot: _Spot) -> float:
        """How long a wire must be for its texts."""
        return 0 if spot.node is None else max(_width(spot.value), _width(spot.gradient)) + 8

    def texts(self, spot: _Spot, rank: _Rank, middle: float) -> Iterator[_Text]:
        """Yield text, style, x, y and anchor of what stands beside the box and on the wires."""
        y, centre = spot.across, rank.centre
        for wire in spot.before:
            yield wire.text, "local", rank.inner - 3, y + wire.port + (12 if wire.port > 0 else -4), "end"
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
        before = max([abs(wire.port) + _width(wire.text) * 0.8 for wire in spot.before], default=0)
        return _BEND if spot.node is None else 2 * max(beside, before, super().wire(spot)) + 20

    def box(self, spot: _Spot) -> float:
        return 0 if spot.node is None else _BOX

    def room(self, spot: _Spot) -> float:
        return self.box(spot)

    def lead(self, spot: _Spot) -> float:
        return _LEAD if any(wire.text for wire in spot.before) else 0

    def wire(self, spot: _Spot) -> float:
        return 0 if spot.node is None else _WIRE

    def texts(self, spot: _Spot, rank: _Rank, middle: float) -> Iterator[_Text]:
        x, centre, side = spot.across, rank.centre, spot.width / 2 + 5
        for wire in spot.before:
            right = wire.port > 0
            at = x + wire.port + (5 if right else -5)
            yield wire.text, "local", at, rank.inner - 4, "start" if right else "end"
        yield spot.name, "name", x - side, centre + 5, "end"
        yield spot.shape, "small", x + side, centre + 4, "start"
        yield spot.value, "value", x - 6, middle + 5, "end"
        yield spot.gradient, "grad", x + 6, middle + 5, "start"


def notebook_svg(root: Node) -> str | None:
    """Return the picture that a notebook shows; None, which makes it show text, for a large graph."""
    try:
        return to_svg(root) if len(root.nodes()) <= _NOTEBOOK else None
    except ValueError:
        return None


def to_svg(root: Node) -> str:
    """Return a picture of the graph, with what `show` prints except for what each edge sends.

    Values stand at the wires, local gradients where the wires reach the gates and, after `backward`, upstream
    gradients beside the values. From left to right or, if that is wider than 900 pixels, from top to bottom.

    Raises
    ------
    ValueError
        If the graph is too large for a picture.
    """
    nodes = root.nodes()
    names, backward = labels(nodes), has_gradients(nodes)
    ranks = _place(drawn(nodes))
    spots = [spot for rank in ranks for spot in rank]
    for spot in spots:
        if spot.node is not None:
            _write(spot, spot.node, names, backward)
    for way in (_Right(), _Down()):
        _settle(ranks, way)
        along = _along(ranks, way)
        if along[-1].end + _MARGIN <= _PAGE:
            break
    low = min(spot.across - way.breadth(spot) / 2 for spot in spots) - _MARGIN / 2
    high = max(spot.across + way.breadth(spot) / 2 for spot in spots) + _MARGIN / 2
    for spot in spots:
        spot.across -= low
    parts = [part for spot in spots for part in _drawn(spot, way, along[spot.rank])]
    legend = [("value", "value", way.legend[0])]
    legend += [("grad", "upstream gradient", way.legend[1])] if backward else []
    legend += [("local", "local gradient", "at the gate")] if 'class="local"' in "".join(parts) else []
    return _page(parts, way.point(along[-1].end + _MARGIN, high - low), legend)


def _along(ranks: list[list[_Spot]], way: _Right) -> list[_Rank]:
    """Return where the ranks stand, each as long as its longest texts need."""
    found, start = [], float(_MARGIN)
    for rank in ranks:
        inner, room = start + max(map(way.lead, rank)), max(map(way.room, rank))
        end = inner + room + max(map(way.wire, rank))
        found.append(_Rank(start, inner, inner + room / 2, end))
        start = end + _CURVE
    return found


def _page(parts: list[str], size: tuple[float, float], legend: list[tuple[str, str, str]]) -> str:
    texts = ", ".join(f'<tspan class="{style}">{what}</tspan> {where}' for style, what, where in legend)
    width = max(size[0], 30 + 0.8 * sum(_width(f"{what} {where}, ") for _, what, where in legend))
    height = size[1] + 24
    place = f'x="{width / 2:.0f}" y="{height - 10:.0f}"'
    box = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fastmlp-graph" {box}>',
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *parts,
            f'<text class="small" text-anchor="middle" {place}>{texts}</text>',
            "</svg>",
        ]
    )


# ------------------------------------------------------------------------------------------------- the layout


def _place(nodes: list[Node]) -> list[list[_Spot]]:
    """Return the ranks: a spot for each node and each bend, connected with its neighbours."""
    spots: dict[Node, _Spot] = {}
    readers: dict[Node, list[tuple[_Spot, int]]] = {node: [] for node in nodes}
    for node in nodes:
        inputs = [(edge.input, i) for i, edge in enumerate(node.edges) if edge.input in spots]
        before = [spots[read] for read, _ in inputs]
        across = float(np.mean([spot.across for spot in before])) if before else _ROW * len(spots)
        spots[node] = _Spot(1 + max((spot.rank for spot in before), default=-1), across, node)
        for read, i in inputs:
            readers[read].append((spots[node], i))
    for node, spot in spots.items():
        if not node.edges and readers[node]:
            spot.rank = min(reader.rank for reader, _ in readers[node]) - 1
    _check_size(spots, readers)
    ranks: list[list[_Spot]] = [[] for _ in range(max(spot.rank for spot in spots.values()) + 1)]
    for node, spot in spots.items():
        ranks[spot.rank].append(spot)
        at = spot
        for reader, i in sorted(readers[node], key=lambda found: found[0].rank):
            while at.rank < reader.rank - 1:  # one chain of bends serves all readers
                bend = _Spot(at.rank + 1, spot.across)
                ranks[bend.rank].append(bend)
                _connect(at, bend)
                at = bend
            _connect(at, reader, i)
    for spot in spots.values():
        spot.before.sort(key=lambda wire: wire.place)
    return ranks


def _check_size(spots: dict[Node, _Spot], readers: dict[Node, list[tuple[_Spot, int]]]) -> None:
    bends = sum(
        max(r.rank for r, _ in readers[node]) - spots[node].rank - 1 for node in spots if readers[node]
    )
    if len(spots) + bends > _LARGEST:
        raise ValueError(
            f"the graph is too large for a picture: {len(spots)} nodes and {bends} bends of wires, "
            f"more than {_LARGEST}; show a part of it, or use show() or to_dot()"
        )


def _connect(start: _Spot, end: _Spot, place: int = 0) -> None:
    wire = _Wire(start, end, place)
    start.after.append(wire)
    end.before.append(wire)


def _settle(ranks: list[list[_Spot]], way: _Right) -> None:
    """Move each rank near its neighbours, from the first to the last and back."""
    for rank in ranks:
        rank.sort(key=lambda spot: spot.across)
        _spread(rank, [spot.across for spot in rank], way)
    for sweep in range(2 * _SWEEPS):
        _set_ports(ranks)
        for rank in ranks if sweep % 2 else ranks[::-1]:
            wanted = {}
            for spot in rank:
                places = [wire.start.across - wire.port for wire in spot.before]
                places += [wire.end.across + wire.port for wire in spot.after]
                wanted[spot] = float(np.mean(places or [spot.across]))
            if sweep < _SWEEPS:  # later sweeps keep the order
                rank.sort(key=wanted.__getitem__)
                _exchange(rank)
            _spread(rank, [wanted[spot] for spot in rank], way)


def _set_ports(ranks: list[list[_Spot]]) -> None:
    """Let wires reach their gate beside each other, in the order of the inputs where that matters."""
    for spot in (spot for rank in ranks for spot in rank):
        as_drawn = sorted(spot.before, key=lambda wire: wire.start.across)
        wires = spot.before if spot.ordered else as_drawn
        gap = _BOX * 0.6 / max(len(wires) - 1, 1)
        for i, wire in enumerate(wires):
            wire.port = gap * (i - (len(wires) - 1) / 2)
            wire.crossed = len(wires) == 2 and wires != as_drawn


def _exchange(rank: list[_Spot]) -> None:
    """Bring the inputs of each gate into their order, where it matters."""
    at = {spot: i for i, spot in enumerate(rank)}
    for gate in dict.fromkeys(wire.end for spot in rank for wire in spot.after if wire.end.ordered):
        inputs = list(dict.fromkeys(wire.start for wire in gate.before))
        for i, spot in zip(sorted(at[spot] for spot in inputs), inputs, strict=True):
            rank[i], at[spot] = spot, i


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
        spot.box = shortened(names[node], _LETTERS)
    elif any(held):
        spot.box = shortened(formula(node, [text or "·" for text in held]), _LETTERS)  # such as · + 1
    else:
        spot.box = SIGNS.get(node.gate, node.gate)
    spot.name = shortened(names[node], _LETTERS) if node.edges and node.name is not None else ""
    spot.shape = str(node.shape) if node.shape else ""
    spot.value = _few(node._value)
    spot.gradient = _few(node._grad) if backward and node._grad is not None else ""
    for wire in spot.before:
        wire.local = _local(node, node.edges[wire.place])


def _local(node: Node, edge: Edge) -> str:
    """Return a local gradient in few letters; none for a long rule, or one of inputs without a name."""
    if edge.input.gate == "constant":
        return ""
    if not isinstance(edge.local, str):
        return _few(slopes(edge))
    rule = edge.local.format(*(e.input.name or "?" * _RULE for e in node.edges))
    return printable(rule) if len(rule) <= _RULE else ""


def _drawn(spot: _Spot, way: _Right, rank: _Rank) -> list[str]:
    """Return a spot's wires, up to it and onwards, its box and its texts."""
    half = way.box(spot) / 2
    far = rank.start if spot.node is None else rank.centre + half

    def at(along: float, across: float) -> str:
        x, y = way.point(along, across)
        return f"{x:.1f},{y:.1f}"

    across, bend, next_rank = spot.across, rank.end + _CURVE / 2, rank.end + _CURVE
    paths = [f"M{at(far, across)}L{at(rank.end, across)}"]
    for wire in spot.after:
        there = wire.end.across + wire.port
        paths.append(f"M{at(rank.end, across)}C{at(bend, across)} {at(bend, there)} {at(next_rank, there)}")
    if spot.node is not None:
        lands = [across + wire.port for wire in spot.before]
        inside = rank.centre - half + _BOX / 4  # the box, drawn later, covers the ends
        paths += [f"M{at(rank.start, there)}L{at(inside, there)}" for there in lands]
    parts = [f'<path d="{path}"/>' for path in paths]
    x, y = way.point(rank.centre, across)
    if spot.node is not None and spot.node.edges:
        corner = f'x="{x - spot.width / 2:.1f}" y="{y - _BOX / 2:.1f}"'
        parts.append(
            f'<rect class="gate" rx="{_BOX / 2}" {corner} width="{spot.width:.1f}" height="{_BOX}"/>'
        )
    texts = [(spot.box, "box" if spot.before else "name", x, y + 5, "middle")]
    texts += way.texts(spot, rank, (far + rank.end) / 2)
    return parts + [
        f'<text class="{style}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
        for text, style, x, y, anchor in texts
        if text
    ]


def _few(value: Any) -> str:
    """Return a number, or the first of many."""
    first = [number(x, 3) for x in value.flat[:2]]
    if value.ndim == 0:
        return first[0]
    return f"[{' '.join(first)}]" if value.size <= 2 else f"[{first[0]} ..]"


def _width(text: str) -> float:
    """Return about how many pixels a text takes."""
    narrow, wide = " .,:;'|!()[]ijlt", "mwMW@…"
    return sum(
        15 if unicodedata.east_asian_width(c) in "WF" else 4.4 if c in narrow else 12 if c in wide else 8
        for c in text
    )
