"""What the processes of a run must have in common, and who of them does what."""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from socket import gethostname
from typing import Any

import numpy as np

from fastmlp._base.validation import chosen_seed, column_targets, flag
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp._network.network import Network
from fastmlp._processes.processes import Processes
from fastmlp._rows.local import CommonRows, LocalRows
from fastmlp._rows.shards import Shards
from fastmlp._training.checkpoint import recorded_seed
from fastmlp._training.parts import joined


@contextmanager
def processes_of(communicator: Any, timeout: Any) -> Iterator[Processes | None]:
    """Yield the processes of a communicator, None without one; a failure of one meanwhile is that of all.

    The first one alone warns.
    """
    if communicator is None:
        yield None
        return
    processes = Processes(communicator, timeout)
    with processes.together(), warnings.catch_warnings() if processes.rank else nullcontext():
        if processes.rank:
            warnings.simplefilter("ignore")
        yield processes


def shards_of(count: int, processes: Processes | None) -> Shards:
    """Return the shards of this process."""
    if processes is None:
        return Shards(count)
    if processes.size > count:
        raise ValueError(
            f"communicator must have at most shards={count} processes, got {processes.size}; "
            "shards is a power of two, whatever the number of processes"
        )
    return Shards(count, processes.rank, processes.size)


def is_first(processes: Processes | None) -> bool:
    """Whether this process is the one that shows and writes."""
    return processes is None or processes.rank == 0


def agreed_seed(seed: Any, resume: Any, processes: Processes | None) -> int:
    """Return the seed of all processes; where it is None, the first one's: recorded or drawn."""
    if processes is not None and len(set(processes.gathered(seed is None))) > 1:
        raise ValueError("seed must be the same in all processes, got None in some and a number in others")
    if seed is not None:
        return chosen_seed(seed)
    if is_first(processes):
        seed = chosen_seed(None if resume is None else recorded_seed(resume))
    told: int = seed if processes is None else processes.told(seed)
    return told


def whole_rows(
    X: Any, y: Any, validation: Any, sample_weight: Any, local: Any, stay: bool, processes: Processes | None
) -> tuple[Any, Any, Any, Any]:
    """Return X, y, validation and weights; with local, the parts of all processes, one behind another.

    Numbers of X stay where they are, until it is known which process needs them.
    """
    flag("local", local)
    if processes is not None and len(set(told := processes.gathered(local))) > 1:
        raise ValueError(f"local must be the same in all processes, got {told}")
    if not local:
        apart = stay and processes is not None and processes.size > 1 and _kind_of_numbers(X) is not None
        return CommonRows(X) if apart else X, y, validation, sample_weight
    if processes is None:
        raise ValueError("local=True goes with a communicator, got None")
    if isinstance(X, (str, os.PathLike)) or hasattr(X, "__next__"):
        raise TypeError(f"local=True goes with rows in memory, got X of type {type(X).__name__}")
    if processes.size == 1:
        return X, y, validation, sample_weight
    forms = processes.gathered(len(validation) if isinstance(validation, (tuple, list)) else repr(validation))
    if len(set(forms)) > 1:
        given = [f"{form} parts" if isinstance(form, int) else form for form in forms]
        raise ValueError(f"validation must be given alike in all processes, got {given}")
    if isinstance(validation, (tuple, list)):
        validations = zip(*processes.gathered(validation), strict=True)
        validation = tuple(joined("validation", part) for part in validations)
    named = processes.gathered(y if column_targets(X, y) else None)
    if named[0] is None or any(names != named[0] for names in named):  # else the names of several columns
        y = joined("y", processes.gathered(y))
    sample_weight = joined("sample_weight", processes.gathered(sample_weight))
    kinds = set(processes.gathered(_kind_of_numbers(X) if stay else None))
    if len(kinds) == 1 and None not in kinds:
        return LocalRows(X, processes), y, validation, sample_weight
    return joined("X", processes.gathered(X)), y, validation, sample_weight


def _kind_of_numbers(X: Any) -> str | None:
    """Return whether these are sparse or dense numbers in memory; None for anything else."""
    if getattr(X, "ndim", None) != 2 or getattr(getattr(X, "dtype", None), "kind", None) not in tuple("biuf"):
        return None
    return "sparse" if hasattr(X, "tocsr") else "dense" if isinstance(X, np.ndarray) else None


def threads_of(threads: int | None, processes: Processes | None) -> int | None:
    """Return the most threads of this process: by default its share of those that its machine has."""
    if processes is None:
        return threads
    here = processes.gathered(gethostname()).count(gethostname())  # asked of all: some may say their threads
    return max(_threads.get_num_threads() // here, 1) if threads is None else threads


def check_agreement(processes: Processes, network: Network, settings: dict[str, Any]) -> None:
    """Refuse a run whose processes were given other arguments or other rows.

    Raises
    ------
    ValueError
        Naming what differs, and the processes.
    """
    mine = settings | {"instruction set": _core.ISA, "initial weights": checksum(network)}
    for rank, theirs in enumerate(processes.gathered(mine)):
        for name in mine:
            if theirs[name] != mine[name]:
                raise ValueError(
                    f"{name} must be the same in all processes, got {mine[name]!r} in process "
                    f"{processes.rank} and {theirs[name]!r} in process {rank}"
                )


def checksum(network: Network) -> int:
    """Return a number that other weights hardly have (CRC-32)."""
    return zlib.crc32(network.parameters.data)
