"""What a constant prediction reaches, which any model should beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import rate, shortened, three_digits
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.metrics import (
    LabelMetrics,
    Metrics,
    QuantileMetrics,
    label_metrics,
    quantile_metrics,
    value_metrics,
)
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics, multilabel_metrics

_LETTERS = 40  # of a label


@dataclass(frozen=True)
class Baseline:
    """A constant, and how good it is on the rows that a network was evaluated on.

    Attributes
    ----------
    name : str
        What is predicted throughout: "always 'no'", "always the mean (12.3)".
    metrics : LabelMetrics, ValueMetrics, QuantileMetrics or MultiLabelMetrics
        As those of the network. The log loss is that of the frequencies of the classes.
    """

    name: str
    metrics: Metrics

    def __str__(self) -> str:
        metrics = self.metrics
        if isinstance(metrics, LabelMetrics):
            loss = "" if metrics.log_loss is None else f", log loss {rate(metrics.log_loss)}"
            return f"{self.name}: accuracy {rate(metrics.accuracy)}{loss}"
        if isinstance(metrics, QuantileMetrics):
            return f"{self.name}: pinball loss {three_digits(float(np.mean(metrics.pinball)))}"
        if isinstance(metrics, MultiLabelMetrics):
            return f"{self.name}: accuracy {rate(metrics.accuracy)}, log loss {rate(metrics.log_loss)}"
        return f"{self.name}: RMSE {three_digits(metrics.rmse)}, MAE {three_digits(metrics.mae)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"predicts": self.name, **self.metrics.to_dict()}


def baseline(
    evaluation: Evaluation, learned: NDArray[Any] | None = None, learned_weights: NDArray[Any] | None = None
) -> Baseline:
    """Evaluate the best constant on the rows that a network was evaluated on.

    Parameters
    ----------
    evaluation : Evaluation
        Of the network.
    learned : array, (n,), optional
        The target of the training rows, from which the constant is taken: the most frequent label with the
        frequencies of all, the mean, or the quantiles. By default that of the evaluated rows, as they weigh.
    learned_weights : array, (n,), optional
        What each of the training rows counts.

    The evaluated rows have the weights that they had in the evaluation.

    Returns
    -------
    Baseline
    """
    truth, weights, metrics = evaluation.truth, evaluation.weights, evaluation.metrics
    if learned is None:
        learned, learned_weights = truth, weights
    if isinstance(metrics, LabelMetrics):
        usual, classes, shares = _frequencies(learned, learned_weights)
        return _of_labels(truth, usual, classes, shares if metrics.log_loss is not None else None, weights)
    if isinstance(metrics, MultiLabelMetrics):
        return _of_several_labels(truth, np.average(learned, axis=0, weights=learned_weights), weights)
    if isinstance(metrics, QuantileMetrics):
        constants = _quantiles(learned, metrics.levels, learned_weights)
        predicted = np.broadcast_to(constants, (len(truth), len(constants)))
        of_quantiles = quantile_metrics(truth, predicted, metrics.levels, weights)
        return Baseline("always the same quantiles", of_quantiles)
    mean = np.asarray(np.average(learned, axis=0, weights=learned_weights))
    names = [name for name, _ in metrics.outputs]
    constant = "always the means" if names else f"always the mean ({three_digits(mean.item())})"
    return Baseline(constant, value_metrics(truth, np.broadcast_to(mean, truth.shape), weights, names))


def _frequencies(
    learned: NDArray[Any], weights: NDArray[Any] | None
) -> tuple[Any, NDArray[Any], NDArray[np.float32]]:
    """Return the most frequent label, all labels, and the share of each."""
    classes, codes = np.unique(learned, return_inverse=True)
    counts = np.bincount(codes.reshape(-1), weights)
    # float32 as the network's probabilities: then a class that training rows lacked costs the same.
    return classes[counts.argmax()], classes, (counts / counts.sum()).astype(np.float32)


def _quantiles(
    learned: NDArray[Any], levels: tuple[float, ...], weights: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Return quantiles; of weighted rows the least value that no less than this share of the weight has."""
    if weights is None:
        return np.asarray(np.quantile(learned, levels))
    order = np.argsort(learned, kind="stable")
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.array(levels) * reached[-1])
    return np.asarray(learned[order][np.minimum(places, len(order) - 1)], np.float64)


def _of_labels(
    truth: NDArray[Any], usual: Any, classes: NDArray[Any], shares: NDArray[np.float32] | None,
    weights: NDArray[Any] | None,
) -> Baseline:  # fmt: skip
    predicted = np.full(len(truth), usual)
    probabilities = None if shares is None else np.broadcast_to(shares, (len(truth), len(classes)))
    metrics = label_metrics(truth, predicted, classes, probabilities, weights)
    return Baseline(f"always {shortened(repr(usual.item()), _LETTERS)}", metrics)


def _of_several_labels(truth: NDArray[Any], means: NDArray[Any], weights: NDArray[Any] | None) -> Baseline:
    shares = np.broadcast_to(means.astype(np.float32), truth.shape)
    metrics = multilabel_metrics(truth, (shares > 0.5).astype(np.int64), shares, weights)
    return Baseline("always what most rows have", metrics)
