"""What a network predicts over two features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base import validation
from fastmlp._base.curves import evenly
from fastmlp._base.drawing import LITERAL, new_axes
from fastmlp._base.validation import as_numbers, features_and_target, integer, same_length
from fastmlp._model.model import Model
from fastmlp._rows.features import dense_form
from fastmlp._rows.targets import as_targets, class_numbers
from fastmlp.plot._axes import check_network, feature_names, legend, levels
from fastmlp.plot._units import FeatureAxis, feature_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 5000  # more would hide the regions

Codes = NDArray[np.int64]


def decision_boundary(
    net: Model,
    X: Any,
    y: Any = None,
    features: Sequence[int | str] = (0, 1),
    resolution: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """Draw the regions of the predicted classes, or the predicted values, over two features.

    The picture covers the rows of X. All other features are held at their median over X, or at the most
    frequent code where they are embedded. Rows are drawn as points, of many 5000.

    Parameters
    ----------
    net : Network
        Of at least two inputs, which predicts one label or one value for each row.
    X : array_like or table, (n, inputs)
        A table goes through the network's encoder, if it has one. Then axes of numbers and dates are in the
        units of the table; others show the encoded feature, such as "kind=a".
    y : array_like, (n,), optional
        Labels or values, by which the points are coloured; or the name of a column of X.
    features : pair of int or str, default (0, 1)
        The columns drawn along x and y: their numbers, or their names where they are known.
    resolution : int, default 200
        Steps along each axis.
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
        If the network is of another kind, or an argument is wrong.
    """
    check_network(net)
    if net.classes is None and net.layer_sizes[-1] != 1:
        raise ValueError(
            f"decision_boundary needs a network that predicts one label or one value, got {net!r}"
        )
    X, y = features_and_target(X, y)
    rows = dense_form(net._matrix(X))
    if len(rows) == 0:
        raise ValueError("X must have at least one row, got 0")
    targets = None if y is None else _checked_targets(net, y, len(rows))
    names = feature_names(net) or validation.feature_names(X)
    names = names or tuple(f"feature {i}" for i in range(rows.shape[1]))
    chosen = _checked_pair(features, names, net)
    axes = feature_axes(net, names, chosen)
    edges, predicted = _predict_grid(net, rows, axes, integer("resolution", resolution, low=2, high=5000))
    if net._in_units(X):
        predicted = net.encoder.inverse_target(predicted)  # type: ignore[union-attr]
    if net.classes is None and not np.isfinite(predicted).any():
        raise ValueError("no prediction in the picture is finite: X or the weights are too large")

    ax = new_axes(ax, size=(9, 6))[0]
    kept = evenly(len(rows), _POINTS)
    points = np.stack([axis.shown(rows[kept]) for axis in axes], axis=1)
    values = None if targets is None else targets[kept]
    if net.classes is None:
        _draw_values(ax, edges, predicted, points, values)
    else:
        _draw_regions(ax, edges, class_numbers(predicted, net.classes), points, values, net.classes)
    ax.set(xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
    ax.set_xlabel(axes[0].label, **LITERAL)
    ax.set_ylabel(axes[1].label, **LITERAL)
    _show_dates(ax, axes)
    if rows.shape[1] > len({*axes[0].features, *axes[1].features}):
        codes = ", codes at the most frequent" if net.embeddings else ""
        ax.set_title(f"the other features are at their median{codes}", fontsize="medium")
    return ax


def _checked_targets(net: Model, y: Any, rows: int) -> NDArray[Any]:
    """Return the values, or the numbers of the labels."""
    y = as_targets(y)
    if y.ndim != 1:
        raise ValueError(f"y must have shape (n,), got {y.shape}")
    same_length("y", len(y), rows)
    return as_numbers("y", y, np.float64) if net.classes is None else class_numbers(y, net.classes)


def _checked_pair(features: Any, names: Sequence[str], net: Model) -> list[int]:
    if len(names) < 2:
        raise ValueError("decision_boundary needs a network of at least 2 inputs, got 1")
    if not isinstance(features, (Sequence, np.ndarray)) or np.shape(features) != (2,):
        raise ValueError(f"features must be two columns of X, got {features!r}")
    pair = []
    for i, feature in enumerate(features):
        if isinstance(feature, str):
            feature = names.index(validation.choice(f"features[{i}]", feature, names))
        pair.append(integer(f"features[{i}]", feature, low=0, high=len(names) - 1))
    if pair[0] == pair[1]:
        raise ValueError(f"features must be two different columns of X, got {features!r}")
    for column, _, _ in net.embeddings:
        if column in pair:
            raise ValueError(
                f"features must not be embedded: column {column} holds codes, which have no order"
            )
    return pair


def _predict_grid(
    net: Model, rows: NDArray[Any], axes: tuple[FeatureAxis, FeatureAxis], resolution: int
) -> tuple[list[NDArray[np.float64]], NDArray[Any]]:
    """Return the ticks of both axes, and the predictions (y, x) there."""
    edges = []
    for axis in axes:
        values = axis.shown(rows)
        low, high = float(values.min()), float(values.max())
        margin = 0.05 * (high - low) or 0.5
        edges.append(np.linspace(low - margin, high + margin, resolution))
    typical = np.median(rows, axis=0)
    for column, _, _ in net.embeddings:
        typical[column] = np.bincount(rows[:, column].astype(np.int64)).argmax()
    line = np.tile(typical.astype(net.dtype), (resolution, 1))
    line[:, axes[0].features] = axes[0].encoded(edges[0])
    predicted = []
    for height in axes[1].encoded(edges[1]):
        line[:, axes[1].features] = height
        predicted.append(net.predict(line))
    return edges, np.stack(predicted)


def _show_dates(ax: Axes, axes: tuple[FeatureAxis, FeatureAxis]) -> None:
    """Write days since 1970-01-01, in which Matplotlib counts too, as dates."""
    if axes[0].of_dates:
        ax.xaxis_date()
    if axes[1].of_dates:
        ax.yaxis_date()


def _draw_regions(
    ax: Axes,
    edges: list[NDArray[np.float64]],
    codes: Codes,
    points: NDArray[Any],
    labels: Codes | None,
    classes: NDArray[Any],
) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.lines import Line2D

    colors = _class_colors(len(classes))
    light = ListedColormap(0.35 * colors + 0.65)
    ax.imshow(
        codes,
        cmap=light,
        vmin=-0.5,
        vmax=len(classes) - 0.5,
        extent=(*edges[0][[0, -1]], *edges[1][[0, -1]]),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    inks: Any = "0.3" if labels is None else colors[labels]
    ax.scatter(points[:, 0], points[:, 1], c=inks, s=18, edgecolors="black", linewidths=0.4)
    seen = np.union1d(codes, [] if labels is None else labels).astype(np.int64)
    marks = [
        (Line2D([], [], color=colors[i], marker="o", linestyle="", markeredgecolor="black"), classes[i])
        for i in seen
    ]
    legend(ax, marks, loc="center left", bbox_to_anchor=(1, 0.5))


def _draw_values(
    ax: Axes,
    edges: list[NDArray[np.float64]],
    values: NDArray[Any],
    points: NDArray[Any],
    targets: NDArray[np.float64] | None,
) -> None:
    shades = levels(values if targets is None else np.r_[values.ravel(), targets])
    filled = ax.contourf(*edges, np.ma.masked_invalid(values), levels=shades)
    ax.figure.colorbar(filled, ax=ax, label="predicted value", format="%.4g")
    if targets is None:
        ax.scatter(points[:, 0], points[:, 1], c="0.3", s=12)
    else:
        ax.scatter(
            points[:, 0],
            points[:, 1],
            c=targets,
            vmin=shades[0],
            vmax=shades[-1],
            s=22,
            edgecolors="black",
            linewidths=0.5,
        )


def _class_colors(count: int) -> NDArray[np.float64]:
    from matplotlib import colormaps

    if count <= 20:
        return np.array(colormaps["tab10" if count <= 10 else "tab20"].colors[:count])  # type: ignore[attr-defined]
    return np.asarray(colormaps["turbo"](np.linspace(0, 1, count)))[:, :3]
