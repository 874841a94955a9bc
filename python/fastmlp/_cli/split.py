"""Which rows to train on, to validate on and to test on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.data import Table, holdout
from fastmlp.data._table import missing_values

Rows = NDArray[np.int64]

TEST = 0.25
VALIDATION = 0.2
#: With fewer rows that are not for the test, none are held back to validate on unless asked for.
LEAST_ROWS = 20
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


@dataclass(frozen=True)
class Split:
    """How rows are dealt out.

    Attributes
    ----------
    test : float
        The part of the rows to test on, or 0.
    validation : float
        The part of the others to validate on, or 0.
    order : {"random", "time"}
        "time" holds back the last rows: those to test on come last, those to validate on before them.
    seed : int
    stratified : bool
        Whether the same part of each label is held back, where the order is random.
    group : str or None
        The column whose equal values stay together; then the parts are those of the groups.
    """

    test: float
    validation: float
    order: str = "random"
    seed: int = 0
    stratified: bool = False
    group: str | None = None

    def rows(self, table: Table, labels: NDArray[Any] | None) -> dict[str, Rows]:
        """Choose test rows among all rows, then validation rows among the others.

        Parameters
        ----------
        table : Table
        labels : array, (n,), or None
            The target, if `stratified`.

        Returns
        -------
        dict of str to array
            The rows for "training" and, where there are any, for "validation" and "test".
        """
        left: Rows = np.arange(table.n_rows)
        groups = None if self.group is None else groups_of(table, self.group)
        chosen: dict[str, Rows] = {}
        for substream, (name, part) in enumerate((("test", self.test), ("validation", self.validation))):
            if part:
                kept, held = self._hold_back(left, part, substream, labels, groups)
                chosen[name], left = left[held], left[kept]
        return {"training": left, **chosen}

    def _hold_back(
        self, left: Rows, part: float, substream: int, labels: NDArray[Any] | None, groups: Rows | None
    ) -> tuple[Rows, Rows]:
        """Return the places in `left` of the rows that stay, and of those that are held back."""
        if groups is not None:
            present, codes = np.unique(groups[left], return_inverse=True)
            if len(present) < 2:
                raise ValueError(f"--group: the rows to divide are of one group of {self.group!r}")
            _, held = holdout(len(present), part, self.seed, substream=substream)
            is_held = np.isin(codes, held)
            return np.flatnonzero(~is_held), np.flatnonzero(is_held)
        if self.order == "time":
            kept, _ = holdout(len(left), part, self.seed, substream=substream)
            before, after = np.split(np.arange(len(left)), [len(kept)])
            return before, after
        given = labels[left] if labels is not None and self.stratified else len(left)
        return holdout(given, part, self.seed, substream=substream)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> Split:
        """Return the split that `to_dict` described.

        Raises
        ------
        ValueError
            If data is anything else.
        """
        kinds = {"test": float, "validation": float, "order": str, "seed": int, "stratified": bool}
        if (
            not isinstance(data, Mapping)
            or {*data} != {*kinds, "group"}
            or not all(isinstance(data[name], kind) for name, kind in kinds.items() if kind is not float)
            or not all(
                type(data[name]) in (int, float) and 0 <= data[name] < 1 for name in ("test", "validation")
            )
            or data["order"] not in ORDERS
            or not 0 <= data["seed"] < 2**64
            or not isinstance(data["group"], (str, type(None)))
        ):
            raise ValueError("the model's split is damaged")
        return cls(**data)


def groups_of(table: Table, name: str) -> Rows:
    """Return a number for each row's group."""
    missing = np.flatnonzero(missing_values(table[name]))
    if len(missing):
        place = table.place(missing[0])
        raise ValueError(f"{table.source}: {place}, column {name!r} of --group: the value is missing")
    return np.unique(table[name], return_inverse=True)[1]
