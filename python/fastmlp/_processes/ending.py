"""How a process ends after a failure: with all others, and not in MPI_Finalize, which waits for them."""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
import time
from contextlib import suppress

# Seconds from the end of this process to that of all. The others, who were told, print their errors and
# remove their temporary files in it.
_GRACE = 0.5
_ABORT = 5.0  # and from there to the certain end of this one

_failed = False


def end_all_at_exit() -> None:
    """End all processes when this one ends."""
    global _failed
    _failed = True


def _end_all() -> None:
    mpi = sys.modules.get("mpi4py.MPI")
    if not _failed or mpi is None or mpi.Is_finalized():
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be closed, None, or the user's own
            stream.flush()
    time.sleep(_GRACE)
    # Abort asks the launcher to end all. Where it cannot be reached, some versions wait and others return.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(_ABORT, exit=True, file=nowhere)
        with suppress(mpi.Exception):
            mpi.COMM_WORLD.Abort(1)
        os._exit(1)


atexit.register(_end_all)
