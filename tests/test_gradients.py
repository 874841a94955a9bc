"""loss_and_gradient is the slope of its own loss, and trace shows the numbers it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import fastmlp
import reference as ref
from problems import Case, Problem, network, prepared

pytestmark = pytest.mark.usefixtures("isa")

FREE_LOSSES = [name for name in (*ref.LOSSES, "huber(0.5)", "quantile(0.9)") if name not in ref.AUTO_OUTPUT]
SMALL = Case(sizes=(3, 5, 4, 2), rows=9, weighted=True, l2=0.05)


def problem_for(case: Case) -> tuple[Problem, fastmlp.Network]:
    """Data well clear of kinks, so that a difference quotient does not step over one."""
    for seed in range(100):
        problem, run = prepared(replace(case, seed=seed))
        if run.kink > 1e-4:
            return problem, network(case, problem)
    raise AssertionError(f"no data found that stay clear of kinks: {case}")


def difference_quotient(loss: Callable[[], float], parameters: np.ndarray) -> np.ndarray:
    """Central differences, moving the network's own parameters one by one and back."""
    quotient = np.empty(parameters.size)
    for index in range(parameters.size):
        here = parameters[index]
        h = 1e-5
        parameters[index] = here + h
        above = loss()
        parameters[index] = here - h
        below = loss()
        parameters[index] = here
        quotient[index] = (above - below) / (2 * h)
    return quotient


def check_slope(case: Case) -> None:
    problem, net = problem_for(case)
    loss, gradient = net.loss_and_gradient(problem.X, problem.y, sample_weight=problem.sample_weight)
    assert isinstance(loss, float)
    assert gradient.shape == net.parameters.shape
    assert gradient.dtype == np.float64
    quotient = difference_quotient(
        lambda: net.loss_and_gradient(problem.X, problem.y, sample_weight=problem.sample_weight)[0],
        net.parameters,
    )
    atol = 1e-8 * max(1, abs(loss))
    np.testing.assert_allclose(gradient, quotient, rtol=1e-6, atol=atol, err_msg=str(case))


@pytest.mark.parametrize("loss", ref.LOSSES)
def test_gradient_is_the_slope_for_each_loss_and_hidden_activation(loss: str) -> None:
    for activation in ref.ACTIVATIONS:
        check_slope(replace(SMALL, loss=loss, activation=activation))


@pytest.mark.parametrize("loss", FREE_LOSSES)
def test_gradient_is_the_slope_for_each_loss_and_output_activation(loss: str) -> None:
    for output in ref.ACTIVATIONS:
        check_slope(replace(SMALL, loss=loss, output_activation=output))


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", [(3, 2), (1, 1, 2), (3, 4, 2), (2, 3, 4, 5, 6, 2)])
def test_gradient_is_the_slope_for_each_depth(sizes: tuple[int, ...], weighted: bool, l2: float) -> None:
    check_slope(Case(sizes=sizes, rows=7, weighted=weighted, l2=l2))


def test_gradient_of_mixed_activations() -> None:
    check_slope(Case(sizes=(3, 4, 5, 6, 2), activation=("gelu", "sigmoid", "leaky_relu"), rows=8))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [*ref.LOSSES, "huber(0.5)", "quantile(0.9)"])
@pytest.mark.parametrize("sizes", [(5, 3), (17, 33, 66, 3), (2, 1, 1, 130, 4)])
def test_loss_and_gradient_equal_the_reference(sizes: tuple[int, ...], loss: str, dtype: str) -> None:
    case = Case(sizes=sizes, loss=loss, rows=70, weighted=True, l2=0.1, dtype=dtype)
    problem, _ = prepared(case)
    loss_value, gradient = network(case, problem).loss_and_gradient(
        problem.X.astype(dtype), problem.y, sample_weight=problem.sample_weight
    )
    want = case.model.loss_and_gradient(problem.layers, problem.X, problem.Y, problem.sample_weight)
    flat = ref.flatten(want.gradient)
    assert gradient.dtype == dtype
    assert loss_value == pytest.approx(want.loss, rel=50 * case.eps)
    np.testing.assert_allclose(gradient, flat, rtol=0, atol=100 * case.eps * np.abs(flat).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ref.LOSSES)
