"""Sparse X: SciPy matrices of any format, as rows that the core reads without making them dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp._validation import Matrix, as_matrix, as_numbers, check_shape, not_numbers


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


def as_features(argument: str, data: Any, dtype: DTypeLike, columns: int | None = None) -> Features:
    """Return rows of finite numbers, (n, columns): an array, or CSR where they are a SciPy matrix."""
    if not hasattr(data, "tocsr"):
        return as_matrix(argument, data, dtype, columns)
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
        return int(np.searchsorted(starts, entry, side="right")) - 1, int(indices[entry])

    return SparseRows(as_numbers(argument, csr.data[:entries], dtype, place), indices, starts, csr.shape[1])


def core_form(X: Features) -> Any:
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


def as_csr(argument: str, matrix: Any) -> Any:
    """Return a CSR matrix whose columns increase along each row, checked: SciPy itself trusts indices."""
    try:
        return _checked_csr(matrix)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{argument} is not a valid sparse matrix: {error}") from None


def _checked_csr(matrix: Any) -> Any:
    if matrix.format in ("csr", "csc", "bsr"):
        _check_compressed(matrix)
    elif matrix.format == "coo":
        _check_indices(matrix.row, matrix.shape[0])
        _check_indices(matrix.col, matrix.shape[1])
    elif matrix.format == "dia" and len(matrix.offsets) != len(matrix.data):
        raise ValueError(f"{len(matrix.data)} diagonals have {len(matrix.offsets)} offsets")
    elif matrix.format == "lil" and [*map(len, matrix.rows)] != [*map(len, matrix.data)]:
        raise ValueError("not every value has an index")
    csr = matrix.tocsr()
    if csr is not matrix:
        _check_compressed(csr)
    if not _increase(np.asarray(csr.indptr, np.int64), csr.indices):
        csr = csr.copy()
        csr.has_sorted_indices = csr.has_canonical_format = False
        csr.sum_duplicates()
    return csr


def _check_compressed(matrix: Any) -> None:
    height, width = getattr(matrix, "blocksize", (1, 1))
    rows, columns = matrix.shape[0] // height, matrix.shape[1] // width
    major, minor = (columns, rows) if matrix.format == "csc" else (rows, columns)
    if matrix.indptr.dtype.kind not in "iu" or matrix.indptr.shape != (major + 1,):
        raise ValueError(f"indptr must be {major + 1} integers, got {matrix.indptr.shape}")
    starts = matrix.indptr.astype(np.int64, copy=False)
    if starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ValueError("indptr must start with 0 and not decrease")
    if not starts[-1] <= len(matrix.indices) == len(matrix.data):
        raise ValueError(
            f"indptr ends with {starts[-1]}, for {len(matrix.indices)} indices and {len(matrix.data)} values"
        )
    _check_indices(matrix.indices[: starts[-1]], minor)


def _check_indices(indices: NDArray[Any], size: int) -> None:
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise ValueError(f"indices must be integers, got dtype {indices.dtype}")
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
        raise ValueError(f"indices must lie in 0 .. {size - 1}, got {indices.min()} .. {indices.max()}")


def _increase(starts: NDArray[np.int64], indices: NDArray[Any]) -> bool:
    """Whether indices increase along each row, so that none is there twice."""
    entries = starts[-1]
    increase = indices[1:entries] > indices[: max(entries - 1, 0)]
    increase[starts[(starts > 0) & (starts < entries)] - 1] = True  # from row to row they need not
    return bool(increase.all())
