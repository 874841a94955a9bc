"""Checks of SciPy's sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
