"""How the estimators for tables learn: one network, an ensemble over folds, or the best of several."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._inspect.evaluation import Evaluation, compare_predictions
from fastmlp._inspect.selection import greedy_counts, row_losses
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network
from fastmlp._training.many import train_many
from fastmlp._training.recipe import FOLDS, HELD_BACK, PORTFOLIO, tabular_encoder, tabular_recipe
from fastmlp.data import Table, kfold
from fastmlp.data._task import Task

Array = NDArray[Any]
Rows = NDArray[np.int64]

QUALITIES = ("fast", "good", "best")

_TARGET_SHARE = 0.9  # of the time that is left, which epochs are planned for
_GREEDY_SIZE = 32  # choices
_LEAST_PROBABILITY = 1e-7  # one sure mistake is not infinite


@dataclass(frozen=True)
class TabularRows:
    """What is to be learned.

    Attributes
    ----------
    X : Table
    y : array, (n,)
        Labels, or numbers.
    weights : array, (n,), or None
    validation : (Table, array), or None
        Rows to choose the best epoch on; without them, rows are held back.
    task : "classification" or "regression"
    """

    X: Table
    y: Array
    weights: Array | None
    validation: tuple[Table, Array] | None
    task: Task

    def folds(self, count: int, seed: int) -> list[tuple[Rows, Rows]]:
        """Return the rows to learn from and those held back, so often; each row is held back once.

        The row of a class that has one only is always learned from.
        """
        n = len(self.y)
        if self.task == "regression":
            return kfold(n, min(count, n), seed)
        _, labels, counts = np.unique(self.y, return_inverse=True, return_counts=True)
        common = counts[labels] >= 2
        folds = []
        for _, held in kfold(labels, min(count, n), seed):
            held = held[common[held]]
            learned = np.setdiff1d(np.arange(n), held)
            missing = ~np.isin(labels[held], labels[learned])  # a class all of whose rows are in this fold
            folds.append((np.union1d(learned, held[missing]), held[~missing]))
        return folds


@dataclass(frozen=True)
class TabularModel:
    """What was learned.

    Attributes
    ----------
    model : Network or Ensemble
    evaluation : Evaluation
        Of rows that no network which predicts them has learned from.
    held : list of (network, array of int)
        Each network with the rows of X that it was held back from; empty of rows of one's own.
    configurations : list of dict
        Of several kinds of networks, what each has in place of the recipe's, and its weight.
    """

    model: Network | Ensemble
    evaluation: Evaluation
    held: list[tuple[Network, Rows]]
    configurations: list[dict[str, Any]] = field(default_factory=list)


class Deadline:
    """The end of the time that there is, if there is one."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds that are left, None where there is no end."""
        return None if self._end is None else max(self._end - time.monotonic(), 1e-3)


