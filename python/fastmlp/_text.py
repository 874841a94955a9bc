"""Text that came from a file or a user, for people to read."""

from __future__ import annotations


def printable(value: object) -> str:
    """Return a value as text in which control characters are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
