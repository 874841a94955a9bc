"""What a table holds that nothing can be learned from: found, left out and said before training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.arrow import is_pandas_index
from fastmlp.data._categories import is_free_text, mostly_once
from fastmlp.data._frames import read_frame
from fastmlp.data._numbers import WRITTEN, unread_quantities
from fastmlp.data._table import Column, Table, missing_values, quoted

#: Words that a name of an identifier ends with.
_ID_WORDS = frozenset({"id", "ids", "uid", "uuid", "guid", "key", "index", "idx", "rowid", "rownames"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

#: Of fewer rows, neither 1, 2, 3, .. is a count of rows, nor are a few different texts identifiers.
_FEW_ROWS = 20

#: Tables of at least so many columns of whole numbers from 0 to 255 are taken for pictures.
_PIXELS = 64

#: More columns than these of one kind share a line.
_LINES = 5

#: And more than these where they are an error.
_STRICT_LINES = 50

#: So many columns are named in a line.
_NAMES = 20


@dataclass(frozen=True)
class Audit:
    """A table without what nothing can be learned from.

    Attributes
    ----------
    table : Table
        What is left: the targets, and the inputs. A `TableEncoder` that is fitted on it, or on some of its
        rows, takes tables that still have the columns that were left out.
    dropped : tuple of str
        The columns that were left out.
    notes : tuple of str
        A line for each thing that was left out, rows without a target among them.
    """

    table: Table
    dropped: tuple[str, ...]
    notes: tuple[str, ...]


def audit(
    table: Any,
    targets: str | Collection[str] | None = None,
    *,
    keep: Collection[str] = (),
    ids: Collection[str] = (),
    drop_missing_target: bool = True,
    strict: bool = False,
    max_one_hot: int = 32,
) -> Audit:
    """Leave out of a table what nothing can be learned from, with a line for each.

    These are rows without a target, and columns

    - without a value, or with one and the same value in every row. Pixels stay: a table of 64 or more columns
      of whole numbers from 0 to 255, and nothing else, is taken for pictures;
    - that number the rows: whole numbers 0, 1, 2, .. or 1, 2, 3, .. in order, in 20 rows or more, or an index
      without a name that pandas wrote;
    - named as identifiers are (id, uuid, key, index, or ending in such a word), whole numbers or texts that
      are all different;
    - of texts most of which occur once, as those of names and free text do: more than `max_one_hot` different
      ones, or 20 rows or more that are all different.

    Parameters
    ----------
    table : Table, data frame or Arrow table
    targets : str or collection of str, optional
        The columns to predict; they are never left out.
    keep : collection of str, default ()
        Columns that stay, whatever they hold.
    ids : collection of str, default ()
        Columns that are known to be identifiers: left out without a note.
    drop_missing_target : bool, default True
        Whether rows without a target are left out; otherwise they are an error.
    strict : bool, default False
        Raise an error that lists everything that would be left out.
    max_one_hot : int, default 32
        As that of `TableEncoder`.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If a column is not there, no row has a target, no input column is left, or, with `strict`, there is
        anything to leave out; with all problems of all columns in one message.
    """
    table = read_frame(table)
    names = _names(targets)
    for name in (*names, *keep, *ids):
        if name not in table:
            raise ValueError(f"{table.source}: no column {name!r}; its columns are {quoted(table.names)}")
    rows, row_notes = _rows_with_targets(table, names, drop_missing_target or strict)
    left = table if rows is None else table.take(rows)
    identifiers, kept = set(ids), set(keep)
    no_inputs = identifiers.union(names)
    inputs = [name for name in table.names if name not in no_inputs]
    checked = [name for name in inputs if name not in kept]
    found = _findings(table, left, checked, max_one_hot)
    notes = [*row_notes, *_lines(found)]
    if strict and notes:
        problems = ";".join(f"\n  {note}" for note in [*row_notes, *_lines(found, _STRICT_LINES)])
        raise ValueError(f"{table.source}: nothing may be left out, but there would be:{problems}")
    if inputs and len(found) == len(inputs):
        raise ValueError(f"{table.source}: no input column is left: " + "; ".join(_lines(found)))
    dropped = tuple(name for name in table.names if name in found or name in identifiers)
    if dropped:
        left = left.drop(*dropped)
        left.left_out = (*table.left_out, *dropped)
    return Audit(left, dropped, tuple(notes))


def _names(targets: str | Collection[str] | None) -> tuple[str, ...]:
    if targets is None:
        return ()
    return (targets,) if isinstance(targets, str) else tuple(targets)


def _rows_with_targets(
    table: Table, targets: tuple[str, ...], drop: bool
) -> tuple[NDArray[np.int64] | None, list[str]]:
    """Return the rows that have every target, None if all have; and notes on those that have not."""
    notes, without = [], np.zeros(table.n_rows, dtype=np.bool_)
    for name in targets:
        missing = missing_values(table[name])
        count = int(missing.sum())
        if not count:
            continue
        rows = "1 row" if count == 1 else f"{count} rows"
        place = f"{'' if count == 1 else 'first at '}{table.place(int(missing.argmax()))}"
        if count == table.n_rows:
            raise ValueError(f"{table.source}: no row has a value in the target column {name!r}")
        if not drop:
            has = "has" if count == 1 else "have"
            raise ValueError(f"{table.source}: {rows} {has} no value in the target column {name!r} ({place})")
        notes.append(f"dropped {rows} without a value in {name!r} ({place})")
        without |= missing
    if not notes:
        return None, notes
    if without.all():
        raise ValueError(f"{table.source}: no row has a value in every target column, {quoted(targets)}")
    return np.flatnonzero(~without), notes


def _findings(whole: Table, left: Table, names: list[str], max_one_hot: int) -> dict[str, tuple[str, str]]:
    """Return for each column to leave out the kind of reason, and the reason in words."""
    pixels = _are_pixels(whole, names)
    found = {}
    for name in names:
        reason = _constant(left[name])
        if reason is not None and not (pixels and reason[0] == "constant"):
            found[name] = reason
        elif reason is None:
            reason = _identifier(name, whole[name], max_one_hot)
            if reason is not None:
                found[name] = reason
    return found


def _are_pixels(table: Table, names: list[str]) -> bool:
    return len(names) >= _PIXELS and all(
        table[name].dtype == np.int64 and table[name].min() >= 0 and table[name].max() <= 255
        for name in names
    )


def _constant(column: Column) -> tuple[str, str] | None:
    """Return why a column tells nothing: it has no values, or the same one everywhere."""
    missing = missing_values(column)
    if missing.all():
        return "empty", "it holds no value"
    first = column[0]
    if len(column) < 2 or missing.any() or not bool(np.all(column == first)):
        return None
    return "constant", f"every row holds {_shown(first)}"


def _identifier(name: str, column: Column, max_one_hot: int) -> tuple[str, str] | None:
    """Return why a column tells rows apart instead of telling something about them."""
    kind = column.dtype.kind
    if is_pandas_index(name):
        return "row numbers", "it is the index of the frame that was written, which numbers the rows"
    if kind == "O":
        return _identifying_text(name, column, max_one_hot)
    if kind not in "iuf":
        return None
    if kind == "f":
        column = column[~np.isnan(column)]
        if len(column) < 2 or not (column == np.floor(column)).all():
            return None
    rows = len(column)
    if kind == "i" and rows >= _FEW_ROWS and column[0] in (0, 1) and bool((np.diff(column) == 1).all()):
        return "row numbers", f"it numbers the rows, {column[0]} to {column[-1]}"
    if _is_id(name) and rows >= 2 and len(np.unique(column)) == rows:
        return "identifiers", f"its {rows} values are all different, as identifiers are"
    return None


def _identifying_text(name: str, column: Column, max_one_hot: int) -> tuple[str, str] | None:
    counts = Counter(text for text in column.tolist() if text is not None)
    total, different = counts.total(), len(counts)
    all_different = different == total and total >= (2 if _is_id(name) else _FEW_ROWS)
    if not (all_different or mostly_once(counts, max_one_hot)):
        return None
    unread = None if _is_id(name) else unread_quantities(counts)
    if unread is not None:
        return (
            unread,
            f"its texts look like {unread} ({_shown(next(iter(counts)))}); write them {WRITTEN[unread]}",
        )
    what = "free text" if is_free_text(counts) else "identifiers"
    how = f"its {total} texts are all different" if different == total else (
        f"most of its {different} texts occur once"
    )  # fmt: skip
    return what, f"{how}, as {'those of ' if what == 'free text' else ''}{what} are"


def _is_id(name: str) -> bool:
    """Tell whether a name is that of an identifier: id, customer_id, CustomerID, row.id, uuid."""
    words = _WORDS.findall(name)
    return bool(words) and words[-1].lower() in _ID_WORDS


def _lines(found: dict[str, tuple[str, str]], most: int = _LINES) -> list[str]:
    """Return a line for each column; more than `most` columns of one kind share one."""
    names: dict[str, list[str]] = {}
    for name, (kind, _) in found.items():
        names.setdefault(kind, []).append(name)
    lines = []
    for kind, alike in names.items():
        if len(alike) > most:
            lines.append(f"{len(alike)} columns are left out, {_SEVERAL[kind]}: {quoted(alike, _NAMES)}")
        else:
            lines += [f"column {name!r} is left out: {found[name][1]}" for name in alike]
    return lines


_SEVERAL = {
    "empty": "which hold no value",
    "constant": "each with one and the same value in every row",
    "row numbers": "which number the rows",
    "identifiers": "which look like identifiers",
    "free text": "which hold free text",
    **{what: f"whose texts look like {what}; write them {how}" for what, how in WRITTEN.items()},
}


def _shown(value: Any) -> str:
    """Write a value for a line of a few words."""
    text = repr(value) if isinstance(value, str) else str(value).removesuffix("T00:00:00.000000")
    return text if len(text) <= 40 else f"{text[:37]}..."
