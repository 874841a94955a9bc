"""The benchmark's cases: what is trained or predicted, the same for every contender."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainCase:
    """Training of one network on synthetic rows; `batch` rows a step, all of them if it equals `rows`."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    rows: int
    activation: str = "relu"
    optimizer: str = "adam"  # or "momentum": SGD, momentum 0.9
    regression: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-self.rows // self.batch)

    @property
    def flops(self) -> float:
        """Operations of the three products of one step; the first layer has no backward product."""
        products = [i * o for i, o in pairwise(self.sizes)]
        return 2.0 * self.batch * (3 * sum(products) - products[0])

    def data(self, dtype: str = "float32") -> tuple[NDArray[Any], NDArray[Any]]:
        """Return X and y: normal inputs; labels, or numbers, that depend on them."""
        random = np.random.default_rng(0)
        X = random.standard_normal((self.rows, self.sizes[0])).astype(dtype)
        scores = X @ random.standard_normal((self.sizes[0], self.sizes[-1])).astype(dtype)
        if self.regression:
            return X, np.tanh(scores).astype(dtype)
        labels = scores.argmax(axis=1)
        few = min(self.sizes[-1], self.rows)
        labels[:few] = np.arange(few)  # every label occurs
        return X, labels


@dataclass(frozen=True)
class PredictCase:
    """Outputs of one network for `rows` rows."""

    name: str
    sizes: tuple[int, ...]
    rows: int
    activation: str = "relu"

    def __str__(self) -> str:
        return self.name

    @property
    def flops(self) -> float:
        """Operations of the products."""
        return 2.0 * self.rows * sum(i * o for i, o in pairwise(self.sizes))

    def data(self, dtype: str = "float32") -> NDArray[Any]:
        """Return X."""
        return np.random.default_rng(0).standard_normal((self.rows, self.sizes[0])).astype(dtype)


TRAIN = {
    case.name: case
    for case in (
        TrainCase("iris", (4, 6, 3), batch=75, rows=75),
        TrainCase("tiny", (10, 32, 32, 2), batch=32, rows=2048),
        TrainCase("digits", (64, 100, 10), batch=200, rows=1800),
        TrainCase("mnist", (784, 512, 512, 10), batch=128, rows=8192),
        TrainCase("higgs", (28, 300, 300, 300, 2), batch=256, rows=16384),
        TrainCase("wide", (1024, 2048, 2048, 1000), batch=512, rows=2048),
        TrainCase("tall", (4, 32, 16, 4), batch=10000, rows=10000, activation="tanh", regression=True),
        TrainCase("deep", (28, 300, 300, 300, 300, 300, 1), 100, 10000, activation="tanh", regression=True),
        TrainCase("sigmoid", (784, 500, 250, 10), 64, 8192, activation="sigmoid", optimizer="momentum"),
    )
}

WIDTHS = {
    case.name: case
    for case in (
        TrainCase(f"w{w}", (10, w, w, 10), batch=128, rows=2048)
        for w in (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    )
}

PREDICT = {
    case.name: case
    for case in (
        *(PredictCase(f"small/{n}", (10, 64, 64, 2), n) for n in (1, 64, 4096)),
        *(PredictCase(f"mnist/{n}", (784, 512, 512, 10), n) for n in (1, 64, 4096)),
        PredictCase("policy/1", (256, 384, 384, 128), 1),
    )
}


def case_names() -> list[str]:
    """Return all names: of training, of the width sweep, and of prediction with "predict:" before them."""
    return [*TRAIN, *WIDTHS, *(f"predict:{name}" for name in PREDICT)]


def mnist_case(rows: int) -> TrainCase:
    """Return the training of MNIST's images."""
    return replace(TRAIN["mnist"], rows=rows)


def mnist(folder: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return 8,000 images of MNIST to train on and 2,000 to test on: X, y, Xt, yt; pixels in [0, 1]."""

    def read(name: str, header: int) -> NDArray[np.uint8]:
        with gzip.open(folder / name) as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    X = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32) / 255
    y = read("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64)
    return X[:8000], y[:8000], X[8000:], y[8000:]
