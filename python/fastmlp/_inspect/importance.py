"""How much a network needs each column: its error when the column's values change rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._inspect.columns import ColumnGroup, column_groups
from fastmlp._inspect.evaluation import Evaluation, encoded_inputs
from fastmlp._inspect.metrics import LabelMetrics, QuantileMetrics, label_losses, quantile_metrics
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics, multilabel_losses
from fastmlp._model.model import Model

Floats = NDArray[np.float64]

_REPEATS = 5
_MOST_ROWS, _FEWEST_ROWS = 2000, 200
_BUDGET = 2e10  # multiplications, some seconds on one core


@dataclass(frozen=True)
class Importances:
    """What `permutation_importances` measured, the most important column first.

    Attributes
    ----------
    names : list of str
        The columns.
    means, deviations : arrays, (columns,)
        Of the rise of the error over the repeats.
    error : str
        What rises, such as "log loss".
    rows, repeats : int
        With which it was measured.
    left_out : int
        Columns that were not measured, those with the smallest weights.
    """

    names: list[str]
    means: Floats
    deviations: Floats
    error: str
    rows: int
    repeats: int
    left_out: int


def permutation_importances(
    network: Model, evaluation: Evaluation, targets: Sequence[str] = (), seed: int = 0
) -> Importances:
    """Measure the rise of the error when the values of one column are dealt out among the rows anew.

    All inputs that a column has become move together. Columns that say the same share their importance. The
    work is bounded: of large tables at most 2000 rows are taken and, where the network is large, fewer rows,
    repeats and columns.

    Parameters
    ----------
    network : Network
    evaluation : Evaluation
        Of rows that it was not trained on.
    targets : sequence of str
        Their target columns, where there are several.
    seed : int, default 0
        Chooses rows and orders.

    Returns
    -------
    Importances

    References
    ----------
    L. Breiman, Random forests, Machine Learning 45, 2001.
    """
    targets = targets or (evaluation.target,)
    names = [name for name in evaluation.table.names if name not in targets]
    groups = column_groups(network, names)
    rows, repeats, measured = _within_budget(len(evaluation.truth), len(groups), network.n_parameters)
    kept = _heaviest(network, groups, measured)
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(len(evaluation.truth), rows, replace=False))
    X = encoded_inputs(network, evaluation.table.take(chosen), targets)
    name, error = _error_of(network, evaluation, chosen)
    before = error(X)
    orders = [random.permutation(rows) for _ in range(repeats)]
    rises = np.empty((len(kept), repeats))
    for at, group in enumerate(kept):
        values = X[:, group.features].copy()
        for repeat, order in enumerate(orders):
            X[:, group.features] = values[order]
            rises[at, repeat] = error(X) - before
        X[:, group.features] = values
    unit = max(float(np.abs(rises).max()), 1e-300)  # the squares of huge values would overflow
    means, deviations = (rises / unit).mean(axis=1) * unit, (rises / unit).std(axis=1) * unit
    by_size = np.argsort(-means, kind="stable")
    return Importances(
        [kept[i].name for i in by_size], means[by_size], deviations[by_size], name, rows, repeats,
        len(groups) - len(kept),
    )  # fmt: skip


def _within_budget(rows: int, columns: int, parameters: int) -> tuple[int, int, int]:
    """Return how many rows, repeats and columns can be afforded, giving up in this order."""
    affordable = _BUDGET / max(parameters, 1)  # rows that can be predicted
    few = min(rows, _FEWEST_ROWS)
    taken = int(np.clip(affordable / (columns * _REPEATS), few, min(rows, _MOST_ROWS)))
    repeats = int(np.clip(affordable / (columns * taken), 1, _REPEATS))
    return taken, repeats, int(np.clip(affordable / taken, 1, columns))


def _heaviest(network: Model, groups: list[ColumnGroup], count: int) -> list[ColumnGroup]:
    """Return the columns with the largest weights, in order."""
    W = network.weights[0].astype(np.float64)
    sizes = np.array([np.linalg.norm(W[group.inputs]) for group in groups])
    return [groups[i] for i in np.sort(np.argsort(-sizes, kind="stable")[:count])]


def _error_of(
    network: Model, evaluation: Evaluation, rows: NDArray[np.int64]
) -> tuple[str, Callable[[NDArray[Any]], float]]:
    """Return the name of the error, and how to measure it."""
    truth, metrics, classes = evaluation.truth[rows], evaluation.metrics, network.classes
    if isinstance(metrics, LabelMetrics):
        if metrics.log_loss is None or classes is None:
            return "share of mistakes", lambda X: float((network.predict(X) != truth).mean())
        return "log loss", lambda X: float(label_losses(truth, classes, network.predict_proba(X)).mean())
    encoder = network.encoder

    def predicted(X: NDArray[Any]) -> Floats:
        values = np.asarray(network.predict(X), dtype=np.float64)
        return values if encoder is None else np.asarray(encoder.inverse_target(values), dtype=np.float64)

    if isinstance(metrics, QuantileMetrics):
        levels = metrics.levels
        return "pinball loss", lambda X: float(np.mean(quantile_metrics(truth, predicted(X), levels).pinball))
    if isinstance(metrics, MultiLabelMetrics):
        return "log loss", lambda X: float(multilabel_losses(truth, network.forward(X)).mean())
    # In units of the largest value, as the square of a huge one would overflow; of several targets, the mean
    # over them in units of their deviations.
    several = truth.ndim == 2
    largest = np.maximum(np.abs(truth).max(axis=0), 1e-300)
    deviations = (truth / largest).std(axis=0) * largest
    unit = np.where(deviations > 0, deviations, largest) if several else largest

    def relative(X: NDArray[Any]) -> float:
        errors = np.square(predicted(X) / unit - truth / unit).mean(axis=0)
        return float(np.sqrt(errors).mean() * (1.0 if several else unit))

    return ("RMSE in standard deviations" if several else "RMSE"), relative
