"""What was predicted against what is true, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.curves import evenly
from fastmlp._base.drawing import LITERAL, NAMED_TICKS, name_ticks, new_axes, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SMALLEST_FONT = 4.5  # points
_POINTS = 5000  # more would hide each other


def draw_confusion(counts: NDArray[Any], labels: Sequence[object], normalize: bool, ax: Any) -> Axes:
    """Draw a confusion matrix, coloured by the share of the true class, as `fastmlp.plot.confusion` says."""
    shares = counts / np.where(counts.sum(axis=1, keepdims=True) > 0, counts.sum(axis=1, keepdims=True), 1)
    axes = new_axes(ax, size=(9, 6 if len(counts) <= 15 else 8))[0]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.05, pad=0.02)
    for axis in (axes.xaxis, axes.yaxis):
        name_ticks(axis, list(labels))
    axes.set(xlabel="predicted class", ylabel="true class")
    if len(counts) <= NAMED_TICKS:
        numbers, form = (shares, ".2f") if normalize else (counts, "d" if counts.dtype.kind == "i" else ".4g")
        _write(axes, [[f"{number:{form}}" for number in row] for row in numbers], shares)
    return axes


def draw_values(
    truth: NDArray[Any], predicted: NDArray[Any], name: str, ends: NDArray[Any] | None, ax: Any
) -> Axes:
    """Draw predicted over true values, a point a row (of many 5000), with the line where both are equal.

    `ends`, (n, 2), are the outermost quantiles of each row, drawn as a bar.
    """
    axes = new_axes(ax, size=(6.5, 6))[0]
    rows = evenly(len(truth), _POINTS)
    y, p = truth[rows], predicted[rows]
    drawn = np.concatenate([y, p])
    finite = drawn[np.isfinite(drawn)]
    if len(finite):
        axes.plot([finite.min(), finite.max()], [finite.min(), finite.max()], color="0.6", linewidth=1)
    if ends is not None:
        axes.vlines(y, ends[rows, 0], ends[rows, 1], color="C0", alpha=0.3, linewidth=1)
    axes.plot(y, p, "o", color="C0", alpha=0.6, markersize=4, markeredgewidth=0)
    axes.set_xlabel(f"true {shown(name)}".strip(), **LITERAL)
    axes.set_ylabel(f"predicted {shown(name)}".strip(), **LITERAL)
    return axes


def draw_label_scores(precision: NDArray[Any], recall: NDArray[Any], ax: Any) -> Axes:
    """Draw precision and recall of each of several labels, as bars side by side."""
    axes = new_axes(ax)[0]
    places = np.arange(len(precision))
    axes.bar(places - 0.2, precision, 0.4, label="precision")
    axes.bar(places + 0.2, recall, 0.4, label="recall")
    name_ticks(axes.xaxis, places.tolist())
    axes.set(xlabel="label", ylabel="share of rows", ylim=(0, 1.02))
    axes.legend()
    return axes


def _write(ax: Axes, texts: list[list[str]], shares: Any) -> None:
    """Write a number into each cell, as large as fits; none if it could not be read."""
    letters = max(len(text) for row in texts for text in row)
    box = ax.get_window_extent()
    cell = 0.8 * 72 / ax.figure.dpi / len(texts)  # points a pixel; labels and the colour bar take some
    size = min(12, cell * box.width / (0.6 * letters), 0.8 * cell * box.height)
    if size < _SMALLEST_FONT:
        return
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            ink = "white" if shares[i, j] > 0.55 else "black" if shares[i, j] > 0 else "0.7"
            ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=size)
