"""The runs that studies compare: what is measured of them, and the steps to a target that are counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp._studies import batch_size
from fastmlp._studies.runs import Run, measured_run

IRIS = fastmlp.datasets.load_iris()
X = (IRIS.data - IRIS.data.mean(axis=0)) / IRIS.data.std(axis=0)
Y = np.array(IRIS.target_names)[IRIS.target]
NAN = math.nan


@pytest.fixture(autouse=True)
def _short_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_size, "_TIMED_SECONDS", 1e-9)


def test_a_run_is_measured_on_all_rows_before_and_after_each_epoch() -> None:
    run = measured_run(X, Y, hidden=(5,), epochs=4, batch_size=32, l2=0.01, seed=3)
    again = [
        fastmlp.train(X, Y, hidden=(5,), epochs=epochs, batch_size=32, l2=0.01, seed=3)
        for epochs in (1, 2, 3, 4)
    ]
    start = fastmlp.Network((4, 5, 3), l2=0.01, seed=3).loss_and_gradient(X, IRIS.target)[0]
    assert run.losses == [start, *(net.loss_and_gradient(X, Y)[0] for net in again)]
    assert not run.diverged


def test_a_run_stops_at_its_target() -> None:
    whole = measured_run(X, Y, hidden=(5,), epochs=20, learning_rate=0.05)
    short = measured_run(X, Y, whole.losses[7], hidden=(5,), epochs=20, learning_rate=0.05)
    assert short.losses == whole.losses[:8]


@pytest.mark.parametrize(
    ("target", "epochs"), [(8.0, 0), (9.0, 0), (7.0, 0.5), (6.0, 1), (3.0, 2), (2.0, 2.5), (0.5, NAN)]
)
def test_the_target_is_met_between_two_epochs(target: float, epochs: float) -> None:
    run = Run(fastmlp.Network((1, 2)), [8.0, 6.0, 3.0, 1.0, 2.0], False)
    assert run.epochs_to(target) == pytest.approx(epochs, nan_ok=True)


def test_the_lowest_loss_is_that_of_an_epoch() -> None:
    net = fastmlp.Network((1, 2))
    assert Run(net, [1.0, 3.0, 2.0], False).lowest == 2
    assert math.isnan(Run(net, [1.0, math.inf, NAN], True).lowest)


def loss_after(steps: int, size: int, order: Any, X: Any, y: Any, **settings: Any) -> float:
    """Of all rows, after so many steps along an order."""
    rows = order[: steps * size]
    weight = settings.pop("sample_weight", None)
    part = None if weight is None else weight[rows]
    net = fastmlp.train(
        X[rows], y[rows], batch_size=size, epochs=1, shuffle=False, sample_weight=part, **settings
    )
    return net.loss_and_gradient(X, y, weight)[0]


@pytest.mark.parametrize("size", [1, 4, 7, 50, 150])
@pytest.mark.parametrize(
    ("targets", "weighted", "sparse"),
    [("labels", False, False), ("values", False, False), ("labels", True, True), ("rows", True, False)],
)
def test_steps_within_the_first_epoch_are_counted(
    size: int, targets: str, weighted: bool, sparse: bool
) -> None:
    y = {"labels": Y, "values": X @ np.arange(4.0), "rows": np.eye(3)[IRIS.target]}[targets]
    from scipy.sparse import csr_matrix

    rows = csr_matrix(X) if sparse else X
    settings: dict[str, Any] = {"hidden": (8,), "learning_rate": 0.003 * size**0.5, "seed": 3}
    if targets == "rows":
        settings["loss"] = "softmax_cross_entropy"
    if weighted:
        settings["sample_weight"] = np.where(np.arange(150) % 50 < 40, 0.0, 1.0 + np.arange(150))
    whole = measured_run(rows, y, batch_size=size, epochs=1, **settings)
    target = whole.losses[0] - 0.5 * (whole.losses[0] - whole.losses[1])
    study = fastmlp.study_batch_size(rows, y, (size,), target_loss=target, epochs=1, **settings)
    steps = study["steps_to_target"][0]
    needed = [np.argmax(settings["sample_weight"])] if weighted else []
    if targets == "labels":
        needed = sorted({*needed, 0, 50, 100})
    order = [*needed, *(i for i in np.random.default_rng(3).permutation(150) if i not in needed)]
    least = max(1, math.ceil(len(needed) / size))
    assert steps == int(steps) >= least
    losses = {
        k: loss_after(int(k), size, order, rows, y, **settings) for k in (steps - 1, steps) if k >= least
    }
    assert losses[steps] <= target or steps == math.ceil(150 / size)
    assert losses.get(steps - 1, math.inf) > target


def test_a_target_within_a_few_steps_is_not_spread_over_the_epoch() -> None:
    many, labels = np.tile(X, (40, 1)), np.tile(Y, 40)
    study = fastmlp.study_batch_size(
        many, labels, (10, 50), target_loss=0.5, epochs=3, hidden=(16,), learning_rate=0.02
    )
    for size, steps in zip((10, 50), study["steps_to_target"], strict=True):
        run = measured_run(many, labels, batch_size=size, epochs=1, hidden=(16,), learning_rate=0.02)
        assert steps < 0.5 * run.epochs_to(0.5) * len(many) / size


def test_steps_of_a_schedule_are_interpolated() -> None:
    settings: dict[str, Any] = {"hidden": (8,), "learning_rate": fastmlp.InverseScaling(0.02)}
    run = measured_run(X, Y, batch_size=4, epochs=1, **settings)
    target = sum(run.losses) / 2
    study = fastmlp.study_batch_size(X, Y, (4,), target_loss=target, epochs=1, **settings)
    assert study["steps_to_target"][0] == pytest.approx(0.5 * 38)


@pytest.mark.parametrize("y", [IRIS.target == 1, np.where(IRIS.target == 1, 0.7, 0.0)])
def test_steps_are_counted_for_one_column_of_probabilities_or_labels(y: Any) -> None:
    settings: dict[str, Any] = {"loss": "binary_cross_entropy", "hidden": (8,), "learning_rate": 0.01}
    run = measured_run(X, y, batch_size=1, epochs=1, **settings)
    study = fastmlp.study_batch_size(X, y, (1,), target_loss=sum(run.losses) / 2, epochs=1, **settings)
    assert 0 < study["steps_to_target"][0] <= 150


@pytest.mark.parametrize("target", [0.5, None])
def test_each_part_of_a_batch_size_study_moves_the_bar(
    target: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, begun = [], []

    @contextmanager
    def counted(show: bool, runs: int) -> Iterator[Callable[[str], None]]:
        expected.append(runs)
        yield begun.append

    monkeypatch.setattr(batch_size, "run_bar", counted)
    fastmlp.study_batch_size(X, Y, (50, 150), target_loss=target, epochs=4, hidden=(3,))
    assert expected == [len(begun)]
