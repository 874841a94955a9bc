"""The weights of a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import NAMED_TICKS, integer_ticks, name_ticks, new_axes
from fastmlp._base.validation import integer, layer_sizes
from fastmlp._inspect.columns import ColumnGroup, column_groups
from fastmlp._model.model import Model
from fastmlp.plot._axes import check_network, input_names, output_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SEPARATED = 100  # columns; lines between more would hide the weights


def weights(
    net: Model, layer: int = 0, image_shape: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the weights W (inputs, units) of a layer: red above 0, blue below.

    Parameters
    ----------
    net : Network
    layer : int, default 0
        0 reads the columns of X. Where the network has an encoder, the inputs that one column of the table
        has become stand together, those of an embedding too, between lines.
    image_shape : (height, width), optional
        Draw the incoming weights of each unit as an image of this shape; the images stand in rows, unit 0 at
        the top left. By default the matrix is drawn.
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
        If there is no such layer, its inputs do not fill the image, or an argument is wrong.
    """
    check_network(net)
    W = net.weights[integer("layer", layer, low=0, high=len(net.weights) - 1)]
    grouped = layer == 0 and image_shape is None and net.encoder is not None
    groups = column_groups(net) if grouped else []
    if groups:
        W = W[[i for group in groups for i in group.inputs]]
    picture = W if image_shape is None else _mosaic(W, _checked_shape(image_shape, len(W)))
    finite = np.abs(W[np.isfinite(W)])
    largest = float(finite.max()) if finite.any() else 1.0

    ax = new_axes(ax, size=(9, 5) if image_shape is None else (9, 7))[0]
    image = ax.imshow(
        np.ma.masked_invalid(picture),
        cmap="RdBu_r",
        vmin=-largest,
        vmax=largest,
        aspect="auto" if image_shape is None else "equal",
    )
    ax.figure.colorbar(image, ax=ax, label="weight")
    if image_shape is None:
        _name_matrix(ax, net, layer, groups)
    else:
        _name_mosaic(ax, W.shape[1], image_shape)
    return ax


def _name_matrix(ax: Axes, net: Model, layer: int, groups: Sequence[ColumnGroup]) -> None:
    ax.set(xlabel="unit", ylabel="input")
    inputs = input_names(net) if layer == 0 else ()
    if groups:
        inputs = tuple(inputs[i] for group in groups for i in group.inputs)
    units = output_names(net) if layer == len(net.weights) - 1 else ()
    for axis, names, count in zip(
        (ax.yaxis, ax.xaxis), (inputs, units), net.weights[layer].shape, strict=True
    ):
        if names or count <= NAMED_TICKS // 2:
            name_ticks(axis, names or range(count))
        else:
            integer_ticks(axis)
    if groups:
        _separate(ax, groups, named=len(inputs) > NAMED_TICKS)


def _separate(ax: Axes, groups: Sequence[ColumnGroup], named: bool) -> None:
    """Draw lines between the columns of a table and, where the inputs are too many to be named, name them."""
    ends = np.cumsum([len(group.inputs) for group in groups])
    if len(groups) <= _SEPARATED:
        for end in ends[:-1]:
            ax.axhline(end - 0.5, color="black", linewidth=0.8)
    if named:
        starts = np.concatenate([[0], ends[:-1]])
        ax.set_ylabel("column")
        name_ticks(ax.yaxis, [group.name for group in groups], ((starts + ends - 1) / 2).tolist())


def _checked_shape(image_shape: Any, inputs: int) -> tuple[int, int]:
    shape = layer_sizes("image_shape", image_shape)
    if len(shape) != 2 or shape[0] * shape[1] != inputs:
        raise ValueError(
            f"image_shape must be (height, width) of {inputs} pixels, the inputs of the layer; "
            f"got {image_shape!r}"
        )
    return shape[0], shape[1]


def _mosaic(W: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Put the images of the units beside each other, one pixel apart."""
    height, width = shape
    units = W.shape[1]
    columns = _columns(units, shape)
    rows = -(-units // columns)
    tiles = np.full((rows * columns, height + 1, width + 1), np.nan)
    tiles[:units, :-1, :-1] = W.T.reshape(units, height, width)
    grid = tiles.reshape(rows, columns, height + 1, width + 1).swapaxes(1, 2)
    return grid.reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]


def _columns(units: int, shape: tuple[int, int]) -> int:
    """Return how many images in a row make the mosaic about square."""
    height, width = shape
    return min(units, max(1, round(math.sqrt(units * (height + 1) / (width + 1)))))


def _name_mosaic(ax: Axes, units: int, shape: tuple[int, int]) -> None:
    """Write numbers beside the images: the unit is the number at the left plus the one below."""
    height, width = shape
    across = _columns(units, shape)
    down = -(-units // across)
    for axis, count, pixels, name in (
        (ax.xaxis, across, width, "+{}".format),
        (ax.yaxis, down, height, lambda row: str(row * across)),
    ):
        places = range(0, count, -(-count // (NAMED_TICKS // 2)))
        centres = [place * (pixels + 1) + (pixels - 1) / 2 for place in places]
        axis.set_ticks(centres, labels=list(map(name, places)))
    ax.set(
        xlabel="unit", ylabel="unit", title=f"incoming weights of {units} units, {height} x {width} inputs"
    )
