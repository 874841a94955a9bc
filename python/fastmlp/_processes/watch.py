"""Waiting for other processes with an eye on the clock and an ear for failures."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any

from fastmlp._processes.ending import end_all_at_exit
from fastmlp._processes.failure import ProcessError, Word

DATA, WORD = 0, 1  # tags of messages

_SPIN = 0.001  # seconds of asking again and again, before sleeping in between
_NAPS = (0.00005, 0.001)  # seconds of the first sleep and of the longest
_LOOKS = 16  # times that requests are asked for, from one look at the clock to the next
_SETTLE = 0.5  # seconds that what a failure left under way may take to arrive

_give_way = getattr(os, "sched_yield", lambda: time.sleep(0))  # to whom shares the processor


class Watch:
    """What a process waits with: its communicator, its patience, and what it knows of failures.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    timeout : float
        Seconds to wait for another process.
    """

    def __init__(self, mpi: Any, timeout: float) -> None:
        self._mpi = mpi
        self._timeout = timeout
        self._test = mpi.Request.Testall
        self._words: list[Any] = []
        self.communicator: Any = None  # where words are heard; None until there is one
        self.failure: Word | None = None

    def wait(self, requests: list[Any], awaited: int | None) -> None:
        """Wait until requests are done.

        Parameters
        ----------
        requests : list of mpi4py.MPI.Request
        awaited : int or None
            The process that they depend on, None for all.

        Raises
        ------
        ProcessError
            If a process has failed, or the one awaited does not answer in time.
        """
        if not self._test(requests):
            self._poll(requests, awaited)

    def _poll(self, requests: list[Any], awaited: int | None) -> None:
        start = time.monotonic()
        nap, longest = _NAPS
        while True:
            for _ in range(_LOOKS):
                if self._test(requests):
                    return
                _give_way()
            waited = time.monotonic() - start
            self.listen()
            if waited > self._timeout:
                raise ProcessError(
                    f"{_name(awaited)} has not answered for {self._timeout:g} s (timeout={self._timeout:g})",
                    awaited,
                )
            if waited > _SPIN:
                time.sleep(nap)
                nap = min(2 * nap, longest)

    def listen(self) -> None:
        """Raise the error that another process has told of, if any."""
        if self.failure is None and self.communicator is not None:
            status = self._mpi.Status()
            if self.communicator.Iprobe(self._mpi.ANY_SOURCE, WORD, status):
                message = bytearray(status.Get_count(self._mpi.BYTE))
                self.communicator.Recv([message, self._mpi.BYTE], status.Get_source(), WORD)
                self.failure = Word.from_bytes(message)
                end_all_at_exit()
        if self.failure is not None:
            raise self.failure.error()

    def failed(self, error: BaseException, requests: list[Any], awaited: int | None) -> None:
        """Tell all others of an error met while waiting; one of MPI's own becomes a `ProcessError`.

        What can still be done of the requests is waited for, as their memory may be freed afterwards.
        """
        unreachable = None
        if isinstance(error, self._mpi.Exception):
            unreachable = ProcessError(f"{_name(awaited)} cannot be reached: {error}", awaited)
        self.tell(unreachable or error)
        self._settle(requests)
        if unreachable is not None:
            raise unreachable from error

    def tell(self, error: BaseException) -> None:
        """Tell all others of an error, unless one is known already."""
        if self.failure is not None:
            return
        communicator = self.communicator
        self.failure = Word.of(error, 0 if communicator is None else communicator.rank)
        end_all_at_exit()
        if communicator is None:
            return
        message = self.failure.to_bytes()
        with suppress(self._mpi.Exception):
            for other in range(communicator.size):
                if other != communicator.rank:
                    self._words.append(communicator.Isend([message, self._mpi.BYTE], other, WORD))
        self._settle(self._words)

    def _settle(self, requests: list[Any]) -> None:
        """Give what is under way a little time; a message may need calls from here to leave."""
        end = time.monotonic() + _SETTLE
        with suppress(self._mpi.Exception):
            while not self._test(requests) and time.monotonic() < end:
                time.sleep(_NAPS[0])


def _name(process: int | None) -> str:
    return "another process" if process is None else f"process {process}"
