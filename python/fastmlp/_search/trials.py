"""One trial of a search: its spec, its fits, and what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp._base.records import Records
from fastmlp._search.space import Spec
from fastmlp._training.fits import Fit, Fits
from fastmlp._training.runs import penalty

#: Trained to its end; stopped by successive halving; ended by a loss that was not finite; ended by another
#: error; cut off by the end of the search.
COMPLETE, PRUNED, DIVERGED, FAILED, CUT = "complete", "pruned", "diverged", "failed", "cut off"

#: Why fits stop that would have gone on.
_FROM_OUTSIDE = ("max_time", "interrupted")

STATES = (COMPLETE, PRUNED, DIVERGED, FAILED, CUT)

#: The columns of a history that hold a score, one or the other.
SCORES = ("validation_accuracy", "validation_r2")


@dataclass
class Trial:
    """A trial.

    Attributes
    ----------
    number : int
        Of the study, from 0.
    parameters : dict
        As the sampler knows them; some are labels, "64,32" for (64, 32).
    spec : dict
        The arguments of `train` that they stand for.
    fits : list of int
        The places of its fits, one a fold; empty if an earlier search trained it.
    state : str or None
        None while it is being trained.
    loss, score, epochs, seconds : float
        Loss and score are means over the folds, each of the epoch whose weights are kept, the loss without
        the l2 term; epochs and seconds are sums.
    best_epochs : list of int
        Which epoch that was.
    error : str
        Why it failed.
    """

    number: int
    parameters: dict[str, Any]
    spec: Spec
    fits: list[int] = field(default_factory=list)
    state: str | None = None
    loss: float = math.nan
    score: float = math.nan
    epochs: int = 0
    seconds: float = 0.0
    best_epochs: list[int] = field(default_factory=list)
    error: str = ""

    def measure(self, fits: Fits) -> None:
        """Take over what its fits have measured so far, and whether one has failed."""
        measured = []
        for place in self.fits:
            fit = fits[place]
            if fit.error is not None:
                diverged = isinstance(fit.error, FloatingPointError)
                self.state, self.error = DIVERGED if diverged else FAILED, str(fit.error)
            if len(fit.network.history):
                measured.append(fit)
        self.epochs = sum(fit.epochs for fit in measured)
        self.seconds = sum(float(fit.network.history["seconds"][-1]) for fit in measured)
        if self.state is None and measured and len(measured) == len(self.fits):
            self._take(measured)

    def _take(self, fits: list[Fit]) -> None:
        losses, scores = [], []
        self.best_epochs = []
        for fit in fits:
            history, row = fit.network.history, fit.kept_row
            self.best_epochs.append(int(history["epoch"][row]))
            losses.append(history["validation_loss"][row] - penalty(fit.network))
            scores.append(history[next(name for name in SCORES if name in history)][row])
        self.loss, self.score = float(np.mean(losses)), float(np.mean(scores))

    def value(self, metric: str) -> float:
        """Return what is compared, the lower the better; infinity where nothing was measured."""
        value = self.loss if metric == "loss" else -self.score
        return value if math.isfinite(value) and self.state not in (DIVERGED, FAILED) else math.inf

    def has_ended(self, fits: Fits) -> bool:
        """Whether all of its fits have come to their own ends."""
        return bool(self.fits) and all(
            fits[place].ended and fits[place].network.stop_reason not in _FROM_OUTSIDE for place in self.fits
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what was measured, as a storage keeps it."""
        return {
            "state": self.state, "loss": self.loss, "score": self.score, "epochs": self.epochs,
            "seconds": self.seconds, "best_epochs": self.best_epochs, "error": self.error,
        }  # fmt: skip


def best_first(trials: list[Trial], metric: str) -> list[Trial]:
    """Return trials in the order of their values; those that were trained to their ends before others."""
    return sorted(trials, key=lambda trial: (trial.state != COMPLETE, trial.value(metric), trial.number))


def trial_table(trials: list[Trial]) -> Records:
    """Return a table with a row a trial; a parameter that a trial does not have is None."""
    names = dict.fromkeys(name for trial in trials for name in trial.parameters)
    measured = ("loss", "score", "epochs", "seconds", "state")
    return Records(
        ("trial", *names, *measured),
        [
            (
                trial.number,
                *(trial.parameters.get(name) for name in names),
                *(getattr(trial, name) for name in measured),
            )
            for trial in trials
        ],
    )
