"""Bad input to the estimators: a clear error, no crash, no hang, and an estimator that can still be used."""

from __future__ import annotations

import pickle
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor

# Most fits here are a few epochs long.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

Array = NDArray[Any]

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
THREE = np.digitize(X[:, 1], [-0.5, 0.5])
MANY = (X > 0).astype(int)
V = X @ [1.0, 2.0, 3.0]

SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}


class Hostile:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __repr__(self) -> str:
        return "Hostile()"

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]


NAN, INF = float("nan"), float("inf")
HOSTILE = Hostile()

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

QUANTILES: list[Any] = [
    [], "abc", "0.5", (0.5, 0.1), (0, 0.5), (0.5, 1), (0.1, 0.1), [[0.1, 0.9]], NAN, (0.1, NAN), 1, -0.1,
    (0.1, "a"), (0.1, None), True, HOSTILE, {}, (0.1, 0.9j),
]  # fmt: skip


def shown(name: str, value: Any) -> str:
    """Return the same text in every process."""
    text = repr(value)
    return f"{name}={type(value).__name__ if ' at 0x' in text else text}"[:60]


def cases(table: list[tuple[str, list[Any], Any, str]]) -> list[Any]:
    return [
        pytest.param(name, value, exception, message, id=shown(name, value))
        for name, values, exception, message in table
        for value in values
    ]


def assert_refused(
    make: type[Any], options: dict[str, Any], y: Array, name: str, error: Any, text: str
) -> None:
    estimator = make(**{**SMALL, **options})
    with pytest.raises(error, match=rf"(?s){name}.*{re.escape(text)}") as caught:
        estimator.fit(X, y)
    assert isinstance(caught.value, (TypeError, ValueError))


@pytest.mark.parametrize(("name", "value", "error", "text"), cases(PARAMETERS))
@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, Y), (MLPRegressor, V)], ids=["C", "R"])
def test_a_wrong_parameter_is_named(
    make: Any, y: Array, name: str, value: Any, error: Any, text: str
) -> None:
    assert_refused(make, {name: value}, y, name, error, text)


@pytest.mark.parametrize(("name", "value", "error", "text"), cases(CLASSIFIER))
def test_a_wrong_parameter_of_the_classifier_is_named(name: str, value: Any, error: Any, text: str) -> None:
    assert_refused(MLPClassifier, {name: value}, Y, name, error, text)


@pytest.mark.parametrize(("name", "value", "error", "text"), cases(REGRESSOR))
def test_a_wrong_parameter_of_the_regressor_is_named(name: str, value: Any, error: Any, text: str) -> None:
    assert_refused(MLPRegressor, {name: value}, V, name, error, text)


@pytest.mark.parametrize("quantiles", QUANTILES, ids=lambda levels: shown("quantiles", levels))
def test_wrong_quantiles_are_named(quantiles: Any) -> None:
    options = {"loss": "quantile", "quantiles": quantiles}
    assert_refused(MLPRegressor, options, V, "quantiles", (TypeError, ValueError), "")


def test_quantiles_without_their_loss_are_refused() -> None:
    assert_refused(MLPRegressor, {"quantiles": (0.1, 0.9)}, V, "quantiles", ValueError, "loss='quantile'")
    options = {"loss": "quantile(0.5)", "quantiles": (0.1, 0.9)}
    assert_refused(MLPRegressor, options, V, "quantiles", ValueError, "loss='quantile'")


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 5), ("clip_norm", -1), ("beta_1", 2), ("momentum", 7), ("scoring", "bogus"), ("epsilon", 0)],
)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", fastmlp.SGD()], ids=str)
def test_a_parameter_is_checked_even_where_the_solver_does_not_read_it(
    name: str, value: Any, solver: Any
) -> None:
    """As scikit-learn does: the mistake would show only when the solver is changed."""
    assert_refused(MLPRegressor, {name: value, "solver": solver}, V, name, ValueError, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("epsilon", 1e-60), ("learning_rate_init", 1e-60), ("clip_norm", 1e-60), ("learning_rate_init", 1e60)],
)
def test_a_number_that_float32_cannot_hold_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        MLPRegressor(**{**SMALL, name: value}).fit(X.astype("float32"), V)


@pytest.mark.parametrize("text", ["a", None, (1, 2)])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_what_a_scorer_returns_is_checked(text: Any, early_stopping: bool) -> None:
    estimator = MLPClassifier(**SMALL, early_stopping=early_stopping, scoring=lambda *_: text)
    with pytest.raises((TypeError, ValueError), match="scoring"):
        estimator.fit(X, Y, X_val=X, y_val=Y)


def test_several_metrics_are_refused() -> None:
    with pytest.raises((TypeError, ValueError), match="scoring"):
        MLPClassifier(**SMALL, scoring=["accuracy", "f1"]).fit(X, Y, X_val=X, y_val=Y)


def test_a_validation_fraction_of_zero_is_named() -> None:
    with pytest.raises(ValueError, match="validation_fraction"):
        MLPClassifier(**SMALL, early_stopping=True, validation_fraction=0).fit(X, Y)


