"""What the commands share that learn from a table: their options, the columns and rows, the recipe."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from numpy.typing import NDArray

from fastmlp._cli.columns import Columns, choose_columns
from fastmlp._cli.files import Loaded, check_save_path, load_data
from fastmlp._cli.option_values import (
    number_or_text,
    read_activation,
    read_batch_size,
    read_dropout,
    read_hidden,
    read_learning_rate,
    read_names,
    read_optimizer,
)
from fastmlp._cli.prepare import cleaned, labels_of, without_final_dots
from fastmlp._cli.reading import Reading
from fastmlp._cli.recipe import HIDDEN, enough_epochs, recipe
from fastmlp._rows.targets import takes_labels
from fastmlp._training.tables import scales_target
from fastmlp.data import Table, TableEncoder
from fastmlp.data._leaks import tell_target
from fastmlp.data._scaling import SCALINGS
from fastmlp.data._task import TASKS, Task, guess_task, refuse_numbers
from fastmlp.spec.losses import LOSSES

if TYPE_CHECKING:
    from typing_extensions import Self

_READERS: dict[str, Callable[[str], Any]] = {
    "hidden": read_hidden,
    "activation": read_activation,
    "batch_size": read_batch_size,
    "learning_rate": read_learning_rate,
    "dropout": read_dropout,
    "optimizer": read_optimizer,
    "x": partial(read_names, "--x"),
    "ignore": partial(read_names, "--ignore"),
    "id": partial(read_names, "--id"),
}


class Cleaned(NamedTuple):
    """A table to learn from, before its rows are divided.

    Attributes
    ----------
    table : Table
        The targets, the inputs, and the columns that options name; rows with a target.
    columns : Columns
    task : "classification" or "regression"
    labels : array, (n,), or None
        The target, where it holds labels.
    notes : list of str
        A line for each thing that was guessed or left out.
    problems : str
        With --strict, an error that lists what would be left out.
    """

    table: Table
    columns: Columns
    task: Task
    labels: NDArray[Any] | None
    notes: list[str]
    problems: str


@dataclass(frozen=True)
class LearnJob:
    """One run of a command; `arguments` holds the options that go to `fastmlp.train`, as texts."""

    defaults: ClassVar[Mapping[str, Any]] = {"hidden": HIDDEN}  # of options that are not given

    settings: Mapping[str, Any]
    data: str
    target: str | None = None
    task: str = "auto"
    x: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    missing: str | None = None
    text: str | None = None
    strip_dot: bool = False
    drop_missing_target: bool = False
    strict: bool = False
    validation: float | None = None
    scale: str | None = None
    save: str | None = None
    json: bool = False
    quiet: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Sort the options that were given, on the command line or in a file, into ours and the library's."""
        if "data" not in settings:
            raise ValueError("Missing argument 'DATA'.")
        settings = {**cls.defaults, **settings}
        if isinstance(settings.get("dropout"), str):
            settings["dropout"] = number_or_text(settings["dropout"])
        given = values(settings)
        own = {name: given.pop(name) for name in settings if name in cls.__dataclass_fields__}
        return cls(settings, arguments=given, **own)

    def _check(self) -> None:
        """Refuse what can be refused before the data is read."""
        check_fraction("--validation", self.validation)
        check_choice("--scale", self.scale, SCALINGS)
        check_choice("--task", self.task, TASKS)
        if self.save is not None:
            check_save_path(self.save)

    def _load(self) -> tuple[Loaded, Reading]:
        """Read the data, and tell how."""
        reading = Reading.of(self.header, self.delimiter, self.encoding, self.missing, self.text)
        # Names of rows are written again as they were spelled.
        texts = reading.with_texts(self.id)
        return load_data(self.data, texts, labels=self.target, asked=bool(reading.given())), reading

    def _cleaned(self, loaded: Loaded, reading: Reading) -> Cleaned:
        """Choose the columns, and leave out what nothing can be learned from."""
        _check_texts(loaded.table, reading.text)
        columns = choose_columns(
            loaded.table, self._targets(loaded), x=self.x, ignore=self.ignore, ids=self.id,
            weight=self.weight, group=self.group,
        )  # fmt: skip
        table = without_final_dots(loaded.table, columns.targets) if self.strip_dot else loaded.table
        table, notes, problems = cleaned(
            table, columns, drop_missing_target=self.drop_missing_target, strict=self.strict
        )
        task, guessed = self._task(table, columns)
        labels = labels_of(table, columns.targets[0]) if task == "classification" else None
        return Cleaned(table, columns, task, labels, [*loaded.table.notes, *notes, *guessed], problems)

    def _encoder(self, columns: Columns, task: Task, loaded: Loaded) -> TableEncoder:
        """Return an encoder for the table, to be fitted on training rows."""
        return TableEncoder(
            columns.target,
            task=task,
            scale=cast(Any, self.scale or loaded.scale),
            scale_target=self._scaled(),
            ignore=(*columns.ignored, *columns.ids, *columns.beside),
        )

    def _given(self, task: Task, rows: int) -> dict[str, Any]:
        """Return the options that go to `fastmlp.train`, with those of the recipe and the epochs."""
        given = {name: self.settings[name] for name in self.arguments}
        epochs = enough_epochs(task, rows, self.arguments.get("batch_size", "auto"))
        return {"epochs": epochs, **recipe(given, task, rows), **given}

    def _targets(self, loaded: Loaded) -> tuple[str, ...] | None:
        """Return the columns that --target names, or the one that the data calls so."""
        if self.target is None or loaded.has_labels:
            return None if loaded.target is None else (loaded.target,)
        if self.target in loaded.table:  # also a name with a comma
            return (self.target,)
        return read_names("--target", self.target)

    def _task(self, table: Table, columns: Columns) -> tuple[Task, list[str]]:
        """Tell labels from values by --task or the loss, or else by the column; say a guess."""
        loss = str(self.arguments.get("loss", "auto")).partition("(")[0].strip()
        by_loss: Task | None = None
        if loss in LOSSES:
            by_loss = "classification" if takes_labels(loss) else "regression"
        if self.task != "auto":
            if by_loss is not None and by_loss != self.task:
                raise ValueError(f"--task {self.task} does not go with --loss {loss}, which is for {by_loss}")
            by_loss = cast(Task, self.task)
        if len(columns.targets) > 1:
            if by_loss == "classification":
                raise ValueError("--target: several targets must be quantities; predict labels one at a time")
            return "regression", []
        if by_loss is not None:
            return by_loss, []
        name = columns.targets[0]
        refuse_numbers(f"target {name!r}", table[name], "--task {}")
        guess = guess_task([table[name]])
        how = "--task classification or --task regression says what it is for"
        return guess.task, [] if guess.note is None else [f"target {name!r} holds {guess.note}; {how}"]

    def _told(
        self, table: Table, columns: Columns, encoder: TableEncoder
    ) -> tuple[dict[str, str], list[str]]:
        """Return a line on each input that may be the target under another name, and notes on them."""
        told = tell_target(table, columns.targets, encoder.input_names)
        return told, [f"{line}; --ignore {_as_value(name)} leaves it out" for name, line in told.items()]

    def _one_target(self, columns: Columns, loaded: Loaded) -> str | None:
        """Return --target for the same run again: the column by its name, if it is one of the data's."""
        if self.target is None:
            return loaded.target
        return columns.targets[0] if not loaded.has_labels and len(columns.targets) == 1 else self.target

    def _whole_steps(self) -> bool:
        """Tell whether the optimizer takes all rows at once, and no others to validate on."""
        return bool(self.arguments.get("optimizer") == "lbfgs")

    def _scaled(self) -> bool:
        """Standardise the target for linear outputs; others have units and bounds of their own."""
        given = self.arguments
        return scales_target(given.get("loss", "auto"), given.get("output_activation", "auto"))


def values(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what options stand for."""
    return {name: _READERS[name](value) if name in _READERS else value for name, value in settings.items()}


def _as_value(name: str) -> str:
    """Write a column's name as a shell and an option that takes several names need it."""
    return shlex.quote(f'"{name}"' if "," in name else name)


def _check_texts(table: Table, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in table:
            raise ValueError(f"--text: {table.source} has no column {name!r}")


def check_choice(option: str, given: str | None, accepted: Collection[str]) -> None:
    """Refuse what an option does not take."""
    if given is not None and given not in accepted:
        raise ValueError(f"{option} must be {' or '.join(accepted)}, got {given!r}")


def check_fraction(option: str, fraction: float | None) -> None:
    """Refuse a part of the rows that is none."""
    if fraction is not None and not 0 <= fraction < 1:
        raise ValueError(f"{option} must be 0 or between 0 and 1, got {fraction:g}")
