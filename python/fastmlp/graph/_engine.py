"""The gates of computational graphs, with their values and local gradients, and tensors with operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any, NoReturn, TypeAlias

import numpy as np

from fastmlp.graph._checks import Array, Axis, any_axes, filled, fitting, one_axis
from fastmlp.graph._drawing import notebook_svg, to_svg
from fastmlp.graph._node import Edge, Node
from fastmlp.graph._text import explain, show, to_dot

Operand: TypeAlias = "Tensor | Array | Sequence[Any] | float"
Unary: TypeAlias = "Callable[[Operand], Tensor]"
Binary: TypeAlias = "Callable[[Operand, Operand], Tensor]"


def constant(value: Any, name: str | None = None) -> Tensor:
    """Return a tensor that has no gradient, as numbers and arrays in a formula are."""
    tensor = Tensor(value, name)
    tensor.gate = "constant"
    return tensor


def _tensor(x: Operand) -> Tensor:
    return x if isinstance(x, Tensor) else constant(x)


def _gate(gate: str, value: Any, *edges: Edge, detail: str = "") -> Tensor:
    result = Tensor(value)
    result.gate, result.edges, result.detail = gate, edges, detail
    return result


# ---------------------------------------------------------------------------------- gates of single elements


def _unary(name: str, value: Callable[[Any], Any], slope: Callable[[Any, Any], Any], text: str) -> Unary:
    """Make the gate f(x) from its value f and its slope f'(x, f)."""

    def gate(x: Operand) -> Tensor:
        a = _tensor(x)
        f = value(a._value)
        return _gate(name, f, _slope_edge(a, lambda: slope(a._value, f)))

    gate.__name__ = gate.__qualname__ = name
    gate.__doc__ = text
    return gate


def _binary(
    name: str,
    value: Callable[[Any, Any], Any],
    to_x: Callable[[Any, Any, Any], Any],
    to_y: Callable[[Any, Any, Any], Any],
    text: str,
) -> Binary:
    """Make the gate f(x, y) from its value and its slopes df/dx(x, y, f) and df/dy(x, y, f)."""

    def gate(x: Operand, y: Operand) -> Tensor:
        a, b = _tensor(x), _tensor(y)
        f = fitting(name, value, a._value, b._value)
        slopes = (lambda: to_x(a._value, b._value, f)), (lambda: to_y(a._value, b._value, f))
        return _gate(name, f, _slope_edge(a, slopes[0]), _slope_edge(b, slopes[1]))

    gate.__name__ = gate.__qualname__ = name
    gate.__doc__ = text
    return gate


def _slope_edge(x: Tensor, slope: Callable[[], Any]) -> Edge:
    return Edge(x, slope, lambda upstream: _sum_to(x.shape, upstream * slope()))


