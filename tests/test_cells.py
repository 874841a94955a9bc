"""What the cells of a file become: a few odd ones do not change the kind of a column, and a note says so."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from fastmlp.data import Table, read_csv

NAN = np.nan


def column(cells: list[str], delimiter: str = ",", **options: Any) -> Table:
    """Read a file of one column, c, whose cells are quoted."""
    text = f"c{delimiter}d\n" + "".join(f'"{cell}"{delimiter}x\n' for cell in cells)
    return read_csv(io.BytesIO(text.encode()), **{"delimiter": delimiter, "header": True, **options}).drop(
        "d"
    )


AGES = [str(20 + i % 43) for i in range(600)]


@pytest.mark.parametrize("odd", ["N/A", "#N/A", "NA", "None", "null", "-", ".", "?", "**", "unknown", "4O"])
def test_one_odd_cell_among_600_ages_is_a_missing_age(odd: str) -> None:
    table = column([*AGES[:300], odd, *AGES[300:]])
    assert table["c"].dtype == np.float64
    assert np.flatnonzero(np.isnan(table["c"])).tolist() == [300]
    assert np.delete(table["c"], 300).tolist() == [float(age) for age in AGES]
    assert len(table.notes) == 1
    assert repr(odd) in table.notes[0]


def test_the_note_names_the_column_how_many_cells_and_some_of_them() -> None:
    cells = [*AGES, "unknown", "-", "unknown"]
    assert column(cells).notes == [
        "c: 3 cells that are no numbers ('unknown', '-') count as missing"
    ]  # fmt: skip
    assert column([*AGES, "old"]).notes == ["c: 1 cell that is no number ('old') counts as missing"]
    assert column([*AGES, "NA", "?", "NA"]).notes == ["'NA', '?' count as missing: 3 cells in 1 column"]


@pytest.mark.parametrize(
    ("cells", "expected", "note"),
    [
        (["21,500", "1,234,567", "7"], [21500, 1234567, 7], "c: read as numbers, '21,500' as 21500"),
        (["20,5", "3,25", "7"], [20.5, 3.25, 7], "c: read as numbers, '20,5' as 20.5"),
        (["43%", "7.5%", "7 %"], [43, 7.5, 7], "c: read as numbers, '43%' as 43"),
        (["$13.44", "$1,000", "-$2"], [13.44, 1000, -2], "c: read as numbers, '$13.44' as 13.44"),
        (["US$ 5", "US$ 6"], [5, 6], "c: read as numbers, 'US$ 5' as 5"),
        (["5 €", "1.234,50 €"], [5, 1234.5], "c: read as numbers, '5 €' as 5"),
        (["EUR 5", "EUR 7"], [5, 7], "c: read as numbers, 'EUR 5' as 5"),
        (
            ["(1,200)", "300"],
            [-1200, 300],
            "c: read as numbers, '(1,200)' as -1200; with decimal=',' it is -1.2",
        ),
        (["1'200", "1'300.5"], [1200, 1300.5], 'c: read as numbers, "1\'200" as 1200'),
        (["1 200", "1\u00a0300"], [1200, 1300], "c: read as numbers, '1 200' as 1200"),
        (["12,34,567", "1,00,000"], [1234567, 100000], "c: read as numbers, '12,34,567' as 1234567"),
        (["\u22125", "7"], [-5, 7], "c: read as numbers, '\u22125' as -5"),
        (["0,123", "1,234"], [0.123, 1.234], "c: read as numbers, '0,123' as 0.123"),
        (["21,500", "20,5"], [21.5, 20.5], "c: read as numbers, '21,500' as 21.5"),
        (["21,500", "21.5"], [21500, 21.5], "c: read as numbers, '21,500' as 21500"),
        (["1.234.567", "8,5"], [1234567, 8.5], "c: read as numbers, '1.234.567' as 1234567"),
        (["21,500", "7"], [21500, 7], "c: read as numbers, '21,500' as 21500; with decimal=',' it is 21.5"),
    ],
)
def test_numbers_are_read_as_people_write_them(cells: list[str], expected: list[float], note: str) -> None:
    table = column(cells)
    assert table["c"].tolist() == expected
    assert table.notes == [note]


def test_amounts_that_are_all_whole_are_int64() -> None:
    assert column(["21,500", "1,250"])["c"].dtype == np.int64
    assert column(["$21,500", "$1,250.00"])["c"].dtype == np.float64
    assert column(["21,500", "1,250", "NA"])["c"].dtype == np.float64


@pytest.mark.parametrize(
    ("cells", "expected", "note"),
    [
        (["1,5", "2,25"], [1.5, 2.25], None),
        (["1.234,5", "20,5"], [1234.5, 20.5], "c: read as numbers, '1.234,5' as 1234.5"),
        (["1,234", "7"], [1.234, 7], "c: read as numbers, '1,234' as 1.234; with decimal='.' it is 1234"),
        (["1,234,567", "8.5"], [1234567, 8.5], "c: read as numbers, '1,234,567' as 1234567"),
    ],
)
def test_files_separated_by_semicolons_usually_have_decimal_commas(
    cells: list[str], expected: list[float], note: str | None
) -> None:
    table = column(cells, ";")
    assert table["c"].tolist() == expected
    assert table.notes == ([] if note is None else [note])


@pytest.mark.parametrize("decimal", [",", {"c": ","}])
def test_the_decimal_mark_may_be_given(decimal: Any) -> None:
    table = column(["1,234", "7"], decimal=decimal)
    assert table["c"].tolist() == [1.234, 7]
    assert column(["1.234", "7"], decimal=decimal)["c"].tolist() == [1234, 7]
    assert table.decimal == {"c": ","}
    assert column(["1,234", "7"], decimal={"other": ","})["c"].tolist() == [1234, 7]
    with pytest.raises(ValueError, match=r"decimal must be None, '.', ',' or a mapping .*, got ';'"):
        column(["1"], decimal=";")


@pytest.mark.parametrize(
    "cells",
    [
        ["$5", "€6"],
        ["5%", "$6"],
        ["1", "x"],
        ["1,23,45", "a"],
        ["(-5)", "x"],
        ["+-5", "--6"],
        ["555-1234", "555-9876"],
        ["12:30", "09:15"],
        ["2010-11", "2011-12"],
        ["3/4", "1/2"],
        ["192.168.0.1", "10.0.0.7"],
        ["1_000", "2_000"],
        ["5kg", "6kg"],
        ["١٢", "١٣"],
        ["$", "$"],
        [",", "."],
    ],
)
def test_what_is_no_number_is_text(cells: list[str]) -> None:
    table = column(cells)
    assert table["c"].tolist() == cells
    assert table.notes == []


@pytest.mark.parametrize("n_words", [9, 10])
def test_nine_tenths_of_the_different_texts_decide(n_words: int) -> None:
    cells = [str(i) for i in range(90)] + ["word" + "x" * i for i in range(n_words + 1)] + ["5"] * 1000
    table = column(cells)
    if n_words == 9:
        assert np.isnan(table["c"]).sum() == 10
    else:
        assert table["c"].dtype == object
        assert table.notes == [
            "c: kept as text: 90 of 101 different texts are numbers, 'word', 'wordx', 'wordxx', ... are not"
        ]  # fmt: skip


@pytest.mark.parametrize(
    "cells",
    [
        ["00123", "02134", *(str(10000 + i) for i in range(200))],  # postcodes
        ["007", "12"],
        ["01", "02", "10", "11", "12"] * 20,  # months
        ["0049301", "00331234567"],  # telephone numbers
    ],
)
def test_identifiers_keep_their_leading_zeros(cells: list[str]) -> None:
    table = column(cells)
    assert table["c"].tolist() == cells
    assert table.notes[0].startswith("c: kept as text, as numbers lose their leading zeros ('0")


def test_one_leading_zero_among_ages_does_not_make_them_texts() -> None:
    table = column([*AGES, "07"])
    assert table["c"].dtype == np.int64
    assert table["c"][-1] == 7
    assert table.notes == ["c: read as numbers, '07' as 7"]


def test_dates_bear_a_few_cells_that_are_none() -> None:
    days = [f"2026-01-{day:02}" for day in range(1, 31)]
    table = column([*days, "soon", "-", "2026-02-30", "NA"])
    assert table["c"].dtype == "datetime64[us]"
    assert np.flatnonzero(np.isnat(table["c"])).tolist() == [30, 31, 32, 33]
    assert table.notes == [
        "c: 3 cells that are no dates ('soon', '-', '2026-02-30') count as missing",
        "'NA' counts as missing: 1 cell in 1 column",
    ]


def test_marks_among_texts_stay_categories_and_signs_stay_signs() -> None:
    assert column(["x", "None", "-", "y"])["c"].tolist() == ["x", "None", "-", "y"]
    assert column(["+", "-", "+"])["c"].tolist() == ["+", "-", "+"]
    assert column(["*", "**", "***"])["c"].tolist() == ["*", "**", "***"]
    assert column(["1", "0", "-", "1"])["c"].tolist()[:2] == [1, 0]
    assert np.isnan(column(["-", "-"])["c"]).all()


def test_a_column_asked_for_as_text_stays_text() -> None:
    table = column([*AGES, "N/A", "-", "21,500"], text=["c"])
    assert table["c"].tolist() == [*AGES, None, "-", "21,500"]
    assert table.notes == ["'N/A' counts as missing: 1 cell in 1 column"]


def test_further_texts_stand_for_missing_values() -> None:
    table = column(["5", "-99", "6"], missing=["-99"])
    np.testing.assert_array_equal(table["c"], [5, NAN, 6])
    assert table.notes == ["'-99' counts as missing: 1 cell in 1 column"]
    only = column(["NA", "x", "-99"], missing=["-99"], default_missing=False)
    assert only["c"].tolist() == ["NA", "x", None]


def test_a_table_describes_its_columns() -> None:
    text = "age,city,day,ok\n" + "20,Rome,2026-01-01,true\n,Oslo,NA,false\n-,,2026-01-03,true\n"
    table = read_csv(io.BytesIO(text.encode()))
    assert table.describe().rows() == [
        ("age", "number", 2),
        ("city", "text, 2 categories", 1),
        ("day", "date", 1),
        ("ok", "text, 2 categories", 0),
    ]
    assert Table({"b": [True]}).describe().rows() == [("b", "boolean", 0)]
    assert str(table.describe()).splitlines()[1].split() == ["age", "number", "2"]


def test_notes_stay_with_the_columns_that_are_kept() -> None:
    table = column([*AGES, "old", "21,500"])
    assert table.notes == table.take([0]).notes
    assert table.decimal == table.keep("c").decimal == {"c": "."}
