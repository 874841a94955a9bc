"""Given the same arguments, whole runs end where scikit-learn's do: the same batches, numbers and rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from estimator_tools import (
    CLASSIFIED,
    assert_same_fit,
    data,
    fit_both,
    heard,
    kinds,
    pair,
    weights_keyword,
    weights_needed,
)

# Initial weights


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@kinds
def test_initial_weights_are_theirs_bit_for_bit(kind: str, activation: str) -> None:
    X, y = data(kind, "float32")
    ours, theirs = pair(kind, activation=activation, solver="sgd", learning_rate_init=1e-30, max_iter=1)
    heard(lambda: (ours.initialize(X, y), theirs.fit(X, y)))
    for mine, expected in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert mine.dtype == np.float32
        assert_array_equal(mine, expected)


@pytest.mark.parametrize("batch_size", [60, 20])
def test_fits_that_share_a_random_state_draw_as_much_from_it_as_theirs(batch_size: int) -> None:
    X, y = data("binary")
    ours, theirs = pair("binary", batch_size=batch_size)
    states = [np.random.RandomState(0) for _ in range(2)]
    for _ in range(2):
        for estimator, state in zip((ours, theirs), states, strict=True):
            heard(lambda e=estimator, s=state: e.set_params(random_state=s).fit(X, y))
        assert_same_fit(ours, theirs)


# Whole runs


SOLVERS: dict[str, dict[str, Any]] = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "momentum 1": {"solver": "sgd", "nesterovs_momentum": False, "momentum": 1},
    "nesterov": {"solver": "sgd", "momentum": 0.5},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 2},
    "adam": {"solver": "adam"},
    "adam's numbers": {"solver": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2},
    "adam has no schedules": {"solver": "adam", "learning_rate": "adaptive", "tol": 1, "n_iter_no_change": 2},
    "lbfgs": {"solver": "lbfgs"},
}


def skip_theirs_of_two_minds(solver: str, kind: str) -> None:
    if solver == "lbfgs" and kind == "multioutput":
        pytest.skip("theirs hands L-BFGS a mean over the outputs with the gradient of the sum")


@kinds
@pytest.mark.parametrize("solver", SOLVERS)
def test_full_batches_give_their_curves_and_weights(solver: str, kind: str) -> None:
    skip_theirs_of_two_minds(solver, kind)
    ours, theirs = fit_both(kind, batch_size=60, learning_rate_init=0.05, **SOLVERS[solver])
    assert_same_fit(ours, theirs, rtol=1e-5 if solver == "lbfgs" else 1e-7)


@kinds
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_activations_are_theirs(solver: str, activation: str, kind: str) -> None:
    skip_theirs_of_two_minds(solver, kind)
    ours, theirs = fit_both(kind, solver=solver, activation=activation, learning_rate_init=0.02, max_iter=5)
    assert_same_fit(ours, theirs, rtol=1e-5 if solver == "lbfgs" else 1e-7)


@kinds
@pytest.mark.parametrize("alpha", [0, 5.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_the_penalty_and_weights_count_as_theirs_do(
    solver: str, weighted: bool, alpha: float, kind: str
) -> None:
    skip_theirs_of_two_minds(solver, kind)
    params = {"batch_size": 60, "learning_rate_init": 0.02, "max_iter": 5}  # later, theirs clips its log loss
    ours, theirs = fit_both(kind, weighted=weighted, solver=solver, alpha=alpha, **params)
    assert_same_fit(ours, theirs, rtol=1e-5 if solver == "lbfgs" else 1e-7)


@kinds
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["nesterov", "adam", "invscaling"])
def test_mini_batches_are_theirs(solver: str, weighted: bool, shuffle: bool, kind: str) -> None:
    ours, theirs = fit_both(  # 13 leaves a smaller last batch, which has a larger share of the penalty
        kind, weighted=weighted, shuffle=shuffle, batch_size=13, alpha=0.5, **SOLVERS[solver]
    )
    if kind == "poisson" and weighted:  # the constant in loss_ is weighted over all rows, not batch by batch
        ours.loss_curve_, ours.loss_, ours.best_loss_ = theirs.loss_curve_, theirs.loss_, theirs.best_loss_
    assert_same_fit(ours, theirs)


@kinds
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_float32_runs_are_theirs_to_its_rounding(solver: str, kind: str) -> None:
    ours, theirs = fit_both(kind, "float32", solver=solver, batch_size=13, learning_rate_init=0.01)
    assert_same_fit(ours, theirs, rtol=2e-4, atol=1e-4)
    assert {a.dtype.name for a in ours.coefs_ + ours.intercepts_} == {"float32"}


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@kinds
def test_the_type_of_x_is_that_of_weights_and_predictions(kind: str, solver: str) -> None:
    for given, kept in (("float32", "float32"), ("float64", "float64"), ("int64", "float64")):
        X, y = data(kind)
        X = (X * 3).astype(given)
        ours, _ = pair(kind, solver=solver, max_iter=2)
        heard(lambda e=ours, X=X, y=y: e.fit(X, y))
        assert {a.dtype.name for a in ours.coefs_ + ours.intercepts_} == {kept}
        assert (ours.predict_proba if kind in CLASSIFIED else ours.predict)(X).dtype == kept


@weights_needed
@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_with_several_outputs_goes_to_where_theirs_has_no_gradient(weighted: bool) -> None:
    X, y = data("multioutput")
    w = weights_keyword(weighted).get("sample_weight", np.ones(60))
    ours, theirs = pair("multioutput", solver="lbfgs", activation="tanh", alpha=3.0, tol=1e-6, max_iter=2000)
    ours.fit(X, y, w)
    heard(lambda: theirs.set_params(max_iter=1).fit(X, y, w))
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    hidden = [X, *(np.zeros(0) for _ in ours.coefs_)]
    _, *gradients = theirs._backprop(X, y, w, hidden, [None] * 3, [None] * 3, [None] * 3)
    assert max(abs(g).max() for layers in gradients for g in layers) <= 1e-3  # or the loss no longer falls
    squares = np.average((ours.predict(X) - y) ** 2, axis=0, weights=w).mean()
    penalty = 3.0 / w.sum() * sum((W**2).sum() for W in ours.coefs_)
    assert ours.loss_ == pytest.approx((squares + penalty) / 2, rel=1e-9)


@pytest.mark.parametrize("hidden", [(), [3], 4, np.array([5, 2]), np.int64(3)])
@pytest.mark.parametrize("kind", ["multiclass", "multioutput"])
def test_hidden_layers_may_be_given_in_all_their_ways(kind: str, hidden: Any) -> None:
    assert_same_fit(*fit_both(kind, hidden_layer_sizes=hidden, batch_size=13))


# Rows, targets and weights of every form


@pytest.mark.parametrize("make", ["csr_matrix", "csc_array", "coo_matrix"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_dense_rows(solver: str, make: str) -> None:
    X, y = data("multiclass")
    X[np.abs(X) < 0.5] = 0
    ours, theirs = pair("multiclass", solver=solver, batch_size=13)
    sparse = getattr(scipy.sparse, make)(X)
    heard(lambda: (ours.fit(sparse, y), theirs.fit(X, y)))
    assert_same_fit(ours, theirs, rtol=1e-5)
    assert_array_equal(ours.predict(sparse), theirs.predict(X))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_one_class_or_one_row_is_fitted_as_theirs(solver: str) -> None:
    rows, labels = data("binary")
    for X, y in ((rows, np.full(60, "yes")), (rows[:1], labels[:1])):
        ours, theirs = pair("binary", solver=solver)
        heard(lambda o=ours, t=theirs, X=X, y=y: (o.fit(X, y), t.fit(X, y)))
        assert_same_fit(ours, theirs, rtol=1e-5)
        assert ours.predict_proba(X).shape == (len(X), 2)


@pytest.mark.parametrize("values", [(0, 1), (False, True), (0.0, 1.0)])
@pytest.mark.parametrize("incremental", [False, True])
def test_multi_label_targets_mean_what_they_do_to_theirs(incremental: bool, values: tuple[Any, Any]) -> None:
    X, y = data("multilabel")
    y = np.array(values)[y]
    ours, theirs = pair("multilabel", shuffle=False)
    for estimator in (ours, theirs):
        if incremental:
            estimator.partial_fit(X, y, classes=[0, 1, 2])
            estimator.partial_fit(X, y)
        else:
            heard(lambda e=estimator: e.fit(X, y))
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("values", [(-1, 1), (0, 5)])
def test_multi_label_targets_other_than_0_and_1_are_refused(values: tuple[int, int]) -> None:
    X, y = data("multilabel")  # theirs takes everything but 0 for 1, also -1
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="must hold 0 and 1 alone"):
            getattr(pair("multilabel")[0], method)(X, np.array(values)[y])


def test_sparse_multi_label_targets_give_sparse_predictions_as_theirs() -> None:
    X, y = data("multilabel")
    ours, theirs = pair("multilabel", batch_size=13)
    heard(lambda: [e.fit(X, scipy.sparse.csr_matrix(y)) for e in (ours, theirs)])
    expected = theirs.predict(X)
    assert scipy.sparse.issparse(expected)
    predicted = ours.predict(X)
    assert_array_equal(
        predicted.toarray() if scipy.sparse.issparse(predicted) else predicted, expected.toarray()
    )
    assert scipy.sparse.issparse(predicted)


@weights_needed
@pytest.mark.parametrize("weights", [2.0, [1] * 60, np.arange(60) % 3], ids=["number", "list", "some are 0"])
def test_weights_may_be_given_in_all_their_ways(weights: Any) -> None:
    X, y = data("regression")
    ours, theirs = pair("regression", batch_size=60)
    heard(lambda: [e.fit(X, y, sample_weight=weights) for e in (ours, theirs)])
    assert_same_fit(ours, theirs)


# Early stopping


@kinds
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["adam", "adaptive"])
def test_early_stopping_holds_back_the_same_rows_and_scores_them_the_same(
    solver: str, weighted: bool, kind: str
) -> None:
    params = SOLVERS[solver] | {"n_iter_no_change": 3, "tol": 1e-3, "learning_rate_init": 0.02}
    ours, theirs = fit_both(
        kind,
        weighted=weighted,
        early_stopping=True,
        validation_fraction=0.3,
        max_iter=40,
        batch_size=42,
        **params,
    )
    assert_same_fit(ours, theirs)
    assert len(ours.validation_scores_) == ours.n_iter_


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_early_stopping_holds_for_float32(kind: str) -> None:
    ours, theirs = fit_both(
        kind, "float32", early_stopping=True, validation_fraction=0.3, batch_size=13, learning_rate_init=0.01
    )
    assert_same_fit(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_constant_held_back_targets_score_as_theirs(constant: float) -> None:
    X, y = data("multioutput")
    y[:, 1] = constant
    for target in (y, y[:, 1]):
        ours, theirs = pair("regression", early_stopping=True)
        heard(lambda o=ours, t=theirs, y=target: (o.fit(X, y), t.fit(X, y)))
        assert_same_fit(ours, theirs)


@pytest.mark.parametrize("tol", [0.05, 1e-4])
@pytest.mark.parametrize("n_iter_no_change", [1, 4, np.inf])
@pytest.mark.parametrize("solver", ["sgd", "adam", "adaptive"])
def test_training_ends_with_theirs(solver: str, n_iter_no_change: float, tol: float) -> None:
    params = SOLVERS[solver] | {"n_iter_no_change": n_iter_no_change, "tol": tol, "learning_rate_init": 0.1}
    ours, theirs = fit_both("binary", max_iter=40, batch_size=20, **params)
    assert_same_fit(ours, theirs, rtol=1e-6)


def test_an_adaptive_rate_falls_until_it_is_too_small() -> None:
    params = SOLVERS["adaptive"] | {
        "learning_rate_init": 1e-5,
        "tol": 1,
        "n_iter_no_change": 1,
        "max_iter": 50,
    }
    ours, theirs = fit_both("regression", **params)
    assert_same_fit(ours, theirs)
    assert ours.n_iter_ < 50
    assert ours.early_stopped_


# Going on


@kinds
@pytest.mark.parametrize("solver", ["nesterov", "adam", "invscaling", "adaptive", "lbfgs"])
def test_warm_starts_go_on_as_theirs(solver: str, kind: str) -> None:
    skip_theirs_of_two_minds(solver, kind)
    X, y = data(kind)
    ours, theirs = pair(kind, warm_start=True, max_iter=4, batch_size=20, **SOLVERS[solver])
    for _ in range(3):
        heard(lambda: (ours.fit(X, y), theirs.fit(X, y)))
        assert_same_fit(ours, theirs, rtol=1e-4 if solver == "lbfgs" else 1e-7)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
def test_warm_starts_with_early_stopping_go_on_as_theirs(kind: str) -> None:
    X, y = data(kind)
    ours, theirs = pair(kind, warm_start=True, early_stopping=True, validation_fraction=0.3, batch_size=20)
    for rate in (
        0.02,
        0.5,
    ):  # the second run finds nothing better: ours ends with the first one's best weights
        heard(lambda r=rate: [e.set_params(learning_rate_init=r).fit(X, y) for e in (ours, theirs)])
        assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-7)
        assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-7)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)


@pytest.mark.parametrize("first", [False, True])
def test_early_stopping_may_be_turned_on_or_off_for_a_warm_start(first: bool) -> None:
    X, y = data("binary")  # theirs stumbles over its own None
    ours, _ = pair("binary", warm_start=True, early_stopping=first)
    heard(lambda: ours.fit(X, y))
    heard(lambda: ours.set_params(early_stopping=not first).fit(X, y))
    assert (ours.best_loss_ is None) == (not first)
    assert (ours.best_validation_score_ is None) == first
    assert len(ours.loss_curve_) == 16


@kinds
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["nesterov", "adam", "invscaling"])
def test_partial_fits_go_on_as_theirs(solver: str, weighted: bool, kind: str) -> None:
    X, y = data(kind)
    w = weights_keyword(weighted).get("sample_weight", np.ones(60))
    ours, theirs = pair(kind, **SOLVERS[solver])
    labels = np.arange(3) if kind == "multilabel" else np.unique(y)
    first = {"classes": labels} if kind in CLASSIFIED else {}
    for rows in (slice(0, 25), slice(25, 60), slice(0, 60), slice(0, 25)):
        for estimator in (ours, theirs):
            estimator.partial_fit(
                X[rows], y[rows], **({"sample_weight": w[rows]} if weighted else {}), **first
            )
        first = {}
        assert_same_fit(ours, theirs)
    assert ours.n_iter_ == 1
    assert len(ours.loss_curve_) == 4


@pytest.mark.parametrize("solver", ["sgd", "adam", "invscaling"])
def test_partial_fit_goes_on_from_fit_and_fit_begins_anew(solver: str) -> None:
    X, y = data("multiclass")
    ours, theirs = pair("multiclass", batch_size=20, **SOLVERS[solver])
    for method in ("fit", "partial_fit", "partial_fit", "fit", "partial_fit"):
        heard(lambda m=method: [getattr(e, m)(X, y) for e in (ours, theirs)])
        assert_same_fit(ours, theirs)


def test_partial_fit_with_another_solver_starts_its_state_anew() -> None:
    X, y = data("binary")
    ours, _ = pair("binary", solver="sgd")
    heard(lambda: ours.fit(X, y))
    fresh, _ = pair("binary", solver="adam")
    fresh.initialize(X, y)
    fresh.coefs_, fresh.intercepts_ = [W.copy() for W in ours.coefs_], [b.copy() for b in ours.intercepts_]
    ours.set_params(solver="adam")
    for estimator in (ours, fresh):
        estimator.set_params(shuffle=False).partial_fit(X, y)
    for mine, expected in zip(ours.coefs_, fresh.coefs_, strict=True):
        assert_allclose(mine, expected, rtol=1e-12)
