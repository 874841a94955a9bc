"""How good predictions are: of labels, of values, of quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LabelMetrics:
    """What `label_metrics` measured.

    Attributes
    ----------
    rows : int
    accuracy : float
        Share of the rows whose label was predicted.
    log_loss : float or None
        Mean of ``-ln p(true class)``; None without probabilities.
    macro_f1 : float
        Mean F1 of the classes that are true or predicted in some row.
    classes : array, (K,)
    precision, recall, f1 : arrays, (K,)
        ``tp / predicted``, ``tp / support`` and ``2 tp / (predicted + support)`` of each class; 0 for 0 / 0.
    support : array of int, (K,)
        Rows of each class.
    pairs : array of int, (m, 3)
        True class, predicted class (their places in `classes`) and number of rows, for each pair that occurs.
    """

    rows: int
    accuracy: float
    log_loss: float | None
    macro_f1: float
    classes: NDArray[Any]
    precision: Floats
    recall: Floats
    f1: Floats
    support: Ints
    pairs: Ints

    @property
    def right(self) -> int:
        """The number of rows predicted right."""
        true, predicted, counts = self.pairs.T
        return int(counts[true == predicted].sum())

    def confusion_matrix(self) -> Ints:
        """Return the number of rows by true class (rows) and predicted class (columns), (K, K)."""
        matrix = np.zeros((len(self.classes), len(self.classes)), np.int64)
        true, predicted, counts = self.pairs.T
        matrix[true, predicted] = counts
        return matrix

    def confusions(self, limit: int) -> list[tuple[Any, Any, int]]:
        """Return (true, predicted, rows) of the most frequent mistakes, the most frequent first."""
        wrong = self.pairs[self.pairs[:, 0] != self.pairs[:, 1]]
        order = np.argsort(-wrong[:, 2], kind="stable")[:limit]
        return [(self.classes[t], self.classes[p], int(count)) for t, p, count in wrong[order]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        per_class = zip(
            self.classes.tolist(), self.precision, self.recall, self.f1, self.support, strict=True
        )
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "macro_f1": self.macro_f1,
            "classes": [
                {"label": c, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
                for c, p, r, f, s in per_class
            ],
            "confusion_matrix": self.confusion_matrix().tolist(),
        }


@dataclass(frozen=True)
class ValueMetrics:
    """What `value_metrics` measured; RMSE and MAE are in the units of the values.

    Attributes
    ----------
    rows : int
    r2 : float
        ``1 - sum (p - y)^2 / sum (y - mean y)^2``; NaN where all y are equal.
    rmse : float
        ``sqrt(mean (p - y)^2)``
    mae : float
        ``mean |p - y|``
    """

    rows: int
    r2: float
    rmse: float
    mae: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class QuantileMetrics:
    """What `quantile_metrics` measured.

    Attributes
    ----------
    rows : int
    levels : tuple of float
        The quantiles q.
    coverage : tuple of float
        For each q, the share of values at or below the prediction; q, if the prediction is right.
    pinball : tuple of float
        For each q, the mean of ``max(q (y - p), (1 - q) (p - y))``, in the units of the values.
    """

    rows: int
    levels: tuple[float, ...]
    coverage: tuple[float, ...]
    pinball: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        per_level = zip(self.levels, self.coverage, self.pinball, strict=True)
        return {
            "rows": self.rows,
            "quantiles": [{"level": q, "coverage": c, "pinball_loss": p} for q, c, p in per_level],
        }


Metrics = LabelMetrics | ValueMetrics | QuantileMetrics


def label_metrics(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    classes: NDArray[Any],
    probabilities: ArrayLike | None = None,
) -> LabelMetrics:
    """Compare predicted labels with the true ones.

    Parameters
    ----------
    truth, predicted : arrays, (n,), n at least 1
    classes : array, (K,)
        The labels that can be predicted, sorted. True labels beyond them become classes of their own.
    probabilities : array_like, (n, K), optional
        Of each class, for the log loss.

    Returns
    -------
    LabelMetrics
    """
    labels = np.union1d(classes, truth)
    true, guess = np.searchsorted(labels, truth), np.searchsorted(labels, predicted)
    support, guessed = (np.bincount(codes, minlength=len(labels)) for codes in (true, guess))
    hits = np.bincount(true[true == guess], minlength=len(labels))
    f1 = _share(2 * hits, support + guessed)
    places, counts = np.unique(true * len(labels) + guess, return_counts=True)
    loss = None if probabilities is None else float(label_losses(truth, classes, probabilities).mean())
    return LabelMetrics(
        rows=len(truth),
        accuracy=float((true == guess).mean()),
        log_loss=loss,
        macro_f1=float(f1[support + guessed > 0].mean()),
        classes=labels,
        precision=_share(hits, guessed),
        recall=_share(hits, support),
        f1=f1,
        support=support,
        pairs=np.stack([*np.divmod(places, len(labels)), counts], axis=1),
    )


def label_losses(truth: NDArray[Any], classes: NDArray[Any], probabilities: ArrayLike) -> Floats:
    """Return ``-ln p(true class)`` of each row.

    Probabilities are kept within eps and 1 - eps of their type, so that one sure mistake is not infinite; a
    label that is none of the classes has probability 0.

    Parameters
    ----------
    truth : array, (n,)
    classes : array, (K,)
        Sorted.
    probabilities : array_like, (n, K)

    Returns
    -------
    array, (n,)
    """
    table = np.asarray(probabilities)
    places = np.minimum(np.searchsorted(classes, truth), len(classes) - 1)
    chosen = np.where(classes[places] == truth, table[np.arange(len(truth)), places], 0)
    eps = np.finfo(table.dtype).eps
    return -np.log(np.clip(chosen.astype(np.float64), eps, 1 - eps))


def value_metrics(truth: ArrayLike, predicted: ArrayLike) -> ValueMetrics:
    """Compare predicted values with the true ones.

    Parameters
    ----------
    truth, predicted : array_like, (n,), n at least 1

    Returns
    -------
    ValueMetrics
    """
    y, p = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # squares beyond 1e308 become inf
        residual = p - y
        spread = float(np.square(y - y.mean()).sum())
        r2 = 1 - float(np.square(residual).sum()) / spread if spread > 0 else np.nan
        rmse, mae = float(np.sqrt(np.square(residual).mean())), float(np.abs(residual).mean())
    return ValueMetrics(len(y), r2, rmse, mae)


def quantile_metrics(truth: ArrayLike, predicted: ArrayLike, levels: Sequence[float]) -> QuantileMetrics:
    """Compare predicted quantiles with the true values.

    Parameters
    ----------
    truth : array_like, (n,), n at least 1
    predicted : array_like, (n, len(levels))
    levels : sequence of float, between 0 and 1

    Returns
    -------
    QuantileMetrics

    References
    ----------
    R. Koenker, G. Bassett, Regression Quantiles, Econometrica 46, 1978.
    """
    y, p = np.asarray(truth, np.float64)[:, np.newaxis], np.asarray(predicted, np.float64)
    q = np.asarray(levels)
    pinball = np.maximum(q * (y - p), (1 - q) * (p - y)).mean(axis=0)
    coverage = (y <= p).mean(axis=0)
    return QuantileMetrics(len(y), tuple(levels), tuple(coverage.tolist()), tuple(pinball.tolist()))


def _share(part: Ints, whole: Ints) -> Floats:
    """Divide counts; 0 for 0 / 0."""
    return part / np.maximum(whole, 1)
