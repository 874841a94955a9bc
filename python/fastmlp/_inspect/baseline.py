"""What a constant prediction reaches, which any model should beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.metrics import (
    LabelMetrics,
    Metrics,
    QuantileMetrics,
    label_metrics,
    quantile_metrics,
    value_metrics,
)

_LETTERS = 40  # of a label


@dataclass(frozen=True)
class Baseline:
    """A constant, and how good it is on the rows that a network was evaluated on.

    Attributes
    ----------
    name : str
        What is predicted throughout: "always 'no'", "always the mean, 12.3".
    metrics : LabelMetrics, ValueMetrics or QuantileMetrics
        As those of the network. The log loss is that of the frequencies of the classes.
    """

    name: str
    metrics: Metrics

    def __str__(self) -> str:
        metrics = self.metrics
        if isinstance(metrics, LabelMetrics):
            loss = "" if metrics.log_loss is None else f", log loss {metrics.log_loss:.3f}"
            return f"{self.name}: accuracy {metrics.accuracy:.3f}{loss}"
        if isinstance(metrics, QuantileMetrics):
            return f"{self.name}: pinball loss {np.mean(metrics.pinball):.3g}"
        return f"{self.name}: RMSE {metrics.rmse:.3g}, MAE {metrics.mae:.3g}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"predicts": self.name, **self.metrics.to_dict()}


def baseline(evaluation: Evaluation, learned: NDArray[Any] | None = None) -> Baseline:
    """Evaluate the best constant on the rows that a network was evaluated on.

    Parameters
    ----------
    evaluation : Evaluation
        Of the network.
    learned : array, (n,), optional
        The target of the training rows, from which the constant is taken: the most frequent label with the
        frequencies of all, the mean, or the quantiles. By default that of the evaluated rows.

    Returns
    -------
    Baseline
    """
    truth, metrics = evaluation.truth, evaluation.metrics
    learned = truth if learned is None else learned
    if isinstance(metrics, LabelMetrics):
        return _of_labels(truth, learned, metrics.log_loss is not None)
    if isinstance(metrics, QuantileMetrics):
        constants = np.quantile(learned, metrics.levels)
        predicted = np.broadcast_to(constants, (len(truth), len(constants)))
        return Baseline("always the same quantiles", quantile_metrics(truth, predicted, metrics.levels))
    mean = float(np.mean(learned))
    return Baseline(f"always the mean, {mean:.3g}", value_metrics(truth, np.full(len(truth), mean)))


def _of_labels(truth: NDArray[Any], learned: NDArray[Any], probabilities: bool) -> Baseline:
    classes, counts = np.unique(learned, return_counts=True)
    usual = classes[counts.argmax()]
    # float32 as the network's probabilities: then a class that training rows lacked costs the same.
    shares = np.broadcast_to((counts / counts.sum()).astype(np.float32), (len(truth), len(classes)))
    metrics = label_metrics(truth, np.full(len(truth), usual), classes, shares if probabilities else None)
    return Baseline(f"always {shortened(repr(usual.item()), _LETTERS)}", metrics)
