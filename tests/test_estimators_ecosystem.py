"""The estimators among others: searches, pipelines, workers, tables, files, copies, routing and callbacks."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
import threadpoolctl
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn import neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp

try:
    from sklearn import callback as callbacks
except ImportError:
    callbacks = None  # type: ignore[assignment]

Array = NDArray[Any]

pytestmark = [pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")]
callbacks_needed = pytest.mark.skipif(callbacks is None, reason="this scikit-learn has no callbacks")
HAS_POISSON = "loss" in inspect.signature(neural_network.MLPRegressor).parameters

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
SIGNAL = X @ RNG.normal(size=(4, 3)) + 0.2 * RNG.normal(size=(60, 3))
TARGETS: dict[str, Array] = {
    "binary": np.array(["no", "yes"])[(SIGNAL[:, 0] > 0).astype(int)],
    "multiclass": SIGNAL.argmax(axis=1) * 10,
    "multilabel": (SIGNAL > 0).astype(int),
    "regression": SIGNAL[:, 0],
    "multioutput": SIGNAL[:, :2],
    "poisson": RNG.poisson(np.exp(SIGNAL[:, 0] / 3)),
}
Y = TARGETS["binary"]
NAMES = list("abcd")


def estimator(kind: str = "binary", library: Any = fastmlp, **params: Any) -> Any:
    params = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 1} | params
    if kind == "poisson":
        params["loss"] = "poisson"
    name = "MLPClassifier" if kind in ("binary", "multiclass", "multilabel") else "MLPRegressor"
    return getattr(library, name)(**params)


def outputs(fitted: Any, rows: Any = X) -> Array:
    """Return the finest thing that it predicts."""
    return fitted.predict_proba(rows) if hasattr(fitted, "predict_proba") else fitted.predict(rows)


def weights_of(fitted: Any) -> list[Array]:
    return [np.array(a) for a in (*fitted.coefs_, *fitted.intercepts_)]


def assert_equal_weights(one: Any, other: Any) -> None:
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        assert_array_equal(a, b)


kinds = pytest.mark.parametrize("kind", TARGETS)
solvers = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
quiet_lbfgs = pytest.mark.filterwarnings("ignore:lbfgs failed:sklearn.exceptions.ConvergenceWarning")


# Searches, pipelines, ensembles


def test_a_search_in_two_processes_finds_what_it_does_in_one() -> None:
    grid = {"hidden_layer_sizes": [(3,), (6,)], "alpha": [1e-4, 1.0]}
    one, two = (GridSearchCV(estimator(), grid, cv=3, n_jobs=n).fit(X, Y) for n in (1, 2))
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    assert_equal_weights(one.best_estimator_, two.best_estimator_)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_cross_validation_on_workers_gives_what_it_does_without(backend: str) -> None:
    without = cross_val_score(estimator(), X, Y, cv=4)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert_array_equal(cross_val_score(estimator(), X, Y, cv=4), without)


def test_objects_as_parameters_reach_the_workers() -> None:
    grid = {"solver": [fastmlp.Adam(weight_decay=0.1), "adam"], "learning_rate": [fastmlp.Cosine()]}
    search = GridSearchCV(estimator(), grid, cv=2, n_jobs=2).fit(X, Y)
    assert repr(search.best_estimator_)
    assert search.score(X, Y) > 0


@kinds
def test_a_pipeline_fits_and_predicts(kind: str) -> None:
    y = TARGETS[kind]
    pipeline = make_pipeline(StandardScaler(), estimator(kind)).fit(X, y)
    alone = estimator(kind).fit(StandardScaler().fit_transform(X), y)
    assert_array_equal(outputs(pipeline), outputs(alone, StandardScaler().fit_transform(X)))
    assert cross_val_predict(pipeline, X, y, cv=2).shape == y.shape


def test_hidden_features_feed_the_next_step_of_a_pipeline() -> None:
    pipeline = make_pipeline(estimator(max_iter=30), LogisticRegression()).fit(X, Y)
    assert pipeline.score(X, Y) > 0.8


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_probabilities_can_be_calibrated(method: str) -> None:
    calibrated = CalibratedClassifierCV(estimator(), method=method, cv=3).fit(X, Y)
    assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


def test_ensembles_take_the_estimators() -> None:
    stack = StackingClassifier(
        [("ours", estimator()), ("linear", LogisticRegression())], final_estimator=estimator(), cv=2, n_jobs=2
    )
    assert stack.fit(X, Y).predict_proba(X).shape == (60, 2)
    y = TARGETS["regression"]
    for ensemble in (
        VotingRegressor([("a", estimator("regression")), ("b", estimator("regression", solver="sgd"))]),
        BaggingRegressor(estimator("regression"), n_estimators=2, random_state=0),
    ):
        assert ensemble.fit(X, y).predict(X).shape == (60,)
    assert OneVsRestClassifier(estimator()).fit(X, TARGETS["multiclass"]).predict(X).shape == (60,)


@kinds
def test_a_clone_has_the_parameters_and_nothing_else(kind: str) -> None:
    fitted = estimator(kind, solver=fastmlp.SGD(0.5), dropout=0.1).fit(X, TARGETS[kind])
    cloned = clone(fitted)
    assert repr(cloned) == repr(fitted)
    with pytest.raises(NotFittedError):
        cloned.predict(X)
    assert_equal_weights(cloned.fit(X, TARGETS[kind]), fitted)


# Threads


def test_worker_processes_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    with joblib.parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1):
        assert joblib.Parallel()(joblib.delayed(fastmlp.get_num_threads)() for _ in range(2)) == [1, 1]


def threads_of_a_fit(n_jobs: int | None = None) -> int:
    from fastmlp._estimators import _parameters

    return _parameters.threads(fastmlp.MLPClassifier(n_jobs=n_jobs))


def test_threads_of_joblib_run_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmlp import _threads

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


def test_the_bits_of_a_fit_do_not_depend_on_its_threads(exact_threads: None) -> None:
    fits = [estimator("multiclass", n_jobs=n, hidden_layer_sizes=(40, 30)) for n in (1, 2, 3)]
    first, *others = (fit.fit(X, TARGETS["multiclass"]) for fit in fits)
    for other in others:
        assert_equal_weights(first, other)
        assert first.loss_curve_ == other.loss_curve_


def test_one_fitted_estimator_serves_several_threads() -> None:
    fitted = pickle.loads(pickle.dumps(estimator("multiclass").fit(X, TARGETS["multiclass"])))
    expected = clone(fitted).fit(X, TARGETS["multiclass"]).predict_proba(X)
    with joblib.parallel_config(backend="threading", n_jobs=4):
        for predicted in joblib.Parallel()(joblib.delayed(fitted.predict_proba)(X) for _ in range(16)):
            assert_array_equal(predicted, expected)


# Pickles, copies, files


def by_pickle(fitted: Any, path: Path) -> Any:
    return pickle.loads(pickle.dumps(fitted))


def by_joblib(fitted: Any, path: Path) -> Any:
    joblib.dump(fitted, path / "fitted.joblib")
    return joblib.load(path / "fitted.joblib")


def by_memory_map(fitted: Any, path: Path) -> Any:
    joblib.dump(fitted, path / "fitted.joblib")
    return joblib.load(path / "fitted.joblib", mmap_mode="r")


def by_deepcopy(fitted: Any, path: Path) -> Any:
    return copy.deepcopy(fitted)


def by_copy(fitted: Any, path: Path) -> Any:
    return copy.copy(fitted)


copied = pytest.mark.parametrize("again", [by_pickle, by_joblib, by_memory_map, by_deepcopy, by_copy])
Again = Callable[[Any, Path], Any]


@copied
@kinds
@quiet_lbfgs
@solvers
def test_copies_predict_the_same_bits(solver: str, kind: str, again: Again, tmp_path: Path) -> None:
    fitted = estimator(kind, solver=solver).fit(X, TARGETS[kind])
    copied = again(fitted, tmp_path)
    assert_array_equal(outputs(copied), outputs(fitted))
    assert copied.get_params() == fitted.get_params()
    assert copied.loss_curve_ == fitted.loss_curve_
    assert {n for n in vars(copied) if n.endswith("_")} == {n for n in vars(fitted) if n.endswith("_")}


@copied
@pytest.mark.parametrize(
    "params", [{}, {"solver": "sgd", "learning_rate": "invscaling"}, {"dropout": 0.3}], ids=str
)
def test_a_copy_goes_on_as_its_original(params: dict[str, Any], again: Again, tmp_path: Path) -> None:
    without = estimator(batch_size=20, **params).fit(X, Y)
    for _ in range(3):
        without.partial_fit(X, Y)
    fitted = estimator(batch_size=20, **params).fit(X, Y).partial_fit(X, Y)
    copied = again(fitted, tmp_path)
    for _ in range(2):
        copied.partial_fit(X, Y)
    assert_equal_weights(copied, without)
    assert copied.loss_curve_ == without.loss_curve_
    assert copied.t_ == without.t_
    # and the original has not moved
    assert len(fitted.loss_curve_) == len(fitted.history_) == len(without.loss_curve_) - 2
    for _ in range(2):
        fitted.partial_fit(X, Y)
    assert_equal_weights(fitted, without)


@copied
@quiet_lbfgs
@solvers
def test_training_a_copy_leaves_its_original_alone(solver: str, again: Again, tmp_path: Path) -> None:
    fitted = estimator(solver=solver, warm_start=True).fit(X, Y)
    weights, curve = weights_of(fitted), list(fitted.loss_curve_)
    copied = again(fitted, tmp_path).set_params(max_iter=10)
    copied.fit(X, np.where(Y == "no", "yes", "no"))
    copied.coefs_[0][:] = 0
    assert fitted.loss_curve_ == curve
    for mine, before in zip(weights_of(fitted), weights, strict=True):
        assert_array_equal(mine, before)


@kinds
def test_a_saved_estimator_predicts_the_same_as_a_network(kind: str, tmp_path: Path) -> None:
    table = pd.DataFrame(X, columns=NAMES)
    fitted = estimator(kind).fit(table, TARGETS[kind])
    fitted.save(tmp_path / "model.safetensors")
    network = fastmlp.load(tmp_path / "model.safetensors")
    assert network.feature_names == tuple(NAMES)
    assert_array_equal(network.predict(X), fitted.predict(table))
    if kind in ("binary", "multiclass"):
        assert_array_equal(network.classes, fitted.classes_)
        assert_array_equal(network.predict_proba(X), fitted.predict_proba(table))
    assert_array_equal(network.history["loss"], fitted.loss_curve_)


def test_no_pickle_is_needed_to_read_a_saved_estimator(tmp_path: Path) -> None:
    estimator().fit(X, Y).save(tmp_path / "model.safetensors")
    code = (
        "import sys, pickle; pickle.loads = pickle.load = pickle.Unpickler = None; import fastmlp;"
        "net = fastmlp.load(sys.argv[1]); print(net.classes, 'sklearn' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.safetensors")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["['no'", "'yes']", "False"]


# The user's own weights


@pytest.mark.parametrize("revive", [False, True], ids=["fitted", "unpickled"])
@kinds
def test_weights_changed_in_place_count(kind: str, revive: bool) -> None:
    fitted = estimator(kind).fit(X, TARGETS[kind])
    if revive:
        fitted = pickle.loads(pickle.dumps(fitted))
    for W in fitted.coefs_:
        W[:] = 0
    fitted.intercepts_[-1][:] = 0
    assert_array_equal(outputs(fitted), np.broadcast_to(outputs(fitted)[0], outputs(fitted).shape))
    before = outputs(fitted).copy()
    fitted.intercepts_[-1][0] = 1.0
    assert (outputs(fitted) != before).any()


@pytest.mark.parametrize("how", ["entry", "list", "read-only", "of another type"])
def test_weights_replaced_count(how: str) -> None:
    fitted = estimator("regression").fit(X, TARGETS["regression"])
    W = np.linspace(-1, 1, 20).reshape(4, 5)
    if how == "of another type":
        W = W.astype("float32")
    if how == "read-only":
        W.flags.writeable = False
    if how == "list":
        fitted.coefs_ = [W, fitted.coefs_[1]]
    else:
        fitted.coefs_[0] = W
    hidden = np.maximum(X @ W.astype("float64") + fitted.intercepts_[0], 0)
    expected = (hidden @ fitted.coefs_[1] + fitted.intercepts_[1])[:, 0]
    assert_allclose(fitted.predict(X), expected, rtol=1e-4, atol=1e-5)
    fitted.partial_fit(X, TARGETS["regression"])
    assert np.isfinite(fitted.predict(X)).all()


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_training_goes_on_from_layers_of_another_width(method: str) -> None:
    fitted = estimator(warm_start=True, shuffle=False).fit(X, Y)
    rng = np.random.RandomState(0)
    fitted.coefs_ = [rng.normal(size=(4, 3)), rng.normal(size=(3, 1))]
    fitted.intercepts_ = [np.zeros(3), np.zeros(1)]
    fresh = clone(fitted).set_params(hidden_layer_sizes=(3,)).initialize(X, Y)
    fresh.coefs_, fresh.intercepts_ = copy.deepcopy((fitted.coefs_, fitted.intercepts_))
    for one in (fitted, fresh):
        getattr(one, method)(X, Y)
    assert [W.shape for W in fitted.coefs_] == [(4, 3), (3, 1)]
    assert_equal_weights(fitted, fresh)  # the optimizer's state was that of other weights


def test_layers_made_wider_do_not_crash() -> None:
    code = """
