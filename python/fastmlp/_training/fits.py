"""Several fits that share X and y: prepared one by one, trained at once, and gone on with after a pause."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

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
from fastmlp._training.job import Carried, Job
from fastmlp._training.lbfgs import why_not_converged
from fastmlp._training.options import RunSettings
from fastmlp._training.preparation import Preparation
from fastmlp._training.progress import FitsBar, fits_bar
from fastmlp._training.run import Outcome, run_many
from fastmlp._training.runs import Runs
from fastmlp._training.specs import checked_common, checked_specs

if TYPE_CHECKING:
    from fastmlp._training.cluster import Cluster

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
    state: Carried | None = field(default=None, repr=False)  # what it needs to go on

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

    def job(self, pause: int | None) -> Job:
        """Return the run from here on, to its end or to an epoch at which it pauses."""
        rows = self.rows or self.make_rows()
        seconds = float(self.network.history["seconds"][-1]) if self.epochs else 0.0
        return Job(self.network, rows, self.settings, self.limits, self.epochs, seconds, pause, self.state)

    def take(self, outcome: Outcome | Exception, earlier: History, state: Carried | None) -> None:
        """Take over how a run ended, or paused."""
        self.begun, self.state = True, state
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


def cluster_of(client: Any) -> Cluster | None:
    """Return the workers of a client of Dask's, None without one: what they need is imported only then."""
    if client is None:
        return None
    from fastmlp._training.cluster import Cluster

    return Cluster(client)


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
        cluster: Cluster | None = None,
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
        cluster : Cluster, optional
            Whose workers train, in place of this process.

        Raises
        ------
        BaseException
            KeyboardInterrupt, or what a callback raised; what was trained until then is kept.
        """
        most = None if threads is None else integer("threads", threads, low=1)
        seconds = math.inf if max_time is None else real("max_time", max_time, low=0, open_low=True)
        callbacks = checked_callbacks(callbacks)
        places = range(len(self)) if places is None else places
        pauses = until if isinstance(until, Sequence) else [until] * len(places)
        chosen = [
            (self._fits[i], pause)
            for i, pause in zip(places, pauses, strict=True)
            if not self._fits[i].ended and (pause is None or self._fits[i].epochs < pause)
        ]
        if cluster is not None:
            self._refuse_callbacks(callbacks, chosen)
        deadline = time.monotonic() + seconds
        exception = None
        with fits_bar(flag("progress", progress), len(chosen)) as bar:
            for portion in portions(chosen):
                seconds = deadline - time.monotonic()
                if seconds > 0 and exception is None:
                    exception = self._run_portion(portion, most, seconds, callbacks, bar, cluster)
                    if bar is not None:
                        bar.portion_ended(len(portion))
        if exception is not None:
            raise exception

    def _run_portion(
        self, portion: Portion, threads: int | None, seconds: float, callbacks: Callbacks,
        bar: FitsBar | None, cluster: Cluster | None,
    ) -> BaseException | None:  # fmt: skip
        """Train fits whose rows are in memory together; return what ended them all, if anything did."""
        # Callbacks see the network's own history grow.
        earlier = [
            fit.network.history.copy() if callbacks or fit.callbacks else fit.network.history
            for fit, _ in portion
        ]
        with saying_once(self._told):
            jobs = [fit.job(pause) for fit, pause in portion]
        if cluster is None:
            most = _threads.resolve(threads)  # one fit may come to have all, once others have ended
            runs = [
                job.run(most, epoch_callback(fit.network, history, [*callbacks, *fit.callbacks], None, None))
                for job, (fit, _), history in zip(jobs, portion, earlier, strict=True)
            ]
            outcomes, exception = run_many(runs, most, seconds, bar)
        else:
            outcomes, exception = cluster.run_many(jobs, threads, seconds, bar)
        for (fit, _), job, outcome, history in zip(portion, jobs, outcomes, earlier, strict=True):
            if outcome is not None:
                fit.take(outcome, history, job.state)
                raised = None if isinstance(outcome, Exception) else outcome.exception
                exception = exception or raised
        return exception

    def _refuse_callbacks(self, callbacks: Callbacks, chosen: Portion) -> None:
        """Refuse what would be called on other machines."""
        why = "must be empty with client, as networks are trained in other processes; got"
        if callbacks:
            raise ValueError(f"callbacks {why} {callbacks!r}")
        for place, fit in enumerate(self._fits):
            if fit.callbacks and any(fit is one for one, _ in chosen):
                raise ValueError(f"{self.called(place)}: callbacks {why} {fit.callbacks!r}")

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
