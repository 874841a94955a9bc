"""Shuffling, dropout masks and initial weights are the numbers of the reference, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
import reference_random as rnd
from problems import Case, check_training, make_problem, train

pytestmark = pytest.mark.usefixtures("isa")

DTYPES = ("float32", "float64")


def steps_of_rows(n: int, batch_size: int, epochs: int, seed: int, shuffle: bool = True) -> np.ndarray:
    """(epochs, n): at which step of each epoch each row was used, read off the weights.

    Row i of X is unit vector i and the targets are far away, so row i moves weight i alone, by the
    step's rate over the rows in its batch; the rate falls with every step.
    """
    steps, seen = -(-n // batch_size), [np.zeros(n)]
    fastmlp.train(
        np.eye(n),
        np.full(n, 1e6) + np.arange(n),
        hidden=(),
        loss="absolute_error",
        optimizer="sgd",
        learning_rate=fastmlp.InverseScaling(1.0, power=1.0),
        batch_size=batch_size,
        epochs=epochs,
        init="zeros",
        seed=seed,
        shuffle=shuffle,
        dtype="float64",
        callbacks=[lambda net: seen.append(net.weights[0][:, 0].copy())],
    )
    rows_of_step = np.minimum(batch_size, n - batch_size * np.arange(steps))
    found = []
    for epoch, moves in enumerate(np.diff(seen, axis=0)):
        lengths = 1 / (1 + epoch + np.arange(steps) / steps) / rows_of_step
        distance = np.abs(moves[:, None] - lengths)
        assert distance.min(axis=1).max() < 1e-9
        found.append(distance.argmin(axis=1))
    return np.array(found)


@pytest.mark.parametrize(("n", "batch_size"), [(13, 1), (16, 4), (29, 6)])
@pytest.mark.parametrize("seed", [0, 1, 2**40 + 3])
def test_batches_are_slices_of_the_philox_permutation(n: int, batch_size: int, seed: int) -> None:
    for epoch, steps in enumerate(steps_of_rows(n, batch_size, 2, seed)):
        order = rnd.permutation(seed, rnd.SHUFFLE, epoch, n)
        np.testing.assert_array_equal(steps[order], np.arange(n) // batch_size)


def test_without_shuffle_rows_stay_in_order() -> None:
    steps = steps_of_rows(13, 3, 2, seed=5, shuffle=False)
    np.testing.assert_array_equal(steps, [np.arange(13) // 3] * 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", [0, 7, 2**33 + 1])
def test_dropout_masks_of_one_layer_bit_by_bit(seed: int, dtype: str) -> None:
    """Input i is 2^i, so the change of output weight j, a sum over rows, spells out column j of the mask."""
    rows, width, tiny = 8, 21, 2.0**-60  # steps so small that the hidden weights stay exactly 1
    inputs = 2.0 ** np.arange(rows)[:, None]
    seen = [np.zeros(width)]
    fastmlp.train(
        inputs.astype(dtype),
        np.full(rows, 1e6),
        hidden=(width,),
        activation="identity",
        loss="absolute_error",
        dropout=0.5,
        optimizer="sgd",
        learning_rate=tiny,
        batch_size=None,
        epochs=3,
        init=[(np.ones((1, width)), np.zeros(width)), (np.zeros((width, 1)), np.zeros(1))],
        seed=seed,
        dtype=dtype,
        callbacks=[lambda net: seen.append(net.weights[1][:, 0].astype(float))],
    )
    for step, moved in enumerate(np.diff(seen, axis=0) / tiny):
        mask = rnd.dropout_multiplier(seed, step, 0, (rows, width), 0.5)
        np.testing.assert_array_equal(moved, (mask * inputs).sum(axis=0) / rows)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dropout_in_three_layers_and_mini_batches(p: float, dtype: str) -> None:
    check_training(
        Case(
            sizes=(5, 14, 33, 6, 2),
            rows=50,
            batch_size=16,
            epochs=3,
            dropout=p,
            seed=3,
            learning_rate=0.01,
            dtype=dtype,
        )
    )


SCHEMES = [
    "auto",
    "zeros",
    "glorot_uniform",
    "he_uniform",
    "uniform",
    "uniform(0.2)",
    "glorot_normal",
    "he_normal",
    "lecun_normal",
    "normal",
    "normal(0.3)",
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("seed", [0, 2**35 + 11])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_initial_weights_are_the_reference_bit_for_bit(
    scheme: str, seed: int, activation: str, dtype: str
) -> None:
    """Uniform ones in every bit; normal ones but for the last bits of the C library's log, sin and cos."""
    sizes = (7, 30, 5, 3)
    net = fastmlp.Network(sizes, activation=activation, init=scheme, seed=seed, dtype=dtype)
    name, _, number = scheme.partition("(")
    parameter = float(number.rstrip(")")) if number else None
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        after = activation if layer < 2 else "softmax"
        want = rnd.initial_weights(name, *W.shape, layer=layer, seed=seed, parameter=parameter, after=after)
        assert not b.any()
        if "normal" in name:
            np.testing.assert_allclose(W, want, rtol=4 * np.finfo(dtype).eps, atol=1e-15)
        else:
            np.testing.assert_array_equal(W, want.astype(dtype))


def test_auto_init_of_each_layer_looks_at_the_activation_after_it() -> None:
    activations = ["relu", "tanh", "gelu", "sigmoid", "silu", "identity", "softplus", "elu", "leaky_relu"]
    sizes = (4, *range(5, 14), 2)
    net = fastmlp.Network(
        sizes, activation=activations, loss="squared_error", output_activation="relu", dtype="float64"
    )
    for layer, (W, after) in enumerate(zip(net.weights, [*activations, "relu"], strict=True)):
        want = rnd.initial_weights("auto", *W.shape, layer=layer, seed=0, after=after)
        np.testing.assert_array_equal(W, want)


@pytest.mark.parametrize("init", ["auto", "he_normal"])
def test_train_starts_from_what_network_gives(init: str) -> None:
    X, y = np.random.default_rng(1).normal(size=(9, 4)), np.arange(9) % 3
    net = fastmlp.Network((4, 6, 3), init=init, seed=5, dtype="float64")
    trained = fastmlp.train(
        X, y, hidden=(6,), optimizer="sgd", learning_rate=1e-300, epochs=1, init=init, seed=5, dtype="float64"
    )
    for got, want in zip(trained.weights, net.weights, strict=True):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(np.concatenate(trained.biases), 0, atol=1e-299)


def test_init_from_a_network_copies_it() -> None:
    case = Case(rows=12)
    problem = make_problem(case)
    start = fastmlp.Network(
        case.sizes, activation="tanh", loss="squared_error", init=problem.layers, dtype="float64"
    )
    before = start.parameters.copy()
    net = train(case, problem, init=start)
    np.testing.assert_array_equal(start.parameters, before)
    np.testing.assert_array_equal(net.parameters, train(case, problem).parameters)
