"""A search that is under way: batches are proposed, trained by successive halving, and told."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastmlp._search.halving import Halving
from fastmlp._search.ledger import Ledger, told
from fastmlp._search.quiet import need_optuna, quiet
from fastmlp._search.result import Search
from fastmlp._search.rows import SearchedRows
from fastmlp._search.samplers import BATCH, batch_size, begun_sampler, grid_points
from fastmlp._search.space import Space
from fastmlp._search.trials import COMPLETE, CUT, PRUNED, Trial
from fastmlp._training.fits import Fits
from fastmlp._training.specs import DEFAULTS

if TYPE_CHECKING:
    from fastmlp._training.cluster import Cluster

#: Arguments that change what the loss measures: where they differ, losses are not comparable.
#: An encoder may scale the target.
_IN_THE_LOSS = ("loss", "class_weight", "sample_weight", "task", "output_activation", "encode")


@dataclass
class Session:
    """What a search works with."""

    search: Search
    rows: SearchedRows
    fits: Fits
    common: dict[str, Any]
    ledger: Ledger
    space: Space
    sampler: Any
    halving: Halving
    threads: int | None
    cluster: Cluster | None
    deadline: float
    callbacks: Sequence[Callable[[Search], Any]]
    stopped: bool = field(default=False)

    def run(self, trials: int) -> None:
        """Go on until there are so many trials, the time is up, or a callback says so."""
        search = self.search
        with quiet():
            search.trials += self.ledger.known(self.space)
            points = grid_points(self.space, search.seed) if self.sampler == "grid" else None
            trials = trials if points is None else min(trials, len(points))
            done = len(search.trials)
            try:
                while (done := len(search.trials)) < trials and not self._over():
                    self._train(self._asked(trials - done, points))
            except BaseException as error:
                self._cut(search.trials[done:])
                with suppress(AttributeError, TypeError):
                    error.search = search  # type: ignore[attr-defined]
                raise
            finally:
                if isinstance(self.sampler, str):  # that of a batch cannot be pickled
                    self.ledger.study.sampler = need_optuna().samplers.TPESampler()

    def _asked(self, most: int, points: list[dict[str, Any]] | None) -> list[Trial]:
        """Return the trials of the next batch, with their fits."""
        done = len(self.search.trials)
        sampler = begun_sampler(self.sampler, self.space, self.search.seed, done)
        again, self.ledger.again = self.ledger.again, 0
        for i in range(min(again or batch_size(done), most)):
            if points is not None and not again:
                self.ledger.study.enqueue_trial(points[done + i])
            self.search.trials.append(self.ledger.ask(self.space, sampler))
        batch = self.search.trials[done:]
        if self.search.metric == "loss":
            self._check_comparable(batch)
        for trial in batch:
            try:
                trial.fits = list(self.fits.add(self.rows.specs(trial.spec)))
            except (TypeError, ValueError, MemoryError) as error:
                text = re.sub(r"^specs\[\d+\]: ", "", str(error))
                raise type(error)(f"trial {trial.number}, {trial.parameters}: {text}") from None
        return batch

    def _check_comparable(self, batch: Sequence[Trial]) -> None:
        """Refuse specs that differ in what their losses measure."""
        for name in _IN_THE_LOSS:
            specs = [trial.spec for trial in (self.search.trials[0], *batch)]
            if not any(name in spec for spec in specs):
                continue
            default = self.common.get(name, DEFAULTS[name])
            found = {told(spec.get(name, default)) for spec in specs}
            if len(found) > 1:
                raise ValueError(
                    f"metric must be 'score' where the space varies {name}, as losses are not comparable; "
                    "got 'loss'"
                )

    def _train(self, batch: Sequence[Trial]) -> None:
        """Train a batch rung by rung, and tell how its trials ended, in their order."""
        alive, count = list(batch), len(batch)
        for rung in range(self.halving.cuts + 1):
            last = rung == self.halving.cuts
            self._run(alive, rung)
            for trial in alive:
                trial.measure(self.fits)
                if trial.epochs:
                    self.ledger.report(trial, rung)
            alive = [trial for trial in alive if trial.state is None]
            if last or self._over():
                break
            count = self.halving.kept(count)
            ranked = sorted(alive, key=lambda trial: (trial.value(self.search.metric), trial.number))
            self._settle(ranked[count:], PRUNED)
            alive = sorted(ranked[:count], key=lambda trial: trial.number)
            if self._called_back():
                break
        self._settle(alive, CUT)
        for trial in batch:
            self._free(trial)
        self.ledger.tell(batch)
        if not self.stopped:
            self._called_back()

    def _run(self, trials: Sequence[Trial], rung: int) -> None:
        """Train the fits of some trials up to a rung."""
        pauses = []
        for trial in trials:
            epochs = trial.spec.get("epochs", self.common.get("epochs", DEFAULTS["epochs"]))
            pauses += [self.halving.until(rung, epochs)] * len(trial.fits)
        until = [pause for pause in pauses if pause is not None]
        left = self.deadline - time.monotonic()
        self.fits.run(
            [place for trial in trials for place in trial.fits],
            until=until or None,
            threads=self.threads,
            max_time=None if math.isinf(left) else max(left, 1e-3),
            cluster=self.cluster,
        )

    def _settle(self, trials: Iterable[Trial], otherwise: str) -> None:
        """Give trials that have ended their state, and the others `otherwise`."""
        for trial in trials:
            trial.state = COMPLETE if trial.has_ended(self.fits) else otherwise
            self._free(trial)

    def _free(self, trial: Trial) -> None:
        """Drop what its fits keep to go on."""
        for place in trial.fits:
            if not self.fits[place].ended:
                self.fits.forget(place)

    def _cut(self, batch: Sequence[Trial]) -> None:
        """Keep of an interrupted batch what is done; one that was not wholly proposed is not written."""
        left = [trial for trial in batch if trial.state is None]
        for trial in left:
            trial.measure(self.fits)
        self._settle([trial for trial in left if trial.state is None], CUT)
        if all(trial.fits for trial in batch):
            self.ledger.tell(batch)

    def _over(self) -> bool:
        return self.stopped or time.monotonic() >= self.deadline

    def _called_back(self) -> bool:
        """Call the callbacks; return whether the search is to stop."""
        answers = [callback(self.search) for callback in self.callbacks]
        self.stopped = self.stopped or any(answer is True for answer in answers)
        return self.stopped


def varies_loss(space: Space, seed: int) -> bool:
    """Whether specs of the space differ in what their losses measure; of a function, some are drawn."""
    if space.distributions is not None:
        return any(name in space.distributions for name in _IN_THE_LOSS)
    optuna = need_optuna()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed % 2**32))
    specs = [space.ask(study)[1] for _ in range(BATCH)]
    return any(len({told(spec.get(name)) for spec in specs}) > 1 for name in _IN_THE_LOSS)
