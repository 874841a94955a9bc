"""Fits on a cluster of Dask: sent to its workers in chunks, and back as they end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastmlp._base.said import say
from fastmlp._base.text import plural
from fastmlp._training.cluster_worker import (
    ChunkDone,
    Done,
    Facts,
    Shared,
    check_version,
    facts,
    packed,
    stop,
    train_chunk,
)
from fastmlp._training.job import Job
from fastmlp._training.run import Outcome

if TYPE_CHECKING:
    from distributed import Client, Future

#: A chunk takes at least so long, by its estimate: sending it costs some ten milliseconds.
_LEAST_SECONDS = 0.25
#: What is sent for a chunk takes at most so many bytes, unless it is a single fit.
_MOST_BYTES = 64 * 2**20
#: Chunks that each thread of the workers has, one of them to begin with once the other has ended.
_EACH = 2
#: From so many bytes on, an array that several fits read is sent once, before them.
_LARGE = 2**16
#: From so many bytes on, a chunk is not kept by the scheduler, which would have it if its worker dies.
_LARGE_CHUNK = 2**22
#: How often a chunk is sent that is lost, with the data that it reads.
_ATTEMPTS = 4
#: Seconds to wait for a worker where there is none; and for those that are told to stop.
_NO_WORKER, _STOPPING = 60.0, 10.0
#: Seconds between two looks at what has ended, and at the number of workers.
_LOOK, _COUNT = 0.1, 1.0

#: What a future raises whose task, or what it reads, is no longer there.
_LOST = (asyncio.CancelledError, concurrent.futures.CancelledError)

_LOST_CONNECTION = "client: the connection to its scheduler was lost"

OnProgress = Callable[[int, int], None]


def checked_client(client: Any) -> Client:
    """Return the client, if it is one of Dask's that is connected."""
    try:
        from distributed import Client
    except ImportError:
        raise ImportError("client needs dask.distributed: pip install 'fastmlp[dask]'") from None
    if not isinstance(client, Client):
        raise TypeError(f"client must be a dask.distributed.Client, got {client!r}")
    if client.asynchronous:
        raise ValueError("client must be a synchronous one, got a Client with asynchronous=True")
    if client.status != "running":
        raise ValueError(f"client must be connected to its scheduler, got one that is {client.status}")
    return client


@dataclass(frozen=True)
class _Chunk:
    """Jobs that are sent together, by their places."""

    places: tuple[int, ...]
    attempts: int = 1
    alone: bool = False  # with no other chunk on its way


