"""The command `fastmlp evaluate`."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastmlp._base.text import plural
from fastmlp._cli.files import STREAM, check_output, check_suffix, load_model, load_rows, write_output
from fastmlp._cli.option_values import read_names
from fastmlp._cli.origin import (
    check_rows,
    complete_rows,
    learned_target,
    remembered_weight,
    rows_of_run,
    warn_if_seen,
)
from fastmlp._cli.prepare import weights_of, without_final_dots
from fastmlp._cli.reading import Reading
from fastmlp._cli.show import console, show_metrics, to_json
from fastmlp._cli.stderr import warn
from fastmlp._inspect.baseline import baseline
from fastmlp._inspect.evaluate import evaluate
from fastmlp._inspect.evaluation import Evaluation
from fastmlp.data import Table
from fastmlp.data._table import quoted

if TYPE_CHECKING:
    from fastmlp._network.ensemble import Ensemble
    from fastmlp._network.network import Network

_BEGINS = ('{"model"', "accuracy ", "R2 ", "coverage ")


@dataclass(frozen=True)
class EvaluateJob:
    """One run of the command."""

    model: str
    data: str
    target: str | None
    rows: str
    weight: str | None
    output: str | None
    json: bool
    strip_dot: bool
    reading: Reading

    def __call__(self) -> int:
        """Compare a model's predictions with the truth."""
        check_rows(self.rows)
        formats = (".json", ".txt") if self.json else (".txt",)
        check_output("--output", self.output, (self.model, self.data), begins=_BEGINS)
        check_suffix("--output", self.output, "JSON" if self.json else "text", formats)
        network = load_model(self.model)
        table, targets = self._table(network)
        weight = self.weight or remembered_weight(network)
        weights = weights_of(table, weight) if weight is not None and weight in table else None
        if self.weight is not None and weights is None:
            raise ValueError(
                f"--weight: {table.source} has no column {weight!r}; it has {quoted(table.names)}"
            )
        inputs = table if weight is None or weight not in table else table.drop(weight)
        evaluation = evaluate(
            network, inputs, targets if len(targets) > 1 else next(iter(targets), None), weights
        )
        _check_labels(network, evaluation, table.source)
        self._write(network, evaluation)
        return 0

    def _table(self, network: Network | Ensemble) -> tuple[Table, tuple[str, ...]]:
        """Return the rows to evaluate, and the columns of the truth, () if they are not named."""
        table = load_rows(network, self.data, self.reading)
        targets = () if network._reader is None else network._reader.target_names
        if self.target is not None:
            targets = (self.target,) if self.target in table else read_names("--target", self.target)
        if self.strip_dot:
            table = without_final_dots(table, targets)
        table = complete_rows(table, targets)
        self._check_there(table, targets)
        if self.rows == "all":
            warn_if_seen(network, table)
        return rows_of_run(network, table, self.rows), targets

    def _check_there(self, table: Table, targets: tuple[str, ...]) -> None:
        for name in targets:
            if name not in table:
                there = quoted(table.names)
                raise ValueError(f"--target: {table.source} has no column {name!r}; it has {there}")

    def _write(self, network: Network | Ensemble, evaluation: Evaluation) -> None:
        constant = baseline(evaluation, *learned_target(network))
        metrics = evaluation.metrics
        if self.json:
            found = {
                "model": self.model,
                "data": self.data,
                **metrics.to_dict(),
                "baseline": constant.to_dict(),
            }
            write_output(self.output, to_json(found))
        elif self.output is None or self.output == STREAM:
            show_metrics(console(), metrics, per_class=True, constant=constant)
        else:
            text = io.StringIO()
            show_metrics(console(text), metrics, per_class=True, constant=constant)
            write_output(self.output, text.getvalue())


def _check_labels(network: Network | Ensemble, evaluation: Evaluation, source: str) -> None:
    """Refuse rows none of whose labels is one of the model's classes, and warn of labels that are none."""
    if network.classes is None:
        return
    labels = np.unique(evaluation.truth)
    unknown = labels[~np.isin(labels, network.classes)]
    if not len(unknown):
        return
    dots = all(isinstance(label, str) and label.removesuffix(".") in network.classes for label in unknown)
    hint = "; --strip-dot removes the final dot" if dots else ""
    if len(unknown) == len(labels):
        raise ValueError(
            f"{source}: no label of {evaluation.target!r} is one that the model knows: the file has "
            f"{quoted(unknown.tolist(), 5)}, the model {quoted(network.classes.tolist(), 5)}{hint}"
        )
    rows = int(np.isin(evaluation.truth, unknown).sum())
    warn(
        f"{source}: {plural(rows, 'row')} of labels that the model does not know count as mistakes: "
        f"{quoted(unknown.tolist(), 5)}{hint}"
    )
