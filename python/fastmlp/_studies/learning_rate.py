"""The learning rate: too small, useful, too large."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.drawing import new_axes, said_empty
from fastmlp._base.records import Records
from fastmlp._base.validation import dtype_name, flag, integer, real
from fastmlp._native import core as _core
from fastmlp._studies.runs import (
    as_rows,
    check_settings,
    check_target,
    checked_list,
    measured_run,
    with_loss,
    with_seed,
)
from fastmlp._training.progress import run_bar
from fastmlp.spec.optimizers import check_representable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("learning_rate", "loss", "epochs_to_target", "verdict")
_USEFUL_SHARE = 0.9  # of what the best rate lowers the loss by
#: Verdict -> the colour of its region.
_COLORS = {
    "too small (slow)": "#9ecae1",
    "useful": "#a1d99b",
    "too large": "#fdd0a2",
    "diverges": "#fc9272",
}


class LearningRateStudy(Records):
    """A table with one row a learning rate, in increasing order.

    Columns: learning_rate; loss (of all rows after the last epoch, NaN where the run diverged);
    epochs_to_target (NaN where it was not reached); verdict:

    - "useful": reached the target and ended at or below it;
    - "too small (slow)": did not, and is below the best rate, or no rate lowered the loss;
    - "too large": did not, and is above the best rate;
    - "diverges": the loss, or a weight, was no longer finite, or the loss ended above that of the initial
      weights.

    Parameters
    ----------
    rows : iterable of tuples (learning_rate, loss, epochs_to_target, diverged)
    target_loss, start_loss : float
    seed : int, default 0

    Attributes
    ----------
    target_loss : float
        The loss of all rows to reach.
    start_loss : float
        The loss of all rows with the initial weights.
    seed : int
        Of all runs, also where it was drawn.
    """

    def __init__(
        self,
        rows: Iterable[tuple[float, float, float, bool]],
        target_loss: float,
        start_loss: float,
        seed: int = 0,
    ) -> None:
        runs = sorted(rows)
        lowering = [(loss, rate) for rate, loss, _, diverged in runs if not diverged and loss < start_loss]
        best = min(lowering)[1] if lowering else None
        table = []
        for rate, loss, epochs, stopped in runs:
            diverged = stopped or not loss <= start_loss
            useful = not math.isnan(epochs) and loss <= min(target_loss, start_loss) and best is not None
            verdict = "diverges" if diverged else "useful" if useful else _verdict(rate, best)
            judged = math.nan if diverged or best is None else epochs
            table.append((rate, math.nan if diverged else loss, judged, verdict))
        super().__init__(_COLUMNS, table)
        self.target_loss, self.start_loss, self.seed = target_loss, start_loss, seed
        self._best = best

    @property
    def best(self) -> float | None:
        """The rate with the lowest loss, useful or not; None if none lowered that of the initial weights."""
        return self._best

    @property
    def useful(self) -> tuple[float, float] | None:
        """The lowest and the highest of the useful rates around the best one; None if there is none."""
        for verdict, group in groupby(self.rows(), key=lambda row: row[-1]):
            rates = [row[0] for row in group]
            if verdict == "useful" and self.best in rates:
                return rates[0], rates[-1]
        return None

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the last loss over the learning rate, with the verdicts as shades; needs ``fastmlp[plot]``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes
        """
        ax = new_axes(ax)[0]
        rates, losses, verdicts = self["learning_rate"], self["loss"], self["verdict"]
        ax.plot(rates, losses, "o-", color="C0", label="loss after the last epoch")
        ax.set_xscale("log")
        same = bool(np.isclose(self.target_loss, self.start_loss))
        label = "loss of the initial weights" + ", target" * same
        ax.axhline(self.start_loss, color="0.4", linestyle=":", label=label)
        if not same:
            ax.axhline(self.target_loss, color="0.4", linestyle="--", label="target")
        shown = losses[np.isfinite(losses)]
        if not said_empty(ax) and len(shown) and min(*shown, self.target_loss) > 0:
            ax.set_yscale("linear" if np.allclose(shown, shown[0]) else "log")
        if self.best is not None:
            at = int(np.flatnonzero(rates == self.best)[0])
            ax.plot(rates[at], losses[at], "*", color="C3", markersize=14, label=f"best: {self.best:.3g}")
        inner = np.sqrt(rates[1:] * rates[:-1])
        ends = np.concatenate([rates[:1] / 1.5, inner, rates[-1:] * 1.5])
        for name, color in _COLORS.items():
            found = np.flatnonzero(verdicts == name)
            for i in found:
                once = name if i == found[0] else None
                ax.axvspan(ends[i], ends[i + 1], color=color, alpha=0.4, linewidth=0, label=once)
        ax.set_xlim(ends[0], ends[-1])
        ax.set(xlabel="learning rate", ylabel="loss of all rows")
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return ax


