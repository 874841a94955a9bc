"""Metrics by name: as scikit-learn computes them, refused where they do not fit, undefined where they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from fastmlp._inspect.evaluation import Evaluation, compare_predictions
from fastmlp._inspect.scorers import METRICS, check_metric, scorer

RNG = np.random.default_rng(3)
WEIGHTS = [None, RNG.integers(0, 4, 90).astype(float)]


def of_labels(classes: int, weights: Any = None, several: bool = False) -> Evaluation:
    names = np.array(["a", "b", "c", "d"][:classes])
    p = RNG.dirichlet(np.ones(classes), 90).round(2)  # with ties
    if several:
        truth = RNG.integers(0, 2, p.shape)
        return compare_predictions(truth, (p > 0.5).astype(int), p, None, (), weights)
    truth = names[RNG.integers(0, classes, 90)]
    p = (p / p.sum(axis=1, keepdims=True)).astype(np.float64)
    return compare_predictions(truth, names[p.argmax(axis=1)], p, names, (), weights)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["accuracy", "log_loss", "macro_f1", "auc"])
def test_scores_of_labels_are_those_of_scikit_learn(name: str, classes: int, weights: Any) -> None:
    found = of_labels(classes, weights)
    given = {"sample_weight": weights}
    p = found.probabilities
    assert p is not None
    if name == "auc" and classes == 2:
        expected = sk.roc_auc_score(found.truth == "b", p[:, 1], **given)
    elif name == "auc":
        each = [sk.roc_auc_score(found.truth == label, p[:, i], **given) for i, label in enumerate("abc")]
        expected = np.mean(each)
    elif name == "log_loss":
        expected = sk.log_loss(found.truth, p, **given)
    elif name == "macro_f1":
        expected = sk.f1_score(found.truth, found.predicted, average="macro", **given)
    else:
        expected = sk.accuracy_score(found.truth, found.predicted, **given)
    assert scorer(name, True, True)(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", ["r2", "rmse", "mae", "pinball_loss"])
def test_scores_of_values_are_those_of_scikit_learn(name: str, weights: Any) -> None:
    truth = RNG.normal(size=90)
    quantiles = name == "pinball_loss"
    predicted = np.sort(truth[:, np.newaxis] + RNG.normal(size=(90, 2)), axis=1) if quantiles else truth + 0.3
    levels = (0.2, 0.8) if quantiles else ()
    found = compare_predictions(truth, predicted, None, None, levels, weights)
    expected = {
        "r2": lambda: sk.r2_score(truth, predicted, sample_weight=weights),
        "rmse": lambda: sk.root_mean_squared_error(truth, predicted, sample_weight=weights),
        "mae": lambda: sk.mean_absolute_error(truth, predicted, sample_weight=weights),
        "pinball_loss": lambda: np.mean(
            [
                sk.mean_pinball_loss(truth, predicted[:, i], alpha=q, sample_weight=weights)
                for i, q in enumerate(levels)
            ]
        ),
    }[name]()
    assert scorer(name, False, False, quantiles=quantiles)(found) == pytest.approx(expected, rel=1e-12)


def test_the_area_of_several_labels_is_the_mean_of_theirs() -> None:
    found = of_labels(3, several=True)
    p = found.probabilities
    assert p is not None
    expected = sk.roc_auc_score(found.truth, p, average="macro")
    assert scorer("auc", True, True)(found) == pytest.approx(expected, rel=1e-12)


def test_labels_that_the_network_does_not_know_count_against_all_that_it_does() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    found = compare_predictions(
        np.array(["a", "b", "z"]), np.array(["a", "b", "b"]), p, np.array(["a", "b"]), (), None
    )
    assert scorer("auc", True, True)(found) == 1.0
    assert scorer("accuracy", True, True)(found) == pytest.approx(2 / 3)


@pytest.mark.parametrize("weights", [None, np.array([1.0, 1.0, 0.0])])
def test_an_area_of_one_class_is_not_defined(weights: Any) -> None:
    truth = np.array(["a", "a", "a" if weights is None else "b"])
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    found = compare_predictions(truth, truth, p, np.array(["a", "b"]), (), weights)
    assert math.isnan(scorer("auc", True, True)(found))


def test_a_function_of_ones_own_is_called_with_truth_and_predictions() -> None:
    def worst(truth: Any, predicted: Any) -> Any:
        return np.abs(truth - predicted).max()

    found = compare_predictions(np.array([1.0, 2.0]), np.array([1.0, 5.0]), None, None, (), None)
    own = scorer(worst, False, False)
    assert (own.name, own.higher_is_better, own(found)) == ("worst", None, 3.0)
    with pytest.raises(TypeError, match="metric must return a number, got 'high'"):
        scorer(lambda truth, predicted: "high", False, False)(found)


def test_which_scores_are_better_is_said() -> None:
    lower = {"log_loss", "rmse", "mae", "pinball_loss"}
    for name in METRICS:
        labels = name in ("accuracy", "log_loss", "macro_f1", "auc")
        chosen = scorer(name, labels, labels, quantiles=name == "pinball_loss")
        assert chosen.higher_is_better is (name not in lower)
    assert (scorer("auto", True, True).name, scorer("auto", False, False).name) == ("accuracy", "r2")


@pytest.mark.parametrize(
    ("metric", "arguments", "message"),
    [
        ("rmse", (True, True), "metric must be one of accuracy, log_loss, macro_f1, auc where labels are"),
        (
            "auc",
            (False, False),
            "metric must be one of r2, rmse, mae where quantities are predicted, got 'auc'",
        ),
        ("log_loss", (True, False), "metric 'log_loss' needs probabilities, which the loss does not give"),
        ("pinball_loss", (False, False), "metric must be one of r2, rmse, mae where quantities"),
    ],
)
def test_a_metric_of_other_predictions_is_refused(metric: str, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scorer(metric, *arguments)


def test_what_is_no_metric_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"metric must be one of auto, accuracy, .* callable.*; got 'f2'"):
        check_metric("f2")
    with pytest.raises(TypeError, match=r"metric must be one of .*; got 3"):
        check_metric(3)