import gc, fastmlp, numpy as np
X = np.random.RandomState(0).normal(size=(60, 4))
for width in (6, 50, 3000):
    wider = fastmlp.MLPClassifier((5,), random_state=0).partial_fit(X, X[:, 0] > 0, classes=[False, True])
    wider.coefs_ = [np.ones((4, width)), np.ones((width, 1))]
    wider.intercepts_ = [np.zeros(width), np.zeros(1)]
    for _ in range(3):
        wider.partial_fit(X, X[:, 0] > 0)
    assert abs(wider.coefs_[0] - 1).max() < 0.1
    del wider
    gc.collect()
"""  # in a process of its own: memory beyond the optimizer's state could be read and written
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("wrong", [np.full((4, 5), np.nan), np.zeros((4, 6)), np.zeros(5), "W"], ids=str)
def test_wrong_weights_are_refused_and_nothing_crashes(wrong: Any) -> None:
    fitted = estimator().fit(X, Y)
    fitted.coefs_[0] = wrong
    with pytest.raises((ValueError, TypeError)):
        fitted.predict(X)


# Tables


class OnlyAnArrowStream:
    """What a library that pyarrow knows nothing of may hand over."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def stream(columns: dict[str, Array]) -> OnlyAnArrowStream:
    return OnlyAnArrowStream(pa.table(columns))


