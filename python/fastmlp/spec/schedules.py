"""Schedules of the learning rate, dropout and weight decay, each with linear warm-up.

Time is counted in epochs: step s = 0, 1, .. of S steps an epoch lies at e = s / S of E epochs. Warm-up of w
epochs multiplies the rate by min(1, (s + 1) / (w S)); the schedule's own clock c = max(0, e - w) of C = E -
w starts behind it; in a run that ends before, it stays at 0. ``rate=None`` is the optimizer's default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastmlp._base.validation import real
from fastmlp._native import core as _core
from fastmlp.spec.ranges import check_fields, integer_field, real_field


@dataclass(frozen=True)
class _Schedule:
    rate: float | None = real_field(None, low=0, open_low=True)
    warmup: float = real_field(0.0, kw_only=True, low=0, high=1e9)

    def __post_init__(self) -> None:
        check_fields(self)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        options.rate = default_rate if self.rate is None else self.rate
        options.warmup = self.warmup


@dataclass(frozen=True)
class Constant(_Schedule):
    """The same rate throughout: ``r``.

    Parameters
    ----------
    rate : float, optional
        r > 0; by default the optimizer's.
    warmup : float, default 0
        Epochs of linear warm-up.
    """


@dataclass(frozen=True)
class InverseScaling(_Schedule):
    """A rate that falls as a power of time: ``r / (1 + c)^power``, c in epochs.

    Parameters
    ----------
    rate : float, optional
        r > 0; by default the optimizer's.
    power : float, default 0.5
        At least 0.
    warmup : float, default 0
        Epochs of linear warm-up.
    """

    power: float = real_field(0.5, low=0)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        super().fill(options, default_rate)
        options.kind, options.power = "inverse_scaling", self.power


@dataclass(frozen=True)
class StepDecay(_Schedule):
    """A rate that is cut at regular intervals: ``r factor^floor(c / every)``.

    Parameters
    ----------
    rate : float, optional
        r > 0; by default the optimizer's.
    every : float, default 30
        Epochs between cuts.
    factor : float, default 0.1
        In (0, 1].
    warmup : float, default 0
        Epochs of linear warm-up.
    """

    every: float = real_field(30, low=0, open_low=True)
    factor: float = real_field(0.1, low=0, high=1, open_low=True)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        super().fill(options, default_rate)
        options.kind, options.every, options.factor = "step_decay", self.every, self.factor


@dataclass(frozen=True)
class Cosine(_Schedule):
    """Half a cosine from r to `final`: ``final + (r - final) (1 + cos(pi c / C)) / 2``.

    Parameters
    ----------
    rate : float, optional
        r > 0; by default the optimizer's.
    final : float, default 0
        The rate at the end.
    warmup : float, default 0
        Epochs of linear warm-up.

    References
    ----------
    Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
    """

    final: float = real_field(0.0, low=0)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        super().fill(options, default_rate)
        options.kind, options.final_rate = "cosine", self.final


@dataclass(frozen=True)
class OneCycle(_Schedule):
    """Up to the peak r and down again, both by half a cosine.

    From ``r start_factor`` to r over the first `rise` of the run, then to ``r final_factor``.

    Parameters
    ----------
    rate : float, optional
        The peak r > 0; by default the optimizer's rate.
    rise : float, default 0.3
        Share of the run that goes up, in [0, 1].
    start_factor, final_factor : float, default 1/25 and 1e-5
        In [0, 1].
    warmup : float, default 0
        Epochs of linear warm-up before the cycle.

    References
    ----------
    Smith, Topin (2018), Super-convergence: very fast training of neural networks using large learning rates.
    """

    rise: float = real_field(0.3, low=0, high=1)
    start_factor: float = real_field(1 / 25, low=0, high=1)
    final_factor: float = real_field(1e-5, low=0, high=1)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        super().fill(options, default_rate)
        options.kind, options.rise = "one_cycle", self.rise
        options.start_rate = options.rate * self.start_factor
        options.final_rate = options.rate * self.final_factor


@dataclass(frozen=True)
class CosLog(_Schedule):
    """Cycles from 0 to r and back to 0, each twice as long as the one before.

    ``r / 2 (1 - cos(2 pi log2(1 + (2^cycles - 1) c / C)))``

    Parameters
    ----------
    rate : float, optional
        r > 0; by default the optimizer's.
    cycles : int, default 4
        In [1, 30].
    warmup : float, default 0
        Epochs of linear warm-up.

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart (2024), Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data.
    """

    cycles: int = integer_field(4, low=1, high=30)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        super().fill(options, default_rate)
        options.kind, options.cycles = "cos_log", self.cycles


@dataclass(frozen=True)
class FlatCos(_Schedule):
    """r for a while, then half a cosine to 0.

    ``r (1 + cos(pi max(0, c / C - flat) / (1 - flat))) / 2``

    Parameters
    ----------
    rate : float, optional
        r > 0; by default the optimizer's.
    flat : float, default 0.5
        Share of the run with the rate r, in [0, 1].
    warmup : float, default 0
        Epochs of linear warm-up.

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart (2024), Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data.
    """

    flat: float = real_field(0.5, low=0, high=1)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        super().fill(options, default_rate)
        options.kind, options.flat = "flat_cos", self.flat


@dataclass(frozen=True)
class ReduceOnPlateau(_Schedule):
    """A rate that is cut when the loss stops falling.

    After each epoch the monitored loss (validation loss if there is one) counts as better if it is below
    ``best - threshold |best|``, which is ``best (1 - threshold)`` for losses above 0, and lower than best for
    those below too (PyTorch's ReduceLROnPlateau then takes ``best (1 - threshold)``, which is higher). After
    more than `patience` epochs in a row that are not better, ``r = max(r factor, min_rate)``.

    Parameters
    ----------
    rate : float, optional
        r > 0; by default the optimizer's.
    factor : float, default 0.1
        In (0, 1].
    patience : int, default 10
        Epochs.
    threshold : float, default 1e-4
        In [0, 1).
    min_rate : float, default 0
        The rate never falls below it; at most r.
    warmup : float, default 0
        Epochs of linear warm-up.
    """

    factor: float = real_field(0.1, low=0, high=1, open_low=True)
    patience: int = integer_field(10, low=0)
    threshold: float = real_field(1e-4, low=0, high=1, open_high=True)
    min_rate: float = real_field(0.0, low=0)

    def fill(self, options: _core.ScheduleOptions, default_rate: float) -> None:
        """Write the options that the core reads."""
        super().fill(options, default_rate)
        if self.min_rate > options.rate:
            raise ValueError(f"min_rate must be at most the rate {options.rate!r}, got {self.min_rate!r}")
        options.kind, options.factor, options.patience = "reduce_on_plateau", self.factor, self.patience
        options.threshold, options.min_rate = self.threshold, self.min_rate


Schedule = Constant | InverseScaling | StepDecay | Cosine | OneCycle | CosLog | FlatCos | ReduceOnPlateau

#: Every schedule by its name in the core.
SCHEDULES: Mapping[str, type[Schedule]] = MappingProxyType(
    {
        "constant": Constant,
        "inverse_scaling": InverseScaling,
        "step_decay": StepDecay,
        "cosine": Cosine,
        "one_cycle": OneCycle,
        "cos_log": CosLog,
        "flat_cos": FlatCos,
        "reduce_on_plateau": ReduceOnPlateau,
    }
)


def as_schedule(learning_rate: Any) -> Schedule:
    """Return the schedule that a number, None or an object stands for."""
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if learning_rate is None:
        return Constant()
    return Constant(real("learning_rate", learning_rate, low=0, open_low=True))


def scheduled(argument: str, value: Any, **bounds: Any) -> float | Schedule:
    """Return a number within bounds, which are those of `real`, or the schedule of one.

    The schedule has a rate of its own, and no value of it is out of bounds.
    """
    if not isinstance(value, Schedule):
        return real(argument, value, **bounds)
    if isinstance(value, ReduceOnPlateau):
        raise ValueError(
            f"{argument} must be a number or another schedule: ReduceOnPlateau is for learning rates; "
            f"got {value!r}"
        )
    if value.rate is None:
        raise ValueError(
            f"{argument} must be a number or a schedule with a rate, as in {type(value).__name__}(0.1); "
            f"got {value!r}"
        )
    real(f"the rate of {argument}", value.rate, **bounds)
    if isinstance(value, Cosine):
        real(f"the final rate of {argument}", value.final, **bounds)
    return value


def fill_scheduled(options: _core.ScheduleOptions, value: float | Schedule) -> None:
    """Write the options that the core reads of a number or the schedule of one."""
    if isinstance(value, Schedule):
        value.fill(options, math.nan)
    else:
        options.rate = value
