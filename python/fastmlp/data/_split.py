"""Hold rows back, at random or the latest: the same rows for the same seed on every platform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base.validation import integer, real
from fastmlp._native import core as _core
from fastmlp.data._table import missing_values

Rows = NDArray[np.int64]

#: Those of `holdout` are small numbers; folds count down from the largest ones and keep out of their way.
_KFOLD_SUBSTREAM = 2**32 - 1
_GROUPS_SUBSTREAM = 2**31 - 1


def holdout(
    rows: int | ArrayLike, fraction: float, seed: int = 0, stratify: bool = True, *, substream: int = 0
) -> tuple[Rows, Rows]:
    """Split rows at random into those to train on and those to hold back.

    The held-back rows number round(fraction n), halves upwards, at least 1 and at most n - 1. Stratified,
    each class gives round(fraction count) of its rows and always keeps one to train on.

    Parameters
    ----------
    rows : int or array_like, shape (n,)
        The number of rows, or their labels.
    fraction : float
        The part to hold back, between 0 and 1.
    seed : int, default 0
        The seed of the permutation that chooses the rows.
    stratify : bool, default True
        Whether to take the fraction from every class, when labels are given.
    substream : int, default 0
        Another value gives an independent choice for the same seed.

    Returns
    -------
    train_rows, test_rows : int64 arrays
        0-based, ascending; together they are every row once.

    Raises
    ------
    ValueError
        If the fraction is not between 0 and 1, there are fewer than 2 rows, no class has 2 rows, or the seed
        does not fit 64 bits.
    """
    labels, n = _labels_and_count(rows)
    fraction = real("fraction", fraction, low=0, high=1, open_low=True, open_high=True)
    if n < 2:
        raise ValueError(f"at least 2 rows are needed to hold some back, got {n}")
    order = _permutation(seed, substream, n)
    if labels is None or not stratify:
        chosen = order[: min(max(_share(fraction, n), 1), n - 1)]
    else:
        chosen = _stratified(labels, order, fraction)
    held_back = np.zeros(n, dtype=np.bool_)
    held_back[chosen] = True
    return _split(held_back)


def kfold(
    rows: int | ArrayLike, k: int = 5, seed: int = 0, stratify: bool = True, *, substream: int = 0
) -> list[tuple[Rows, Rows]]:
    """Split rows at random into k folds, each of which is held back once.

    Folds differ by at most one row. Stratified, so do the rows of each class in them.

    Parameters
    ----------
    rows : int or array_like, shape (n,)
        The number of rows, or their labels.
    k : int, default 5
        The number of folds, from 2 to n.
    seed : int, default 0
        The seed of the permutation that deals the rows out; its choice is independent of that of `holdout`.
    stratify : bool, default True
        Whether to deal out every class evenly, when labels are given. The one row of a class of one is in a
        test fold once, and the network of that fold does not know the class.
    substream : int, default 0
        Another value deals the rows out anew for the same seed.

    Returns
    -------
    list of k pairs (train_rows, test_rows) of int64 arrays
        0-based, ascending; the test rows of all pairs are every row once.

    Raises
    ------
    TypeError
        If k is not an integer.
    ValueError
        If k is not between 2 and the number of rows, or the seed does not fit 64 bits.

    References
    ----------
    R. Kohavi, A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection, IJCAI,
    1995.
    """
    labels, n = _labels_and_count(rows)
    k = _folds(k, n)
    order = _permutation(seed, _KFOLD_SUBSTREAM - _deal(substream), n)
    if labels is not None and stratify:
        codes = np.unique(labels, return_inverse=True)[1]
        order = order[np.argsort(codes[order], kind="stable")]  # the rows of a class lie together
    fold = np.empty(n, dtype=np.int64)
    fold[order] = np.arange(n) % k
    return [_split(fold == i) for i in range(k)]


def group_folds(
    groups: ArrayLike, k: int = 5, seed: int = 0, labels: ArrayLike | None = None, *, substream: int = 0
) -> list[tuple[Rows, Rows]]:
    """Split rows at random into k folds so that the rows of a group are all in one of them.

    Groups are dealt out one by one, larger ones first, each to the fold f that has the least of what the
    group g has: of the lowest ``sum_c n_fc n_gc / n_c^2``, n_fc and n_gc the rows of class c in the fold and
    in the group, n_c of all rows. That keeps the folds even in size and, with labels, in the share of each
    class, as far as whole groups can.

    Parameters
    ----------
    groups : array_like, (n,)
        The group of each row: numbers, texts or dates.
    k : int, default 5
        The number of folds, from 2 to the number of groups.
    seed : int, default 0
        Of the order in which groups are dealt out that have as many rows, within a factor of 2.
    labels : array_like, (n,), optional
        The class of each row, to be spread evenly.
    substream : int, default 0
        Another value deals the groups out anew for the same seed.

    Returns
    -------
    list of k pairs (train_rows, test_rows) of int64 arrays
        0-based, ascending; the test rows of all pairs are every row once.

    Raises
    ------
    TypeError
        If k is not an integer.
    ValueError
        If k is not between 2 and the number of groups, a group or a label is missing, or they differ in
        length.
    """
    _, members, sizes = np.unique(_known("groups", groups), return_inverse=True, return_counts=True)
    k = _folds(k, len(sizes), "groups")
    if labels is None:
        counts = sizes[:, np.newaxis].astype(np.float64)
    else:
        counts = _counts_in_groups(members, len(sizes), _known("labels", labels))
    order = _permutation(seed, _GROUPS_SUBSTREAM - _deal(substream), len(sizes))
    order = order[np.argsort(-np.frexp(sizes[order])[1], kind="stable")]
    fold = _dealt(counts, order, k)
    return [_split(fold[members] == i) for i in range(k)]


def time_ordered(times: int | ArrayLike, fraction: float) -> tuple[Rows, Rows]:
    """Hold back the latest rows: a network that is to tell the future must not have learned from it.

    Rows of the same time stay together: the border is put between two different times, nearest to where
    round(fraction n) rows, halves upwards, would be held back, and of two as near at the earlier one.

    Parameters
    ----------
    times : int or array_like, shape (n,)
        The time of each row, numbers or dates in any order; or the number of rows if they are in order.
    fraction : float
        The part to hold back, between 0 and 1.

    Returns
    -------
    train_rows, test_rows : int64 arrays
        0-based, ascending; every test row is later than every training row.

    Raises
    ------
    TypeError
        If times are neither numbers nor dates.
    ValueError
        If the fraction is not between 0 and 1, a time is missing, or there are not two different times.
    """
    fraction = real("fraction", fraction, low=0, high=1, open_low=True, open_high=True)
    order, changes = _order_of_times(times)
    n = len(order)
    border = _nearest(changes, n - _share(fraction, n))
    return np.sort(order[:border]), np.sort(order[border:])


def time_folds(times: int | ArrayLike, k: int = 5) -> list[tuple[Rows, Rows]]:
    """Split rows into k + 1 blocks of time, and hold back each but the first; train on all earlier rows.

    The blocks have about the same number of rows; their borders lie between different times, as in
    `time_ordered`.

    Parameters
    ----------
    times : int or array_like, shape (n,)
        The time of each row, numbers or dates in any order; or the number of rows if they are in order.
    k : int, default 5
        The number of folds, from 2.

    Returns
    -------
    list of k pairs (train_rows, test_rows) of int64 arrays
        0-based, ascending; every test row is later than every training row, and earlier than those of the
        next pair.

    Raises
    ------
    TypeError
        If times are neither numbers nor dates, or k is not an integer.
    ValueError
        If a time is missing, or there are too few different times for so many folds.

    References
    ----------
    L. J. Tashman, Out-of-Sample Tests of Forecasting Accuracy: An Analysis and Review, International Journal
    of Forecasting 16(4), 437-450, 2000.
    C. Bergmeir and J. M. Benitez, On the Use of Cross-Validation for Time Series Predictor Evaluation,
    Information Sciences 191, 192-213, 2012.
    """
    order, changes = _order_of_times(times)
    n = len(order)
    k = _folds(k, n)
    borders = [_nearest(changes, _share(i / (k + 1), n)) for i in range(1, k + 1)]
    if len(set(borders)) < k:
        raise ValueError(f"k={k} folds need more rows of different times than there are: {len(changes) + 1}")
    return [
        (np.sort(order[:start]), np.sort(order[start:stop]))
        for start, stop in zip(borders, [*borders[1:], n], strict=True)
    ]


def _labels_and_count(rows: int | ArrayLike) -> tuple[NDArray[Any] | None, int]:
    if isinstance(rows, (int, np.integer)):
        return None, int(rows)
    labels = _known("labels", rows)
    return labels, len(labels)


def _known(argument: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of labels or groups, none of which is missing."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{argument} must be 1-D, got shape {array.shape}")
    missing = np.flatnonzero(missing_values(array))
    if len(missing):
        raise ValueError(f"{argument} must be known, row {missing[0]} has none")
    return array


def _dealt(counts: NDArray[np.float64], order: Rows, k: int) -> Rows:
    """Return the fold of each group: of those that have the least of what it has, the one of fewest rows.

    Sums go from one class to the next, so that ties are the same on every platform.
    """
    in_fold = np.zeros((k, counts.shape[1]))
    fold = np.empty(len(counts), dtype=np.int64)
    weights = counts / counts.sum(axis=0) ** 2
    for group in order:
        overlap = np.cumsum(in_fold * weights[group], axis=1)[:, -1]
        fold[group] = chosen = np.lexsort((in_fold.sum(axis=1), overlap))[0]
        in_fold[chosen] += counts[group]
    return fold


def _counts_in_groups(members: Rows, groups: int, labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return how many rows of each class each group has, (groups, classes)."""
    if len(labels) != len(members):
        raise ValueError(f"labels must be as many as groups, {len(members)}, got {len(labels)}")
    classes, codes = np.unique(labels, return_inverse=True)
    cells = np.bincount(members * len(classes) + codes, minlength=groups * len(classes))
    return cells.reshape(groups, len(classes)).astype(np.float64)


