"""What training measured, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.draw_curves import draw_curves
from fastmlp._base.records import Records

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What every run measures.
COLUMNS = ("epoch", "loss", "learning_rate", "seconds")

#: Rows that a history keeps at the most, besides that of the last epoch.
MOST_ROWS = 1_000_000

_LEAST_CAPACITY = 64
_AT_ONCE = 2**16  # rows that are turned into arrays together


class History(Records):
    """A table with one row an epoch.

    Columns: epoch (from 1), loss (sum(w_i loss_i) / sum(w_i) over the rows, and the l2 term; each batch is
    measured before its update and with dropout), learning_rate (of the epoch's last step), seconds (since
    training began) and, with validation, validation_loss and validation_accuracy (share of rows with all
    outputs right) or validation_r2 (mean over the outputs), measured after the epoch, and for labels accuracy
    (of the rows trained on, measured as the loss is). Scores count each row once, whatever its weight.

    A column is read without a copy: it is a read-only view of the values so far, which stay as they are when
    epochs are added. Up to 1,000,000 epochs all rows are kept. Beyond that, every 2nd epoch is kept, then
    every 4th and so on, and always the last one, so that a history takes at most some 60 MB; then
    ``len(history)`` is less than the number of epochs, which is ``history["epoch"][-1]``, and a column is
    read by a copy.

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
        columns: Sequence[str] = COLUMNS,
        rows: Iterable[Sequence[Any]] = (),
    ) -> None:
        self.columns = tuple(columns)
        self._stored = [np.empty(0, _dtype(name)) for name in self.columns]  # of each column, with spare room
        self._size = 0  # rows that are stored
        self._added = 0  # epochs that were added
        self._stride = 1  # of so many epochs, the first is stored
        self._last: tuple[Any, ...] | None = None  # the last epoch, where it is not stored
        self.extend(rows)

    @classmethod
    def from_table(cls, columns: Sequence[str], table: NDArray[np.float64]) -> History:
        """Return a history of the rows of an array, (rows, columns), thinned as if they had been added.

        Raises
        ------
        ValueError
            If an epoch is not finite, or too large to be counted.
        """
        history = cls(columns)
        table = table.reshape(len(table), len(history.columns))
        if "epoch" in history.columns and len(table):
            epochs = table[:, history.columns.index("epoch")]
            if not (np.abs(epochs) < 2.0**53).all():
                raise ValueError("the epochs of a history must be numbers below 2**53")
            reached = int(epochs[-1] - epochs[0]) + 1
            if 2 * len(table) >= MOST_ROWS and reached > len(table):  # fewer rows were never thinned
                while -(-reached // history._stride) > MOST_ROWS:
                    history._stride *= 2
                kept = (epochs - epochs[0]) % history._stride == 0
                history._store(table[kept].T)
                history._last = None if kept[-1] else history._checked(table[-1].tolist())
                history._added = reached
                return history
        history._extend(table.T)
        return history

    def __getitem__(self, column: str) -> NDArray[Any]:
        values = self._stored[self._place(column)][: self._size]
        if self._last is not None:
            values = np.append(values, np.asarray(self._last[self._place(column)], values.dtype))
        values.flags.writeable = False
        return values

    def __len__(self) -> int:
        return self._size + (self._last is not None)

    def __repr__(self) -> str:
        return f"History({len(self)} epochs: {', '.join(self.columns)})"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_stored": [values[: self._size].copy() for values in self._stored]}

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples, in the order of `columns`."""
        return list(zip(*(self[name].tolist() for name in self.columns), strict=True))

    def table(self) -> NDArray[np.float64]:
        """Return the rows as an array, (rows, columns); the inverse of `from_table`."""
        table = np.empty((len(self), len(self.columns)))
        for at, name in enumerate(self.columns):
            table[:, at] = self[name]
        return table

    def last(self) -> tuple[Any, ...]:
        """Return the last epoch."""
        if self._last is not None:
            return self._last
        if not self._size:
            raise IndexError("the history has no epochs")
        return tuple(values[self._size - 1].item() for values in self._stored)

    def append(self, row: Sequence[Any]) -> None:
        """Add an epoch; values beyond the columns are left out."""
        checked = self._checked(row)
        if self._added % self._stride == 0 and self._size == MOST_ROWS:
            self._thin()
        if self._added % self._stride:
            self._last = checked
        else:
            self._reserve(1)
            for values, value in zip(self._stored, checked, strict=True):
                values[self._size] = value
            self._size, self._last = self._size + 1, None
        self._added += 1

    def extend(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add epochs; values beyond the columns are left out."""
        width, left = len(self.columns), iter(rows)
        while part := [row[:width] for row in islice(left, _AT_ONCE)]:
            short = next((row for row in part if len(row) < width), None)
            if short is not None:
                raise self._incomplete(short)
            self._extend(list(zip(*part, strict=True)))

    def extend_table(self, table: NDArray[np.float64]) -> None:
        """Add the epochs that the rows of an array hold; columns beyond those of the history are left out."""
        if table.shape[1] < len(self.columns):
            raise ValueError(
                f"table must have the columns {', '.join(self.columns)}, got {table.shape[1]} columns"
            )
        self._extend(table[:, : len(self.columns)].T)

    def copy(self) -> History:
        """Return a table of its own."""
        twin = object.__new__(type(self))
        vars(twin).update(self.__getstate__())
        return twin

    def plot(self, metric: str | None = None, ax: Axes | None = None, backend: str = "matplotlib") -> Any:
        """Draw loss and score over the epochs; see `fastmlp.plot.history`."""
        return draw_curves(self, metric, ax, backend)

    def _checked(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values of a row as Python's numbers."""
        if len(row) < len(self.columns):
            raise self._incomplete(row)
        return tuple(
            int(value) if name == "epoch" else float(value)
            for name, value in zip(self.columns, row, strict=False)
        )

    def _incomplete(self, row: Sequence[Any]) -> ValueError:
        return ValueError(f"row must have the values of {', '.join(self.columns)}, got {row!r}")

    def _extend(self, values: Sequence[Any] | NDArray[np.float64]) -> None:
        """Add epochs, given by the values of each column."""
        count = len(values[0]) if len(values) else 0
        if not count:
            return
        while -(-(self._added + count) // self._stride) > MOST_ROWS:
            self._thin()
        first = -self._added % self._stride
        self._store([column[first :: self._stride] for column in values])
        self._added += count
        kept = (self._added - 1) % self._stride == 0
        self._last = None if kept else self._checked([column[-1] for column in values])

    def _store(self, values: Sequence[Any] | NDArray[np.float64]) -> None:
        """Put the values of each column behind those that are there."""
        count = len(values[0])
        self._reserve(count)
        for mine, new in zip(self._stored, values, strict=True):
            mine[self._size : self._size + count] = new
        self._size += count

    def _reserve(self, count: int) -> None:
        """Have room for so many rows more. Views of the old arrays stay as they are."""
        needed = self._size + count
        if self._stored and needed > len(self._stored[0]):
            capacity = max(needed, 2 * self._size, _LEAST_CAPACITY)
            for at, values in enumerate(self._stored):
                self._stored[at] = np.empty(capacity, values.dtype)
                self._stored[at][: self._size] = values[: self._size]

    def _thin(self) -> None:
        """Keep every 2nd of the stored rows."""
        self._stored = [values[: self._size : 2].copy() for values in self._stored]
        self._size = -(-self._size // 2)
        self._stride *= 2


def epochs_of(history: History) -> int:
    """Return the number of epochs, with those whose rows were not kept."""
    return int(history["epoch"][-1]) if len(history) else 0


def _dtype(column: str) -> type[np.generic]:
    return np.int64 if column == "epoch" else np.float64
