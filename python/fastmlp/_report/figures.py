"""The figures of a report: interactive ones as plotly's JSON, the network as inline SVG.

Their colours suit light and dark pages; the page's script sets those of text and axes.
"""

from __future__ import annotations

import html
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.curves import evenly
from fastmlp._base.text import shortened
from fastmlp._inspect.importance import Importances
from fastmlp._inspect.metrics import LabelMetrics
from fastmlp._inspect.scores import Calibration, Curve
from fastmlp._report.html import Html
from fastmlp._report.numbers import written
from fastmlp._search.drawing import Values, add_history, add_importances

if TYPE_CHECKING:
    from fastmlp._network.network import Network
    from fastmlp._search.result import Search

_LABEL = 24  # characters of a name beside an axis
_POINTS = 400  # of a curve
_HEIGHT = 360
_BLUE, _GRAY = "#3b8bc4", "#888888"
_SHADES = [[0, "rgba(59,139,196,0)"], [1, "rgba(59,139,196,0.9)"]]
_REFERENCE: dict[str, Any] = {
    "mode": "lines", "line": {"color": _GRAY, "width": 1, "dash": "dash"}, "hoverinfo": "skip",
    "showlegend": False,
}  # fmt: skip


def curves(network: Network, metric: str) -> str:
    """Draw the loss or the score over the epochs."""
    return _json(network.history.plot(metric, backend="plotly"))


def confusion(metrics: LabelMetrics, classes: NDArray[np.int64]) -> str:
    """Draw the confusion matrix of some classes: counts, coloured by their share of the true class."""
    import plotly.graph_objects as go

    matrix = metrics.confusion_matrix()
    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)[classes]
    counts = matrix[np.ix_(classes, classes)]
    names = [_text(metrics.classes[i]) for i in classes]
    places = np.arange(len(names))
    figure = go.Figure(
        go.Heatmap(
            z=counts / totals,
            x=places,
            y=places,
            text=[["" if count == 0 else written(count) for count in row] for row in counts],
            customdata=[
                [(true, predicted, written(count)) for predicted, count in zip(names, row, strict=True)]
                for true, row in zip(names, counts, strict=True)
            ],
            texttemplate="%{text}",
            hovertemplate="true %{customdata[0]}<br>predicted %{customdata[1]}<br>"
            "%{customdata[2]} rows, %{z:.1%} of the class<extra></extra>",
            colorscale=_SHADES, zmin=0, zmax=1, xgap=1, ygap=1,
            colorbar={"title": {"text": "share of the true class", "side": "right"}, "tickformat": ".0%"},
        )
    )  # fmt: skip
    ticks = {"tickvals": places, "ticktext": [_text(metrics.classes[i], _LABEL) for i in classes]}
    figure.update_xaxes(title="predicted class", automargin=True, showgrid=False, zeroline=False, **ticks)
    figure.update_yaxes(
        title="true class", automargin=True, showgrid=False, zeroline=False, autorange="reversed", **ticks
    )
    return _json(figure, max(_HEIGHT, 160 + 26 * len(names)))


def roc(curves: dict[str, Curve], at: tuple[float, float] | None = None) -> str:
    """Draw true over false positive rates; `at` is the point that follows the threshold."""
    axes = ("false positive rate", "true positive rate")
    return _rates(curves, axes, "AUC", ([0, 1], [0, 1]), at)


def precision_recall(curves: dict[str, Curve], share: float, at: tuple[float, float] | None = None) -> str:
    """Draw precision over recall, beside that of a constant: the share of positive rows."""
    return _rates(curves, ("recall", "precision"), "AP", ([0, 1], [share, share]), at)


def _rates(
    curves: dict[str, Curve],
    axes: tuple[str, str],
    area: str,
    reference: tuple[list[float], list[float]],
    at: tuple[float, float] | None,
) -> str:
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=reference[0], y=reference[1], **_REFERENCE))
    for name, curve in curves.items():
        kept = evenly(len(curve.x), _POINTS)
        figure.add_scatter(
            x=curve.x[kept].astype(np.float32),
            y=curve.y[kept].astype(np.float32),
            mode="lines",
            name=f"{_text(name, _LABEL)} ({area} {curve.area:.3f})",
            hovertemplate=f"{axes[0]} %{{x:.3f}}<br>{axes[1]} %{{y:.3f}}<extra></extra>",
            **({"line": {"color": _BLUE}} if len(curves) == 1 else {}),
        )
    if at is not None:
        figure.add_scatter(
            x=[at[0]],
            y=[at[1]],
            mode="markers",
            name="threshold",
            marker={"size": 12, "color": "#e8743b", "line": {"width": 1, "color": _GRAY}},
            hovertemplate=f"at the threshold<br>{axes[0]} %{{x:.3f}}<br>{axes[1]} %{{y:.3f}}<extra></extra>",
        )
    figure.update_xaxes(title=axes[0], range=[-0.02, 1.02])
    figure.update_yaxes(title=axes[1], range=[-0.02, 1.05])
    figure.update_layout(showlegend=len(curves) > 1, legend={"orientation": "h", "y": -0.25})
    return _json(figure, _HEIGHT + (24 * len(curves) if len(curves) > 1 else 0))


