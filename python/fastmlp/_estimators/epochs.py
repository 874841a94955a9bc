"""What scikit-learn does after each epoch: curves, scores, stopping, the learning rate.

`Epochs` does it for gradient descent, `Iterations` for L-BFGS.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring

from fastmlp._base.said import say
from fastmlp._estimators import parameters
from fastmlp._estimators.callbacks import FitTask
from fastmlp._estimators.state import OptimizerState
from fastmlp._network.network import Network
from fastmlp._training.run import Outcome

Score = Callable[[], float]

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
    "preprocessed."
)


def tell(estimator: Any, text: str) -> None:
    """Print a line where that is wanted; of several networks it says which one it is about."""
    if estimator.verbose:
        print(f"{vars(estimator).get('_place', '')}{text}\n", end="")  # in one piece: others print, too


def record(estimator: Any, loss: float, rate: float, seconds: float, score: float | None) -> None:
    """Add an epoch to the curves, and print it where that is wanted."""
    p = estimator
    p.n_iter_ += 1
    p.loss_ = loss
    p.loss_curve_.append(loss)
    p.history_.append((len(p.loss_curve_), loss, rate, seconds, np.nan if score is None else score))
    tell(p, f"Iteration {p.n_iter_}, loss = {loss:.8f}")
    if score is not None:
        p.validation_scores_.append(score)
        tell(p, f"Validation score: {score:f}")


def score_function(estimator: Any, X: Any, y: NDArray[Any], weights: NDArray[Any] | None) -> Score:
    """Return what measures the score of the weights as they are at each call."""
    judged = object.__new__(type(estimator))  # shares the weights; X has no names any more to ask for
    judged.__dict__ = {k: v for k, v in estimator.__dict__.items() if k != "feature_names_in_"}
    scorer = check_scoring(judged, estimator.scoring)
    keywords = {} if weights is None or not _takes_weights(scorer) else {"sample_weight": weights}

    def score() -> float:
        value = scorer(judged, X, y, **keywords)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise TypeError(f"scoring must return a number, got {value!r}") from None

    return score


def _takes_weights(scorer: Any) -> bool:
    metric = getattr(scorer, "_score_func", scorer)  # scikit-learn's scorers take them for any metric
    arguments = inspect.signature(metric).parameters.values()
    return any(p.name == "sample_weight" or p.kind is p.VAR_KEYWORD for p in arguments)


@dataclass
class Epochs:
    """Called after each epoch; returns True to stop, or the learning rate from there on."""

    estimator: Any  # whose fitted attributes are kept up to date
    network: Network
    rows: int  # an epoch's
    state: OptimizerState
    loss_of: Callable[[float, float], float]  # from the core's loss and penalty to scikit-learn's loss
    score: Score | None  # gives the validation score; None where the core does
    measures: bool  # whether there is a validation score
    task: FitTask
    incremental: bool  # ends after one epoch
    ended: bool = False  # by a callback, or for want of improvement

    def __post_init__(self) -> None:
        self.adaptation = parameters.adaptation(self.estimator)

    def __call__(self, row: tuple[Any, ...]) -> bool | float:
        p, rate = self.estimator, self.state.learning_rate
        _, loss, rate_of_epoch, seconds, _, score, _, penalty = row
        score = self.score() if self.score else score
        self._add(self.loss_of(loss, penalty), score, rate_of_epoch, seconds)
        if self.adaptation == "invscaling":
            self.state.learning_rate = float(p.learning_rate_init) / (p.t_ + 1) ** float(p.power_t)
        self.ended = self._no_longer_improves()
        self.ended |= self.task.epoch_ended(last=self.ended or p.n_iter_ == p.max_iter)
        if self.ended or self.incremental:
            return True
        return self.state.learning_rate if self.state.learning_rate != rate else False

    def _add(self, loss: float, score: float, rate: float, seconds: float) -> None:
        """Record an epoch, and whether it is an improvement."""
        p = self.estimator
        record(p, loss, rate, seconds, score if self.measures else None)
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
        tell(p, text)
        return bool(p.early_stopped_)

    def finish(self, outcome: Outcome, seconds: float) -> None:
        """Take the weights of the best score, and say how the run ended."""
        p, reason, exception = self.estimator, outcome.reason, outcome.exception
        if reason == "diverged" and p.early_stopping:
            self._add(np.nan, np.nan, np.nan, seconds)
        if p.early_stopping and self.state.best is not None and (p.early_stopped_ or not self.incremental):
            self.network.parameters[:] = self.state.best
        if isinstance(exception, KeyboardInterrupt):
            say("Training interrupted by user.")
        elif exception is not None:
            raise exception
        elif reason == "diverged" and not p.early_stopping:
            raise ValueError(NOT_FINITE)
        elif reason == "diverged":
            say(
                f"the loss diverged in epoch {p.n_iter_}; the weights of the best validation score were "
                "restored. Try a smaller learning_rate_init, or inputs on a smaller scale.",
                ConvergenceWarning,
            )
        elif reason == "epochs" and not (self.ended or self.incremental):
            say(
                f"Stochastic Optimizer: Maximum iterations ({p.max_iter}) reached and the optimization "
                "hasn't converged yet.",
                ConvergenceWarning,
            )


@dataclass
class Iterations:
    """Called after each iteration of L-BFGS, where somebody looks on; returns True to stop."""

    estimator: Any  # whose fitted attributes are kept up to date
    network: Network  # the one that is trained; the estimator's may be of another type
    loss_of: Callable[[float, float], float]  # from the core's loss and penalty to scikit-learn's loss
    score: Score | None  # gives the validation score, if one is wanted
    task: FitTask

    def __post_init__(self) -> None:
        # Whether somebody looks on; else `finish` records all iterations at once.
        self.is_needed = bool(self.score or self.estimator.verbose or self.task.active)

    def __call__(self, row: tuple[Any, ...]) -> bool:
        p = self.estimator
        _, loss, _, seconds, *_, penalty = row
        self._take_weights()
        record(p, self.loss_of(loss, penalty), np.nan, seconds, self.score and self.score())
        return self.task.epoch_ended(last=p.n_iter_ == p.max_iter)

    def _take_weights(self) -> None:
        p, network = self.estimator, self.network
        trained = (*network.weights, *network.biases)
        for mine, values in zip((*p.coefs_, *p.intercepts_), trained, strict=True):
            mine[...] = values

    def _record_all(self, rows: NDArray[np.float64]) -> None:
        p = self.estimator
        _, losses, _, seconds, *_, penalties = rows.T.tolist()
        curve = list(map(self.loss_of, losses, penalties))
        epochs = range(len(p.loss_curve_) + 1, len(p.loss_curve_) + len(curve) + 1)
        unknown = [np.nan] * len(curve)
        p.history_.extend(zip(epochs, curve, unknown, seconds, unknown, strict=True))
        p.loss_curve_ += curve
        p.n_iter_ += len(curve)
        if curve:
            p.loss_ = curve[-1]

    def finish(self, outcome: Outcome) -> None:
        """Take the last weights, and say how the run ended."""
        p, minimum = self.estimator, outcome.minimum
        if not self.is_needed:
            self._record_all(outcome.records)
        self._take_weights()
        if outcome.exception is not None:
            raise outcome.exception
        if outcome.reason == "diverged":
            raise ValueError(NOT_FINITE)
        assert minimum is not None
        penalty = self.network.l2 / 2 * sum(float(np.vdot(W, W)) for W in self.network.weights)
        p.loss_ = p.best_loss_ = self.loss_of(minimum.fun, penalty)
        if outcome.reason in ("epochs", "stalled"):
            say(
                f"lbfgs failed to converge after {p.n_iter_} iteration(s) (status={minimum.status}):\n"
                f"{minimum.message}\n\nIncrease max_iter or max_fun, or scale the data.",
                ConvergenceWarning,
            )
