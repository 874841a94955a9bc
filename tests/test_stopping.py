"""When training stops and with which weights; callbacks; the history and its validation columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fastmlp
import reference as ref
import reference_random as rnd
import reference_training as training
from problems import Case, Problem, make_problem, prepared, train

pytestmark = pytest.mark.usefixtures("isa")

# The validation targets are noise, so the validation loss falls for some epochs and then rises.
OVERFITTING = Case(sizes=(8, 20, 1), rows=24, validation_rows=12, epochs=60, learning_rate=0.05)


def recorded(case: Case, problem: Problem, **more: Any) -> tuple[fastmlp.Network, list[np.ndarray]]:
    """The trained network, and its parameters after each epoch."""
    seen: list[np.ndarray] = []
    return train(case, problem, callbacks=[lambda net: seen.append(net.parameters.copy())], **more), seen


# ---------------------------------------------------------------------------------- patience and best weights


@pytest.mark.parametrize("min_delta", [0.0, 0.002, 0.05])
@pytest.mark.parametrize("patience", [1, 3, 7])
def test_patience_stops_at_the_reference_epoch_with_its_best_weights(patience: int, min_delta: float) -> None:
    problem, run = prepared(OVERFITTING)
    stop = training.stopping_epoch(run.validation_loss, patience, min_delta)
    assert stop is not None
    best = training.best_epoch(run.validation_loss[: stop + 1])
    net, seen = recorded(OVERFITTING, problem, patience=patience, min_delta=min_delta, restore_best=True)
    assert net.stop_reason == "patience"
    assert len(net.history["epoch"]) == len(seen) == stop + 1
    np.testing.assert_array_equal(net.parameters, seen[best])
    np.testing.assert_allclose(net.parameters, run.parameters[best], rtol=1e-9, atol=1e-11)


def test_improvements_smaller_than_min_delta_do_not_add_up() -> None:
    """Each epoch is compared with the lowest loss so far, even where that was no improvement by min_delta."""
    case = Case(rows=30, epochs=50, learning_rate=1e-3)
    problem, run = prepared(case)
    assert (np.diff(run.loss) < 0).all()
    net, seen = recorded(
        case, problem, patience=3, min_delta=1.5 * (run.loss[0] - run.loss[1]), restore_best=True
    )
    assert net.stop_reason == "patience"
    assert len(seen) == 4
    np.testing.assert_array_equal(
        net.parameters, seen[2]
    )  # on which the fourth loss, the lowest, was measured


def test_the_full_batch_ends_with_the_weights_its_lowest_loss_was_measured_on() -> None:
    """Steps a little too long for one input: its error grows while that of the other shrinks."""
    X = np.array([[1.469, 0], [-1.469, 0], [0, 0.324], [0, -0.324]])
    y = X[:, 1]
    net = fastmlp.train(
        X, y, hidden=(), optimizer="sgd", learning_rate=1.9, batch_size=None, epochs=500, patience=5,
        init=[([[1e-3], [0]], [0])], dtype="float64",
    )  # fmt: skip
    losses = net.history["loss"]
    assert 0 < losses.argmin() == len(losses) - 6
    assert net.loss_and_gradient(X, y)[0] == losses.min()


def test_patience_without_restore_best_keeps_the_last_weights() -> None:
    problem, _ = prepared(OVERFITTING)
    net, seen = recorded(OVERFITTING, problem, patience=3, restore_best=False)
    assert net.stop_reason == "patience"
    np.testing.assert_array_equal(net.parameters, seen[-1])


def test_validation_alone_restores_the_best_weights() -> None:
    problem, run = prepared(OVERFITTING)
    best = training.best_epoch(run.validation_loss)
    assert best < OVERFITTING.epochs - 1
    net, seen = recorded(OVERFITTING, problem, restore_best=True)
    assert net.stop_reason == "epochs"
    assert len(seen) == OVERFITTING.epochs
    np.testing.assert_array_equal(net.parameters, seen[best])


def test_patience_without_validation_watches_the_epoch_loss() -> None:
    """A step much too long makes the loss go up and down."""
    case = Case(sizes=(5, 12, 2), rows=30, batch_size=7, epochs=80, learning_rate=0.4)
    problem, run = prepared(case)
    stop = training.stopping_epoch(run.loss, 2)
    assert stop is not None
    net, seen = recorded(case, problem, patience=2, restore_best=True)
    assert net.stop_reason == "patience"
    assert len(seen) == stop + 1
    np.testing.assert_array_equal(net.parameters, seen[training.best_epoch(run.loss[: stop + 1])])


def test_without_patience_and_validation_the_last_weights_stay() -> None:
    case = Case(sizes=(5, 12, 2), rows=30, batch_size=7, epochs=20, learning_rate=0.4)
    problem, run = prepared(case)
    assert training.best_epoch(run.loss) < 19
    net, seen = recorded(case, problem, restore_best=True)
    np.testing.assert_array_equal(net.parameters, seen[-1])


# ----------------------------------------------------------------------------------------- other ways to stop


def test_loss_target_stops_after_the_first_epoch_at_or_below_it() -> None:
    case = Case(rows=30, epochs=20)
    problem = make_problem(case)
    whole, seen = recorded(case, problem)
    assert whole.stop_reason == "epochs"
    target = float(whole.history["loss"][7])
    net = train(case, problem, loss_target=target)
    assert net.stop_reason == "loss_target"
    assert len(net.history["loss"]) == 8
    np.testing.assert_array_equal(net.parameters, seen[7])
    assert len(train(case, problem, loss_target=math.nextafter(target, -1)).history["loss"]) == 9


def test_max_time_ends_an_endless_run() -> None:
    case = Case(rows=30, epochs=10**9, learning_rate=1e-3)
    net = train(case, make_problem(case), max_time=0.2)
    assert net.stop_reason == "max_time"
    assert 1 <= len(net.history["epoch"]) < 10**9
    assert np.isfinite(net.parameters).all()


def test_a_true_callback_stops() -> None:
    case = Case(rows=30, epochs=20)
    problem = make_problem(case)
    _, seen = recorded(case, problem)
    net = train(case, problem, callbacks=[lambda net: None, lambda net: len(net.history["epoch"]) == 5])
    assert net.stop_reason == "callback"
    assert len(net.history["epoch"]) == 5
    np.testing.assert_array_equal(net.parameters, seen[4])


def test_weights_that_a_callback_ruins_are_not_the_result() -> None:
    case = Case(rows=30, epochs=3)
    problem = make_problem(case)
    _, seen = recorded(case, problem)

    def ruin(net: fastmlp.Network) -> None:
        if len(net.history) == 3:
            net.parameters = np.nan

    with pytest.warns(RuntimeWarning, match="best weights so far were restored"):
        net = train(case, problem, callbacks=ruin, restore_best=True)
    assert net.stop_reason == "diverged"
    np.testing.assert_array_equal(net.parameters, seen[1])
    with pytest.raises(FloatingPointError):
        train(case, problem, callbacks=ruin, restore_best=False)


def test_a_run_that_diverges_ends_with_weights_whose_loss_is_finite() -> None:
    X = np.random.default_rng(0).standard_normal((300, 4))
    options = {"hidden": (5,), "optimizer": "sgd", "learning_rate": 1e12, "batch_size": None}
    with pytest.warns(RuntimeWarning, match="diverged"):
        net = fastmlp.train(X, 2 * X[:, 0], **options)
    assert net.loss_and_gradient(X, 2 * X[:, 0])[0] == pytest.approx(net.history["loss"].min())
    with pytest.raises(RuntimeWarning, match="diverged") as raised:  # warnings are errors in these tests
        fastmlp.train(X, 2 * X[:, 0], **options)
    np.testing.assert_array_equal(raised.value.network.parameters, net.parameters)  # type: ignore[attr-defined]


# -------------------------------------------------------------------------------------------------- callbacks


def test_callbacks_see_each_epoch_in_turn() -> None:
    case = Case(rows=30, batch_size=8, epochs=6, validation_rows=5)
    problem, run = prepared(case)
    calls: list[tuple[str, int]] = []
    rows: list[dict[str, np.ndarray]] = []

    def first(net: fastmlp.Network) -> None:
        calls.append(("first", len(net.history["epoch"])))
        names = ("epoch", "loss", "learning_rate", "seconds", "validation_loss", "validation_r2")
        rows.append({name: np.array(net.history[name]) for name in names})
        np.testing.assert_allclose(net.parameters, run.parameters[len(calls) // 2], rtol=1e-9, atol=1e-11)

    def second(net: fastmlp.Network) -> None:
        calls.append(("second", len(net.history["epoch"])))

    net = train(case, problem, callbacks=[first, second])
    assert calls == [(name, epoch) for epoch in range(1, 7) for name in ("first", "second")]
    for count, row in enumerate(rows, start=1):
        for name, column in row.items():
            np.testing.assert_array_equal(column, net.history[name][:count])


def test_callbacks_do_not_change_the_result() -> None:
    case = Case(rows=30, batch_size=8, epochs=3, optimizer="adam")
    problem = make_problem(case)
    watched = train(case, problem, callbacks=[lambda net: net.predict(problem.X) is None])
    np.testing.assert_array_equal(watched.parameters, train(case, problem).parameters)


def test_an_error_in_a_callback_comes_out() -> None:
    case = Case(rows=30, epochs=3)
    problem = make_problem(case)

    def broken(net: fastmlp.Network) -> None:
        raise KeyError("my own mistake")

    with pytest.raises(KeyError, match=r"my own mistake"):
        train(case, problem, callbacks=[broken])
    assert len(train(case, problem).history["epoch"]) == 3


# ------------------------------------------------------------------------------------------------- divergence


def exploding(dtype: str) -> tuple[Case, Problem]:
    """A linear model with a step so long that its weights grow about a hundredfold an epoch."""
    case = Case(sizes=(3, 2), rows=12, learning_rate=100.0, epochs=1000, batch_size=5, dtype=dtype)
    return case, make_problem(case)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_diverged_run_warns_and_returns_the_best_weights(dtype: str) -> None:
    case, problem = exploding(dtype)
    first = train(case, problem, epochs=1)
    with pytest.warns(RuntimeWarning, match=r"(?i)diverge"):
        net = train(case, problem, restore_best=True)
    assert net.stop_reason == "diverged"
    loss = net.history["loss"]
    assert len(loss) < 1000
    assert np.argmin(loss[np.isfinite(loss)]) == 0  # it only ever got worse, so the first epoch is the best
    np.testing.assert_array_equal(net.parameters, first.parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_that_diverges_at_once_returns_the_initial_weights(dtype: str) -> None:
    case, problem = exploding(dtype)
    with pytest.warns(RuntimeWarning, match=r"(?i)diverge"):
        net = train(case, problem, restore_best=True, learning_rate=1e38 if dtype == "float32" else 1e308)
    assert net.stop_reason == "diverged"
    np.testing.assert_array_equal(net.parameters, ref.flatten(problem.layers))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_restore_best_divergence_raises_with_the_last_finite_network(dtype: str) -> None:
    case, problem = exploding(dtype)
    seen: list[tuple[float, np.ndarray]] = []

    def record(net: fastmlp.Network) -> None:
        seen.append((float(net.history["loss"][-1]), net.parameters.copy()))

    with pytest.raises(FloatingPointError, match=r"(?i)diverge") as caught:
        train(case, problem, restore_best=False, callbacks=[record])
    net = caught.value.network
    finite = [parameters for loss, parameters in seen if np.isfinite(loss) and np.isfinite(parameters).all()]
    assert net.stop_reason == "diverged"
    assert np.isfinite(net.parameters).all()
    np.testing.assert_array_equal(net.parameters, finite[-1])
    assert np.isfinite(net.history["loss"][: len(finite)]).all()


def test_divergence_leaves_the_network_it_went_on_from_alone() -> None:
    case, problem = exploding("float64")
    start = train(case, problem, epochs=1)
    before = start.parameters.copy()
    with pytest.warns(RuntimeWarning, match=r"(?i)diverge"):
        train(case, problem, init=start, restore_best=True)
    np.testing.assert_array_equal(start.parameters, before)


# ----------------------------------------------------------------------------- history and validation columns


def validated(case: Case) -> tuple[fastmlp.Network, list[np.ndarray], np.ndarray]:
    """The trained network; the reference's outputs on the validation rows by epoch; the targets."""
    problem, run = prepared(case)
    assert problem.validation is not None
    assert problem.validation_targets is not None
    net = train(case, problem)
    layers = [ref.unflatten(parameters, case.sizes) for parameters in run.parameters]
    return (
        net,
        [case.model.forward(w, problem.validation[0]).a[-1] for w in layers],
        problem.validation_targets,
    )


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "hinge"])
def test_validation_accuracy_of_labels(loss: str) -> None:
    case = Case(sizes=(4, 9, 3), loss=loss, rows=40, validation_rows=31, epochs=8, batch_size=10)
    net, outputs, targets = validated(case)
    expected = [training.accuracy(output, targets) for output in outputs]
    np.testing.assert_allclose(net.history["validation_accuracy"], expected, rtol=1e-12)
    with pytest.raises(KeyError):
        net.history["validation_r2"]


