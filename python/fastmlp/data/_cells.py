"""The texts of a file's cells: which are numbers or dates, and the narrowest column that holds them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._table import Column

# A whole number with a leading zero, such as a postcode, is text: as a number it could not be written back.
_DIGITS = r"(?:0|[1-9][0-9]*)"
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(rf"[+-]?(?:(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf(?:inity)?))")
_DECIMAL_COMMA = re.compile(rf"([+-]?{_DIGITS}?),([0-9]+)")
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)(Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?)?"
)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number as `read_csv` understands it."""
    return _NUMBER.fullmatch(cell) is not None


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


def column_of(cells: Sequence[str], missing: frozenset[str], decimal_comma: bool) -> Column:
    """Make a column of the narrowest kind that holds every cell."""
    if decimal_comma:
        points = [_DECIMAL_COMMA.sub(r"\1.\2", c) if _DECIMAL_COMMA.fullmatch(c) else c for c in cells]
        column = column_of(points, missing, decimal_comma=False)
        return text_of(cells, missing) if column.dtype == object else column
    present = [cell for cell in cells if cell not in missing]
    if len(present) == len(cells) and all(_INTEGER.fullmatch(cell) for cell in cells):
        integers = [int(cell) for cell in cells]
        if min(integers) >= -(2**63) and max(integers) < 2**63:
            return np.array(integers, dtype=np.int64)
    if all(_NUMBER.fullmatch(cell) for cell in present):
        return np.array([np.nan if cell in missing else float(cell) for cell in cells], dtype=np.float64)
    dates = parse_dates(present)
    if dates is None:
        return text_of(cells, missing)
    column = np.full(len(cells), "NaT", dtype="datetime64[us]")
    column[[cell not in missing for cell in cells]] = dates
    return column


def text_of(cells: Sequence[str], missing: frozenset[str]) -> Column:
    """Make a column of strings."""
    column = np.empty(len(cells), dtype=object)
    column[:] = [None if cell in missing else cell for cell in cells]
    return column


def _minutes(zone: str) -> int:
    """Return how far a zone such as +05:30 is ahead of UTC."""
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes
