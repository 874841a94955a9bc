"""The page of a report: its sections, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.curves import evenly
from fastmlp._base.records import lowest
from fastmlp._base.text import plural, shortened
from fastmlp._inspect.evaluation import Evaluation, encoded_inputs
from fastmlp._inspect.metrics import LabelMetrics, QuantileMetrics, ValueMetrics
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics
from fastmlp._model.history import epochs_of
from fastmlp._report import figures
from fastmlp._report.html import (
    Html,
    code,
    escape,
    heading,
    interactive,
    paragraph,
    picture,
    table,
    tabs,
    warning,
)
from fastmlp._report.summary import describe_table
from fastmlp.data import Table

if TYPE_CHECKING:
    from fastmlp._network.network import Network

_MARK = '<meta name="generator" content="fastmlp report">'
# Nothing is loaded from anywhere; plotly sets styles and makes images of its figures.
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:\">"
)
_CLASSES = 30  # a larger confusion matrix is replaced by its largest mistakes
_WORST = 10
_COLUMNS = 12
_SIGNALS = (
    "layer", "units", "activation", "a_mean", "a_variance", "delta_mean", "delta_variance", "dead",
    "saturated", "dW_norm", "db_norm",
)  # fmt: skip
_DIAGNOSED = 1000  # rows whose signals are looked at


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


def need_plot_libraries() -> None:
    """Raise ImportError, saying what to install, where there is no matplotlib or plotly."""
    try:
        import matplotlib as mpl  # noqa: F401
        import plotly  # noqa: F401
    except ImportError:
        raise ImportError("a report needs matplotlib and plotly: pip install 'fastmlp[plot]'") from None


def is_report(path: Path) -> bool:
    """Tell whether a file is a report, or empty."""
    with path.open("rb") as file:
        start = file.read(1000)
    return not start or _MARK.encode() in start


def render(report: Report) -> str:
    """Return a report as one HTML page."""
    from plotly.offline import get_plotlyjs

    panels = [
        ("Data", [describe_table(report.table, _inputs(report), report.target)]),
        ("Network", _network(report.network)),
    ]
    if len(report.network.history):
        panels.append(("Training", [_training(report.network)]))
    if report.evaluation is not None:
        panels.append(("Results", _results(report.evaluation, report.evaluated_on)))
        panels.append(("Rows predicted worst", _worst(report.evaluation)))
    panels.append(("Diagnostics", _diagnostics(report)))
    panels.append(("Configuration", _configuration(report)))
    title, own = escape(shortened(report.title, 200)), files("fastmlp._report")
    style, script = (own.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_MARK}\n{_POLICY}\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"{tabs(panels)}\n<script>{get_plotlyjs()}</script>\n<script>\n{script}</script>\n</body>\n</html>\n"
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
        (i, *W.shape, name, W.size + b.size)
        for i, (W, b, name) in enumerate(zip(network.weights, network.biases, activations, strict=True))
    ]
    what = f"loss {network.loss}, l2 {network.l2:g}, {network.n_parameters:,} parameters of {network.dtype}"
    return [
        picture(figures.network_picture(network), f"The network: {what}", what),
        table(("layer", "inputs", "outputs", "activation", "parameters"), rows),
    ]


def _training(network: Network) -> Html:
    history = network.history
    seconds = float(history["seconds"][-1])
    losses = history["loss"]
    caption = f"{plural(epochs_of(history), 'epoch')} in {seconds:.3g} s; last loss {losses[-1]:.6g}"
    best = lowest(history["validation_loss"]) if "validation_loss" in history else None
    if best is not None:
        loss = history["validation_loss"][best]
        caption += f"; lowest validation loss {loss:.6g}, in epoch {history['epoch'][best]}"
    return interactive(figures.curves(network), f"Curves over the epochs: {caption}", caption)


def _diagnostics(report: Report) -> list[Html]:
    """Look at the signals of some of the rows, of those that were not trained on if there are any."""
    table_of_rows = report.table if report.evaluation is None else report.evaluation.table
    rows = table_of_rows.take(np.arange(min(table_of_rows.n_rows, _DIAGNOSED)))
    diagnosis = report.network.diagnose(encoded_inputs(report.network, rows, report.target))
    columns = [[_rounded(value) for value in diagnosis[name]] for name in _SIGNALS]
    return [
        paragraph(f"Signals of {plural(rows.n_rows, 'row')}, layer by layer."),
        *map(warning, diagnosis.warnings),
        table([name.replace("_", " ") for name in _SIGNALS], zip(*columns, strict=True)),
    ]


def _rounded(value: Any) -> Any:
    return float(f"{value:.3g}") if isinstance(value, float) else value


def _results(evaluation: Evaluation, evaluated_on: str | None) -> list[Html]:
    metrics = evaluation.metrics
    named = heading(f"Metrics on the {evaluated_on}")
    if isinstance(metrics, LabelMetrics):
        return [named, *_label_metrics(metrics)]
    if isinstance(metrics, QuantileMetrics):
        rows = list(zip(metrics.levels, metrics.coverage, metrics.pinball, strict=True))
        middle = len(metrics.levels) // 2
        what = f"quantile {metrics.levels[middle]:g} of "
        return [
            named,
            table(("quantile", "share at or below", "pinball loss"), rows),
            _residuals(evaluation, evaluation.predicted[:, middle], what),
        ]
    if isinstance(metrics, MultiLabelMetrics):  # which no table with one target column has
        return [named, paragraph(metrics.summary())]
    return [named, *_value_metrics(metrics, evaluation)]


def _label_metrics(metrics: LabelMetrics) -> list[Html]:
    values = [("rows", metrics.rows), ("accuracy", metrics.accuracy), ("macro F1", metrics.macro_f1)]
    if metrics.log_loss is not None:
        values.append(("log loss", metrics.log_loss))
    labels = list(map(str, metrics.classes))
    per_class = zip(labels, metrics.precision, metrics.recall, metrics.f1, metrics.support, strict=True)
    if len(labels) <= _CLASSES:
        caption = "Confusion matrix; rows: true class, columns: predicted"
        mistakes = interactive(figures.confusion(metrics), caption, caption)
    else:
        rows = metrics.confusions(_WORST)
        mistakes = table(("true class", "predicted", "rows"), rows, "The most frequent mistakes")
    return [
        table(("metric", "value"), values),
        mistakes,
        table(("class", "precision", "recall", "F1", "rows"), per_class),
    ]


def _value_metrics(metrics: ValueMetrics, evaluation: Evaluation) -> list[Html]:
    r2 = "not defined" if np.isnan(metrics.r2) else metrics.r2
    values = [("rows", metrics.rows), ("R2", r2), ("RMSE", metrics.rmse), ("MAE", metrics.mae)]
    return [table(("metric", "value"), values), _residuals(evaluation, evaluation.predicted)]


def _residuals(evaluation: Evaluation, predicted: NDArray[Any], what: str = "") -> Html:
    rows = np.union1d(evenly(len(predicted)), evaluation.worst(_WORST))
    figure = figures.residuals(evaluation.truth[rows], predicted[rows], evaluation.target)
    drawn, n = len(rows), len(predicted)
    some = "" if drawn == n else f"; {drawn:,} of {n:,} rows are drawn, the worst among them"
    caption = f"Predicted ({what}{shortened(evaluation.target, 100)}) and true values{some}"
    return interactive(figure, caption, caption)


def _one_cell(predicted: Any) -> Any:
    """Return a prediction, or those of several quantiles as one text."""
    return predicted if np.ndim(predicted) == 0 else ", ".join(f"{value:.6g}" for value in predicted)


def _worst(evaluation: Evaluation) -> list[Html]:
    """List the rows with the largest loss, with their columns."""
    data = evaluation.table
    names = [name for name in data.names if name != evaluation.target]
    shown = names[:_COLUMNS]
    rows = [
        (
            data.place(row),
            evaluation.truth[row],
            _one_cell(evaluation.predicted[row]),
            float(evaluation.row_loss[row]),
            *(data[name][row] for name in shown),
        )
        for row in evaluation.worst(_WORST)
    ]
    more = f"; {len(names) - len(shown)} more columns are not shown" if len(names) > len(shown) else ""
    return [
        paragraph(f"By {evaluation.row_loss_name}{more}."),
        table(("row", "true", "predicted", evaluation.row_loss_name, *shown), rows),
    ]
