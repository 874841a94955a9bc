"""scikit-learn's tools take the estimators: searches, pipelines, ensembles, metadata routing, callbacks."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import neural_network
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from estimator_tools import (
    FRAME,
    TARGETS,
    TWO,
    Array,
    X,
    assert_same_weights,
    estimator,
    few_epochs,
    kinds,
    outputs,
    quiet_lbfgs,
    solvers,
)

try:
    from sklearn import callback as callbacks
except ImportError:
    callbacks = None  # type: ignore[assignment]

pytestmark = few_epochs


callbacks_needed = pytest.mark.skipif(callbacks is None, reason="this scikit-learn has no callbacks")
WEIGHTS = np.random.RandomState(0).uniform(0.1, 3, 60)


# Searches, pipelines, ensembles


def test_a_search_in_two_processes_finds_what_it_does_in_one() -> None:
    grid = {"hidden_layer_sizes": [(3,), (6,)], "alpha": [1e-4, 1.0]}
    one, two = (GridSearchCV(estimator(), grid, cv=3, n_jobs=n).fit(X, TWO) for n in (1, 2))
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    assert_same_weights(one.best_estimator_, two.best_estimator_)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_cross_validation_on_workers_gives_what_it_does_without(backend: str) -> None:
    without = cross_val_score(estimator(), X, TWO, cv=4)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert_array_equal(cross_val_score(estimator(), X, TWO, cv=4), without)


def test_objects_as_parameters_reach_the_workers() -> None:
    grid = {"solver": [fastmlp.Adam(weight_decay=0.1), "adam"], "learning_rate": [fastmlp.Cosine()]}
    search = GridSearchCV(estimator(), grid, cv=2, n_jobs=2).fit(X, TWO)
    assert repr(search.best_estimator_)
    assert search.score(X, TWO) > 0


@kinds
def test_a_pipeline_fits_and_predicts(kind: str) -> None:
    y = TARGETS[kind]
    pipeline = make_pipeline(StandardScaler(), estimator(kind)).fit(X, y)
    alone = estimator(kind).fit(StandardScaler().fit_transform(X), y)
    assert_array_equal(outputs(pipeline), outputs(alone, StandardScaler().fit_transform(X)))
    assert cross_val_predict(pipeline, X, y, cv=2).shape == y.shape


def test_hidden_features_feed_the_next_step_of_a_pipeline() -> None:
    pipeline = make_pipeline(estimator(max_iter=30), LogisticRegression()).fit(X, TWO)
    assert pipeline.score(X, TWO) > 0.8


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_probabilities_can_be_calibrated(method: str) -> None:
    calibrated = CalibratedClassifierCV(estimator(), method=method, cv=3).fit(X, TWO)
    assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


def test_ensembles_take_the_estimators() -> None:
    stack = StackingClassifier(
        [("ours", estimator()), ("linear", LogisticRegression())], final_estimator=estimator(), cv=2, n_jobs=2
    )
    assert stack.fit(X, TWO).predict_proba(X).shape == (60, 2)
    y = TARGETS["regression"]
    for ensemble in (
        VotingRegressor([("a", estimator("regression")), ("b", estimator("regression", solver="sgd"))]),
        BaggingRegressor(estimator("regression"), n_estimators=2, random_state=0),
    ):
        assert ensemble.fit(X, y).predict(X).shape == (60,)
    assert OneVsRestClassifier(estimator()).fit(X, TARGETS["multiclass"]).predict(X).shape == (60,)


# Metadata routing


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


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
    assert_same_weights(pipeline[-1], alone)


def test_weights_are_routed_through_a_search(routing: None) -> None:
    weighted = estimator().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
    search = GridSearchCV(weighted, {"alpha": [1e-4, 1.0]}, cv=3, scoring=scorer, n_jobs=2)
    search.fit(X, TWO, sample_weight=WEIGHTS)
    best = estimator(**search.best_params_).fit(X, TWO, sample_weight=WEIGHTS)
    assert_same_weights(search.best_estimator_, best)


def test_validation_rows_can_be_routed(routing: None) -> None:
    asked = estimator(early_stopping=True).set_fit_request(X_val=True, y_val=True)
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), asked)
    pipeline.fit(X, TWO, X_val=X[:20], y_val=TWO[:20])
    alone = estimator(early_stopping=True).fit(X, TWO, X_val=X[:20], y_val=TWO[:20])
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
        fitted = estimator(solver=solver, max_iter=50).set_callbacks(recorder).fit(X, TWO)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 3
    assert [name for name, _ in recorder.ended] == ["epoch"] * 3 + ["fit"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert_same_weights(fitted, estimator(solver=solver, max_iter=3).fit(X, TWO))


@callbacks_needed
def test_a_callback_that_stops_leaves_the_weights_of_the_best_score() -> None:
    recorder = Recorder(stop_after=4)
    params = {"early_stopping": True, "validation_fraction": 0.3, "learning_rate_init": 0.1, "batch_size": 10}
    fitted = estimator(max_iter=50, **params).set_callbacks(recorder).fit(X, TWO)
    assert_same_weights(fitted, estimator(max_iter=4, **params).fit(X, TWO))


@callbacks_needed
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_failing_callback_ends_fit_with_its_error_and_is_torn_down(solver: str) -> None:
    class Failing(Recorder):
        def on_fit_task_end(self, estimator: Any, context: Any) -> bool:  # type: ignore[override]
            raise RuntimeError("no more")

    failing = Failing()
    with pytest.raises(RuntimeError, match="no more"):
        estimator(solver=solver).set_callbacks(failing).fit(X, TWO)
    assert not failing.is_set_up
    with pytest.raises(ValueError, match="NaN"):
        estimator().set_callbacks(recorder := Recorder()).fit(X * np.nan, TWO)
    assert not recorder.is_set_up


@callbacks_needed
def test_callbacks_hear_of_an_ensemble_as_a_whole() -> None:
    recorder = Recorder()
    fitted = estimator(n_estimators=2).set_callbacks(recorder).fit(X, TWO)
    assert recorder.begun == ["fit"]
    [(name, predicted)] = recorder.ended
    assert name == "fit"
    assert_array_equal(predicted, outputs(fitted))
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
    fitted = estimator(max_iter=4).set_callbacks(monitor).fit(FRAME, TWO)
    frame = monitor.get_logs().data_as_pandas
    assert list(frame.query("task_name == 'epoch'")["accuracy"])[-1] == fitted.score(FRAME, TWO)
    assert frame["neg_log_loss"].notna().all()


@callbacks_needed
@pytest.mark.parametrize("search_of", [GridSearchCV, fastmlp.GridSearchCV])
def test_scoring_monitor_follows_a_search_into_its_workers(search_of: type[Any]) -> None:
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    search = search_of(estimator(max_iter=3).set_callbacks(monitor), {"alpha": [0.1, 1]}, cv=2, n_jobs=2)
    search.fit(X, TWO)
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
    fitted.set_callbacks(callbacks.ProgressBar()).fit(X, TWO)
    shown = capsys.readouterr().out
    assert "MLPClassifier" in shown or meta == "search"
    assert "100%" in shown


@callbacks_needed
def test_without_callbacks_a_fit_makes_no_copies_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmlp._estimators.callbacks import FitTask

    monkeypatch.setattr(FitTask, "_weights", None)
    monkeypatch.setattr(FitTask, "_begun_epoch", None)
    estimator().fit(X, TWO)
