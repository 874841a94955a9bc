"""Reading tables and splitting rows: what read_csv makes of good and bad files, and what holdout promises."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp import datasets
from fastmlp.data import Table, holdout, read_csv

NAN = float("nan")

# ------------------------------------------------------------------------------------------------------- iris


def test_iris_is_complete_and_in_its_usual_order() -> None:
    iris = datasets.load_iris()
    assert iris.data.shape == (150, 4)
    assert iris.data.dtype == np.float64
    assert iris.target.tolist() == [0] * 50 + [1] * 50 + [2] * 50
    assert iris.target_names == ("setosa", "versicolor", "virginica")
    assert iris.feature_names == ("sepal_length", "sepal_width", "petal_length", "petal_width")
    assert "Fisher" in iris.description


def test_iris_has_the_values_of_fisher_and_r_not_those_of_uci() -> None:
    data = datasets.load_iris().data
    assert data[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert data[37].tolist() == [4.9, 3.6, 1.4, 0.1]
    np.testing.assert_allclose(data.mean(axis=0), [5.8433333, 3.0573333, 3.758, 1.1993333], atol=5e-8)
    np.testing.assert_allclose(
        data.std(axis=0, ddof=1), [0.8280661, 0.4358663, 1.7652982, 0.7622377], atol=5e-8
    )


def test_iris_arrays_are_the_callers_own() -> None:
    datasets.load_iris().data[:] = 0
    assert datasets.load_iris().data.min() == 0.1


# ---------------------------------------------------------------------------------------------- reading a CSV


def read(content: str | bytes, **options: Any) -> Table:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    file.name = "t.csv"  # type: ignore[attr-defined]
    return read_csv(file, **options)


def as_lists(table: Table) -> dict[str, list[Any]]:
    return {name: table[name].tolist() for name in table.names}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,x\n2,y\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("a;b\n1;x\n", {"a": [1], "b": ["x"]}),
        ("a\tb\n1\tx y\n", {"a": [1], "b": ["x y"]}),
        ("a,b\r\n1,2\r\n", {"a": [1], "b": [2]}),
        ("a,b\r1,2\r", {"a": [1], "b": [2]}),
        ("a,b\n1,2", {"a": [1], "b": [2]}),
        ("\ufeffa,b\n1,2\n", {"a": [1], "b": [2]}),
        ("a,b\n\n1,2\n   \n3,4\n\n", {"a": [1, 3], "b": [2, 4]}),
        ("a\n1\n2\n", {"a": [1, 2]}),
        ('"a;b",c\n1,2\n', {"a;b": [1], "c": [2]}),
        ('a,b\n"x,y","say ""no"""\n', {"a": ["x,y"], "b": ['say "no"']}),
        ('a,b\n"two\nlines",1\n', {"a": ["two\nlines"], "b": [1]}),
        ('a, b\n x , "y, z"\n', {"a": ["x"], "b": ["y, z"]}),
        ("a;b\n1,5;x\n-2;y\n", {"a": [1.5, -2.0], "b": ["x", "y"]}),
        ("a;b\n1.5;2,x\n", {"a": [1.5], "b": ["2,x"]}),
        ("0,1,2\n5,6,7\n", {"0": [5], "1": [6], "2": [7]}),
        ("naïve,β\n1,é\n", {"naïve": [1], "β": ["é"]}),
    ],
)
def test_forms_of_csv(content: str, expected: dict[str, list[Any]]) -> None:
    assert as_lists(read(content)) == expected
    assert as_lists(read(gzip.compress(content.encode()))) == expected


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        (["1", "-2", "+3", "0"], "int64", [1, -2, 3, 0]),
        (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)]),
        (["9223372036854775808"], "float64", [2.0**63]),
        (["1", "2.0"], "float64", [1.0, 2.0]),
        ([".5", "5.", "1e3", "-1E-3"], "float64", [0.5, 5.0, 1000.0, -0.001]),
        (["inf", "-Infinity"], "float64", [np.inf, -np.inf]),
        (["1", "NA", "null", "?", "NaN"], "float64", [1.0, np.nan, np.nan, np.nan, np.nan]),
        (["x", "NA", "NaN", "null", "?", "None"], "object", ["x", None, None, None, None, "None"]),
        (["007", "12"], "object", ["007", "12"]),
        (["1_000"], "object", ["1_000"]),
        (["١٢"], "object", ["١٢"]),
        (["0x10"], "object", ["0x10"]),
        (["True", "False"], "object", ["True", "False"]),
        (["1", "x"], "object", ["1", "x"]),
        (["NA", "?"], "float64", [np.nan, np.nan]),
        (["2026-11-21", "NA"], "datetime64[us]", ["2026-11-21", "NaT"]),
        (["2026-11-21T09:30", "2026-11-21"], "datetime64[us]", ["2026-11-21T09:30", "2026-11-21"]),
        (["2026-11-21 09:30:01.5Z"], "datetime64[us]", ["2026-11-21T09:30:01.5"]),
        (["2026-11-21 09:30:01.123456789"], "datetime64[us]", ["2026-11-21T09:30:01.123456"]),
        (["2026-01-01T00:30+01:00"], "datetime64[us]", ["2025-12-31T23:30"]),
        (["2026-01-01T00:30:00-0530"], "datetime64[us]", ["2026-01-01T06:00"]),
        (["2026-02-30"], "object", ["2026-02-30"]),
        (["2026-01-01T25:00"], "object", ["2026-01-01T25:00"]),
        (["2026-01-01T00:00+99:00"], "object", ["2026-01-01T00:00+99:00"]),
        (["2026-01-01Z"], "object", ["2026-01-01Z"]),
        (["2026-01-01", "soon"], "object", ["2026-01-01", "soon"]),
        (["21.11.2026"], "object", ["21.11.2026"]),
        (["1" * 5000], "float64", [np.inf]),
    ],
)
def test_kinds_of_columns(cells: list[str], dtype: str, expected: list[Any]) -> None:
    column = read("c,d\n" + "".join(f"{cell},x\n" for cell in cells))["c"]
    assert column.dtype == dtype
    if dtype == "object":
        assert column.tolist() == expected
    else:
        np.testing.assert_array_equal(column, np.array(expected, dtype=dtype))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"text": ["a"]}, {"a": ["1", None], "b": [2.5, 3.0]}),
        ({"missing": ["2.5"]}, {"a": [1.0, np.nan], "b": [np.nan, 3.0]}),
        ({"missing": ["2.5"], "default_missing": False}, {"a": ["1", ""], "b": [np.nan, 3.0]}),
        ({"header": False}, {"0": ["a", "1", None], "1": ["b", "2.5", "3"]}),
        ({"delimiter": ";"}, {"a,b": ["1,2.5", ",3"]}),
    ],
)
def test_options_of_read_csv(options: dict[str, Any], expected: dict[str, list[Any]]) -> None:
    table = read("a,b\n1,2.5\n,3\n", **options)
    assert list(table) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(table[name], np.array(expected[name], dtype=table[name].dtype))


