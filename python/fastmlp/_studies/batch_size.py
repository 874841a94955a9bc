"""The batch size: time per step times steps to the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.drawing import new_axes, scale_logarithmic
from fastmlp._base.records import Records, lowest
from fastmlp._base.validation import flag, integer, real
from fastmlp._studies.runs import (
    as_rows,
    check_settings,
    check_target,
    checked_list,
    measured_run,
    steps_to,
    train_quietly,
    with_loss,
    with_seed,
)
from fastmlp._training.progress import run_bar
from fastmlp.spec.optimizers import LBFGS, as_optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Outcome without a time -> how the picture calls and marks it.
_MISSED = {"not reached": ("target not reached", "x", "0.3"), "diverged": ("diverged", "P", "C3")}

_COLUMNS = (
    "batch_size", "seconds_per_step", "steps_to_target", "seconds_to_target", "lowest_loss", "outcome",
)  # fmt: skip
_DEFAULT_SIZES = 8
_PILOT = 4  # the pilot run has a quarter of the epochs
_REPEATS = 5
_TIMED_SECONDS = 0.03  # of a timed run, or one epoch where it is longer
_TIMED_EPOCHS = 2000


class BatchSizeStudy(Records):
    """A table with one row a batch size.

    Columns: batch_size; seconds_per_step (median of several runs); steps_to_target and seconds_to_target,
    the product of the two, NaN where the target was not reached; lowest_loss (of all rows, over the epochs);
    outcome ("reached", "not reached", "diverged").

    Parameters
    ----------
    rows : iterable of tuples (batch_size, seconds_per_step, steps_to_target, lowest_loss, diverged)
    target_loss : float
    seed : int, default 0

    Attributes
    ----------
    target_loss : float
        The loss of all rows to reach.
    seed : int
        Of all runs, also where it was drawn.
    """

    def __init__(
        self, rows: Iterable[tuple[int, float, float, float, bool]], target_loss: float, seed: int = 0
    ) -> None:
        table = []
        for size, seconds, steps, lowest_loss, diverged in rows:
            outcome = "diverged" if diverged else "not reached" if math.isnan(steps) else "reached"
            steps = steps if outcome == "reached" else math.nan
            table.append((size, seconds, steps, seconds * steps, lowest_loss, outcome))
        super().__init__(_COLUMNS, table)
        self.target_loss, self.seed = target_loss, seed

    @property
    def best(self) -> int | None:
        """The batch size that reached the target in the shortest time; None if none did."""
        at = lowest(self["seconds_to_target"])
        return None if at is None else int(self["batch_size"][at])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw time per step, steps and time to the target over the batch size; needs ``fastmlp[plot]``.

        Each is divided by its value at the best batch size, which the legend tells, so that the three curves
        meet there; without a best size, by its first value.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes
        """
        ax = new_axes(ax)[0]
        from matplotlib.ticker import LogFormatter

        sizes, best = self["batch_size"], self.best
        at = 0 if best is None else int(np.flatnonzero(sizes == best)[0])
        for column, name, marker, shown in (
            ("seconds_per_step", "time per step", "o", _duration),
            ("steps_to_target", "steps to the target", "s", "{:.0f}".format),
            ("seconds_to_target", "time to the target", "^", _duration),
        ):
            values = self[column]
            if np.isfinite(values[at]) and values[at] > 0:
                ax.plot(sizes, values / values[at], marker=marker, label=f"{name}, 1 = {shown(values[at])}")
        scale_logarithmic(ax)
        for outcome, (label, marker, color) in _MISSED.items():
            missed = sizes[self["outcome"] == outcome]
            if len(missed):  # on the x axis itself, where no curve goes
                ax.plot(
                    missed, np.zeros(len(missed)), marker, color=color, markersize=8, clip_on=False, zorder=3,
                    transform=ax.get_xaxis_transform(), label=label,
                )  # fmt: skip
        if best is not None:
            ax.axvline(best, color="0.6", linestyle=":", label=f"best batch size {best}")
        ax.set(xscale="log", xlabel="batch size (rows)")
        ax.set_ylabel("relative to " + ("the first size" if best is None else f"batch size {best}"))
        ax.set_xticks(*_ticks(sizes.tolist()))
        ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))  # within one decade only
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        return ax


