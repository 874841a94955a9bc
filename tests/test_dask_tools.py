"""The clusters of tests: that they begin with what was asked for and leave no process behind."""

from __future__ import annotations

import os
import sys
import time

import pytest
from distributed import Client

from dask_tools import dask_command, kill, local_client, pids


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


def test_the_fixture_has_three_processes(dask_client: Client) -> None:
    assert dask_client.nthreads() == dict.fromkeys(dask_client.nthreads(), 1)
    assert len({os.getpid(), *pids(dask_client).values()}) == 4
    assert dask_client.submit(square, 3).result() == 9


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_a_local_cluster_leaves_no_process() -> None:
    with local_client(workers=1, threads=2) as client:
        assert list(client.nthreads().values()) == [2]
        started = pids(client).values()
    assert all(map(is_gone, started))


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_a_cluster_of_commands_leaves_no_process() -> None:
    with dask_command(workers=2) as cluster, cluster.client() as client:
        started = [*pids(client).values(), cluster.scheduler.pid, *(one.pid for one in cluster.workers)]
        assert len(set(started)) == 5  # each worker has a nanny
        assert client.submit(square, 4).result() == 16
    assert all(map(is_gone, started))


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_a_worker_that_was_killed_is_followed_by_another(dask_client: Client) -> None:
    before = set(pids(dask_client).values())
    kill(min(before))
    assert is_gone(min(before))
    end = time.monotonic() + 30
    while len(after := set(pids(dask_client).values())) < 3 or after == before:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len(after & before) == 2
