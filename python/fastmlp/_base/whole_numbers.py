"""Whole numbers that lie close together, as labels do: which there are, and their places, in linear time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unique(values: NDArray[Any]) -> NDArray[Any]:
    """Return what ``np.unique`` does, which sorts the values."""
    bounds = _bounds(values)
    if bounds is None:
        return np.unique(values)
    low, high = bounds
    there = np.zeros(high - low + 1, bool)
    there[_above(values, low)] = True
    return _from(low, np.flatnonzero(there), values.dtype)


def places(values: NDArray[Any], among: NDArray[Any]) -> NDArray[np.int64] | None:
    """Return the place of each value among sorted ones; None where one is missing, or they are not close."""
    bounds = _bounds(values)
    if bounds is None or among.dtype != values.dtype or not among.size:
        return None
    low, high = int(among[0]), int(among[-1])
    if bounds[0] < low or bounds[1] > high or high - low >= len(values):
        return None
    table = np.full(high - low + 1, -1)
    table[_above(among, low)] = np.arange(len(among))
    found = table[_above(values, low)]
    return None if len(among) < len(table) and found.min() < 0 else found


def _bounds(values: NDArray[Any]) -> tuple[int, int] | None:
    """Return the least and the largest of whole numbers; None where a table of all between is too long."""
    if values.ndim != 1 or values.dtype.kind not in "iu" or not values.size:
        return None
    low, high = int(values.min()), int(values.max())
    return (low, high) if high - low < len(values) else None


def _above(values: NDArray[Any], low: int) -> NDArray[Any]:
    """Return how far values lie above the least one, which may be more than small types hold."""
    above: NDArray[Any] = values if low == 0 else np.subtract(values, low, dtype=_wide(values.dtype))
    return above


def _from(low: int, steps: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return low plus the steps, in a type that holds the sums."""
    numbers: NDArray[Any] = np.add(steps.astype(_wide(dtype)), low, dtype=_wide(dtype)).astype(dtype)
    return numbers


def _wide(dtype: np.dtype[Any]) -> type[np.integer[Any]]:
    return np.uint64 if dtype.kind == "u" else np.int64
