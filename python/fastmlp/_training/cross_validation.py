"""What a cross-validation found: scores of folds, and predictions of rows by networks that never saw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import integer_ticks, new_axes
from fastmlp._base.records import Records
from fastmlp._base.text import plural
from fastmlp._inspect.evaluation import Evaluation, compare_predictions
from fastmlp._inspect.metrics import QuantileMetrics
from fastmlp._model.history import epochs_of
from fastmlp._network.ensemble import Ensemble
from fastmlp._training.folds import Fold
from fastmlp._training.runs import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastmlp._network.network import Network

Array = NDArray[Any]


@dataclass(frozen=True, repr=False, eq=False)
class CrossValidation:
    """How well networks do on rows that they did not learn from, fold by fold; printed, a table.

    `cross_validate` makes it.

    Attributes
    ----------
    predictions : array, (n,), (n, outputs) or (n, quantiles)
        Of each row of X by the networks that did not learn from it: a label, or values in the units of y.
        Where there are several such networks, as with repeats, values are their mean, and a label is that of
        the highest mean probability or, of a loss without probabilities, the one that most of them predict
        (of as many, the first). A row that no fold tests has NaN, or None in place of a label: the first rows
        where split is "time", rows without a target, rows that folds of your own leave out.
    probabilities : array, (n, classes) or (n, labels), or None
        Of each of `classes`, the mean over those networks; 0 for a class that a network has not seen, NaN
        for rows that no fold tests. None where the loss gives none.
    classes : array, (classes,), or None
        The labels of all folds, sorted; None for values and for several labels a row.
    tested : array of bool, (n,)
        Whether the row has a prediction.
    evaluation : Evaluation
        Of the predictions of all tested rows together. Its score is not the mean over the folds.
    evaluations : tuple of Evaluation
        Of each fold's network on the rows that the fold tests.
    scores : array, (folds,)
        The metric of each fold; NaN where it is not defined, as R2 of a single row is.
    metric : str
        Its name.
    higher_is_better : bool or None
        None of a function of the user's own.
    folds : tuple of (train_rows, test_rows)
        Indices of rows of X; repeats follow each other.
    repeats : int
    runs : Runs
        What `train_many` returned.
    """

    predictions: Array
    probabilities: Array | None
    classes: Array | None
    tested: NDArray[np.bool_]
    evaluation: Evaluation
    evaluations: tuple[Evaluation, ...]
    scores: NDArray[np.float64]
    metric: str
    higher_is_better: bool | None
    folds: tuple[Fold, ...]
    repeats: int
    runs: Runs

    @property
    def networks(self) -> list[Network]:
        """The network of each fold."""
        return [network for network in self.runs if network is not None]

    @property
    def mean(self) -> float:
        """The mean of the scores of all folds."""
        return float(self.scores.mean())

    @property
    def standard_error(self) -> float:
        """How far the mean may be off, ``s / sqrt(m)``; NaN for a single fold.

        s is the standard deviation of the scores, of all repeats, with folds - 1 in the denominator. m is the
        number of folds divided by how often a tested row is tested, on average: with repeats, the folds of
        one of them, for repeats make s more certain but bring no further rows. Folds share most of the rows
        that they train on, so that their scores are not independent, and this tends to be too small.

        References
        ----------
        C. Nadeau, Y. Bengio, Inference for the generalization error, Machine Learning 52, 2003.
        Y. Bengio, Y. Grandvalet, No unbiased estimator of the variance of K-fold cross-validation, Journal of
        Machine Learning Research 5, 2004.
        """
        if len(self.scores) < 2:
            return math.nan
        times = sum(len(test) for _, test in self.folds) / self.tested.sum()
        return float(self.scores.std(ddof=1) / math.sqrt(len(self.scores) / times))

    @property
    def table(self) -> Records:
        """A row for each fold: the rows it trained on and tested, its score, and how its run went.

        The losses are those in training, of the weights that were kept.
        """
        kept = [self.runs._kept(i) for i in range(len(self.runs))]
        losses = [name for name in ("loss", "validation_loss") if any(name in numbers for numbers in kept)]
        own = ("fold",) if self.repeats == 1 else ("repeat", "fold")
        columns = (*own, "rows", "test_rows", "score", *losses, "epochs", "seconds", "stop_reason")
        each = len(self.folds) // self.repeats
        rows = []
        for i, ((train, test), network, numbers) in enumerate(
            zip(self.folds, self.networks, kept, strict=True)
        ):
            place = (i,) if self.repeats == 1 else divmod(i, each)
            measured = [numbers.get(name, math.nan) for name in losses]
            ending = (epochs_of(network.history), numbers.get("run_seconds", math.nan), network.stop_reason)
            rows.append((*place, len(train), len(test), float(self.scores[i]), *measured, *ending))
        return Records(columns, rows)

    @cached_property
    def ensemble(self) -> Ensemble:
        """The networks of the folds as one predictor.

        Raises
        ------
        ValueError
            If they do not go together: a fold had no row of some class to learn from.
        """
        return Ensemble(self.networks)

    def summary(self) -> str:
        """Return the mean of the scores with its standard error in one line."""
        better = {True: "; higher is better", False: "; lower is better", None: ""}[self.higher_is_better]
        over = plural(len(self.scores) // self.repeats, "fold")
        over += f", {self.repeats} times" if self.repeats > 1 else ""
        mean, error = self.mean, self.standard_error
        if math.isnan(error):
            return f"{self.metric} {mean:.4g} (mean of {over}{better})"
        shown = f"{mean:.4g} +- 0"
        if error > 1e-9 * abs(mean):
            digits = max(2 - math.floor(math.log10(error)), 0)
            shown = f"{mean:.{digits}f} +- {error:.{digits}f}"
        return f"{self.metric} {shown} (mean and standard error of {over}{better})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the score of each fold, with their mean and its standard error; needs ``fastmlp[plot]``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes
        """
        axes = new_axes(ax)[0]
        axes.plot(np.arange(len(self.scores)), self.scores, "o", color="C0")
        axes.axhline(self.mean, color="C1", label="mean")
        if math.isfinite(self.standard_error):
            low, high = self.mean - self.standard_error, self.mean + self.standard_error
            axes.axhspan(low, high, color="C1", alpha=0.2, label="standard error")
        integer_ticks(axes.xaxis)
        axes.set(xlabel="fold", ylabel=self.metric.replace("_", " "))
        axes.legend()
        return axes

    def __len__(self) -> int:
        return len(self.folds)

    def __repr__(self) -> str:
        return f"<CrossValidation: {self.summary()}>"

    def __str__(self) -> str:
        return f"{self.table}\n\n{self.summary()}"


