"""ROC, precision and recall, and calibration, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from fastmlp._inspect.scores import calibration, counts_above, precision_recall, roc


@pytest.mark.parametrize("digits", [1, 8])  # with many ties, and with none
def test_areas_and_points_are_those_of_scikit_learn(digits: int) -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(300) < 0.3
    scores = np.round(np.clip(0.4 * positive + 0.6 * rng.random(300), 0, 1), digits)
    curve = roc(positive, scores)
    assert curve.area == pytest.approx(metrics.roc_auc_score(positive, scores))
    x, y, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.x, x)
    np.testing.assert_allclose(curve.y, y)
    curve = precision_recall(positive, scores)
    assert curve.area == pytest.approx(metrics.average_precision_score(positive, scores))
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(curve.x[1:], recall[:-1][::-1])
    np.testing.assert_allclose(curve.y[1:], precision[:-1][::-1])


def test_one_score_for_all_tells_nothing() -> None:
    positive = np.array([True, False, False, False])
    assert roc(positive, np.full(4, 0.3)).area == pytest.approx(0.5)
    assert precision_recall(positive, np.full(4, 0.3)).area == pytest.approx(0.25)


def test_calibration_compares_probabilities_with_what_came_of_them() -> None:
    probability = np.array([0.05, 0.05, 0.72, 0.78, 1.0], dtype=np.float32)
    found = calibration(np.array([False, True, True, False, True]), probability)
    np.testing.assert_array_equal(found.rows, [2, 2, 1])
    np.testing.assert_allclose(found.predicted, [0.05, 0.75, 1.0], rtol=1e-6)
    np.testing.assert_allclose(found.observed, [0.5, 0.5, 1.0])
    assert found.error == pytest.approx((2 * 0.45 + 2 * 0.25) / 5)


def test_a_score_equal_to_the_threshold_is_not_above_it() -> None:
    positive, scores = np.array([True, True, False, False]), np.array([0.5, 0.9, 0.5, 0.2])
    hits, alarms = counts_above(positive, scores, np.array([0.0, 0.2, 0.5, 0.9, 1.0]))
    assert hits.tolist() == [2, 2, 1, 0, 0]
    assert alarms.tolist() == [2, 1, 0, 0, 0]
