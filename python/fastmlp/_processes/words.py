"""What processes tell each other beside their data: that one has failed or ends, and who is there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fastmlp._processes.ending import end_all_at_exit
from fastmlp._processes.failure import Failure, ProcessError

_TAG = 1  # of these messages; that of data is 0
_ASK, _HERE, _GONE, _GONE_OPEN = b'"ask"', b'"here"', b'"gone"', b'"gone, with messages under way"'
_NAP = 0.00005  # seconds from one look to the next

# Seconds that a process which ends after a failure waits for the others to end, too: they, who are told,
# write their errors, save what is to be saved and remove their temporary files.
_GRACE = 5.0
_FIRST = 0.2  # that those who were told wait for the one that failed, as its code is that of all

#: Those of the contexts that the program is in: who waits for another process hears of failures in all.
within: list[Words] = []


class Words:
    """What processes tell each other beside their data, in short messages that wait for nobody.

    Parameters
    ----------
    mpi : module
        ``mpi4py.MPI``.
    communicator : mpi4py.MPI.Intracomm or None
        None while there is none: nothing is told or heard, and an error is this process's own.

    Attributes
    ----------
    failure : Failure or None
        The first that is known of.
    told : dict of int to Failure
        What others have told of theirs.
    settled : bool
        Whether no message can arrive any more in memory that may have been freed.
    under_way : list of mpi4py.MPI.Request
        What a failure has left.
    """

    def __init__(self, mpi: Any, communicator: Any) -> None:
        self._mpi = mpi
        self._communicator = communicator
        self._rank: int = 0 if communicator is None else communicator.rank
        size = 1 if communicator is None else communicator.size
        self._others = {process for process in range(size) if process != self._rank}
        self._sent: list[Any] = []  # requests, which hold the messages
        self._others_done = True
        self._here: set[int] = set()
        self._gone: set[int] = set()
        self._told_mine = False
        self.failure: Failure | None = None
        self.told: dict[int, Failure] = {}
        self.settled = True
        self.under_way: list[Any] = []

    def listen(self) -> None:
        """Read what has come; raise the error of a failure, if one is known."""
        self._read()
        if self.failure is not None:
            raise self.failure.error()

    def tell(self, error: BaseException, seconds: float) -> None:
        """Tell all others of an error of this process, once; of that of another one, unless it is known.

        A message may need calls from here to leave: it has some seconds for it.
        """
        if not self._told_mine and not (self.failure and isinstance(error, ProcessError)):
            self._told_mine = True
            failure = Failure.of(error, self._rank)
            self._fail(failure)
            with suppress(self._mpi.Exception):
                self._send(json.dumps(failure).encode(), self._others)
            self.settle(self._sent, seconds)

    def know(self, failures: dict[int, Failure]) -> None:
        """Take down the failures of processes, which all of them know already: nobody need be told."""
        self._told_mine = self._rank in failures
        self.told.update({rank: failure for rank, failure in failures.items() if rank != self._rank})
        self._fail(failures.get(self._rank) or next(iter(failures.values())))

    def silent(self, seconds: float) -> list[int]:
        """Ask the others whether they are there, and return those that do not answer in time.

        Who answers waits for something; who does not has ended or stopped, cannot be reached, or computes.
        """
        self._here.clear()
        self._send(_ASK, self._others)
        self._read_until(lambda: self._here >= self._others or self.failure is not None, seconds)
        self.listen()
        return sorted(self._others - self._here)

    def any_told(self, what: Callable[[int, Failure], bool], seconds: float) -> bool:
        """Return whether another process tells of such a failure, waiting some seconds for it."""

        def told() -> bool:
            return any(what(process, failure) for process, failure in self.told.items())

        self._read_until(told, seconds)
        return told()

    def settle(self, requests: list[Any], seconds: float) -> bool:
        """Give what is under way some time to be done, and return whether it is."""
        end = time.monotonic() + seconds
        with suppress(self._mpi.Exception):
            while not self._mpi.Request.Testall(requests):
                if time.monotonic() > end:
                    return False
                time.sleep(_NAP)
            return True
        return False

    def _read(self) -> None:
        """Read what has come, and answer who asks."""
        status, anyone = self._mpi.Status(), self._mpi.ANY_SOURCE
        while self._others and self._communicator.Iprobe(anyone, _TAG, status):
            sender = status.Get_source()
            message = bytearray(status.Get_count(self._mpi.BYTE))
            self._communicator.Recv([message, self._mpi.BYTE], sender, _TAG)
            if message == _ASK:
                self._send(_HERE, {sender})
            elif message == _HERE:
                self._here.add(sender)
            elif message in (_GONE, _GONE_OPEN):
                self._gone.add(sender)
                self._others_done &= message == _GONE
            else:
                self.told[sender] = Failure(*json.loads(message))
                self._fail(self.told[sender])

    def _fail(self, failure: Failure) -> None:
        if self.failure is None:
            self.failure = failure
            end_all_at_exit(self._part)

    def _part(self) -> bool | None:
        """Tell the others that this process ends, and wait until all do or the time is up.

        Returns
        -------
        bool or None
            Whether all end, with nothing under way, and there are no others besides; None if nobody can be
            asked.
        """
        assert self.failure is not None
        if not self._others:
            return None
        if not self.settled:
            time.sleep(_FIRST)
            return False
        done = self.settle([*self._sent, *self.under_way], 0)
        self._send(_GONE if done else _GONE_OPEN, self._others)
        failed = self.failure.process
        absent = (
            set() if failed is None or failed in self.told else {failed}
        )  # it may be, or not answer at all
        self._read_until(lambda: self._gone | absent >= self._others, _GRACE)
        self._read_until(lambda: self._gone >= self._others, _FIRST)
        if done and self._others_done and self._gone >= self._others:
            return self.settle(self._sent, _FIRST) and self._mpi.COMM_WORLD.size == len(self._others) + 1
        if failed in self.told:
            time.sleep(_FIRST)
        return False

    def _read_until(self, done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self._read()
            time.sleep(_NAP)

    def _send(self, message: bytes, to: set[int]) -> None:
        for process in to:
            self._sent.append(self._communicator.Isend([message, self._mpi.BYTE], process, _TAG))
