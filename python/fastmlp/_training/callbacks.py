"""The user's callbacks: checked, and called after each epoch, whose row of the history they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.history import History
from fastmlp._network.network import Network
from fastmlp._processes.processes import Processes
from fastmlp._training.checkpoint import Checkpoints
from fastmlp._training.progress import OnEpoch
from fastmlp._training.run import Record
from fastmlp._training.together import checksum


def checked_callbacks(callbacks: Any) -> list[Callable[[Network], Any]]:
    """Return the callables."""
    if callable(callbacks):
        callbacks = [callbacks]
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a callable or callables, got {callbacks!r}")
    checked = list(callbacks)
    for i, callback in enumerate(checked):
        if not callable(callback):
            raise TypeError(f"callbacks[{i}] must be callable, got {callback!r}")
    return checked


def epoch_callback(
    network: Network,
    earlier: History,
    callbacks: Sequence[Callable[[Network], Any]],
    bar: OnEpoch | None,
    checkpoints: Checkpoints | None,
    processes: Processes | None = None,
) -> Callable[[Record], bool] | None:
    """Return what a run is to call after each epoch; None where nothing looks at the network meanwhile.

    It adds the epoch to the network's history, which a checkpoint holds too, and calls the callbacks. Where
    one of several processes has some, all meet after each epoch: one that stops stops all.
    """
    observers = list(callbacks)
    if bar is not None:
        observers.append(bar)
    meet = processes is not None and any(processes.gathered(bool(callbacks)))
    if not meet and not observers and (checkpoints is None or checkpoints.write is None):
        return None

    def on_epoch(record: Record) -> bool:
        row = later(record, earlier)
        network.history.append(row)
        if checkpoints is not None:
            checkpoints.add(row)
        try:
            answers = [callback(network) for callback in observers]  # every callback sees every epoch
        except StopIteration as error:
            raise RuntimeError("a callback raised StopIteration; to stop, return True") from error
        for i, answer in enumerate(answers):
            if not isinstance(answer, (bool, np.bool_, type(None))):
                raise TypeError(f"callbacks[{i}] must return True, False or None, got {answer!r}")
        stops = any(answers)
        return any_stops(network, processes, stops) if meet and processes is not None else stops

    return on_epoch


def any_stops(network: Network, processes: Processes, stops: bool) -> bool:
    """Return whether a callback of any process wants to stop; callbacks must leave the same weights."""
    told = processes.gathered((stops, checksum(network)))
    for rank, (_, theirs) in enumerate(told):
        if theirs != told[processes.rank][1]:
            raise ValueError(
                f"callbacks must change the weights of all processes alike; after them process {rank} has "
                f"other weights than process {processes.rank}"
            )
    return any(stops for stops, _ in told)


def later(record: Record, earlier: History) -> Record:
    """Return the record of an epoch of a run that goes on from earlier epochs, as its clock does."""
    return (*record[:3], record[3] + _seconds_of(earlier), *record[4:])


def later_table(records: NDArray[np.float64], earlier: History) -> NDArray[np.float64]:
    """Return what `later` makes of each row."""
    table = records.copy()
    table[:, 3] += _seconds_of(earlier)
    return table


def _seconds_of(history: History) -> float:
    return float(history["seconds"][-1]) if len(history) else 0.0
