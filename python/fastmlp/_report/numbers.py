"""Numbers and dates as a report shows them: three digits of what was computed, data as it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._base.text import shortened, three_digits

_LETTERS = 60  # of a text in a cell


class Numeral(str):
    """A number that is written already; it stands at the right of its cell."""

    __slots__ = ()


def written(value: Any) -> str:
    """Write a value that was computed or counted; None and NaN as nothing."""
    if value is None or value != value:
        return ""
    if isinstance(value, (float, np.floating)):
        return three_digits(float(value))
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return f"{value:,}"
    return date(value) if isinstance(value, np.datetime64) else str(value)


def of_data(value: Any) -> str:
    """Write a value of the data: numbers with six digits at the most, dates without zeros behind them."""
    if value is None or value != value:
        return ""
    if isinstance(value, np.datetime64):
        return date(value)
    if isinstance(value, (float, np.floating)):
        number = float(value) + 0.0  # -0.0 becomes 0
        plain = number.is_integer() and abs(number) < 1e15
        return Numeral(f"{number:.0f}" if plain else f"{number:.6g}")
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return Numeral(value)
    return shortened(value, _LETTERS)


def date(value: Any) -> str:
    """Write a date, with its time where it is not midnight, and fractions of seconds where there are any."""
    day, _, time = str(np.datetime64(value, "us")).partition("T")
    time = time.removesuffix(".000000")
    return day if time in ("", "00:00:00") else f"{day} {time}"
