"""Rows that a user gave and that stay where they lie, such as memory maps; they are read by slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import as_array, check_shape, same_length
from fastmlp._rows.choice import choose_loss
from fastmlp._rows.form import target_form
from fastmlp._rows.memory import CoreRows, check_row_count
from fastmlp._rows.targets import (
    TargetForm,
    Targets,
    as_targets,
    class_weighted,
    labelled_classes,
    sample_weights,
    weight_of_labels,
)
from fastmlp._rows.temporary import release

_SAMPLE = 1000  # targets that show what kind they are
_SCANNED_AT_ONCE = 2**16  # targets


@dataclass(frozen=True)
class Buffers:
    """Room for the rows of one window."""

    X: NDArray[Any]
    labels: NDArray[np.int32] | None
    values: NDArray[Any] | None
    weights: NDArray[Any] | None

    def first(self, rows: int) -> CoreRows:
        """Return the first rows, as the core takes them."""
        labels, values, weights = (
            None if part is None else part[:rows] for part in (self.labels, self.values, self.weights)
        )
        return self.X[:rows], labels, values, weights, None


@dataclass(frozen=True)
class StreamedRows:
    """X with its targets and weights: arrays that are checked and encoded when a slice of them is read."""

    X: Any
    y: Any
    names: tuple[str, ...]  # of the columns
    dtype: str
    memory_limit: int  # bytes
    loss: str  # with its numbers
    form: TargetForm
    has_labels: bool  # rather than values, when they are encoded
    sample_weight: NDArray[Any] | None
    class_weight: dict[Any, float] | None

    def __len__(self) -> int:
        return len(self.X)

    @property
    def width(self) -> int:
        """The number of columns of X."""
        return int(self.X.shape[1])

    @property
    def weighted(self) -> bool:
        """Whether the rows have weights, rather than counting alike."""
        return self.sample_weight is not None or self.class_weight is not None

    def buffers(self, rows: int) -> Buffers:
        """Return room for so many rows."""
        return Buffers(
            np.empty((rows, self.width), self.dtype),
            np.empty(rows, np.int32) if self.has_labels else None,
            None if self.has_labels else np.empty((rows, self.form.outputs), self.dtype),
            np.empty(rows, self.dtype) if self.weighted else None,
        )

    def targets(self, first: int, last: int) -> tuple[Targets, NDArray[Any] | None]:
        """Return targets and weights of the rows from first to before last."""
        try:
            y = as_targets(self.y[first:last])
            targets = self.form.encode(y, self.dtype, last - first)
            weights = self.sample_weight
            if weights is not None:
                weights = sample_weights(weights[first:last], last - first, self.dtype)
            return targets, class_weighted(weights, self.class_weight, y, self.form.classes, self.dtype)
        except (ValueError, TypeError) as error:
            raise type(error)(f"rows {first} to {last - 1}, counted from 0: {error}") from None

    def release(self) -> None:
        """Let the system take back the memory of what was read."""
        for source in (self.X, self.y, self.sample_weight):
            release(source)


def read_stream(
    X: Any, y: Any, names: tuple[str, ...], loss: Any, task: Any, sample_weight: Any, class_weight: Any,
    dtype: str, memory_limit: int, known: TargetForm | None = None,
) -> StreamedRows:  # fmt: skip
    """Return rows that stay where they lie.

    Of the targets, a sample and the labels are looked at, and as many as tell what they are.
    """
    check_shape("X", X.shape, None)
    check_row_count(X.shape[0])
    same_length("y", len(y), len(X))
    sample = as_targets(y[:_SAMPLE])
    loss = choose_loss(loss, task, lambda: _scanned(y), labelled=class_weight is not None)
    form = target_form(loss, sample, lambda: _labels(y, sample), known)
    if sample_weight is not None:
        sample_weight = as_array("sample_weight", sample_weight)
        same_length("sample_weight", len(sample_weight), len(X))
        if not sample_weight.any():
            raise ValueError("sample_weight must be greater than 0 somewhere, got zeros only")
    if class_weight is not None:
        class_weight = weight_of_labels(class_weight, _scanned(y), labelled_classes(sample, form.classes))
    has_labels = form.encode(sample, dtype, len(sample)).labels is not None
    return StreamedRows(X, y, names, dtype, memory_limit, loss, form, has_labels, sample_weight, class_weight)


def _labels(y: Any, sample: NDArray[Any]) -> NDArray[Any]:
    """Return targets among which each label is."""
    return sample if sample.ndim == 2 else np.concatenate([np.unique(part) for part in _scanned(y)])


def _scanned(y: Any) -> Iterator[NDArray[Any]]:
    """Yield all targets, part by part."""
    for first in range(0, len(y), _SCANNED_AT_ONCE):
        try:
            yield as_targets(y[first : first + _SCANNED_AT_ONCE])
        except ValueError as error:
            raise ValueError(f"counted from row {first}: {error}") from None
        release(y)
