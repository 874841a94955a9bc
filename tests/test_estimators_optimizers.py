"""Optimizers, schedules, clipping and time limits act as they do in train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp
from estimator_tools import (
    LOSSES,
    SMALL,
    STEP,
    THREE,
    VALUES,
    Script,
    X,
    assert_differ,
    assert_same_bits,
    parameters,
    partly_fitted,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits


# Optimizers


@pytest.mark.parametrize(
    ("solver", "same"),
    [
        ("adamw", fastmlp.Adam(weight_decay=0.01)),
        ("rmsprop", fastmlp.RMSprop()),
        ("adagrad", fastmlp.Adagrad()),
        ("sgd", fastmlp.SGD(0.9, nesterov=True)),
    ],
)
def test_a_solvers_name_stands_for_an_optimizer(solver: str, same: Any) -> None:
    by_name = MLPClassifier(**SMALL, solver=solver).fit(X, THREE)
    assert_same_bits(by_name, MLPClassifier(**SMALL, solver=same).fit(X, THREE))
    assert_differ(by_name, MLPClassifier(**SMALL).fit(X, THREE))


@pytest.mark.parametrize(
    "solver",
    [
        fastmlp.SGD(0.5),
        fastmlp.SGD(0.5, nesterov=True),
        fastmlp.RMSprop(0.8),
        fastmlp.Adagrad(),
        fastmlp.Adam(0.8, 0.99),
        fastmlp.Adam(weight_decay=0.2),
    ],
    ids=repr,
)
def test_an_optimizer_object_takes_the_same_steps_as_in_train(solver: Any) -> None:
    estimator = MLPRegressor(
        hidden_layer_sizes=(6,), solver=solver, learning_rate_init=0.01, batch_size=60, alpha=0,
        random_state=0, max_iter=4,
    )  # fmt: skip
    estimator.initialize(X, VALUES)
    init = [(W.copy(), b.copy()) for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True)]
    network = fastmlp.train(
        X, VALUES, hidden=(6,), loss="squared_error", optimizer=solver, learning_rate=0.01, batch_size=None,
        epochs=4, init=init, dtype="float64",
    )  # fmt: skip
    partly_fitted(estimator, X, VALUES, 4)
    np.testing.assert_allclose(parameters(estimator), network.parameters, rtol=1e-12, atol=1e-14)


def test_a_normalized_step_has_the_length_of_the_rate() -> None:
    estimator = MLPRegressor(**{**STEP, "solver": fastmlp.SGD(normalized=True)}).initialize(X, VALUES)
    before = parameters(estimator)
    estimator.partial_fit(X, VALUES)
    assert np.linalg.norm(parameters(estimator) - before) == pytest.approx(0.1)


def test_an_lbfgs_object_brings_its_own_tolerance() -> None:
    loose = MLPRegressor(**{**SMALL, "max_iter": 500}, solver=fastmlp.LBFGS(tol=0.5)).fit(X, VALUES)
    tight = MLPRegressor(**{**SMALL, "max_iter": 500}, solver=fastmlp.LBFGS(tol=0.01)).fit(X, VALUES)
    assert loose.n_iter_ < tight.n_iter_
    assert tight.loss_ < loose.loss_


@pytest.mark.parametrize(
    "more",
    [{"dropout": 0.5}, {"clip_norm": 1.0}, {"learning_rate": fastmlp.Cosine()}],
    ids=lambda m: next(iter(m)),
)
def test_lbfgs_refuses_what_it_would_ignore(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="solver='lbfgs'"):
        MLPRegressor(**SMALL, solver="lbfgs", **more).fit(X, VALUES)


# Schedules


SCHEDULES = [
    fastmlp.Constant(0.05, warmup=2),
    fastmlp.InverseScaling(0.05, power=0.7),
    fastmlp.StepDecay(0.05, every=2, factor=0.3),
    fastmlp.Cosine(0.05, final=0.01),
    fastmlp.OneCycle(0.05),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("times", ["fit", "partial_fit"])
def test_a_schedules_rates_are_taken_and_appear_in_history(schedule: Any, times: str) -> None:
    """With normalized steps over all rows, an epoch's step has the length of its rate."""
    script = Script(0)
    options = {**STEP, "solver": fastmlp.SGD(normalized=True), "max_iter": 6}
    estimator = MLPRegressor(**options, learning_rate=schedule, scoring=script).initialize(X, VALUES)
    start = parameters(estimator)
    if times == "fit":
        estimator.set_params(warm_start=True).fit(X, VALUES, X_val=X, y_val=VALUES)
    else:
        partly_fitted(estimator, X, VALUES, 6, X_val=X, y_val=VALUES)
    lengths = np.linalg.norm(np.diff([start, *script.weights], axis=0), axis=1)
    expected = fastmlp.train(
        X, VALUES, hidden=(6,), optimizer=fastmlp.SGD(normalized=True), learning_rate=schedule,
        batch_size=None, epochs=6, dtype="float64",
    ).history["learning_rate"]  # fmt: skip
    assert len(set(np.round(expected, 9))) > 1
    np.testing.assert_allclose(lengths, expected, rtol=1e-9)
    np.testing.assert_allclose(estimator.history_["learning_rate"], expected, rtol=1e-12)


