"""From a column's own distribution to the normal one, through quantiles of the training rows."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: How many quantiles are kept at most.
MOST = 1000


def quantiles_of(values: Floats) -> tuple[float, ...]:
    """Return k = min(1000, n) quantiles of n values, at the levels (i + 1/2) / k; those of n <= 1000 are all.

    Between two values they are linear (method "hazen" of `numpy.quantile`).
    """
    k = min(MOST, len(values))
    unit = unit_of(values)
    levels = (np.arange(k) + 0.5) / k
    small = np.sort(values) if k == len(values) else np.quantile(values / unit, levels, method="hazen") * unit
    return tuple(small.tolist())


class Points(NamedTuple):
    """The corners of a function that is linear between them, and constant before and after."""

    x: Floats
    """Rising, without two that are equal."""

    z: Floats
    """The values at them."""

    unit: float
    """1, or 2 where the x are so far apart that differences would overflow without a division by it."""

    def at(self, values: Floats) -> Floats:
        """Return the function of values."""
        if len(self.x) < 2:
            return np.zeros_like(values)
        return _linear(values / self.unit, self.x / self.unit, self.z)

    def inverse(self, z: Floats) -> Floats:
        """Return the values that the function is z of, the first or last x for those beyond."""
        if len(self.x) < 2:
            return np.full_like(z, self.x[0] if len(self.x) else 0.0)
        return _linear(z, self.z, self.x / self.unit) * self.unit


def _linear(values: Floats, x: Floats, y: Floats) -> Floats:
    """Return y at values, linear between rising x and constant beyond; `numpy.interp` can overflow."""
    within = np.clip(values, x[0], x[-1])
    place = np.clip(np.searchsorted(x, within, side="right") - 1, 0, len(x) - 2)
    part = (within - x[place]) / (x[place + 1] - x[place])
    result: Floats = y[place] + part * (y[place + 1] - y[place])
    return result


def normal_points(quantiles: tuple[float, ...]) -> Points:
    """Return the points through which quantiles go to those of the normal distribution.

    Quantiles that are equal are one point, in the middle of their levels.
    """
    if not quantiles:
        return Points(np.empty(0), np.empty(0), 1.0)
    given = np.array(quantiles)
    unit = 1.0 if given[-1] / 2 - given[0] / 2 < np.finfo(np.float64).max / 2 else 2.0
    x, first, count = np.unique(given / unit, return_index=True, return_counts=True)
    levels = (first + count / 2) / len(quantiles)  # the mean of (i + 1/2) / k
    z = np.array([NormalDist().inv_cdf(level) for level in levels.tolist()])
    return Points(x * unit, z, unit)


def unit_of(values: Floats) -> float:
    """Return a power of 2 that no value exceeds more than twice."""
    _, exponent = np.frexp(np.abs(values).max())
    return float(np.ldexp(1.0, int(exponent) - 1))
