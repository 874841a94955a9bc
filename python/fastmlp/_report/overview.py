"""The first tab: how good the network is, and what it was made of."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np

from fastmlp._base.text import plural, rate, three_digits
from fastmlp._inspect.metrics import LabelMetrics, Metrics, QuantileMetrics
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics
from fastmlp._model.history import epochs_of
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network
from fastmlp._report.facts import Facts
from fastmlp._report.html import Html, heading, note, paragraph, row, table, tile
from fastmlp._report.numbers import Numeral
from fastmlp.data._table import table_hash

_FEW_ROWS = 50
_NAMED = 3
_UNIMPORTANT, _FAR_BEHIND = 0.01, 0.1  # of the rise of the most important column
_NEAR_PERFECT = 0.99  # accuracy or R2
_WITH_UNITS = ("RMSE", "MAE", "mean pinball loss")
_HASH = 16  # hexadecimal digits of it that are shown


def overview(facts: Facts) -> list[Html]:
    """Return the verdict, the metrics beside those of a constant, and the facts."""
    good = facts.verdict.kind == "sound"
    parts = [note(_sentence(facts.verdict.sentence), "good" if good else "warning")]
    if facts.evaluation is not None:
        parts += [_tiles(facts), *_doubts(facts), _metrics(facts)]
    parts += [*_importances(facts), heading("Made of"), table(("", ""), _made_of(facts))]
    return [*parts, *_notes(facts)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def values_of(metrics: Metrics) -> dict[str, float]:
    """Return the numbers that metrics are compared by, the first one before all others."""
    if isinstance(metrics, QuantileMetrics):
        return {"mean pinball loss": float(np.mean(metrics.pinball))}
    if isinstance(metrics, (LabelMetrics, MultiLabelMetrics)):
        loss = {} if metrics.log_loss is None else {"log loss": metrics.log_loss}
        return {"accuracy": metrics.accuracy, **loss, "macro F1": metrics.macro_f1}
    return {"R2": metrics.r2, "RMSE": metrics.rmse, "MAE": metrics.mae}


def _tiles(facts: Facts) -> Html:
    assert facts.evaluation is not None
    assert facts.baseline is not None
    constant = values_of(facts.baseline.metrics)
    name = facts.baseline.name
    shown = []
    for metric, value in list(values_of(facts.evaluation.metrics).items())[:2]:
        shown.append(tile(metric, measured(metric, value), f"{name}: {measured(metric, constant[metric])}"))
    return row(shown, "tiles")


def measured(metric: str, value: float) -> str:
    """Write a metric: those with units of the data with three digits, others with three decimals."""
    return Numeral(three_digits(value) if metric in _WITH_UNITS else rate(value))


def _doubts(facts: Facts) -> Iterator[Html]:
    """Say what the numbers do not tell."""
    assert facts.evaluation is not None
    assert facts.baseline is not None
    metrics, constant = facts.evaluation.metrics, facts.baseline.metrics
    if metrics.rows < _FEW_ROWS:
        yield paragraph(f"{plural(metrics.rows, 'row')} are few: the numbers are rough.")
    if not isinstance(metrics, LabelMetrics) or not isinstance(constant, LabelMetrics):
        return
    if facts.verdict.kind == "sound" and metrics.accuracy <= constant.accuracy:
        yield paragraph(
            f"Its labels are no better than {facts.baseline.name}, though its probabilities are: move the "
            "threshold, or weigh the classes."
        )


def _metrics(facts: Facts) -> Html:
    """Return all metrics, side by side with those of the training rows and of the constant."""
    assert facts.evaluation is not None
    assert facts.baseline is not None
    columns = {facts.evaluated_on: facts.evaluation.metrics}
    if facts.training is not None:
        columns["training rows"] = facts.training.metrics
    columns[facts.baseline.name] = facts.baseline.metrics
    numbers = [values_of(metrics) for metrics in columns.values()]
    rows = [(name, *(measured(name, values[name]) for values in numbers)) for name in numbers[0]]
    counts = ("rows", *(metrics.rows for metrics in columns.values()))
    return table(("metric", *columns), [*rows, counts])


def _notes(facts: Facts) -> list[Html]:
    """Say what was guessed or left out when the data was read."""
    return [heading("How the data was read"), *map(paragraph, facts.notes)] if facts.notes else []


def _importances(facts: Facts) -> Iterator[Html]:
    found = facts.importances
    if found is None:
        return
    least = max(float(found.means[0]), 0.0) * _UNIMPORTANT
    names = [name for name, mean in zip(found.names, found.means, strict=True) if mean > least][:_NAMED]
    alone = len(found.names) > 1 and found.means[1] < _FAR_BEHIND * found.means[0]
    if alone and names and _near_perfect(facts):
        yield note(
            f"Nearly all of it comes from {names[0]} alone. Make sure that it is known before "
            f"{', '.join(facts.targets)} is: a column that tells it makes a model look better than it is."
        )
    elif names:
        yield paragraph(f"The most important columns: {', '.join(names)}.")


def _near_perfect(facts: Facts) -> bool:
    """Whether hardly an error is left, which is rare where no column tells the target."""
    return facts.evaluation is not None and facts.evaluation.score > _NEAR_PERFECT


def _made_of(facts: Facts) -> Iterator[tuple[str, object]]:
    network, data = facts.network, facts.table
    yield "data", data.source
    yield "target", ", ".join(facts.targets)
    yield "rows", ", ".join(f"{count:,} {what}" for what, count in facts.rows.items())
    yield "columns", f"{len(data.names)}, {plural(len(facts.inputs), 'input')}"
    yield "SHA-256 of the data", table_hash(data)[:_HASH]
    yield from _about_ensemble(network) if isinstance(network, Ensemble) else _about_network(facts, network)
    yield "report made", facts.created
    installed = ", ".join(f"{name} {version(name)}" for name in ("fastmlp", "numpy", "plotly"))
    yield "versions", f"{installed}, Python {platform.python_version()}"


def _about_ensemble(ensemble: Ensemble) -> Iterator[tuple[str, object]]:
    count, parameters = plural(len(ensemble.networks), "network"), ensemble.n_parameters
    yield "ensemble", f"mean of {count}, {parameters:,} parameters, loss {ensemble.loss}"


def _about_network(facts: Facts, network: Network) -> Iterator[tuple[str, object]]:
    layers = "-".join(map(str, network.layer_sizes))
    yield "network", f"{layers}, {network.n_parameters:,} parameters, loss {network.loss}"
    history = network.history
    if len(history):
        seconds = three_digits(float(history["seconds"][-1]))
        early = network.stop_reason not in (None, "epochs")
        ended = f", ended early: {network.stop_reason}" if early else ""
        if facts.config.get("optimizer") == "lbfgs" and network.stop_reason == "epochs":
            ended = ", the last one before a minimum of the loss"
        yield "training", f"{plural(epochs_of(history), 'epoch')} in {seconds} s{ended}"
