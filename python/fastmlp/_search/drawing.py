"""Pictures of a search: the value of each trial with the best so far, and what matters."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import integer_ticks, name_ticks, new_axes, said_empty
from fastmlp._base.plotly import subplots
from fastmlp._base.text import shortened
from fastmlp._search.trials import COMPLETE, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from plotly.graph_objects import Figure

_COMPLETE, _OTHERS, _BEST = "#1f77b4", "#b0b0b0", "#d62728"
_LABEL = 24  # characters of a name


@dataclass(frozen=True)
class Values:
    """What is drawn over the trials; NaN where a value is not finite.

    Attributes
    ----------
    numbers : array of int, (n,)
    complete, others : array, (n,)
        The values of trials that were trained to their ends, and of those that were not.
    best : array, (n,)
        The best value of complete trials so far.
    log : bool
    metric : "loss" or "score"
    parameters : list of dict
    """

    numbers: NDArray[np.int64]
    complete: NDArray[np.float64]
    others: NDArray[np.float64]
    best: NDArray[np.float64]
    log: bool
    metric: str
    parameters: list[dict[str, Any]]

    @classmethod
    def of(cls, trials: Sequence[Trial], metric: str) -> Values:
        """Return the values of some trials."""
        heights = np.array([getattr(trial, metric) for trial in trials], np.float64)
        heights = np.where(np.isfinite(heights), heights, np.nan)
        is_complete = np.array([trial.state == COMPLETE for trial in trials], np.bool_)
        complete = np.where(is_complete, heights, np.nan)
        best = (np.fmin if metric == "loss" else np.fmax).accumulate(complete) if len(trials) else complete
        shown = heights[~np.isnan(heights)]
        log = metric == "loss" and len(shown) > 0 and 0 < 10 * shown.min() < shown.max()
        others = np.where(is_complete, np.nan, heights)
        parameters = [trial.parameters for trial in trials]
        return cls(np.arange(len(heights)), complete, others, best, bool(log), metric, parameters)

    @property
    def title(self) -> str:
        """What the axis of the values is called."""
        return f"{self.metric} of rows held back"


def draw(values: Values, found: dict[str, float], ax: Axes | None) -> Axes:
    """Draw the values, and the importances where a figure of its own is made."""
    axes = new_axes(ax, 2, (11, 4))
    first = axes[0]
    first.plot(values.numbers, values.others, "o", color=_OTHERS, markersize=4, label="not to the end")
    first.plot(values.numbers, values.complete, "o", color=_COMPLETE, markersize=5, label="complete")
    first.plot(values.numbers, values.best, color=_BEST, drawstyle="steps-post", label="best so far")
    if not said_empty(first):
        first.set_yscale("log" if values.log else "linear")
    integer_ticks(first.xaxis)
    first.set(xlabel="trial", ylabel=values.title)
    first.legend()
    if len(axes) > 1:
        _draw_importances(axes[1], found)
    return first


def _draw_importances(ax: Axes, found: dict[str, float]) -> None:
    if not found:
        ax.text(0.5, 0.5, "too few trials", transform=ax.transAxes, ha="center", va="center")
        ax.set_axis_off()
        return
    ax.barh(range(len(found)), list(found.values()), color=_COMPLETE)
    ax.invert_yaxis()
    name_ticks(ax.yaxis, list(found))
    ax.set(xlabel="importance", xlim=(0, 1))


def figure(values: Values, found: dict[str, float]) -> Figure:
    """Return both as a plotly figure."""
    both = subplots(rows=1, cols=2 if found else 1, column_widths=[0.65, 0.35] if found else None)
    add_history(both, values, {"row": 1, "col": 1})
    if found:
        add_importances(both, found, {"row": 1, "col": 2})
    both.update_layout(
        template="plotly_white",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
    )
    return both


def add_history(figure: Figure, values: Values, place: dict[str, int] | None = None) -> None:
    """Add the values of the trials; hover shows the parameters."""
    from plotly import graph_objects as go

    place = place or {}
    texts = [
        "<br>".join(_text(f"{name}: {_short(value)}") for name, value in parameters.items())
        for parameters in values.parameters
    ]
    shown = (("not to the end", values.others, _OTHERS), ("complete", values.complete, _COMPLETE))
    for name, heights, color in shown:
        points = go.Scatter(
            x=values.numbers, y=heights, name=name, mode="markers", marker={"color": color}, text=texts,
            hovertemplate="trial %{x}: %{y:.5g}<br>%{text}<extra></extra>",
        )  # fmt: skip
        figure.add_trace(points, **place)
    line = {"color": _BEST, "shape": "hv"}
    best = go.Scatter(
        x=values.numbers, y=values.best, name="best so far", mode="lines", line=line, hoverinfo="skip"
    )
    figure.add_trace(best, **place)
    figure.update_xaxes(title_text="trial", **place)
    scale = {"type": "log", "dtick": 1} if values.log else {}  # numbers at powers of 10 alone
    figure.update_yaxes(title_text=values.title, **scale, **place)


def add_importances(figure: Figure, found: dict[str, float], place: dict[str, int] | None = None) -> None:
    """Add a bar a parameter, the largest at the top."""
    from plotly import graph_objects as go

    place = place or {}
    bars = go.Bar(
        x=list(found.values()), y=list(range(len(found))), orientation="h", marker={"color": _COMPLETE},
        customdata=[_text(name) for name in found], showlegend=False,
        hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_trace(bars, **place)
    figure.update_xaxes(title_text="importance", range=[0, 1], **place)
    names = [_text(shortened(name, _LABEL)) for name in found]
    figure.update_yaxes(
        tickvals=list(range(len(found))), ticktext=names, autorange="reversed", automargin=True, **place
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(value: str) -> str:
    """Return a text that plotly shows as it is: it takes some HTML and TeX."""
    return html.escape(value, quote=False).replace("$", "&#36;")
