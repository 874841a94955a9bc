"""CSV files as they are found: names that are absent, double or numbers, and encodings other than UTF-8."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from fastmlp.data import Table, read, read_csv


def table_of(content: str | bytes, **options: Any) -> Table:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    file.name = "t.csv"  # type: ignore[attr-defined]
    return read_csv(file, **options)


def lists(table: Table) -> dict[str, list[Any]]:
    return {name: table[name].tolist() for name in table}


# ----------------------------------------------------------------------------------------------------- names

IRIS_DATA = "5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n6.2,2.9,Iris-versicolor\n"
ADULT_DATA = "39,State-gov,13,Male\n50,Private,13,Male\n38,State-gov,9,Female\n"
MUSHROOMS = "p,x,s\ne,x,s\np,x,y\np,b,s\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("5,3\n4,2\n", "every cell is a number ('5', '3')"),
        (IRIS_DATA, "there are numbers among its cells ('5.1', '3.5')"),
        (ADULT_DATA, "'State-gov' is a value of its column in other rows, '39', '13' a number"),
        (MUSHROOMS, "each cell is a value of its column in other rows ('p', 'x', 's')"),
    ],
)
def test_a_first_line_that_reads_like_a_row_is_asked_about(content: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        table_of(content)
    assert str(caught.value) == (
        f"t.csv: line 1: does it name the columns? {reason}; "
        "header=False (--no-header) reads it as a row, header=True (--header) as names"
    )
    first = content.split("\n", 1)[0].split(",")
    rows = table_of(content, header=False)
    assert rows.names == tuple(str(i) for i in range(len(first)))
    assert rows.n_rows == content.count("\n")
    assert rows.place(0) == "line 1"
    assert table_of(content, header=True).names == tuple(first)


@pytest.mark.parametrize(
    "first",
    ["country,1990,1991", "0,1,2", "1,2,3", "a,b,c", "name,0,1", "a,b,b2", "x,,y"],
)
def test_names_with_numbers_among_them_are_names(first: str) -> None:
    assert table_of(f"{first}\nFrance,5,6\nItaly,7,8\nFrance,5,8\n").n_rows == 3


def test_a_row_that_repeats_the_only_other_row_is_no_sign() -> None:
    assert table_of("a,b\na,b\n1,2\n").n_rows == 2


@pytest.mark.parametrize("header", ["no", None, 1])
def test_a_bad_header_is_refused(header: Any) -> None:
    with pytest.raises(ValueError, match="header must be 'auto', True or False, got"):
        table_of("a\n1\n", header=header)


@pytest.mark.parametrize(
    ("first", "names", "note"),
    [
        ("a,b,a", "a,b,a.1", "renamed 1 column whose name occurs before: 'a' to 'a.1'"),
        ("a,a,a.1", "a,a.2,a.1", "renamed 1 column whose name occurs before: 'a' to 'a.2'"),
        ("a,a,a", "a,a.1,a.2", "renamed 2 columns whose name occurs before: 'a' to 'a.1', 'a' to 'a.2'"),
        ("a,b,", "a,b,column 3", "1 column without a name: called 'column 3'"),
        ("column 3,b,", "column 3,b,column 3.1", "1 column without a name: called 'column 3.1'"),
    ],
)
def test_each_column_has_a_name_of_its_own(first: str, names: str, note: str) -> None:
    table = table_of(f"{first}\n1,x,2.5\n2,y,3.5\n")
    assert table.names == tuple(names.split(","))
    assert [table[name].tolist() for name in table] == [[1, 2], ["x", "y"], [2.5, 3.5]]
    assert table.notes == [note]


@pytest.mark.parametrize("numbers", ["012", "123", "301", "579"])
def test_a_first_column_without_a_name_that_numbers_the_rows_is_dropped(numbers: str) -> None:
    table = table_of(",a\n" + "".join(f"{number},{3 * int(number)}.5\n" for number in numbers))
    assert table.names == ("a",)
    assert table.notes == ["dropped 1 column without a name that numbers the rows: 'column 1'"]


@pytest.mark.parametrize("cells", ["x,y", "1,1", "0.5,1.5"])
def test_a_first_column_without_a_name_that_does_not_is_kept(cells: str) -> None:
    one, two = cells.split(",")
    assert table_of(f",a\n{one},5\n{two},6\n").names == ("column 1", "a")
    assert table_of(f"a,\n5,{one}\n6,{two}\n").names == ("a", "column 2")


@pytest.mark.parametrize(
    ("top", "names", "passed_over"),
    [
        ("# a title, and more\na,b\n", "a,b", "1 line at the top that begins"),
        ('# one\n#\n# say "three\na,b\n', "a,b", "3 lines at the top that begin"),
        ("# a title\n#a,b\n", "#a,b", "1 line at the top that begins"),
        ("#a,b\n", "#a,b", None),
        ("# a,b\n", "# a,b", None),
    ],
)
def test_lines_of_comments_at_the_top_are_passed_over(top: str, names: str, passed_over: str | None) -> None:
    table = table_of(top + "1,x\n2,y\n")
    assert table.names == tuple(names.split(","))
    assert table.n_rows == 2
    assert table.place(0) == f"line {top.count(chr(10)) + 1}"
    assert table.notes == ([] if passed_over is None else [f"passed over {passed_over} with '#'"])


@pytest.mark.parametrize("content", ["#", "# a", "#\n", "#a,b\n# c\n"])
def test_a_file_of_comments_alone_has_no_rows(content: str) -> None:
    with pytest.raises(ValueError, match=r"but no rows follow|does it name the columns"):
        table_of(content)


def test_a_file_of_row_numbers_alone_is_kept() -> None:
    assert lists(table_of('""\n0\n1\n')) == {"column 1": [0, 1]}


@pytest.mark.parametrize("line", ["sep=;", '"sep=|"', "SEP=\t", "sep=,"])
def test_a_line_of_excels_names_the_delimiter(line: str) -> None:
    mark = line.strip('"')[-1]
    table = table_of(f"{line}\na{mark}b\n1{mark}x\n3{mark}y\n")
    assert lists(table) == {"a": [1, 3], "b": ["x", "y"]}
    assert table.place(0) == "line 3"


def test_a_column_called_sep_is_a_column() -> None:
    assert lists(table_of("sep,b\n1,2\n")) == {"sep": [1], "b": [2]}


def test_notes_are_short() -> None:
    table = table_of("a;b\n1" + ",111" * 5000 + ";2\n" + "1,111;2\n")
    assert all(len(note) < 200 for note in table.notes)


def test_percent_signs_on_some_numbers_only_are_said() -> None:
    content = "v\n" + "".join(f"{i}%\n" for i in range(20)) + "".join(f"0.{i}\n" for i in range(11, 80))
    assert table_of(content).notes == ["v: read as numbers, '0%' as 0, and '0.11', without %, as 0.11"]


# ------------------------------------------------------------------------------------------------- encodings

WEST = "name,city\nJosé,São Paulo\nRenée,Zürich\nBjörk,Malmö\n"
TEXTS = {
    "cp1252": "name,price\nMcDonald’s,£12\nCafé,£30\n",
    "latin-1": WEST,
    "cp1251": "имя,город\nИван,Москва\nАнна,Казань\nПётр,Санкт-Петербург\n",
    "cp1250": "imię,miasto\nŁukasz,Łódź\nGrażyna,Kraków\nŚwiętosław,Gdańsk\nJadwiga,Poznań\n",
    "cp932": "名前,都市\n太郎,東京\n花子,大阪\n",
    "gb18030": "姓名,城市,说明\n王伟,北京,他每天早上去学校学习\n李娜,上海,她在一家很大的公司工作\n",
}


def cells(text: str) -> dict[str, list[str]]:
    first, *rows = (line.split(",") for line in text.splitlines())
    return {name: [row[i] for row in rows] for i, name in enumerate(first)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_is_told_by_its_marks_or_its_zeros(encoding: str) -> None:
    table = table_of(WEST.encode(encoding))
    assert lists(table) == cells(WEST)
    silent = encoding not in ("utf-16-le", "utf-16-be")
    assert table.notes == ([] if silent else [f"read as {encoding}, because every other byte is 0"])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_tells_the_order(encoding: str) -> None:
    assert lists(table_of(("\ufeff" + WEST).encode(encoding))) == cells(WEST)


@pytest.mark.parametrize("encoding", TEXTS)
def test_other_encodings_are_detected(encoding: str) -> None:
    pytest.importorskip("charset_normalizer")
    text = TEXTS[encoding]
    table = table_of(text.encode(encoding), text=["price"])
    assert lists(table) == cells(text)
    found = "cp1252" if encoding == "latin-1" else encoding
    assert table.notes[0].startswith(f"read as {found}, because line ")
    assert "is not UTF-8" in table.notes[0]


def test_a_few_odd_bytes_in_english_text_do_not_make_it_japanese() -> None:
    name = "this one was written by Chav\x87z for the paper, who owns it, and sent from there".encode(
        "latin-1"
    )
    table = table_of(b'a,b\n1,Manuel Rodr\xcc_guez wrote of these things at home\n2,"' + name + b'"\n')
    assert table.notes[0].startswith("read as cp1252")


def test_one_accent_is_enough_and_the_note_shows_it() -> None:
    content = "a,b\n" + "1,x\n" * 500 + "2,café\n"
    assert table_of(content.encode("latin-1")).notes == [
        "read as cp1252, because line 502 is not UTF-8 ('café'); encoding says it where that is wrong"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("x,y\n" + "1,já è\n2,n\n" * 200, "cp1252"),  # è is č in cp1250
        ("price\n£5\n£7\n", "cp1252"),
        ("t\n21°C\n22°C\n", "cp1252"),
        ("price\n5 €\n6 €\n", "cp1252"),
        ("città,y\nForlì,più\nCantù,così\n", "cp1252"),
        ("jméno,město\nJiří,Plzeň\nŘehoř,Třebíč\nBožena,Ústí nad Labem\n", "cp1250"),
        ("名前,都市\nアイウエオ,トウキョウ\nカタカナ,オオサカ\n", "cp932"),
    ],
)
def test_signs_and_accents_among_latin_letters_are_western_unless_words_say_otherwise(
    text: str, encoding: str
) -> None:
    pytest.importorskip("charset_normalizer")
    names = text.partition("\n")[0].split(",")
    table = table_of(text.encode(encoding), text=names)
    assert lists(table) == cells(text)
    assert table.notes[0].startswith(f"read as {encoding}, because ")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_without_a_detector_western_texts_are_read(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    table = table_of(TEXTS[encoding].encode(encoding), text=["price"])
    assert lists(table) == cells(TEXTS[encoding])
    assert table.notes[0].startswith("read as cp1252")
    assert table_of(b"a,b\n1,caf\xe9\x81\n").notes[0].startswith("read as latin-1")


def test_the_encoding_may_be_given() -> None:
    content = TEXTS["cp1251"].encode("cp1251")
    table = table_of(content, encoding="cp1251")
    assert lists(table) == cells(TEXTS["cp1251"])
    assert table.notes == []
    with pytest.raises(ValueError, match=r"t\.csv: line 1, byte 1 \(0xe8\) is not utf-8 text; save the file"):
        table_of(content, encoding="utf-8")
    assert read(io.BytesIO(content), "имя", encoding="cp1251").y.tolist() == cells(TEXTS["cp1251"])["имя"]  # type: ignore[union-attr]


@pytest.mark.parametrize("encoding", ["utf-9", "", "base64", "rot13", "a\0"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="encoding must be the name of a text encoding such as 'utf-8'"):
        table_of("a\n1\n", encoding=encoding)
    with pytest.raises(TypeError, match="encoding must be None or the name of an encoding, got 8"):
        table_of("a\n1\n", encoding=8)


def test_what_is_not_text_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match=r"t\.csv: line 1: byte 0x01 is a control character, not text"):
        table_of(b"a,b\x01\xff\n1,2\n")
    with pytest.raises(ValueError, match="is not utf-16 text"):
        table_of(b"\xff\xfea\x00,\xd8")


def test_the_documentation_shows_what_is_printed_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    code, shown = re.findall(r"```python\n([^`]*flats\.csv[^`]*)```\n\n```text\n([^`]*)```", page)[0]
    monkeypatch.chdir(tmp_path)
    exec("from pathlib import Path\nfrom fastmlp import data\n" + code)
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert printed == [line.strip() for line in shown.splitlines() if line]