def _folds(k: Any, n: int, what: str = "rows") -> int:
    if isinstance(k, (bool, np.bool_)) or not isinstance(k, (int, np.integer)):
        raise TypeError(f"k must be an integer, got {k!r}")
    if not 2 <= k <= n:
        raise ValueError(f"k must be between 2 and the number of {what}, {n}, got {k}")
    return int(k)


def _permutation(seed: int, substream: int, n: int) -> Rows:
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed must be an integer, got {seed!r}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be between 0 and 2**64 - 1, got {seed!r}")

    return np.asarray(_core.permutation(int(seed), _core.SPLIT_STREAM, substream, n), dtype=np.int64)


def _deal(substream: Any) -> int:
    return integer("substream", substream, low=0, high=2**30)


def _split(held_back: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    return np.flatnonzero(~held_back), np.flatnonzero(held_back)


def _order_of_times(times: int | ArrayLike) -> tuple[Rows, Rows]:
    """Return the rows in order of time, and the places in it where a new time begins."""
    values = np.arange(times) if isinstance(times, (int, np.integer)) else np.asarray(times)
    if values.ndim != 1:
        raise ValueError(f"times must be 1-D, got shape {values.shape}")
    if values.dtype.kind not in "iufMm":
        raise TypeError(f"times must be numbers or dates, got dtype {values.dtype}")
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        raise ValueError(f"times: row {missing[0]} has no time")
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    if not len(changes):
        raise ValueError(f"times: at least 2 different times are needed, the {len(values)} rows have fewer")
    return order, changes


def _nearest(changes: Rows, wanted: int) -> int:
    return int(changes[np.argmin(np.abs(changes - wanted))])


def _stratified(labels: NDArray[Any], order: Rows, fraction: float) -> Rows:
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = np.array([min(_share(fraction, count), count - 1) for count in counts])
    if counts.max() < 2:
        raise ValueError(f"each of the {len(counts)} classes has one row only, so none can be held back")
    if not shares.any():
        shares[np.argmax(counts)] = 1  # so that something is held back of many tiny classes
    codes = codes[order]
    by_class = np.argsort(codes, kind="stable")
    rank = np.empty_like(by_class)  # how many rows of its class come before each row, in the drawn order
    rank[by_class] = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[rank < shares[codes]]


def _share(fraction: float, count: int) -> int:
    return int(np.floor(fraction * count + 0.5))
