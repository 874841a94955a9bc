"""The processes that a launcher, such as mpiexec or srun, has started together with this one."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from fastmlp._processes.mpi import NEEDS

#: Variables with the number of processes and the place of this one: Open MPI's; those of MPICH, Intel MPI,
#: Microsoft MPI and Slurm; MVAPICH's; and those of Slurm's steps, which are of MPI where PMIx is there, too.
_VARIABLES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
    ("SLURM_STEP_NUM_TASKS", "PMIX_RANK"),
)


class Launch(NamedTuple):
    """How many processes were started together, and which of them this is."""

    size: int
    rank: int


def launch() -> Launch:
    """Return what a launcher has told; one process alone where there is none."""
    for names in _VARIABLES:
        size, rank = (os.environ.get(name, "") for name in names)
        if size.isdecimal() and rank.isdecimal():
            return Launch(int(size), int(rank))
    return Launch(1, 0)


def world() -> Any:
    """Return the communicator of all processes that a launcher has started.

    Raises
    ------
    ImportError
        Without mpi4py, or where it finds no MPI library.
    ValueError
        If the library is of another make than the launcher: then it knows of this process alone.
    """
    started = launch().size
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(f"{NEEDS} ({error})") from None
    size = MPI.COMM_WORLD.size
    if size != started:
        library = MPI.Get_library_version().split("\n")[0].strip("\0 ")
        raise ValueError(
            f"{started} processes were started, but mpi4py's library knows of {size}: start them by the "
            f"mpiexec that belongs to it ({library})"
        )
    return MPI.COMM_WORLD
