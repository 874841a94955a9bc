"""The page of a report: its sections, in order."""

from __future__ import annotations

import base64
import zlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np

from fastmlp._base.curves import panels as curve_panels
from fastmlp._base.records import lowest
from fastmlp._base.text import plural, shortened, three_digits
from fastmlp._inspect.evaluate import encoded_inputs
from fastmlp._model.history import epochs_of
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network
from fastmlp._report import figures
from fastmlp._report.columns import describe_columns
from fastmlp._report.facts import Facts
from fastmlp._report.html import (
    Html,
    code,
    escape,
    heading,
    interactive,
    note,
    paragraph,
    row,
    sentences,
    still,
    table,
    tabs,
)
from fastmlp._report.images import samples
from fastmlp._report.overview import overview
from fastmlp._report.results import results, worst
from fastmlp._report.trials import trials

MARK = '<meta name="generator" content="fastmlp report">'
# Nothing is loaded from anywhere; plotly sets styles and makes images of its figures.
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:\">"
)
_BARS = 30  # of importances
_NETWORKS = 100  # of an ensemble
#: What is told of the signals of a layer, with its name for people and a sentence on it.
_SIGNALS = {
    "layer": ("layer", ""),
    "units": ("units", ""),
    "activation": ("activation", ""),
    "a_mean": ("mean of a", "the mean of the activations; far from 0, the layer behind it learns slowly."),
    "a_variance": (
        "variance of a",
        "how much the activations vary; near 0, the layer says the same of all rows.",
    ),
    "delta_variance": (
        "variance of delta",
        "how much the gradient at the layer varies; it should not shrink or grow a hundredfold on its way.",
    ),
    "dead": ("dead", "share of units that no row switches on; they learn nothing more."),
    "saturated": ("saturated", "share of units at the flat ends of their activation; they learn slowly."),
    "dW_norm": ("norm of dW", "size of the gradient of the weights; near 0 where training has converged."),
}
_DIAGNOSED = 1000  # rows whose signals are looked at


