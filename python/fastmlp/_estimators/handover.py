"""Fits that a search has trained beforehand, handed over to the estimators that scikit-learn's loop fits.

The loop goes through candidates and folds in a fixed order, and calls `fit` of a new clone for each. So those
that were trained wait in this order, and each clone takes the next one, if it is the one that it would train.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fastmlp._estimators.fitting import Fitting
from fastmlp._training.run import Outcome


@dataclass
class Waiting:
    """A fit that waits for its clone to come: trained, or left to the clone."""

    estimator: Any  # as the clone will be
    y: Any  # of its rows, as the user gave them; None where they are not known
    fitting: Fitting | None = None
    outcomes: Sequence[Outcome | Exception] = ()

    def is_of(self, estimator: Any, y: Any) -> bool:
        """Tell whether this is the fit that an estimator is asked for."""
        own, asked = vars(self.estimator), vars(estimator)
        return (
            type(self.estimator) is type(estimator)
            and all(_alike(asked[field.name], own[field.name]) for field in fields(estimator))
            and (self.y is None or np.array_equal(np.asarray(self.y), np.asarray(y)))
        )


def _alike(one: Any, other: Any) -> bool:
    if one is other:
        return True
    same_type = type(one) is type(other)
    return same_type and (isinstance(one, np.random.RandomState) or repr(one) == repr(other))


class _Queue:
    """Fits in their order, trained in portions as they are asked for."""

    def __init__(self, portions: Iterator[Sequence[Waiting]]) -> None:
        self._portions = portions
        self._ready = deque(next(portions, ()))

    def take(self, estimator: Any, y: Any) -> Waiting | None:
        """Return the next fit if it is that of the estimator."""
        if not self._ready:
            self._ready.extend(next(self._portions, ()))
        if not self._ready or not self._ready[0].is_of(estimator, y):
            return None
        return self._ready.popleft()


_queue: ContextVar[_Queue | None] = ContextVar("fastmlp_fits_handed_over", default=None)


@contextmanager
def handed_over(portions: Iterator[Sequence[Waiting]]) -> Iterator[None]:
    """Let the next calls of `fit` take these fits, in their order."""
    token = _queue.set(_Queue(portions))
    try:
        yield
    finally:
        _queue.reset(token)


def taken_over(estimator: Any, y: Any) -> bool:
    """Make an estimator what a fit that waits for it has trained; return whether there is one.

    Raises
    ------
    Exception
        What ended the fit, as training it now would.
    """
    queue = _queue.get()
    waiting = queue and queue.take(estimator, y)
    if not waiting or waiting.fitting is None:
        return False
    waiting.fitting.finish(waiting.outcomes)
    vars(estimator).update(vars(waiting.estimator))
    return True
