"""A computational graph as text: a table, an explanation in words, and Graphviz's language."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base.records import Records
from fastmlp._base.text import printable
from fastmlp.graph._checks import Array
from fastmlp.graph._node import Edge, Node

SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@"}

_WORDS = {
    "add": "distributes its upstream gradient: both inputs receive it",
    "sub": "distributes its upstream gradient, to the second input with the sign turned",
    "mul": "swaps: each input receives upstream times the value of the other",
    "neg": "turns the sign of its upstream gradient",
    "matmul": "swaps, as mul does: each input receives upstream times the other one, transposed",
    "maximum": "routes its upstream gradient to the larger input, and 0 to the other",
    "minimum": "routes its upstream gradient to the smaller input, and 0 to the other",
    "max": "routes its upstream gradient to the largest element, and 0 to all others",
    "relu": "lets its upstream gradient through where the input is above 0",
    "identity": "hands its upstream gradient on",
    "sum": "distributes its upstream gradient: each summand receives it",
    "mean": "distributes its upstream gradient, divided by the number of elements",
    "softmax": "takes from the upstream gradient its mean, weighted by s, and multiplies by s",
    "log_softmax": "takes softmax times the sum of the upstream gradient from it",
    "reshape": "gives its upstream gradient the shape of the input",
    "transpose": "transposes its upstream gradient back",
    "index": "hands its upstream gradient to the elements read; one read twice receives the sum",
    "concatenate": "cuts its upstream gradient: each input receives its own part",
}
_MULTIPLIES = "multiplies its upstream gradient by its slope"


def number(value: Any, digits: int = 4) -> str:
    """Return a number in few digits, without a minus sign for 0."""
    return f"{value + 0.0:.{digits}g}"


def brief(value: Any) -> str:
    """Return a number, or an array's shape with all of few elements or the first and last of many."""
    flat = np.ravel(value)
    if np.ndim(value) == 0:
        return number(flat[0])
    shown = [number(x) for x in (flat if flat.size <= 4 else flat[:2])]
    shown += ["..", number(flat[-1])] if flat.size > 4 else []
    return f"{np.shape(value)} [{' '.join(shown)}]"


def stands_for_itself(node: Node) -> bool:
    """Whether a node is a number without a name, which formulas hold as they are."""
    return node.gate == "constant" and node.name is None and node._value.size == 1


def drawn(nodes: list[Node]) -> list[Node]:
    """Return the nodes without the numbers that formulas hold."""
    return [node for node in nodes if node is nodes[-1] or not stands_for_itself(node)]


def has_gradients(nodes: list[Node]) -> bool:
    """Whether a graph's gradients are there, all of the same backward pass."""
    return nodes[-1]._grad is not None and all(node._run is nodes[-1]._run for node in nodes)


def labels(nodes: list[Node]) -> dict[Node, str]:
    """Return each node's name, the number that it stands for, or t1, t2, .. in the order of the nodes."""
    taken = {node.name for node in nodes}
    numbered = (f"t{i}" for i in range(1, len(nodes) + len(taken) + 1) if f"t{i}" not in taken)
    return {
        node: printable(node.name)
        if node.name is not None
        else number(node._value.flat[0])
        if stands_for_itself(node)
        else next(numbered)
        for node in nodes
    }


def formula(node: Node, inputs: list[str]) -> str:
    """Return how a gate is written, such as ``x + y``; its inputs by their labels."""
    if node.gate in SIGNS:
        return f"{inputs[0]} {SIGNS[node.gate]} {inputs[1]}"
    if node.gate == "neg":
        return f"-{inputs[0]}"
    if node.gate == "index":
        return f"{inputs[0]}[..]"
    return f"{node.gate}({', '.join([*inputs, *filter(None, [node.detail])])})"


def written(node: Node, names: dict[Node, str]) -> str:
    """Return ``q = x + y`` for a gate, the name alone for what nothing computed."""
    if not node.edges:
        return names[node]
    return f"{names[node]} = {formula(node, [names[edge.input] for edge in node.edges])}"


def slopes(edge: Edge) -> Array | None:
    """Return the local gradient of an edge; None for a constant's, and for one that is a rule in words."""
    if edge.input.gate == "constant" or isinstance(edge.local, str):
        return None
    with np.errstate(all="ignore"):  # to look at a slope of infinity is no mistake
        return np.asarray(edge.local())


