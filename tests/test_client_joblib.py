"""joblib's Dask backend: scikit-learn's searches fit our estimators on a cluster, to the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.ensemble import BaggingRegressor
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from client_tools import LABELS, VALUES, WEIGHTS, X
from dask_tools import local_client

#: Ends by itself after a few epochs, without a warning.
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (8,), "tol": 1e6, "n_iter_no_change": 4, "random_state": 0}
SPACE = {"hidden_layer_sizes": [(4,), (9, 5)], "learning_rate_init": [0.01, 0.03]}


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Client]:
    """Two workers, as each imports scikit-learn."""
    with local_client(workers=2) as client:
        yield client


@pytest.fixture
def on_dask(dask_client: Client) -> Any:
    """Return a context in which joblib's jobs go to the cluster, and none of the tasks runs elsewhere."""

    @contextmanager
    def context(**settings: Any) -> Iterator[None]:
        before = len(dask_client.get_task_stream(count=10**6))
        with joblib.parallel_config(backend="dask", **settings):
            yield
        assert len(dask_client.get_task_stream(count=10**6)) > before

    return context


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (fastmlp.MLPClassifier(**SETTINGS), LABELS),
        (fastmlp.MLPClassifier(**SETTINGS, n_estimators=2), np.array(["no", "so", "yes"])[LABELS]),
        (fastmlp.MLPRegressor(**SETTINGS), VALUES),
    ],
    ids=["labels", "several networks", "values"],
)
def test_a_grid_search(on_dask: Any, estimator: Any, y: Any) -> None:
    search = GridSearchCV(estimator, SPACE, cv=3)
    here = search.fit(X, y)
    scores, best = here.cv_results_["mean_test_score"], here.best_estimator_
    with on_dask():
        there = GridSearchCV(estimator, SPACE, cv=3).fit(X, y)
    assert np.array_equal(there.cv_results_["mean_test_score"], scores)
    assert there.best_params_ == here.best_params_
    assert np.array_equal(there.best_estimator_.predict(X), best.predict(X))


def test_other_searches_and_weights(on_dask: Any) -> None:
    def found() -> Any:
        search = RandomizedSearchCV(
            fastmlp.MLPClassifier(**SETTINGS), SPACE, n_iter=3, cv=3, random_state=0,
            scoring=["accuracy", "neg_log_loss"], refit="accuracy",
        )  # fmt: skip
        return search.fit(X, LABELS, sample_weight=WEIGHTS).cv_results_

    here = found()
    with on_dask():
        there = found()
    for name in ("mean_test_accuracy", "mean_test_neg_log_loss"):
        assert np.array_equal(there[name], here[name])


def test_scores_predictions_and_fitted_estimators(on_dask: Any) -> None:
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    estimators = [
        (fastmlp.MLPRegressor(**SETTINGS), X),
        (fastmlp.MLPRegressor(**SETTINGS), table),
        (make_pipeline(StandardScaler(), fastmlp.MLPRegressor(**SETTINGS)), X),
    ]
    for estimator, rows in estimators:
        scores = cross_val_score(estimator, rows, VALUES, cv=3)
        predicted = cross_val_predict(estimator, rows, VALUES, cv=3)
        with on_dask():
            assert np.array_equal(cross_val_score(estimator, rows, VALUES, cv=3), scores)
            assert np.array_equal(cross_val_predict(estimator, rows, VALUES, cv=3), predicted)
    with on_dask():
        there = cross_validate(estimators[0][0], X, VALUES, cv=3, return_estimator=True)["estimator"]
    here = cross_validate(estimators[0][0], X, VALUES, cv=3, return_estimator=True)["estimator"]
    for one, other in zip(there, here, strict=True):
        assert np.array_equal(one.network_.parameters, other.network_.parameters)
        assert one.get_params() == other.get_params()


def test_rows_that_were_scattered(on_dask: Any) -> None:
    """They lie at any address in a message."""
    here = cross_val_score(fastmlp.MLPClassifier(**SETTINGS), X, LABELS, cv=3)
    with on_dask(scatter=[X, LABELS]):
        there = cross_val_score(fastmlp.MLPClassifier(**SETTINGS), X, LABELS, cv=3)
    assert np.array_equal(there, here)


def test_an_ensemble_of_scikit_learn(on_dask: Any) -> None:
    bagging = BaggingRegressor(fastmlp.MLPRegressor(**SETTINGS), n_estimators=3, random_state=0)
    here = bagging.fit(X, VALUES).predict(X)
    with on_dask():
        there = bagging.fit(X, VALUES)
    assert np.array_equal(there.predict(X), here)


def test_our_own_search_trains_in_this_process(dask_client: Client) -> None:
    def found() -> Any:
        return fastmlp.GridSearchCV(fastmlp.MLPClassifier(**SETTINGS), SPACE, cv=3).fit(X, LABELS).cv_results_

    before = len(dask_client.get_task_stream(count=10**6))
    with joblib.parallel_config(backend="dask"):
        there = found()
    assert len(dask_client.get_task_stream(count=10**6)) == before
    assert np.array_equal(there["mean_test_score"], found()["mean_test_score"])


def test_a_fit_has_the_share_of_threads_that_dask_gives_it(dask_client: Client) -> None:
    """Its nanny sets OMP_NUM_THREADS to 1 before a worker starts: as many fits at once as it has threads."""
    assert set(dask_client.run(fastmlp.get_num_threads).values()) == {1}


def test_errors_are_those_of_this_process(on_dask: Any) -> None:
    broken = fastmlp.MLPClassifier(**(SETTINGS | {"alpha": -1}))
    with on_dask(), pytest.raises(ValueError, match="alpha"):
        cross_val_score(broken, X, LABELS, cv=3, error_score="raise")
