"""Encoded columns of numbers and booleans: how one column becomes one or two inputs of a network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.text import shortened
from fastmlp.data._cells import MISSING, MISSING_AMONG_NUMBERS
from fastmlp.data._checks import boolean, fields, finite, numbers, string, with_optional
from fastmlp.data._numbers import read_numbers
from fastmlp.data._quantiles import MOST, Floats, Points, normal_points
from fastmlp.data._scaling import Scaling, median, smooth_clip, smooth_unclip, standardize
from fastmlp.data._table import Table, missing_values

if TYPE_CHECKING:
    from typing_extensions import Self

_FLAGS = {"true": 1.0, "false": 0.0}


class EncodedColumn(Protocol):
    """What the encoder asks of a column."""

    kind: ClassVar[str]

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

    @classmethod
    def from_dict(cls, data: Any, where: str) -> EncodedColumn:
        """Rebuild the column `to_dict` described; `where` names it in messages."""


@dataclass(frozen=True)
class NumberColumn:
    """A numeric column: (x - center) / scale, with the median in place of a missing x.

    Center and scale (see `SCALINGS`) and median are those of the values present in the training rows. A
    constant column has scale 0 and becomes 0. With `indicator`, which is so when training rows had missing
    values, a second input is 1 where the value is missing and 0 elsewhere.

    What is `clipped` goes on through `smooth_clip`. With `quantiles`, the value becomes that of the normal
    distribution (see `normal_points`) instead, and center and scale are not used.
    """

    kind: ClassVar[str] = "number"

    name: str
    center: float
    scale: float
    median: float
    indicator: bool
    clipped: bool = False
    quantiles: tuple[float, ...] = ()

    @classmethod
    def fit(cls, table: Table, name: str, scaling: Scaling) -> Self:
        """Take center, scale and median from a table."""
        values = cls.values(table, name)
        missing = np.isnan(values)
        known = values[~missing]
        center, scale, clipped, quantiles = scaling(known)
        return cls(name, center, scale, median(known), bool(missing.any()), clipped, quantiles)

    @staticmethod
    def values(table: Table, name: str) -> Floats:
        """Return the column as numbers, NaN where missing."""
        return as_numbers(table, name, few_odd=True)

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""
        return [self.name, f"{self.name} is missing"] if self.indicator else [self.name]

    @cached_property
    def points(self) -> Points:
        """What the quantiles go through."""
        return normal_points(self.quantiles)

    def scaled(self, values: Floats) -> Floats:
        """Return what values that are not missing become; infinity for those too far away."""
        if self.quantiles:
            return self.points.at(values)
        with np.errstate(over="ignore"):
            scaled = standardize(values, self.center, self.scale)
        return smooth_clip(scaled) if self.clipped else scaled

    def unscaled(self, encoded: Floats) -> Floats:
        """Return the values that become these; where there are several, one of them."""
        if self.quantiles:
            return self.points.inverse(encoded)
        plain = smooth_unclip(encoded) if self.clipped else encoded
        return plain * self.scale + self.center

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write the standardised values, and the indicator if there is one."""
        self._write(self.values(table, self.name), table, out)

    def _write(self, values: Floats, table: Table, out: NDArray[Any]) -> None:
        missing = np.isnan(values)
        filled = np.where(missing, self.median, values)
        with np.errstate(over="ignore"):
            out[:, 0] = self.scaled(filled)
        bad = np.flatnonzero(~np.isfinite(out[:, 0]))
        if len(bad):
            raise ValueError(
                f"{table.source}: {table.place(bad[0])}, column {self.name!r}: {values[bad[0]]:g} is too far "
                f"from the training rows (center {self.center:g}, scale {self.scale:g}) "
                f"to be written as {out.dtype}"
            )
        if self.indicator:
            out[:, 1] = missing

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; what is not used is left out, as earlier versions did."""
        described = {"kind": self.kind, **asdict(self)}
        if not self.clipped:
            del described["clipped"]
        if not self.quantiles:
            del described["quantiles"]
        return described | ({"quantiles": list(self.quantiles)} if self.quantiles else {})

    @classmethod
    def from_dict(cls, data: Any, where: str) -> Self:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        names = ("kind", "name", "center", "scale", "median", "indicator", "clipped", "quantiles")
        given = fields(with_optional(data, {"clipped": False, "quantiles": []}), names, where)
        scale = finite(given, "scale", where)
        if scale < 0:
            raise ValueError(f"{where}: 'scale' must not be negative, got {scale!r}")
        return cls(
            name=string(given, "name", where),
            center=finite(given, "center", where),
            scale=scale,
            median=finite(given, "median", where),
            indicator=boolean(given, "indicator", where),
            clipped=boolean(given, "clipped", where),
            quantiles=_checked_quantiles(given, where),
        )


@dataclass(frozen=True)
class BoolColumn:
    """A column of booleans: 1 for true, 0 for false; what most training rows had for a missing one.

    With `sign`, it is 1 for true, -1 for false and 0 for a missing one.
    """

    kind: ClassVar[str] = "boolean"

    name: str
    usual: bool
    sign: bool = False

    @classmethod
    def fit(cls, table: Table, name: str, sign: bool = False) -> BoolColumn:
        """Take the more frequent value from a table."""
        return cls(name, bool(table[name].mean() > 0.5), sign)

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""
        return [self.name]

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write zeros and ones, or signs."""
        flags = as_flags(table, self.name)
        if self.sign:
            out[:, 0] = np.where(np.isnan(flags), 0, 2 * flags - 1)
        else:
            out[:, 0] = np.where(np.isnan(flags), self.usual, flags)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        described = {"kind": self.kind, "name": self.name, "usual": self.usual}
        return described | ({"sign": True} if self.sign else {})

    @classmethod
    def from_dict(cls, data: Any, where: str) -> BoolColumn:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        given = fields(with_optional(data, {"sign": False}), ("kind", "name", "usual", "sign"), where)
        return cls(
            string(given, "name", where), boolean(given, "usual", where), boolean(given, "sign", where)
        )