class Cluster:
    """The workers of a client, which keep what several fits read for as long as calls need it.

    Parameters
    ----------
    client : dask.distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self.client = checked_client(client)
        self._sent: dict[int, tuple[Any, Future]] = {}  # by the id of the array, which is kept
        self._checked = False
        self._told = False  # whether a worker with another instruction set was warned of

    def run_many(
        self, jobs: Sequence[Job], threads: int | None, max_time: float, on_progress: OnProgress | None = None
    ) -> tuple[list[Outcome | Exception | None], BaseException | None]:
        """Train jobs on the workers; see `run_many`, whose results these are.

        Parameters
        ----------
        jobs : sequence of Job
            Their networks and states become those that the workers have trained.
        threads : int or None
            The most of all workers together; None for all that they have.
        max_time : float
            Seconds that all may take.
        on_progress : callable, optional
            Called now and then with the number of jobs that are done, and of the rows that were trained on.
        """
        call = _Call(self, jobs, threads, time.monotonic() + max_time, on_progress)
        exception: BaseException | None = None
        try:
            if not self._checked:  # those that come later are asked with their first chunk
                self.check_workers()
                self._checked = True
            self.share(jobs)
            call.run()
        except OSError as error:
            is_lost = self.client.status != "running"
            exception = RuntimeError(f"{_LOST_CONNECTION}: {error}") if is_lost else error
        except BaseException as error:
            exception = error
        try:
            call.end(interrupted=exception is not None)
        except BaseException as error:  # such as a second Ctrl-C
            exception = exception or error
        return call.outcomes, exception

    def check_workers(self) -> None:
        """Refuse workers without this version of fastmlp; warn of those with another instruction set."""
        end = time.monotonic() + _NO_WORKER
        while not (found := self._answers()):
            if time.monotonic() > end:
                raise RuntimeError("client must have a worker, got one without any")
            time.sleep(_LOOK)
        for worker, own in found.items():
            if isinstance(own, BaseException):
                raise RuntimeError(
                    f"client: the worker {worker} cannot run fastmlp {facts().version}, which this process "
                    f"has: {own}; install it on all workers"
                )
            check_version(f"the worker {worker}", own, facts().version)
            self.compare(own)

    def _answers(self) -> dict[str, Facts | Exception]:
        """Ask all workers; those that are just ending do not answer."""
        answers = self.client.run(facts, on_error="return")
        return {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}

    def compare(self, found: Facts) -> None:
        """Warn, once, of another instruction set."""
        if found.isa != facts().isa and not self._told:
            self._told = True
            say(
                f"client: a worker uses the instruction set {found.isa}, this process {facts().isa}: its "
                "networks differ in their last bits from those trained here; set FASTMLP_ISA in the "
                "environment of all to one that all have"
            )

    def threads(self) -> list[int]:
        """Return the threads of each worker."""
        return [int(threads) for threads in self.client.nthreads().values()]

    def share(self, jobs: Sequence[Job]) -> None:
        """Send what several jobs read, unless it is there; release what none of them reads."""
        readers: dict[int, list[Any]] = defaultdict(list)
        for job in jobs:
            for number, array in {id(array): array for array in _arrays(job)}.items():
                readers[number].append(array)
        self._sent = {number: sent for number, sent in self._sent.items() if number in readers}
        for number, (array, *others) in readers.items():
            if others and array.nbytes >= _LARGE and number not in self._sent:
                by_all = len(others) + 1 >= len(self.threads())
                self._sent[number] = array, self._scattered(array, broadcast=by_all)

    def _scattered(self, value: Any, broadcast: bool = False) -> Future:
        """Put a value on a worker, or on all; again where one dies that was to have it."""
        for attempt in range(_ATTEMPTS):
            try:
                return self.client.scatter(Shared(value), broadcast=broadcast, hash=False, timeout=_NO_WORKER)
            except OSError:
                if attempt == _ATTEMPTS - 1 or self.client.status != "running":
                    raise
        raise AssertionError

    def submit(self, call: str, jobs: Sequence[Job], threads: int) -> Future:
        """Send a chunk, and what it reads where that was lost with a worker."""
        for array in (array for job in jobs for array in _arrays(job)):
            if id(array) in self._sent and self._sent[id(array)][1].cancelled():
                self._sent[id(array)] = array, self._scattered(array)
        content, ids = packed(jobs, self._sent)
        sent = self._scattered(content) if len(content) >= _LARGE_CHUNK else content
        key, read = f"{call}-{uuid.uuid4().hex}", (self._sent[number][1] for number in ids)
        return self.client.submit(
            train_chunk, call, facts().version, threads, sent, ids, *read, key=key, pure=False
        )


def _arrays(job: Job) -> Iterator[Any]:
    """Yield the arrays of a job's rows."""
    for rows in filter(None, (job.rows.train, job.rows.held_out)):
        X, *others = rows
        yield from X if isinstance(X, tuple) else (X,)
        yield from (array for array in others if array is not None)


