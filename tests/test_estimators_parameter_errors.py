"""Each wrong value of a parameter is refused with an error that names the parameter."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import fastmlp
from estimator_tools import (
    BITS,
    HOSTILE,
    INF,
    NAN,
    SMALL,
    VALUES,
    Array,
    X,
    assert_refused,
    good,
    in_process,
    shown,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits

#: Parameters of both, values that are wrong, and what the message says besides the parameter's name.
PARAMETERS: list[tuple[str, list[Any], type[Exception], str]] = [
    ("hidden_layer_sizes", [0, -1, (4, 0), (2**31,), 2**80], ValueError, "at least 1"),
    ("hidden_layer_sizes", [1.5, "10", None, True, (1.5,), ("4",), HOSTILE], TypeError, "integer"),
    ("hidden_layer_sizes", [{4}, {4: 1}, np.array(4.0), np.array([[4]])], TypeError, "integer"),
    ("activation", ["bogus", "softmax", "exp", ""], ValueError, "must be one of"),
    ("activation", [["relu", "tanh"], [], ["bogus"]], ValueError, "one"),
    ("activation", [None, 3, {"relu"}, HOSTILE], (TypeError, ValueError), "one name"),
    ("solver", ["bogus", "ADAM", ""], ValueError, "must be one of sgd, rmsprop, adagrad, adam, adamw, lbfgs"),
    ("solver", [None, 3, fastmlp.Adam, fastmlp.Cosine(), ["adam"], HOSTILE], TypeError, "optimizer object"),
    ("solver", [np.array(["adam", "sgd"])], TypeError, "optimizer object"),
    ("alpha", [-1, NAN, INF], ValueError, "at least 0"),
    ("alpha", ["a", None, True, 1j, [1]], TypeError, "number"),
    ("batch_size", [0, -1, 2**70], ValueError, "at least 1"),
    ("batch_size", [1.5, "all", None, True, HOSTILE], TypeError, "auto"),
    ("learning_rate", ["fast", ""], ValueError, "must be one of constant, invscaling, adaptive"),
    ("learning_rate", [None, 0.1, True, 3, fastmlp.Cosine, HOSTILE], TypeError, "schedule"),
    ("learning_rate_init", [0, -1, NAN, INF], ValueError, "greater than 0"),
    ("learning_rate_init", ["a", None, True, fastmlp.Cosine()], TypeError, "number"),
    ("power_t", [-1, NAN], ValueError, "at least 0"),
    ("power_t", ["a", None], TypeError, "number"),
    ("max_iter", [0, -1, 2**70], ValueError, "at least 1"),
    ("max_iter", [1.5, "a", None, True, INF], TypeError, "integer"),
    ("shuffle", [1, "a", None, np.array([True])], TypeError, "True or False"),
    ("random_state", ["a", 1.5, np.random.default_rng(0), HOSTILE], (TypeError, ValueError), ""),
    ("random_state", [-1, 2**40], ValueError, ""),
    ("tol", [-1, NAN, INF], ValueError, "at least 0"),
    ("tol", ["a", None], TypeError, "number"),
    ("verbose", [-1], ValueError, "at least 0"),
    ("verbose", ["a", None, 1.5], TypeError, "integer"),
    ("warm_start", [1, "a", None], TypeError, "True or False"),
    ("momentum", [-1, 2, NAN], ValueError, "at least 0 and at most 1"),
    ("momentum", ["a", None], TypeError, "number"),
    ("nesterovs_momentum", [1, "a", None], TypeError, "True or False"),
    ("early_stopping", [1, "a", None], TypeError, "True or False"),
    ("validation_fraction", [-0.1, 1, 2, NAN], ValueError, "at least 0 and less than 1"),
    ("validation_fraction", ["a", None], TypeError, "number"),
    ("beta_1", [-0.1, 1, NAN], ValueError, "at least 0 and less than 1"),
    ("beta_2", [-0.1, 1, NAN], ValueError, "at least 0 and less than 1"),
    ("beta_1", ["a", None], TypeError, "number"),
    ("epsilon", [0, -1, NAN, INF], ValueError, "greater than 0"),
    ("epsilon", ["a", None], TypeError, "number"),
    ("n_iter_no_change", [0, -1], ValueError, "at least 1"),
    ("n_iter_no_change", [1.5, "a", None, NAN], TypeError, "integer"),
    ("max_fun", [0, -1], ValueError, "at least 1"),
    ("max_fun", [1.5, "a", None], TypeError, "integer"),
    ("dropout", [1, -0.1, NAN, INF], ValueError, "at least 0 and less than 1"),
    ("dropout", ["a", None, True, [0.5]], TypeError, "number"),
    ("clip_norm", [0, -1, NAN, INF], ValueError, "greater than 0"),
    ("clip_norm", ["a", True, [1]], TypeError, "number"),
    ("scoring", ["bogus", 3, HOSTILE], (TypeError, ValueError), ""),
    ("max_time", [0, -1, NAN, INF], ValueError, "greater than 0"),
    ("max_time", ["a", True, [1]], TypeError, "number"),
    ("n_jobs", [0, 2**70, -(2**40)], ValueError, ""),
    ("n_jobs", [1.5, "a", True, [1]], TypeError, "integer"),
]

CLASSIFIER: list[tuple[str, list[Any], Any, str]] = [
    ("loss", ["bogus", "squared_error", "hinge(2)", ""], ValueError, "log_loss, hinge"),
    ("loss", [None, 3, ["hinge"]], TypeError, "log_loss, hinge"),
    ("class_weight", ["Balanced", 3, [1, 2], np.ones(2), HOSTILE], TypeError, "'balanced' or a dict"),
    ("class_weight", [{5: 1}, {"0": 1}], ValueError, "y does not have"),
    ("class_weight", [{0: -1}, {0: NAN}, {0: INF}, {0: "a"}, {0: None}], ValueError, "at least 0"),
    ("class_weight", [{0: 0, 1: 0}], ValueError, "above 0"),
]

REGRESSOR: list[tuple[str, list[Any], Any, str]] = [
    ("loss", ["bogus", "log_loss", "hinge"], ValueError, "squared_error, poisson, absolute_error, huber"),
    ("loss", [None, 3, ["huber"]], TypeError, "squared_error, poisson, absolute_error, huber"),
    ("loss", ["huber(0)", "huber(-1)", "huber(nan)", "huber(inf)"], ValueError, "delta"),
    ("loss", ["huber(x)", "squared_error(1)", "huber(1, 2)", "huber("], ValueError, ""),
    (
        "loss",
        ["quantile(0)", "quantile(1)", "quantile(nan)", "quantile(-0.5)"],
        ValueError,
        "between 0 and 1",
    ),
    ("loss", ["quantile(0.1, 0.9)"], ValueError, "quantile"),
]


def cases(table: list[tuple[str, list[Any], Any, str]]) -> list[Any]:
    return [
        pytest.param(name, value, exception, message, id=shown(name, value))
        for name, values, exception, message in table
        for value in values
    ]


@pytest.mark.parametrize(("name", "value", "error", "text"), cases(PARAMETERS))
@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, BITS), (MLPRegressor, VALUES)], ids=["C", "R"])
def test_a_wrong_parameter_is_named(
    make: Any, y: Array, name: str, value: Any, error: Any, text: str
) -> None:
    assert_refused(make, {name: value}, y, name, error, text)


@pytest.mark.parametrize(("name", "value", "error", "text"), cases(CLASSIFIER))
def test_a_wrong_parameter_of_the_classifier_is_named(name: str, value: Any, error: Any, text: str) -> None:
    assert_refused(MLPClassifier, {name: value}, BITS, name, error, text)


@pytest.mark.parametrize(("name", "value", "error", "text"), cases(REGRESSOR))
def test_a_wrong_parameter_of_the_regressor_is_named(name: str, value: Any, error: Any, text: str) -> None:
    assert_refused(MLPRegressor, {name: value}, VALUES, name, error, text)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 5), ("clip_norm", -1), ("beta_1", 2), ("momentum", 7), ("scoring", "bogus"), ("epsilon", 0)],
)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", fastmlp.SGD()], ids=str)
def test_a_parameter_is_checked_even_where_the_solver_does_not_read_it(
    name: str, value: Any, solver: Any
) -> None:
    """As scikit-learn does: the mistake would show only when the solver is changed."""
    assert_refused(MLPRegressor, {name: value, "solver": solver}, VALUES, name, ValueError, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("epsilon", 1e-60), ("learning_rate_init", 1e-60), ("clip_norm", 1e-60), ("learning_rate_init", 1e60)],
)
def test_a_number_that_float32_cannot_hold_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        MLPRegressor(**{**SMALL, name: value}).fit(X.astype("float32"), VALUES)


@pytest.mark.parametrize("text", ["a", None, (1, 2)])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_what_a_scorer_returns_is_checked(text: Any, early_stopping: bool) -> None:
    estimator = MLPClassifier(**SMALL, early_stopping=early_stopping, scoring=lambda *_: text)
    with pytest.raises((TypeError, ValueError), match="scoring"):
        estimator.fit(X, BITS, X_val=X, y_val=BITS)


def test_several_metrics_are_refused() -> None:
    with pytest.raises((TypeError, ValueError), match="scoring"):
        MLPClassifier(**SMALL, scoring=["accuracy", "f1"]).fit(X, BITS, X_val=X, y_val=BITS)


def test_a_validation_fraction_of_zero_is_named() -> None:
    with pytest.raises(ValueError, match="validation_fraction"):
        MLPClassifier(**SMALL, early_stopping=True, validation_fraction=0).fit(X, BITS)


def test_hidden_layer_sizes_that_are_used_up_do_not_make_another_network() -> None:
    estimator = MLPClassifier(**{**SMALL, "hidden_layer_sizes": (size for size in (4,))})
    try:
        estimator.fit(X, BITS)
    except TypeError as error:
        assert "hidden_layer_sizes" in str(error)  # noqa: PT017 (refused: as good)
    else:
        shapes = [W.shape for W in estimator.coefs_]
        assert [W.shape for W in estimator.fit(X, BITS).coefs_] == shapes


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by setrlimit")
def test_hidden_layers_too_large_for_memory_are_named() -> None:
    code = """
