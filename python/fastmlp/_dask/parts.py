"""A partition as it is read on its worker, and what the client must know of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import KINDS
from fastmlp._base.validation import (
    as_array,
    as_numbers,
    drop_columns,
    feature_names,
    features_and_target,
    same_length,
    table_column,
)
from fastmlp._rows.features import Features, as_features
from fastmlp._rows.targets import as_targets, rows_sum_to_one, sample_weights
from fastmlp.data import TableEncoder
from fastmlp.data._match import encoder_inputs

Array = NDArray[Any]

_MOST_VALUES = 2**16  # of numbers that are no labels, which the client need not know
_ROWS_TO_GUESS = 64  # above twice the labels that `guess_task` takes numbers for


@dataclass(frozen=True)
class Part:
    """The rows of a partition: finite numbers, targets as they came, and checked weights."""

    X: Features
    y: Array
    weights: Array | None
    names: tuple[str, ...]  # of the columns

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Facts:
    """What the client must know of a partition.

    Attributes
    ----------
    sample : array
        Targets among which are all labels that there are, and whatever shows what they are for.
    counts : array or None
        Of the first ones of the sample, which are different labels, how many rows have each.
    """

    rows: int
    columns: int
    names: tuple[str, ...]
    dtype: str
    sample: Array
    counts: NDArray[np.int64] | None


@contextmanager
def named(what: str) -> Iterator[None]:
    """Let errors of the user's rows say which partition they are about."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = next(kind for kind in (TypeError, ValueError) if isinstance(error, kind))
        raise kind(f"{what}: {error}") from None


def read(what: str, dtype: str | None, encoder: TableEncoder | None, X: Any, y: Any, weights: Any) -> Part:
    """Return a partition, checked; tables go through the encoder, if there is one.

    `dtype` None keeps float32 and makes float64 of other numbers. y may name columns of X.
    """
    with named(what):
        X, y = without_target(X, y)
        y = as_targets(y)
        if encoder is not None:
            X = encoder.transform(encoder_inputs(encoder, X), dtype or "float32")
            y = encoder.learned_target(y) if encoder.task == "regression" else y
        names = tuple(encoder.feature_names) if encoder is not None else feature_names(X)
        if dtype is None:
            dtype = "float32" if _dtype_of(X) == np.float32 else "float64"
        if not hasattr(X, "shape"):  # lists, of rows to validate on
            X = as_array("X", X)
        if len(X.shape) == 2 and not X.shape[0]:
            rows: Features = np.empty((0, X.shape[1]), dtype)
        else:
            rows = as_features("X", X, dtype)
        if y.dtype.kind == "f":
            as_numbers("y", y, np.float64)
        same_length("y", len(y), len(rows))
        if weights is not None:
            same_length("sample_weight", len(as_array("sample_weight", weights)), len(rows))
            weights = sample_weights(weights, len(rows), "float64") if len(rows) else np.empty(0)
        return Part(rows, y, weights, names)


def without_target(X: Any, y: Any) -> tuple[Any, Any]:
    """Return X and y, which may be the name of a column of X, or a tuple of several."""
    if isinstance(y, tuple):  # names whatever the number of rows, which a list of them is not
        return drop_columns(X, y), np.column_stack([as_array("y", table_column(X, name)) for name in y])
    return features_and_target(X, y)


def _dtype_of(X: Any) -> Any:
    return X.dtype if hasattr(X, "dtype") else as_array("X", X).dtype


def facts(what: str, part: Part) -> Facts:
    """Return what the client must know."""
    X = part.X
    dtype = X.dtype if isinstance(X, np.ndarray) else X.values.dtype
    with named(what):
        sample, counts = _sample(part.y)
    return Facts(len(part), X.shape[1], part.names, dtype.name, sample, counts)


