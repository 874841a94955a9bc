"""One network on several processes: what ends one ends all, and a run goes on from the last checkpoint."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import mpi_tools
from communicator_tools import ENDLESS, GIVEN, goes_on_from
from mpi_tools import mpiexec
from process_tools import posix

pytestmark = posix

SOON = 30  # seconds; a hang would take mpi_tools.HANG

CALLBACK = """
def fails(net):
    if len(net.history) == 7:
        raise OSError("no space left for the log")
"""

BAD_ROWS = """
if world.rank == 1:
    X[200, 3] = np.nan
fails = ()
"""

NOTHING = "fails = ()\n"


def test_an_error_of_a_callback_ends_all(tmp_path: Path) -> None:
    ended = mpiexec(4, GIVEN + CALLBACK + ENDLESS, str(tmp_path), "60")
    assert ended.code == 1
    assert "\nOSError: no space left for the log\n" in ended.err
    assert ended.err.count("ProcessError: process 1: OSError: no space left for the log\n") == 3
    assert ended.seconds < SOON
    assert goes_on_from(tmp_path) in (6, 7)


def test_bad_rows_in_one_process_end_all(tmp_path: Path) -> None:
    ended = mpiexec(2, GIVEN + BAD_ROWS + ENDLESS, str(tmp_path), "60")
    assert ended.code == 1
    assert "\nValueError: X has nan at row 200, column 3; only finite numbers are accepted\n" in ended.err
    assert ended.err.count("ProcessError: process 1: ValueError: X has nan at row 200, column 3") == 1
    assert ended.seconds < SOON
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "timeout", "said"),
    [
        (signal.SIGKILL, "60", ""),
        (signal.SIGINT, "60", "ProcessError: process 1: KeyboardInterrupt\n"),
        (signal.SIGSTOP, "1", "ProcessError: process 1 has not answered for 1 s (timeout=1)\n"),
    ],
    ids=["killed", "interrupted", "stopped"],
)
def test_a_signal_to_one_process_ends_all(
    tmp_path: Path, number: signal.Signals, timeout: str, said: str
) -> None:
    def meanwhile(running: mpi_tools.Processes) -> None:
        pid = running.of_rank(1)
        end = time.monotonic() + mpi_tools.HANG
        while not any(tmp_path.glob("epoch-*")) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(pid, number)

    ended = mpiexec(2, GIVEN + NOTHING + ENDLESS, str(tmp_path), timeout, meanwhile=meanwhile)
    assert ended.code != 0
    assert said in ended.err
    assert ended.seconds < SOON
    assert goes_on_from(tmp_path) > 1
