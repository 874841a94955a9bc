"""Lines for people on standard error, in whatever encoding it has."""

from __future__ import annotations

import sys

from fastmlp._base.text import shortened

_silent = False
_process: int | None = None


def speak(speaks: bool, process: int | None = None) -> None:
    """Choose whether lines are written, of several processes; all but the first say which one they are."""
    global _silent, _process
    _silent, _process = not speaks, process or None


def speaks() -> bool:
    """Tell whether lines are written."""
    return not _silent


def say(line: str) -> None:
    """Write a line to standard error, if there is one; what its encoding lacks is written as escapes."""
    if sys.stderr is None or _silent:
        return
    if _process is not None:
        line = line.replace("fastmlp: ", f"fastmlp: process {_process}: ", 1)
    encoding = sys.stderr.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def warn(text: str) -> None:
    """Write a warning of the command line."""
    say(f"fastmlp: warning: {shortened(text)}")
