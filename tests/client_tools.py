"""What tests of `client=` share: equality of runs, and what a client was given to send."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from distributed import Client

import fastmlp
from fastmlp._training.cluster_worker import Shared

RNG = np.random.default_rng(0)
N = 2000
X = RNG.normal(size=(N, 12)).astype(np.float32)  # large enough to be sent once, before the fits
X[RNG.random(X.shape) < 0.3] = 0
VALUES = X[:, 0] * X[:, 1] + 0.1 * RNG.normal(size=N)
LABELS = np.digitize(VALUES, [-0.2, 0.2])
WEIGHTS = RNG.uniform(0.1, 2, N)


def assert_same_network(one: fastmlp.Network | None, other: fastmlp.Network | None) -> None:
    """Two networks have the same bits, histories and ends, but for the time that they took."""
    if one is None or other is None:
        assert one is other
        return
    assert one.dtype == other.dtype
    assert np.array_equal(one.parameters, other.parameters, equal_nan=True)
    assert one.history.columns == other.history.columns
    for name in set(one.history.columns) - {"seconds"}:
        assert np.array_equal(one.history[name], other.history[name], equal_nan=True), name
    assert (one.stop_reason, one.seed, one.loss) == (other.stop_reason, other.seed, other.loss)
    assert (one.classes is None) == (other.classes is None)
    assert one.classes is None or other.classes is None or np.array_equal(one.classes, other.classes)


def assert_same_runs(one: fastmlp.Runs, other: fastmlp.Runs) -> None:
    """Two calls of `train_many` have the same results."""
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert_same_network(first, second)
    assert [repr(error) for error in one.errors] == [repr(error) for error in other.errors]


@contextmanager
def sent_arrays(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Yield the values that clients scatter meanwhile."""
    sent: list[Any] = []
    scatter = Client.scatter

    def spy(self: Client, data: Any, **settings: Any) -> Any:
        sent.append(data.value if isinstance(data, Shared) else data)
        return scatter(self, data, **settings)

    with monkeypatch.context() as patched:
        patched.setattr(Client, "scatter", spy)
        yield sent


@contextmanager
def later(seconds: float, work: Any, *arguments: Any) -> Iterator[None]:
    """Do something after so many seconds, on another thread."""
    timer = threading.Timer(seconds, work, arguments)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
