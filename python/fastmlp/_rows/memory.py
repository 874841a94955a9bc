"""Rows in memory: those that a user gave, and those that a run learns from and validates on."""

from __future__ import annotations

import numbers
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import plural
from fastmlp._base.validation import feature_names, features_and_target, real, same_length
from fastmlp._rows.choice import choose_loss
from fastmlp._rows.features import Features, SparseRows, as_features, core_form
from fastmlp._rows.form import target_form
from fastmlp._rows.learner import Learner
from fastmlp._rows.local import CommonRows, LocalRows
from fastmlp._rows.shards import Shards
from fastmlp._rows.spool import mapped
from fastmlp._rows.targets import (
    TargetForm,
    Targets,
    are_labels,
    as_targets,
    labelled_classes,
    mean_weight,
    row_weights,
    weight_of_labels,
    weight_sum,
)
from fastmlp.data import holdout, read

# X, labels, values and weights as the core takes them, and the index of the rows that are meant, None for all
CoreRows = tuple[Any, Any, Any, Any, Any]
NextWindow = Callable[[], CoreRows]
RowsInProcesses = CommonRows | LocalRows

_LOOKED_AT = 1000  # rows at either end
HELD_BACK = "the rows that validation={:g} holds back"
LEFT = "the rows that validation={:g} leaves to learn from"
VALIDATION = "a fraction, a pair (X, y) or a triple (X, y, sample_weight)"


@dataclass(frozen=True)
class MemoryRows:
    """X, targets and weights, checked and encoded, all of them at once.

    X, targets and weights may have more rows than those to learn from, which the index tells then.
    """

    X: Features | RowsInProcesses
    y: NDArray[Any]  # of the rows to learn from, before it was encoded
    targets: Targets
    weights: NDArray[Any] | None
    class_weight: dict[Any, float] | None  # the weight of each label
    loss: str  # with its numbers
    form: TargetForm
    names: tuple[str, ...]  # of the columns
    index: NDArray[np.uint32] | None = None

    def __len__(self) -> int:
        """Return the number of rows to learn from."""
        return len(self.y)

    @property
    def width(self) -> int:
        """The number of columns of X."""
        return int(self.X.shape[1])

    def as_core_rows(self, places: NDArray[np.int64] | None = None) -> CoreRows:
        """Return the rows as the core takes them, or those at some places among them; none is copied."""
        index = self.index
        if places is not None:
            index = places.astype(np.uint32) if index is None else index[places]
        return core_rows(self.X, self.targets, self.weights, index)


@dataclass(frozen=True)
class WholeRows:
    """The rows of a run, all of them in memory."""

    train: CoreRows
    held_out: CoreRows | None  # to validate on
    mean_weight: float  # of the rows to train on; 0 where each batch has its own, as in scikit-learn
    # How many rows to train on each shard has, and to validate on; nothing where there is one. Where there
    # are several processes, those of all: `train` and `held_out` have the rows of one's own shards alone.
    shard_rows: tuple[int, ...] = ()
    held_shard_rows: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows to train on, of all processes."""
        return sum(self.shard_rows) or row_count(self.train)

    @property
    def held_count(self) -> int:
        """The number of rows to validate on, of all processes."""
        return sum(self.held_shard_rows) or (0 if self.held_out is None else row_count(self.held_out))

    def sharded(self, shards: Shards, network: Learner) -> WholeRows:
        """Return the rows of a process's shards."""
        if shards.count == 1:
            return self
        shards.check(len(self))
        held = self.held_count
        return WholeRows(
            some_rows(self.train, shards.own_rows(len(self)), network),
            None if self.held_out is None else some_rows(self.held_out, shards.own_rows(held), network),
            self.mean_weight,
            tuple(shards.sizes(len(self))),
            tuple(shards.sizes(held)),
        )

    @property
    def window_rows(self) -> int | None:
        """The rows of a window; None, as there are no windows."""
        return None

    def fingerprint(self) -> int:
        """Return a number that other rows hardly have: of the first and last ones, with their targets."""
        ends = np.unique(np.r_[: min(_LOOKED_AT, len(self)), max(len(self) - _LOOKED_AT, 0) : len(self)])
        X, *targets, index = self.train
        ends = ends if index is None else index[ends]
        if isinstance(X, tuple):
            values, columns, starts = X
            X = core_form(SparseRows(values, columns, starts, width=0)[ends])
        else:
            X = core_form(X[ends])
        return fingerprint(X, *(None if part is None else part[ends] for part in targets))

    def checksum(self) -> int:
        """Return a number that other targets, weights or given rows to validate on hardly have."""
        _, *parts, _ = self.train
        if self.held_out is not None:
            X, *targets, _ = self.held_out
            parts += (
                targets
                if isinstance(X, RowsInProcesses)
                else [*(X if isinstance(X, tuple) else (X,)), *targets]
            )
        return fingerprint(None, *parts)

    @contextmanager
    def windows(
        self, batch_size: int, epochs: range, shuffle: bool, seed: int
    ) -> Iterator[tuple[CoreRows, NextWindow | None]]:
        """Yield the rows, and None, as there are no further windows."""
        yield self.train, None


def read_memory(
    X: Any, y: Any, loss: Any, task: Any, sample_weight: Any, class_weight: Any, dtype: str,
    known: TargetForm | None = None,
) -> MemoryRows:  # fmt: skip
    """Return rows that are in memory, checked and encoded for the loss."""
    X, y = features_and_target(X, y)
    names = feature_names(X)
    features = X.checked("X", dtype) if isinstance(X, RowsInProcesses) else as_features("X", X, dtype)
    check_row_count(features.shape[0])
    y = as_targets(y)
    same_length("y", len(y), len(features))
    loss, form = loss_and_form(y, loss, task, class_weight, known)
    targets = form.encode(y, dtype, len(features))
    weights, of_labels = weights_of(y, form, sample_weight, class_weight, dtype)
    return MemoryRows(features, y, targets, weights, of_labels, loss, form, names)


