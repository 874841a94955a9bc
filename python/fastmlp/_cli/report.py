"""What is printed after training: a few epochs, and how well the network does on the test rows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table as Grid

if TYPE_CHECKING:
    from fastmlp import Network

_EPOCHS_SHOWN = 10
_CLASSES_SHOWN = 12  # a larger confusion matrix is replaced by a list of its largest entries
_PAIRS_SHOWN = 10
_LONGEST_NAME = 16


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Return a console for standard output that takes text as it is: no markup, no emoji."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    return _Console(markup=False, highlight=False, emoji=False, soft_wrap=True)


def column(network: Network, name: str) -> NDArray[Any]:
    """Return a column of the history; an empty one if there is none of this name."""
    return network.history[name] if name in network.history else np.empty(0)


def clean(value: object, longest: int | None = None) -> str:
    """Write a value that came from a file for the terminal: no control characters, not too long."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Write "1 row" or "2 rows"."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


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
    grid = Grid(box=box.SIMPLE)
    shown = {name: values for name, values in columns.items() if len(values)}
    for name in shown:
        grid.add_column(titles[name], justify="right")
    for row in rows:
        grid.add_row(*(f"{values[row]:.6g}" for values in shown.values()))
    return grid


def show_labels_test(
    out: Console, truth: NDArray[Any], predicted: NDArray[Any], classes: NDArray[Any]
) -> None:
    """Print accuracy and confusion matrix."""
    right = int((truth == predicted).sum())
    out.print(f"test accuracy {right / len(truth):.4f} ({right} of {plural(len(truth), 'row')})")
    if len(classes) <= _CLASSES_SHOWN:
        out.print(_confusion_matrix(truth, predicted, classes))
        return
    out.print(f"{len(classes)} classes; the most frequent confusions:")
    out.print(_confusions(truth, predicted))


def _confusion_matrix(truth: NDArray[Any], predicted: NDArray[Any], classes: NDArray[Any]) -> Grid:
    grid = Grid(box=box.SIMPLE, title="rows: true class, columns: predicted", title_justify="left")
    grid.add_column("")
    for label in classes:
        grid.add_column(clean(label, _LONGEST_NAME), justify="right")
    for label in classes:
        found = predicted[truth == label]
        counts = [str(int((found == other).sum())) for other in classes]
        grid.add_row(clean(label, _LONGEST_NAME), *counts)
    return grid


def _confusions(truth: NDArray[Any], predicted: NDArray[Any]) -> Grid:
    wrong = truth != predicted
    pairs, counts = np.unique(np.stack([truth[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True)
    grid = Grid(box=box.SIMPLE)
    grid.add_column("true class")
    grid.add_column("predicted")
    grid.add_column("rows", justify="right")
    for place in np.argsort(-counts, kind="stable")[:_PAIRS_SHOWN]:
        grid.add_row(*(clean(label, 2 * _LONGEST_NAME) for label in pairs[place]), str(counts[place]))
    return grid


def show_values_test(out: Console, truth: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Print R2, and RMSE and MAE in the target's units."""
    with np.errstate(over="ignore", invalid="ignore"):  # squares beyond 1e308 are shown as inf
        residual = predicted - truth
        spread = float(np.square(truth - truth.mean()).sum())
        r2 = f"{1 - float(np.square(residual).sum()) / spread:.4f}" if spread > 0 else "undefined (all equal)"
        rmse, mae = np.sqrt(np.square(residual).mean()), np.abs(residual).mean()
    out.print(f"test R2 {r2}, RMSE {rmse:.6g}, MAE {mae:.6g} ({plural(len(truth), 'row')})")
