"""Weights of rows and of classes: what they minimise, and which rows they reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 3))
Y = np.where(X[:, 0] + 0.5 * RNG.normal(size=60) > 0, "yes", "no")
W = RNG.uniform(0.5, 2, 60)
OF_CLASS = {"yes": 3.0, "no": 0.25}
SMALL: dict[str, Any] = {"hidden": (4,), "epochs": 2, "dtype": "float64", "restore_best": False}


def held_rows(seed: int, fraction: float) -> np.ndarray:
    """The rows that a fraction holds back."""
    return fastmlp.data.holdout(Y, fraction, seed)[1]


@pytest.mark.parametrize("own", [None, W])
@pytest.mark.parametrize("class_weight", [None, OF_CLASS, "balanced"])
def test_the_loss_of_a_validation_pair_is_weighted_as_that_of_the_rows_learned_from(
    own: np.ndarray | None, class_weight: Any
) -> None:
    given = (X[40:], Y[40:]) if own is None else (X[40:], Y[40:], own[40:])
    net = fastmlp.train(X[:40], Y[:40], validation=given, class_weight=class_weight, **SMALL)
    weights = np.ones(20) if own is None else own[40:]
    if class_weight == "balanced":
        counts = {label: np.count_nonzero(Y[:40] == label) for label in ("no", "yes")}
        class_weight = {label: 40 / (2 * count) for label, count in counts.items()}
    if class_weight is not None:
        weights = weights * [class_weight[label] for label in Y[40:]]
    expected = net.loss_and_gradient(X[40:], Y[40:], weights)[0]
    assert net.history["validation_loss"][-1] == pytest.approx(expected, rel=1e-12)


def test_the_loss_of_rows_held_back_is_weighted_as_that_of_a_pair() -> None:
    held = held_rows(0, 0.25)
    kept = np.delete(np.arange(60), held)
    options = {**SMALL, "class_weight": OF_CLASS}
    by_fraction = fastmlp.train(X, Y, validation=0.25, sample_weight=W, **options)
    pair = (X[held], Y[held], W[held])
    by_pair = fastmlp.train(X[kept], Y[kept], validation=pair, sample_weight=W[kept], **options)
    np.testing.assert_array_equal(by_fraction.history["validation_loss"], by_pair.history["validation_loss"])
    np.testing.assert_array_equal(by_fraction.parameters, by_pair.parameters)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("held_back", [False, True])
def test_weights_of_zero_on_all_rows_of_a_part_are_refused(held_back: bool, streamed: bool) -> None:
    held = held_rows(0, 0.25)
    weights = np.ones(60)
    weights[held] = 0.0
    which = "validation=0.25 holds back" if held_back else "validation=0.25 leaves to learn from"
    message = f"sample_weight and class_weight must leave some of the rows that {which} a weight above 0"
    limit = {"memory_limit": "1 GB"} if streamed else {}
    weighed = weights if held_back else 1 - weights
    with pytest.raises(ValueError, match=message):
        fastmlp.train(X, Y, validation=0.25, sample_weight=weighed, **limit, **SMALL)


@pytest.mark.parametrize("streamed", [False, True])
def test_class_weights_count_among_weights_of_zero(streamed: bool) -> None:
    limit = {"memory_limit": "1 GB"} if streamed else {}
    pair = (X[Y == "no"], Y[Y == "no"])
    with pytest.raises(ValueError, match="validation: class_weight must leave some rows a weight above 0"):
        fastmlp.train(X, Y, class_weight={"no": 0}, validation=pair, **limit, **SMALL)
    weights = np.where(Y == "yes", 1.0, 0.0)
    with pytest.raises(ValueError, match=r"must leave some (of the )?rows a weight above 0"):
        fastmlp.train(X, Y, class_weight={"yes": 0}, sample_weight=weights, **limit, **SMALL)
