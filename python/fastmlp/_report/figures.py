"""The figures of a report: interactive ones as plotly's JSON, the network as inline SVG."""

from __future__ import annotations

import html
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp._inspect.metrics import LabelMetrics
from fastmlp._report.html import Html

if TYPE_CHECKING:
    from fastmlp._network.network import Network

_LABEL = 24  # characters of a name beside an axis


def curves(network: Network) -> str:
    """Draw loss and score over the epochs."""
    return _json(network.history.plot(backend="plotly"))


def confusion(metrics: LabelMetrics) -> str:
    """Draw the confusion matrix: counts, coloured by their share of the true class."""
    import plotly.graph_objects as go

    counts = metrics.confusion_matrix()
    names = [_text(label) for label in metrics.classes]
    places = np.arange(len(names))
    matrix = go.Heatmap(
        z=counts / np.maximum(counts.sum(axis=1, keepdims=True), 1),
        x=places,
        y=places,
        text=counts,
        customdata=[[(true, predicted) for predicted in names] for true in names],
        texttemplate="%{text}",
        hovertemplate="true %{customdata[0]}<br>predicted %{customdata[1]}<br>"
        "%{text} rows, %{z:.1%} of the class<extra></extra>",
        colorscale="Blues", zmin=0, zmax=1, xgap=1, ygap=1,
        colorbar={"title": {"text": "share of the true class", "side": "right"}, "tickformat": ".0%"},
    )  # fmt: skip
    figure = go.Figure(matrix)
    ticks = {
        "tickvals": places,
        "ticktext": [_text(label, _LABEL) for label in metrics.classes],
        "automargin": True,
    }
    figure.update_xaxes(title="predicted class", **ticks)
    figure.update_yaxes(title="true class", autorange="reversed", **ticks)
    figure.update_layout(height=max(360, 160 + 26 * len(names)))
    return _json(figure)


def residuals(truth: NDArray[Any], predicted: NDArray[Any], target: str) -> str:
    """Draw predicted over true values, and how far they are apart."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    y, p = truth, predicted
    ends = [float(min(y.min(), p.min())), float(max(y.max(), p.max()))]
    figure = make_subplots(cols=2, horizontal_spacing=0.16)
    points = {
        "mode": "markers", "marker": {"size": 5, "opacity": 0.6, "color": "#1f77b4"}, "name": "row",
        "customdata": np.stack([y, p], axis=1),
        "hovertemplate": "true %{customdata[0]:.6g}<br>predicted %{customdata[1]:.6g}<extra></extra>",
    }  # fmt: skip
    line = {"mode": "lines", "line": {"color": "#888", "width": 1}, "hoverinfo": "skip"}
    figure.add_trace(go.Scatter(x=ends, y=ends, **line), col=1, row=1)
    figure.add_trace(go.Scatter(x=y, y=p, **points), col=1, row=1)
    figure.add_trace(go.Scatter(x=[p.min(), p.max()], y=[0, 0], **line), col=2, row=1)
    figure.add_trace(go.Scatter(x=p, y=p - y, **points), col=2, row=1)
    name = _text(target, _LABEL)
    figure.update_xaxes(title=f"true {name}", col=1, automargin=True)
    figure.update_yaxes(title=f"predicted {name}", col=1, automargin=True)
    figure.update_xaxes(title=f"predicted {name}", col=2, automargin=True)
    figure.update_yaxes(title="predicted - true", col=2, automargin=True)
    figure.update_layout(showlegend=False)
    return _json(figure)


def network_picture(network: Network) -> Html:
    """Draw the network's nodes and edges as an SVG element."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from fastmlp import plot

    figure = Figure(figsize=(9, 5), layout="constrained")
    plot.network(network, ax=figure.subplots())
    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # they would hold addresses and the time
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "network"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser's font may have it
        figure.savefig(stream, format="svg", metadata=nothing)
    svg = stream.getvalue()
    return Html(svg[svg.index("<svg") :])


def _json(figure: Any) -> str:
    """Return a figure as JSON, in the style of the page."""
    figure.update_layout(template="plotly_white", margin={"t": 40, "r": 20}, font={"size": 14})
    return str(figure.to_json(engine="json"))


def _text(value: object, most: int | None = None) -> str:
    """Return a text, cut to so many characters, that plotly shows as it is: it takes some HTML and TeX."""
    return html.escape(shortened(value, most), quote=False).replace("$", "&#36;")
