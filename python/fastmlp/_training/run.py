"""Runs of the core's trainer or of L-BFGS over rows, one or several at once, whoever asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.model import Model
from fastmlp._native import core as _core
from fastmlp._processes.processes import Processes
from fastmlp._rows.features import with_own_indices
from fastmlp._rows.memory import CoreRows, WholeRows
from fastmlp._rows.read import RunRows
from fastmlp._training.lbfgs import Minimization, Minimum, as_float64

Record = tuple[Any, ...]  # of an epoch, as the core gives it
OnEpoch = Callable[[Record], bool | float]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    records : array, (epochs, columns)
        A row for each epoch: those of the core, or the first of them.
    reason : str
        Why it ended; see `Network.stop_reason`.
    exception : BaseException or None
        What a callback raised, or KeyboardInterrupt.
    minimum : Minimum or None
        Where L-BFGS ended, unless there was an exception.
    """

    records: NDArray[np.float64]
    reason: str
    exception: BaseException | None
    minimum: Minimum | None = None


def run(
    network: Model,
    rows: RunRows,
    options: _core.TrainOptions,
    *,
    limits: dict[str, float] | None = None,
    on_epoch: OnEpoch | None = None,
    state: Any = None,
    draw_order: Callable[[], Any] | None = None,
    on_state: Callable[[], None] | None = None,
    processes: Processes | None = None,
) -> Outcome:
    """Train the network in place.

    Parameters
    ----------
    network : Model
    rows : WholeRows or WindowedRows
    options : TrainOptions
        See `core_options`.
    limits : dict, optional
        Those of L-BFGS, by SciPy's names; without them, gradient descent.
    on_epoch : callable, optional
        Called with the record of each epoch; returns True to stop, or a learning rate to go on with.
    state : RunState, optional
        The optimizer's state to go on from; it is kept up to date.
    draw_order : callable, optional
        Draws the order of the rows of each epoch, in place of the core's generator.
    on_state : callable, optional
        Called when the state is to be saved; if in one process, then in all.
    processes : Processes, optional
        Those that have the other shards of the rows.

    Returns
    -------
    Outcome
    """
    fill(options, rows)
    epochs = range(options.first_epoch, options.epochs)
    with rows.windows(options.batch_size, epochs, options.shuffle, options.seed) as (train, next_window):
        train, held_out, on_epoch = _guarded(
            network, train, rows.held_out, on_epoch, draw_order, next_window is not None
        )
        if limits is not None:
            job = Minimization(network, train, on_epoch, limits)
            ended = job.core.minimize(*job.rows, options, job.limits, job.on_epoch, processes)
            return Outcome(*job.ended(*ended))
        return Outcome(
            *network._core.train(
                *train, held_out, options, on_epoch, state, draw_order, next_window, on_state, processes
            )
        )


def fill(options: _core.TrainOptions, rows: RunRows) -> None:
    """Tell the core of the rows of a run."""
    options.mean_weight = rows.mean_weight
    options.shard_rows, options.validation_shard_rows = list(rows.shard_rows), list(rows.held_shard_rows)
    options.window_rows = rows.window_rows or 0


@dataclass(frozen=True)
class Run:
    """A run among several; see `run`."""

    network: Model
    rows: WholeRows
    options: _core.TrainOptions
    limits: dict[str, float] | None = None
    on_epoch: OnEpoch | None = None
    draw_order: Callable[[], Any] | None = None
    state: Any = None


def run_many(
    runs: Sequence[Run],
    threads: int,
    max_time: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Outcome | Exception | None], BaseException | None]:
    """Train several networks in place, each on a thread of its own; see `run`.

    Parameters
    ----------
    runs : sequence of Run
    threads : int
        The most of all runs together.
    max_time : float
        Seconds that all may take.
    on_progress : callable, optional
        Called now and then with the number of runs that are done, and of the rows that were trained on.

    Returns
    -------
    list
        Of each run the outcome, what the core raised, or None where it was not begun.
    BaseException or None
        KeyboardInterrupt, or what `on_progress` raised, which ended the runs.
    """
    converted = _Conversions()
    jobs: list[Any] = []
    ends: list[Callable[..., tuple[Any, ...]] | None] = []
    for r in runs:
        fill(r.options, r.rows)
        train, held_out, on_epoch = _guarded(
            r.network, r.rows.train, r.rows.held_out, r.on_epoch, r.draw_order, windowed=False,
            own_indices=converted.with_own_indices,
        )  # fmt: skip
        if r.limits is None:
            jobs.append((r.network._core, train, held_out, r.options, None, on_epoch, r.draw_order, r.state))
            ends.append(None)
        else:
            job = Minimization(r.network, train, on_epoch, r.limits, converted.as_float64)
            jobs.append((job.core, job.rows, None, r.options, job.limits, job.on_epoch, None, None))
            ends.append(job.ended)
    results: list[Any] = []
    try:
        exception = _core.train_many(jobs, threads, max_time, on_progress, results)
    except BaseException as error:  # such as a second Ctrl-C, heard as the core returns
        if len(results) < len(jobs):
            raise
        exception = error
    outcomes: list[Outcome | Exception | None] = []
    for result, ended in zip(results, ends, strict=True):
        if isinstance(result, tuple):
            outcomes.append(Outcome(*(result if ended is None else ended(*result))))
        else:
            outcomes.append(result)
    return outcomes, exception


class _Conversions:
    """What runs need of the same arrays, made once however many runs read them."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[Any, Any]] = {}  # what was converted lives as long as its id is known
        self._owned: dict[int, tuple[Any, Any]] = {}

    def with_own_indices(self, rows: CoreRows | None) -> Any:
        """Return rows whose indices are copies if X is sparse."""
        if rows is None or not isinstance(rows[0], tuple):
            return rows
        columns = rows[0][1]
        if id(columns) not in self._owned:
            self._owned[id(columns)] = rows[0], with_own_indices(rows)[0]
        return self._owned[id(columns)][1], *rows[1:]

    def as_float64(self, part: Any) -> Any:
        """Return an array, or the parts of sparse rows, in float64."""
        key = id(part[0] if isinstance(part, tuple) else part)
        if key not in self._done:
            self._done[key] = (part, as_float64(part))
        return self._done[key][1]


def _guarded(
    network: Model, train: CoreRows, held_out: CoreRows | None, on_epoch: OnEpoch | None, draw_order: Any,
    windowed: bool, own_indices: Callable[[CoreRows | None], Any] = with_own_indices,
) -> tuple[CoreRows, CoreRows | None, OnEpoch | None]:  # fmt: skip
    """Return rows and callback such that Python's code, which may change the user's arrays, does no harm."""
    if on_epoch is None and draw_order is None:
        return train, held_out, None
    train, held_out = own_indices(train), own_indices(held_out)
    coded = {} if windowed else {"": train[0]}
    if held_out is not None:
        coded["validation: "] = held_out[0]
    return train, held_out, _with_checked_codes(network, on_epoch, coded)


def _with_checked_codes(network: Model, on_epoch: OnEpoch | None, coded: dict[str, Any]) -> OnEpoch | None:
    """Return a callback that also checks codes of embeddings, which the core trusts, in the user's arrays."""
    if on_epoch is None or not network.embeddings:
        return on_epoch

    def checked(record: Record) -> bool | float:
        answer = on_epoch(record)
        for prefix, X in coded.items():
            try:
                network._check_codes(X)
            except ValueError as error:
                raise ValueError(f"{prefix}{error}, after a callback has changed it") from None
        return answer

    return checked
