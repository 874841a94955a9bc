"""What the computational graph refuses, and the texts that say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastmlp import graph
from fastmlp.graph import Tensor

Gate = Callable[..., Tensor]


@pytest.mark.parametrize(
    "value",
    [
        1j,
        "1",
        None,
        ["a"],
        np.array(["1"]),
        object(),
        [1, None],
        np.array(1j),
        np.datetime64("2026-01-01"),
        {1: 2},
    ],
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="value must be a real number or an array of real numbers, got"):
        Tensor(value)
    with pytest.raises(TypeError, match="value must be a real number"):
        Tensor(1.0) + value


def test_odd_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="value must be a rectangular array"):
        Tensor([[1, 2], [3]])
    with pytest.raises(ValueError, match="value has masked values"):
        Tensor(np.ma.masked_equal([1, 2], 2))
    for odd in (Tensor(1.0), [Tensor(1.0), Tensor(2.0)]):
        with pytest.raises(TypeError, match="a Tensor cannot become an array"):
            Tensor(odd)


def test_names_are_texts_or_none_whenever_they_are_given() -> None:
    with pytest.raises(TypeError, match="name must be a string or None, got 3"):
        Tensor(1.0, name=3)  # type: ignore[arg-type]
    x = Tensor(1.0, "x")
    with pytest.raises(TypeError, match=r"name must be a string or None, got \['y'\]"):
        x.name = ["y"]  # type: ignore[assignment]
    assert x.name == "x"
    x.name = ""
    assert x.name is None
    assert Tensor(1.0, "").name is None


@pytest.mark.parametrize("gate", [graph.mean, graph.max, graph.softmax, graph.log_softmax])
def test_of_no_elements_there_is_no_mean_largest_or_share(gate: Gate) -> None:
    with pytest.raises(
        ValueError, match=rf"{gate.__name__} needs at least one element along axis 0, got the shape \(0, 3\)"
    ):
        gate(np.ones((0, 3)), axis=0)
    if gate in (graph.mean, graph.max):
        with pytest.raises(ValueError, match=rf"{gate.__name__} needs at least one element, got the shape"):
            gate([])
    x = Tensor(np.ones((0, 3)))  # no rows, of three elements each
    y = gate(x, axis=1)
    y.backward(np.ones(y.shape))
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize("axis", [Tensor(2.0), "x", 1.0, [0], (0, None)])
@pytest.mark.parametrize("gate", [graph.sum, graph.mean, graph.max])
def test_axes_of_sums_are_integers(gate: Gate, axis: Any) -> None:
    with pytest.raises(TypeError, match="axis must be None, an integer or a tuple of integers, got"):
        gate(Tensor([1.0, 2.0]), axis)


@pytest.mark.parametrize("axis", [None, (0,), "x"])
def test_the_axis_of_rows_is_one_integer(axis: Any) -> None:
    for gate in (graph.softmax, graph.log_softmax, lambda x, axis: graph.concatenate([x, x], axis)):
        with pytest.raises(TypeError, match="axis must be an integer, got"):
            gate(Tensor([1.0, 2.0]), axis=axis)


@pytest.mark.parametrize(
    "axes", [(5,), (0,), (0, 0), (0, 1, 2), ((0, 2),), ("x", 0), (1.0, 0.0), (Tensor(1.0),)]
)
def test_transposing_takes_each_axis_once(axes: Any) -> None:
    with pytest.raises(ValueError, match=r"axes must be each axis of the shape \(2, 3\) once, got \("):
        Tensor(np.ones((2, 3))).transpose(*axes)


def test_tables_of_pandas_leave_formulas_to_the_tensor() -> None:
    pd = pytest.importorskip("pandas", "2.1", "pandas asks __pandas_priority__ from 2.1 on")
    table, x = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), Tensor([1.0, 10.0])
    for got, want in [
        (table["a"] * x, [1, 20]), (x * table["a"], [1, 20]), (table - x, [[0, -7], [1, -6]]),
        (x @ table, [21, 43]), (table["b"] ** Tensor(2.0), [9, 16]), (table.to_numpy() @ x, [31, 42]),
    ]:  # fmt: skip
        assert isinstance(got, Tensor)
        assert got.value.tolist() == want
    with pytest.raises(TypeError, match=r"cannot become an array.* as in table.to_numpy\(\) @ tensor"):
        table @ x  # pandas asks no one


@pytest.mark.parametrize("gate", [graph.add, graph.maximum, graph.matmul])
def test_shapes_that_do_not_fit_are_named(gate: Gate) -> None:
    with pytest.raises(
        ValueError, match=rf"{gate.__name__} needs shapes that fit, got \(2, 3\) and \(4, 5\)"
    ):
        gate(np.ones((2, 3)), np.ones((4, 5)))


def test_backward_needs_an_upstream_gradient_that_fits() -> None:
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"upstream must be given for a value of shape \(2, 3\), got None"):
        x.backward()
    with pytest.raises(ValueError, match=r"upstream must have the shape \(2, 3\), got \(3,\)"):
        x.backward(np.ones(3))
    with pytest.raises(TypeError, match="upstream must be a real number or an array"):
        x.backward("x")
    assert x.grad is None
    Tensor([[4.0]]).backward()


def test_other_mistakes_raise_what_numpy_raises() -> None:
    x = Tensor(np.ones(3))
    with pytest.raises(IndexError):
        x[3]
    with pytest.raises(TypeError, match="cannot become an array"):
        x[x]
    with pytest.raises(ValueError, match="axis 1 is out of bounds"):
        x.sum(axis=1)
    with pytest.raises(ValueError, match="axis 1 is out of bounds"):
        x.max(axis=(0, 1))
    with pytest.raises(ValueError, match="reshape"):
        x.reshape(2, 2)
    with pytest.raises(TypeError, match="__array_ufunc__"):
        np.exp(x)
    with pytest.raises(TypeError, match="len"):
        list(Tensor(1.0))
    assert [float(part) for part in x] == [1, 1, 1]
