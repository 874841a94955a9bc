"""Training runs that a study compares."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.csr import as_csr
from fastmlp._base.validation import (
    as_array,
    as_matrix,
    check_shape,
    chosen_seed,
    dtype_name,
    features_and_target,
    same_length,
)
from fastmlp._network.network import Network
from fastmlp._rows.choice import choose_loss
from fastmlp._rows.memory import check_row_count
from fastmlp._rows.targets import are_labels, as_targets
from fastmlp._training.train import train
from fastmlp.spec.schedules import Schedule

T = TypeVar("T")

#: Arguments of `train` that would stop a run early, change its rows, or are a study's own.
_REFUSED = (
    "callbacks", "checkpoint", "class_weight", "every", "keep", "loss_target", "max_time", "memory_limit",
    "patience", "restore_best", "resume", "validation",
)  # fmt: skip


def check_settings(study: str, settings: Mapping[str, Any], own: Sequence[str]) -> None:
    """Refuse arguments of `train` that a study sets itself or cannot compare."""
    for name in settings:
        if name in (*own, *_REFUSED):
            raise TypeError(f"{study} does not take {name}, got {settings[name]!r}")


def with_seed(settings: dict[str, Any]) -> int:
    """Return the seed of all runs of a study, and put it into the settings; None draws one."""
    settings["seed"] = chosen_seed(settings.get("seed", 0))
    return settings["seed"]  # type: ignore[no-any-return]


def checked_list(argument: str, values: Any, what: str, check: Callable[[str, Any], T]) -> list[T]:
    """Return what a study compares: one or more entries, each checked under its own name, each once."""
    listed = isinstance(values, (Sequence, np.ndarray)) and not isinstance(values, str)
    if not listed or getattr(values, "ndim", 1) == 0:
        raise TypeError(f"{argument} must be a sequence of {what}, got {values!r}")
    checked = [check(f"{argument}[{i}]", value) for i, value in enumerate(values)]
    if not checked or len(set(checked)) < len(checked):
        raise ValueError(f"{argument} must be one or more {what}, each once, got {values!r}")
    return checked


def as_rows(X: Any, y: Any, settings: Mapping[str, Any]) -> tuple[Any, NDArray[Any]]:
    """Return rows in memory that no run has to convert again, and as many targets."""
    X, y = features_and_target(X, y)
    if y is None:
        raise TypeError("y is needed: the labels or values to learn, or the name of a column of X")
    if hasattr(X, "tocsr"):
        check_shape("X", X.shape, None)
        X = as_csr("X", X)
    else:
        X = as_matrix("X", X, dtype_name(settings.get("dtype", "float32")))
    check_row_count(X.shape[0])
    y = as_targets(y)
    same_length("y", len(y), X.shape[0])
    return X, y


def with_loss(y: NDArray[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with the loss that all runs have, whatever rows they see."""
    loss = choose_loss(settings.get("loss", "auto"), settings.get("task", "auto"), lambda: [y])
    return {**{name: value for name, value in settings.items() if name != "task"}, "loss": loss}


def train_quietly(X: Any, y: Any, **settings: Any) -> Network:
    """Train; a run that diverges says so by its stop_reason alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the loss diverged", RuntimeWarning)
        return train(X, y, **settings)


def untrained(network: Network, settings: Mapping[str, Any]) -> Network:
    """Return the network that a run with these settings began with."""
    start = Network(
        network.layer_sizes, network.activations, network.loss, network.output_activation, network.l2,
        settings.get("init", "auto"), settings.get("seed", 0), network.dtype, **network._parts.described(),
    )  # fmt: skip
    start.classes = network.classes
    return start


def check_target(target: float, start: float) -> None:
    """Refuse a target that the initial weights have reached."""
    if target >= start:
        raise ValueError(
            f"target_loss must be less than the loss of the initial weights, {start:.4g}; got {target:g}"
        )


def check_scale(network: Network, X: Any, y: Any, settings: Mapping[str, Any]) -> None:
    """Refuse y so large that its loss overflows, whatever the initial weights."""
    loss = _loss(untrained(network, {**settings, "init": "zeros"}), X, y, settings)
    if not math.isfinite(loss):
        raise ValueError(
            f"y must be on a smaller scale, got values up to {np.abs(y).max():.3g}, whose loss is {loss} in "
            f"{network.dtype}"
        )


def _loss(network: Network, X: Any, y: Any, settings: Mapping[str, Any]) -> float:
    return network.loss_and_gradient(X, y, settings.get("sample_weight"))[0]


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes
    ----------
    network : Network
    losses : list of float
        Of all rows, before training and after each epoch.
    diverged : bool
    """

    network: Network
    losses: list[float]
    diverged: bool

    @property
    def lowest(self) -> float:
        """The lowest loss after an epoch; NaN if none was finite."""
        return min((loss for loss in self.losses[1:] if math.isfinite(loss)), default=math.nan)

    def epochs_to(self, target: float) -> float:
        """Return after how many epochs the loss was the target, linear between two epochs; NaN if never."""
        at = next((i for i, loss in enumerate(self.losses) if loss <= target), None)
        if not at:
            return math.nan if at is None else 0.0
        before, after = self.losses[at - 1 : at + 1]
        return at - 1 + (before - target) / (before - after)