def loss_and_form(
    y: NDArray[Any], loss: Any, task: Any, class_weight: Any, known: TargetForm | None
) -> tuple[str, TargetForm]:
    """Return the loss for targets to learn, and the form in which they are given to the core."""
    loss = choose_loss(loss, task, lambda: [y], labelled=class_weight is not None)
    return loss, target_form(loss, y, lambda: y, known)


def weights_of(
    y: NDArray[Any], form: TargetForm, sample_weight: Any, class_weight: Any, dtype: str
) -> tuple[NDArray[Any] | None, dict[Any, float] | None]:
    """Return the weight of each row, None where all are 1, and that of each label, None if there are none."""
    weights = row_weights(sample_weight, class_weight, y, form.classes, dtype)
    if class_weight is not None:
        class_weight = weight_of_labels(class_weight, [y], labelled_classes(y, form.classes))
    return weights, class_weight


def divide_memory(rows: MemoryRows, network: Learner, validation: Any, seed: int) -> WholeRows:
    """Check the rows against the network, and set those apart that are to be validated on."""
    if not isinstance(rows.X, RowsInProcesses):  # else each process checks its own
        network._check_codes(rows.X)
    if validation is None or isinstance(validation, (tuple, list)):
        given = given_validation(network, validation, rows.class_weight)
        learned = rows.as_core_rows()
        return WholeRows(learned, given, checked_mean_weight(learned, "the rows"))
    fraction = validation_fraction(validation, len(rows))
    held = held_rows(network, rows.y, fraction, seed)
    learned, held_out = rows.as_core_rows(np.delete(np.arange(len(rows)), held)), rows.as_core_rows(held)
    checked_mean_weight(held_out, HELD_BACK.format(fraction))
    return WholeRows(learned, held_out, checked_mean_weight(learned, LEFT.format(fraction)))


def checked_mean_weight(rows: CoreRows, which: str) -> float:
    """Return the mean weight of rows, which must not be 0; an error calls them `which`."""
    *_, weights, index = rows
    if weights is not None and index is not None:
        weights = weights[index]
    return 1.0 if weights is None else mean_weight(weight_sum(weights), len(weights), which)


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


def given_validation(
    network: Learner, validation: Any, class_weight: dict[Any, float] | None
) -> CoreRows | None:
    """Return validation rows of the user's own, (X, y) or (X, y, sample_weight), which may lie in files."""
    if validation is None:
        return None
    X, y, weights = validation_parts(validation)
    try:
        return core_rows(*network._checked_rows(_read(X), mapped(y), weights, class_weight))
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation: {error}") from None


def validation_parts(validation: Any) -> tuple[Any, Any, Any]:
    """Return X, y and the weights of validation rows, None where they have none."""
    if len(validation) not in (2, 3):
        raise TypeError(f"validation must be {VALIDATION}, got {plural(len(validation), 'thing')}")
    X, y, weights = (*validation, None)[:3]
    return X, y, weights


def _read(X: Any) -> Any:
    """Return what is in a file, if X is the path of one."""
    return read(X).X if isinstance(X, (str, os.PathLike)) else X


def validation_fraction(validation: Any, rows: int) -> float:
    """Return the fraction of rows to validate on."""
    if not isinstance(validation, numbers.Real):
        got = repr(validation) if isinstance(validation, str) else f"a {type(validation).__name__}"
        raise TypeError(f"validation must be {VALIDATION}, got {got}")
    fraction = real("validation", validation, low=0, high=1, open_low=True, open_high=True)
    if rows < 2:
        raise ValueError(f"validation={fraction:g} needs at least 2 rows, got {rows}")
    return fraction


def held_rows(network: Learner, y: NDArray[Any], fraction: float, seed: int) -> NDArray[np.int64]:
    """Return the rows that a fraction holds back: the same part of each class, where y holds labels."""
    labelled = network.classes is not None and y.ndim == 1 and are_labels(y, network.classes)
    return holdout(y if labelled else len(y), fraction, seed)[1]


def row_count(rows: CoreRows) -> int:
    """Return how many rows these are."""
    X, *_, index = rows
    if index is not None:
        return len(index)
    return len(X[2]) - 1 if isinstance(X, tuple) else len(X)


def some_rows(rows: CoreRows, which: slice, network: Learner) -> CoreRows:
    """Return consecutive ones of these rows; none is copied, unless other processes have it."""
    X, *targets, index = rows
    if isinstance(X, RowsInProcesses):
        features, span, among = X.some(np.arange(which.start, which.stop) if index is None else index[which])
        network._check_codes(features)
        return core_form(features), *(None if part is None else part[span] for part in targets), among
    if index is not None:
        return X, *targets, index[which]
    if isinstance(X, tuple):
        values, columns, starts = X
        X = values, columns, starts[which.start : which.stop + 1]
    else:
        X = X[which]
    return X, *(None if part is None else part[which] for part in targets), None


def core_rows(
    X: Features | RowsInProcesses,
    targets: Targets,
    weights: NDArray[Any] | None,
    index: NDArray[np.uint32] | None = None,
) -> CoreRows:
    """Return rows as the core takes them."""
    return core_form(X), targets.labels, targets.values, weights, index
