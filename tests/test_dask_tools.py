"""The clusters of tests: that they begin with what was asked for and leave no process behind."""

from __future__ import annotations

import os
import sys
import time

import pytest

from dask_tools import dask_command, local_client, pids


def square(number: int) -> int:
    """A function of this module, which workers must be able to import."""
    return number * number


def is_gone(pid: int) -> bool:
    """Whether a process has ended, soon at the latest."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_a_local_cluster_leaves_no_process() -> None:
    with local_client(workers=1, threads=2) as client:
        assert list(client.nthreads().values()) == [2]
        started = pids(client).values()
    assert all(map(is_gone, started))


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_a_cluster_of_commands_leaves_no_process() -> None:
    with dask_command(workers=1) as cluster, cluster.client() as client:
        started = [*pids(client).values(), cluster.scheduler.pid, *(one.pid for one in cluster.workers)]
        assert len(set(started)) == 3  # the worker has a nanny
        assert client.submit(square, 4).result() == 16
    assert all(map(is_gone, started))
