"""Several fits that share X and y: prepared one by one, trained at once, and gone on with after a pause."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from fastmlp._base.records import lowest
from fastmlp._base.said import saying_once
from fastmlp._base.validation import flag, integer, real
from fastmlp._model.history import History, epochs_of
from fastmlp._native import threads as _threads
from fastmlp._network.network import Network
from fastmlp._rows.memory import WholeRows
from fastmlp._rows.shared import MOST_BYTES
from fastmlp._training.callbacks import checked_callbacks, epoch_callback
from fastmlp._training.finish import record, why_diverged
from fastmlp._training.lbfgs import why_not_converged
from fastmlp._training.options import RunSettings, core_options
from fastmlp._training.preparation import Preparation
from fastmlp._training.progress import FitsBar, fits_bar
from fastmlp._training.run import Outcome, Run, run_many
from fastmlp._training.runs import Runs
from fastmlp._training.specs import checked_common, checked_specs

Callbacks = Sequence[Callable[[Network], Any]]


@dataclass
class Fit:
    """One fit: what it is told, and how far it is."""

    spec: dict[str, Any]
    network: Network
    rows: WholeRows | None  # None while they would take too much memory
    make_rows: Callable[[], WholeRows]
    rows_key: Hashable
    rows_bytes: int
    settings: RunSettings
    limits: dict[str, float] | None  # of L-BFGS
    callbacks: Callbacks
    begun: bool = False
    ended: bool = False
    error: Exception | None = None
    warning: str | None = None
    state: Any = field(default=None, repr=False)  # what it needs to go on

    @property
    def epochs(self) -> int:
        """How many epochs it was trained for."""
        return epochs_of(self.network.history)

    @property
    def kept_row(self) -> int | None:
        """The row of the history with the epoch whose weights the network has; None without any."""
        history, settings = self.network.history, self.settings
        if not len(history):
            return None
        monitored = "validation_loss" if "validation_loss" in history else "loss"
        judged = monitored == "validation_loss" or settings.patience is not None
        ended_early = self.network.stop_reason in ("interrupted", "diverged")
        best = lowest(history[monitored]) if settings.restore_best and (judged or ended_early) else None
        return len(history) - 1 if best is None else best

    @property
    def trained(self) -> bool:
        """Whether the network has been trained, if only until its loss diverged."""
        return self.begun and isinstance(self.error, (FloatingPointError, type(None)))

    def run(self, earlier: History, pause: int | None, callbacks: Callbacks, threads: int) -> Run:
        """Return the run after earlier epochs, to its end or to an epoch at which it pauses."""
        rows = self.rows or self.make_rows()
        options = core_options(self.settings, len(rows), self.epochs)
        options.threads = threads  # that it may come to have, once others have ended
        if pause is not None and self.limits is None:
            options.pause = pause
            if self.state is None:
                arrays = (np.zeros(self.network.n_parameters, self.network.dtype) for _ in range(4))
                s1, s2, best, current = arrays
                self.state = self.network._core.RunState(s1, s2, 0, best, current)
        if self.epochs:
            options.max_time -= float(self.network.history["seconds"][-1])
        on_epoch = epoch_callback(self.network, earlier, [*callbacks, *self.callbacks], None, None)
        return Run(self.network, rows, options, self.limits, on_epoch, state=self.state)

    def take(self, outcome: Outcome | Exception, earlier: History) -> None:
        """Take over how a run ended, or paused."""
        self.begun = True
        if isinstance(outcome, Exception):
            self.network.history = earlier
            self.end(outcome)
            return
        record(self.network, earlier, outcome)
        if outcome.reason == "epochs" and self.limits is None and self.epochs < self.settings.epochs:
            return
        error = None
        if outcome.reason == "diverged":
            error = FloatingPointError(why_diverged(self.network, self.settings.restore_best))
        elif outcome.exception is None and self.limits is not None:
            self.warning = why_not_converged(outcome.reason, outcome.minimum, self.limits)
        self.end(error)

    def end(self, error: Exception | None) -> None:
        """Note that it is over; what only a run needs is dropped."""
        self.ended, self.error, self.state, self.callbacks, self.rows = True, error, None, (), None


Portion = list[tuple[Fit, "int | None"]]  # with the epoch at which each pauses


def portions(fits: Portion) -> Iterator[Portion]:
    """Yield the fits in parts whose rows, where they are yet to be made, fit into the memory together."""
    portion: Portion = []
    made: dict[Hashable, int] = {}
    for fit, pause in fits:
        if fit.rows is None and fit.rows_key not in made:
            if made and sum(made.values()) + fit.rows_bytes > MOST_BYTES:
                yield portion
                portion, made = [], {}
            made[fit.rows_key] = fit.rows_bytes
        portion.append((fit, pause))
    if portion:
        yield portion


class Fits:
    """Fits of several specs to one X, which is read once.

    Parameters
    ----------
    X, y
        As `train_many` takes them.
    common : dict
        Arguments of `train` that all specs have unless they say otherwise.
    caller : str, default "train_many"
        The function whose arguments these are, for errors.
    name : str, default "specs"
        What errors call the specs.
    """

    def __init__(
        self, X: Any, y: Any, common: dict[str, Any], caller: str = "train_many", name: str = "specs"
    ) -> None:
        self.common, self._name = checked_common(common, caller), name
        self._preparation = Preparation(X, y)
        self._fits: list[Fit] = []
        self._told: set[str] = set()  # what was warned of, once for all fits

    def __len__(self) -> int:
        return len(self._fits)

    def __getitem__(self, place: int) -> Fit:
        return self._fits[place]

    def called(self, place: int) -> str:
        """Return what errors call the fit at a place."""
        return f"{self._name}[{place}]"

    def add(self, specs: Any) -> range:
        """Check and prepare further fits; return their places.

        Raises
        ------
        TypeError, ValueError
            Naming the spec, the argument, what was given and what is accepted. Then none is added.
        """
        first, added = len(self), []
        held = {fit.rows_key: fit.rows_bytes for fit in self._fits if fit.rows is not None}
        kept, taken = {*held}, sum(held.values())
        with _threads.at_most(_threads.resolve(None)), saying_once(self._told):
            for i, spec in enumerate(checked_specs(specs, first), first):
                try:
                    arguments = {"rows": None, "y": None} | self.common | spec
                    callbacks = checked_callbacks(arguments["callbacks"])
                    p = self._preparation.fit(arguments)
                except (TypeError, ValueError, MemoryError) as error:
                    kinds = (TypeError, MemoryError)
                    kind = next((kind for kind in kinds if isinstance(error, kind)), ValueError)
                    raise kind(f"{self.called(i)}: {error}") from None
                again = partial(self._preparation.rows_again, arguments, p.network, p.settings.seed)
                more = 0 if p.rows_key in kept else p.rows_bytes
                rows = p.rows if taken + more <= MOST_BYTES else None
                if rows is not None:
                    kept.add(p.rows_key)
                    taken += more
                own = (rows, again, p.rows_key, p.rows_bytes)
                added.append(Fit(spec, p.network, *own, p.settings, p.limits, callbacks))
        self._fits.extend(added)
        return range(first, len(self))

    def run(
        self,
        places: Sequence[int] | None = None,
        *,
        until: int | Sequence[int] | None = None,
        threads: int | None = None,
        max_time: float | None = None,
        progress: bool = False,
        callbacks: Callbacks = (),
    ) -> None:
        """Train the fits at some places, by default all that have not ended, from where they are.

        Parameters
        ----------
        places : sequence of int, optional
            Of which the fits that have ended are left out.
        until : int or sequence of int, optional
            The epoch after which a fit pauses, or one for each place. A later call goes on with it: the
            result has the same bits as if it had never paused. L-BFGS does not pause.
        threads, max_time, progress, callbacks
            See `train_many`.

        Raises
        ------
        BaseException
            KeyboardInterrupt, or what a callback raised; what was trained until then is kept.
        """
        threads = _threads.resolve(None if threads is None else integer("threads", threads, low=1))
        seconds = math.inf if max_time is None else real("max_time", max_time, low=0, open_low=True)
        callbacks = checked_callbacks(callbacks)
        places = range(len(self)) if places is None else places
        pauses = until if isinstance(until, Sequence) else [until] * len(places)
        chosen = [
            (self._fits[i], pause)
            for i, pause in zip(places, pauses, strict=True)
            if not self._fits[i].ended and (pause is None or self._fits[i].epochs < pause)
        ]
        deadline = time.monotonic() + seconds
        exception = None
        with fits_bar(flag("progress", progress), len(chosen)) as bar:
            for portion in portions(chosen):
                seconds = deadline - time.monotonic()
                if seconds > 0 and exception is None:
                    exception = self._run_portion(portion, threads, seconds, callbacks, bar)
                    if bar is not None:
                        bar.portion_ended(len(portion))
        if exception is not None:
            raise exception

    def _run_portion(
        self, portion: Portion, threads: int, seconds: float, callbacks: Callbacks, bar: FitsBar | None
    ) -> BaseException | None:
        """Train fits whose rows are in memory together; return what ended them all, if anything did."""
        # Callbacks see the network's own history grow.
        earlier = [
            fit.network.history.copy() if callbacks or fit.callbacks else fit.network.history
            for fit, _ in portion
        ]
        with saying_once(self._told):
            runs = [
                fit.run(history, pause, callbacks, threads)
                for (fit, pause), history in zip(portion, earlier, strict=True)
            ]
        outcomes, exception = run_many(runs, threads, seconds, bar)
        for (fit, _), outcome, history in zip(portion, outcomes, earlier, strict=True):
            if outcome is not None:
                fit.take(outcome, history)
                raised = None if isinstance(outcome, Exception) else outcome.exception
                exception = exception or raised
        return exception

    def runs(self, unbegun: str) -> Runs:
        """Return the networks so far; `unbegun` says why some were not begun, if there are any."""
        return Runs(
            [fit.spec for fit in self._fits],
            [fit.network if fit.trained else None for fit in self._fits],
            [fit.error if fit.begun or fit.error else TimeoutError(unbegun) for fit in self._fits],
            [fit.kept_row for fit in self._fits],
            self.common,
        )

    def forget(self, place: int) -> None:
        """Drop what a paused fit needs to go on; its network stays as it is."""
        self._fits[place].end(None)