@pytest.mark.parametrize("sizes", [(5, 3), (6, 20, 3), (4, 9, 1, 17, 2)])
def test_trace_shows_what_the_reference_computes(sizes: tuple[int, ...], loss: str, dtype: str) -> None:
    case = Case(sizes=sizes, loss=loss, rows=25, l2=0.1, dtype=dtype)
    problem, _ = prepared(case)
    net = network(case, problem)
    before = net.parameters.copy()
    X = problem.X.astype(dtype)
    trace = net.trace(X, problem.y)
    want = case.model.loss_and_gradient(problem.layers, problem.X, problem.Y)
    layers = len(sizes) - 1
    assert [len(part) for part in (trace.z, trace.a, trace.delta, trace.dW, trace.db)] == [
        layers,
        layers + 1,
        layers,
        layers,
        layers,
    ]
    np.testing.assert_array_equal(trace.a[0], X)
    weights, biases = zip(*want.gradient, strict=True)
    for got, expected in [
        (trace.z, want.z),
        (trace.a, want.a),
        (trace.delta, want.delta),
        (trace.dW, weights),
        (trace.db, biases),
    ]:
        for g, e in zip(got, expected, strict=True):
            assert g.shape == e.shape
            assert g.dtype == dtype
            np.testing.assert_allclose(g, e, rtol=0, atol=100 * case.eps * np.abs(e).max())
    assert trace.loss == pytest.approx(want.loss, rel=50 * case.eps)
    np.testing.assert_array_equal(net.parameters, before)


def test_trace_and_gradient_and_forward_show_the_same_numbers() -> None:
    case = Case(sizes=(6, 20, 11, 3), loss="softmax_cross_entropy", rows=25, l2=0.1, dtype="float32")
    problem, _ = prepared(case)
    net, X = network(case, problem), problem.X.astype(np.float32)
    trace = net.trace(X, problem.y)
    loss, gradient = net.loss_and_gradient(X, problem.y)
    joined = np.concatenate([part.ravel() for pair in zip(trace.dW, trace.db, strict=True) for part in pair])
    np.testing.assert_array_equal(joined, gradient)
    np.testing.assert_array_equal(trace.a[-1], net.forward(X))
    assert trace.loss == loss


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ref.ACTIVATIONS)
def test_activations_are_the_reference_near_and_far_out(activation: str, dtype: str) -> None:
    """One unit of weight 1: forward is f itself, z from -1e4 to 1e4.

    All targets lie below, where the slope of quantile is 1/2, so delta is f' / 2 over the number of rows.
    """
    tiny = np.geomspace(1e-30, 1, 61)
    z = np.concatenate([[-1e4, -800, -90, 90, 800, 1e4, 0], np.linspace(-30, 30, 1201), tiny, -tiny])
    z = z.astype(np.float32).astype(float)[:, None]
    net = fastmlp.Network(
        (1, 1),
        loss="quantile(0.5)",
        output_activation=activation,
        init=[(np.ones((1, 1)), [0.0])],
        dtype=dtype,
    )
    limits = np.finfo(dtype)
    got = np.asarray(net.forward(z.astype(dtype))).reshape(z.shape)
    np.testing.assert_allclose(got, ref.activate(activation, z), rtol=16 * limits.eps, atol=16 * limits.tiny)
    delta = net.trace(z.astype(dtype), np.full(len(z), -2e4)).delta[-1] * (2 * len(z))
    np.testing.assert_allclose(delta, ref.slope(activation, z), rtol=0, atol=16 * limits.eps)


