"""How a process ends after a failure: with all others, and not in MPI_Finalize, which waits for them."""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
from collections.abc import Callable
from contextlib import suppress

_ABORT = 5.0  # seconds from the call of Abort to the certain end of this process

_partings: list[Callable[[], None]] = []
_code = 1


def end_all_at_exit(part: Callable[[], None]) -> None:
    """End all processes when this one ends, after it has called `part`."""
    _partings.append(part)


def set_exit_code(code: int) -> None:
    """Say with which code all are to end, if they do so by `end_all_at_exit`; 1 if it is not said."""
    global _code
    _code = code or 1


def _end_all() -> None:
    mpi = sys.modules.get("mpi4py.MPI")
    if not _partings or mpi is None or mpi.Is_finalized():
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be closed, None, or the user's own
            stream.flush()
    with suppress(KeyboardInterrupt, mpi.Exception):
        _partings[-1]()
    # Abort asks the launcher to end all. Where it cannot be reached, some versions wait and others return.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(_ABORT, exit=True, file=nowhere)
        with suppress(mpi.Exception):
            mpi.COMM_WORLD.Abort(_code)
        os._exit(_code)


atexit.register(_end_all)
