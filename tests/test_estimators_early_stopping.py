"""Validation rows, scoring, early stopping: what is measured, when training stops, which weights are kept."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, make_scorer

from estimator_tools import (
    BITS,
    FRAME,
    LOSSES,
    SMALL,
    THREE,
    TWO,
    VALUES,
    Script,
    X,
    assert_same_bits,
    good,
    parameters,
    partly_fitted,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits


# Validation rows


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_validation_scores_are_those_of_score(kind: str, dtype: str) -> None:
    make, options, y, _ = LOSSES[kind]
    estimator = make(**SMALL, **options)
    Xs = X.astype(dtype)
    scores = []
    for _ in range(3):
        partly_fitted(estimator, Xs[:40], y[:40], X_val=Xs[40:], y_val=y[40:])
        scores.append(estimator.score(Xs[40:], y[40:]))
    assert estimator.validation_scores_ == pytest.approx(scores, rel=1e-5, abs=1e-6)
    assert list(estimator.history_["validation_score"]) == estimator.validation_scores_


@pytest.mark.parametrize("kind", LOSSES)
def test_measuring_rows_changes_no_weight(kind: str) -> None:
    make, options, y, _ = LOSSES[kind]
    measured = make(**SMALL, **options).fit(X, y, X_val=X[:20], y_val=y[:20])
    assert_same_bits(measured, make(**SMALL, **options).fit(X, y))
    assert len(measured.validation_scores_) == measured.n_iter_


def test_x_val_holds_no_rows_back_for_early_stopping() -> None:
    own = MLPClassifier(**SMALL, early_stopping=True).fit(X, THREE, X_val=X[:9], y_val=THREE[:9])
    assert own.t_ == 5 * 60
    held_back = MLPClassifier(**SMALL, early_stopping=True).fit(X, THREE)
    assert held_back.t_ == 5 * 54


def test_x_val_decides_when_to_stop_and_which_weights_to_take() -> None:
    options = {**SMALL, "max_iter": 200, "n_iter_no_change": 4, "learning_rate_init": 0.05}
    estimator = MLPRegressor(**options, early_stopping=True)
    estimator.fit(X, VALUES, X_val=X, y_val=-VALUES)  # gets worse with every epoch
    assert estimator.early_stopped_
    assert estimator.n_iter_ <= 10
    best = int(np.argmax(estimator.validation_scores_))
    assert estimator.best_validation_score_ == estimator.validation_scores_[best]
    assert estimator.score(X, -VALUES) == pytest.approx(estimator.best_validation_score_)
    until_then = MLPRegressor(**{**options, "max_iter": best + 1}).fit(X, VALUES)
    np.testing.assert_array_equal(parameters(estimator), parameters(until_then))


def test_lbfgs_measures_x_val_or_refuses_it() -> None:
    estimator = MLPRegressor(**SMALL, solver="lbfgs")
    try:
        estimator.fit(X[:40], VALUES[:40], X_val=X[40:], y_val=VALUES[40:])
    except ValueError as error:
        assert "X_val" in str(error)  # noqa: PT017 (either is right, silence is not)
    else:
        assert estimator.validation_scores_[-1] == pytest.approx(estimator.score(X[40:], VALUES[40:]))


# The best weights


def test_warm_start_ends_with_the_best_weights_seen() -> None:
    estimator = MLPRegressor(**{**SMALL, "max_iter": 8}, early_stopping=True, warm_start=True)
    estimator.set_params(scoring=Script(*range(8), *[-1] * 100))
    estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    best = parameters(estimator)
    assert estimator.best_validation_score_ == 7
    estimator.fit(X, VALUES, X_val=X, y_val=VALUES)  # no epoch of this fit is better
    assert estimator.best_validation_score_ == 7
    np.testing.assert_array_equal(parameters(estimator), best)


def test_the_best_weights_are_taken_even_where_warnings_are_errors() -> None:
    script = Script(1, 5, 3)
    estimator = MLPRegressor(**SMALL, early_stopping=True, scoring=script)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="Maximum iterations"):
            estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    np.testing.assert_array_equal(parameters(estimator), script.weights[1])


def test_partial_fit_with_early_stopping_stops_and_takes_the_best_weights() -> None:
    script = Script(1, 2, 8, 3, 4, 5, 6)
    estimator = MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=2, scoring=script)
    calls = 0
    while not getattr(estimator, "early_stopped_", False):
        partly_fitted(estimator, X, THREE, X_val=X, y_val=THREE)
        calls += 1
    assert calls == 6
    assert estimator.best_validation_score_ == 8
    np.testing.assert_array_equal(parameters(estimator), script.weights[2])


def test_partial_fit_after_early_stopping_still_ends_with_the_best_weights() -> None:
    script = Script(1, 2, 8, 3, 4, 5, 6, 7, 7, 7)
    estimator = MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=2, scoring=script)
    for _ in range(10):
        partly_fitted(estimator, X, THREE, X_val=X, y_val=THREE)
        if estimator.early_stopped_:
            np.testing.assert_array_equal(parameters(estimator), script.weights[2])


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_early_stopping_may_be_switched_between_fits(before: bool, after: bool, method: str) -> None:
    estimator = good(early_stopping=before, warm_start=True)
    estimator.set_params(early_stopping=after)
    getattr(estimator, method)(X, BITS, X_val=X, y_val=BITS)
    assert (estimator.best_validation_score_ is not None) == after
    assert len(estimator.predict(X)) == 60


def test_divergence_with_early_stopping_warns_and_keeps_the_best() -> None:
    estimator = MLPRegressor(**SMALL, early_stopping=True, solver="sgd", learning_rate_init=1e10)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        estimator.fit(X * 1e5, VALUES)
    assert all(np.isfinite(W).all() for W in estimator.coefs_)
    assert estimator.predict(X).shape == (60,)


# Scoring


@pytest.mark.parametrize("scores", [(1, 2, 9, 3, 4), (9, 1, 2, 3, 4), (1, 2, 3, 4, 9), (-5, -4, -3, -9, -8)])
@pytest.mark.parametrize("own_rows", [True, False])
def test_scoring_decides_the_best_epoch(scores: tuple[float, ...], own_rows: bool) -> None:
    script = Script(*scores)
    rows = {"X_val": X[:7], "y_val": THREE[:7]} if own_rows else {}
    estimator = MLPClassifier(**SMALL, early_stopping=True, scoring=script).fit(X, THREE, **rows)
    assert estimator.validation_scores_ == list(scores)
    assert estimator.best_validation_score_ == max(scores)
    np.testing.assert_array_equal(parameters(estimator), script.weights[int(np.argmax(scores))])
    assert all(len(rows) == (7 if own_rows else 6) for rows, _ in script.rows)


def test_scoring_ends_training_when_it_no_longer_improves() -> None:
    options = {**SMALL, "max_iter": 50, "n_iter_no_change": 3}
    estimator = MLPClassifier(**options, early_stopping=True, scoring=Script(1, 2, 3, 0)).fit(X, THREE)
    assert estimator.early_stopped_
    assert estimator.n_iter_ == 7  # as in scikit-learn: more than 3 in a row


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("two classes", "neg_log_loss"),
        ("two classes", "roc_auc"),
        ("hinge of two", "roc_auc"),
        ("three classes", "f1_macro"),
        ("multi-label", "f1_micro"),
        ("squared_error", "neg_mean_absolute_error"),
        ("quantiles", "neg_median_absolute_error"),
        ("poisson", "neg_mean_poisson_deviance"),
    ],
)
def test_scoring_takes_scikit_learns_names(kind: str, name: str) -> None:
    make, options, y, _ = LOSSES[kind]
    estimator = make(**SMALL, **options, scoring=name).fit(X, y, X_val=X, y_val=y)
    assert estimator.validation_scores_[-1] == pytest.approx(get_scorer(name)(estimator, X, y))
    assert (
        estimator.validation_scores_
        != make(**SMALL, **options).fit(X, y, X_val=X, y_val=y).validation_scores_
    )


def test_scoring_by_a_plain_function_goes_with_sample_weight() -> None:
    estimator = MLPClassifier(**SMALL, early_stopping=True, scoring=lambda estimator, X, y: 0.5)
    assert estimator.fit(X, TWO, np.ones(60)).validation_scores_ == [0.5] * 5


def test_a_scorer_sees_names_of_columns_no_more_than_it_needs() -> None:
    estimator = MLPRegressor(**SMALL, scoring="r2").fit(FRAME, VALUES, X_val=FRAME, y_val=VALUES)
    assert estimator.validation_scores_[-1] == pytest.approx(estimator.score(FRAME, VALUES))


def test_a_scorer_may_use_the_estimator_that_is_being_fitted() -> None:
    estimator = MLPRegressor(**SMALL)
    estimator.set_params(scoring=lambda *_: float(estimator.predict(X).sum()))
    estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    assert estimator.validation_scores_[-1] == pytest.approx(estimator.predict(X).sum())


@pytest.mark.parametrize("scoring", [make_scorer(lambda a, b: float((a == b).mean())), "accuracy"])
def test_a_metric_without_weights_is_measured_without(scoring: Any) -> None:
    estimator = MLPClassifier(**SMALL, early_stopping=True, scoring=scoring)
    assert len(estimator.fit(X, THREE, sample_weight=np.ones(60)).validation_scores_) == 5
