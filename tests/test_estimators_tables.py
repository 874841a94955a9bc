"""Tables and series of any library are read as arrays with names; rows are not copied without need."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from estimator_tools import (
    COUNTS,
    FRAME,
    NAMES,
    SMALL,
    TARGETS,
    TWO,
    VALUES,
    Array,
    X,
    assert_same_bits,
    assert_same_weights,
    estimator,
    few_epochs,
    outputs,
)
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp._estimators.rows import Matrix

pytestmark = few_epochs


class OnlyAnArrowStream:
    """What a library that pyarrow knows nothing of may hand over."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


TABLES: dict[str, Callable[[dict[str, Array]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "record batch": lambda columns: pa.table(columns).to_batches()[0],
    "stream": lambda columns: OnlyAnArrowStream(pa.table(columns)),
}
tables = pytest.mark.parametrize("library", [name for name in TABLES if name != "record batch"])


def table_of(library: str, names: list[str] = NAMES, rows: slice = slice(None)) -> Any:
    return TABLES[library]({name: X[rows, NAMES.index(name)] for name in names})


@tables
@pytest.mark.parametrize("kind", ["binary", "multioutput"])
def test_tables_are_read_as_arrays_with_names(kind: str, library: str) -> None:
    y = TARGETS[kind]
    fitted = estimator(kind).fit(table_of(library), y)
    assert_array_equal(fitted.feature_names_in_, NAMES)
    assert fitted.n_features_in_ == 4
    assert_same_weights(fitted, estimator(kind).fit(X, y))
    assert_array_equal(outputs(fitted, table_of(library)), outputs(estimator(kind).fit(X, y)))
    assert fitted.score(table_of(library), y) == estimator(kind).fit(X, y).score(X, y)
    assert fitted.transform(table_of(library)).shape == (60, 5)


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_a_tables_names_are_kept_and_checked(library: str, make: type[Any]) -> None:
    names = ["age", "height", "weight", "speed"]
    table = TABLES[library](dict(zip(names, X.T, strict=True)))
    estimator = make(**SMALL).fit(table, COUNTS, X_val=table, y_val=COUNTS)
    assert list(estimator.feature_names_in_) == names
    assert_same_bits(estimator, make(**SMALL).fit(X, COUNTS))
    np.testing.assert_array_equal(estimator.predict(table), make(**SMALL).fit(X, COUNTS).predict(X))
    estimator.partial_fit(table, COUNTS)
    assert estimator.transform(table).shape == (60, 6)
    assert np.isfinite(estimator.score(table, COUNTS))
    for wrong in (names[::-1], ["age", "height", "weight", "colour"]):
        other = TABLES[library](dict(zip(wrong, X.T, strict=True)))
        for use in (
            estimator.predict,
            estimator.transform,
            lambda other: estimator.partial_fit(other, COUNTS),
            lambda other: estimator.partial_fit(table, COUNTS, X_val=other, y_val=COUNTS),
        ):
            with pytest.raises(ValueError, match=r"(?s)feature names.*(order|unseen|missing)"):
                use(other)


@tables
@pytest.mark.parametrize("method", ["predict", "transform", "partial_fit", "score"])
def test_names_in_another_order_are_refused(method: str, library: str) -> None:
    fitted = estimator().fit(FRAME, TWO)
    arguments = (TWO,) if method in ("partial_fit", "score") else ()
    with pytest.raises(ValueError, match="feature names should match"):
        getattr(fitted, method)(table_of(library, list("bacd")), *arguments)
    getattr(fitted, method)(table_of(library), *arguments)


@tables
def test_validation_rows_may_be_a_table(library: str) -> None:
    fitted = estimator(early_stopping=True)
    fitted.fit(table_of(library), TWO, X_val=table_of(library, rows=slice(20)), y_val=TWO[:20])
    assert len(fitted.validation_scores_) == fitted.n_iter_
    with pytest.raises(ValueError, match="X_val"):
        fitted.fit(table_of(library), TWO, X_val=table_of(library, list("abc")), y_val=TWO)


def test_arrays_after_tables_warn_as_everywhere() -> None:
    fitted = estimator().fit(FRAME, TWO)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)
    assert not hasattr(fitted.fit(X, TWO), "feature_names_in_")


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
    assert_same_weights(fitted, estimator(kind).fit(X, TARGETS[kind]))
    assert_array_equal(fitted.predict(X), estimator(kind).fit(X, TARGETS[kind]).predict(X))


@pytest.mark.parametrize(("container", "expected"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_makes_tables_of_hidden_features(container: str, expected: type) -> None:
    fitted = estimator().set_output(transform=container).fit(FRAME, TWO)
    hidden = fitted.transform(FRAME)
    assert isinstance(hidden, expected)
    assert (
        list(hidden.columns)
        == list(fitted.get_feature_names_out())
        == [f"mlpclassifier{i}" for i in range(5)]
    )
    assert isinstance(fitted.predict(FRAME), np.ndarray)
    pipeline = make_pipeline(StandardScaler(), estimator("regression")).set_output(transform=container)
    assert isinstance(pipeline.fit(X, TARGETS["regression"]).transform(X), expected)


# Types


@pytest.mark.parametrize("library", ["numpy", "pandas"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_in_the_cores_layout_are_not_copied(
    library: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.ascontiguousarray(X, dtype)
    data = rows if library == "numpy" else pd.DataFrame(rows, columns=list("abcd"), copy=False)
    estimator = MLPRegressor(**SMALL)
    original, seen = Matrix.core_form, []

    def spied(self: Matrix, *arguments: Any) -> Any:
        seen.append(original(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(Matrix, "core_form", spied)
    estimator.fit(data, VALUES)
    assert len(seen) == 1
    assert np.shares_memory(seen[0], rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_of_x_is_that_of_the_network(dtype: str) -> None:
    estimator = MLPRegressor(**SMALL).fit(X.astype(dtype), VALUES)
    assert {W.dtype for W in (*estimator.coefs_, *estimator.intercepts_)} == {np.dtype(dtype)}
    assert estimator.predict(X.astype(dtype)).dtype == dtype
    assert estimator.transform(X.astype(dtype)).dtype == dtype
