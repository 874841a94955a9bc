"""The page of a report: its sections, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._evaluation import Evaluation
from fastmlp._metrics import LabelMetrics, QuantileMetrics, ValueMetrics
from fastmlp._report import _pictures
from fastmlp._report._html import Html, code, escape, figure, join, paragraph, section, shaded_matrix, table
from fastmlp._report._summary import describe_table
from fastmlp.data import Table

if TYPE_CHECKING:
    from fastmlp import Network

_MARK = '<meta name="generator" content="fastmlp report">'
_CLASSES = 30  # a larger confusion matrix is replaced by its largest mistakes
_WORST = 10
_COLUMNS = 12

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #111; background: #fff; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; } caption { text-align: left; padding: 0.3rem 0; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f4f4f4; padding: 0.8rem; overflow-x: auto; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; } figcaption { font-size: 0.9rem; }
"""


@dataclass(frozen=True)
class Report:
    """What a report tells.

    Attributes
    ----------
    title : str
    command : str
        What gives the report, or the run, again.
    config : mapping
        The options of the run, by name; empty if they are not known.
    table : Table
        All data.
    network : Network
    evaluated_on : str or None
        What the evaluated rows are called: "test rows".
    evaluation : Evaluation or None
        None where no rows were held out.
    """

    title: str
    command: str
    config: Mapping[str, Any]
    table: Table
    target: str
    network: Network
    evaluated_on: str | None
    evaluation: Evaluation | None


def need_matplotlib() -> None:
    """Raise ImportError, saying what to install, where there is no matplotlib."""
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError:
        raise ImportError("a report needs matplotlib: pip install 'fastmlp[plot]'") from None


def is_report(path: Path) -> bool:
    """Tell whether a file is a report, or empty."""
    with path.open("rb") as file:
        start = file.read(1000)
    return not start or _MARK.encode() in start


def render(report: Report) -> str:
    """Return a report as one HTML page."""
    parts = [
        section("Data", describe_table(report.table, _inputs(report), report.target)),
        section("Configuration", *_configuration(report)),
        section("Network", *_network(report.network)),
    ]
    if len(report.network.history):
        parts.append(section("Training", _training(report.network)))
    if report.evaluation is not None:
        title = f"Metrics on the {report.evaluated_on}"
        parts.append(section(title, *_metrics(report.evaluation)))
        parts.append(section("Rows predicted worst", *_worst(report.evaluation)))
    title = escape(report.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_MARK}\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"{join(parts)}\n</body>\n</html>\n"
    )


def _inputs(report: Report) -> tuple[str, ...]:
    encoder = report.network.encoder
    if encoder is not None:
        return encoder.input_names
    return tuple(name for name in report.table.names if name != report.target)


def _configuration(report: Report) -> list[Html]:
    rows = [(name, str(value)) for name, value in report.config.items()]
    parts = [table(("option", "value"), rows)] if rows else []
    return [*parts, paragraph(f"With fastmlp {version('fastmlp')}:"), code(report.command)]


def _network(network: Network) -> list[Html]:
    activations = [*network.activations, network.output_activation]
    rows = [
        (f"layer {i}", *W.shape, name, W.size + b.size)
        for i, (W, b, name) in enumerate(
            zip(network.weights, network.biases, activations, strict=True), start=1
        )
    ]
    what = f"loss {network.loss}, l2 {network.l2:g}, {network.n_parameters:,} parameters of {network.dtype}"
    return [table(("layer", "inputs", "outputs", "activation", "parameters"), rows), paragraph(what)]


def _training(network: Network) -> Html:
    history = network.history
    seconds = float(history["seconds"][-1])
    losses = history["loss"]
    caption = f"{len(history)} epochs in {seconds:.3g} s; last loss {losses[-1]:.6g}"
    if "validation_loss" in history and np.isfinite(history["validation_loss"]).any():
        best = int(np.nanargmin(history["validation_loss"]))
        lowest = history["validation_loss"][best]
        caption += f"; lowest validation loss {lowest:.6g}, in epoch {history['epoch'][best]}"
    return figure(_pictures.curves(history), f"Curves over the epochs: {caption}", caption)


def _metrics(evaluation: Evaluation) -> list[Html]:
    metrics = evaluation.metrics
    if isinstance(metrics, LabelMetrics):
        return _label_metrics(metrics)
    if isinstance(metrics, QuantileMetrics):
        rows = list(zip(metrics.levels, metrics.coverage, metrics.pinball, strict=True))
        return [table(("quantile", "share at or below", "pinball loss"), rows)]
    return _value_metrics(metrics, evaluation)


def _label_metrics(metrics: LabelMetrics) -> list[Html]:
    values = [("rows", metrics.rows), ("accuracy", metrics.accuracy), ("macro F1", metrics.macro_f1)]
    if metrics.log_loss is not None:
        values.append(("log loss", metrics.log_loss))
    labels = list(map(str, metrics.classes))
    per_class = zip(labels, metrics.precision, metrics.recall, metrics.f1, metrics.support, strict=True)
    if len(labels) <= _CLASSES:
        caption = "Confusion matrix; rows: true class, columns: predicted"
        mistakes = shaded_matrix(labels, metrics.confusion_matrix().tolist(), caption)
    else:
        rows = metrics.confusions(_WORST)
        mistakes = table(("true class", "predicted", "rows"), rows, "The most frequent mistakes")
    return [
        table(("metric", "value"), values),
        mistakes,
        table(("class", "precision", "recall", "F1", "rows"), per_class),
    ]


def _value_metrics(metrics: ValueMetrics, evaluation: Evaluation) -> list[Html]:
    values = [("rows", metrics.rows), ("R2", metrics.r2), ("RMSE", metrics.rmse), ("MAE", metrics.mae)]
    caption = f"Predicted and true {evaluation.target}: R2 {metrics.r2:.4f}, RMSE {metrics.rmse:.6g}"
    picture = _pictures.residuals(evaluation.truth, evaluation.predicted)
    return [table(("metric", "value"), values), figure(picture, caption, caption)]


def _worst(evaluation: Evaluation) -> list[Html]:
    """List the rows with the largest loss, with their columns."""
    data = evaluation.table
    names = [name for name in data.names if name != evaluation.target]
    shown = names[:_COLUMNS]
    rows = [
        (
            data.place(row),
            evaluation.truth[row],
            ", ".join(str(value) for value in np.atleast_1d(evaluation.predicted[row])),
            float(evaluation.row_loss[row]),
            *(data[name][row] for name in shown),
        )
        for row in evaluation.worst(_WORST)
    ]
    more = f"; {len(names) - len(shown)} more columns are not shown" if len(names) > len(shown) else ""
    return [
        paragraph(f"By {evaluation.row_loss_name}{more}."),
        table(("row", "true", "predicted", "loss", *shown), rows),
    ]