def test_hidden_layer_sizes_that_are_used_up_do_not_make_another_network() -> None:
    estimator = MLPClassifier(**{**SMALL, "hidden_layer_sizes": (size for size in (4,))})
    try:
        estimator.fit(X, Y)
    except TypeError as error:
        assert "hidden_layer_sizes" in str(error)  # noqa: PT017 (refused: as good)
    else:
        shapes = [W.shape for W in estimator.coefs_]
        assert [W.shape for W in estimator.fit(X, Y).coefs_] == shapes


def in_process(code: str, address_space: int | None = None) -> str:
    """Run code beside the names of this file, in a process that may crash, and return what it prints."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({address_space}, {address_space}))\n"
    head = "import sys; sys.path[:0] = %r\n" % [p for p in sys.path if p]
    head += "import warnings; warnings.simplefilter('ignore')\nimport numpy as np\n"
    head += "from test_estimators_bad_input import *\n"
    program = head + (limit if address_space else "") + code
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-1500:]}"
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by setrlimit")
def test_hidden_layers_too_large_for_memory_are_named() -> None:
    code = """
import itertools
for sizes in ((2**31 - 1, 2**31 - 1), (10**9,), 10**9, itertools.count(1)):
    try:
        MLPClassifier(hidden_layer_sizes=sizes, max_iter=1).fit(X, Y)
    except (MemoryError, TypeError, ValueError) as error:
        print(type(error).__name__, error)
