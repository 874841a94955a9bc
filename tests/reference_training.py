"""The training half of the NumPy twin: clipping, optimizers, schedules, the epoch loop, metrics.

All of it works on flat parameter vectors (reference.py: W0, b0, W1, b1, ... end to end).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from reference import Layers, Model, flatten, unflatten
from reference_random import SHUFFLE, dropout_multiplier, permutation

# ------------------------------------------------------------------------------------------------- optimizers


def clipped(g: np.ndarray, clip_norm: float | None) -> np.ndarray:
    norm = float(np.linalg.norm(g))
    return g * (clip_norm / norm) if clip_norm is not None and norm > clip_norm else g


Rate = float | np.ndarray  # one for all parameters, or one for each


def rates_of_parameters(
    factors: Any, fan_in_power: float, sizes: Sequence[int], rate: float, weight_decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """The learning rate of each parameter, and the part of it that decoupled decay takes away.

    `factors` has a factor of weights and one of biases. With fan_in the rate of W (I, O) is divided by
    I^power; decay knows nothing of that, and biases do not decay.
    """
    rates, decays = [], []
    for i, o in pairwise(sizes):
        of_weights = rate * factors.weight
        rates += [np.full(i * o, of_weights / (i**fan_in_power if factors.fan_in else 1))]
        rates += [np.full(o, rate * factors.bias)]
        decays += [np.full(i * o, of_weights * weight_decay), np.zeros(o)]
    return np.concatenate(rates), np.concatenate(decays)


@dataclass(frozen=True)
class AllOne:
    """Factors that change nothing."""

    weight: float = 1.0
    bias: float = 1.0
    fan_in: bool = False


class SGD:
    """v = momentum v - rate g; w += v. Nesterov: w += momentum v - rate g. normalized: g / |g| for g."""

    default_rate, fan_in_power = 0.01, 1.0

    def __init__(
        self,
        momentum: float = 0.0,
        nesterov: bool = False,
        normalized: bool = False,
        rate_factors: Any = AllOne(),
    ) -> None:
        self.rate_factors, self.weight_decay = rate_factors, 0.0
        self.momentum, self.nesterov, self.normalized = momentum, nesterov, normalized
        self.v: np.ndarray | float = 0.0

    def step(self, w: np.ndarray, g: np.ndarray, rate: Rate, decay: Rate) -> np.ndarray:
        if self.normalized:
            g = g / (float(np.linalg.norm(g)) or 1.0)
        self.v = self.momentum * self.v - rate * g
        return w + (self.momentum * self.v - rate * g if self.nesterov else self.v)


class RMSprop:
    """s = rho s + (1 - rho) g^2; w -= rate g / (sqrt(s) + eps)  (Tieleman and Hinton, 2012)."""

    default_rate, fan_in_power = 0.001, 0.5

    def __init__(self, rho: float = 0.9, eps: float = 1e-8, rate_factors: Any = AllOne()) -> None:
        self.rate_factors, self.weight_decay = rate_factors, 0.0
        self.rho, self.eps = rho, eps
        self.s: np.ndarray | float = 0.0

    def step(self, w: np.ndarray, g: np.ndarray, rate: Rate, decay: Rate) -> np.ndarray:
        self.s = self.rho * self.s + (1 - self.rho) * g * g
        return w - rate * g / (np.sqrt(self.s) + self.eps)


class Adagrad:
    """s += g^2; w -= rate g / (sqrt(s) + eps)  (Duchi, Hazan, Singer, 2011)."""

    default_rate, fan_in_power = 0.01, 0.5

    def __init__(self, eps: float = 1e-10, rate_factors: Any = AllOne()) -> None:
        self.rate_factors, self.weight_decay = rate_factors, 0.0
        self.eps = eps
        self.s: np.ndarray | float = 0.0

    def step(self, w: np.ndarray, g: np.ndarray, rate: Rate, decay: Rate) -> np.ndarray:
        self.s = self.s + g * g
        return w - rate * g / (np.sqrt(self.s) + self.eps)


class Adam:
    """Kingma and Ba, 2015; AdamW first shrinks the weights (Loshchilov and Hutter, 2019).

    m, v = running means of g and g^2; w -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
    """

    default_rate, fan_in_power = 0.001, 0.5

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: Any = 0.0,
        rate_factors: Any = AllOne(),
    ) -> None:
        self.rate_factors = rate_factors
        self.beta1, self.beta2, self.eps, self.weight_decay = beta1, beta2, eps, weight_decay
        self.m: np.ndarray | float = 0.0
        self.v: np.ndarray | float = 0.0
        self.t = 0

    def step(self, w: np.ndarray, g: np.ndarray, rate: Rate, decay: Rate) -> np.ndarray:
        self.t += 1
        w = w * (1 - decay)
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        m, v = self.m / (1 - self.beta1**self.t), self.v / (1 - self.beta2**self.t)
        return w - rate * m / (np.sqrt(v) + self.eps)


OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSprop, "adagrad": Adagrad, "adam": Adam}


def make_optimizer(name: str, **options: Any) -> SGD | RMSprop | Adagrad | Adam:
    return Adam(**{"weight_decay": 0.01, **options}) if name == "adamw" else OPTIMIZERS[name](**options)


# -------------------------------------------------------------------------------------------------- schedules


def cosine(start: float, end: float, x: float) -> float:
    """From start at x = 0 to end at x = 1."""
    return end + (start - end) * (1 + math.cos(math.pi * x)) / 2


def scheduled_rate(name: str, rate: float, c: float, C: float, options: dict[str, float]) -> float:
    """The rate c epochs after the warm-up, of C."""
    o, p = options, min(1.0, c / C)
    if name == "InverseScaling":
        return rate / (1 + c) ** o.get("power", 0.5)
    if name == "StepDecay":
        return rate * o.get("factor", 0.1) ** math.floor(c / o.get("every", 30))
    if name == "Cosine":
        return cosine(rate, o.get("final", 0.0), p)
    if name == "CosLog":
        return rate / 2 * (1 - math.cos(2 * math.pi * math.log2(1 + (2 ** o.get("cycles", 4) - 1) * p)))
    if name == "FlatCos":
        flat = o.get("flat", 0.5)
        return rate if p <= flat else cosine(rate, 0.0, (p - flat) / (1 - flat))
    if name == "OneCycle":
        rise, start, final = o.get("rise", 0.3), o.get("start_factor", 1 / 25), o.get("final_factor", 1e-5)
        if p < rise:
            return cosine(rate * start, rate, p / rise)
        return cosine(rate, rate * final, (p - rise) / (1 - rise))
    return rate  # Constant, ReduceOnPlateau


class Schedule:
    """The learning rate of each step: a linear ramp over `warmup` epochs times the named schedule."""

    def __init__(
        self, name: str, rate: float, *, steps: int, epochs: int, warmup: float = 0.0, **options: float
    ) -> None:
        self.name, self.rate, self.steps, self.epochs = name, rate, steps, epochs
        self.warmup, self.options = warmup, options
        self.best, self.bad = math.inf, 0

    def at(self, step: int) -> float:
        ramp = min(1.0, (step + 1) / (self.warmup * self.steps)) if self.warmup else 1.0
        c, C = max(0.0, step / self.steps - self.warmup), self.epochs - self.warmup
        return ramp * scheduled_rate(self.name, self.rate, c, C, self.options)

    @classmethod
    def of(cls, value: Any, *, steps: int, epochs: int) -> Schedule:
        """Of a number, or of an object that has its name and its options."""
        if isinstance(value, (int, float)):
            return cls("Constant", value, steps=steps, epochs=epochs)
        return cls(type(value).__name__, **vars(value), steps=steps, epochs=epochs)

    def after_epoch(self, monitored: float) -> None:
        """ReduceOnPlateau: lower the rate after more than `patience` epochs in a row without improvement."""
        if self.name != "ReduceOnPlateau":
            return
        threshold = self.options.get("threshold", 1e-4)
        if monitored < self.best * (1 - threshold if self.best >= 0 else 1 + threshold):
            self.best, self.bad = monitored, 0
        else:
            self.bad += 1
        if self.bad > self.options.get("patience", 10):
            self.rate = max(self.rate * self.options.get("factor", 0.1), self.options.get("min_rate", 0.0))
            self.bad = 0


# --------------------------------------------------------------------------------------------------- training


@dataclass
class Run:
    """One entry an epoch: flat parameters after it, its loss, its last step's rate, the validation loss."""

    parameters: list[np.ndarray] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    kink: float = math.inf

    @property
    def monitored(self) -> list[float]:
        return self.validation_loss or self.loss