def test_dates_are_kept_as_strings_on_request() -> None:
    assert as_lists(read("d,e\n2026-11-21,x\n", text=["d"])) == {"d": ["2026-11-21"], "e": ["x"]}


def test_blanks_are_kept_on_request() -> None:
    assert as_lists(read("a, b\nx , y\n", strip=False)) == {"a": ["x "], " b": [" y"]}


def test_an_empty_quoted_cell_is_a_row_of_a_one_column_file() -> None:
    assert as_lists(read('a\nx\n""\ny\n')) == {"a": ["x", None, "y"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv: the file is empty"),
        (b"\n\n", "t.csv: the file is empty"),
        (b"\xef\xbb\xbf", "t.csv: the file is empty"),
        (b"a,b\n", "t.csv: line 1 names the columns, but no rows follow"),
        (
            b"1.5,2\n3,4\n",
            (
                "t.csv: line 1: does it name the columns? every cell is a number ('1.5', '2'); "
                "header=False (--no-header) reads it as a row, header=True (--header) as names"
            ),
        ),
        (b"a,b\n1,2\n3\n", "t.csv: line 3: 1 cell where 2 columns are named; column 'b' is not there"),
        (b"a,b\n1,2,9\n", "t.csv: line 2: 3 cells where 2 columns are named; cell 3 is '9'"),
        (b'a,b\n"x\ny",2\n3\n', "t.csv: line 4: 1 cell where 2 columns are named; column 'b' is not there"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "t.csv: line 3: a quote opened in this row is never closed"),
        (b'a,b\n"x"y,2\n', "t.csv: line 2: not CSV: ',' expected after '\"'"),
        (
            b'a,b\n1,"' + b"x" * 200_000,
            "t.csv: line 2: a cell has over 131072 characters; is a quote in this row never closed?",
        ),
        (b"a,b\n1,caf\xe9\x02\n", "t.csv: line 2: byte 0x02 is a control character, not text"),
        (b"a,b\n1,\x00\n", "t.csv: line 2: a NUL character; this is not text"),
        (b"PK\x03\x04rest", "t.csv: zip archive: File is not a zip file"),
        (b"PAR1rest", "t.csv: this is a Parquet file, not CSV text"),
    ],
)
def test_a_bad_csv_is_an_error_that_says_where(content: bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read(content)
    assert str(caught.value) == message


@pytest.mark.parametrize("keep", [3, 12, -1, -8])
def test_damaged_gzip_is_an_error(keep: int) -> None:
    with pytest.raises(ValueError, match=r"^t\.csv: damaged gzip data: "):
        read(gzip.compress(b"a,b\n" + b"1,2\n" * 100)[:keep])


def test_a_flipped_bit_in_gzip_is_an_error() -> None:
    content = bytearray(gzip.compress(b"a,b\n1,2\n"))
    content[-6] ^= 1  # in the checksum
    with pytest.raises(ValueError, match="damaged gzip data"):
        read(bytes(content))


def test_paths_text_files_and_the_name_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "plain.gz"  # the suffix does not decide
    path.write_text("a,b\n1,2\n3\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"plain\.gz: line 3: 1 cell"):
        read_csv(path)
    assert as_lists(read_csv(io.StringIO("a,b\n1,2\n"))) == {"a": [1], "b": [2]}
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "absent.csv")


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_a_bad_delimiter_is_refused(delimiter: str) -> None:
    with pytest.raises(ValueError, match="delimiter must be None or one character"):
        read("a,b\n1,2\n", delimiter=delimiter)


@pytest.mark.parametrize("option", ["missing", "text"])
def test_a_string_is_no_collection_of_strings(option: str) -> None:
    with pytest.raises(TypeError, match=f"{option} must be a collection of strings, got the string 'NA'"):
        read("a,b\n1,2\n", **{option: "NA"})


_cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(_cell, min_size=3, max_size=3), min_size=1, max_size=8), st.sampled_from(",;\t"))
def test_what_the_csv_module_writes_is_read_back(rows: list[list[str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    table = read(file.getvalue(), text=["a", "b", "c"], default_missing=False, header=True, strip=False)
    assert [list(row) for row in zip(table["a"], table["b"], table["c"], strict=True)] == rows


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text('ab,;\t"\r\n 01.-eNA?\0é', max_size=60).map(str.encode),
        st.binary(max_size=60).map(lambda data: gzip.compress(data)[:-1] + data[:1]),
    )
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_table_or_a_value_error(content: bytes) -> None:
    try:
        table = read(content)
    except ValueError as error:
        assert str(error).startswith("t.csv: ")  # noqa: PT017
    else:
        assert table.n_rows > 0
        assert all(len(table[name]) == table.n_rows for name in table)


# ------------------------------------------------------------------------------------------------------ Table


def test_a_table_converts_numbers_and_strings() -> None:
    table = Table(
        {
            "f": np.array([1, 2], dtype=np.float32),
            "u": np.array([1, 2], dtype=np.uint8),
            "s": ["x", "y"],
            "o": np.array(["x", None], dtype=object),
            "n": np.array(["x", float("nan")], dtype=object),
            "b": [True, False],
            "d": np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"),
        }
    )
    kinds = ["float64", "int64", "object", "object", "object", "bool", "datetime64[us]"]
    assert [table[name].dtype for name in table] == kinds
    assert table["n"].tolist() == ["x", None]
    assert table["d"].tolist() == [dt.datetime(2020, 1, 1), None]


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({}, ValueError, "table: a table needs at least one column"),
        ({"a": [1, 2], "b": [1]}, ValueError, "table: column 'b' has 1 rows, column 'a' has 2"),
        ({"a": [[1]]}, ValueError, "table: column 'a' must be 1-D, got shape (1, 1)"),
        (
            {"a": [1j]},
            TypeError,
            "table: column 'a' has dtype complex128; a table holds numbers, booleans, dates and strings",
        ),
        (
            {"a": np.array(["2020", "300000"], dtype="datetime64[Y]")},
            ValueError,
            "table: column 'a', row 1: the date is too far off to be held in microseconds",
        ),
        (
            {"a": np.array([2**63], dtype=np.uint64)},
            ValueError,
            "table: column 'a' holds 9223372036854775808, more than 9223372036854775807",
        ),
        (
            {"a": np.array(["x", 1], dtype=object)},
            TypeError,
            "table: column 'a', row 1: expected a string or None, got 1 of type int",
        ),
        ({1: [1]}, TypeError, "table: a column's name must be a string, got 1"),
    ],
)
def test_a_table_refuses_what_it_cannot_hold(
    columns: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        Table(columns)
    assert str(caught.value) == message


def test_rows_taken_from_a_table_remember_their_lines() -> None:
    table = read('a,b\n1,"x\ny"\n2,z\n\n3,w\n')
    taken = table.take([2, 0])
    assert as_lists(taken) == {"a": [3, 1], "b": ["w", "x\ny"]}
    assert [taken.place(0), taken.place(1)] == ["line 6", "line 2"]
    assert table.take(table["a"] > 1).n_rows == 2
    assert table.take([]).n_rows == 0
    assert Table({"a": [1]}).place(0) == "row 0"


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    table = Table({f"c{i}": [0] for i in range(14)}, source="wide")
    with pytest.raises(KeyError, match=r"wide: no column 'x'; its columns are 'c0', .*'c11' and 2 more"):
        table["x"]
    assert "c3" in table
    assert "x" not in table


def test_columns_are_kept_and_dropped_with_their_lines() -> None:
    table = read("a,b,c\n1,x,2.5\n")
    assert as_lists(table.keep("c", "a")) == {"c": [2.5], "a": [1]}
    assert table.drop("b").columns == ("a", "c")
    assert table.drop("b").place(0) == "line 2"
    for change in (table.keep, table.drop):
        with pytest.raises(KeyError, match=r"t\.csv: no column 'z'"):
            change("z")
    for nothing in (table.keep, lambda: table.drop("a", "b", "c")):
        with pytest.raises(ValueError, match="a table needs at least one column"):
            nothing()


def test_a_table_of_numbers_is_an_array() -> None:
    table = Table({"a": [1, 2], "b": [0.5, NAN], "c": [True, False]})
    np.testing.assert_array_equal(table.to_numpy(), [[1, 0.5, 1], [2, NAN, 0]])
    assert table.to_numpy().dtype == np.float64
    assert table.keep("a").to_numpy().dtype == np.int64


@pytest.mark.parametrize(
    ("column", "what"), [(["x"], "strings"), (np.array(["2020-01-01"], dtype="datetime64[D]"), "dates")]
)
def test_strings_and_dates_are_no_array_of_numbers(column: Any, what: str) -> None:
    message = f"t: column 'c' holds {what}, not numbers; encode the table first with .*TableEncoder"
    with pytest.raises(TypeError, match=message):
        Table({"a": [1], "c": column}, source="t").to_numpy()


def test_a_numeric_table_is_trained_on_by_the_name_of_its_target() -> None:
    table = Table({"a": [1.0, 2, 3, 4], "b": [True, False] * 2, "kind": ["u", "v"] * 2})
    network = fastmlp.train(table, "kind", hidden=(), epochs=2, encode=False)
    assert network.feature_names == ("a", "b")
    assert set(network.predict(table.drop("kind"))) <= {"u", "v"}
    with pytest.raises(TypeError, match="column 'kind' holds strings, not numbers"):
        fastmlp.train(table, "a", epochs=1, encode=False)


def test_a_table_with_booleans_is_encoded_unless_told_otherwise() -> None:
    table = Table({"a": [1.0, 2, 3, 4], "b": [True, False] * 2, "kind": ["u", "v"] * 2})
    network = fastmlp.train(table, "kind", hidden=(), epochs=2)
    assert network.encoder is not None
    assert network.encoder.input_names == ("a", "b")


# ---------------------------------------------------------------------------------------------------- holdout


@pytest.mark.parametrize(
    ("n", "fraction", "expected"), [(10, 0.25, 3), (10, 0.01, 1), (10, 0.99, 9), (2, 0.5, 1)]
)
def test_holdout_splits_every_row_once(n: int, fraction: float, expected: int) -> None:
    train, test = holdout(n, fraction, seed=4)
    assert len(test) == expected
    assert sorted([*train, *test]) == list(range(n))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()


@given(
    st.lists(st.sampled_from("aaaabbc"), min_size=2, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 2**64 - 1),
)
@settings(max_examples=50)
def test_a_stratified_holdout_takes_the_fraction_of_each_class(
    labels: list[str], fraction: float, seed: int
) -> None:
    y = np.array(labels)
    if len(set(labels)) == len(labels):
        with pytest.raises(ValueError, match="one row only"):
            holdout(y, fraction, seed)
        return
    train, test = holdout(y, fraction, seed)
    assert sorted([*train, *test]) == list(range(len(y)))
    assert len(test) > 0
    for label in np.unique(y):
        count = int((y == label).sum())
        wanted = min(int(np.floor(fraction * count + 0.5)), count - 1)
        taken = int((y[test] == label).sum())
        assert taken == wanted or (len(test) == 1 and taken in (wanted, 1))


def test_holdout_depends_on_seed_and_substream_and_nothing_else() -> None:
    def chosen(**options: int) -> list[int]:
        return holdout(100, 0.2, **options)[1].tolist()

    assert chosen(seed=1) == chosen(seed=1)
    assert len({tuple(chosen(seed=s, substream=t)) for s in range(3) for t in range(3)}) == 9


def test_holdout_takes_the_first_rows_of_the_documented_permutation() -> None:
    import reference_random as rnd

    order = rnd.permutation(7, rnd.SPLIT, 0, 20)
    assert holdout(20, 0.25, seed=7)[1].tolist() == sorted(order[:5].tolist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0), "fraction must be greater than 0 and less than 1, got 0"),
        ((10, 1.0), "fraction must be greater than 0 and less than 1, got 1.0"),
        ((10, float("nan")), "fraction must be greater than 0 and less than 1, got nan"),
        ((1, 0.5), "at least 2 rows are needed to hold some back, got 1"),
        ((10, 0.5, -1), "seed must be between 0 and 2**64 - 1, got -1"),
        ((10, 0.5, 2**64), "seed must be between 0 and 2**64 - 1, got 18446744073709551616"),
        ((np.zeros((3, 2)), 0.5), "labels must be 1-D, got shape (3, 2)"),
    ],
)
def test_holdout_refuses_bad_arguments(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        holdout(*arguments)
    assert str(caught.value) == message
