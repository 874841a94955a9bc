"""Axes to draw on, and what can be drawn on a logarithmic one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(ax: Any, columns: int = 1, size: tuple[float, float] = (9, 5)) -> list[Axes]:
    """Return the Axes given, or those of a new figure, side by side.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError:
        raise ImportError("a picture needs matplotlib: pip install 'fastmlp[plot]'") from None
    if ax is None:
        return list(plt.subplots(1, columns, figsize=size, layout="constrained", squeeze=False)[1][0])
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be a matplotlib Axes or None, got {ax!r}")
    return [ax]


def logarithmic(values: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Return values with NaN for what a logarithmic axis does not show, and what to add to their label."""
    shown = np.isfinite(values) & (values > 0)
    left_out = int((values == 0).sum())
    return np.where(shown, values, np.nan), f" (0 in {left_out} of {len(values)})" if left_out else ""


def scale_logarithmic(ax: Axes) -> None:
    """Make the y axis logarithmic, unless there is nothing on it, which Matplotlib cannot draw then."""
    if any(np.isfinite(line.get_ydata()).any() for line in ax.lines):
        ax.set_yscale("log")