"""
    lines = in_process(code, address_space=3 * 2**30).splitlines()
    assert len(lines) == 4
    assert all("hidden_layer_sizes" in line for line in lines)


# ----------------------------------------------------------------------------------------------------- X, y

MASKED_X = np.ma.masked_array(X, mask=X > 1)
RAGGED = [[1], [1, 2]]

BAD_X: dict[str, Any] = {
    "None": None, "text": "abc", "a number": 3, "one row flat": X[0], "three dimensions": X[None],
    "no rows": X[:0], "no columns": X[:, :0], "nan": np.where(X > 1, np.nan, X),
    "inf": np.where(X > 1, np.inf, X), "complex": X + 1j, "words": np.full((40, 3), "a", object),
    "None inside": np.full((40, 3), None), "masked": MASKED_X, "fewer rows": X[:5], "ragged": RAGGED,
    "dict": {"a": 1}, "object": object(), "hostile": HOSTILE, "generator": (row for row in X),
    "frame of words": pd.DataFrame({"a": ["x"] * 40}), "frame of NA": pd.DataFrame({"a": [None] * 40}),
    "dates": np.full((40, 3), "2020", "M8[D]"), "structured": np.zeros(40, [("a", "f8")]),
    "set": {1.0, 2.0}, "function": len,
}  # fmt: skip

BAD_LABELS: dict[str, Any] = {
    "None": None, "text": "abc", "a number": 1, "empty": [], "fewer": Y[:5], "nan": np.where(Y, np.nan, 0.0),
    "inf": np.where(Y, np.inf, 0.0), "fractions": V, "two columns of labels": np.column_stack([THREE, THREE]),
    "None inside": np.array(["a", None] * 20, object), "mixed": np.array(["a", 1] * 20, object),
    "masked": np.ma.masked_array(Y, mask=Y == 0), "complex": Y + 1j, "three dimensions": np.zeros((40, 2, 2)),
    "no columns": np.zeros((40, 0)), "dict": {}, "bytes": np.array([b"a", b"b"] * 20), "ragged": RAGGED * 20,
    "missing": pd.array([1, None] * 20, "Int64"), "matrix of -1 and 1": np.where(MANY, 1, -1),
    "matrix of 1 and 2": MANY + 1, "sets": [{1}, {2}] * 20,
}  # fmt: skip

BAD_VALUES: dict[str, Any] = {
    "None": None, "text": "abc", "empty": [], "fewer": V[:5], "nan": np.where(Y, np.nan, V),
    "inf": np.where(Y, np.inf, V), "numbers as text": V.astype(str), "words": ["a", "b"] * 20,
    "dates": np.array(["2020", "2021"] * 20, "M8[D]"), "durations": np.array([1, 2] * 20, "m8[s]"),
    "masked": np.ma.masked_array(V, mask=V > 0), "complex": V + 1j, "three dimensions": np.zeros((40, 2, 2)),
    "no columns": np.zeros((40, 0)), "bytes": np.array([b"1", b"2"] * 20), "None inside": [None, 1.0] * 20,
    "structured": np.zeros(40, [("a", "f8")]), "objects": [object()] * 40,
}  # fmt: skip

#: Errors name the argument; scikit-learn's own texts for rows, which its users know, do in these words.
NAMES_X = r"\bX\b|inhomogeneous|2D array|array with|sample\(s\)|feature|numbers of samples|Complex data|float"
NAMES_Y = (
    r"\by\b|inhomogeneous|1D|1 dimension|array with|label|Labels|numbers of samples|Complex data|sample\(s\)"
)


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "initialize", "predict", "transform"])
def test_a_wrong_x_is_refused(case: str, method: str) -> None:
    bad = BAD_X[case]
    if case == "generator":
        bad = (row for row in X)
    estimator = MLPClassifier(**SMALL)
    if method in ("predict", "transform"):
        estimator.fit(X, Y)
        if case == "fewer rows":
            return
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X has feature names")
            with pytest.raises((TypeError, ValueError), match=NAMES_X):
                getattr(estimator, method)(bad)
        assert estimator.predict(X).shape == (40,)
        return
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises((TypeError, ValueError), match=NAMES_X):
        getattr(estimator, method)(bad, Y, **arguments)


@pytest.mark.parametrize("case", BAD_LABELS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "initialize"])
def test_wrong_labels_are_refused(case: str, method: str) -> None:
    estimator = MLPClassifier(**SMALL)
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises((TypeError, ValueError), match=NAMES_Y):
        getattr(estimator, method)(X, BAD_LABELS[case], **arguments)


@pytest.mark.parametrize("case", BAD_VALUES)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "initialize"])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_wrong_values_are_refused(case: str, method: str, loss: str) -> None:
    estimator = MLPRegressor(**SMALL, loss=loss)
    with pytest.raises((TypeError, ValueError), match=NAMES_Y):
        getattr(estimator, method)(X, BAD_VALUES[case])


def test_counts_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match="y must not be negative for loss='poisson'"):
        MLPRegressor(**SMALL, loss="poisson").fit(X, -np.ones(40))
    estimator = MLPRegressor(**SMALL, loss="poisson").fit(X, np.ones(40))
    with pytest.raises(ValueError, match="X_val, y_val: y must not be negative"):
        estimator.fit(X, np.ones(40), X_val=X, y_val=-np.ones(40))


BAD_WEIGHTS: dict[str, tuple[Any, str]] = {
    "too few": ([1.0] * 5, "as many rows as X"),
    "negative": (-np.ones(40), "at least 0"),
    "zeros": (np.zeros(40), "greater than 0"),
    "nan": (np.full(40, np.nan), "nan"),
    "inf": (np.full(40, np.inf), "inf"),
    "a column": (np.ones((40, 1)), "shape"),
    "text": ("a", "numbers"),
    "words": (["a"] * 40, "numbers"),
    "complex": (np.ones(40) * 1j, "numbers"),
    "masked": (np.ma.masked_array(np.ones(40), mask=Y == 0), "masked"),
    "sum too large": (np.full(40, 1e308), ""),
    "negative number": (-1, "at least 0"),
    "zero": (0, "greater than 0"),
    "dict": ({}, "numbers"),
    "objects": ([object()] * 40, "numbers"),
    "None inside": ([None] * 40, ""),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_wrong_sample_weight_is_named(case: str, solver: str) -> None:
    weights, text = BAD_WEIGHTS[case]
    estimator = MLPClassifier(**SMALL, solver=solver)
    with pytest.raises((TypeError, ValueError), match=rf"sample_weight.*{text}"):
        estimator.fit(X, Y, weights)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1e30, 1e300])
def test_the_scale_of_the_weights_is_refused_or_does_not_matter(
    solver: str, dtype: str, scale: float
) -> None:
    options = {**SMALL, "alpha": 0, "solver": solver}
    expected = MLPClassifier(**options).fit(X.astype(dtype), Y, np.ones(40)).predict_proba(X)
    try:
        scaled = MLPClassifier(**options).fit(X.astype(dtype), Y, np.full(40, scale))
    except ValueError as error:
        assert "sample_weight" in str(error)  # noqa: PT017 (either is right)
    else:
        np.testing.assert_allclose(scaled.predict_proba(X), expected, atol=1e-3)


def test_batches_of_weight_zero_do_no_harm() -> None:
    weights = np.r_[np.zeros(20), np.ones(20)]
    estimator = MLPClassifier(**SMALL, batch_size=20, shuffle=False).fit(X, Y, weights)
    assert np.isfinite(estimator.loss_curve_).all()
    alone = MLPClassifier(**SMALL, batch_size=20, shuffle=False, alpha=0).fit(X[20:], Y[20:])
    assert np.isfinite(alone.loss_)


def test_held_back_rows_without_weight_are_explained() -> None:
    weights = np.zeros(40)
    weights[0] = 1
    with pytest.raises(ValueError, match=r"sample_weight|validation"):
        MLPClassifier(**SMALL, early_stopping=True).fit(X, Y, weights)


BAD_VALIDATION: dict[str, tuple[Any, Any]] = {
    "no y": (X, None), "no X": (None, Y), "lengths": (X, Y[:4]), "columns": (X[:, :2], Y),
    "unknown label": (X, Y + 5), "no rows": (X[:0], Y[:0]), "nan": (X * np.nan, Y), "text": ("abc", Y),
    "number": (3, Y), "object as y": (X, object()), "words": (X, ["a"] * 40), "matrix": (X, MANY),
    "complex": (X * 1j, Y), "dicts": ({}, {}), "masked": (MASKED_X, Y), "hostile": (HOSTILE, HOSTILE),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_VALIDATION)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_wrong_validation_rows_are_named(case: str, solver: str) -> None:
    X_val, y_val = BAD_VALIDATION[case]
    estimator = MLPClassifier(**SMALL, solver=solver)
    with pytest.raises((TypeError, ValueError), match=r"X_val|y_val"):
        estimator.fit(X, Y, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("y_val", [np.column_stack([V, V]), ["a"] * 40, V.astype(str), [None] * 40])
def test_wrong_validation_values_are_named(y_val: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="y_val"):
        MLPRegressor(**SMALL).fit(X, V, X_val=X, y_val=y_val)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(("factor_x", "factor_y"), [(1e300, 1), (1, 1e300)])
def test_validation_rows_far_away_do_not_end_training(
    early_stopping: bool, factor_x: float, factor_y: float
) -> None:
    """Their loss is infinite, but the weights are not, and their score is a (very low) number."""
    estimator = MLPRegressor(**SMALL, early_stopping=early_stopping)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            estimator.fit(X, V, X_val=X * factor_x, y_val=V * factor_y)
    except ValueError as error:
        assert "X_val" in str(error)  # noqa: PT017 (either is right)
    else:
        assert estimator.n_iter_ == 3


@pytest.mark.parametrize(
    "classes",
    [
        5, "ab", [], [0], [0, 1, np.nan], ["a", "b"], [[0], [1]], np.array([0, 1j]), object(), [0, "a"],
        [0.5, 1.5], np.ma.masked_array([0, 1], mask=[0, 1]), [None, 0, 1], HOSTILE,
    ],
    ids=lambda classes: shown("classes", classes),
)  # fmt: skip
def test_wrong_classes_are_named_and_forgotten(classes: Any) -> None:
    estimator = MLPClassifier(**SMALL)
    with pytest.raises((TypeError, ValueError), match="classes"):
        estimator.partial_fit(X, Y, classes=classes)
    estimator.partial_fit(X, Y, classes=[0, 1])
    np.testing.assert_array_equal(estimator.classes_, [0, 1])


def test_the_first_call_of_partial_fit_wants_classes_also_after_a_failed_one() -> None:
    estimator = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes"):
        estimator.partial_fit(X, Y)
    with pytest.raises(ValueError, match=NAMES_X):
        estimator.partial_fit("abc", Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes"):
        estimator.partial_fit(X, Y)


def test_multi_label_classes_must_be_as_many_as_columns() -> None:
    estimator = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes must have an entry for each of y's 3 columns, got"):
        estimator.partial_fit(X, MANY, classes=[0, 1])
    estimator.partial_fit(X, MANY, classes=[0, 1, 2])


@pytest.mark.parametrize("y", [Y, MANY[:, :2], np.column_stack([MANY, MANY]), MANY * 2, MANY - 0.5], ids=str)
def test_a_later_partial_fit_wants_the_columns_of_the_first(y: Array) -> None:
    estimator = MLPClassifier(**SMALL).partial_fit(X, MANY)
    before = estimator.predict_proba(X)
    with pytest.raises(ValueError, match=r"y must have|y with several columns"):
        estimator.partial_fit(X, y)
    np.testing.assert_array_equal(estimator.predict_proba(X), before)


@pytest.mark.parametrize(
    ("first", "later"), [(V, np.column_stack([V, V])), (np.column_stack([V, V]), V), (V, np.ones((40, 3)))]
)
def test_a_later_partial_fit_wants_the_outputs_of_the_first(first: Array, later: Array) -> None:
    estimator = MLPRegressor(**SMALL).partial_fit(X, first)
    before = estimator.predict(X)
    with pytest.raises(ValueError, match=r"y must have [12] columns? as before, got shape"):
        estimator.partial_fit(X, later)
    with pytest.raises(ValueError, match="X has 2 features"):
        estimator.partial_fit(X[:, :2], first)
    np.testing.assert_array_equal(estimator.predict(X), before)


def test_labels_that_are_new_later_are_refused() -> None:
    estimator = MLPClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1])
    for y in (Y + 1, Y.astype(str), Y == 1.5, np.full(40, "a")):
        if set(np.unique(y).tolist()) <= {0, 1}:
            continue
        with pytest.raises(ValueError, match=r"y.*classes"):
            estimator.partial_fit(X, y)
    with pytest.raises(ValueError, match="classes"):
        estimator.partial_fit(X, Y, classes=[0, 1, 2])


@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, [1]), (MLPRegressor, [1.0])])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_one_row_is_enough(make: type[Any], y: Any, solver: str) -> None:
    estimator = make(**SMALL, solver=solver).fit(X[:1], y)
    assert estimator.predict(X).shape == (40,)
    assert np.isfinite(estimator.loss_)
    with pytest.raises(ValueError, match=r"validation|train set|sample"):
        make(**SMALL, early_stopping=True).fit(X[:1], y)


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_one_class_is_predicted_or_refused(loss: str) -> None:
    estimator = MLPClassifier(**SMALL, loss=loss).fit(X, np.full(40, "only"))
    assert set(estimator.predict(X)) == {"only"}
    assert estimator.score(X, np.full(40, "only")) == 1


@pytest.mark.parametrize("scale", [1e-310, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, Y), (MLPRegressor, V)], ids=["C", "R"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_huge_and_tiny_rows_train_or_are_refused(scale: float, make: Any, y: Array, solver: str) -> None:
    estimator = make(**SMALL, solver=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            estimator.fit(X * scale, y)
        except ValueError as error:
            assert "large values" in str(error)  # noqa: PT017 (either is right)
            with suppress(NotFittedError):
                assert np.isfinite(estimator.predict(X)).all()
            return
    assert all(np.isfinite(W).all() for W in estimator.coefs_)
    assert np.isfinite(estimator.predict(X)).all()


@pytest.mark.parametrize("factor", [1e40, 1e300])
def test_values_too_large_for_float32_are_named(factor: float) -> None:
    with pytest.raises(ValueError, match=r"\by\b"):
        MLPRegressor(**SMALL).fit(X.astype("float32"), V * factor)
    estimator = MLPRegressor(**SMALL).fit(X.astype("float32"), V)
    with pytest.raises(ValueError, match=r"\bX\b"):
        estimator.predict(X * factor)


# ------------------------------------------------------------------------------------ what is left of a model


def good(make: type[Any] = MLPClassifier, **options: Any) -> Any:
    return make(**{**SMALL, **options}).fit(X, V if make is MLPRegressor else Y)


FAILURES: dict[str, tuple[dict[str, Any], tuple[Any, ...], dict[str, Any]]] = {
    "parameter": ({"max_iter": 0}, (X, Y), {}),
    "loss": ({"loss": "bogus"}, (X, Y), {}),
    "dropout": ({"dropout": 5}, (X, Y), {}),
    "random_state": ({"random_state": "bogus"}, (X, Y), {}),
    "hidden_layer_sizes": ({"hidden_layer_sizes": (0,)}, (X, Y), {}),
    "X": ({}, ("abc", Y), {}),
    "y": ({}, (X, V), {}),
    "columns": ({}, (X[:5], Y), {}),
    "sample_weight": ({}, (X, Y, -np.ones(40)), {}),
    "class_weight": ({"class_weight": {7: 1}}, (X, Y), {}),
    "X_val": ({}, (X, Y), {"X_val": X}),
    "scoring": ({"scoring": "bogus", "early_stopping": True}, (X, Y), {}),
    "diverging": ({"learning_rate_init": 1e300}, (X * 1e10, Y), {}),
    "n_jobs": ({"n_jobs": 0}, (X, Y), {}),
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("before", ["nothing", "fit"])
def test_after_a_failed_fit_an_estimator_is_as_before_or_clearly_unfitted(case: str, before: str) -> None:
    options, rows, validation = FAILURES[case]
    estimator = MLPClassifier(**SMALL) if before == "nothing" else good()
    expected = None if before == "nothing" else estimator.predict_proba(X)
    own = estimator.get_params()
    estimator.set_params(**options)
    with pytest.raises((TypeError, ValueError)):
        estimator.fit(*rows, **validation)
    estimator.set_params(**own)
    try:
        left = estimator.predict_proba(X)
    except NotFittedError:
        pass
    else:
        if case == "diverging":  # ended in training: the last weights that were finite
            assert np.isfinite(left).all()
        else:
            assert expected is not None, "a failed first fit left a network of random weights"
            np.testing.assert_array_equal(left, expected)
    pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(estimator.fit(X, Y).predict_proba(X), good().predict_proba(X))


@pytest.mark.parametrize("rows", [("abc", Y), (X, V), (X[:5], Y), (X, "abc"), (X * np.nan, Y)])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "initialize"])
def test_rows_that_are_refused_leave_an_unfitted_estimator(rows: tuple[Any, Any], method: str) -> None:
    estimator = MLPClassifier(**SMALL)
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises((TypeError, ValueError)):
        getattr(estimator, method)(*rows, **arguments)
    for use in (estimator.predict, estimator.transform):
        with pytest.raises(NotFittedError):
            use(X)


@pytest.mark.parametrize(
    "case", [case for case in FAILURES if case not in ("diverging", "hidden_layer_sizes")]
)
def test_a_failed_partial_fit_changes_no_weight(case: str) -> None:
    options, rows, validation = FAILURES[case]
    estimator = good()
    own, before = estimator.get_params(), estimator.predict_proba(X)
    with pytest.raises((TypeError, ValueError)):
        estimator.set_params(**options).partial_fit(*rows, **validation)
    np.testing.assert_array_equal(estimator.set_params(**own).predict_proba(X), before)
    np.testing.assert_array_equal(
        estimator.partial_fit(X, Y).predict_proba(X), good().partial_fit(X, Y).predict_proba(X)
    )


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop", "adagrad"])
@pytest.mark.parametrize("factor", [1e155, 1e200, 1e300])
def test_a_partial_fit_that_diverges_does_not_spoil_the_next(solver: str, factor: float) -> None:
    estimator = good(MLPRegressor, solver=solver)
    with pytest.raises(ValueError, match="non-finite"):
        estimator.partial_fit(X * factor, V * factor)
    assert all(np.isfinite(W).all() for W in estimator.coefs_)
    before = estimator.loss_
    for _ in range(5):
        estimator.partial_fit(X, V)
        assert np.isfinite(estimator.loss_)
    assert estimator.loss_ <= 1.5 * before


@pytest.mark.parametrize("solver", ["adam", "rmsprop", "adagrad"])
@pytest.mark.parametrize("factor", [1e160, 1e200])
def test_rows_whose_squared_gradient_overflows_do_not_freeze_an_estimator(solver: str, factor: float) -> None:
    """An infinite second moment would make every later step zero, without a word."""
    estimator = good(solver=solver)
    with suppress(ValueError):
        estimator.partial_fit(X * factor, Y)
    before = [W.copy() for W in estimator.coefs_]
    estimator.partial_fit(X, Y)
    assert all((old != W).any() for W, old in zip(estimator.coefs_, before, strict=True))


REPLACED: dict[str, Callable[[Any], Any]] = {
    "one missing": lambda e: e.coefs_.pop(),
    "none": lambda e: setattr(e, "coefs_", []),
    "None": lambda e: setattr(e, "coefs_", None),
    "intercepts of another shape": lambda e: e.intercepts_.__setitem__(0, np.zeros(7)),
    "fewer inputs": lambda e: e.coefs_.__setitem__(0, np.zeros((2, 4))),
    "layers that do not fit": lambda e: e.coefs_.__setitem__(1, np.zeros((5, 1))),
    "more outputs": lambda e: (
        e.coefs_.__setitem__(1, np.zeros((4, 5))), e.intercepts_.__setitem__(1, np.zeros(5))
    ),
    "nan": lambda e: e.coefs_.__setitem__(0, np.full((3, 4), np.nan)),
    "inf": lambda e: e.intercepts_.__setitem__(1, np.array([np.inf])),
    "one dimension": lambda e: e.coefs_.__setitem__(0, np.zeros(3)),
    "a number": lambda e: e.coefs_.__setitem__(0, 5),
    "words": lambda e: e.coefs_.__setitem__(0, np.full((3, 4), "a")),
    "complex": lambda e: e.coefs_.__setitem__(0, np.full((3, 4), 1j)),
    "a wider layer": lambda e: (
        setattr(e, "coefs_", [np.ones((3, 9)), np.ones((9, 1))]),
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
    assert estimator.fit(X, Y).predict(X).shape == (40,)


@pytest.mark.parametrize("method", ["partial_fit", "warm start", "lbfgs", "validation"])
def test_training_on_replaced_weights_of_wrong_shape_does_not_crash(method: str) -> None:
    code = f"""
