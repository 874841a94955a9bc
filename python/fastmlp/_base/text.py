"""Text that came from a file or a user, for people to read."""

from __future__ import annotations


def printable(value: object) -> str:
    """Return a value as text in which control characters are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def shortened(value: object, most: int | None = None) -> str:
    """Return a value as printable text of so many characters at the most; None for any number."""
    text = printable(value)
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Write "1 row" or "2 rows"."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
