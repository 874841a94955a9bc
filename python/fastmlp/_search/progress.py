"""How far a search is: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastmlp._search.result import Search
from fastmlp._training.progress import SECONDS_BETWEEN_LINES, Pace, on_terminal, progress_bar


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
        self._pace = Pace(SECONDS_BETWEEN_LINES)

    def __call__(self, search: Search) -> None:
        if sys.stderr is None or not self._pace.due():
            return
        line = f"trial {_done(search)}/{self._trials}  {_best(search, self._metric)}"
        print(line, file=sys.stderr, flush=True)


def _done(search: Search) -> int:
    return sum(trial.state is not None for trial in search.trials)


def _best(search: Search, metric: str) -> str:
    try:
        return f"best {metric} {search.best_score:.4g}"
    except ValueError:
        return ""
