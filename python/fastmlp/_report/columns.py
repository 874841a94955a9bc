"""The data, column by column: what it holds, how much is missing, how it is distributed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import plural, shortened, three_digits
from fastmlp._report.html import Html, Picture, escape, join, paragraph, table
from fastmlp._report.numbers import date
from fastmlp.data import Table
from fastmlp.data._table import Column, missing_values

_COLUMNS = 200
_VALUES = 3
_BARS, _CLASSES = 20, 30
_WIDTH, _HEIGHT = 160, 36

_KINDS = {"i": "whole numbers", "f": "numbers", "b": "true or false", "M": "dates", "O": "texts"}


def describe_columns(
    data: Table, inputs: Sequence[str], targets: Sequence[str], labels: bool, most: int = _COLUMNS
) -> Html:
    """Make a table with a row for each column of the data, the targets first.

    Parameters
    ----------
    data : Table
    inputs : sequence of str
        The columns that the network sees.
    targets : sequence of str
        The columns that it predicts.
    labels : bool
        Whether those hold labels, of which the rows are counted.
    most : int
        So many columns are shown.
    """
    names = [*targets, *(name for name in data.names if name not in targets)]
    seen = set(inputs)
    parts = [
        paragraph(f"{data.source}: {data.n_rows:,} rows, {plural(len(names), 'column')}."),
        table(
            ("column", "role", "kind", "missing", "distribution", "values"),
            _rows(data, names[:most], seen, set(targets), labels),
        ),
        paragraph(
            f"Bars: rows in {_BARS} parts of equal width from the smallest to the largest value, or of each "
            f"different text, the most frequent first, {_CLASSES} at the most."
        ),
    ]
    if len(names) > most:
        parts.append(paragraph(f"{plural(len(names) - most, 'more column')} not shown."))
    return join(parts)


def _rows(
    data: Table, names: Sequence[str], inputs: set[str], targets: set[str], labels: bool
) -> Iterator[tuple[object, ...]]:
    for name in names:
        role = "target" if name in targets else "input" if name in inputs else "ignored"
        column = data[name]
        missing = missing_values(column)
        present = column[~missing]
        if labels and name in targets:
            present = present.astype(str).astype(object)
        yield (name, role, _KINDS[column.dtype.kind], int(missing.sum()), *_described(present, name))


def _described(column: Column, name: str) -> tuple[object, str]:
    """Return the values of a column as bars, and in words."""
    if not len(column):
        return "", "none"
    if column.dtype.kind == "M":
        return _histogram(column.astype(np.int64), name), f"{date(column.min())} to {date(column.max())}"
    if column.dtype.kind in "if":
        with np.errstate(over="ignore"):
            ends = [three_digits(float(value)) for value in (column.min(), column.max(), column.mean())]
        return _histogram(column, name), "{} to {}, mean {}".format(*ends)
    counts = Counter(map(str, column)).most_common()
    listed = ", ".join(f"{shortened(text, 40)} ({count:,})" for text, count in counts[:_VALUES])
    more = len(counts) - _VALUES
    words = listed + (f" and {more:,} more" if more > 0 else "")
    return _bars(np.array([count for _, count in counts[:_CLASSES]]), name), words


def _histogram(values: NDArray[np.generic], name: str) -> Picture:
    """Draw how many values lie in each of the parts of equal width."""
    numbers = values.astype(np.float64)
    scale = max(float(np.abs(numbers).max()), 1e-300)  # the width of huge values would overflow
    low, high = float((numbers / scale).min()), float((numbers / scale).max())
    if not low < high:
        return _bars(np.array([len(numbers)]), name)
    places = np.minimum((numbers / scale - low) / (high - low) * _BARS, _BARS - 1).astype(np.int64)
    return _bars(np.bincount(places, minlength=_BARS), name)


def _bars(counts: NDArray[np.int64], name: str) -> Picture:
    """Draw bars; one that stands for few rows is still seen."""
    step = min(_WIDTH / len(counts), 16)
    heights = np.where(counts > 0, np.maximum(counts / counts.max() * _HEIGHT, 1), 0)
    paths = "".join(
        f"M{at * step:.4g} {_HEIGHT}v{-height:.3g}h{step - 1:.4g}v{height:.3g}z"
        for at, height in enumerate(heights)
        if height
    )
    label = escape(f"bars of {shortened(name, 100)}: the longest stands for {counts.max():,} rows")
    return Picture(
        f'<svg class="bars" role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}"><path d="{paths}"/></svg>'
    )