def _local(edge: Edge, inputs: list[str]) -> str:
    return edge.local.format(*inputs) if isinstance(edge.local, str) else brief(slopes(edge))


def _sent(node: Node, edge: Edge) -> str:
    return brief(edge.send(np.asarray(node.grad)))


def show(root: Node) -> None:
    """Print a table: each node with its value and upstream gradient, each edge with its local gradient.

    Gradients are shown after `backward`, until that of another result changes some of them.
    """
    nodes = root.nodes()
    names, backward = labels(nodes), has_gradients(nodes)
    columns = ("gate", "value", "upstream gradient", "input", "local gradient", "gradient to input")
    rows: list[tuple[str, ...]] = []
    for node in drawn(nodes):
        inputs = [names[edge.input] for edge in node.edges]
        upstream = brief(node._grad) if backward and node._grad is not None else ""
        first = written(node, names), brief(node._value), upstream
        parts = [
            (names[e.input], _local(e, inputs), _sent(node, e) if backward else "")
            for e in node.edges
            if e.input.gate != "constant"
        ]
        rows += [(first if i == 0 else ("", "", "")) + part for i, part in enumerate(parts or [("", "", "")])]
    print("\n".join(line.rstrip() for line in str(Records(columns, rows)).splitlines()))


def explain(root: Node) -> None:
    """Print in words, gate by gate from the result backwards, what happened to the gradients.

    Raises
    ------
    ValueError
        If there are no gradients, or if they are of several passes.
    """
    nodes = root.nodes()
    if not has_gradients(nodes):
        raise ValueError("explain needs gradients, all of one pass: call backward() first")
    names, senders = labels(nodes), _counts(nodes)
    lines = [f"{names[root]}.grad = {brief(root._grad)}: the gradient that backward() began with"]
    for node in reversed(nodes):
        if senders.get(node, 0) > 1:
            lines.append(f"{names[node]} branches: its {senders[node]} parts add up to {brief(node._grad)}")
        edges = [edge for edge in node.edges if edge.input.gate != "constant"]
        if edges:
            lines.append(f"{written(node, names)}: {node.gate} {_WORDS.get(node.gate, _MULTIPLIES)}")
            lines += [f"    {_received(node, edge, names)}" for edge in edges]
    print("\n".join(lines))


def _counts(nodes: list[Node]) -> dict[Node, int]:
    """Return how many edges read each node that has a gradient."""
    counts: dict[Node, int] = {}
    for node in nodes:
        for edge in node.edges:
            if edge.input.gate != "constant":
                counts[edge.input] = counts.get(edge.input, 0) + 1
    return counts


def _received(node: Node, edge: Edge, names: dict[Node, str]) -> str:
    inputs = [names[e.input] for e in node.edges]
    rule = (
        _local(edge, inputs)
        if isinstance(edge.local, str)
        else f"{brief(node._grad)} * {_local(edge, inputs)}"
    )
    return f"{names[edge.input]}.grad += {rule} = {_sent(node, edge)}"


def to_dot(root: Node) -> str:
    """Return the graph in Graphviz's language: what `show` prints, without what each edge sends."""
    nodes = root.nodes()
    names, backward = labels(nodes), has_gradients(nodes)
    places = {node: i for i, node in enumerate(drawn(nodes))}
    lines = ["digraph {", "  rankdir=LR", "  node [fontname=sans]", "  edge [fontname=sans fontsize=10]"]
    for node, i in places.items():
        texts = [written(node, names), f"value {brief(node._value)}"]
        texts += [f"gradient {brief(node._grad)}"] if backward and node._grad is not None else []
        label = "\\n".join(_quoted(text) for text in texts)
        lines.append(f'  n{i} [shape={"box" if node.edges else "plaintext"} label="{label}"]')
        inputs = [names[edge.input] for edge in node.edges]
        for edge in node.edges:
            if edge.input in places:
                local = "" if edge.input.gate == "constant" else _quoted(_local(edge, inputs))
                lines.append(f'  n{places[edge.input]} -> n{i} [label="{local}"]')
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    """Return text that Graphviz shows as it is: neither quotes, escapes nor entities."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
