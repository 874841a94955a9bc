"""After a failed, diverged or interrupted call an estimator is as before, usable or clearly unfitted."""

from __future__ import annotations

import _thread
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import fastmlp
from estimator_tools import BITS, SMALL, VALUES, X, good, unfinished_fits
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits


# Refused calls


FAILURES: dict[str, tuple[dict[str, Any], tuple[Any, ...], dict[str, Any]]] = {
    "parameter": ({"max_iter": 0}, (X, BITS), {}),
    "loss": ({"loss": "bogus"}, (X, BITS), {}),
    "dropout": ({"dropout": 5}, (X, BITS), {}),
    "random_state": ({"random_state": "bogus"}, (X, BITS), {}),
    "hidden_layer_sizes": ({"hidden_layer_sizes": (0,)}, (X, BITS), {}),
    "X": ({}, ("abc", BITS), {}),
    "y": ({}, (X, VALUES), {}),
    "columns": ({}, (X[:5], BITS), {}),
    "sample_weight": ({}, (X, BITS, -np.ones(60)), {}),
    "class_weight": ({"class_weight": {7: 1}}, (X, BITS), {}),
    "X_val": ({}, (X, BITS), {"X_val": X}),
    "scoring": ({"scoring": "bogus", "early_stopping": True}, (X, BITS), {}),
    "diverging": ({"learning_rate_init": 1e300}, (X * 1e10, BITS), {}),
    "n_jobs": ({"n_jobs": 0}, (X, BITS), {}),
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("before", ["nothing", "fit"])
def test_after_a_failed_fit_an_estimator_is_as_before_or_clearly_unfitted(case: str, before: str) -> None:
    options, rows, validation = FAILURES[case]
    estimator = MLPClassifier(**SMALL) if before == "nothing" else good()
    expected = None if before == "nothing" else estimator.predict_proba(X)
    own = estimator.get_params()
    estimator.set_params(**options)
    with pytest.raises((TypeError, ValueError)):
        estimator.fit(*rows, **validation)
    estimator.set_params(**own)
    try:
        left = estimator.predict_proba(X)
    except NotFittedError:
        pass
    else:
        if case == "diverging":  # ended in training: the last weights that were finite
            assert np.isfinite(left).all()
        else:
            assert expected is not None, "a failed first fit left a network of random weights"
            np.testing.assert_array_equal(left, expected)
    pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(estimator.fit(X, BITS).predict_proba(X), good().predict_proba(X))


@pytest.mark.parametrize("rows", [("abc", BITS), (X, VALUES), (X[:5], BITS), (X, "abc"), (X * np.nan, BITS)])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "initialize"])
def test_rows_that_are_refused_leave_an_unfitted_estimator(rows: tuple[Any, Any], method: str) -> None:
    estimator = MLPClassifier(**SMALL)
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises((TypeError, ValueError)):
        getattr(estimator, method)(*rows, **arguments)
    for use in (estimator.predict, estimator.transform):
        with pytest.raises(NotFittedError):
            use(X)


@pytest.mark.parametrize(
    "case", [case for case in FAILURES if case not in ("diverging", "hidden_layer_sizes")]
)
def test_a_failed_partial_fit_changes_no_weight(case: str) -> None:
    options, rows, validation = FAILURES[case]
    estimator = good()
    own, before = estimator.get_params(), estimator.predict_proba(X)
    with pytest.raises((TypeError, ValueError)):
        estimator.set_params(**options).partial_fit(*rows, **validation)
    np.testing.assert_array_equal(estimator.set_params(**own).predict_proba(X), before)
    np.testing.assert_array_equal(
        estimator.partial_fit(X, BITS).predict_proba(X), good().partial_fit(X, BITS).predict_proba(X)
    )


@pytest.mark.parametrize("bad", [("abc", BITS), (X, VALUES), (X[:5], BITS)], ids=["X", "y", "rows"])
def test_a_failed_initialize_leaves_an_earlier_fit_alone_or_forgets_it(bad: tuple[Any, Any]) -> None:
    estimator = good()
    before = estimator.predict_proba(X)
    with pytest.raises((TypeError, ValueError)):
        estimator.initialize(*bad)
    with suppress(NotFittedError):
        np.testing.assert_array_equal(estimator.predict_proba(X), before)


