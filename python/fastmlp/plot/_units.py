"""An axis over one feature of a network: in the units of the table's column, where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import shown
from fastmlp._inspect.columns import column_groups
from fastmlp._model.model import Model
from fastmlp.data import Table
from fastmlp.data._columns import NumberColumn
from fastmlp.data._dates import DateColumn

Floats = NDArray[np.float64]

_MICROSECONDS = 86_400_000_000  # of a day


@dataclass(frozen=True)
class FeatureAxis:
    """What an axis shows of one feature.

    A feature that is a number or a date of the encoder's table is shown in the units of its column (see
    `NumberColumn.unscaled`), dates in days since 1970-01-01; and with it vary all other features that the
    column has become. Any other feature is shown as it is.

    Attributes
    ----------
    label : str
    feature : int
        Its place in X.
    features : list of int
        The places that vary with it.
    column : NumberColumn or None
        Of the encoder.
    """

    label: str
    feature: int
    features: list[int]
    column: NumberColumn | None

    @property
    def of_dates(self) -> bool:
        """Whether the values are days since 1970-01-01."""
        return isinstance(self.column, DateColumn)

    def shown(self, X: NDArray[np.generic]) -> Floats:
        """Return the values of the feature in the axis's units."""
        values = X[:, self.feature].astype(np.float64)
        return values if self.column is None else self.column.unscaled(values)

    def encoded(self, values: Floats) -> Floats:
        """Return the features, (n, features), that stand for values in the axis's units."""
        if self.column is None:
            return values[:, np.newaxis]
        data = (values * _MICROSECONDS).astype("datetime64[us]") if self.of_dates else values
        out = np.zeros((len(values), len(self.column.feature_names)))
        self.column.encode(Table({self.column.name: data}), out)
        return out[:, [place - self.feature for place in self.features]]  # it is the column's first


def feature_axes(net: Model, names: Sequence[str], pair: list[int]) -> tuple[FeatureAxis, FeatureAxis]:
    """Return the axes of two features of X, which are called by these names."""
    first, second = (_axis(net, names[feature], feature) for feature in pair)
    if set(first.features) & set(second.features):  # two features of one column, which vary by themselves
        first, second = (
            FeatureAxis(axis.label, axis.feature, [axis.feature], axis.column) for axis in (first, second)
        )
    return first, second


def _axis(net: Model, name: str, feature: int) -> FeatureAxis:
    if net.encoder is None:
        return FeatureAxis(shown(name), feature, [feature], None)
    for column, group in zip(net.encoder.columns, column_groups(net), strict=True):
        if group.features[0] == feature and isinstance(column, NumberColumn) and column.scale > 0:
            return FeatureAxis(shown(column.name), feature, group.features, column)
    return FeatureAxis(f"{shown(name)} (encoded)", feature, [feature], None)