def _sum_to(shape: tuple[int, ...], gradient: Any) -> Any:
    """Undo broadcasting: a number that was used in many places adds up their gradients."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    return gradient.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def _power_slope(x: Array, n: Array, f: Array) -> Any:
    return n * x ** np.where(n == 0, 1.0, n - 1)  # no 0 * infinity at x = 0


def _from_first(x: Array, y: Array, f: Array) -> Any:
    return ((x == f) | np.isnan(x)).astype(float)


def _sigmoid(x: Array) -> Any:
    e = np.exp(-np.abs(x))  # at most 1: nothing overflows
    return np.where(x < 0, e, 1) / (1 + e)


def _normal_cdf(x: Array) -> Any:
    return np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2


def _normal_pdf(x: Array, f: Array) -> Any:
    return np.exp(-(np.clip(x, -40, 40) ** 2) / 2) / math.sqrt(2 * math.pi)


# fmt: off
#                      value        slopes
add = _binary("add", np.add, lambda x, y, f: 1.0, lambda x, y, f: 1.0,
              "``x + y``: distributes its upstream gradient.")
sub = _binary("sub", np.subtract, lambda x, y, f: 1.0, lambda x, y, f: -1.0,
              "``x - y``: distributes its upstream gradient, to y with the sign turned.")
mul = _binary("mul", np.multiply, lambda x, y, f: y, lambda x, y, f: x,
              "``x * y``: swaps, the slope of each is the value of the other.")
div = _binary("div", np.divide, lambda x, y, f: 1 / y, lambda x, y, f: -f / y,
              "``x / y``: slopes 1/y and -x/y^2.")
pow = _binary("pow", np.power, _power_slope, lambda x, y, f: f * np.log(np.where(x == 0, 1.0, x)),
              "``x ** y``: slopes y x^(y-1) and x^y log x, the second 0 where x is 0.")
maximum = _binary("maximum", np.maximum, _from_first, lambda x, y, f: 1 - _from_first(x, y, f),
                  "``max(x, y)`` of each pair: routes to the larger, to x if they are equal.")
minimum = _binary("minimum", np.minimum, _from_first, lambda x, y, f: 1 - _from_first(x, y, f),
                  "``min(x, y)`` of each pair: routes to the smaller, to x if they are equal.")
neg = _unary("neg", np.negative, lambda x, f: -1.0, "``-x``: slope -1.")
exp = _unary("exp", np.exp, lambda x, f: f, "``e^x``: its slope is its value.")
expm1 = _unary("expm1", np.expm1, lambda x, f: f + 1, "``e^x - 1``, exact for small x: slope e^x.")
log = _unary("log", np.log, lambda x, f: 1 / x, "Natural logarithm: slope 1/x.")
sqrt = _unary("sqrt", np.sqrt, lambda x, f: 0.5 / f, "Square root: slope 1 / (2 sqrt(x)).")
abs = _unary("abs", np.abs, lambda x, f: np.sign(x), "``|x|``: slope -1, 0 or 1, the sign of x.")
identity = _unary("identity", np.positive, lambda x, f: 1.0, "``x``: slope 1.")
relu = _unary("relu", lambda x: np.maximum(x, 0), lambda x, f: np.where(x > 0, 1.0, 0.0),
              "``max(0, x)``: slope 1 where x > 0, else 0.")
sigmoid = _unary("sigmoid", _sigmoid, lambda x, f: f * _sigmoid(-x),
                 "``s = 1 / (1 + e^-x)``: slope s (1 - s).")
softplus = _unary("softplus", lambda x: np.logaddexp(0, x), lambda x, f: _sigmoid(x),
                  "``log(1 + e^x)``, finite for all x: slope sigmoid(x).")
tanh = _unary("tanh", np.tanh, lambda x, f: 1 - f**2, "Hyperbolic tangent t: slope 1 - t^2.")
cos = _unary("cos", np.cos, lambda x, f: -np.sin(x), "Cosine of x in radians: slope -sin(x).")
sin = _unary("sin", np.sin, lambda x, f: np.cos(x), "Sine of x in radians: slope cos(x).")
normal_cdf = _unary("normal_cdf", _normal_cdf, _normal_pdf,
                    "``P(N(0, 1) < x)``: its slope is the normal density; x * normal_cdf(x) is gelu(x).")
# fmt: on


# ------------------------------------------------------------------------------ gates of rows and matrices


def matmul(x: Operand, y: Operand) -> Tensor:
    """``x @ y`` of vectors, matrices or stacks of them: sends upstream @ y.T and x.T @ upstream."""
    a, b = _tensor(x), _tensor(y)
    value = fitting("matmul", np.matmul, a._value, b._value)
    A = a._value if a._value.ndim > 1 else a._value[np.newaxis, :]
    B = b._value if b._value.ndim > 1 else b._value[:, np.newaxis]
    rows = (*np.broadcast_shapes(A.shape[:-2], B.shape[:-2]), A.shape[-2], B.shape[-1])

    def to_x(upstream: Array) -> Any:
        return _sum_to(A.shape, upstream.reshape(rows) @ B.swapaxes(-1, -2)).reshape(a.shape)

    def to_y(upstream: Array) -> Any:
        return _sum_to(B.shape, A.swapaxes(-1, -2) @ upstream.reshape(rows)).reshape(b.shape)

    return _gate("matmul", value, Edge(a, "upstream @ {1}.T", to_x), Edge(b, "{0}.T @ upstream", to_y))


def _reduce(
    gate: str, value: Array, x: Tensor, axis: Axis, keepdims: bool, slope: Callable[[], Any]
) -> Tensor:
    """Make a gate from a value that still has the axes along which it was reduced."""

    def send(upstream: Array) -> Any:
        return np.broadcast_to(upstream.reshape(value.shape) * slope(), x.shape)

    result = value if keepdims else np.squeeze(value, axis)
    detail = [f"axis={axis}"] * (axis is not None) + ["keepdims=True"] * bool(keepdims)
    return _gate(gate, result, Edge(x, slope, send), detail=", ".join(detail))


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum of all elements or along axes: each summand receives the upstream gradient."""
    a, axis = _tensor(x), any_axes(axis)
    return _reduce("sum", a._value.sum(axis, keepdims=True), a, axis, keepdims, lambda: 1.0)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Mean of all n elements or along axes: slope 1/n."""
    a, axis = _tensor(x), any_axes(axis)
    value = filled("mean", a._value, axis).mean(axis, keepdims=True)
    return _reduce("mean", value, a, axis, keepdims, lambda: value.size / (a._value.size or 1))


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest of all elements or along axes, to which it routes upstream; of two tensors, see `maximum`."""
    a, axis = _tensor(x), any_axes(axis)
    value = filled("max", a._value, axis).max(axis, keepdims=True)

    def place() -> Any:
        numbers = np.arange(a._value.size).reshape(a.shape)
        largest = (a._value == value) | np.isnan(a._value)
        first = np.where(largest, numbers, a._value.size).min(axis, keepdims=True)
        return (numbers == first).astype(float)

    return _reduce("max", value, a, axis, keepdims, place)


