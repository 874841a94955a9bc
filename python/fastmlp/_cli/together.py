"""A run of `fastmlp train` on several processes: which of them speaks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from fastmlp._cli.stderr import speak
from fastmlp._processes.failure import Failure, ProcessError
from fastmlp._processes.launcher import launch, world

if TYPE_CHECKING:
    from fastmlp._processes.processes import Processes

_PATIENCE = 1.0  # seconds until another process has told of its failure, if it has failed, too,
_SAVING = 5.0  # and if it was interrupted, and saves what it has learned


def speak_for_all(arguments: Sequence[str]) -> None:
    """Let the first process alone write errors where several have one job; other commands know of none."""
    started = launch()
    speak(list(arguments[:1]) != ["train"] or started.rank == 0)


@contextmanager
def started_processes(timeout: float) -> Iterator[Processes | None]:
    """Yield the processes that a launcher has started for this run, None where there is one alone.

    What goes wrong is written once.
    """
    if launch().size == 1:
        yield None
        return
    from fastmlp._processes.processes import Processes

    processes = Processes(world(), timeout)
    with_one_interrupt(processes)
    try:
        with processes.together():
            yield processes
    except BaseException as error:
        speak(_speaks(processes, error), processes.rank)
        raise


def with_one_interrupt(processes: Processes) -> None:
    """Let Ctrl-C interrupt this process once, and no more after another one has told of it.

    A launcher sends Ctrl-C to all processes, one after the other, and a terminal may send it to them, too:
    what comes later is the same Ctrl-C, and must not end the saving of what was learned. A second one ends
    the launcher, and it all processes.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if not (interrupted or processes.interrupted):
            interrupted = True
            raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupt)


def _speaks(processes: Processes, error: BaseException) -> bool:
    """Tell whether this process is the one to write an error.

    One that has failed does so itself, but where one before it has failed in the same way. Of one that does
    not answer another one tells.
    """
    rank = processes.rank
    if not isinstance(error, ProcessError):
        interrupted = isinstance(error, KeyboardInterrupt)
        mine = Failure.of(error, rank)

        def same(process: int, failure: Failure) -> bool:
            alike = failure.error().interrupted if interrupted else failure.what == mine.what
            return process < rank and failure.process == process and alike

        return rank == 0 or not processes.any_told(same, _SAVING if interrupted else _PATIENCE)
    if error.process is None or error.process == rank:
        return rank == 0
    lowest = 1 if error.process == 0 else 0
    return rank == lowest and not processes.any_told(lambda process, _: process == error.process, _PATIENCE)
