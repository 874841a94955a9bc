"""What the workers of a Dask cluster do for fits that a client has sent: train a chunk of them, and stop."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._native import core as _core
from fastmlp._training.job import Carried, Job
from fastmlp._training.run import Outcome, run_many

#: The calls whose fits are to end, as this process was told.
_stopped: set[str] = set()


@dataclass(frozen=True)
class Facts:
    """What two processes must have in common for the same bits."""

    version: str
    isa: str


@dataclass(frozen=True)
class Done:
    """What became of a job: how it ended, or the exception of the core, with the weights and the state."""

    outcome: Outcome | Exception
    parameters: NDArray[Any]
    state: Carried | None


@dataclass(frozen=True)
class ChunkDone:
    """What became of the jobs of a chunk, None for those that were not begun; and who trained them."""

    jobs: list[Done | None]
    facts: Facts


class Shared:
    """Something large that was sent once.

    Arrays that arrive in a message begin anywhere in it; the core reads numbers at multiples of their size,
    so that they are copied there, once for each worker.
    """

    def __init__(self, value: NDArray[Any] | bytes) -> None:
        self.value = value if isinstance(value, bytes) else np.require(value, requirements=["C", "A"])

    def __reduce__(self) -> Any:
        return Shared, (self.value,)

    def __sizeof__(self) -> int:  # by which Dask chooses where a task runs
        return len(self.value) if isinstance(self.value, bytes) else self.value.nbytes


def packed(jobs: Sequence[Job], shared: Container[int]) -> tuple[bytes, list[int]]:
    """Pickle jobs but for arrays that were sent before, by their ids; return the ids that they read."""
    file = io.BytesIO()
    pickler = _Pickler(file, shared)
    pickler.dump(list(jobs))
    return file.getvalue(), list(pickler.used)


def _unpacked(content: bytes, shared: Mapping[int, Any]) -> list[Job]:
    jobs: list[Job] = _Unpickler(io.BytesIO(content), shared).load()
    return jobs


class _Pickler(pickle.Pickler):
    """Writes the id in place of an array that was sent before."""

    def __init__(self, file: io.BytesIO, shared: Container[int]) -> None:
        super().__init__(file, protocol=5)
        self._shared = shared
        self.used: dict[int, None] = {}

    def persistent_id(self, value: Any) -> int | None:
        if id(value) not in self._shared:
            return None
        self.used[id(value)] = None
        return id(value)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: Mapping[int, Any]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, number: int) -> Any:
        return self._shared[number]


def facts() -> Facts:
    """Return what this process computes with."""
    return Facts(version("fastmlp"), _core.ISA)


class StoppedError(Exception):
    """The call whose fits these are has ended."""


def train_chunk(
    call: str, wanted: str, threads: int, content: bytes | Shared, ids: Sequence[int], *shared: Shared
) -> ChunkDone:
    """Train the jobs of a chunk, as a task of Dask.

    Parameters
    ----------
    call : str
        The call that they belong to, which may be told to stop.
    wanted : str
        The version of fastmlp that the client has.
    threads : int
        The most threads; no more than this worker has.
    content : bytes, or Shared of bytes
        See `packed`.
    ids : sequence of int
        Of the arrays in `shared`, where they come from.
    """
    own = facts()
    check_version("this worker", own, wanted)
    packed_jobs = content.value if isinstance(content, Shared) else content
    assert isinstance(packed_jobs, bytes)
    jobs = _unpacked(packed_jobs, dict(zip(ids, (one.value for one in shared), strict=True)))
    _check_bfloat16(jobs)

    def look(done: int, rows: int) -> None:
        if call in _stopped:
            raise StoppedError

    if call in _stopped:
        return ChunkDone([None] * len(jobs), own)
    threads = min(threads, _threads_of_this_worker())
    outcomes, exception = run_many([job.run(threads) for job in jobs], threads, math.inf, look)
    if exception is not None and not isinstance(exception, StoppedError):
        raise exception
    done = [
        None if outcome is None else Done(outcome, job.network.parameters, job.state)
        for job, outcome in zip(jobs, outcomes, strict=True)
    ]
    return ChunkDone(done, own)


def check_version(who: str, found: Facts, wanted: str) -> None:
    """Refuse a worker with another version of fastmlp, which may compute other bits."""
    if found.version != wanted:
        raise RuntimeError(
            f"client: {who} has fastmlp {found.version}, this process {wanted}; install the same version on "
            "all workers"
        )


def _check_bfloat16(jobs: Sequence[Job]) -> None:
    if any(job.settings.bfloat16 for job in jobs) and (missing := _core.why_no_bfloat16()):
        raise RuntimeError(f"client: compute='bfloat16' needs AVX512_BF16 on all workers; of one, {missing}")


def _threads_of_this_worker() -> int:
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def stop(call: str) -> None:
    """End the fits of a call that this process trains, and those that it has not begun."""
    _stopped.add(call)