def _sample(y: Array) -> tuple[Array, NDArray[np.int64] | None]:
    """Return targets that stand for all, and how often each of the first ones occurs."""
    if y.ndim == 2:
        return y[_telling_rows(y)], None
    try:
        values, counts = np.unique(y, return_counts=True)
    except TypeError:
        raise TypeError("y must hold labels of one type, got a mixture that cannot be sorted") from None
    if y.dtype.kind in "iuf" and len(values) > _MOST_VALUES:
        fractions = values[values != np.floor(values)][:1]
        return np.concatenate([fractions, values[:_ROWS_TO_GUESS]]), None
    more = np.repeat(values[:1], max(0, min(len(y), _ROWS_TO_GUESS) - len(values)))
    return np.concatenate([values, more]), counts


def _telling_rows(y: Array) -> NDArray[np.int64]:
    """Return rows of a matrix that show whether all of it is 0 and 1, within them, or sums to 1."""
    first = np.arange(min(len(y), 2))
    if not len(y) or y.dtype.kind not in "biuf":
        return first
    within, flags = (y >= 0) & (y <= 1), (y == 0) | (y == 1)
    odd = [~within.all(axis=1), ~flags.all(axis=1), ~rows_sum_to_one(y)]
    kinds = [(y == 1).any(axis=1), (y == 0).any(axis=1)]
    found = [np.flatnonzero(rows)[:1] for rows in (*odd, *kinds)]
    return np.unique(np.concatenate([first, *found]))


@dataclass(frozen=True)
class Merged:
    """What the client knows of all partitions.

    Attributes
    ----------
    rows : list of int
        Of each partition.
    sample, labels, counts : array
        As those of `Facts`; labels and counts are None where there are too many values.
    """

    rows: list[int]
    columns: int
    names: tuple[str, ...]
    dtype: str
    sample: Array
    labels: Array | None
    counts: NDArray[np.int64] | None


def merged(parts: Sequence[Facts], what: Callable[[int], str], prefix: str) -> Merged:
    """Return what is known of all partitions, which must have the same columns and kinds of targets.

    what(i) is how errors call the i-th, and the prefix stands before the arguments of all.
    """
    filled = [i for i, part in enumerate(parts) if part.rows]
    if not filled:
        raise ValueError(f"{prefix}X must have at least one row, got none in any partition")
    first = filled[0]
    for i in filled:
        _check_alike(parts[i], parts[first], what(i), what(first))
    chosen = [parts[i] for i in filled]
    dtype = "float32" if all(part.dtype == "float32" for part in chosen) else "float64"
    sample = np.concatenate([part.sample for part in chosen])
    labels = counts = None
    if all(part.counts is not None for part in chosen):
        each = [part.sample[: len(part.counts)] for part in chosen if part.counts is not None]
        try:
            labels, at = np.unique(np.concatenate(each), return_inverse=True)
        except TypeError:
            raise TypeError("y must hold labels of one type, got a mixture that cannot be sorted") from None
        of_parts = np.concatenate([part.counts for part in chosen if part.counts is not None])
        counts = np.zeros(len(labels), np.int64)
        np.add.at(counts, at, of_parts)
    rows = [part.rows for part in parts]
    return Merged(rows, chosen[0].columns, chosen[0].names, dtype, sample, labels, counts)


def _check_alike(part: Facts, first: Facts, this: str, other: str) -> None:
    if part.columns != first.columns:
        raise ValueError(f"{this}: X has {part.columns} columns, that of {other} has {first.columns}")
    if part.names != first.names:
        odd = next((pair for pair in zip(part.names, first.names, strict=False) if pair[0] != pair[1]), None)
        got = "no names of columns" if odd is None else f"the column {odd[0]!r} in place of {odd[1]!r}"
        raise ValueError(f"{this}: X has other columns than that of {other}: {got}")
    if part.sample.shape[1:] != first.sample.shape[1:]:
        raise ValueError(f"{this}: y has rows of another shape than that of {other}")
    kinds = [_kind(facts.sample) for facts in (part, first)]
    if kinds[0] != kinds[1]:
        raise TypeError(f"{this}: y holds {kinds[0]}, that of {other} holds {kinds[1]}")


def _kind(y: Array) -> str:
    if y.dtype.kind == "O":
        return "texts" if any(isinstance(value, str) for value in y.flat) else "numbers"
    return "texts" if y.dtype.kind == "U" else KINDS.get(y.dtype.kind, "numbers")
