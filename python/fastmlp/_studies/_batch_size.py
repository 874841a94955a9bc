"""The batch size: time per step times steps to the target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._drawing import new_axes, scale_logarithmic
from fastmlp._progress import run_bar
from fastmlp._records import Records
from fastmlp._studies._runs import Run, as_rows, check_settings, measured_run, train_quietly
from fastmlp._targets import as_targets
from fastmlp._validation import flag, integer, real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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

    Attributes
    ----------
    target_loss : float
        The loss of all rows to reach.
    """

    def __init__(self, rows: Iterable[tuple[int, float, float, float, bool]], target_loss: float) -> None:
        table = []
        for size, seconds, steps, lowest, diverged in rows:
            outcome = "diverged" if diverged else "not reached" if math.isnan(steps) else "reached"
            steps = steps if outcome == "reached" else math.nan
            table.append((size, seconds, steps, seconds * steps, lowest, outcome))
        super().__init__(_COLUMNS, table)
        self.target_loss = target_loss

    @property
    def best(self) -> int | None:
        """The batch size that reached the target in the shortest time; None if none did."""
        seconds = self["seconds_to_target"]
        return None if np.isnan(seconds).all() else int(self["batch_size"][np.nanargmin(seconds)])

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
        missed = self["outcome"] != "reached"
        if missed.any():
            y = np.full(int(missed.sum()), 0.04)
            transform = ax.get_xaxis_transform()
            ax.plot(sizes[missed], y, "x", color="0.3", transform=transform, label="target not reached")
        if best is not None:
            ax.axvline(best, color="0.6", linestyle=":", label=f"best batch size {best}")
        ax.set(xscale="log", xlabel="batch size (rows)")
        ax.set_ylabel("relative to " + ("the first size" if best is None else f"batch size {best}"))
        ax.set_xticks(*_ticks(sizes.tolist()))
        ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))  # within one decade only
        ax.legend()
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
    The loss of all rows is measured after each epoch and taken to be linear between two epochs. The time of a
    step is measured apart, in five rounds of runs of all sizes in turn, whose median counts; the first epoch
    of a run does not.

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
        Other arguments of `train`, but for those that stop a run early or hold rows back.

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
    X, y = as_rows(X, y, settings)
    rows = len(as_targets(y))
    sizes = _checked_sizes(sizes, rows)
    epochs = integer("epochs", epochs, low=1)
    target = None if target_loss is None else real("target_loss", target_loss)
    with run_bar(flag("progress", progress), len(sizes) * (1 + _REPEATS) + (target is None)) as begin:
        if target is None:
            begin("pilot run")
            target = _pilot_loss(X, y, sizes[len(sizes) // 2], epochs, settings)
        runs = []
        for size in sizes:
            begin(f"batch size {size}")
            runs.append(measured_run(X, y, target, batch_size=size, epochs=epochs, **settings))
            _check_target(target, runs[0])
        timed: list[list[float]] = [[] for _ in sizes]
        lengths = [_timed_epochs(X, y, size, settings) for size in sizes]
        for _ in range(_REPEATS):
            for size, length, times in zip(sizes, lengths, timed, strict=True):
                begin(f"timing batch size {size}")
                times.append(_epoch_seconds(X, y, size, length, settings))
    table = []
    for size, run, times in zip(sizes, runs, timed, strict=True):
        steps = math.ceil(rows / size)
        to_target = run.epochs_to(target) * steps
        table.append((size, float(np.median(times)) / steps, to_target, run.lowest, run.diverged))
    return BatchSizeStudy(table, target)


def _checked_sizes(sizes: Any, rows: int) -> list[int]:
    if sizes is None:
        powers = [2**k for k in range(3, 32) if 2**k <= rows / 2]
        thinned = np.linspace(0, len(powers) - 1, min(len(powers), _DEFAULT_SIZES - 1)).round().astype(int)
        return sorted({powers[i] for i in thinned} | {rows})
    if isinstance(sizes, str) or not isinstance(sizes, (Sequence, np.ndarray)):
        raise TypeError(f"sizes must be a sequence of batch sizes, got {sizes!r}")
    checked = [integer(f"sizes[{i}]", size, low=1, high=rows) for i, size in enumerate(sizes)]
    if not checked or len(set(checked)) < len(checked):
        raise ValueError(f"sizes must be one or more batch sizes, each once, got {sizes!r}")
    return sorted(checked)


def _pilot_loss(X: Any, y: Any, size: int, epochs: int, settings: Mapping[str, Any]) -> float:
    run = measured_run(X, y, batch_size=size, epochs=max(1, epochs // _PILOT), **settings)
    if not run.lowest < run.losses[0]:
        raise ValueError(
            f"target_loss is needed, or another learning_rate: a run with batch_size={size} did not lower "
            f"the loss, {run.losses[0]:.4g}"
        )
    return run.lowest


def _check_target(target: float, run: Run) -> None:
    if target >= run.losses[0]:
        raise ValueError(
            f"target_loss must be less than the loss of the initial weights, {run.losses[0]:.4g}; "
            f"got {target:g}"
        )


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
