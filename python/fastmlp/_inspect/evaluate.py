"""Evaluate a network: predict rows and compare with the truth, wherever it is."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.text import KINDS, plural
from fastmlp._base.validation import (
    as_array,
    as_numbers,
    column_names,
    column_targets,
    features_and_target,
    same_length,
)
from fastmlp._inspect.evaluation import Evaluation, compare_predictions
from fastmlp._rows.features import dense_form
from fastmlp._rows.kinds import check_values
from fastmlp._rows.targets import (
    are_labels,
    as_targets,
    gives_probabilities,
    has_output_per_class,
    row_weights,
    takes_labels,
)
from fastmlp.data import Table
from fastmlp.data._columns import as_flags
from fastmlp.data._columns import as_numbers as column_of_numbers
from fastmlp.data._frames import read_frame
from fastmlp.data._table import quoted, rows_with
from fastmlp.data._target import LabelTarget, check_present

if TYPE_CHECKING:
    from fastmlp._model.model import Model
    from fastmlp._model.predictor import Predictor

Array = NDArray[Any]


def evaluate_rows(
    network: Predictor, X: Any, y: Any = None, sample_weight: Any = None, *, any_label: bool = False
) -> Evaluation:
    """Compare a network's predictions with the truth; see `Network.evaluate`.

    With `any_label`, it is no error if the network knows none of the labels of y.
    """
    X = network._rows(X)
    names = (y,) if isinstance(y, str) else column_targets(X, y)
    if y is None:
        names = _targets_in(network, X)
    X, sample_weight = _with_truth(network, X, names, sample_weight)
    table = X if isinstance(X, Table) else None
    if y is None:
        y = names[0] if len(names) == 1 else _columns(read_frame(X), names)
    X, y = features_and_target(X, y)
    truth = as_targets(y)
    if not len(truth):
        raise ValueError("y must have at least one row, got 0")
    in_units = network._in_units(X)
    outputs = network.forward(X)
    if len(truth) != len(outputs):
        raise ValueError(f"y must have as many rows as X, {len(outputs)}, got {len(truth)}")
    if takes_labels(network._loss):
        truth = _labels(network, truth, any_label)
    else:
        check_values(truth, _targets_of(network))
        truth = as_numbers("y", truth, np.float64)
        if truth.ndim == 2 and not names and in_units:
            names = network._reader.target_names  # type: ignore[union-attr]
    weights = row_weights(sample_weight, None, truth, None, "float64")
    return compared(network, outputs, truth, in_units, weights, names or ("y",), table)


def evaluate(
    network: Predictor, table: Table, target: str | Sequence[str] | None = None, sample_weight: Any = None
) -> Evaluation:
    """Predict a table's rows and compare with its target column, or with several.

    Parameters
    ----------
    network : Network
        With its encoder; without one, all columns but the target are its inputs, in order.
    table : Table
    target : str or sequence of str, optional
        The column, or columns, that hold the truth; by default those that the encoder was fitted on.
    sample_weight : array, (n,), optional
        What each row counts.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If there is no such column, values are missing in it, or the columns are not the network's inputs.
    """
    encoder = network._reader
    names = _target_names(target) or (() if encoder is None else encoder.target_names)
    if not names:
        raise ValueError(f"--target is needed; the columns of {table.source} are {quoted(table.names)}")
    for name in names:
        if name not in table:
            raise ValueError(f"--target: {table.source} has no column {name!r}; it has {quoted(table.names)}")
        check_present(table, name)
    X = table_inputs(network, table, names)
    truth = _truth_of_columns(network, table, names)
    in_units = encoder is not None and encoder.task == "regression"
    weights = row_weights(sample_weight, None, truth, None, "float64")
    return compared(network, network.forward(X), truth, in_units, weights, names, table)


def _truth_of_columns(network: Predictor, table: Table, names: tuple[str, ...]) -> Array:
    """Return the true labels or values of a table."""
    if network.classes is not None:
        if len(names) > 1:
            raise ValueError(f"--target: the model predicts one label for each row, got {quoted(names)}")
        return _labels_of_column(network.classes, table, names[0])
    wanted = _targets_of(network)
    if len(names) != wanted:
        raise ValueError(
            f"--target: the model has {plural(wanted, 'target')}, got {plural(len(names), 'column')}: "
            f"{quoted(names)}"
        )
    truth = _columns(table, names) if wanted > 1 else column_of_numbers(table, names[0])
    return _labels(network, truth) if takes_labels(network._loss) else truth


def _targets_of(network: Predictor) -> int:
    """Return how many values a row's target has: one for several quantiles, else one an output."""
    return 1 if len(network._loss_numbers) > 1 else network._n_outputs


