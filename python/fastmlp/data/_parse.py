"""From the texts of a column to its values: numbers or dates if nearly all texts are such, else strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastmlp._base.text import plural, shortened
from fastmlp.data._cells import MISSING, MISSING_AMONG_NUMBERS, is_number, is_whole, parse_dates
from fastmlp.data._numbers import Numbers, read_numbers, zeros_matter
from fastmlp.data._table import Column, Table

# From this many different texts on, a column that is numbers by half is worth a word.
_MANY = 10


class Rules(NamedTuple):
    """How the cells of a file are read."""

    missing: frozenset[str]
    """The cells that stand for a missing value in any column."""

    text: frozenset[str] = frozenset()
    """The columns that are kept as strings."""

    decimal: str | Mapping[str, str] | None = None
    """The decimal mark, of all columns or by the name of the column; None leaves it to the column."""

    marks: bool = True
    """Whether None, - and the like (`MISSING_AMONG_NUMBERS`) are missing among numbers and dates."""

    usual: str = "."
    """The decimal mark of a column that does not tell it."""


class Reading(NamedTuple):
    """A column, and what is to be said of it."""

    values: Column
    notes: Sequence[str] = ()
    decimal: str | None = None


def cell_rules(text: Collection[str], missing: Collection[str], default_missing: bool, decimal: Any) -> Rules:
    """Check the arguments that say how cells are read."""
    for name, value in (("missing", missing), ("text", text)):
        if isinstance(value, str):
            raise TypeError(f"{name} must be a collection of strings, got the string {value!r}")
    marks = decimal.values() if isinstance(decimal, Mapping) else () if decimal is None else [decimal]
    for mark in marks:
        if mark not in (".", ","):
            raise ValueError(f"decimal must be None, '.', ',' or a mapping of columns to these, got {mark!r}")
    absent = frozenset((*MISSING, *missing) if default_missing else missing)
    return Rules(absent, frozenset(text), decimal, default_missing)


def table_of_texts(
    columns: Mapping[str, Sequence[str] | Column],
    rules: Rules,
    source: str,
    lines: Sequence[int],
    notes: list[str],
) -> Table:
    """Make a table of the texts of columns; a column that is an array already is taken as it is."""
    values: dict[str, Column] = {}
    decimal: dict[str, str] = {}
    absent: Counter[str] = Counter()
    n_columns = 0
    for name, cells in columns.items():
        if isinstance(cells, np.ndarray):
            values[name] = cells
            continue
        values[name], more, mark = read_column(name, cells, rules)
        notes += more
        if mark is not None:
            decimal[name] = mark
        if not rules.missing.isdisjoint(cells):
            marked = [cell for cell in cells if cell and cell in rules.missing]
            absent.update(marked)
            n_columns += bool(marked)
    notes += missing_note(absent, n_columns)
    return Table(values, source=source, lines=lines, notes=notes, decimal=decimal)


def read_column(name: str, cells: Sequence[str], rules: Rules) -> Reading:
    """Make a column of the narrowest kind that holds at least 90 % of the different texts.

    Texts that stand for a missing value do not count. Of the kinds of numbers and dates, the texts that are
    neither are missing, which a note says.
    """
    whole = rules.missing.isdisjoint(cells)
    present = cells if whole else [cell for cell in cells if cell not in rules.missing]
    if name in rules.text:
        return Reading(text_of(cells, rules.missing))
    decimal = (
        rules.decimal if rules.decimal is None or isinstance(rules.decimal, str) else rules.decimal.get(name)
    )
    column = _all_of_one_kind(cells, present, rules.missing, decimal)
    if column is not None:
        return Reading(column)
    marks = MISSING_AMONG_NUMBERS if rules.marks else frozenset()
    texts = dict.fromkeys(cell for cell in present if cell not in marks)
    if not texts and len(set(present)) == 1:  # a single mark, such as "-", in every row
        return Reading(np.full(len(cells), np.nan), [_odd_note(name, present, "number")])
    numbers = read_numbers(texts, decimal, rules.usual)
    if numbers.plain and 10 * len(numbers.plain) >= 9 * len(texts):
        zeros = zeros_matter(numbers.plain, len(texts), present)
        if not zeros:
            return _numbers_with_gaps(name, cells, present, numbers, rules.usual)
        return Reading(text_of(cells, rules.missing), [_zeros_note(name, zeros)])
    dates = _dates_with_gaps(name, cells, present, texts)
    if dates is not None:
        return dates
    half = len(texts) >= _MANY and 2 * len(numbers.plain) >= len(texts)
    notes = [_text_note(name, texts, numbers)] if half else []
    return Reading(text_of(cells, rules.missing), notes)


def text_of(cells: Sequence[str], missing: frozenset[str]) -> Column:
    """Make a column of strings."""
    column = np.empty(len(cells), dtype=object)
    column[:] = [None if cell in missing else cell for cell in cells]
    return column


def missing_note(counts: Counter[str], n_columns: int) -> Iterator[str]:
    """Say which texts count as missing in any column, given how often each occurs; empty cells go unsaid."""
    total = sum(counts.values())
    if total:
        verb = "counts" if len(counts) == 1 else "count"
        where = f"{plural(total, 'cell')} in {plural(n_columns, 'column')}"
        yield f"{_samples(counts, 6)} {verb} as missing: {where}"


def _all_of_one_kind(
    cells: Sequence[str], present: Sequence[str], missing: frozenset[str], decimal: str | None
) -> Column | None:
    """Return plain numbers or dates, or None if a cell is something else."""
    if len(present) == len(cells) and all(map(is_whole, cells)):
        integers = _integers(cells)
        if integers is not None:
            return integers
    if all(map(is_number, present)) and (decimal != "," or not any("." in cell for cell in present)):
        return _spread(cells, missing, np.array(list(map(float, present)), dtype=np.float64), np.nan)
    dates = parse_dates(present)
    return None if dates is None else _spread(cells, missing, dates, np.datetime64("NaT"))


def _integers(cells: Iterable[str]) -> Column | None:
    values = list(map(int, cells))
    in_range = min(values) >= -(2**63) and max(values) < 2**63
    return np.array(values, dtype=np.int64) if in_range else None


def _spread(cells: Sequence[str], missing: frozenset[str], values: Column, absent: Any) -> Column:
    """Put the values of the present cells where they belong among all cells."""
    if len(values) == len(cells):
        return values
    column = np.full(len(cells), absent, dtype=values.dtype)
    column[[cell not in missing for cell in cells]] = values
    return column


def _numbers_with_gaps(
    name: str, cells: Sequence[str], present: Sequence[str], numbers: Numbers, usual: str
) -> Reading:
    """Make a column of numbers; cells that are none are missing."""
    plain, odd = numbers.plain, [cell for cell in present if cell not in numbers.plain]
    notes = [_odd_note(name, odd, "number")] if odd else []
    notes += _form_note(name, numbers, usual)
    separated = any("," in text for text in plain) or numbers.decimal == ","
    decimal = numbers.decimal if separated else None
    if len(present) == len(cells) and not odd and all(map(is_whole, plain.values())):
        integers = _integers(plain[cell] for cell in cells)
        if integers is not None:
            return Reading(integers, notes, decimal)
    values = {text: float(number) for text, number in plain.items()}
    return Reading(np.array([values.get(cell, np.nan) for cell in cells]), notes, decimal)


def _dates_with_gaps(
    name: str, cells: Sequence[str], present: Sequence[str], texts: Mapping[str, None]
) -> Reading | None:
    """Make a column of dates if 90 % of the texts are such; cells that are none are missing."""
    known = {}
    for n_before, text in enumerate(texts):
        date = parse_dates([text])
        if date is not None:
            known[text] = date[0]
        elif 10 * (n_before + 1 - len(known)) > len(texts):
            return None
    if not known:
        return None
    missing = np.datetime64("NaT", "us")
    values = np.array([known.get(cell, missing) for cell in cells], dtype="datetime64[us]")
    odd = [cell for cell in present if cell not in known]
    return Reading(values, [_odd_note(name, odd, "date")] if odd else [])


def _odd_note(name: str, odd: Sequence[str], what: str) -> str:
    few = len(odd) == 1
    are = f"is no {what}" if few else f"are no {what}s"
    counts = "counts" if few else "count"
    return f"{name}: {plural(len(odd), 'cell')} that {are} ({_samples(odd)}) {counts} as missing"


def _form_note(name: str, numbers: Numbers, usual: str) -> Iterator[str]:
    """Show how a number that is not plain was read."""
    if numbers.doubtful:
        text, other = next(iter(numbers.doubtful.items()))
        mark = "," if numbers.decimal == "." else "."
        meant = f"; with decimal={mark!r} it is {float(other):.15g}"
    else:  # a decimal comma where it is usual needs no word
        ordinary = {text.replace(",", ".") if usual == "," else text: text for text in numbers.plain}
        text = next((text for said, text in ordinary.items() if said != numbers.plain[text]), "")
        meant = ""
    if text:
        as_number = f"{float(numbers.plain[text]):.15g}"
        yield f"{name}: read as numbers, {shortened(text, 30)!r} as {as_number}{meant}{_mixed(numbers.plain)}"


def _mixed(plain: Mapping[str, str]) -> str:
    """Say that only some numbers have a percent sign: they count as the others do."""
    with_sign = sum("%" in text for text in plain)
    if with_sign in (0, len(plain)):
        return ""
    other = next(text for text in plain if "%" not in text)
    return f", and {shortened(other, 30)!r}, without %, as {float(plain[other]):.15g}"


def _zeros_note(name: str, zeros: Sequence[str]) -> str:
    return f"{name}: kept as text, as numbers lose their leading zeros ({_samples(zeros)})"


def _text_note(name: str, texts: Mapping[str, None], numbers: Numbers) -> str:
    odd = [text for text in texts if text not in numbers.plain]
    return (
        f"{name}: kept as text: {len(numbers.plain)} of {len(texts)} different texts are numbers, "
        f"{_samples(odd)} {'is' if len(odd) == 1 else 'are'} not"
    )


def _samples(cells: Iterable[str], most: int = 3) -> str:
    """Write the first few different texts for a note."""
    different = [repr(shortened(cell, 30)) for cell in dict.fromkeys(cells)]
    return ", ".join(different[:most]) + (", ..." if len(different) > most else "")
