"""The folds of a cross-validation: pairs of the rows to train on and the rows to test on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.text import plural
from fastmlp._base.validation import as_array, choice, integer, is_missing, same_length
from fastmlp.data import group_folds, kfold, time_folds
from fastmlp.data._table import quoted

Rows = NDArray[np.int64]
Fold = tuple[Rows, Rows]

SPLITS = ("auto", "stratified", "plain", "grouped", "time")


@dataclass(frozen=True)
class Division:
    """How rows are divided into folds; see `fastmlp.cross_validate`."""

    folds: Any = 5
    repeats: Any = 1
    split: Any = "auto"
    seed: int = 0

    def check(self, grouped: bool) -> None:
        """Refuse what does not go together, before the data is read."""
        integer("repeats", self.repeats, low=1)
        choice("split", self.split, SPLITS)
        if isinstance(self.folds, (str, bytes)) or not (
            _counted(self.folds) or _splits(self.folds) or isinstance(self.folds, Iterable)
        ):
            raise TypeError(
                "folds must be an integer of at least 2, pairs (train, test) of indices, or a splitter of "
                f"scikit-learn's, got {self.folds!r}"
            )
        if _counted(self.folds):
            integer("folds", self.folds, low=2)
            if self.split == "grouped" and not grouped:
                raise ValueError("groups is needed where split is 'grouped'")
            if grouped and self.split not in ("auto", "grouped"):
                raise ValueError(f"groups goes with split 'grouped', got split {self.split!r}")
            if self.split == "time" and self.repeats != 1:
                raise ValueError(
                    f"repeats must be 1 with split 'time', whose folds stay the same, got {self.repeats}"
                )
            return
        if self.split != "auto" or self.repeats != 1:
            name = "split" if self.split != "auto" else "repeats"
            raise ValueError(f"{name} goes with a number of folds, not with folds of your own")
        if grouped and not _splits(self.folds):
            raise ValueError("groups goes with a number of folds or a splitter, not with pairs of indices")

    @property
    def is_given(self) -> bool:
        """Whether the folds are pairs of the user's own."""
        return not _counted(self.folds) and not _splits(self.folds)

    def given(self, n: int, present: Rows) -> list[Fold]:
        """Return the user's own pairs of rows, of n, without those that are not present.

        Raises
        ------
        TypeError, ValueError
            Naming the fold, where it is no pair of rows, or none of them are present.
        """
        pairs = []
        for i, fold in enumerate(_checked(self.folds, n)):
            train, test = (part[np.isin(part, present)] for part in fold)
            if not (len(train) and len(test)):
                part = int(len(train) > 0)
                raise ValueError(f"folds[{i}][{part}] must have a row with a target, got rows without")
            pairs.append((train, test))
        return pairs

    def pairs(
        self, rows: Any, labels: NDArray[Any] | None, y: Any, groups: NDArray[Any] | None
    ) -> list[Fold]:
        """Return the folds that are counted, or those of a splitter, repeat by repeat.

        Parameters
        ----------
        rows : array_like of n rows
            What a splitter is given for X.
        labels : array, (n,), or None
            The class of each row, where y holds labels.
        y : array, (n,) or (n, outputs)
            What a splitter is given for y.
        groups : array, (n,), or None
        """
        n = len(y)
        if not _counted(self.folds):
            return _checked(self.folds.split(rows, y, groups), n)
        split = self.split
        if split == "auto":
            split = "plain" if labels is None else "stratified"
            split = split if groups is None else "grouped"
        if split == "stratified" and labels is None:
            raise ValueError(
                "split 'stratified' needs y to hold one label a row, got quantities or several labels a row"
            )
        if split != "grouped" and self.folds > n:
            raise ValueError(f"folds must be at most the number of rows, {n}, got {self.folds}")
        if split == "stratified" and labels is not None:
            _check_classes(labels, self.folds)
        return [fold for i in range(self.repeats) for fold in self._repeat(split, i, n, labels, groups)]

    def _repeat(
        self, split: str, repeat: int, n: int, labels: NDArray[Any] | None, groups: NDArray[Any] | None
    ) -> list[Fold]:
        if split == "time":
            return time_folds(n, self.folds)
        if split == "grouped":
            assert groups is not None
            different = len(np.unique(groups))
            if self.folds > different:
                raise ValueError(f"folds must be at most the number of groups, {different}, got {self.folds}")
            return group_folds(groups, self.folds, self.seed, labels, substream=repeat)
        rows = n if labels is None or split == "plain" else labels
        return kfold(rows, self.folds, self.seed, substream=repeat)


def checked_groups(groups: Any, n: int) -> NDArray[Any]:
    """Return the group of each row, (n,)."""
    values = as_array("groups", groups)
    if values.ndim != 1:
        raise ValueError(f"groups must hold one value for each row, (n,), got shape {values.shape}")
    same_length("groups", len(values), n)
    if values.dtype.kind in "OfMm":
        missing = np.flatnonzero(np.frompyfunc(is_missing, 1, 1)(values.astype(object)))
        if len(missing):
            raise ValueError(f"groups has a missing value at row {missing[0]}")
    try:
        return np.unique(values, return_inverse=True)[1]
    except TypeError:
        raise TypeError("groups must hold values of one type, got a mixture that cannot be sorted") from None


def _counted(folds: Any) -> bool:
    return isinstance(folds, (int, float, np.number, np.bool_))


def _splits(folds: Any) -> bool:
    return callable(getattr(folds, "split", None))


def _check_classes(labels: NDArray[Any], folds: int) -> None:
    """Refuse classes that all have fewer rows than there are folds, and warn of some that have."""
    classes, counts = np.unique(labels, return_counts=True)
    if counts.max() < folds:
        raise ValueError(
            f"folds must be at most the number of rows of some class, {counts.max()}, got {folds}"
        )
    few = classes[counts < folds]
    if len(few):
        say(
            f"{plural(len(few), 'class has', 'classes have')} fewer rows than there are folds, {folds}: "
            f"{quoted(few.tolist(), 5)}"
        )


def _checked(pairs: Any, n: int) -> list[Fold]:
    """Return pairs of indices or masks as indices; a row may be trained on more than once."""
    folds = []
    for i, pair in enumerate(pairs):
        try:
            train, test = pair
        except (TypeError, ValueError):
            raise ValueError(f"folds[{i}] must be a pair (train, test) of indices, got {pair!r}") from None
        train, test = _indices(f"folds[{i}][0]", train, n), _indices(f"folds[{i}][1]", test, n)
        if len(np.unique(test)) < len(test):
            raise ValueError(f"folds[{i}][1] must hold each row once, got some again")
        both = np.intersect1d(train, test)
        if len(both):
            raise ValueError(
                f"folds[{i}] must not test rows that it trains on, got row {both[0]} in both parts"
            )
        folds.append((train, test))
    if not folds:
        raise ValueError("folds must hold at least one pair (train, test), got none")
    return folds


def _indices(name: str, rows: Any, n: int) -> Rows:
    index = np.asarray(rows)
    if index.ndim != 1 or index.dtype.kind not in "biu" or not index.size:
        raise ValueError(f"{name} must be indices of rows or a mask, at least one row, got {rows!r}")
    if index.dtype.kind == "b":
        same_length(name, len(index), n)
        index = np.flatnonzero(index)
        if not len(index):
            raise ValueError(f"{name} must have at least one row, got none")
    low, high = index.min(), index.max()
    if low < 0 or high >= n:
        raise ValueError(f"{name} must be within 0 and {n - 1}, got {low if low < 0 else high}")
    return index.astype(np.int64)
