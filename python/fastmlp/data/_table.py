"""An ordered set of named columns: what a reader returns and an encoder takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base.arrow import import_pyarrow, is_arrow_column, values_of
from fastmlp._base.records import Records
from fastmlp._base.text import plural

Column = NDArray[Any]

_INT64 = np.iinfo(np.int64)


class Table:
    """Columns of one length, each known by its name, in order.

    A column is one of five kinds:

    ==============  ==========================  ===================
    dtype           holds                       a missing value is
    ==============  ==========================  ===================
    int64           whole numbers               (there is none)
    float64         numbers                     NaN
    bool            true or false               (there is none)
    datetime64[us]  dates and times in UTC      NaT
    object          strings                     None
    ==============  ==========================  ===================

    `fastmlp.train(table, "column")` takes a table whose columns are numbers or booleans as it is; others
    go through a `TableEncoder`.

    Parameters
    ----------
    columns : mapping of str to array_like, each of shape (n,)
        Other integer, float and date types are converted; of objects, only strings, None and NaN are taken.
    source : str, default "table"
        What error messages call the table, such as the name of its file.
    lines : array_like of int, shape (n,), optional
        The line of the file each row begins in, for error messages.
    notes : iterable of str, default ()
        One line for each thing that the reader guessed, dropped or assumed.
    decimal : mapping of str to {".", ","}, optional
        The decimal mark of the columns of numbers in whose texts it was not evident, as "1,234" does not
        tell it: `read_csv` and `TableEncoder` read later texts of these columns in the same way.

    Attributes
    ----------
    notes : list of str
    decimal : dict of str to str

    Raises
    ------
    TypeError
        If a name is not a string or a column holds anything but these kinds.
    ValueError
        If there is no column, columns differ in length or are not 1-D, or a value does not fit its kind.
    """

    def __init__(
        self,
        columns: Mapping[str, ArrayLike],
        *,
        source: str = "table",
        lines: ArrayLike | None = None,
        notes: Iterable[str] = (),
        decimal: Mapping[str, str] | None = None,
    ) -> None:
        if not columns:
            raise ValueError(f"{source}: a table needs at least one column")
        self.source = source
        #: The columns that `audit` left out, which an encoder then takes no notice of.
        self.left_out: tuple[str, ...] = ()
        self.notes = list(notes)
        self.decimal = dict(decimal or {})
        self._columns = {name: _as_column(name, values, source) for name, values in columns.items()}
        first = next(iter(self._columns))
        for name, column in self._columns.items():
            if len(column) != self.n_rows:
                raise ValueError(
                    f"{source}: column {name!r} has {len(column)} rows, column {first!r} has {self.n_rows}"
                )
        self._counted = "row" if lines is None else "line"
        self._numbers = np.arange(self.n_rows) if lines is None else np.asarray(lines, dtype=np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._columns)

    columns = names  # as data frames call them

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self._columns.values())))

    def __getitem__(self, name: str) -> Column:
        """Return a column.

        Raises
        ------
        KeyError
            If no column has this name; the message lists those that are there.
        """
        self._check_has(name)
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __repr__(self) -> str:
        notes = f"; {plural(len(self.notes), 'note')}" if self.notes else ""
        return f"<Table {self.source}: {self.n_rows} rows, {len(self._columns)} columns{notes}>"

    def take(self, rows: ArrayLike) -> Table:
        """Return a table of the given rows (0-based indices or a mask), in the given order."""
        index = np.asarray(rows)
        if index.size == 0 and index.dtype != np.bool_:
            index = index.astype(np.int64)
        table = self._with({name: column[index] for name, column in self._columns.items()})
        table._numbers = self._numbers[index]
        return table

    def keep(self, *names: str) -> Table:
        """Return a table of the named columns, in this order.

        Raises
        ------
        KeyError
            If a column is not there.
        ValueError
            If no column is named.
        """
        if not names:
            raise ValueError(f"{self.source}: a table needs at least one column")
        return self._with({name: self[name] for name in names})

    def drop(self, *names: str) -> Table:
        """Return a table without the named columns.

        Raises
        ------
        KeyError
            If a column is not there.
        ValueError
            If no column would be left.
        """
        for name in names:
            self._check_has(name)
        dropped = set(names)
        return self.keep(*(name for name in self._columns if name not in dropped))

    def with_decimal(self, decimal: Mapping[str, str]) -> Table:
        """Return this table with other decimal marks for the texts of some columns."""
        table = self._with(self._columns)
        table.decimal |= decimal
        return table

    def to_numpy(self) -> NDArray[Any]:
        """Return the rows as an array of shape (n_rows, columns), float64 unless all columns are of one type.

        Raises
        ------
        TypeError
            If a column holds strings or dates.
        """
        for name, column in self._columns.items():
            if column.dtype.kind in "OM":
                what = "strings" if column.dtype == object else "dates"
                raise TypeError(
                    f"{self.source}: column {name!r} holds {what}, not numbers; "
                    "encode the table first with fastmlp.data.TableEncoder, or drop the column"
                )
        kinds = {column.dtype for column in self._columns.values()}
        dtype = kinds.pop() if len(kinds) == 1 else np.dtype(np.float64)
        return np.stack([column.astype(dtype, copy=False) for column in self._columns.values()], axis=1)

    def describe(self) -> Records:
        """Return what each column holds, as records that print: its name, its kind, how many are missing.

        A kind is "number", "date", "boolean", or "text" with the number of different ones.

        Examples
        --------
        >>> print(Table({"age": [41.0, np.nan], "city": ["Rome", "Oslo"]}).describe())
        name                 kind  missing
         age               number        1
        city  text, 2 categories        0
        """
        rows = []
        for name, column in self._columns.items():
            missing = missing_values(column)
            rows.append((name, _kind(column[~missing]), int(missing.sum())))
        return Records(("name", "kind", "missing"), rows)

    def place(self, row: int) -> str:
        """Say where a row is: "line 7" of its file or, where that has none, "row 5" of the table, from 0."""
        return f"{self._counted} {self._numbers[row]}"

    def _check_has(self, name: str) -> None:
        if name not in self._columns:
            raise KeyError(f"{self.source}: no column {name!r}; its columns are {quoted(self.names)}")

    def _with(self, columns: dict[str, Column]) -> Table:
        """Return a table of columns that were checked before."""
        table = object.__new__(Table)
        table.source, table._columns, table.left_out = self.source, columns, self.left_out
        table.notes, table.decimal = list(self.notes), dict(self.decimal)
        table._counted, table._numbers = self._counted, self._numbers
        return table


def missing_values(column: Column) -> NDArray[np.bool_]:
    """Return a mask of the missing values of a column of a Table."""
    if column.dtype == object:
        return column == np.array(None, dtype=object)  # type: ignore[no-any-return]
    return np.isnan(column) if column.dtype.kind in "fM" else np.zeros(len(column), dtype=np.bool_)


def rows_with(table: Table, names: Iterable[str]) -> NDArray[np.bool_]:
    """Return a mask of the rows that have a value in every one of these columns."""
    present = np.ones(table.n_rows, dtype=np.bool_)
    for name in names:
        present &= ~missing_values(table[name])
    return present


def quoted(names: Iterable[str], limit: int = 12) -> str:
    """Write names as a short list for a message: 'a', 'b' and 7 more."""
    listed = [repr(name) for name in names]
    if len(listed) <= limit:
        return ", ".join(listed) or "none"
    return f"{', '.join(listed[:limit])} and {len(listed) - limit} more"


def table_hash(table: Table) -> str:
    """Return the SHA-256 of a table's names and values, whatever file they come from, in hexadecimal."""
    found = hashlib.sha256()
    for name in table.names:
        column = table[name]
        found.update(f"{name}\0{column.dtype.str}\0{len(column)}\0".encode())
        if column.dtype != object:
            found.update(np.ascontiguousarray(column).tobytes())
            continue
        texts = [None if text is None else str(text).encode() for text in column]
        lengths = np.array([-1 if text is None else len(text) for text in texts], np.int64)
        found.update(lengths.tobytes())
        found.update(b"".join(text for text in texts if text is not None))
    return found.hexdigest()


