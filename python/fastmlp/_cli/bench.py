"""The command `fastmlp bench`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import plural
from fastmlp._base.validation import dtype_name
from fastmlp._cli.files import write_output
from fastmlp._cli.show import console, to_json
from fastmlp._native.threads import get_num_threads
from fastmlp._network.network import Network
from fastmlp._training.train import train

_RUNS = 5
_CALLS = 1000


@dataclass(frozen=True)
class Shape:
    """What is trained: so many rows, layers from inputs to outputs, rows a batch, type of the numbers."""

    rows: int
    layer_sizes: tuple[int, ...]
    batch_size: int
    dtype: str

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-self.rows // self.batch_size)

    @property
    def flops(self) -> float:
        """Operations of an epoch's matrix products; the first layer passes no gradient to its inputs."""
        products = [i * o for i, o in pairwise(self.layer_sizes)]
        return 2.0 * self.rows * (3 * sum(products) - products[0])

    def speed(self, epoch: float) -> dict[str, float]:
        """Return what it means that an epoch takes so many seconds."""
        return {
            "rows_per_second": self.rows / epoch,
            "microseconds_per_step": epoch / self.steps * 1e6,
            "gflops": self.flops / epoch / 1e9,
        }

    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Make up inputs, and labels that depend on them and among which is every class."""
        random = np.random.default_rng(0)
        inputs, outputs = self.layer_sizes[0], self.layer_sizes[-1]
        X = random.standard_normal((self.rows, inputs)).astype(self.dtype)
        y = (X @ random.standard_normal((inputs, outputs)).astype(self.dtype)).argmax(axis=1)
        y[:outputs] = np.arange(outputs)
        return X, y


def run_bench(shape: Shape, threads: int | None, seconds: float, as_json: bool) -> int:
    """Measure training on one thread and on all, and the prediction of a row."""
    outputs = shape.layer_sizes[-1]
    if shape.rows < outputs:
        raise ValueError(f"--rows must be at least --outputs, {outputs}, got {shape.rows}")
    if not 0 < seconds < np.inf:
        raise ValueError(f"--seconds must be greater than 0, got {seconds:g}")
    dtype_name(shape.dtype)  # raises where it is none
    most = get_num_threads() if threads is None else threads
    X, y = shape.data()
    training: list[dict[str, Any]] = []
    for count in sorted({1, most}):
        network, epoch = _time_epoch(shape, X, y, count, seconds)
        training.append({"threads": count, **shape.speed(epoch)})
    latency = _time_row(network, X, seconds)
    if as_json:
        described = {**vars(shape), "training": training, "predict_row_microseconds": latency * 1e6}
        write_output(None, to_json(described))
        return 0
    out = console()
    layers = "-".join(map(str, shape.layer_sizes))
    out.print(f"{layers}, {plural(shape.rows, 'row')} in batches of {shape.batch_size}, {shape.dtype}")
    for result in training:
        out.print(
            f"training, {plural(result['threads'], 'thread')}: {result['rows_per_second']:,.0f} rows/s, "
            f"{result['microseconds_per_step']:.4g} us/step, {result['gflops']:.4g} GFLOP/s"
        )
    out.print(f"prediction of one row: {latency * 1e6:.3g} us")
    return 0


def _time_epoch(
    shape: Shape, X: NDArray[Any], y: NDArray[Any], threads: int, seconds: float
) -> tuple[Network, float]:
    """Return a trained network and the seconds an epoch takes."""

    def train_for(epochs: int) -> Network:
        return train(
            X, y, hidden=shape.layer_sizes[1:-1], batch_size=shape.batch_size, dtype=shape.dtype,
            epochs=epochs, threads=threads,
        )  # fmt: skip

    def epoch(network: Network) -> float:
        return float(network.history["seconds"][-1]) / len(network.history)

    first = train_for(2)
    epochs = max(1, int(seconds / _RUNS / epoch(first)))
    networks = [train_for(epochs) for _ in range(_RUNS)]
    return networks[-1], median(map(epoch, networks))


def _time_row(network: Network, X: NDArray[Any], seconds: float) -> float:
    """Return the seconds that the prediction of one row takes."""
    predict, row = network.predictor(), X[0]
    _time_calls(predict, row)
    end = time.perf_counter() + seconds
    times = [_time_calls(predict, row)]
    while time.perf_counter() < end:
        times.append(_time_calls(predict, row))
    return median(times)


def _time_calls(predict: Callable[[NDArray[Any]], Any], row: NDArray[Any]) -> float:
    start = time.perf_counter()
    for _ in range(_CALLS):
        predict(row)
    return (time.perf_counter() - start) / _CALLS
