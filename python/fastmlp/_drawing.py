"""Axes to draw on, and what can be drawn on a logarithmic one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure; needs ``fastmlp[plot]``."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("a plot needs matplotlib: pip install 'fastmlp[plot]'") from None
    return plt.subplots(figsize=(9, 5), layout="constrained")[1]


def logarithmic(values: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Return values with NaN for what a logarithmic axis does not show, and what to add to their label."""
    shown = np.isfinite(values) & (values > 0)
    left_out = int((values == 0).sum())
    return np.where(shown, values, np.nan), f" (0 in {left_out} of {len(values)})" if left_out else ""


def scale_logarithmic(ax: Axes) -> None:
    """Make the y axis logarithmic, unless there is nothing on it, which Matplotlib cannot draw then."""
    if any(np.isfinite(line.get_ydata()).any() for line in ax.lines):
        ax.set_yscale("log")
