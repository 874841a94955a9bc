"""Metrics by their names, as cross-validation and searches compare networks by them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.metrics import QuantileMetrics
from fastmlp._inspect.scores import roc

AUTO = "auto"


@dataclass(frozen=True)
class Scorer:
    """One number that says how good predictions are.

    Attributes
    ----------
    name : str
        "auto" becomes "accuracy" or "r2" where it is known what is predicted.
    higher_is_better : bool or None
        None where that is not known, of a function of the user's own.
    """

    name: str
    higher_is_better: bool | None
    _score: Callable[[Evaluation], float]

    def __call__(self, evaluation: Evaluation) -> float:
        """Return the score of an evaluation, NaN where it is not defined."""
        return self._score(evaluation)


def scorer(metric: Any, labels: bool, probabilities: bool, *, quantiles: bool = False) -> Scorer:
    """Return a metric that fits what is predicted.

    Parameters
    ----------
    metric : str or callable(y_true, y_pred)
        A name, or "auto": accuracy of labels, R2 of values.
    labels : bool
        Whether labels are predicted, rather than values.
    probabilities : bool
        Whether each label has one.
    quantiles : bool, default False
        Whether the values are several quantiles of each row.

    Raises
    ------
    TypeError, ValueError
        If there is no such metric, or it needs other predictions.
    """
    check_metric(metric)
    if callable(metric):
        return Scorer(getattr(metric, "__name__", type(metric).__name__), None, _own(metric))
    name = ("accuracy" if labels else "r2") if metric == AUTO else metric
    fitting = tuple(_OF_LABELS) if labels else ("r2", _PINBALL) if quantiles else tuple(_OF_VALUES)
    if name not in fitting:
        what = "labels" if labels else "several quantiles" if quantiles else "quantities"
        raise ValueError(
            f"metric must be one of {', '.join(fitting)} where {what} are predicted, got {name!r}"
        )
    if name in _OF_PROBABILITIES and not probabilities:
        raise ValueError(f"metric {name!r} needs probabilities, which the loss does not give")
    if name == _PINBALL:
        return Scorer(name, False, _pinball)
    score, higher = (_OF_LABELS if labels else _OF_VALUES)[name]
    return Scorer(name, higher, score)


def check_metric(metric: Any) -> None:
    """Refuse what is no metric, whatever it is to score."""
    if callable(metric) or (isinstance(metric, str) and metric in (AUTO, *METRICS)):
        return
    accepted = f"{', '.join((AUTO, *METRICS))}, or a callable(y_true, y_pred)"
    raise (ValueError if isinstance(metric, str) else TypeError)(
        f"metric must be one of {accepted}; got {metric!r}"
    )


def auc(evaluation: Evaluation) -> float:
    """Return the area under the ROC curve; NaN where some class has no rows, or all.

    Of two classes that of the second; of more, and of several labels a row, the mean of each against the
    others.

    References
    ----------
    T. Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27(8), 2006.
    """
    table, weights = evaluation.probabilities, evaluation.weights
    assert table is not None
    counted = np.ones(len(table), np.bool_) if weights is None else weights > 0
    table, truth = table[counted], evaluation.truth[counted]
    weights = None if weights is None else weights[counted]
    columns = _columns(evaluation, table, truth)
    areas = [
        roc(positive, scores, weights).area if positive.any() and not positive.all() else math.nan
        for positive, scores in columns
    ]
    return float(np.mean(areas)) if areas else math.nan


def _columns(
    evaluation: Evaluation, table: NDArray[Any], truth: NDArray[Any]
) -> list[tuple[NDArray[np.bool_], NDArray[Any]]]:
    """Return which rows are of each class, and the probability of it."""
    classes = evaluation.classes
    if classes is None:
        return [(truth[:, i] == 1, table[:, i]) for i in range(table.shape[1])]
    first = 1 if len(classes) == 2 else 0
    return [(truth == classes[i], table[:, i]) for i in range(first, len(classes))]


def _own(metric: Callable[[Any, Any], Any]) -> Callable[[Evaluation], float]:
    def score(evaluation: Evaluation) -> float:
        value = metric(evaluation.truth, evaluation.predicted)
        if not isinstance(value, (numbers.Real, np.bool_)) and getattr(value, "ndim", None) != 0:
            raise TypeError(f"metric must return a number, got {value!r}")
        return float(value)

    return score


def _pinball(evaluation: Evaluation) -> float:
    assert isinstance(evaluation.metrics, QuantileMetrics)
    return float(np.mean(evaluation.metrics.pinball))


_Score = Callable[[Evaluation], float]


def _measured(name: str) -> _Score:
    """Return what reads a metric that every evaluation of its kind has."""
    return lambda evaluation: float(getattr(evaluation.metrics, name))


#: The scores of labels and of values, and whether the higher one is better.
_OF_LABELS: dict[str, tuple[_Score, bool]] = {
    "accuracy": (_measured("accuracy"), True),
    "log_loss": (_measured("log_loss"), False),
    "macro_f1": (_measured("macro_f1"), True),
    "auc": (auc, True),
}
_OF_VALUES: dict[str, tuple[_Score, bool]] = {
    "r2": (_measured("r2"), True),
    "rmse": (_measured("rmse"), False),
    "mae": (_measured("mae"), False),
}
_PINBALL = "pinball_loss"
_OF_PROBABILITIES = ("log_loss", "auc")

#: The names of all metrics.
METRICS = (*_OF_LABELS, *_OF_VALUES, _PINBALL)
