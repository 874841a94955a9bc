"""The command `fastmlp train`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from fastmlp._base.text import plural, shortened
from fastmlp._cli.columns import choose_columns
from fastmlp._cli.exit_codes import FAILED, OK
from fastmlp._cli.files import check_save_path, load_data, write_output
from fastmlp._cli.options import (
    read_activation,
    read_batch_size,
    read_hidden,
    read_learning_rate,
    read_names,
    read_optimizer,
)
from fastmlp._cli.outcome import Outcome, show_data, show_outcome, show_split
from fastmlp._cli.show import column, console, to_json
from fastmlp._cli.split import ORDERS, TEST, Parts, split
from fastmlp._inspect.evaluation import evaluate
from fastmlp._rows.targets import takes_labels
from fastmlp._training.train import train
from fastmlp.data import Table, TableEncoder, choose_task
from fastmlp.data._scaling import SCALINGS
from fastmlp.data._target import LabelTarget, check_present
from fastmlp.data._task import Task
from fastmlp.spec.losses import LOSSES

if TYPE_CHECKING:
    from fastmlp._network.network import Network

_LEAST_EPOCHS, _LEAST_STEPS = 200, 3000

#: What trains well on most tables: weights shrink, and the rate rises and falls once.
_RECIPE = {"optimizer": "adamw(0.1)", "learning_rate": "one_cycle(0.01)", "dropout": 0.1}
#: Options that take its place: other ways to train, and ends before the last epoch, where the rate is lowest.
_OWN_WAYS = {*_RECIPE, "l2", "patience", "loss_target", "max_time"}
_HIDDEN = "128,64"

_READERS: dict[str, Callable[[str], Any]] = {
    "hidden": read_hidden,
    "activation": read_activation,
    "batch_size": read_batch_size,
    "learning_rate": read_learning_rate,
    "optimizer": read_optimizer,
    "x": partial(read_names, "--x"),
    "ignore": partial(read_names, "--ignore"),
}


@dataclass(frozen=True)
class TrainJob:
    """One run of the command; `arguments` holds the options that go to `fastmlp.train`."""

    settings: Mapping[str, Any]
    data: str
    target: str | None = None
    x: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    split: str = "random"
    test: float | None = None
    validation: float | None = None
    scale: str | None = None
    save: str | None = None
    report: str | None = None
    json: bool = False
    quiet: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> TrainJob:
        """Sort the options that were given, on the command line or in a file, into ours and the library's."""
        if "data" not in settings:
            raise ValueError("Missing argument 'DATA'.")
        recipe = {} if _OWN_WAYS & settings.keys() else _RECIPE
        settings = {"hidden": _HIDDEN, **recipe, **settings}
        values = {
            name: _READERS[name](value) if name in _READERS else value for name, value in settings.items()
        }
        own = {name: values.pop(name) for name in settings if name in cls.__dataclass_fields__}
        return cls(settings, arguments=values, **own)

    def __call__(self) -> int:
        """Check, read, split, encode, train, save, report."""
        self._check()
        out = console(quiet=self.quiet or self.json)
        table, target, scale, has_labels = load_data(self.data, labels=self.target)
        if self.target is not None and not has_labels:
            target = self.target
        columns = choose_columns(table, target, self.x, self.ignore or ())
        check_present(table, columns.target)
        task = self._task(table, columns.target)
        labels = _labels(table, columns.target) if task == "classification" else None
        parts = split(table, labels, self._test(), self.validation, self.split, self._seed())
        encoder = TableEncoder(
            columns.target,
            task=task,
            scale=cast(Any, self.scale or scale),
            scale_target=self._scaled(),
            ignore=columns.ignored,
        ).fit(parts.training)
        show_data(out, table, columns.target, labels)
        show_split(out, parts, self.split, self._seed())
        arguments = self._arguments(parts.training.n_rows)
        network = self._train(encoder, parts, arguments)
        if not len(network.history):
            raise FloatingPointError("the loss diverged in the first epoch; nothing was learned or saved")
        if self.save is not None:
            network.save(self.save)
        given = self.target if has_labels and self.target is not None else columns.target
        outcome = self._outcome(given, parts, network, arguments)
        show_outcome(out, outcome)
        if self.report is not None:
            from fastmlp._cli.report import report_training

            report_training(self.report, table, outcome)
            out.print(f"report written to {shortened(self.report)}")
        if self.json:
            write_output(None, to_json(outcome.to_dict()))
        return FAILED if network.stop_reason == "diverged" else OK

    def _check(self) -> None:
        """Refuse what can be refused before the data is read."""
        _check_fraction("--test", self.test, zero=True)
        _check_fraction("--validation", self.validation, zero=True)
        for option, given, accepted in (("--split", self.split, ORDERS), ("--scale", self.scale, SCALINGS)):
            if given is not None and given not in accepted:
                raise ValueError(f"{option} must be {' or '.join(accepted)}, got {given!r}")
        if self.save is not None:
            check_save_path(self.save)
        if self.report is not None:
            from fastmlp._cli.report import check_report_path

            check_report_path("--report", self.report)
            if self.save is not None and Path(self.save).resolve() == Path(self.report).resolve():
                raise ValueError(f"--report: {self.report} is where --save goes")

    def _test(self) -> float:
        """Return the part of the rows to test on: none by default where there are validation rows."""
        if self.test is not None:
            return self.test
        return 0.0 if self.validation else TEST

    def _seed(self) -> int:
        return int(self.arguments.get("seed", 0))

    def _task(self, table: Table, target: str) -> Task:
        """Tell by the loss whether the target is labels or values; without one, by the column."""
        loss = str(self.arguments.get("loss", "auto")).partition("(")[0].strip()
        if loss not in LOSSES:
            return choose_task(table[target])
        return "classification" if takes_labels(loss) else "regression"

    def _scaled(self) -> bool:
        """Standardise the target for linear outputs; others have units and bounds of their own."""
        linear = self.arguments.get("output_activation", "auto") in ("auto", "identity")
        return linear and self.arguments.get("loss") != "poisson"

    def _arguments(self, n_rows: int) -> dict[str, Any]:
        """Return the arguments of `fastmlp.train`, with the number of epochs."""
        epochs = _enough_epochs(n_rows, self.arguments.get("batch_size", "auto"))
        return {"epochs": epochs, **self.arguments}

    def _train(self, encoder: TableEncoder, parts: Parts, arguments: dict[str, Any]) -> Network:
        dtype = arguments.get("dtype", "float32")
        X, y = encoder.transform(parts.training, dtype), encoder.transform_target(parts.training)
        held_back = None
        if parts.validation is not None:
            held_back = (
                encoder.transform(parts.validation, dtype),
                encoder.transform_target(parts.validation),
            )

        def attach(network: Network) -> None:  # so that checkpoints take raw files, too
            network.encoder = encoder

        try:
            network = train(
                X, y, validation=held_back, progress=not self.quiet, embeddings=encoder.embeddings,
                callbacks=[attach] if "checkpoint" in arguments else [], **arguments,
            )  # fmt: skip
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(self._keep(getattr(interrupt, "network", None), encoder)) from None
        network.encoder = encoder
        return network

    def _keep(self, network: Network | None, encoder: TableEncoder) -> str:
        """Save what an interrupted run has learned, and say so."""
        if network is None or not len(network.history):
            return "interrupted before the first epoch ended; nothing was learned or saved"
        done = f"interrupted after {plural(len(column(network, 'epoch')), 'epoch')}"
        if self.save is None:
            return done
        network.encoder = encoder
        network.save(self.save)
        best = "best " if self._keeps_best() else ""
        return f"{done}; the {best}weights so far are in {self.save}"

    def _outcome(self, target: str, parts: Parts, network: Network, arguments: dict[str, Any]) -> Outcome:
        held_out = parts.held_out()
        hidden = ("json", "quiet")
        decided = {
            "data": self.data,
            "target": target,
            "split": self.split,
            "test": self._test(),
            "epochs": arguments["epochs"],
            "seed": self._seed(),
        }
        return Outcome(
            config={**decided, **{n: v for n, v in self.settings.items() if n not in (*hidden, *decided)}},
            parts=parts,
            network=network,
            evaluated_on=None if held_out is None else held_out[0],
            evaluation=None if held_out is None else evaluate(network, held_out[1]),
            kept_best=self._keeps_best(),
        )

    def _keeps_best(self) -> bool:
        """Tell whether the run ends with the weights of its best epoch."""
        watched = bool(self.validation) or "patience" in self.arguments
        return watched and self.arguments.get("restore_best", True) is True


def _labels(table: Table, target: str) -> NDArray[Any]:
    labels = LabelTarget(target).encode(table)
    if (labels == labels[0]).all():
        raise ValueError(
            f"{table.source}: the target column {target!r} holds one class only, {str(labels[0])!r}"
        )
    return labels


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
