"""Curves of several networks over their epochs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fastmlp._base.drawing import integer_ticks, new_axes
from fastmlp._base.plotly import subplots
from fastmlp._base.validation import choice
from fastmlp._model.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_runs(
    histories: Iterable[tuple[str, History]], best: str | None, ax: Axes | None, backend: str
) -> Any:
    """Draw the monitored loss of each history under its name; that of the best one stands out."""
    named = list(histories)
    by = "validation_loss" if any("validation_loss" in history for _, history in named) else "loss"
    curves = [(name, history["epoch"], history[by]) for name, history in named if by in history]
    title = by.replace("_", " ")
    positive = all((values > 0).all() for _, _, values in curves)
    if choice("backend", backend, ("matplotlib", "plotly")) == "plotly":
        if ax is not None:
            raise ValueError("ax must be None for backend 'plotly', which makes a figure of its own")
        return _figure(curves, best, title, positive)
    (axes,) = new_axes(ax, 1, (7, 4))
    for name, epochs, values in curves:
        style = {"color": "C1", "zorder": 3, "label": name} if name == best else {"color": "0.7"}
        axes.plot(epochs, values, marker="o" if len(values) == 1 else "", **style)
    if positive:
        axes.set_yscale("log")
    integer_ticks(axes.xaxis)
    axes.set(xlabel="epoch", ylabel=title)
    if best is not None:
        axes.legend()
    return axes


def _figure(curves: list[Any], best: str | None, title: str, positive: bool) -> Any:
    figure = subplots()
    for name, epochs, values in sorted(curves, key=lambda curve: curve[0] == best):
        line = {"color": "#ff7f0e" if name == best else "#bbbbbb"}
        figure.add_scatter(x=epochs, y=values, name=name, line=line, showlegend=name == best)
    figure.update_layout(
        template="plotly_white",
        xaxis_title="epoch",
        yaxis_title=title,
        yaxis_type="log" if positive else "linear",
    )
    return figure
