"""One sentence on a model: sound, overfitted, no better than a constant, or told by a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fastmlp._base.text import rate, three_digits
from fastmlp._inspect.baseline import Baseline
from fastmlp._inspect.metrics import LabelMetrics, Metrics, QuantileMetrics, ValueMetrics
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics

Kind = Literal["sound", "too good to be true", "overfits", "no better than the constant", "not judged"]

#: It overfits where unseen rows gain less than this part of what the training rows gain over the constant.
_LEAST_SHARE = 0.5
#: And only where the training rows gain this part of the constant's error; below, nothing was learned at all.
_LEAST_GAIN = 0.1
_LISTED = 3  # columns that tell the target


@dataclass(frozen=True)
class Verdict:
    """What to think of a model.

    Attributes
    ----------
    kind : "sound", "too good to be true", "overfits", "no better than the constant" or "not judged"
    sentence : str
        With the numbers: "overfits: log loss 0.160 on training rows, 0.850 on test rows".
    """

    kind: Kind
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def verdict(
    metrics: Metrics | None,
    constant: Baseline | None,
    training: Metrics | None = None,
    evaluated_on: str = "test rows",
    unseen: bool = True,
    told: Sequence[str] = (),
) -> Verdict:
    """Judge a model by its error on the evaluated rows, on the training rows, and that of a constant.

    The error is the log loss of labels (their share of mistakes, where the loss gives no probabilities), the
    mean squared error of values and the mean pinball loss of quantiles. Where e, t and c are those of the
    evaluated rows, the training rows and the constant, the model overfits if c - e < (c - t) / 2 and
    c - t > c / 10; else it is no better than the constant if e >= c.

    Parameters
    ----------
    metrics, constant : optional
        Of the evaluated rows; None if there are none.
    training : optional
        Of the training rows; None if they are not known.
    evaluated_on : str
        What the evaluated rows are called.
    unseen : bool, default True
        Whether the evaluated rows are known to be others than the training rows.
    told : sequence of str
        A line on each column that may be the target under another name. What would be sound is then too good
        to be true.

    Returns
    -------
    Verdict
    """
    if metrics is None or constant is None:
        return Verdict("not judged", "not judged: no rows were held out to judge it by")
    error, level = (_error(one, constant.metrics) for one in (metrics, constant.metrics))
    here = f"{_words(metrics)} on {evaluated_on}"
    if training is not None and unseen:
        learned = level - _error(training, constant.metrics)
        if learned > _LEAST_GAIN * level and level - error < _LEAST_SHARE * learned:
            worse = f"; {constant.name}: {_words(constant.metrics)}"
            return Verdict("overfits", f"overfits: {_words(training)} on training rows, {here}{worse}")
    if not error < level:
        reached = _words(constant.metrics)
        return Verdict(
            "no better than the constant", f"no better than the constant: {here}; {constant.name}: {reached}"
        )
    also = f", {_words(training)} on training rows" if training is not None and unseen else ""
    doubt = "" if unseen else "; the model may have seen these rows in training"
    reached = f"{constant.name}: {_words(constant.metrics)}"
    kind: Kind = "too good to be true" if told else "sound"
    return Verdict(kind, "; ".join([f"{kind}: {here}{also}", reached, *told[:_LISTED]]) + doubt)


def _error(metrics: Metrics, constant: Metrics) -> float:
    """Return what the verdict goes by, less is better; of several targets, the share of the constant's."""
    if isinstance(metrics, LabelMetrics):
        return 1 - metrics.accuracy if metrics.log_loss is None else metrics.log_loss
    if isinstance(metrics, MultiLabelMetrics):
        return metrics.log_loss
    if isinstance(metrics, QuantileMetrics):
        return float(np.mean(metrics.pinball))
    if metrics.outputs and isinstance(constant, ValueMetrics):
        pairs = zip(metrics.outputs, constant.outputs, strict=True)
        return float(np.mean([(one.rmse / (by.rmse or 1.0)) ** 2 for (_, one), (_, by) in pairs]))
    return metrics.rmse * metrics.rmse


def _words(metrics: Metrics) -> str:
    """Return the name and the number that people know the error by."""
    if isinstance(metrics, LabelMetrics):
        if metrics.log_loss is None:
            return f"accuracy {rate(metrics.accuracy)}"
        return f"log loss {rate(metrics.log_loss)}"
    if isinstance(metrics, MultiLabelMetrics):
        return f"log loss {rate(metrics.log_loss)}"
    if isinstance(metrics, QuantileMetrics):
        return f"pinball loss {three_digits(float(np.mean(metrics.pinball)))}"
    if metrics.outputs:
        return f"mean R2 {rate(metrics.r2)}"
    return f"RMSE {three_digits(metrics.rmse)}"