def calibration(found: Calibration, probability: str) -> str:
    """Draw what came true over what was predicted; points are as large as their groups."""
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], **_REFERENCE))
    figure.add_scatter(
        x=found.predicted,
        y=found.observed,
        customdata=found.rows,
        mode="lines+markers",
        line={"color": _BLUE},
        marker={"size": 6 + 14 * np.sqrt(found.rows / found.rows.max())},
        hovertemplate="predicted %{x:.3f}<br>came true %{y:.3f}<br>%{customdata} rows<extra></extra>",
    )
    figure.update_xaxes(title=f"predicted {probability}", range=[-0.04, 1.04])
    figure.update_yaxes(title="share that came true", range=[-0.04, 1.08])
    figure.update_layout(showlegend=False)
    return _json(figure)


def importances(found: Importances, most: int) -> str:
    """Draw the rise of the error when a column is dealt out anew, the largest at the top."""
    import plotly.graph_objects as go

    names = [_text(name, _LABEL) for name in found.names[:most]]
    places = np.arange(len(names))
    figure = go.Figure(
        go.Bar(
            x=found.means[:most],
            y=places,
            orientation="h",
            customdata=[_text(name) for name in found.names[:most]],
            error_x={"type": "data", "array": found.deviations[:most], "color": _GRAY},
            marker={"color": _BLUE},
            hovertemplate=f"%{{customdata}}<br>{found.error} %{{x:+.3g}}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"rise of the {found.error}")
    figure.update_yaxes(
        tickvals=places, ticktext=names, autorange="reversed", automargin=True, showgrid=False, zeroline=False
    )
    return _json(figure, 110 + 26 * len(names))


def search_history(search: Search) -> str:
    """Draw the value of each trial and the best so far."""
    import plotly.graph_objects as go

    figure = go.Figure()
    add_history(figure, Values.of(search.trials, search.metric))
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return _json(figure, _HEIGHT + 40)


def search_importances(found: dict[str, float]) -> str:
    """Draw how much each parameter of a search explains."""
    import plotly.graph_objects as go

    figure = go.Figure()
    add_importances(figure, found)
    return _json(figure, 110 + 26 * len(found))


def predicted_over_true(truth: NDArray[Any], predicted: NDArray[Any], target: str) -> str:
    """Draw predicted over true values."""
    ends = [float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))]
    name = _text(target, _LABEL)
    return _points(truth, predicted, truth, predicted, (ends, ends), (f"true {name}", f"predicted {name}"))


def residuals(truth: NDArray[Any], predicted: NDArray[Any], target: str) -> str:
    """Draw how far predicted values are from the true ones."""
    ends = [float(predicted.min()), float(predicted.max())]
    titles = (f"predicted {_text(target, _LABEL)}", "predicted - true")
    return _points(predicted, predicted - truth, truth, predicted, (ends, [0, 0]), titles)


def _points(
    x: NDArray[Any],
    y: NDArray[Any],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    line: tuple[list[float], list[float]],
    titles: tuple[str, str],
) -> str:
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=line[0], y=line[1], **_REFERENCE))
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"size": 5, "opacity": 0.6, "color": _BLUE},
        customdata=np.stack([truth, predicted], axis=1),
        hovertemplate="true %{customdata[0]:.4g}<br>predicted %{customdata[1]:.4g}<extra></extra>",
    )
    figure.update_xaxes(title=titles[0], automargin=True)
    figure.update_yaxes(title=titles[1], automargin=True)
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
        figure.savefig(stream, format="svg", metadata=nothing, transparent=True)
    svg = stream.getvalue()
    return Html(svg[svg.index("<svg") :])


def _json(figure: Any, height: int = _HEIGHT) -> str:
    """Return a figure as JSON, in the style of the page."""
    figure.update_layout(
        template=None,
        height=height,
        margin={"t": 40, "r": 20, "l": 60, "b": 50},
        font={"size": 14},
        separators=".,",
    )
    return str(figure.to_json(engine="json"))


def _text(value: object, most: int | None = None) -> str:
    """Return a text, cut to so many characters, that plotly shows as it is: it takes some HTML and TeX."""
    return html.escape(shortened(value, most), quote=False).replace("$", "&#36;")
