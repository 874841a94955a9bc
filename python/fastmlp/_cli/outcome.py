"""What a run of `fastmlp train` did, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from fastmlp._base.records import lowest
from fastmlp._base.text import plural, shortened
from fastmlp._cli.info import describe_network
from fastmlp._cli.prepare import Prepared, weights_of
from fastmlp._cli.show import column, epoch_table, show_metrics
from fastmlp._cli.split import Parts
from fastmlp._cli.stderr import warn
from fastmlp._inspect.baseline import Baseline, baseline
from fastmlp._inspect.evaluate import evaluate
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.verdict import Verdict, verdict
from fastmlp._model.history import epochs_of
from fastmlp.data import Table

if TYPE_CHECKING:
    from fastmlp._network.network import Network

_LISTED = 20  # columns of a kind
_LONGEST_NAME = 40

_STOPPED = {
    "patience": "no lower loss within the patience",
    "loss_target": "the loss target was reached",
    "max_time": "the time was up",
    "converged": "the loss is at a minimum",
    "stalled": "no step lowers the loss any more",
    "diverged": "the loss diverged",
}


@dataclass(frozen=True)
class Outcome:
    """A run that has ended.

    Attributes
    ----------
    config : dict
        The options that give this run again, as `--config` reads them.
    parts : Parts
    network : Network
    evaluated_on : "test", "validation" or None
        The held-out rows that the network was evaluated on, if there are any.
    evaluation : Evaluation or None
    training : Evaluation or None
        Of the training rows, where there is one of others.
    constant : Baseline or None
        What the best constant of the training rows reaches on the evaluated rows.
    verdict : Verdict
    kept_best : bool
        Whether the weights are those of the best epoch.
    notes : list of str
        A line for each thing that was guessed or left out.
    """

    config: dict[str, Any]
    parts: Parts
    network: Network
    evaluated_on: str | None
    evaluation: Evaluation | None
    training: Evaluation | None
    constant: Baseline | None
    verdict: Verdict
    kept_best: bool
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        network, history = self.network, self.network.history
        rows = {name: 0 if part is None else part.n_rows for name, part in self.parts._asdict().items()}
        return {
            "config": self.config,
            "notes": self.notes,
            "rows": rows,
            "network": describe_network(network),
            "history": {name: history[name].tolist() for name in history},
            "evaluated_on": self.evaluated_on,
            "metrics": None if self.evaluation is None else self.evaluation.metrics.to_dict(),
            "baseline": None if self.constant is None else self.constant.to_dict(),
            "verdict": str(self.verdict),
            "stop_reason": network.stop_reason,
            "seconds": _seconds(network),
            "saved": self.config.get("save"),
            "report": self.config.get("report"),
        }


def judged(
    network: Network, prepared: Prepared, config: dict[str, Any], kept_best: bool, notes: list[str]
) -> Outcome:
    """Evaluate a network on its held-out rows and compare with a constant and with the training rows."""
    parts, columns = prepared.parts, prepared.columns

    def evaluated(rows: Table) -> Evaluation:
        return evaluate(network, rows, columns.target, weights_of(rows, columns.weight))

    held_out = parts.held_out()
    if held_out is None:
        return Outcome(config, parts, network, None, None, None, None, verdict(None, None), kept_best, notes)
    name, rows = held_out
    evaluation, training = evaluated(rows), evaluated(parts.training)
    constant = baseline(evaluation, training.truth, training.weights)
    told = list(prepared.told.values())
    judgement = verdict(evaluation.metrics, constant, training.metrics, f"{name} rows", told=told)
    return Outcome(config, parts, network, name, evaluation, training, constant, judgement, kept_best, notes)


def show_data(out: Console, table: Table, prepared: Prepared, notes: list[str]) -> None:
    """Say how the table was understood: what each column holds, and what was guessed or left out."""
    columns = prepared.columns
    out.print(
        f"{shortened(table.source)}: {plural(table.n_rows, 'row')}, "
        f"{plural(len(table.names) - len(columns.targets), 'other column')}"
    )
    for line in kinds(table, prepared.encoder.input_names):
        out.print(f"  {line}")
    for note in notes:
        out.print(f"note: {shortened(note)}")
    if prepared.labels is None:
        what = "numbers (regression)"
    else:
        what = f"labels of {len(np.unique(prepared.labels))} classes (classification)"
    out.print(f"target: {', '.join(map(shortened, columns.targets))}, {what}")


def kinds(table: Table, names: Sequence[str]) -> Iterator[str]:
    """Write a line for each kind of column: "3 numbers: age, height, weight"."""
    by_kind: dict[str, list[str]] = {}
    described = frozenset(names)
    for name, kind, missing in table.describe().rows():
        if name in described:
            word, _, categories = kind.partition(", ")
            details = [categories] if categories else []
            details += [f"{missing:,} missing"] if missing else []
            more = f" ({', '.join(details)})" if details else ""
            by_kind.setdefault(word, []).append(f"{shortened(name, _LONGEST_NAME)}{more}")
    for kind, listed in by_kind.items():
        unlisted = len(listed) - _LISTED
        rest = f" and {unlisted:,} more" if unlisted > 0 else ""
        yield f"{plural(len(listed), kind)}: {', '.join(listed[:_LISTED])}{rest}"


def show_split(out: Console, prepared: Prepared) -> None:
    """Say how many rows are for what, and how they were chosen."""
    parts, split = prepared.parts, prepared.split
    numbers = [f"{parts.training.n_rows} to train on"]
    numbers += [] if parts.validation is None else [f"{parts.validation.n_rows} to validate on"]
    numbers += ["none to test on"] if parts.test is None else [f"{parts.test.n_rows} to test on"]
    chosen = "in the order of the rows" if split.order == "time" else f"seed {split.seed}"
    grouped = "" if split.group is None else f", by {shortened(split.group)}"
    out.print(f"rows: {', '.join(numbers)} ({chosen}{grouped})")


def show_outcome(out: Console, outcome: Outcome, quiet: bool) -> None:
    """Print what was trained, a few epochs, and how well the network does on the held-out rows.

    Where nothing is printed, a model that is not sound is worth a warning.
    """
    network = outcome.network
    layers = "-".join(map(str, network.layer_sizes))
    out.print(f"network: {layers}, {plural(network.n_parameters, 'parameter')}, loss {network.loss}")
    out.print(epoch_table(network))
    out.print(_ending(network, outcome.config.get("optimizer") == "lbfgs"))
    if outcome.kept_best:
        out.print(_best(network))
    if outcome.evaluation is not None:
        show_metrics(out, outcome.evaluation.metrics, str(outcome.evaluated_on), constant=outcome.constant)
    out.print(f"verdict: {shortened(outcome.verdict)}")
    if quiet and outcome.verdict.kind not in ("sound", "not judged"):
        warn(str(outcome.verdict))
    if "save" in outcome.config:
        out.print(f"saved to {shortened(outcome.config['save'])}")


def _seconds(network: Network) -> float:
    seconds = column(network, "seconds")
    return float(seconds[-1]) if len(seconds) else 0.0


def _ending(network: Network, seeks_minimum: bool) -> str:
    """Say how long training took, and why it ended before the last epoch, or before a minimum."""
    line = f"trained {plural(epochs_of(network.history), 'epoch')} in {_seconds(network):.3g} s"
    reason = _STOPPED.get(str(network.stop_reason))
    if seeks_minimum and network.stop_reason == "epochs":
        reason = "the last epoch came before a minimum of the loss"
    return line if reason is None else f"{line}: {reason}"


def _best(network: Network) -> str:
    """Say which epoch's weights were kept: those of the lowest validation loss, or loss if there is none."""
    validation = column(network, "validation_loss")
    losses = validation if len(validation) else column(network, "loss")
    best = lowest(losses)
    if best is None:
        return "kept the first weights"
    name = "validation loss" if len(validation) else "loss"
    return f"kept the weights of epoch {best + 1}, which has the lowest {name}, {losses[best]:.6g}"
