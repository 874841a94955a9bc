"""From a table and the options that name its columns and rows to what a network learns from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import plural
from fastmlp._cli.columns import Columns
from fastmlp._cli.split import Parts, Split
from fastmlp.data import Table, TableEncoder
from fastmlp.data._audit import audit
from fastmlp.data._columns import as_numbers
from fastmlp.data._table import rows_with
from fastmlp.data._target import LabelTarget
from fastmlp.data._task import Task

#: Of fewer rows, labels that are all different are an example, and no mistake.
_FEW_ROWS = 20


@dataclass(frozen=True)
class Prepared:
    """What a run learns from.

    Attributes
    ----------
    table : Table
        All rows to divide: their targets, inputs, weights and groups.
    columns : Columns
    task : "classification" or "regression"
    labels : array, (n,), or None
        The target of all rows, where it holds labels.
    split : Split
    parts : Parts
    encoder : TableEncoder
        Fitted on the training rows.
    told : dict of str to str
        A line on each input that may be the target under another name.
    """

    table: Table
    columns: Columns
    task: Task
    labels: NDArray[Any] | None
    split: Split
    parts: Parts
    encoder: TableEncoder
    told: dict[str, str]

    def rows(self, part: Table, dtype: str) -> tuple[Any, Any, NDArray[Any] | None]:
        """Return X, y and the weights of some rows."""
        weights = weights_of(part, self.columns.weight)
        return self.encoder.transform(part, dtype), self.encoder.transform_target(part), weights


def cleaned(
    table: Table, columns: Columns, *, drop_missing_target: bool, strict: bool
) -> tuple[Table, list[str], str]:
    """Leave out what nothing can be learned from, and what the options leave out.

    Returns
    -------
    Table
        The targets, the inputs, and the columns that options name.
    list of str
        A line for each thing that was left out without having been asked for.
    str
        With `strict`, an error that lists them; it is raised once the encoder has been fitted, which may
        leave out further columns.
    """
    notes: list[str] = []
    if strict and drop_missing_target:
        complete = with_targets(table, columns.targets)
        if complete.n_rows < table.n_rows:
            notes.append(f"dropped {plural(table.n_rows - complete.n_rows, 'row')} without a target")
        table = complete
    keep = (*columns.beside, *columns.ignored, *columns.ids, *(columns.inputs or ()))
    problems = ""
    try:
        found = audit(table, columns.targets, keep=keep, strict=strict)
    except ValueError as error:
        if not strict:
            raise
        problems = str(error)
        found = audit(table, columns.targets, keep=keep)
    return found.table, [*notes, *found.notes], problems


def refuse_left_out(source: str, problems: str, noted: Sequence[str]) -> None:
    """Raise one error for all that would be left out: what `cleaned` found, and what the encoder noted."""
    if problems or noted:
        if problems:
            raise ValueError(";\n  ".join([problems, *noted]))
        raise ValueError(f"{source}: nothing may be left out, but there would be: {'; '.join(noted)}")


def with_targets(table: Table, names: Sequence[str]) -> Table:
    """Return the rows that have a value in every target column."""
    keep = rows_with(table, (name for name in names if name in table))
    return table if keep.all() else table.take(keep)


def fit_noting(encoder: TableEncoder, table: Table) -> list[str]:
    """Fit an encoder; return what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        encoder.fit(table)
    return [str(warning.message) for warning in caught]


def labels_of(table: Table, target: str) -> NDArray[Any]:
    """Return the labels of a target column.

    Raises
    ------
    ValueError
        If there is one class only, or each row has one of its own.
    """
    labels = LabelTarget(target).encode(table)
    if (labels == labels[0]).all():
        raise ValueError(
            f"{table.source}: the target column {target!r} holds one class only, {str(labels[0])!r}"
        )
    if len(labels) > _FEW_ROWS and len(np.unique(labels)) == len(labels):
        raise ValueError(
            f"{table.source}: the target column {target!r} holds {len(labels)} labels that are all "
            "different, as identifiers are: there is nothing to learn from them"
        )
    return labels


def divided(table: Table, labels: NDArray[Any] | None, split: Split) -> tuple[Parts, list[str]]:
    """Divide the rows; those to validate on have labels that training rows have too.

    Returns
    -------
    Parts
    list of str
        A line if rows to validate on were left out.
    """
    rows = split.rows(table, labels)
    notes = []
    if labels is not None and "validation" in rows:
        known = np.isin(labels[rows["validation"]], labels[rows["training"]])
        if not known.all():
            count = plural(int((~known).sum()), "row")
            notes.append(f"{count} with labels that no training row has: not used to validate on")
            rows["validation"] = rows["validation"][known]
    parts = {name: table.take(chosen) if len(chosen) else None for name, chosen in rows.items()}
    training = parts["training"]
    assert training is not None
    return Parts(training, parts.get("validation"), parts.get("test")), notes


def weights_of(table: Table, name: str | None) -> NDArray[np.float64] | None:
    """Return what each row counts, None where there is no column that says so.

    Raises
    ------
    ValueError
        Saying where, if a weight is missing, negative, infinite or no number, or all are 0.
    """
    if name is None:
        return None
    weights = as_numbers(table, name)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        value = weights[wrong[0]]
        given = "is missing" if np.isnan(value) else f"is {value:g}"
        raise ValueError(
            f"{table.source}: {table.place(wrong[0])}, column {name!r} of --weight: the weight {given}; "
            "a weight is a finite number of at least 0"
        )
    return weights


def without_final_dots(table: Table, targets: tuple[str, ...]) -> Table:
    """Return a table in whose targets a final dot is removed from texts."""
    columns = {}
    for name in table.names:
        column = table[name]
        if name in targets and column.dtype == object:
            column = column.copy()
            column[:] = [text if text is None else text.removesuffix(".") for text in column]
        columns[name] = column
    return table._with(columns)
