"""One run: the core's trainer or L-BFGS over rows, whoever asks for it, `train` or an estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.model import Model
from fastmlp._native import core as _core
from fastmlp._rows.features import with_own_indices
from fastmlp._rows.read import RunRows
from fastmlp._training.lbfgs import Minimum, minimize

Record = tuple[Any, ...]  # of an epoch, as the core gives it


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
    on_epoch: Callable[[Record], bool | float] | None = None,
    state: Any = None,
    draw_order: Callable[[], Any] | None = None,
    on_state: Callable[[], None] | None = None,
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
        Called when the state is to be saved.

    Returns
    -------
    Outcome
    """
    options.mean_weight = rows.mean_weight
    epochs = range(options.first_epoch, options.epochs)
    with rows.windows(options.batch_size, epochs, options.shuffle, options.seed) as (train, next_window):
        held_out = rows.held_out
        if on_epoch is not None or draw_order is not None:  # Python's code may change the user's arrays
            train, held_out = with_own_indices(train), with_own_indices(held_out)
            coded = {} if next_window is not None else {"": train[0]}
            if held_out is not None:
                coded["validation: "] = held_out[0]
            on_epoch = _with_checked_codes(network, on_epoch, coded)
        if limits is not None:
            return Outcome(*minimize(network, train, options, on_epoch, limits))
        return Outcome(
            *network._core.train(
                *train, held_out, options, on_epoch, state, draw_order, next_window, on_state
            )
        )


def _with_checked_codes(
    network: Model, on_epoch: Callable[[Record], bool | float] | None, coded: dict[str, Any]
) -> Callable[[Record], bool | float] | None:
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
