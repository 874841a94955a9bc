"""The command `fastmlp train`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import fastmlp
from fastmlp._cli.files import IRIS, IRIS_TARGET, check_save_path, load_table
from fastmlp._cli.options import FullBatch
from fastmlp._cli.report import (
    clean,
    column,
    console,
    epoch_table,
    plural,
    show_labels_test,
    show_values_test,
)
from fastmlp.cli import FAILED, OK
from fastmlp.data import Table, TableEncoder, choose_task, holdout
from fastmlp.data._table import quoted
from fastmlp.data._target import LabelTarget, Task, check_present

if TYPE_CHECKING:
    from fastmlp import Network

LABEL_LOSSES = ("softmax_cross_entropy", "binary_cross_entropy", "hinge")
VALUE_LOSSES = ("squared_error", "absolute_error", "huber", "quantile", "poisson")

_LEAST_EPOCHS, _LEAST_STEPS = 200, 3000

_STOPPED = {
    "patience": "no lower loss within the patience",
    "loss_target": "the loss target was reached",
    "max_time": "the time was up",
    "converged": "no step lowers the loss any more",
    "diverged": "the loss diverged",
}


@dataclass(frozen=True)
class TrainJob:
    """One run of the command; `given` holds the options that go to `fastmlp.train` as they are."""

    data: str
    target: str | None
    ignore: tuple[str, ...]
    test: float
    validation: float | None
    save: str | None
    given: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> int:
        """Read, split, encode, train, save, report."""
        _check_fraction("--test", self.test, zero=True)
        _check_fraction("--validation", self.validation)
        if self.save is not None:
            check_save_path(self.save)
        table, target = self._load()
        task = self._task(table, target)
        labels = LabelTarget(target).encode(table) if task == "classification" else None
        training, validation, test = self._split(table, labels)
        encoder = TableEncoder(target, task=task, scale_target=self._scaled(), ignore=self.ignore).fit(
            training
        )
        out = console()
        _describe(out, table, target, task, labels)
        self._describe_split(out, training, validation, test)
        network = self._train(encoder, training, validation)
        if not len(network.history):
            raise FloatingPointError("the loss diverged in the first epoch; nothing was learned or saved")
        if self.save is not None:
            network.save(self.save)
        self._report(out, network, encoder, test)
        return FAILED if network.stop_reason == "diverged" else OK

    def _load(self) -> tuple[Table, str]:
        table = load_table(self.data)
        target = self.target
        if target is None and self.data == IRIS:
            target = IRIS_TARGET
        if target is None:
            raise ValueError(f"--target is needed; the columns of {table.source} are {quoted(table.names)}")
        for option, name in (("--target", target), *(("--ignore", name) for name in self.ignore)):
            if name not in table:
                raise ValueError(
                    f"{option}: {table.source} has no column {name!r}; it has {quoted(table.names)}"
                )
        if target in self.ignore:
            raise ValueError(f"--ignore: {target!r} is the target")
        check_present(table, target)
        return table, target

    def _task(self, table: Table, target: str) -> Task:
        """Tell by the loss whether the target is labels or values; without one, by the column."""
        loss = str(self.given.get("loss", "auto")).partition("(")[0].strip()
        if loss in LABEL_LOSSES:
            return "classification"
        return "regression" if loss in VALUE_LOSSES else choose_task(table[target])

    def _scaled(self) -> bool:
        """Standardise the target for linear outputs; others have units and bounds of their own."""
        linear = self.given.get("output_activation", "auto") in ("auto", "identity")
        return linear and self.given.get("loss") != "poisson"

    def _split(self, table: Table, labels: NDArray[Any] | None) -> tuple[Table, Table | None, Table | None]:
        """Choose test rows among all rows, then validation rows among the others."""
        seed = self.given.get("seed", 0)
        rows: NDArray[np.int64] = np.arange(table.n_rows)
        held_back: list[Table | None] = []
        for substream, fraction in enumerate((self.test, self.validation)):
            if not fraction:
                held_back.append(None)
                continue
            among = len(rows) if labels is None else labels[rows]
            kept, chosen = holdout(among, fraction, seed, substream=substream)
            held_back.append(table.take(rows[chosen]))
            rows = rows[kept]
        test, validation = held_back
        return table.take(rows), validation, test

    def _train(self, encoder: TableEncoder, training: Table, validation: Table | None) -> Network:
        arguments = dict(self.given)
        dtype = arguments.get("dtype", "float32")
        if arguments.get("batch_size") is FullBatch:
            arguments["batch_size"] = None
        if "epochs" not in arguments:
            arguments["epochs"] = _enough_epochs(training.n_rows, arguments.get("batch_size", "auto"))
        if validation is not None:
            arguments["validation"] = (
                encoder.transform(validation, dtype),
                encoder.transform_target(validation),
            )
        X, y = encoder.transform(training, dtype), encoder.transform_target(training)
        try:
            network = fastmlp.train(X, y, progress=True, **arguments)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(self._keep(getattr(interrupt, "network", None), encoder)) from None
        network.encoder = encoder
        return network

    def _keep(self, network: Network | None, encoder: TableEncoder) -> str:
        """Save what an interrupted run has learned, and say so."""
        if network is None:
            return "interrupted"
        done = f"interrupted after {plural(len(column(network, 'epoch')), 'epoch')}"
        if self.save is None:
            return done
        network.encoder = encoder
        network.save(self.save)
        return f"{done}; the weights so far are in {self.save}"

    def _describe_split(
        self, out: Console, training: Table, validation: Table | None, test: Table | None
    ) -> None:
        parts = [f"{training.n_rows} to train on"]
        parts += [] if validation is None else [f"{validation.n_rows} to validate on"]
        parts += ["none to test on"] if test is None else [f"{test.n_rows} to test on"]
        out.print(f"rows: {', '.join(parts)} (seed {self.given.get('seed', 0)})")

    def _report(self, out: Console, network: Network, encoder: TableEncoder, test: Table | None) -> None:
        layers = "-".join(map(str, network.layer_sizes))
        out.print(f"network: {layers}, {plural(network.n_parameters, 'parameter')}, loss {network.loss}")
        out.print(epoch_table(network))
        out.print(_ending(network))
        if self.given.get("restore_best", True) and (self.validation or "patience" in self.given):
            out.print(_best(network))
        if test is not None:
            predicted = encoder.inverse_target(network.predict(encoder.transform(test, network.dtype)))
            if network.classes is None:
                target = np.asarray(test[str(encoder.target)], dtype=np.float64)
                show_values_test(out, target, np.asarray(predicted, dtype=np.float64))
            else:
                show_labels_test(out, encoder.transform_target(test), predicted, network.classes)
        if self.save is not None:
            out.print(f"saved to {clean(self.save)}")


def _check_fraction(option: str, fraction: float | None, zero: bool = False) -> None:
    if fraction is None or 0 < fraction < 1 or (zero and fraction == 0):
        return
    low = "0 or between 0 and 1" if zero else "between 0 and 1"
    raise ValueError(f"{option} must be {low}, got {fraction:g}")


def _enough_epochs(n_rows: int, batch_size: Any) -> int:
    """Return 200 epochs, or as many as make 3000 steps where the data is small."""
    if batch_size == "auto":
        batch_size = 200
    rows = min(n_rows, batch_size) if batch_size is not None and batch_size > 0 else n_rows
    steps = -(-n_rows // rows)
    return max(_LEAST_EPOCHS, -(-_LEAST_STEPS // steps))


def _describe(out: Console, table: Table, target: str, task: Task, labels: NDArray[Any] | None) -> None:
    """Say how the table was understood."""
    what = "numbers"
    if labels is not None:
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(
                f"{table.source}: the target column {target!r} holds one class only, {str(classes[0])!r}"
            )
        what = f"labels of {len(classes)} classes"
    inputs = plural(len(table.names) - 1, "other column")
    out.print(f"{clean(table.source)}: {plural(table.n_rows, 'row')}, {inputs}")
    out.print(f"target: {clean(target)}, {what} ({task})")


def _ending(network: Network) -> str:
    """Say how long training took, and why it ended before the last epoch."""
    seconds, losses = column(network, "seconds"), column(network, "loss")
    line = f"trained {plural(len(losses), 'epoch')} in {seconds[-1] if len(seconds) else 0:.3g} s"
    reason = _STOPPED.get(str(network.stop_reason))
    return line if reason is None else f"{line}: {reason}"


def _best(network: Network) -> str:
    """Say which epoch's weights were kept: those of the lowest validation loss, or loss if there is none."""
    validation = column(network, "validation_loss")
    losses = validation if len(validation) else column(network, "loss")
    if not np.isfinite(losses).any():
        return "kept the first weights"
    name = "validation loss" if len(validation) else "loss"
    best = int(np.nanargmin(losses))
    return f"kept the weights of epoch {best + 1}, which has the lowest {name}, {losses[best]:.6g}"
