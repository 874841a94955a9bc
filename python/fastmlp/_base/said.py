"""Warnings of what was guessed, dropped or assumed, which point at the user's own line."""

from __future__ import annotations

import sys
import warnings


def say(text: str, kind: type[Warning] = UserWarning) -> None:
    """Warn as from the line outside of this package that called it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastmlp":
        level, frame = level + 1, frame.f_back
    warnings.warn(text, kind, stacklevel=level)
