"""JSON Lines become tables: of one object a line, of values of one level, in bounded memory."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.data import Table, read, read_jsonl

ROWS = """\
{"age": 41, "city": "Rome", "born": "1985-02-03", "rent": 10.5, "owner": true, "price": "$1,200"}
{"city": null, "age": 35, "born": "1991-12-24", "rent": 3, "owner": false, "price": "$950"}

{"age": 60, "born": null, "rent": 7, "owner": true, "price": "$7"}
"""


def table_of(content: str | bytes, **options: Any) -> Table:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    file.name = "t.jsonl"  # type: ignore[attr-defined]
    return read_jsonl(file, **options)


def test_fields_become_columns_of_their_kinds() -> None:
    table = table_of(ROWS)
    assert table.names == ("age", "city", "born", "rent", "owner", "price")
    kinds = ["int64", "object", "datetime64[us]", "float64", "bool", "int64"]
    assert [table[name].dtype for name in table] == kinds
    assert table["city"].tolist() == ["Rome", None, None]
    assert table["price"].tolist() == [1200, 950, 7]
    assert np.isnat(table["born"]).tolist() == [False, False, True]
    assert table.notes == ["price: read as numbers, '$1,200' as 1200; with decimal=',' it is 1.2"]
    assert table.place(2) == "line 4"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows", "rows.txt", "rows.jsonl.gz"])
def test_json_lines_are_told_by_suffix_or_content(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(ROWS.encode()) if name.endswith(".gz") else ROWS.encode())
    X, y = read(path, "age", text=["price"])
    assert y is not None
    assert y.tolist() == [41, 35, 60]
    assert X["price"].tolist() == ["$1,200", "$950", "$7"]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["1", "2.5"], "float64", [1, 2.5]),
        (["1", "null"], "float64", [1, np.nan]),
        (["1", "NaN", "-Infinity"], "float64", [1, np.nan, -np.inf]),
        (["true", "null", "false"], "float64", [1, np.nan, 0]),
        (["9223372036854775808"], "float64", [2.0**63]),
        (["1" + "0" * 400], "float64", [np.inf]),
        (["1", '"N/A"', '"-"'], "float64", [1, np.nan, np.nan]),
        (['"00123"', '"00456"'], "object", ["00123", "00456"]),
        (["true", '"no"'], "object", ["true", "no"]),
        (["null", "null"], "float64", [np.nan, np.nan]),
        (['""', '"x"'], "object", [None, "x"]),
    ],
)
def test_values_of_a_field(values: list[str], dtype: str, expected: list[Any]) -> None:
    column = table_of("".join(f'{{"a": {value}}}\n' for value in values))["a"]
    assert column.dtype == dtype
    if dtype == "object":
        assert column.tolist() == expected
    else:
        np.testing.assert_array_equal(column, expected)


def test_options_are_those_of_csv_files() -> None:
    content = '{"a": "x", "b": 5}\n{"a": "-99", "b": 6}\n{"a": "", "b": 7}\n'
    table = table_of(content, text=["b"], missing=["-99"], default_missing=False)
    assert table["b"].tolist() == ["5", "6", "7"]
    assert table["a"].tolist() == ["x", None, ""]
    assert table_of('{"a": "1,5"}\n{"a": "2,500"}', decimal=",")["a"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.jsonl: the file has no objects"),
        ("{}\n{}\n", "t.jsonl: the file has no fields"),
        ('{"a": 1}\n{"a": {"b": 2}}\n', "t.jsonl: line 2: field 'a' holds an object; a field must hold a"),
        ('{"a": [1]}\n', "t.jsonl: line 1: field 'a' holds an array; a field must hold a number, a string"),
        ('[{"a": 1}]\n', 't.jsonl: line 1: [{"a": 1}] is no JSON object; write the objects of an array'),
        ("5\n", "t.jsonl: line 1: 5 is no JSON object"),
        ('{"a": 1}\n{"a":\n', "t.jsonl: line 2: no JSON object on one line (Expecting value"),
        ('{"a": 1, "a": 2}\n', "t.jsonl: line 1: no JSON object on one line (two fields are called 'a')"),
        ('{"a": ' + "[" * 100_000, "t.jsonl: line 1: no JSON object on one line ("),
        ('{"a": ' + "1" * 10_000 + "}", "t.jsonl: line 1: no JSON object on one line ("),
        ('{"a": 1}\n\x00\x01', "t.jsonl: line 2: no JSON object on one line (Expecting value"),
    ],
)
def test_what_is_no_object_on_a_line_is_refused(content: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        table_of(content)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 250


def test_a_small_file_that_makes_a_huge_table_is_refused() -> None:
    names = "".join(f'{{"f{i}": 1}}\n' for i in range(60_000))
    with pytest.raises(ValueError, match=r"different fields in .* objects are too many"):
        table_of(names)
    wide = "{" + ", ".join(f'"f{i}": 1' for i in range(20_000)) + "}\n"
    with pytest.raises(ValueError, match=r"20000 different fields in .* objects are too many"):
        table_of(wide + "{}\n" * 30_000)
    assert len(table_of(wide).names) == 20_000
