"""The constant that a network is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastmlp._inspect.baseline import baseline
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.metrics import label_metrics, quantile_metrics, value_metrics
from fastmlp._inspect.multilabel_metrics import multilabel_metrics


def evaluated(truth: Any, metrics: Any, weights: Any = None) -> Evaluation:
    truth = np.asarray(truth)
    return Evaluation(metrics, "y", truth, truth, None, np.zeros(len(truth)), "loss", weights)


def test_of_labels_it_is_the_most_frequent_one_with_the_frequencies_of_the_training_rows() -> None:
    truth = np.array(["no", "no", "yes", "no"])
    metrics = label_metrics(truth, truth, np.array(["no", "yes"]), np.full((4, 2), 0.5))
    constant = baseline(evaluated(truth, metrics), np.array(["yes", "yes", "yes", "no"]))
    assert constant.metrics.accuracy == 0.25  # type: ignore[union-attr]
    loss = -(3 * np.log(0.25) + np.log(0.75)) / 4
    assert constant.metrics.log_loss == pytest.approx(loss, rel=1e-6)  # type: ignore[union-attr]
    assert str(constant) == f"always 'yes': accuracy 0.250, log loss {loss:.3f}"
    assert constant.to_dict()["predicts"] == "always 'yes'"


def test_without_training_rows_it_is_taken_from_the_evaluated_ones() -> None:
    truth = np.array([7, 7, 3])
    constant = baseline(evaluated(truth, label_metrics(truth, truth, np.array([3, 7]))))
    assert str(constant) == "always 7: accuracy 0.667"


def test_of_values_it_is_the_mean_of_the_training_rows() -> None:
    truth = np.array([1.0, 2.0, 6.0])
    constant = baseline(evaluated(truth, value_metrics(truth, truth)), np.array([4.0, 8.0]))
    assert constant.metrics.rmse == pytest.approx(np.sqrt((25 + 16 + 0) / 3))  # type: ignore[union-attr]
    assert constant.metrics.mae == pytest.approx(3)  # type: ignore[union-attr]
    assert constant.name == "always the mean (6)"
    own = baseline(evaluated(truth, value_metrics(truth, truth)))
    assert own.metrics.r2 == pytest.approx(0)  # type: ignore[union-attr]


def test_of_quantiles_it_is_those_of_the_training_rows() -> None:
    truth = np.arange(5.0)
    metrics = quantile_metrics(truth, np.stack([truth, truth], axis=1), (0.25, 0.5))
    constant = baseline(evaluated(truth, metrics))
    assert constant.metrics.coverage == (0.4, 0.6)  # type: ignore[union-attr]
    assert constant.metrics.pinball[1] == pytest.approx(np.abs(truth - 2).mean() / 2)  # type: ignore[union-attr]


def test_the_rows_have_the_weights_of_the_evaluation() -> None:
    truth, weights = np.array(["no", "yes"]), np.array([1.0, 3.0])
    metrics = label_metrics(truth, truth, truth, np.full((2, 2), 0.5), weights)
    constant = baseline(evaluated(truth, metrics, weights), np.array(["yes", "yes", "no"]))
    assert constant.metrics.accuracy == 0.75  # type: ignore[union-attr]


def test_training_rows_count_as_they_weigh() -> None:
    truth, learned = np.array(["no", "yes"]), np.array(["yes", "yes", "no"])
    metrics = label_metrics(truth, truth, truth, np.full((2, 2), 0.5))
    constant = baseline(evaluated(truth, metrics), learned, np.array([0.5, 0.5, 3.0]))
    assert constant.name == "always 'no'"
    loss = -(np.log(0.75) + np.log(0.25)) / 2
    assert constant.metrics.log_loss == pytest.approx(loss, rel=1e-6)  # type: ignore[union-attr]
    values = np.array([0.0, 10.0])
    constant = baseline(evaluated(values, value_metrics(values, values)), values, np.array([3.0, 1.0]))
    assert constant.name == "always the mean (2.5)"
    labels = np.array([[1, 0], [0, 0]])
    metrics = multilabel_metrics(labels, labels, np.full((2, 2), 0.5))
    constant = baseline(evaluated(labels, metrics), labels, np.array([3.0, 1.0]))
    assert constant.metrics.score == 0.5  # always (1, 0)
    quantiles = quantile_metrics(values, np.stack([values, values], axis=1), (0.25, 0.8))
    constant = baseline(evaluated(values, quantiles), np.array([7.0, 1.0, 3.0]), np.array([1.0, 1.0, 2.0]))
    # A quarter of the weight has at most 1, three quarters have at most 3.
    pinball = ((0.75 * 1 + 0.25 * 9) / 2, (0.2 * 7 + 0.8 * 3) / 2)
    assert constant.metrics.pinball == pytest.approx(pinball)  # type: ignore[union-attr]


def test_without_training_rows_the_evaluated_ones_count_as_they_weigh() -> None:
    truth, weights = np.array([7, 7, 3]), np.array([1.0, 1.0, 4.0])
    constant = baseline(evaluated(truth, label_metrics(truth, truth, truth[1:], None, weights), weights))
    assert str(constant) == "always 3: accuracy 0.667"


def test_of_several_values_and_labels_there_is_a_constant_for_each() -> None:
    values = np.array([[1.0, 100], [3, 300]])
    constant = baseline(evaluated(values, value_metrics(values, values, names=["a", "b"])))
    assert [(name, each.mae) for name, each in constant.metrics.outputs] == [("a", 1), ("b", 100)]  # type: ignore[union-attr]
    assert constant.metrics.score == 0
    labels = np.array([[1, 0], [1, 0], [0, 1], [1, 0]])
    constant = baseline(evaluated(labels, multilabel_metrics(labels, labels, np.full((4, 2), 0.5))))
    assert constant.metrics.score == 0.75
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert constant.metrics.log_loss == pytest.approx(2 * entropy, rel=1e-6)  # type: ignore[union-attr]
