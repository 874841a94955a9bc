"""How far a search is: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastmlp._search.result import Search
from fastmlp._training.progress import on_terminal, progress_bar

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def trial_bar(show: bool, trials: int, metric: str) -> Iterator[Callable[[Search], None] | None]:
    """Yield what to call with the search after each rung; None if nothing is to be shown."""
    if not show:
        yield None
    elif on_terminal():
        with progress_bar("trial") as bar:
            task = bar.add_task("", total=trials, measured="")
            yield lambda search: bar.update(task, completed=_done(search), measured=_best(search, metric))
    else:
        yield _Lines(trials, metric)


class _Lines:
    """A callback that writes a line every few seconds."""

    def __init__(self, trials: int, metric: str) -> None:
        self._trials, self._metric = trials, metric
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def __call__(self, search: Search) -> None:
        now = time.monotonic()
        if now < self._next or sys.stderr is None:
            return
        self._next = now + _SECONDS_BETWEEN_LINES
        line = f"trial {_done(search)}/{self._trials}  {_best(search, self._metric)}"
        print(line, file=sys.stderr, flush=True)


def _done(search: Search) -> int:
    return sum(trial.state is not None for trial in search.trials)


def _best(search: Search, metric: str) -> str:
    try:
        return f"best {metric} {search.best_score:.4g}"
    except ValueError:
        return ""
