"""Training runs that a study compares."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp._network import Network
from fastmlp._train import train
from fastmlp._validation import as_matrix, dtype_name, features_and_target

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


def as_rows(X: Any, y: Any, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return rows in memory that no run has to convert again."""
    X, y = features_and_target(X, y)
    if y is None:
        raise TypeError("y is needed: the labels or values to learn, or the name of a column of X")
    return (X if hasattr(X, "tocsr") else as_matrix("X", X, dtype_name(settings.get("dtype", "float32")))), y


def train_quietly(X: Any, y: Any, **settings: Any) -> Network:
    """Train; a run that diverges says so by its stop_reason alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the loss diverged", RuntimeWarning)
        return train(X, y, **settings)


def untrained(network: Network, settings: Mapping[str, Any]) -> Network:
    """Return the network that a run with these settings began with."""
    start = Network(
        network.layer_sizes, network.activations, network.loss, network.output_activation, network.l2,
        settings.get("init", "auto"), settings.get("seed", 0), network.dtype, network.embeddings,
    )  # fmt: skip
    start.classes = network.classes
    return start


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
        """The lowest loss; NaN if none was finite."""
        return min((loss for loss in self.losses if math.isfinite(loss)), default=math.nan)

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

    def loss_of(network: Network) -> float:
        return network.loss_and_gradient(X, y, settings.get("sample_weight"))[0]

    def measure(network: Network) -> bool:
        losses.append(loss_of(network))
        return not math.isfinite(losses[-1]) or losses[-1] <= target

    network = train_quietly(X, y, callbacks=measure, **settings)
    finite = bool(np.isfinite(losses).all())
    start = loss_of(untrained(network, settings))
    return Run(network, [start, *losses], network.stop_reason == "diverged" or not finite)