def _checked_quantiles(given: dict[str, Any], where: str) -> tuple[float, ...]:
    quantiles = numbers(given, "quantiles", where)
    if len(quantiles) > MOST or list(quantiles) != sorted(quantiles):
        raise ValueError(f"{where}: 'quantiles' must be at most {MOST} numbers that do not fall")
    if quantiles and given["clipped"]:
        raise ValueError(f"{where}: 'clipped' and 'quantiles' do not go together")
    return quantiles


def as_numbers(table: Table, name: str, few_odd: bool = False) -> Floats:
    """Return a column of numbers, booleans or texts that are numbers as float64 with NaN where missing.

    Texts are read as those of files are: "$1,200" is 1200, and "N/A" or "-" is missing. With `few_odd`, so
    are others, which a warning says, where at least 90 % of the different texts are numbers.

    Raises
    ------
    ValueError
        If the column holds another text, a date or an infinity; the message says where.
    """
    column = table[name]
    if column.dtype.kind == "M":
        present = np.flatnonzero(~missing_values(column))
        if len(present):
            raise unexpected(table, name, present[0], "a number")
        return np.full(len(column), np.nan)
    texts = column.dtype == object
    values: Floats = (
        _numbers_in_texts(table, name, few_odd) if texts else column.astype(np.float64, copy=False)
    )
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise unexpected(table, name, infinite[0], "a finite number")
    return values


def _numbers_in_texts(table: Table, name: str, few_odd: bool) -> Floats:
    """Return a column of texts as numbers, read as the cells of a file are; NaN where missing."""
    column = table[name]
    absent = {None, *MISSING, *MISSING_AMONG_NUMBERS}
    texts = [text for text in column if text not in absent]
    different = dict.fromkeys(texts)
    plain = read_numbers(different, table.decimal.get(name)).plain
    odd = next((row for row, text in enumerate(column) if text not in absent and text not in plain), None)
    if odd is not None:
        error = unexpected(table, name, odd, "a number")
        if not few_odd or 10 * len(plain) < 9 * len(different):
            raise error
        say(f"{error}, and counts as missing, as others of the column may")
    values = {text: float(number) for text, number in plain.items()}
    return np.array([values.get(text, np.nan) for text in column], dtype=np.float64)


def as_flags(table: Table, name: str) -> Floats:
    """Return a column of booleans, of 0 and 1, or of the texts true and false as 0, 1 and NaN.

    Raises
    ------
    ValueError
        If the column holds anything else; the message says where.
    """
    column = table[name]
    missing = missing_values(column)
    if column.dtype == object:
        flags = np.array([_FLAGS.get(str(text).lower(), np.nan) for text in column], dtype=np.float64)
    elif column.dtype.kind == "M":
        flags = np.full(len(column), np.nan)
    else:
        flags = np.where(np.isin(column, (0, 1)), column, np.nan).astype(np.float64)
    odd = np.flatnonzero(np.isnan(flags) & ~missing)
    if len(odd):
        raise unexpected(table, name, odd[0], "a boolean: true, false, 0 or 1")
    return flags


def unexpected(table: Table, name: str, row: Any, wanted: str) -> ValueError:
    """Return the error for a value that is not what was wanted, which says where it is."""
    value = table[name][row]
    given = repr(shortened(value, 60)) if isinstance(value, str) else str(value)
    return ValueError(f"{table.source}: {table.place(row)}, column {name!r}: {given} is not {wanted}")
