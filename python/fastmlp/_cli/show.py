"""What the commands print: texts for people, or one JSON object for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from fastmlp._base.records import Records
from fastmlp._base.text import shortened
from fastmlp._inspect.baseline import Baseline
from fastmlp._inspect.metrics import LabelMetrics, Metrics, QuantileMetrics, ValueMetrics

if TYPE_CHECKING:
    from fastmlp._model.model import Model
    from fastmlp._network.network import Network

_EPOCHS_SHOWN = 10
_CLASSES_SHOWN = 12  # a larger confusion matrix is replaced by a list of its largest entries
_PAIRS_SHOWN = 10
_LONGEST_NAME = 16


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(file: IO[str] | None = None, quiet: bool = False) -> Console:
    """Return a console that takes text as it is (no markup, no emoji), for standard output by default."""
    if file is None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    return _Console(file=file, quiet=quiet, markup=False, highlight=False, emoji=False, soft_wrap=True)


def to_json(values: Any) -> str:
    """Write values as one line of JSON; NaN and infinity become null, and labels such as dates texts."""
    return json.dumps(_finite(values), allow_nan=False, default=str) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def column(network: Model, name: str) -> NDArray[Any]:
    """Return a column of the history; an empty one if there is none of this name."""
    return network.history[name] if name in network.history else np.empty(0)


def epoch_table(network: Network) -> Grid:
    """Make a table of about ten epochs, evenly apart, with the first and the last."""
    titles = {
        "epoch": "epoch",
        "loss": "loss",
        "validation_loss": "validation loss",
        "validation_accuracy": "validation accuracy",
        "validation_r2": "validation R2",
    }
    columns = {name: column(network, name) for name in titles}
    n = len(columns["epoch"])
    steps = np.linspace(0, n, _EPOCHS_SHOWN + 1).round().astype(int)
    rows = np.unique(np.maximum(steps - 1, 0))[:n]
    shown = {titles[name]: values for name, values in columns.items() if len(values)}
    return _grid(list(shown), [[f"{values[row]:.6g}" for values in shown.values()] for row in rows], 0)


def record_table(records: Records) -> Grid:
    """Make a table of records."""
    titles = [name.replace("_", " ") for name in records.columns]
    cells = [
        [f"{value:.6g}" if isinstance(value, float) else str(value) for value in row]
        for row in records.rows()
    ]
    return _grid(titles, cells, 0)


def show_metrics(
    out: Console, metrics: Metrics, on: str = "", per_class: bool = False, constant: Baseline | None = None
) -> None:
    """Print the metrics, and of labels the confusion matrix.

    Parameters
    ----------
    out : Console
    metrics : Metrics
    on : str, optional
        What the rows are called: "test" or "validation".
    per_class : bool, default False
        Print precision, recall and F1 of each class too.
    constant : Baseline, optional
        To compare with.
    """
    out.print(f"{on} {metrics.summary()}".strip())
    if constant is not None:
        out.print(f"  {constant}")
    if isinstance(metrics, QuantileMetrics):
        cells = [
            [f"{q:g}", f"{coverage:.4f}", f"{loss:.6g}"]
            for q, coverage, loss in zip(metrics.levels, metrics.coverage, metrics.pinball, strict=True)
        ]
        out.print(_grid(["quantile", "coverage", "pinball loss"], cells, 0))
    if isinstance(metrics, ValueMetrics) and metrics.outputs:
        cells = [
            [shortened(name, 2 * _LONGEST_NAME), f"{each.r2:.4f}", f"{each.rmse:.6g}", f"{each.mae:.6g}"]
            for name, each in metrics.outputs
        ]
        out.print(_grid(["target", "R2", "RMSE", "MAE"], cells))
    if not isinstance(metrics, LabelMetrics):
        return
    if per_class:
        out.print(_class_table(metrics))
    if len(metrics.classes) <= _CLASSES_SHOWN:
        names = [shortened(label, _LONGEST_NAME) for label in metrics.classes]
        counts = [map(_count, row) for row in metrics.confusion_matrix()]
        cells = [[name, *row] for name, row in zip(names, counts, strict=True)]
        out.print(_grid(["", *names], cells, title="rows: true class, columns: predicted"))
        return
    out.print(f"{len(metrics.classes)} classes; the most frequent confusions:")
    cells = [
        [shortened(true, 2 * _LONGEST_NAME), shortened(predicted, 2 * _LONGEST_NAME), _count(count)]
        for true, predicted, count in metrics.confusions(_PAIRS_SHOWN)
    ]
    out.print(_grid(["true class", "predicted", "rows"], cells, 2))


def _count(rows: float) -> str:
    """Write a number of rows, or their weight."""
    return f"{rows:.0f}" if rows == int(rows) else f"{rows:.6g}"


def _class_table(metrics: LabelMetrics) -> Grid:
    cells = [
        [
            shortened(label, 2 * _LONGEST_NAME),
            f"{precision:.4f}",
            f"{recall:.4f}",
            f"{f1:.4f}",
            _count(support),
        ]
        for label, precision, recall, f1, support in zip(
            metrics.classes, metrics.precision, metrics.recall, metrics.f1, metrics.support, strict=True
        )
    ]
    return _grid(["class", "precision", "recall", "F1", "rows"], cells)


def _grid(
    titles: Sequence[str], cells: Sequence[Sequence[str]], left: int = 1, title: str | None = None
) -> Grid:
    """Make a table whose first columns, so many, hold texts and the others numbers."""
    grid = Grid(box=box.SIMPLE, title=title, title_justify="left")
    for place, name in enumerate(titles):
        grid.add_column(name, justify="left" if place < left else "right")
    for row in cells:
        grid.add_row(*row)
    return grid
