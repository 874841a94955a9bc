"""gradcheck passes right gradients of all losses and activations, fails wrong ones, and only reads."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fastmlp
import reference as ref
from fastmlp import Network, gradcheck
from fastmlp._inspect import kinks
from problems import Case, make_problem, network

SCHEMES = ["forward", "backward", "central"]
LOSSES = [*ref.LOSSES, "huber(0.5)", "quantile(0.9)", "quantile(0.1, 0.8)"]
FREE_LOSSES = [name for name in LOSSES if name not in ref.AUTO_OUTPUT]
SMALL = Case(sizes=(3, 5, 4, 2), rows=9, weighted=True, l2=0.05)


def checked(case: Case, scheme: str = "central") -> fastmlp._inspect.gradcheck.GradientCheck:
    several = case.loss == "quantile(0.1, 0.8)"
    problem = make_problem(case)
    net = network(case, problem)
    y = problem.y[:, 0] if several else problem.y
    return gradcheck(net, problem.X, y, scheme, sample_weight=problem.sample_weight)


def wrong_by(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let loss_and_gradient return a changed gradient."""
    right = Network.loss_and_gradient

    def wrong(self: Network, *rows: Any) -> tuple[float, np.ndarray]:
        loss, gradient = right(self, *rows)
        change(gradient)
        return loss, gradient

    monkeypatch.setattr(Network, "loss_and_gradient", wrong)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_right_gradients_pass_for_each_loss_and_hidden_activation(loss: str, dtype: str) -> None:
    for activation in ref.ACTIVATIONS:
        check = checked(replace(SMALL, loss=loss, activation=activation, dtype=dtype))
        assert check, f"{activation}: {check}"
        assert check.largest_error < check.tolerance / 5, activation
        assert check.tolerance == {"float32": 1e-4, "float64": 1e-6}[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", FREE_LOSSES)
def test_right_gradients_pass_for_each_loss_and_output_activation(loss: str, dtype: str) -> None:
    for output in ref.ACTIVATIONS:
        check = checked(replace(SMALL, loss=loss, output_activation=output, dtype=dtype))
        assert check, f"{output}: {check}"


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sizes", [(3, 2), (1, 1, 2), (2, 3, 4, 5, 6, 2)])
def test_right_gradients_pass_for_each_depth_and_scheme(sizes: tuple[int, ...], scheme: str) -> None:
    check = checked(Case(sizes=sizes, rows=7, weighted=True, l2=0.5), scheme)
    assert check, str(check)
    assert check.scheme == scheme
    assert len(check.errors) == sum((i + 1) * o for i, o in pairwise(sizes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("activation", ["relu", "tanh", "elu"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 255.0, 1e4])
def test_right_gradients_pass_for_columns_of_any_size(
    size: float, activation: str, scheme: str, dtype: str
) -> None:
    random = np.random.default_rng(0)
    X = random.uniform(0, size, (20, 6))
    net = Network((6, 8, 5, 3), activation, dtype=dtype)
    check = gradcheck(net, X, random.integers(3, size=20), scheme)
    assert check, str(check)


def drawn(seed: int, depths: tuple[int, int]) -> tuple[Network, np.ndarray, np.ndarray, str]:
    """A network, rows and targets of any size, activation, loss and dtype."""
    random = np.random.default_rng(seed)
    loss, activation = LOSSES[seed % len(LOSSES)], str(random.choice(list(ref.ACTIVATIONS)))
    output = "auto" if loss in ref.AUTO_OUTPUT else str(random.choice(list(ref.ACTIVATIONS)))
    rows, sizes = int(random.integers(1, 30)), random.integers(1, 9, size=random.integers(*depths))
    dtype, l2 = str(random.choice(["float32", "float64"])), float(random.choice([0.0, 0.1]))
    net = Network((3, *sizes, 2), activation, loss, output, l2=l2, dtype=dtype, seed=seed)
    net.parameters[:] *= random.choice([0.3, 1.0, 3.0 if len(sizes) < 6 else 1.0])
    net.parameters[:] += random.choice([0.0, 0.1]) * random.normal(size=net.n_parameters)
    of_X, of_y = 10.0 ** random.integers(-4, 7, size=2)
    X = random.normal(size=(rows, 3)) * (min(of_X, 1.0) if loss == "poisson" else of_X)
    y = random.normal(size=rows if "," in loss else (rows, 2)) * of_y
    if loss in ("softmax_cross_entropy", "hinge"):
        y = random.integers(2, size=rows)
    elif loss in ("poisson", "binary_cross_entropy"):
        y = np.abs(y).round() if loss == "poisson" else np.where(y > 0, 1.0, 0.0)
    return net, X, y, str(random.choice(SCHEMES))


@pytest.mark.parametrize("depths", [(0, 6), (5, 12)])
def test_only_wrong_gradients_fail_at_any_scale_and_depth(
    depths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = 0
    for seed in range(120):
        net, X, y, scheme = drawn(seed, depths)
        check = gradcheck(net, X, y, scheme)
        assert check, f"{seed}: {check}"
        name, start = ("b0", net.weights[0].size) if seed % 2 else ("W0", 0)
        part = slice(start, start + int(np.prod(dict(check.names)[name])))
        if name not in check.unchecked:
            judged += 1
            with monkeypatch.context() as patch:
                wrong_by(patch, lambda g, part=part: g.__setitem__(part, -g[part]))
                check = gradcheck(net, X, y, scheme)
            assert not check, seed
            assert check.largest_error > 1, (seed, str(check))
            assert check.where.startswith(name), seed
    assert judged > 60


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [-1, 0])
def test_vanishing_gradients_and_large_losses_are_checked(
    factor: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    iris = fastmlp.datasets.load_iris()
    random = np.random.default_rng(0)
    cases = [
        (Network((4, *[5] * depth, 3), "sigmoid", dtype=dtype), iris.data[::10], iris.target[::10])
        for depth in (8, 10)
    ]
    large = Network((4, 5, 1), "tanh", "squared_error", dtype=dtype)
    cases.append((large, random.normal(size=(30, 4)), 1e6 * random.uniform(1, 10, 30)))
    for net, X, y in cases:
        assert gradcheck(net, X, y).unchecked == ()
        with monkeypatch.context() as patch:
            wrong_by(patch, lambda gradient: gradient[:25].__imul__(factor))  # W0 and b0
            check = gradcheck(net, X, y)
        assert not check
        assert check.largest_error == pytest.approx(1 - factor, rel=0.01)
        assert check.where[:2] in ("W0", "b0")


def test_arrays_whose_gradient_is_lost_in_rounding_are_named() -> None:
    net = Network((4, *[5] * 25, 3), "sigmoid", dtype="float64")
    iris = fastmlp.datasets.load_iris()
    check = gradcheck(net, iris.data[::10], iris.target[::10])
    assert check
    assert check.unchecked[:4] == ("W0", "b0", "W1", "b1")
    assert "b25" not in check.unchecked
    assert f"not checked: too small: {', '.join(check.unchecked)}\nPASS" in str(check)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_gradients_pass_at_the_end_of_training(dtype: str) -> None:
    iris = fastmlp.datasets.load_iris()
    net = fastmlp.train(iris.data, iris.target, hidden=(6,), epochs=100, learning_rate=0.05, dtype=dtype)
    assert gradcheck(net, iris.data, iris.target)
    X = np.random.default_rng(0).normal(size=(60, 3))
    fitted = fastmlp.train(X, X @ [1.0, 2.0, 3.0], hidden=(), optimizer="lbfgs", dtype=dtype)
    assert fitted.history["loss"][-1] < 1e-6
    assert gradcheck(fitted, X, X @ [1.0, 2.0, 3.0])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_wrong_gradients_fail_wherever_they_are(
    activation: str, dtype: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(2)
    X, y = random.normal(size=(12, 3)), random.normal(size=(12, 2))
    net = Network((3, 4, 2), activation, "squared_error", dtype=dtype)
    names = [f"{letter}{i}" for i in range(2) for letter in "Wb"]
    shapes = [(3, 4), (4,), (4, 2), (2,)]
    places = [
        f"{name}[{', '.join(map(str, index))}]"
        for name, shape in zip(names, shapes, strict=True)
        for index in np.ndindex(shape)
    ]
    for k, place in enumerate(places):
        with monkeypatch.context() as patch:
            wrong_by(patch, lambda gradient, k=k: gradient.__setitem__(k, gradient[k] + 0.01))
            check = gradcheck(net, X, y, scheme)
        assert not check
        assert check.where == place
        assert check.kinks == ()
        assert (check.errors > check.tolerance).sum() == 1


@pytest.mark.parametrize(
    "change", [lambda g: g.fill(0), lambda g: g.__imul__(1.001), lambda g: g.__imul__(-1)]
)
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_gradients_that_are_wrong_as_a_whole_fail(
    activation: str, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_by(monkeypatch, change)
    assert not checked(replace(SMALL, activation=activation))
    assert not checked(replace(SMALL, activation=activation, dtype="float32"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_gradients_that_are_not_finite_fail(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_by(monkeypatch, lambda gradient: gradient.__setitem__(4, value))
    check = checked(SMALL)
    assert not check
    assert check.largest_error == np.inf
    assert check.where == "W0[0, 4]"
    assert "FAIL" in str(check)


def test_embeddings_sparse_rows_labels_and_tables_are_checked() -> None:
    random = np.random.default_rng(3)
    X = np.column_stack([random.integers(4, size=20), random.normal(size=(20, 2))])
    net = Network((3, 5, 2), "tanh", embeddings=[(0, 4, 2)], l2=0.1)
    check = gradcheck(net, X, random.integers(2, size=20))
    assert check, str(check)
    assert check.names[-1] == ("E0", (4, 2))
    assert "E0" in str(check)

    from scipy.sparse import csr_matrix

    rows = random.normal(size=(20, 6)) * random.integers(2, size=(20, 6))
    named = fastmlp.train(rows, np.array(["no", "yes"])[random.integers(2, size=20)], hidden=(3,), epochs=1)
    dense, sparse = (gradcheck(named, x, ["yes", "no"] * 10) for x in (rows, csr_matrix(rows)))
    assert dense
    assert sparse
    np.testing.assert_array_equal(dense.numeric, sparse.numeric)

    import pandas as pd

    frame = pd.DataFrame({"color": ["red", "blue"] * 10, "size": rows[:, 0]})
    encoder = fastmlp.data.TableEncoder().fit(frame)
    encoded = fastmlp.train(encoder.transform(frame), rows[:, 1], hidden=(3,), epochs=1)
    encoded.encoder = encoder
    assert gradcheck(encoded, frame, rows[:, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_is_only_read(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network((3, 4, 2), "relu", dtype=dtype)
    before = net.parameters.copy()
    X, y = np.random.default_rng(0).normal(size=(5, 3)), [0, 1, 0, 1, 1]
    calls = []
    loss = kinks.Twin.loss

    def interrupted(self: Any, theta: np.ndarray) -> float:
        np.testing.assert_array_equal(net.parameters, before)
        calls.append(theta)
        if len(calls) > 10:
            raise KeyboardInterrupt
        return loss(self, theta)

    with monkeypatch.context() as patch:
        patch.setattr(kinks.Twin, "loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gradcheck(net, X, y)
    assert len(calls) == 11
    np.testing.assert_array_equal(net.parameters, before)
    assert gradcheck(net, X, y)
    np.testing.assert_array_equal(net.parameters, before)
    assert net.dtype == dtype


def test_the_result_holds_both_gradients_as_the_parameters_lie() -> None:
    net = Network((3, 4, 2), "tanh", "squared_error", dtype="float64")
    X, y = np.random.default_rng(0).normal(size=(5, 3)), np.ones((5, 2))
    check = gradcheck(net, X, y)
    np.testing.assert_array_equal(check.analytic, net.loss_and_gradient(X, y)[1])
    np.testing.assert_allclose(check.numeric, check.analytic, rtol=1e-6, atol=1e-9)
    assert check.errors.shape == check.at_kink.shape == net.parameters.shape
    assert check.largest_error == check.errors.max()
    with pytest.raises(FrozenInstanceError):
        check.scheme = "forward"  # type: ignore[misc]


def test_the_text_has_a_line_a_layer_the_worst_and_the_verdict() -> None:
    check = checked(SMALL)
    lines = str(check).splitlines()
    assert lines[0] == "Gradient against central differences, 54 parameters"
    assert lines[1].split() == ["layer", "parameters", "largest", "error", "where", "kinks"]
    assert [line.split()[:3] for line in lines[2:5]] == [
        ["W0,", "b0", "20"],
        ["W1,", "b1", "24"],
        ["W2,", "b2", "10"],
    ]
    assert lines[5].startswith(f"worst: {check.where}, analytic ")
    assert lines[6:] == ["kinks: none", "PASS: the tolerance is 1e-06"]


def test_step_and_tolerance_may_be_given() -> None:
    problem = make_problem(SMALL)
    net = Network(SMALL.sizes, "tanh", "squared_error", init=problem.layers, dtype="float64")
    exact, rough = (gradcheck(net, problem.X, problem.y, h=h) for h in (1e-5, 0.1))
    assert exact.largest_error < 1e-7 < 1e-4 < rough.largest_error
    assert exact
    assert not rough
    assert gradcheck(net, problem.X, problem.y, h=0.1, tolerance=0.5)
    assert not gradcheck(net, problem.X, problem.y, h=1e-3, tolerance=1e-9)
    assert gradcheck(net, problem.X, problem.y, tolerance=1e-14)  # rounding is no error of the gradient


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scheme": "middle"}, ValueError, "scheme must be one of forward, backward, central; got 'middle'"),
        ({"h": 0}, ValueError, "h must be greater than 0, got 0"),
        ({"h": 1e308}, ValueError, "h must leave the loss finite, got (nan|inf)"),
        ({"h": "a"}, TypeError, "h must be a number, got 'a'"),
        ({"h": 1e-30}, ValueError, "h must be large enough to change x"),
        ({"tolerance": -1.0}, ValueError, "tolerance must be greater than 0, got -1.0"),
        ({"tolerance": np.nan}, ValueError, "tolerance must be greater than 0, got nan"),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight must have as many rows as X, 2, got 1"),
        ({"X": [[1.0]]}, ValueError, "X must have 2 columns, got 1"),
        ({"X": [[1.0, np.nan], [1.0, 2.0]]}, ValueError, "X has nan"),
        ({"X": np.zeros((0, 2)), "y": []}, ValueError, "X must have at least one row"),
        ({"y": [0.0, np.inf]}, ValueError, "y has inf"),
        ({"net": None}, TypeError, "net must be a fastmlp.Network, got None"),
    ],
)
def test_bad_input_is_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    net = Network((2, 3, 1), "tanh", "squared_error", dtype="float64")
    net.biases[0][:] = 0.5
    given = {"net": net, "X": [[1.0, 2.0], [3.0, 4.0]], "y": [0.0, 1.0]} | options
    with pytest.raises(error, match=message):
        gradcheck(**given)


@pytest.mark.parametrize("value", [np.nan, 1e300])
def test_a_loss_that_is_not_finite_is_refused(value: float) -> None:
    net = Network((2, 3, 1), "relu", "squared_error", dtype="float64")
    net.parameters[:] = value
    with pytest.raises(ValueError, match=r"net must have a finite loss on X and y, got (nan|inf)"):
        gradcheck(net, [[1.0, 2.0]], [0.0])