def test_validation_accuracy_of_two_classes_with_one_output() -> None:
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(50, 3)), rng.integers(2, size=50)
    layers = [(rng.normal(size=(3, 1)), np.zeros(1))]
    net = fastmlp.train(
        X[:30],
        np.array(["no", "yes"])[y[:30]],
        hidden=(),
        loss="binary_cross_entropy",
        optimizer="sgd",
        learning_rate=0.3,
        epochs=5,
        batch_size=None,
        init=layers,
        validation=(X[30:], np.array(["no", "yes"])[y[30:]]),
        dtype="float64",
    )
    model, Y = ref.Model([], "binary_cross_entropy"), y[:, None].astype(float)
    run = training.train_reference(
        model, layers, X[:30], Y[:30], optimizer=training.SGD(), learning_rate=0.3, epochs=5
    )
    outputs = [model.forward(ref.unflatten(w, (3, 1)), X[30:]).a[-1] for w in run.parameters]
    expected = [((output > 0.5) == (Y[30:] == 1)).mean() for output in outputs]
    np.testing.assert_allclose(net.history["validation_accuracy"], expected, rtol=1e-12)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile", "poisson"])
def test_validation_r2_of_values(loss: str, outputs: int) -> None:
    rate = 0.01 if loss == "poisson" else 0.05
    case = Case(sizes=(4, 9, outputs), loss=loss, rows=40, validation_rows=31, epochs=8, learning_rate=rate)
    net, found, targets = validated(case)
    expected = [training.r2(output, targets) for output in found]
    np.testing.assert_allclose(net.history["validation_r2"], expected, rtol=1e-9, atol=1e-11)
    with pytest.raises(KeyError):
        net.history["validation_accuracy"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_validation_r2_of_equal_values_is_0_unless_they_are_met(dtype: str) -> None:
    X, y = np.arange(12.0).reshape(6, 2), np.linspace(0, 1, 6)
    net = fastmlp.train(X, y, epochs=2, dtype=dtype, validation=(X, np.full(6, 0.1)))
    assert net.history["validation_r2"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "hinge", "binary_cross_entropy"])
