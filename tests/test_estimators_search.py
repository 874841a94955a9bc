"""GridSearchCV and RandomizedSearchCV: scikit-learn's results, all fits trained in one call of the core."""

from __future__ import annotations

import _thread
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from scipy import sparse
from scipy.stats import loguniform
from sklearn import linear_model, model_selection
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from estimator_tools import (
    COUNTS,
    FRAME,
    MANY,
    PAIRS,
    THREE,
    TWO,
    VALUES,
    X,
    assert_same_weights,
    heard,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._estimators import fitting

pytestmark = unfinished_fits

RATES = {"learning_rate_init": [0.01, 0.1]}
WIDTHS = {"hidden_layer_sizes": [(3,), (5, 4)]}
WEIGHTS = np.random.default_rng(1).uniform(0.1, 3, 60)
GROUPS = np.arange(60) % 7

Fitted = tuple[Any, Any]


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many networks each call of the core has trained together."""
    counts: list[int] = []

    def counted(runs: Any, *arguments: Any) -> Any:
        counts.append(len(runs))
        return run_many(runs, *arguments)

    run_many = fitting.run_many
    monkeypatch.setattr(fitting, "run_many", counted)
    return counts


def small(make: type[Any] = MLPClassifier, **options: Any) -> Any:
    return make(**{"hidden_layer_sizes": (4,), "max_iter": 6, "random_state": 3} | options)


def both(
    estimator: Any, grid: Any, X: Any = X, y: Any = THREE, *,
    fit: dict[str, Any] | None = None, **options: Any,
) -> Fitted:  # fmt: skip
    """Return our search and scikit-learn's, fitted; they must warn of the same."""
    options = {"cv": 3} | options
    searches = [library.GridSearchCV(estimator, grid, **options) for library in (fastmlp, model_selection)]
    said = [heard(lambda s=s: s.fit(X, y, **fit or {})) for s in searches]
    ours, theirs = (  # tracebacks differ
        sorted((kind.__name__, text.partition("Below")[0]) for kind, text in each) for each in said
    )
    assert ours == theirs
    return searches[0], searches[1]


def assert_same_search(ours: Any, theirs: Any, X: Any = X) -> None:
    """Compare all results but times, and what was fitted on all rows."""
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()
    for name, expected in theirs.cv_results_.items():
        mine = ours.cv_results_[name]
        if name == "params":
            assert list(map(repr, mine)) == list(map(repr, expected))
            continue
        assert (mine.shape, mine.dtype) == (expected.shape, expected.dtype), name
        if "time" in name:
            assert (mine >= 0).all(), name
        elif name.startswith("param_"):
            assert list(map(repr, mine)) == list(map(repr, expected))
        else:
            assert_array_equal(mine, expected, err_msg=name)
    for name in ("n_splits_", "multimetric_", "best_index_", "best_score_"):
        assert_array_equal(getattr(ours, name, None), getattr(theirs, name, None), err_msg=name)
    assert repr(getattr(ours, "best_params_", None)) == repr(getattr(theirs, "best_params_", None))
    if theirs.refit:
        assert_array_equal(ours.predict(X), theirs.predict(X))
        assert type(ours.best_estimator_) is type(theirs.best_estimator_)
        assert ours.refit_time_ > 0
    assert {name for name in vars(ours) if name.endswith("_")} == {
        name for name in vars(theirs) if name.endswith("_")
    }


CLASSIFIERS: dict[str, tuple[dict[str, Any], Any]] = {
    "adam": ({}, THREE),
    "sgd": ({"solver": "sgd", "learning_rate": "invscaling"}, THREE),
    "adaptive": ({"solver": "sgd", "learning_rate": "adaptive", "max_iter": 40}, TWO),
    "lbfgs": ({"solver": "lbfgs"}, TWO),
    "early stopping": ({"early_stopping": True, "max_iter": 40}, THREE),
    "early stopping of two": ({"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40}, TWO),
    "early stopping by a metric": ({"early_stopping": True, "scoring": "balanced_accuracy"}, THREE),
    "dropout": ({"dropout": 0.3}, THREE),
    "batches": ({"batch_size": 7, "shuffle": False}, THREE),
    "a batch too large": ({"batch_size": 50}, THREE),
    "class weights": ({"class_weight": "balanced"}, THREE),
    "hinge": ({"loss": "hinge"}, TWO),
    "multi-label": ({}, MANY),
    "converging": ({"solver": "lbfgs", "alpha": 10, "max_iter": 400}, THREE),
    "several networks": ({"n_estimators": 3}, THREE),
    "a generator": ({"random_state": np.random.RandomState(5)}, THREE),
    "warm start": ({"warm_start": True}, THREE),
    "an optimizer": ({"solver": fastmlp.RMSprop(), "learning_rate": fastmlp.Cosine()}, THREE),
}

REGRESSORS: dict[str, tuple[dict[str, Any], Any]] = {
    "adam": ({}, VALUES),
    "two outputs": ({"solver": "sgd"}, PAIRS),
    "lbfgs": ({"solver": "lbfgs"}, VALUES),
    "early stopping": ({"early_stopping": True, "max_iter": 40}, PAIRS),
    "poisson": ({"loss": "poisson"}, COUNTS),
    "huber": ({"loss": "huber"}, VALUES),
    "quantiles": ({"loss": "quantile", "quantiles": (0.1, 0.5, 0.8)}, VALUES),
    "whole numbers": ({}, COUNTS),
}


@pytest.mark.parametrize("case", CLASSIFIERS)
def test_a_classifier_is_searched_as_by_scikit_learn(case: str, together: list[int]) -> None:
    options, y = CLASSIFIERS[case]
    ours, theirs = both(small(**options), WIDTHS, y=y)
    assert_same_search(ours, theirs)
    assert together[0] == 2 * 3 * options.get("n_estimators", 1)


@pytest.mark.parametrize("case", REGRESSORS)
def test_a_regressor_is_searched_as_by_scikit_learn(case: str, together: list[int]) -> None:
    options, y = REGRESSORS[case]
    ours, theirs = both(small(MLPRegressor, **options), WIDTHS, y=y)
    assert_same_search(ours, theirs)
    assert together == [6]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    "rows", [X.astype(np.float32), FRAME, X.tolist(), sparse.csr_array(X), sparse.coo_matrix(X)],
    ids=["float32", "frame", "list", "csr", "coo"],
)  # fmt: skip
def test_rows_of_any_kind_are_read_once(
    rows: Any, early_stopping: bool, solver: str, together: list[int]
) -> None:
    ours, theirs = both(small(solver=solver, early_stopping=early_stopping), RATES, rows)
    assert_same_search(ours, theirs, rows)
    assert together == [6]
    assert getattr(ours, "feature_names_in_", None) is getattr(theirs, "feature_names_in_", None) or list(
        ours.feature_names_in_
    ) == list(theirs.feature_names_in_)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("scoring", [None, ["accuracy", "neg_log_loss"]])
def test_weights_of_rows_go_into_fits_and_scores(
    scoring: Any, early_stopping: bool, solver: str, together: list[int]
) -> None:
    estimator = small(solver=solver, early_stopping=early_stopping, class_weight={0: 2.0, 1: 1.0, 2: 0.5})
    refit = True if scoring is None else "accuracy"
    ours, theirs = both(estimator, RATES, scoring=scoring, refit=refit, fit={"sample_weight": WEIGHTS})
    assert_same_search(ours, theirs)
    assert together == [6]
    assert_same_weights(ours.best_estimator_, theirs.best_estimator_)


class _Generator:
    """A splitter whose splits differ from call to call."""

    def __init__(self) -> None:
        self.random = np.random.RandomState(2)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        return 2

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        for _ in range(2):
            order = self.random.permutation(len(X))
            yield order[:40], order[40:]


def _masks() -> list[tuple[Any, Any]]:
    return [(np.arange(60) % 3 != part, np.arange(60) % 3 == part) for part in range(3)]


def _repeated() -> list[tuple[Any, Any]]:
    draws = np.random.default_rng(0).integers(0, 60, (2, 60))
    return [(draw, np.setdiff1d(np.arange(60), draw)) for draw in draws]


@pytest.mark.parametrize(
    ("cv", "fit"),
    [
        (lambda: 4, {}),
        (lambda: model_selection.KFold(3, shuffle=True, random_state=np.random.RandomState(4)), {}),
        (lambda: model_selection.GroupKFold(3), {"groups": GROUPS}),
        (lambda: model_selection.LeaveOneGroupOut(), {"groups": GROUPS}),
        (lambda: model_selection.ShuffleSplit(3, random_state=0), {}),
        (lambda: model_selection.RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0), {}),
        (_Generator, {}),
        (_masks, {}),
        (_repeated, {}),
        (lambda: iter(_repeated()), {}),
        (lambda: [(np.arange(-40, 0), np.arange(20))], {}),
    ],
    ids=[
        "folds", "shuffled", "groups", "a group out", "shuffles", "repeats", "own", "masks", "drawn",
        "iterator", "from the end",
    ],
)  # fmt: skip
def test_any_splitter_gives_the_same_results(
    cv: Callable[[], Any], fit: dict[str, Any], together: list[int]
) -> None:
    estimator = small(early_stopping=True, class_weight="balanced")
    found = [
        library.GridSearchCV(estimator, RATES, cv=cv()).fit(X, THREE, **fit)
        for library in (fastmlp, model_selection)
    ]
    assert_same_search(*found)
    assert sum(together) == 2 * found[0].n_splits_ or found[0].n_splits_ == 1


def _two_scores(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    return {"hits": float(np.sum(estimator.predict(X) == y)), "first": float(estimator.predict(X)[0])}


@pytest.mark.parametrize(
    "options",
    [
        {"return_train_score": True},
        {"scoring": "f1_macro", "return_train_score": True},
        {"scoring": ["accuracy", "f1_macro"], "refit": "f1_macro", "return_train_score": True},
        {"scoring": {"a": "accuracy", "b": make_scorer(mean_absolute_error)}, "refit": False},
        {"scoring": _two_scores, "refit": "hits"},
        {"refit": lambda results: 0},
        {"refit": False},
    ],
    ids=["train", "one", "several", "no refit", "callable", "chosen", "alone"],
)
def test_scores_of_any_kind_are_scikit_learns(options: dict[str, Any], together: list[int]) -> None:
    ours, theirs = both(small(), RATES, **options)
    assert_same_search(ours, theirs)
    assert together == [6]


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_the_number_of_threads_changes_nothing(n_jobs: int, together: list[int]) -> None:
    distributions = {
        "learning_rate_init": loguniform(1e-3, 1e-1),
        "hidden_layer_sizes": [(3,), (20,), (9, 9)],
    }
    options = {"n_iter": 5, "random_state": 4, "cv": 3}
    ours = fastmlp.RandomizedSearchCV(small(), distributions, n_jobs=n_jobs, **options).fit(X, THREE)
    theirs = model_selection.RandomizedSearchCV(small(), distributions, **options).fit(X, THREE)
    assert_same_search(ours, theirs)
    assert together == [15]


# What fails


@pytest.mark.parametrize("error_score", [np.nan, -1.0])
def test_a_candidate_that_fails_gets_the_error_score(error_score: float, together: list[int]) -> None:
    grid = [{"learning_rate_init": [0.01, -1.0]}, {"activation": ["tanh", "none"], "batch_size": [10, 0]}]
    ours, theirs = both(small(), grid, error_score=error_score)
    assert_same_search(ours, theirs)
    assert together == [2 * 3]


@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore:.*fits failed", "ignore:One or more of the test"
)
def test_a_fit_that_diverges_fails_alone(together: list[int]) -> None:
    estimator = small(MLPRegressor, solver="sgd", max_iter=60)
    grid = {"learning_rate_init": [1e-3, 1e3]}
    ours, theirs = both(estimator, grid, y=VALUES)
    assert_same_search(ours, theirs)
    assert np.isnan(ours.cv_results_["mean_test_score"][1])
    assert together == [6]


def test_an_error_is_raised_where_that_is_wanted() -> None:
    search = fastmlp.GridSearchCV(small(), {"learning_rate_init": [0.01, -1.0]}, error_score="raise")
    with pytest.raises(ValueError, match="learning_rate_init must be greater than 0"):
        search.fit(X, THREE)


def test_all_fits_failing_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"All the 10 fits failed[\s\S]*alpha must be at least 0"):
        fastmlp.GridSearchCV(small(), {"alpha": [-1.0, -2.0]}).fit(X, THREE)


