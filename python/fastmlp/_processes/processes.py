"""`Processes`: those that train one network together."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from socket import gethostname
from types import TracebackType
from typing import Any, TypeVar, cast

from fastmlp._base.validation import real
from fastmlp._processes.failure import Failure, ProcessError
from fastmlp._processes.mpi import checked_communicator
from fastmlp._processes.watch import Watch
from fastmlp._processes.words import Words, within

Result = TypeVar("Result")

_TAG = 0  # of data; that of words is 1
_PIECE = 2**28  # bytes of one message of a larger buffer: each that arrives is progress
_HEAD = 512  # bytes of a first message, with the length of all and what has room of it
_LENGTH = 8  # of them for the length


class Processes:
    """The processes that train one network together.

    All of them construct it at the same time, and call its methods in the same order. Each of these raises
    `ProcessError` where another process has failed, or does not answer for `timeout` seconds.

    Parameters
    ----------
    communicator : mpi4py.MPI.Intracomm
        Of a power of two of processes. It is duplicated: messages of others on it are not disturbed.
    timeout : float
        Seconds to wait for another process, more than 0.

    Attributes
    ----------
    rank : int
        This process, from 0.
    size : int
        The number of processes.
    given : mpi4py.MPI.Intracomm
        The communicator, as it was given.

    Raises
    ------
    ImportError
        Without mpi4py: ``pip install 'fastmlp[mpi]'``.
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.
    ProcessError
        If not all processes come here in time.
    """

    def __init__(self, communicator: Any, timeout: float) -> None:
        timeout = real("timeout", timeout, low=0, open_low=True)
        communicator = checked_communicator(communicator)
        self._pid = os.getpid()
        self.rank: int = communicator.rank
        self.size: int = communicator.size
        self.given = communicator
        self._mpi = sys.modules["mpi4py.MPI"]
        self._bytes = self._mpi.BYTE
        self._status = self._mpi.Status()
        self._watch = Watch(self._mpi, timeout)
        self._communicator = self._duplicate(communicator)
        self._watch.words = Words(self._mpi, self._communicator)
        here = self.gathered(gethostname()).count(gethostname())
        self._watch.crowded = here > (os.cpu_count() or 1)

    def _duplicate(self, communicator: Any) -> Any:
        duplicate, request = communicator.Idup()
        try:
            self._watch.wait(request, None)
            duplicate.Set_errhandler(self._mpi.ERRORS_RETURN)
        except BaseException as error:
            self._watch.failed(error, None, None, [])
            raise
        return duplicate

    # ------------------------------------------------------------------------------------------ exchange

    def swap(self, partner: int, out: Any, into: Any) -> None:
        """Send a buffer to another process, which does the same, and fill one from there.

        Parameters
        ----------
        partner : int
            The other process, which swaps with this one.
        out : buffer
            Bytes to send, contiguous; may be empty.
        into : writable buffer
            Where to put those that come, as many as the partner sends; may be empty.
        """
        sent, received = memoryview(out).nbytes, memoryview(into).nbytes
        if sent <= _PIECE and received <= _PIECE:
            self._swap(partner, out, sent, into, received)
            return
        out, into = memoryview(out), memoryview(into)
        out, into = (view.cast("B") if view.nbytes else view for view in (out, into))
        for start in range(0, max(sent, received), _PIECE):
            piece = slice(start, start + _PIECE)
            self._swap(partner, out[piece], len(out[piece]), into[piece], len(into[piece]))

    def _swap(self, partner: int, out: Any, sent: int, into: Any, received: int) -> None:
        """Exchange two messages of so many bytes; there is none of 0."""
        watch = self._watch
        if watch.words.failure is not None:
            raise watch.words.failure.error()
        receive = send = self._mpi.REQUEST_NULL
        try:
            if received:
                receive = self._communicator.Irecv([into, self._bytes], partner, _TAG)
            if sent:
                send = self._communicator.Isend([out, self._bytes], partner, _TAG)
            if received:
                watch.wait(receive, partner, received, self._status)
                self._check_length(partner, received)
            if sent:
                watch.wait(send, partner, sent)
        except BaseException as error:
            watch.failed(error, partner, receive, [receive, send])
            raise

    def _check_length(self, partner: int, awaited: int) -> None:
        came = self._status.Get_count(self._bytes)
        if came != awaited:
            raise ProcessError(f"process {partner} sent {came} bytes, {awaited} were awaited", partner)

    # -------------------------------------------------------------------------------------------- values

    def gathered(self, value: Any) -> list[Any]:
        """Return one value of each process, in the order of ranks, on each.

        Parameters
        ----------
        value : object
            This process's; it is pickled.
        """
        values = [pickle.dumps(value)]
        step = 1
        while step < self.size:
            partner = self.rank ^ step
            theirs = self.traded(partner, values)
            values = values + theirs if self.rank < partner else theirs + values
            step *= 2
        return [pickle.loads(each) for each in values]

    def traded(self, partner: int, value: Any) -> Any:
        """Return another process's value, which takes this one.

        Parameters
        ----------
        partner : int
            The other process, which trades with this one.
        value : object
            This process's; it is pickled.
        """
        return pickle.loads(self._trade(partner, pickle.dumps(value), True))

    def told(self, value: Any) -> Any:
        """Return rank 0's value, on each process.

        Parameters
        ----------
        value : object
            What rank 0 tells, pickled; of the others it does not count.
        """
        message = pickle.dumps(value) if self.rank == 0 else b""
        step = self.size // 2
        while step:
            place = self.rank % (2 * step)
            if place == 0:
                self._trade(self.rank + step, message, False)
            elif place == step:
                message = self._trade(self.rank - step, None, True)
            step //= 2
        return pickle.loads(message)

    def _trade(self, partner: int, message: bytes | None, wanted: bool) -> bytes:
        """Send a message of any length, if there is one, and return the partner's, if it is wanted."""
        out = b""
        if message is not None:
            out = (len(message).to_bytes(_LENGTH, "little") + message).ljust(_HEAD, b"\0")
        head = bytearray(_HEAD if wanted else 0)
        self.swap(partner, out[:_HEAD], head)
        length = int.from_bytes(head[:_LENGTH], "little")
        rest = bytearray(max(0, _LENGTH + length - _HEAD))
        self.swap(partner, out[_HEAD:], rest)
        return bytes(head[_LENGTH : _LENGTH + length] + rest)

    # -------------------------------------------------------------------------------------------- errors

    def together(self) -> Together:
        """Return a context in which the failure of one process is that of all.

        What is raised in it, `KeyboardInterrupt` and `SystemExit` too, is told to the others, which raise
        `ProcessError`, and then raised here. When these processes end, all end, with a code other than 0. A
        process leaves the context without an error when all have come to its end; after that there is
        nothing more to be exchanged.
        """
        return Together(self)

    def all_do(self, work: Callable[[], Result]) -> Result:
        """Do what all processes do alike, each by itself, and return its result once all have done it.

        Where it fails, each process comes to know the errors of all before any raises: who has an error of
        its own raises that one, and not what another process was quicker to tell.

        Parameters
        ----------
        work : callable
            Exchanges nothing with other processes.
        """
        result = error = None
        try:
            result = work()
        except Exception as raised:
            error = raised
        failures = self.gathered(None if error is None else Failure.of(error, self.rank))
        known = {rank: failure for rank, failure in enumerate(failures) if failure is not None}
        if known:
            self._watch.words.know(known)
            raise error or next(iter(known.values())).error()
        return cast("Result", result)

    @property
    def interrupted(self) -> bool:
        """Whether this process knows that one of them was interrupted by Ctrl-C."""
        failure = self._watch.words.failure
        return failure is not None and failure.error().interrupted

    def any_told(self, what: Callable[[int, Failure], bool], seconds: float) -> bool:
        """Tell whether another process has told of such a failure, waiting some seconds for it.

        Parameters
        ----------
        what : callable
            Is given the process that has told, and the failure that it has told of.
        seconds : float
        """
        return self._watch.words.any_told(what, seconds)

    def _leave(self, error: BaseException | None) -> None:
        if os.getpid() != self._pid:  # a child that was forked does not speak for its parent
            return
        if error is None:
            try:
                self.gathered(None)
            except BaseException as failure:
                self._watch.tell(failure)
                raise
            self._communicator.Free()
        elif self.size > 1:
            self._watch.tell(error)


class Together:
    """A context in which the failure of one process is that of all; see `Processes.together`."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def __enter__(self) -> Processes:
        within.append(self._processes._watch.words)
        return self._processes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._processes._leave(error)
        finally:
            within.remove(self._processes._watch.words)