def gathered(
    evaluations: Sequence[Evaluation], tests: Sequence[NDArray[np.int64]], n: int, names: tuple[str, ...]
) -> tuple[Array, Array | None, Array | None, NDArray[np.bool_], Evaluation]:
    """Return the predictions, probabilities and classes of n rows, which are tested, and their evaluation.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of each fold.
    tests : sequence of arrays
        The rows of each fold, in the order of its evaluation.
    n : int
    names : tuple of str
        The columns of the truth.
    """
    rows, places = np.unique(np.concatenate(tests), return_inverse=True)
    truth = _scattered(places, len(rows), [e.truth for e in evaluations])
    weights = _scattered(places, len(rows), [e.weights for e in evaluations if e.weights is not None])
    classes, predicted, probabilities = _combined(evaluations, places, len(rows))
    first = evaluations[0].metrics
    levels = first.levels if isinstance(first, QuantileMetrics) else ()
    evaluation = compare_predictions(truth, predicted, probabilities, classes, levels, weights, names)
    tested = np.zeros(n, np.bool_)
    tested[rows] = True
    spread = None if probabilities is None else _spread(probabilities, rows, n)
    return _spread(predicted, rows, n), spread, classes, tested, evaluation


def _combined(
    evaluations: Sequence[Evaluation], places: NDArray[np.int64], n: int
) -> tuple[Array | None, Array, Array | None]:
    """Return the classes of all folds, and of each row the mean of what was predicted for it."""
    first = evaluations[0]
    if first.classes is None:
        probabilities = None
        if first.probabilities is not None:
            probabilities = _mean(places, n, [e.probabilities for e in evaluations])
            return None, (probabilities > 0.5).astype(first.predicted.dtype), probabilities
        return None, _mean(places, n, [e.predicted for e in evaluations]), None
    classes = np.unique(np.concatenate([e.classes for e in evaluations]))
    if first.probabilities is None:
        votes = _mean(places, n, [e.predicted[:, np.newaxis] == classes for e in evaluations])
        return classes, classes[votes.argmax(axis=1)], None
    probabilities = _mean(places, n, [_over(classes, e) for e in evaluations])
    return classes, classes[probabilities.argmax(axis=1)], probabilities


def _over(classes: Array, evaluation: Evaluation) -> Array:
    """Return the probabilities of a fold with a column for each class of all folds."""
    own, given = evaluation.classes, evaluation.probabilities
    assert own is not None
    assert given is not None
    table = np.zeros((len(given), len(classes)), given.dtype)
    table[:, np.searchsorted(classes, own)] = given
    return table


def _mean(places: NDArray[np.int64], n: int, parts: Sequence[Any]) -> Array:
    """Return the mean of what each row was given, in the type of the parts."""
    given = np.concatenate(parts)
    sums = np.zeros((n, *given.shape[1:]))
    np.add.at(sums, places, given)
    times = np.bincount(places, minlength=n).reshape(-1, *[1] * (given.ndim - 1))
    return (sums / times).astype(given.dtype if given.dtype.kind == "f" else np.float64)


def _scattered(places: NDArray[np.int64], n: int, parts: Sequence[Array]) -> Any:
    """Return what each row has, which is the same in every part; None without parts."""
    if not parts:
        return None
    given = np.concatenate(parts)
    values = np.empty((n, *given.shape[1:]), given.dtype)
    values[places] = given
    return values


def _spread(values: Array, rows: NDArray[np.int64], n: int) -> Array:
    """Return values of some rows among those of all, of which the others have NaN, or None for a label."""
    if len(rows) == n:
        return values
    numeric = values.dtype.kind == "f" or values.ndim > 1
    kind: Any = (values.dtype if values.dtype.kind == "f" else np.float64) if numeric else object
    spread = np.full((n, *values.shape[1:]), np.nan if numeric else None, kind)
    spread[rows] = values
    return spread