@pytest.mark.parametrize(
    "method", ["predict", "transform", "score", "save", "loss_curve_plot", "to_sklearn", "predict_proba"]
)
def test_an_unfitted_estimator_says_so(method: str, tmp_path: Any) -> None:
    arguments = {"save": (tmp_path / "x",), "score": (X, BITS), "loss_curve_plot": (), "to_sklearn": ()}
    with pytest.raises(NotFittedError):
        getattr(MLPClassifier(), method)(*arguments.get(method, (X,)))
    if method in ("predict", "transform"):
        with pytest.raises(NotFittedError):
            getattr(MLPRegressor(loss="quantile", quantiles=(0.1, 0.9)), method)(X)


def test_an_unfitted_regressor_is_unfitted_before_anything_else() -> None:
    with pytest.raises(NotFittedError):
        MLPRegressor().predict(X, return_std=True)
    with pytest.raises(NotFittedError):
        MLPRegressor(loss="quantile", quantiles=(0.1, 0.9)).predict_quantiles(X)


# Runs that diverge


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop", "adagrad"])
@pytest.mark.parametrize("factor", [1e155, 1e200, 1e300])
def test_a_partial_fit_that_diverges_does_not_spoil_the_next(solver: str, factor: float) -> None:
    estimator = good(MLPRegressor, solver=solver)
    with pytest.raises(ValueError, match="non-finite"):
        estimator.partial_fit(X * factor, VALUES * factor)
    assert all(np.isfinite(W).all() for W in estimator.coefs_)
    before = estimator.loss_
    for _ in range(5):
        estimator.partial_fit(X, VALUES)
        assert np.isfinite(estimator.loss_)
    assert estimator.loss_ <= 1.5 * before


def test_a_velocity_that_is_finite_but_huge_is_not_carried_on_either() -> None:
    """The loss of the second batch is infinite, but not the velocity that the first one left."""
    estimator = good(MLPRegressor, solver="sgd", batch_size=20)
    with pytest.raises(ValueError, match="non-finite"):
        estimator.partial_fit(X * 1e60, VALUES)
    assert not estimator._optimizer.moments.any()
    before = estimator.loss_
    for _ in range(5):
        estimator.partial_fit(X, VALUES)
    assert estimator.loss_ <= 1.5 * before


@pytest.mark.parametrize("solver", ["adam", "rmsprop", "adagrad"])
@pytest.mark.parametrize("factor", [1e160, 1e200])
def test_rows_whose_squared_gradient_overflows_do_not_freeze_an_estimator(solver: str, factor: float) -> None:
    """An infinite second moment would make every later step zero, without a word."""
    estimator = good(solver=solver)
    with suppress(ValueError):
        estimator.partial_fit(X * factor, BITS)
    before = [W.copy() for W in estimator.coefs_]
    estimator.partial_fit(X, BITS)
    assert all((old != W).any() for W, old in zip(estimator.coefs_, before, strict=True))


# Scorers that fail, and Ctrl+C


class At:
    """A scorer that does something at one of its calls."""

    def __init__(self, call: int, act: Callable[[], Any], scores: Iterator[float] | None = None) -> None:
        self.left, self.act = call, act
        self.scores, self.weights = scores if scores is not None else count(), []
        self.__name__ = "at"

    def __call__(self, estimator: Any, X: Any, y: Any, **_: Any) -> float:
        self.left -= 1
        self.weights.append([W.copy() for W in estimator.coefs_])
        if self.left == 0:
            self.act()
        return float(next(self.scores))


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("error", [RuntimeError("mine"), StopIteration("mine"), ZeroDivisionError("mine")])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_scorers_exception_comes_out_and_leaves_a_usable_estimator(
    error: Exception, early_stopping: bool
) -> None:
    options = {**SMALL, "max_iter": 5, "early_stopping": early_stopping}
    estimator = MLPClassifier(**options, scoring=At(3, lambda: fail(error)))
    with pytest.raises((type(error), RuntimeError), match=r"mine|StopIteration"):
        estimator.fit(X, BITS, X_val=X, y_val=BITS)
    estimator.set_params(scoring=None)
    with suppress(NotFittedError):
        assert np.isfinite(estimator.predict_proba(X)).all()
        estimator.partial_fit(X, BITS, X_val=X, y_val=BITS)
    fresh = MLPClassifier(**options).fit(X, BITS, X_val=X, y_val=BITS)
    np.testing.assert_array_equal(
        estimator.fit(X, BITS, X_val=X, y_val=BITS).predict_proba(X), fresh.predict_proba(X)
    )


