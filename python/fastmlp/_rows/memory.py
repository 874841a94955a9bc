"""The rows that a run learns from, in memory; `stream` has those that are read in windows."""

from __future__ import annotations

import numbers
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import feature_names, features_and_target, real, same_length
from fastmlp._native import core as _core
from fastmlp._rows.features import Features, as_features, core_form
from fastmlp._rows.learner import Learner
from fastmlp._rows.targets import TargetForm, Targets, are_labels, as_targets, row_weights
from fastmlp.data import holdout

CoreRows = tuple[Any, Any, Any, Any]  # X, labels, values, weights, as the core takes them
NextWindow = Callable[[], CoreRows]

_LOOKED_AT = 1000  # rows at either end


class MemoryRows:
    """X with its targets and weights, all of them at once."""

    def __init__(self, X: Any, y: Any, dtype: str) -> None:
        X, y = features_and_target(X, y)
        self.names = feature_names(X)
        self._dtype = dtype
        self._X: Features = as_features("X", X, dtype)
        check_row_count(self._X.shape[0])
        self._y = as_targets(y)
        same_length("y", len(self._y), len(self._X))

    def __len__(self) -> int:
        return len(self._X)

    @property
    def window_rows(self) -> int | None:
        """The rows of a window; None, as there are no windows."""
        return None

    @property
    def width(self) -> int:
        """The number of columns of X."""
        return int(self._X.shape[1])

    @property
    def sample(self) -> NDArray[Any]:
        """Some targets, which show what kind they are."""
        return self._y

    def labels(self) -> NDArray[Any]:
        """Return targets among which each label is."""
        return self._y

    def prepare(self, form: TargetForm, sample_weight: Any, class_weight: Any) -> None:
        """Encode the targets and the weights."""
        self._targets = form.encode(self._y, self._dtype, len(self))
        self._weights = row_weights(sample_weight, class_weight, self._y, form.classes, self._dtype)

    def hold_back(
        self, network: Learner, validation: Any, seed: int, clipped: bool = False
    ) -> CoreRows | None:
        """Check the rows against the network, and take those to validate on out of them."""
        network._check_codes(self._X)
        if validation is None or isinstance(validation, (tuple, list)):
            return given_validation(network, validation)
        fraction = validation_fraction(validation, len(self))
        held = held_rows(network, self._y, fraction, seed)
        held_back = self._take(held)
        self._X, self._targets, self._weights = self._take(np.delete(np.arange(len(self)), held))
        return _core_rows(*held_back)

    def core_rows(self) -> CoreRows:
        """Return the rows as the core takes them."""
        return _core_rows(self._X, self._targets, self._weights)

    def fingerprint(self) -> int:
        """Return a number that other rows hardly have: of the first and last ones, with their targets."""
        rows = np.unique(np.r_[: min(_LOOKED_AT, len(self)), max(len(self) - _LOOKED_AT, 0) : len(self)])
        return fingerprint(*_core_rows(*self._take(rows)))

    @contextmanager
    def windows(self, options: _core.TrainOptions) -> Iterator[NextWindow | None]:
        """Yield nothing: the rows are all here."""
        yield None

    def _take(self, rows: NDArray[np.int64]) -> tuple[Features, Targets, NDArray[Any] | None]:
        weights = None if self._weights is None else self._weights[rows]
        return self._X[rows], self._targets.take(rows), weights


def fingerprint(X: Any, *targets: Any) -> int:
    """Return a checksum (CRC-32) of rows as the core takes them."""
    number = 0
    for array in (*(X if isinstance(X, tuple) else (X,)), *targets):
        if array is not None:
            number = zlib.crc32(np.ascontiguousarray(array).data, number)
    return number


def check_row_count(rows: int) -> None:
    """Check that there are rows, and not more than the core can number."""
    if not 0 < rows < 2**32:
        raise ValueError(f"X must have at least one row and fewer than 2**32, got {rows}")


def given_validation(network: Learner, validation: Any) -> CoreRows | None:
    """Return validation rows of the user's own, (X, y)."""
    if validation is None:
        return None
    if len(validation) != 2:
        raise TypeError(f"validation must be a fraction or a pair (X, y), got {validation!r}")
    Xv, yv = features_and_target(*validation)
    try:
        return _core_rows(*network._checked_rows(Xv, yv, None))
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation: {error}") from None


def validation_fraction(validation: Any, rows: int) -> float:
    """Return the fraction of rows to validate on."""
    if not isinstance(validation, numbers.Real):
        raise TypeError(f"validation must be a fraction or a pair (X, y), got {validation!r}")
    fraction = real("validation", validation, low=0, high=1, open_low=True, open_high=True)
    if rows < 2:
        raise ValueError(f"validation={fraction:g} needs at least 2 rows, got {rows}")
    return fraction


def held_rows(network: Learner, y: NDArray[Any], fraction: float, seed: int) -> NDArray[np.int64]:
    """Return the rows that a fraction holds back: the same part of each class, where y holds labels."""
    labelled = network.classes is not None and y.ndim == 1 and are_labels(y, network.classes)
    return holdout(y if labelled else len(y), fraction, seed)[1]


def _core_rows(X: Features, targets: Targets, weights: NDArray[Any] | None) -> CoreRows:
    return core_form(X), targets.labels, targets.values, weights
