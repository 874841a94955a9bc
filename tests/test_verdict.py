"""The sentence on a model: it overfits, is no better than a constant, or is sound."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp._inspect.baseline import Baseline
from fastmlp._inspect.metrics import (
    LabelMetrics,
    Metrics,
    QuantileMetrics,
    ValueMetrics,
    label_metrics,
)
from fastmlp._inspect.verdict import verdict


def labels(log_loss: float | None, right: int = 7) -> LabelMetrics:
    """Metrics of 10 rows, so many of which are right."""
    truth = np.array([0, 1] * 5)
    metrics = label_metrics(truth, np.where(np.arange(10) < right, truth, 1 - truth), np.array([0, 1]))
    return LabelMetrics(**vars(metrics) | {"log_loss": log_loss})


def values(rmse: float) -> ValueMetrics:
    return ValueMetrics(10, 0.0, rmse, rmse)


def quantiles(pinball: float) -> QuantileMetrics:
    return QuantileMetrics(10, (0.1, 0.9), (0.1, 0.9), (pinball, pinball))


@pytest.mark.parametrize(
    ("held_out", "training", "constant", "kind"),
    [
        (labels(0.85), labels(0.16), labels(0.6), "overfits"),  # worse than the constant, but it has learned
        (labels(0.55), labels(0.10), labels(0.6), "overfits"),
        (labels(0.497), labels(0.42), labels(0.611), "sound"),
        (labels(0.61), labels(0.6), labels(0.611), "sound"),
        (labels(0.7), labels(0.6), labels(0.6), "no better than the constant"),
        (labels(0.7), None, labels(0.6), "no better than the constant"),
        (labels(0.6), None, labels(0.6), "no better than the constant"),
        (labels(float("nan")), None, labels(0.6), "no better than the constant"),
        (labels(None, right=9), labels(None, right=9), labels(None, right=6), "sound"),
        (labels(None, right=6), labels(None, right=10), labels(None, right=6), "overfits"),
        (values(3.0), values(2.9), values(10.0), "sound"),
        (values(9.0), values(1.0), values(10.0), "overfits"),
        (values(11.0), values(10.0), values(10.0), "no better than the constant"),
        (quantiles(1.0), quantiles(0.9), quantiles(2.0), "sound"),
        (quantiles(3.0), None, quantiles(2.0), "no better than the constant"),
    ],
)
def test_a_model_is_judged_by_what_it_gains_over_the_constant(
    held_out: Metrics, training: Metrics | None, constant: Metrics, kind: str
) -> None:
    judged = verdict(held_out, Baseline("always 0", constant), training)
    assert judged.kind == kind
    assert str(judged).startswith(f"{kind}: ")


def test_the_sentence_has_the_numbers() -> None:
    constant = Baseline("always 'no'", labels(0.6))
    assert str(verdict(labels(0.85), constant, labels(0.16))) == (
        "overfits: log loss 0.160 on training rows, log loss 0.850 on test rows; always 'no': log loss 0.600"
    )
    assert str(verdict(labels(0.7), constant, None, "validation rows")) == (
        "no better than the constant: log loss 0.700 on validation rows; always 'no': log loss 0.600"
    )


def test_without_held_out_rows_nothing_is_judged() -> None:
    assert verdict(None, None).kind == "not judged"


def test_rows_that_may_have_been_trained_on_are_said_to_be_so() -> None:
    judged = verdict(labels(0.1), Baseline("always 0", labels(0.6)), labels(0.1), "rows of t.csv", False)
    assert judged.kind == "sound"
    assert "may have seen these rows" in str(judged)


def test_several_targets_count_alike_whatever_their_units() -> None:
    def several(wide: float, narrow: float) -> ValueMetrics:
        outputs = (("wide", values(wide)), ("narrow", values(narrow)))
        return ValueMetrics(10, 0.5, (wide + narrow) / 2, 1.0, outputs)

    constant = Baseline("always the means", several(1000.0, 1.0))
    assert verdict(several(500.0, 0.5), constant, several(450.0, 0.45)).kind == "sound"
    # The wide one alone would be sound; the narrow one is much worse than the constant.
    assert verdict(several(500.0, 3.0), constant).kind == "no better than the constant"
    assert str(verdict(several(500.0, 0.5), constant)).startswith("sound: mean R2 0.500 on")
