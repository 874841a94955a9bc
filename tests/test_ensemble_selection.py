"""Ensemble.greedy chooses what a loop over all networks chooses, by the core's own loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp
from ensemble_tools import KINDS, houses_with, networks, of_folds, rows
from fastmlp._inspect.scorers import scorer
from fastmlp._inspect.selection import row_losses


def targets(net: fastmlp.Network, n: int) -> Any:
    """Return targets of the network's kind, near those of another one."""
    rng, outputs = np.random.default_rng(3), net.layer_sizes[-1]
    if net.classes is not None:
        return rng.choice(net.classes, n)
    if net.loss == "binary_cross_entropy":
        return rng.integers(0, 2, (n, outputs))
    values = np.abs(rng.normal(1, 1, (n, outputs)))
    return values[:, 0] if net.loss.startswith("quantile") else values


def naive_greedy(nets: list[Any], X: Any, y: Any, size: int, weights: Any) -> list[int]:
    """Try each network in each step, with an ensemble of all that were chosen."""
    loss = row_losses(nets[0]._loss, nets[0]._loss_numbers, np.finfo(np.float64).eps)
    _, encoded, row_weights = nets[0]._checked_rows(X, y, weights)
    truth = encoded.matrix(nets[0].layer_sizes[-1], np.float64)
    outputs = [net.forward(X).astype(np.float64) for net in nets]
    chosen: list[int] = []
    best: tuple[float, list[int]] = (np.inf, [])
    for _ in range(size):
        tried = []
        for i in range(len(nets)):
            mean = sum(outputs[j] for j in [*chosen, i]) / (len(chosen) + 1)
            tried.append(float(np.average(loss(mean, truth), weights=row_weights)))
        chosen.append(int(np.argmin(tried)))
        if min(tried) < best[0]:
            best = (min(tried), list(chosen))
    return best[1]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize(("loss", "outputs"), KINDS)
def test_it_chooses_what_a_plain_loop_chooses(loss: str, outputs: int, weighted: bool) -> None:
    nets = networks(loss, outputs, "64")
    X, y = rows(80), targets(nets[0], 80)
    weights = np.random.default_rng(1).random(80) if weighted else None
    expected = naive_greedy(nets, X, y, 12, weights)
    ensemble = fastmlp.Ensemble.greedy(nets, X, y, 12, sample_weight=weights)
    places = sorted(set(expected))
    assert ensemble.networks == tuple(nets[i] for i in places)
    counts = np.bincount(expected)[places]
    np.testing.assert_allclose(ensemble.weights, counts / counts.sum(), rtol=1e-15)


@pytest.mark.parametrize(("loss", "outputs"), KINDS)
def test_its_loss_is_that_of_the_core(loss: str, outputs: int) -> None:
    for net in networks(loss, outputs, "64"):
        X, y = rows(60), targets(net, 60)
        _, encoded, _ = net._checked_rows(X, y, None)
        losses = row_losses(net._loss, net._loss_numbers, np.finfo(np.float64).eps)
        own = losses(net.forward(X), encoded.matrix(outputs, np.float64)).mean()
        assert own == pytest.approx(net.loss_and_gradient(X, y)[0], rel=1e-5)


def test_the_ensemble_is_no_worse_than_its_best_network() -> None:
    iris = fastmlp.datasets.load_iris()
    X, y, held_X, held_y = iris.data[::2], iris.target[::2], iris.data[1::2], iris.target[1::2]
    nets = [
        fastmlp.train(X, y, hidden=(h,), epochs=e, learning_rate=0.02) for h in (3, 9) for e in (5, 40, 90)
    ]
    ensemble = fastmlp.Ensemble.greedy(nets, held_X, held_y)

    def log_loss(model: Any) -> float:
        return float(model.evaluate(held_X, held_y).metrics.log_loss)

    assert log_loss(ensemble) <= min(map(log_loss, nets)) + 1e-7
    assert ensemble.weights.sum() == pytest.approx(1)
    assert (ensemble.weights > 0).all()


