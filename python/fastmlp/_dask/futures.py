"""Futures of Dask as the rounds need them: results in order, clear errors, and no wait without an end."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from fastmlp._base.said import say
from fastmlp._dask.worker import instruction_sets

_AT_ONCE = 64  # results that are fetched together
_LOOK = 1.0  # seconds between two looks at the cluster
_SOON = 0.05  # seconds between two looks at futures that are made again, which Dask tells nobody of
_UNDER_WAY = ("pending", "lost")  # a task that was lost runs again, or it is cancelled


def connected(client: Any) -> Any:
    """Return the client, by default the current one."""
    from distributed import Client
    from distributed.client import default_client

    if client is None:
        try:
            client = default_client()
        except ValueError:
            raise ValueError(
                "client is None, and there is no current one: make a distributed.Client"
            ) from None
    if not isinstance(client, Client):
        raise TypeError(f"client must be a distributed.Client or None, got {client!r}")
    if client.asynchronous:
        raise ValueError("client must not be asynchronous, as training waits for its rounds")
    if client.status != "running":
        raise RuntimeError(f"client is {client.status}: make a new one")
    return client


class Futures:
    """Futures of a fit, all of which are cancelled where it ends by an error.

    Parameters
    ----------
    client : Client
    timeout : float
        Seconds to wait for a worker where there is none.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self.client, self._timeout = client, timeout
        self._open: dict[str, Any] = {}  # what was submitted and is still needed, by key

    def map(
        self, name: str, function: Callable[..., Any], *iterables: Sequence[Any], **common: Any
    ) -> list[Any]:
        """Submit a task for each element; `name` makes their keys, and must be new."""
        with self._sent():
            keys = [f"{name}-{i}" for i in range(len(iterables[0]))]
            found = self.client.map(function, *iterables, key=keys, pure=False, **common) if keys else []
        self._open.update({future.key: future for future in found})
        return list(found)

    def value(self, name: str, value: Any) -> Any:
        """Return a value as a task, which is run again if a worker is lost; what is scattered is not."""
        with self._sent():
            return self.client.submit(_same, value, key=name, pure=False)

    def compute(self, tasks: Sequence[Any]) -> list[Any]:
        """Begin to compute lazy values, and leave them where they are."""
        with self._sent():
            found = self.client.compute(list(tasks))
        self._open.update({future.key: future for future in found})
        return list(found)

    def results(self, futures: Sequence[Any], what: Callable[[int], str]) -> Iterator[Any]:
        """Yield their results in order, as they come; what(i) names what the i-th is about.

        Raises
        ------
        Exception
            What a task raised; RuntimeError if a worker or the connection was lost for good.
        """
        heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        place = {future.key: i for i, future in enumerate(futures)}
        for future in futures:
            future.add_done_callback(heard.put)
        ended, first = [False] * len(futures), 0
        lost: dict[str, Any] = {}  # done, but their worker has ended since: they are made again
        while first < len(futures):
            future = self._next(heard, list(lost.values()))
            i = place[future.key]
            if future.status in _UNDER_WAY:
                lost[future.key] = future
                continue
            if future.status != "finished":
                raise self._error(future, what(i))
            lost.pop(future.key, None)
            ended[i] = True
            while first < len(futures) and ended[first]:
                last = first
                while last < min(len(futures), first + _AT_ONCE) and ended[last]:
                    last += 1
                yield from self._gathered(futures[first:last], what, first)
                first = last
        self.forget(futures)

    def _gathered(self, futures: Sequence[Any], what: Callable[[int], str], first: int) -> list[Any]:
        from distributed.client import FutureCancelledError

        try:
            return list(self.client.gather(list(futures)))
        except FutureCancelledError:
            lost = next((i for i, future in enumerate(futures) if future.status != "finished"), 0)
            raise self._error(futures[lost], what(first + lost)) from None

    def _next(self, heard: queue.SimpleQueue[Any], lost: Sequence[Any]) -> Any:
        """Return the next future that is done; it gives up if there is no worker for too long."""
        alone, looked = None, time.monotonic()
        while True:
            for future in lost:
                if future.status not in _UNDER_WAY:
                    return future
            try:
                return heard.get(timeout=_SOON if lost else _LOOK)
            except queue.Empty:
                if time.monotonic() - looked < _LOOK:
                    continue
            self._check_running()
            looked = time.monotonic()
            if self._has_workers():
                alone = None
                continue
            alone = alone or looked
            if looked - alone > self._timeout:
                raise RuntimeError(f"the cluster had no worker for {self._timeout:g} s (timeout)")

    def _has_workers(self) -> bool:
        try:
            return bool(self.client.nthreads())
        except Exception:  # while it is closing, or connecting again
            self._check_running()
            return False

    def _check_running(self) -> None:
        if self.client.status not in ("running", "connecting"):
            raise RuntimeError(f"the client is {self.client.status}, before training has ended")

    def _error(self, future: Any, what: str) -> BaseException:
        from distributed import KilledWorker

        self._check_running()
        if future.status == "error":
            error: BaseException = future.exception()
            if isinstance(error, KilledWorker):
                return RuntimeError(f"{what}: each worker that took it ended, as for want of memory: {error}")
            return error
        return RuntimeError(
            f"{what} is lost, and cannot be made again: it was cancelled, or its worker ended and had the "
            "only copy of data that were scattered"
        )

    @contextmanager
    def _sent(self) -> Iterator[None]:
        """Let what is sent fail with the reason where the client is gone; large weights are no warning."""
        import dask

        try:
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}):
                yield
        except Exception:
            self._check_running()
            raise

    def threads(self) -> int:
        """Return the threads of all workers together, at least 1."""
        with self._sent():
            return max(1, sum(map(int, self.client.nthreads().values())))

    def forget(self, futures: Sequence[Any]) -> None:
        """Let go of futures that are no longer needed."""
        for future in futures:
            self._open.pop(future.key, None)

    def cancel(self) -> None:
        """Cancel what is still needed."""
        with suppress(Exception):  # the client may be gone
            self.client.cancel(list(self._open.values()))
        self._open = {}


def _same(value: Any) -> Any:
    return value


def common_isa(client: Any) -> str:
    """Return the instruction set of all workers; where they use different ones, warn and take the lowest."""
    answers = client.run(instruction_sets, on_error="return")
    found = {worker: answer for worker, answer in answers.items() if not isinstance(answer, Exception)}
    broken = next((answer for answer in answers.values() if isinstance(answer, ImportError)), None)
    if broken is not None:
        raise RuntimeError(f"a worker cannot import fastmlp: {broken}")
    if not found:
        return instruction_sets()[0]
    used = {isa for isa, _ in found.values()}
    if len(used) == 1:
        return str(used.pop())
    first, *others = [available for _, available in found.values()]
    common = [isa for isa in first if all(isa in available for available in others)]
    if not common:
        raise RuntimeError(
            f"the workers have no instruction set in common, they use {', '.join(sorted(used))}"
        )
    chosen = next((isa for isa in reversed(common) if isa in used), common[0])  # the best comes first
    say(
        f"the workers use the instruction sets {', '.join(sorted(used))}, which differ in their last bits; "
        f"all compute with {chosen}, so that the result does not depend on which worker does what"
    )
    return str(chosen)
