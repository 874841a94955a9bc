"""n_estimators: networks that differ in their seeds, each as it is alone, which predict as one."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator

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
    assert_differ,
    assert_same_bits,
    outputs,
    partly_fitted,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits

WEIGHTS = np.random.default_rng(1).uniform(0.1, 3, 60)

CASES: dict[str, tuple[type[Any], dict[str, Any], Any, Any]] = {
    "adam": (MLPClassifier, {}, X, THREE),
    "sgd": (MLPClassifier, {"solver": "sgd", "learning_rate": "adaptive", "max_iter": 30}, X, TWO),
    "lbfgs": (MLPClassifier, {"solver": "lbfgs"}, X, THREE),
    "lbfgs of float32": (MLPRegressor, {"solver": "lbfgs"}, X.astype(np.float32), VALUES),
    "early stopping": (MLPClassifier, {"early_stopping": True, "max_iter": 30}, X, THREE),
    "a metric": (MLPClassifier, {"early_stopping": True, "scoring": "f1_macro"}, X, THREE),
    "dropout": (MLPClassifier, {"dropout": 0.2}, X, THREE),
    "class weights": (MLPClassifier, {"class_weight": "balanced"}, X, TWO),
    "hinge": (MLPClassifier, {"loss": "hinge"}, X, THREE),
    "hinge of two": (MLPClassifier, {"loss": "hinge"}, X, TWO),
    "multi-label": (MLPClassifier, {}, X, MANY),
    "float32": (MLPClassifier, {}, X.astype(np.float32), THREE),
    "sparse": (MLPClassifier, {"early_stopping": True}, sparse.csr_array(X), THREE),
    "frame": (MLPClassifier, {}, FRAME, TWO),
    "regressor": (MLPRegressor, {}, X, VALUES),
    "two outputs": (MLPRegressor, {"early_stopping": True}, X, PAIRS),
    "poisson": (MLPRegressor, {"loss": "poisson"}, X, COUNTS),
    "quantiles": (MLPRegressor, {"loss": "quantile", "quantiles": (0.1, 0.5, 0.8)}, X, VALUES),
    "linear": (MLPRegressor, {"hidden_layer_sizes": ()}, X, VALUES),
}


def several(make: type[Any] = MLPClassifier, count: int = 3, **options: Any) -> Any:
    defaults = {"hidden_layer_sizes": (5,), "max_iter": 6, "random_state": 4, "n_estimators": count}
    return make(**defaults | options)


def alone(ensemble: Any) -> list[Any]:
    """Return the single estimators that an ensemble stands for, as its documentation says."""
    seeds = check_random_state(ensemble.random_state).randint(2**31 - 1, size=ensemble.n_estimators)
    return [clone(ensemble).set_params(n_estimators=1, random_state=int(seed)) for seed in seeds]


# Each as it is alone


@pytest.mark.parametrize("n_jobs", [1, 2, None])
@pytest.mark.parametrize("case", CASES)
def test_each_network_is_the_one_that_its_seed_gives_alone(case: str, n_jobs: int | None) -> None:
    make, options, rows, y = CASES[case]
    ensemble = several(make, n_jobs=n_jobs, **options).fit(rows, y)
    singles = [single.fit(rows, y) for single in alone(ensemble)]
    assert len(ensemble.estimators_) == 3
    for member, single in zip(ensemble.estimators_, singles, strict=True):
        assert_same_bits(member, single)
        assert member.get_params() == single.get_params()
        assert_array_equal(outputs(member, rows), outputs(single, rows))
    assert_differ(*singles[:2])


@pytest.mark.parametrize("case", CASES)
def test_what_is_predicted_is_the_mean(case: str) -> None:
    make, options, rows, y = CASES[case]
    ensemble = several(make, **options).fit(rows, y)
    mean = np.mean([member._outputs(rows) for member in ensemble.estimators_], axis=0)
    tolerance = 1e-6 if mean.dtype == np.float32 else 1e-14
    assert_allclose(ensemble._outputs(rows), mean, rtol=tolerance, atol=tolerance)
    assert_array_equal(ensemble.ensemble_.forward(rows), ensemble._outputs(rows))
    if make is MLPRegressor:
        expected = ensemble.ensemble_.predict(rows)
        assert_array_equal(ensemble.predict(rows), expected[:, 1] if "quantiles" in options else expected)
    elif options.get("loss") == "hinge":
        scores = ensemble.decision_function(rows)
        chosen = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)
        assert_array_equal(ensemble.predict(rows), ensemble.classes_[chosen])
    else:
        assert_array_equal(ensemble.predict_proba(rows), ensemble.ensemble_.predict_proba(rows))
        assert_array_equal(ensemble.predict(rows), ensemble.ensemble_.predict(rows))


def test_weights_of_rows_and_validation_rows_go_to_all() -> None:
    fit = {"sample_weight": WEIGHTS[:40], "X_val": X[40:], "y_val": THREE[40:]}
    ensemble = several(early_stopping=True, max_iter=30).fit(X[:40], THREE[:40], **fit)
    for member, single in zip(ensemble.estimators_, alone(ensemble), strict=True):
        single.fit(X[:40], THREE[:40], **fit)
        assert_same_bits(member, single)
        assert member.validation_scores_ == single.validation_scores_


def test_a_generator_gives_the_seeds_and_goes_on() -> None:
    random = np.random.RandomState(8)
    first, second = (several(random_state=random).fit(X, THREE) for _ in range(2))
    assert_differ(first.estimators_[0], second.estimators_[0])
    again = several(random_state=np.random.RandomState(8)).fit(X, THREE)
    assert_same_bits(first.estimators_[2], again.estimators_[2])


# Attributes


def test_attributes_are_those_that_the_networks_share() -> None:
    ensemble = several(max_iter=20, tol=0.05, n_iter_no_change=2).fit(FRAME, TWO)
    members = ensemble.estimators_
    assert ensemble.loss_ == np.mean([member.loss_ for member in members])
    assert ensemble.best_loss_ == np.mean([member.best_loss_ for member in members])
    assert ensemble.n_iter_ == max(member.n_iter_ for member in members)
    assert ensemble.classes_.tolist() == ["no", "yes"]
    assert (ensemble.n_outputs_, ensemble.n_layers_, ensemble.out_activation_) == (1, 3, "logistic")
    assert ensemble.n_features_in_ == 4
    assert ensemble.feature_names_in_.tolist() == list(FRAME)
    assert ensemble.ensemble_.feature_names == tuple(FRAME)
    assert ensemble.ensemble_.networks[1].weights[0] is members[1].coefs_[0]


@pytest.mark.parametrize("name", ["coefs_", "intercepts_", "loss_curve_", "history_", "t_", "network_"])
def test_attributes_of_one_network_name_where_they_are(name: str) -> None:
    ensemble = several().fit(X, THREE)
    assert not hasattr(ensemble, name)
    with pytest.raises(AttributeError, match=rf"each with a {name} of its own: see estimators_\[i\].{name}"):
        getattr(ensemble, name)


def test_one_network_has_no_ensemble() -> None:
    single = several(count=1).fit(X, THREE)
    assert not hasattr(single, "estimators_")
    with pytest.raises(AttributeError, match="ensemble_ needs n_estimators above 1"):
        single.ensemble_  # noqa: B018


@pytest.mark.parametrize("name", ["network_", "ensemble_"])
def test_before_fit_there_is_neither(name: str) -> None:
    with pytest.raises(NotFittedError):
        getattr(several(), name)


def test_methods_that_do_not_go_with_the_loss_still_say_why() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'decision_function'"):
        several().fit(X, TWO).decision_function  # noqa: B018


# Going on


def test_partial_fit_goes_on_with_each() -> None:
    ensemble = partly_fitted(several(), X, THREE, times=4)
    for member, single in zip(ensemble.estimators_, alone(ensemble), strict=True):
        assert_same_bits(member, partly_fitted(single, X, THREE, times=4))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_warm_start_goes_on_with_each(solver: str) -> None:
    ensemble = several(MLPRegressor, solver=solver, warm_start=True)
    singles = alone(ensemble)
    for max_iter in (6, 3):
        ensemble.set_params(max_iter=max_iter).fit(X, VALUES)
        for member, single in zip(ensemble.estimators_, singles, strict=True):
            assert_same_bits(member, single.set_params(max_iter=max_iter).fit(X, VALUES))


def test_initialize_gives_each_its_weights() -> None:
    ensemble = several(warm_start=True).initialize(X, THREE)
    for member, single in zip(ensemble.estimators_, alone(ensemble), strict=True):
        assert_array_equal(member.coefs_[0], single.initialize(X, THREE).coefs_[0])
    fitted = several().fit(X, THREE)
    ensemble.fit(X, THREE)
    assert_same_bits(ensemble.estimators_[1], fitted.estimators_[1])


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 2)])
def test_another_number_of_networks_cannot_go_on(before: int, after: int) -> None:
    ensemble = several(count=before, warm_start=True).fit(X, THREE).set_params(n_estimators=after)
    expected = outputs(ensemble)
    with pytest.raises(ValueError, match=f"n_estimators must be {before} as before .* got {after}"):
        ensemble.fit(X, THREE)
    with pytest.raises(ValueError, match=f"n_estimators must be {before} as before .* got {after}"):
        ensemble.partial_fit(X, THREE)
    assert_array_equal(outputs(ensemble), expected)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 2)])
def test_a_new_fit_has_the_number_it_is_told(before: int, after: int) -> None:
    estimator = several(count=before).fit(X, THREE).set_params(n_estimators=after).fit(X, THREE)
    fresh = several(count=after).fit(X, THREE)
    assert_array_equal(outputs(estimator), outputs(fresh))
    assert vars(estimator).keys() == vars(fresh).keys()


def test_lines_say_which_network_they_are_about(capsys: pytest.CaptureFixture[str]) -> None:
    ensemble = several(verbose=True).fit(X, THREE)
    lines = capsys.readouterr().out.splitlines()
    alone(ensemble)[1].fit(X, THREE)
    expected = [f"estimators_[1]: {line}" for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("estimators_[1]")] == expected
    assert len(lines) == 3 * len(expected)


# Failures


@pytest.mark.parametrize("count", [0, -1, 1.5, "3", None])
def test_a_wrong_number_is_named(count: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"n_estimators must be .*, got {count!r}"):
        several(count=count).fit(X, THREE)


def test_a_fit_that_fails_leaves_the_estimator_as_it_was() -> None:
    ensemble = several(MLPRegressor, solver="sgd").fit(X, VALUES)
    expected, before = ensemble.predict(X), vars(ensemble).copy()
    with pytest.raises(ValueError, match="NaN"):
        ensemble.fit(np.full_like(X, np.nan), VALUES)
    with pytest.raises(ValueError, match="alpha must be at least 0"):
        ensemble.set_params(alpha=-1.0).fit(X, VALUES)
    ensemble.set_params(alpha=0.0, learning_rate_init=1e6, max_iter=50)
    with pytest.raises(ValueError, match="non-finite"):
        ensemble.fit(X, VALUES)
    assert_array_equal(ensemble.predict(X), expected)
    assert ensemble.estimators_ is before["estimators_"]


def test_what_a_scorer_raises_ends_the_fit() -> None:
    with pytest.raises(ValueError, match="multi_class must be in"):
        several(early_stopping=True, scoring="roc_auc").fit(X, THREE)


def test_scikit_learn_has_no_such_network() -> None:
    with pytest.raises(ValueError, match="scikit-learn has no network of several"):
        several().fit(X, THREE).to_sklearn()


# With other tools


def test_copies_and_pickles_predict_the_same(tmp_path: Path) -> None:
    ensemble = several().fit(X, THREE)
    expected = ensemble.predict_proba(X)
    restored = pickle.loads(pickle.dumps(ensemble))
    assert_array_equal(restored.predict_proba(X), expected)
    assert repr(clone(ensemble)) == repr(ensemble)
    twin = copy.copy(ensemble)
    twin.estimators_[0].coefs_[0][:] = 0
    assert_array_equal(ensemble.predict_proba(X), expected)
    assert not np.array_equal(twin.predict_proba(X), expected)
    ensemble.save(tmp_path / "ensemble.safetensors")
    loaded = fastmlp.load(tmp_path / "ensemble.safetensors")
    assert isinstance(loaded, fastmlp.Ensemble)
    assert_array_equal(loaded.predict_proba(X), expected)


def test_it_is_exported_as_one(tmp_path: Path) -> None:
    ensemble = several().fit(X, THREE)
    ensemble.to_c(tmp_path / "model.h")
    ensemble.to_onnx(tmp_path / "model.onnx")
    fastmlp.Ensemble(ensemble.estimators_).to_c(tmp_path / "other.h")
    assert (tmp_path / "model.h").read_text() == (tmp_path / "other.h").read_text()
    assert (tmp_path / "model.onnx").stat().st_size > 0


def test_the_hidden_layers_lie_side_by_side() -> None:
    ensemble = several(hidden_layer_sizes=(5, 3)).fit(X, THREE)
    parts = [member.transform(X) for member in ensemble.estimators_]
    assert_array_equal(ensemble.transform(X), np.hstack(parts))
    assert len(ensemble.get_feature_names_out()) == 9


@pytest.mark.usefixtures("pictures")
def test_each_loss_curve_is_drawn() -> None:
    pytest.importorskip("matplotlib")
    ax = several().fit(X, THREE).loss_curve_plot()
    assert len(ax.lines) == 3


def test_scikit_learns_tools_take_it() -> None:
    ensemble = several()
    scores = cross_val_score(ensemble, X, THREE, cv=3)
    assert scores.shape == (3,)
    search = GridSearchCV(ensemble, {"n_estimators": [1, 2]}, cv=2).fit(X, THREE)
    assert search.cv_results_["mean_test_score"].shape == (2,)
    members = [(str(i), single) for i, single in enumerate(alone(ensemble))]
    voted = VotingClassifier(members, voting="soft").fit(X, THREE)
    assert_allclose(voted.predict_proba(X), ensemble.fit(X, THREE).predict_proba(X), rtol=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_scikit_learns_checks_pass(make: type[Any]) -> None:
    check_estimator(make(max_iter=100, random_state=0, n_estimators=2))
