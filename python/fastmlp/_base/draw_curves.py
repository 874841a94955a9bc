"""Curves over the epochs, drawn with matplotlib or plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.curves import Panel, panels
from fastmlp._base.drawing import integer_ticks, new_axes
from fastmlp._base.plotly import history_figure
from fastmlp._base.records import Records
from fastmlp._base.validation import choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {"training": "C0", "validation": "C1"}


def draw_curves(
    history: Records, metric: str | None = None, ax: Axes | None = None, backend: str = "matplotlib"
) -> Any:
    """Draw the curves of a history, as `fastmlp.plot.history` says."""
    if choice("backend", backend, ("matplotlib", "plotly")) == "plotly":
        if ax is not None:
            raise ValueError("ax must be None for backend 'plotly', which makes a figure of its own")
        return history_figure(history, metric)
    drawn = panels(history, metric)[: None if ax is None else 1]
    axes = new_axes(ax, len(drawn), (9, 3.8))
    for one, panel in zip(axes, drawn, strict=True):
        _draw(one, panel)
    return axes[0]


def _draw(ax: Axes, panel: Panel) -> None:
    for name, values in panel.lines.items():
        dot = "o" if np.isfinite(values).sum() == 1 else ""  # a line of one point is not seen
        ax.plot(panel.epochs, values, color=_COLORS[name], marker=dot, label=name)
    value = panel.at_best()
    if panel.best is not None and value is not None:
        ax.axvline(panel.best, color="0.4", linestyle="--", linewidth=1)
        label = f"best epoch {panel.best}: {value:.4g}"
        ax.plot(panel.best, value, "o", color=_COLORS["validation"], markeredgecolor="black", label=label)
    if panel.log:
        ax.set_yscale("log")
    integer_ticks(ax.xaxis)
    ax.set(xlabel="epoch", ylabel=panel.title)
    if panel.lines:
        ax.legend()
