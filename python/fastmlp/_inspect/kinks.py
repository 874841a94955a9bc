"""The loss of a network in float64, as it is and with its kinks made straight, and its rounding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastmlp._base.quotients import SCHEMES, quotient
from fastmlp._inspect.trace import Trace
from fastmlp._model.architecture import Array
from fastmlp._model.model import Model, from_metadata, metadata
from fastmlp._native import threads as _threads
from fastmlp._rows.features import dense_form
from fastmlp._rows.targets import parse_loss
from fastmlp.spec.activations import ACTIVATIONS, Slopes
from fastmlp.spec.losses import LOSSES

_LARGEST_INPUT = 1e6  # beyond it, a step would be lost beside its weight


class Twin:
    """A network's float64 copy, with the rows whose loss is differentiated."""

    def __init__(self, net: Model, X: Any, y: Any, sample_weight: Any) -> None:
        features, self.targets, self.weights = net._checked_rows(X, y, sample_weight)
        values, weights = (
            None if part is None else part.astype(np.float64) for part in (self.targets.values, self.weights)
        )
        shares = np.ones(len(features)) if weights is None else weights
        self.shares = (shares / shares.sum())[:, None]
        self._rows = (dense_form(features).astype(np.float64), self.targets.labels, values, weights)
        self._net = from_metadata(Model, metadata(net) | {"dtype": "float64"}, net.parameters)
        self._batch = self._net._core.full_batch(*self._rows, _threads.resolve(None))

    def loss(self, theta: Array) -> float:
        """Return the loss with the parameters theta, which lie a step beside those of the network."""
        self._net.parameters = theta
        loss, _ = self._batch.loss_and_gradient()
        if not np.isfinite(loss):
            raise ValueError(f"h must leave the loss finite, got {loss} a step beside net's parameters")
        return float(loss)

    def extrapolated_quotient(self, theta: Array, k: int, step: float, scheme: str) -> float:
        """Return Richardson's extrapolation to h = 0 of the quotients of parameter k with h and 2 h."""
        one, two = (self._quotient(theta, k, h, scheme) for h in (step, 2 * step))
        return float(one + (one - two) / (3 if scheme == "central" else 1))

    def _quotient(self, theta: Array, k: int, step: float, scheme: str) -> float:
        above, below = map(self.loss, _ends(theta, k, step, scheme))
        return float(quotient(above, below, step, scheme))

    def forward(self, theta: Array) -> tuple[float, list[Array], list[Array]]:
        """Return the loss, each layer's z, and each layer's inputs followed by the outputs."""
        self._net.parameters = theta
        loss, _, z, a, _ = self._batch.trace()
        return loss, z, a

    def input_sizes(self, theta: Array) -> Array:
        """Return the largest |input| of each weight, at least 1, and 1 for the other parameters."""
        sizes = np.ones(len(theta))
        _, _, a = self.forward(theta)
        for W, inputs in zip(self._net._views(sizes).weights, a, strict=False):
            W *= np.clip(np.abs(inputs).max(axis=0), 1, _LARGEST_INPUT)[:, None]
        for largest, (w, *_) in zip(self._largest_x(), self._net._views(sizes).periodic, strict=True):
            w *= np.clip(2 * np.pi * largest, 1, _LARGEST_INPUT)
        return sizes

    def _largest_x(self) -> list[float]:
        """Return the largest |x| of each periodic column."""
        return [float(np.abs(self._rows[0][:, column]).max()) for column, *_ in self._net.periodic]

    def rounding(self, theta: Array, eps: float) -> tuple[float, Array]:
        """Return about how far float64 can be from the loss, and arithmetic of an eps from the gradient.

        Each z, a and delta has an error of eps times the terms it is summed from and that of what these were
        made of. Units of a layer err independently, so that squares add up; rows may not, if they are alike.
        """
        net = self._net
        net.parameters = theta
        loss, _, z, a, delta = self._batch.trace()
        own = net._views(theta)
        W, b = own.weights, own.biases
        slopes = [_slopes(*layer) for layer in zip(delta, delta[1:], W[1:], strict=False)]
        of_a, of_z = [np.zeros_like(a[0])], []
        for layer, weights in enumerate(W):
            of_z.append(_norm_product(np.hypot(of_a[-1], a[layer]), weights) + np.abs(b[layer]))
            if layer < len(slopes):
                at_kink = np.abs(z[layer]) <= 10 * eps * of_z[-1]  # may be on its other side
                of_a.append(of_z[-1] * np.where(at_kink, 1, slopes[layer]) + np.abs(a[layer + 1]))
        of_loss = max(1.0, abs(loss)) + float((np.abs(delta[-1]) * of_z[-1]).sum())

        of_gradient = np.zeros_like(theta)
        of = net._views(of_gradient)
        of_delta = self._delta_rounding(a[-1], delta[-1], of_z[-1])
        for layer in reversed(range(len(W))):
            size = np.abs(delta[layer])
            of.weights[layer][:] = (
                np.abs(a[layer]).T @ of_delta + of_a[layer].T @ size + net.l2 * np.abs(W[layer])
            )
            of.biases[layer][:] = of_delta.sum(axis=0)
            terms = _norm_product(delta[layer], W[layer].T)
            of_delta = _norm_product(of_delta, W[layer].T) + terms
            if layer and net.parametric:
                gap = 1 + 2 * np.abs(z[layer - 1])  # no less than |f(z) - z| of most f
                of.alphas[layer - 1][:] = (of_delta * gap + terms * (of_z[layer - 1] + gap)).sum(axis=0)
            if layer:
                curved = 0.0 if ACTIVATIONS[net.activations[layer - 1]].straight else 1.0
                of_delta = of_delta * slopes[layer - 1] + curved * terms * (of_z[layer - 1] + 1)
        largest = of_delta.sum(axis=0).max()
        if of.scale is not None and own.scale is not None:
            inputs = np.abs(a[0]) / np.maximum(np.abs(own.scale), 1e-3)
            of.scale[:] = (of_delta * (1 + inputs)).sum(axis=0)
            largest = largest * np.abs(own.scale).max()
        for table, errors in zip(own.tables, of.tables, strict=True):
            errors[:] = largest + net.l2 * np.abs(table)
        pairs = zip(self._largest_x(), own.periodic, of.periodic, strict=True)
        for x, (_, _, V, _), (dw, db, dV, dc) in pairs:
            turns = 1 + 2 * np.pi * x  # an error of an angle is one of the wave
            dV[:], dc[:] = largest * turns, largest
            db[:] = largest * turns * (1 + np.abs(V).sum())
            dw[:] = db * turns
        return float(np.finfo(np.float64).eps) * of_loss, eps * of_gradient

    def _delta_rounding(self, outputs: Array, delta: Array, of_z: Array) -> Array:
        """Return the errors of the outputs' delta in units of eps."""
        net, values = self._net, self.targets.values
        name, numbers = parse_loss(net.loss)
        loss, share = LOSSES[name], self.shares
        y = 1.0 if values is None else np.abs(loss.smoothed(values, numbers))
        if loss.link:  # delta is a - y
            return np.asarray((np.abs(delta) + share * y) * (1 + of_z))
        slope = 0.0 if loss.flat else 1.0
        curved = 0.0 if ACTIVATIONS[net.output_activation].straight else 1.0
        return np.asarray(np.abs(delta) + share * of_z * (slope + curved * (np.abs(outputs) + y)))


