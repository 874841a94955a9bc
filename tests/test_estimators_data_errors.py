"""Wrong rows, targets, weights, validation rows and classes are refused with an error that names them."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.exceptions import NotFittedError

import fastmlp
from estimator_tools import (
    BITS,
    HOSTILE,
    MANY,
    PAIRS,
    SMALL,
    THREE,
    VALUES,
    Array,
    X,
    shown,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._rows.memory import check_row_count

pytestmark = unfinished_fits


# X and y


MASKED_X = np.ma.masked_array(X, mask=X > 1)

RAGGED = [[1], [1, 2]]

BAD_X: dict[str, Any] = {
    "None": None, "text": "abc", "a number": 3, "one row flat": X[0], "three dimensions": X[None],
    "no rows": X[:0], "no columns": X[:, :0], "nan": np.where(X > 1, np.nan, X),
    "inf": np.where(X > 1, np.inf, X), "complex": X + 1j, "words": np.full((60, 4), "a", object),
    "None inside": np.full((60, 4), None), "masked": MASKED_X, "fewer rows": X[:5], "ragged": RAGGED,
    "dict": {"a": 1}, "object": object(), "hostile": HOSTILE, "generator": (row for row in X),
    "frame of words": pd.DataFrame({"a": ["x"] * 60}), "frame of NA": pd.DataFrame({"a": [None] * 60}),
    "dates": np.full((60, 4), "2020", "M8[D]"), "structured": np.zeros(60, [("a", "f8")]),
    "set": {1.0, 2.0}, "function": len,
}  # fmt: skip

BAD_LABELS: dict[str, Any] = {
    "None": None, "text": "abc", "a number": 1, "empty": [], "fewer": BITS[:5],
    "nan": np.where(BITS, np.nan, 0.0), "inf": np.where(BITS, np.inf, 0.0), "fractions": VALUES,
    "two columns of labels": np.column_stack([THREE, THREE]),
    "None inside": np.array(["a", None] * 30, object), "mixed": np.array(["a", 1] * 30, object),
    "masked": np.ma.masked_array(BITS, mask=BITS == 0), "complex": BITS + 1j,
    "three dimensions": np.zeros((60, 2, 2)),
    "no columns": np.zeros((60, 0)), "dict": {}, "bytes": np.array([b"a", b"b"] * 30), "ragged": RAGGED * 30,
    "missing": pd.array([1, None] * 30, "Int64"), "matrix of -1 and 1": np.where(MANY, 1, -1),
    "matrix of 1 and 2": MANY + 1, "sets": [{1}, {2}] * 30,
}  # fmt: skip

BAD_VALUES: dict[str, Any] = {
    "None": None, "text": "abc", "empty": [], "fewer": VALUES[:5], "nan": np.where(BITS, np.nan, VALUES),
    "inf": np.where(BITS, np.inf, VALUES), "numbers as text": VALUES.astype(str), "words": ["a", "b"] * 30,
    "dates": np.array(["2020", "2021"] * 30, "M8[D]"), "durations": np.array([1, 2] * 30, "m8[s]"),
    "masked": np.ma.masked_array(VALUES, mask=VALUES > 0), "complex": VALUES + 1j,
    "three dimensions": np.zeros((60, 2, 2)),
    "no columns": np.zeros((60, 0)), "bytes": np.array([b"1", b"2"] * 30), "None inside": [None, 1.0] * 30,
    "structured": np.zeros(60, [("a", "f8")]), "objects": [object()] * 60,
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
        estimator.fit(X, BITS)
        if case == "fewer rows":
            return
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X has feature names")
            with pytest.raises((TypeError, ValueError), match=NAMES_X):
                getattr(estimator, method)(bad)
        assert estimator.predict(X).shape == (60,)
        return
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises((TypeError, ValueError), match=NAMES_X):
        getattr(estimator, method)(bad, BITS, **arguments)


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


@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "initialize"])
def test_more_rows_than_the_core_can_number_are_refused_as_train_refuses_them(make: Any, method: str) -> None:
    X = np.broadcast_to(np.zeros((1, 1), np.float32), (2**32, 1))  # takes the memory of one row
    y = np.broadcast_to(np.zeros(1, np.int8), 2**32)
    arguments = {"classes": [0, 1]} if method == "partial_fit" and make is MLPClassifier else {}
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        getattr(make(), method)(X, y, **arguments)
    with pytest.raises(ValueError, match=r"fewer than 2\*\*32, got 4294967296") as of_train:
        check_row_count(2**32)
    assert str(caught.value) == str(of_train.value)


def test_counts_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match="y must not be negative for loss='poisson'"):
        MLPRegressor(**SMALL, loss="poisson").fit(X, -np.ones(60))
    estimator = MLPRegressor(**SMALL, loss="poisson").fit(X, np.ones(60))
    with pytest.raises(ValueError, match="X_val, y_val: y must not be negative"):
        estimator.fit(X, np.ones(60), X_val=X, y_val=-np.ones(60))


# Sparse matrices


def broken(kind: str, name: str, values: Any) -> Any:
    matrix = scipy.sparse.random(60, 4, 0.5, kind, random_state=0)
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
    "fit": lambda e, A: e.fit(A, THREE),
    "early stopping": lambda e, A: e.set_params(early_stopping=True).fit(A, THREE),
    "partial_fit": lambda e, A: e.partial_fit(A, THREE, classes=[0, 1, 2]),
    "predict": lambda e, A: e.fit(X, THREE).predict(A),
    "transform": lambda e, A: e.fit(X, THREE).transform(A),
    "X_val": lambda e, A: e.fit(X, THREE, X_val=A, y_val=THREE),
    "train": lambda e, A: fastmlp.train(A, THREE, epochs=1),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_malformed_sparse_matrices_are_refused(case: Any, reader: str) -> None:
    with pytest.raises(ValueError, match=r"X.* is not a valid sparse matrix"):
        READERS[reader](MLPClassifier(**SMALL), broken(*case))


def test_a_malformed_sparse_y_is_refused() -> None:
    y = scipy.sparse.csc_matrix(MANY)
    y.indices[:] = 10**8
    with pytest.raises(ValueError, match="y is not a valid sparse matrix"):
        MLPClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="y is not a valid sparse matrix"):
        fastmlp.train(X, y, epochs=1)


# Weights


BAD_WEIGHTS: dict[str, tuple[Any, str]] = {
    "too few": ([1.0] * 5, "as many rows as X"),
    "negative": (-np.ones(60), "at least 0"),
    "zeros": (np.zeros(60), "greater than 0"),
    "nan": (np.full(60, np.nan), "nan"),
    "inf": (np.full(60, np.inf), "inf"),
    "a column": (np.ones((60, 1)), "shape"),
    "text": ("a", "numbers"),
    "words": (["a"] * 60, "numbers"),
    "complex": (np.ones(60) * 1j, "numbers"),
    "masked": (np.ma.masked_array(np.ones(60), mask=BITS == 0), "masked"),
    "sum too large": (np.full(60, 1e308), ""),
    "negative number": (-1, "at least 0"),
    "zero": (0, "greater than 0"),
    "dict": ({}, "numbers"),
    "objects": ([object()] * 60, "numbers"),
    "None inside": ([None] * 60, ""),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_wrong_sample_weight_is_named(case: str, solver: str) -> None:
    weights, text = BAD_WEIGHTS[case]
    estimator = MLPClassifier(**SMALL, solver=solver)
    with pytest.raises((TypeError, ValueError), match=rf"sample_weight.*{text}"):
        estimator.fit(X, BITS, weights)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1e30, 1e300])
def test_the_scale_of_the_weights_is_refused_or_does_not_matter(
    solver: str, dtype: str, scale: float
) -> None:
    options = {**SMALL, "alpha": 0, "solver": solver}
    expected = MLPClassifier(**options).fit(X.astype(dtype), BITS, np.ones(60)).predict_proba(X)
    try:
        scaled = MLPClassifier(**options).fit(X.astype(dtype), BITS, np.full(60, scale))
    except ValueError as error:
        assert "sample_weight" in str(error)  # noqa: PT017 (either is right)
    else:
        np.testing.assert_allclose(scaled.predict_proba(X), expected, atol=1e-3)


def test_batches_of_weight_zero_do_no_harm() -> None:
    weights = np.r_[np.zeros(20), np.ones(40)]
    estimator = MLPClassifier(**SMALL, batch_size=20, shuffle=False).fit(X, BITS, weights)
    assert np.isfinite(estimator.loss_curve_).all()
    alone = MLPClassifier(**SMALL, batch_size=20, shuffle=False, alpha=0).fit(X[20:], BITS[20:])
    assert np.isfinite(alone.loss_)


def test_held_back_rows_without_weight_are_explained() -> None:
    weights = np.zeros(60)
    weights[0] = 1
    with pytest.raises(ValueError, match=r"sample_weight|validation"):
        MLPClassifier(**SMALL, early_stopping=True).fit(X, BITS, weights)


# Validation rows


BAD_VALIDATION: dict[str, tuple[Any, Any]] = {
    "no y": (X, None), "no X": (None, BITS), "lengths": (X, BITS[:4]), "columns": (X[:, :2], BITS),
    "unknown label": (X, BITS + 5), "no rows": (X[:0], BITS[:0]), "nan": (X * np.nan, BITS),
    "text": ("abc", BITS), "number": (3, BITS), "object as y": (X, object()), "words": (X, ["a"] * 60),
    "matrix": (X, MANY), "complex": (X * 1j, BITS), "dicts": ({}, {}), "masked": (MASKED_X, BITS),
    "hostile": (HOSTILE, HOSTILE),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_VALIDATION)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_wrong_validation_rows_are_named(case: str, solver: str) -> None:
    X_val, y_val = BAD_VALIDATION[case]
    estimator = MLPClassifier(**SMALL, solver=solver)
    with pytest.raises((TypeError, ValueError), match=r"X_val|y_val"):
        estimator.fit(X, BITS, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("y_val", [PAIRS, ["a"] * 60, VALUES.astype(str), [None] * 60])
def test_wrong_validation_values_are_named(y_val: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="y_val"):
        MLPRegressor(**SMALL).fit(X, VALUES, X_val=X, y_val=y_val)


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.5, 0.9)])
def test_values_that_float32_cannot_hold_are_named_by_their_row(quantiles: Any) -> None:
    options = SMALL | ({} if quantiles is None else {"loss": "quantile", "quantiles": quantiles})
    y = VALUES.copy()
    y[7] = 1e39
    with pytest.raises(
        ValueError, match=r"y has 1e\+39 at row 7, more than float32 holds .*: X of that type"
    ):
        MLPRegressor(**options).fit(X.astype(np.float32), y)


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
            estimator.fit(X, VALUES, X_val=X * factor_x, y_val=VALUES * factor_y)
    except ValueError as error:
        assert "X_val" in str(error)  # noqa: PT017 (either is right)
    else:
        assert estimator.n_iter_ == 5


# Calls of partial_fit


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
        estimator.partial_fit(X, BITS, classes=classes)
    estimator.partial_fit(X, BITS, classes=[0, 1])
    np.testing.assert_array_equal(estimator.classes_, [0, 1])


def test_the_first_call_of_partial_fit_wants_classes_also_after_a_failed_one() -> None:
    estimator = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes"):
        estimator.partial_fit(X, BITS)
    with pytest.raises(ValueError, match=NAMES_X):
        estimator.partial_fit("abc", BITS, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes"):
        estimator.partial_fit(X, BITS)


def test_multi_label_classes_must_be_as_many_as_columns() -> None:
    estimator = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="classes must have an entry for each of y's 3 columns, got"):
        estimator.partial_fit(X, MANY, classes=[0, 1])
    estimator.partial_fit(X, MANY, classes=[0, 1, 2])


@pytest.mark.parametrize(
    "y",
    [BITS, MANY[:, :2], np.column_stack([MANY, MANY]), MANY * 2, MANY - 0.5],
    ids=["labels", "fewer columns", "more columns", "0 and 2", "fractions"],
)
def test_a_later_partial_fit_wants_the_columns_of_the_first(y: Array) -> None:
    estimator = MLPClassifier(**SMALL).partial_fit(X, MANY)
    before = estimator.predict_proba(X)
    with pytest.raises(ValueError, match=r"y must have|y with several columns"):
        estimator.partial_fit(X, y)
    np.testing.assert_array_equal(estimator.predict_proba(X), before)


@pytest.mark.parametrize(("first", "later"), [(VALUES, PAIRS), (PAIRS, VALUES), (VALUES, np.ones((60, 3)))])
def test_a_later_partial_fit_wants_the_outputs_of_the_first(first: Array, later: Array) -> None:
    estimator = MLPRegressor(**SMALL).partial_fit(X, first)
    before = estimator.predict(X)
    with pytest.raises(ValueError, match=r"y must have [12] columns? as before, got shape"):
        estimator.partial_fit(X, later)
    with pytest.raises(ValueError, match="X has 2 features"):
        estimator.partial_fit(X[:, :2], first)
    np.testing.assert_array_equal(estimator.predict(X), before)


def test_labels_that_are_new_later_are_refused() -> None:
    estimator = MLPClassifier(**SMALL).partial_fit(X, BITS, classes=[0, 1])
    for y in (BITS + 1, BITS.astype(str), BITS == 1.5, np.full(60, "a")):
        if set(np.unique(y).tolist()) <= {0, 1}:
            continue
        with pytest.raises(ValueError, match=r"y.*classes"):
            estimator.partial_fit(X, y)
    with pytest.raises(ValueError, match="classes"):
        estimator.partial_fit(X, BITS, classes=[0, 1, 2])


# Few rows and huge numbers


@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, [1]), (MLPRegressor, [1.0])])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_one_row_is_enough(make: type[Any], y: Any, solver: str) -> None:
    estimator = make(**SMALL, solver=solver).fit(X[:1], y)
    assert estimator.predict(X).shape == (60,)
    assert np.isfinite(estimator.loss_)
    with pytest.raises(ValueError, match=r"validation|train set|sample"):
        make(**SMALL, early_stopping=True).fit(X[:1], y)


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_one_class_is_predicted_or_refused(loss: str) -> None:
    estimator = MLPClassifier(**SMALL, loss=loss).fit(X, np.full(60, "only"))
    assert set(estimator.predict(X)) == {"only"}
    assert estimator.score(X, np.full(60, "only")) == 1


@pytest.mark.parametrize("scale", [1e-310, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, BITS), (MLPRegressor, VALUES)], ids=["C", "R"])
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
        MLPRegressor(**SMALL).fit(X.astype("float32"), VALUES * factor)
    estimator = MLPRegressor(**SMALL).fit(X.astype("float32"), VALUES)
    with pytest.raises(ValueError, match=r"\bX\b"):
        estimator.predict(X * factor)
