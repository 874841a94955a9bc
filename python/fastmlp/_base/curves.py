"""The curves of a history, ready to be drawn: which there are, thinned, with the best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.records import Records, lowest
from fastmlp._base.validation import choice

#: What can be drawn: the title of its axis, and the columns that hold it.
METRICS: dict[str, tuple[str, dict[str, str]]] = {
    "loss": ("loss", {"training": "loss", "validation": "validation_loss"}),
    "accuracy": (
        "accuracy (share of rows)",
        {"training": "accuracy", "validation": "validation_accuracy"},
    ),
    "r2": ("R²", {"validation": "validation_r2"}),
}

_POINTS = 1000  # a line of more points says no more, and is slow to show


@dataclass(frozen=True)
class Panel:
    """The curves of one metric over the epochs.

    Attributes
    ----------
    title : str
        Of the axis.
    epochs : array of int, (n,)
    lines : dict of str to array, (n,)
        "training" and "validation", as far as there are finite values; NaN where a value is not finite.
    best : int or None
        The epoch with the lowest validation loss.
    log : bool
        Whether the values need a logarithmic scale.
    """

    title: str
    epochs: NDArray[np.int64]
    lines: dict[str, NDArray[np.float64]]
    best: int | None
    log: bool

    def at_best(self) -> float | None:
        """Return the value of the validation rows at the best epoch, None where there is none."""
        if self.best is None or "validation" not in self.lines:
            return None
        value = float(self.lines["validation"][self.epochs == self.best][0])
        return value if np.isfinite(value) else None


def panels(history: Records, metric: Any = None) -> list[Panel]:
    """Return the curves of one metric or, for None, of the loss and of the score if there is one.

    Raises
    ------
    TypeError, ValueError
        If there is no such metric, or the history does not have it.
    """
    measured = [name for name, (_, columns) in METRICS.items() if any(c in history for c in columns.values())]
    if metric is not None:
        choice("metric", metric, METRICS)
        if metric not in measured:
            raise ValueError(f"metric {metric!r} is not in this history, which has {', '.join(measured)}")
        return [_panel(history, metric)]
    if not measured:
        raise ValueError(f"history has nothing to draw, only {', '.join(history.columns)}")
    found = [_panel(history, name) for name in measured]
    return [found[0], *(panel for panel in found[1:] if panel.lines)]


def evenly(count: int, limit: int = _POINTS) -> NDArray[np.int64]:
    """Return at most `limit` of the places 0 .. count - 1, evenly spread, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(np.int64))


def _panel(history: Records, metric: str) -> Panel:
    title, columns = METRICS[metric]
    # The training loss does not tell which epoch is best.
    best = lowest(history["validation_loss"]) if "validation_loss" in history else None
    rows = evenly(len(history))
    if best is not None:
        rows = np.union1d(rows, [best])
    lines = {}
    for name, column in columns.items():
        if column in history:
            values = history[column][rows]
            if np.isfinite(values).any():
                lines[name] = np.where(np.isfinite(values), values, np.nan)
    epochs = history["epoch"]
    log = metric == "loss" and _spans_a_decade(list(lines.values()))
    return Panel(title, epochs[rows], lines, None if best is None else int(epochs[best]), log)


def _spans_a_decade(lines: list[NDArray[np.float64]]) -> bool:
    if not lines:
        return False
    low, high = float(np.nanmin(lines)), float(np.nanmax(lines))
    return low > 0 and high > 10 * low
