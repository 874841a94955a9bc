"""Scripts under mpiexec: what they printed, how they ended, and that nothing of them is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

HANG = 90  # seconds; everything here takes a few

_PRELUDE = """
import os, pathlib, sys, time, traceback
pathlib.Path(os.environ["FASTMLP_TEST_PROCESSES"], str(os.getpid())).touch()
import numpy as np
from mpi4py import MPI
from fastmlp._processes.failure import ProcessError
from fastmlp._processes.processes import Processes

world = MPI.COMM_WORLD

# Texts of several processes come through one pipe: each is written at once.
sys.excepthook = lambda *error: sys.stderr.write("".join(traceback.format_exception(*error)))

def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

def ready():
    pathlib.Path(os.environ["FASTMLP_TEST_PROCESSES"], f"rank-{world.rank}").write_text(str(os.getpid()))
"""


class Ended(NamedTuple):
    """How a program of several processes ended."""

    code: int
    out: list[str]  # lines, in alphabetical order, as processes print when they like
    err: str
    seconds: float


def launcher() -> str:
    """Return the path of mpiexec: that of this environment, else the first on the path."""
    path = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    assert path is not None, "mpiexec is missing: pip install 'fastmlp[mpi]'"
    return path


def mpiexec(
    processes: int,
    script: str,
    *arguments: str,
    meanwhile: Callable[[Processes], None] | None = None,
) -> Ended:
    """Run a script, behind what all scripts here import, in several processes; see `run_mpi`."""
    return run_mpi([launcher(), "-n", str(processes), *program(script, *arguments)], meanwhile)


def program(script: str, *arguments: str) -> list[str]:
    """Return the command of one process that runs a script, behind what all scripts here import."""
    return [sys.executable, "-c", _PRELUDE + textwrap.dedent(script), *arguments]


class Processes:
    """A program that runs: what a test does to its processes meanwhile."""

    def __init__(self, popen: subprocess.Popen[str], folder: Path) -> None:
        self.mpiexec = popen
        self.folder = folder

    def pids(self) -> list[int]:
        """Return the processes that have started so far."""
        return [int(path.name) for path in self.folder.iterdir() if path.name.isdigit()]

    def do(self, meanwhile: Callable[[Processes], None]) -> None:
        """Do something, and tell what the processes printed if it fails."""
        try:
            meanwhile(self)
        except AssertionError as error:
            self.mpiexec.kill()
            raise AssertionError(f"{error}: {self.mpiexec.communicate()}") from error

    def of_rank(self, rank: int) -> int:
        """Wait until the script of a rank has called ``ready()``, and return its process."""
        path = self.folder / f"rank-{rank}"
        end = time.monotonic() + HANG
        while not path.exists() or not path.read_text():
            going = self.mpiexec.poll() is None and time.monotonic() < end
            assert going, f"process {rank} did not come so far"
            time.sleep(0.01)
        return int(path.read_text())


def run_mpi(command: Sequence[str], meanwhile: Callable[[Processes], None] | None = None) -> Ended:
    """Run a command that starts several processes; all of them must end in time."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"FASTMLP_TEST_PROCESSES": folder, "TERM": "dumb", "COLUMNS": "120"}
        start = time.monotonic()
        with subprocess.Popen(
            list(command), env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as popen:  # fmt: skip
            running = Processes(popen, Path(folder))
            try:
                if meanwhile is not None:
                    running.do(meanwhile)
                out, err = popen.communicate(timeout=HANG)
                seconds = time.monotonic() - start
                _check_gone(running.pids())
            finally:
                popen.kill()
                for pid in running.pids():
                    _kill(pid)
    return Ended(popen.returncode, sorted(out.splitlines()), err, seconds)


def _check_gone(pids: list[int]) -> None:
    end = time.monotonic() + 5
    while left := [pid for pid in pids if _lives(pid)]:
        assert time.monotonic() < end, f"processes {left} are left behind"
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # it has ended meanwhile, or there is no such folder here
    return status.rpartition(")")[2].split()[0] != "Z"


def _kill(pid: int) -> None:
    if _lives(pid):
        os.kill(pid, signal.SIGKILL)
