"""Quantiles cover their share and never cross, deviations follow from them, and wrong levels are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastmlp
from estimator_tools import (
    HOSTILE,
    NAN,
    SMALL,
    VALUES,
    Array,
    X,
    assert_refused,
    assert_same_bits,
    good,
    shown,
    unfinished_fits,
)
from fastmlp import MLPRegressor

pytestmark = unfinished_fits


def noisy(rows: int, deviation: Callable[[Array], Array], seed: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (rows, 1))
    spread = deviation(x[:, 0])
    return x, 2 * x[:, 0] + spread * rng.normal(size=rows), spread


@pytest.fixture(scope="module")
def fitted_quantiles() -> MLPRegressor:
    x, y, _ = noisy(3000, lambda x: 0.5 + 0.3 * x, seed=0)
    estimator = MLPRegressor(
        loss="quantile", quantiles=(0.05, 0.25, 0.5, 0.95), hidden_layer_sizes=(16,), activation="tanh",
        learning_rate=fastmlp.Cosine(0.02), max_iter=60, tol=0, n_iter_no_change=60, random_state=0,
    )  # fmt: skip
    return estimator.fit(x, y)


def test_quantiles_cover_their_share_of_new_rows(fitted_quantiles: MLPRegressor) -> None:
    x, y, _ = noisy(4000, lambda x: 0.5 + 0.3 * x, seed=1)
    below = (y[:, None] <= fitted_quantiles.predict_quantiles(x)).mean(axis=0)
    np.testing.assert_allclose(below, [0.05, 0.25, 0.5, 0.95], atol=0.03)


def test_return_std_is_calibrated_on_normal_noise(fitted_quantiles: MLPRegressor) -> None:
    x, y, spread = noisy(4000, lambda x: 0.5 + 0.3 * x, seed=2)
    mean, std = fitted_quantiles.predict(x, return_std=True)
    assert mean.shape == std.shape == (4000,)
    np.testing.assert_allclose(std, spread, rtol=0.35)
    assert np.mean(std / spread) == pytest.approx(1, abs=0.08)
    assert np.std((y - mean) / std) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(mean, fitted_quantiles.predict(x))
    np.testing.assert_array_equal(mean, fitted_quantiles.predict_quantiles(x)[:, 2])


@pytest.mark.parametrize("scale", [1, 1e3, 1e-3])
@pytest.mark.parametrize("iterations", [0, 1, 5])
def test_quantiles_never_cross(scale: float, iterations: int) -> None:
    levels = tuple(np.linspace(0.01, 0.99, 15))
    estimator = MLPRegressor(**SMALL, loss="quantile", quantiles=levels).initialize(X, VALUES)
    for _ in range(iterations):
        estimator.partial_fit(X, VALUES)
    assert estimator._outputs(X * scale).shape == (60, 15)
    assert (np.diff(estimator._outputs(X * scale), axis=1) < 0).any()  # unsorted, these would cross
    quantiles = estimator.predict_quantiles(X * scale)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (estimator.predict(X * scale, return_std=True)[1] >= 0).all()


def test_predict_takes_the_level_nearest_to_one_half() -> None:
    estimator = MLPRegressor(**SMALL, loss="quantile", quantiles=[0.1, 0.45, 0.7]).fit(X, VALUES)
    np.testing.assert_array_equal(estimator.predict(X), estimator.predict_quantiles(X)[:, 1])


@pytest.mark.parametrize("level", [[0.3], (0.3,), np.array([0.3])])
def test_one_level_is_that_quantile_loss(level: Any) -> None:
    estimator = MLPRegressor(**SMALL, loss="quantile", quantiles=level).fit(X, VALUES)
    assert_same_bits(estimator, MLPRegressor(**SMALL, loss="quantile(0.3)").fit(X, VALUES))
    assert estimator.predict(X).shape == (60,)
    assert estimator.predict_quantiles(X).shape == (60, 1)


# Errors


@pytest.mark.parametrize("options", [{}, {"loss": "quantile"}, {"loss": "quantile", "quantiles": (0.5,)}])
def test_return_std_needs_several_quantiles(options: dict[str, Any]) -> None:
    estimator = MLPRegressor(**SMALL, **options).fit(X, VALUES)
    with pytest.raises(ValueError, match=r"return_std needs .*quantile"):
        estimator.predict(X, return_std=True)


@pytest.mark.parametrize("value", ["yes", None, 2])
def test_return_std_must_be_a_flag(value: Any) -> None:
    estimator = good(MLPRegressor, loss="quantile", quantiles=(0.1, 0.9))
    with pytest.raises(TypeError, match="return_std must be True or False"):
        estimator.predict(X, return_std=value)


QUANTILES: list[Any] = [
    [], "abc", "0.5", (0.5, 0.1), (0, 0.5), (0.5, 1), (0.1, 0.1), [[0.1, 0.9]], NAN, (0.1, NAN), 1, -0.1,
    (0.1, "a"), (0.1, None), True, HOSTILE, {}, (0.1, 0.9j),
]  # fmt: skip


@pytest.mark.parametrize("quantiles", QUANTILES, ids=lambda levels: shown("quantiles", levels))
def test_wrong_quantiles_are_named(quantiles: Any) -> None:
    options = {"loss": "quantile", "quantiles": quantiles}
    assert_refused(MLPRegressor, options, VALUES, "quantiles", (TypeError, ValueError), "")


def test_quantiles_without_their_loss_are_refused() -> None:
    options: dict[str, Any] = {"quantiles": (0.1, 0.9)}
    assert_refused(MLPRegressor, options, VALUES, "quantiles", ValueError, "loss='quantile'")
    options |= {"loss": "quantile(0.5)"}
    assert_refused(MLPRegressor, options, VALUES, "quantiles", ValueError, "loss='quantile'")


def test_quantiles_set_after_fit_are_named() -> None:
    estimator = good(MLPRegressor, loss="quantile")
    estimator.set_params(quantiles=(0.1, 0.9))
    for use in (estimator.predict, estimator.predict_quantiles, lambda X: estimator.partial_fit(X, VALUES)):
        with pytest.raises(ValueError, match="quantiles"):
            use(X)