METRICS = [
    ("softmax_cross_entropy", 3, "accuracy", 1),
    ("softmax_cross_entropy", 3, "log_loss", -1),
    ("softmax_cross_entropy", 3, "macro_f1", 1),
    ("softmax_cross_entropy", 3, "auc", 1),
    ("binary_cross_entropy", 1, "auc", 1),
    ("hinge", 3, "accuracy", 1),
    ("squared_error", 2, "r2", 1),
    ("squared_error", 2, "rmse", -1),
    ("squared_error", 1, "mae", -1),
    ("quantile(0.1, 0.5, 0.9)", 3, "pinball_loss", -1),
]


@pytest.mark.parametrize(("loss", "outputs", "metric", "sign"), METRICS)
def test_a_metric_by_name_chooses_what_a_plain_loop_chooses(
    loss: str, outputs: int, metric: str, sign: int
) -> None:
    nets = networks(loss, outputs, "64")
    X, y, weights = rows(60), targets(nets[0], 60), np.random.default_rng(1).random(60)

    def measured(chosen: list[int]) -> float:
        ensemble = fastmlp.Ensemble([nets[i] for i in chosen])
        found = ensemble.evaluate(X, y, weights)
        if metric == "auc":
            return float(scorer("auc", True, True)(found))
        return float(np.mean(getattr(found.metrics, "pinball" if metric == "pinball_loss" else metric)))

    chosen: list[int] = []
    best: tuple[float, list[int]] = (-np.inf, [])
    for _ in range(5):
        tried = [sign * measured([*chosen, i]) for i in range(len(nets))]
        chosen.append(int(np.argmax(tried)))
        if max(tried) > best[0] + 1e-12:
            best = (max(tried), list(chosen))
    ensemble = fastmlp.Ensemble.greedy(nets, X, y, 5, metric=metric, sample_weight=weights)
    places = sorted(set(best[1]))
    assert ensemble.networks == tuple(nets[i] for i in places)
    counts = np.bincount(best[1])[places]
    np.testing.assert_allclose(ensemble.weights, counts / counts.sum(), rtol=1e-15)


def test_of_equal_networks_the_first_one_is_taken_alone() -> None:
    nets = networks("squared_error", 1)[1:2] * 4
    ensemble = fastmlp.Ensemble.greedy(nets, rows(30), rows(30)[:, 0], 5)
    assert ensemble.networks == (nets[0],)
    assert ensemble.weights.tolist() == [1]


@pytest.mark.parametrize("target", ["kind", "price", ["price", "rent"]], ids=str)
def test_networks_of_folds_are_chosen_on_a_table(target: Any) -> None:
    nets, held = of_folds(target), houses_with(target, 90, seed=2)
    by_score = fastmlp.Ensemble.greedy(nets, held, target, 6, metric="accuracy" if target == "kind" else "r2")
    assert by_score.score(held, target) >= max(net.score(held, target) for net in nets) - 1e-9
    ensemble = fastmlp.Ensemble.greedy(nets, held, target, 6)
    best = max(net.score(held, target) for net in nets)
    assert ensemble.score(held, target) >= best - 0.05
    np.testing.assert_allclose(ensemble.weights * 6 % 1 % 1, ensemble.weights * 6 % 1)
    assert set(ensemble.networks) <= set(nets)


def test_wrong_arguments_are_named() -> None:
    nets, X = networks("squared_error", 1), rows(20)
    with pytest.raises(ValueError, match="size must be"):
        fastmlp.Ensemble.greedy(nets, X, X[:, 0], 0)
    with pytest.raises(ValueError, match="y"):
        fastmlp.Ensemble.greedy(nets, X, X[:5, 0])
    with pytest.raises(ValueError, match="metric must be one of r2, rmse, mae where quantities are"):
        fastmlp.Ensemble.greedy(nets, X, X[:, 0], metric="accuracy")
    with pytest.raises(TypeError, match="metric must be 'loss' or the name of a metric, got <"):
        fastmlp.Ensemble.greedy(nets, X, X[:, 0], metric=np.mean)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"networks\[1\] must be a Network, got None"):
        fastmlp.Ensemble.greedy([nets[0], None], X, X[:, 0])
    for net in nets:
        net.parameters[:] = 3e38
    with pytest.raises(ValueError, match="none of them has a finite loss or metric"):
        fastmlp.Ensemble.greedy(nets, X, X[:, 0])
    good = networks("squared_error", 1)[0]
    assert fastmlp.Ensemble.greedy([*nets, good], X, X[:, 0]).networks == (
        good,
    )  # the others are passed over
