"""What a task may use of its worker: so many threads, and the instruction set that all tasks share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from fastmlp._model.model import from_metadata
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp._network.network import Network

_changed = threading.Condition()
_used: Counter[str] = Counter()  # threads of this process that tasks have, by worker

_choosing = threading.Lock()


@contextmanager
def threads_of_task(share: int) -> Iterator[int]:
    """Yield how many threads the task may use: at most its share, and those its worker has left.

    All tasks that run at once in a worker have no more threads than it was started with. A task for which
    none is left waits for another one to end.
    """
    worker, most = _worker()
    with _changed:
        _changed.wait_for(lambda: _used[worker] < most)
        own = max(1, min(share, most - _used[worker]))
        _used[worker] += own
    try:
        with _threads.at_most(own):
            yield own
    finally:
        with _changed:
            _used[worker] -= own
            _changed.notify_all()


def _worker() -> tuple[str, int]:
    """Return the worker whose task this thread runs, and its number of threads."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # not in a task of distributed's: Dask's own threads are as many as there should be
        return f"thread {threading.get_ident()}", 1
    return worker.address, max(1, worker.state.nthreads)


def instruction_sets() -> tuple[str, list[str]]:
    """Return the instruction set that this process uses, and those that it could."""
    return _core.ISA, _core.available_isas()


def made_network(isa: str, described: dict[str, Any], parameters: NDArray[Any] | None) -> Network:
    """Return a network that computes with an instruction set, whatever this process uses otherwise.

    Raises
    ------
    RuntimeError
        If this processor, or this installation, does not have it.
    """
    with _choosing:
        before = _core.ISA
        try:
            if isa != before:
                _core.use(isa)
            return from_metadata(Network, described, parameters)
        except ImportError:
            raise RuntimeError(
                f"a worker that joined does not have the instruction set {isa}, which the others compute "
                "with; its results would have other bits. End it, or begin again with it"
            ) from None
        finally:
            if isa != before:
                _core.use(before)
