"""A fit of an estimator in two steps, checked and ready to be trained, then finished with its outcome.

So that one fit, an ensemble and the fits of a search go the same way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from fastmlp._base.said import say
from fastmlp._estimators import parameters
from fastmlp._estimators.callbacks import FitTask
from fastmlp._estimators.epochs import Epochs, Iterations, Score, score_function
from fastmlp._estimators.given import Given
from fastmlp._estimators.rows import Rows
from fastmlp._estimators.state import OptimizerState
from fastmlp._network.network import Network
from fastmlp._rows.memory import CoreRows, WholeRows
from fastmlp._training.options import checked_compute, core_options
from fastmlp._training.run import Outcome, Record, Run, run, run_many
from fastmlp.spec.optimizers import check_representable

Ended: TypeAlias = Outcome | Exception  # how a run ended, or what ended it
Finish: TypeAlias = Callable[[Outcome], None]

_SECONDS = 3  # where the records have them


class Fitting:
    """A fit that is ready to be trained: its runs, and what is done with their outcomes."""

    runs: list[Run]

    def finish(self, ended: Sequence[Ended]) -> None:
        """Take over how the runs ended; raise what ended them, if it was an error."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """About how much memory the networks take, with the optimizers' states."""
        return 4 * sum(job.network.parameters.nbytes for job in self.runs)


