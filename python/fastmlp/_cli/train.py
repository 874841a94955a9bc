"""The command `fastmlp train`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from fastmlp._base.text import plural, shortened
from fastmlp._base.validation import power_of_two, real
from fastmlp._cli.exit_codes import FAILED, OK
from fastmlp._cli.files import STREAM, Loaded, write_output
from fastmlp._cli.learn import LearnJob, check_choice, check_fraction, values
from fastmlp._cli.origin import origin_of
from fastmlp._cli.outcome import Outcome, judged, show_data, show_outcome, show_split
from fastmlp._cli.prepare import (
    Prepared,
    divided,
    fit_noting,
    refuse_left_out,
)
from fastmlp._cli.reading import Reading
from fastmlp._cli.show import column, console, to_json
from fastmlp._cli.split import LEAST_ROWS, ORDERS, TEST, VALIDATION, Split
from fastmlp._cli.together import started_processes
from fastmlp._processes.failure import ProcessError
from fastmlp._training.train import train

if TYPE_CHECKING:
    from fastmlp._network.network import Network
    from fastmlp._processes.processes import Processes


class Ready(NamedTuple):
    """What a run has read and prepared."""

    loaded: Loaded
    reading: Reading
    prepared: Prepared
    notes: list[str]


class Learned(NamedTuple):
    """A network, and what it has learned from."""

    network: Network
    prepared: Prepared
    config: dict[str, Any]
    notes: list[str]


@dataclass(frozen=True)
class TrainJob(LearnJob):
    """One run of the command."""

    split: str = "random"
    test: float | None = None
    report: str | None = None
    timeout: float = signature(train).parameters["timeout"].default

    def __call__(self) -> int:
        """Check, read, split, encode, train, save, report.

        Of several processes each has a job, and the first one alone writes something.
        """
        with started_processes(real("--timeout", self.timeout, low=0, open_low=True)) as processes:
            writes = processes is None or processes.rank == 0
            job = self if writes else replace(self, save=None, report=None, json=False, quiet=True)
            learned = job._learn(processes)
        if writes:
            self._finish(learned)
        return FAILED if learned.network.stop_reason == "diverged" else OK

    def _learn(self, processes: Processes | None) -> Learned:
        """Check, read, split, encode, train."""
        loaded, reading, prepared, notes = (
            self._ready(None) if processes is None else processes.all_do(lambda: self._ready(processes))
        )
        out = console(quiet=self.quiet or self.json)
        show_data(out, loaded.table, prepared, notes)
        show_split(out, prepared)
        given = self._given(prepared.task, prepared.parts.training.n_rows)
        network = self._train(prepared, reading, values(given), processes)
        if not len(network.history):
            raise FloatingPointError("the loss diverged in the first epoch; nothing was learned or saved")
        return Learned(network, prepared, self._config(prepared, given, loaded), notes)

    def _ready(self, processes: Processes | None) -> Ready:
        """Check, read, split, encode; several processes do so each by itself."""
        self._check()
        self._check_shards(processes)
        loaded, reading = self._load()
        return Ready(loaded, reading, *self._prepare(loaded, reading))

    def _finish(self, learned: Learned) -> None:
        """Save, evaluate, print and report."""
        network, prepared, config, notes = learned
        if self.save is not None:
            network.save(self.save)
        outcome = judged(network, prepared, config, self._keeps_best(prepared), notes)
        out = console(quiet=self.quiet or self.json)
        show_outcome(out, outcome, self.quiet and not self.json)
        self._report(out, prepared, outcome)
        if self.json:
            write_output(None, to_json(outcome.to_dict()))

    def _check(self) -> None:
        """Refuse what can be refused before the data is read."""
        super()._check()
        check_fraction("--test", self.test)
        check_choice("--split", self.split, ORDERS)
        if self.group is not None and self.split == "time":
            raise ValueError("--group does not go with --split time: groups are held back at random")
        if self.report is not None:
            from fastmlp._cli.report import check_report_path

            check_report_path("--report", self.report)
            if self.save is not None and Path(self.save).resolve() == Path(self.report).resolve():
                raise ValueError(f"--report: {self.report} is where --save goes")

    def _check_shards(self, processes: Processes | None) -> None:
        """Refuse what the processes cannot deal out."""
        shards = power_of_two("--shards", self.arguments.get("shards", 1))
        if processes is None:
            return
        if processes.size > shards:
            raise ValueError(
                f"--shards must be at least the number of processes, {processes.size}, got {shards}; the "
                "result depends on it, and not on how many processes there are"
            )
        if self.data == STREAM:
            raise ValueError("several processes read DATA: it must be a file, got standard input")

    def _prepare(self, loaded: Loaded, reading: Reading) -> tuple[Prepared, list[str]]:
        """Choose columns and rows; return them with a line for each thing that was guessed or left out."""
        table, columns, task, labels, notes, problems = self._cleaned(loaded, reading)
        split = self._split(table.n_rows, labels is not None)
        try:
            parts, more = divided(table, labels, split)
        except ValueError:
            if self.validation is not None:
                raise
            split = replace(split, validation=0.0)  # so few rows of each class that none can be held back
            parts, more = divided(table, labels, split)
        encoder = self._encoder(columns, task, loaded)
        noted = fit_noting(encoder, parts.training)
        if self.strict:
            refuse_left_out(table.source, problems, noted)
        told, hints = self._told(table, columns, encoder)
        notes = [*notes, *more, *noted, *hints]
        return Prepared(table, columns, task, labels, split, parts, encoder, told), notes

    def _split(self, rows: int, labelled: bool) -> Split:
        """Return how rows are dealt out: by default a quarter to test on, a fifth of the rest to validate.

        L-BFGS validates on none.
        """
        test = self.test
        if test is None:
            test = 0.0 if self.validation else TEST
        validation = self.validation
        if validation is None:
            enough = (1 - test) * rows >= LEAST_ROWS and not self._whole_steps()
            validation = VALIDATION if enough else 0.0
        stratified = labelled and self.split == "random" and self.group is None
        return Split(test, validation, self.split, int(self.arguments.get("seed", 0)), stratified, self.group)

    def _train(
        self, prepared: Prepared, reading: Reading, arguments: dict[str, Any], processes: Processes | None
    ) -> Network:
        parts, encoder = prepared.parts, prepared.encoder
        dtype = arguments.get("dtype", "float32")
        X, y, weights = prepared.rows(parts.training, dtype)
        held_back = None
        if parts.validation is not None:
            *pair, of_pair = prepared.rows(parts.validation, dtype)
            held_back = tuple(pair) if of_pair is None else (*pair, of_pair)

        def attach(network: Network) -> None:  # so that checkpoints take raw files, too
            network.encoder = encoder
            network.origin = network.origin or origin_of(network, prepared, reading)

        try:
            network = train(
                X, y, task=prepared.task, validation=held_back, sample_weight=weights,
                progress=not self.quiet, embeddings=encoder.embeddings,
                callbacks=[attach] if "checkpoint" in arguments else [],
                communicator=None if processes is None else processes.given, timeout=self.timeout,
                **arguments,
            )  # fmt: skip
        except (KeyboardInterrupt, ProcessError) as interrupt:
            if isinstance(interrupt, ProcessError) and not interrupt.interrupted:
                raise
            saved = self._keep(getattr(interrupt, "network", None), prepared, attach)
            raise KeyboardInterrupt(saved) from None
        attach(network)
        return network

    def _keep(self, network: Network | None, prepared: Prepared, attach: Callable[[Network], None]) -> str:
        """Save what an interrupted run has learned, and say so."""
        if network is None or not len(network.history):
            return "interrupted before the first epoch ended; nothing was learned or saved"
        done = f"interrupted after {plural(len(column(network, 'epoch')), 'epoch')}"
        if self.save is None:
            return done
        attach(network)
        network.save(self.save)
        best = "best " if self._keeps_best(prepared) else ""
        return f"{done}; the {best}weights so far are in {self.save}"

    def _config(self, prepared: Prepared, given: Mapping[str, Any], loaded: Loaded) -> dict[str, Any]:
        """Return the options that give this run again."""
        split = prepared.split
        decided = {
            "data": self.data,
            "target": self._one_target(prepared.columns, loaded),
            "split": split.order,
            "test": split.test,
            "validation": split.validation,
            "seed": split.seed,
        }
        others = {
            name: value
            for name, value in self.settings.items()
            if name not in ("json", "quiet", *decided, *given)
        }
        return {**decided, **given, **others}

    def _report(self, out: Console, prepared: Prepared, outcome: Outcome) -> None:
        if self.report is None:
            return
        from fastmlp._cli.report import report_training

        report_training(self.report, prepared.table, outcome)
        out.print(f"report written to {shortened(self.report)}")

    def _keeps_best(self, prepared: Prepared) -> bool:
        """Tell whether the run ends with the weights of its best epoch."""
        watched = prepared.parts.validation is not None or "patience" in self.arguments
        return watched and self.arguments.get("restore_best", True) is True
