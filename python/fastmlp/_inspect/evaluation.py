"""Score a network: predictions beside the truth, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.draw_predictions import draw_confusion, draw_label_scores, draw_values
from fastmlp._base.validation import (
    flag,
    integer,
)
from fastmlp._inspect.metrics import (
    LabelMetrics,
    Metrics,
    QuantileMetrics,
    ValueMetrics,
    label_losses,
    label_metrics,
    middle_quantile,
    quantile_metrics,
    value_metrics,
)
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics, multilabel_losses, multilabel_metrics
from fastmlp.data import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Predictions for some rows, and how good they are; printed, a small table.

    `Network.evaluate` and `Ensemble.evaluate` make it.

    Attributes
    ----------
    metrics : LabelMetrics, ValueMetrics, QuantileMetrics or MultiLabelMetrics
        What was measured: accuracy, log loss, macro F1 and, for each class, precision, recall and F1 of
        labels; R2, RMSE and MAE of values; coverage and pinball loss of quantiles.
    score : float
        The accuracy of labels, the R2 of values: the larger, the better.
    target : str
        The name of what was predicted, or several names; "y" where it has none.
    truth : array, (n,) or (n, outputs)
        Labels, or values in their own units.
    predicted : array, (n,), (n, outputs) or (n, quantiles)
    probabilities : array, (n, classes) or (n, labels), or None
        Of each class, where the loss gives probabilities.
    row_loss : array, (n,)
        By which rows are called well or badly predicted.
    row_loss_name : str
        What that is, such as "absolute error".
    weights : array, (n,), or None
        What each row counts in the metrics.
    classes : array, (classes,), or None
        The labels that could be predicted, sorted, in the order of the columns of `probabilities`.
    """

    metrics: Metrics
    target: str
    truth: Array
    predicted: Array
    probabilities: Array | None
    row_loss: Array
    row_loss_name: str
    weights: Array | None = None
    _table: Table | None = field(default=None)
    classes: Array | None = None

    @property
    def score(self) -> float:
        """The accuracy of labels, the R2 of values (of the quantile nearest to 1/2, of several)."""
        return self.metrics.score

    @property
    def table(self) -> Table:
        """The rows as they were read, of an evaluation that the command line or a report made."""
        if self._table is None:
            raise ValueError("the evaluated rows are not kept; they were given to Network.evaluate")
        return self._table

    def worst(self, count: int) -> NDArray[np.int64]:
        """Return the rows with the largest loss, the worst first.

        Parameters
        ----------
        count : int
            How many, at the most.

        Returns
        -------
        array of int, (count,)
            Their places, from 0.
        """
        return np.argsort(-self.row_loss, kind="stable")[: integer("count", count, low=0)]

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as plain values for JSON."""
        return self.metrics.to_dict()

    def plot(self, ax: Axes | None = None, *, normalize: bool = False, output: int = 0) -> Axes:
        """Draw what was predicted against what is true; needs ``fastmlp[plot]``.

        Of labels the confusion matrix, of values a point a row, with the outermost quantiles as a bar; of
        several labels at once, precision and recall of each.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        normalize : bool, default False
            Write shares of the true class into the confusion matrix, rather than numbers of rows.
        output : int, default 0
            Which of several values.

        Returns
        -------
        matplotlib Axes
        """
        normalize, metrics = flag("normalize", normalize), self.metrics
        if isinstance(metrics, LabelMetrics):
            return draw_confusion(metrics.confusion_matrix(), list(metrics.classes), normalize, ax)
        if isinstance(metrics, MultiLabelMetrics):
            return draw_label_scores(metrics.precision, metrics.recall, ax)
        if isinstance(metrics, QuantileMetrics):
            middle = self.predicted[:, middle_quantile(metrics.levels)]
            return draw_values(self.truth, middle, self.target, self.predicted[:, [0, -1]], ax)
        if not metrics.outputs:
            return draw_values(self.truth, self.predicted, self.target, None, ax)
        at = integer("output", output, low=0, high=len(metrics.outputs) - 1)
        return draw_values(self.truth[:, at], self.predicted[:, at], metrics.outputs[at][0], None, ax)

    def __repr__(self) -> str:
        return f"<Evaluation: {self.metrics.summary()}>"

    def __str__(self) -> str:
        return str(self.metrics)


def compare_predictions(
    truth: Array, predicted: Array, probabilities: Array | None, classes: Array | None,
    levels: tuple[float, ...], weights: Array | None, names: tuple[str, ...] = ("y",), *,
    table: Table | None = None, outputs: Array | None = None,
) -> Evaluation:  # fmt: skip
    """Return the evaluation of predictions, whatever they come from.

    Parameters
    ----------
    truth : array, (n,) or (n, outputs), n at least 1
        Labels, a matrix of 0 and 1, or values in the units of the predictions.
    predicted : array, (n,), (n, outputs) or (n, quantiles)
    probabilities : array, (n, classes) or (n, labels), or None
    classes : array, (classes,), or None
        The labels that can be predicted, sorted; None for values, and for several labels a row.
    levels : tuple of float
        The numbers of the loss: of several quantiles, these.
    weights : array, (n,), or None
    names : tuple of str, default ("y",)
        The columns of the truth.
    table : Table, optional
        The rows as they were read.
    outputs : array, (n, classes), optional
        Scores of the classes, by which labels without probabilities are called badly predicted.
    """
    metrics: Metrics
    if classes is not None:
        metrics = label_metrics(truth, predicted, classes, probabilities, weights)
        losses, name = _label_losses(classes, truth, predicted, outputs, probabilities)
    elif probabilities is not None:
        metrics = multilabel_metrics(truth, predicted, probabilities, weights)
        losses, name = multilabel_losses(truth, probabilities), "sum of -ln p(what is true)"
    else:
        predicted = np.asarray(predicted, np.float64)
        truth = truth.reshape(-1) if predicted.ndim == 1 or len(levels) > 1 else truth
        metrics = _value_metrics(truth, predicted, levels, weights, names)
        losses, name = _value_losses(truth, predicted, levels)
    target = ", ".join(names)
    return Evaluation(metrics, target, truth, predicted, probabilities, losses, name, weights, table, classes)


def _label_losses(
    classes: Array, truth: Array, predicted: Array, outputs: Array | None, probabilities: Array | None
) -> tuple[Array, str]:
    """Return by which rows are called badly predicted, and what it is."""
    if probabilities is not None:
        return label_losses(truth, classes, probabilities), "-ln p(true class)"
    if outputs is None:
        return (predicted != truth).astype(np.float64), "1 for a wrong label"
    own = truth[:, np.newaxis] == classes
    best_other = np.where(own, -np.inf, outputs).max(axis=1)
    own_score = np.where(own.any(axis=1), np.where(own, outputs, 0).sum(axis=1), outputs.min(axis=1))
    return np.asarray(best_other - own_score), "the best other score less that of the true class"


def _value_metrics(
    truth: Array, predicted: Array, levels: tuple[float, ...], weights: Array | None, names: tuple[str, ...]
) -> ValueMetrics | QuantileMetrics:
    if len(levels) > 1:
        return quantile_metrics(truth, predicted, levels, weights)
    several = truth.ndim == 2 and len(names) == truth.shape[1]
    return value_metrics(truth, predicted, weights, names if several else ())


def _value_losses(truth: Array, predicted: Array, levels: tuple[float, ...]) -> tuple[Array, str]:
    """Return by which rows are called badly predicted, and what it is."""
    if predicted.ndim == 1:
        return np.abs(predicted - truth), "absolute error"
    if len(levels) > 1:
        middle = middle_quantile(levels)
        return np.abs(predicted[:, middle] - truth), f"absolute error of quantile {levels[middle]:g}"
    deviation = truth.std(axis=0)
    errors = np.abs(predicted - truth) / np.where(deviation > 0, deviation, 1)
    return errors.mean(axis=1), "mean of |error| / standard deviation of each output"
