"""A multilayer perceptron in plain NumPy: the slow, obvious twin every numeric test compares fastmlp with.

Letters: B rows in a batch, I inputs and O outputs of a layer, L layers. For layer l

    z[l] = a[l] @ W[l] + b[l]      (B, O)  pre-activation
    a[l+1] = f(z[l])               (B, O)  activation, a[0] = X; with dropout hidden ones are then masked
    delta[l] = dLoss/dz[l]         (B, O)

A network is a list of (W, b); its flat form is W0, b0, W1, b1, ... end to end. Targets are always a matrix
Y (B, O): `one_hot(labels)` for softmax_cross_entropy and hinge. Everything is computed in the dtype of its
arguments. reference_training.py adds the optimizers, the schedules and the epoch loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]

# ------------------------------------------------------------------------------------------------ activations


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
SQRT_HALF = Fraction(math.isqrt(2**255), 2**128)  # sqrt(1/2) to 128 bits


def normal_cdf_of(z: float) -> float:
    if not -40 < z < -1:
        return math.erfc(-z / math.sqrt(2)) / 2
    exact = -Fraction(z) * SQRT_HALF  # here erfc is so steep that the rounding of t has to be made good
    t = float(exact)
    return math.erfc(t) / 2 * (1 - 2 * t * float(exact - Fraction(t)))


def normal_cdf(z: np.ndarray) -> np.ndarray:
    """P(N(0,1) < z), accurate on both sides; d log erfc(t) / dt is about -2t for large t."""
    return np.vectorize(normal_cdf_of, otypes=[float])(z.astype(float)).astype(z.dtype)


def normal_pdf(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def sigmoid(z: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(z))  # at most 1, so nothing overflows
    return np.where(z >= 0, 1, e) / (1 + e)


def softplus(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mish_slope(z: np.ndarray) -> np.ndarray:
    """t + z s (1 - t^2), t = tanh(softplus(z)); 1 - tanh(p)^2 = (2 q / (1 + q^2))^2 with q = exp(-p)."""
    q = sigmoid(-z)
    return np.tanh(softplus(z)) + z * sigmoid(z) * (2 * q / (1 + q * q)) ** 2


# name: (f, f')
ACTIVATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "identity": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1, 0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, z * 0.01), lambda z: np.where(z > 0, 1, 0.01)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), lambda z: np.exp(np.minimum(z, 0))),
    "selu": (
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0))),
        lambda z: SELU_SCALE * np.where(z > 0, 1, SELU_ALPHA * np.exp(np.minimum(z, 0))),
    ),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * normal_pdf(z)),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "mish": (lambda z: z * np.tanh(softplus(z)), mish_slope),
    "softplus": (softplus, sigmoid),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
}
OUTPUT_ONLY = {"softmax": softmax, "exp": np.exp}  # their losses take the slope with respect to z themselves


def activate(name: str, z: np.ndarray) -> np.ndarray:
    return OUTPUT_ONLY[name](z) if name in OUTPUT_ONLY else ACTIVATIONS[name][0](z)


def slope(name: str, z: np.ndarray) -> np.ndarray:
    return ACTIVATIONS[name][1](z).astype(z.dtype)


@cache
def has_kink(name: str) -> bool:
    """Whether the slope jumps at z = 0."""
    below, above = slope(name, np.array([-1e-9, 1e-9]))
    return bool(abs(above - below) > 1e-6)


# ----------------------------------------------------------------------------------------------------- losses

AUTO_OUTPUT = {"softmax_cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "exp"}
LOSSES = (*AUTO_OUTPUT, "squared_error", "absolute_error", "huber", "quantile", "hinge")


def split_name(loss: str) -> tuple[str, np.ndarray]:
    """Split "huber(1.5)" or "huber(delta=1.5)" into ("huber", [1.5]); the default without a number."""
    name, _, rest = loss.rstrip(")").partition("(")
    numbers = rest.split("=")[-1].split(",") if rest else [{"huber": 1.0, "quantile": 0.5}.get(name, 0.0)]
    return name, np.array(numbers, dtype=float)


def one_hot(labels: np.ndarray, classes: int | None = None) -> np.ndarray:
    """Integer labels 0 .. K-1 (n,) -> (n, K)."""
    return np.eye(classes or int(labels.max()) + 1)[labels]


def smoothed(loss: str, y: np.ndarray) -> np.ndarray:
    """(1 - e) y + e / K for a cross-entropy of K classes with the number e; binary: K = 2."""
    name, (e, *_) = split_name(loss)
    if name not in ("softmax_cross_entropy", "binary_cross_entropy") or e == 0:
        return y
    return ((1 - e) * y + e / (y.shape[1] if name == "softmax_cross_entropy" else 2)).astype(y.dtype)


def row_losses(loss: str, z: np.ndarray, a: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The loss of each row, (B,): z and a are the output layer's, y the targets, all (B, O)."""
    name, parameter = split_name(loss)
    y = smoothed(loss, y)
    r = a - y
    if name == "softmax_cross_entropy":
        terms = -y * log_softmax(z)
    elif name == "binary_cross_entropy":
        terms = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    elif name == "squared_error":
        terms = r * r / 2
    elif name == "absolute_error":
        terms = np.abs(r)
    elif name == "huber":
        terms = np.where(np.abs(r) <= parameter, r * r / 2, parameter * (np.abs(r) - parameter / 2))
    elif name == "quantile":
        terms = np.where(r < 0, -parameter * r, (1 - parameter) * r)
    elif name == "poisson":
        terms = np.exp(z) - y * z
    else:  # hinge: sum over j != label of max(0, a_j - a_label + 1)
        terms = np.where(y == 1, 0, np.maximum(0, hinge_margins(a, y)))
    return terms.sum(axis=1)


