"""Pictures as inline SVG. No text of the user's is in them: names stand in the HTML around them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._report._html import Html

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastmlp._history import History

_POINTS = 1000  # a picture of more points says no more, and is slow to show
_HEIGHT = 3.2


def curves(history: History) -> Html:
    """Draw the losses over the epochs and, where it was measured, accuracy or R2 on the validation rows."""
    scores = {"validation_accuracy": "validation accuracy", "validation_r2": "validation R2"}
    name = next((name for name in scores if name in history), None)
    figure, axes = _subplots(1 if name is None else 2)
    rows = _evenly(len(history))
    epochs = history["epoch"][rows]
    for column, title in {"loss": "loss", "validation_loss": "validation loss"}.items():
        if column in history:
            axes[0].plot(epochs, history[column][rows], label=title)
    losses = history["loss"]
    if len(losses) and losses.min() > 0:
        axes[0].set_yscale("log")
    axes[0].set(xlabel="epoch", ylabel="loss")
    axes[0].legend()
    if name is not None:
        axes[1].plot(epochs, history[name][rows], color="C1")
        axes[1].set(xlabel="epoch", ylabel=scores[name])
    return _svg(figure, "curves")


def residuals(truth: NDArray[Any], predicted: NDArray[Any]) -> Html:
    """Draw predicted over true values, and how far they are apart."""
    figure, axes = _subplots(2)
    rows = _evenly(len(truth))
    y, p = truth[rows], predicted[rows]
    ends = [float(min(y.min(), p.min())), float(max(y.max(), p.max()))]
    axes[0].plot(ends, ends, color="0.6", linewidth=1)
    axes[0].plot(y, p, ".", markersize=3, alpha=0.6)
    axes[0].set(xlabel="true", ylabel="predicted")
    axes[1].axhline(0, color="0.6", linewidth=1)
    axes[1].plot(p, p - y, ".", markersize=3, alpha=0.6)
    axes[1].set(xlabel="predicted", ylabel="predicted - true")
    return _svg(figure, "residuals")


def _subplots(columns: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * columns, _HEIGHT), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)
    for axis in axes[0]:
        axis.locator_params(axis="x", nbins=5)  # more numbers as long as 600000 would run into each other
    return figure, list(axes[0])


def _evenly(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, _POINTS)).round().astype(np.int64))


def _svg(figure: Figure, name: str) -> Html:
    """Return a figure as an SVG element; the name makes its ids differ from those of other pictures."""
    import matplotlib as mpl

    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # they would hold addresses and the time
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata=nothing)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    for mark in (' id="', "url(#", 'href="#'):
        svg = svg.replace(mark, f"{mark}{name}-")
    return Html(svg)