def _columns(table: Table, names: Sequence[str]) -> Array:
    """Return columns of numbers, (n, columns)."""
    return np.stack([column_of_numbers(table, name) for name in names], axis=1)


def table_inputs(network: Predictor, table: Table, target: str | Sequence[str]) -> Any:
    """Return a table's columns beside the target, or the targets: as X, or as they are for an encoder."""
    inputs = _without(table, _target_names(target))
    return plain_inputs(network, inputs) if network._reader is None else inputs


def encoded_inputs(network: Model, table: Table, target: str | Sequence[str]) -> NDArray[Any]:
    """Return X of a table's columns beside the target, or the targets, (n, inputs)."""
    return dense_form(network._matrix(table_inputs(network, table, target)))


def _target_names(target: str | Sequence[str] | None) -> tuple[str, ...]:
    return (target,) if isinstance(target, str) else tuple(target or ())


def plain_inputs(network: Predictor, table: Table) -> NDArray[Any]:
    """Return a table's columns as they are, for a network that was trained on arrays.

    Raises
    ------
    ValueError
        If there are more or fewer columns than the network's inputs, or one holds text or has gaps.
    """
    width = network._n_inputs
    if len(table.names) != width:
        raise ValueError(
            f"{table.source}: {len(table.names)} columns; the model was trained on arrays and takes "
            f"its {width} inputs in order, with no other column"
        )
    X = _columns(table, table.names)
    missing = np.argwhere(np.isnan(X))
    if len(missing):
        row, column = missing[0]
        raise ValueError(
            f"{table.source}: {table.place(row)}, column {table.names[column]!r}: the value is missing"
        )
    return np.ascontiguousarray(X, dtype=network.dtype)


def _without(table: Table, names: tuple[str, ...]) -> Table:
    if set(table.names) <= set(names):
        raise ValueError(f"{table.source}: there is no column beside the target {quoted(names)}")
    return table.drop(*names)


def _targets_in(network: Predictor, X: Any) -> tuple[str, ...]:
    """Return the names of the target columns that the network learned, if the table X has them."""
    targets = network.target_names if network._reader is None else network._reader.target_names
    names = column_names(X) if type(X) is not np.ndarray else ()
    if not targets or not set(targets) <= set(names):
        hint = f", or a table with the column {quoted(targets)} as X" if targets else ""
        raise ValueError(f"y is needed: the true labels or values, or the name of a column of X{hint}")
    return targets


def _with_truth(network: Predictor, X: Any, names: tuple[str, ...], weights: Any) -> tuple[Any, Any]:
    """Leave out the rows of a table that have no value in its target columns, as training does."""
    if (
        network._reader is None
        or not names
        or type(X) is np.ndarray
        or not set(names) <= set(column_names(X))
    ):
        return X, weights
    table = read_frame(X)
    present = rows_with(table, names)
    if present.all() or not present.any():
        return X, weights
    if weights is not None:
        same_length("sample_weight", len(as_array("sample_weight", weights)), len(present))
        weights = as_array("sample_weight", weights)[present]
    dropped = plural(int((~present).sum()), "row")
    say(f"{table.source}: dropped {dropped} without a value in {quoted(names)}")
    return table.take(np.flatnonzero(present)), weights


def _labels_of_column(classes: Array, table: Table, target: str) -> Array:
    """Return the labels of a table's column, as far as they go in the type of the network's."""
    truth = LabelTarget(target).encode(table)
    if classes.dtype.kind == "b" and truth.dtype.kind == "U":
        truth = as_flags(table, target).astype(bool)
    _check_kind(classes, truth, f"{table.source}: the target column {target!r}", "model")
    return truth


def _labels(network: Predictor, truth: Array, any_label: bool = False) -> Array:
    """Return true labels in the type of the network's, or a matrix of 0 and 1 for several at once."""
    classes = network.classes
    if classes is None:
        if truth.ndim != 2 or truth.shape[1] != network._n_outputs or not np.isin(truth, (0, 1)).all():
            raise ValueError(
                f"y must be a matrix of 0 and 1, (n, {network._n_outputs}), for a network of several "
                f"labels, got shape {truth.shape}"
            )
        return truth.astype(np.int64)
    if truth.ndim == 2:
        return _labels_of_rows(network, classes, truth)
    if truth.dtype.kind == "f":
        as_numbers("y", truth, np.float64)
        if not has_output_per_class(network._loss) and not are_labels(truth, classes):
            raise ValueError(
                "y must hold labels to be compared with, got probabilities, of which loss_and_gradient "
                "gives the loss"
            )
    _check_kind(classes, truth, "y", "network")
    truth = _in_type(classes, truth)
    if not any_label and not np.isin(truth, classes).any():
        given = np.unique(truth)
        raise ValueError(
            f"y has no label that the network knows: it has {quoted(given.tolist(), 5)}, the network "
            f"{quoted(classes.tolist(), 5)}"
        )
    return truth


def _labels_of_rows(network: Predictor, classes: Array, truth: Array) -> Array:
    """Return the labels of rows of 0 and 1 with a single 1."""
    one_hot = np.isin(truth, (0, 1)).all() and (truth == 1).sum(axis=1).min() == 1
    if truth.shape[1] != len(classes) or not one_hot or (truth == 1).sum(axis=1).max() > 1:
        raise ValueError(
            f"y must be labels, (n,), or rows of {len(classes)} columns with a 1 for the class and 0 "
            f"elsewhere, got shape {truth.shape}"
            + ("" if truth.shape[1] != len(classes) else " with other rows")
        )
    labels: Array = classes[truth.argmax(axis=1)]
    return labels


def _check_kind(classes: Array, truth: Array, what: str, owner: str) -> None:
    """Refuse texts where labels are numbers, numbers where they are dates, and so on."""
    holds, learned = _kind(truth), _kind(classes)
    if holds != learned:
        raise ValueError(f"{what} holds {holds}; the {owner}'s labels are {learned}")


def _kind(labels: Array) -> str:
    if labels.dtype.kind == "O":
        kinds = (("texts", str), ("bytes", bytes), ("numbers", Real))
        return next((name for name, kind in kinds if all(isinstance(x, kind) for x in labels)), "objects")
    return KINDS.get(labels.dtype.kind, "numbers")


def _in_type(classes: Array, truth: Array) -> Array:
    """Return labels in the type of the classes, where that loses nothing."""
    if truth.dtype == classes.dtype or truth.dtype.kind in "Mm":
        return truth
    with np.errstate(invalid="ignore"):
        try:
            cast = truth.astype(classes.dtype)
        except (TypeError, ValueError, OverflowError):
            return truth
    return cast if bool((cast == truth).all()) else truth.astype(str) if truth.dtype.kind == "O" else truth


def compared(
    network: Predictor, outputs: Array, truth: Array, in_units: bool, weights: Array | None,
    names: tuple[str, ...] = ("y",), table: Table | None = None,
) -> Evaluation:  # fmt: skip
    """Return the evaluation of the network's outputs; `in_units`: the truth is in the encoder's units."""
    predicted = network._predicted(outputs, in_units)
    probabilities = network._probabilities(outputs) if gives_probabilities(network._loss) else None
    return compare_predictions(
        truth, predicted, probabilities, network.classes, network._loss_numbers, weights, names,
        table=table, outputs=outputs,
    )  # fmt: skip
