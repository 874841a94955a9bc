"""Read JSON Lines: a file of one JSON object a line, each of which is a row."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp._base.text import shortened
from fastmlp.data._encoding import decode
from fastmlp.data._header import settle
from fastmlp.data._parse import Rules, cell_rules, table_of_texts
from fastmlp.data._source import Source, grows_too_far, opened
from fastmlp.data._table import Column, Table

_VALUE_BYTES = 8


def read_jsonl(
    path_or_file: Source,
    *,
    text: Collection[str] = (),
    missing: Collection[str] = (),
    default_missing: bool = True,
    decimal: str | Mapping[str, str] | None = None,
    encoding: str | None = None,
) -> Table:
    """Read a file of JSON Lines, plain or packed with gzip or zip, into a table.

    Each line is an object such as {"age": 41, "city": "Rome"}; fields that a line lacks, and null, are
    missing. Numbers and booleans are what they are; strings are read as the cells of CSV files are (see
    `read_csv`), so that dates are dates. Booleans with missing values are 0, 1 and NaN.

    Parameters
    ----------
    path_or_file : path or open binary file
    text, missing, default_missing, decimal, encoding
        As `read_csv` has them.

    Returns
    -------
    Table
        The columns are in the order in which the fields first occur.

    Raises
    ------
    OSError
        If the file cannot be read.
    TypeError
        If an argument has the wrong type.
    ValueError
        If a line is no object, or a field holds an object or an array; the message names file and line.

    References
    ----------
    T. Bray, The JavaScript Object Notation (JSON) Data Interchange Format, RFC 8259, 2017.
    """
    rules = cell_rules(text, missing, default_missing, decimal)
    with opened(path_or_file) as (file, source):
        encoded = file.read()
    content, notes = decode(encoded, source, encoding)
    columns, lines = _columns(content.removeprefix("\ufeff"), source, len(encoded))
    names = settle(list(columns))
    notes += names.notes
    values = {
        name: _values(name, cells, rules) for name, cells in zip(names.names, columns.values(), strict=True)
    }
    null: Any = None
    rules = rules._replace(missing=rules.missing | {null})
    return table_of_texts(values, rules, source, lines, notes)


def is_jsonl(head: bytes) -> bool:
    """Tell whether a file begins with an object whose first field is named, as in {"a": 1}."""
    return re.match(rb'(?:\xef\xbb\xbf)?\s*\{\s*"[^"\n]*"\s*:', head) is not None


def _columns(content: str, source: str, size: int) -> tuple[dict[str, list[Any]], list[int]]:
    """Return the values of each field, None where it is not there, and the lines of the rows."""
    columns: dict[str, list[Any]] = {}
    lines: list[int] = []
    for line, row in _objects(content, source):
        for name, value in row.items():
            if isinstance(value, (dict, list)):
                kind = "an object" if isinstance(value, dict) else "an array"
                raise ValueError(
                    f"{source}: line {line}: field {shortened(name, 60)!r} holds {kind}; "
                    "a field must hold a number, a string, true, false or null"
                )
            column = columns.setdefault(name, [])
            column.extend([None] * (len(lines) - len(column)))
            column.append(value)
        lines.append(line)
        if grows_too_far(_VALUE_BYTES * len(columns) * len(lines), size):
            raise ValueError(
                f"{source}: line {line}: {len(columns)} different fields in {len(lines)} objects are too "
                "many; the table would be almost empty"
            )
    if not columns:
        raise ValueError(f"{source}: the file has no {'fields' if lines else 'objects'}")
    for column in columns.values():
        column.extend([None] * (len(lines) - len(column)))
    return columns, lines


def _objects(content: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects, each with its line."""
    for i, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            reason = "nested too deep" if isinstance(error, RecursionError) else shortened(error, 100)
            raise ValueError(f"{source}: line {i}: no JSON object on one line ({reason})") from None
        if not isinstance(row, dict):
            hint = "; write the objects of an array on a line each" if isinstance(row, list) else ""
            raise ValueError(f"{source}: line {i}: {shortened(line, 40)} is no JSON object{hint}")
        yield i, row


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"two fields are called {shortened(name, 60)!r}")
    return row


def _values(name: str, values: list[Any], rules: Rules) -> Column | Sequence[Any]:
    """Return a column of numbers or booleans as an array, others as texts and None."""
    kinds = {type(value) for value in values if value is not None}
    if name not in rules.text and (kinds == {bool} or (kinds and kinds <= {int, float})):
        if kinds == {float} or None in values:
            return np.array([np.nan if value is None else _real(value) for value in values])
        if kinds == {bool} or (kinds == {int} and all(-(2**63) <= value < 2**63 for value in values)):
            return np.array(values)
        return np.array([_real(value) for value in values])
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]


def _real(value: float) -> float:
    """Return a number as float64; a whole number beyond its range is infinite."""
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
