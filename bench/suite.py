"""pytest-benchmark cases of fastmlp alone: training, prediction, and the kernels below them.

    python -m pytest bench/suite.py [-k mnist] [--benchmark-compare]

An epoch, a call, or one product with its epilogue; `extra_info` has the GFLOP/s of the best round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import PREDICT, TRAIN, PredictCase, TrainCase
from competitors import FastMLP, predict_fastmlp, predict_predictor

import fastmlp

DTYPES = ["float32", "float64"]
THREADS = [1, 2]
# Layers of the cases, as (rows, inputs, outputs).
LAYERS = [(128, 784, 512), (256, 300, 300), (200, 64, 100), (32, 32, 32)]


def run(benchmark: Any, flops: float, work: Callable[..., Any], *arguments: Any) -> None:
    """Benchmark `work` and note its rate."""
    benchmark(work, *arguments)
    if benchmark.stats is not None:  # None with --benchmark-disable
        benchmark.extra_info["GFLOP/s"] = flops / benchmark.stats.stats.min / 1e9


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", TRAIN.values(), ids=str)
def test_train(benchmark: Any, case: TrainCase, dtype: str, threads: int) -> None:
    """An epoch of training."""
    trainer = FastMLP(case, *case.data(dtype), threads)
    run(benchmark, case.flops * case.steps, trainer.epochs, 1)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", PREDICT.values(), ids=str)
def test_predict(benchmark: Any, case: PredictCase, dtype: str, threads: int) -> None:
    """``net.forward``."""
    run(benchmark, case.flops, predict_fastmlp(case, dtype, threads), case.data(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [c for c in PREDICT.values() if c.rows <= 64], ids=str)
def test_predictor(benchmark: Any, case: PredictCase, dtype: str) -> None:
    """``net.predictor()``."""
    run(benchmark, case.flops, predict_predictor(case, dtype, 1), case.data(dtype))


def one_layer(rows: int, inputs: int, outputs: int, dtype: str) -> tuple[fastmlp.Network, Any, Any]:
    """Return a network of one linear layer with data for it."""
    random = np.random.default_rng(0)
    X, Y = (random.standard_normal((rows, n)).astype(dtype) for n in (inputs, outputs))
    return fastmlp.Network((inputs, outputs), loss="squared_error", dtype=dtype), X, Y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", LAYERS, ids=str)
def test_forward_product(benchmark: Any, shape: tuple[int, int, int], dtype: str) -> None:
    """Z = X W + b."""
    net, X, _ = one_layer(*shape, dtype)
    run(benchmark, 2.0 * np.prod(shape), net.forward, X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", LAYERS, ids=str)
def test_forward_and_gradient_products(benchmark: Any, shape: tuple[int, int, int], dtype: str) -> None:
    """Z = X W + b and dW = X^T delta."""
    net, X, Y = one_layer(*shape, dtype)
    run(benchmark, 4.0 * np.prod(shape), net.loss_and_gradient, X, Y)
