"""A computational graph: reverse-mode differentiation over NumPy arrays, small enough to read.

A `Tensor` knows its value, the gate that computed it and an edge to each of the gate's inputs; `backward`
applies the chain rule from gate to gate (_node.py). The gates, their values and local gradients, are in
_engine.py. The package imports `_base`; only `from_network` imports models and what lies below them.

Values and gradients are float64, whatever was given. They are read-only: a graph shows what was computed.

Where a gate has no slope, or more than one, it takes these, as the network's core does: relu'(0) = 0 and
abs'(0) = 0; of equal values the first is taken (maximum, minimum, max), so maximum(0, x) is relu(x).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp.graph._engine import (
    Tensor,
    abs,
    add,
    concatenate,
    constant,
    cos,
    div,
    exp,
    expm1,
    identity,
    index,
    log,
    log_softmax,
    matmul,
    max,
    maximum,
    mean,
    minimum,
    mul,
    neg,
    normal_cdf,
    pow,
    relu,
    reshape,
    sigmoid,
    sin,
    softmax,
    softplus,
    sqrt,
    sub,
    sum,
    tanh,
    transpose,
)

if TYPE_CHECKING:
    from fastmlp.graph._network import from_network as from_network

__all__ = [  # without abs, max, pow and sum, so that import * keeps Python's
    "Tensor", "add", "concatenate", "constant", "cos", "div", "exp", "expm1", "from_network", "identity",
    "index", "log", "log_softmax", "matmul", "maximum", "mean", "minimum", "mul", "neg", "normal_cdf", "relu",
    "reshape", "sigmoid", "sin", "softmax", "softplus", "sqrt", "sub", "tanh", "transpose",
]  # fmt: skip

# The package is where users, and pickles, find them.
for _public in (
    Tensor, abs, add, concatenate, constant, cos, div, exp, expm1, identity, index, log, log_softmax,
    matmul, max, maximum, mean, minimum, mul, neg, normal_cdf, pow, relu, reshape, sigmoid, sin, softmax,
    softplus, sqrt, sub, sum, tanh, transpose,
):  # fmt: skip
    _public.__module__ = __name__


def __getattr__(name: str) -> Any:
    if name == "from_network":  # the only part that knows the core
        from fastmlp.graph._network import from_network

        return from_network
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "from_network"]
