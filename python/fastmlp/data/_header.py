"""The names of a CSV file's columns: told from a row, made different, and given where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastmlp._base.text import plural, shortened
from fastmlp.data._cells import is_number, is_whole

Rows = Sequence[Sequence[str]]


class Names(NamedTuple):
    """The names of the columns, and what is to be said of them."""

    names: list[str]
    unnamed: list[int]
    """The indices of the columns that had no name."""

    notes: list[str]


def looks_like_data(first: Sequence[str], rows: Rows) -> str | None:
    """Say why the first line of a file may be a row of data, or return None if it reads like names.

    Parameters
    ----------
    first : sequence of str
        The first line.
    rows : sequence of rows
        The lines that follow.
    """
    numbers = [cell for cell in first if is_number(cell)]
    if _counts_up(first):
        return None
    if numbers and len(numbers) == len(first):
        return f"every cell is a number ({_samples(numbers)})"
    texts = [i for i, cell in enumerate(first) if cell and not is_number(cell)]
    others = [row for row in rows if row != first]

    def occurs_again(i: int) -> bool:
        return any(row[i] == first[i] for row in others)

    if not numbers:
        if len(texts) > 1 and others and all(map(occurs_again, texts)):
            return f"each cell is a value of its column in other rows ({_samples([first[i] for i in texts])})"
        return None
    fractions = [cell for cell in numbers if not is_whole(cell)]
    if fractions:
        return f"there are numbers among its cells ({_samples(fractions)})"
    value = next(filter(occurs_again, texts), None)
    if value is not None:
        return (
            f"{_samples([first[value]])} is a value of its column in other rows, {_samples(numbers)} a number"
        )
    return None


def settle(cells: Sequence[str]) -> Names:
    """Give each column a name of its own.

    A name that occurs before gets .1, .2 and so on at its end; the third column is called "column 3" if it
    has none.
    """
    taken, counts = set(cells), dict.fromkeys(cells, 0)
    names: list[str] = []
    renamed: list[str] = []
    unnamed = [i for i, cell in enumerate(cells) if not cell]
    for i, cell in enumerate(cells):
        base = cell or f"column {i + 1}"
        name = base
        if counts.get(base, 0) or (not cell and base in taken):
            number = max(counts.get(base, 0), 1)
            while (name := f"{base}.{number}") in taken:
                number += 1
            counts[base] = number
            renamed += [f"{base!r} to {name!r}"] if cell else []
        counts[base] = counts.get(base, 0) + 1
        taken.add(name)
        names.append(name)
    notes = (
        [f"renamed {plural(len(renamed), 'column')} whose name occurs before: {_listed(renamed)}"]
        if renamed
        else []
    )
    return Names(names, unnamed, notes)


def row_numbers(index: int, cells: Sequence[str]) -> bool:
    """Tell whether a column without a name holds row numbers.

    That is so if it counts 0, 1, 2, ... or 1, 2, 3, ..., or is the first and holds different whole numbers,
    as an index that was shuffled.
    """
    if not all(map(is_whole, cells)):
        return False
    if index == 0:
        return len(set(cells)) == len(cells)
    return _counts_up(cells)


def unnamed_note(names: Sequence[str], dropped: bool) -> str:
    """Say what columns without a name are called, or that they were dropped."""
    columns, listed = plural(len(names), "column"), _listed([repr(name) for name in names])
    if dropped:
        number = "numbers" if len(names) == 1 else "number"
        return f"dropped {columns} without a name that {number} the rows: {listed}"
    return f"{columns} without a name: called {listed}"


def _counts_up(cells: Sequence[str]) -> bool:
    """Tell whether the cells are 0, 1, 2, ... or 1, 2, 3, ..., as array tools write them."""
    n = len(cells)
    return n > 1 and any(list(cells) == [str(i) for i in range(start, start + n)] for start in (0, 1))


def _samples(cells: Sequence[str]) -> str:
    return _listed([repr(shortened(cell, 30)) for cell in cells])


def _listed(texts: Sequence[str], most: int = 3) -> str:
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
