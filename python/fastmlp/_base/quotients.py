"""Difference quotients: the points beside x, the values of f there, and what is divided by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import as_array, real

Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[[Any], Any]

#: How many steps h the two points of a quotient lie above and below x.
SCHEMES = {"forward": (1, 0), "backward": (0, 1), "central": (1, 1)}


def as_point(x: Any) -> Array:
    """Return a copy of x as float32 or float64."""
    if isinstance(x, int) and not isinstance(x, bool):  # NumPy's integers end at 2**64
        try:
            x = float(x)
        except OverflowError:
            raise ValueError("x must be finite, got an integer too large for float64") from None
    array = as_array("x", x)
    if array.dtype.kind not in "iuf":
        given = f"{x!r:.60}" if array.ndim == 0 else f"dtype {array.dtype}"
        raise TypeError(f"x must be real, a number or an array of numbers, got {given}")
    point = np.array(array, np.float32 if array.dtype == np.float32 else np.float64)
    if not np.isfinite(point).all():
        raise ValueError(f"x must be finite, got {point[~np.isfinite(point)][0]}")
    return point


def checked_steps(point: Array, h: Any, scheme: str) -> Array:
    """Return the step of each element, rounded so that point + step and point - step are exact."""
    size = np.abs(point)
    if h is None:
        root = np.finfo(point.dtype).eps ** (1 / 3 if scheme == "central" else 1 / 2)
        wanted = root * np.maximum(size, 1)
    else:
        wanted = _given_steps(point, h)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        # Rounded away from 0, where floating-point numbers lie wider.
        steps = np.asarray((size + wanted.astype(point.dtype)) - size)
    if not np.isfinite(steps).all():
        if h is None:
            at = float(point[~np.isfinite(steps)].flat[0])
            raise ValueError(f"x must leave x + h finite, which the default h does not at x = {at!r}")
        raise ValueError(f"h must leave x + h and x - h finite, got h = {h!r}")
    if (steps == 0).any():
        at = float(point[steps == 0].flat[0])
        raise ValueError(f"h must be large enough to change x: x + h is x at x = {at!r}, h = {h!r}")
    return steps


def _given_steps(point: Array, h: Any) -> Array:
    steps = as_array("h", h)
    if steps.ndim == 0:
        return np.full(point.shape, real("h", h, low=0, open_low=True))
    if steps.shape != point.shape or steps.dtype.kind not in "iuf":
        raise ValueError(
            f"h must be a number, or real numbers of x's shape {point.shape}; "
            f"got shape {steps.shape}, dtype {steps.dtype}"
        )
    if not ((steps > 0) & np.isfinite(steps)).all():
        raise ValueError("h must be finite and greater than 0 at each element")
    return steps


def moved(point: Array, count: int, steps: Any) -> Array:
    """Return the points so many steps away, in their dtype."""
    return np.asarray(point + count * steps, point.dtype)


def quotient(above: Any, below: Any, h: Any, scheme: str) -> Any:
    """Return the slope between the two points of a scheme."""
    with np.errstate(over="ignore", invalid="ignore"):
        slope = (above - below) / (sum(SCHEMES[scheme]) * h)
    if not np.isfinite(slope).all():
        raise ValueError(f"h must leave the quotient of f finite, got h = {np.max(h)}; another h may do")
    return slope


def imaginary_quotient(f: Function, point: Array, h: float) -> Any:
    """Return Im f(x + ih) / h."""
    check_callable(f, "f")
    try:  # a number goes as Python's complex: float() refuses that, and takes NumPy's with a warning
        value = _called(
            f, point + point.dtype.type(h) * np.complex64(1j) if point.ndim else complex(point, h)
        )
    except TypeError as error:
        raise TypeError(
            f"f must take complex numbers, as functions of NumPy and cmath do: {error}"
        ) from error
    if value.dtype.kind != "c":
        raise TypeError(
            f"f must return complex numbers for complex x, got dtype {value.dtype}; "
            "abs, float and .real drop the imaginary part"
        )
    return _checked_value(value, point, point.shape, "f").imag / h


def value_at(
    f: Function, x: Array, shape: tuple[int, ...] | None, name: str = "f", *, as_fine_as_x: bool = False
) -> Array:
    """Return f(x) as finite real numbers of a shape; None: of any."""
    check_callable(f, name)
    value = _called(f, x if x.ndim else x[()], name)
    if value.dtype.kind not in "iuf":
        raise TypeError(f"{name} must return real numbers, got dtype {value.dtype}")
    if value.dtype.kind != "f":
        value = value.astype(np.float64)
    if as_fine_as_x and value.dtype.itemsize < x.dtype.itemsize:
        raise TypeError(
            f"{name} must compute in x's dtype {x.dtype}, got dtype {value.dtype}, whose rounding is too "
            "coarse for the default h: let it compute in float64, or set h"
        )
    return _checked_value(value, x, shape, name)


def check_callable(f: Any, name: str) -> None:
    """Refuse what cannot be called."""
    if not callable(f):
        raise TypeError(f"{name} must be callable, got {f!r:.60}")


def _called(f: Function, x: Any, name: str = "f") -> Array:
    """Return a copy of f(x), as f may keep and change what it returns."""
    value = f(x)
    try:
        return np.array(value)
    except ValueError:
        raise ValueError(f"{name} must return a number or a rectangular array, got {value!r:.60}") from None


def _checked_value(value: Array, x: Any, shape: tuple[int, ...] | None, name: str) -> Array:
    if shape is not None and value.shape != shape:
        wanted = "one number" if shape == () else f"values of shape {shape}"
        raise ValueError(f"{name} must return {wanted}, got shape {value.shape}")
    if not np.isfinite(value).all():
        raise ValueError(
            f"{name} must be finite at x and beside it, got {value[~np.isfinite(value)][0]}"
            f"{f' at {x}' if np.ndim(x) == 0 else ''}; another scheme or h may do"
        )
    return value


def like_point(point: Array, result: Any) -> Any:
    """Return a result in the dtype of x; one number as a float, or numpy.float32."""
    result = np.asarray(result, point.dtype)
    if result.ndim:
        return result
    return float(result) if point.dtype == np.float64 else result[()]
