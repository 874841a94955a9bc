"""Networks to export, and how close another program must come to them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

import fastmlp
import reference
from fastmlp.data import Table, TableEncoder
from fastmlp.spec.activations import ELEMENTWISE

HIDDEN = ELEMENTWISE
DTYPES = ("float32", "float64")

#: Every loss, with each of the output activations that it can have.
OUTPUTS = [
    ("softmax_cross_entropy", "softmax"),
    ("binary_cross_entropy", "sigmoid"),
    ("poisson", "exp"),
    *product(("squared_error",), HIDDEN),
    *product(("absolute_error", "huber(1.5)", "quantile(0.3)", "hinge"), ("identity", "tanh")),
]

NAN = float("nan")


def network(
    sizes: tuple[int, ...] = (4, 7, 5, 3),
    activation: str = "tanh",
    loss: str = "squared_error",
    output_activation: str = "auto",
    dtype: str = "float32",
) -> fastmlp.Network:
    """Return a network whose biases are not zero."""
    net = fastmlp.Network(sizes, activation, loss, output_activation, dtype=dtype, seed=1)
    net.parameters += np.random.default_rng(1).normal(0, 0.3, net.n_parameters).astype(dtype)
    return net


def rows(n: int, width: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(2).normal(0, 2, (n, width)).astype(dtype)


def assert_rows_close(actual: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    """Check that each number is as close as rtol times the largest number of its row, or 1 if that is more.

    The terms of an output's sum are of size 1 here; where they cancel, rounding is relative to them.
    """
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    worst = (np.abs(actual - expected) / np.abs(expected).max(axis=-1, keepdims=True, initial=1)).max(
        initial=0
    )
    assert worst <= rtol, f"a number is off by {worst:.2g} of its row's largest"


CITIES = ["Bonn", "Kiev", "Lima", "Oslo", "Rome"]


#: Columns of numbers that are hard to scale.
HOSTILE_COLUMNS = [
    [1e308, -1e308, 0.0, 1e308],
    [-1.7e308, 1.7e308],
    [5e-324, 1e-323, 1.5e-323, 1e-310],
    [0.0, 1e-300, 1e300],
    [2.0, 2.0, NAN, 3.0],
    [7.0, 7.0],
]


def homes() -> Table:
    """Return rows with columns of every kind, among them one whose texts become codes."""
    rng = np.random.default_rng(4)
    return Table(
        {
            "age": rng.integers(1, 80, 40),
            "rooms": np.where(np.arange(40) % 9, rng.uniform(1, 9, 40), NAN),
            "city": np.array([*CITIES[:3], None] * 10, dtype=object),
            "street": np.array([CITIES[i % 5] for i in range(39)] + [None], dtype=object),
            "heating": np.array(["gas", "oil"] * 20, dtype=object),
            "flat": np.full(40, 7.0),
            "none": np.array([None] * 40, dtype=object),
            "garden": rng.random(40) > 0.3,
            "built": np.datetime64("1990-01-01") + rng.integers(0, 9000, 40).astype("timedelta64[D]"),
            "label": rng.uniform(0, 1, 40),
            "price": rng.uniform(1000, 1400, 40),
            "kind": np.array(["b", "a", "a", "b"] * 10, dtype=object),
        }
    )


def new_homes() -> Table:
    """Return rows with missing values everywhere and texts that the encoder has not seen."""
    return Table(
        {
            "age": [25.0, NAN, 45.5, 20.0],
            "rooms": [NAN, 2.0, 100.0, 3.0],
            "city": np.array([None, "Paris", "Bonn", "Lima"], dtype=object),
            "street": np.array(["Rome", None, "Paris", "Bonn"], dtype=object),
            "heating": np.array(["gas", "wood", None, "oil"], dtype=object),
            "flat": [7.0, 8.0, NAN, 7.0],
            "none": np.array([None, "x", None, "y"], dtype=object),
            "garden": [1.0, NAN, 0.0, 1.0],
            "built": np.array(
                ["2020-05-17", "NaT", "1969-12-31", "1990-01-01T12:00"], dtype="datetime64[us]"
            ),
            "label": [0.5, 1.5, 1.0, 0.25],
        }
    )


def as_numbers(column: np.ndarray) -> np.ndarray:
    """Return a column as a user of another program writes it: dates in days, NaN where missing."""
    if column.dtype.kind != "M":
        return column.astype(float)
    days = (column - np.datetime64(0, "D")) / np.timedelta64(1, "D")
    return np.where(np.isnat(column), NAN, days)


#: Settings of an encoder that are not the usual ones.
OPTIONS: dict[str, dict[str, Any]] = {
    "clipped": {"scale": "clipped", "binary": "sign", "unknown": "zeros", "embedding_width": 3},
    "quantile": {"scale": "quantile", "binary": "sign", "unknown": "zeros", "min_count": 8},
    "log1p": {"target_transform": "log1p"},
    "log1p, not scaled": {"target_transform": "log1p", "scale_target": False},
}


def network_of_homes(target: str, dtype: str, **options: Any) -> fastmlp.Network:
    """Return a network with an encoder that predicts the price or the kind of a home."""
    ignored = "price" if target == "kind" else "kind"
    encoder = TableEncoder(target, ignore=[ignored], max_one_hot=4, **options).fit(homes())
    outputs, loss = (2, "softmax_cross_entropy") if target == "kind" else (1, "squared_error")
    sizes = (len(encoder.feature_names), 5, outputs)
    net = fastmlp.Network(sizes, "gelu", loss, dtype=dtype, embeddings=encoder.embeddings, seed=2)
    if target == "kind":
        net.classes = np.array(["a", "b"])
    net.encoder = encoder
    return net


class EmbeddedNetwork(fastmlp.Network):
    """A network with embeddings, whose outputs are computed by the reference."""

    def __init__(self, dtype: np.dtype) -> None:
        embeddings = ((1, 3, 2), (3, 4, 1))
        super().__init__((5, 6, 2), "relu", "squared_error", embeddings=embeddings, dtype=dtype.name)
        self.parameters[:] = np.random.default_rng(3).normal(size=self.n_parameters)

    def rows(self) -> np.ndarray:
        X = rows(20, 5, self.dtype.name)
        X[:, 1], X[:, 3] = np.arange(20) % 3, np.arange(20) % 4
        return X

    def forward(self, X: np.ndarray) -> np.ndarray:
        a = np.hstack(
            [X[:, [0, 2, 4]], self.tables[0][X[:, 1].astype(int)], self.tables[1][X[:, 3].astype(int)]]
        )
        for W, b, name in zip(
            self.weights, self.biases, (*self.activations, self.output_activation), strict=True
        ):
            a = reference.ACTIVATIONS[name][0](a @ W + b)
        return a


#: Networks with learned parts besides W and b: each alone, all together, and with embeddings.
PARTS = {
    "periodic": {"periodic": ((1, 6, 4),)},
    "scale": {"input_scale": True},
    "parametric": {"parametric": True},
    "only periodic": {"periodic": ((4, 1, 2), (1, 9, 3), (0, 3, 2), (2, 2, 2), (3, 5, 7))},
    "scaled embeddings": {"embeddings": ((1, 3, 2), (3, 4, 1)), "input_scale": True},
    "all": {
        "embeddings": ((1, 3, 2), (3, 4, 1)), "periodic": ((4, 5, 3), (0, 2, 2)),
        "input_scale": True, "parametric": True,
    },
}  # fmt: skip


def network_of_parts(
    parts: dict[str, Any],
    dtype: str,
    activation: str | tuple[str, ...] = ("gelu", "identity", "relu"),
    loss: str = "squared_error",
    outputs: int = 2,
) -> fastmlp.Network:
    """Return a network whose parts all differ from what they begin as."""
    net = fastmlp.Network((5, 6, 4, 7, outputs), activation, loss, dtype=dtype, seed=1, **parts)
    net.parameters += np.random.default_rng(1).normal(0, 0.3, net.n_parameters).astype(dtype)
    return net


def rows_of_parts(n: int, dtype: str) -> np.ndarray:
    """Return rows whose columns 1 and 3 may be codes."""
    X = rows(n, 5, dtype)
    X[:, 1], X[:, 3] = np.arange(n) % 3, np.arange(n) % 4
    return X