TABLES: dict[str, Callable[[dict[str, Array]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "stream": stream,
}
tables = pytest.mark.parametrize("library", TABLES)


def table_of(library: str, names: list[str] = NAMES, rows: slice = slice(None)) -> Any:
    return TABLES[library]({name: X[rows, NAMES.index(name)] for name in names})


@tables
@pytest.mark.parametrize("kind", ["binary", "multioutput"])
def test_tables_are_read_as_arrays_with_names(kind: str, library: str) -> None:
    y = TARGETS[kind]
    fitted = estimator(kind).fit(table_of(library), y)
    assert_array_equal(fitted.feature_names_in_, NAMES)
    assert fitted.n_features_in_ == 4
    assert_equal_weights(fitted, estimator(kind).fit(X, y))
    assert_array_equal(outputs(fitted, table_of(library)), outputs(estimator(kind).fit(X, y)))
    assert fitted.score(table_of(library), y) == estimator(kind).fit(X, y).score(X, y)
    assert fitted.transform(table_of(library)).shape == (60, 5)


@tables
@pytest.mark.parametrize("method", ["predict", "transform", "partial_fit", "score"])
def test_names_in_another_order_are_refused(method: str, library: str) -> None:
    fitted = estimator().fit(table_of("pandas"), Y)
    arguments = (Y,) if method in ("partial_fit", "score") else ()
    with pytest.raises(ValueError, match="feature names should match"):
        getattr(fitted, method)(table_of(library, list("bacd")), *arguments)
    getattr(fitted, method)(table_of(library), *arguments)


@tables
def test_validation_rows_may_be_a_table(library: str) -> None:
    fitted = estimator(early_stopping=True)
    fitted.fit(table_of(library), Y, X_val=table_of(library, rows=slice(20)), y_val=Y[:20])
    assert len(fitted.validation_scores_) == fitted.n_iter_
    with pytest.raises(ValueError, match="X_val"):
        fitted.fit(table_of(library), Y, X_val=table_of(library, list("abc")), y_val=Y)


def test_arrays_after_tables_warn_as_everywhere() -> None:
    fitted = estimator().fit(table_of("pandas"), Y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)
    assert not hasattr(fitted.fit(X, Y), "feature_names_in_")


@pytest.mark.parametrize(
    "make", [pd.Series, pl.Series, pa.array, list, lambda y: pd.Series(y).astype("category"), pd.DataFrame]
)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_targets_may_be_of_any_library(kind: str, make: Callable[[Any], Any]) -> None:
    y = make(TARGETS[kind])
    if kind == "regression" and getattr(y, "dtype", None) == "category":
        pytest.skip("numbers are no categories")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A column-vector y")  # of the data frame
        fitted = estimator(kind).fit(X, y)
    assert_equal_weights(fitted, estimator(kind).fit(X, TARGETS[kind]))
    assert_array_equal(fitted.predict(X), estimator(kind).fit(X, TARGETS[kind]).predict(X))


@pytest.mark.parametrize(("container", "expected"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_makes_tables_of_hidden_features(container: str, expected: type) -> None:
    fitted = estimator().set_output(transform=container).fit(table_of("pandas"), Y)
    hidden = fitted.transform(table_of("pandas"))
    assert isinstance(hidden, expected)
    assert (
        list(hidden.columns)
        == list(fitted.get_feature_names_out())
        == [f"mlpclassifier{i}" for i in range(5)]
    )
    assert isinstance(fitted.predict(table_of("pandas")), np.ndarray)
    pipeline = make_pipeline(StandardScaler(), estimator("regression")).set_output(transform=container)
    assert isinstance(pipeline.fit(X, TARGETS["regression"]).transform(X), expected)


# Metadata routing


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


WEIGHTS = RNG.uniform(0.1, 3, 60)


@pytest.mark.parametrize(
    "params", [{}, {"early_stopping": True}, {"early_stopping": True, "scoring": "f1_macro"}], ids=str
)
def test_weights_are_routed_through_a_pipeline(routing: None, params: dict[str, Any]) -> None:
    y = TARGETS["multiclass"]
    step = estimator("multiclass", validation_fraction=0.3, **params)
    pipeline = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=False),
        step.set_fit_request(sample_weight=True).set_score_request(sample_weight=False),
    ).fit(X, y, sample_weight=WEIGHTS)
    alone = estimator("multiclass", validation_fraction=0.3, **params)
    alone.fit(StandardScaler().fit_transform(X), y, sample_weight=WEIGHTS)
    assert_equal_weights(pipeline[-1], alone)


def test_weights_are_routed_through_a_search(routing: None) -> None:
    weighted = estimator().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
    search = GridSearchCV(weighted, {"alpha": [1e-4, 1.0]}, cv=3, scoring=scorer, n_jobs=2)
    search.fit(X, Y, sample_weight=WEIGHTS)
    best = estimator(**search.best_params_).fit(X, Y, sample_weight=WEIGHTS)
    assert_equal_weights(search.best_estimator_, best)


def test_validation_rows_can_be_routed(routing: None) -> None:
    asked = estimator(early_stopping=True).set_fit_request(X_val=True, y_val=True)
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), asked)
    pipeline.fit(X, Y, X_val=X[:20], y_val=Y[:20])
    alone = estimator(early_stopping=True).fit(X, Y, X_val=X[:20], y_val=Y[:20])
    assert pipeline[-1].validation_scores_ == alone.validation_scores_


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_requests_can_be_made_as_of_theirs(name: str) -> None:
    for request in ("set_fit_request", "set_partial_fit_request", "set_score_request"):
        if hasattr(getattr(neural_network, name), request):
            theirs = inspect.signature(getattr(getattr(neural_network, name)(), request)).parameters
            assert set(theirs) <= set(
                inspect.signature(getattr(getattr(fastmlp, name)(), request)).parameters
            )


