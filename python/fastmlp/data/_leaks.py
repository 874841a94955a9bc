"""Columns that tell the target, as the target under another name does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._table import missing_values
from fastmlp.data._task import choose_task

Column = NDArray[Any]
Codes = NDArray[np.int64]

#: Of fewer rows, or of fewer that have another value than the most frequent one, columns agree by chance.
_LEAST_ROWS, _LEAST_OTHERS = 50, 5
#: A column may lack so much of its values, and tell the target by the others.
_MOST_MISSING = 0.1
#: Of more rows, about so many are looked at, evenly apart.
_MOST_ROWS = 100_000
#: Most columns are told by so many rows to be something else.
_GLANCE = 16
#: How far numbers may be from a straight line, as a part of the target's range: they are written rounded.
_OFF_THE_LINE = 1e-6


class Columns(Protocol):
    """Columns by name, such as those of a Table."""

    def __getitem__(self, name: str, /) -> Column: ...


def tell_target(table: Columns, targets: Iterable[str], inputs: Iterable[str]) -> dict[str, str]:
    """Return the columns of a table that may be a target under another name, with a line on each.

    In 50 rows or more these are columns

    - whose values stand one to one for the target's labels, if each occurs twice or more on average. A
      missing value is one more value or, where at most a tenth is missing, left out;
    - of numbers that equal the target, or are a linear function of it.

    Parameters
    ----------
    table : Table, or other arrays by name
        Rows with a target.
    targets, inputs : iterable of str
        The columns to predict, and those to predict them from.

    Returns
    -------
    dict of str to str
        By the column's name: "column 'alive' has one value for each label of 'survived' and may be the target
        under another name".
    """
    inputs = tuple(inputs)
    found = {}
    for target in targets:
        step = -(-len(table[target]) // _MOST_ROWS) or 1
        truth = table[target][::step]
        rows = len(truth)
        if rows < _LEAST_ROWS or not _is_column(truth) or missing_values(truth).any():
            continue
        labels = _codes(truth)
        counts = np.bincount(labels)
        if len(counts) < 2 or rows - counts.max() < _LEAST_OTHERS:
            continue
        of_classes = 2 * len(counts) <= rows and choose_task(truth) == "classification"
        for name in inputs:
            how = _how(table[name][::step], truth, labels, len(counts) if of_classes else 0)
            if how is not None:
                found[name] = f"column {name!r} {how} {target!r} and may be the target under another name"
    return found


def _is_column(values: Column) -> bool:
    """Whether an array is as the columns of a Table are: plain values, or texts; y may be of any kind."""
    texts = values.dtype == object and all(isinstance(value, str) for value in values)
    return values.ndim == 1 and (texts or values.dtype.kind in "biufUM")


def _how(column: Column, truth: Column, labels: Codes, classes: int) -> str | None:
    """Return how a column tells the target: "equals", for instance; None if it does not.

    `classes` is 0 where the target holds quantities.
    """
    numbers = column.dtype.kind in "iuf" and truth.dtype.kind in "iuf"
    if numbers and _on_a_line(column, truth):
        if np.array_equal(column, truth):
            return "equals"
        if classes != 2:
            return "is a linear function of"
    if classes and _one_to_one(column, labels, classes):
        return "has one value for each label of"
    return None


def _one_to_one(column: Column, labels: Codes, classes: int) -> bool:
    """Tell whether equal values go with equal labels, and different ones with different ones."""
    if _contradict(column, labels):
        return False
    if _pair(column, labels, classes):
        return True
    missing = missing_values(column)
    if not 0 < missing.mean() <= _MOST_MISSING:
        return False
    return _pair(column[~missing], labels[~missing], classes)


def _contradict(column: Column, labels: Codes) -> bool:
    """Tell at a glance that values and labels do not stand one to one, which spares the look at all rows."""
    label_of: dict[Any, int] = {}
    for value, label in zip(column[:_GLANCE].tolist(), labels[:_GLANCE].tolist(), strict=True):
        known = value is not None and value == value  # NaN does not equal itself
        if known and label_of.setdefault(value, label) != label:
            return True
    return len({*label_of.values()}) != len(label_of)


def _pair(column: Column, labels: Codes, classes: int) -> bool:
    """Tell whether there are as many values as labels, and as many pairs of both."""
    values = _codes(column)
    if values.max() + 1 != classes:
        return False
    return len(np.unique(values * classes + labels)) == len(np.unique(labels)) == classes


def _on_a_line(column: Column, truth: Column) -> bool:
    """Tell whether the target is a linear function of numbers, wherever they are known."""
    low, middle, high = np.argsort(truth[:_GLANCE])[[0, _GLANCE // 2, -1]]
    with np.errstate(all="ignore"):
        x0, x1, x2 = (float(column[row]) for row in (low, middle, high))
        y0, y1, y2 = (float(truth[row]) for row in (low, middle, high))
        bend = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(bend) > 1e3 * _OFF_THE_LINE * abs((x2 - x0) * (y2 - y0)):  # as most are, which spares the rest
            return False
    missing = missing_values(column)
    if missing.mean() > _MOST_MISSING:
        return False
    x, y = column[~missing].astype(np.float64), truth[~missing].astype(np.float64)
    low, high = int(x.argmin()), int(x.argmax())
    with np.errstate(all="ignore"):  # values near 1e308
        shares = (x - x[low]) / (x[high] - x[low])
        off = np.abs(y[low] + (y[high] - y[low]) * shares - y).max()
        return bool(off <= _OFF_THE_LINE * (y.max() - y.min())) and bool(y[low] != y[high])


def _codes(column: Column) -> Codes:
    """Return the number of each value, from 0; missing values have one number."""
    if column.dtype == object:
        numbers: dict[Any, int] = {}
        return np.fromiter(
            (numbers.setdefault(value, len(numbers)) for value in column), np.int64, len(column)
        )
    return np.unique(column, return_inverse=True)[1].reshape(-1)
