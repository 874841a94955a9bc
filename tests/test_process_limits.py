"""Limits of threads, processors and memory: what there is is used, and what is not there is an error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fastmlp._native import threads as _threads
from process_tools import posix, run

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")

_EXACT = """
import os, resource
import numpy as np, fastmlp
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
_core.set_exact_threads(True)
_threads.available_cpus = lambda: 64
X, y = np.random.default_rng(1).normal(size=(500, 20)), np.arange(500.0)
def train(threads):
    return fastmlp.train(X, y, hidden=(64, 64), epochs=3, threads=threads)
want = train(1)
"""

_FEW_THREADS = """
if os.getuid() == 0:  # whom the limit does not bind
    os.setgid(65534)
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
"""

_LITTLE_MEMORY = """
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * os.sysconf("SC_PAGE_SIZE") + 12 * 2**20  # less than two stacks
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


@linux
@pytest.mark.parametrize("limit", [_FEW_THREADS, _LITTLE_MEMORY], ids=["of processes", "of memory"])
def test_where_no_thread_can_be_started_the_calling_one_computes(limit: str) -> None:
    script = """
net = train(threads=4)
print((net.parameters == want.parameters).all(), (net.predict(X) == want.predict(X)).all())
"""
    assert run(_EXACT + limit + script) == "True True\n"


@linux
def test_rows_in_windows_need_no_thread_to_read_them(tmp_path: Path) -> None:
    script = f"""
np.save({str(tmp_path / "X.npy")!r}, X)
X = np.load({str(tmp_path / "X.npy")!r}, mmap_mode="r")
{_FEW_THREADS}
net = fastmlp.train(X, y, hidden=(64, 64), epochs=3, memory_limit="1 GB")
print((net.parameters == want.parameters).all())
"""
    assert run(_EXACT + script) == "True\n"


@linux
@pytest.mark.parametrize(
    "variables",
    [
        {"OMP_PROC_BIND": "true"},
        {"OMP_PROC_BIND": "spread"},
        {"OMP_PROC_BIND": "close"},
        {"OMP_PLACES": "threads"},
        {"GOMP_CPU_AFFINITY": "all"},
        {},
    ],
    ids=str,
)
def test_bound_threads_have_all_processors(variables: dict[str, str]) -> None:
    """OpenMP binds the main thread to one of them when it is loaded."""
    allowed = sorted(os.sched_getaffinity(0))
    if variables.get("GOMP_CPU_AFFINITY"):
        variables = {"GOMP_CPU_AFFINITY": ",".join(map(str, allowed))}
    script = "import fastmlp; print(fastmlp._native.threads.available_cpus())"
    assert run(script, variables) == f"{_threads.available_cpus()}\n"


@linux
def test_threads_bound_to_one_processor_are_one() -> None:
    first = str(min(os.sched_getaffinity(0)))
    script = "import fastmlp; print(fastmlp._native.threads.available_cpus())"
    assert run(script, {"GOMP_CPU_AFFINITY": first}) == "1\n"


@posix
def test_ctrl_c_is_heard_while_weights_are_drawn() -> None:
    output = run(
        """
        import signal
        from fastmlp._native import core as _core
        net = _core.Network32((6000, 6000, 1), ["relu", "identity"], "squared_error", [1.0], 0.0)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        try:
            net.initialize(0, "normal", 1.0, 0)
        except KeyboardInterrupt:
            print(net.parameters[0] != 0, net.parameters[6000 * 6000 - 1] != 0)
        """
    )
    assert output == "True False\n"
