"""An ordered set of named columns: what a reader returns and an encoder takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[Any]

_INT64 = np.iinfo(np.int64)


class Table:
    """Columns of one length, each known by its name, in order.

    A column is one of three kinds:

    ========  ==========================  ===================
    dtype     holds                       a missing value is
    ========  ==========================  ===================
    int64     whole numbers               (there is none)
    float64   numbers                     NaN
    object    strings                     None
    ========  ==========================  ===================

    Parameters
    ----------
    columns : mapping of str to array_like, each of shape (n,)
        Other integer and float types are converted; of objects, only strings, None and NaN are taken.
    source : str, default "table"
        What error messages call the table, such as the name of its file.
    lines : array_like of int, shape (n,), optional
        The line of the file each row begins in, for error messages.

    Raises
    ------
    TypeError
        If a name is not a string or a column holds anything but numbers or strings.
    ValueError
        If there is no column, or columns differ in length or are not 1-D.
    """

    def __init__(
        self, columns: Mapping[str, ArrayLike], *, source: str = "table", lines: ArrayLike | None = None
    ) -> None:
        if not columns:
            raise ValueError(f"{source}: a table needs at least one column")
        self.source = source
        self._columns = {name: _as_column(name, values, source) for name, values in columns.items()}
        first = next(iter(self._columns))
        self._n_rows = len(self._columns[first])
        for name, column in self._columns.items():
            if len(column) != self._n_rows:
                raise ValueError(
                    f"{source}: column {name!r} has {len(column)} rows, column {first!r} has {self._n_rows}"
                )
        self._lines = None if lines is None else np.asarray(lines, dtype=np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._columns)

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return self._n_rows

    def __getitem__(self, name: str) -> Column:
        """Return a column.

        Raises
        ------
        KeyError
            If no column has this name; the message lists those that are there.
        """
        if name not in self._columns:
            raise KeyError(f"{self.source}: no column {name!r}; its columns are {quoted(self.names)}")
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __repr__(self) -> str:
        return f"<Table {self.source}: {self.n_rows} rows, {len(self._columns)} columns>"

    def take(self, rows: ArrayLike) -> Table:
        """Return a table of the given rows (0-based indices or a mask), in the given order."""
        index = np.asarray(rows)
        if index.size == 0 and index.dtype != np.bool_:
            index = index.astype(np.int64)
        lines = None if self._lines is None else self._lines[index]
        columns = {name: column[index] for name, column in self._columns.items()}
        return Table(columns, source=self.source, lines=lines)

    def place(self, row: int) -> str:
        """Say where a row is: "line 7" of its file, or "row 5", 0-based, when it came from none."""
        return f"row {row}" if self._lines is None else f"line {self._lines[row]}"


def missing_values(column: Column) -> NDArray[np.bool_]:
    """Return a mask of the missing values of a column of a Table."""
    if column.dtype == np.float64:
        return np.isnan(column)
    if column.dtype == object:
        return np.fromiter((value is None for value in column), dtype=np.bool_, count=len(column))
    return np.zeros(len(column), dtype=np.bool_)


def quoted(names: Iterable[str], limit: int = 12) -> str:
    """Write names as a short list for a message: 'a', 'b' and 7 more."""
    listed = [repr(name) for name in names]
    if len(listed) <= limit:
        return ", ".join(listed) or "none"
    return f"{', '.join(listed[:limit])} and {len(listed) - limit} more"


def _as_column(name: object, values: ArrayLike, source: str) -> Column:
    """Convert values to one of the three kinds of column."""
    if not isinstance(name, str):
        raise TypeError(f"{source}: a column's name must be a string, got {name!r}")
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"{source}: column {name!r} must be 1-D, got shape {column.shape}")
    kind = column.dtype.kind
    if kind == "f":
        return column.astype(np.float64, copy=False)
    if kind in "iu":
        if kind == "u" and column.size and int(column.max()) > _INT64.max:
            raise ValueError(f"{source}: column {name!r} holds {column.max()}, more than {_INT64.max}")
        return column.astype(np.int64, copy=False)
    if kind == "U":
        return column.astype(object)
    if kind == "O":
        return _as_text(name, column, source)
    raise TypeError(f"{source}: column {name!r} has dtype {column.dtype}; a table holds numbers and strings")


def _as_text(name: str, column: Column, source: str) -> Column:
    """Check that an object column holds strings, with None (or NaN, as pandas writes it) where missing."""
    text = np.empty(len(column), dtype=object)
    for row, value in enumerate(column):
        if isinstance(value, str):
            text[row] = str(value)
        elif value is not None and not (isinstance(value, float) and value != value):
            raise TypeError(
                f"{source}: column {name!r}, row {row}: expected a string or None, got {value!r} "
                f"of type {type(value).__name__}"
            )
    return text
