"""Runs that go on from where others ended, through the core: what partial_fit is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp._native import core as _core


def train_in_runs(runs: int, epochs: int, optimizer: str) -> tuple[NDArray[np.float32], int]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 7)).astype(np.float32), rng.integers(0, 3, 90).astype(np.int32)
    net = fastmlp.Network((7, 5, 3))
    s1, s2 = np.zeros((2, net.n_parameters), np.float32)
    steps = 0
    for run in range(runs):
        options = _core.TrainOptions()
        options.first_epoch, options.epochs = run * epochs, (run + 1) * epochs
        options.batch_size, options.dropout.rate, options.alpha = 20, 0.2, 0.3
        options.optimizer.kind, options.optimizer.momentum, options.schedule.rate = optimizer, 0.9, 0.01
        state = net._core.RunState(s1, s2, steps)
        net._core.train(X, y, None, None, None, None, options, None, state)
        steps = state.steps
    return net.parameters, steps


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam"])
def test_several_runs_with_carried_state_are_one_run(optimizer: str) -> None:
    whole, steps = train_in_runs(1, 6, optimizer)
    for runs in (2, 6):
        parts, steps_in_parts = train_in_runs(runs, 6 // runs, optimizer)
        np.testing.assert_array_equal(parts, whole)
        assert steps_in_parts == steps == 30


@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_is_divided_by_the_batchs_weights(weighted: bool) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 1))
    w = rng.uniform(0.5, 2, 20) if weighted else None
    total = 20 if w is None else float(w.sum())
    net = fastmlp.Network((4, 3, 1), loss="squared_error", dtype="float64")
    equal = fastmlp.Network((4, 3, 1), loss="squared_error", l2=0.7 / total, dtype="float64")
    options = _core.TrainOptions()
    options.epochs, options.batch_size, options.alpha = 1, 20, 0.7
    records, *_ = net._core.train(X, None, y, w, None, None, options, None)
    loss, _ = equal.loss_and_gradient(X, y[:, 0], sample_weight=w)
    penalty = 0.35 / total * sum(float((W**2).sum()) for W in equal.weights)
    assert records[0][1] == pytest.approx(loss, rel=1e-12)
    assert records[0][7] == pytest.approx(penalty, rel=1e-12)


def test_a_number_from_the_callback_is_the_next_learning_rate() -> None:
    X, y = np.random.default_rng(2).normal(size=(2, 10, 1))
    rates = [0.1, 0.02, 0.003]
    net = fastmlp.Network((1, 1), loss="squared_error", dtype="float64")
    options = _core.TrainOptions()
    options.epochs, options.batch_size, options.schedule.rate = 3, 10, rates[0]
    records, *_ = net._core.train(X, None, y, None, None, None, options, lambda record: rates[record[0] % 3])
    assert [record[2] for record in records] == rates


def test_a_state_of_another_size_is_refused() -> None:
    net = fastmlp.Network((2, 2))
    options = _core.TrainOptions()
    X, y = np.zeros((3, 2), np.float32), np.zeros(3, np.int32)
    with pytest.raises(ValueError, match="state must have arrays of n_parameters numbers"):
        net._core.train(
            X, y, None, None, None, None, options, None, net._core.RunState(*np.zeros((2, 5), "f"))
        )
    with pytest.raises(ValueError, match="s1, s2, best and current must have one length"):
        net._core.RunState(np.zeros(6, "f"), np.zeros(5, "f"))


def train_in_order(X: NDArray[Any], y: NDArray[Any], order: NDArray[np.uint32] | None) -> fastmlp.Network:
    net = fastmlp.Network((3, 1), loss="squared_error", dtype="float64")
    options = _core.TrainOptions()
    options.epochs, options.batch_size, options.shuffle = 1, 4, order is not None
    draw = None if order is None else lambda: order
    *_, exception = net._core.train(X, None, y, None, None, None, options, None, None, draw)
    if exception is not None:
        raise exception
    return net


def test_the_rows_are_taken_in_the_order_that_is_drawn() -> None:
    rng = np.random.default_rng(3)
    X, y, order = rng.normal(size=(10, 3)), rng.normal(size=(10, 1)), rng.permutation(10).astype(np.uint32)
    drawn, sorted_by_hand = train_in_order(X, y, order), train_in_order(X[order], y[order], None)
    np.testing.assert_array_equal(drawn.parameters, sorted_by_hand.parameters)


@pytest.mark.parametrize("order", [np.arange(1, 11), np.arange(9)])
def test_an_order_of_other_rows_is_refused(order: NDArray[np.int64]) -> None:
    with pytest.raises(ValueError, match="draw_order"):
        train_in_order(np.zeros((10, 3)), np.zeros((10, 1)), order.astype(np.uint32))