class _Call:
    """Jobs that are trained by one call: those that wait, those on their way, and what became of them."""

    def __init__(
        self, cluster: Cluster, jobs: Sequence[Job], threads: int | None, deadline: float,
        on_progress: OnProgress | None,
    ) -> None:  # fmt: skip
        self.outcomes: list[Outcome | Exception | None] = [None] * len(jobs)
        self._cluster, self._jobs, self._deadline, self._on_progress = cluster, jobs, deadline, on_progress
        self._most = math.inf if threads is None else threads
        self._name = f"fastmlp-{uuid.uuid4().hex}"
        self._costs = [job.cost() for job in jobs]
        self._waiting = math.fsum(self._costs)
        self._left = sorted(
            range(len(jobs)), key=lambda place: (self._costs[place], -place)
        )  # pop the longest
        self._again: list[_Chunk] = []
        self._suspects: list[int] = []  # that were on workers as these died
        self._flying: dict[Future, _Chunk] = {}
        self._lost = False  # whether there may be a chunk that trains on with nobody to take it
        self._landed = threading.Event()
        self._done = self._rows = 0
        self._slots = 0  # threads of the workers, or as many as are wanted, when they were last counted
        self._room = 0  # for so many chunks at once
        self._counted = -math.inf
        self._had_worker = time.monotonic()

    def run(self) -> None:
        """Send chunks and take what comes back, until all is done or the time is over."""
        while self._is_under_way() and time.monotonic() < self._deadline:
            self._count()
            while (self._left or self._again) and len(self._flying) < self._room:
                self._send(self._again.pop() if self._again else self._next_chunk())
            if self._slots and self._suspects and not self._flying:
                self._send(_Chunk((self._suspects.pop(),), alone=True))
            self._landed.wait(_LOOK)
            self._landed.clear()
            self._take(again=True)

    def _is_under_way(self) -> bool:
        return bool(self._left or self._again or self._flying or self._suspects)

    def end(self, interrupted: bool) -> None:
        """Stop what is on its way, and take what was trained until then."""
        client = self._cluster.client
        try:
            if (self._flying or self._lost) and client.status == "running":
                # Not here: a worker that does not answer would keep this process waiting.
                threading.Thread(target=_told_to_stop, args=(client, self._name), daemon=True).start()
                end = time.monotonic() + _STOPPING
                while self._flying and time.monotonic() < end:
                    self._landed.wait(_LOOK)
                    self._landed.clear()
                    self._take(again=False, reason=None if interrupted else "max_time")
        finally:
            if self._flying:
                with suppress(Exception):  # such as where the connection was lost
                    client.cancel(list(self._flying))

    def _count(self) -> None:
        """Count the workers and their threads, if that was not done lately."""
        now = time.monotonic()
        if self._cluster.client.status != "running":
            raise RuntimeError(_LOST_CONNECTION)
        if now < self._counted + _COUNT:
            return
        threads = self._cluster.threads()
        self._counted = now
        self._slots = int(min(sum(threads), self._most))
        self._room = self._slots if self._slots < sum(threads) else _EACH * self._slots
        if threads:
            self._had_worker = now
        elif now > self._had_worker + _NO_WORKER:
            raise RuntimeError(f"client has had no worker for {_NO_WORKER:.0f} s")

    def _next_chunk(self) -> _Chunk:
        """Take the longest fits that wait: of all that wait a share, so that the last chunks are small."""
        share = max(_LEAST_SECONDS, self._waiting / (3 * self._slots))
        most = math.ceil(len(self._left) / self._slots)
        places: list[int] = []
        seconds, size = 0.0, 0
        while self._left and len(places) < most:
            place = self._left[-1]
            seconds, size = seconds + self._costs[place], size + self._bytes(place)
            if places and (seconds > share or size > _MOST_BYTES):
                break
            places.append(self._left.pop())
        self._waiting -= math.fsum(self._costs[place] for place in places)
        return _Chunk(tuple(places))

    def _bytes(self, place: int) -> int:
        """Return roughly what is sent for a job, and back."""
        job = self._jobs[place]
        return job.network.parameters.nbytes * (1 if job.state is None else 5)

    def _send(self, chunk: _Chunk) -> None:
        waiting = len(self._left) + len(self._again) + len(self._flying) + 1
        threads = max(1, self._slots // waiting)  # fewer fits than threads share these
        future = self._cluster.submit(self._name, [self._jobs[place] for place in chunk.places], threads)
        self._flying[future] = chunk
        future.add_done_callback(lambda _: self._landed.set())

    def _take(self, again: bool, reason: str | None = None) -> None:
        """Take what has ended; send again what was lost, or leave it."""
        for future in [future for future in self._flying if future.done()]:
            chunk = self._flying.pop(future)
            try:
                self._take_chunk(chunk, future.result(timeout=_NO_WORKER), reason)
            except asyncio.TimeoutError:  # its worker ended before it was fetched: Dask trains it again
                self._flying[future] = chunk
            except _LOST:
                if again:
                    self._send_again(chunk)
            except (_killed(), MemoryError) as error:
                if again:
                    self._failed(chunk, error)
        if self._on_progress is not None:
            self._on_progress(self._done, self._rows)

    def _take_chunk(self, chunk: _Chunk, ended: ChunkDone, reason: str | None) -> None:
        self._cluster.compare(ended.facts)
        for place, done in zip(chunk.places, ended.jobs, strict=True):
            if done is not None:
                self.outcomes[place] = self._taken(self._jobs[place], done, reason)
                self._done += 1

    def _taken(self, job: Job, done: Done, reason: str | None) -> Outcome | Exception:
        """Give a job what the worker has made of its network; say why it was stopped."""
        job.network.parameters[:] = done.parameters
        job.state = done.state
        if isinstance(done.outcome, Exception):
            return done.outcome
        self._rows += len(done.outcome.records) * len(job.rows)
        if reason is not None and done.outcome.reason == "interrupted":
            return replace(done.outcome, reason=reason)
        return done.outcome

    def _send_again(self, chunk: _Chunk) -> None:
        self._lost = True
        if chunk.attempts >= _ATTEMPTS:
            raise RuntimeError(
                f"client: {plural(len(chunk.places), 'fit was', 'fits were')} lost {_ATTEMPTS} times, with "
                "the workers that had them"
            )
        self._again.append(replace(chunk, attempts=chunk.attempts + 1))

    def _failed(self, chunk: _Chunk, error: Exception) -> None:
        """Note the error of a fit that ends its workers.

        Dask names all that these had. So each is tried again, when nothing else is on its way.
        """
        if not chunk.alone:
            self._suspects += chunk.places
            return
        if isinstance(error, MemoryError):
            own: Exception = MemoryError(str(error))  # without the frames that it came through
        else:
            own = RuntimeError(f"the workers that trained it died, one after the other: {error}")
        self.outcomes[chunk.places[0]] = own
        self._done += 1


def _told_to_stop(client: Client, call: str) -> None:
    with suppress(Exception):
        client.run(stop, call, on_error="ignore")


def _killed() -> type[Exception]:
    """Return what a future raises whose task was on several workers as they died."""
    from distributed import KilledWorker

    killed: type[Exception] = KilledWorker
    return killed
