"""Checks of what the gates of a computational graph are given; they need no core."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = "int | tuple[int, ...] | None"


def as_numbers(argument: str, value: Any) -> Array:
    """Return a read-only float64 copy of a number or an array of numbers."""
    if np.ma.is_masked(value):
        raise ValueError(f"{argument} has masked values; fill them in or leave them out")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{argument} must be a rectangular array, got rows of different lengths") from None
    if array.dtype.kind not in "biuf":
        given = f"an array of {array.dtype}" if isinstance(value, np.ndarray) else f"{value!r:.60}"
        raise TypeError(f"{argument} must be a real number or an array of real numbers, got {given}")
    return frozen(np.array(array, dtype=np.float64))


def frozen(array: Any) -> Array:
    """Return a view that cannot be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def fitting(gate: str, function: Callable[[Any, Any], Any], x: Array, y: Array) -> Any:
    """Return function(x, y), whose shapes must fit."""
    try:
        return function(x, y)
    except ValueError:
        raise ValueError(f"{gate} needs shapes that fit, got {x.shape} and {y.shape}") from None


def one_axis(axis: Any, accepted: str = "an integer") -> int:
    """Return an axis as an integer; NumPy finds out whether it is within bounds."""
    try:
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"axis must be {accepted}, got {axis!r:.60}") from None


def any_axes(axis: Any) -> Axis:
    """Return None for all axes, or one or several as integers."""
    accepted = "None, an integer or a tuple of integers"
    if isinstance(axis, tuple):
        return tuple(one_axis(part, accepted) for part in axis)
    return None if axis is None else one_axis(axis, accepted)


def filled(gate: str, x: Array, axis: Axis) -> Array:
    """Return an array that has elements along its axes: of none there is no mean and no largest."""
    if x.size == 0 and x.sum(axis, keepdims=True).size > 0:
        along = "" if axis is None else f" along axis {axis}"
        raise ValueError(f"{gate} needs at least one element{along}, got the shape {x.shape}")
    return x
