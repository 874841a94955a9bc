"""Tables of what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


class Records:
    """A table with named columns, one tuple a row.

    Parameters
    ----------
    columns : sequence of str
        The names.
    rows : iterable of tuples, optional
        The values, in the order of the names; those beyond the columns are left out.

    Examples
    --------
    >>> table = Records(("step", "loss"), [(1, 0.5), (2, 0.25)])
    >>> table["loss"]
    array([0.5 , 0.25])
    >>> print(table)
    step  loss
       1   0.5
       2  0.25
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence[Any]] = ()) -> None:
        self.columns = tuple(columns)
        self._rows = [tuple(row)[: len(self.columns)] for row in rows]

    def __getitem__(self, column: str) -> NDArray[Any]:
        at = self._place(column)
        return np.array([row[at] for row in self._rows])

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, column: object) -> bool:
        return column in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows: {', '.join(self.columns)})"

    def __str__(self) -> str:
        cells = [self.columns, *([_shown(value) for value in row] for row in self.rows())]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = (
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells
        )
        return "\n".join(lines)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return self.columns

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples, in the order of `columns`."""
        return list(self._rows)

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame; needs ``fastmlp[data]``."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("to_frame needs pandas: pip install 'fastmlp[data]'") from None

        return pd.DataFrame({name: self[name] for name in self.columns})

    def _place(self, column: str) -> int:
        if column not in self.columns:
            raise KeyError(f"there is no column {column!r}; there are {', '.join(self.columns)}")
        return self.columns.index(column)


def lowest(values: NDArray[Any]) -> int | None:
    """Return where the lowest finite value stands, the first of equal ones; None if there is none."""
    finite = np.isfinite(values)
    return int(np.where(finite, values, np.inf).argmin()) if finite.any() else None


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
