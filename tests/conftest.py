"""Fixtures: the instruction set and the number of threads that the core runs on, and signals."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import fastmlp
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads

if TYPE_CHECKING:
    from distributed import Client

pytest.register_assert_rewrite("cli_tools", "communicator_tools", "estimator_tools", "mpi_tools")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """Undo what shells do to jobs in the background: they, and all that they start, ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=fastmlp.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test on each instruction set that is built and that this machine can run."""
    before = _core.ISA
    _core.use(request.param)
    yield request.param
    _core.use(before)


@pytest.fixture
def exact_threads(isa: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the core run exactly as many threads as it is asked for.

    Left alone it takes fewer where a step is small or the machine has fewer cores, and a test of many threads
    would quietly test one.
    """
    monkeypatch.setattr(_threads, "available_cpus", lambda: 64)
    monkeypatch.setattr(_threads, "_limit", None)  # and back to what it was, whatever the test sets
    _core.set_exact_threads(True)
    yield
    _core.set_exact_threads(False)


@pytest.fixture
def pictures() -> Iterator[None]:
    """Draw each picture, as some errors and warnings come only then, and close it."""
    import matplotlib.pyplot as plt

    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


@pytest.fixture(scope="module")
def dask_threads() -> Iterator[Client]:
    """Return a client of two workers in this process, for tests of what does not depend on processes."""
    from dask_tools import client_in_this_process

    with client_in_this_process(workers=2) as client, client.as_current():
        yield client


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Client]:
    """Return a client of a Dask cluster of three processes with a thread each, for the tests of one file."""
    from dask_tools import local_client

    with local_client(workers=3) as client:
        yield client
