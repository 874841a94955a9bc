"""mpi4py, imported when a communicator is given, and what is asked of that communicator."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

NEEDS = "several processes need mpi4py and an MPI library: pip install 'fastmlp[mpi]'"


def checked_communicator(communicator: Any) -> Any:
    """Return a communicator of mpi4py for a power of two of processes."""
    mpi = sys.modules.get("mpi4py.MPI")  # who has a communicator has imported it
    if mpi is None and importlib.util.find_spec("mpi4py") is None:
        raise ImportError(NEEDS)
    if mpi is None or not isinstance(communicator, mpi.Comm):
        raise TypeError(f"communicator must be one of mpi4py, such as MPI.COMM_WORLD; got {communicator!r}")
    if communicator == mpi.COMM_NULL:
        raise ValueError("communicator must have this process in it, got MPI.COMM_NULL")
    if not isinstance(communicator, mpi.Intracomm):
        raise TypeError(f"communicator must be an Intracomm, got {communicator!r}")
    if communicator.size & (communicator.size - 1):
        raise ValueError(
            f"communicator must have a power of two of processes (1, 2, 4, 8, ...), got {communicator.size}"
        )
    return communicator
