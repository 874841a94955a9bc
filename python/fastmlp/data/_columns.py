"""The encoded columns of a table: how one column becomes one or more inputs of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._cells import is_number
from fastmlp.data._checks import boolean, fields, finite, string, strings
from fastmlp.data._table import Column, Table, missing_values

Floats = NDArray[np.float64]


class EncodedColumn(Protocol):
    """What the encoder asks of a column."""

    @property
    def name(self) -> str:
        """The column's name in the table."""

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write the column's inputs into out, of shape (rows, len(feature_names)), given as zeros."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""


@dataclass(frozen=True)
class NumberColumn:
    """A numeric column: (x - mean) / scale, with the median in place of a missing x.

    Mean, scale (the population standard deviation) and median are those of the values present in the
    training rows. A constant column has scale 0 and becomes 0. With `indicator`, which is so when training
    rows had missing values, a second input is 1 where the value is missing and 0 elsewhere.
    """

    kind: ClassVar[str] = "number"

    name: str
    mean: float
    scale: float
    median: float
    indicator: bool

    @classmethod
    def fit(cls, table: Table, name: str) -> NumberColumn:
        """Take mean, scale and median from a table."""
        values = as_numbers(table, name)
        missing = np.isnan(values)
        known = values[~missing]
        mean, scale = mean_and_scale(known)
        median = _median(known)
        return cls(name, mean, scale, median, bool(missing.any()))

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""
        return [self.name, f"{self.name} is missing"] if self.indicator else [self.name]

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write the standardised values, and the indicator if there is one."""
        values = as_numbers(table, self.name)
        missing = np.isnan(values)
        filled = np.where(missing, self.median, values)
        with np.errstate(over="ignore"):
            out[:, 0] = standardize(filled, self.mean, self.scale)
        bad = np.flatnonzero(~np.isfinite(out[:, 0]))
        if len(bad):
            raise ValueError(
                f"{table.source}: {table.place(bad[0])}, column {self.name!r}: {values[bad[0]]:g} is too far "
                f"from the training rows (mean {self.mean:g}, standard deviation {self.scale:g}) "
                f"to be written as {out.dtype}"
            )
        if self.indicator:
            out[:, 1] = missing

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "kind": self.kind,
            "name": self.name,
            "mean": self.mean,
            "scale": self.scale,
            "median": self.median,
            "indicator": self.indicator,
        }

    @classmethod
    def from_dict(cls, data: Any, where: str) -> NumberColumn:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        given = fields(data, ("kind", "name", "mean", "scale", "median", "indicator"), where)
        scale = finite(given, "scale", where)
        if scale < 0:
            raise ValueError(f"{where}: 'scale' must not be negative, got {scale!r}")
        return cls(
            name=string(given, "name", where),
            mean=finite(given, "mean", where),
            scale=scale,
            median=finite(given, "median", where),
            indicator=boolean(given, "indicator", where),
        )


@dataclass(frozen=True)
class CategoryColumn:
    """A column of strings: one input per category of the training rows, 1 where the row has it.

    A missing value and a category that no training row had are zeros throughout.
    """

    kind: ClassVar[str] = "category"

    name: str
    categories: tuple[str, ...]

    @classmethod
    def fit(cls, table: Table, name: str, max_categories: int) -> CategoryColumn:
        """Take the categories from a table, sorted by code point."""
        column = table[name]
        categories = sorted({value for value in column if value is not None})
        if len(categories) > max_categories:
            odd = [row for row, value in enumerate(column) if value is not None and not is_number(value)]
            row = odd[0] if odd else 0
            raise ValueError(
                f"{table.source}: column {name!r} holds {len(categories)} different texts "
                f"({table.place(row)}: {column[row]!r}), more than {max_categories}; "
                "mend it if it should be numbers, or have it ignored"
            )
        return cls(name, tuple(categories))

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""
        return [f"{self.name}={category}" for category in self.categories]

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write a 1 where a row has the category of the input."""
        places = {category: place for place, category in enumerate(self.categories)}
        texts = as_texts(table, self.name)
        found = np.fromiter((places.get(text, -1) for text in texts), dtype=np.int64, count=table.n_rows)
        rows = np.flatnonzero(found >= 0)
        out[rows, found[rows]] = 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories)}

    @classmethod
    def from_dict(cls, data: Any, where: str) -> CategoryColumn:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        given = fields(data, ("kind", "name", "categories"), where)
        categories = strings(given, "categories", where)
        if list(categories) != sorted(set(categories)):
            raise ValueError(f"{where}: 'categories' must be sorted and different")
        return cls(string(given, "name", where), categories)


def as_numbers(table: Table, name: str) -> Floats:
    """Return a numeric column as float64 with NaN where missing.

    Raises
    ------
    ValueError
        If the column holds text or an infinity; the message says where.
    """
    column = table[name]
    if column.dtype == object:
        present = np.flatnonzero(~missing_values(column))
        if not len(present):
            return np.full(len(column), np.nan)
        odd = int(next((row for row in present if not is_number(column[row])), present[0]))
        raise ValueError(
            f"{table.source}: {table.place(odd)}, column {name!r}: {column[odd]!r} is not a number"
        )
    values: Floats = column.astype(np.float64, copy=False)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise ValueError(
            f"{table.source}: {table.place(infinite[0])}, column {name!r}: "
            f"{values[infinite[0]]} is not a finite number"
        )
    return values


def as_texts(table: Table, name: str) -> Column:
    """Return a column of strings, None where missing; whole numbers are written out.

    Raises
    ------
    ValueError
        If the column holds fractions, whose first spelling is not known any more.
    """
    column = table[name]
    if column.dtype == object:
        return column
    texts = np.full(len(column), None, dtype=object)
    if column.dtype == np.int64:
        texts[:] = [str(value) for value in column]
        return texts
    present = np.flatnonzero(~np.isnan(column))
    if len(present):
        raise ValueError(
            f"{table.source}: {table.place(present[0])}, column {name!r}: expected text, got the number "
            f"{column[present[0]]:g}; read the file with text=[{name!r}]"
        )
    return texts


def mean_and_scale(values: Floats) -> tuple[float, float]:
    """Return mean and population standard deviation; exactly 0 for constants, and (0, 0) for no values."""
    if not len(values):
        return 0.0, 0.0
    if values.min() == values.max():
        return float(values[0]), 0.0
    _, exponent = np.frexp(np.abs(values).max())
    unit = float(np.ldexp(1.0, int(exponent) - 1))  # so that neither sum nor square overflows
    small = values / unit
    return float(small.mean() * unit), float(small.std() * unit)


def standardize(values: Floats, mean: float, scale: float) -> Floats:
    """Return (values - mean) / scale, or zeros if scale is 0."""
    return (values - mean) / scale if scale > 0 else np.zeros_like(values)


def _median(values: Floats) -> float:
    """Return the median, 0 for no values; the two middle values are halved first, so no sum overflows."""
    if not len(values):
        return 0.0
    ordered = np.sort(values)
    low, high = ordered[(len(values) - 1) // 2], ordered[len(values) // 2]
    return float(low if low == high else low / 2 + high / 2)
