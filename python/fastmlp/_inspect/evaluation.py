"""Score a network on a table: predictions beside the truth, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._inspect.metrics import (
    Metrics,
    label_losses,
    label_metrics,
    quantile_metrics,
    value_metrics,
)
from fastmlp._rows.targets import parse_loss
from fastmlp.data import Table
from fastmlp.data._columns import as_flags, as_numbers
from fastmlp.data._table import quoted
from fastmlp.data._target import LabelTarget, check_present

if TYPE_CHECKING:
    from fastmlp._model.model import Model


@dataclass(frozen=True)
class Evaluation:
    """Predictions for the rows of a table, and how good they are.

    Attributes
    ----------
    table : Table
        The rows, as they were read.
    target : str
        The column that was predicted.
    truth : array, (n,)
        Labels, or values in their own units.
    predicted : array, (n,), or (n, quantiles)
    row_loss : array, (n,)
        By which rows are called well or badly predicted.
    row_loss_name : str
        What that is, such as "absolute error".
    metrics : LabelMetrics, ValueMetrics or QuantileMetrics
    """

    table: Table
    target: str
    truth: NDArray[Any]
    predicted: NDArray[Any]
    row_loss: NDArray[Any]
    row_loss_name: str
    metrics: Metrics

    def worst(self, count: int) -> NDArray[np.int64]:
        """Return the rows with the largest loss, the worst first."""
        return np.argsort(-self.row_loss, kind="stable")[:count]


def evaluate(network: Model, table: Table, target: str | None = None) -> Evaluation:
    """Predict a table's rows and compare with its target column.

    Parameters
    ----------
    network : Network
        With its encoder; without one, all columns but the target are its inputs, in order.
    table : Table
    target : str, optional
        The column that holds the truth; by default the one that the encoder was fitted on.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If there is no such column, values are missing in it, or the columns are not the network's inputs.
    """
    encoder = network.encoder
    known = encoder.target if encoder is not None and isinstance(encoder.target, str) else None
    target = known if target is None else target
    if target is None:
        raise ValueError(f"--target is needed; the columns of {table.source} are {quoted(table.names)}")
    if target not in table:
        raise ValueError(f"--target: {table.source} has no column {target!r}; it has {quoted(table.names)}")
    check_present(table, target)
    X = encoded_inputs(network, table, target)
    if network.classes is None:
        return _score_values(network, table, target, X)
    return _score_labels(network, table, target, X)


def encoded_inputs(network: Model, table: Table, target: str) -> NDArray[Any]:
    """Return X of a table's columns beside the target, (n, inputs)."""
    inputs = _without(table, target)
    if network.encoder is None:
        return plain_inputs(network, inputs)
    return network.encoder.transform(inputs, network.dtype)


def plain_inputs(network: Model, table: Table) -> NDArray[Any]:
    """Return a table's columns as they are, for a network that was trained on arrays.

    Raises
    ------
    ValueError
        If there are more or fewer columns than the network's inputs, or one holds text or has gaps.
    """
    width = network.layer_sizes[0]
    if len(table.names) != width:
        raise ValueError(
            f"{table.source}: {len(table.names)} columns; the model was trained on arrays and takes "
            f"its {width} inputs in order, with no other column"
        )
    X = np.stack([as_numbers(table, name) for name in table.names], axis=1)
    missing = np.argwhere(np.isnan(X))
    if len(missing):
        row, column = missing[0]
        raise ValueError(
            f"{table.source}: {table.place(row)}, column {table.names[column]!r}: the value is missing"
        )
    return np.ascontiguousarray(X, dtype=network.dtype)


def _without(table: Table, name: str) -> Table:
    if table.names == (name,):
        raise ValueError(f"{table.source}: there is no column beside the target {name!r}")
    return table.drop(name)


def _score_labels(network: Model, table: Table, target: str, X: NDArray[Any]) -> Evaluation:
    classes = network.classes
    assert classes is not None
    truth = LabelTarget(target).encode(table)
    if classes.dtype.kind == "b" and truth.dtype.kind == "U":
        truth = as_flags(table, target).astype(bool)
    texts = truth.dtype.kind == "U"
    if texts != (classes.dtype.kind in "UO"):
        holds, learned = ("texts", "numbers") if texts else ("numbers", "texts")
        raise ValueError(
            f"{table.source}: the target column {target!r} holds {holds}; the model's labels are {learned}"
        )
    predicted = network.predict(X)
    if network.loss == "hinge":
        losses, name = _margins(network, X, truth), "the best other score less that of the true class"
        metrics = label_metrics(truth, predicted, classes)
    else:
        probabilities = network.predict_proba(X)
        losses, name = label_losses(truth, classes, probabilities), "-ln p(true class)"
        metrics = label_metrics(truth, predicted, classes, probabilities)
    return Evaluation(table, target, truth, predicted, losses, name, metrics)


def _margins(network: Model, X: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    scores = network.forward(X)
    own = truth[:, np.newaxis] == network.classes
    best_other = np.where(own, -np.inf, scores).max(axis=1)
    own_score = np.where(own.any(axis=1), np.where(own, scores, 0).sum(axis=1), scores.min(axis=1))
    return np.asarray(best_other - own_score)


def _score_values(network: Model, table: Table, target: str, X: NDArray[Any]) -> Evaluation:
    truth = as_numbers(table, target)
    predicted = np.asarray(network.predict(X), dtype=np.float64)
    if network.encoder is not None and network.encoder.task == "regression":
        predicted = network.encoder.inverse_target(predicted)
    if predicted.ndim == 1:
        errors, metrics = np.abs(predicted - truth), value_metrics(truth, predicted)
        return Evaluation(table, target, truth, predicted, errors, "absolute error", metrics)
    levels = parse_loss(network.loss)[1]
    if len(levels) != predicted.shape[1]:
        raise ValueError(
            f"the model has {predicted.shape[1]} outputs; only models of one target column can be evaluated"
        )
    errors = np.abs(predicted[:, len(levels) // 2] - truth)
    name = f"absolute error of quantile {levels[len(levels) // 2]:g}"
    covered = quantile_metrics(truth, predicted, levels)
    return Evaluation(table, target, truth, predicted, errors, name, covered)
