"""from_sklearn and to_sklearn: what is converted predicts the same and can be trained further."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import neural_network
from sklearn.exceptions import NotFittedError

import fastmlp
from estimator_tools import (
    FRAME,
    HAS_POISSON,
    MANY,
    NAMES,
    SMALL,
    TARGETS,
    THREE,
    TWO,
    VALUES,
    X,
    estimator,
    few_epochs,
    kinds,
    outputs,
    parameters,
    quiet_lbfgs,
    solvers,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = few_epochs


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
    ours = estimator(kind, solver=solver, early_stopping=solver == "adam").fit(FRAME, TARGETS[kind])
    theirs = ours.to_sklearn()
    assert type(theirs).__module__.startswith("sklearn.neural_network")
    assert_array_equal(theirs.feature_names_in_, NAMES)
    assert_allclose(outputs(theirs, FRAME), outputs(ours, FRAME), rtol=1e-10, atol=1e-12)
    assert theirs.predict(FRAME).shape == ours.predict(FRAME).shape
    assert theirs.get_params() == {n: v for n, v in ours.get_params().items() if n in theirs.get_params()}


def test_one_class_and_no_hidden_layer_are_converted() -> None:
    for ours in (estimator().fit(X, np.full(60, "yes")), estimator(hidden_layer_sizes=()).fit(X, TWO)):
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


def test_an_estimator_from_scikit_learn_has_a_history_and_can_be_saved(tmp_path: Any) -> None:
    import matplotlib.pyplot as plt

    theirs = neural_network.MLPRegressor(**SMALL).fit(X, VALUES)
    ours = MLPRegressor.from_sklearn(theirs)
    assert list(ours.history_["loss"]) == theirs.loss_curve_
    ours.loss_curve_plot()
    plt.close("all")
    ours.save(tmp_path / "model.safetensors")
    np.testing.assert_allclose(fastmlp.load(tmp_path / "model.safetensors").predict(X), ours.predict(X))


def test_a_conversion_keeps_sparse_labels_sparse() -> None:
    y = scipy.sparse.csr_matrix(MANY)
    ours = MLPClassifier(**SMALL).fit(X, y)
    theirs = ours.to_sklearn().predict(X)
    assert scipy.sparse.issparse(theirs)
    assert (theirs != ours.predict(X)).nnz == 0


def test_runs_that_were_measured_and_not_can_be_converted() -> None:
    estimator = MLPClassifier(**SMALL, warm_start=True).fit(X, THREE).fit(X, THREE, X_val=X, y_val=THREE)
    history = MLPClassifier.from_sklearn(estimator.to_sklearn()).history_["validation_score"]
    assert np.isnan(history[:5]).all()
    np.testing.assert_array_equal(history[5:], estimator.validation_scores_)


# Training after conversion


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
        assert_allclose(parameters(converted), parameters(theirs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@quiet_lbfgs
def test_partial_fit_goes_on_after_conversion(solver: str) -> None:
    theirs = estimator("binary", neural_network, solver=solver).fit(X, TWO)
    ours = fastmlp.MLPClassifier.from_sklearn(theirs).set_params(solver="adam")
    before = ours.score(X, TWO)
    for _ in range(20):
        ours.partial_fit(X, TWO)
    assert ours.score(X, TWO) >= before
    again = fastmlp.MLPClassifier.from_sklearn(theirs).to_sklearn().set_params(solver="adam")
    if solver != "lbfgs":  # after which theirs cannot either
        again.partial_fit(X, TWO)


# What cannot be converted


def test_what_scikit_learn_does_not_have_is_refused() -> None:
    regression = TARGETS["regression"]
    for ours, name in (
        (estimator(activation="gelu").fit(X, TWO), "activation"),
        (estimator(loss="hinge").fit(X, TWO), "loss"),
        (estimator(activation=["relu", "tanh"], hidden_layer_sizes=(3, 3)).fit(X, TWO), "activation"),
        (estimator("regression", loss="huber").fit(X, regression), "loss"),
        (estimator("regression", loss="quantile", quantiles=(0.1, 0.9)).fit(X, regression), "loss"),
    ):
        with pytest.raises(ValueError, match=f"scikit-learn has no network with {name}"):
            ours.to_sklearn()


def test_what_only_training_needs_is_left_out_of_theirs() -> None:
    ours = estimator(
        solver=fastmlp.Adam(), learning_rate=fastmlp.Cosine(), dropout=0.1, activation=["tanh"], n_jobs=1
    ).fit(X, TWO)
    theirs = ours.to_sklearn()
    assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-10)
    assert theirs.get_params()["activation"] == "tanh"
    theirs.fit(X, TWO)


def test_wrong_objects_are_not_converted() -> None:
    with pytest.raises(TypeError, match="MLPClassifier"):
        fastmlp.MLPClassifier.from_sklearn(neural_network.MLPRegressor())
    with pytest.raises(NotFittedError):
        fastmlp.MLPClassifier.from_sklearn(neural_network.MLPClassifier())
    with pytest.raises(NotFittedError):
        fastmlp.MLPRegressor().to_sklearn()