def test_accuracy_is_that_of_each_batch_before_its_update(loss: str) -> None:
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(47, 4)), rng.integers(2, size=47)
    settings: dict[str, Any] = {
        "hidden": (5,), "loss": loss, "optimizer": "sgd", "learning_rate": 0.5, "batch_size": 10,
        "shuffle": False, "epochs": 1, "dtype": "float64",
    }  # fmt: skip
    net = fastmlp.train(X, y, **settings, validation=(X[:20], y[:20]))
    right = 0
    for first in range(0, 47, 10):
        outputs = 1 if loss == "binary_cross_entropy" else 2
        before = fastmlp.Network((4, 5, outputs), loss=loss, dtype="float64")
        if first:  # the weights that this batch found are those that the rows before it led to
            before = fastmlp.train(X[:first], y[:first], **settings)
        right += int((before.predict(X[first : first + 10]) == y[first : first + 10]).sum())
    assert net.history["accuracy"].tolist() == [right / 47]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.usefixtures("exact_threads")
def test_accuracy_counts_every_row_once_at_any_number_of_threads(threads: int) -> None:
    X, y = np.random.default_rng(4).normal(size=(1003, 4)), np.arange(1003) % 3
    net = fastmlp.train(
        X, y, hidden=(8,), optimizer="sgd", learning_rate=1e-30, batch_size=100, epochs=2,
        validation=(X[:9], y[:9]), threads=threads,
    )  # fmt: skip
    expected = (net.predict(X) == y).mean()
    assert net.history["accuracy"].tolist() == [expected, expected]


