"""Loss and score of partitions, as sums over their rows from which those of all rows follow exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._dask.learning import Learning, Prepared
from fastmlp._dask.worker import threads_of_task
from fastmlp._rows.memory import CoreRows
from fastmlp._rows.targets import TargetForm, has_output_per_class, takes_labels

Array = NDArray[Any]


@dataclass(frozen=True)
class Spread:
    """Weighted moments of values and of what was predicted for them.

    Attributes
    ----------
    weight : float
        Of the rows; 0 where there are none.
    means, squares, residuals : array, (outputs,)
        The values' means, and their squared distances from these and from the predictions.
    """

    weight: float
    means: NDArray[np.float64]
    squares: NDArray[np.float64]
    residuals: NDArray[np.float64]

    @classmethod
    def of(cls, truth: Array, predicted: Array, weights: Array | None = None) -> Spread:
        """Return that of rows, (n, outputs), whose weights may be 0."""
        truth, predicted = truth.astype(np.float64), predicted.astype(np.float64)
        w = np.ones((len(truth), 1)) if weights is None else weights[:, np.newaxis].astype(np.float64)
        total = float(w.sum())
        means = (w * truth).sum(axis=0) / (total or 1.0)
        squares, residuals = ((w * (truth - a) ** 2).sum(axis=0) for a in (means, predicted))
        return cls(total, means, squares, residuals)

    def with_(self, other: Spread) -> Spread:
        """Return that of the rows of both (Chan, Golub, LeVeque, 1983)."""
        if not self.weight or not other.weight:
            return self if self.weight else other
        apart, both = other.means - self.means, self.weight + other.weight
        return Spread(
            both,
            self.means + apart * (other.weight / both),
            self.squares + other.squares + apart**2 * (self.weight * other.weight / both),
            self.residuals + other.residuals,
        )

    def r2(self) -> float:
        """Return R2, the mean over the outputs; of a constant one 1 where it is met, else 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = 1 - self.residuals / self.squares
        met = np.where(self.residuals == 0, 1.0, 0.0)
        return float(np.mean(np.where(self.squares == 0, met, explained)))


@dataclass(frozen=True)
class Measured:
    """What was measured of the rows of a partition.

    Attributes
    ----------
    loss, weight : float
        The weighted sum of the rows' losses, and that of their weights.
    rows : int
    right : int
        Of labels: the rows whose outputs are all right.
    spread : Spread or None
        Of values, each row counted once.
    """

    loss: float
    weight: float
    rows: int
    right: int
    spread: Spread | None

    def with_(self, other: Measured) -> Measured:
        """Return that of the rows of both."""
        spread = None
        if self.spread is not None and other.spread is not None:
            spread = self.spread.with_(other.spread)
        return Measured(
            self.loss + other.loss, self.weight + other.weight, self.rows + other.rows,
            self.right + other.right, spread,
        )  # fmt: skip


def measure(rows: Prepared, learning: Learning, parameters: Array, share: int) -> Measured:
    """Measure the common weights on the rows of a partition that are to be validated on."""
    with threads_of_task(share) as threads:
        # Without the l2 term, which is no loss of rows. The core computes it, so that it has the same bits on
        # all processors.
        network = learning.network(parameters, l2=0.0)
        return reduce(
            Measured.with_, [_measured(block, network, learning.form, threads) for block in rows.held]
        )


def _measured(block: CoreRows, network: Any, form: TargetForm, threads: int) -> Measured:
    X, labels, values, weights, _ = block
    outputs = network._core_predictor.forward(X, threads)
    count = len(outputs)
    weight = float(count) if weights is None else float(weights.sum(dtype=np.float64))
    loss = 0.0
    if weight > 0:
        loss = weight * network._core.full_batch(X, labels, values, weights, threads).loss_and_gradient()[0]
    if takes_labels(form.loss):
        return Measured(loss, weight, count, int(_right(outputs, labels, values, form).sum()), None)
    return Measured(loss, weight, count, 0, Spread.of(values, outputs))


def _right(outputs: Array, labels: Array | None, values: Array | None, form: TargetForm) -> NDArray[np.bool_]:
    """Tell the rows whose outputs are all right."""
    if has_output_per_class(form.loss):
        wanted = labels if values is None else values.argmax(axis=1)
        return np.asarray(outputs.argmax(axis=1) == wanted)
    assert values is not None
    return np.asarray(((outputs > 0.5) == (values > 0.5)).all(axis=1))


def loss_and_score(parts: Sequence[Measured]) -> tuple[float, float]:
    """Return the loss of all rows, and their accuracy or R2."""
    whole = reduce(Measured.with_, parts)
    score = whole.right / whole.rows if whole.spread is None else whole.spread.r2()
    return whole.loss / whole.weight, score