def test_a_warm_start_that_fails_midway_leaves_attributes_that_agree() -> None:
    estimator = good(MLPRegressor, warm_start=True)
    before, curve = estimator.predict(X), list(estimator.loss_curve_)
    estimator.set_params(scoring=At(2, lambda: fail(RuntimeError("mine"))))
    with pytest.raises(RuntimeError, match="mine"):
        estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    assert len(estimator.history_) == len(estimator.loss_curve_)
    assert estimator.t_ == 60 * len(estimator.loss_curve_)
    assert estimator.loss_ == estimator.loss_curve_[-1]
    unchanged = np.array_equal(estimator.predict(X), before)
    assert unchanged == (estimator.loss_curve_ == curve)


def test_weights_of_a_run_that_ended_in_an_error_do_not_come_back_later() -> None:
    script = At(3, lambda: fail(RuntimeError("mine")), iter([1, 9, 2]))
    estimator = MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=1, scoring=script)
    with pytest.raises(RuntimeError, match="mine"):
        estimator.fit(X, BITS)
    estimator.set_params(early_stopping=False, scoring=None).fit(X, BITS)
    after = estimator.predict_proba(X)
    np.testing.assert_array_equal(after, good().predict_proba(X))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_ends_training_with_a_warning_and_the_weights_so_far(method: str) -> None:
    interrupt = At(3 if method == "fit" else 1, lambda: signal.raise_signal(signal.SIGINT))
    estimator = MLPClassifier(**{**SMALL, "max_iter": 100}, scoring=interrupt)
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.warns(UserWarning, match="interrupted"):
        getattr(estimator, method)(X, BITS, X_val=X, y_val=BITS, **arguments)
    assert estimator.n_iter_ <= 3
    assert np.isfinite(estimator.predict_proba(X)).all()
    estimator.set_params(scoring=None).partial_fit(X, BITS)


def test_ctrl_c_in_lbfgs_comes_out_and_leaves_a_usable_or_an_unfitted_estimator() -> None:
    interrupt = At(2, lambda: signal.raise_signal(signal.SIGINT))
    estimator = MLPRegressor(**{**SMALL, "max_iter": 50}, solver="lbfgs", scoring=interrupt)
    with pytest.raises(KeyboardInterrupt):  # as in scikit-learn
        estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    with suppress(NotFittedError):
        assert np.isfinite(estimator.predict(X)).all()
    estimator.set_params(scoring=None).fit(X, VALUES)


def test_ctrl_c_in_lbfgs_is_heard_where_nothing_of_pythons_runs() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3000, 40)), rng.normal(size=3000)
    estimator = MLPRegressor(solver=fastmlp.LBFGS(tol=0), max_iter=10**9, max_fun=10**9, warm_start=True)
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    timer.join()
    assert 0 < estimator.n_iter_ == len(estimator.loss_curve_) == len(estimator.history_)
    assert np.isfinite(estimator.predict(X)).all()
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]


@pytest.mark.parametrize("strict", [True, False])
def test_ctrl_c_takes_the_best_weights_of_early_stopping(strict: bool) -> None:
    """Even where the warning is an error."""
    script = At(4, lambda: signal.raise_signal(signal.SIGINT), iter([1, 9, 2, 3]))
    estimator = MLPClassifier(**{**SMALL, "max_iter": 50}, early_stopping=True, scoring=script)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        if strict:
            with pytest.raises(UserWarning, match="interrupted"):
                estimator.fit(X, BITS)
        else:
            estimator.fit(X, BITS)
    for W, best in zip(estimator.coefs_, script.weights[1], strict=True):
        np.testing.assert_array_equal(W, best)
