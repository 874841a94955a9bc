"""A graph of ONNX operators under construction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp.spec.activations import ACTIVATIONS


class Graph:
    """Nodes and constants in the order in which they were added; values are known by their names."""

    def __init__(self, dtype: DTypeLike, reserved: Collection[str] = ()) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._taken = set(reserved)

    def add(self, op: str, *inputs: Any, name: str | None = None, outputs: int = 1, **attributes: Any) -> str:
        """Add a node and return the name of its first output.

        Inputs are names of values, arrays, or numbers of the graph's dtype.
        """
        from onnx import helper

        given = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        first = name or self._unused(op)
        names = [first, *(self._unused(op) for _ in range(1, outputs))]
        self.nodes.append(helper.make_node(op, given, names, **attributes))
        return first

    def constant(self, values: Any) -> str:
        """Add a constant; a number of Python's takes the graph's dtype, one of NumPy's keeps its own."""
        typed = isinstance(values, (np.ndarray, np.generic))
        array = np.asarray(values) if typed else np.array(values, self.dtype)
        name = self._unused("constant")
        self.constants[name] = array
        return name

    def own(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return numbers of a network in the graph's dtype."""
        return values.astype(self.dtype, copy=False)

    def cast(self, value: str, dtype: DTypeLike) -> str:
        """Add a conversion to another type."""
        from onnx import helper

        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def to_double(self, value: str) -> str:
        """Add a conversion of a value of the graph's dtype to double, where that is another type."""
        return value if self.dtype == np.float64 else self.cast(value, np.float64)

    def from_double(self, value: str) -> str:
        """Add a conversion of a double to the graph's dtype, where that is another type."""
        return value if self.dtype == np.float64 else self.cast(value, self.dtype)

    def _unused(self, prefix: str) -> str:
        number = len(self.nodes) + len(self.constants)
        while (name := f"{prefix}_{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name


def activation(graph: Graph, name: str, z: str) -> str:
    """Add an activation of z."""
    entry = ACTIVATIONS[name]
    shorter = entry.onnx_single if graph.dtype == np.float32 else None
    return (shorter or entry.onnx)(graph, z)
