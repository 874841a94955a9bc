"""Sparse X: SciPy matrices of any format, as rows that the core reads without making them dense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp._base.csr import as_csr
from fastmlp._base.validation import Matrix, as_matrix, as_numbers, check_shape, not_numbers


@dataclass(frozen=True)
class SparseRows:
    """Rows in CSR: finite values, whose columns increase along each row."""

    values: NDArray[Any]
    columns: NDArray[np.int32]
    starts: NDArray[np.int64]  # where each row begins, and the last one ends
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.starts) - 1, self.width

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.int64]) -> SparseRows:
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        at = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)
        return SparseRows(self.values[at], self.columns[at], starts, self.width)

    def toarray(self) -> Matrix:
        """Return the rows as a dense array."""
        dense = np.zeros(self.shape, self.values.dtype)
        dense[np.repeat(np.arange(len(self)), np.diff(self.starts)), self.columns] = self.values
        return dense


Features: TypeAlias = Matrix | SparseRows


def as_features(
    argument: str,
    data: Any,
    dtype: DTypeLike,
    columns: int | None = None,
    numbers: Sequence[int] | NDArray[np.int64] | None = None,
) -> Features:
    """Return rows of finite numbers, (n, columns): an array, or CSR where they are a SciPy matrix.

    `numbers` says which rows they are, if not the first.
    """
    if not hasattr(data, "tocsr"):
        return as_matrix(argument, data, dtype, columns, numbers)
    check_shape(argument, data.shape, columns)
    if max(data.shape) >= 2**31:
        raise ValueError(f"{argument} must have fewer than 2**31 rows and columns, got shape {data.shape}")
    if data.dtype.kind not in "biuf":
        raise not_numbers(argument, f"dtype {data.dtype}")
    csr = as_csr(argument, data)
    starts = np.asarray(csr.indptr, np.int64)
    entries = int(starts[-1])  # SciPy allows room behind them
    indices = np.require(csr.indices[:entries], np.int32, ["C", "A"])

    def place(entry: int) -> tuple[int, int]:
        row = int(np.searchsorted(starts, entry, side="right")) - 1
        return row if numbers is None else int(numbers[row]), int(indices[entry])

    return SparseRows(as_numbers(argument, csr.data[:entries], dtype, place), indices, starts, csr.shape[1])


def is_sparse(X: Any) -> bool:
    """Whether X, before or after it was checked, is sparse."""
    return hasattr(X, "tocsr") or isinstance(X, SparseRows) or getattr(X, "is_sparse", False)


def core_form(X: Any) -> Any:
    """Return X as the core takes it."""
    return (X.values, X.columns, X.starts) if isinstance(X, SparseRows) else X


def with_own_indices(rows: tuple[Any, ...] | None) -> Any:
    """Return rows, as the core takes them, whose indices are copies if X is sparse.

    The core trusts indices, and it must not read the user's where a callback may change them during a run.
    """
    if rows is None or not isinstance(rows[0], tuple):
        return rows
    values, columns, starts = rows[0]
    return (values, columns.copy(), starts.copy()), *rows[1:]


def dense_form(X: Features) -> NDArray[Any]:
    """Return X as a matrix."""
    return X.toarray() if isinstance(X, SparseRows) else X
