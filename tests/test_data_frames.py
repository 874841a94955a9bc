"""Data frames of pandas and polars and Arrow tables as tables: each kind of column, or an error."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fastmlp.data import Table, read_frame

NAN = float("nan")
DAY = dt.datetime(2020, 1, 1)


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        (np.array([1, 2], dtype=np.int8), "int64", [1, 2]),
        (np.array([0.5, NAN], dtype=np.float32), "float64", [0.5, NAN]),
        (np.array([0.5, NAN], dtype=np.float16), "float64", [0.5, NAN]),
        ([True, False], "bool", [True, False]),
        (pd.array([1, None], "Int64"), "float64", [1, NAN]),
        (pd.array([1, 2], "UInt8"), "int64", [1, 2]),
        (pd.array([True, None], "boolean"), "float64", [1, NAN]),
        (pd.array([0.5, None], "Float64"), "float64", [0.5, NAN]),
        (pd.array(["x", None], "string"), "object", ["x", None]),
        (pd.Series(["x", NAN], dtype=object), "object", ["x", None]),
        (pd.Series([True, None], dtype=object), "float64", [1, NAN]),
        (pd.Categorical(["x", None]), "object", ["x", None]),
        (pd.Categorical([3, 1]), "int64", [3, 1]),
        ([Decimal("1.5"), None], "float64", [1.5, NAN]),
        ([DAY.date(), None], "datetime64[us]", [DAY, None]),
        (pd.to_datetime(["2020-01-01", None]), "datetime64[us]", [DAY, None]),
        (pd.to_datetime(["2020-01-01 03:00"]).tz_localize("Asia/Riyadh"), "datetime64[us]", [DAY]),
        ([None, None], "float64", [NAN, NAN]),
    ],
)  # fmt: skip
def test_columns_of_pandas(column: Any, dtype: str, expected: list[Any]) -> None:
    frame = pd.DataFrame({"c": column})
    frame.index = pd.RangeIndex(7, 7 + len(expected))  # it does not matter
    values = read_frame(frame)["c"]
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, np.array(expected, dtype=dtype))


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        (pl.Series([1, None]), "float64", [1, NAN]),
        (pl.Series([1, 2], dtype=pl.UInt16), "int64", [1, 2]),
        (pl.Series([True, None]), "float64", [1, NAN]),
        (pl.Series([True, False]), "bool", [True, False]),
        (pl.Series(["x", None]), "object", ["x", None]),
        (pl.Series(["x", None], dtype=pl.Categorical), "object", ["x", None]),
        (pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])), "object", ["x", "y"]),
        (pl.Series([Decimal("1.5"), None]), "float64", [1.5, NAN]),
        (pl.Series([DAY.date(), None]), "datetime64[us]", [DAY, None]),
        (pl.Series([DAY, None]), "datetime64[us]", [DAY, None]),
        (pl.Series([None, None]), "float64", [NAN, NAN]),
    ],
)
def test_columns_of_polars(column: pl.Series, dtype: str, expected: list[Any]) -> None:
    values = read_frame(pl.DataFrame({"c": column}))["c"]
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, np.array(expected, dtype=dtype))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
        (pa.array([7, None, 7]).dictionary_encode(), [7, NAN, 7]),
        (pa.chunked_array([["x"], [], ["y"]]), ["x", "y"]),
        (pa.array([DAY], pa.date64()), [DAY]),
        (pa.array([DAY], pa.timestamp("s")), [DAY]),
        (pa.array([1_577_836_800_000_000_999], pa.timestamp("ns", "UTC")), [DAY]),
    ],
)
def test_columns_of_arrow(column: Any, expected: list[Any]) -> None:
    np.testing.assert_array_equal(read_frame(pa.table({"c": column}))["c"].tolist(), expected)


def test_the_order_of_columns_stays_and_a_table_comes_back_as_it_is() -> None:
    table = read_frame(pa.record_batch({"b": [1], "a": ["x"]}))
    assert table.names == ("b", "a")
    assert read_frame(table) is table


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (pd.DataFrame({"a": [1, "x"]}), TypeError, "table: column 'a' cannot be read as numbers, booleans"),
        (pd.DataFrame({"a": [object()]}), TypeError, "table: column 'a' cannot be read"),
        (pd.DataFrame({"a": [[1]]}), TypeError, "its type is list<item: int64>"),
        (pd.DataFrame({"a": pd.to_timedelta([1])}), TypeError, r"its type is duration\[ns\]"),
        (pd.DataFrame({"a": pd.period_range("2020", periods=2)}), TypeError, "column 'a' cannot be read"),
        (pd.DataFrame({0.5: [1]}), TypeError, "a column's name must be a string, got 0.5"),
        (pd.DataFrame({0: [1], "0": [2]}), ValueError, "several columns have the same name: '0'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "several columns have the same name: 'a'"),
        (pa.table([[1], [2]], ["a", "a"]), ValueError, "several columns have the same name: 'a'"),
        (pd.DataFrame(), ValueError, "a table needs at least one column"),
        (pl.DataFrame({"a": [b"x"]}), TypeError, "column 'a' .*: its type is binary_view"),
        (pa.table({"a": pa.array([2**63], pa.uint64())}), ValueError, "column 'a' holds 9223372036854775808"),
        (pa.table({"a": pa.array([2**60], pa.timestamp("s"))}), TypeError, "column 'a' .* out of bounds"),
        (pl.LazyFrame({"a": [1]}), TypeError, r"got LazyFrame; collect\(\) it first"),
        (pl.Series([1]), TypeError, "expected a table of columns, got Series"),
        (pd.Series([1]), TypeError, "expected a table of columns, got Series"),
        (5, TypeError, "expected a pandas or polars data frame or an Arrow table, got int"),
    ],
)
def test_what_is_no_table_is_refused(frame: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_frame(frame)


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[data\]'"):
        read_frame(pd.DataFrame({"a": [1]}))
    assert read_frame(Table({"a": [1]})).n_rows == 1
