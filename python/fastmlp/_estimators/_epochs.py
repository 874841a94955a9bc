"""What scikit-learn does after each epoch: curves, scores, stopping, the learning rate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from fastmlp._estimators import _parameters
from fastmlp._estimators._callbacks import FitTask
from fastmlp._network import Network

Score = Callable[[], float]

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
    "preprocessed."
)


@dataclass
class OptimizerState:
    """What partial_fit goes on from: the rate, the clock of random numbers, and the moments."""

    learning_rate: float
    seed: int
    moments: NDArray[Any]  # (2, n_parameters)
    epochs: int = 0
    steps: int = 0
    best: NDArray[Any] | None = None  # the weights of the best score, between calls of partial_fit


def record(estimator: Any, loss: float, rate: float, seconds: float, score: float | None) -> None:
    """Add an epoch to the curves, and print it where that is wanted."""
    p = estimator
    p.n_iter_ += 1
    p.loss_ = loss
    p.loss_curve_.append(loss)
    p.history_.append((len(p.loss_curve_), loss, rate, seconds, np.nan if score is None else score))
    if p.verbose:
        print(f"Iteration {p.n_iter_}, loss = {loss:.8f}")
    if score is not None:
        p.validation_scores_.append(score)
        if p.verbose:
            print(f"Validation score: {score:f}")


class Epochs:
    """Called after each epoch; returns True to stop, or the learning rate from there on.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Its fitted attributes are kept up to date.
    network : Network
        Whose weights are kept when the score is the best so far.
    rows : int
        An epoch's.
    state : OptimizerState
    loss_of : callable
        From the core's loss and penalty to scikit-learn's loss.
    score : callable, "core" or None
        Gives the validation score; "core" where the core measures it.
    incremental : bool
        Whether to stop after one epoch.
    task : FitTask
        Tells the callbacks of each epoch.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        rows: int,
        state: OptimizerState,
        loss_of: Callable[[float, float], float],
        score: Score | str | None,
        *,
        incremental: bool,
        task: FitTask,
    ) -> None:
        self.estimator, self.network, self.rows, self.state = estimator, network, rows, state
        self.loss_of, self.score, self.task = loss_of, score, task
        self.incremental = incremental
        self.adaptation = _parameters.adaptation(estimator)
        self.ended = False  # by a callback, or for want of improvement
        estimator.n_iter_, estimator.early_stopped_ = 0, False

    def __call__(self, measured: tuple[Any, ...]) -> bool | float:
        p, rate = self.estimator, self.state.learning_rate
        _, loss, _, seconds, _, score, penalty = measured
        self.add(self.loss_of(loss, penalty), self.score() if callable(self.score) else score, seconds)
        if self.adaptation == "invscaling":
            self.state.learning_rate = p.learning_rate_init / (p.t_ + 1) ** p.power_t
        self.ended = self._no_longer_improves()
        self.ended |= self.task.epoch_ended(last=self.ended or p.n_iter_ == p.max_iter)
        if self.ended or self.incremental:
            return True
        return self.state.learning_rate if self.state.learning_rate != rate else False

    def add(self, loss: float, score: float, seconds: float) -> None:
        """Record an epoch, and whether it is an improvement."""
        p = self.estimator
        record(p, loss, self.state.learning_rate, seconds, None if self.score is None else score)
        p.t_ += self.rows
        if p.early_stopping:
            improved = not score < p.best_validation_score_ + p.tol
            if score > p.best_validation_score_:
                p.best_validation_score_ = score
                self.state.best = self.network.parameters.copy()
        else:
            improved = not loss > p.best_loss_ - p.tol
            p.best_loss_ = min(p.best_loss_, loss)
        p._no_improvement_count = 0 if improved else p._no_improvement_count + 1

    def _no_longer_improves(self) -> bool:
        """Tell whether to stop; cut the rate instead where it is adaptive."""
        p, state = self.estimator, self.state
        if p._no_improvement_count <= p.n_iter_no_change:
            return False
        what = "Validation score" if p.early_stopping else "Training loss"
        text = f"{what} did not improve more than tol={p.tol:f} for {p.n_iter_no_change} consecutive epochs."
        p.early_stopped_ = self.adaptation != "adaptive" or state.learning_rate <= 1e-6
        if p.early_stopped_:
            text += " Learning rate too small." if self.adaptation == "adaptive" else ""
            text += " Stopping."
        else:
            state.learning_rate /= 5
            p._no_improvement_count = 0
            text += f" Setting learning rate to {state.learning_rate:f}"
        if p.verbose:
            print(text)
        return bool(p.early_stopped_)

    def finish(self, reason: str, exception: BaseException | None, seconds: float) -> None:
        """Say how the run ended, and take the weights of the best score."""
        p = self.estimator
        if isinstance(exception, KeyboardInterrupt):
            warnings.warn("Training interrupted by user.", stacklevel=5)
        elif exception is not None:
            raise exception
        elif reason == "diverged":
            self._diverged(seconds)
        elif reason == "epochs" and not (self.ended or self.incremental):
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({p.max_iter}) reached and the optimization "
                "hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )
        if self.state.best is not None and (p.early_stopped_ or not self.incremental):
            self.network.parameters[:] = self.state.best
            self.state.best = None

    def _diverged(self, seconds: float) -> None:
        if not self.estimator.early_stopping:
            raise ValueError(NOT_FINITE)
        self.add(np.nan, np.nan, seconds)
        warnings.warn(
            f"the loss diverged in epoch {self.estimator.n_iter_}; the weights of the best validation score "
            "were restored. Try a smaller learning_rate_init, or inputs on a smaller scale.",
            ConvergenceWarning,
            stacklevel=6,
        )
