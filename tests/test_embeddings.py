"""Embeddings: columns of codes, whose tables are learned with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

CODES = (7, 3)
EMBEDDINGS = ((4, CODES[1], 2), (1, CODES[0], 4))  # column, codes, width: not in the order of the columns
PLAIN = [0, 2, 3]

Array = NDArray[Any]


def rows(n: int = 60, dtype: str = "float64") -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 5))
    X[:, 1], X[:, 4] = rng.integers(0, CODES[0], n), rng.integers(0, CODES[1], n)
    return X.astype(dtype), rng.integers(0, 3, n)


def network(dtype: str = "float64", **options: Any) -> fastmlp.Network:
    return fastmlp.Network((5, 6, 3), "tanh", embeddings=EMBEDDINGS, dtype=dtype, **options)


def embedded(net: fastmlp.Network, X: Array) -> Array:
    """The first layer's inputs, by one-hot columns times the tables."""
    parts = [
        np.eye(codes, dtype=X.dtype)[X[:, column].astype(int)] @ table
        for (column, codes, _), table in zip(net.embeddings, net.tables, strict=True)
    ]
    return np.hstack([X[:, PLAIN], *parts])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_outputs_are_those_of_a_dense_network_of_one_hot_columns(isa: str, dtype: str) -> None:
    net, (X, _) = network(dtype), rows(200, dtype)
    layers = list(zip(net.weights, net.biases, strict=True))
    dense = fastmlp.Network((9, 6, 3), "tanh", dtype=dtype, init=layers)
    np.testing.assert_array_equal(net.forward(X), dense.forward(embedded(net, X)))
    np.testing.assert_array_equal(net.predictor()(X[0]), net.forward(X)[0])


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_the_numeric_one(isa: str, l2: float, weighted: bool) -> None:
    net, (X, y) = network(l2=l2, seed=1), rows()
    w = np.random.default_rng(6).uniform(0, 2, len(y)) if weighted else None
    _, gradient = net.loss_and_gradient(X, y, w)
    h = 1e-6
    for i in range(net.n_parameters):
        before = net.parameters[i]
        losses = []
        for step in (h, -h):
            net.parameters[i] = before + step
            losses.append(net.loss_and_gradient(X, y, w)[0])
        net.parameters[i] = before
        assert gradient[i] == pytest.approx((losses[0] - losses[1]) / (2 * h), abs=5e-9)


def test_the_trace_shows_embedded_inputs_and_gradients_of_tables() -> None:
    net, (X, y) = network(), rows()
    trace = net.trace(X, y)
    np.testing.assert_array_equal(trace.a[0], embedded(net, X))
    below = trace.delta[0] @ net.weights[0].T  # the inputs' delta
    start = len(PLAIN)
    for (column, codes, width), dE in zip(net.embeddings, trace.dE, strict=True):
        one_hot = np.eye(codes)[X[:, column].astype(int)]
        np.testing.assert_allclose(dE, one_hot.T @ below[:, start : start + width], atol=1e-15)
        start += width


def by_hand(
    net: fastmlp.Network, X: Array, y: Array, optimizer: Any, rate: float, epochs: int, size: int
) -> None:
    """Train by `loss_and_gradient` and the optimizer's formula, batch by batch in order."""
    s1, s2 = np.zeros((2, net.n_parameters))
    t = 0
    for _ in range(epochs):
        for first in range(0, len(y), size):
            _, g = net.loss_and_gradient(X[first : first + size], y[first : first + size])
            t += 1
            if isinstance(optimizer, fastmlp.Adam):
                s1, s2 = 0.9 * s1 + 0.1 * g, 0.999 * s2 + 0.001 * g * g
                step = s1 / (1 - 0.9**t) / (np.sqrt(s2 / (1 - 0.999**t)) + 1e-8)
            else:
                s1 = 0.9 * s1 + g
                step = s1
            net.parameters[:] -= rate * step


@pytest.mark.parametrize("optimizer", [fastmlp.Adam(), fastmlp.SGD(momentum=0.9)])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 1e9}], ids=["in place", "whole gradient"])
def test_training_follows_the_optimizers_formula(isa: str, optimizer: Any, options: dict[str, Any]) -> None:
    X, y = rows()
    common = {"hidden": (6,), "activation": "tanh", "l2": 0.01, "dtype": "float64", "seed": 3}
    expected = fastmlp.Network((5, 6, 3), "tanh", embeddings=EMBEDDINGS, l2=0.01, dtype="float64", seed=3)
    by_hand(expected, X, y, optimizer, 0.01, 4, 16)
    net = fastmlp.train(
        X, y, embeddings=EMBEDDINGS, optimizer=optimizer, learning_rate=0.01, epochs=4, batch_size=16,
        shuffle=False, **common, **options,
    )  # fmt: skip
    np.testing.assert_allclose(net.parameters, expected.parameters, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [7, 256, 3000])