def _kind(present: Column) -> str:
    """Name the kind of a column by the values that are present."""
    if present.dtype == object:
        return f"text, {plural(len(set(present.tolist())), 'category', 'categories')}"
    return {"M": "date", "b": "boolean"}.get(present.dtype.kind, "number")


def _as_column(name: object, values: ArrayLike, source: str) -> Column:
    """Convert values to one of the five kinds of column."""
    if not isinstance(name, str):
        raise TypeError(f"{source}: a column's name must be a string, got {name!r}")
    column = _as_one_array(name, values, source)
    if column.ndim != 1:
        raise ValueError(f"{source}: column {name!r} must be 1-D, got shape {column.shape}")
    kind = column.dtype.kind
    if kind == "b":
        return column
    if kind == "f":
        return column.astype(np.float64, copy=False)
    if kind in "iu":
        if kind == "u" and column.size and int(column.max()) > _INT64.max:
            raise ValueError(f"{source}: column {name!r} holds {column.max()}, more than {_INT64.max}")
        return column.astype(np.int64, copy=False)
    if kind == "M":
        return _as_dates(name, column, source)
    if kind == "U":
        return column.astype(object)
    if kind == "O":
        return _as_text(name, column, source)
    raise TypeError(
        f"{source}: column {name!r} has dtype {column.dtype}; "
        "a table holds numbers, booleans, dates and strings"
    )


def _as_one_array(name: str, values: Any, source: str) -> Column:
    """Return an array of values that may be a column of Arrow's, pandas' or polars' own."""
    arrow = is_arrow_column(values)
    if not arrow and not _has_nullable_type(values):
        return np.asarray(values)
    try:
        return values_of(values if arrow else import_pyarrow().array(values, from_pandas=True))
    except TypeError as error:
        raise TypeError(
            f"{source}: column {name!r} cannot be read as numbers, booleans, dates or strings: {error}"
        ) from None


def _has_nullable_type(values: Any) -> bool:
    """Tell whether values are of pandas, with a type that NumPy does not have."""
    dtype = getattr(values, "dtype", None)
    return hasattr(dtype, "na_value")


def _as_dates(name: str, column: Column, source: str) -> Column:
    """Convert dates of any unit to microseconds, which hold the years from -290307 to 294246."""
    dates = column.astype("datetime64[us]")
    days = column.astype("datetime64[D]")
    lost = np.flatnonzero(~np.isnat(column) & (dates.astype("datetime64[D]") != days))
    if len(lost):
        raise ValueError(
            f"{source}: column {name!r}, row {lost[0]}: the date is too far off to be held in microseconds"
        )
    return dates


def _as_text(name: str, column: Column, source: str) -> Column:
    """Check that an object column holds strings, with None (or NaN, as pandas writes it) where missing."""
    text = column.copy()
    for row, value in enumerate(column):
        if type(value) is str or value is None:
            continue
        if isinstance(value, str):
            text[row] = str(value)
        elif isinstance(value, float) and value != value:
            text[row] = None
        else:
            raise TypeError(
                f"{source}: column {name!r}, row {row}: expected a string or None, got {value!r} "
                f"of type {type(value).__name__}"
            )
    return text
