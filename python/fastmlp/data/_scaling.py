"""Centre and scale of a column of numbers, computed so that neither sums nor squares overflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Interquartile range of a normal distribution whose standard deviation is 1.
_NORMAL_IQR = 1.349


def mean_and_scale(values: Floats) -> tuple[float, float]:
    """Return mean and population standard deviation; exactly 0 for constants, and (0, 0) for no values."""
    if not len(values):
        return 0.0, 0.0
    if values.min() == values.max():
        return float(values[0]), 0.0
    unit = _unit(values)
    small = values / unit
    return float(small.mean() * unit), float(small.std() * unit)


def median_and_scale(values: Floats) -> tuple[float, float]:
    """Return the median and the interquartile range over 1.349; the standard deviation where that is 0."""
    if not len(values):
        return 0.0, 0.0
    unit = _unit(values)
    low, high = np.quantile(values / unit, (0.25, 0.75))
    spread = float((high - low) / _NORMAL_IQR * unit)
    return median(values), spread or mean_and_scale(values)[1]


Scaling: TypeAlias = Callable[[Floats], tuple[float, float]]

#: How the columns of numbers may be scaled; "common" is "standard" of all columns together.
SCALINGS: dict[str, Scaling] = {
    "standard": mean_and_scale,
    "robust": median_and_scale,
    "common": mean_and_scale,
}


def standardize(values: Floats, center: float, scale: float) -> Floats:
    """Return (values - center) / scale, or zeros if scale is 0."""
    return (values - center) / scale if scale > 0 else np.zeros_like(values)


def median(values: Floats) -> float:
    """Return the median, 0 for no values; the two middle values are halved first, so no sum overflows."""
    if not len(values):
        return 0.0
    ordered = np.sort(values)
    low, high = ordered[(len(values) - 1) // 2], ordered[len(values) // 2]
    return float(low if low == high else low / 2 + high / 2)


def _unit(values: Floats) -> float:
    """Return a power of 2 that no value exceeds more than twice."""
    _, exponent = np.frexp(np.abs(values).max())
    return float(np.ldexp(1.0, int(exponent) - 1))
