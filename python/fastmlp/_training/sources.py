"""Files that `train` is given by their paths: read as tables or arrays, or left to be streamed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastmlp._base.arrow import import_pyarrow
from fastmlp._base.said import say
from fastmlp._base.validation import memory_size
from fastmlp._rows.parquet import is_parquet, parquet_dataset
from fastmlp._rows.read import DEFAULT_LIMIT
from fastmlp._rows.spool import is_npy
from fastmlp.data import Table, read, read_parquet
from fastmlp.data._frames import from_arrow
from fastmlp.data._plain import odd_type
from fastmlp.data._read import choose_reader, holds_table
from fastmlp.data._source import resolve

#: Statistics of more parts than this are not looked at for gaps.
_MOST_PARTS = 100_000


def opened(X: Any, y: Any, encode: Any, memory_limit: Any) -> tuple[Any, Any, bool]:
    """Return X and y, read if X is the path of a file, and whether it was one that holds a table.

    Files of arrays may hold y too. .npy files are left to be mapped, and Parquet datasets of numbers to be
    streamed.
    """
    if not is_parquet(X) or is_npy(X):
        return X, y, False
    is_path = isinstance(X, (str, os.PathLike))
    if is_path and not Path(X).exists():
        return X, y, False  # the error is that of a dataset which is not there
    if not is_path or Path(X).is_dir():
        return _parquet(X, y, encode, memory_limit)
    source = resolve(X)
    reader = choose_reader(source)
    if reader is read_parquet:
        return _parquet(X, y, encode, memory_limit)
    in_file = y is None or isinstance(y, (int, str, os.PathLike))
    found = read(source, y if in_file and not holds_table(reader) else None)
    if isinstance(found.X, Table):
        for note in found.X.notes:
            say(f"{found.X.source}: {note}")
        return found.X, y, True
    return found.X, found.y if in_file else y, False


def _parquet(source: Any, y: Any, encode: Any, memory_limit: Any) -> tuple[Any, Any, bool]:
    """Return a Parquet dataset as a table in memory, if it is to be encoded."""
    if encode is False:
        return source, y, False
    dataset, name = parquet_dataset(source)
    targets = (y,) if isinstance(y, str) else tuple(y) if isinstance(y, (list, tuple)) else ()
    odd = _odd_column(dataset, targets)
    if odd is None and encode is not True:
        return source, y, False
    limit = DEFAULT_LIMIT if memory_limit is None else memory_size("memory_limit", memory_limit)
    size = 8 * dataset.count_rows() * len(dataset.schema.names)
    if size > limit:
        why = "encode is True" if odd is None else f"the column {odd[0]!r} holds {odd[1]}"
        raise ValueError(
            f"{name}: {why}, so that the table is encoded in memory; its {size / 1e9:.3g} GB are more than "
            f"the limit of {limit / 1e9:.3g} GB: give a larger memory_limit, leave such columns out, or "
            "train on encoded parts, (encoder.transform(part), encoder.transform_target(part)), one by one"
        )
    pa = import_pyarrow()
    try:
        table = dataset.to_table()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    return from_arrow(table, name), y, True


def _odd_column(dataset: Any, targets: tuple[Any, ...]) -> tuple[str, str] | None:
    """Return the first input that cannot be streamed, and what it holds; booleans are streamed as 0 and 1."""
    inputs = [field for field in dataset.schema if field.name not in targets]
    for field in inputs:
        what = odd_type(field.type)
        if what not in (None, "booleans"):
            return field.name, str(what)
    gaps = _columns_with_gaps(dataset)
    return next(((field.name, "gaps") for field in inputs if field.name in gaps), None)


def _columns_with_gaps(dataset: Any) -> set[str]:
    """Return the columns whose statistics tell of missing values."""
    found: set[str] = set()
    looked_at = 0
    for fragment in dataset.get_fragments():
        metadata = getattr(fragment, "metadata", None)
        if metadata is None:
            continue
        looked_at += metadata.num_row_groups * metadata.num_columns
        if looked_at > _MOST_PARTS:
            break
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                part = metadata.row_group(group).column(column)
                statistics = part.statistics
                if statistics is not None and statistics.has_null_count and statistics.null_count:
                    found.add(part.path_in_schema)
    return found
