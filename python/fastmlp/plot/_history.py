"""Curves over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp._base.draw_curves import draw_curves
from fastmlp._model.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def history(
    history: History, metric: str | None = None, ax: Axes | None = None, backend: str = "matplotlib"
) -> Any:
    """Draw loss and score over the epochs, of training and validation rows, with the best epoch marked.

    The best epoch is the one with the lowest validation loss; without validation none is marked. The scale of
    losses is logarithmic where they are positive and span more than a factor of ten. Of a long history about
    1000 epochs are drawn, the best one among them.

    Parameters
    ----------
    history : History
        Such as ``net.history``.
    metric : "loss", "accuracy", "r2" or None, default None
        What to draw. None is the loss and beside it the score, if one was measured; into a given `ax` only
        the loss.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.
    backend : "matplotlib" or "plotly", default "matplotlib"

    Returns
    -------
    matplotlib Axes, or plotly Figure
        The first Axes; the one of the score is ``ax.figure.axes[1]``.

    Raises
    ------
    ImportError
        Without matplotlib, or plotly.
    TypeError, ValueError
        If the metric is not in the history, or an argument is wrong.
    """
    if not isinstance(history, History):
        raise TypeError(f"history must be a fastmlp.History, such as net.history; got {history!r}")
    return draw_curves(history, metric, ax, backend)
