"""The command `fastmlp train`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from fastmlp._base.text import plural, shortened
from fastmlp._cli.columns import Columns, choose_columns
from fastmlp._cli.exit_codes import FAILED, OK
from fastmlp._cli.files import Loaded, check_save_path, load_data, write_output
from fastmlp._cli.option_values import (
    read_activation,
    read_batch_size,
    read_hidden,
    read_learning_rate,
    read_names,
    read_optimizer,
)
from fastmlp._cli.origin import origin_of
from fastmlp._cli.outcome import Outcome, judged, show_data, show_outcome, show_split
from fastmlp._cli.prepare import (
    Prepared,
    cleaned,
    divided,
    fit_noting,
    labels_of,
    refuse_left_out,
    without_final_dots,
)
from fastmlp._cli.reading import Reading
from fastmlp._cli.recipe import HIDDEN, enough_epochs, recipe
from fastmlp._cli.show import column, console, to_json
from fastmlp._cli.split import LEAST_ROWS, ORDERS, TEST, VALIDATION, Split
from fastmlp._rows.targets import takes_labels
from fastmlp._training.tables import scales_target
from fastmlp._training.train import train
from fastmlp.data import Table, TableEncoder
from fastmlp.data._leaks import tell_target
from fastmlp.data._scaling import SCALINGS
from fastmlp.data._task import TASKS, Task, guess_task, refuse_numbers
from fastmlp.spec.losses import LOSSES

if TYPE_CHECKING:
    from fastmlp._network.network import Network

_READERS: dict[str, Callable[[str], Any]] = {
    "hidden": read_hidden,
    "activation": read_activation,
    "batch_size": read_batch_size,
    "learning_rate": read_learning_rate,
    "optimizer": read_optimizer,
    "x": partial(read_names, "--x"),
    "ignore": partial(read_names, "--ignore"),
    "id": partial(read_names, "--id"),
}


@dataclass(frozen=True)
class TrainJob:
    """One run of the command; `arguments` holds the options that go to `fastmlp.train`, as texts."""

    settings: Mapping[str, Any]
    data: str
    target: str | None = None
    task: str = "auto"
    x: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    missing: str | None = None
    text: str | None = None
    strip_dot: bool = False
    drop_missing_target: bool = False
    strict: bool = False
    split: str = "random"
    test: float | None = None
    validation: float | None = None
    scale: str | None = None
    save: str | None = None
    report: str | None = None
    json: bool = False
    quiet: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> TrainJob:
        """Sort the options that were given, on the command line or in a file, into ours and the library's."""
        if "data" not in settings:
            raise ValueError("Missing argument 'DATA'.")
        settings = {"hidden": HIDDEN, **settings}
        values = _values(settings)
        own = {name: values.pop(name) for name in settings if name in cls.__dataclass_fields__}
        return cls(settings, arguments=values, **own)

    def __call__(self) -> int:
        """Check, read, split, encode, train, save, report."""
        self._check()
        out = console(quiet=self.quiet or self.json)
        reading = Reading.of(self.header, self.delimiter, self.encoding, self.missing, self.text)
        # Names of rows are written again as they were spelled.
        loaded = load_data(
            self.data, reading.with_texts(self.id), labels=self.target, asked=bool(reading.given())
        )
        prepared, notes = self._prepare(loaded, reading)
        show_data(out, loaded.table, prepared, notes)
        show_split(out, prepared)
        given = self._given(prepared)
        network = self._train(prepared, reading, _values(given))
        if not len(network.history):
            raise FloatingPointError("the loss diverged in the first epoch; nothing was learned or saved")
        if self.save is not None:
            network.save(self.save)
        outcome = judged(
            network, prepared, self._config(prepared, given, loaded), self._keeps_best(prepared), notes
        )
        show_outcome(out, outcome, self.quiet and not self.json)
        self._report(out, prepared, outcome)
        if self.json:
            write_output(None, to_json(outcome.to_dict()))
        return FAILED if network.stop_reason == "diverged" else OK

    def _check(self) -> None:
        """Refuse what can be refused before the data is read."""
        _check_fraction("--test", self.test)
        _check_fraction("--validation", self.validation)
        for option, given, accepted in (
            ("--split", self.split, ORDERS),
            ("--scale", self.scale, SCALINGS),
            ("--task", self.task, TASKS),
        ):
            if given is not None and given not in accepted:
                raise ValueError(f"{option} must be {' or '.join(accepted)}, got {given!r}")
        if self.group is not None and self.split == "time":
            raise ValueError("--group does not go with --split time: groups are held back at random")
        if self.save is not None:
            check_save_path(self.save)
        if self.report is not None:
            from fastmlp._cli.report import check_report_path

            check_report_path("--report", self.report)
            if self.save is not None and Path(self.save).resolve() == Path(self.report).resolve():
                raise ValueError(f"--report: {self.report} is where --save goes")

    def _prepare(self, loaded: Loaded, reading: Reading) -> tuple[Prepared, list[str]]:
        """Choose columns and rows; return them with a line for each thing that was guessed or left out."""
        _check_texts(loaded.table, reading.text)
        columns = choose_columns(
            loaded.table, self._targets(loaded), x=self.x, ignore=self.ignore, ids=self.id,
            weight=self.weight, group=self.group,
        )  # fmt: skip
        table = without_final_dots(loaded.table, columns.targets) if self.strip_dot else loaded.table
        table, notes, problems = cleaned(
            table, columns, drop_missing_target=self.drop_missing_target, strict=self.strict
        )
        task, guessed = self._task(table, columns)
        labels = labels_of(table, columns.targets[0]) if task == "classification" else None
        split = self._split(table.n_rows, labels is not None)
        try:
            parts, more = divided(table, labels, split)
        except ValueError:
            if self.validation is not None:
                raise
            split = replace(split, validation=0.0)  # so few rows of each class that none can be held back
            parts, more = divided(table, labels, split)
        encoder = TableEncoder(
            columns.target,
            task=task,
            scale=cast(Any, self.scale or loaded.scale),
            scale_target=self._scaled(),
            ignore=(*columns.ignored, *columns.ids, *columns.beside),
        )
        noted = fit_noting(encoder, parts.training)
        if self.strict:
            refuse_left_out(table.source, problems, noted)
        told = tell_target(table, columns.targets, encoder.input_names)
        hints = [f"{line}; --ignore {_as_value(name)} leaves it out" for name, line in told.items()]
        notes = [*loaded.table.notes, *notes, *guessed, *more, *noted, *hints]
        return Prepared(table, columns, task, labels, split, parts, encoder, told), notes

    def _targets(self, loaded: Loaded) -> tuple[str, ...] | None:
        """Return the columns that --target names, or the one that the data calls so."""
        if self.target is None or loaded.has_labels:
            return None if loaded.target is None else (loaded.target,)
        if self.target in loaded.table:  # also a name with a comma
            return (self.target,)
        return read_names("--target", self.target)

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

    def _task(self, table: Table, columns: Columns) -> tuple[Task, list[str]]:
        """Tell labels from values by --task or the loss, or else by the column; say a guess."""
        loss = str(self.arguments.get("loss", "auto")).partition("(")[0].strip()
        by_loss: Task | None = None
        if loss in LOSSES:
            by_loss = "classification" if takes_labels(loss) else "regression"
        if self.task != "auto":
            if by_loss is not None and by_loss != self.task:
                raise ValueError(f"--task {self.task} does not go with --loss {loss}, which is for {by_loss}")
            by_loss = cast(Task, self.task)
        if len(columns.targets) > 1:
            if by_loss == "classification":
                raise ValueError("--target: several targets must be quantities; predict labels one at a time")
            return "regression", []
        if by_loss is not None:
            return by_loss, []
        name = columns.targets[0]
        refuse_numbers(f"target {name!r}", table[name], "--task {}")
        guess = guess_task([table[name]])
        how = "--task classification or --task regression says what it is for"
        return guess.task, [] if guess.note is None else [f"target {name!r} holds {guess.note}; {how}"]

    def _whole_steps(self) -> bool:
        """Tell whether the optimizer takes all rows at once, and no others to validate on."""
        return bool(self.arguments.get("optimizer") == "lbfgs")

    def _scaled(self) -> bool:
        """Standardise the target for linear outputs; others have units and bounds of their own."""
        given = self.arguments
        return scales_target(given.get("loss", "auto"), given.get("output_activation", "auto"))

    def _given(self, prepared: Prepared) -> dict[str, Any]:
        """Return the options that go to `fastmlp.train`, with those of the recipe and the epochs."""
        rows, task = prepared.parts.training.n_rows, prepared.task
        given = {name: self.settings[name] for name in self.arguments}
        epochs = enough_epochs(task, rows, self.arguments.get("batch_size", "auto"))
        return {"epochs": epochs, **recipe(given, task, rows), **given}

    def _train(self, prepared: Prepared, reading: Reading, arguments: dict[str, Any]) -> Network:
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
                **arguments,
            )  # fmt: skip
        except KeyboardInterrupt as interrupt:
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
        target = self.target if self.target is not None else loaded.target
        if self.target is not None and not loaded.has_labels and len(prepared.columns.targets) == 1:
            target = prepared.columns.targets[0]
        split = prepared.split
        decided = {
            "data": self.data,
            "target": target,
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


def _values(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what options stand for."""
    return {name: _READERS[name](value) if name in _READERS else value for name, value in settings.items()}


def _as_value(name: str) -> str:
    """Write a column's name as a shell and an option that takes several names need it."""
    return shlex.quote(f'"{name}"' if "," in name else name)


def _check_texts(table: Table, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in table:
            raise ValueError(f"--text: {table.source} has no column {name!r}")


def _check_fraction(option: str, fraction: float | None) -> None:
    if fraction is not None and not 0 <= fraction < 1:
        raise ValueError(f"{option} must be 0 or between 0 and 1, got {fraction:g}")