def _norm_product(left: Array, right: Array) -> Array:
    """Return the root of the sum of the squares of the terms of ``left @ right``."""
    largest = float(np.abs(left).max(initial=0)) or 1.0  # whose square may overflow
    return np.asarray(largest * np.sqrt((left / largest) ** 2 @ right**2))


def _slopes(delta: Array, above: Array, W: Array) -> Array:
    """Return |f'(z)| of hidden units from ``delta = f'(z) * (above @ W.T)``; 1 where the latter is 0."""
    upstream = above @ W.T
    return np.asarray(np.abs(np.divide(delta, upstream, out=np.ones_like(delta), where=upstream != 0)))


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

    def __init__(self, net: Model, twin: Twin, trace: Trace) -> None:
        self._net, self._twin = net, twin
        name, numbers = parse_loss(net.loss)
        self._loss_kink, self._numbers = LOSSES[name].kink, np.array(numbers)
        self._targets = twin.targets.matrix(net.layer_sizes[-1], np.float64)
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
        slopes = [ACTIVATIONS[name].kink for name in names]
        kinks = [_Kink(t, kink) for t, kink in zip(z, slopes, strict=True) if kink is not None]
        if self._loss_kink is None:
            return kinks
        y = self._targets.astype(a[-1].dtype)  # t is rounded as the core rounds it
        return [*kinks, _Kink(*self._loss_kink(a[-1], y, self._numbers))]

    def _loss_by_p(self, trace: Trace) -> Iterator[Array]:
        """Yield dLoss/dp of each of `_kinks`."""
        net = self._net
        for i, name in enumerate(net.activations):
            if ACTIVATIONS[name].kink is not None:
                yield trace.delta[i + 1] @ net.weights[i + 1].T
        if ACTIVATIONS[net.output_activation].kink is not None:
            yield self._loss_slopes(trace.a[-1])
        if self._loss_kink is not None:
            yield self._twin.shares

    def _loss_slopes(self, outputs: Array) -> Array:
        """Return dLoss/da of the output layer: delta of a network that hands its inputs on."""
        n = outputs.shape[1]
        identity = Model((n, n), loss=self._net.loss, init=[(np.eye(n), np.zeros(n))], dtype=outputs.dtype)
        targets, weights = self._twin.targets, self._twin.weights
        batch = identity._core.full_batch(outputs, targets.labels, targets.values, weights, threads=1)
        delta: list[Array] = batch.trace()[-1]
        return delta[0]


def _ends(theta: Array, k: int, step: float, scheme: str) -> Iterator[Array]:
    """Yield the parameters above and below those of a quotient of parameter k."""
    up, down = SCHEMES[scheme]
    for count in (up, -down):
        there = theta.copy()
        there[k] += count * step
        yield there
