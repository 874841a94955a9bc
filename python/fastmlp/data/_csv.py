"""Read CSV files: what RFC 4180 describes, and the departures from it that real files make."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from fastmlp._base.text import plural, shortened
from fastmlp.data._arrow import ARROW_FILE, PARQUET
from fastmlp.data._cells import is_number
from fastmlp.data._encoding import decode
from fastmlp.data._header import looks_like_data, row_numbers, settle, unnamed_note
from fastmlp.data._npy import NPY
from fastmlp.data._parse import cell_rules, table_of_texts
from fastmlp.data._source import ZIP, Buffer, Source, name_of, resolve
from fastmlp.data._table import Table

DELIMITERS = (",", ";", "\t")

_SEP = re.compile(r"\"?sep=([^\"\r\n])\"?(?=[\r\n])", re.IGNORECASE)

_NOT_TEXT = {
    **dict.fromkeys(ZIP, "a zip archive or an Excel workbook"),
    PARQUET: "a Parquet file",
    ARROW_FILE: "an Arrow file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    NPY: "a NumPy array",
}


class _Record(NamedTuple):
    line: int
    cells: list[str]


def read_csv(
    path_or_file: Source,
    *,
    text: Collection[str] = (),
    missing: Collection[str] = (),
    default_missing: bool = True,
    delimiter: str | None = None,
    decimal: str | Mapping[str, str] | None = None,
    encoding: str | None = None,
    header: bool | Literal["auto"] = "auto",
    strip: bool = True,
) -> Table:
    r"""Read a CSV file, plain or packed with gzip or zip, into a table.

    Quoted cells may hold delimiters, doubled quotes and line breaks (RFC 4180). A byte-order mark, blank
    lines, and lines at the top that begin with # are passed over; a first line such as "sep=;" names the
    delimiter. What was guessed, dropped or assumed is told by `Table.notes`, a line each.

    A column is int64 if every cell is a whole number, float64 if every cell is a number or missing,
    datetime64[us] in UTC if every cell is an ISO 8601 date (2026-11-21, 2026-11-21T09:30,
    2026-11-21 09:30:00.5+01:00) or missing, and strings otherwise. A few odd cells do not change that: where
    at least 90 % of the different texts of a column are numbers (or dates), the others are missing.
    Numbers may have separated thousands (21,500), a decimal comma (20,5), a percent sign (43% is 43) or a
    currency ($13.44). Whether a comma separates thousands or is the decimal mark is decided by the whole
    column; where that does not tell, it is the decimal mark in files separated by semicolons and separates
    thousands in others. Whole numbers with leading zeros such as postcodes (00123), true and false are
    strings.

    Parameters
    ----------
    path_or_file : path or open file
        Gzip and zip are told by the content, whatever the suffix. A zip archive must hold one file.
    text : collection of str, default ()
        The columns to keep as strings even if they look like numbers or dates.
    missing : collection of str, default ()
        Further cells that stand for a missing value, such as "-99", as they are spelled in the file.
    default_missing : bool, default True
        Whether empty cells, NA, N/A, NaN, null, ? and the errors of spreadsheets (#N/A) stand for a missing
        value, and None, -, ., * among numbers and dates. False leaves that to `missing`.
    delimiter : {None, ",", ";", "\\t"} or another character, default None
        None takes whichever of comma, semicolon and tab splits the first line into most columns.
    decimal : {None, ".", ","} or mapping of str to these, default None
        The decimal mark, of all columns or by name. None leaves it to each column.
    encoding : str, optional
        None reads UTF-8, UTF-16 and UTF-32 as their byte-order marks say; without one, UTF-8 and, where the
        bytes are not that, the most likely of cp1252 (Latin-1) and others.
    header : {"auto", True, False}, default "auto"
        Whether the first line names the columns. Without names they are called "0", "1" and so on. "auto"
        takes the first line for names, but refuses one that reads like a row of data.
    strip : bool, default True
        Remove blanks around names and cells. RFC 4180 counts them as part of the cell.

    Returns
    -------
    Table
        A name that occurs before has got ".1" at its end. A column without a name is called "column 3" by its
        place, or left out if it numbers the rows.

    Raises
    ------
    OSError
        If the file cannot be read.
    TypeError
        If an argument has the wrong type.
    ValueError
        If the file is empty, not text or not CSV, a row has more or fewer cells than there are columns, or
        the first line may be a row. The message names the file, the line and the column.

    References
    ----------
    Y. Shafranovich, Common Format and MIME Type for Comma-Separated Values (CSV) Files, RFC 4180, 2005.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f"delimiter must be None or one character, such as ',' or ';', got {delimiter!r}")
    if not isinstance(header, bool) and header != "auto":
        raise ValueError(f"header must be 'auto', True or False, got {header!r}")
    rules = cell_rules(text, missing, default_missing, decimal)
    content, source, notes = _read_text(path_or_file, encoding)
    content, passed_over = _without_comments(content, source, delimiter)
    notes += passed_over
    named, content = _named_delimiter(content)
    delimiter = delimiter or named or _detect_delimiter(content, source)
    lines, rows = _rows(content, source, delimiter, strip)
    names = [str(i) for i in range(len(rows[0]))]
    unnamed: list[int] = []
    if header:
        first, first_line = rows.pop(0), lines.pop(0)
        _check_widths(rows, lines, source, first, named=True)
        if header == "auto":
            _check_names(first, rows, f"{source}: line {first_line}")
        if not rows:
            raise ValueError(f"{source}: line {first_line} names the columns, but no rows follow")
        names, unnamed, more = settle(first)
        notes += more
    else:
        _check_widths(rows, lines, source, rows[0], named=False)
    columns: dict[str, Sequence[str]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    notes += _drop_row_numbers(columns, [(i, names[i]) for i in unnamed])
    usual = "," if delimiter == ";" else "."
    return table_of_texts(columns, rules._replace(usual=usual), source, lines, notes)


def _drop_row_numbers(columns: dict[str, Sequence[str]], unnamed: list[tuple[int, str]]) -> list[str]:
    """Leave out those of the columns without a name that number the rows; returns what is to be said."""
    dropped = [name for i, name in unnamed if row_numbers(i, columns[name])]
    if len(dropped) == len(columns):
        dropped = []
    for name in dropped:
        del columns[name]
    left = [name for _, name in unnamed if name in columns]
    notes = [unnamed_note(dropped, dropped=True)] if dropped else []
    return notes + ([unnamed_note(left, dropped=False)] if left else [])


def _read_text(path_or_file: Source, encoding: str | None) -> tuple[str, str, list[str]]:
    """Return the decoded content of a file, its name, and what is to be said of its encoding."""
    notes: list[str] = []
    if isinstance(path_or_file, io.TextIOBase):
        source = str(getattr(path_or_file, "name", "<file>"))
        content: str = path_or_file.read()
    else:
        data = resolve(path_or_file)
        source = name_of(data)
        encoded = data.getvalue() if isinstance(data, Buffer) else data.read_bytes()
        _check_text(encoded, source)
        content, notes = decode(encoded, source, encoding)
    nul = content.find("\0")
    if nul >= 0:
        raise ValueError(f"{source}: line {_line_of(content, nul)}: a NUL character; this is not text")
    return content.removeprefix("\ufeff"), source, notes


def _check_text(content: bytes, source: str) -> None:
    for magic, what in _NOT_TEXT.items():
        if content.startswith(magic):
            raise ValueError(f"{source}: this is {what}, not CSV text")


def _without_comments(content: str, source: str, delimiter: str | None) -> tuple[str, list[str]]:
    """Blank the lines at the top that begin with #; the last is kept if it names the columns.

    It does, if it has as many cells as the line that follows, unless a blank follows # and that line has no
    numbers: then it is a comment, and that line has the names.
    """
    end, count = 0, 0
    last = 0
    while content.startswith("#", end):
        last, end, count = end, content.find("\n", end) + 1, count + 1
        if end == 0:
            return content, []
    if not count:
        return content, []
    separated = delimiter or _detect_delimiter(content[end:], source)
    line, row = (_first_cells(content[start:], source, separated) for start in (last, end))
    names = len(line) == len(row) and (content[last : last + 2] != "# " or any(map(is_number, row)))
    if names or not row:
        end, count = last, count - 1
    note = (
        f"passed over {plural(count, 'line')} at the top that {'begins' if count == 1 else 'begin'} with '#'"
    )
    return "\n" * count + content[end:], [note] if count else []


def _named_delimiter(content: str) -> tuple[str | None, str]:
    """Blank a first line such as "sep=;", as Excel writes it; return the delimiter that it names, too."""
    match = _SEP.match(content)
    return (match[1], content[match.end() :]) if match else (None, content)


def _detect_delimiter(content: str, source: str) -> str:
    return max(DELIMITERS, key=lambda delimiter: len(_first_cells(content, source, delimiter)))


def _first_cells(content: str, source: str, delimiter: str) -> list[str]:
    """Return the cells of the first row, none if there is no such row."""
    try:
        record = next(_records(content, source, delimiter, strip=True), None)
    except ValueError:
        return []
    return record.cells if record else []


def _records(content: str, source: str, delimiter: str, strip: bool) -> Iterator[_Record]:
    """Yield the records that are not blank lines, each with the line it begins in."""
    reader = csv.reader(
        io.StringIO(content, newline=""), delimiter=delimiter, strict=True, skipinitialspace=strip
    )
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"{source}: line {line}: {_csv_problem(str(error))}") from None
        if strip:
            cells = [cell.strip() for cell in cells]
        if cells:
            yield _Record(line, cells)