def study_batch_size(
    X: Any,
    y: Any,
    sizes: Sequence[int] | None = None,
    *,
    target_loss: float | None = None,
    epochs: int = 200,
    progress: bool = True,
    **settings: Any,
) -> BatchSizeStudy:
    """Measure what the batch size does: time per step, steps to the target, and their product.

    Small batches make short steps of which many are needed, large batches the other way round; the product is
    the time to the target. Each size is trained from the same initial weights with the same learning rate.
    The loss of all rows is measured after each epoch and taken to be linear between two epochs. Where the
    target is reached within the first, and the learning rate is constant, its steps are counted: those of the
    shortest run over the first batches of one random order (in which one row of each label comes first) that
    reaches the target, found by bisection. The time of a step is measured apart, in five rounds of runs of
    all sizes in turn, whose median counts; the first epoch of a run does not.

    Parameters
    ----------
    X, y
        As in `train`; in memory.
    sizes : sequence of int, optional
        Batch sizes, 1 to n; by default at most 7 powers of 2 from 8 to n/2, and n.
    target_loss : float, optional
        The loss of all rows to reach, with the l2 term, below that of the initial weights. By default the
        lowest loss of a pilot run: the middle size, a quarter of the epochs.
    epochs : int, default 200
        The most epochs of a run.
    progress : bool, default True
        Show a progress bar where standard error is a terminal and ``fastmlp[cli]`` is installed.
    **settings
        Other arguments of `train`, but for those that stop a run early or hold rows back, and lbfgs.

    Returns
    -------
    BatchSizeStudy
        Sizes that do not reach the target, or diverge, are recorded as such.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.

    References
    ----------
    C. J. Shallue, J. Lee, J. Antognini, J. Sohl-Dickstein, R. Frostig, G. E. Dahl, Measuring the effects of
    data parallelism on neural network training, JMLR 20(112), 1-49, 2019.
    """
    check_settings("study_batch_size", settings, own=("batch_size",))
    optimizer = settings.get("optimizer", "adam")
    if isinstance(as_optimizer(optimizer), LBFGS):
        raise ValueError(f"optimizer must be one that trains in batches, got {optimizer!r}")
    seed = with_seed(settings)
    X, y = as_rows(X, y, settings)
    settings = with_loss(y, settings)
    batches = _default_sizes(len(y)) if sizes is None else _checked_sizes(sizes, len(y))
    epochs = integer("epochs", epochs, low=1)
    target = None if target_loss is None else real("target_loss", target_loss)
    runs = (target is None) + len(batches) * (2 + _REPEATS)
    with run_bar(flag("progress", progress), runs) as begin:
        if target is None:
            begin("pilot run")
            target = _pilot_loss(X, y, batches[len(batches) // 2], epochs, settings)
        reached = []
        for size in batches:
            begin(f"batch size {size}")
            run = measured_run(X, y, target, batch_size=size, epochs=epochs, **settings)
            check_target(target, run.losses[0])
            reached.append((steps_to(target, run, X, y, size, settings), run.lowest, run.diverged))
        seconds = _epoch_times(X, y, batches, settings, begin)
    table = [
        (size, time / math.ceil(len(y) / size), *row)
        for size, time, row in zip(batches, seconds, reached, strict=True)
    ]
    return BatchSizeStudy(table, target, seed)


def _default_sizes(rows: int) -> list[int]:
    powers = [2**k for k in range(3, 32) if 2**k <= rows / 2]
    thinned = np.linspace(0, len(powers) - 1, min(len(powers), _DEFAULT_SIZES - 1)).round().astype(int)
    return sorted({powers[i] for i in thinned} | {rows})


def _checked_sizes(sizes: Any, rows: int) -> list[int]:
    return sorted(checked_list("sizes", sizes, "batch sizes", partial(integer, low=1, high=rows)))


def _pilot_loss(X: Any, y: Any, size: int, epochs: int, settings: Mapping[str, Any]) -> float:
    run = measured_run(X, y, batch_size=size, epochs=max(1, epochs // _PILOT), **settings)
    if not run.lowest < run.losses[0]:
        raise ValueError(
            f"target_loss is needed, or another learning_rate: a run with batch_size={size} did not lower "
            f"the loss, {run.losses[0]:.4g}"
        )
    return run.lowest


def _epoch_times(
    X: Any, y: Any, sizes: Sequence[int], settings: Mapping[str, Any], begin: Callable[[str], None]
) -> list[float]:
    """Return the median time of an epoch of each size, of rounds through all sizes."""
    lengths = []
    for size in sizes:
        begin(f"timing batch size {size}")
        lengths.append(_timed_epochs(X, y, size, settings))
    times: list[list[float]] = [[] for _ in sizes]
    for _ in range(_REPEATS):
        for size, length, of_size in zip(sizes, lengths, times, strict=True):
            begin(f"timing batch size {size}")
            of_size.append(_epoch_seconds(X, y, size, length, settings))
    return [float(np.median(of_size)) for of_size in times]


def _timed_epochs(X: Any, y: Any, size: int, settings: Mapping[str, Any]) -> int:
    """Return how many epochs, the first of which does not count, make a timed run."""
    seconds = _epoch_seconds(X, y, size, 2, settings)
    many = _TIMED_SECONDS / seconds if seconds > 0 else 1  # NaN, where it diverges, is not
    return 1 + max(1, min(_TIMED_EPOCHS, math.ceil(many)))


def _epoch_seconds(X: Any, y: Any, size: int, epochs: int, settings: Mapping[str, Any]) -> float:
    """Return the time of an epoch after the first; NaN where the run diverges before."""
    history = train_quietly(X, y, batch_size=size, epochs=epochs, **settings).history
    seconds = history["seconds"]
    return float(seconds[-1] - seconds[0]) / (len(seconds) - 1) if len(seconds) > 1 else math.nan


def _ticks(sizes: list[int]) -> tuple[list[int], list[str]]:
    """Return the sizes that have room on a logarithmic axis, and what to write there."""
    room = math.log(sizes[-1] / sizes[0]) / 12
    ticks = sizes[:1]
    ticks += [size for before, size in pairwise(sizes) if math.log(size / before) >= room]
    return ticks, [str(size) for size in ticks]


def _duration(seconds: float) -> str:
    """Return a time with the unit that fits."""
    unit, factor = next(
        ((unit, factor) for unit, factor in (("s", 1.0), ("ms", 1e3)) if seconds * factor >= 1), ("µs", 1e6)
    )
    return f"{seconds * factor:.3g} {unit}"
