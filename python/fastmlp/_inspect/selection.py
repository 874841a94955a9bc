"""Which networks of a library are best together: greedy forward selection on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import integer
from fastmlp._model.ensemble import EnsembleModel
from fastmlp._native import threads as _threads
from fastmlp.spec.losses import LOSSES

Floats = NDArray[np.float64]

_BLOCK_BYTES = 2**25  # of the candidates that are measured together


def select(library: EnsembleModel, X: Any, y: Any, size: int, sample_weight: Any) -> NDArray[np.int64]:
    """Return how often each network is chosen; see `Ensemble.greedy`."""
    size = integer("size", size, low=1)
    rows, targets, weights = library._checked_rows(X, y, sample_weight)
    outputs = _library_outputs(library, rows)
    truth = targets.matrix(library._n_outputs, np.float64)
    if targets.labels is not None and LOSSES[library._loss].link == "softmax":
        # Of probabilities only that of the true class matters.
        places = np.broadcast_to(targets.labels[:, np.newaxis], (len(library.networks), len(rows), 1))
        outputs = np.take_along_axis(outputs, places, axis=2)
        truth = np.ones((len(rows), 1))
    losses = row_losses(library._loss, library._loss_numbers, np.finfo(library.dtype).eps)

    def measured(candidates: Floats) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):
            means = np.average(losses(candidates, truth), axis=-1, weights=weights)
        return np.where(np.isnan(means), np.inf, means)

    return _selected(outputs, size, measured)


def _selected(outputs: NDArray[Any], size: int, measured: Callable[[Floats], Floats]) -> NDArray[np.int64]:
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
        best = int(losses.argmin())
        chosen.append(best)
        reached.append(float(losses[best]))
        total += outputs[best]
    if not np.isfinite(min(reached)):
        raise ValueError("networks must have finite outputs for X: the loss of each of them is not finite")
    return np.bincount(chosen[: int(np.argmin(reached)) + 1], minlength=networks)


def _library_outputs(library: EnsembleModel, rows: Any) -> NDArray[Any]:
    """Return the outputs of each network, (networks, n, outputs), as the loss takes them."""
    threads = _threads.resolve(None)
    count = len(library.networks)
    outputs = np.empty((count, len(rows), library._n_outputs), library.dtype)
    for i in range(count):
        of_network = library._outputs_of(i, rows, threads)
        if library._own_units:  # the loss of values is that of the standardised ones
            of_network = library._reader.learned_target(of_network)  # type: ignore[union-attr]
        outputs[i] = of_network
    return outputs


def row_losses(name: str, numbers: tuple[float, ...], eps: float) -> Callable[[Floats, Floats], Floats]:
    """Return a function of outputs a (.., n, outputs) and truth y (n, outputs) to the loss of each row.

    Probabilities are kept within eps and 1 - eps, and means of poisson above eps.
    """
    entry, c = LOSSES[name], np.array(numbers)
    if entry.link == "softmax":
        return lambda a, y: -(y * np.log(np.clip(a, eps, 1 - eps))).sum(axis=-1)
    if entry.link == "sigmoid":

        def of_probabilities(a: Floats, y: Floats) -> Floats:
            p = np.clip(a, eps, 1 - eps)
            return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)).sum(axis=-1))

        return of_probabilities
    if entry.link == "exp":
        return lambda a, y: (a - y * np.log(np.maximum(a, eps))).sum(axis=-1)
    if entry.output_per_class:  # hinge
        return lambda a, y: np.where(
            y == 0, np.maximum(0, a - (y * a).sum(axis=-1, keepdims=True) + 1), 0
        ).sum(axis=-1)
    return lambda a, y: np.asarray(entry.value(None, a, y, c)).sum(axis=-1)
