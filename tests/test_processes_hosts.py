"""Processes that train together on two hosts: a slow network is waited for, a cut one not for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import mpi_tools
from communicator_tools import ENDLESS, GIVEN, goes_on_from
from host_tools import needs_root, two_hosts
from mpi_tools import launcher, program, run_mpi

pytestmark = needs_root

DELAY = 0.02  # seconds each way


def test_a_slow_network_is_waited_for(tmp_path: Path) -> None:
    script = f"""
    with Processes(world, 30).together() as processes:
        processes.gathered(0)
        start = time.monotonic()
        for batch in range(5):
            assert processes.gathered((batch, world.rank)) == [(batch, 0), (batch, 1)]
        assert time.monotonic() - start > 4 * {DELAY}
        for size in (1, 100_000, 1_000_000):
            into = np.zeros(size, np.uint8)
            processes.swap(1 - world.rank, np.arange(size).astype(np.uint8), into)
            assert np.array_equal(into, np.arange(size).astype(np.uint8))
    say("done")
    """
    with two_hosts(tmp_path, DELAY) as hosts:
        ended = run_mpi(hosts.command(launcher(), program(script)))
    assert (ended.code, ended.out, ended.err) == (0, ["done", "done"], "")


@pytest.mark.parametrize("size", [8, 10_000_000])
def test_a_cut_network_is_an_error_after_timeout_on_both_sides(tmp_path: Path, size: int) -> None:
    script = f"""
    with Processes(world, 1).together() as processes:
        into = np.zeros({size}, np.uint8)
        out = np.zeros({size}, np.uint8)
        processes.swap(1 - world.rank, out, into)
        ready()
        try:
            while True:
                processes.swap(1 - world.rank, out, into)
        except ProcessError as error:  # what the second host prints is lost, too
            pathlib.Path({str(tmp_path)!r}, f"error-{{world.rank}}").write_text(str(error))
            raise
    """
    with two_hosts(tmp_path) as hosts:

        def cut(running: mpi_tools.Processes) -> None:
            for rank in (0, 1):
                running.of_rank(rank)
            time.sleep(0.3)
            hosts.cut()

        ended = run_mpi(hosts.command(launcher(), program(script)), cut)
    assert ended.code != 0
    assert "ProcessError: process 1 has not answered for 1 s (timeout=1)\n" in ended.err
    assert (tmp_path / "error-1").read_text() == "process 0 has not answered for 1 s (timeout=1)"
    assert ended.seconds < 30


def test_a_network_has_the_bits_of_one_host_and_outlives_a_cut(tmp_path: Path) -> None:
    with two_hosts(tmp_path) as hosts:

        def cut(running: mpi_tools.Processes) -> None:
            running.of_rank(1)
            end = time.monotonic() + mpi_tools.HANG
            while not any(tmp_path.glob("epoch-*")) and time.monotonic() < end:
                time.sleep(0.01)
            hosts.cut()

        endless = program(GIVEN + "fails = ()\n" + ENDLESS, str(tmp_path), "1")
        ended = run_mpi(hosts.command(launcher(), endless), cut)
    assert ended.code != 0
    assert "ProcessError: process 1 has not answered for 1 s (timeout=1)\n" in ended.err
    goes_on_from(tmp_path)
