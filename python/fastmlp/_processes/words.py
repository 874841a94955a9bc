"""What processes tell each other beside their data: that one has failed, and who is there."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from fastmlp._processes.ending import end_all_at_exit
from fastmlp._processes.failure import Failure

_TAG = 1  # of these messages; that of data is 0
_ASK, _HERE = b'"ask"', b'"here"'
_NAP = 0.00005  # seconds from one look to the next


class Words:
    """What processes tell each other beside their data, in short messages that wait for nobody.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    communicator : mpi4py.MPI.Intracomm or None
        None while there is none: nothing is told or heard, and an error is this process's own.
    """

    def __init__(self, mpi: Any, communicator: Any) -> None:
        self._mpi = mpi
        self._communicator = communicator
        self._rank: int = 0 if communicator is None else communicator.rank
        self._others = (
            [] if communicator is None else [r for r in range(communicator.size) if r != self._rank]
        )
        self._sent: list[Any] = []  # requests, which hold the messages
        self._here: set[int] = set()
        self.failure: Failure | None = None

    def listen(self) -> None:
        """Read what has come, and answer who asks; raise the error that a process has told of, if any."""
        status, anyone = self._mpi.Status(), self._mpi.ANY_SOURCE
        while self.failure is None and self._others and self._communicator.Iprobe(anyone, _TAG, status):
            sender = status.Get_source()
            message = bytearray(status.Get_count(self._mpi.BYTE))
            self._communicator.Recv([message, self._mpi.BYTE], sender, _TAG)
            if message == _ASK:
                self._send(_HERE, [sender])
            elif message == _HERE:
                self._here.add(sender)
            else:
                self.failure = Failure(*json.loads(message))
                end_all_at_exit()
        if self.failure is not None:
            raise self.failure.error()

    def tell(self, error: BaseException, seconds: float) -> None:
        """Tell all others of an error, unless one is known already.

        A message may need calls from here to leave: it has some seconds for it.
        """
        if self.failure is None:
            self.failure = Failure.of(error, self._rank)
            end_all_at_exit()
            with suppress(self._mpi.Exception):
                self._send(json.dumps(self.failure).encode(), self._others)
            self.settle(self._sent, seconds)

    def silent(self, seconds: float) -> list[int]:
        """Ask the others whether they are there, and return those that do not answer in time.

        Who answers waits for something; who does not has ended or stopped, cannot be reached, or computes.
        """
        self._here.clear()
        self._send(_ASK, self._others)
        end = time.monotonic() + seconds
        while len(self._here) < len(self._others) and time.monotonic() < end:
            self.listen()
            time.sleep(_NAP)
        return [process for process in self._others if process not in self._here]

    def settle(self, requests: list[Any], seconds: float) -> None:
        """Give what is under way some time to be done."""
        end = time.monotonic() + seconds
        with suppress(self._mpi.Exception):
            while not self._mpi.Request.Testall(requests) and time.monotonic() < end:
                time.sleep(_NAP)

    def _send(self, message: bytes, to: list[int]) -> None:
        for process in to:
            self._sent.append(self._communicator.Isend([message, self._mpi.BYTE], process, _TAG))
