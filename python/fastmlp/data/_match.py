"""The columns of a table that a network reads, by name: others are left out with a warning."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

from fastmlp._base.arrow import is_pandas_index
from fastmlp._base.said import say
from fastmlp._base.validation import column_names
from fastmlp.data._csv import read_csv
from fastmlp.data._frames import read_frame
from fastmlp.data._jsonl import read_jsonl
from fastmlp.data._read import choose_reader, read
from fastmlp.data._source import resolve
from fastmlp.data._table import Table, quoted


def encoder_inputs(encoder: Any, frame: Any, name: str = "X") -> Table:
    """Return the columns of a table that a fitted encoder reads; a warning names those that it does not know.

    Its target, and what it ignores, are left out without a word.

    Raises
    ------
    ValueError
        Naming the columns that are missing.
    """
    table = read_frame(frame)
    known = {*encoder.target_names, *encoder.ignore, *encoder.dropped}
    check_columns(table.names, encoder.input_names, known, name if table.source == "table" else table.source)
    return table.keep(*encoder.input_names)


def rows_of_file(source: Any, encoder: Any, labels_are_texts: bool) -> Any:
    """Return the rows of a file, if source is its path, or else source as it is.

    The texts of a CSV or JSON Lines file are read as the encoder knows the columns. What is guessed is said
    in warnings.
    """
    if not isinstance(source, (str, os.PathLike)):
        return source
    content = resolve(source)
    options: dict[str, Any] = {}
    if encoder is not None and choose_reader(content) in (read_csv, read_jsonl):
        texts = (*encoder.text_columns, *(encoder.target_names if labels_are_texts else ()))
        options = {"text": texts, "decimal": encoder.decimal or None}
    rows = read(content, **options).X
    for note in getattr(rows, "notes", ()):
        say(f"{rows.source}: {note}")
    return rows


def joined(table: Table, name: str, values: Any) -> Table:
    """Return a table with one column more."""
    return table._with({**table._columns, name: Table({name: values})[name]})


def plain_inputs(frame: Any, names: tuple[str, ...], known: Collection[str] = ()) -> Any:
    """Return the named columns of a table, in this order; a warning names others that are not known."""
    if column_names(frame) == names:
        return frame
    check_columns(column_names(frame), names, known, "X")
    if isinstance(frame, Table):
        return frame.keep(*names)
    chosen = list(names)
    return frame[chosen] if hasattr(frame, "iloc") else frame.select(chosen)


def check_columns(given: Sequence[Any], wanted: Sequence[str], known: Collection[str], what: str) -> None:
    """Raise ValueError for wanted columns that are not given, warn of given ones that nobody knows."""
    there = set(given)
    missing = [name for name in wanted if name not in there]
    if missing:
        several = "columns" if len(missing) > 1 else "column"
        raise ValueError(f"{what}: no {several} {quoted(missing)}; its columns are {quoted(map(str, given))}")
    inputs = set(wanted)
    extra = [
        str(name) for name in given if name not in inputs and name not in known and not is_pandas_index(name)
    ]
    if extra:
        several = "columns" if len(extra) > 1 else "column"
        say(f"{what}: left out the {several} {quoted(extra)}, which the network was not trained on")
