"""The graph of a network: a second witness of the core's gradients, on every loss and every activation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fastmlp
import reference as ref
from export_tools import PARTS, network_of_parts, rows_of_parts
from fastmlp import graph
from fastmlp.graph import Tensor
from problems import Case, network, prepared

FREE = [loss for loss in (*ref.LOSSES, "huber(0.5)", "quantile(0.9)") if loss not in ref.AUTO_OUTPUT]
PAIRS = [
    *[(loss, output) for loss in FREE for output in ref.ACTIVATIONS],
    *[(loss, "auto") for loss in ref.AUTO_OUTPUT],
    *[("quantile(0.1, 0.5, 0.9)", output) for output in ref.ACTIVATIONS],
]


def check(net: fastmlp.Network, X: Any, y: Any, w: Any = None) -> Tensor:
    """Compare the loss, and each gradient to within the rounding of the largest of its kind."""
    trace, loss = net.trace(X, y, w), graph.from_network(net, X, y, w)
    eps = float(np.finfo(net.dtype).eps)
    assert loss.name == "loss"
    assert loss.value == pytest.approx(trace.loss, rel=50 * eps)
    scale = max(np.abs(delta).sum(axis=0).max() for delta in trace.delta)  # what db would be without signs
    scale = max(scale, *(np.abs(part).max() for part in (*trace.dW, *trace.dE)))
    for letter, wanted in [("W", trace.dW), ("b", trace.db), ("z", trace.delta), ("E", trace.dE)]:
        for i, want in enumerate(wanted):
            got = loss.find(f"{letter}{i}").grad
            assert got.shape == want.shape
            largest = np.abs(want).max() if letter == "z" else scale
            np.testing.assert_allclose(got, want, rtol=0, atol=100 * eps * largest, err_msg=f"{letter}{i}")
    gradient = np.concatenate([loss.find(name).grad.ravel() for name in net._own_views.named()])
    np.testing.assert_allclose(gradient, net.loss_and_gradient(X, y, w)[1], rtol=0, atol=100 * eps * scale)
    return loss


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_gradients_equal_the_cores_on_every_loss_and_activation(loss: str, output: str, dtype: str) -> None:
    for i, activation in [*enumerate(ref.ACTIVATIONS)][dtype == "float32" :: 2]:
        case = Case(
            sizes=(4, 6, 5, 3), activation=activation, loss=loss, output_activation=output, rows=12,
            dtype=dtype, weighted=i % 2 == 0, l2=0.05 * (i % 3), seed=i,
        )  # fmt: skip
        if "," in loss:  # several quantiles have one target
            problem, _ = prepared(replace(case, loss="quantile"))
            problem = replace(problem, y=problem.Y[:, 0])
        else:
            problem, _ = prepared(case)
        check(network(case, problem), problem.X.astype(dtype), problem.y, problem.sample_weight)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("loss", "outputs", "rows"), [
    ("softmax_cross_entropy", 9, 12),  # rows of probabilities
    ("binary_cross_entropy", 1, 12),
    ("binary_cross_entropy", 4, 12),
    ("squared_error", 1, 1),
])  # fmt: skip
@pytest.mark.parametrize("hidden", [(), (5,), (3, 1, 4)])
def test_other_targets_and_depths(
    hidden: tuple[int, ...], loss: str, outputs: int, rows: int, dtype: str
) -> None:
    case = Case(sizes=(3, *hidden, outputs), loss=loss, rows=rows, weighted=True, l2=0.1, dtype=dtype)
    problem, _ = prepared(case)
    check(network(case, problem), problem.X.astype(dtype), problem.y, problem.sample_weight)


def rows_with_codes(n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 5))
    X[:, 1], X[:, 4] = rng.integers(0, 7, n), rng.integers(0, 3, n)
    return X, np.arange(n) % 3


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("embeddings", [[(4, 3, 2), (1, 7, 4)], [(0, 1, 3)]])
def test_tables_of_embeddings_have_the_cores_gradient(embeddings: Any, l2: float, dtype: str) -> None:
    X, y = rows_with_codes()
    X[:, 0] = 0
    net = fastmlp.Network((5, 6, 3), "tanh", embeddings=embeddings, l2=l2, dtype=dtype)
    loss = check(net, X, y, np.linspace(0, 2, len(y)))
    np.testing.assert_allclose(loss.find("a0").value, net.trace(X, y).a[0])


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["squared_error", "softmax_cross_entropy"])
@pytest.mark.parametrize("parts", PARTS)
def test_other_parts_have_the_cores_gradient(parts: str, loss: str, dtype: str) -> None:
    net = network_of_parts(PARTS[parts] | {"l2": 0.1}, dtype, loss=loss, outputs=3)
    X, y = rows_of_parts(30, dtype), np.arange(30) % 3
    y = y if "entropy" in loss else np.eye(3)[y]
    w = np.linspace(0, 2, 30)
    found, trace = check(net, X, y, w), net.trace(X, y, w)
    close = {"rtol": 0, "atol": 1e-4 if dtype == "float32" else 1e-12}
    if parts != "parametric":
        np.testing.assert_allclose(found.find("a0").value, trace.a[0], **close)
    for i in range(4):
        np.testing.assert_allclose(found.find(f"z{i}").value, trace.z[i], **close)
    for i in range(3):
        np.testing.assert_allclose(found.find(f"a{i + 1}").value, trace.a[i + 1], **close)


@pytest.mark.parametrize("activation", ref.ACTIVATIONS)
def test_every_parametric_activation_has_the_cores_gradient(activation: str) -> None:
    net = network_of_parts({"parametric": True}, "float64", activation)
    X = rows_of_parts(30, "float64")
    check(net, X, X[:, :2])


def test_inputs_that_are_all_codes_have_no_plain_columns() -> None:
    X, y = rows_with_codes()
    check(fastmlp.Network((1, 3), embeddings=[(0, 7, 2)], dtype="float64"), X[:, 1:2], y)


def test_the_parts_have_the_values_of_the_trace() -> None:
    problem, _ = prepared(Case(sizes=(4, 6, 5, 3), activation=("identity", "elu"), rows=7))
    net = fastmlp.Network(
        (4, 6, 5, 3), ("identity", "elu"), "squared_error", init=problem.layers, dtype="float64"
    )
    loss, trace = graph.from_network(net, problem.X, problem.y), net.trace(problem.X, problem.y)
    np.testing.assert_array_equal(loss.find("X").value, problem.X)
    for i in range(3):
        np.testing.assert_allclose(loss.find(f"z{i}").value, trace.z[i], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(loss.find(f"a{i + 1}").value, trace.a[i + 1], rtol=1e-12, atol=1e-14)
    assert loss.find("losses").value.mean() == pytest.approx(trace.loss)
    np.testing.assert_allclose(loss.find("X").grad, trace.delta[0] @ net.weights[0].T, atol=1e-14)


@pytest.mark.parametrize(("z", "slope"), [(1000.0, 0.0), (-1000.0, -1.0)])
def test_the_cross_entropies_are_finite_far_out(z: float, slope: float) -> None:
    for loss, layers in [
        ("binary_cross_entropy", [(np.ones((1, 1)), [0.0])]),
        ("softmax_cross_entropy", [(np.array([[0.0, 1.0]]), [0.0, 0.0])]),
    ]:
        net = fastmlp.Network((1, layers[0][0].shape[1]), loss=loss, init=layers, dtype="float64")
        found = graph.from_network(net, [[z]], [1])
        assert found.value == max(-z, 0)
        assert found.find("b0").grad[-1] == pytest.approx(slope, abs=1e-300)


@pytest.mark.parametrize("activation", ref.ACTIVATIONS)
def test_slopes_at_zero_are_the_cores(activation: str) -> None:
    net = fastmlp.Network(
        (1, 1, 1), activation, "squared_error", init=[([[1.0]], [0.0])] * 2, dtype="float64"
    )
    check(net, [[0.0]], [3.0])


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile(0.3)", "hinge"])
def test_slopes_at_the_kinks_of_losses_are_the_cores(loss: str) -> None:
    """Scores from X through the unit matrix: residuals of 0 and of the delta of huber, margins of 0."""
    net = fastmlp.Network((3, 3), loss=loss, init=[(np.eye(3), np.zeros(3))], dtype="float64")
    X = np.array([[1.0, 0.0, 2.0], [1.0, 1.0, 0.0]])
    y = [0, 2] if loss == "hinge" else X - [[0.0, 1.0, -1.0], [0.0, 0.5, 0.0]]
    check(net, X, y)


def test_rows_are_checked_as_the_network_checks_them() -> None:
    net = fastmlp.Network((2, 3))
    with pytest.raises(ValueError, match="X must have 2 columns, got 3"):
        graph.from_network(net, np.ones((4, 3)), [0, 1, 2, 0])
    with pytest.raises(ValueError, match="y has the label 7"):
        graph.from_network(net, np.ones((2, 2)), [0, 7])
    with pytest.raises(ValueError, match="sample_weight must be at least 0"):
        graph.from_network(net, np.ones((2, 2)), [0, 1], sample_weight=[1, -1])
    with pytest.raises(TypeError, match=r"net must be a fastmlp.Network, got 'net'"):
        graph.from_network("net", np.ones((2, 2)), [0, 1])  # type: ignore[arg-type]


def test_labels_sparse_rows_and_class_names_are_taken() -> None:
    from scipy import sparse

    X = np.eye(4)[[0, 1, 2, 3, 1, 2]]
    y = np.array(["a", "b", "c", "a", "b", "c"])
    net = fastmlp.train(X, y, hidden=(3,), epochs=2, dtype="float64")
    dense, thin = (graph.from_network(net, form, y) for form in (X, sparse.csr_array(X)))
    assert dense.value == thin.value == pytest.approx(net.loss_and_gradient(X, y)[0])


def test_the_network_is_not_changed() -> None:
    X, y = rows_with_codes()
    net = fastmlp.Network((5, 4, 3), dtype="float64")
    before = net.parameters.copy()
    loss = graph.from_network(net, X, y)
    net.parameters[:] = 0
    assert loss.find("W0").value.any()
    net.parameters[:] = before
    assert graph.from_network(net, X, y).value == loss.value