def test_a_schedule_without_a_rate_starts_from_learning_rate_init() -> None:
    without = MLPRegressor(**SMALL, learning_rate=fastmlp.Cosine(), learning_rate_init=0.02).fit(X, VALUES)
    assert_same_bits(without, MLPRegressor(**SMALL, learning_rate=fastmlp.Cosine(0.02)).fit(X, VALUES))


def test_reduce_on_plateau_cuts_the_rate() -> None:
    schedule = fastmlp.ReduceOnPlateau(factor=0.5, patience=0, threshold=0.9)  # nothing counts as better
    estimator = MLPRegressor(**SMALL, learning_rate=schedule).fit(X, VALUES)
    rates = estimator.history_["learning_rate"]
    np.testing.assert_allclose(rates, 0.001 * 0.5 ** np.arange(-1, 4).clip(0))
    assert_differ(estimator, MLPRegressor(**SMALL).fit(X, VALUES))


def test_invscaling_and_adaptive_rates_appear_in_history() -> None:
    scaled = MLPRegressor(**SMALL, solver="sgd", learning_rate="invscaling").fit(X, VALUES)
    np.testing.assert_allclose(
        scaled.history_["learning_rate"], 0.001 / np.append(1, (60 * np.arange(1, 5) + 1) ** 0.5)
    )
    adaptive = MLPRegressor(
        **{**SMALL, "max_iter": 9}, solver="sgd", learning_rate="adaptive", tol=1e6, n_iter_no_change=2
    ).fit(X, VALUES)
    assert len(set(adaptive.history_["learning_rate"])) > 2


@pytest.mark.parametrize("name", ["learning_rate_init", "power_t", "alpha", "tol", "momentum"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numbers_may_be_numpys(name: str, kind: Any) -> None:
    options = SMALL | {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 8}
    plain = MLPClassifier(**options).set_params(**{name: 0.25}).fit(X, THREE)
    estimator = MLPClassifier(**options).set_params(**{name: kind(0.25)}).fit(X, THREE)
    assert estimator.n_iter_ == 8
    np.testing.assert_array_equal(parameters(estimator), parameters(plain))


# Clipping and time


@pytest.mark.parametrize("kind", ["two classes", "squared_error", "quantiles"])
def test_clip_norm_bounds_the_step(kind: str) -> None:
    make, options, y, _ = LOSSES[kind]
    free = make(**STEP, **options).initialize(X, y)
    clipped = make(**STEP, **options, clip_norm=0.01).initialize(X, y)
    before = parameters(free)
    whole = parameters(free.partial_fit(X, y)) - before
    short = parameters(clipped.partial_fit(X, y)) - before
    assert np.linalg.norm(whole) > 0.002
    assert np.linalg.norm(short) == pytest.approx(0.001)
    np.testing.assert_allclose(short / 0.001, whole / np.linalg.norm(whole), rtol=1e-6, atol=1e-12)


def test_a_clip_norm_above_the_gradient_changes_nothing() -> None:
    free = MLPRegressor(**SMALL).fit(X, VALUES)
    clipped = MLPRegressor(**SMALL, clip_norm=1e9).fit(X, VALUES)
    np.testing.assert_allclose(parameters(clipped), parameters(free), rtol=1e-9)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("seconds", [1e-300, 0.02])
def test_max_time_ends_a_fit_that_would_go_on(solver: str, seconds: float) -> None:
    endless = {**SMALL, "max_iter": 10**9, "tol": 0, "n_iter_no_change": np.inf, "max_fun": 10**9}
    estimator = MLPRegressor(**endless, solver=solver, max_time=seconds).fit(X, VALUES)
    assert 1 <= estimator.n_iter_ < 10**9
    assert len(estimator.history_) == estimator.n_iter_
    assert np.isfinite(estimator.predict(X)).all()
