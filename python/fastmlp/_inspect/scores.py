"""How well scores tell one class from the others: ROC, precision and recall, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Curve:
    """The points of a curve, in order, and one number for it all."""

    x: Floats
    y: Floats
    area: float


def roc(positive: Mask, scores: NDArray[Any], weights: NDArray[Any] | None = None) -> Curve:
    """Return the receiver operating characteristic: false and true positive rates, from the highest score on.

    Parameters
    ----------
    positive : array of bool, (n,)
        At least one row of each kind.
    scores : array, (n,)
        Higher for rows that are taken for positive.
    weights : array, (n,), optional
        What each row counts; above 0 in some row of each kind.

    Returns
    -------
    Curve
        x: share of the negative rows at or above each score, y: of the positive ones. Its area is the
        probability that a positive row has the higher score, ties counting half.

    References
    ----------
    T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27(8), 2006.
    """
    hits, alarms = _cumulated(positive, scores, weights)
    x, y = np.r_[0, alarms] / alarms[-1], np.r_[0, hits] / hits[-1]
    return Curve(x, y, float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum()))


def precision_recall(positive: Mask, scores: NDArray[Any]) -> Curve:
    """Return recall and precision, from the highest score on.

    Parameters
    ----------
    positive : array of bool, (n,)
        At least one of them true.
    scores : array, (n,)

    Returns
    -------
    Curve
        x: recall, y: precision. Its area is the average precision, the sum of precision times the step in
        recall; that of a constant is the share of positive rows.
    """
    hits, alarms = _cumulated(positive, scores)
    recall, precision = hits / hits[-1], hits / (hits + alarms)
    area = float((np.diff(recall, prepend=0) * precision).sum())
    return Curve(np.r_[0, recall], np.r_[precision[0], precision], area)


@dataclass(frozen=True)
class Calibration:
    """Probabilities beside what came of them, in groups of rows with about the same probability.

    Attributes
    ----------
    predicted : array, (groups,)
        Mean probability.
    observed : array, (groups,)
        Share of rows for which it came true.
    rows : array of int, (groups,)
    error : float
        Mean of |observed - predicted| over the rows, the expected calibration error.
    """

    predicted: Floats
    observed: Floats
    rows: Ints
    error: float


def calibration(came_true: Mask, probability: NDArray[Any], groups: int = 10) -> Calibration:
    """Compare probabilities with what came of them, in groups of equal width that have rows.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On calibration of modern neural networks, ICML 2017.
    """
    probability = np.asarray(probability, np.float64)
    places = np.minimum((probability * groups).astype(np.int64), groups - 1)
    rows = np.bincount(places, minlength=groups)
    has = rows > 0
    predicted = np.bincount(places, probability, minlength=groups)[has] / rows[has]
    observed = np.bincount(places, came_true, minlength=groups)[has] / rows[has]
    error = float((np.abs(observed - predicted) * rows[has]).sum() / len(probability))
    return Calibration(predicted, observed, rows[has], error)


def counts_above(positive: Mask, scores: NDArray[Any], thresholds: Floats) -> tuple[Ints, Ints]:
    """Return how many positive and how many negative rows have a score above each threshold."""
    scores = np.asarray(scores, np.float64)
    above = [
        len(part) - np.searchsorted(part, thresholds, side="right")
        for part in (np.sort(scores[positive]), np.sort(scores[~positive]))
    ]
    return above[0], above[1]


def _cumulated(
    positive: Mask, scores: NDArray[Any], weights: NDArray[Any] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return how many positive and negative rows have at least each score that occurs, the highest first.

    With weights, their sums.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    ranked, found = np.asarray(scores)[order], positive[order]
    each = np.ones(len(found), np.int64) if weights is None else np.asarray(weights, np.float64)[order]
    last = np.r_[np.flatnonzero(np.diff(ranked)), len(ranked) - 1]
    return np.cumsum(np.where(found, each, 0))[last], np.cumsum(np.where(found, 0, each))[last]
