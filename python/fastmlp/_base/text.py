"""Text that came from a file or a user, for people to read."""

from __future__ import annotations

import math

#: What an array of a kind of dtype holds, if not numbers.
KINDS = {"U": "texts", "S": "bytes", "M": "dates", "m": "durations"}


def printable(value: object) -> str:
    """Return a value as text in which control characters are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def shortened(value: object, most: int | None = None) -> str:
    """Return a value as printable text of so many characters at the most; None for any number."""
    text = printable(value)
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def three_digits(value: float) -> str:
    """Write a number with three digits, and from 1000 on as a whole number: 0.822, 12.3, 20,640, 1.5e-07."""
    if not math.isfinite(value):
        return str(float(value))
    if 999.5 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value + 0.0:.3g}"  # -0.0 becomes 0


def rate(value: float) -> str:
    """Write a share, a score or a log loss with three decimals: 0.700, <0.001."""
    if not math.isfinite(value):
        return "not defined" if math.isnan(value) else str(float(value))
    if 0 < value < 0.0005:
        return "<0.001"
    return f"{value:.3f}" if abs(value) >= 0.0005 else "0.000"  # and never -0.000


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Write "1 row" or "2 rows"."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
