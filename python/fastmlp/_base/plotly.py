"""Interactive curves of a history, with plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.curves import Panel, panels
from fastmlp._base.records import Records

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_FEW = 10
_COLORS = {"training": "#1f77b4", "validation": "#ff7f0e"}


def subplots(**layout: Any) -> Figure:
    """Return a figure of one or several parts; see plotly's make_subplots."""
    try:
        from plotly.subplots import make_subplots
    except ImportError:
        raise ImportError("backend 'plotly' needs plotly: pip install 'fastmlp[plot]'") from None
    return make_subplots(**layout)


def history_figure(history: Records, metric: Any = None) -> Figure:
    """Return the curves of `fastmlp.plot.history` as a plotly figure: hover shows epoch and values.

    Parameters
    ----------
    history : History
    metric : "loss", "accuracy", "r2" or None
        As in `fastmlp.plot.history`.

    Returns
    -------
    plotly.graph_objects.Figure
        Without text of the user's. ``to_html(full_html=False)`` makes a part of a page out of it.

    Raises
    ------
    ImportError
        Without plotly.
    TypeError, ValueError
        As `fastmlp.plot.history`.
    """
    drawn = panels(history, metric)
    figure = subplots(rows=1, cols=len(drawn), horizontal_spacing=0.12)
    for column, panel in enumerate(drawn, start=1):
        _add(figure, panel, {"row": 1, "col": column})
    figure.update_layout(
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
    )
    return figure


def _add(figure: Figure, panel: Panel, place: dict[str, int]) -> None:
    from plotly import graph_objects as go

    def add(name: str, x: Any, y: Any, color: str, **style: Any) -> None:
        known = name in {trace.name for trace in figure.data}  # in one legend for all panels
        line = go.Scatter(
            x=x,
            y=y,
            name=name,
            legendgroup=name,
            showlegend=not known,
            line={"color": color},
            hovertemplate="%{y:.5g}",
            **style,
        )
        figure.add_trace(line, **place)

    for name, values in panel.lines.items():
        single = np.isfinite(values).sum() == 1  # a line of one point is not seen
        add(name, panel.epochs, values, _COLORS[name], mode="markers" if single else "lines")
    value = panel.at_best()
    if value is not None:
        ring = {"size": 9, "line": {"color": "black", "width": 1}}
        add(
            f"best epoch {panel.best}",
            [panel.best],
            [value],
            _COLORS["validation"],
            mode="markers",
            marker=ring,
        )
        figure.add_vline(panel.best, line={"color": "gray", "width": 1, "dash": "dash"}, **place)
    ticks = {"dtick": 1} if len(panel.epochs) <= _FEW else {}  # no halves of epochs
    figure.update_xaxes(title_text="epoch", hoverformat="d", **ticks, **place)
    scale = {"type": "log", "dtick": 1} if panel.log else {}  # numbers at powers of 10 alone
    figure.update_yaxes(title_text=panel.title, **scale, **place)
