"""What a reviewer of the estimators found: crashes, silent mistakes, promises not kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.metrics import make_scorer
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._estimators import _fitted

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X, Y, V = rng.normal(size=(60, 5)), rng.integers(0, 3, 60), rng.normal(size=60)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}


def weights(estimator: Any) -> np.ndarray:
    return np.concatenate([part.ravel() for part in (*estimator.coefs_, *estimator.intercepts_)])


LINEAR: dict[str, Any] = {"hidden_layer_sizes": (), "learning_rate_init": 0.1}


@parametrize_with_checks([MLPClassifier(**LINEAR), MLPRegressor(**LINEAR)])
def test_linear_models_pass_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


# ------------------------------------------------------------------------------------------------ sparse data


def broken(kind: str, name: str, values: Any) -> Any:
    matrix = scipy.sparse.random(60, 5, 0.5, kind, random_state=0)
    getattr(matrix, name)[values[0]] = values[1]
    return matrix


BROKEN = [
    ("csc", "indices", (slice(None), 10**8)),
    ("csc", "indptr", (2, 10**7)),
    ("csr", "indptr", (30, 10**7)),
    ("csr", "indptr", (30, -(10**7))),
    ("csr", "indices", (3, -5)),
    ("coo", "row", (0, 10**8)),
]


READERS = {
    "fit": lambda e, A: e.fit(A, Y),
    "early stopping": lambda e, A: e.set_params(early_stopping=True).fit(A, Y),
    "partial_fit": lambda e, A: e.partial_fit(A, Y, classes=[0, 1, 2]),
    "predict": lambda e, A: e.fit(X, Y).predict(A),
    "transform": lambda e, A: e.fit(X, Y).transform(A),
    "X_val": lambda e, A: e.fit(X, Y, X_val=A, y_val=Y),
    "train": lambda e, A: fastmlp.train(A, Y, epochs=1),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_malformed_sparse_matrices_are_refused(case: Any, reader: str) -> None:
    with pytest.raises(ValueError, match=r"X.* is not a valid sparse matrix"):
        READERS[reader](MLPClassifier(**SMALL), broken(*case))


def test_a_malformed_sparse_y_is_refused() -> None:
    y = scipy.sparse.csc_matrix(rng.integers(0, 2, (60, 3)))
    y.indices[:] = 10**8
    with pytest.raises(ValueError, match="y is not a valid sparse matrix"):
        MLPClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="y is not a valid sparse matrix"):
        fastmlp.train(X, y, epochs=1)


def test_a_conversion_keeps_sparse_labels_sparse() -> None:
    y = scipy.sparse.csr_matrix(rng.integers(0, 2, (60, 3)))
    ours = MLPClassifier(**SMALL).fit(X, y)
    theirs = ours.to_sklearn().predict(X)
    assert scipy.sparse.issparse(theirs)
    assert (theirs != ours.predict(X)).nnz == 0


# ------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("name", ["learning_rate_init", "power_t", "alpha", "tol", "momentum"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numbers_may_be_numpys(name: str, kind: Any) -> None:
    options = SMALL | {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 8}
    plain = MLPClassifier(**options).set_params(**{name: 0.25}).fit(X, Y)
    estimator = MLPClassifier(**options).set_params(**{name: kind(0.25)}).fit(X, Y)
    assert estimator.n_iter_ == 8
    np.testing.assert_array_equal(weights(estimator), weights(plain))


@pytest.mark.parametrize(
    "more",
    [{"dropout": 0.5}, {"clip_norm": 1.0}, {"learning_rate": fastmlp.Cosine()}],
    ids=lambda m: next(iter(m)),
)
def test_lbfgs_refuses_what_it_would_ignore(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="solver='lbfgs'"):
        MLPRegressor(**SMALL, solver="lbfgs", **more).fit(X, V)


def test_weights_of_labels_that_are_not_there_do_not_matter() -> None:
    some = MLPClassifier(**SMALL, class_weight={0: 1.0, 1: 2.0, 2: 1.0, 3: 50.0}).fit(X, Y)
    same = MLPClassifier(**SMALL, class_weight={1: 2.0}).fit(X, Y)
    np.testing.assert_array_equal(weights(some), weights(same))


def test_negative_class_weights_of_multi_label_targets_are_refused() -> None:
    y = rng.integers(0, 2, (60, 2))
    with pytest.raises(ValueError, match="class_weight must be at least 0"):
        MLPClassifier(**SMALL, class_weight=[{0: -1.0, 1: 2.0}, {0: 1.0, 1: 1.0}]).fit(X, y)


@pytest.mark.parametrize("scoring", [make_scorer(lambda a, b: float((a == b).mean())), "accuracy"])
def test_a_metric_without_weights_is_measured_without(scoring: Any) -> None:
    estimator = MLPClassifier(**SMALL, early_stopping=True, scoring=scoring)
    assert len(estimator.fit(X, Y, sample_weight=np.ones(60)).validation_scores_) == 5


# ------------------------------------------------------------------------------------------ refused and begun


def test_a_refused_warm_start_leaves_the_optimizer_alone() -> None:
    estimators = [MLPClassifier(**SMALL).fit(X, Y) for _ in range(2)]
    with pytest.raises(ValueError, match="learning_rate_init must be at least"):
        estimators[0].set_params(warm_start=True, learning_rate_init=1e-320).fit(X, Y)
    estimators[0].set_params(warm_start=False, learning_rate_init=0.001)
    a, b = (weights(e.partial_fit(X, Y)) for e in estimators)
    np.testing.assert_array_equal(a, b)


def test_a_refused_partial_fit_after_initialize_changes_nothing() -> None:
    estimators = [MLPClassifier(**SMALL, batch_size=9).initialize(X, Y) for _ in range(2)]
    with pytest.raises(ValueError, match="NaN"):
        estimators[0].partial_fit(X * np.nan, Y)
    a, b = (weights(e.partial_fit(X, Y)) for e in estimators)
    np.testing.assert_array_equal(a, b)


def test_fit_after_initialize_is_fit() -> None:
    estimator = MLPClassifier(**SMALL).initialize(X, Y)
    np.testing.assert_array_equal(weights(estimator.fit(X, Y)), weights(MLPClassifier(**SMALL).fit(X, Y)))


def test_runs_that_were_measured_and_not_can_be_converted() -> None:
    estimator = MLPClassifier(**SMALL, warm_start=True).fit(X, Y).fit(X, Y, X_val=X, y_val=Y)
    history = MLPClassifier.from_sklearn(estimator.to_sklearn()).history_["validation_score"]
    assert np.isnan(history[:5]).all()
    np.testing.assert_array_equal(history[5:], estimator.validation_scores_)


# ---------------------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform"])
def test_predictions_run_on_as_many_threads_as_training(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    estimator = MLPClassifier(**SMALL, n_jobs=1).fit(X, Y)
    run = fastmlp.Network._forward_on
    monkeypatch.setattr(
        _fitted.Network, "_forward_on", lambda net, n, X: (asked.append(n), run(net, n, X))[1]
    )
    getattr(estimator, method)(X)
    assert asked == [1]


def test_minus_one_is_all_that_openmp_allows() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    from fastmlp._estimators import _parameters

    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert _parameters.threads(MLPClassifier(n_jobs=-1)) == 1


@pytest.mark.parametrize("matrix", [X, scipy.sparse.csr_matrix(X)], ids=["dense", "sparse"])
def test_the_last_layer_of_a_linear_model_is_x(matrix: Any) -> None:
    estimator = MLPClassifier((), max_iter=2).fit(matrix, Y)
    np.testing.assert_array_equal(estimator.transform(matrix), X)
    assert len(estimator.get_feature_names_out()) == 5
