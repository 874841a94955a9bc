"""Activations in ONNX operators: functions of a graph under construction and the name of z.

ONNX Runtime has no LeakyRelu, Elu, Selu, Softplus, Erf and Gelu in double precision, and its Sigmoid loses
the digits of small values, so these are composed of others. Measured for z in -36 .. 30, values are then
accurate to 3e-13 of themselves in float64 and to 5e-7 in float32; there elu is accurate to 1e-7, selu to
2e-7, gelu to 1e-7 |z|.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray


class Graph(Protocol):
    """What takes operators; values are known by their names."""

    def add(self, op: str, *inputs: Any, **attributes: Any) -> str:
        """Add an operator of values, arrays or numbers, and return the name of its result."""


#: Adds an activation of z to a graph and returns the name of its value.
Compose: TypeAlias = Callable[[Graph, str], str]


def op(name: str, **attributes: Any) -> Compose:
    """Return the composition that is one operator."""
    return lambda graph, z: graph.add(name, z, **attributes)


def identity(graph: Graph, z: str) -> str:
    """Add nothing."""
    return z


def leaky_relu(graph: Graph, z: str) -> str:
    """Add max(z, 0.01 z)."""
    return graph.add("Max", z, graph.add("Mul", z, 0.01))


def elu(graph: Graph, z: str) -> str:
    """Add z where z > 0, else exp(z) - 1."""
    return graph.add("Where", graph.add("Greater", z, 0.0), z, _expm1_below_0(graph, z))


def _expm1_below_0(graph: Graph, z: str) -> str:
    """Add exp(z) - 1 of min(z, 0) as tanh(z/2) (exp(z) + 1), which keeps the digits of small z."""
    low = graph.add("Min", z, 0.0)
    tanh = graph.add("Tanh", graph.add("Mul", low, 0.5))
    return graph.add("Mul", tanh, graph.add("Add", graph.add("Exp", low), 1.0))


def sigmoid(graph: Graph, z: str) -> str:
    """Add 1 / (1 + exp(-z))."""
    return graph.add("Reciprocal", _exp_of_minus_plus_1(graph, z))


def silu(graph: Graph, z: str) -> str:
    """Add z / (1 + exp(-z))."""
    return graph.add("Div", z, _exp_of_minus_plus_1(graph, z))


def _exp_of_minus_plus_1(graph: Graph, z: str) -> str:
    return graph.add("Add", graph.add("Exp", graph.add("Neg", z)), 1.0)


def silu_by_sigmoid(graph: Graph, z: str) -> str:
    """Add z times its sigmoid, as other exporters do."""
    return graph.add("Mul", z, graph.add("Sigmoid", z))


def softplus(graph: Graph, z: str) -> str:
    """Add max(z, 0) + log1p(e), e = exp(-|z|), with log1p(e) = log(u) e / (u - 1), u = 1 + e as rounded."""
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    u = graph.add("Add", e, 1.0)
    quotient = graph.add("Div", graph.add("Mul", graph.add("Log", u), e), graph.add("Sub", u, 1.0))
    log1p = graph.add("Where", graph.add("Equal", u, 1.0), e, quotient)
    return graph.add("Add", graph.add("Max", z, 0.0), log1p)


def softplus_with_threshold(graph: Graph, z: str) -> str:
    """Add PyTorch's softplus: z itself above 20, which it is there to all digits of float32."""
    return graph.add("Where", graph.add("Greater", z, 20.0), z, graph.add("Softplus", z))


def gelu_by_erf(graph: Graph, z: str) -> str:
    """Add z (1 + erf(z / sqrt 2)) / 2, in the nodes that ONNX Runtime fuses into one."""
    erf = graph.add("Erf", graph.add("Div", z, math.sqrt(2)))
    return graph.add("Mul", graph.add("Mul", z, graph.add("Add", erf, 1.0)), 0.5)


def gelu_as(scaled: str, association: int) -> Compose:
    """Return z (1 + erf(z / sqrt 2)) / 2 with one of the ways to divide and to associate the products."""

    def compose(graph: Graph, z: str) -> str:
        scale = math.sqrt(2) if scaled == "Div" else math.sqrt(0.5)
        one_more = graph.add("Add", graph.add("Erf", graph.add(scaled, z, scale)), 1.0)
        factors: list[Any] = [z, one_more, 0.5]
        last = factors.pop(association)
        return graph.add("Mul", graph.add("Mul", *factors), last)

    return compose


#: erfc(x) is below the smallest double from here on.
_ERFC_END = 26.5


def gelu(graph: Graph, z: str) -> str:
    """Add z Phi(z), where Phi(-x) = exp(-x^2 / 2) p(u) / 2, u = (x - 2 s) / (x + 2 s), x >= 0, s = sqrt 2."""
    far = 2 * math.sqrt(2)
    x = graph.add("Min", graph.add("Abs", z), _ERFC_END * math.sqrt(2))
    u = graph.add("Div", graph.add("Sub", x, far), graph.add("Add", x, far))
    *rest, value = (float(c) / 2 for c in _scaled_erfc())
    total: Any = value
    for coefficient in reversed(rest):
        total = graph.add("Add", graph.add("Mul", total, u), coefficient)
    gauss = graph.add("Exp", graph.add("Mul", graph.add("Mul", x, x), -0.5))
    tail = graph.add("Mul", gauss, total)
    phi = graph.add("Where", graph.add("Less", z, 0.0), tail, graph.add("Sub", 1.0, tail))
    return graph.add("Mul", z, phi)


def _scaled_erfc() -> NDArray[np.float64]:
    """Return the coefficients of p, lowest first: p((x - 2) / (x + 2)) = exp(x^2) erfc(x), 0 <= x <= 26."""
    from numpy.polynomial import Chebyshev, Polynomial  # which `import fastmlp` does without

    def value(u: NDArray[np.float64]) -> NDArray[np.float64]:
        x = 2 * (1 + u) / (1 - u)
        return np.array([math.exp(t * t) * math.erfc(t) for t in x])

    end = (_ERFC_END - 0.5 - 2) / (_ERFC_END - 0.5 + 2)
    fit = Chebyshev.interpolate(value, 24, domain=[-1.0, end])
    return np.array(fit.convert(kind=Polynomial, domain=[-1.0, 1.0]).coef, np.float64)
