"""Each loss is what is trained on, weighted by the weights of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from estimator_tools import (
    LOSSES,
    MANY,
    PAIRS,
    SMALL,
    STEP,
    THREE,
    TWO,
    Array,
    X,
    assert_differ,
    assert_same_bits,
    network_of,
    parameters,
    partly_fitted,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = unfinished_fits


# Losses


@pytest.mark.parametrize("kind", LOSSES)
def test_a_step_goes_down_the_gradient_of_the_loss(kind: str) -> None:
    make, options, y, loss = LOSSES[kind]
    estimator = make(**STEP, **options, alpha=0.3).initialize(X, y)
    network = network_of(estimator, "relu", loss, l2=0.3 / 60)
    classes = getattr(estimator, "classes_", None)
    if y.ndim == 1:
        network.classes = classes
    value, gradient = network.loss_and_gradient(X, y)
    before = parameters(estimator)
    estimator.partial_fit(X, y)
    np.testing.assert_allclose(parameters(estimator) - before, -0.1 * gradient, rtol=1e-9, atol=1e-14)
    if kind not in ("two outputs", "poisson"):  # which scikit-learn reports in units of its own
        assert estimator.loss_ == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_loss_is_learned(kind: str, solver: str) -> None:
    make, options, y, _ = LOSSES[kind]
    start = make(**{**SMALL, "max_iter": 1}, **options, learning_rate_init=1e-9).fit(X, y).loss_
    epochs = 100 if solver == "adam" else 20
    estimator = make(**{**SMALL, "max_iter": epochs}, **options, solver=solver, learning_rate_init=0.02)
    estimator.fit(X, y)
    assert np.isfinite(estimator.loss_)
    assert estimator.loss_ < start - 0.1 * abs(start)


@pytest.mark.parametrize(("text", "loss"), [(" squared_error", "squared_error"), ("poisson ", "poisson")])
def test_a_loss_with_blanks_around_it_is_refused_or_the_same(text: str, loss: str) -> None:
    y = np.abs(PAIRS)
    estimator = MLPRegressor(**SMALL, loss=text)
    try:
        estimator.fit(X, y)
    except ValueError as error:
        assert "loss" in str(error)  # noqa: PT017 (either is right)
    else:
        assert_same_bits(estimator, MLPRegressor(**SMALL, loss=loss).fit(X, y))


def test_hinge_gives_margins_and_no_probabilities() -> None:
    two = MLPClassifier(**{**SMALL, "max_iter": 80}, loss="hinge").fit(X, TWO)
    assert two.decision_function(X).shape == (60,)
    np.testing.assert_array_equal(two.classes_[(two.decision_function(X) > 0).astype(int)], two.predict(X))
    three = MLPClassifier(**SMALL, loss="hinge").fit(X, THREE)
    assert three.decision_function(X).shape == (60, 3)
    np.testing.assert_array_equal(three.decision_function(X).argmax(axis=1), three.predict(X))
    assert not hasattr(two, "predict_proba")
    assert not hasattr(MLPClassifier(), "decision_function")


# Weights of classes


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    ("y", "weights"),
    [
        (TWO, "balanced"),
        (THREE, "balanced"),
        (MANY, "balanced"),
        (TWO, {"yes": 3, "no": 0.5}),
        (THREE, {1: 0.25}),
        (THREE, {np.int64(2): np.float32(4)}),
    ],
)
def test_class_weight_equals_those_weights_of_the_rows(solver: str, y: Array, weights: Any) -> None:
    of_rows = compute_sample_weight(weights, y)
    by_class = MLPClassifier(**SMALL, solver=solver, class_weight=weights).fit(X, y)
    by_row = MLPClassifier(**SMALL, solver=solver).fit(X, y, of_rows)
    assert_same_bits(by_class, by_row)
    assert_differ(by_class, MLPClassifier(**SMALL, solver=solver).fit(X, y))


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_class_weight_multiplies_sample_weight(loss: str) -> None:
    own = np.linspace(0.5, 2, 60)
    both = MLPClassifier(**SMALL, loss=loss, class_weight={"yes": 2}).fit(X, TWO, own)
    product = MLPClassifier(**SMALL, loss=loss).fit(X, TWO, own * np.where(TWO == "yes", 2, 1))
    assert_same_bits(both, product)


def test_class_weight_as_dict_acts_in_partial_fit() -> None:
    weighted = partly_fitted(MLPClassifier(**SMALL, class_weight={"yes": 5}), X, TWO)
    by_row = partly_fitted(MLPClassifier(**SMALL), X, TWO, sample_weight=np.where(TWO == "yes", 5.0, 1.0))
    assert_same_bits(weighted, by_row)


def test_class_weight_moves_the_boundary() -> None:
    options = {**SMALL, "max_iter": 60}
    towards_yes = MLPClassifier(**options, class_weight={"yes": 20}).fit(X, TWO)
    towards_no = MLPClassifier(**options, class_weight={"no": 20}).fit(X, TWO)
    assert (towards_yes.predict(X) == "yes").sum() > (towards_no.predict(X) == "yes").sum()


def test_weights_of_labels_that_are_not_there_do_not_matter() -> None:
    some = MLPClassifier(**SMALL, class_weight={0: 1.0, 1: 2.0, 2: 1.0, 3: 50.0}).fit(X, THREE)
    same = MLPClassifier(**SMALL, class_weight={1: 2.0}).fit(X, THREE)
    np.testing.assert_array_equal(parameters(some), parameters(same))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_that_leave_no_row_are_refused(solver: str) -> None:
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(solver=solver, class_weight={"no": 0, "yes": 0}, max_iter=2).fit(X, TWO)


def test_negative_class_weights_of_multi_label_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="class_weight must be at least 0"):
        MLPClassifier(**SMALL, class_weight=[{0: -1.0, 1: 2.0}, {0: 1.0, 1: 1.0}]).fit(X, MANY[:, :2])