def test_the_bits_do_not_depend_on_the_threads(exact_threads: None, size: int) -> None:
    X, y = rows(min(60 * size, 3000), "float32")  # more threads than processors make each step slow
    nets = [
        fastmlp.train(
            X, y, embeddings=EMBEDDINGS, hidden=(64,), epochs=2, batch_size=size, validation=0.2,
            dropout=0.1, threads=threads,
        )
        for threads in (1, 2, 5)
    ]  # fmt: skip
    for net in nets[1:]:
        np.testing.assert_array_equal(net.parameters, nets[0].parameters)
        assert net.history["validation_loss"].tolist() == nets[0].history["validation_loss"].tolist()
    np.testing.assert_array_equal(nets[0].forward(X[:100]), nets[0].forward(X)[:100])


def test_categories_are_learned_that_no_number_shows() -> None:
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 500, 4000)
    y = rng.normal(size=500)[codes]
    X = codes[:, None].astype(float)
    net = fastmlp.train(X, y, embeddings=[(0, 500, 8)], hidden=(32,), epochs=60, learning_rate=0.01)
    assert np.mean((net.predict(X) - y) ** 2) < 0.01


def test_a_saved_network_predicts_the_same(tmp_path: Path) -> None:
    net, (X, _) = network("float32", seed=4), rows(50, "float32")
    net.save(tmp_path / "m.safetensors")
    loaded = fastmlp.load(tmp_path / "m.safetensors")
    assert loaded.embeddings == net.embeddings
    np.testing.assert_array_equal(loaded.parameters, net.parameters)
    np.testing.assert_array_equal(loaded.forward(X), net.forward(X))


def test_training_goes_on_from_a_network() -> None:
    X, y = rows()
    first = fastmlp.train(X, y, hidden=(6,), embeddings=EMBEDDINGS, epochs=2)
    second = fastmlp.train(X, y, hidden=(6,), embeddings=EMBEDDINGS, epochs=1, init=first)
    assert second.history["loss"][0] < first.history["loss"][0]
    with pytest.raises(ValueError, match="init has embeddings"):
        fastmlp.train(X, y, hidden=(6,), embeddings=EMBEDDINGS[:1], epochs=1, init=first)


@pytest.mark.parametrize("code", [7, -1, 2.5, 1e9])
def test_what_is_no_code_is_refused_and_named(code: float) -> None:
    net, (X, y) = network(), rows()
    X[3, 1] = code
    message = r"row 3, column 1, which must be a code: a whole number from 0 to 6"
    for call in (net.forward, net.predict, lambda X: net.loss_and_gradient(X, y), lambda X: net.trace(X, y)):
        with pytest.raises(ValueError, match=message):
            call(X)
    with pytest.raises(ValueError, match=message):
        fastmlp.train(X, y, embeddings=EMBEDDINGS)
    with pytest.raises(ValueError, match="column 1, which is not one of the column's codes"):
        net.predictor()(X[3])


@pytest.mark.parametrize(
    ("embeddings", "error", "message"),
    [
        ("abc", TypeError, "embeddings must be a sequence of"),
        ([(0, 3)], TypeError, r"embeddings\[0\] must be \(column, codes, width\)"),
        ([(5, 3, 2)], ValueError, r"embeddings\[0\] column must be at least 0 and at most 4, got 5"),
        ([(0, 0, 2)], ValueError, r"embeddings\[0\] codes must be at least 1"),
        ([(0, 3, 0)], ValueError, r"embeddings\[0\] width must be at least 1"),
        ([(0, 3, 1), (0, 2, 1)], ValueError, r"embeddings\[1\]: column 0 has an embedding already"),
        ([(0, 2**24, 2**20)], MemoryError, "more than the memory of this machine"),
    ],
)
def test_wrong_embeddings_are_named(embeddings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.Network((5, 3), embeddings=embeddings)


def test_sparse_rows_are_refused() -> None:
    from scipy import sparse

    with pytest.raises(TypeError, match="X must be dense for a network with embeddings"):
        network().forward(sparse.csr_array(rows()[0]))
