"""Nodes and edges of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import LITERAL, new_axes, shown
from fastmlp._model.model import Model
from fastmlp.plot._axes import check_network, input_names, output_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NODES = 16  # of a layer; of a wider one the first and the last half
_WIDEST = 3.0  # points
_POSITIVE, _NEGATIVE = "C3", "C0"


def network(net: Model, ax: Axes | None = None) -> Axes:
    """Draw the units of a network as nodes and its weights as edges.

    An edge is the wider, the larger its ``|weight|`` is, in proportion to the largest weight drawn; red
    above 0, blue below. Of layers wider than 16 the first and the last 8 units are drawn.

    Parameters
    ----------
    net : Network
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
        Its lines and texts are in units of layers (x) and nodes (y).

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        If net is no network.
    """
    check_network(net)
    ax = new_axes(ax, size=(9, 5.5))[0]
    sizes = [len(net.weights[0]), *net.layer_sizes[1:]]
    kept = [_shown_units(size) for size in sizes]
    heights = [_heights(size, len(units)) for size, units in zip(sizes, kept, strict=True)]
    largest = _draw_edges(ax, net, kept, heights)
    for x, (size, ys) in enumerate(zip(sizes, heights, strict=True)):
        ax.plot(np.full(len(ys), x), ys, "o", color="white", markeredgecolor="black", markersize=9, zorder=3)
        if len(ys) < size:
            ax.text(x, 0, "…", rotation=90, ha="center", va="center", fontsize=16)
    _write_names(ax, net, kept, heights)
    _write_columns(ax, net, sizes)
    _explain(ax, largest)
    top = max(float(ys.max()) for ys in heights) + 0.6
    ax.set(xlim=(-0.25, len(sizes) - 0.75), ylim=(-top, top))
    ax.set_axis_off()
    return ax


def _shown_units(size: int) -> NDArray[np.int64]:
    if size <= _NODES:
        return np.arange(size)
    return np.concatenate([np.arange(_NODES // 2), np.arange(size - _NODES // 2, size)])


def _heights(size: int, drawn: int) -> NDArray[Any]:
    """Return where the nodes of a layer stand, the first at the top, with a gap where some are left out."""
    ys = (drawn - 1) / 2 - np.arange(drawn)
    return ys if drawn == size else ys + np.where(ys > 0, 0.5, -0.5)


def _draw_edges(
    ax: Axes, net: Model, kept: Sequence[NDArray[np.int64]], heights: Sequence[NDArray[Any]]
) -> float:
    """Draw the edges, the strongest on top, and return the largest ``|weight|`` among them."""
    from matplotlib.collections import LineCollection

    drawn = [
        np.nan_to_num(W[np.ix_(before, after)].astype(np.float64), posinf=0, neginf=0)
        for W, before, after in zip(net.weights, kept[:-1], kept[1:], strict=True)
    ]
    largest = max(float(np.abs(W).max()) for W in drawn)
    for x, W in enumerate(drawn):
        left, right = np.meshgrid(heights[x], heights[x + 1], indexing="ij")
        ends = np.stack([np.full(W.shape, x), left, np.full(W.shape, x + 1), right], axis=-1).reshape(
            -1, 2, 2
        )
        strength = np.abs(W).ravel() / (largest or 1.0)
        order = np.argsort(strength, kind="stable")
        colors = np.where(W.ravel() > 0, _POSITIVE, _NEGATIVE)[order]
        ax.add_collection(
            LineCollection(
                list(ends[order]),
                colors=colors.tolist(),
                linewidths=_WIDEST * strength[order],
                alpha=0.4 + 0.6 * strength[order],
            )
        )
    return largest


def _write_names(
    ax: Axes, net: Model, kept: Sequence[NDArray[np.int64]], heights: Sequence[NDArray[Any]]
) -> None:
    """Write the names of inputs and outputs beside them: x0, x1, .. and y0, y1, .. if they are not known."""
    last = len(kept) - 1
    for x, names, letter, side in ((0, input_names(net), "x", -1), (last, output_names(net), "y", 1)):
        for unit, y in zip(kept[x], heights[x], strict=True):
            ax.annotate(
                shown(names[unit]) if names else f"{letter}{unit}",
                (x, float(y)),
                xytext=(9 * side, 0),
                textcoords="offset points",
                ha="right" if side < 0 else "left",
                va="center",
                fontsize=8,
                **LITERAL,
            )


def _write_columns(ax: Axes, net: Model, sizes: Sequence[int]) -> None:
    """Write below each layer how many units it has, and its activation."""
    activations = ["", *net.activations, net.output_activation]
    kinds = ["inputs", *["units"] * len(net.activations), "outputs"]
    style: dict[str, Any] = {
        "ha": "center",
        "va": "top",
        "fontsize": 9,
        "transform": ax.get_xaxis_transform(),
    }
    if len(sizes) > 9:
        style |= {"rotation": 90, "fontsize": 7}
    for x, (size, kind, activation) in enumerate(zip(sizes, kinds, activations, strict=True)):
        ax.text(x, 0, f"{size} {kind if size != 1 else kind[:-1]}\n{activation}".rstrip(), **style)


def _explain(ax: Axes, largest: float) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_POSITIVE, linewidth=_WIDEST, label="weight > 0"),
        Line2D([], [], color=_NEGATIVE, linewidth=_WIDEST, label="weight < 0"),
    ]
    title = f"width: |weight|, {largest:.3g} the widest"
    ax.legend(
        handles=handles, title=title, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False
    )