def _csv_problem(message: str) -> str:
    if "unexpected end of data" in message:
        return "a quote opened in this row is never closed"
    if "field larger than field limit" in message:
        return f"a cell has over {csv.field_size_limit()} characters; is a quote in this row never closed?"
    return f"not CSV: {message}"


def _rows(content: str, source: str, delimiter: str, strip: bool) -> tuple[list[int], list[list[str]]]:
    """Return the lines that the rows begin in, and their cells, the first line included."""
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, cells in _records(content, source, delimiter, strip):
        if cells == [""] and rows and len(rows[0]) > 1:
            continue  # a line of blanks
        lines.append(line)
        rows.append(cells)
    if not rows:
        raise ValueError(f"{source}: the file is empty")
    return lines, rows


def _check_widths(
    rows: Sequence[list[str]], lines: Sequence[int], source: str, first: Sequence[str], named: bool
) -> None:
    """Make sure that all rows have as many cells as the first line."""
    want = len(first)
    for line, cells in zip(lines, rows, strict=True):
        have = len(cells)
        if have != want:
            expected = (
                f"{want} {'column is' if want == 1 else 'columns are'} named"
                if named
                else f"the first row has {want}"
            )
            if have > want:
                detail = f"cell {want + 1} is {shortened(cells[want], 60)!r}"
            else:
                detail = f"column {first[have] if named else str(have)!r} is not there"
            count = f"{have} {'cell' if have == 1 else 'cells'}"
            raise ValueError(f"{source}: line {line}: {count} where {expected}; {detail}")


def _check_names(first: Sequence[str], rows: Sequence[list[str]], where: str) -> None:
    """Refuse a first line that may be a row of data."""
    reason = looks_like_data(first, rows)
    if reason is not None:
        raise ValueError(
            f"{where}: does it name the columns? {shortened(reason, 200)}; "
            "header=False (--no-header) reads it as a row, header=True (--header) as names"
        )


def _line_of(content: str, position: int) -> int:
    return content.count("\n", 0, position) + 1