def measured_run(X: Any, y: Any, target: float = -math.inf, **settings: Any) -> Run:
    """Train until the loss of all rows is the target; losses are measured between the epochs."""
    losses: list[float] = []

    def measure(network: Network) -> bool:
        losses.append(_loss(network, X, y, settings))
        return not math.isfinite(losses[-1]) or losses[-1] <= target

    network = train_quietly(X, y, callbacks=measure, **settings)
    finite = bool(np.isfinite(losses).all())
    start = _loss(untrained(network, settings), X, y, settings)
    if not math.isfinite(start):
        check_scale(network, X, y, settings)
    return Run(network, [start, *losses], network.stop_reason == "diverged" or not finite)


def steps_to(
    target: float, run: Run, X: Any, y: NDArray[Any], batch_size: int, settings: Mapping[str, Any]
) -> float:
    """Return after how many steps the loss of all rows was the target; NaN if never.

    Between two epochs the loss is taken to be linear. Within the first, where most of its way may lie behind
    few steps, these are counted, unless a schedule spreads over the steps of a run.
    """
    steps, epochs = math.ceil(len(y) / batch_size), run.epochs_to(target)
    if not 0 < epochs <= 1 or run.diverged or isinstance(settings.get("learning_rate"), Schedule):
        return epochs * steps
    return _steps_in_first_epoch(target, run.network.classes, X, y, batch_size, settings)


def _steps_in_first_epoch(
    target: float, classes: Any, X: Any, y: NDArray[Any], batch_size: int, settings: Mapping[str, Any]
) -> int:
    """Bisect the number of batches that, trained on in one fixed order, reach the target."""
    weights = settings.get("sample_weight")
    weights = None if weights is None else as_array("sample_weight", weights)
    first = _telling_rows(y, classes, weights)
    order = np.arange(len(y))
    if settings.get("shuffle", True):
        order = np.random.default_rng(settings.get("seed", 0)).permutation(order)
    order = np.concatenate([first, order[~np.isin(order, first)]])
    once = {**settings, "batch_size": batch_size, "epochs": 1, "shuffle": False}

    def reached(steps: int) -> bool:
        rows = order[: steps * batch_size]
        part = {"sample_weight": None if weights is None else weights[rows]}
        return _loss(train_quietly(X[rows], y[rows], **{**once, **part}), X, y, settings) <= target

    counts = range(max(1, math.ceil(len(first) / batch_size)), math.ceil(len(y) / batch_size))
    return counts.start + bisect_left(counts, True, key=reached)


def _telling_rows(y: NDArray[Any], classes: Any, weights: NDArray[Any] | None) -> NDArray[np.int64]:
    """Return rows from which `train` reads the same classes as from all, one of them with a weight."""
    rows = np.array([] if weights is None else [weights.argmax()], np.int64)
    if classes is None or y.ndim == 2:
        return rows
    if are_labels(y, classes):
        shown = np.unique(y, return_index=True)[1]
    else:  # probabilities of class 1: a fraction among them
        shown = np.flatnonzero(~np.isin(y, classes))[:1]
    return np.union1d(rows, shown)