big = {{
    "more inputs": lambda e: e.coefs_.__setitem__(0, np.ones((300000, 4))),
    "wider": lambda e: (
        setattr(e, "coefs_", [np.ones((3, 5000)), np.ones((5000, 1))]),
        setattr(e, "intercepts_", [np.zeros(5000), np.zeros(1)]),
    ),
    "more outputs": lambda e: (
        e.coefs_.__setitem__(1, np.ones((4, 90000))), e.intercepts_.__setitem__(1, np.zeros(90000))
    ),
}}
for name, replace in (REPLACED | big).items():
    for make in (MLPClassifier, MLPRegressor):
        estimator = good(make)
        replace(estimator)
        y = V if make is MLPRegressor else Y
        rows = {{"X_val": X, "y_val": y}} if {method == "validation"} else {{}}
        if {method in ("warm start", "lbfgs")}:
            estimator.set_params(warm_start=True, solver={"lbfgs" if method == "lbfgs" else "adam"!r})
        fit = estimator.fit if {method in ("warm start", "lbfgs")} else estimator.partial_fit
        try:
            fit(X, y, **rows)
            assert "wider" in name, (name, make)
            fit(X, y, **rows)
        except (TypeError, ValueError) as error:
            assert "coefs_" in str(error) or "intercepts_" in str(error), (name, make, repr(error))
