"""The state of an optimizer between two calls of partial_fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from fastmlp._model.model import Model
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp.spec.optimizers import Optimizer


@dataclass
class OptimizerState:
    """What partial_fit goes on from: the rate, the clock, the moments, and the weights of the best score."""

    optimizer: Optimizer
    learning_rate: float
    seed: int
    moments: NDArray[Any]  # (2, n_parameters)
    best: NDArray[Any] | None = None
    epochs: int = 0
    steps: int = 0

    def fits(self, network: Model, optimizer: Optimizer) -> bool:
        """Tell whether the optimizer can go on from here."""
        return (
            type(self.optimizer) is type(optimizer)
            and self.moments.shape == (2, network.n_parameters)
            and self.moments.dtype == network.dtype
            and _core.first_nonfinite(self.moments, _threads.for_bytes(self.moments.nbytes)) < 0
        )

    def writable(self) -> OptimizerState:
        """Return the state with moments that are not a file's, as joblib may leave them."""
        if not self.moments.flags.writeable:
            self.moments = self.moments.copy()
        return self

    def copy(self) -> OptimizerState:
        """Return a state of its own."""
        return replace(self, moments=self.moments.copy())
