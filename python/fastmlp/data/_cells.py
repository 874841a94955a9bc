"""The texts of a file's cells: which are plain numbers or dates, and which stand for a missing value."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Cells that stand for a missing value in any column.
MISSING = (
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "null", "NULL", "?",
    "#VALUE!", "#DIV/0!", "#REF!", "#NAME?", "#NUM!", "#NULL!",
)  # fmt: skip

#: Cells that stand for a missing value where the others are numbers or dates. In a column of texts, "None" or
#: "-" may be a category like others.
MISSING_AMONG_NUMBERS = frozenset(
    (
        "None",
        "none",
        "NONE",
        "na",
        "Na",
        "Null",
        "NAN",
        "nil",
        "-",
        "--",
        "---",
        "–",
        "—",
        ".",
        "..",
        "...",
        "…",
        "*",
        "**",
        "***",
        "??",
    )
)

# A whole number with a leading zero, such as a postcode, is text: as a number it could not be written back.
_DIGITS = r"(?:0|[1-9][0-9]*)"
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(rf"[+-]?(?:(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf(?:inity)?))")
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)(Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?)?"
)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number as `float` takes it, without leading zeros."""
    return _NUMBER.fullmatch(cell) is not None


def is_whole(cell: str) -> bool:
    """Tell whether a cell is a whole number without leading zeros, of at most 19 digits."""
    return _INTEGER.fullmatch(cell) is not None


def parse_dates(cells: Sequence[str]) -> NDArray[np.datetime64] | None:
    """Return ISO 8601 dates as datetime64[us] in UTC, or None if a cell is no such date.

    A cell is YYYY-MM-DD, which a T or a blank, hh:mm or hh:mm:ss with a fraction, and a zone (Z or +hh:mm)
    may follow. A time without a zone counts as UTC; of a fraction, microseconds are kept.
    """
    local, offsets = [], []
    for cell in cells:
        match = _DATE.fullmatch(cell)
        if match is None:
            return None
        day, time, zone = match.groups()
        local.append(f"{day}T{time}" if time else day)
        offsets.append(_minutes(zone) if zone else 0)
    try:
        dates: NDArray[np.datetime64] = np.array(local, dtype="datetime64[us]")
    except ValueError:  # the 30th of February, or 25 o'clock
        return None
    dates -= np.array(offsets, dtype="timedelta64[m]")
    return dates


def _minutes(zone: str) -> int:
    """Return how far a zone such as +05:30 is ahead of UTC."""
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes
