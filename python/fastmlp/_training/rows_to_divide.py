"""The rows of a cross-validation: which have a target, what it is for, and how the others are evaluated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.csr import as_csr
from fastmlp._base.said import say
from fastmlp._base.text import plural
from fastmlp._base.validation import (
    as_array,
    as_table,
    check_shape,
    column_names,
    drop_columns,
    dtype_name,
    features_and_target,
    same_length,
    table_column,
)
from fastmlp._inspect.evaluate import evaluate, evaluate_rows
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._network.network import Network
from fastmlp._rows.choice import LOSS_OF_TASK, choose_loss
from fastmlp._rows.shared import taken
from fastmlp._rows.targets import as_targets, has_output_per_class, parse_loss, takes_labels
from fastmlp._training.folds import Division, Fold, checked_groups
from fastmlp._training.going_on import loss_to_go_on_with
from fastmlp._training.sources import opened
from fastmlp._training.tables import EncodingSettings, TargetOfTable, named_targets, target_of_table
from fastmlp.data import read
from fastmlp.data._table import quoted

Array = NDArray[Any]


@dataclass(frozen=True)
class RowsToDivide:
    """X and y as `train_many` takes them, and what of them decides how they are divided.

    Attributes
    ----------
    X, y : Any
        X without a column that names the groups; y may name columns of X.
    n : int
        The rows of X.
    present : array of int, (m,)
        The rows that have a target.
    targets : array, (m,) or (m, outputs)
        The targets of those.
    labels : array, (m,), or None
        Their labels, where each has one.
    groups : array, (m,), or None
    names : tuple of str
        What the target is called.
    loss : str
        What "auto" is for all rows.
    settings : dict
        Arguments of `train` by which every fold decides as all rows do: loss, task and encode.
    weights : array, (n,), or None
    """

    X: Any
    y: Any
    n: int
    present: NDArray[np.int64]
    targets: Array
    labels: Array | None
    groups: Array | None
    names: tuple[str, ...]
    loss: str
    settings: dict[str, Any]
    weights: Array | None
    _table: TargetOfTable | None
    _plain: Any

    @property
    def for_splitter(self) -> Any:
        """The rows that have a target, as a splitter of scikit-learn's takes them."""
        if self._table is None:
            return self._plain
        if not hasattr(self.X, "shape"):
            return np.zeros((len(self.present), 1))
        return taken(self.X, self.present.astype(np.uint32))

    def divided(self, division: Division) -> list[Fold]:
        """Return the folds as rows of X, of which those without a target are in none."""
        if division.is_given:
            return division.given(self.n, self.present)
        pairs = division.pairs(self.for_splitter, self.labels, self.targets, self.groups)
        return [(self.present[train], self.present[test]) for train, test in pairs]

    def evaluated(self, network: Network, rows: NDArray[np.int64]) -> Evaluation:
        """Compare a network's predictions for some rows with the truth."""
        weights = None if self.weights is None else self.weights[rows]
        if self._table is None:
            found = evaluate_rows(network, self._plain[rows], self.targets[rows], weights, any_label=True)
        elif self._table.values is None:
            names = self._table.names
            found = evaluate(network, self._table.table.take(rows), names, weights)
        else:
            table, values = self._table.table.take(rows), self._table.values[rows]
            found = evaluate_rows(network, table, values, weights, any_label=True)
        return replace(found, _table=None)


def rows_to_divide(X: Any, y: Any, groups: Any, arguments: Mapping[str, Any]) -> RowsToDivide:
    """Read X and y as `train` would with these arguments, of which `seed` is told."""
    X, y, encode = _in_memory(X, y, arguments.get("encode", "auto"))
    X, groups = _without_groups(X, y, groups)
    names = named_targets(X, y)
    settings = _encoding_settings(arguments, encode)
    task = arguments.get("task", "auto")
    table = target_of_table(X, y, task, settings)
    if table is None:
        return _plain_rows(X, y, groups, names, {**arguments, "encode": encode})
    n, present = table.table.n_rows, table.present
    if len(present) < n:
        say(f"{table.table.source}: left out {plural(n - len(present), 'row')} without a target")
    columns = [table.table[name][present] for name in table.names]
    targets = columns[0] if len(columns) == 1 else table.values
    targets = np.column_stack(columns) if targets is None else targets
    loss = _loss_of_table(table, settings)
    by_task = settings.loss == "auto" and table.task != "auto"
    told = {"task": table.task} if by_task else {"loss": loss, "task": "auto"}
    return RowsToDivide(
        X, y, n, present, targets, table.labels(), _groups(groups, n, present), names or ("y",), loss,
        {"encode": encode, **told}, _weights(arguments, n), table, None,
    )  # fmt: skip


def _loss_of_table(table: TargetOfTable, settings: EncodingSettings) -> str:
    """Return the loss for a table that is encoded."""
    if not isinstance(settings.loss, str) or settings.loss != "auto":
        return settings.loss  # type: ignore[no-any-return]
    if table.values is not None:
        values, labelled = table.values, settings.class_weight is not None
        return choose_loss("auto", table.task, lambda: [values], labelled=labelled)  # type: ignore[no-any-return]
    return LOSS_OF_TASK["regression" if table.task == "auto" else table.task]  # several are quantities


def _plain_rows(
    X: Any, y: Any, groups: Any, names: tuple[str, ...], arguments: Mapping[str, Any]
) -> RowsToDivide:
    """Return rows of numbers that are not encoded, all of which have a target."""
    plain, targets = features_and_target(X, y)
    if targets is None:
        raise TypeError("y is needed: the labels or values to learn, or the name of a column of X")
    targets = as_targets(targets)
    if hasattr(plain, "tocsr"):
        check_shape("X", plain.shape, None)
        plain = as_csr("X", plain)
    else:
        plain = as_array("X", plain)
        check_shape("X", plain.shape, None)
    n = plain.shape[0]
    same_length("y", len(targets), n)
    loss, task, init = (arguments.get(name, "auto") for name in ("loss", "task", "init"))
    loss = choose_loss(
        loss_to_go_on_with(loss, task, init), task, lambda: [targets],
        labelled=arguments.get("class_weight") is not None,
    )  # fmt: skip
    present = np.arange(n)
    return RowsToDivide(
        X, y, n, present, targets, _labels(targets, parse_loss(loss)[0]), _groups(groups, n, present),
        names or ("y",), loss, {"encode": arguments["encode"], "loss": loss, "task": "auto"},
        _weights(arguments, n), None, plain,
    )  # fmt: skip


def _in_memory(X: Any, y: Any, encode: Any) -> tuple[Any, Any, Any]:
    """Return X and y, read where X is a path, and whether they are to be encoded: the table of a file is."""
    X, y, from_file = opened(X, y, encode, None)
    if isinstance(X, (str, os.PathLike)) and not Path(X).is_dir():  # numbers, which train would stream
        found = read(X)
        X, y = found.X, found.y if y is None else y
    streamed = isinstance(X, (str, os.PathLike)) or hasattr(X, "__next__")
    if streamed or (hasattr(X, "to_batches") and not hasattr(X, "num_rows")):
        raise TypeError(
            "X must be rows in memory, which can be divided into folds; got rows that are streamed, of "
            + (f"the folder {str(X)!r}" if isinstance(X, (str, os.PathLike)) else f"a {type(X).__name__}")
        )
    return as_table(X), y, True if from_file and encode == "auto" else encode


def _without_groups(X: Any, y: Any, groups: Any) -> tuple[Any, Any]:
    """Return X without the column that groups names, and the groups of the rows."""
    if not isinstance(groups, str):
        return X, groups
    names = () if type(X) is np.ndarray else column_names(X)
    if groups not in names:
        has = f"its columns are {quoted(map(str, names))}" if names else "X is no table"
        raise ValueError(f"groups must be values or one of the columns of X, got {groups!r}; {has}")
    if groups in named_targets(X, y):
        raise ValueError(f"groups must be another column than the target, got {groups!r}")
    return drop_columns(X, (groups,)), table_column(X, groups)


def _labels(targets: Array, loss: str) -> Array | None:
    """Return the label of each row, None where there are none or several; refuse probabilities."""
    if not takes_labels(loss):
        return None
    several = targets.ndim == 2 and not has_output_per_class(loss)
    whole = targets.dtype.kind not in "f" or not (targets % 1).any()  # NaN is an error elsewhere
    if not whole or (targets.ndim == 2 and not several and not ((targets == 1).sum(axis=1) == 1).all()):
        raise ValueError("y must hold labels to compare predictions with; got numbers with fractions")
    if targets.ndim == 1:
        return targets
    return None if several else targets.argmax(axis=1)


def _groups(groups: Any, n: int, present: NDArray[np.int64]) -> Array | None:
    return None if groups is None else checked_groups(groups, n)[present]


def _weights(arguments: Mapping[str, Any], n: int) -> Array | None:
    """Return the weights of the rows, which `train_many` checks."""
    weights = arguments.get("sample_weight")
    if weights is None:
        return None
    values = as_array("sample_weight", weights)
    same_length("sample_weight", len(values) if values.ndim else 0, n)
    return values


def _encoding_settings(arguments: Mapping[str, Any], encode: Any) -> EncodingSettings:
    given = {"loss": "auto", "output_activation": "auto", "class_weight": None, "init": "auto", **arguments}
    loss = loss_to_go_on_with(given["loss"], arguments.get("task", "auto"), given["init"])
    return EncodingSettings(
        encode, loss, given["output_activation"], given["class_weight"], given["init"], arguments["seed"],
        dtype_name(arguments.get("dtype", "float32")), None,
    )  # fmt: skip
