"""Rows in shards: what the arithmetic is, and that nothing else depends on them."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fastmlp
import shard_cases
from shard_cases import LABELS, SMALL, VALUES, D, X


@pytest.mark.parametrize("name", shard_cases.CASES)
def test_the_bits_do_not_depend_on_threads(isa: str, name: str, exact_threads: None) -> None:
    results = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for threads in (1, 3):
            fastmlp.set_num_threads(threads)
            results.add(shard_cases.result(shard_cases.CASES[name](None)))
    assert len(results) == 1


@pytest.mark.parametrize("shards", [2, 8])
def test_a_step_takes_as_many_rows_of_each_shard(isa: str, shards: int) -> None:
    n, batch, rate = 75, 16, 0.01
    net = fastmlp.Network((D, 6, 2), loss="squared_error", seed=3, dtype="float64")
    bounds = [n * s // shards for s in range(shards + 1)]
    each = batch // shards
    for _ in range(2):
        for at in range(0, max(np.diff(bounds)), each):
            starts = pairwise(bounds)
            rows = [r for first, last in starts for r in range(first + at, min(first + at + each, last))]
            net.parameters[:] -= rate * net.loss_and_gradient(X[rows], VALUES[rows])[1]
    trained = fastmlp.train(
        X[:n], VALUES[:n], hidden=6, shards=shards, batch_size=batch, shuffle=False, optimizer="sgd",
        learning_rate=rate, epochs=2, seed=3, dtype="float64",
    )  # fmt: skip
    np.testing.assert_allclose(trained.parameters, net.parameters, rtol=1e-12, atol=1e-14)


def test_each_shard_is_shuffled_by_a_stream_of_its_own() -> None:
    # A step of one row of each of 4 shards, whose rows have their numbers as the only feature: the gradient
    # of the bias alone is learned, so that no order of the rows can be seen but by the losses of the steps.
    y = np.arange(64.0)
    orders = [
        np.array([fastmlp._native.core.permutation(7, 1, epoch * 4 + s, 16) for s in range(4)])
        for epoch in range(2)
    ]
    net = fastmlp.Network((1, 1), loss="squared_error", seed=7, dtype="float64")
    for order in orders:
        for step in order.T:
            rows = step + 16 * np.arange(4)
            net.parameters[:] -= 0.01 * net.loss_and_gradient(np.ones((4, 1)), y[rows])[1]
    trained = fastmlp.train(
        np.ones((64, 1)), y, hidden=(), shards=4, batch_size=4, optimizer="sgd", learning_rate=0.01, epochs=2,
        seed=7, dtype="float64",
    )  # fmt: skip
    np.testing.assert_allclose(trained.parameters, net.parameters, rtol=1e-12)


def test_rows_in_one_window_train_as_in_memory() -> None:
    for options in (SMALL, SMALL | {"validation": 0.2}, SMALL | {"batch_size": None}):
        streamed = fastmlp.train(X, LABELS, memory_limit="1 GB", **options)
        assert shard_cases.result(streamed) == shard_cases.result(fastmlp.train(X, LABELS, **options))


def test_a_spec_may_have_shards() -> None:
    runs = fastmlp.train_many(X, LABELS, [{"shards": 4}, {"shards": 1}], hidden=5, epochs=2, validation=0.3)
    for net, shards in zip(runs, (4, 1), strict=True):
        alone = fastmlp.train(X, LABELS, shards=shards, hidden=5, epochs=2, validation=0.3)
        assert shard_cases.result(net) == shard_cases.result(alone)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"shards": 3}, "shards must be a power of two (1, 2, 4, 8, ...), got 3"),
        ({"shards": 0}, "shards must be at least 1, got 0"),
        ({"shards": 2.0}, "shards must be an integer, got 2.0"),
        ({"shards": 8, "batch_size": 20}, "batch_size must be a multiple of shards=8, got 20"),
        ({"shards": 32}, "shards must be at most the rows to learn from, 20, got 32"),
        ({"shards": 16, "validation": 0.3}, "shards must be at most the rows to learn from, 14, got 16"),
        ({"shards": 16, "validation": 0.3, "memory_limit": "1 GB"}, "rows to learn from, 14, got 16"),
        ({"local": True}, "local=True goes with a communicator, got None"),
        ({"local": 1}, "local must be True or False, got 1"),
        ({"communicator": 4}, "communicator must be one of mpi4py, such as MPI.COMM_WORLD; got 4"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError)) as error:
        fastmlp.train(X[:20], VALUES[:20], **arguments)
    assert said in str(error.value)


def test_a_spec_has_no_communicator() -> None:
    with pytest.raises(TypeError, match=r"specs\[0\] must not hold 'communicator'"):
        fastmlp.train_many(X, LABELS, [{"communicator": None}])