FAR_OUT = [[1e4, -1e4, 0.0], [-1e4, 1e4, 30.0], [-1e4, -1e4, -1e4]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ref.LOSSES)
def test_losses_far_out_are_the_reference(loss: str, dtype: str) -> None:
    """Scores straight from X through the unit matrix, right and hopelessly wrong ones."""
    z, layers = np.minimum(FAR_OUT, 80.0 if loss == "poisson" else 1e4), [(np.eye(3), np.zeros(3))]
    labels = loss in ("softmax_cross_entropy", "hinge")
    for shift in range(3):
        Y = np.roll(np.eye(3), shift, axis=0)
        y = Y.argmax(axis=1) if labels else Y.astype(int if loss == "binary_cross_entropy" else float)
        net = fastmlp.Network((3, 3), loss=loss, init=layers, dtype=dtype)
        value, gradient = net.loss_and_gradient(z.astype(dtype), y)
        want = ref.Model([], loss).loss_and_gradient(layers, z, Y)
        flat, eps = ref.flatten(want.gradient), float(np.finfo(dtype).eps)
        assert value == pytest.approx(want.loss, rel=100 * eps)
        np.testing.assert_allclose(gradient, flat, rtol=100 * eps, atol=16 * eps * np.abs(flat).max())


def test_the_weights_of_rows_are_relative() -> None:
    problem, net = problem_for(SMALL)
    weight = problem.sample_weight
    assert weight is not None
    loss, gradient = net.loss_and_gradient(problem.X, problem.y, sample_weight=weight)
    again, same = net.loss_and_gradient(problem.X, problem.y, sample_weight=1024 * weight)
    assert again == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(same, gradient, rtol=1e-13, atol=1e-16)


def test_parameters_weights_and_biases_are_one_memory() -> None:
    problem, net = problem_for(SMALL)
    net.weights[1][2, 3] = 7.0
    net.biases[0][4] = -3.0
    layers = ref.unflatten(net.parameters, SMALL.sizes)
    assert layers[1][0][2, 3] == 7.0
    assert layers[0][1][4] == -3.0
    net.parameters[:] = 0.0
    assert not any(W.any() for W in net.weights)
    np.testing.assert_array_equal(net.forward(problem.X), np.zeros((9, 2)))


@pytest.mark.parametrize("hidden", [(100,), (600,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_of_many_rows_is_the_mean_of_its_blocks(dtype, hidden):
    random = np.random.default_rng(3)
    X = random.standard_normal((5000, 400)).astype(dtype)
    y = random.standard_normal((5000, 2)).astype(dtype)
    net = fastmlp.Network((400, *hidden, 2), loss="squared_error", dtype=dtype)
    loss, gradient = net.loss_and_gradient(X, y)
    blocks = [net.loss_and_gradient(X[i : i + 250], y[i : i + 250]) for i in range(0, 5000, 250)]
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    assert loss == pytest.approx(np.mean([b[0] for b in blocks]), rel=tolerance)
    mean = np.mean([b[1] for b in blocks], axis=0)
    np.testing.assert_allclose(gradient, mean, rtol=0, atol=tolerance * np.abs(mean).max())


def test_a_last_batch_that_is_smaller_leaves_room_for_its_copies():
    random = np.random.default_rng(4)
    X, y = random.standard_normal((7000, 400)), random.standard_normal((7000, 600))
    trained = fastmlp.train(
        X, y, hidden=(), batch_size=5000, epochs=1, shuffle=False, optimizer="sgd", learning_rate=1e-3,
        init="zeros", dtype="float64",
    )  # fmt: skip
    stepped = fastmlp.Network((400, 600), loss="squared_error", init="zeros", dtype="float64")
    for rows in (slice(0, 5000), slice(5000, None)):
        stepped.parameters -= 1e-3 * stepped.loss_and_gradient(X[rows], y[rows])[1]
    np.testing.assert_allclose(trained.parameters, stepped.parameters, rtol=0, atol=1e-13)
