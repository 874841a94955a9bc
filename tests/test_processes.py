"""Processes that train together: buffers and values arrive, under mpiexec."""

from __future__ import annotations

import pickle

import pytest

from fastmlp._processes.failure import Failure, ProcessError
from mpi_tools import mpiexec
from process_tools import posix, run

pytestmark = posix  # mpiexec is found where Unix has it


def test_buffers_of_any_size_and_kind_arrive_both_ways() -> None:
    ended = mpiexec(
        2,
        """
        import fastmlp._processes.processes as module
        processes = Processes(world, 60)
        me, other = processes.rank, 1 - processes.rank

        def check(sent, awaited):
            if me == 1:
                sent, awaited = awaited, sent
            into = np.zeros(awaited, np.uint8)
            processes.swap(other, np.arange(sent).astype(np.uint8) + np.uint8(me), into)
            assert np.array_equal(into, np.arange(awaited).astype(np.uint8) + np.uint8(other))

        with processes.together():
            for mine in (0, 1, 7, 64, 1000, 65_537, 3_000_001):
                for theirs in (0, 1, 7, 64, 1000, 65_537, 3_000_001):
                    check(mine, theirs)
            for out, into in [
                (b"abcdefgh", bytearray(8)),
                (memoryview(b"abcdefgh"), memoryview(bytearray(8))),
                (np.frombuffer(b"abcdefgh", np.float32), np.zeros((2, 1), np.float32)),
                (np.frombuffer(b"abcdefghabcdefgh", np.float64)[:1], np.zeros(3)[1:2]),
            ]:
                processes.swap(other, out, into)
                assert bytes(memoryview(into)) == b"abcdefgh"
            module._PIECE = 1000  # larger buffers go in pieces
            for sent, awaited in [(1000, 1001), (999, 5000), (0, 3000), (2500, 2500)]:
                check(sent, awaited)
        say("done", me)
        """,
    )
    assert (ended.code, ended.out, ended.err) == (0, ["done 0", "done 1"], "")


@pytest.mark.parametrize("processes", [1, 8])
def test_values_of_any_length_are_gathered_in_order_and_told(processes: int) -> None:
    ended = mpiexec(
        processes,
        """
        processes = Processes(world, 60)
        with processes.together() as same:
            assert same is processes
            for length in (0, 1, 400, 500, 510, 5000, 200_000):
                texts = processes.gathered((processes.rank, "x" * (length * processes.rank)))
                assert texts == [(rank, "x" * (length * rank)) for rank in range(processes.size)]
                assert processes.told("y" * length if processes.rank == 0 else None) == "y" * length
            array = processes.gathered(np.full(3, processes.rank))
            assert [each.tolist() for each in array] == [[rank] * 3 for rank in range(processes.size)]
        say(processes.rank, "of", processes.size)
        """,
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == [f"{rank} of {processes}" for rank in range(processes)]


def test_parts_of_a_communicator_are_apart_and_leave_the_users_messages_alone() -> None:
    ended = mpiexec(
        4,
        """
        part = world.Split(world.rank % 2, -world.rank)
        for tag in (0, 1):
            world.isend("mine", (world.rank + 1) % 4, tag)  # of the same tags, and not yet received
            part.isend("mine", 1 - part.rank, tag)
        for _ in range(2):
            processes = Processes(part, 60)
            with processes.together():
                assert processes.gathered(world.rank) == [2 + world.rank % 2, world.rank % 2]
        for tag in (1, 0):
            assert world.recv(None, (world.rank - 1) % 4, tag) == "mine"
            assert part.recv(None, 1 - part.rank, tag) == "mine"
        say("done")
        """,
    )
    assert (ended.code, ended.out, ended.err) == (0, ["done"] * 4, "")


def test_arguments_are_checked() -> None:
    ended = mpiexec(
        3,
        """
        for communicator, timeout in [
            (world, 60), ("world", 60), (None, 60), (MPI.COMM_NULL, 60),
            (MPI.COMM_SELF, 0), (MPI.COMM_SELF, "long"), (MPI.COMM_SELF, float("nan")),
        ]:
            try:
                Processes(communicator, timeout)
            except (TypeError, ValueError) as error:
                if world.rank == 0:
                    say(f"{type(error).__name__}: {error}")
        """,
    )
    assert ended.code == 0, ended.err
    assert ended.out == [
        "TypeError: communicator must be one of mpi4py, such as MPI.COMM_WORLD; got 'world'",
        "TypeError: communicator must be one of mpi4py, such as MPI.COMM_WORLD; got None",
        "TypeError: timeout must be a number, got 'long'",
        "ValueError: communicator must have a power of two of processes (1, 2, 4, 8, ...), got 3",
        "ValueError: communicator must have this process in it, got MPI.COMM_NULL",
        "ValueError: timeout must be greater than 0, got 0",
        "ValueError: timeout must be greater than 0, got nan",
    ]


def test_mpi_is_not_started_by_who_does_not_use_it() -> None:
    printed = run(
        """
        import importlib.util, sys
        import fastmlp, fastmlp.distributed
        from fastmlp._processes.processes import Processes
        for find in (importlib.util.find_spec, lambda name: None):
            importlib.util.find_spec = find
            try:
                Processes(3, 1.0)
            except (TypeError, ImportError) as error:
                print(error)
        print([name for name in sys.modules if name.startswith("mpi4py")])
        """
    )
    assert printed.splitlines() == [
        "communicator must be one of mpi4py, such as MPI.COMM_WORLD; got 3",
        "several processes need mpi4py and an MPI library: pip install 'fastmlp[mpi]'",
        "[]",
    ]


def test_one_process_needs_no_mpiexec() -> None:
    printed = run(
        """
        from mpi4py import MPI
        from fastmlp._processes.processes import Processes
        processes = Processes(MPI.COMM_WORLD, 1)
        with processes.together():
            print(processes.rank, processes.size, processes.gathered("x"), processes.told(3))
        try:
            with Processes(MPI.COMM_WORLD, 1).together():
                raise ValueError("mine alone")
        except ValueError as error:
            print(error)
        """
    )
    assert printed.splitlines() == ["0 1 ['x'] 3", "mine alone"]


def test_a_failure_is_told_in_a_short_text() -> None:
    assert Failure.of(ValueError("x" * 5000), 3) == Failure(3, "process 3: ValueError: " + "x" * 2000)
    assert Failure.of(KeyboardInterrupt(), 1) == Failure(1, "process 1: KeyboardInterrupt")
    assert Failure.of(ProcessError("process 4 has not answered", 4), 1).process == 4
    error = pickle.loads(pickle.dumps(Failure(3, "process 3: ValueError: X").error()))
    assert (str(error), error.process) == ("process 3: ValueError: X", 3)
