"""Training in parts: partial_fit, initialize and warm starts go on exactly where training had stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import fastmlp
from estimator_tools import (
    BITS,
    LOSSES,
    MANY,
    SMALL,
    STEP,
    THREE,
    VALUES,
    X,
    assert_same_bits,
    assert_same_weights,
    good,
    parameters,
    partly_fitted,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits


# partial_fit


FEW_LOSSES = ("two classes", "multi-label", "hinge of three", "two outputs", "quantiles", "poisson")


@pytest.mark.parametrize("kind", FEW_LOSSES)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"solver": "sgd"},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e3, "n_iter_no_change": 1},
        {"learning_rate": fastmlp.OneCycle(0.01)},
        {"solver": fastmlp.Adam(weight_decay=0.1), "clip_norm": 0.5},
        {"solver": "rmsprop", "batch_size": 7},
        {"early_stopping": True, "n_iter_no_change": 2},
    ],
    ids=lambda more: ",".join(map(str, more.values())) or "defaults",
)
def test_a_fit_equals_as_many_calls_of_partial_fit(kind: str, more: dict[str, Any]) -> None:
    make, options, y, _ = LOSSES[kind]
    options = {"batch_size": 16, "dropout": 0.3, "shuffle": False, **SMALL, **options, **more}
    rows = {"X_val": X[::3], "y_val": y[::3]} if "early_stopping" in more else {}
    whole = make(**options).fit(X, y, **rows)
    parts = partly_fitted(make(**options), X, y, whole.n_iter_, **rows)
    assert whole.loss_curve_ == parts.loss_curve_
    assert whole.t_ == parts.t_
    np.testing.assert_array_equal(whole.history_["learning_rate"], parts.history_["learning_rate"])
    if not rows or whole.early_stopped_:
        np.testing.assert_array_equal(parameters(whole), parameters(parts))


def test_partial_fit_goes_on_from_a_fit() -> None:
    options = {**SMALL, "batch_size": 16, "dropout": 0.3, "shuffle": False}
    mixed = MLPRegressor(**{**options, "max_iter": 3}).fit(X, VALUES).partial_fit(X, VALUES)
    assert_same_bits(mixed, MLPRegressor(**{**options, "max_iter": 4}).fit(X, VALUES))


@pytest.mark.parametrize("before", ["adam", "sgd", "rmsprop", "adagrad"])
@pytest.mark.parametrize("after", ["adam", "sgd", "rmsprop", "adagrad"])
def test_another_solver_starts_with_a_state_of_its_own(before: str, after: str) -> None:
    """The moments of one optimizer mean nothing to another: Adam's may be negative, RMSprop takes a root."""
    if before == after:
        return
    options = {**SMALL, "max_iter": 20, "batch_size": 60}
    changed = MLPRegressor(**options, solver=before).fit(X, VALUES).set_params(solver=after)
    fresh = MLPRegressor(**options, solver=after).initialize(X, VALUES)
    for mine, theirs in zip(
        (*fresh.coefs_, *fresh.intercepts_), (*changed.coefs_, *changed.intercepts_), strict=True
    ):
        mine[...] = theirs
    for _ in range(2):
        changed.partial_fit(X, VALUES)
        fresh.partial_fit(X, VALUES)
    np.testing.assert_allclose(parameters(changed), parameters(fresh), rtol=1e-9)


@pytest.mark.parametrize("classes", [None, [0, 1, 2]])
def test_multi_label_partial_fit_needs_no_classes(classes: Any) -> None:
    estimator = MLPClassifier(**SMALL, batch_size=20, shuffle=False)
    for _ in range(5):
        estimator.partial_fit(X, MANY, classes=classes)
    assert_same_bits(estimator, MLPClassifier(**SMALL, batch_size=20, shuffle=False).fit(X, MANY))
    assert estimator.predict(X).shape == (60, 3)
    assert estimator.predict_proba(X).shape == (60, 3)
    np.testing.assert_array_equal(estimator.classes_, [0, 1, 2])


def test_multi_label_partial_fit_learns() -> None:
    estimator = MLPClassifier(hidden_layer_sizes=(20,), learning_rate_init=0.02, random_state=0)
    for _ in range(100):
        estimator.partial_fit(X, MANY)
    assert (estimator.predict(X) == MANY).mean() > 0.9


