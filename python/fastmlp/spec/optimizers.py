"""Optimizers: how a step follows from the gradient g. eta is the learning rate, t = 1, 2, .. the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from fastmlp._base.validation import choice
from fastmlp._native import core as _core
from fastmlp.spec.ranges import check_fields, flag_field, integer_field, real_field
from fastmlp.spec.schedules import Schedule, fill_scheduled, scheduled


@dataclass(frozen=True)
class RateFactors:
    """Factors of the learning rate for groups of parameters: a group learns at ``eta factor``.

    With ``fan_in``, the rate of the weights W (I, O) of each layer is divided by ``sqrt(I)`` too or, for
    `SGD`, by ``I``: the steps of a network whose layers are ``x W / sqrt(I) + b`` (the NTK parametrisation).
    Decoupled weight decay uses ``eta factor``, without ``fan_in``.

    Parameters
    ----------
    weight, bias : float, default 1
        Of all W, and of all b; at least 0, which keeps them as they are.
    scale : float, default 1
        Of the scales of inputs.
    embedding : float, default 1
        Of the tables of embeddings and of the parameters of periodic columns.
    alpha : float, default 1
        Of the numbers of parametric activations.
    fan_in : bool, default False
        Whether the rate of W depends on its number of inputs.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.

    References
    ----------
    Jacot, Gabriel, Hongler (2018), Neural tangent kernel: convergence and generalization in neural networks.
    """

    weight: float = real_field(1.0, low=0)
    bias: float = real_field(1.0, low=0)
    scale: float = real_field(1.0, low=0)
    embedding: float = real_field(1.0, low=0)
    alpha: float = real_field(1.0, low=0)
    fan_in: bool = flag_field(False)

    def __post_init__(self) -> None:
        check_fields(self)

    def fill(self, options: _core.RateFactors) -> None:
        """Write the options that the core reads."""
        for one in fields(self):
            setattr(options, one.name, getattr(self, one.name))


_ALL_ONE = RateFactors()


def _rate_factors(argument: str, value: Any) -> RateFactors:
    if not isinstance(value, RateFactors):
        raise TypeError(f"{argument} must be a RateFactors, such as RateFactors(bias=0.1), got {value!r}")
    return value


@dataclass(frozen=True)
class _GradientDescent:
    """What every optimizer has but L-BFGS."""

    rate_factors: RateFactors = field(
        default=_ALL_ONE, kw_only=True, metadata={"check": _rate_factors, "bounds": {}}
    )

    def __post_init__(self) -> None:
        check_fields(self)

    def __repr__(self) -> str:
        """Return the arguments; checkpoints that are older than factors have none."""
        shown = [one.name for one in fields(self) if one.name != "rate_factors"]
        shown += ["rate_factors"] * (self.rate_factors != _ALL_ONE)
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def fill(self, options: _core.OptimizerOptions) -> None:
        """Write the options that the core reads."""
        self.rate_factors.fill(options.rate_factors)


@dataclass(frozen=True, repr=False)
class SGD(_GradientDescent):
    """Stochastic gradient descent, with momentum if wanted.

    ``v = momentum v - eta g; w += v``, and with Nesterov's look-ahead ``w += momentum v - eta g``.
    ``normalized`` divides g by its norm first, so that without momentum every step has length eta:
    ``dw = -eta g / |g|``.

    Parameters
    ----------
    momentum : float, default 0
        In [0, 1].
    nesterov : bool, default False
        Needs momentum > 0.
    normalized : bool, default False
        Steps of fixed length along the gradient, whether it is clipped or not; a zero gradient makes no step.
    rate_factors : RateFactors, optional
        Of groups of parameters; by default all learn at the rate eta.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.

    References
    ----------
    Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum in deep
    learning.
    """

    momentum: float = real_field(0.0, low=0, high=1)
    nesterov: bool = flag_field(False)
    normalized: bool = flag_field(False)

    default_rate: ClassVar[float] = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum greater than 0, got momentum=0.0")

    def fill(self, options: _core.OptimizerOptions) -> None:
        """Write the options that the core reads."""
        super().fill(options)
        options.kind = "nesterov" if self.nesterov else "momentum" if self.momentum else "sgd"
        options.momentum = self.momentum
        options.normalized = self.normalized


@dataclass(frozen=True, repr=False)
class RMSprop(_GradientDescent):
    """Steps scaled by a running mean of squared gradients.

    ``s = rho s + (1 - rho) g^2; w -= eta g / (sqrt(s) + eps)``

    Parameters
    ----------
    rho : float, default 0.9
        In [0, 1).
    eps : float, default 1e-8
        Greater than 0.
    rate_factors : RateFactors, optional
        Of groups of parameters; by default all learn at the rate eta.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.

    References
    ----------
    Tieleman, Hinton (2012), Lecture 6.5 of Neural Networks for Machine Learning.
    """

    rho: float = real_field(0.9, low=0, high=1, open_high=True)
    eps: float = real_field(1e-8, low=0, open_low=True)

    default_rate: ClassVar[float] = 0.001

    def fill(self, options: _core.OptimizerOptions) -> None:
        """Write the options that the core reads."""
        super().fill(options)
        options.kind = "rmsprop"
        options.decay2 = self.rho
        options.epsilon = self.eps


@dataclass(frozen=True, repr=False)
class Adagrad(_GradientDescent):
    """Steps scaled by the sum of all squared gradients.

    ``s += g^2; w -= eta g / (sqrt(s) + eps)``

    Parameters
    ----------
    eps : float, default 1e-10
        Greater than 0.
    rate_factors : RateFactors, optional
        Of groups of parameters; by default all learn at the rate eta.

    Raises
    ------
    TypeError, ValueError
        If the argument is outside its range.

    References
    ----------
    Duchi, Hazan, Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization.
    """

    eps: float = real_field(1e-10, low=0, open_low=True)

    default_rate: ClassVar[float] = 0.01

    def fill(self, options: _core.OptimizerOptions) -> None:
        """Write the options that the core reads."""
        super().fill(options)
        options.kind = "adagrad"
        options.epsilon = self.eps


@dataclass(frozen=True, repr=False)
class Adam(_GradientDescent):
    """Adaptive moments; with weight decay, AdamW.

    ``m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2``
    ``w -= eta (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)``

    With weight_decay > 0, weights (not biases) are first multiplied by ``1 - eta weight_decay``.

    Parameters
    ----------
    beta1, beta2 : float, default 0.9 and 0.999
        In [0, 1).
    eps : float, default 1e-8
        Greater than 0.
    weight_decay : float or schedule, default 0
        At least 0; decoupled from the gradient, unlike ``l2``. A schedule, such as ``FlatCos(0.02)``, must
        have a rate, and is no `ReduceOnPlateau`.
    rate_factors : RateFactors, optional
        Of groups of parameters; by default all learn at the rate eta.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.

    References
    ----------
    Kingma, Ba (2015), Adam: a method for stochastic optimization.
    Loshchilov, Hutter (2019), Decoupled weight decay regularization.
    """

    beta1: float = real_field(0.9, low=0, high=1, open_high=True)
    beta2: float = real_field(0.999, low=0, high=1, open_high=True)
    eps: float = real_field(1e-8, low=0, open_low=True)
    weight_decay: float | Schedule = field(default=0.0, metadata={"check": scheduled, "bounds": {"low": 0}})

    default_rate: ClassVar[float] = 0.001

    def fill(self, options: _core.OptimizerOptions) -> None:
        """Write the options that the core reads."""
        super().fill(options)
        options.kind = "adam"
        options.decay1, options.decay2 = self.beta1, self.beta2
        options.epsilon = self.eps
        fill_scheduled(options.weight_decay, self.weight_decay)


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS over the whole data; an epoch is one iteration.

    Iterates and limits are those of L-BFGS-B without bounds, as SciPy has it. It computes in float64: for a
    float32 network, with copies of X and y. The learning rate, batch size, dropout, clipping and shuffling do
    not apply. A run that ends without a minimum warns, with the reason.

    Parameters
    ----------
    history : int, default 10
        Pairs of steps and gradients kept for the curvature.
    tol : float, default 1e-5
        Training ends when no component of the gradient is larger; for values y with a variance below 1, than
        tol times the variance.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.

    References
    ----------
    Liu, Nocedal (1989), On the limited memory BFGS method for large scale optimization.
    Byrd, Lu, Nocedal, Zhu (1995), A limited memory algorithm for bound constrained optimization.
    Moré, Thuente (1994), Line search algorithms with guaranteed sufficient decrease.
    """

    history: int = integer_field(10, low=1)
    tol: float = real_field(1e-5, low=0)

    def __post_init__(self) -> None:
        check_fields(self)

    def limits(self, epochs: int) -> dict[str, float]:
        """Return the limits of a run, by SciPy's names."""
        return {
            "maxiter": epochs,
            "maxfun": 2**31 - 1,
            "ftol": 0.0,
            "gtol": self.tol,
            "maxcor": min(self.history, epochs),
        }


