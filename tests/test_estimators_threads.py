"""Threads: as many as asked for, the same bits whatever their number, and several callers at once."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_array_equal
from sklearn.base import clone

import fastmlp
from estimator_tools import (
    LOSSES,
    SMALL,
    TARGETS,
    THREE,
    VALUES,
    X,
    assert_same_bits,
    assert_same_weights,
    estimator,
    few_epochs,
    good,
    quiet_lbfgs,
)
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._estimators import fitted, fitting, parameters
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads

pytestmark = few_epochs


# How many


def threads_of_a_fit(n_jobs: int | None = None) -> int:
    return parameters.threads(fastmlp.MLPClassifier(n_jobs=n_jobs))


def test_worker_processes_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    with joblib.parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1):
        assert joblib.Parallel()(joblib.delayed(fastmlp.get_num_threads)() for _ in range(2)) == [1, 1]


def test_threads_of_joblib_run_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmlp._native import threads as _threads

    monkeypatch.setattr(_threads, "available_cpus", lambda: 8)
    monkeypatch.setattr(_threads, "_limit", 4)
    assert threads_of_a_fit() == 4
    with joblib.parallel_config(backend="threading", n_jobs=2):
        inside = joblib.Parallel()(joblib.delayed(threads_of_a_fit)(n) for n in (None, None, 2, 3, -1))
    assert inside[:4] == [1, 1, 2, 3]
    assert threads_of_a_fit() == 4


@pytest.mark.parametrize("user_api", ["openmp", None])
def test_threadpoolctl_sees_and_limits_the_core(user_api: str | None) -> None:
    infos = threadpoolctl.threadpool_info()
    assert any(info["user_api"] == "openmp" for info in infos)
    before = fastmlp.get_num_threads()
    with threadpoolctl.threadpool_limits(1, user_api=user_api):
        assert fastmlp.get_num_threads() == threads_of_a_fit() == 1
    assert fastmlp.get_num_threads() == before


@quiet_lbfgs
@pytest.mark.parametrize(("n_jobs", "threads"), [(1, 1), (2, 2), (-1, 4), (-2, 3), (-99, 1), (99, 4)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_n_jobs_is_the_number_of_threads_asked_of_the_core(
    n_jobs: int, threads: int, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, original = [], fitting.run

    def spied(network: Any, rows: Any, options: Any, **keywords: Any) -> Any:
        seen.append(options.threads)
        return original(network, rows, options, **keywords)

    monkeypatch.setattr(_threads, "available_cpus", lambda: 4)
    monkeypatch.setattr(_core, "openmp_threads", lambda: 4)
    monkeypatch.setattr(fitting, "run", spied)
    MLPRegressor(**SMALL, solver=solver, n_jobs=n_jobs).fit(X, VALUES)
    assert seen == [threads]


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform"])
def test_predictions_run_on_as_many_threads_as_training(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    estimator = MLPClassifier(**SMALL, n_jobs=1).fit(X, THREE)
    run = fastmlp.Network._forward_on
    monkeypatch.setattr(fitted.Network, "_forward_on", lambda net, n, X: (asked.append(n), run(net, n, X))[1])
    getattr(estimator, method)(X)
    assert asked == [1]


@quiet_lbfgs
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_n_jobs_limits_the_checks_of_numbers_too(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, original = [], _core.first_nonfinite

    def spied(x: Any, threads: int = 1) -> int:
        seen.append(threads)
        return original(x, threads)

    monkeypatch.setattr(_threads, "available_cpus", lambda: 4)
    monkeypatch.setattr(_threads, "_limit", 4)
    monkeypatch.setattr(_threads, "_BYTES_FOR_TWO", 0)
    monkeypatch.setattr(_core, "first_nonfinite", spied)
    estimator = MLPRegressor(**SMALL, solver=solver, n_jobs=3).fit(X, VALUES)
    estimator.predict(np.tile(X, (1000, 1)))
    assert max(seen) == 3


def test_minus_one_is_all_that_openmp_allows() -> None:
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert threads_of_a_fit(-1) == 1


# The same bits


@pytest.fixture
def eight_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_threads, "available_cpus", lambda: 8)
    monkeypatch.setattr(_threads, "_limit", None)
    _core.set_exact_threads(True)
    yield
    _core.set_exact_threads(False)


@quiet_lbfgs
@pytest.mark.usefixtures("eight_threads")
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", ["three classes", "multi-label", "quantiles", "poisson"])
def test_the_bits_are_those_of_any_n_jobs(kind: str, solver: str) -> None:
    make, options, y, _ = LOSSES[kind]
    options = options | {"hidden_layer_sizes": (40, 17), "max_iter": 4, "random_state": 0}
    options |= {"batch_size": 25, "solver": solver}
    options |= {} if solver == "lbfgs" else {"dropout": 0.2, "clip_norm": 1.0}
    rows = {} if solver == "lbfgs" else {"X_val": X, "y_val": y}
    one, *others = (make(**options, n_jobs=n).fit(X, y, **rows) for n in (1, 2, 3, -1))
    for other in others:
        assert_same_bits(one, other)
        assert one.validation_scores_ == other.validation_scores_
        np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_the_bits_of_a_fit_do_not_depend_on_its_threads(exact_threads: None) -> None:
    fits = [estimator("multiclass", n_jobs=n, hidden_layer_sizes=(40, 30)) for n in (1, 2, 3)]
    first, *others = (fit.fit(X, TARGETS["multiclass"]) for fit in fits)
    for other in others:
        assert_same_weights(first, other)
        assert first.loss_curve_ == other.loss_curve_


# Several callers


def test_one_fitted_estimator_serves_several_threads() -> None:
    fitted = pickle.loads(pickle.dumps(estimator("multiclass").fit(X, TARGETS["multiclass"])))
    expected = clone(fitted).fit(X, TARGETS["multiclass"]).predict_proba(X)
    with joblib.parallel_config(backend="threading", n_jobs=4):
        for predicted in joblib.Parallel()(joblib.delayed(fitted.predict_proba)(X) for _ in range(16)):
            assert_array_equal(predicted, expected)


def in_threads(*actions: Callable[[], Any]) -> list[BaseException]:
    errors: list[BaseException] = []
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> None:
        start.wait()
        try:
            action()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_two_threads_may_predict_at_once() -> None:
    estimator = good(MLPRegressor)
    expected, results = estimator.predict(X), []
    estimator.coefs_[0] = estimator.coefs_[0].copy()  # so that the first use builds the network anew
    assert in_threads(*[lambda: results.extend(estimator.predict(X) for _ in range(50))] * 4) == []
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_one_thread_may_predict_while_another_trains() -> None:
    estimator = good(MLPRegressor)
    errors = in_threads(
        lambda: [estimator.partial_fit(X, VALUES) for _ in range(50)],
        lambda: [estimator.predict(X) for _ in range(50)],
        lambda: [estimator.transform(X) for _ in range(50)],
    )
    assert errors == []
    assert np.isfinite(estimator.predict(X)).all()


def test_two_threads_that_train_one_estimator_leave_a_usable_one() -> None:
    estimator = good(MLPRegressor)
    in_threads(*[lambda: [estimator.partial_fit(X, VALUES) for _ in range(30)]] * 3)
    assert np.isfinite(estimator.predict(X)).all()
    errors = in_threads(*[lambda: [estimator.fit(X, VALUES) for _ in range(10)]] * 3)
    assert all(isinstance(error, (AttributeError, RuntimeError, ValueError)) for error in errors)
    estimator.fit(X, VALUES)
    np.testing.assert_array_equal(estimator.predict(X), good(MLPRegressor).predict(X))
