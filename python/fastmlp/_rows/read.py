"""From what a user gave to the rows of a run: in memory, or in windows that are read from files."""

from __future__ import annotations

from typing import Any, TypeAlias

from fastmlp._base.validation import as_array, as_matrix, feature_names, features_and_target, memory_size
from fastmlp._rows.learner import Learner
from fastmlp._rows.memory import MemoryRows, WholeRows, divide_memory, read_memory
from fastmlp._rows.parquet import is_parquet, spool_parquet
from fastmlp._rows.shards import Shards
from fastmlp._rows.spool import as_batches, is_npy, mapped, spool
from fastmlp._rows.stream import StreamedRows, read_stream
from fastmlp._rows.targets import TargetForm
from fastmlp._rows.windows import WindowedRows, divide_stream

DEFAULT_LIMIT = 2 * 10**9

RunRows: TypeAlias = WholeRows | WindowedRows


def read_rows(
    X: Any,
    y: Any,
    loss: Any,
    task: Any,
    sample_weight: Any,
    class_weight: Any,
    dtype: str,
    memory_limit: Any,
    known: TargetForm | None = None,
) -> MemoryRows | StreamedRows:
    """Return the rows to learn from, checked: in memory, unless they come from files or there is a limit.

    `known` is the form of the targets of a network to go on from, of whose labels y may have fewer.
    """
    limit = DEFAULT_LIMIT if memory_limit is None else memory_size("memory_limit", memory_limit)
    in_memory = memory_limit is None and not is_npy(X)
    X, y = mapped(X), mapped(y)
    if is_parquet(X):
        streamed = spool_parquet(X, y, dtype)
    elif (batches := as_batches(X, y)) is not None:
        streamed = spool(batches, dtype)
    elif y is None:
        raise TypeError("y is needed, except for an iterator of batches (X, y)")
    elif in_memory:
        return read_memory(X, y, loss, task, sample_weight, class_weight, dtype, known)
    else:
        streamed = _arrays(X, y, dtype)
    return read_stream(*streamed, loss, task, sample_weight, class_weight, dtype, limit, known)


def divide_rows(
    rows: MemoryRows | StreamedRows, network: Learner, validation: Any, seed: int, shards: Shards, *,
    clipped: bool,
) -> RunRows:  # fmt: skip
    """Return the rows of a run of this network: to train on and, if they are wanted, to validate on."""
    if isinstance(rows, MemoryRows):
        return divide_memory(rows, network, validation, seed)
    return divide_stream(rows, network, validation, seed, clipped, shards)


def _arrays(X: Any, y: Any, dtype: str) -> tuple[Any, Any, tuple[str, ...]]:
    """Return X and y as arrays of the types that they have, and the names of the columns."""
    X, y = features_and_target(X, y)
    if hasattr(X, "tocsr"):
        raise TypeError("memory_limit goes with dense rows, got a sparse X")
    array = as_array("X", X)
    if array.dtype.kind not in "biuf":  # numbers as objects, which lie in memory anyway
        array = as_matrix("X", X, dtype)
    return array, as_array("y", y), feature_names(X)
