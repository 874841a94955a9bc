"""The loss of a network in float64, as it is and with its kinks made straight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastmlp import _threads
from fastmlp._architecture import Array
from fastmlp._network import Network
from fastmlp._quotients import SCHEMES, quotient
from fastmlp._serialization import from_metadata, metadata
from fastmlp._sparse import SparseRows
from fastmlp._targets import parse_loss
from fastmlp._trace import Trace

Slopes = tuple[Any, Any, Any]

#: Slopes below, at and above the kink at z = 0. Those of elu meet, only its second derivative jumps.
_ACTIVATIONS: dict[str, Slopes] = {
    "relu": (0.0, 0.0, 1.0),
    "leaky_relu": (0.01, 0.01, 1.0),
    "elu": (0.0, 0.0, 0.0),
}

_LOSSES = ("absolute_error", "quantile", "hinge", "huber")

_LARGEST_INPUT = 1e6  # beyond it, a step would be lost beside its weight


class Twin:
    """A network's float64 copy, with the rows whose loss is differentiated."""

    def __init__(self, net: Network, X: Any, y: Any, sample_weight: Any) -> None:
        features, self.targets, self.weights = net._checked_rows(X, y, sample_weight)
        dense = features.toarray() if isinstance(features, SparseRows) else features
        values, weights = (
            None if part is None else part.astype(np.float64) for part in (self.targets.values, self.weights)
        )
        self._rows = (dense.astype(np.float64), self.targets.labels, values, weights)
        self._net = from_metadata(metadata(net) | {"dtype": "float64"}, net.parameters)
        self._threads = _threads.resolve(None)

    def loss(self, theta: Array) -> float:
        """Return the loss with the parameters theta."""
        self._net.parameters = theta
        loss, _ = self._net._core.loss_and_gradient(*self._rows, self._threads)
        return float(loss)

    def forward(self, theta: Array) -> tuple[float, list[Array], list[Array]]:
        """Return the loss, each layer's z, and each layer's inputs followed by the outputs."""
        self._net.parameters = theta
        loss, _, z, a, _ = self._net._core.trace(*self._rows)
        return loss, z, a

    def input_sizes(self, theta: Array) -> Array:
        """Return the largest |input| of each weight, at least 1, and 1 for the other parameters."""
        sizes = np.ones(len(theta))
        _, _, a = self.forward(theta)
        for W, inputs in zip(self._net._views(sizes)[0], a, strict=False):
            W *= np.clip(np.abs(inputs).max(axis=0), 1, _LARGEST_INPUT)[:, None]
        return sizes


class _Kink(NamedTuple):
    """A function p(t) of slopes below, at and above its kink at t = 0, or what of p has the kink."""

    t: Array
    slopes: Slopes

    def side(self) -> Array:
        """Return the slope where each t is."""
        below, at, above = self.slopes
        return np.asarray(np.where(self.t > 0, above, np.where(self.t < 0, below, at)))

    def beyond(self, side: Array) -> Array:
        """Return how far p is from the straight line with the slope of a side."""
        below, _, above = self.slopes
        return np.asarray(above * np.maximum(self.t, 0) + below * np.minimum(self.t, 0) - side * self.t)


class Kinks:
    """The kinks of a network's loss, seen from where its gradient was taken.

    With each p replaced by a straight line, the loss changes by ``dLoss/dp (p(t) - line(t))`` to first order,
    summed over all of them. What is left has no kinks, and at this point the same gradient.
    """

    def __init__(self, net: Network, twin: Twin, trace: Trace) -> None:
        self._net, self._twin = net, twin
        self._loss, self._numbers = parse_loss(net.loss)
        self._here = self._kinks(trace.z, trace.a)
        self._sides = [kink.side() for kink in self._here]
        self._factors = list(self._loss_by_p(trace))

    def crossed(self, theta: Array, k: int, step: float, scheme: str) -> bool:
        """Whether the quotient of parameter k steps over a kink."""
        ends = (self._kinks(*self._twin.forward(there)[1:]) for there in _ends(theta, k, step, scheme))
        return any(
            bool(((above.t != below.t) & ((above.t * here.t <= 0) | (below.t * here.t <= 0))).any())
            for here, above, below in zip(self._here, *ends, strict=True)
        )

    def straight_quotient(self, theta: Array, k: int, step: float, scheme: str) -> float:
        """Return the quotient of parameter k with all kinks made straight."""
        above, below = (self._straight_loss(there) for there in _ends(theta, k, step, scheme))
        return float(quotient(above, below, step, scheme))

    def _straight_loss(self, theta: Array) -> float:
        loss, z, a = self._twin.forward(theta)
        parts = zip(self._factors, self._kinks(z, a), self._sides, strict=True)
        return loss - sum(float((factor * kink.beyond(side)).sum()) for factor, kink, side in parts)

    def _kinks(self, z: list[Array], a: list[Array]) -> list[_Kink]:
        names = (*self._net.activations, self._net.output_activation)
        kinks = [_Kink(z[i], _ACTIVATIONS[name]) for i, name in enumerate(names) if name in _ACTIVATIONS]
        return kinks if self._loss not in _LOSSES else [*kinks, self._loss_kink(a[-1])]

    def _loss_kink(self, outputs: Array) -> _Kink:
        labels, values = self._twin.targets.labels, self._twin.targets.values
        if labels is not None:  # hinge
            of_label = outputs[np.arange(len(labels)), labels]
            return _Kink(outputs - of_label[:, None] + 1, (0.0, 0.0, 1.0))
        r = outputs - values
        if self._loss == "huber":  # only the second derivative jumps
            return _Kink(np.abs(r) - self._numbers[0], (0.0, 0.0, 0.0))
        if self._loss == "quantile":
            q = np.array(self._numbers)
            return _Kink(r, (-q, 0.0, 1 - q))
        return _Kink(r, (-1.0, 0.0, 1.0))

    def _loss_by_p(self, trace: Trace) -> Iterator[Array]:
        """Yield dLoss/dp of each of `_kinks`."""
        net, weights = self._net, self._twin.weights
        for i, name in enumerate(net.activations):
            if name in _ACTIVATIONS:
                yield trace.delta[i + 1] @ net.weights[i + 1].T
        if net.output_activation in _ACTIVATIONS:
            yield self._loss_slopes(trace.a[-1])
        if self._loss in _LOSSES:
            weights = np.ones(len(trace.z[0])) if weights is None else weights
            yield (weights / weights.sum())[:, None]

    def _loss_slopes(self, outputs: Array) -> Array:
        """Return dLoss/da of the output layer: delta of a network that hands its inputs on."""
        n = outputs.shape[1]
        identity = Network((n, n), loss=self._net.loss, init=[(np.eye(n), np.zeros(n))], dtype=outputs.dtype)
        targets, weights = self._twin.targets, self._twin.weights
        delta: list[Array] = identity._core.trace(outputs, targets.labels, targets.values, weights)[-1]
        return delta[0]


def _ends(theta: Array, k: int, step: float, scheme: str) -> Iterator[Array]:
    """Yield the parameters above and below those of a quotient of parameter k."""
    up, down = SCHEMES[scheme]
    for count in (up, -down):
        there = theta.copy()
        there[k] += count * step
        yield there