def softmax(x: Operand, axis: int = -1) -> Tensor:
    """``s = e^x / sum(e^x)`` along an axis: sends s (upstream - sum(s upstream))."""
    a = _tensor(x)
    value = np.exp(_log_softmax("softmax", a._value, axis))

    def send(upstream: Array) -> Any:
        return value * (upstream - (value * upstream).sum(axis, keepdims=True))

    return _gate("softmax", value, Edge(a, "s (upstream - sum(s upstream))", send), detail=f"axis={axis}")


def log_softmax(x: Operand, axis: int = -1) -> Tensor:
    """``x - log(sum(e^x))`` along an axis, finite for all x: sends upstream - softmax(x) sum(upstream)."""
    a = _tensor(x)
    value = _log_softmax("log_softmax", a._value, axis)

    def send(upstream: Array) -> Any:
        return upstream - np.exp(value) * upstream.sum(axis, keepdims=True)

    rule = "upstream - softmax({0}) sum(upstream)"
    return _gate("log_softmax", value, Edge(a, rule, send), detail=f"axis={axis}")


def _log_softmax(gate: str, x: Array, axis: int) -> Any:
    x = filled(gate, x, one_axis(axis))
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


# --------------------------------------------------------------------------------- gates that move elements


def reshape(x: Operand, *shape: Any) -> Tensor:
    """Return the same elements in another shape, whose gradient takes the old shape again."""
    a = _tensor(x)
    value = a._value.reshape(*shape)
    edge = Edge(a, "in the shape of {0}", lambda upstream: upstream.reshape(a.shape))
    return _gate("reshape", value, edge, detail=str(value.shape))


def transpose(x: Operand, *axes: Any) -> Tensor:
    """Return the axes in reverse order, or in that of ``transpose(x, 1, 0)``; the gradient goes back."""
    a = _tensor(x)
    try:
        value, n = a._value.transpose(*axes), a._value.ndim
    except (TypeError, ValueError):
        raise ValueError(f"axes must be each axis of the shape {a.shape} once, got {axes}") from None
    order = np.ravel(axes) % n if axes and axes[0] is not None else np.arange(n)[::-1]
    back = tuple(np.argsort(order).tolist())
    rule = f"upstream.{'T' if back == tuple(range(n))[::-1] else f'transpose{back}'}"
    edge = Edge(a, rule, lambda upstream: upstream.transpose(back))
    return _gate("transpose", value, edge, detail=str(tuple(order.tolist())) if axes else "")


