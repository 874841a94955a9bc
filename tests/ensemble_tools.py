"""Ensembles to test with, and what they must predict by the obvious way."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastmlp
from fastmlp.data import Table

#: Every kind of outputs: the loss, and how many there are.
KINDS = [
    ("softmax_cross_entropy", 3),
    ("binary_cross_entropy", 1),
    ("binary_cross_entropy", 4),
    ("hinge", 3),
    ("squared_error", 1),
    ("huber(1.5)", 3),
    ("poisson", 2),
    ("quantile(0.1, 0.5, 0.9)", 3),
]


def networks(
    loss: str = "softmax_cross_entropy", outputs: int = 3, dtypes: str = "32", inputs: int = 6
) -> list[Any]:
    """Return networks of different widths, depths and activations; dtypes: "32", "64" or "mixed"."""
    shapes: list[tuple[tuple[int, ...], str]] = [
        ((inputs, 9, outputs), "relu"),
        ((inputs, 33, 17, outputs), "tanh"),
        ((inputs, outputs), "relu"),
        ((inputs, 5, 130, 4, outputs), "gelu"),
        ((inputs, 64, 64, outputs), "silu"),
    ]
    kinds = {"32": ["float32"], "64": ["float64"], "mixed": ["float32", "float64"]}[dtypes]
    made = []
    for i, (sizes, activation) in enumerate(shapes):
        net = fastmlp.Network(sizes, activation, loss, dtype=kinds[i % len(kinds)], seed=i)
        net.parameters += np.random.default_rng(i).normal(0, 0.3, net.n_parameters).astype(net.dtype)
        made.append(net)
    return made


def rows(n: int, inputs: int = 6, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(5).normal(0, 1.5, (n, inputs)).astype(dtype)


def mean_and_std(outputs: Any, weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean of arrays, and the deviation, in double."""
    stacked = np.array([np.asarray(array, np.float64) for array in outputs])
    shares = np.asarray(weights, np.float64) / np.sum(weights)
    mean = np.tensordot(shares, stacked, 1)
    return mean, np.sqrt(np.tensordot(shares, (stacked - mean) ** 2, 1))


def houses(n: int, seed: int) -> Table:
    """Return rows of a table with numbers, texts and gaps, a price and what depends on it."""
    rng = np.random.default_rng(seed)
    size, city = rng.uniform(30, 200, n), rng.integers(0, 4, n)
    rare = np.arange(n) % 30 == 0  # in the rows of some folds alone
    price = 1e6 + 900 * size + 20_000 * city + rng.normal(0, 3_000, n)
    return Table(
        {
            "size": np.where(rng.random(n) < 0.05, np.nan, size),
            "city": np.where(rare, "Quito", np.array(["Bonn", "Kiev", "Lima", "Oslo"], dtype=object)[city]),
            "street": np.array([f"street {i}" for i in rng.integers(0, 60, n)], dtype=object),
            "built": np.datetime64("1990-01-01") + rng.integers(0, 9000, n).astype("timedelta64[D]"),
            "price": price,
            "rent": price / 250 + rng.normal(0, 50, n),
            "kind": np.array(["cheap", "dear"], dtype=object)[(price > 1.12e6).astype(int)],
        }
    )


def houses_with(target: Any, n: int = 240, seed: int = 0) -> Table:
    """Return rows with this target, or these, and no other."""
    left_out = {"price", "rent", "kind"} - {*([target] if isinstance(target, str) else target)}
    return houses(n, seed).drop(*left_out)


def of_folds(target: Any, dtypes: tuple[str, ...] = ("float32",) * 3, **more: Any) -> list[Any]:
    """Return networks trained on parts of the houses, each with an encoder of its own."""
    nets, table = [], houses_with(target)
    for i, dtype in enumerate(dtypes):
        part = table.take(np.flatnonzero(np.arange(table.n_rows) % len(dtypes) != i))
        nets.append(
            fastmlp.train(
                part, target, hidden=(8 + i,), epochs=8, learning_rate=0.02, seed=i, dtype=dtype, **more
            )
        )
    return nets
