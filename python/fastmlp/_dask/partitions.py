"""Dask's collections as a list of partitions: X, y and the weights of the same rows side by side."""

from __future__ import annotations

from typing import Any

from fastmlp._base.text import plural
from fastmlp.data._table import quoted


def partitions(X: Any, y: Any, weights: Any = None, prefix: str = "") -> list[tuple[Any, Any, Any]]:
    """Return (X, y, weights) of each partition, lazily; y may name columns of a data frame X.

    Raises
    ------
    TypeError, ValueError
        If they are no collections of Dask, or are partitioned in different ways.
    """
    blocks = _blocks(f"{prefix}X", X, columns=True)
    names = named_columns(y)
    if names and not hasattr(X, "columns"):
        raise TypeError(f"{prefix}y may name columns only where X is a dask data frame, got {y!r}")
    for name in names:
        if name not in X.columns:
            raise ValueError(f"{prefix}y must be one of the columns {quoted(X.columns)}; got {name!r}")
    named = y if isinstance(y, str) else names
    of_y = [named] * len(blocks) if names else _blocks(f"{prefix}y", _like(X, y), like=len(blocks))
    name = f"{prefix}sample_weight"
    of_weights = (
        [None] * len(blocks) if weights is None else _blocks(name, _like(X, weights), like=len(blocks))
    )
    return list(zip(blocks, of_y, of_weights, strict=True))


def named_columns(y: Any) -> tuple[str, ...]:
    """Return the columns that y names, () where it is no name and no list of names."""
    if isinstance(y, str):
        return (y,)
    told = isinstance(y, (list, tuple)) and all(isinstance(name, str) for name in y)
    return tuple(y) if told else ()


def is_collection(data: Any) -> bool:
    """Whether data is a collection of Dask."""
    from dask.base import is_dask_collection
    from dask.delayed import Delayed  # has whatever attribute is asked for

    return (
        is_dask_collection(data)
        and not isinstance(data, Delayed)
        and (hasattr(data, "chunks") or hasattr(data, "npartitions"))
    )


def _like(X: Any, other: Any) -> Any:
    """Return an array in chunks as those of X, where both are known and differ: targets are small."""
    arrays = is_collection(other) and hasattr(X, "chunks") and hasattr(other, "chunks")
    if not arrays or X.chunks[0] == other.chunks[0]:
        return other
    known = all(n == n for n in (*X.chunks[0], *other.chunks[0]))
    return other.rechunk({0: X.chunks[0]}) if known and X.shape[0] == other.shape[0] else other


def _blocks(argument: str, data: Any, *, columns: bool = False, like: int | None = None) -> list[Any]:
    if not is_collection(data):
        raise TypeError(
            f"{argument} must be a dask array or data frame, got {type(data).__name__}; "
            "dask.array.from_array and dask.dataframe.from_pandas make one"
        )
    if hasattr(data, "chunks"):
        if columns and data.ndim != 2:
            raise ValueError(f"{argument} must have 2 dimensions (rows, columns), got {data.ndim}")
        if any(blocks > 1 for blocks in data.numblocks[1:]):
            raise ValueError(
                f"{argument} must be chunked along rows only, got {data.numblocks[1]} chunks of columns; "
                f"{argument}.rechunk({{1: -1}}) joins them"
            )
        blocks = list(data.to_delayed().ravel())
    elif columns and not hasattr(data, "columns"):
        raise TypeError(f"{argument} must be a dask array or data frame, got a {type(data).__name__}")
    else:
        blocks = list(data.to_delayed())
    if like is not None and len(blocks) != like:
        raise ValueError(
            f"{argument} must have {plural(like, 'partition')} as X, got {len(blocks)}; partition them alike"
        )
    return blocks
