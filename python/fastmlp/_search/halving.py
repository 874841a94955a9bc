"""Successive halving: all trials of a batch train a little, the best of them go on where they stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Halving:
    """The rungs of a batch.

    Of n trials, n / factor go on to the next rung, which has `factor` times the epochs; the last rung has all
    of them.

    Parameters
    ----------
    factor : int or None
        None trains each trial to its end.
    batch : int
        There are as many rungs as it takes to come from so many trials to one.

    References
    ----------
    K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
    AISTATS 2016.
    L. Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020.
    """

    factor: int | None
    batch: int

    @property
    def cuts(self) -> int:
        """How many times trials are dropped."""
        if self.factor is None:
            return 0
        cuts, left = 0, self.batch
        while left >= self.factor:
            cuts, left = cuts + 1, left // self.factor
        return cuts

    def until(self, rung: int, epochs: int) -> int | None:
        """Return the epoch at which a fit of so many pauses; None at the last rung."""
        left = self.cuts - rung
        return math.ceil(epochs / (self.factor or 1) ** left) if left else None

    def kept(self, count: int) -> int:
        """Return how many of so many go on."""
        return max(1, count // (self.factor or 1))
