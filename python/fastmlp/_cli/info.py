"""The command `fastmlp info`."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as Grid

import fastmlp
from fastmlp._cli.predict import load_model
from fastmlp._cli.report import clean, column, console
from fastmlp.data import TableEncoder

_LISTED = 20


def run_info(model: str | None) -> int:
    """Describe a model, or this installation."""
    if model is None:
        fastmlp.show_config()
        return 0
    network = load_model(model)
    grid = Grid(box=box.SIMPLE, show_header=False)
    grid.add_column("")
    grid.add_column("", overflow="fold")
    grid.add_row("file", f"{clean(model)}, {Path(model).stat().st_size:,} bytes")
    grid.add_row("layers", "-".join(map(str, network.layer_sizes)))
    hidden = network.activation
    grid.add_row("activation", hidden if isinstance(hidden, str) else ", ".join(hidden) or "none (linear)")
    grid.add_row("output", clean(network.output_activation))
    grid.add_row("loss", clean(network.loss))
    grid.add_row("l2", f"{network.l2:g}")
    grid.add_row("parameters", f"{network.n_parameters:,} of {network.dtype}")
    if network.classes is not None:
        grid.add_row("classes", _listing(network.classes))
    losses = column(network, "loss")
    if len(losses):
        grid.add_row("trained", f"{len(losses)} epochs, last loss {losses[-1]:.6g}")
    if network.encoder is not None:
        _describe_encoder(grid, network.encoder)
    out: Console = console()
    out.print(grid)
    return 0


def _describe_encoder(grid: Grid, encoder: TableEncoder) -> None:
    if encoder.target is not None:
        grid.add_row("target", f"{clean(encoder.target)} ({encoder.task})")
    grid.add_row("columns", _listing(encoder.input_names))
    if encoder.ignore:
        grid.add_row("ignored", _listing(encoder.ignore))
    grid.add_row("inputs", _listing(encoder.feature_names))


def _listing(values: object) -> str:
    names = [clean(value, 40) for value in values]  # type: ignore[attr-defined]
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
