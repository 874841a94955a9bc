"""The rows of a search: read once, and divided in the same way for all trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._rows.memory import validation_fraction
from fastmlp._rows.shared import taken
from fastmlp._search.space import Spec
from fastmlp._training.folds import Division
from fastmlp._training.rows_to_divide import RowsToDivide, rows_to_divide
from fastmlp._training.tables import named_targets
from fastmlp.data import holdout

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SearchedRows:
    """What the trials learn from, and what they are judged by.

    Attributes
    ----------
    X, y
        As `Fits` takes them.
    encode
        As `train` takes it; a table that was read from a file is encoded.
    parts : tuple of (rows, validation)
        Of each fold: the rows to learn from, None for all that have a target; and those to judge by, or
        arrays of the user's.
    n : int
        The rows of X.
    told : dict
        Arguments of `train` that say of all rows what each fit would guess of its own.
    present : array of int or None
        The rows that have a target, None where all have.
    weights : array, (n,), or None
        `sample_weight`, by which trials are judged too.
    """

    X: Any
    y: Any
    encode: Any
    parts: tuple[tuple[Rows | None, Any], ...]
    n: int
    told: dict[str, Any] = field(default_factory=dict)
    present: Rows | None = None
    weights: NDArray[Any] | None = None

    @property
    def count(self) -> int:
        """The rows that a fit learns from."""
        rows = self.parts[0][0]
        return self.n if rows is None else len(rows)

    def specs(self, spec: Spec) -> list[Spec]:
        """Return what `Fits` is to train for one trial, a spec a fold."""
        return [{**self._told(spec), "rows": rows, "validation": held} for rows, held in self.parts]

    def whole(self, spec: Spec) -> Spec:
        """Return what `Fits` is to train on all rows, to the end."""
        return {**self._told(spec), "rows": self.present, "validation": None, "patience": None}

    def held_out(self, part: int) -> tuple[Any, Any, Any]:
        """Return X, y and the weights of the rows that the fits of a fold are judged by."""
        held = self.parts[part][1]
        if isinstance(held, tuple):
            return (*held, None) if len(held) == 2 else held
        y = self.y if named_targets(self.X, self.y) else taken(self.y, held)
        return taken(self.X, held), y, taken(self.weights, held)

    def _told(self, spec: Spec) -> Spec:
        """Return a spec with what is told of all rows, unless it says so itself."""
        return dict(spec) if {"loss", "task"} & spec.keys() else {**self.told, **spec}


def searched_rows(
    X: Any, y: Any, folds: Any, validation: Any, seed: int, common: Mapping[str, Any]
) -> SearchedRows:
    """Read X and y, and divide their rows by folds or, without, by a fraction."""
    division = Division(folds, seed=seed)
    if folds is not None:
        division.check(grouped=False)
    elif validation is None:
        raise ValueError("validation must hold rows to judge trials by, or folds be given; both are None")
    read = rows_to_divide(X, y, None, {**common, "seed": seed})
    told = {name: value for name, value in read.settings.items() if name != "encode"}
    present = None if len(read.present) == read.n else read.present
    parts: tuple[tuple[Rows | None, Any], ...]
    if folds is None and isinstance(validation, (tuple, list)):
        parts = ((present, tuple(validation)),)
    else:
        parts = tuple(_divided(read, division, validation, seed))
    return SearchedRows(read.X, read.y, read.settings["encode"], parts, read.n, told, present, read.weights)


def _divided(read: RowsToDivide, division: Division, validation: Any, seed: int) -> list[tuple[Rows, Rows]]:
    if division.folds is not None:
        return read.divided(division)
    fraction = validation_fraction(validation, len(read.present))
    train, held = holdout(len(read.present) if read.labels is None else read.labels, fraction, seed)
    return [(read.present[train], read.present[held])]
