"""Centre and scale of a column of numbers, computed so that neither sums nor squares overflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from fastmlp.data._quantiles import Floats, quantiles_of, unit_of

#: Interquartile range of a normal distribution whose standard deviation is 1.
_NORMAL_IQR = 1.349


def mean_and_scale(values: Floats) -> tuple[float, float]:
    """Return mean and population standard deviation; exactly 0 for constants, and (0, 0) for no values."""
    if not len(values):
        return 0.0, 0.0
    if values.min() == values.max():
        return float(values[0]), 0.0
    unit = unit_of(values)
    small = values / unit
    return float(small.mean() * unit), float(small.std() * unit)


def median_and_scale(values: Floats) -> tuple[float, float]:
    """Return the median and the interquartile range over 1.349; the standard deviation where that is 0."""
    if not len(values):
        return 0.0, 0.0
    unit = unit_of(values)
    low, high = np.quantile(values / unit, (0.25, 0.75))
    spread = float((high - low) / _NORMAL_IQR * unit)
    return median(values), spread or mean_and_scale(values)[1]


def median_and_range(values: Floats) -> tuple[float, float]:
    """Return the median and the interquartile range; half the whole range where that is 0."""
    if not len(values):
        return 0.0, 0.0
    unit = unit_of(values)
    small = values / unit
    low, high = np.quantile(small, (0.25, 0.75))
    spread = float(high - low) or float(small.max() - small.min()) / 2
    return median(values), _product(spread, unit)


class Scaled(NamedTuple):
    """How a column of numbers is scaled."""

    center: float
    scale: float
    clipped: bool = False
    quantiles: tuple[float, ...] = ()


def _standard(values: Floats) -> Scaled:
    return Scaled(*mean_and_scale(values))


def _robust(values: Floats) -> Scaled:
    return Scaled(*median_and_scale(values))


def _clipped(values: Floats) -> Scaled:
    return Scaled(*median_and_range(values), clipped=True)


def _quantile(values: Floats) -> Scaled:
    """Return the quantiles; the scale is 1, and 0 for a constant column or none at all, as of all others."""
    differ = len(values) > 0 and values.min() < values.max()
    return Scaled(median(values), float(differ), quantiles=quantiles_of(values) if differ else ())


Scaling: TypeAlias = Callable[[Floats], Scaled]

#: How the columns of numbers may be scaled; "common" is "standard" of all columns together.
SCALINGS: dict[str, Scaling] = {
    "standard": _standard,
    "robust": _robust,
    "common": _standard,
    "clipped": _clipped,
    "quantile": _quantile,
}

#: Where the smooth clip ends.
CLIP = 3.0

#: A value so great that greater ones make no difference to the clip.
FAR = 1e150

#: The least 1 - (x / 3)^2 that float32 can tell.
_LEAST = 1e-7


def smooth_clip(values: Floats) -> Floats:
    """Return x / sqrt(1 + (x / 3)^2): x near 0, and never beyond -3 and 3; infinities become these.

    References
    ----------
    D. Holzmueller, L. Grinsztajn, I. Steinwart, Better by Default, NeurIPS 2024 (arXiv 2407.04491).
    """
    near = np.clip(values, -FAR, FAR)
    clipped: Floats = near / np.sqrt(1 + (near / CLIP) ** 2)
    return clipped


def smooth_unclip(values: Floats) -> Floats:
    """Return the x that `smooth_clip` makes values of; one far away for values next to -3 or 3."""
    plain: Floats = values / np.sqrt(np.maximum(1 - (values / CLIP) ** 2, _LEAST))
    return plain


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


def _product(small: float, unit: float) -> float:
    """Return the product, and the greatest finite number where it is more."""
    with np.errstate(over="ignore"):
        return float(min(np.float64(small) * unit, np.finfo(np.float64).max))
