"""Weights of rows and of classes: what they minimise, and which rows they reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

import fastmlp
from fastmlp import MLPClassifier

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


# ------------------------------------------------------------------------------------ what training minimises


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 7, 60])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
def test_the_epoch_loss_is_the_weighted_mean_over_all_rows(make: Any, batch_size: int, dtype: str) -> None:
    """With a rate of next to nothing, that of the network there is; the last batch may be smaller."""
    net = fastmlp.train(
        make(X), Y, sample_weight=W, class_weight=OF_CLASS, batch_size=batch_size, l2=0.3,
        learning_rate=1e-37, **{**SMALL, "dtype": dtype},
    )  # fmt: skip
    expected = net.loss_and_gradient(X, Y, W * [OF_CLASS[label] for label in Y])[0]
    rtol = 1e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(net.history["loss"], [expected, expected], rtol=rtol)


def test_an_epoch_cut_short_has_the_weighted_mean_of_the_rows_it_saw() -> None:
    weights = np.linspace(1, 30, 60)
    net = fastmlp.train(
        X, Y, sample_weight=weights, batch_size=10, shuffle=False, max_time=1e-9, l2=0.3,
        learning_rate=1e-37, **SMALL,
    )  # fmt: skip
    assert net.stop_reason == "max_time"
    expected = net.loss_and_gradient(X[:10], Y[:10], weights[:10])[0]
    assert net.history["loss"][0] == pytest.approx(expected, rel=1e-12)


def test_weights_count_in_batches_of_one_row() -> None:
    options = {**SMALL, "batch_size": 1, "optimizer": "sgd"}
    plain = fastmlp.train(X, Y, **options)
    weighted = fastmlp.train(X, Y, class_weight={"no": 1, "yes": 1000}, **options)
    assert (weighted.predict(X) == "yes").sum() > (plain.predict(X) == "yes").sum()
    estimator = {
        "hidden_layer_sizes": (4,),
        "batch_size": 1,
        "solver": "sgd",
        "max_iter": 2,
        "random_state": 0,
    }
    plain = MLPClassifier(**estimator)
    weighted = MLPClassifier(class_weight={"no": 1, "yes": 1000}, **estimator)
    for _ in range(2):
        plain.partial_fit(X, Y, classes=["no", "yes"])
        weighted.partial_fit(X, Y, classes=["no", "yes"])
    assert (weighted.predict(X) == "yes").sum() > (plain.predict(X) == "yes").sum()


# 2% of the rows have the label 1 and weigh 49 each, the others 1, and X tells nothing: half of the weight.
CONSTANT = np.ones((1000, 1))
RARE = (np.arange(1000) % 50 == 0).astype(int)
DECAY = fastmlp.Cosine(0.02)
EPOCHS = {1: 20, 10: 60, 200: 400}


@pytest.mark.parametrize("batch_size", [1, 10, 200])
@pytest.mark.parametrize("by_class", [False, True])
def test_the_minimum_does_not_depend_on_the_batches(by_class: bool, batch_size: int) -> None:
    weights: Any = {"class_weight": {1: 49}} if by_class else {"sample_weight": np.where(RARE, 49, 1)}
    net = fastmlp.train(
        CONSTANT, RARE, hidden=(), loss="binary_cross_entropy", optimizer="sgd", learning_rate=DECAY,
        batch_size=batch_size, epochs=EPOCHS[batch_size], **weights,
    )  # fmt: skip
    assert net.predict_proba(CONSTANT[:1])[0, 1] == pytest.approx(0.5, abs=0.02)
    assert net.history["loss"][-1] == pytest.approx(np.log(2), abs=0.01)


@pytest.mark.parametrize("class_weight", ["balanced", {1: 49}])
@pytest.mark.parametrize("batch_size", [1, 10, 200])
def test_class_weights_of_the_classifier_do_not_depend_on_the_batches(
    batch_size: int, class_weight: Any
) -> None:
    classifier = MLPClassifier(
        (), solver="sgd", momentum=0.0, learning_rate=DECAY, batch_size=batch_size, tol=0.0, random_state=0,
        max_iter=EPOCHS[batch_size], n_iter_no_change=np.inf, class_weight=class_weight,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        classifier.fit(CONSTANT, RARE)
    assert classifier.predict_proba(CONSTANT[:1])[0, 1] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("batch_size", [1, 10, 200])
def test_sample_weight_of_the_classifier_is_that_of_scikit_learn(batch_size: int) -> None:
    """Each batch divides by its own weights: those of single rows do nothing."""
    options: dict[str, Any] = {
        "hidden_layer_sizes": (3,), "solver": "sgd", "batch_size": batch_size, "max_iter": 3,
        "random_state": 0, "shuffle": False,
    }  # fmt: skip
    weights = np.where(RARE, 49.0, 1.0)
    ours, theirs = MLPClassifier(**options), neural_network.MLPClassifier(**options)
    for estimator in (ours, theirs):
        with pytest.warns(ConvergenceWarning):
            estimator.fit(CONSTANT, RARE, sample_weight=weights)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-9)
