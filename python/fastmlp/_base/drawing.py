"""Axes to draw on, text that is shown as it is, and what can be drawn on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Properties of a text of the user's, in which a "$" is a "$".
LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}

NAMED_TICKS = 30

_LETTERS = 20


def new_axes(ax: Any, columns: int = 1, size: tuple[float, float] = (9, 5)) -> list[Axes]:
    """Return the Axes given, or those of a new figure, side by side.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        If `ax` is neither an Axes nor None.
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
    counts = (("0", int((values == 0).sum())), ("not finite", int((~np.isfinite(values)).sum())))
    notes = [f"{what} in {count} of {len(values)}" for what, count in counts if count]
    return np.where(shown, values, np.nan), f" ({', '.join(notes)})" if notes else ""


def scale_logarithmic(ax: Axes) -> None:
    """Make the y axis logarithmic, unless there is nothing on it, which Matplotlib cannot draw then."""
    if not said_empty(ax, "no finite values above 0"):
        ax.set_yscale("log")


def said_empty(ax: Axes, text: str = "no finite values") -> bool:
    """Whether the lines have no finite value; if so, the Axes says it in place of the y ticks."""
    if any(np.isfinite(line.get_ydata()).any() for line in ax.lines):
        return False
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="0.3")
    ax.set_yticks([])
    return True


def integer_ticks(axis: Axis) -> None:
    """Let an axis of layers or epochs have ticks at integers alone."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))


def shown(value: object) -> str:
    """Return a name as text of one line that is not too long; draw it with `LITERAL`."""
    return shortened(value, _LETTERS)


def name_ticks(axis: Axis, names: Sequence[object], places: Sequence[float] | None = None) -> None:
    """Name places of an axis, by default 0, 1, ..; where there are too many, every second or so."""
    from matplotlib.axis import XAxis

    kept = range(0, len(names), -(-len(names) // NAMED_TICKS))
    texts = [shown(names[i]) for i in kept]
    style: dict[str, Any] = {"fontsize": 10 if len(texts) <= 12 else 8 if len(texts) <= 20 else 7}
    if isinstance(axis, XAxis) and len(texts) * max(map(len, texts)) > 60:
        style |= {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_ticks(
        [float(i if places is None else places[i]) for i in kept], labels=texts, **style, **LITERAL
    )
