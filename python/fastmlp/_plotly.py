"""Interactive curves of a history, with plotly."""
# mypy: disable-error-code="import-untyped, import-not-found"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._curves import panels

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLORS = {"training": "#1f77b4", "validation": "#ff7f0e"}


def history_figure(history: Any, metric: Any = None) -> Figure:
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
    try:
        from plotly import graph_objects as go
        from plotly.subplots import make_subplots
    except ImportError:
        raise ImportError("backend 'plotly' needs plotly: pip install 'fastmlp[plot]'") from None
    drawn = panels(history, metric)
    figure = make_subplots(rows=1, cols=len(drawn), horizontal_spacing=0.12)
    named: set[str] = set()
    for column, panel in enumerate(drawn, start=1):
        place = {"row": 1, "col": column}
        lines = [(name, panel.epochs, values, "lines") for name, values in panel.lines.items()]
        value = panel.at_best()
        if value is not None:
            figure.add_vline(panel.best, line={"color": "gray", "width": 1, "dash": "dash"}, **place)
            lines.append((f"best epoch {panel.best}", np.array([panel.best]), np.array([value]), "markers"))
        for name, epochs, values, mode in lines:
            single = np.isfinite(values).sum() == 1
            figure.add_trace(
                go.Scatter(
                    x=epochs,
                    y=values,
                    name=name,
                    mode="markers" if single else mode,
                    legendgroup=name,
                    showlegend=name not in named,
                    marker={"size": 9, "line": {"color": "black", "width": int(mode == "markers")}},
                    line={"color": _COLORS.get(name, _COLORS["validation"])},
                    hovertemplate="%{y:.5g}",
                ),
                **place,
            )
            named.add(name)
        figure.update_xaxes(title_text="epoch", hoverformat="d", **place)
        figure.update_yaxes(title_text=panel.title, type="log" if panel.log else "linear", **place)
    figure.update_layout(
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
    )
    return figure