def test_history_without_validation_has_no_validation_columns() -> None:
    case = Case(rows=30, epochs=4)
    net = train(case, make_problem(case))
    for name in ("epoch", "loss", "learning_rate", "seconds"):
        assert np.asarray(net.history[name]).shape == (4,)
    for name in ("validation_loss", "validation_r2", "validation_accuracy", "accuracy"):
        with pytest.raises(KeyError):
            net.history[name]
    seconds = net.history["seconds"]
    assert seconds[0] >= 0
    assert (np.diff(seconds) >= 0).all()


def split_rows(y: np.ndarray, fraction: float, seed: int, labels: bool) -> tuple[np.ndarray, np.ndarray]:
    """(training rows, validation rows): of each class the first round(fraction * count) in random order."""
    order = rnd.permutation(seed, rnd.SPLIT, 0, len(y))
    groups = [order[y[order] == label] for label in np.unique(y)] if labels else [order]
    held = np.sort(np.concatenate([group[: round(fraction * len(group))] for group in groups]))
    return np.setdiff1d(np.arange(len(y)), held), held


@pytest.mark.parametrize("seed", [0, 12])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_a_validation_fraction_is_a_seeded_split_and_stratified_for_labels(loss: str, seed: int) -> None:
    case = Case(sizes=(4, 6, 3), loss=loss, rows=47, epochs=3, seed=seed)
    problem = make_problem(case)
    rows, held = split_rows(problem.y, 0.25, seed, loss == "softmax_cross_entropy")
    net = train(case, problem, validation=0.25)
    part = Problem(problem.layers, problem.X[rows], problem.y[rows], problem.Y[rows], None, None, None)
    same = train(case, part, validation=(problem.X[held], problem.y[held]))
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(net.history[name], same.history[name], rtol=1e-12)
