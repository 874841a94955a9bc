"""TableEncoder on dates, booleans, embeddings, outliers, data frames, and columns that change their kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder, read_csv, read_frame, time_ordered

NAN = float("nan")


def texts(*values: str | None) -> np.ndarray:
    return np.array(values, dtype=object)


def dates(*values: str) -> np.ndarray:
    return np.array(values, dtype="datetime64[us]")


def encoded(train: Any, new: Any, **options: Any) -> list[list[float]]:
    encoder = TableEncoder(**options).fit(Table({"c": train}, source="t"))
    rows: list[list[float]] = encoder.transform(Table({"c": new}, source="t"), "float64").tolist()
    return rows


# --------------------------------------------------------------------------------------------------- booleans


@pytest.mark.parametrize(
    "new",
    [
        np.array([True, False, True]),
        [1, 0, 1],
        [1.0, 0.0, NAN],
        texts("true", "FALSE", "True"),
        texts("true", "false", None),
    ],
)
def test_booleans_are_zeros_and_ones_however_they_come(new: Any) -> None:
    assert encoded([True, False, True], new) == [[1], [0], [1]]  # most were true, so a missing one is


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ([2, 0], "row 0, column 'c': 2 is not a boolean: true, false, 0 or 1"),
        ([0, 0.5], "row 1, column 'c': 0.5 is not a boolean"),
        (texts("true", "yes"), "row 1, column 'c': 'yes' is not a boolean"),
        (dates("2020-01-01"), "row 0, column 'c': 2020-01-01T00:00:00.000000 is not a boolean"),
    ],
)
def test_what_is_no_boolean_is_refused(new: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"t: {message}"):
        encoded([True, False], new)


def test_booleans_are_numbers_where_training_had_numbers() -> None:
    assert encoded([0, 2], [True, False]) == [[0], [-1]]


# ------------------------------------------------------------------------------------------------------ dates


def test_dates_are_days_standardised() -> None:
    encoder = TableEncoder().fit(Table({"d": dates("2020-01-01", "2021-01-01", "NaT")}))
    assert encoder.feature_names[:2] == ["d", "d is missing"]
    column = encoder.to_dict()["columns"][0]
    assert (column["center"], column["scale"], column["median"]) == (18445.0, 183.0, 18445.0)
    X = encoder.transform(Table({"d": dates("2020-01-01", "NaT", "2020-01-01T12:00")}), "float64")
    np.testing.assert_allclose(X[:, :2], [[-1, 0], [0, 1], [-1 + 0.5 / 183, 0]], rtol=1e-15)


@pytest.mark.parametrize(
    ("days", "cycles"),
    [
        (["2020-01-01", "2020-01-01"], []),
        (["2020-01-06", "2020-01-08"], ["weekday"]),
        (["2020-01-06", "2020-01-13"], []),  # two Mondays of one month
        (["2020-01-06", "2020-02-03"], ["month"]),  # two Mondays
        (["2020-01-06", "2020-02-08", "NaT"], ["month", "weekday"]),
        (["2020-01-01", "2020-02-01", "2021-05-01"], ["month"]),  # days that stand for months
        (["2020-01-31", "2020-02-29", "2021-02-28"], ["month"]),
        (["2020-01-01", "2021-01-01"], []),  # days that stand for years
        (["2020-01-06T12:00", "2020-01-13T12:00"], []),
        (["2020-01-06T12:00", "2020-01-06T13:30"], ["hour"]),
        (["2020-01-06T12:00", "2020-02-08"], ["month", "weekday", "hour"]),
        (["NaT", "NaT"], []),
    ],
)
def test_the_cycles_are_those_in_which_dates_differ(days: list[str], cycles: list[str]) -> None:
    encoder = TableEncoder().fit(Table({"d": dates(*days)}))
    described = encoder.to_dict()
    assert described["columns"][0].get("cycles", []) == cycles
    assert described["version"] == (3 if cycles else 2)
    names = [f"d {cycle} ({function})" for cycle in cycles for function in ("sin", "cos")]
    assert encoder.feature_names == ["d", *(["d is missing"] if "NaT" in days else []), *names]


def test_cycles_are_sin_and_cos_of_the_place_in_them() -> None:
    encoder = TableEncoder().fit(Table({"d": dates("2020-01-06T12:00", "2020-02-08")}))
    new = dates("1970-01-01", "1970-01-02T06:00", "1969-12-31T18:00", "2026-07-02T12:00", "NaT")
    X = encoder.transform(Table({"d": new}), "float64")[:, 1:]
    assert X[0].tolist() == [0, 1, 0, 1, 0, 1]
    week, day = 2 * np.pi / 7, 2 * np.pi / 4
    np.testing.assert_allclose(X[1, 2:], [np.sin(week), np.cos(week), 1, 0], atol=1e-12)
    np.testing.assert_allclose(X[2, 2:], [np.sin(-week), np.cos(week), np.sin(-day), 0], atol=1e-12)
    np.testing.assert_allclose(X[3, :2], [0, -1], atol=0.02)  # the middle of any year, to within a day
    assert X[4].tolist() == [0] * 6


def test_what_comes_again_each_year_is_learned_from_dates() -> None:
    day = np.arange("2019-01-01", "2024-01-01", dtype="datetime64[D]")
    season = np.cos(2 * np.pi * (day - day.astype("datetime64[Y]")).astype(float) / 365.25)
    table = Table({"day": day, "warmth": 10 - 9 * season + np.random.default_rng(0).normal(0, 3, len(day))})
    train, test = time_ordered(table["day"], 0.3)
    scores = []
    for data in (TableEncoder("warmth").fit(table.take(train)).to_dict(), None):
        if data is None:
            data = TableEncoder("warmth").fit(table.take(train)).to_dict()
            del data["columns"][0]["cycles"]
        encoder = TableEncoder.from_dict(data)
        X, y = encoder.transform(table), encoder.transform_target(table)
        net = fastmlp.train(X[train], y[train], hidden=(16,), epochs=30, learning_rate=0.01)
        scores.append(1 - np.mean((net.predict(X[test]) - y[test]) ** 2) / y[test].var())
    assert scores[0] > 0.75
    assert scores[1] < 0.1  # from the days alone


def test_dates_of_earlier_files_keep_their_bits() -> None:
    earlier = {
        "kind": "date",
        "name": "d",
        "center": 18263.25,
        "scale": 1.25,
        "median": 18263.25,
        "indicator": True,
    }
    data = {
        "format": "fastmlp.TableEncoder",
        "version": 2,
        "columns": [earlier],
        "target": None,
        "ignore": [],
    }
    encoder = TableEncoder.from_dict(data)
    assert encoder.to_dict() == data
    X = encoder.transform(Table({"d": dates("2020-01-01", "NaT", "2020-01-04")}), "float64")
    assert X.tolist() == [[-1, 0], [0, 1], [1.4, 0]]


@pytest.mark.parametrize("cycles", [[], ["year"], ["hour", "month"], ["month", "month"], "month", [1]])
def test_cycles_that_are_none_are_refused(cycles: Any) -> None:
    data = TableEncoder().fit(Table({"d": dates("2020-01-06", "2020-02-08")})).to_dict()
    data["columns"][0]["cycles"] = cycles
    with pytest.raises(ValueError, match="encoder: column 0: 'cycles' must"):
        TableEncoder.from_dict(data)


def test_texts_that_are_dates_are_taken_for_dates() -> None:
    train, new = dates("2020-01-01", "2020-01-15"), texts("2020-01-01T12:00+12:00", None, "2020-01-15")
    assert encoded(train, new) == [[-1], [0], [1]]
    assert encoded(train, [NAN]) == [[0]]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (texts("2020-01-01", "soon"), "row 1, column 'c': 'soon' is not a date such as 2026-11-21"),
        ([NAN, 3.0], "row 1, column 'c': 3.0 is not a date"),
        ([True], "row 0, column 'c': True is not a date"),
    ],
)
def test_what_is_no_date_is_refused(new: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"t: {message}"):
        encoded(dates("2020-01-01", "2020-01-03"), new)


@pytest.mark.parametrize("train", [[1.0, 2.0], texts("x", "x")])
def test_dates_are_neither_numbers_nor_texts(train: Any) -> None:
    with pytest.raises(
        ValueError, match=r"row 0, column 'c': (2020\S* is not a number|expected text, got the date 2020)"
    ):
        encoded(train, dates("2020-01-01"))
    assert encoded(train, dates("NaT")) == [[0]] if len(encoded(train, train)[0]) == 1 else [[0, 1]]


# --------------------------------------------------------------------------------------------------- outliers


def test_robust_scaling_does_not_follow_outliers() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 1e6]
    encoder = TableEncoder(scale="robust").fit(Table({"c": values}))
    column = encoder.to_dict()["columns"][0]
    assert column["center"] == 3
    assert column["scale"] == pytest.approx(2 / 1.349, rel=1e-15)


def test_robust_scaling_of_normal_values_is_nearly_the_standard_one() -> None:
    values = np.random.default_rng(1).normal(5, 2, 100_000)
    standard, robust = (
        TableEncoder(scale=scale).fit(Table({"c": values})).to_dict()["columns"][0]
        for scale in ("standard", "robust")  # type: ignore[arg-type]
    )
    assert robust["center"] == pytest.approx(standard["center"], abs=0.03)
    assert robust["scale"] == pytest.approx(standard["scale"], rel=0.02)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            [0.0, 0, 0, 0, 0, 0, 0, 10],
            [0.0] * 7 + [10 / np.sqrt(100 / 8 - (10 / 8) ** 2)],
        ),  # no quartile range
        ([7.0, 7.0], [0.0, 0.0]),
        ([1e308, -1e308, 1e308, -1e308], [1.349 / 2, -1.349 / 2] * 2),
    ],
)
def test_robust_scaling_without_a_quartile_range_or_of_huge_values(
    values: list[float], expected: list[float]
) -> None:
    np.testing.assert_allclose(np.ravel(encoded(values, values, scale="robust")), expected, rtol=1e-15)


# ------------------------------------------------------------------------------------------------- categories


@pytest.mark.parametrize(
    ("train", "names"),
    [
        (texts("b", "a", "b", "a"), ["c=a", "c=b", "c is other"]),
        (texts("b", "a", "b", None), ["c=b", "c is other", "c is missing"]),
        (texts("a", "b"), ["c is other"]),
    ],
)
def test_inputs_of_categories(train: np.ndarray, names: list[str]) -> None:
    assert TableEncoder().fit(Table({"c": train})).feature_names == names


def test_every_row_has_exactly_one_of_the_inputs() -> None:
    new = texts("a", "b", "c", None)
    assert np.sum(encoded(texts("a", "a", "b", None), new), axis=1).tolist() == [1, 1, 1, 1]
    assert np.sum(encoded(texts("a", "a", "b"), new), axis=1).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("max_one_hot", "inputs"), [(3, 4), (2, 1)])
def test_more_categories_than_max_one_hot_are_embedded(max_one_hot: int, inputs: int) -> None:
    table = Table({"c": texts(*"aabbccd")})
    encoder = TableEncoder(max_one_hot=max_one_hot).fit(table)
    assert encoder.transform(table).shape[1] == inputs
    assert len(encoder.embeddings) == (inputs == 1)


def test_an_embedded_column_is_the_number_of_the_category() -> None:
    table = Table({"x": [1, 2, 3, 4, 5, 6], "c": texts("b", "a", "a", "b", "z", None), "n": [0] * 6})
    encoder = TableEncoder(max_one_hot=1).fit(table)
    assert encoder.feature_names == ["x", "c", "n"]
    assert encoder.text_columns == ("c",)
    new = Table({"x": [0] * 5, "c": texts("a", "b", "z", "new", None), "n": [0] * 5})
    assert encoder.transform(new)[:, 1].tolist() == [1, 2, 0, 0, 3]
    assert encoder.embeddings == ((1, 4, 3),)  # 1.6 * 4 ** 0.56 = 3.48
    without_missing = TableEncoder(max_one_hot=1).fit(table.take(range(5)))
    assert without_missing.transform(new)[:, 1].tolist() == [1, 2, 0, 0, 0]
    assert without_missing.embeddings == ((1, 3, 3),)


@pytest.mark.parametrize(("n", "width"), [(40, 13), (1000, 50)])
def test_the_width_grows_with_the_categories_up_to_50(n: int, width: int) -> None:
    table = Table({"c": texts(*(f"v{i}" for i in range(n - 1) for _ in range(2)))})
    assert TableEncoder().fit(table).embeddings == ((0, n, width),)


def test_codes_that_are_mostly_numbers_may_be_categories_if_they_repeat() -> None:
    table = Table({"c": texts(*(f"{i}" for i in range(40) for _ in range(2)), "x1")})
    assert TableEncoder().fit(table).embeddings == ((0, 41, 13),)


# ----------------------------------------------------------------------------------- frames and other formats


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, pa.table, lambda data: read_frame(pd.DataFrame(data))]
)
def test_data_frames_are_encoded_as_tables_are(make: Any) -> None:
    data = {"x": [1.0, 2.0, 4.0], "c": ["a", "a", None], "b": [True, None, False], "y": ["u", "v", "u"]}
    frame = make(data)
    encoder = TableEncoder("y").fit(frame)
    expected = TableEncoder("y").fit(read_frame(pa.table(data)))
    np.testing.assert_array_equal(encoder.transform(frame), expected.transform(frame))
    assert encoder.feature_names == ["x", "c=a", "c is other", "c is missing", "b", "b is missing"]
    assert encoder.transform_target(frame).tolist() == ["u", "v", "u"]


@pytest.mark.parametrize(
    ("train", "new"),
    [([1, 2, 3], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [1, 2, 3]), (texts("1", "1", "2"), [1, 1, 2])],
)
def test_whole_numbers_and_floats_and_texts_of_them_agree(train: Any, new: Any) -> None:
    assert encoded(train, new) == encoded(train, train)


def test_booleans_given_for_texts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"column 'c': expected text, got the boolean True; .*text=\['c'\]"):
        encoded(texts("x", "x"), [True])


def test_a_model_keeps_its_encoder_and_reads_the_raw_file(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_text(
        "day,ok,city,y\n2026-01-01,true,Rome,1.5\n2026-01-03,false,Oslo,2.5\n2026-01-09,,Rome,4\n"
    )
    table = read_csv(path)
    encoder = TableEncoder("y").fit(table)
    network = fastmlp.train(encoder.transform(table), encoder.transform_target(table), hidden=(3,), epochs=2)
    network.encoder = encoder
    network.save(tmp_path / "model.safetensors")
    again = fastmlp.load(tmp_path / "model.safetensors")
    assert again.encoder is not None
    np.testing.assert_array_equal(again.encoder.transform(read_csv(path)), encoder.transform(table))


def test_boolean_labels_come_back_as_booleans() -> None:
    table = Table({"x": [1.0, 2, 3, 4], "y": [True, False, True, False]})
    encoder = TableEncoder("y").fit(table)
    network = fastmlp.train(encoder.transform(table), encoder.transform_target(table), hidden=(), epochs=1)
    predicted = encoder.inverse_target(network.predict(encoder.transform(table)))
    assert encoder.task == "classification"
    assert predicted.dtype == np.bool_
