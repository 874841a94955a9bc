"""Lines for people on standard error, in whatever encoding it has."""

from __future__ import annotations

import sys

from fastmlp._base.text import shortened


def say(line: str) -> None:
    """Write a line to standard error, if there is one; what its encoding lacks is written as escapes."""
    if sys.stderr is None:
        return
    encoding = sys.stderr.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def warn(text: str) -> None:
    """Write a warning of the command line."""
    say(f"fastmlp: warning: {shortened(text)}")
