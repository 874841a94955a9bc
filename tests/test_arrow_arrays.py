"""Arrow's arrays, chunked arrays and record batches, and pandas' nullable types, wherever rows are given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastmlp
from estimator_tools import few_epochs
from fastmlp.data import Table, TableEncoder

pytestmark = few_epochs

NAN = float("nan")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
NAMES = ["a", "b", "c"]
WEIGHTS = RNG.uniform(0.5, 2, 60)


def chunks(values: np.ndarray) -> pa.ChunkedArray:
    return pa.chunked_array([values[:7], values[7:7], values[7:]])


TABLES: dict[str, Callable[[], Any]] = {
    "table": lambda: pa.table({name: chunks(X[:, i]) for i, name in enumerate(NAMES)}),
    "record batch": lambda: pa.record_batch({name: X[:, i] for i, name in enumerate(NAMES)}),
    "float64 batch": lambda: pa.record_batch({name: X[:, i].astype(float) for i, name in enumerate(NAMES)}),
}
COLUMNS: dict[str, Callable[[Any], Any]] = {
    "array": pa.array,
    "chunked": chunks,
    "categories": lambda values: pa.array(values).dictionary_encode(),
    "pandas": lambda values: pd.Series(values).convert_dtypes(),
    "arrow in pandas": lambda values: pd.Series(values).convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.Series,
}
TARGETS = {
    "texts": np.where(X[:, 0] > 0, "up", "down"),
    "numbers": (X[:, 0] > 0).astype(int),
    "booleans": X[:, 0] > 0,
    "values": X[:, 0] - X[:, 1],
}
OPTIONS: dict[str, Any] = {"hidden": (4,), "epochs": 2}


@pytest.mark.parametrize("form", COLUMNS)
@pytest.mark.parametrize("kind", TARGETS)
def test_targets_and_weights_may_be_columns_of_arrow(kind: str, form: str) -> None:
    y = TARGETS[kind]
    expected = fastmlp.train(X, y, sample_weight=WEIGHTS, **OPTIONS)
    given = COLUMNS[form](y)
    weights = WEIGHTS if form == "categories" else COLUMNS[form](WEIGHTS)
    net = fastmlp.train(X, given, sample_weight=weights, **OPTIONS)
    np.testing.assert_array_equal(net.parameters, expected.parameters)
    np.testing.assert_array_equal(net.predict(X), expected.predict(X))
    assert net.loss_and_gradient(X, given, weights)[0] == expected.loss_and_gradient(X, y, WEIGHTS)[0]


@pytest.mark.parametrize("form", TABLES)
def test_rows_may_be_a_table_or_a_record_batch(form: str) -> None:
    table, y = TABLES[form](), TARGETS["texts"]
    net, expected = fastmlp.train(table, pa.array(y), **OPTIONS), fastmlp.train(X, y, **OPTIONS)
    np.testing.assert_array_equal(net.parameters, expected.parameters)
    assert net.feature_names == ("a", "b", "c")
    np.testing.assert_array_equal(net.predict(table), expected.predict(X))
    with_target = table.append_column("y", pa.array(y))
    named = fastmlp.train(with_target, "y", validation=0.2, **OPTIONS)
    np.testing.assert_array_equal(named.parameters, fastmlp.train(X, y, validation=0.2, **OPTIONS).parameters)
    held = fastmlp.train(X, y, validation=(TABLES[form](), pa.array(y)), **OPTIONS)
    assert held.history["validation_loss"][-1] == held.loss_and_gradient(X, y)[0]


@pytest.mark.parametrize("form", ["array", "chunked", "pandas", "arrow in pandas"])
def test_estimators_take_them_too(form: str) -> None:
    y = TARGETS["texts"]
    expected = fastmlp.MLPClassifier((4,), max_iter=3, random_state=0).fit(X, y)
    got = fastmlp.MLPClassifier((4,), max_iter=3, random_state=0).fit(
        TABLES["record batch"](), COLUMNS[form](y)
    )
    np.testing.assert_array_equal(got.predict(TABLES["record batch"]()), expected.predict(X))


DAY = dt.datetime(2020, 1, 1)


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        (pa.array([1, None]), "float64", [1, NAN]),
        (pa.array([1, 2], pa.uint8()), "int64", [1, 2]),
        (pa.array([True, None]), "float64", [1, NAN]),
        (pa.array([True, False]), "bool", [True, False]),
        (pa.array([0.5, None], pa.float16()), "float64", [0.5, NAN]),
        (pa.array([Decimal("1.5"), None]), "float64", [1.5, NAN]),
        (pa.array(["x", None]), "object", ["x", None]),
        (pa.array(["x", None], pa.string_view()), "object", ["x", None]),
        (pa.array(["x", None, "x"]).dictionary_encode(), "object", ["x", None, "x"]),
        (pa.chunked_array([["x"], ["y"]]), "object", ["x", "y"]),
        (pa.array([DAY], pa.timestamp("ns", "Asia/Tokyo")), "datetime64[us]", [DAY]),
        (pa.array([DAY.date(), None]), "datetime64[us]", [DAY, None]),
        (pa.nulls(2), "float64", [NAN, NAN]),
        (pd.Series([1, None], dtype="Int64"), "float64", [1, NAN]),
        (pd.array([True, None], "boolean"), "float64", [1, NAN]),
        (pd.array(["x", None], "string"), "object", ["x", None]),
        (pd.Categorical(["x", None]), "object", ["x", None]),
        (pd.Series(["x", None], dtype="string[pyarrow]"), "object", ["x", None]),
        (pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("UTC")), "datetime64[us]", [DAY]),
        (pl.Series(["x", None]), "object", ["x", None]),
        (pl.Series([1, None]), "float64", [1, NAN]),
    ],
)  # fmt: skip
def test_columns_of_a_table_may_be_of_other_libraries(column: Any, dtype: str, expected: list[Any]) -> None:
    values = Table({"c": column})["c"]
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, np.array(expected, dtype=dtype))


def test_batches_are_encoded_as_tables_are() -> None:
    batch = pa.record_batch({"x": [1.0, None, 4.0], "c": pa.array(["a", "a", None]).dictionary_encode()})
    encoder = TableEncoder().fit(batch)
    np.testing.assert_array_equal(encoder.transform(batch), encoder.transform(pa.Table.from_batches([batch])))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((pl.LazyFrame({"a": [1.0]}), [1.0]), TypeError, r"X must be rows, .* collect\(\) it first"),
        ((pl.LazyFrame({"a": [1.0], "y": [1.0]}), "y"), TypeError, r"X must be rows, got a LazyFrame"),
        ((X[:1], pl.LazyFrame({"y": [1.0]})), TypeError, r"y must be rows, got a LazyFrame"),
        ((X[:2], pa.array([1.0, None])), ValueError, "y has nan"),
        ((X[:2], pa.array(["a", None])), ValueError, "y has a missing value at row 1"),
        ((X[:2], pa.array([[1], [2]])), TypeError, "y must hold numbers, .* strings; its type is list"),
        ((pa.record_batch({"a": [1.0, None]}), [1.0, 2.0]), ValueError, "X has nan at row 1, column 0"),
        ((pa.record_batch({"a": ["u", "v"]}), [1.0, 2.0]), TypeError, "X must hold real numbers"),
        ((pa.record_batch({"a": [1.0], "day": [DAY]}), [1.0]), TypeError, "X must .* dates in column 'day'"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.train(*arguments, encode=False, **OPTIONS)


def test_estimators_and_networks_refuse_what_has_not_been_collected() -> None:
    lazy = pl.LazyFrame({"a": [1.0], "b": [2.0], "c": [3.0]})
    net = fastmlp.train(X, TARGETS["values"], **OPTIONS)
    for use in (net.predict, net.forward, lambda X: fastmlp.MLPRegressor().fit(X, [1.0])):
        with pytest.raises(
            TypeError, match=r"X must be rows, got a LazyFrame, which has none yet; collect\(\) it"
        ):
            use(lazy)
