"""The parts that the processes of a run have of the same rows, put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def joined(argument: str, parts: Sequence[Any]) -> Any:
    """Return the rows of all parts, one part behind another.

    They are arrays, SciPy matrices, or tables of pandas, polars or Arrow, of one kind; parts of no rows may
    be of any. A name, a number or None that is the same in all parts is returned as it is.

    Raises
    ------
    TypeError, ValueError
        If the parts do not go together.
    """
    first = parts[0]
    if any(_is_told(part) for part in parts):
        if any(type(part) is not type(first) or part != first for part in parts):
            given = [part if _is_told(part) else type(part).__name__ for part in parts]
            raise ValueError(f"{argument} must be given alike in all processes, got {given}")
        return first
    if any(not _is_array(part) for part in parts):
        got = ", ".join(type(part).__name__ for part in parts)
        raise TypeError(
            f"{argument} must be an array, a SciPy matrix or a table of pandas, polars or Arrow in each "
            f"process where local=True, got {got}"
        )
    filled = [part for part in parts if _rows(part)] or [first]
    if len(filled) == 1:
        return filled[0]
    columns = [sorted(map(str, part.columns)) for part in filled if hasattr(part, "columns")]
    if any(names != columns[0] for names in columns):
        raise ValueError(f"{argument} must have the same columns in all processes, got {columns}")
    kinds = {_kind(part) for part in filled}
    if len(kinds) > 1:
        raise TypeError(f"{argument} must be of one kind in all processes, got {sorted(kinds)}")
    return _JOIN[kinds.pop()](filled)


def _is_told(part: Any) -> bool:
    """Whether this is no part of rows, but something that all processes are told alike."""
    return part is None or isinstance(part, (str, bool, int, float))


def _is_array(part: Any) -> bool:
    return hasattr(part, "__array__") or isinstance(part, (list, tuple)) or _kind(part) != "numpy"


def _rows(part: Any) -> int:
    return int(part.shape[0]) if hasattr(part, "shape") else len(part)


def _kind(part: Any) -> str:
    if hasattr(part, "tocsr"):
        return "scipy"
    root = type(part).__module__.partition(".")[0]
    return root if root in _JOIN else "numpy"


def _scipy(parts: list[Any]) -> Any:
    from scipy.sparse import vstack

    return vstack(parts, format="csr")


def _pandas(parts: list[Any]) -> Any:
    import pandas as pd

    return pd.concat(parts, ignore_index=True)


def _polars(parts: list[Any]) -> Any:
    import polars as pl

    return pl.concat(parts, how="vertical_relaxed")


def _pyarrow(parts: list[Any]) -> Any:
    import pyarrow as pa

    return pa.concat_tables(parts, promote_options="permissive")


def _numpy(parts: list[Any]) -> Any:
    return np.concatenate([np.asarray(part) for part in parts])


_JOIN = {"scipy": _scipy, "pandas": _pandas, "polars": _polars, "pyarrow": _pyarrow, "numpy": _numpy}