Optimizer = SGD | RMSprop | Adagrad | Adam | LBFGS

ADAMW_DECAY = 0.01

#: What each name stands for.
OPTIMIZERS: Mapping[str, Optimizer] = MappingProxyType(
    {
        "sgd": SGD(),
        "rmsprop": RMSprop(),
        "adagrad": Adagrad(),
        "adam": Adam(),
        "adamw": Adam(weight_decay=ADAMW_DECAY),
        "lbfgs": LBFGS(),
    }
)


def as_optimizer(value: Any) -> Optimizer:
    """Return the optimizer that a name or an object stands for."""
    if isinstance(value, Optimizer):
        return value
    if isinstance(value, str):
        return OPTIMIZERS[choice("optimizer", value, OPTIMIZERS)]
    raise TypeError(
        f"optimizer must be one of {', '.join(OPTIMIZERS)}, or an optimizer object; got {value!r}"
    )


def check_representable(
    options: _core.TrainOptions, dtype: str, names: Sequence[str] = ("learning_rate", "eps", "clip_norm")
) -> None:
    """Refuse a rate, epsilon or norm that the network's type cannot hold; `names` are the user's."""
    tiny, huge = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    values = (options.schedule.rate, options.optimizer.epsilon, options.clip_norm)
    for name, value in zip(names, values, strict=True):
        if 0 < value < tiny:
            raise ValueError(f"{name} must be at least {tiny:.3g} in {dtype}, got {value!r}")
        if value > huge:
            raise ValueError(f"{name} must be at most {huge:.3g} in {dtype}, got {value!r}")
    factors, rate = options.optimizer.rate_factors, options.schedule.rate
    largest = max(factors.weight, factors.bias, factors.scale, factors.embedding, factors.alpha)
    if rate * largest > huge:
        raise ValueError(
            f"rate_factors times the rate must be at most {huge:.3g} in {dtype}, got {rate * largest!r}"
        )
