"""How a process ends after a failure: with all others, and never waiting for one in MPI_Finalize."""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

_GRACE = 0.2  # seconds that others have to write their errors, where they cannot be asked whether they did
_LAST = 5.0  # seconds from the call of MPI that ends all to the certain end of this process

_partings: list[Callable[[], bool | None]] = []
_code = 1
_pid = 0  # of who failed: children that it forks later do not end the others


def end_all_at_exit(part: Callable[[], bool | None]) -> None:
    """End all processes when this one ends.

    Parameters
    ----------
    part : callable
        Is called then, and says whether all others end, too, with nothing left under way; None if it cannot
        tell.
    """
    global _pid
    _pid = os.getpid()
    _partings.append(part)


def set_exit_code(code: int) -> None:
    """Say with which code all are to be ended; 1 if it is not said."""
    global _code
    _code = code or 1


def _end_all() -> None:
    mpi = sys.modules.get("mpi4py.MPI")
    if not _partings or mpi is None or mpi.Is_finalized() or os.getpid() != _pid:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be closed, None, or the user's own
            stream.flush()
    ends: list[bool | None] = [False]
    with suppress(KeyboardInterrupt, mpi.Exception):
        ends = [part() for part in _partings]
    if not any(ends):
        time.sleep(_GRACE)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(_LAST, exit=True, file=nowhere)
        with suppress(mpi.Exception):
            if any(ends) and False not in ends:  # each with its own code
                mpi.Finalize()
                faulthandler.cancel_dump_traceback_later()
                return
            # It asks the launcher, and where that cannot be reached some versions wait, and others return.
            mpi.COMM_WORLD.Abort(_code)
        os._exit(_code)


atexit.register(_end_all)