def train_reference(
    model: Model,
    layers: Layers,
    X: np.ndarray,
    Y: np.ndarray,
    *,
    optimizer: SGD | RMSprop | Adagrad | Adam,
    learning_rate: float | None = None,
    schedule: tuple[str, dict[str, float]] = ("Constant", {}),
    batch_size: int | None = None,
    epochs: int = 1,
    dropout: Any = 0.0,  # a number, or the schedule of one, as weight decay
    clip_norm: float | None = None,
    sample_weight: np.ndarray | None = None,
    shuffle: bool = True,
    seed: int = 0,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    dtype: type = np.float64,
) -> Run:
    """Full epochs of mini-batch training from the given layers, as fastmlp.train promises them."""
    X, Y = X.astype(dtype), Y.astype(dtype)
    n, batch = len(X), min(batch_size or len(X), len(X))
    sizes = [len(layers[0][0]), *(len(b) for _, b in layers)]
    w = flatten(layers).astype(dtype)
    rate = optimizer.default_rate if learning_rate is None else learning_rate
    plan = Schedule(schedule[0], rate, steps=-(-n // batch), epochs=epochs, **schedule[1])
    dropped = Schedule.of(dropout, steps=-(-n // batch), epochs=epochs)
    decay = Schedule.of(optimizer.weight_decay, steps=-(-n // batch), epochs=epochs)
    mean_weight = 1.0 if sample_weight is None else float(sample_weight.mean())
    run, step = Run(), 0
    for epoch in range(epochs):
        order = permutation(seed, SHUFFLE, epoch, n) if shuffle and batch < n else np.arange(n)
        total = 0.0
        for rows in np.split(order, range(batch, n, batch)):
            masks = [
                dropout_multiplier(seed, step, index, (len(rows), width), dropped.at(step)).astype(dtype)
                for index, width in enumerate(sizes[1:-1])
            ]
            part = None if sample_weight is None else sample_weight[rows]
            layers = unflatten(w, sizes)
            # A batch divides by its share of all weights, not by those that it happens to have.
            divisor = len(rows) * mean_weight
            p = model.loss_and_gradient(layers, X[rows], Y[rows], part, masks if dropout else None, divisor)
            total += len(rows) * p.loss  # the batch's loss before its update
            run.kink = min(run.kink, p.kink)
            rate = plan.at(step)
            rates, decays = rates_of_parameters(
                optimizer.rate_factors, optimizer.fan_in_power, sizes, rate, decay.at(step)
            )
            g = clipped(flatten(p.gradient), clip_norm)
            w = optimizer.step(w, g, rates.astype(dtype), decays.astype(dtype))
            step += 1
        run.parameters.append(w)
        run.loss.append(total / n)
        run.learning_rate.append(rate)
        if validation is not None:
            Xv, Yv = (part.astype(dtype) for part in validation)
            run.validation_loss.append(model.loss_and_gradient(unflatten(w, sizes), Xv, Yv).loss)
        plan.after_epoch(run.monitored[-1])
    return run


def best_epoch(monitored: Sequence[float]) -> int:
    """0-based: the first epoch with the lowest monitored loss."""
    return int(np.argmin(monitored))


def stopping_epoch(monitored: Sequence[float], patience: int, min_delta: float = 0.0) -> int | None:
    """0-based: the epoch that ends `patience` epochs in a row without monitored < best - min_delta."""
    best, bad = math.inf, 0
    for epoch, value in enumerate(monitored):
        bad = 0 if value < best - min_delta else bad + 1
        best = min(best, value)
        if bad >= patience:
            return epoch
    return None


def accuracy(output: np.ndarray, Y: np.ndarray) -> float:
    """The part of rows whose largest output is that of their class."""
    return float((output.argmax(axis=1) == Y.argmax(axis=1)).mean())


def r2(output: np.ndarray, Y: np.ndarray) -> float:
    """1 - (sum of squared residuals) / (sum of squares about the mean), averaged over the outputs."""
    residual, spread = ((output - Y) ** 2).sum(axis=0), ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)
    return float((1 - residual / spread).mean())
