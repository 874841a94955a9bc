"""Rows that several runs learn from: X is read once, and each run has the index of its own rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import as_array, feature_names, features_and_target, same_length
from fastmlp._rows.features import Features, as_features
from fastmlp._rows.kinds import check_kind
from fastmlp._rows.learner import Learner
from fastmlp._rows.memory import (
    CoreRows,
    MemoryRows,
    check_row_count,
    core_rows,
    loss_and_form,
    read_memory,
    weights_of,
)
from fastmlp._rows.targets import TargetForm, Targets, as_targets, loss_text, row_weights, sample_weights

Index = NDArray[np.uint32]
Made = TypeVar("Made")

_MOST_KEPT = 512

#: Of rows that fits have for themselves, at any time.
MOST_BYTES = 256 * 10**6


class Cache:
    """What was made of arguments, found again for arguments that are the same objects.

    Of many different ones, or of large ones, only those that were asked for last are kept.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._sizes: OrderedDict[Hashable, int] = OrderedDict()  # bytes, of those that may be large
        self._bytes = 0  # of these together
        self._alive: dict[int, Any] = {}  # an object keeps its id as long as it lives

    def key(self, value: Any) -> Hashable:
        """Return what stands for an argument: its value, or the id of an object, which is kept alive."""
        if value is None or type(value) in (str, int, float, bool):
            return type(value), value
        self._alive[id(value)] = value
        return id(value)

    def get(self, key: Hashable, make: Callable[[], Made], size: Callable[[Made], int] | None = None) -> Made:
        """Return what was made for the key; it is made now if this is the first time.

        `size` says how many bytes of its own it keeps alive, where these may be many.
        """
        if key not in self._made:
            made = self._made[key] = make()
            if size is not None:
                self._sizes[key] = size(made)
                self._bytes += self._sizes[key]
            if len(self._made) > _MOST_KEPT:
                self._forget(next(iter(self._made)))
            while self._bytes > MOST_BYTES and len(self._sizes) > 1:
                self._forget(next(iter(self._sizes)))
        self._made.move_to_end(key)
        if key in self._sizes:
            self._sizes.move_to_end(key)
        found: Made = self._made[key]
        return found

    def _forget(self, key: Hashable) -> None:
        del self._made[key]
        self._bytes -= self._sizes.pop(key, 0)


def as_index(argument: str, rows: Any, n: int) -> Index:
    """Return the numbers of the rows, of n, that indices or a mask choose.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, where it is neither, chooses nothing, or a row that is not there.
    """
    if isinstance(rows, slice):
        rows = range(*rows.indices(n))
    array = as_array(argument, rows)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "biu"):
        given = f"dtype {array.dtype}, shape {array.shape}"
        raise TypeError(f"{argument} must be the numbers of rows, or a mask of them; got {given}")
    if array.dtype.kind == "b":
        same_length(argument, len(array), n)
        array = np.flatnonzero(array)
    if array.size == 0:
        raise ValueError(f"{argument} must choose at least one row, got none")
    if array.min() < -n or array.max() >= n:
        wrong = array[(array < -n) | (array >= n)][0]
        raise ValueError(f"{argument} must be rows of X, of which there are {n}; got {wrong}")
    check_row_count(len(array))
    numbers = array.astype(np.int64)  # a small type, such as int8, need not hold n
    return np.where(numbers < 0, numbers + n, numbers).astype(np.uint32)


def is_index(value: Any) -> bool:
    """Whether rows to validate on are given by their numbers or by a mask."""
    if isinstance(value, (slice, range)):
        return True
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, (int, np.integer, np.bool_)) for item in value)
    return getattr(value, "ndim", 0) == 1


def taken(data: Any, index: Index | None) -> Any:
    """Return some rows of an array, a sparse matrix, or a table of any kind; None means all."""
    if index is None or data is None or isinstance(data, str):
        return data
    rows = index.astype(np.int64)
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if hasattr(data, "tocsr"):
        return data.tocsr()[rows]
    if hasattr(data, "column_names") or hasattr(data, "n_rows"):  # Arrow, Table
        return data.take(rows)
    return data[rows] if hasattr(data, "shape") else as_array("y", data)[rows]


