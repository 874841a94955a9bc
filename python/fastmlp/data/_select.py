"""Inputs and target out of one set of columns, by name or by index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._frames import read_frame
from fastmlp.data._table import Table, quoted

Name: TypeAlias = "str | int"


class Dataset(NamedTuple):
    """Inputs and what is to be learned from them."""

    X: Any
    """Table, array of shape (n, d), or CSR matrix."""

    y: NDArray[Any] | None
    """Labels or values, shape (n,), or None without a target."""


def select(data: Any, x: Name | Iterable[Name] | None = None, y: Name | None = None) -> Dataset:
    """Split columns into inputs and a target.

    Parameters
    ----------
    data : Table, data frame, Arrow table, array of shape (n, columns), or SciPy sparse matrix
        Only tables and frames have names.
    x : str, int, or several of them, optional
        The columns that are inputs, in this order; all but y by default. Indices count from 0, negative ones
        from the end.
    y : str or int, optional
        The column that is the target.

    Returns
    -------
    Dataset
        X is a Table for tables and frames. Neighbouring columns of an array are a view, without a copy.

    Raises
    ------
    TypeError
        If a column is given neither by name nor by index, or by name where there are none.
    ValueError
        If there is no such column, one is chosen twice, or none is left to be an input.
    """
    if hasattr(data, "tocsr") or isinstance(data, np.ndarray):
        table = data
        if len(data.shape) != 2 and (x is not None or y is not None):
            raise ValueError(f"columns can be chosen of data of shape (n, columns), got shape {data.shape}")
        names: tuple[str, ...] = ()
        width = data.shape[1] if len(data.shape) == 2 else 1
    else:
        table = read_frame(data)
        names, width = table.names, len(table.names)
    places = {name: i for i, name in enumerate(names)}
    target = None if y is None else _index("y", y, places, width)
    if x is None:
        inputs = [i for i in range(width) if i != target]
    else:
        several = [x] if isinstance(x, (str, int)) or not isinstance(x, Iterable) else x
        inputs = [_index("x", column, places, width) for column in several]
    _check_inputs(inputs, target, names)
    everything = inputs == list(range(width))
    X = table if everything else _columns(table, inputs, names)
    return Dataset(X, _column(table, target, names))


def _index(argument: str, column: Any, places: dict[str, int], width: int) -> int:
    """Return the 0-based index of a column; `places` has those of the names."""
    if isinstance(column, str):
        if not places:
            raise TypeError(f"{argument}: {column!r} is a name; the columns have indices, 0 to {width - 1}")
        if column not in places:
            raise ValueError(f"{argument}: no column {column!r}; the columns are {quoted(places)}")
        return places[column]
    if isinstance(column, (bool, np.bool_)) or not isinstance(column, (int, np.integer)):
        raise TypeError(f"{argument} must be the name or the index of a column, got {column!r}")
    if not -width <= column < width:
        raise ValueError(f"{argument}: no column {column}; there are {width}, 0 to {width - 1}")
    return int(column) % width


def _check_inputs(inputs: list[int], target: int | None, names: tuple[str, ...]) -> None:
    if not inputs:
        raise ValueError("x: no column is left to be an input")
    chosen: set[int] = set()
    for index in inputs:
        column = repr(names[index]) if names else str(index)
        if index == target:
            raise ValueError(f"x: column {column} is the target, y, and cannot be an input")
        if index in chosen:
            raise ValueError(f"x: column {column} is chosen twice")
        chosen.add(index)


def _columns(data: Any, indices: list[int], names: tuple[str, ...]) -> Any:
    if isinstance(data, Table):
        return data.keep(*(names[i] for i in indices))
    if hasattr(data, "tocsr"):
        return data.tocsr()[:, indices]
    start, stop = indices[0], indices[-1] + 1
    return data[:, start:stop] if indices == list(range(start, stop)) else data[:, indices]


def _column(data: Any, index: int | None, names: tuple[str, ...]) -> NDArray[Any] | None:
    if index is None:
        return None
    if isinstance(data, Table):
        return data[names[index]]
    if hasattr(data, "tocsr"):
        data, index = data.tocsr()[:, [index]].toarray(), 0
    column: NDArray[Any] = data[:, index]
    return column
