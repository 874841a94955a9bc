"""The loss around a network, over two directions in the space of its parameters."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import new_axes
from fastmlp._base.validation import integer, real
from fastmlp._model.model import Model
from fastmlp._native import threads as _threads
from fastmlp._rows.features import core_form
from fastmlp.plot._axes import check_network, levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOG_RANGE = 100  # the ratio of the largest to the smallest loss from which on levels are logarithmic

Floats = NDArray[np.float64]


def loss_landscape(
    net: Model,
    X: Any,
    y: Any,
    span: float = 1.0,
    resolution: int = 25,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the loss over two random directions around the network's parameters.

    ``loss(p + a d1 + b d2)``, a and b from -span to span. The numbers of d1 and d2 are normal; then the part
    of each unit (its incoming weights and its bias) and of each row of an embedding is scaled to the length
    that it has in p, so that a step of 1 is as large as the weights themselves.

    Parameters
    ----------
    net : Network
        Is not changed.
    X, y
        As in `Network.loss_and_gradient`, or y the name of a column of X. The loss of all rows is evaluated
        ``resolution**2`` times: give a part of many rows.
    span : float, default 1
    resolution : int, default 25
        Steps along each direction; an odd number has the network itself among them.
    seed : int, default 0
        Chooses the directions.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
        Losses that are not finite are left white.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        If an argument is wrong, or no loss is finite.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, Visualizing the Loss Landscape of Neural Nets,
    NeurIPS 2018.
    """
    check_network(net)
    span = real("span", span, low=0, open_low=True)
    resolution = integer("resolution", resolution, low=2, high=1000)
    rng = np.random.default_rng(integer("seed", seed, low=0))
    steps = np.linspace(-span, span, resolution)
    here, losses = _losses(net, X, y, steps, (_direction(net, rng), _direction(net, rng)))
    if not np.isfinite(losses).any():
        raise ValueError(
            "the loss is finite nowhere in the picture: the network has diverged, or span is too large"
        )

    ax = new_axes(ax, size=(9, 6.5))[0]
    _draw(ax, steps, losses)
    label = f"the network: loss {here:.4g}"
    ax.plot(0, 0, "*", color="red", markeredgecolor="white", markersize=16, linestyle="", label=label)
    unit = "(1: as long as the unit's weights)"
    ax.set(xlabel=f"step along direction 1 {unit}", ylabel=f"step along direction 2 {unit}", aspect="equal")
    ax.legend(loc="upper right")
    return ax


def _direction(net: Model, rng: np.random.Generator) -> Floats:
    """Return a random direction, laid out as the parameters, each unit's part as long as the unit's own."""
    direction = rng.standard_normal(net.n_parameters)
    parts = net._views(direction)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # of weights that are not finite; nor are the losses then
        for W, b, weights, biases in zip(net.weights, net.biases, parts.weights, parts.biases, strict=True):
            scale = _lengths(np.vstack([W, b]), 0) / _lengths(np.vstack([weights, biases]), 0)
            weights *= scale
            biases *= scale
        for E, table in zip(net.tables, parts.tables, strict=True):
            table *= (_lengths(E, 1) / _lengths(table, 1))[:, np.newaxis]
    return direction


def _lengths(parts: NDArray[Any], axis: int) -> Floats:
    return np.asarray(np.linalg.norm(parts.astype(np.float64), axis=axis))


def _losses(
    net: Model, X: Any, y: Any, steps: Floats, directions: tuple[Floats, Floats]
) -> tuple[float, Floats]:
    """Return the loss of the network, and those around it, (second direction, first direction)."""
    moved = copy.copy(net)  # with parameters of its own
    rows, targets, _ = net._checked_rows(X, y, None)
    batch = moved._core.full_batch(
        core_form(rows), targets.labels, targets.values, None, _threads.resolve(None)
    )

    def loss(parameters: NDArray[Any]) -> float:
        moved.parameters = parameters
        return batch.loss_and_gradient()[0]

    start = net.parameters.astype(np.float64)
    first, second = directions
    with np.errstate(over="ignore", invalid="ignore"):  # losses that are not finite are not drawn
        losses = np.array([[loss(start + a * first + b * second) for a in steps] for b in steps])
        return loss(start), losses


def _draw(ax: Axes, steps: Floats, losses: Floats) -> None:
    from matplotlib.colors import LogNorm

    finite = losses[np.isfinite(losses)]
    log = finite.min() > 0 and finite.max() > _LOG_RANGE * finite.min()
    shades = np.geomspace(finite.min(), finite.max(), 21) if log else levels(finite)
    masked = np.ma.masked_invalid(losses)
    norm = LogNorm(shades[0], shades[-1]) if log else None
    filled = ax.contourf(steps, steps, masked, levels=shades, norm=norm)
    ax.contour(steps, steps, masked, levels=shades, colors="black", linewidths=0.3)
    digits = "%.3g" if log else None  # None: as many as tell the levels apart
    ax.figure.colorbar(filled, ax=ax, label="loss", ticks=shades[::4], format=digits)
