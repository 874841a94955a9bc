"""Encoded columns of dates: a count of days, and the cycles of the year, the week and the day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._cells import parse_dates
from fastmlp.data._checks import strings
from fastmlp.data._columns import NumberColumn, unexpected
from fastmlp.data._quantiles import Floats
from fastmlp.data._scaling import Scaling
from fastmlp.data._table import Table, missing_values

if TYPE_CHECKING:
    from typing_extensions import Self

_DAY = np.timedelta64(1, "D")


class Cycle(NamedTuple):
    """A cycle, counted from 1970-01-01."""

    period: float
    """Its length in days."""

    whole_days: bool
    """Whether the time of the day is left out."""


#: The year is the mean one of the calendar, so a day of the year has the same phase to within a day.
CYCLES = {
    "month": Cycle(365.2425, whole_days=False),
    "weekday": Cycle(7.0, whole_days=True),
    "hour": Cycle(1.0, whole_days=False),
}


@dataclass(frozen=True)
class DateColumn(NumberColumn):
    """A column of dates: the days since 1970-01-01, with fractions for the time, and cycles of them.

    The days are one input, as those of a `NumberColumn`. Each cycle of period p adds sin and cos of
    2 pi d / p for d days: days go on beyond those of the training rows, but months, weekdays and hours come
    again. Both are 0 for a missing date.
    """

    kind: ClassVar[str] = "date"

    cycles: tuple[str, ...] = ()

    @classmethod
    def fit(cls, table: Table, name: str, scaling: Scaling) -> Self:
        """Take center, scale, median, and the cycles in which dates differ, from a table."""
        days = cls.values(table, name)
        return replace(super().fit(table, name, scaling), cycles=_cycles(days[~np.isnan(days)]))

    @staticmethod
    def values(table: Table, name: str) -> Floats:
        """Return the column as days, NaN where missing."""
        return as_days(table, name)

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes: the days, the indicator, and two for each cycle."""
        return super().feature_names + [
            f"{self.name} {cycle} ({function})" for cycle in self.cycles for function in ("sin", "cos")
        ]

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write the standardised days, the indicator if there is one, and the cycles."""
        days = self.values(table, self.name)
        self._write(days, table, out)
        missing = np.isnan(days)
        for i, name in enumerate(self.cycles):
            at, angle = 1 + self.indicator + 2 * i, _angle(days, CYCLES[name])
            out[:, at] = np.where(missing, 0, np.sin(angle))
            out[:, at + 1] = np.where(missing, 0, np.cos(angle))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; without cycles, what earlier versions wrote."""
        described = super().to_dict()
        del described["cycles"]
        return described | ({"cycles": list(self.cycles)} if self.cycles else {})

    @classmethod
    def from_dict(cls, data: Any, where: str) -> Self:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        if not isinstance(data, dict) or "cycles" not in data:
            return super().from_dict(data, where)
        cycles = strings(data, "cycles", where)
        if not cycles or cycles != tuple(name for name in CYCLES if name in cycles):
            raise ValueError(f"{where}: 'cycles' must be some of {', '.join(CYCLES)}, in this order")
        plain = {name: value for name, value in data.items() if name != "cycles"}
        return replace(super().from_dict(plain, where), cycles=cycles)


def _angle(days: Floats, cycle: Cycle) -> Floats:
    """Return where days are in a cycle, as an angle from 0 to 2 pi."""
    turns = (np.floor(days) if cycle.whole_days else days) / cycle.period
    return 2 * np.pi * (turns - np.floor(turns))


def _cycles(days: Floats) -> tuple[str, ...]:
    """Return the cycles in which days differ.

    Where all are the first day of a month, or all the last one, they stand for months: then the weekdays tell
    nothing.
    """
    if not len(days):
        return ()
    dates = np.floor(days).astype(np.int64).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    monthly = (dates == months.astype("datetime64[D]")).all() or (
        dates + 1 == (months + 1).astype("datetime64[D]")
    ).all()
    parts = {"month": months.astype(np.int64) % 12, "hour": days - np.floor(days)}
    if not monthly:
        parts["weekday"] = np.floor(days) % 7
    return tuple(name for name in CYCLES if name in parts and bool((parts[name] != parts[name][0]).any()))


def as_days(table: Table, name: str) -> Floats:
    """Return a column of dates, or of texts that are ISO 8601 dates, as days since 1970-01-01.

    Raises
    ------
    ValueError
        If the column holds anything else; the message says where.
    """
    column = table[name]
    days = np.full(len(column), np.nan)
    present = np.flatnonzero(~missing_values(column))
    if not len(present):
        return days
    texts = column.dtype == object
    dates = parse_dates(column[present].tolist()) if texts else column[present]
    if dates is None or dates.dtype.kind != "M":
        odd = next(row for row in present if not texts or parse_dates([column[row]]) is None)
        raise unexpected(table, name, odd, "a date such as 2026-11-21")
    days[present] = (dates - np.datetime64(0, "D")) / _DAY
    return days