def hinge_margins(a: np.ndarray, y: np.ndarray) -> np.ndarray:
    return a - (a * y).sum(axis=1, keepdims=True) + 1


def loss_slope(loss: str, z: np.ndarray, a: np.ndarray, y: np.ndarray, output_activation: str) -> np.ndarray:
    """d(row loss)/dz of the output layer, (B, O)."""
    name, parameter = split_name(loss)
    y = smoothed(loss, y)
    r = a - y
    if name == "softmax_cross_entropy":
        return a * y.sum(axis=1, keepdims=True) - y
    if name in ("binary_cross_entropy", "poisson"):
        return r
    if name == "squared_error":
        dloss_da = r
    elif name == "absolute_error":
        dloss_da = np.sign(r)
    elif name == "huber":
        dloss_da = np.clip(r, -parameter, parameter)
    elif name == "quantile":
        dloss_da = np.where(r < 0, -parameter, 1 - parameter) * np.abs(np.sign(r))
    else:  # hinge
        active = (y == 0) & (hinge_margins(a, y) > 0)
        dloss_da = active - y * active.sum(axis=1, keepdims=True)
    return dloss_da.astype(z.dtype) * slope(output_activation, z)


# -------------------------------------------------------------------------------------------- flat parameters


def flatten(layers: Layers) -> np.ndarray:
    return np.concatenate([part.ravel() for layer in layers for part in layer])


def unflatten(flat: np.ndarray, sizes: Sequence[int]) -> Layers:
    """`sizes` = (inputs, hidden ..., outputs)."""
    layers, at = [], 0
    for inputs, outputs in pairwise(sizes):
        end = at + inputs * outputs
        layers.append((flat[at:end].reshape(inputs, outputs), flat[end : end + outputs]))
        at = end + outputs
    return layers


def is_weight(sizes: Sequence[int]) -> np.ndarray:
    """True where the flat vector holds a weight, False where a bias: decay and l2 act on weights only."""
    return np.concatenate([np.repeat([True, False], [i * o, o]) for i, o in pairwise(sizes)])


# --------------------------------------------------------------------------------------------------- products