def index(x: Operand, key: Any) -> Tensor:
    """``x[key]``, key as NumPy takes it: an element that is read twice receives the sum of both gradients."""
    a = _tensor(x)
    value = a._value[key]
    key = deepcopy(key)  # the caller may change its arrays

    def send(upstream: Array) -> Any:
        gradient = np.zeros(a.shape)
        np.add.at(gradient, key, upstream)
        return gradient

    return _gate("index", value, Edge(a, "to the elements read", send))


def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Join tensors along an axis: each receives its part of the upstream gradient."""
    parts, axis = [_tensor(x) for x in tensors], one_axis(axis)
    value = np.concatenate([part._value for part in parts], axis)
    ends = np.cumsum([part.shape[axis] for part in parts])

    def edge(part: Tensor, end: int) -> Edge:
        places = np.arange(end - part.shape[axis], end)
        return Edge(part, "its part of upstream", lambda upstream: upstream.take(places, axis))

    edges = map(edge, parts, ends)
    return _gate("concatenate", value, *edges, detail=f"axis={axis}")


# ------------------------------------------------------------------------------------------------ the tensor


def _swapped(gate: Binary) -> Binary:
    """Return the gate of an operator whose left side is no tensor."""
    return lambda x, y: gate(y, x)


class Tensor(Node):
    """A number or an array in a computational graph.

    The operators ``+ - * / ** @`` (with tensors, numbers and arrays on either side), indexing and the methods
    are gates, as the functions of this module are; shapes broadcast as NumPy's do.

    Parameters
    ----------
    value : number or array_like
        Copied, as float64.
    name : str, optional
        What tables and pictures call it; may be set later too.

    Attributes
    ----------
    value, grad : float or array
        The value, and after `backward` the gradient, which has the same shape.
    gate : str
        What computed it, such as "add"; "input", or "constant" (which has no gradient), if nothing did.
    edges : tuple of Edge
        The gate's inputs and their local gradients.

    Raises
    ------
    TypeError, ValueError
        If value does not hold real numbers. NaN and infinity are numbers and follow NumPy's rules.

    Examples
    --------
    >>> x, y, z = Tensor(-2.0, name="x"), Tensor(5.0, name="y"), Tensor(-4.0, name="z")
    >>> f = (x + y) * z
    >>> f.backward()
    >>> f.value, x.grad, y.grad, z.grad
    (-12.0, -4.0, -4.0, 3.0)
    """

    __slots__ = ()
    __array_ufunc__, __pandas_priority__ = None, 5000  # so that array + tensor asks the tensor

    __add__, __radd__ = add, _swapped(add)
    __sub__, __rsub__ = sub, _swapped(sub)
    __mul__, __rmul__ = mul, _swapped(mul)
    __truediv__, __rtruediv__ = div, _swapped(div)
    __pow__, __rpow__ = pow, _swapped(pow)
    __matmul__, __rmatmul__ = matmul, _swapped(matmul)
    __neg__, __abs__, __getitem__ = neg, abs, index
    T = property(transpose)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "a Tensor cannot become an array, which has no gradient; use value for its numbers, concatenate "
            "to join tensors, and NumPy arrays in formulas, as in table.to_numpy() @ tensor"
        )

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self._value)))  # a single number has no length: TypeError

    maximum, minimum, exp, expm1, log, sqrt, abs = maximum, minimum, exp, expm1, log, sqrt, abs
    relu, sigmoid, softplus, tanh, normal_cdf = relu, sigmoid, softplus, tanh, normal_cdf
    cos, sin = cos, sin
    softmax, log_softmax = softmax, log_softmax
    sum, mean, max, reshape, transpose = sum, mean, max, reshape, transpose
    show, explain, to_dot, to_svg, _repr_svg_ = show, explain, to_dot, to_svg, notebook_svg
