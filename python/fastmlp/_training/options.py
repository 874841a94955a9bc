"""The settings of a run, checked, and the options that the core makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fastmlp._base.validation import choice, chosen_seed, flag, integer, power_of_two, real
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp.spec.optimizers import LBFGS, Optimizer, as_optimizer, check_representable
from fastmlp.spec.schedules import Schedule, as_schedule, fill_scheduled, scheduled

_AUTO_BATCH = 200  # rows


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a run is told, besides its network and its rows; `train` describes each."""

    optimizer: Optimizer
    schedule: Schedule
    default_rate: float  # of a schedule without a rate of its own
    limits: dict[str, float] | None  # of L-BFGS, by SciPy's names; None for gradient descent
    batch_size: int | str | None
    epochs: int
    dropout: float | Schedule
    clip_norm: float | None
    max_time: float | None
    shuffle: bool
    seed: int
    threads: int
    patience: int | None = None
    min_delta: float = 0.0
    restore_best: bool = False
    loss_target: float | None = None
    bfloat16: bool = False  # products of factors rounded to it
    alpha: float = 0.0  # scikit-learn's penalty: divided by the weights of each batch
    shards: int = 1  # a batch has as many rows of each
    epsilon_hat: bool = False  # scikit-learn's Adam: epsilon is added before the bias is corrected

    def with_seed(self, seed: int) -> RunSettings:
        """Return the same settings with another seed: `dataclasses.replace` in a fifth of its time."""
        twin = object.__new__(RunSettings)
        vars(twin).update(vars(self), seed=seed)
        return twin

    def rows_a_step(self, rows: int) -> int:
        """Return the rows of a batch, where there are so many in all."""
        if self.batch_size is None:
            return rows
        if not isinstance(self.batch_size, str):
            return self.batch_size
        batch = min(_AUTO_BATCH, rows)
        return max(batch // self.shards, 1) * self.shards


def checked_settings(
    *, optimizer: Any, learning_rate: Any, batch_size: Any, epochs: Any, dropout: Any, clip_norm: Any,
    patience: Any, min_delta: Any, restore_best: Any, loss_target: Any, max_time: Any, shuffle: Any,
    seed: Any, threads: Any, dtype: str, compute: Any, shards: Any = 1,
) -> RunSettings:  # fmt: skip
    """Return the settings that the arguments of `train` stand for."""
    positive: dict[str, Any] = {"low": 0, "open_low": True}
    numbers: dict[str, Any] = {
        "epochs": integer("epochs", epochs, low=1),
        "dropout": scheduled("dropout", dropout, low=0, high=1, open_high=True),
        "clip_norm": None if clip_norm is None else real("clip_norm", clip_norm, **positive),
        "patience": None if patience is None else integer("patience", patience, low=1),
        "min_delta": real("min_delta", min_delta, low=0),
        "restore_best": flag("restore_best", restore_best),
        "loss_target": None if loss_target is None else real("loss_target", loss_target),
        "max_time": None if max_time is None else real("max_time", max_time, **positive),
        "shuffle": flag("shuffle", shuffle),
        "seed": chosen_seed(seed),
        "threads": _threads.resolve(None if threads is None else integer("threads", threads, low=1)),
        "bfloat16": checked_compute(compute, dtype),
        "shards": power_of_two("shards", shards),
    }
    chosen, schedule = as_optimizer(optimizer), as_schedule(learning_rate)
    if isinstance(batch_size, str) and batch_size != "auto":
        raise ValueError(f"batch_size must be an integer, None or 'auto', got {batch_size!r}")
    if batch_size is not None and not isinstance(batch_size, str):
        batch_size = integer("batch_size", batch_size, low=1)
        if batch_size % numbers["shards"]:
            raise ValueError(f"batch_size must be a multiple of shards={numbers['shards']}, got {batch_size}")
    settings = RunSettings(
        optimizer=chosen,
        schedule=schedule,
        default_rate=math.nan if isinstance(chosen, LBFGS) else chosen.default_rate,
        limits=chosen.limits(numbers["epochs"]) if isinstance(chosen, LBFGS) else None,
        batch_size=batch_size,
        **numbers,
    )
    if not isinstance(chosen, LBFGS):
        check_representable(core_options(settings, rows=1), dtype)  # the options have rate and epsilon
    return settings


def checked_compute(compute: Any, dtype: str = "float32", *, sparse: bool = False) -> bool:
    """Return whether products are to be computed in bfloat16; ValueError where they cannot be."""
    if compute is None:
        return False
    choice("compute, unless it is None,", compute, ("bfloat16",))
    if dtype != "float32":
        source = "the argument dtype; of an estimator, the type of X"
        raise ValueError(f"compute='bfloat16' goes with float32, got {dtype} ({source})")
    if sparse:
        raise ValueError("compute='bfloat16' goes with dense rows, got a sparse X")
    if missing := _core.why_no_bfloat16():
        raise ValueError(f"compute='bfloat16' needs AVX512_BF16 and the instruction set v4: {missing}")
    return True


def core_options(
    settings: RunSettings, rows: int, first_epoch: int = 0, state_every: int = 1
) -> _core.TrainOptions:
    """Return what the core is told of a run on so many rows.

    The epochs before the first one were those of a run that this one goes on from; the core gives its state
    away after every `state_every` epochs.
    """
    s, options = settings, _core.TrainOptions()
    options.first_epoch, options.epochs = first_epoch, s.epochs
    options.batch_size = s.rows_a_step(rows)
    options.shuffle, options.seed, options.threads = s.shuffle, s.seed, s.threads
    options.alpha, options.bfloat16 = s.alpha, s.bfloat16
    fill_scheduled(options.dropout, s.dropout)
    options.clip_norm = 0 if s.clip_norm is None else s.clip_norm
    options.patience = -1 if s.patience is None else s.patience
    options.min_delta, options.restore_best = s.min_delta, s.restore_best
    options.loss_target = -math.inf if s.loss_target is None else s.loss_target
    options.max_time = math.inf if s.max_time is None else s.max_time
    options.state_every = state_every
    if not isinstance(s.optimizer, LBFGS):
        s.optimizer.fill(options.optimizer)
        options.optimizer.epsilon_hat = s.epsilon_hat
        s.schedule.fill(options.schedule, s.default_rate)
    return options
