"""Recognise activations in ONNX graphs: those that `to_onnx` writes, and those of other exporters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._export.onnx_graph import Graph
from fastmlp.spec import onnx_forms
from fastmlp.spec.activations import ACTIVATIONS

_COMMUTATIVE = ("Add", "Mul", "Max", "Min", "Equal")


def _two_columns(graph: onnx_forms.Graph, p: str) -> str:
    """Add the probabilities of two classes from that of the second."""
    return graph.add("Concat", graph.add("Sub", 1.0, p), p, axis=1)


class Pattern:
    """The nodes that a composition makes of the value "x"."""

    def __init__(self, compose: onnx_forms.Compose) -> None:
        graph = Graph(np.float64, {"x"})
        self.output = compose(graph, "x")
        self.nodes = {node.output[0]: node for node in graph.nodes}
        self.constants = graph.constants

    def find(self, model: Model, value: str) -> str | None:
        """Return the value in the place of "x" if `value` is computed like this, else None."""
        return next((x for x in self._bind(model, self.output, value, None) if x is not None), None)

    def _bind(self, model: Model, mine: str, its: str, x: str | None) -> Iterator[str | None]:
        """Yield what "x" can be if my value is its value and "x" is already bound to x, or to nothing."""
        if mine == "x":
            if x in (None, its):
                yield its
        elif mine in self.constants:
            constant = model.constant(its)
            if constant is not None and constant.size == 1 and _close(constant, self.constants[mine]):
                yield x
        else:
            node = model.producers.get(its)
            if node is not None and _same_operation(self.nodes[mine], node):
                given = list(node.input)
                yield from self._bind_all(model, list(self.nodes[mine].input), given, x)
                if node.op_type in _COMMUTATIVE:
                    yield from self._bind_all(model, list(self.nodes[mine].input), given[::-1], x)

    def _bind_all(self, model: Model, mine: list[str], its: list[str], x: str | None) -> Iterator[str | None]:
        if not mine:
            yield x
            return
        for bound in self._bind(model, mine[0], its[0], x):
            yield from self._bind_all(model, mine[1:], its[1:], bound)


class Model:
    """An ONNX graph: the node behind each value, and the constants."""

    def __init__(self, graph: Any) -> None:
        self.producers = {value: node for node in graph.node for value in node.output if value}
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}

    def constant(self, value: str) -> NDArray[Any] | None:
        """Return the array that a value always is, None if it depends on the input."""
        from onnx import helper

        if value in self._initializers:
            return _array(self._initializers[value])
        node = self.producers.get(value)
        if node is None:
            return None
        if node.op_type == "Constant":
            if len(node.attribute) != 1:
                raise ValueError(f"the constant {value!r} must have one attribute, got {len(node.attribute)}")
            given = helper.get_attribute_value(node.attribute[0])
            return _array(given) if node.attribute[0].name == "value" else np.asarray(given)
        if node.op_type not in ("Identity", "Transpose"):
            return None
        array = self.constant(node.input[0])
        if array is None or node.op_type == "Identity":
            return array
        return array.transpose(attributes(node).get("perm"))


def _array(tensor: Any) -> NDArray[Any]:
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except KeyError:
        raise ValueError(f"the constant {tensor.name!r} has the unknown type {tensor.data_type}") from None


def attributes(node: Any) -> dict[str, Any]:
    """Return a node's attributes with the defaults of those that it does not give.

    The last axis of values of two dimensions is axis 1.
    """
    from onnx import defs, helper

    values = {}
    if defs.has(node.op_type, node.domain):
        for name, described in defs.get_schema(node.op_type, node.domain).attributes.items():
            if described.default_value.name:
                values[name] = helper.get_attribute_value(described.default_value)
    values |= {given.name: helper.get_attribute_value(given) for given in node.attribute}
    if values.get("axis") == -1:
        values["axis"] = 1
    return values


def _close(its: NDArray[Any], mine: NDArray[Any]) -> bool:
    """Compare constants; those of a polynomial differ by roundings from one machine to another."""
    return np.allclose(its.astype(np.float64), mine, rtol=1e-6, atol=1e-9)


def _same_operation(mine: Any, its: Any) -> bool:
    if (mine.op_type, mine.domain, len(mine.input)) != (its.op_type, its.domain, len(its.input)):
        return False
    a, b = attributes(mine), attributes(its)
    return a.keys() == b.keys() and all(
        math.isclose(a[name], b[name], rel_tol=1e-6) if isinstance(a[name], float) else a[name] == b[name]
        for name in a
    )


@cache
def patterns() -> tuple[tuple[str, Pattern], ...]:
    """Return every way to write each activation."""
    return tuple(
        (name, Pattern(compose))
        for name, entry in ACTIVATIONS.items()
        if name != "identity"
        for compose in (entry.onnx, entry.onnx_single, *entry.onnx_elsewhere)
        if compose is not None
    )


@cache
def two_columns() -> Pattern:
    """Return the pattern of two classes' probabilities, made of one."""
    return Pattern(_two_columns)