def render(facts: Facts) -> str:
    """Return a report as one HTML page."""
    panels = [("Overview", overview(facts))]
    if facts.search is not None:
        panels.append(("Search", trials(facts.search)))
    if facts.evaluation is not None:
        panels.append(("Results", results(facts)))
        if facts.importances is not None:
            panels.append(("Importance of columns", _importance(facts)))
        panels.append(("Rows predicted worst", worst(facts)))
    panels.append(("Data", _data(facts)))
    network = facts.network
    if isinstance(network, Ensemble):
        panels.append(("Networks", _networks(network)))
    else:
        if len(network.history):
            panels.append(("Training", _training(facts, network)))
        panels.append(("Network", _network(network)))
        panels.append(("Diagnostics", _diagnostics(facts, network)))
    panels.append(("Configuration", _configuration(facts)))
    title, own = escape(shortened(facts.title, 200)), files("fastmlp._report")
    style, script = (own.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{MARK}\n{_POLICY}\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f'<p id="no-figures" class="note warning" hidden></p>\n{tabs(panels)}\n'
        f'<script type="text/plain" id="plotly">{_packed_plotly()}</script>\n'
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


@cache
def _packed_plotly() -> str:
    """Return plotly's script as the page keeps it: compressed (zlib, RFC 1950), in base64."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(zlib.compress(get_plotlyjs().encode(), 9)).decode()


def _importance(facts: Facts) -> list[Html]:
    found = facts.importances
    assert found is not None
    left = len(found.names) - _BARS
    some = f" {plural(left, 'column')} with smaller rises not drawn." if left > 0 else ""
    some += (
        f" {plural(found.left_out, 'column')} with the smallest weights not measured."
        if found.left_out
        else ""
    )
    caption = (
        f"Rise of the {found.error} when the values of one column are dealt out among the rows anew.{some}"
    )
    rows = zip(found.names, found.means.tolist(), found.deviations.tolist(), strict=True)
    return [
        paragraph(
            f"Measured on {found.rows:,} of the {facts.evaluated_on}, "
            f"{plural(found.repeats, 'time')} each. A column near 0 is not needed, by itself: columns that "
            "say the same share their importance."
        ),
        interactive(figures.importances(found, _BARS), caption, caption),
        table(("column", f"rise of the {found.error}", "deviation"), list(rows)[:_BARS]),
    ]


def _data(facts: Facts) -> list[Html]:
    classes, labels = facts.network.classes, facts.network.classes is not None
    if facts.pixels is None:
        return [describe_columns(facts.table, facts.inputs, facts.targets, labels)]
    return [
        samples(facts.table, facts.pixels, facts.targets[0], classes),
        heading("Columns"),
        describe_columns(facts.table, facts.inputs, facts.targets, labels, len(facts.targets)),
    ]


def _configuration(facts: Facts) -> list[Html]:
    rows = [(name, str(value)) for name, value in facts.config.items()]
    parts = [table(("option", "value"), rows)] if rows else []
    return [*parts, paragraph(f"With fastmlp {version('fastmlp')}:"), code(facts.command)]


def _networks(ensemble: Ensemble) -> list[Html]:
    """Return a table of the networks of an ensemble, those that count most first."""
    shown = np.argsort(-ensemble.weights, kind="stable")[:_NETWORKS]
    left = len(ensemble.networks) - len(shown)
    some = f" {plural(left, 'network')} that count less not shown." if left > 0 else ""
    return [
        paragraph(
            "The weighted mean of the outputs of these networks. For the weights, the training curve and the "
            f"signals of one of them, make a report of that network.{some}"
        ),
        table(
            ("network", "weight", "layers", "activation", "loss", "parameters", "epochs", "last loss"),
            [_network_row(i, ensemble) for i in shown.tolist()],
        ),
    ]


def _network_row(at: int, ensemble: Ensemble) -> tuple[object, ...]:
    network = ensemble.networks[at]
    history = network.history
    activations = ", ".join(dict.fromkeys(network.activations)) or "none (linear)"
    return (
        at,
        float(ensemble.weights[at]),
        "-".join(map(str, network.layer_sizes)),
        activations,
        network.loss,
        network.n_parameters,
        epochs_of(history) if len(history) else "",
        float(history["loss"][-1]) if len(history) else "",
    )


def _network(network: Network) -> list[Html]:
    activations = [*network.activations, network.output_activation]
    rows = [
        (i, *W.shape, name, W.size + b.size)
        for i, (W, b, name) in enumerate(zip(network.weights, network.biases, activations, strict=True))
    ]
    what = f"loss {network.loss}, l2 {network.l2:g}, {network.n_parameters:,} parameters of {network.dtype}"
    return [
        still(figures.network_picture(network), f"The network: {what}", what),
        table(("layer", "inputs", "outputs", "activation", "parameters"), rows),
    ]


def _training(facts: Facts, network: Network) -> list[Html]:
    history = network.history
    seconds = float(history["seconds"][-1])
    losses = history["loss"]
    caption = (
        f"{plural(epochs_of(history), 'epoch')} in {three_digits(seconds)} s; last loss {losses[-1]:.3g}"
    )
    best = lowest(history["validation_loss"]) if "validation_loss" in history else None
    if best is not None:
        loss = history["validation_loss"][best]
        caption += f"; lowest validation loss {loss:.3g}, in epoch {history['epoch'][best]:,}"
    drawn = [
        interactive(figures.curves(network, metric), f"{metric} over the epochs: {caption}", text)
        for metric, text in _curves_of(network, caption)
    ]
    return [
        row(drawn, "figures"),
        paragraph(
            "Where the validation loss rises while the training loss falls, the network learns its training "
            "rows by heart. Where both still fall at the end, more epochs would help."
        ),
    ]


def _curves_of(network: Network, caption: str) -> list[tuple[str, str]]:
    """Return the metrics that were measured, and a caption for each."""
    titles = {panel.title for panel in curve_panels(network.history)}
    captions = {
        "loss": ("loss", caption),
        "accuracy (share of rows)": ("accuracy", "Share of rows whose label was predicted."),
        "R²": ("r2", "R²: 1 is perfect, 0 is the mean."),
    }
    return [captions[title] for title in captions if title in titles]


def _diagnostics(facts: Facts, network: Network) -> list[Html]:
    """Look at the signals of some of the rows, of those that were not trained on if there are any."""
    table_of_rows = facts.table if facts.evaluation is None else facts.evaluation.table
    rows = table_of_rows.take(np.arange(min(table_of_rows.n_rows, _DIAGNOSED)))
    diagnosis = network.diagnose(encoded_inputs(network, rows, facts.targets))
    columns: list[Any] = [diagnosis[name] for name in _SIGNALS]
    said = [note(text) for text in diagnosis.warnings] or [
        note("The signals get through all layers, forward and backward.", "good")
    ]
    return [
        paragraph(f"Signals of {plural(rows.n_rows, 'row')}, layer by layer."),
        *said,
        table([title for title, _ in _SIGNALS.values()], zip(*columns, strict=True)),
        sentences((title, text) for title, text in _SIGNALS.values() if text),
    ]