def test_partial_fit_vanishes_for_lbfgs_and_comes_back() -> None:
    estimator = good()
    assert not hasattr(estimator.set_params(solver="lbfgs"), "partial_fit")
    estimator.set_params(warm_start=True).fit(X, BITS)
    estimator.set_params(solver="adam").partial_fit(X, BITS)
    assert np.isfinite(estimator.loss_)


def test_partial_fit_says_what_it_cannot_do() -> None:
    for options, name in (
        ({"early_stopping": True}, "X_val"),
        ({"class_weight": "balanced"}, "class_weight"),
        ({"learning_rate": fastmlp.ReduceOnPlateau()}, "ReduceOnPlateau"),
    ):
        estimator = MLPClassifier(**SMALL, **options)
        with pytest.raises(ValueError, match=name):
            estimator.partial_fit(X, BITS, classes=[0, 1])
        with pytest.raises(NotFittedError):
            estimator.predict(X)


# initialize


@pytest.mark.parametrize("kind", FEW_LOSSES)
@pytest.mark.parametrize("random_state", [lambda: 0, lambda: np.random.RandomState(0)], ids=["int", "state"])
def test_initialize_then_partial_fit_equals_partial_fit_alone(
    kind: str, random_state: Callable[[], Any]
) -> None:
    make, options, y, _ = LOSSES[kind]
    options = {"batch_size": 16, "dropout": 0.3, **SMALL, **options}
    alone = partly_fitted(make(**options | {"random_state": random_state()}), X, y, 2)
    after = make(**options | {"random_state": random_state()}).initialize(X, y)
    assert_same_bits(alone, after.partial_fit(X, y).partial_fit(X, y))


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initialize_sets_what_fit_starts_from(kind: str, dtype: str) -> None:
    make, options, y, _ = LOSSES[kind]
    estimator = make(**SMALL, **options).initialize(X.astype(dtype), y)
    hardly = make(**{**STEP, "learning_rate_init": 1e-30}, **options, max_iter=1).fit(X.astype(dtype), y)
    np.testing.assert_array_equal(parameters(estimator), parameters(hardly))
    assert (estimator.n_outputs_, estimator.n_layers_) == (hardly.n_outputs_, hardly.n_layers_)
    assert estimator.out_activation_ == hardly.out_activation_
    assert estimator.loss_curve_ == []
    assert (estimator.n_iter_, estimator.t_, len(estimator.history_)) == (0, 0, 0)
    assert len(estimator.predict(X)) == 60
    if hasattr(hardly, "classes_"):
        np.testing.assert_array_equal(estimator.classes_, hardly.classes_)


def test_fit_after_initialize_is_fit() -> None:
    estimator = MLPClassifier(**SMALL).initialize(X, THREE)
    assert_same_weights(estimator.fit(X, THREE), MLPClassifier(**SMALL).fit(X, THREE))


# Warm starts


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_other_hidden_layer_sizes_between_warm_starts_are_refused(method: str) -> None:
    estimator = good(warm_start=True).set_params(hidden_layer_sizes=(9,))
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        getattr(estimator, method)(X, BITS)
    assert estimator.set_params(hidden_layer_sizes=(6,)).fit(X, BITS).coefs_[0].shape == (4, 6)


# What was refused leaves no trace


def test_a_refused_warm_start_leaves_the_optimizer_alone() -> None:
    estimators = [MLPClassifier(**SMALL).fit(X, THREE) for _ in range(2)]
    with pytest.raises(ValueError, match="learning_rate_init must be at least"):
        estimators[0].set_params(warm_start=True, learning_rate_init=1e-320).fit(X, THREE)
    estimators[0].set_params(warm_start=False, learning_rate_init=0.001)
    a, b = (parameters(e.partial_fit(X, THREE)) for e in estimators)
    np.testing.assert_array_equal(a, b)


def test_a_refused_partial_fit_after_initialize_changes_nothing() -> None:
    estimators = [MLPClassifier(**SMALL, batch_size=9).initialize(X, THREE) for _ in range(2)]
    with pytest.raises(ValueError, match="NaN"):
        estimators[0].partial_fit(X * np.nan, THREE)
    a, b = (parameters(e.partial_fit(X, THREE)) for e in estimators)
    np.testing.assert_array_equal(a, b)
