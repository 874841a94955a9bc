"""Waiting for other processes, with an eye on the clock and an ear for failures."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any

from fastmlp._processes.failure import ProcessError
from fastmlp._processes.words import Words, within

_LOOKS = 16  # times that a request is asked for, from one look at the clock to the next
_AWAKE = 0.001  # seconds until it sleeps in between,
_SLOW = 1e8  # and bytes a second that a network carries at least: for so long a message may be under way
_NAP = 0.1  # of the time waited so far that is slept before the next look,
_LONGEST_NAP = 0.001  # and seconds that are slept at most
_ANSWER = 0.25  # seconds in which a process that waits says that it is there
_SETTLE = 0.5  # seconds that what a failure left under way may take to arrive

_give_way = getattr(os, "sched_yield", lambda: time.sleep(0))


class Watch:
    """What a process waits with: its patience, and what the others tell.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    timeout : float
        Seconds to wait for another process.

    Attributes
    ----------
    crowded : bool
        Whether processes share processors: then who waits lets others go on.
    """

    def __init__(self, mpi: Any, timeout: float) -> None:
        self._mpi = mpi
        self._timeout = timeout
        self.words = Words(mpi, None)
        self.crowded = False

    def wait(self, request: Any, awaited: int | None, size: int = 0, status: Any = None) -> None:
        """Wait until a request is done.

        Parameters
        ----------
        request : mpi4py.MPI.Request
        awaited : int or None
            The process that it depends on, None for all.
        size : int, default 0
            Bytes of the message.
        status : mpi4py.MPI.Status, optional
            Filled in.

        Raises
        ------
        ProcessError
            If a process has failed, or one does not answer in time.
        """
        start = time.monotonic()
        awake = _AWAKE + size / _SLOW  # a message under way comes only while it is asked for
        while True:
            for _ in range(_LOOKS):
                if request.Test(status):
                    return
                if self.crowded:
                    _give_way()
            waited = time.monotonic() - start
            self._listen()
            if waited > self._timeout:
                raise self._late(awaited)
            if waited > awake:
                time.sleep(min(_NAP * waited, _LONGEST_NAP))

    def _listen(self) -> None:
        for words in within:
            words.listen()
        if self.words not in within:
            self.words.listen()

    def _late(self, awaited: int | None) -> ProcessError:
        """Return the error for too long a wait: it names who does not answer, or else who was awaited."""
        time_out = f"{self._timeout:g} s (timeout={self._timeout:g})"
        if awaited is None:
            return ProcessError(f"not all processes of communicator came to train within {time_out}")
        silent = self.words.silent(min(_ANSWER, self._timeout))
        if not silent:
            return ProcessError(f"process {awaited} has sent nothing for {time_out}; it waits, too", awaited)
        names = ", ".join(str(process) for process in silent)
        who = f"process {names} has" if len(silent) == 1 else f"processes {names} have"
        return ProcessError(f"{who} not answered for {time_out}", awaited if awaited in silent else silent[0])

    def tell(self, error: BaseException) -> None:
        """Tell all others of an error; see `Words.tell`."""
        self.words.tell(error, _SETTLE)

    def failed(self, error: BaseException, awaited: int | None, receive: Any, requests: list[Any]) -> None:
        """Tell all others of an error met while waiting; one of MPI's own becomes a `ProcessError`.

        What can still be done of the requests is waited for, as their memory may be freed afterwards.
        """
        unreachable = None
        if isinstance(error, self._mpi.Exception):
            name = "another process" if awaited is None else f"process {awaited}"
            what = str(error).partition(", error stack")[0]
            unreachable = ProcessError(f"messages to or from {name} failed: {what}", awaited)
        self.tell(unreachable or error)
        if receive:
            with suppress(self._mpi.Exception):
                receive.Cancel()
        self.words.settle(requests, _SETTLE)
        self.words.settled &= not receive
        self.words.under_way += requests
        if unreachable is not None:
            raise unreachable from error
