"""Activations, dropout and the hidden layer that transform gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.pipeline import make_pipeline

from estimator_tools import (
    COUNTS,
    LOSSES,
    SMALL,
    STEP,
    THREE,
    VALUES,
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


# Activations


@pytest.mark.parametrize(
    "names",
    [
        ["logistic", "tanh", "relu"],
        ("gelu", "silu", "softplus"),
        ["leaky_relu", "elu", "identity"],
        "gelu",
        "softplus",
        "sigmoid",
    ],
)
def test_activations_equal_those_of_a_network_by_hand(names: Any) -> None:
    options = {**STEP, "hidden_layer_sizes": (5, 4, 3)}
    estimator = MLPRegressor(**options, activation=names).initialize(X, VALUES)
    ours = (
        ["sigmoid" if name == "logistic" else name for name in names] if not isinstance(names, str) else names
    )
    network = network_of(estimator, ours, "squared_error", l2=0.0001 / 60)
    np.testing.assert_array_equal(estimator.predict(X), network.predict(X))
    _, gradient = network.loss_and_gradient(X, VALUES)
    before = parameters(estimator)
    estimator.partial_fit(X, VALUES)
    np.testing.assert_allclose(parameters(estimator) - before, -0.1 * gradient, rtol=1e-9, atol=1e-14)


# Dropout


@pytest.mark.parametrize("kind", ["two classes", "multi-label", "squared_error", "quantiles"])
def test_dropout_changes_training_and_is_off_in_prediction(kind: str) -> None:
    make, options, y, loss = LOSSES[kind]
    dropped = make(**SMALL, **options, dropout=0.5).fit(X, y)
    assert_differ(dropped, make(**SMALL, **options).fit(X, y))
    assert_same_bits(dropped, make(**SMALL, **options, dropout=0.5).fit(X, y))
    outputs = network_of(dropped, "relu", loss).forward(X)
    np.testing.assert_array_equal(dropped.predict(X), dropped.predict(X))
    np.testing.assert_array_equal(dropped._outputs(X), outputs)
    np.testing.assert_array_equal(dropped.transform(X), np.maximum(0, dropped.transform(X)))
    np.testing.assert_allclose(
        dropped.transform(X), np.maximum(0, X @ dropped.coefs_[0] + dropped.intercepts_[0]), atol=1e-12
    )


def test_dropout_is_off_in_validation() -> None:
    estimator = MLPRegressor(**SMALL, dropout=0.9).fit(X, VALUES, X_val=X, y_val=VALUES)
    assert estimator.validation_scores_[-1] == pytest.approx(estimator.score(X, VALUES))


def test_dropout_draws_anew_at_each_call_of_partial_fit() -> None:
    estimator = MLPRegressor(**{**STEP, "learning_rate_init": 1e-12}, dropout=0.5)
    losses = partly_fitted(estimator, X, VALUES, 5).loss_curve_
    assert len(set(np.round(losses, 6))) == 5


# Transform


@pytest.mark.parametrize("kind", LOSSES)
def test_transform_gives_the_last_hidden_layer(kind: str) -> None:
    make, options, y, _ = LOSSES[kind]
    options = {**SMALL, **options, "hidden_layer_sizes": (5, 3), "activation": ["relu", "tanh"]}
    estimator = make(**options).fit(X, y)
    (W0, W1, W2), (b0, b1, b2) = estimator.coefs_, estimator.intercepts_
    hidden = np.tanh(np.maximum(0, X @ W0 + b0) @ W1 + b1)
    np.testing.assert_allclose(estimator.transform(X), hidden, atol=1e-12)
    assert list(estimator.get_feature_names_out()) == [f"{make.__name__.lower()}{i}" for i in range(3)]
    if estimator.out_activation_ == "identity" and kind != "quantiles":
        np.testing.assert_allclose(estimator._outputs(X), hidden @ W2 + b2, atol=1e-12)


def test_transform_is_a_step_of_a_pipeline() -> None:
    pipeline = make_pipeline(MLPClassifier(**SMALL), MLPRegressor(**SMALL))
    pipeline.fit(X, COUNTS)
    assert pipeline[:-1].transform(X).shape == (60, 6)
    assert MLPRegressor(**SMALL).fit(X.astype("f4"), VALUES).transform(X.astype("f4")).dtype == np.float32


@pytest.mark.parametrize("matrix", [X, scipy.sparse.csr_matrix(X)], ids=["dense", "sparse"])
def test_the_last_layer_of_a_linear_model_is_x(matrix: Any) -> None:
    estimator = MLPClassifier((), max_iter=2).fit(matrix, THREE)
    np.testing.assert_array_equal(estimator.transform(matrix), X)
    assert len(estimator.get_feature_names_out()) == 4
