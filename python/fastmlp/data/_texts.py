"""Texts of a data frame that are dates, or numbers with odd cells among them, read as those of files are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from fastmlp.data._parse import cell_rules, missing_note, read_column
from fastmlp.data._table import Column, Table


def texts_as_read(table: Table, left_out: Collection[str] = ()) -> tuple[Table, list[str]]:
    """Read columns of texts as those of a file are read.

    A column of plain numbers stays one of texts: whoever made it could have made numbers. One of numbers with
    separators, units of money, or a few cells that are none ("-", "N/A") is one of numbers, and one of ISO
    8601 dates alone is one of dates.

    Parameters
    ----------
    table : Table
    left_out : collection of str, default ()
        Columns that stay as they are, such as targets.

    Returns
    -------
    Table
    list of str
        A line for each thing that was assumed.
    """
    rules = cell_rules((), (), True, None)
    columns: dict[str, Column] = {}
    notes: list[str] = []
    decimal: dict[str, str] = {}
    for name in table.names:
        columns[name] = table[name]
        if name in left_out or table[name].dtype != object:
            continue
        cells = ["" if text is None else text.strip() for text in table[name]]
        values, said, mark = read_column(name, cells, rules)
        marked = Counter(cell for cell in cells if cell and cell in rules.missing)
        plain = values.dtype.kind in "if" and not said and not marked
        if values.dtype == object or plain or not any(cells) or (values.dtype.kind == "M" and said):
            continue
        columns[name] = values
        texts = [f"column {name!r}: read as dates"] if values.dtype.kind == "M" else said
        notes += [*texts, *(f"{name}: {note}" for note in missing_note(marked, 1))]
        decimal |= {} if mark is None else {name: mark}
    return table._with(columns).with_decimal(decimal), notes