def study_learning_rate(
    X: Any,
    y: Any,
    rates: Sequence[float] | None = None,
    *,
    target_loss: float | None = None,
    epochs: int = 50,
    progress: bool = True,
    **settings: Any,
) -> LearningRateStudy:
    """Measure which learning rates are too small, useful, or too large.

    Each rate is trained from the same initial weights for the same number of epochs; the loss of all rows is
    measured after each.

    Parameters
    ----------
    X, y
        As in `train`; in memory.
    rates : sequence of float, optional
        Learning rates greater than 0; by default 13 from 1e-5 to 10, two a decade.
    target_loss : float, optional
        The loss of all rows, with the l2 term, that a useful rate reaches, below that of the initial weights.
        By default 9/10 of the way from there down to the lowest last loss of all rates.
    epochs : int, default 50
    progress : bool, default True
        Show a progress bar where standard error is a terminal and ``fastmlp[cli]`` is installed.
    **settings
        Other arguments of `train`, but for those that stop a run early or hold rows back.

    Returns
    -------
    LearningRateStudy

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.

    References
    ----------
    L. N. Smith, Cyclical learning rates for training neural networks, WACV 2017 (the range test).
    """
    check_settings("study_learning_rate", settings, own=("learning_rate",))
    seed = with_seed(settings)
    X, y = as_rows(X, y, settings)
    settings = with_loss(y, settings)
    rates = np.geomspace(1e-5, 10, 13).tolist() if rates is None else rates
    check = partial(_checked_rate, dtype=dtype_name(settings.get("dtype", "float32")))
    tried = checked_list("rates", rates, "learning rates", check)
    epochs = integer("epochs", epochs, low=1)
    target = None if target_loss is None else real("target_loss", target_loss)
    runs = []
    with run_bar(flag("progress", progress), len(tried)) as begin:
        for rate in tried:
            begin(f"learning rate {rate:.3g}")
            runs.append(measured_run(X, y, learning_rate=rate, epochs=epochs, **settings))
            if target is not None:
                check_target(target, runs[0].losses[0])
    start = runs[0].losses[0]
    if target is None:
        lowest = min((run.losses[-1] for run in runs if not run.diverged), default=start)
        target = start - _USEFUL_SHARE * (start - min(lowest, start))
    rows = [
        (rate, run.losses[-1], run.epochs_to(target), run.diverged)
        for rate, run in zip(tried, runs, strict=True)
    ]
    return LearningRateStudy(rows, target, start, seed)


def _checked_rate(argument: str, rate: Any, dtype: str) -> float:
    options = _core.TrainOptions()
    options.schedule.rate = real(argument, rate, low=0, open_low=True)
    check_representable(options, dtype, (argument, "eps", "clip_norm"))
    return options.schedule.rate


def _verdict(rate: float, best: float | None) -> str:
    """Say on which side of the best rate one lies that is not useful."""
    return "too small (slow)" if best is None or rate <= best else "too large"
