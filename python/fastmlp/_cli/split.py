"""Which rows to train on, to validate on and to test on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.data import Table, holdout

TEST = 0.25
ORDERS = ("random", "time")


class Parts(NamedTuple):
    """A table's rows by what they are for."""

    training: Table
    validation: Table | None
    test: Table | None

    def held_out(self) -> tuple[str, Table] | None:
        """Return the rows to judge the network by, and what they are called."""
        if self.test is not None:
            return "test", self.test
        return None if self.validation is None else ("validation", self.validation)


def split(
    table: Table, labels: NDArray[Any] | None, test: float, validation: float | None, order: str, seed: int
) -> Parts:
    """Choose test rows among all rows, then validation rows among the others.

    Parameters
    ----------
    table : Table
    labels : array, (n,), or None
        To take the same part of each class, where the order is random.
    test : float
        The part of the rows to test on, or 0.
    validation : float or None
        The part of the others to validate on.
    order : {"random", "time"}
        "time" holds back the last rows: those to test on come last, those to validate on before them.
    seed : int
    """
    rows: NDArray[np.int64] = np.arange(table.n_rows)
    held_back: list[Table | None] = []
    for substream, fraction in enumerate((test, validation)):
        if not fraction:
            held_back.append(None)
            continue
        by_class = labels is not None and order == "random"
        kept, chosen = holdout(labels[rows] if by_class else len(rows), fraction, seed, substream=substream)  # type: ignore[index]
        if order == "time":
            kept, chosen = np.split(np.arange(len(rows)), [len(kept)])
        held_back.append(table.take(rows[chosen]))
        rows = rows[kept]
    return Parts(table.take(rows), held_back[1], held_back[0])
