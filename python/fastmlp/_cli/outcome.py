"""What a run of `fastmlp train` did, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from fastmlp._base.records import lowest
from fastmlp._base.text import plural, shortened
from fastmlp._cli.info import describe_network
from fastmlp._cli.show import column, epoch_table, show_metrics
from fastmlp._cli.split import Parts
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._model.history import epochs_of
from fastmlp.data import Table

if TYPE_CHECKING:
    from fastmlp._network.network import Network

_STOPPED = {
    "patience": "no lower loss within the patience",
    "loss_target": "the loss target was reached",
    "max_time": "the time was up",
    "converged": "no step lowers the loss any more",
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
    kept_best : bool
        Whether the weights are those of the best epoch.
    """

    config: dict[str, Any]
    parts: Parts
    network: Network
    evaluated_on: str | None
    evaluation: Evaluation | None
    kept_best: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        network, history = self.network, self.network.history
        rows = {name: 0 if part is None else part.n_rows for name, part in self.parts._asdict().items()}
        metrics = None if self.evaluation is None else self.evaluation.metrics.to_dict()
        return {
            "config": self.config,
            "rows": rows,
            "network": describe_network(network),
            "history": {name: history[name].tolist() for name in history},
            "evaluated_on": self.evaluated_on,
            "metrics": metrics,
            "stop_reason": network.stop_reason,
            "seconds": _seconds(network),
            "saved": self.config.get("save"),
            "report": self.config.get("report"),
        }


def show_data(out: Console, table: Table, target: str, labels: NDArray[Any] | None) -> None:
    """Say how the table was understood."""
    if labels is None:
        what = "numbers (regression)"
    else:
        what = f"labels of {len(np.unique(labels))} classes (classification)"
    inputs = plural(len(table.names) - 1, "other column")
    out.print(f"{shortened(table.source)}: {plural(table.n_rows, 'row')}, {inputs}")
    out.print(f"target: {shortened(target)}, {what}")


def show_split(out: Console, parts: Parts, order: str, seed: int) -> None:
    """Say how many rows are for what, and how they were chosen."""
    numbers = [f"{parts.training.n_rows} to train on"]
    numbers += [] if parts.validation is None else [f"{parts.validation.n_rows} to validate on"]
    numbers += ["none to test on"] if parts.test is None else [f"{parts.test.n_rows} to test on"]
    chosen = f"seed {seed}" if order == "random" else "in the order of the rows"
    out.print(f"rows: {', '.join(numbers)} ({chosen})")


def show_outcome(out: Console, outcome: Outcome) -> None:
    """Print what was trained, a few epochs, and how well the network does on the held-out rows."""
    network = outcome.network
    layers = "-".join(map(str, network.layer_sizes))
    out.print(f"network: {layers}, {plural(network.n_parameters, 'parameter')}, loss {network.loss}")
    out.print(epoch_table(network))
    out.print(_ending(network))
    if outcome.kept_best:
        out.print(_best(network))
    if outcome.evaluation is not None:
        show_metrics(out, outcome.evaluation.metrics, str(outcome.evaluated_on))
    if "save" in outcome.config:
        out.print(f"saved to {shortened(outcome.config['save'])}")


def _seconds(network: Network) -> float:
    seconds = column(network, "seconds")
    return float(seconds[-1]) if len(seconds) else 0.0


def _ending(network: Network) -> str:
    """Say how long training took, and why it ended before the last epoch."""
    line = f"trained {plural(epochs_of(network.history), 'epoch')} in {_seconds(network):.3g} s"
    reason = _STOPPED.get(str(network.stop_reason))
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
