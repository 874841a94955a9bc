"""What `fastmlp.dask.train` does after each round: history, callbacks, and when it stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._dask.rounds import Round
from fastmlp._network.network import Network
from fastmlp._training.callbacks import epoch_callback
from fastmlp._training.options import RunSettings


class Watch:
    """Called after each round; returns why to stop, or None.

    Parameters
    ----------
    network : Network
        As it is after the round.
    settings : RunSettings
        With patience, loss_target and so on.
    local_epochs : int
        Passes of a round.
    observers : sequence of callables
        Called with the network; True stops.
    validated : bool
        Whether the loss of validation is monitored, in place of that of training.
    """

    def __init__(
        self, network: Network, settings: RunSettings, local_epochs: int,
        observers: Sequence[Callable[[Network], Any]], *, validated: bool,
    ) -> None:  # fmt: skip
        self._network, self._settings, self._local_epochs = network, settings, local_epochs
        self._validated = validated
        self._lowest, self._without = np.inf, 0
        self._best: NDArray[Any] | None = None
        self._last: NDArray[Any] = network.parameters.copy()  # whose loss was finite
        self._tell = epoch_callback(network, network.history.copy(), observers, None, None)

    def __call__(self, r: Round) -> str | None:
        """Record a round."""
        network, s = self._network, self._settings
        monitored = r.validation_loss if r.validation_loss is not None else r.loss
        row = (r.number * self._local_epochs, r.loss, r.learning_rate, r.seconds)
        scores = () if r.validation_loss is None else (r.validation_loss, r.validation_score)
        if self._tell is None:
            network.history.append((*row, *scores))
        if not np.isfinite(monitored):
            return "diverged"
        self._last = network.parameters.copy()
        self._without = 0 if monitored < self._lowest - s.min_delta else self._without + 1
        if monitored < self._lowest:
            self._lowest, self._best = monitored, self._last
        stopped = self._tell is not None and self._tell((*row, *scores))
        if s.loss_target is not None and r.loss <= s.loss_target:
            return "loss_target"
        if s.patience is not None and self._without >= s.patience:
            return "patience"
        if stopped:
            return "callback"
        return "max_time" if s.max_time is not None and r.seconds >= s.max_time else None

    def restore(self, *, ended_early: bool) -> None:
        """Give the network its best weights, where they are wanted; else the last ones that were finite."""
        s = self._settings
        judged = self._validated or s.patience is not None or ended_early
        if s.restore_best and judged and self._best is not None:
            self._network.parameters[:] = self._best
        elif ended_early:
            self._network.parameters[:] = self._last
