"""Hold rows back: the same rows for the same seed on every platform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]


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
    labels = None if isinstance(rows, (int, np.integer)) else np.asarray(rows)
    if labels is not None and labels.ndim != 1:
        raise ValueError(f"labels must be 1-D, got shape {labels.shape}")
    n = int(rows) if labels is None else len(labels)  # type: ignore[arg-type]
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be between 0 and 1, both excluded, got {fraction!r}")
    if n < 2:
        raise ValueError(f"at least 2 rows are needed to hold some back, got {n}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be between 0 and 2**64 - 1, got {seed!r}")
    from fastmlp._core import SPLIT_STREAM, permutation

    order = np.asarray(permutation(int(seed), SPLIT_STREAM, substream, n), dtype=np.int64)
    if labels is None or not stratify:
        chosen = order[: min(max(_share(fraction, n), 1), n - 1)]
    else:
        chosen = _stratified(labels, order, fraction)
    held_back = np.zeros(n, dtype=np.bool_)
    held_back[chosen] = True
    return np.flatnonzero(~held_back), np.flatnonzero(held_back)


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
