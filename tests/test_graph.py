"""The computational graph: each gate's gradient is its numeric one, and gradients add up at branches."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastmlp import graph
from fastmlp.graph import Tensor

Gate = Callable[..., Tensor]


def numeric_gradient(f: Callable[[], float], x: np.ndarray, h: float = 1e-6) -> np.ndarray:
    """Central differences, moving the elements of x one by one and back."""
    gradient = np.empty_like(x)
    for at in np.ndindex(x.shape):
        here, values = x[at], []
        for step in (h, -h):
            x[at] = here + step
            values.append(f())
        x[at] = here
        gradient[at] = (values[0] - values[1]) / (2 * h)
    return gradient


def check(gate: Gate, *arrays: np.ndarray) -> None:
    """Compare the gradients of sum(c * gate(..)), c random, with the numeric ones."""
    tensors = [Tensor(array) for array in arrays]
    result = gate(*tensors)
    upstream = np.random.default_rng(9).normal(size=result.shape)
    result.backward(upstream)
    for tensor, array in zip(tensors, arrays, strict=True):
        want = numeric_gradient(lambda: float((upstream * gate(*map(Tensor, arrays)).value).sum()), array)
        assert np.shape(tensor.grad) == tensor.shape
        np.testing.assert_allclose(tensor.grad, want, rtol=1e-7, atol=1e-8)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def positive(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(0.3, 3, size=shape)


# ------------------------------------------------------------------------------------------------- the gates

SHAPES = [
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 4)),
    ((), (2, 3)),
    ((2, 1, 3), (4, 1)),
    ((1,), (5,)),
]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize(
    "gate", [graph.add, graph.sub, graph.mul, graph.div, graph.pow, graph.maximum, graph.minimum]
)
def test_the_gates_of_two_inputs_have_the_numeric_gradient(gate: Gate, shapes: tuple[Any, Any]) -> None:
    check(gate, positive(*shapes[0]), positive(*shapes[1], seed=1))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,)])
@pytest.mark.parametrize(
    "gate",
    [
        graph.neg, graph.exp, graph.expm1, graph.abs, graph.identity, graph.relu, graph.sigmoid,
        graph.softplus, graph.tanh, graph.normal_cdf, graph.cos, graph.sin,
    ],
)  # fmt: skip
def test_the_gates_of_one_input_have_the_numeric_gradient(gate: Gate, shape: tuple[int, ...]) -> None:
    check(gate, np.asarray(2 * normal(*shape)))


@pytest.mark.parametrize("gate", [graph.log, graph.sqrt])
def test_the_gates_of_positive_numbers_have_the_numeric_gradient(gate: Gate) -> None:
    check(gate, positive(2, 3))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((0, 3), (3, 2)),
    ],
)  # fmt: skip
def test_matmul_has_the_numeric_gradient(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check(graph.matmul, normal(*left), normal(*right, seed=1))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (-1,), (), np.int64(1)])
@pytest.mark.parametrize("gate", [graph.sum, graph.mean, graph.max])
def test_the_gates_that_reduce_have_the_numeric_gradient(gate: Gate, axis: Any, keepdims: bool) -> None:
    x = normal(2, 3, 4)
    check(lambda x: gate(x, axis=axis, keepdims=keepdims), x)
    want = getattr(np, gate.__name__)(x, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(gate(x, axis=axis, keepdims=keepdims).value, want)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("gate", [graph.softmax, graph.log_softmax])
def test_softmax_has_the_numeric_gradient(gate: Gate, axis: int) -> None:
    check(lambda x: gate(x, axis=axis), normal(3, 4))


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.reshape(4, 6),
        lambda x: x.reshape((2, -1)),
        lambda x: x.T,
        lambda x: x.transpose(),
        lambda x: x.transpose(None),
        lambda x: x.transpose(1, 2, 0),
        lambda x: x.transpose([2, 0, -2]),
        lambda x: graph.transpose(x, (1, 2, 0)),
        lambda x: graph.transpose(x, (-1, 0, 1)),
        lambda x: x[1],
        lambda x: x[-1, 2, 3],
        lambda x: x[:, 1:, ::2],
        lambda x: x[..., None, 0],
        lambda x: x[[0, 0, 1]],
        lambda x: x[np.array([1, 1, 1]), [0, 0, 2]],
        lambda x: x[np.arange(24).reshape(2, 3, 4) % 3 == 0],
        lambda x: graph.concatenate([x, x[:1], np.ones((1, 3, 4))]),
        lambda x: graph.concatenate([x[:, :1], x], axis=-2),
        lambda x: x[:0],
    ],
)
def test_moving_elements_has_the_numeric_gradient(move: Gate) -> None:
    check(move, normal(2, 3, 4))


def test_elements_that_are_read_twice_add_up() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    x[[0, 2, 0, 0]].sum().backward()
    assert x.grad.tolist() == [3.0, 0.0, 1.0]


def test_every_gate_is_a_method_too() -> None:
    x = positive(2, 3)
    for name in (
        "exp", "expm1", "log", "sqrt", "abs", "relu", "sigmoid", "softplus", "tanh", "normal_cdf",
        "cos", "sin", "softmax", "log_softmax", "sum", "mean", "max", "transpose",
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(Tensor(x), name)().value, getattr(graph, name)(x).value)
    np.testing.assert_array_equal(Tensor(x).maximum(1).value, graph.maximum(x, 1).value)
    np.testing.assert_array_equal(Tensor(x).minimum(1).value, graph.minimum(x, 1).value)
    np.testing.assert_array_equal(abs(Tensor(-x)).value, x)


@pytest.mark.parametrize(
    "other", [3, 2.5, np.float32(1.5), [1.0, 2.0, 3.0], np.array([1, 2, 3]), Tensor(2.0)]
)
def test_operators_take_tensors_numbers_and_arrays_on_either_side(other: Any) -> None:
    x = Tensor([0.5, 1.5, 2.5])
    value = np.asarray(other.value if isinstance(other, Tensor) else other, dtype=float)
    for got, want in [
        (x + other, x.value + value), (other + x, value + x.value), (x - other, x.value - value),
        (other - x, value - x.value), (x * other, x.value * value), (other * x, value * x.value),
        (x / other, x.value / value), (other / x, value / x.value), (x**other, x.value**value),
        (other**x, value**x.value), (-x, -x.value), (+1 * x, x.value),
    ]:  # fmt: skip
        assert isinstance(got, Tensor)
        np.testing.assert_array_equal(got.value, want)


def test_an_array_times_a_tensor_is_a_tensor() -> None:
    W, x = Tensor(normal(3, 4)), normal(2, 3)
    assert isinstance(x @ W, Tensor)
    assert (x @ W).shape == (2, 4)
    assert ((x @ W)[0] @ normal(4)).shape == ()


# ------------------------------------------------------------------------------------------------ kinks, ends


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (graph.relu, 0.0),
        (graph.abs, 0.0),
        (lambda x: graph.maximum(0, x), 0.0),
        (lambda x: graph.maximum(x, 0), 1.0),
        (lambda x: graph.maximum(x, x), 1.0),
        (lambda x: graph.minimum(0, x), 0.0),
        (lambda x: graph.minimum(x, 0), 1.0),
        (lambda x: x**0, 0.0),
        (lambda x: x**1, 1.0),
        (lambda x: x**2, 0.0),
        (graph.softplus, 0.5),
    ],
)
def test_slopes_at_zero_are_those_of_the_documentation(f: Gate, slope: float) -> None:
    x = Tensor(0.0)
    f(x).backward()
    assert x.grad == slope


def test_max_routes_to_the_first_of_equal_elements() -> None:
    x = Tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    x.max(axis=1).sum().backward()
    assert x.grad.tolist() == [[0, 1, 0], [1, 0, 0]]
    x.max().backward()
    assert x.grad.tolist() == [[0, 1, 0], [0, 0, 0]]
    x.max(axis=(1, 0)).backward()
    assert x.grad.tolist() == [[0, 1, 0], [0, 0, 0]]
    n = Tensor([1.0, np.nan, np.nan])
    n.max().backward()
    assert n.grad.tolist() == [0, 1, 0]


@pytest.mark.parametrize("z", [1000.0, -1000.0, 1e300, -1e300])
@pytest.mark.parametrize(
    "gate", [graph.sigmoid, graph.softplus, graph.tanh, graph.relu, graph.normal_cdf, graph.abs]
)
def test_gates_are_finite_far_out(gate: Gate, z: float) -> None:
    x = Tensor(z)
    y = gate(x)
    y.backward()
    assert np.isfinite(y.value)
    assert np.isfinite(x.grad)


def test_softmax_is_finite_far_out() -> None:
    for gate in (graph.softmax, graph.log_softmax):
        x = Tensor([1e4, -1e4, 0.0])
        y = gate(x)
        y.backward([1.0, 0.0, 0.0])
        assert np.isfinite(y.value).all()
        np.testing.assert_allclose(x.grad, 0, atol=1e-15)


def test_nan_stays_nan_and_takes_its_own_way() -> None:
    x = Tensor([np.nan, 1.0])
    y = graph.maximum(x, 0)
    y.sum().backward()
    assert np.isnan(y.value[0])
    assert x.grad.tolist() == [1.0, 1.0]


def test_the_exponents_slope_is_not_worked_out_for_constants() -> None:
    x = Tensor([-2.0, 0.0, 3.0])
    (x**3).sum().backward()  # log of a negative number would warn
    assert x.grad.tolist() == [12.0, 0.0, 27.0]
    n = Tensor(2.0)
    (np.array([0.0, 2.0]) ** n).sum().backward()
    assert n.grad == pytest.approx(4 * np.log(2))


# ------------------------------------------------------------------------------------------------- the graph


def test_the_example_of_the_course() -> None:
    x, y, z = Tensor(-2.0, name="x"), Tensor(5.0, name="y"), Tensor(-4.0, name="z")
    f = (x + y) * z
    assert (x.grad, f.grad) == (None, None)
    f.backward()
    assert (f.value, float(f)) == (-12.0, -12.0)
    assert (x.grad, y.grad, z.grad, f.grad) == (-4.0, -4.0, 3.0, 1.0)
    assert isinstance(x.grad, float)
    assert repr(x) == "Tensor(-2.0, name='x')"


def test_gradients_add_up_where_a_value_branches() -> None:
    x = Tensor(3.0)
    y = x * x
    (y * x + y + x).backward()
    assert x.grad == 3 * 9 + 2 * 3 + 1


def test_a_second_backward_gives_fresh_gradients() -> None:
    x = Tensor(3.0)
    f = x * x
    f.backward()
    f.backward()
    assert x.grad == 6.0
    f.backward(10)
    assert x.grad == 60.0


def test_constants_have_no_gradient() -> None:
    c, x = graph.constant([1.0, 2.0], name="c"), Tensor(3.0)
    (c * x).sum().backward()
    assert c.grad is None
    assert x.grad == 3.0


def test_long_chains_need_no_recursion() -> None:
    x = Tensor(1.0)
    f = x
    for _ in range(5000):
        f = f + 0.001 * x
    f.backward()
    assert x.grad == pytest.approx(6.0)
    assert len(f.nodes()) == 2 + 3 * 5000 - 1
    del f
    gc.collect()


def test_nodes_come_after_their_inputs() -> None:
    x = Tensor(2.0)
    y = x * x
    f = graph.exp(y - x) / y + x
    nodes = f.nodes()
    at = {node: i for i, node in enumerate(nodes)}
    assert nodes[-1] is f
    assert len(at) == len(nodes)
    assert all(at[edge.input] < at[node] for node in nodes for edge in node.edges)


def test_parts_are_found_by_name() -> None:
    x, y = Tensor(1.0, "x"), Tensor(2.0, "y")
    f = x * y + x
    assert f.find("x") is x
    for name in ("z", ""):
        with pytest.raises(ValueError, match=r"one node among x, y; 0 have"):
            f.find(name)
    y.name = "x"
    with pytest.raises(ValueError, match="2 have 'x'"):
        f.find("x")


def test_arrays_that_change_later_change_nothing() -> None:
    values, key = np.ones(3), np.array([0, 0, 1])
    x = Tensor(values)
    f = (x * values)[key].sum()
    values[:], key[:] = 7, 2
    f.backward()
    assert x.value.tolist() == [1, 1, 1]
    assert x.grad.tolist() == [2, 1, 0]
    for array in (x.value, x.grad, f.nodes()[1].value):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    "value", [3, True, np.int8(3), np.float32(0.1), [1, 2], (1.5, 2), np.arange(3, dtype="f4")]
)
def test_values_become_float64(value: Any) -> None:
    x = Tensor(value)
    assert np.asarray(x.value).dtype == np.float64
    np.testing.assert_array_equal(x.value, np.asarray(value, dtype=float))


# ------------------------------------------------------------------------------------------------ the module


def test_import_star_keeps_pythons_own_functions() -> None:
    names: dict[str, Any] = {}
    exec("from fastmlp.graph import *", names)
    assert not {"sum", "max", "abs", "pow", "np"} & set(names)
    gates = {name for name, f in vars(graph).items() if getattr(f, "__module__", "") == graph.__name__}
    public = {name for name in gates if name[0] != "_"} - {"Operand", "Unary", "Binary"}
    assert set(graph.__all__) == public - {"sum", "max", "abs", "pow"} | {"from_network"}
    assert set(graph.__all__) | {"sum"} <= set(dir(graph))
    assert graph.mul.__qualname__ == graph.mul.__name__ == "mul"
    assert graph.exp.__qualname__ == "exp"


def test_the_graph_needs_neither_the_core_nor_is_it_imported_with_the_library() -> None:
    code = (
        "import sys, fastmlp; assert 'fastmlp.graph' not in sys.modules; "
        "fastmlp.graph.Tensor(1.0); assert 'fastmlp.graph._network' not in sys.modules; "
        "assert not hasattr(fastmlp.graph, 'from_networks')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
