"""The metrics, compared with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from fastmlp._inspect.metrics import label_losses, label_metrics, quantile_metrics, value_metrics


def labels_and_probabilities(seed: int, n: int, k: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k)) * 3
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return rng.integers(0, k, n), p.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "k"), [(1, 2), (50, 2), (300, 5), (40, 30)])
@pytest.mark.parametrize("texts", [False, True])
def test_label_metrics_are_those_of_scikit_learn(n: int, k: int, dtype: str, texts: bool) -> None:
    codes, p = labels_and_probabilities(n + k, n, k, dtype)
    classes = np.array([f"c{i:02d}" for i in range(k)]) if texts else np.arange(k) * 10
    truth, predicted = classes[codes], classes[p.argmax(axis=1)]
    found = label_metrics(truth, predicted, classes, p)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        truth, predicted, labels=classes, zero_division=0
    )
    np.testing.assert_allclose(found.precision, precision)
    np.testing.assert_allclose(found.recall, recall)
    np.testing.assert_allclose(found.f1, f1)
    np.testing.assert_array_equal(found.support, support)
    np.testing.assert_array_equal(
        found.confusion_matrix(), sk.confusion_matrix(truth, predicted, labels=classes)
    )
    assert found.accuracy == pytest.approx(sk.accuracy_score(truth, predicted))
    assert found.macro_f1 == pytest.approx(sk.f1_score(truth, predicted, average="macro", zero_division=0))
    assert found.log_loss == pytest.approx(sk.log_loss(truth, p, labels=classes), rel=1e-5)
    assert found.right == (truth == predicted).sum()


def test_a_sure_mistake_costs_no_more_than_the_precision_of_its_type() -> None:
    for dtype in (np.float32, np.float64):
        p = np.array([[1, 0], [0, 1]], dtype)
        losses = label_losses(np.array([1, 1]), np.array([0, 1]), p)
        np.testing.assert_allclose(losses, [-np.log(np.finfo(dtype).eps), 0], atol=1e-6)


def test_a_label_that_training_did_not_have_is_a_class_never_predicted() -> None:
    p = np.array([[0.5, 0.5], [0.9, 0.1]])
    found = label_metrics(np.array(["z", "a"]), np.array(["a", "a"]), np.array(["a", "b"]), p)
    assert found.classes.tolist() == ["a", "b", "z"]
    assert found.confusion_matrix().tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert found.log_loss == pytest.approx((-np.log(np.finfo(np.float64).eps) - np.log(0.9)) / 2)
    assert found.macro_f1 == pytest.approx((2 / 3 + 0) / 2)  # b neither occurs nor is predicted
    assert found.confusions(5) == [("z", "a", 1)]


def test_without_probabilities_there_is_no_log_loss() -> None:
    found = label_metrics(np.array([0, 1]), np.array([0, 0]), np.array([0, 1]))
    assert found.log_loss is None
    assert found.to_dict()["log_loss"] is None


def test_value_metrics_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=100) * 1e5
    p = y + rng.normal(size=100) * 1e4
    found = value_metrics(y, p)
    assert found.r2 == pytest.approx(sk.r2_score(y, p))
    assert found.rmse == pytest.approx(sk.root_mean_squared_error(y, p))
    assert found.mae == pytest.approx(sk.mean_absolute_error(y, p))


def test_r2_of_equal_values_is_undefined_and_huge_values_are_no_error() -> None:
    assert np.isnan(value_metrics([2.0, 2.0], [1.0, 2.0]).r2)
    assert np.isinf(value_metrics([1e200, -1e200], [-1e200, 1e200]).rmse)


def test_quantile_metrics_are_coverage_and_the_pinball_loss_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=200), rng.normal(size=(200, 3))
    found = quantile_metrics(y, p, (0.1, 0.5, 0.9))
    for i, q in enumerate(found.levels):
        assert found.pinball[i] == pytest.approx(sk.mean_pinball_loss(y, p[:, i], alpha=q))
        assert found.coverage[i] == pytest.approx((y <= p[:, i]).mean())
