"""How much a network needs each column: its error when the column's values change rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._inspect.columns import column_groups
from fastmlp._inspect.evaluate import table_inputs
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.metrics import LabelMetrics, QuantileMetrics, label_losses, quantile_metrics
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics, multilabel_losses
from fastmlp._model.ensemble import Blocks, EnsembleModel
from fastmlp._model.model import Model
from fastmlp._model.predictor import Predictor
from fastmlp._native import threads as _threads
from fastmlp._rows.features import dense_form

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
    network: Predictor, evaluation: Evaluation, targets: Sequence[str] = (), seed: int = 0
) -> Importances:
    """Measure the rise of the error when the values of one column are dealt out among the rows anew.

    All inputs that a column has become move together. Columns that say the same share their importance. The
    work is bounded: of large tables at most 2000 rows are taken and, where the network is large, fewer rows,
    repeats and columns.

    Parameters
    ----------
    network : Network or Ensemble
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
    columns = _sizes(network, names)
    rows, repeats, measured = _within_budget(len(evaluation.truth), len(columns), network.n_parameters)
    kept = _heaviest(columns, measured)
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(len(evaluation.truth), rows, replace=False))
    rows_of_X = _Rows(network, table_inputs(network, evaluation.table.take(chosen), targets), names)
    error, measure = _error_of(network, evaluation, chosen)
    before = measure(rows_of_X.outputs())
    orders = [random.permutation(rows) for _ in range(repeats)]
    rises = np.empty((len(kept), repeats))
    for at, name in enumerate(kept):
        for repeat, order in enumerate(orders):
            rises[at, repeat] = measure(rows_of_X.outputs(name, order)) - before
    unit = max(float(np.abs(rises).max()), 1e-300)  # the squares of huge values would overflow
    means, deviations = (rises / unit).mean(axis=1) * unit, (rises / unit).std(axis=1) * unit
    by_size = np.argsort(-means, kind="stable")
    return Importances(
        [kept[i] for i in by_size], means[by_size], deviations[by_size], error, rows, repeats,
        len(columns) - len(kept),
    )  # fmt: skip


def _within_budget(rows: int, columns: int, parameters: int) -> tuple[int, int, int]:
    """Return how many rows, repeats and columns can be afforded, giving up in this order."""
    affordable = _BUDGET / max(parameters, 1)  # rows that can be predicted
    few = min(rows, _FEWEST_ROWS)
    taken = int(np.clip(affordable / (columns * _REPEATS), few, min(rows, _MOST_ROWS)))
    repeats = int(np.clip(affordable / (columns * taken), 1, _REPEATS))
    return taken, repeats, int(np.clip(affordable / taken, 1, columns))


def _networks(network: Predictor) -> Sequence[Model]:
    """Return the network, or those of an ensemble."""
    if isinstance(network, EnsembleModel):
        return network.networks
    assert isinstance(network, Model)
    return (network,)


def _sizes(network: Predictor, names: Sequence[str]) -> dict[str, float]:
    """Return the size of the weights of each column, over all networks."""
    sizes: dict[str, float] = {}
    for net in _networks(network):
        W = net.weights[0].astype(np.float64)
        for group in column_groups(net, names):
            sizes[group.name] = sizes.get(group.name, 0.0) + float(np.linalg.norm(W[group.inputs]))
    return sizes


def _heaviest(sizes: dict[str, float], count: int) -> list[str]:
    """Return the columns with the largest weights, in order."""
    names = list(sizes)
    largest = np.argsort([-size for size in sizes.values()], kind="stable")[:count]
    return [names[i] for i in np.sort(largest)]


class _Rows:
    """Rows as the networks read them, and their outputs when one column's values change rows."""

    def __init__(self, network: Predictor, X: Any, names: Sequence[str]) -> None:
        X = network._matrix(X)
        several = isinstance(X, Blocks)
        self._network = network
        self._matrices = tuple(dense_form(x).copy() for x in (X.features if several else (X,)))
        self._X = Blocks(self._matrices) if several else self._matrices[0]
        readers = network._groups if isinstance(network, EnsembleModel) else _networks(network)
        self._features = [
            {group.name: group.features for group in column_groups(net, names)} for net in readers
        ]

    def outputs(self, name: str | None = None, order: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return the outputs, with the values of the named column dealt out in this order."""
        kept = []
        for matrix, features in zip(self._matrices, self._features, strict=True):
            columns = features.get(name, []) if name is not None else []
            kept.append((matrix, columns, matrix[:, columns].copy()))
            if columns:
                matrix[:, columns] = matrix[:, columns][order]
        outputs = self._network._outputs(self._X, _threads.resolve(None))
        for matrix, columns, values in kept:
            matrix[:, columns] = values
        return outputs


def _error_of(
    network: Predictor, evaluation: Evaluation, rows: NDArray[np.int64]
) -> tuple[str, Callable[[NDArray[Any]], float]]:
    """Return the name of the error, and how to measure it by the outputs."""
    truth, metrics, classes = evaluation.truth[rows], evaluation.metrics, network.classes
    if isinstance(metrics, LabelMetrics):
        if metrics.log_loss is None or classes is None:
            return "share of mistakes", lambda a: float((network._predicted(a, False) != truth).mean())
        return "log loss", lambda a: float(label_losses(truth, classes, network._probabilities(a)).mean())
    in_units = network._reader is not None and network._reader.task == "regression"

    def predicted(outputs: NDArray[Any]) -> Floats:
        return np.asarray(network._predicted(outputs, in_units), dtype=np.float64)

    if isinstance(metrics, QuantileMetrics):
        levels = metrics.levels
        return "pinball loss", lambda a: float(np.mean(quantile_metrics(truth, predicted(a), levels).pinball))
    if isinstance(metrics, MultiLabelMetrics):
        return "log loss", lambda a: float(multilabel_losses(truth, a).mean())
    # In units of the largest value, as the square of a huge one would overflow; of several targets, the mean
    # over them in units of their deviations.
    several = truth.ndim == 2
    largest = np.maximum(np.abs(truth).max(axis=0), 1e-300)
    deviations = (truth / largest).std(axis=0) * largest
    unit = np.where(deviations > 0, deviations, largest) if several else largest

    def relative(outputs: NDArray[Any]) -> float:
        errors = np.square(predicted(outputs) / unit - truth / unit).mean(axis=0)
        return float(np.sqrt(errors).mean() * (1.0 if several else unit))

    return ("RMSE in standard deviations" if several else "RMSE"), relative
