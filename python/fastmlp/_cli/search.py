"""The command `fastmlp search`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fastmlp._base.text import plural, shortened
from fastmlp._cli.exit_codes import FAILED, OK
from fastmlp._cli.files import Loaded, write_output
from fastmlp._cli.learn import check_choice, values
from fastmlp._cli.origin import origin_of
from fastmlp._cli.outcome import judged, show_data, show_outcome, show_split
from fastmlp._cli.prepare import Prepared, weights_of
from fastmlp._cli.recipe import enough_epochs
from fastmlp._cli.show import console, to_json
from fastmlp._cli.space_file import read_space
from fastmlp._cli.split import Split
from fastmlp._cli.train import TrainJob
from fastmlp._search.samplers import SAMPLERS
from fastmlp._search.search import METRICS, search
from fastmlp._search.trials import Trial, best_first, trial_table
from fastmlp._training.progress import on_terminal
from fastmlp.data._task import Task

if TYPE_CHECKING:
    from fastmlp._network.ensemble import Ensemble
    from fastmlp._network.network import Network
    from fastmlp._search.result import Search

_SHOWN, _SHOWN_LIVE = 10, 5  # trials


@dataclass(frozen=True)
class SearchJob(TrainJob):
    """One run of the command."""

    defaults: ClassVar[Mapping[str, Any]] = {}

    trials: int = 64
    folds: int | None = None
    sampler: str = "tpe"
    halving: int = 3
    metric: str = "auto"
    space: str | None = None
    storage: str | None = None
    max_time: float | None = None

    def __call__(self) -> int:
        """Check, read, split, encode, search, save, report."""
        self._check()
        space = "auto" if self.space is None else read_space(self.space)
        out = console(quiet=self.quiet or self.json)
        loaded, reading = self._load()
        prepared, notes = self._prepare(loaded, reading)
        show_data(out, loaded.table, prepared, notes)
        show_split(out, prepared)
        given = self._given(prepared.task, prepared.parts.training.n_rows)

        def keep(network: Network | Ensemble) -> None:
            if self.folds is None:  # else each network has an encoder of its own
                cast("Network", network).encoder = prepared.encoder
            network.origin = origin_of(network, prepared, reading)
            if self.save is not None:
                network.save(self.save)

        found = None
        try:
            found = self._search(prepared, loaded, space, values(given))
            network = found.refit() if self.folds is not None else cast("Network", found.best)
        except KeyboardInterrupt as interrupt:
            found = getattr(interrupt, "search", None) if found is None else found
            raise KeyboardInterrupt(self._keep_found(found, keep)) from None
        keep(network)
        outcome = judged(network, prepared, self._config(prepared, given, loaded), self.folds is None, notes)
        _show_trials(out, found)
        show_outcome(out, outcome, self.quiet and not self.json)
        if self.report is not None:
            from fastmlp._cli.report import report_training

            report_training(self.report, prepared.table, outcome, command="search", search=found)
            out.print(f"report written to {shortened(self.report)}")
        if self.json:
            write_output(None, to_json({**outcome.to_dict(), "search": _to_dict(found)}))
        return FAILED if network.stop_reason == "diverged" else OK

    def _check(self) -> None:
        """Refuse what can be refused before the data is read."""
        super()._check()
        check_choice("--sampler", self.sampler, SAMPLERS)
        check_choice("--metric", self.metric, METRICS)
        for option, given, least in (("--trials", self.trials, 1), ("--folds", self.folds, 2)):
            if given is not None and given < least:
                raise ValueError(f"{option} must be at least {least}, got {given}")
        if self.halving != 0 and self.halving < 2:
            raise ValueError(f"--halving must be at least 2, or 0 for none, got {self.halving}")
        if self.folds is not None and self.validation is not None:
            raise ValueError("--folds does not go with --validation: trials are judged by the folds")
        if self.max_time is not None and not self.max_time > 0:
            raise ValueError(f"--max-time must be greater than 0, got {self.max_time:g}")

    def _given(self, task: Task, rows: int) -> dict[str, Any]:
        """Return the options that go to `fastmlp.train`, with the epochs; the search finds the recipe."""
        given = {name: self.settings[name] for name in self.arguments}
        return {"epochs": enough_epochs(task, rows, self.arguments.get("batch_size", "auto")), **given}

    def _split(self, rows: int, labelled: bool) -> Split:
        """Return how rows are dealt out: as `train` does, but that folds need no others to validate on."""
        split = super()._split(rows, labelled)
        if self.folds is not None:
            return Split(split.test, 0.0, split.order, split.seed, split.stratified, split.group)
        if not split.validation:
            raise ValueError("--validation: trials are judged by rows held back; give a part, or --folds")
        return split

    def _search(self, prepared: Prepared, loaded: Loaded, space: Any, arguments: dict[str, Any]) -> Search:
        """Return what was found."""
        live = not self.quiet and on_terminal()
        seed = arguments.pop("seed", 0)
        with _Live(self.trials, live) as callbacks:
            return search(
                **self._rows(prepared, loaded, arguments.get("dtype", "float32")), space=space,
                trials=self.trials, metric=self.metric, sampler=self.sampler,
                halving=self.halving or None, max_time=self.max_time, seed=seed, storage=self.storage,
                progress=not self.quiet and not live, callbacks=callbacks, **arguments,
            )  # fmt: skip

    def _rows(self, prepared: Prepared, loaded: Loaded, dtype: str) -> dict[str, Any]:
        """Return the rows as `search` takes them: encoded, or with folds a table that each fold encodes."""
        parts, columns = prepared.parts, prepared.columns
        if self.folds is not None:
            targets = columns.targets
            return {
                "X": parts.training, "y": targets[0] if len(targets) == 1 else list(targets),
                "folds": self.folds, "task": prepared.task,
                "encode": self._encoder(columns, prepared.task, loaded),
                "sample_weight": weights_of(parts.training, columns.weight),
            }  # fmt: skip
        assert parts.validation is not None
        X, y, weights = prepared.rows(parts.training, dtype)
        *pair, of_pair = prepared.rows(parts.validation, dtype)
        return {
            "X": X, "y": y, "sample_weight": weights, "task": prepared.task,
            "validation": tuple(pair) if of_pair is None else (*pair, of_pair),
            "embeddings": prepared.encoder.embeddings,
        }  # fmt: skip

    def _keep_found(self, found: Search | None, keep: Callable[[Network | Ensemble], None]) -> str:
        """Save the best network of an interrupted search, or those of its folds; train nothing."""
        done = [] if found is None else [trial for trial in found.trials if trial.epochs]
        if found is None or not done:
            return "interrupted before the first trials were trained; nothing was saved"
        text = f"interrupted after {plural(len(done), 'trial')}"
        if self.save is None:
            return text
        try:
            best = found.best_trial
        except ValueError:
            return f"{text}, none of them with a finite loss; nothing was saved"
        if not best.fits:
            return f"{text}, the best of an earlier search, which has to be trained again; nothing was saved"
        keep(found.best)
        what = "network so far is" if self.folds is None else "networks so far, one of each fold, are"
        return f"{text}; the best {what} in {self.save}"


class _Live:
    """A table of the best trials on the terminal, kept up to date; the callbacks do it."""

    def __init__(self, trials: int, show: bool) -> None:
        self._trials, self._start = trials, time.monotonic()
        console = Console(stderr=True, highlight=False, markup=False)
        self._live = Live(console=console, transient=True, auto_refresh=False) if show else None

    def __enter__(self) -> list[Callable[[Search], None]]:
        if self._live is None:
            return []
        self._live.start()
        return [self._update]

    def __exit__(self, *ended: object) -> None:
        if self._live is not None:
            self._live.stop()
            sys.stderr.flush()

    def _update(self, found: Search) -> None:
        assert self._live is not None
        done = sum(trial.state is not None for trial in found.trials)
        title = f"{done} of {self._trials} trials in {time.monotonic() - self._start:.0f} s; the best:"
        lines = "\n".join([title, *(_line(trial, found.metric) for trial in _best(found, _SHOWN_LIVE))])
        self._live.update(Text(lines, no_wrap=True, overflow="ellipsis"), refresh=True)


def _line(trial: Trial, metric: str) -> str:
    """Write a trial as one line."""
    parameters = ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.parameters.items()
    )
    return f"  {metric} {getattr(trial, metric):.4g}, {plural(trial.epochs, 'epoch')}: {parameters}"


def _best(found: Search, count: int) -> list[Trial]:
    return best_first([trial for trial in found.trials if trial.epochs], found.metric)[:count]


def _show_trials(out: Console, found: Search) -> None:
    """Print the best trials, and what matters."""
    out.print(f"the best of {plural(len(found), 'trial')}, by the {found.metric} of rows held back:")
    out.print(str(trial_table(_best(found, _SHOWN))))
    if importances := found.importances():
        listed = ", ".join(f"{name} {share:.2f}" for name, share in importances.items())
        out.print(f"importance: {listed}")


def _to_dict(found: Search) -> dict[str, Any]:
    """Return plain values for JSON."""
    table = found.table
    return {
        "metric": found.metric,
        "best_trial": found.best_trial.number,
        "trials": [dict(zip(table.columns, row, strict=True)) for row in table.rows()],
        "importances": found.importances(),
    }