class SingleFitting(Fitting):
    """The fit of one network.

    An error, now or at the end, leaves the estimator as it was, unless it goes on from what was there.

    Parameters
    ----------
    estimator : BaseMLP
        With parameters that have been checked.
    given : Given
        What it learns from.
    task : FitTask
        Whom to tell.
    incremental : bool
        Whether this is partial_fit, whose argument `classes` is the next.
    random : RandomState, optional
        In place of that of ``random_state``.
    """

    def __init__(
        self, estimator: Any, given: Given, task: FitTask, *, incremental: bool = False, classes: Any = None,
        random: np.random.RandomState | None = None,
    ) -> None:  # fmt: skip
        self.estimator, self._task, self._incremental = estimator, task, incremental
        self._first = not hasattr(estimator, "coefs_") or not (estimator.warm_start or incremental)
        self._before = vars(estimator).copy()
        with self._undone_by_errors():
            job, self._finish = self._prepared(given, classes, random)
        self.runs = [job]

    def finish(self, ended: Sequence[Ended]) -> None:
        """Take over how the run ended."""
        [outcome] = ended
        with self._undone_by_errors():
            if isinstance(outcome, Exception):
                raise outcome
            self._finish(outcome)
        vars(self.estimator).pop("_random_state", None)
        self._task.ended()

    @contextmanager
    def _undone_by_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if self._first and not isinstance(error, Warning):
                self.estimator.__dict__ = self._before
            raise

    def _prepared(
        self, given: Given, classes: Any, random: np.random.RandomState | None
    ) -> tuple[Run, Finish]:
        p, first, incremental = self.estimator, self._first, self._incremental
        if first and not incremental:
            p._forget()
        source = given.source(p, reset=first)
        if incremental:
            p._learn_classes(source.y, classes)
        source = source.with_targets(p._checked_targets(source.y, complete=not incremental))
        begun = None if first else vars(p).get("_random_state")  # by initialize()
        random = begun or random or check_random_state(p.random_state)
        if first:
            p._initialize(source.X.array, source.y, random)
        elif vars(p).get("_hidden") not in (None, parameters.hidden_layers(p)):
            raise ValueError(
                f"hidden_layer_sizes must be {p._hidden} as before to go on from the weights there are, got "
                f"{p.hidden_layer_sizes!r}"
            )
        if not hasattr(p, "history_"):  # the weights are the user's own
            p._begin_curves()
        rows = Rows(source, p._row_weights(source.y, given.sample_weight))
        measured = given.measured(p)
        if parameters.is_lbfgs(p):
            return self._minimization(rows, measured)
        return self._descent(rows, measured, random)

    def _descent(
        self, rows: Rows, measured: Rows | None, random: np.random.RandomState
    ) -> tuple[Run, Finish]:
        """Mini-batch gradient descent in the core, which calls `Epochs` after each epoch."""
        p, incremental = self.estimator, self._incremental
        if p.early_stopping and measured is None:
            if incremental:
                raise ValueError(
                    "partial_fit does not support early_stopping=True without X_val and y_val to measure on"
                )
            rows, measured = _split(p, rows, random)
        y = rows.y
        if p.batch_size != "auto" and p.batch_size > len(y):
            say("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        weights = p._training_weights(y, rows.weights, incremental=incremental)
        network = p._linked_network()
        state = _optimizer_state(p, network, random, incremental=incremental)
        settings = parameters.run_settings(p, len(y), state.learning_rate, state.seed, state.epochs)
        options = core_options(settings, len(y), state.epochs)
        check_representable(options, network.dtype.name, ("learning_rate_init", "epsilon", "clip_norm"))
        learned = rows.core_form(p, network.dtype, network.layer_sizes[0], weights)
        checked_compute(p.compute, network.dtype.name, sparse=isinstance(learned[0], tuple))
        p._watch(measured is not None)
        score, by_core = _measures(p, network, measured)
        epochs = Epochs(
            p, network, len(y), state, p._loss_of(y, weights), score, measured is not None, self._task,
            incremental,
        )  # fmt: skip
        p._optimizer = state
        start = time.perf_counter()
        carried = network._core.RunState(state.moments[0], state.moments[1], state.steps)

        def finish(outcome: Outcome) -> None:
            state.steps = carried.steps
            state.epochs += p.n_iter_
            if options.shuffle and options.batch_size == len(y) and random is p.random_state:
                for _ in range(p.n_iter_):  # the core does not shuffle a single batch; the generator goes on
                    random.shuffle(np.arange(len(y)))
            epochs.finish(outcome, time.perf_counter() - start)

        whole = WholeRows(learned, by_core, p._mean_weight(learned))
        order = draw_order(random, len(y))
        return Run(network, whole, options, on_epoch=epochs, draw_order=order, state=carried), finish

    def _minimization(self, rows: Rows, measured: Rows | None) -> tuple[Run, Finish]:
        """L-BFGS over all rows, in float64; the weights keep their type."""
        p, y = self.estimator, rows.y
        weights = p._training_weights(y, rows.weights, incremental=False)
        p._linked_network()  # the scores are those of the weights as they are taken over
        network = p._make_network(p.alpha / float(len(y) if weights is None else weights.sum()), "float64")
        settings = parameters.run_settings(p, len(y), float(p.learning_rate_init))
        p._watch(measured is not None)
        score = (
            None if measured is None else score_function(p, measured.features, measured.y, measured.weights)
        )
        iterations = Iterations(p, network, p._loss_of(y, weights), score, self._task)
        learned = rows.core_form(p, network.dtype, network.layer_sizes[0], weights)
        job = Run(
            network, WholeRows(learned, None, 0.0), core_options(settings, len(y)), settings.limits,
            on_epoch=iterations if iterations.is_needed else None,
        )  # fmt: skip
        return job, iterations.finish


def train(fitting: Fitting, threads: int) -> None:
    """Train a fit on at most so many threads, and finish it."""
    if len(fitting.runs) > 1:
        fitting.finish(trained([fitting], threads)[0])
        return
    [job] = fitting.runs
    outcome = run(
        job.network, job.rows, job.options, limits=job.limits, on_epoch=job.on_epoch, state=job.state,
        draw_order=job.draw_order,
    )  # fmt: skip
    fitting.finish([outcome])


@dataclass
class _Apart:
    """Lets a run end by an error of its callback without ending those beside it."""

    on_epoch: Callable[[Record], bool | float]
    error: Exception | None = None

    def __call__(self, record: Record) -> bool | float:
        try:
            return self.on_epoch(record)
        except Exception as error:
            self.error = error
            return True


def trained(fittings: Sequence[Fitting], threads: int) -> list[list[Ended]]:
    """Train several fits at once; return how the runs of each ended, for the caller to finish them.

    Raises
    ------
    KeyboardInterrupt
        Then none of them can be finished.
    """
    jobs = [job for fitting in fittings for job in fitting.runs]
    apart = [None if job.on_epoch is None else _Apart(job.on_epoch) for job in jobs]
    guarded = [replace(job, on_epoch=guard) for job, guard in zip(jobs, apart, strict=True)]
    outcomes, exception = run_many(guarded, threads, math.inf)
    raised = [o.exception for o in outcomes if isinstance(o, Outcome) and o.exception is not None]
    if exception is not None or raised:
        raise exception or raised[0]
    ended: list[Ended] = []
    for outcome, guard in zip(outcomes, apart, strict=True):
        assert outcome is not None  # all were begun
        ended.append(outcome if guard is None or guard.error is None else guard.error)
    rest = iter(ended)
    return [list(islice(rest, len(fitting.runs))) for fitting in fittings]


def seconds_of(ended: Sequence[Ended]) -> float:
    """Return how long the longest of some runs took."""
    outcomes = [outcome for outcome in ended if isinstance(outcome, Outcome)]
    return max((float(o.records[-1, _SECONDS]) for o in outcomes if len(o.records)), default=0.0)


def _measures(p: Any, network: Network, measured: Rows | None) -> tuple[Score | None, CoreRows | None]:
    """Return what measures the validation score: a function, or rows for the core, which is faster."""
    if measured is None:
        return None, None
    if p._core_scores() and p.scoring is None and measured.weights is None:
        return None, measured.core_form(p, network.dtype, network.layer_sizes[0], None)
    return score_function(p, measured.features, measured.y, measured.weights), None


def _split(p: Any, rows: Rows, random: np.random.RandomState) -> tuple[Rows, Rows]:
    """Return the rows to train on and those held back for early stopping."""
    if p.validation_fraction == 0:
        raise ValueError("validation_fraction must be greater than 0 for early_stopping, got 0")
    kept, held = train_test_split(
        np.arange(len(rows)),
        random_state=random,
        test_size=p.validation_fraction,
        stratify=p._stratify(rows.y),
    )
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    if rows.weights is not None and rows.weights[held].max() == 0:
        raise ValueError(
            "the rows held back for validation have sample_weight 0; give X_val and y_val, or a larger "
            "validation_fraction"
        )
    return rows.at(kept), rows.at(held)


def _optimizer_state(
    p: Any, network: Network, random: np.random.RandomState, *, incremental: bool
) -> OptimizerState:
    """Return what partial_fit goes on from, or a fresh start; a warm start keeps the best weights."""
    old: OptimizerState | None = vars(p).get("_optimizer")
    optimizer = parameters.optimizer(p)
    if incremental:
        parameters.check_incremental(p)
        if old is not None and old.fits(network, optimizer):
            return old.writable()
    seed = int(random.randint(2**31 - 1)) if p.dropout else 0  # scikit-learn draws nothing here
    best = None if old is None or old.best is None or len(old.best) != network.n_parameters else old.best
    moments = np.zeros((2, network.n_parameters), network.dtype)
    return OptimizerState(optimizer, float(p.learning_rate_init), seed, moments, best)


def draw_order(random: np.random.RandomState, rows: int) -> Callable[[], NDArray[np.uint32]]:
    """Return what draws the order of each epoch's rows, the same as scikit-learn's."""
    order: NDArray[np.uint32] | None = None

    def draw() -> NDArray[np.uint32]:
        nonlocal order
        indices = np.arange(rows)
        random.shuffle(indices)
        order = indices.astype(np.uint32) if order is None else order[indices]
        return order

    return draw