def test_a_parameter_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        fastmlp.GridSearchCV(small(), {"depth": [1]}).fit(X, THREE)


def test_an_early_stopping_metric_that_fails_ends_its_own_fit_alone(together: list[int]) -> None:
    estimator = small(early_stopping=True, scoring="roc_auc")  # which is for two classes alone
    grid = {"scoring": [None, "roc_auc"]}
    ours, theirs = both(estimator, grid)
    assert_same_search(ours, theirs)
    assert together == [6]


def test_warnings_as_errors_fail_the_fits_that_warn(together: list[int]) -> None:
    found = []
    for library in (fastmlp, model_selection):
        estimator = small(solver="lbfgs", alpha=10.0)
        search = library.GridSearchCV(estimator, {"max_iter": [2, 400]}, cv=3, error_score=-1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            warnings.simplefilter("ignore", FitFailedWarning)
            found.append(search.fit(X, THREE))
    assert_same_search(*found)
    assert (found[0].cv_results_["mean_test_score"][0] == -1.0).all()


# What scikit-learn's loop trains itself


def _left(case: str) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
    """Return the estimator, its grid, X, y and arguments of fit."""
    fit: dict[str, Any] = {}
    estimator, grid, rows, y = small(), RATES, X, THREE
    if case == "a pipeline":
        estimator = make_pipeline(StandardScaler(), estimator)
        grid = {f"mlpclassifier__{name}": values for name, values in RATES.items()}
    elif case == "another estimator":
        estimator, grid = linear_model.LogisticRegression(), {"C": [0.1, 1.0]}
    elif case == "a subclass":
        estimator = type("Own", (MLPClassifier,), {})(hidden_layer_sizes=(3,), max_iter=4, random_state=0)
    elif case == "the user's own scorer":
        estimator = small(early_stopping=True, scoring=make_scorer(mean_absolute_error))
    elif case == "validation rows":
        fit = {"X_val": X[:15], "y_val": THREE[:15]}
    elif case == "sparse labels":
        y = sparse.csr_matrix(MANY)
    elif case == "a column":
        y = THREE.reshape(-1, 1)
    return estimator, grid, rows, y, fit


@pytest.mark.parametrize(
    "case",
    [
        "a pipeline", "another estimator", "a subclass", "the user's own scorer",
        "validation rows", "sparse labels",
        "a column",
    ],
)  # fmt: skip
def test_other_searches_are_scikit_learns(case: str, together: list[int]) -> None:
    estimator, grid, rows, y, fit = _left(case)
    cv = model_selection.KFold(3)
    ours, theirs = both(estimator, grid, rows, y, fit=fit, cv=cv, refit=case != "sparse labels")
    assert_same_search(ours, theirs)
    assert sum(together) == 0


def test_a_gap_in_x_fails_the_folds_that_have_it() -> None:
    gap = X.copy()
    gap[0, 0] = np.nan
    estimator, cv = small(), model_selection.KFold(3)
    ours, theirs = both(estimator, RATES, gap, cv=cv, refit=False)
    assert_same_search(ours, theirs)
    assert np.isnan(ours.cv_results_["split1_test_score"]).all()
    assert np.isnan(ours.cv_results_["split0_test_score"]).all()  # which cannot be scored


def test_metadata_routing_is_scikit_learns(together: list[int]) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        ours, theirs = both(estimator, RATES, fit={"sample_weight": WEIGHTS})
        assert_same_search(ours, theirs)
    assert not together


def test_lines_that_a_fit_prints_are_not_mixed(
    capsys: pytest.CaptureFixture[str], together: list[int]
) -> None:
    fastmlp.GridSearchCV(small(verbose=True), RATES, cv=2, refit=False).fit(X, THREE)
    lines = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == [f"Iteration {i}" for i in range(1, 7)] * 4
    assert together == [0]


def test_the_search_reports_as_scikit_learns_does(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for library in (fastmlp, model_selection):
        library.GridSearchCV(small(), RATES, cv=2, verbose=3).fit(X, THREE)
        lines = capsys.readouterr().out.splitlines()
        texts.append([line.partition(" total time")[0] for line in lines])
    assert texts[0] == texts[1]


# The rest


def test_without_a_seed_numpys_global_generator_decides() -> None:
    found = []
    for n_jobs in (1, 2):
        np.random.seed(5)  # noqa: NPY002
        search = fastmlp.GridSearchCV(small(random_state=None), RATES, n_jobs=n_jobs, refit=False)
        found.append(search.fit(X, THREE).cv_results_["mean_test_score"])
    assert_array_equal(*found)


def test_portions_of_the_fits_give_the_same_results(
    monkeypatch: pytest.MonkeyPatch, together: list[int]
) -> None:
    from fastmlp._estimators import search

    monkeypatch.setattr(search, "_PORTION", 4 * 8 * 40)
    ours, theirs = both(small(), RATES)
    assert_same_search(ours, theirs)
    assert len(together) > 2
    assert sum(together) == 6


def test_a_scorer_may_fit_networks_of_its_own() -> None:
    def relative(estimator: Any, X: Any, y: Any) -> float:
        other = clone(estimator).fit(X, y)
        return float(estimator.score(X, y) - other.score(X, y))

    ours, theirs = both(small(), RATES, scoring=relative)
    assert_same_search(ours, theirs)


def test_a_search_is_an_estimator_like_any_other() -> None:
    search = fastmlp.GridSearchCV(small(), RATES, cv=2)
    assert isinstance(search, model_selection.GridSearchCV)
    assert repr(clone(search)) == repr(search)
    scores = model_selection.cross_val_score(search, X, THREE, cv=2)
    theirs = model_selection.GridSearchCV(small(), RATES, cv=2)
    assert_array_equal(scores, model_selection.cross_val_score(theirs, X, THREE, cv=2))
    restored = pickle.loads(pickle.dumps(search.fit(X, THREE)))
    assert_array_equal(restored.predict_proba(X), search.predict_proba(X))


def test_ctrl_c_ends_a_search() -> None:
    endless = small(max_iter=10**8, tol=0.0, n_iter_no_change=10**8)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    search = fastmlp.GridSearchCV(endless, RATES)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, THREE)
    timer.join()
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search.set_params(estimator=small()).fit(X, THREE), "_seconds")


def test_fit_times_are_those_of_the_training() -> None:
    grid = {"max_iter": [1, 3000]}
    search = fastmlp.GridSearchCV(small(tol=0.0, n_iter_no_change=10**6), grid, cv=2, refit=False)
    times = search.fit(X, THREE).cv_results_["mean_fit_time"]
    assert times[1] > times[0] > 0
