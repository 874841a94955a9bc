"""Read CSV files: what RFC 4180 describes, and the departures from it that real files make."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from fastmlp.data._arrow import ARROW_FILE, PARQUET
from fastmlp.data._cells import column_of, is_number, text_of
from fastmlp.data._npy import NPY
from fastmlp.data._source import Buffer, Source, name_of, resolve
from fastmlp.data._table import Table, quoted

#: Cells that stand for a missing value unless the caller says otherwise.
MISSING = ("", "NA", "NaN", "nan", "null", "NULL", "?")

DELIMITERS = (",", ";", "\t")

_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
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
    delimiter: str | None = None,
    header: bool = True,
    missing: Collection[str] = MISSING,
    text: Collection[str] = (),
    strip: bool = True,
) -> Table:
    r"""Read a CSV file, plain or gzipped, into a table.

    Quoted cells may hold delimiters, doubled quotes and line breaks (RFC 4180). A UTF-8 byte-order mark
    and blank lines are passed over. A column is int64 if every cell is a whole number, float64 if every
    cell is a number or missing, datetime64[us] in UTC if every cell is an ISO 8601 date (2026-11-21,
    2026-11-21T09:30, 2026-11-21 09:30:00.5+01:00) or missing, and strings otherwise. Whole numbers with
    leading zeros (007), true and false are strings.
    In a semicolon-separated file, the form used where the decimal mark is a comma, 1,5 is read as 1.5.

    Parameters
    ----------
    path_or_file : path or open file
        Gzip is told by the content, whatever the suffix.
    delimiter : {None, ",", ";", "\\t"} or another character, default None
        None takes whichever of comma, semicolon and tab splits the first line into most columns.
    header : bool, default True
        Whether the first line names the columns. Otherwise they are called column1, column2 and so on.
    missing : collection of str, default ("", "NA", "NaN", "nan", "null", "NULL", "?")
        The cells that stand for a missing value.
    text : collection of str, default ()
        The columns to keep as strings even if they look like numbers or dates.
    strip : bool, default True
        Remove blanks around names and cells. RFC 4180 counts them as part of the cell.

    Returns
    -------
    Table

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is empty, not text, not UTF-8 or not CSV, a row has more or fewer cells than there are
        columns, or a name is absent or double. The message names the file, the line and the column.

    References
    ----------
    Y. Shafranovich, Common Format and MIME Type for Comma-Separated Values (CSV) Files, RFC 4180, 2005.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f"delimiter must be None or one character, such as ',' or ';', got {delimiter!r}")
    for name, value in (("missing", missing), ("text", text)):
        if isinstance(value, str):
            raise TypeError(f"{name} must be a collection of strings, got the string {value!r}")
    content, source = _read_text(path_or_file)
    if delimiter is None:
        delimiter = _detect_delimiter(content, source)
    records = _records(content, source, delimiter, strip)
    first = next(records, None)
    if first is None:
        raise ValueError(f"{source}: the file is empty")
    names = _names(first, source) if header else [f"column{i + 1}" for i in range(len(first.cells))]
    lines: list[int] = []
    rows: list[list[str]] = []
    for record in records if header else _chain(first, records):
        if record.cells == [""] and len(names) > 1:
            continue  # a line of blanks
        if len(record.cells) != len(names):
            raise ValueError(f"{source}: {_ragged(record, names, header)}")
        lines.append(record.line)
        rows.append(record.cells)
    if not rows:
        raise ValueError(f"{source}: line {first.line} names the columns, but no rows follow")
    absent, texts = frozenset(missing), frozenset(text)
    columns = {
        name: text_of(cells, absent) if name in texts else column_of(cells, absent, delimiter == ";")
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    }
    return Table(columns, source=source, lines=lines)


def _read_text(path_or_file: Source) -> tuple[str, str]:
    """Return the decoded content of a file and its name."""
    if isinstance(path_or_file, io.TextIOBase):
        source = str(getattr(path_or_file, "name", "<file>"))
        content: str = path_or_file.read()
    else:
        data = resolve(path_or_file)
        source = name_of(data)
        encoded = data.getvalue() if isinstance(data, Buffer) else data.read_bytes()
        _check_text(encoded, source)
        content = _decode(encoded, source)
    nul = content.find("\0")
    if nul >= 0:
        raise ValueError(f"{source}: line {_line_of(content, nul)}: a NUL character; this is not UTF-8 text")
    return content.removeprefix("\ufeff"), source


def _check_text(content: bytes, source: str) -> None:
    for magic, what in _NOT_TEXT.items():
        if content.startswith(magic):
            raise ValueError(f"{source}: this is {what}, not CSV text")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{source}: the text is UTF-16; save it as UTF-8")


def _decode(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        place = error.start - content.rfind(b"\n", 0, error.start)
        raise ValueError(
            f"{source}: line {line}, byte {place} (0x{content[error.start]:02x}) is not UTF-8 text; "
            "save the file as UTF-8"
        ) from None


def _detect_delimiter(content: str, source: str) -> str:
    def width(delimiter: str) -> int:
        try:
            record = next(_records(content, source, delimiter, strip=True), None)
        except ValueError:
            return 0
        return len(record.cells) if record else 0

    return max(DELIMITERS, key=width)


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


def _names(first: _Record, source: str) -> list[str]:
    """Check the line of column names."""
    names = first.cells
    where = f"{source}: line {first.line}"
    if all(is_number(name) for name in names) and not _counts_up(names):
        raise ValueError(
            f"{where}: every cell is a number ({quoted(names, 3)}); the first line must name the columns"
        )
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        if not name:
            index = "; pandas writes its index so, unless index=False" if i == 0 and len(names) > 1 else ""
            raise ValueError(f"{where}: column {i + 1} of {len(names)} has no name{index}")
        first_place = seen.setdefault(name, i)
        if first_place != i:
            both = f"columns {first_place + 1} and {i + 1}"
            raise ValueError(f"{where}: {both} have the same name, {name!r}")
    return names


def _counts_up(names: Sequence[str]) -> bool:
    """Tell whether the names are 0, 1, 2, ... or 1, 2, 3, ..., as array tools write them."""
    n = len(names)
    return n > 1 and any(list(names) == [str(i) for i in range(start, start + n)] for start in (0, 1))


def _ragged(record: _Record, names: list[str], header: bool) -> str:
    want, have = len(names), len(record.cells)
    expected = f"{want} columns are named" if header else f"the first row has {want}"
    missing = have < want
    detail = (
        f"column {names[have]!r} is not there" if missing else f"cell {want + 1} is {record.cells[want]!r}"
    )
    return f"line {record.line}: {have} {'cell' if have == 1 else 'cells'} where {expected}; {detail}"


def _chain(first: _Record, rest: Iterable[_Record]) -> Iterator[_Record]:
    yield first
    yield from rest


def _line_of(content: str, position: int) -> int:
    return content.count("\n", 0, position) + 1
