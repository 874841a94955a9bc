"""Which networks of a library are best together: greedy forward selection on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import features_and_target, integer
from fastmlp._inspect.evaluate import compared, evaluate_rows
from fastmlp._inspect.scorers import scorer
from fastmlp._model.ensemble import EnsembleModel
from fastmlp._native import threads as _threads
from fastmlp._rows.targets import gives_probabilities, takes_labels
from fastmlp.spec.losses import LOSSES

Floats = NDArray[np.float64]

LOSS = "loss"

_BLOCK_BYTES = 2**25  # of the candidates that are measured together


_Measured = Callable[[Floats], Floats]  # outputs of candidates, (m, n, outputs), to what is to be low, (m,)


def select(
    library: EnsembleModel, X: Any, y: Any, size: int, metric: Any, sample_weight: Any
) -> NDArray[np.int64]:
    """Return how often each network is chosen; see `Ensemble.greedy`."""
    size = integer("size", size, low=1)
    if metric == LOSS:
        return greedy_counts(*_by_loss(library, X, y, sample_weight), size)
    if callable(metric):
        raise TypeError(f"metric must be {LOSS!r} or the name of a metric, got {metric!r}")
    return greedy_counts(*_by_metric(library, X, y, metric, sample_weight), size)


def _by_loss(library: EnsembleModel, X: Any, y: Any, sample_weight: Any) -> tuple[NDArray[Any], _Measured]:
    """Return the outputs of all networks, as the loss takes them, and the mean loss of candidates."""
    rows, targets, weights = library._checked_rows(X, y, sample_weight)
    outputs = _library_outputs(library, rows)
    if library._own_units:  # the loss of values is that of the standardised ones
        outputs = np.stack([library._reader.learned_target(library._to_units(each)) for each in outputs])  # type: ignore[union-attr]
    truth = targets.matrix(library._n_outputs, np.float64)
    if targets.labels is not None and LOSSES[library._loss].link == "softmax":
        # Of probabilities only that of the true class matters.
        places = np.broadcast_to(targets.labels[:, np.newaxis], (len(outputs), len(rows), 1))
        outputs = np.take_along_axis(outputs, places, axis=2)
        truth = np.ones((len(rows), 1))
    losses = row_losses(library._loss, library._loss_numbers, np.finfo(library.dtype).eps)

    def measured(candidates: Floats) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(np.average(losses(candidates, truth), axis=-1, weights=weights))

    return outputs, measured


def _by_metric(
    library: EnsembleModel, X: Any, y: Any, metric: str, sample_weight: Any
) -> tuple[NDArray[Any], _Measured]:
    """Return the outputs of all networks, and a metric of candidates, its sign changed if high is good."""
    loss = library._loss
    quantiles = len(library._loss_numbers) > 1
    score = scorer(metric, takes_labels(loss), gives_probabilities(loss), quantiles=quantiles)
    X = library._rows(X)
    whole = evaluate_rows(library, X, y, sample_weight)
    X, _ = features_and_target(X, y)
    in_units, outputs = library._in_units(X), _library_outputs(library, library._matrix(X))
    if len(whole.truth) != outputs.shape[1]:
        raise ValueError("y must have a value in each row of X, got a missing one")
    sign = -1 if score.higher_is_better else 1

    def measured(candidates: Floats) -> Floats:
        each = (candidate.astype(library.dtype) for candidate in candidates)
        found = (compared(library, a, whole.truth, in_units, whole.weights) for a in each)
        return np.array([sign * score(evaluation) for evaluation in found])

    return outputs, measured


def greedy_counts(outputs: NDArray[Any], measured: _Measured, size: int) -> NDArray[np.int64]:
    """Return how often each of the outputs, (networks, n, outputs), is in the best of the greedy means."""
    networks = len(outputs)
    together = max(1, _BLOCK_BYTES // max(1, 8 * outputs[0].size))
    total = np.zeros(outputs.shape[1:])
    chosen: list[int] = []
    reached: list[float] = []
    for step in range(1, size + 1):
        losses = np.concatenate(
            [measured((total + outputs[i : i + together]) / step) for i in range(0, networks, together)]
        )
        losses[np.isnan(losses)] = np.inf
        best = int(losses.argmin())
        chosen.append(best)
        reached.append(float(losses[best]))
        total += outputs[best]
    if not np.isfinite(min(reached)):
        raise ValueError("networks must have finite outputs for X: none of them has a finite loss or metric")
    return np.bincount(chosen[: int(np.argmin(reached)) + 1], minlength=networks)


def _library_outputs(library: EnsembleModel, rows: Any) -> NDArray[Any]:
    """Return the outputs of each network, (networks, n, outputs), as they go into the mean."""
    threads = _threads.resolve(None)
    count = len(library.networks)
    outputs = np.empty((count, len(rows), library._n_outputs), library.dtype)
    for i in range(count):
        outputs[i] = library._outputs_of(i, rows, threads)
    return outputs


def row_losses(name: str, numbers: tuple[float, ...], eps: float) -> Callable[[Floats, Floats], Floats]:
    """Return a function of outputs a (.., n, outputs) and truth y (n, outputs) to the loss of each row.

    Probabilities are kept within eps and 1 - eps, and means of poisson above eps.
    """
    entry, c = LOSSES[name], np.array(numbers)
    if entry.link == "softmax":
        return lambda a, y: -(entry.smoothed(y, c) * np.log(np.clip(a, eps, 1 - eps))).sum(axis=-1)
    if entry.link == "sigmoid":

        def of_probabilities(a: Floats, y: Floats) -> Floats:
            p, y = np.clip(a, eps, 1 - eps), entry.smoothed(y, c)
            return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)).sum(axis=-1))

        return of_probabilities
    if entry.link == "exp":
        return lambda a, y: (a - y * np.log(np.maximum(a, eps))).sum(axis=-1)
    if entry.output_per_class:  # hinge
        return lambda a, y: np.where(
            y == 0, np.maximum(0, a - (y * a).sum(axis=-1, keepdims=True) + 1), 0
        ).sum(axis=-1)
    return lambda a, y: np.asarray(entry.value(None, a, y, c)).sum(axis=-1)