print("alive")
"""
    assert in_process(code) == "alive\n"


def test_labels_beyond_the_outputs_of_replaced_weights_are_refused() -> None:
    estimator = MLPClassifier(**SMALL).fit(X, THREE)
    estimator.coefs_[1], estimator.intercepts_[1] = np.ones((4, 2)), np.zeros(2)
    with pytest.raises(ValueError, match="coefs_"):
        estimator.partial_fit(X, THREE)


def test_weights_made_nan_in_place_are_reported() -> None:
    estimator = good(MLPRegressor)
    estimator.coefs_[0][...] = np.nan
    with pytest.warns(RuntimeWarning, match="not finite"):
        estimator.predict(X)
    with pytest.raises(ValueError, match="non-finite"):
        estimator.partial_fit(X, V)


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_other_hidden_layer_sizes_between_warm_starts_are_refused(method: str) -> None:
    estimator = good(warm_start=True).set_params(hidden_layer_sizes=(9,))
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        getattr(estimator, method)(X, Y)
    assert estimator.set_params(hidden_layer_sizes=(4,)).fit(X, Y).coefs_[0].shape == (3, 4)


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


def test_quantiles_set_after_fit_are_named() -> None:
    estimator = good(MLPRegressor, loss="quantile")
    estimator.set_params(quantiles=(0.1, 0.9))
    for use in (estimator.predict, estimator.predict_quantiles, lambda X: estimator.partial_fit(X, V)):
        with pytest.raises(ValueError, match="quantiles"):
            use(X)


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_early_stopping_may_be_switched_between_fits(before: bool, after: bool, method: str) -> None:
    estimator = good(early_stopping=before, warm_start=True)
    estimator.set_params(early_stopping=after)
    getattr(estimator, method)(X, Y, X_val=X, y_val=Y)
    assert (estimator.best_validation_score_ is not None) == after
    assert len(estimator.predict(X)) == 40


def test_partial_fit_vanishes_for_lbfgs_and_comes_back() -> None:
    estimator = good()
    assert not hasattr(estimator.set_params(solver="lbfgs"), "partial_fit")
    estimator.set_params(warm_start=True).fit(X, Y)
    estimator.set_params(solver="adam").partial_fit(X, Y)
    assert np.isfinite(estimator.loss_)


def test_partial_fit_says_what_it_cannot_do() -> None:
    for options, name in (
        ({"early_stopping": True}, "X_val"),
        ({"class_weight": "balanced"}, "class_weight"),
        ({"learning_rate": fastmlp.ReduceOnPlateau()}, "ReduceOnPlateau"),
    ):
        estimator = MLPClassifier(**SMALL, **options)
        with pytest.raises(ValueError, match=name):
            estimator.partial_fit(X, Y, classes=[0, 1])
        with pytest.raises(NotFittedError):
            estimator.predict(X)


# ---------------------------------------------------------------------------------- interrupts and threads


class At:
    """A scorer that does something at one of its calls."""

    def __init__(self, call: int, act: Callable[[], Any], scores: Iterator[float] | None = None) -> None:
        self.left, self.act = call, act
        self.scores, self.weights = scores if scores is not None else count(), []
        self.__name__ = "at"

    def __call__(self, estimator: Any, X: Any, y: Any, **_: Any) -> float:
        self.left -= 1
        self.weights.append([W.copy() for W in estimator.coefs_])
        if self.left == 0:
            self.act()
        return float(next(self.scores))


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("error", [RuntimeError("mine"), StopIteration("mine"), ZeroDivisionError("mine")])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_scorers_exception_comes_out_and_leaves_a_usable_estimator(
    error: Exception, early_stopping: bool
) -> None:
    options = {**SMALL, "max_iter": 5, "early_stopping": early_stopping}
    estimator = MLPClassifier(**options, scoring=At(3, lambda: fail(error)))
    with pytest.raises((type(error), RuntimeError), match=r"mine|StopIteration"):
        estimator.fit(X, Y, X_val=X, y_val=Y)
    estimator.set_params(scoring=None)
    with suppress(NotFittedError):
        assert np.isfinite(estimator.predict_proba(X)).all()
        estimator.partial_fit(X, Y, X_val=X, y_val=Y)
    fresh = MLPClassifier(**options).fit(X, Y, X_val=X, y_val=Y)
    np.testing.assert_array_equal(
        estimator.fit(X, Y, X_val=X, y_val=Y).predict_proba(X), fresh.predict_proba(X)
    )


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_ends_training_with_a_warning_and_the_weights_so_far(method: str) -> None:
    interrupt = At(3 if method == "fit" else 1, lambda: signal.raise_signal(signal.SIGINT))
    estimator = MLPClassifier(**{**SMALL, "max_iter": 100}, scoring=interrupt)
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.warns(UserWarning, match="interrupted"):
        getattr(estimator, method)(X, Y, X_val=X, y_val=Y, **arguments)
    assert estimator.n_iter_ <= 3
    assert np.isfinite(estimator.predict_proba(X)).all()
    estimator.set_params(scoring=None).partial_fit(X, Y)


def test_ctrl_c_in_lbfgs_comes_out_and_leaves_a_usable_or_an_unfitted_estimator() -> None:
    interrupt = At(2, lambda: signal.raise_signal(signal.SIGINT))
    estimator = MLPRegressor(**{**SMALL, "max_iter": 50}, solver="lbfgs", scoring=interrupt)
    with pytest.raises(KeyboardInterrupt):  # as in scikit-learn
        estimator.fit(X, V, X_val=X, y_val=V)
    with suppress(NotFittedError):
        assert np.isfinite(estimator.predict(X)).all()
    estimator.set_params(scoring=None).fit(X, V)


def test_a_warm_start_that_fails_midway_leaves_attributes_that_agree() -> None:
    estimator = good(MLPRegressor, warm_start=True)
    before, curve = estimator.predict(X), list(estimator.loss_curve_)
    estimator.set_params(scoring=At(2, lambda: fail(RuntimeError("mine"))))
    with pytest.raises(RuntimeError, match="mine"):
        estimator.fit(X, V, X_val=X, y_val=V)
    assert len(estimator.history_) == len(estimator.loss_curve_)
    assert estimator.t_ == 40 * len(estimator.loss_curve_)
    assert estimator.loss_ == estimator.loss_curve_[-1]
    unchanged = np.array_equal(estimator.predict(X), before)
    assert unchanged == (estimator.loss_curve_ == curve)


@pytest.mark.parametrize("bad", [("abc", Y), (X, V), (X[:5], Y)], ids=["X", "y", "rows"])
def test_a_failed_initialize_leaves_an_earlier_fit_alone_or_forgets_it(bad: tuple[Any, Any]) -> None:
    estimator = good()
    before = estimator.predict_proba(X)
    with pytest.raises((TypeError, ValueError)):
        estimator.initialize(*bad)
    with suppress(NotFittedError):
        np.testing.assert_array_equal(estimator.predict_proba(X), before)


@pytest.mark.parametrize("strict", [True, False])
def test_ctrl_c_takes_the_best_weights_of_early_stopping(strict: bool) -> None:
    """Even where the warning is an error."""
    script = At(4, lambda: signal.raise_signal(signal.SIGINT), iter([1, 9, 2, 3]))
    estimator = MLPClassifier(**{**SMALL, "max_iter": 50}, early_stopping=True, scoring=script)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        if strict:
            with pytest.raises(UserWarning, match="interrupted"):
                estimator.fit(X, Y)
        else:
            estimator.fit(X, Y)
    for W, best in zip(estimator.coefs_, script.weights[1], strict=True):
        np.testing.assert_array_equal(W, best)


def test_weights_of_a_run_that_ended_in_an_error_do_not_come_back_later() -> None:
    script = At(3, lambda: fail(RuntimeError("mine")), iter([1, 9, 2]))
    estimator = MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=1, scoring=script)
    with pytest.raises(RuntimeError, match="mine"):
        estimator.fit(X, Y)
    estimator.set_params(early_stopping=False, scoring=None).fit(X, Y)
    after = estimator.predict_proba(X)
    np.testing.assert_array_equal(after, good().predict_proba(X))


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
        lambda: [estimator.partial_fit(X, V) for _ in range(50)],
        lambda: [estimator.predict(X) for _ in range(50)],
        lambda: [estimator.transform(X) for _ in range(50)],
    )
    assert errors == []
    assert np.isfinite(estimator.predict(X)).all()


def test_two_threads_that_train_one_estimator_leave_a_usable_one() -> None:
    estimator = good(MLPRegressor)
    in_threads(*[lambda: [estimator.partial_fit(X, V) for _ in range(30)]] * 3)
    assert np.isfinite(estimator.predict(X)).all()
    errors = in_threads(*[lambda: [estimator.fit(X, V) for _ in range(10)]] * 3)
    assert all(isinstance(error, (AttributeError, RuntimeError, ValueError)) for error in errors)
    estimator.fit(X, V)
    np.testing.assert_array_equal(estimator.predict(X), good(MLPRegressor).predict(X))


def test_a_scorer_may_use_the_estimator_that_is_being_fitted() -> None:
    estimator = MLPRegressor(**SMALL)
    estimator.set_params(scoring=lambda *_: float(estimator.predict(X).sum()))
    estimator.fit(X, V, X_val=X, y_val=V)
    assert estimator.validation_scores_[-1] == pytest.approx(estimator.predict(X).sum())


# ------------------------------------------------------------------------------------------------ saved files


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Any) -> None:
    path = tmp_path / "model.safetensors"
    good().save(path)
    kept = path.read_bytes()
    with pytest.raises(NotFittedError):
        MLPClassifier().save(path)
    broken = good()
    broken.coefs_[0] = np.full((3, 4), np.nan)
    with pytest.raises(ValueError, match="coefs_"):
        broken.save(path)
    assert path.read_bytes() == kept
    with pytest.raises(ValueError, match="directory"):
        good().save(tmp_path)
    with pytest.raises(TypeError):
        good().save(None)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "method", ["predict", "transform", "score", "save", "loss_curve_plot", "to_sklearn", "predict_proba"]
)
def test_an_unfitted_estimator_says_so(method: str, tmp_path: Any) -> None:
    arguments = {"save": (tmp_path / "x",), "score": (X, Y), "loss_curve_plot": (), "to_sklearn": ()}
    with pytest.raises(NotFittedError):
        getattr(MLPClassifier(), method)(*arguments.get(method, (X,)))
    if method in ("predict", "transform"):
        with pytest.raises(NotFittedError):
            getattr(MLPRegressor(loss="quantile", quantiles=(0.1, 0.9)), method)(X)


def test_an_unfitted_regressor_is_unfitted_before_anything_else() -> None:
    with pytest.raises(NotFittedError):
        MLPRegressor().predict(X, return_std=True)
    with pytest.raises(NotFittedError):
        MLPRegressor(loss="quantile", quantiles=(0.1, 0.9)).predict_quantiles(X)


@pytest.mark.parametrize("value", ["yes", None, 2])
def test_return_std_must_be_a_flag(value: Any) -> None:
    estimator = good(MLPRegressor, loss="quantile", quantiles=(0.1, 0.9))
    with pytest.raises(TypeError, match="return_std must be True or False"):
        estimator.predict(X, return_std=value)


def test_divergence_with_early_stopping_warns_and_keeps_the_best() -> None:
    estimator = MLPRegressor(**SMALL, early_stopping=True, solver="sgd", learning_rate_init=1e10)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        estimator.fit(X * 1e5, V)
    assert all(np.isfinite(W).all() for W in estimator.coefs_)
    assert estimator.predict(X).shape == (40,)