def bfloat16(x: np.ndarray) -> np.ndarray:
    """Float32 numbers rounded to 8 bits of mantissa: to nearest, even in the middle."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32)


def bfloat16_product(a: np.ndarray, b: np.ndarray, start: np.ndarray | float = 0.0) -> np.ndarray:
    """start + a @ b as vdpbf16ps computes it, of numbers that are far from the least normal one.

    The product of two factors in bfloat16 is exact in float32; one after the other is added to the sum in
    float32, of each pair of k the upper one first.
    """
    a, b = bfloat16(a), bfloat16(b)
    sums = np.zeros((len(a), b.shape[1]), np.float32) + np.float32(start)
    for even in range(0, len(b), 2):
        for k in (even + 1, even):
            if k < len(b):
                sums += np.outer(a[:, k], b[k])
    return sums


# ------------------------------------------------------------------------------------------ forward, backward


@dataclass
class Pass:
    """One forward and backward pass; one list entry a layer (a has one more: a[0] is X)."""

    z: list[np.ndarray]
    a: list[np.ndarray]
    delta: list[np.ndarray] = field(default_factory=list)
    gradient: Layers = field(default_factory=list)
    loss: float = 0.0
    kink: float = math.inf  # how near this pass came to a kink, see kink_distance


@dataclass
class Model:
    """What the network computes, besides its parameters."""

    activations: Sequence[str]  # one a hidden layer
    loss: str
    output_activation: str = "auto"
    l2: float = 0.0
    compute: str | None = None  # "bfloat16", for float32 numbers

    def product(self, a: np.ndarray, b: np.ndarray, start: np.ndarray | float = 0.0) -> np.ndarray:
        return bfloat16_product(a, b, start) if self.compute == "bfloat16" else a @ b + start

    @property
    def output(self) -> str:
        name = self.output_activation
        return AUTO_OUTPUT.get(split_name(self.loss)[0], "identity") if name == "auto" else name

    def forward(self, layers: Layers, X: np.ndarray, masks: Sequence[np.ndarray] | None = None) -> Pass:
        z, a = [], [X]
        for index, (W, b) in enumerate(layers):
            hidden = index < len(layers) - 1
            z.append(self.product(a[-1], W, b))
            a.append(activate(self.activations[index] if hidden else self.output, z[-1]))
            if hidden and masks:
                a[-1] = a[-1] * masks[index]
        return Pass(z, a)

    def loss_and_gradient(
        self,
        layers: Layers,
        X: np.ndarray,
        Y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        masks: Sequence[np.ndarray] | None = None,
        divisor: float | None = None,
    ) -> Pass:
        """sum(w_i loss_i) / divisor + l2/2 sum(W^2); the divisor is the sum of the weights, if not given."""
        p = self.forward(layers, X, masks)
        w = np.ones(len(X), X.dtype) if sample_weight is None else sample_weight.astype(X.dtype)
        w = w / (w.sum() if divisor is None else X.dtype.type(divisor))
        penalty = self.l2 / 2 * sum(float((W * W).sum()) for W, _ in layers)
        p.loss = float((w * row_losses(self.loss, p.z[-1], p.a[-1], Y)).sum()) + penalty
        delta = loss_slope(self.loss, p.z[-1], p.a[-1], Y, self.output) * w[:, None]
        for index in reversed(range(len(layers))):
            W, _ = layers[index]
            p.delta.insert(0, delta)
            p.gradient.insert(0, (self.product(p.a[index].T, delta) + self.l2 * W, delta.sum(axis=0)))
            if index > 0:
                delta = self.product(delta, W.T) * slope(self.activations[index - 1], p.z[index - 1])
                delta = delta * masks[index - 1] if masks else delta
        p.kink = self.kink_distance(layers, p, Y)
        return p

    def kink_distance(self, layers: Layers, p: Pass, Y: np.ndarray) -> float:
        """The smallest |t| / (sum of the absolute terms of t) over all t whose sign decides a slope.

        Rounding can turn the sign of t, and so change the gradient by far more than rounding, only when this
        is a few eps. Tests use data that stays clear of it.
        """
        nearest = math.inf
        for index, (W, b) in enumerate(layers):
            terms = np.abs(p.a[index]) @ np.abs(W) + np.abs(b)
            if index < len(layers) - 1 and has_kink(self.activations[index]):
                nearest = min(nearest, smallest_ratio(p.z[index], terms))
        name, a = split_name(self.loss)[0], p.a[-1]
        if self.output in ACTIVATIONS and has_kink(self.output):
            nearest = min(nearest, smallest_ratio(p.z[-1], terms))
        if name in ("absolute_error", "quantile"):
            nearest = min(nearest, smallest_ratio(a - Y, terms + np.abs(Y)))
        if name == "hinge":
            t = np.where(Y == 1, np.inf, hinge_margins(a, Y))
            nearest = min(nearest, smallest_ratio(t, terms.max(axis=1, keepdims=True) + np.ones_like(Y)))
        return nearest


def smallest_ratio(t: np.ndarray, terms: np.ndarray) -> float:
    known = terms > 0  # a sum without terms is 0 in any arithmetic
    return float((np.abs(t[known]) / terms[known]).min(initial=math.inf))
