"""Which columns of a table are the target and the inputs."""

from __future__ import annotations

from typing import NamedTuple

from fastmlp.data import Table
from fastmlp.data._table import quoted


class Columns(NamedTuple):
    """The column to predict, and those that are neither it nor inputs."""

    target: str
    ignored: tuple[str, ...]


def choose_columns(
    table: Table, target: str | None, inputs: tuple[str, ...] | None, ignore: tuple[str, ...]
) -> Columns:
    """Find the columns that the options name.

    Parameters
    ----------
    table : Table
    target : str or None
        --target, or what the data itself calls so.
    inputs : tuple of str or None
        --x, by default all columns but the target.
    ignore : tuple of str
        --ignore.

    Raises
    ------
    ValueError
        Naming the option, if a column is not there or has two roles.
    """
    if target is None:
        raise ValueError(f"--target is needed; the columns of {table.source} are {quoted(table.names)}")
    target = find_column(table, target, "--target")
    ignored = tuple(dict.fromkeys(find_column(table, name, "--ignore") for name in ignore))
    if target in ignored:
        raise ValueError(f"--ignore: {target!r} is the target")
    if inputs is None:
        return Columns(target, ignored)
    chosen = dict.fromkeys(find_column(table, name, "--x") for name in inputs)
    left_out = frozenset(ignored)
    for name in chosen:
        if name == target or name in left_out:
            raise ValueError(f"--x: {name!r} is {'the target' if name == target else 'in --ignore too'}")
    return Columns(target, tuple(name for name in table.names if name != target and name not in chosen))


def find_column(table: Table, given: str, option: str) -> str:
    """Return the name of a column that an option gives by name or, where none is called so, by its place."""
    if given in table:
        return given
    if given.isascii() and given.isdecimal() and int(given) < len(table.names):
        return table.names[int(given)]
    raise ValueError(f"{option}: {table.source} has no column {given!r}; it has {quoted(table.names)}")
