"""Which columns of a table are targets, inputs, weights, groups and names of rows."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import NamedTuple

from fastmlp.data import Table
from fastmlp.data._table import quoted

_NO_WORD = re.compile(r"[^\w\"'.-]")


class Columns(NamedTuple):
    """The columns to predict, and those that are neither these nor inputs."""

    targets: tuple[str, ...]
    ignored: tuple[str, ...]
    inputs: tuple[str, ...] | None  # where they were named
    ids: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None

    @property
    def target(self) -> str | tuple[str, ...]:
        """The column to predict, or several."""
        return self.targets[0] if len(self.targets) == 1 else self.targets

    @property
    def beside(self) -> tuple[str, ...]:
        """The weight and the group."""
        return tuple(name for name in (self.weight, self.group) if name is not None)


def choose_columns(
    table: Table,
    targets: tuple[str, ...] | None,
    *,
    x: tuple[str, ...] | None = None,
    ignore: tuple[str, ...] = (),
    ids: tuple[str, ...] = (),
    weight: str | None = None,
    group: str | None = None,
) -> Columns:
    """Find the columns that the options name.

    Parameters
    ----------
    table : Table
    targets : tuple of str or None
        --target, or what the data itself calls so.
    x : tuple of str or None
        --x, by default all columns that are nothing else.
    ignore, ids : tuple of str
        --ignore and --id.
    weight, group : str or None
        --weight and --group.

    Raises
    ------
    ValueError
        Naming the option, if a column is not there or has two roles.
    """
    if targets is None:
        raise ValueError(f"--target is needed; the columns of {table.source} are {quoted(table.names)}")
    named = {
        "--target": targets,
        "--ignore": ignore,
        "--id": ids,
        "--weight": () if weight is None else (weight,),
        "--group": () if group is None else (group,),
        "--x": x or (),
    }
    found: dict[str, tuple[str, ...]] = {}
    roles: dict[str, str] = {}
    for option, names in named.items():
        found[option] = tuple(dict.fromkeys(find_column(table, name, option) for name in names))
        for name in found[option]:
            other = roles.setdefault(name, option)
            if other != option:
                what = "the target" if other == "--target" else f"in {other} too"
                raise ValueError(f"{option}: {name!r} is {what}")
    ignored = found["--ignore"]
    if x is not None:
        ignored = (*ignored, *(name for name in table.names if name not in roles))
    return Columns(
        found["--target"],
        ignored,
        None if x is None else found["--x"],
        found["--id"],
        *(next(iter(found[option]), None) for option in ("--weight", "--group")),
    )


def find_column(table: Table, given: str, option: str) -> str:
    """Return the name of a column that an option gives by name or, where none is called so, by its place."""
    if given in table:
        return given
    if given.isascii() and given.isdecimal() and int(given) < len(table.names):
        return table.names[int(given)]
    raise ValueError(
        f"{option}: {table.source} has no column {given!r}; it has {quoted(table.names)}{_hint(table, given)}"
    )


def _hint(table: Table, given: str) -> str:
    """Return what may have been meant by a column that there is not."""
    if len(table.names) == 1:  # a delimiter that was not found
        marks = [mark for mark in dict.fromkeys(_NO_WORD.findall(table.names[0])) if mark not in given]
        mark = next((mark for mark in marks if given in table.names[0].split(mark)), None)
        return "" if mark is None else f"; --delimiter {mark!r} would divide it"
    folded = {name.casefold(): name for name in reversed(table.names)}
    near = get_close_matches(given.casefold(), list(folded), n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""
