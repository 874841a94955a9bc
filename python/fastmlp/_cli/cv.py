"""The command `fastmlp cv`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fastmlp._base.text import plural, shortened
from fastmlp._cli.exit_codes import FAILED, OK
from fastmlp._cli.files import STREAM, Loaded, write_output
from fastmlp._cli.info import describe_network
from fastmlp._cli.learn import Cleaned, LearnJob, check_choice, values
from fastmlp._cli.origin import origin_of
from fastmlp._cli.outcome import show_data
from fastmlp._cli.predictions import (
    check_predictions,
    check_replaces,
    prediction_columns,
    rounded,
    write_predictions,
)
from fastmlp._cli.prepare import Prepared, fit_noting, refuse_left_out, weights_of
from fastmlp._cli.reading import Reading
from fastmlp._cli.show import console, record_table, show_metrics, to_json
from fastmlp._cli.split import LEAST_ROWS, VALIDATION, Parts, Split, groups_of
from fastmlp._cli.stderr import warn
from fastmlp._inspect.baseline import Baseline, baseline
from fastmlp._inspect.scorers import AUTO, METRICS
from fastmlp._inspect.verdict import Verdict, verdict
from fastmlp._training.cross_validate import cross_validate
from fastmlp._training.cross_validation import CrossValidation
from fastmlp._training.folds import SPLITS
from fastmlp.data._table import rows_with
from fastmlp.spec.losses import LOSSES


@dataclass(frozen=True)
class CvJob(LearnJob):
    """One run of the command."""

    folds: int = 5
    repeats: int = 1
    split: str = "auto"
    metric: str = "auto"
    predictions: str | None = None
    proba: bool = False

    def __call__(self) -> int:
        """Check, read, train and test the folds, save, write what was predicted."""
        self._check()
        out = console(quiet=self.quiet or self.json)
        loaded, reading = self._load()
        cleaned = self._cleaned(loaded, reading)
        prepared, notes = self._prepare(cleaned, loaded)
        show_data(out, loaded.table, prepared, notes)
        out.print(self._division(prepared))
        given = self._given(cleaned.task, self._rows_a_fold(cleaned.table.n_rows))
        found, more = self._cross_validate(prepared, loaded, values(given))
        notes += [note for note in more if note not in notes]
        for note in more:
            out.print(f"note: {shortened(note)}")
        evaluation = found.evaluation
        constant = baseline(evaluation, evaluation.truth, evaluation.weights)
        told = list(prepared.told.values())
        judgement = verdict(evaluation.metrics, constant, evaluated_on="rows held out", told=told)
        self._show(out, found, constant, judgement)
        self._write(out, found, prepared, loaded, reading)
        if self.json:
            described = self._to_dict(found, prepared, loaded, given)
            judged = {"baseline": constant.to_dict(), "verdict": str(judgement)}
            write_output(None, to_json({**described, **judged, "notes": notes}))
        return FAILED if "diverged" in found.table["stop_reason"] else OK

    def _check(self) -> None:
        """Refuse what can be refused before the data is read."""
        super()._check()
        for option, given, least in (("--folds", self.folds, 2), ("--repeats", self.repeats, 1)):
            if given < least:
                raise ValueError(f"{option} must be at least {least}, got {given}")
        check_choice("--split", self.split, SPLITS)
        check_choice("--metric", self.metric, (AUTO, *METRICS))
        if self.group is not None and self.split not in ("auto", "grouped"):
            raise ValueError(f"--groups goes with --split grouped, got {self.split!r}")
        if self.group is None and self.split == "grouped":
            raise ValueError(
                "--groups is needed with --split grouped: the column whose equal values stay together"
            )
        if self.split == "time" and self.repeats != 1:
            raise ValueError("--repeats does not go with --split time, whose folds stay the same")
        if self.predictions is not None:
            self._check_predictions(self.predictions)
        elif self.proba:
            raise ValueError("--proba goes with --predictions, the file to write probabilities to")
        loss = LOSSES.get(str(self.arguments.get("loss", "auto")).partition("(")[0].strip())
        if self.proba and loss is not None and not loss.probabilities:
            raise ValueError(f"--proba: loss {self.arguments['loss']} gives no probabilities")

    def _check_predictions(self, name: str) -> None:
        if name == STREAM:
            raise ValueError("--predictions: predictions go to a file, not to standard output")
        check_predictions("--predictions", name, (self.data,))
        check_replaces("--predictions", name, self.id)

    def _prepare(self, cleaned: Cleaned, loaded: Loaded) -> tuple[Prepared, list[str]]:
        """Describe the whole table; the encoders of the folds are their own."""
        table, columns, task = cleaned.table, cleaned.columns, cleaned.task
        if self.proba and task != "classification":
            raise ValueError("--proba: the target is a quantity, which has no classes")
        encoder = self._encoder(columns, task, loaded)
        noted = fit_noting(encoder, table)
        if self.strict:
            refuse_left_out(table.source, cleaned.problems, noted)
        told, hints = self._told(table, columns, encoder)
        split = Split(0.0, 0.0, seed=int(self.arguments.get("seed", 0)))  # all rows are learned from
        parts = Parts(table, None, None)
        prepared = Prepared(table, columns, task, cleaned.labels, split, parts, encoder, told)
        return prepared, [*cleaned.notes, *noted, *hints]

    def _division(self, prepared: Prepared) -> str:
        """Say how the rows are divided."""
        split = self.split
        if split == "auto":
            split = "plain" if prepared.labels is None else "stratified"
            split = split if self.group is None else "grouped"
        often = f", {self.repeats} times" if self.repeats > 1 else ""
        grouped = "" if prepared.columns.group is None else f" by {shortened(prepared.columns.group)}"
        part = self._held_back(prepared.table.n_rows)
        validated = f"; {part:g} of those to train on are to validate on" if part else ""
        folds = f"{prepared.table.n_rows} in {self.folds} folds{often}, {split}{grouped}"
        return f"rows: {folds}{validated} (seed {prepared.split.seed})"

    def _rows_a_fold(self, rows: int) -> int:
        """Return how many rows a network learns from, of those that a fold does not test."""
        learned = rows - rows // self.folds
        return learned - int(learned * self._held_back(rows))

    def _held_back(self, rows: int) -> float:
        """Return the part of the rows of each fold to validate on: by default a fifth, as `train` does."""
        if self.validation is not None:
            return self.validation
        enough = rows - rows // self.folds >= LEAST_ROWS and not self._whole_steps()
        return VALIDATION if enough else 0.0

    def _cross_validate(
        self, prepared: Prepared, loaded: Loaded, arguments: dict[str, Any]
    ) -> tuple[CrossValidation, list[str]]:
        """Return what was found, and what the library said, each line once."""
        table, columns = prepared.table, prepared.columns
        targets, group = columns.targets, columns.group
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = cross_validate(
                    table, targets[0] if len(targets) == 1 else list(targets), folds=self.folds,
                    repeats=self.repeats, groups=None if group is None else groups_of(table, group),
                    split=self.split, metric=self.metric, task=prepared.task,
                    encode=self._encoder(columns, prepared.task, loaded),
                    sample_weight=weights_of(table, columns.weight),
                    validation=self._held_back(table.n_rows) or None, progress=not self.quiet, **arguments,
                )  # fmt: skip
            except KeyboardInterrupt as interrupt:
                raise KeyboardInterrupt(_interrupted(interrupt)) from None
        for warning in caught:
            if issubclass(warning.category, RuntimeWarning):
                warn(str(warning.message))
        said = [str(warning.message).removeprefix(f"{table.source}: ") for warning in caught
                if not issubclass(warning.category, RuntimeWarning)]  # fmt: skip
        return found, [line for line in dict.fromkeys(said) if line not in prepared.told.values()]

    def _show(self, out: Console, found: CrossValidation, constant: Baseline, judgement: Verdict) -> None:
        """Print the folds, the mean of their scores, and the metrics of all predictions together."""
        network = found.networks[0]
        out.print(f"network: {'-'.join(map(str, network.layer_sizes))}, loss {network.loss}")
        out.print(record_table(found.table))
        out.print(found.summary())
        show_metrics(out, found.evaluation.metrics, "held-out", constant=constant)
        out.print(f"verdict: {shortened(judgement)}")
        if self.quiet and not self.json and judgement.kind not in ("sound", "not judged"):
            warn(str(judgement))

    def _write(
        self, out: Console, found: CrossValidation, prepared: Prepared, loaded: Loaded, reading: Reading
    ) -> None:
        """Save the networks as one model, and write the predictions, a row for each of the file."""
        if self.save is not None:
            ensemble = found.ensemble
            ensemble.origin = origin_of(ensemble, prepared, reading)
            ensemble.save(self.save)
            out.print(f"saved to {shortened(self.save)}, an ensemble of {plural(len(found), 'network')}")
        if self.predictions is None:
            return
        table, columns = loaded.table, prepared.columns
        rows = np.flatnonzero(rows_with(table, columns.targets))
        rows = rows[found.tested]
        tested = _predicted(found, columns.targets, self.proba)
        spread = {name: _spread(column, rows, table.n_rows) for name, column in tested.items()}
        write_predictions(self.predictions, {name: table[name] for name in columns.ids} | spread)
        out.print(f"predictions written to {shortened(self.predictions)}")

    def _to_dict(
        self, found: CrossValidation, prepared: Prepared, loaded: Loaded, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the run and what it found as plain values for JSON."""
        decided = {
            "data": self.data,
            "target": self._one_target(prepared.columns, loaded),
            "folds": self.folds,
            "repeats": self.repeats,
            "split": self.split,
            "metric": self.metric,
            "validation": self._held_back(prepared.table.n_rows),
            "seed": prepared.split.seed,
        }
        others = {
            name: value
            for name, value in self.settings.items()
            if name not in ("json", "quiet", *decided, *given)
        }
        table = found.table
        return {
            "config": {**decided, **given, **others},
            "rows": prepared.table.n_rows,
            "network": describe_network(found.networks[0]),
            "folds": [dict(zip(table.columns, row, strict=True)) for row in table.rows()],
            "metric": found.metric,
            "higher_is_better": found.higher_is_better,
            "mean": found.mean,
            "standard_error": found.standard_error,
            "metrics": found.evaluation.metrics.to_dict(),
            "saved": self.save,
            "predictions": self.predictions,
        }


def _predicted(found: CrossValidation, targets: tuple[str, ...], proba: bool) -> dict[str, NDArray[Any]]:
    """Return the columns of the tested rows to write, by name."""
    predicted = found.evaluation.predicted
    if predicted.dtype.kind == "f" and found.networks[0].dtype == np.float32:
        predicted = rounded(predicted, found.evaluation.truth.std(axis=0))
    probabilities = found.evaluation.probabilities if proba else None
    return prediction_columns(predicted, targets, found.classes, probabilities)


def _spread(values: NDArray[Any], rows: NDArray[np.int64], n: int) -> NDArray[Any]:
    """Return values of some rows among those of all; the others are empty."""
    if len(rows) == n:
        return values
    spread = np.full(n, None, object)
    spread[rows] = values
    return spread


def _interrupted(interrupt: KeyboardInterrupt) -> str:
    runs = getattr(interrupt, "runs", None)
    if runs is None:
        return "interrupted; nothing was saved"
    done = sum(network is not None and network.stop_reason != "interrupted" for network in runs)
    return f"interrupted after {done} of {plural(len(runs), 'network')}; nothing was saved"
