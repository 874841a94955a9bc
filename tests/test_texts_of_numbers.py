"""Texts that are numbers mean the same in training and in prediction, and are not labels by the thousand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder, read_csv

NAN = np.nan


def file_of(cells: list[str], name: str = "x") -> Table:
    text = f"{name},y\n" + "".join(f'"{cell}",{i}.5\n' for i, cell in enumerate(cells))
    return read_csv(io.BytesIO(text.encode()))


MONEY = ["$1,200", "$15", "$7.50", "$2,000,000", "$3"]
PLAIN = ["1200", "15", "7.5", "2000000", "3"]


@pytest.mark.parametrize(("learned", "given"), [(MONEY, PLAIN), (PLAIN, MONEY)])
def test_money_and_plain_numbers_are_the_same(learned: list[str], given: list[str]) -> None:
    encoder = TableEncoder("y").fit(file_of(learned))
    expected = encoder.transform(file_of(learned))
    np.testing.assert_array_equal(encoder.transform(file_of(given)), expected)
    for row, cell in enumerate(given):
        np.testing.assert_array_equal(encoder.transform(file_of([cell])), expected[[row]])
        np.testing.assert_array_equal(encoder.transform(Table({"x": [cell]})), expected[[row]])


def test_a_comma_means_in_prediction_what_it_meant_in_training() -> None:
    commas = file_of(["20,5", "21,5", "1,234", "7"])  # 20.5, as 20,5 can only be
    points = file_of(["2,500", "3,500", "1,234", "7"])
    for table, value in ((commas, 1.234), (points, 1234.0)):
        encoder = TableEncoder("y").fit(table)
        expected = encoder.transform(Table({"x": [value]}))
        again = TableEncoder.from_dict(encoder.to_dict())
        assert again.decimal == table.decimal
        np.testing.assert_array_equal(again.transform(Table({"x": ["1,234"]})), expected)
        read = read_csv(io.BytesIO(b'x,z\n"1,234",0\n'), decimal=encoder.decimal)
        np.testing.assert_array_equal(encoder.transform(read.drop("z")), expected)


def test_an_encoder_without_commas_is_written_as_before() -> None:
    encoder = TableEncoder("y").fit(file_of(PLAIN))
    assert "decimal" not in encoder.to_dict()
    assert TableEncoder.from_dict(encoder.to_dict()).decimal == {}
    with pytest.raises(ValueError, match="encoder: 'decimal' must give"):
        TableEncoder.from_dict(encoder.to_dict() | {"decimal": {"x": ";"}})


def test_marks_for_missing_values_are_missing_numbers() -> None:
    encoder = TableEncoder("y").fit(file_of([*PLAIN, "-"]))
    assert encoder.feature_names == ["x", "x is missing"]
    for mark in ("-", "N/A", "None", "**", None):
        assert encoder.transform(Table({"x": np.array([mark], dtype=object)}))[0, 1] == 1
    with pytest.raises(ValueError, match="row 1, column 'x': 'many' is not a number"):
        encoder.transform(Table({"x": ["5", "many"]}))


def test_texts_of_numbers_may_be_the_target_of_a_regression() -> None:
    table = Table({"x": np.arange(60.0), "y": [f"${i},500" for i in range(1, 61)]})
    encoder = TableEncoder("y", task="regression").fit(table)
    np.testing.assert_allclose(encoder.inverse_target(encoder.transform_target(table))[:2], [1500, 2500])


@pytest.mark.parametrize("n_classes", [50, 51])
def test_numbers_are_not_taken_for_labels_of_more_than_50_classes(n_classes: int) -> None:
    prices = [f"{i},{i:03}" for i in range(1, n_classes + 1)] * 2
    table, X = Table({"x": np.arange(len(prices)) % 7, "price": prices}), np.zeros((len(prices), 1))
    if n_classes == 50:
        assert TableEncoder("price").fit(table).task == "classification"
        return
    message = (
        "holds texts that look like numbers, 51 different ones such as '1,001', '10,010', '11,011'; "
        "task='classification' takes"
    )
    with pytest.raises(ValueError, match=f"table: the target column 'price' {message}"):
        TableEncoder("price").fit(table)
    with pytest.raises(ValueError, match=f"y {message} .*, as quantities give y as numbers"):
        fastmlp.train(X, np.array(prices), epochs=1)
    with pytest.raises(ValueError, match=f"table: the target column 'price' {message}"):
        fastmlp.train(table, "price", encode=True)
    net = fastmlp.train(table, "price", encode=True, epochs=1, task="regression")
    assert net.predict(table).mean() > 1000
    assert TableEncoder("price", task="classification").fit(table).task == "classification"
    net = fastmlp.train(X, np.array(prices), epochs=1, hidden=(), task="classification")
    assert len(net.classes) == 51  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}.5 kg", "texts that look like numbers with units or signs, 60 different ones such as '10.5 kg'"),
        ("{}.2M", "texts that look like numbers with units or signs, 60 different ones"),
        ("<{}.2", "texts that look like numbers with units or signs, 60 different ones"),
        ("3/{}/2020", "texts that look like dates, 60 different ones"),
        ("{}:15", "texts that look like times, 60 different ones"),
    ],
)
def test_quantities_that_are_not_read_are_not_taken_for_labels_of_more_than_50_classes(
    text: str, said: str
) -> None:
    values = [text.format(i) for i in range(10, 70)] * 3
    frame = pd.DataFrame({"x": np.arange(180.0), "kind": ["a", "b"] * 90, "y": values})
    for X, y in ((frame, "y"), (frame[["x"]], values)):
        with pytest.raises(ValueError, match=f"y.* holds {said}.*task='classification' takes them as labels"):
            fastmlp.train(X, y, epochs=1)
    assert len(fastmlp.train(frame, "y", epochs=1, task="classification").classes) == 60  # type: ignore[arg-type]


def test_a_column_half_of_whose_texts_are_numbers_is_not_taken_for_labels_of_more_than_50_classes() -> None:
    values = [str(i) if i % 4 else f"{i} (about)" for i in range(80)] * 2
    message = r"holds 80 different texts of which 60 are numbers, but not '0 \(about\)', '12 \(about\)'"
    with pytest.raises(ValueError, match=message):
        fastmlp.train(np.zeros((160, 1)), values, epochs=1)


def test_ages_with_an_odd_cell_are_not_taken_for_labels_of_more_than_20_classes() -> None:
    ages = [str(18 + i % 43) for i in range(600)]
    frame = pd.DataFrame({"x": ["a", "b"] * 300, "age": ["-", *ages[1:]]})
    with pytest.raises(ValueError, match="'age' holds texts that look like numbers, 44 different ones"):
        fastmlp.train(frame, "age", epochs=1)
    plain = fastmlp.train(frame.assign(age=ages), "age", epochs=1)
    assert len(plain.classes) == 43  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["n{}", "item {}", "{}-{}-a", "Q{}/7"])
def test_names_with_digits_are_labels(text: str) -> None:
    values = [text.format(i, i) for i in range(60)] * 3
    assert TableEncoder("y").fit(Table({"x": np.arange(180), "y": values})).task == "classification"


def test_a_money_column_with_gaps_is_a_quantity(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    prices = [f"${price:,.0f}" for price in rng.integers(1000, 10**6, 1751)] + ["#N/A"] * 18
    path = tmp_path / "houses.csv"
    path.write_text("area,price\n" + "".join(f'{i},"{price}"\n' for i, price in enumerate(prices)))
    table = read_csv(path)
    assert fastmlp.data.choose_task(table["price"]) == "regression"
    assert np.isnan(table["price"]).sum() == 18
