"""The state of an optimizer between two calls of partial_fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.model import Model
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
            and bool(np.isfinite(self.moments).all())
        )

    def writable(self) -> OptimizerState:
        """Return the state with moments that are not a file's, as joblib may leave them."""
        if not self.moments.flags.writeable:
            self.moments = self.moments.copy()
        return self

    def copy(self) -> OptimizerState:
        """Return a state of its own."""
        return replace(self, moments=self.moments.copy())
