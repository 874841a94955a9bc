"""What training measured, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.draw_curves import draw_curves
from fastmlp._base.records import Records

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class History(Records):
    """A table with one row an epoch.

    Columns: epoch (from 1), loss (row-weighted mean of the batch losses before each update), learning_rate
    (of the epoch's last step), seconds (since training began) and, with validation, validation_loss and
    validation_accuracy (share of rows with all outputs right) or validation_r2 (mean over the outputs),
    measured after the epoch, and for labels accuracy (of the rows trained on, measured as the loss is: batch
    by batch, before each update and with dropout).

    Parameters
    ----------
    columns : sequence of str
        The names.
    rows : iterable of tuples, optional
        The values, in the order of the names; those beyond the columns are left out.

    Examples
    --------
    ``history["loss"]`` is a 1-D array; ``len(history)`` is the number of epochs.
    """

    def __init__(
        self,
        columns: Sequence[str] = ("epoch", "loss", "learning_rate", "seconds"),
        rows: Iterable[Sequence[Any]] = (),
    ) -> None:
        super().__init__(columns, rows)

    def __getitem__(self, column: str) -> NDArray[Any]:
        return super().__getitem__(column).astype(np.int64 if column == "epoch" else np.float64)

    def __repr__(self) -> str:
        return f"History({len(self)} epochs: {', '.join(self.columns)})"

    def last(self) -> tuple[Any, ...]:
        """Return the last epoch."""
        return self._rows[-1]

    def append(self, row: tuple[Any, ...]) -> None:
        """Add an epoch; values beyond the columns are left out."""
        self._rows.append(row[: len(self.columns)])

    def copy(self) -> History:
        """Return a table of its own."""
        return History(self.columns, self._rows)

    def plot(self, metric: str | None = None, ax: Axes | None = None, backend: str = "matplotlib") -> Any:
        """Draw loss and score over the epochs; see `fastmlp.plot.history`."""
        return draw_curves(self, metric, ax, backend)
