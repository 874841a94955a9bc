"""Processes that train together: what fails in one ends all of them, within seconds and with its message."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

import mpi_tools
from mpi_tools import mpiexec
from process_tools import posix

pytestmark = posix

SOON = 20  # seconds; a hang would take `timeout` or mpi_tools.HANG, which are longer


def test_who_catches_the_error_of_another_process_goes_on() -> None:
    ended = mpiexec(
        4,
        """
        def attempt(name, work, timeout=60):
            processes = None
            try:
                processes = Processes(world, timeout)
                with processes.together():
                    work(processes)
                text, process = "no error", None
            except BaseException as error:
                text, process = f"{type(error).__name__}: {error}", getattr(error, "process", None)
                try:
                    if processes is not None:  # else it has heard of the failure before
                        processes.told(0)
                except ProcessError as again:
                    assert process is None or str(again) == str(error)
            for rank, each in enumerate(world.gather((text, process)) or ()):
                say(name, rank, *each)

        def one(error, rank=2, rounds=3):
            def work(processes):
                for _ in range(rounds):
                    processes.gathered(0)
                if processes.rank == rank:
                    raise error
            return work

        attempt("a", one(ValueError("X has nan")))
        attempt("b", one(SystemExit(3), 0))
        attempt("c", one(KeyboardInterrupt(), 3, 0))

        def all_at_once(processes):
            raise OSError(processes.rank)

        def other_length(sent):
            def work(processes):
                processes.swap(processes.rank ^ 1, bytes(sent if processes.rank == 0 else 20), bytearray(20))
                processes.gathered(0)
            return work

        def all_wait(processes):
            processes.swap(processes.rank ^ 1, b"", bytearray(1))

        attempt("d", all_at_once)
        attempt("e", other_length(10))
        attempt("f", other_length(30))
        attempt("g", all_wait, 0.5)
        attempt("h", one(None, -1))
        say("z end")
        """,
    )
    told = "ProcessError: process 2: ValueError: X has nan 2"
    assert ended.out[:4] == [f"a 0 {told}", f"a 1 {told}", "a 2 ValueError: X has nan None", f"a 3 {told}"]
    told = "ProcessError: process 0: SystemExit: 3 0"
    assert ended.out[4:8] == ["b 0 SystemExit: 3 None", f"b 1 {told}", f"b 2 {told}", f"b 3 {told}"]
    told = "ProcessError: process 3: KeyboardInterrupt 3"
    assert ended.out[8:12] == [f"c 0 {told}", f"c 1 {told}", f"c 2 {told}", "c 3 KeyboardInterrupt:  None"]
    own = [line == f"d {rank} OSError: {rank} None" for rank, line in enumerate(ended.out[12:16])]
    assert any(own)  # some may hear of another's before theirs
    assert all(
        mine or " ProcessError: process " in line for mine, line in zip(own, ended.out[12:16], strict=True)
    )
    told = "ProcessError: process 0 sent 10 bytes, 20 were awaited 0"
    assert ended.out[16:20] == [f"e {rank} {told}" for rank in range(4)]
    told = "ProcessError: messages to or from process 0 failed: "
    assert [line.partition(told)[:2] for line in ended.out[20:24]] == [(f"f {i} ", told) for i in range(4)]
    assert all("has sent nothing for 0.5 s (timeout=0.5); it waits, too" in line for line in ended.out[24:28])
    assert ended.out[28:] == [f"h {rank} no error None" for rank in range(4)] + ["z end"] * 4
    assert (ended.code, ended.err) == (0, "")  # all have come to their ends


def test_an_error_ends_all_with_its_traceback_while_the_others_wait() -> None:
    ended = mpiexec(
        4,
        """
        with Processes(world, 60).together() as processes:
            for batch in range(10):
                processes.gathered(batch)
                if batch == 5 and processes.rank == 2:
                    raise ValueError("X has nan at row 7")
        say("not here")
        """,
    )
    assert (ended.code, ended.out) == (1, [])
    assert ended.err.count("ValueError: X has nan at row 7") == 4  # its own, and what it told the others
    assert "line 5, in <module>\nValueError" not in ended.err
    assert ended.seconds < SOON


def test_messages_under_way_keep_nobody_from_ending() -> None:
    ended = mpiexec(
        2,
        """
        with Processes(world, 60).together() as processes:
            if processes.rank == 1:
                raise MemoryError("no room")
            processes.swap(1, bytes(10**8), bytearray(10**8))
        """,
    )
    assert ended.code == 1
    assert ended.err.count("MemoryError: no room\n") == 2
    assert ended.seconds < SOON


def test_an_error_ends_all_while_the_others_compute_and_outside_of_their_part() -> None:
    ended = mpiexec(
        4,
        """
        import fastmlp._processes.words as words
        words._GRACE = 0.5
        part = world.Split(world.rank // 2)
        with Processes(part, 60).together() as processes:
            if world.rank == 1:
                raise ValueError("bad rows")
            time.sleep(600)
        """,
    )
    assert (ended.code, ended.out) == (1, [])
    assert ended.err.count("ValueError: bad rows") == 1
    assert ended.seconds < SOON


def test_who_does_not_come_is_not_waited_for_longer_than_timeout() -> None:
    ended = mpiexec(
        2,
        """
        if world.rank == 1:
            raise ValueError("there is no such file")
        Processes(world, 1)
        """,
    )
    assert ended.code == 1
    assert "ValueError: there is no such file\n" in ended.err
    late = "ProcessError: not all processes of communicator came to train within 1 s (timeout=1)\n"
    assert late in ended.err


ROUNDS = """
ready()
with Processes(world, float(sys.argv[1])).together() as processes:
    while True:
        processes.gathered(0)
"""
ONE_COMPUTES = """
ready()
with Processes(world, float(sys.argv[1])).together() as processes:
    while processes.rank == 1:
        pass
    processes.gathered(0)
"""


def signalled(number: signal.Signals, rank: int, processes: int) -> Callable[[mpi_tools.Processes], None]:
    """Return what sends a signal to a rank, or to mpiexec for rank -1, when all processes have begun."""

    def meanwhile(running: mpi_tools.Processes) -> None:
        pids = [running.of_rank(each) for each in range(processes)]
        time.sleep(0.3)
        os.kill(pids[rank] if rank >= 0 else running.mpiexec.pid, number)

    return meanwhile


@pytest.mark.parametrize("script", [ROUNDS, ONE_COMPUTES], ids=["it waits", "it computes"])
def test_ctrl_c_in_one_process_ends_all(script: str) -> None:
    ended = mpiexec(2, script, "60", meanwhile=signalled(signal.SIGINT, 1, 2))
    assert ended.code != 0
    assert "\nKeyboardInterrupt\n" in ended.err
    assert "ProcessError: process 1: KeyboardInterrupt\n" in ended.err
    assert ended.seconds < SOON


def test_ctrl_c_on_the_terminal_ends_all() -> None:
    ended = mpiexec(4, ROUNDS, "60", meanwhile=signalled(signal.SIGINT, -1, 4))
    assert ended.code != 0
    assert ended.seconds < SOON


def test_a_process_that_is_killed_ends_all() -> None:
    ended = mpiexec(2, ROUNDS, "60", meanwhile=signalled(signal.SIGKILL, 1, 2))
    assert ended.code != 0
    assert ended.seconds < SOON


def test_a_process_that_stops_ends_all_after_timeout_and_is_named() -> None:
    ended = mpiexec(4, ROUNDS, "1", meanwhile=signalled(signal.SIGSTOP, 2, 4))
    assert ended.code == 1
    late = "ProcessError: process 2 has not answered for 1 s (timeout=1)\n"
    assert ended.err.count(late) == ended.err.count("ProcessError") == 3
    assert ended.seconds < SOON
