"""The metrics, compared with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from fastmlp._inspect.metrics import label_losses, label_metrics, quantile_metrics, value_metrics
from fastmlp._inspect.multilabel_metrics import multilabel_metrics


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


@pytest.mark.parametrize("value", [3.3, 0.1, 1e8 / 3])
def test_equal_values_are_equal_though_their_mean_is_rounded(value: float) -> None:
    found = value_metrics(np.full(300, value), np.linspace(0, 1, 300))
    assert np.isnan(found.r2)
    assert str(found).startswith("R2 undefined (all equal), RMSE")
    weights = np.r_[np.full(299, 0.1), 0]
    assert np.isnan(value_metrics(np.r_[np.full(299, value), 7], np.zeros(300), weights).r2)


def test_an_r2_far_below_zero_is_short() -> None:
    assert value_metrics([0, 1e-9], [1e3, 1e3]).summary().startswith("R2 -4e+24, RMSE 1000")


def test_quantile_metrics_are_coverage_and_the_pinball_loss_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=200), rng.normal(size=(200, 3))
    found = quantile_metrics(y, p, (0.1, 0.5, 0.9))
    for i, q in enumerate(found.levels):
        assert found.pinball[i] == pytest.approx(sk.mean_pinball_loss(y, p[:, i], alpha=q))
        assert found.coverage[i] == pytest.approx((y <= p[:, i]).mean())


def test_weighted_label_metrics_are_those_of_scikit_learn() -> None:
    codes, p = labels_and_probabilities(7, 80, 4, "float64")
    weights = np.random.default_rng(3).random(80) * 5
    predicted, classes = p.argmax(axis=1), np.arange(4)
    found = label_metrics(codes, predicted, classes, p, weights)
    given = {"sample_weight": weights}
    each = sk.precision_recall_fscore_support(codes, predicted, labels=classes, zero_division=0, **given)
    for ours, theirs in zip((found.precision, found.recall, found.f1, found.support), each, strict=True):
        np.testing.assert_allclose(ours, theirs)
    np.testing.assert_allclose(found.confusion_matrix(), sk.confusion_matrix(codes, predicted, **given))
    assert found.accuracy == pytest.approx(sk.accuracy_score(codes, predicted, **given))
    assert found.log_loss == pytest.approx(sk.log_loss(codes, p, labels=classes, **given))
    assert found.macro_f1 == pytest.approx(sk.f1_score(codes, predicted, average="macro", **given))
    assert found.right == pytest.approx(weights[codes == predicted].sum())
    assert "80 rows, weighted" in found.summary()


def test_weighted_value_metrics_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    y, weights = rng.normal(size=(60, 2)) * [1, 1000], rng.random(60)
    p = y + rng.normal(size=(60, 2))
    found = value_metrics(y, p, weights, ["a", "b"])
    given = {"sample_weight": weights}
    assert found.r2 == pytest.approx(sk.r2_score(y, p, **given))
    assert found.rmse == pytest.approx(sk.root_mean_squared_error(y, p, **given))
    assert found.mae == pytest.approx(sk.mean_absolute_error(y, p, **given))
    assert [name for name, _ in found.outputs] == ["a", "b"]
    assert found.outputs[1][1].r2 == pytest.approx(sk.r2_score(y[:, 1], p[:, 1], **given))
    assert found.to_dict()["outputs"][0]["mae"] == found.outputs[0][1].mae
    quantiles = quantile_metrics(y[:, 0], p, (0.3, 0.6), weights)
    assert quantiles.pinball[1] == pytest.approx(sk.mean_pinball_loss(y[:, 0], p[:, 1], alpha=0.6, **given))
    assert quantiles.coverage[0] == pytest.approx(np.average(y[:, 0] <= p[:, 0], weights=weights))
    assert quantiles.r2 == pytest.approx(sk.r2_score(y[:, 0], p[:, 1], **given))


def test_whole_weights_count_a_row_so_often() -> None:
    codes, p = labels_and_probabilities(2, 40, 3, "float64")
    times = np.random.default_rng(0).integers(0, 4, 40)
    classes, predicted = np.arange(3), p.argmax(axis=1)
    weighted = label_metrics(codes, predicted, classes, p, times.astype(float)).to_dict()
    often = np.repeat(np.arange(40), times)
    repeated = label_metrics(codes[often], predicted[often], classes, p[often]).to_dict()
    assert weighted.pop("rows") == 40
    assert repeated.pop("rows") == len(often)
    np.testing.assert_equal(weighted.pop("confusion_matrix"), repeated.pop("confusion_matrix"))
    for ours, theirs in zip(weighted.pop("classes"), repeated.pop("classes"), strict=True):
        assert ours == pytest.approx(theirs)
    assert weighted == pytest.approx(repeated)


@pytest.mark.parametrize("weighted", [False, True])
def test_multilabel_metrics_are_those_of_scikit_learn(weighted: bool) -> None:
    rng = np.random.default_rng(4)
    truth, p = rng.integers(0, 2, (50, 3)), rng.random((50, 3))
    truth[:, 2] = 0
    p[:, 2] = 0.1  # a label that no row has or is predicted to have
    weights = rng.random(50) if weighted else None
    predicted = (p > 0.5).astype(int)
    found = multilabel_metrics(truth, predicted, p, weights)
    given = {"sample_weight": weights}
    each = sk.precision_recall_fscore_support(truth, predicted, zero_division=0, **given)
    for ours, theirs in zip((found.precision, found.recall, found.f1, found.support), each, strict=True):
        np.testing.assert_allclose(ours, theirs)
    assert found.accuracy == pytest.approx(sk.accuracy_score(truth, predicted, **given))
    assert found.macro_f1 == pytest.approx(found.f1[:2].mean())
    losses = [sk.log_loss(truth[:, k], p[:, k], labels=[0, 1], **given) for k in range(3)]
    assert found.log_loss == pytest.approx(sum(losses))