class SharedRows:
    """The rows of X, in memory, for runs that may have targets, weights, losses and types of their own.

    Parameters
    ----------
    X : array, sparse matrix, or table of numbers
    cache : Cache
        Of what is made of it.
    """

    def __init__(self, X: Any, cache: Cache) -> None:
        self._X, self._cache = X, cache

    def read(
        self, index: Index | None, y: Any, loss: Any, task: Any, sample_weight: Any, class_weight: Any,
        dtype: str, known: TargetForm | None,
    ) -> MemoryRows:  # fmt: skip
        """Return what `read_memory` would of X[index], y[index] and sample_weight[index]; X is not copied."""
        X, y = self._without_target(y)
        features = self._features(X, dtype)
        if isinstance(features, Exception):  # such as a gap, which need not be in these rows
            chosen = (taken(X, index), taken(y, index), loss, task, taken(sample_weight, index))
            return read_memory(*chosen, class_weight, dtype, known)
        n = len(features)
        same_length("y", len(y), n)
        y_of_rows = as_targets(taken(y, index))
        loss, form = loss_and_form(y_of_rows, loss, task, class_weight, known)
        targets = self._targets(index, y, y_of_rows, form, dtype, n)
        weights, of_labels = weights_of(
            y_of_rows, form, self._weights(sample_weight, index, n), class_weight, dtype
        )
        names = feature_names(X)
        weights = self._spread_weights(weights, index, sample_weight, class_weight, n)
        return MemoryRows(features, y_of_rows, targets, weights, of_labels, loss, form, names, index)

    def validation(
        self, index: Index, y: Any, sample_weight: Any, class_weight: Any, network: Learner
    ) -> CoreRows:
        """Return rows of X to validate on, with their targets, as the core takes them."""
        X, y = self._without_target(y)
        dtype = network.dtype.name
        features = self._features(X, dtype)
        if isinstance(features, Exception):
            chosen = (taken(X, index), taken(y, index), taken(sample_weight, index))
            return core_rows(*network._checked_rows(*chosen, class_weight))
        n = len(features)
        y_of_rows = as_targets(taken(y, index))
        form = network._target_form
        check_kind(y_of_rows, form)
        targets = self._targets(index, y, y_of_rows, form, dtype, n)
        weights = self._weights(sample_weight, index, n)
        weights = row_weights(weights, class_weight, y_of_rows, form.classes, dtype)
        weights = self._spread_weights(weights, index, sample_weight, class_weight, n)
        return core_rows(features, targets, weights, index)

    def _without_target(self, y: Any) -> tuple[Any, Any]:
        """Return X without its target, and y as an array."""

        def split() -> tuple[Any, Any]:
            X, found = features_and_target(self._X, y)
            return X, as_array("y", found)

        return self._cache.get(("target", self._cache.key(self._X), self._cache.key(y)), split)

    def _features(self, X: Any, dtype: str) -> Features | Exception:
        """Return X as the core reads it, or the error where it cannot."""

        def read() -> Features | Exception:
            try:
                features = as_features("X", X, dtype)
                check_row_count(features.shape[0])
            except ValueError as error:
                return error
            return features

        return self._cache.get(("features", self._cache.key(X), dtype), read)

    def _targets(
        self,
        index: Index | None,
        y: NDArray[Any],
        y_of_rows: NDArray[Any],
        form: TargetForm,
        dtype: str,
        n: int,
    ) -> Targets:
        """Return the targets of all rows; only those of the index need be right.

        Where all rows have the form of these, every run shares the targets.
        """

        def of_all() -> tuple[TargetForm | None, Targets | None]:
            try:
                whole = as_targets(y)
                _, form_of_all = loss_and_form(whole, loss_text(form.loss, form.numbers), "auto", None, None)
                return form_of_all, form_of_all.encode(whole, dtype, n)
            except (TypeError, ValueError):
                return None, None

        if index is None:
            return form.encode(y_of_rows, dtype, n)
        key = ("targets", self._cache.key(y), form.loss, form.numbers, dtype)
        form_of_all, targets = self._cache.get(key, of_all)
        if form_of_all is not None and targets is not None and same_form(form, form_of_all):
            return targets
        of_rows = form.encode(y_of_rows, dtype, len(index))
        return Targets(spread(of_rows.labels, index, n), spread(of_rows.values, index, n))

    def _weights(self, sample_weight: Any, index: Index | None, n: int) -> Any:
        if sample_weight is None or index is None:
            return sample_weight
        weights = as_array("sample_weight", sample_weight)
        if weights.ndim == 1:
            same_length("sample_weight", len(weights), n)
        return weights[index]

    def _spread_weights(
        self, weights: NDArray[Any] | None, index: Index | None, sample_weight: Any, class_weight: Any, n: int
    ) -> NDArray[Any] | None:
        """Return an array for all rows with the weights of some; without class_weight runs share it."""
        if weights is None or index is None:
            return weights
        dtype = weights.dtype.name

        def of_all() -> NDArray[Any] | None:
            try:
                return sample_weights(sample_weight, n, dtype)
            except (TypeError, ValueError):  # such as of a gap, which need not be in these rows
                return None

        if class_weight is None:
            whole = self._cache.get(("weights", self._cache.key(sample_weight), dtype), of_all)
            if whole is not None:
                return whole
        return cast("NDArray[Any]", spread(weights, index, n))


def same_form(one: TargetForm, other: TargetForm) -> bool:
    """Whether targets are encoded alike."""
    if (one.outputs, one.classes is None) != (other.outputs, other.classes is None):
        return False
    return one.classes is None or np.array_equal(one.classes, other.classes)  # type: ignore[arg-type]


def spread(part: NDArray[Any] | None, index: Index | None, n: int) -> Any:
    """Return an array for n rows that holds the parts of some of them at their places."""
    if part is None or index is None:
        return part
    whole = np.zeros((n, *part.shape[1:]), part.dtype)
    whole[index] = part
    return whole
