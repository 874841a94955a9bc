"""Rows of X in several processes, of which each is to check and keep those of its own shards alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._processes.processes import Processes
from fastmlp._rows.features import Features, SparseRows, as_features, is_sparse


class CommonRows:
    """Rows in memory that every process was given, and reads where it needs them.

    Parameters
    ----------
    X : array or SciPy matrix, (rows, columns)
        Of numbers.
    """

    def __init__(self, X: Any) -> None:
        self._X = X.tocsr() if is_sparse(X) else X
        self.shape: tuple[int, int] = X.shape
        self.is_sparse = is_sparse(X)

    def __len__(self) -> int:
        return self.shape[0]

    def checked(self, argument: str, dtype: Any) -> CommonRows:
        """Return the same rows, which will be checked and converted as they are read."""
        self._argument, self._dtype = argument, dtype
        return self

    def __getitem__(self, rows: NDArray[np.int64]) -> Features:
        """Return some rows."""
        return as_features(self._argument, self._X[rows], self._dtype, numbers=rows)

    def some(self, rows: NDArray[np.int64]) -> tuple[Features, slice, NDArray[np.uint32] | None]:
        """Return rows that begin and end with those, given in ascending order, without a copy if possible.

        Returns
        -------
        features : array or SparseRows
        span : slice
            Which rows these are.
        index : array or None
            Where among them those are that were asked for, if not all were.
        """
        span = slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)
        numbers = range(span.start, span.stop)
        features = as_features(self._argument, self._X[span], self._dtype, numbers=numbers)
        whole = span.stop - span.start == len(rows)
        return features, span, None if whole else (rows - span.start).astype(np.uint32)


class LocalRows:
    """The rows of all processes, one part behind the other in the order of the ranks.

    What is read of them is sent by who has it, so all processes must ask at the same time.

    Parameters
    ----------
    part : array or SciPy matrix, (rows, columns)
        This process's.
    processes : Processes
    """

    def __init__(self, part: Any, processes: Processes) -> None:
        self.part = part
        self._processes = processes
        shapes = processes.gathered(part.shape)
        widths = {columns for rows, columns in shapes if rows} or {part.shape[1]}
        if len(widths) > 1:
            raise ValueError(f"X must have as many columns in all processes, got {sorted(widths)}")
        self._begins = np.cumsum([0, *(rows for rows, _ in shapes)])
        self.shape = (int(self._begins[-1]), int(widths.pop()))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def is_sparse(self) -> bool:
        """Whether the parts are sparse."""
        return is_sparse(self.part)

    def checked(self, argument: str, dtype: Any) -> LocalRows:
        """Return the same rows, of finite numbers of a type, as `as_features` gives them."""
        rows = LocalRows.__new__(LocalRows)
        rows._processes, rows._begins, rows.shape = self._processes, self._begins, self.shape
        # A part without rows has no numbers to be wrong.
        rows.part = as_features(argument, self.part, dtype) if self.part.shape[0] else self._nothing(dtype)
        return rows

    def _nothing(self, dtype: Any) -> Features:
        empty = np.empty((0, self.shape[1]), dtype)
        if not self.is_sparse:
            return empty
        return SparseRows(empty.ravel(), np.empty(0, np.int32), np.zeros(1, np.int64), self.shape[1])

    def some(self, rows: NDArray[np.int64]) -> tuple[Features, NDArray[np.int64], None]:
        """Return some rows, given in ascending order, which ones they are, and that all are meant."""
        return self[rows], rows, None

    def __getitem__(self, rows: NDArray[np.int64]) -> Features:
        """Return some rows, in ascending order; each process may ask for others."""
        processes, mine = self._processes, self._processes.rank
        wanted = processes.gathered(np.asarray(rows, np.uint32))
        pieces: list[Any] = [None] * processes.size
        pieces[mine] = self._own(wanted[mine])
        for step in range(1, processes.size):
            partner = mine ^ step
            pieces[partner] = processes.traded(partner, self._own(wanted[partner]))
        return _stacked(pieces)

    def _own(self, rows: NDArray[np.uint32]) -> Features:
        """Return those of the rows that this process has."""
        first, last = self._begins[self._processes.rank : self._processes.rank + 2]
        own: Features = self.part[rows[(rows >= first) & (rows < last)].astype(np.int64) - first]
        return own


def _stacked(pieces: list[Any]) -> Features:
    """Return the rows of all pieces, one behind the other."""
    if not isinstance(pieces[0], SparseRows):
        return np.concatenate(pieces)
    ends = np.cumsum([0, *(piece.starts[-1] for piece in pieces)])
    starts = [piece.starts[1:] + end for piece, end in zip(pieces, ends[:-1], strict=True)]
    return SparseRows(
        np.concatenate([piece.values for piece in pieces]),
        np.concatenate([piece.columns for piece in pieces]),
        np.concatenate([np.zeros(1, np.int64), *starts]),
        pieces[0].width,
    )
