"""How many threads the core may use: the processor affinity, the container's quota, and the user's wish."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from fastmlp._native import core as _core

_limit: int | None = None
_most: ContextVar[int | None] = ContextVar("most", default=None)  # within at_most

_BYTES_FOR_TWO = 2**20


def available_cpus() -> int:
    """Return the number of processors this process may use: its affinity and its cgroup's CPU quota.

    Where OpenMP binds its threads (``OMP_PROC_BIND``, ``OMP_PLACES``, ``GOMP_CPU_AFFINITY``), it bound the
    main thread to one processor when it was loaded: its list of processors counts instead of the affinity.
    """
    cpus = _core.openmp_processors() or _affinity()
    return max(1, math.ceil(min(cpus, _cgroup_quota())))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the CPUs that the cgroup's quota is worth (v2, then v1), infinity without one."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = (
                (root / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        return float(quota) / float(period) if quota != "max" and float(quota) > 0 else math.inf
    except (OSError, ValueError):
        return math.inf


def get_num_threads() -> int:
    """Return the most threads that a computation uses.

    Returns
    -------
    int
        What `set_num_threads` set, else OpenMP's limit (the environment variable ``OMP_NUM_THREADS`` as it
        was at import, or what threadpoolctl set since); by default the number of processors this process
        may use, which OpenMP's limit never exceeds.
    """
    return _limit if _limit is not None else min(_core.openmp_threads(), available_cpus())


def set_num_threads(n: int) -> None:
    """Limit the threads of every later computation of this process.

    Results do not depend on it: the bits are the same for any number.

    Parameters
    ----------
    n : int
        At least 1. The core uses fewer where the work is small, and never more than there are processors.

    Raises
    ------
    TypeError, ValueError
        If n is not an integer, or below 1.
    """
    global _limit
    _limit = _checked_limit(n)


def _checked_limit(n: Any) -> int:
    # The checks of arguments in fastmlp._base need the core, and lie above this package.
    if isinstance(n, bool) or not isinstance(n, numbers.Integral):
        raise TypeError(f"n must be an integer, got {n!r}")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n!r}")
    return int(n)


def resolve(threads: int | None) -> int:
    """Return the limit that one computation hands to the core."""
    return min(get_num_threads() if threads is None else threads, available_cpus())


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Limit the threads of what is computed meanwhile in this context without a number of its own."""
    before = _most.set(threads)
    try:
        yield
    finally:
        _most.reset(before)


def for_bytes(count: int) -> int:
    """Return the limit for work on so many bytes of memory; a few are not worth a second thread."""
    if count < _BYTES_FOR_TWO:
        return 1
    most = _most.get()
    return resolve(None) if most is None else most
