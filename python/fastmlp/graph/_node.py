"""The nodes of a computational graph, and the chain rule that goes through them backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from fastmlp.graph._checks import Array, as_numbers, frozen

NodeT = TypeVar("NodeT", bound="Node")


class Edge(NamedTuple):
    """How the gradient of a gate becomes that of one of its inputs."""

    input: Node
    local: Callable[[], Any] | str  # the slopes; or a rule in words, where {0} and {1} are the gate's inputs
    send: Callable[[Array], Array]  # upstream gradient of the gate -> its part of the input's gradient


class Node:
    """A value, the gate that computed it from other nodes, and the gradient that came back.

    `backward` goes through the gates from the last to the first and applies the chain rule at each edge::

        gradient of the input = upstream gradient of the gate * local gradient

    An input that several gates read adds up what they send (Griewank, Walther: Evaluating Derivatives, 2008).
    """

    __slots__ = ("__weakref__", "_grad", "_name", "_run", "_value", "detail", "edges", "gate")

    def __init__(self, value: Any, name: str | None = None) -> None:
        self._value = as_numbers("value", value)
        self._grad: Array | None = None
        self._run: object = None  # the backward pass that the gradient is of
        self.name = name
        self.gate, self.detail = "input", ""
        self.edges: tuple[Edge, ...] = ()

    @property
    def name(self) -> str | None:
        """What tables and pictures call it; None, which '' becomes, if it has no name."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"name must be a string or None, got {name!r:.60}")
        self._name = name or None

    @property
    def value(self) -> Any:
        """The value: a float, or a read-only array."""
        return self._value if self._value.ndim else float(self._value)

    @property
    def grad(self) -> Any:
        """d(result)/d(this), as `value` is, of the last `backward` that came through here; None before."""
        return self._grad if self._grad is None or self._grad.ndim else float(self._grad)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `value`."""
        return self._value.shape

    def __repr__(self) -> str:
        more = f", name={self.name!r}" if self.name is not None else ""
        return f"{type(self).__name__}({self.value!r}{more})"

    def __float__(self) -> float:
        return float(self._value.item())

    def backward(self, upstream: Any = None) -> None:
        """Set `grad` of this node and of all that it was computed from.

        Gradients of an earlier call are replaced, not added to.

        Parameters
        ----------
        upstream : array_like, optional
            The gradient to begin with, with the shape of `value`; 1 by default, if that is a single number.

        Raises
        ------
        TypeError, ValueError
            If upstream is missing, no numbers, or has another shape.
        """
        if upstream is None and self._value.size != 1:
            raise ValueError(f"upstream must be given for a value of shape {self.shape}, got None")
        start = as_numbers("upstream", np.ones(self.shape) if upstream is None else upstream)
        if start.shape != self.shape:
            raise ValueError(f"upstream must have the shape {self.shape}, got {start.shape}")
        order, run = self.nodes(), object()
        for node in order:
            node._grad, node._run = None, run
        self._grad = start
        for node in reversed(order):  # all gates that read a node come before it
            for edge in node.edges:
                if edge.input.gate != "constant":
                    sent, before = edge.send(node._grad), edge.input._grad  # type: ignore[arg-type]
                    edge.input._grad = frozen(sent if before is None else before + sent)

    def nodes(self) -> list[Node]:
        """Return all nodes that this was computed from and this, inputs before the gates that read them."""
        order: list[Node] = []
        seen, stack = {self}, [(self, iter(self.edges))]
        while stack:  # no recursion, which long chains would exhaust
            following = next((edge.input for edge in stack[-1][1] if edge.input not in seen), None)
            if following is None:
                order.append(stack.pop()[0])
            else:
                seen.add(following)
                stack.append((following, iter(following.edges)))
        return order

    def find(self: NodeT, name: str) -> NodeT:  # noqa: PYI019 (Self is not in Python 3.10)
        """Return the one node of the graph that has a name; ValueError if there is none, or several."""
        found = [node for node in self.nodes() if node.name == name]
        if len(found) != 1:
            names = ", ".join(dict.fromkeys(node.name for node in self.nodes() if node.name is not None))
            raise ValueError(f"name must be that of one node among {names}; {len(found)} have {name!r}")
        return cast("NodeT", found[0])
