"""What nothing can be learned from is left out of a table and said, or refused all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp.data import Table, TableEncoder, audit

NAN = float("nan")
N = 40


def table_of(rows: int = N, **columns: Any) -> Table:
    """Return rows with an input that stays, `x`, a target, `y`, and the columns given."""
    x = np.random.default_rng(0).normal(size=rows)
    return Table({**columns, "x": x, "y": x > 0}, source="t.csv")


def texts(*values: str | None) -> np.ndarray:
    return np.array(values, dtype=object)


WORDS = ["the", "house", "stands", "on", "a", "hill", "near", "number"]
SHUFFLED = np.random.default_rng(1).permutation(N) + 1


@pytest.mark.parametrize(
    ("name", "column", "reason"),
    [
        ("empty", [NAN] * N, "it holds no value"),
        ("empty", texts(*[None] * N), "it holds no value"),
        ("flat", [7] * N, "every row holds 7"),
        ("flat", texts(*["a"] * N), "every row holds 'a'"),
        ("flat", [True] * N, "every row holds True"),
        ("day", np.full(N, "2020-01-01", dtype="datetime64[us]"), "every row holds 2020-01-01"),
        ("n", np.arange(N), "it numbers the rows, 0 to 39"),
        ("n", np.arange(1, N + 1), "it numbers the rows, 1 to 40"),
        ("id", SHUFFLED, "its 40 values are all different, as identifiers are"),
        ("PassengerId", SHUFFLED * 1000, "its 40 values are all different, as identifiers are"),
        ("order_id", SHUFFLED * 1.0, "its 40 values are all different, as identifiers are"),
        ("uuid", texts(*map(hex, SHUFFLED)), "its 40 texts are all different, as identifiers are"),
        ("name", texts(*map(hex, SHUFFLED)), "its 40 texts are all different, as identifiers are"),
        (
            "name",
            texts(*map(hex, SHUFFLED[2:]), "0x", "0x"),
            "most of its 39 texts occur once, as identifiers are",
        ),
        (
            "day",
            texts(*(f"{1 + i % 12}/{1 + i // 2}/2014 5:48 PM" for i in range(N))),
            "its texts look like dates ('1/1/2014 5:48 PM'); write them as 2026-11-21",
        ),
        (
            "weight",
            texts(*(f"{i + 1}.5 kg" for i in range(N))),
            "its texts look like numbers with units or signs ('1.5 kg'); write them as plain numbers",
        ),
        (
            "start",
            texts(*(f"{i:02}:30" for i in range(N))),
            "its texts look like times ('00:30'); write them as plain numbers, such as minutes",
        ),
        (
            "note",
            texts(*(f"{' '.join(WORDS)} {i}" for i in range(N))),
            "its 40 texts are all different, as those of free text are",
        ),
    ],
)  # fmt: skip
def test_columns_that_tell_nothing_are_left_out_and_said(name: str, column: Any, reason: str) -> None:
    found = audit(table_of(**{name: column}), "y")
    assert found.dropped == (name,)
    assert found.table.names == ("x", "y")
    assert found.notes == (f"column {name!r} is left out: {reason}",)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("a", [7] * (N - 1) + [8]),
        ("gaps", texts(*["a"] * (N - 1), None)),  # that a value is missing tells something
        ("age", SHUFFLED),
        ("n", np.arange(N) + 2),
        ("price", np.random.default_rng(2).normal(size=N)),
        ("day", np.datetime64("2020-01-01", "us") + np.arange(N).astype("timedelta64[D]")),
        ("id", SHUFFLED // 2),
        ("bid", SHUFFLED),
        ("paid", SHUFFLED),
        ("key", np.random.default_rng(2).normal(size=N)),
        ("city", texts(*"abcde" * (N // 5))),
        ("code", texts(*(f"{i // 2}" for i in range(N)))),
    ],
)
def test_columns_that_may_tell_something_stay(name: str, column: Any) -> None:
    table = table_of(**{name: column})
    found = audit(table, "y")
    assert (found.dropped, found.notes) == ((), ())
    assert found.table.names == table.names


def test_few_rows_are_no_reason_to_leave_out() -> None:
    few = table_of(6, n=range(6), city=texts(*"abcdef"))
    assert audit(few, "y").dropped == ()


def test_columns_that_are_to_be_kept_stay_and_known_identifiers_go_without_a_note() -> None:
    table = table_of(id=SHUFFLED, n=range(N), code=[1, 2] * (N // 2))
    found = audit(table, "y", keep=["n"], ids=["code"])
    assert found.dropped == ("id", "code")
    assert len(found.notes) == 1
    assert audit(table, "id").dropped == ("n",)  # a target stays


def test_rows_without_a_target_are_dropped_and_counted() -> None:
    table = Table(
        {"x": [1.0, 2, 3, 4], "y": [1.0, NAN, 3.5, NAN], "z": texts("a", "b", None, "d")}, source="t"
    )
    found = audit(table, "y")
    assert found.table["x"].tolist() == [1, 3]
    assert found.notes == ("dropped 2 rows without a value in 'y' (first at row 1)",)
    found = audit(table, ["y", "z"])
    assert found.table["x"].tolist() == [1]
    assert found.notes[1] == "dropped 1 row without a value in 'z' (row 2)"
    assert found.table.place(0) == "row 0"
    with pytest.raises(
        ValueError, match=r"t: 2 rows have no value in the target column 'y' \(first at row 1\)"
    ):
        audit(table, "y", drop_missing_target=False)


def test_a_column_may_be_constant_in_the_rows_that_are_left() -> None:
    table = Table({"x": [1.0, 2, 3], "flat": [5, 5, 6], "y": [1.0, 2.0, NAN]})
    assert audit(table, "y").dropped == ("flat",)


def test_strict_names_all_problems_of_all_columns_at_once() -> None:
    table = table_of(id=SHUFFLED, flat=[7] * N, empty=[NAN] * N, price=[NAN, *range(N - 1)])
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        audit(table, "price", strict=True)
    assert str(caught.value).splitlines() == [
        "t.csv: nothing may be left out, but there would be:",
        "  dropped 1 row without a value in 'price' (row 0);",
        "  column 'id' is left out: its 40 values are all different, as identifiers are;",
        "  column 'flat' is left out: every row holds 7;",
        "  column 'empty' is left out: it holds no value",
    ]
    assert audit(table_of(), "y", strict=True).notes == ()


def test_many_columns_of_a_kind_share_a_line() -> None:
    found = audit(table_of(**{f"c{i}": [i] * N for i in range(100)}), "y")
    (note,) = found.notes
    assert note.startswith(
        "100 columns are left out, each with one and the same value in every row: 'c0', 'c1'"
    )
    assert note.endswith("'c19' and 80 more")


def test_strict_lists_each_column() -> None:
    table = table_of(**{f"c{i}": [i] * N for i in range(12)})
    with pytest.raises(ValueError, match="nothing may be left out") as error:
        audit(table, "y", strict=True)
    assert [f"  column 'c{i}' is left out: every row holds {i}" for i in range(12)] == [
        line.rstrip(";") for line in str(error.value).splitlines()[1:]
    ]


def test_pixels_stay_so_that_a_picture_keeps_its_shape() -> None:
    pixels = {f"p{i}": np.arange(N) % 5 * (i % 3) for i in range(64)}
    table = Table({**pixels, "digit": np.arange(N) % 2})
    assert audit(table, "digit").dropped == ()
    assert len(audit(table.drop("p1"), "digit").dropped) == 22  # p0, p3, ..


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        (table_of(), {"targets": "z"}, "t.csv: no column 'z'; its columns are 'x', 'y'"),
        (table_of(), {"targets": "y", "keep": ["z"]}, "t.csv: no column 'z'; its columns are 'x', 'y'"),
        (
            Table({"x": [1, 2], "y": [NAN, NAN]}),
            {"targets": "y"},
            "table: no row has a value in the target column 'y'",
        ),
        (
            Table({"x": [1, 2], "y": [NAN, 1], "z": [1, NAN]}),
            {"targets": ["y", "z"]},
            "table: no row has a value in every target column, 'y', 'z'",
        ),
        (
            Table({"id": [3, 1, 2], "y": [1.5, 2, 3]}),
            {"targets": "y"},
            (
                "table: no input column is left: column 'id' is left out: "
                "its 3 values are all different, as identifiers are"
            ),
        ),
    ],
)  # fmt: skip
def test_what_leaves_nothing_to_learn_is_an_error(table: Table, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        audit(table, **arguments)
    assert str(caught.value) == message


def test_an_encoder_takes_the_columns_that_were_left_out_from_then_on() -> None:
    frame = pd.DataFrame({"name": [f"n{i}" for i in range(N)], "x": np.arange(N) % 7, "y": np.arange(N) % 2})
    found = audit(frame, "y")
    for encoder in (
        TableEncoder("y").fit(found.table.take(range(20))),
        TableEncoder("y", ignore=["name"]).fit(found.table),
        TableEncoder("y", ignore=found.dropped).fit(frame),
    ):
        for known in (encoder, TableEncoder.from_dict(encoder.to_dict())):
            assert known.input_names == ("x",)
            assert known.transform(frame).shape == (N, 1)
    with pytest.raises(ValueError, match="no column 'nome'"):
        TableEncoder("y", ignore=["nome"]).fit(found.table)


def test_the_encoder_itself_leaves_out_texts_that_occur_once_and_says_so() -> None:
    table = table_of(name=texts(*map(hex, SHUFFLED)))
    with pytest.warns(
        UserWarning, match=r"t\.csv: column 'name' holds 40 different texts .* and is left out"
    ):
        encoder = TableEncoder("y").fit(table)
    assert (encoder.input_names, encoder.dropped) == (("x",), ("name",))
    again = TableEncoder.from_dict(encoder.to_dict())
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))
