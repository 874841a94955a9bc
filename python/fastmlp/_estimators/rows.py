"""Rows that fits of estimators read: X once, however many fits there are, and y in the form of the core."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import as_numbers
from fastmlp._rows.features import as_features, core_form
from fastmlp._rows.memory import CoreRows

Array = NDArray[Any]
Index = NDArray[np.uint32]


class Matrix:
    """X, an array or CSR matrix, made ready for the core once for each type."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self._made: dict[str, Any] = {}

    def core_form(self, dtype: np.dtype[Any], columns: int) -> Any:
        """Return it as the core takes it."""
        if dtype.name not in self._made:
            self._made[dtype.name] = core_form(as_features("X", self.array, dtype, columns))
        return self._made[dtype.name]


@dataclass(frozen=True)
class Source:
    """The rows of one fit, or of the fits of several candidates to the same fold."""

    X: Matrix  # may have more rows than those that are meant
    y: Array  # of the rows that are meant
    index: Index | None = None  # which rows of X they are; None for all
    _encoded: dict[Any, tuple[Array | None, Array | None]] = field(default_factory=dict, repr=False)

    def with_targets(self, y: Array) -> Source:
        """Return the same rows with targets that were checked."""
        return replace(self, y=y)

    def spread(self, values: Array, index: Index | None) -> Array:
        """Return values of the rows of an index as an array with an entry for each row of X."""
        if index is None:
            return values
        whole = np.zeros((self.X.array.shape[0], *values.shape[1:]), values.dtype)
        whole[index] = values
        return whole

    def targets(self, estimator: Any, dtype: np.dtype[Any]) -> tuple[Array | None, Array | None]:
        """Return labels and values as the core reads them, an entry for each row of X."""
        key = (estimator._loss_name(), estimator.n_outputs_, dtype.name)
        if key not in self._encoded:
            targets = estimator._encode(self.y)
            labels, values = targets.labels, targets.values
            if values is not None:
                columns = values.shape[1]
                place = (lambda at: (at // columns,)) if self.y.ndim == 1 else None
                values = self.spread(as_numbers("y", values, dtype, place), self.index)
            if labels is not None:
                labels = self.spread(labels, self.index)
            self._encoded[key] = labels, values
        return self._encoded[key]


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to measure, all of a source's or some, with their weights."""

    source: Source
    weights: Array | None = None
    places: NDArray[np.int64] | None = None  # among the source's rows; None for all

    def __len__(self) -> int:
        return len(self.source.y if self.places is None else self.places)

    def at(self, places: NDArray[np.int64]) -> Rows:
        """Return some of them."""
        weights = None if self.weights is None else self.weights[places]
        return Rows(self.source, weights, places if self.places is None else self.places[places])

    @property
    def y(self) -> Array:
        """Their targets."""
        return self.source.y if self.places is None else self.source.y[self.places]

    @property
    def index(self) -> Index | None:
        """Which rows of X they are; None for all."""
        index = self.source.index
        if self.places is None:
            return index
        return self.places.astype(np.uint32) if index is None else index[self.places]

    @property
    def features(self) -> Any:
        """Their rows of X, copied where they are not all."""
        X, index = self.source.X.array, self.index
        return X if index is None else X[index]

    def core_form(
        self, estimator: Any, dtype: np.dtype[Any], columns: int, weights: Array | None
    ) -> CoreRows:
        """Return them, with these weights, as the core takes them for a network of a type."""
        index = self.index
        labels, values = self.source.targets(estimator, dtype)
        if weights is not None:
            weights = self.source.spread(as_numbers("sample_weight", weights, dtype), index)
        return self.source.X.core_form(dtype, columns), labels, values, weights, index