@dataclass(frozen=True)
class Learner:
    """Trains networks of the recipe on folds of the rows.

    Attributes
    ----------
    rows : TabularRows
    seed : int
    threads : int or None
    deadline : Deadline
    progress : bool
    """

    rows: TabularRows
    seed: int
    threads: int | None
    deadline: Deadline
    progress: bool = False

    def fast(self) -> TabularModel:
        """Return one network; a fifth of the rows chooses its best epoch."""
        folds = self.rows.folds(round(1 / HELD_BACK), self.seed)[:1]
        (network,) = networks = self._trained(folds)
        return self._learned(network, networks, folds)

    def good(self) -> TabularModel:
        """Return an ensemble of networks, each held back from one fold of the rows."""
        folds = self.rows.folds(FOLDS, self.seed)
        networks = self._trained(folds)
        return self._learned(Ensemble(networks), networks, folds)

    def _learned(
        self, model: Network | Ensemble, networks: Sequence[Network], folds: Sequence[tuple[Rows, Rows]]
    ) -> TabularModel:
        evaluation = self._evaluated(self._held_outputs(networks, folds), networks[0].classes, folds)
        return TabularModel(model, evaluation, self._held(networks, folds))

    def best(self) -> TabularModel:
        """Return an ensemble of the kinds of networks that are best together, as far as the time goes.

        Greedy selection with replacement by the loss of rows that the networks were held back from (Caruana
        et al., 2004): a kind counts as often as it is chosen.
        """
        folds = self.rows.folds(FOLDS, self.seed)
        kinds: list[list[Network]] = []
        outputs: list[Array] = []
        longest = 0.0
        for number, changed in enumerate(PORTFOLIO):
            left, start = self.deadline.left(), time.monotonic()
            if kinds and left is not None and left < longest / _TARGET_SHARE:
                break
            kinds.append(self._trained(folds, changed, self.seed + number * len(folds)))
            outputs.append(self._held_outputs(kinds[-1], folds))
            longest = max(longest, time.monotonic() - start)
        counts = greedy_counts(*self._losses(np.stack(outputs), kinds[0][0].classes, folds), _GREEDY_SIZE)
        chosen = np.flatnonzero(counts)
        networks = [network for kind in chosen for network in kinds[kind]]
        model = Ensemble(networks, np.repeat(counts[chosen], len(folds)))
        mean = np.average(np.stack(outputs)[chosen], axis=0, weights=counts[chosen])
        held = [pair for kind in chosen for pair in self._held(kinds[kind], folds)]
        shares = counts / counts.sum()
        used = [dict(PORTFOLIO[kind]) | {"weight": float(shares[kind])} for kind in chosen]
        return TabularModel(model, self._evaluated(mean, kinds[0][0].classes, folds), held, used)

    def _losses(
        self, outputs: Array, classes: Array | None, folds: Sequence[tuple[Rows, Rows]]
    ) -> tuple[Array, Callable[[Array], Array]]:
        """Return outputs and the loss of candidates, as `greedy_counts` takes them."""
        _, y, weights = self._tested(folds)
        if classes is None:
            truth = y.astype(np.float64)[:, np.newaxis]
            losses = row_losses("squared_error", (), 0.0)
            outputs = outputs.astype(np.float64)[..., np.newaxis]
        else:
            places = np.searchsorted(classes, y)[np.newaxis, :, np.newaxis]
            outputs = np.take_along_axis(outputs, np.broadcast_to(places, (len(outputs), len(y), 1)), axis=2)
            truth, losses = np.ones((len(y), 1)), row_losses("softmax_cross_entropy", (), _LEAST_PROBABILITY)
        return outputs, lambda candidates: np.average(losses(candidates, truth), axis=-1, weights=weights)

    def _trained(
        self,
        folds: Sequence[tuple[Rows, Rows]],
        changed: Mapping[str, Any] = MappingProxyType({}),
        seed: int | None = None,
    ) -> list[Network]:
        """Train a network on each fold, in as many epochs as the time allows."""
        rows = self.rows
        learned = len(folds[0][0])
        arguments = tabular_recipe(rows.task, learned) | dict(changed)
        first = self.seed if seed is None else seed
        specs: list[dict[str, Any]] = [
            {"rows": train, "seed": (first + i) % 2**32, "validation": self._validation(held)}
            for i, (train, held) in enumerate(folds)
        ]
        if rows.validation is not None:
            specs = [spec | {"rows": np.arange(len(rows.y))} for spec in specs]
        arguments["epochs"] = self._affordable(specs, arguments)
        return self._run(specs, arguments)

    def _validation(self, held: Rows) -> Any:
        return held if self.rows.validation is None else self.rows.validation

    def _run(self, specs: list[dict[str, Any]], arguments: Mapping[str, Any]) -> list[Network]:
        runs = train_many(
            self.rows.X, self.rows.y, specs, task=self.rows.task, sample_weight=self.rows.weights,
            encode=tabular_encoder(), threads=self.threads, max_time=self.deadline.left(),
            progress=self.progress, **arguments,
        )  # fmt: skip
        networks = []
        for network, error in zip(runs, runs.errors, strict=True):
            if network is None or not len(network.history):
                raise error or TimeoutError("max_time was over before an epoch had ended")
            networks.append(network)
        return networks

    def _affordable(self, specs: list[dict[str, Any]], arguments: Mapping[str, Any]) -> int:
        """Return the epochs of the recipe, or as many as fit into the time that is left."""
        epochs: int = arguments["epochs"]
        if self.deadline.left() is None:
            return epochs
        start = time.monotonic()
        self._run(specs, {**arguments, "epochs": 1})
        spent = time.monotonic() - start
        left = self.deadline.left()
        assert left is not None
        return int(np.clip(_TARGET_SHARE * left / spent, 1, epochs))

    def _held(
        self, networks: Sequence[Network], folds: Sequence[tuple[Rows, Rows]]
    ) -> list[tuple[Network, Rows]]:
        if self.rows.validation is not None:
            return []
        return [(network, held) for network, (_, held) in zip(networks, folds, strict=True)]

    def _tested(self, folds: Sequence[tuple[Rows, Rows]]) -> tuple[Table, Array, Array | None]:
        """Return the rows that networks are tested on: all that are held back, in the order of the folds."""
        rows = self.rows
        if rows.validation is not None:
            return (*rows.validation, None)
        tested = np.concatenate([held for _, held in folds])
        return rows.X.take(tested), rows.y[tested], None if rows.weights is None else rows.weights[tested]

    def _held_outputs(self, networks: Sequence[Network], folds: Sequence[tuple[Rows, Rows]]) -> Array:
        """Return probabilities (n, classes), or values (n,), of the rows to test on.

        Each network predicts its fold; of rows of one's own, all networks predict all.
        """
        if self.rows.validation is not None:
            return _outputs(Ensemble(networks), self.rows.validation[0])
        return np.concatenate(
            [_outputs(net, self.rows.X.take(held)) for net, (_, held) in zip(networks, folds, strict=True)]
        )

    def _evaluated(
        self, outputs: Array, classes: Array | None, folds: Sequence[tuple[Rows, Rows]]
    ) -> Evaluation:
        """Compare such outputs with the truth."""
        table, y, weights = self._tested(folds)
        predicted = outputs if classes is None else classes[outputs.argmax(axis=1)]
        probabilities = None if classes is None else outputs
        return compare_predictions(y, predicted, probabilities, classes, (), weights, table=table)


def _outputs(model: Network | Ensemble, X: Table) -> Array:
    return np.asarray(model.predict(X) if model.classes is None else model.predict_proba(X))
