"""The confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.drawing import new_axes
from fastmlp._base.validation import features_and_target, flag, same_length
from fastmlp._inspect.metrics import label_metrics
from fastmlp._model.model import Model
from fastmlp._rows.targets import as_targets, class_numbers
from fastmlp.plot._axes import NAMED_TICKS, check_network, name_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SMALLEST_FONT = 4.5  # points


def confusion(net: Model, X: Any, y: Any, normalize: bool = False, ax: Axes | None = None) -> Axes:
    """Draw which classes a network takes for which: rows are true classes, columns predicted ones.

    The colour of a cell is its share of the rows of its true class. The number is written in it, for 30
    classes at the most.

    Parameters
    ----------
    net : Network
        One that predicts one label for each row.
    X : array_like, (n, inputs)
    y : array_like, (n,)
        True labels, or the name of a column of X.
    normalize : bool, default False
        Write the shares rather than the numbers of rows.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        If the network does not predict labels, y has others, or an argument is wrong.
    """
    check_network(net)
    if net.classes is None:
        raise ValueError(f"confusion needs a network that predicts one label for each row, got {net!r}")
    normalize = flag("normalize", normalize)
    X, y = features_and_target(X, y)
    y, predicted = as_targets(y), net.predict(X)
    if y.ndim != 1 or not len(y):
        raise ValueError(f"y must be labels of shape (n,), n at least 1; got shape {y.shape}")
    same_length("y", len(y), len(predicted))
    truth = net.classes[class_numbers(y, net.classes)]
    counts = label_metrics(truth, predicted, net.classes).confusion_matrix()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    ax = new_axes(ax, size=(9, 6 if len(counts) <= 15 else 8))[0]
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    ax.figure.colorbar(image, ax=ax, label="share of the true class", fraction=0.05, pad=0.02)
    for axis in (ax.xaxis, ax.yaxis):
        name_ticks(axis, list(net.classes))
    ax.set(xlabel="predicted class", ylabel="true class")
    if len(counts) <= NAMED_TICKS:
        _write(ax, [[f"{share:.2f}" for share in row] for row in shares] if normalize else counts, shares)
    return ax


def _write(ax: Axes, numbers: Any, shares: Any) -> None:
    """Write a number into each cell, as large as fits; none if it could not be read."""
    texts = [[str(number) for number in row] for row in numbers]
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