import itertools
for sizes in ((2**31 - 1, 2**31 - 1), (10**9,), 10**9, itertools.count(1)):
    try:
        MLPClassifier(hidden_layer_sizes=sizes, max_iter=1).fit(X, BITS)
    except (MemoryError, TypeError, ValueError) as error:
        print(type(error).__name__, error)
"""
    lines = in_process(code, address_space=3 * 2**30).splitlines()
    assert len(lines) == 4
    assert all("hidden_layer_sizes" in line for line in lines)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (MLPClassifier, "loss", "hinge"),
        (MLPClassifier, "alpha", "x"),
        (MLPClassifier, "alpha", -1),
        (MLPClassifier, "activation", "bogus"),
        (MLPClassifier, "activation", ["relu", "tanh"]),
        (MLPRegressor, "loss", "bogus"),
        (MLPRegressor, "quantiles", (0.1, 0.9)),
    ],
)
def test_parameters_changed_before_predict_work_or_are_named(make: Any, name: str, value: Any) -> None:
    estimator = good(make)
    before = estimator.predict(X)
    estimator.set_params(**{name: value})
    try:
        after = estimator.predict(X)
    except (TypeError, ValueError) as error:
        assert name in str(error)  # noqa: PT017 (either is right)
    else:
        np.testing.assert_array_equal(after, before)
    estimator.set_params(**make(**SMALL).get_params())
    np.testing.assert_array_equal(estimator.predict(X), before)