# Callbacks


class Recorder:
    """Hears of every task; stops training at the end of one epoch."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.begun: list[str] = []
        self.ended: list[tuple[str, Array | None]] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.is_set_up = True

    def teardown(self, estimator: Any, context: Any) -> None:
        self.is_set_up = False

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.begun.append(context.task_name)

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> bool:
        self.ended.append(
            (context.task_name, None if fitted_estimator is None else outputs(fitted_estimator, X))
        )
        return [name for name, _ in self.ended].count("epoch") == self.stop_after


@callbacks_needed
@kinds
@quiet_lbfgs
@solvers
def test_callbacks_hear_of_each_epoch_and_may_predict(solver: str, kind: str) -> None:
    recorder = Recorder()
    y = TARGETS[kind]
    fitted = estimator(kind, solver=solver).set_callbacks(recorder).fit(X, y)
    epochs = [outputs for name, outputs in recorder.ended if name == "epoch" and outputs is not None]
    assert recorder.begun[0] == recorder.ended[-1][0] == "fit"
    assert len(epochs) == fitted.n_iter_
    assert_array_equal(epochs[-1], outputs(fitted))
    assert_array_equal(recorder.ended[-1][1], outputs(fitted))
    shorter = estimator(kind, solver=solver, max_iter=2).fit(X, y)
    assert_allclose(epochs[1], outputs(shorter), rtol=1e-12)
    assert not recorder.is_set_up


@callbacks_needed
@quiet_lbfgs
@solvers
def test_a_callback_that_returns_true_stops_training(solver: str) -> None:
    recorder = Recorder(stop_after=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # it was stopped, it did not run out of epochs
        fitted = estimator(solver=solver, max_iter=50).set_callbacks(recorder).fit(X, Y)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 3
    assert [name for name, _ in recorder.ended] == ["epoch"] * 3 + ["fit"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert_equal_weights(fitted, estimator(solver=solver, max_iter=3).fit(X, Y))


@callbacks_needed
def test_a_callback_that_stops_leaves_the_weights_of_the_best_score() -> None:
    recorder = Recorder(stop_after=4)
    params = {"early_stopping": True, "validation_fraction": 0.3, "learning_rate_init": 0.1, "batch_size": 10}
    fitted = estimator(max_iter=50, **params).set_callbacks(recorder).fit(X, Y)
    assert_equal_weights(fitted, estimator(max_iter=4, **params).fit(X, Y))


@callbacks_needed
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_failing_callback_ends_fit_with_its_error_and_is_torn_down(solver: str) -> None:
    class Failing(Recorder):
        def on_fit_task_end(self, estimator: Any, context: Any) -> bool:  # type: ignore[override]
            raise RuntimeError("no more")

    failing = Failing()
    with pytest.raises(RuntimeError, match="no more"):
        estimator(solver=solver).set_callbacks(failing).fit(X, Y)
    assert not failing.is_set_up
    with pytest.raises(ValueError, match="NaN"):
        estimator().set_callbacks(recorder := Recorder()).fit(X * np.nan, Y)
    assert not recorder.is_set_up


@callbacks_needed
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
def test_scoring_monitor_logs_the_score_of_each_epoch(kind: str, weighted: bool) -> None:
    y = TARGETS[kind]
    keywords = {"sample_weight": WEIGHTS} if weighted else {}
    name = "r2" if kind == "regression" else "accuracy"
    monitor = callbacks.ScoringMonitor(scoring=name)
    fitted = estimator(kind).set_callbacks(monitor).fit(X, y, **keywords)
    log = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(log) == fitted.n_iter_
    assert log[-1][name] == pytest.approx(fitted.score(X, y, **keywords), rel=1e-12)
    three = estimator(kind, max_iter=3).fit(X, y, **keywords)
    assert log[2][name] == pytest.approx(three.score(X, y, **keywords), rel=1e-12)


@callbacks_needed
def test_scoring_monitor_works_with_tables_and_several_scores() -> None:
    monitor = callbacks.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    fitted = estimator(max_iter=4).set_callbacks(monitor).fit(table_of("pandas"), Y)
    frame = monitor.get_logs().data_as_pandas
    assert list(frame.query("task_name == 'epoch'")["accuracy"])[-1] == fitted.score(table_of("pandas"), Y)
    assert frame["neg_log_loss"].notna().all()


@callbacks_needed
def test_scoring_monitor_follows_a_search_into_its_workers() -> None:
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    search = GridSearchCV(estimator(max_iter=3).set_callbacks(monitor), {"alpha": [0.1, 1]}, cv=2, n_jobs=2)
    search.fit(X, Y)
    log = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(log) == (2 * 2 + 1) * 3


@callbacks_needed
@quiet_lbfgs
@pytest.mark.parametrize("meta", ["alone", "pipeline", "search"])
@pytest.mark.parametrize(
    "params", [{}, {"solver": "lbfgs"}, {"tol": 1, "n_iter_no_change": 1, "max_iter": 30}], ids=str
)
def test_progress_bar_shows_a_fit_to_its_end(
    params: dict[str, Any], meta: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    fitted: Any = estimator(**params)
    if meta == "pipeline":
        fitted = make_pipeline(StandardScaler(), fitted)
    elif meta == "search":
        fitted = GridSearchCV(fitted, {"alpha": [0.1, 1]}, cv=2)
    fitted.set_callbacks(callbacks.ProgressBar()).fit(X, Y)
    shown = capsys.readouterr().out
    assert "MLPClassifier" in shown or meta == "search"
    assert "100%" in shown


@callbacks_needed
def test_without_callbacks_a_fit_makes_no_copies_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmlp._estimators import _callbacks

    monkeypatch.setattr(_callbacks.FitTask, "_weights", None)
    monkeypatch.setattr(_callbacks.FitTask, "_begun_epoch", None)
    estimator().fit(X, Y)


# From and to scikit-learn


@kinds
@quiet_lbfgs
@solvers
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_theirs_become_ours_and_theirs_again(kind: str, solver: str, dtype: str) -> None:
    if kind == "poisson" and not HAS_POISSON:
        pytest.skip("this scikit-learn has no Poisson loss")
    rows, y = X.astype(dtype), TARGETS[kind]
    theirs = estimator(kind, neural_network, solver=solver, activation="tanh").fit(rows, y)
    ours = type(estimator(kind)).from_sklearn(theirs)
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-12}
    again = ours.to_sklearn()
    assert type(again) is type(theirs)
    for converted in (ours, again):
        assert_allclose(outputs(converted, rows), outputs(theirs, rows), **tolerance)
        assert converted.score(rows, y) == pytest.approx(theirs.score(rows, y), rel=1e-4)
    assert again.get_params() == theirs.get_params()
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "loss_", "n_features_in_"):
        assert getattr(ours, name) == getattr(again, name) == getattr(theirs, name)
    before = outputs(theirs, rows)
    ours.coefs_[0][:] = 0
    again.coefs_[0][:] = 1
    assert_array_equal(outputs(theirs, rows), before)


@kinds
@quiet_lbfgs
@solvers
def test_ours_become_theirs(kind: str, solver: str) -> None:
    if kind == "poisson" and not HAS_POISSON:
        pytest.skip("this scikit-learn has no Poisson loss")
    table = table_of("pandas")
    ours = estimator(kind, solver=solver, early_stopping=solver == "adam").fit(table, TARGETS[kind])
    theirs = ours.to_sklearn()
    assert type(theirs).__module__.startswith("sklearn.neural_network")
    assert_array_equal(theirs.feature_names_in_, NAMES)
    assert_allclose(outputs(theirs, table), outputs(ours, table), rtol=1e-10, atol=1e-12)
    assert theirs.predict(table).shape == ours.predict(table).shape
    assert theirs.get_params() == {n: v for n, v in ours.get_params().items() if n in theirs.get_params()}


def test_one_class_and_no_hidden_layer_are_converted() -> None:
    for ours in (estimator().fit(X, np.full(60, "yes")), estimator(hidden_layer_sizes=()).fit(X, Y)):
        theirs = ours.to_sklearn()
        assert theirs.get_params()["activation"] == "relu"
        assert_array_equal(theirs.predict(X), ours.predict(X))
        back = fastmlp.MLPClassifier.from_sklearn(theirs)
        assert_array_equal(back.predict_proba(X), ours.predict_proba(X))


@kinds
def test_a_converted_estimator_can_do_all_that_a_fitted_one_can(kind: str, tmp_path: Path) -> None:
    if kind == "poisson" and not HAS_POISSON:
        pytest.skip("this scikit-learn has no Poisson loss")
    y = TARGETS[kind]
    theirs = estimator(kind, neural_network).fit(X, y)
    ours = type(estimator(kind)).from_sklearn(theirs)
    assert ours.transform(X).shape == (60, 5)
    ours.save(tmp_path / "model.safetensors")
    assert_array_equal(fastmlp.load(tmp_path / "model.safetensors").predict(X), ours.predict(X))
    assert_array_equal(pickle.loads(pickle.dumps(ours)).predict(X), ours.predict(X))
    assert copy.deepcopy(ours).early_stopped_ is False
    pytest.importorskip("matplotlib").use("agg")
    ours.loss_curve_plot()


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
@quiet_lbfgs
@solvers
def test_training_goes_on_after_conversion(solver: str, kind: str) -> None:
    y = TARGETS[kind]
    params = {"solver": solver, "warm_start": True}
    theirs = estimator(kind, neural_network, **params).fit(X, y)
    ours = type(estimator(kind)).from_sklearn(theirs).fit(X, y)
    again = type(estimator(kind)).from_sklearn(theirs).to_sklearn().fit(X, y)
    theirs.fit(X, y)
    for converted in (ours, again):
        for mine, expected in zip(weights_of(converted), weights_of(theirs), strict=True):
            assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@quiet_lbfgs
def test_partial_fit_goes_on_after_conversion(solver: str) -> None:
    theirs = estimator("binary", neural_network, solver=solver).fit(X, Y)
    ours = fastmlp.MLPClassifier.from_sklearn(theirs).set_params(solver="adam")
    before = ours.score(X, Y)
    for _ in range(20):
        ours.partial_fit(X, Y)
    assert ours.score(X, Y) >= before
    again = fastmlp.MLPClassifier.from_sklearn(theirs).to_sklearn().set_params(solver="adam")
    if solver != "lbfgs":  # after which theirs cannot either
        again.partial_fit(X, Y)


def test_what_scikit_learn_does_not_have_is_refused() -> None:
    regression = TARGETS["regression"]
    for ours, name in (
        (estimator(activation="gelu").fit(X, Y), "activation"),
        (estimator(loss="hinge").fit(X, Y), "loss"),
        (estimator(activation=["relu", "tanh"], hidden_layer_sizes=(3, 3)).fit(X, Y), "activation"),
        (estimator("regression", loss="huber").fit(X, regression), "loss"),
        (estimator("regression", loss="quantile", quantiles=(0.1, 0.9)).fit(X, regression), "loss"),
    ):
        with pytest.raises(ValueError, match=f"scikit-learn has no network with {name}"):
            ours.to_sklearn()


def test_what_only_training_needs_is_left_out_of_theirs() -> None:
    ours = estimator(
        solver=fastmlp.Adam(), learning_rate=fastmlp.Cosine(), dropout=0.1, activation=["tanh"], n_jobs=1
    ).fit(X, Y)
    theirs = ours.to_sklearn()
    assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-10)
    assert theirs.get_params()["activation"] == "tanh"
    theirs.fit(X, Y)


def test_wrong_objects_are_not_converted() -> None:
    with pytest.raises(TypeError, match="MLPClassifier"):
        fastmlp.MLPClassifier.from_sklearn(neural_network.MLPRegressor())
    with pytest.raises(NotFittedError):
        fastmlp.MLPClassifier.from_sklearn(neural_network.MLPClassifier())
    with pytest.raises(NotFittedError):
        fastmlp.MLPRegressor().to_sklearn()


def test_importing_fastmlp_does_not_import_scikit_learn() -> None:
    code = (
        "import sys, fastmlp; dir(fastmlp); print('sklearn' in sys.modules, 'MLPClassifier' in dir(fastmlp))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_pickle_names_the_public_class() -> None:
    buffer = io.BytesIO()
    pickle.dump(estimator().fit(X, Y), buffer, protocol=0)
    assert b"fastmlp\nMLPClassifier" in buffer.getvalue()
    assert fastmlp.MLPClassifier.__module__ == "fastmlp"
