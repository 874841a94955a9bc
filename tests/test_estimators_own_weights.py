"""Weights that the user changes or replaces count in what follows; wrong ones are named and crash nothing."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from estimator_tools import (
    BITS,
    SMALL,
    STEP,
    TARGETS,
    THREE,
    TWO,
    VALUES,
    X,
    assert_same_weights,
    estimator,
    good,
    in_process,
    kinds,
    network_of,
    outputs,
    parameters,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits


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


def test_weights_given_after_initialize_are_trained_on() -> None:
    for in_place in (True, False):
        estimator = MLPRegressor(**STEP, activation="tanh").initialize(X, VALUES)
        for layer, W in enumerate(estimator.coefs_):
            if in_place:
                W[...] = 0.25
            else:
                estimator.coefs_[layer] = np.full(W.shape, 0.25)
        network = network_of(estimator, "tanh", "squared_error", l2=0.0001 / 60)
        assert (network.weights[0] == 0.25).all()
        np.testing.assert_array_equal(estimator.predict(X), network.predict(X))
        start = network.parameters.copy()
        _, gradient = network.loss_and_gradient(X, VALUES)
        estimator.partial_fit(X, VALUES)
        np.testing.assert_allclose(parameters(estimator), start - 0.1 * gradient, rtol=1e-9)


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_training_goes_on_from_layers_of_another_width(method: str) -> None:
    fitted = estimator(warm_start=True, shuffle=False).fit(X, TWO)
    rng = np.random.RandomState(0)
    fitted.coefs_ = [rng.normal(size=(4, 3)), rng.normal(size=(3, 1))]
    fitted.intercepts_ = [np.zeros(3), np.zeros(1)]
    fresh = clone(fitted).set_params(hidden_layer_sizes=(3,)).initialize(X, TWO)
    fresh.coefs_, fresh.intercepts_ = copy.deepcopy((fitted.coefs_, fitted.intercepts_))
    for one in (fitted, fresh):
        getattr(one, method)(X, TWO)
    assert [W.shape for W in fitted.coefs_] == [(4, 3), (3, 1)]
    assert_same_weights(fitted, fresh)  # the optimizer's state was that of other weights


# Wrong weights


@pytest.mark.parametrize("wrong", [np.full((4, 5), np.nan), np.zeros((4, 6)), np.zeros(5), "W"], ids=str)
def test_wrong_weights_are_refused_and_nothing_crashes(wrong: Any) -> None:
    fitted = estimator().fit(X, TWO)
    fitted.coefs_[0] = wrong
    with pytest.raises((ValueError, TypeError)):
        fitted.predict(X)


REPLACED: dict[str, Callable[[Any], Any]] = {
    "one missing": lambda e: e.coefs_.pop(),
    "none": lambda e: setattr(e, "coefs_", []),
    "None": lambda e: setattr(e, "coefs_", None),
    "intercepts of another shape": lambda e: e.intercepts_.__setitem__(0, np.zeros(7)),
    "fewer inputs": lambda e: e.coefs_.__setitem__(0, np.zeros((2, 6))),
    "layers that do not fit": lambda e: e.coefs_.__setitem__(1, np.zeros((5, 1))),
    "more outputs": lambda e: (
        e.coefs_.__setitem__(1, np.zeros((6, 5))), e.intercepts_.__setitem__(1, np.zeros(5))
    ),
    "nan": lambda e: e.coefs_.__setitem__(0, np.full((4, 6), np.nan)),
    "inf": lambda e: e.intercepts_.__setitem__(1, np.array([np.inf])),
    "one dimension": lambda e: e.coefs_.__setitem__(0, np.zeros(4)),
    "a number": lambda e: e.coefs_.__setitem__(0, 5),
    "words": lambda e: e.coefs_.__setitem__(0, np.full((4, 6), "a")),
    "complex": lambda e: e.coefs_.__setitem__(0, np.full((4, 6), 1j)),
    "a wider layer": lambda e: (
        setattr(e, "coefs_", [np.ones((4, 9)), np.ones((9, 1))]),
        setattr(e, "intercepts_", [np.zeros(9), np.zeros(1)]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", [case for case in REPLACED if case != "a wider layer"])
@pytest.mark.parametrize("method", ["predict", "transform"])
def test_replaced_weights_that_are_wrong_are_named(case: str, method: str) -> None:
    estimator = good()
    REPLACED[case](estimator)
    with pytest.raises((TypeError, ValueError), match=r"coefs_|intercepts_"):
        getattr(estimator, method)(X)
    assert estimator.fit(X, BITS).predict(X).shape == (60,)


def test_labels_beyond_the_outputs_of_replaced_weights_are_refused() -> None:
    estimator = MLPClassifier(**SMALL).fit(X, THREE)
    estimator.coefs_[1], estimator.intercepts_[1] = np.ones((6, 2)), np.zeros(2)
    with pytest.raises(ValueError, match="coefs_"):
        estimator.partial_fit(X, THREE)


def test_weights_made_nan_in_place_are_reported() -> None:
    estimator = good(MLPRegressor)
    estimator.coefs_[0][...] = np.nan
    with pytest.warns(RuntimeWarning, match="not finite"):
        estimator.predict(X)
    with pytest.raises(ValueError, match="non-finite"):
        estimator.partial_fit(X, VALUES)


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


def test_training_on_replaced_weights_of_wrong_shape_does_not_crash() -> None:
    code = """
from test_estimators_own_weights import REPLACED

big = {
    "more inputs": lambda e: e.coefs_.__setitem__(0, np.ones((300000, 6))),
    "wider": lambda e: (
        setattr(e, "coefs_", [np.ones((4, 5000)), np.ones((5000, 1))]),
        setattr(e, "intercepts_", [np.zeros(5000), np.zeros(1)]),
    ),
    "more outputs": lambda e: (
        e.coefs_.__setitem__(1, np.ones((6, 90000))), e.intercepts_.__setitem__(1, np.zeros(90000))
    ),
}
for method in ("partial_fit", "warm start", "lbfgs", "validation"):
    for name, replace in (REPLACED | big).items():
        for make in (MLPClassifier, MLPRegressor):
            print(method, name, make.__name__, flush=True)
            estimator = good(make)
            replace(estimator)
            y = VALUES if make is MLPRegressor else BITS
            rows = {"X_val": X, "y_val": y} if method == "validation" else {}
            if method in ("warm start", "lbfgs"):
                estimator.set_params(warm_start=True, solver="lbfgs" if method == "lbfgs" else "adam")
            fit = estimator.fit if method in ("warm start", "lbfgs") else estimator.partial_fit
            try:
                fit(X, y, **rows)
                assert "wider" in name
                fit(X, y, **rows)
            except (TypeError, ValueError) as error:
                assert "coefs_" in str(error) or "intercepts_" in str(error), repr(error)
print("alive")
"""
    lines = in_process(code).splitlines()
    assert lines[-1] == "alive"
    assert len(lines) > 4 * 2 * 3
