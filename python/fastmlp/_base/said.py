"""Warnings of what was guessed, dropped or assumed, which point at the user's own line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: What has been said, where that is not to be said again.
_TOLD: ContextVar[set[str] | None] = ContextVar("told", default=None)


@contextmanager
def saying_once(told: set[str]) -> Iterator[None]:
    """Say each text once, and none of those that were told before, in the code within."""
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


def say(text: str, kind: type[Warning] = UserWarning) -> None:
    """Warn as from the line outside of this package that called it."""
    told = _TOLD.get()
    if told is not None:
        if text in told:
            return
        told.add(text)
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastmlp":
        level, frame = level + 1, frame.f_back
    warnings.warn(text, kind, stacklevel=level)
