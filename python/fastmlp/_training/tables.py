"""Tables to learn from: what `train` gets of them is encoded on the rows that are learned from."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.text import plural, shortened
from fastmlp._base.validation import (
    as_array,
    as_table,
    choice,
    column_names,
    column_targets,
    same_length,
    table_column,
)
from fastmlp._rows.choice import LOSS_TOO, check_agreement, loss_of_task
from fastmlp._rows.memory import validation_fraction, validation_parts
from fastmlp._rows.targets import as_targets, parse_loss, takes_labels
from fastmlp._training.going_on import has_learned
from fastmlp._training.sources import opened
from fastmlp.data import Table, TableEncoder, audit, holdout, read_frame
from fastmlp.data._leaks import tell_target
from fastmlp.data._match import encoder_inputs, joined
from fastmlp.data._numbers import read_numbers
from fastmlp.data._plain import odd_column
from fastmlp.data._table import quoted, rows_with
from fastmlp.data._target import LabelTarget
from fastmlp.data._task import TASKS, guess_task, refuse_numbers, say_guess
from fastmlp.data._texts import texts_as_read
from fastmlp.spec.losses import LINKS

#: What a target that came beside a table is called.
_GIVEN_TARGET = "y"


@dataclass(frozen=True)
class Given:
    """Arguments of `train` that tables change; `encoder` is what encoded them, None where nothing did."""

    X: Any
    y: Any
    validation: Any
    sample_weight: Any
    task: Any
    embeddings: Sequence[tuple[int, int, int]]
    target_names: tuple[str, ...] = ()  # of a table that is not encoded
    encoder: TableEncoder | None = None


@dataclass(frozen=True)
class EncodingSettings:
    """Arguments of `train` that say how tables are encoded."""

    encode: Any
    loss: Any
    output_activation: Any
    class_weight: Any
    init: Any
    seed: int
    dtype: str
    memory_limit: Any


def encoded(given: Given, settings: EncodingSettings) -> Given:
    """Return the arguments with what is a table encoded, or as they are where nothing is to be.

    A file that holds a table is read and encoded. A table in memory is encoded if a column of it holds more
    than numbers without gaps, if `encode` is True, or if the network to go on from has an encoder.
    """
    X, y, from_file = opened(given.X, given.y, wanted_encoding(settings.encode), settings.memory_limit)
    X = X if hasattr(X, "read_next_batch") else as_table(X)
    targets = named_targets(X, y)
    if targets or X is not given.X or y is not given.y:
        given = replace(given, X=X, y=y, target_names=targets)
    if not is_to_be_encoded(X, targets, from_file, settings):
        return given
    if len(given.embeddings):
        raise ValueError("embeddings are the encoder's own where a table is encoded; give encode=False")
    return _encoded(given, settings, getattr(settings.init, "encoder", None))


def is_to_be_encoded(X: Any, targets: tuple[str, ...], from_file: bool, settings: EncodingSettings) -> bool:
    """Whether X, which is in memory, goes through an encoder; if not, tell what may be the target."""
    encode = wanted_encoding(settings.encode)
    names = () if type(X) is np.ndarray else column_names(X)
    if encode is True and not names:
        raise TypeError(
            f"encode={settings.encode!r} needs a table of named columns, got X of type {type(X).__name__}"
        )
    if encode is False or not names:
        return False
    known = getattr(settings.init, "encoder", None)
    if known is not None and isinstance(settings.encode, TableEncoder):
        raise ValueError("encode must be 'auto' or True where init has an encoder, got another TableEncoder")
    if not (encode is True or from_file or known is not None):
        odd = odd_column(X, targets)
        if odd is None:
            if targets and len({*names}) == len(names):
                _say_told(_NumberColumns(X, names), targets, getattr(X, "source", "X"))
            return False
        _check_begun(settings.init, f"the column {odd[0]!r} holds {odd[1]}")
    elif known is None:
        _check_begun(settings.init, "encode is True" if encode is True else "X is a file")
    return True


def wanted_encoding(encode: Any) -> bool | str:
    """Return whether tables are to be encoded: "auto", True, also by an encoder's settings, or False."""
    if isinstance(encode, bool) or (isinstance(encode, str) and encode == "auto"):
        return encode
    if not isinstance(encode, TableEncoder):
        raise ValueError(f"encode must be 'auto', True, False or a TableEncoder, got {encode!r}")
    if encode.columns:
        raise ValueError(
            "encode must be a TableEncoder that is not fitted, as one is fitted on the rows that are learned "
            "from; a table that it has transformed is an array"
        )
    return True


@dataclass(frozen=True)
class TargetOfTable:
    """What a table that is encoded is to learn, before it is divided.

    Attributes
    ----------
    table : Table
    names : tuple of str
        The columns of the target, () where no column can hold it.
    values : array or None
        The target where no column can hold it.
    present : array of int
        The rows that have a target.
    task : "auto", "classification" or "regression"
    """

    table: Table
    names: tuple[str, ...]
    values: NDArray[Any] | None
    present: NDArray[np.int64]
    task: Any

    def labels(self) -> NDArray[Any] | None:
        """Return the label of each row that has a target, None where they are not labels, one a row."""
        if self.task == "classification" and self.names:
            return LabelTarget(self.names[0]).encode(self.table.keep(*self.names).take(self.present))
        return None


def target_of_table(X: Any, y: Any, task: Any, settings: EncodingSettings) -> TargetOfTable | None:
    """Return what X and y are to learn if the table X is encoded, and None if it is not; say a guess."""
    encode = wanted_encoding(settings.encode)
    if encode is False or type(X) is np.ndarray or not column_names(X):
        return None
    known = getattr(settings.init, "encoder", None)
    if encode is not True and known is None and odd_column(X, named_targets(X, y)) is None:
        return None
    table, names, values = _with_target(read_frame(X), X, y, known)
    rows = _rows_with_target(table, names)
    present = np.arange(table.n_rows) if rows is None else rows
    if not len(present):
        raise ValueError(f"{table.source}: no row has a value in {quoted(names)}")
    if known is not None:
        task = known.task or task
    else:
        task = _task(table.keep(*names).take(present) if names else table, names, task, settings)
    return TargetOfTable(table, names, values, present, task)


def _say_told(
    table: Table | _NumberColumns, targets: tuple[str, ...], source: str, ignore: Collection[str] = ()
) -> None:
    """Warn of columns that may be the target under another name."""
    for line in tell_target(table, targets, _inputs(table, (*targets, *ignore))).values():
        say(f"{source}: {line}")


class _NumberColumns:
    """The columns of a frame of numbers as arrays, one at a time; its target may hold texts."""

    def __init__(self, frame: Any, names: tuple[Any, ...]) -> None:
        self._frame, self.names = frame, names

    def __getitem__(self, name: str) -> NDArray[Any]:
        return as_array(name, table_column(self._frame, name))


def _check_begun(init: Any, why: str) -> None:
    """Refuse to encode for a network that has learned from columns as they were."""
    if has_learned(init):
        raise ValueError(
            f"init was trained without an encoder, but {why}, so that the table is to be encoded; give the "
            "columns that init was trained on, with encode=False"
        )


def _encoded(given: Given, settings: EncodingSettings, known: TableEncoder | None) -> Given:
    """Return the arguments with tables encoded, by a new encoder or by one that is known."""
    table, targets, own = _with_target(read_frame(given.X), given.X, given.y, known)
    if known is not None and known.target_names != targets:
        raise ValueError(
            f"y must be {quoted(known.target_names)}, as that of init was, got {quoted(targets)}"
        )
    if known is None and not isinstance(given.X, Table):
        table, notes = texts_as_read(table, targets)
        for note in notes:
            say(f"{table.source}: {note}")
    weights = None
    if given.sample_weight is not None:
        weights = _of_rows(given.sample_weight, _rows_with_target(table, targets), table.n_rows)
    like = settings.encode if isinstance(settings.encode, TableEncoder) else TableEncoder()
    keep = like.ignore if known is None else _inputs(table, targets)
    audited = audit(table, targets, keep=keep, max_one_hot=like.max_one_hot)
    for note in audited.notes:
        say(f"{table.source}: {note}")
    table = audited.table
    _say_told(table, targets, table.source, like.ignore)
    task = _task(table, targets, given.task, settings) if known is None else known.task or given.task
    learned, held = _divided(table, targets, own, task, given.validation, settings.seed)
    training = table if held is None else table.take(learned)
    encoder = known or _new_encoder(like, targets, task, settings).fit(training)

    def pair(rows: Table, taken: Any) -> tuple[Any, Any]:
        X = encoder.transform(encoder_inputs(encoder, rows), settings.dtype)
        if own is None:
            return X, encoder.transform_target(rows)
        return X, own if taken is None else own[taken]

    validation = given.validation
    if held is not None:
        weighted = () if weights is None else (weights[held],)
        validation = (*pair(table.take(held), held), *weighted)
        weights = None if weights is None else weights[learned]
    elif isinstance(validation, (tuple, list)):
        validation = _validation(validation, encoder, settings.dtype)
    X, y = pair(training, None if held is None else learned)
    resolved = task if isinstance(settings.loss, str) and settings.loss == "auto" else "auto"
    return Given(X, y, validation, weights, resolved, encoder.embeddings, encoder=encoder)


def _new_encoder(
    like: TableEncoder, targets: tuple[str, ...], task: Any, settings: EncodingSettings
) -> TableEncoder:
    """Return an encoder with the settings of another one, for these targets."""
    if like.target is not None and like.target_names != targets:
        raise ValueError(f"encode has the target {quoted(like.target_names)}, y is {quoted(targets)}")
    if like.target_transform is not None and not targets:
        raise ValueError(
            f"target_transform must be None where y is given beside the table, got "
            f"{like.target_transform!r}; name columns of X as y, or transform y"
        )
    own = {
        "target": None if not targets else targets[0] if len(targets) == 1 else targets,
        "task": task,
        "scale_target": like.scale_target and scales_target(settings.loss, settings.output_activation),
    }
    return TableEncoder(**like._parameters() | own)


def named_targets(X: Any, y: Any) -> tuple[str, ...]:
    """Return the columns of a table X that y names, () where y holds the targets itself."""
    if isinstance(y, str):
        return (y,)
    return column_targets(X, y)


def _with_target(
    table: Table, X: Any, y: Any, known: TableEncoder | None
) -> tuple[Table, tuple[str, ...], NDArray[Any] | None]:
    """Return a table that holds the target, its name, and targets that no column can hold."""
    names = named_targets(X, y)
    for name in names:
        if name not in table:
            raise ValueError(f"y must be one of the columns {quoted(table.names)}; got {name!r}")
    if names:
        return table, names, None
    if y is None:
        raise TypeError("y is needed: the name of a column of X, labels or numbers")
    values = as_targets(y)
    same_length("y", len(values), table.n_rows)
    column = _as_column(values)
    if column is None or (known is not None and len(known.target_names) != 1):
        return table, () if known is None else known.target_names, values
    name = _GIVEN_TARGET if known is None else known.target_names[0]
    while known is None and name in table:
        name += "_"
    return joined(table, name, column), (name,), None


def _as_column(values: NDArray[Any]) -> NDArray[Any] | None:
    """Return targets as a column of a table, None where a table holds no such."""
    if values.ndim == 2:
        return None
    if values.dtype.kind in "biufUM":
        return values
    if values.dtype.kind == "O":
        if all(isinstance(value, str) for value in values):
            return values
        if all(isinstance(value, numbers.Integral) and not isinstance(value, bool) for value in values):
            return values.astype(np.int64)
    return None


def _rows_with_target(table: Table, targets: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Return the rows that have every target, None if all have."""
    present = rows_with(table, targets)
    return None if present.all() else np.flatnonzero(present)


def _of_rows(weights: Any, rows: NDArray[np.int64] | None, n_rows: int) -> NDArray[Any] | None:
    """Return the weights of the rows that have a target."""
    if weights is None:
        return None
    given, weights = weights, as_array("sample_weight", weights)
    if weights.ndim != 1:
        raise ValueError(
            f"sample_weight must hold a number for each row, got {shortened(repr(given), 40)}"
            + ("" if not isinstance(given, str) else "; give the column itself, such as frame[name]")
        )
    same_length("sample_weight", len(weights), n_rows)
    return weights if rows is None else np.asarray(weights[rows])


def _inputs(table: Table | _NumberColumns, targets: tuple[str, ...]) -> list[str]:
    return [name for name in table.names if name not in targets]


def _task(table: Table, targets: tuple[str, ...], task: Any, settings: EncodingSettings) -> Any:
    """Return what the target is for: by the loss, by `task`, or by a look at the column."""
    if task == "auto" and isinstance(settings.encode, TableEncoder):
        task = settings.encode._wanted_task
    if not isinstance(settings.loss, str) or settings.loss != "auto":
        check_agreement(settings.loss, task)
        return "classification" if takes_labels(parse_loss(settings.loss)[0]) else "regression"
    choice("task", task, TASKS)
    if len(targets) != 1:
        return task
    column = table[targets[0]]
    if task != "auto":
        if task == "classification" or not _are_texts_of_numbers(column):  # those the encoder reads
            loss_of_task(task, column, f"task is {task!r}")
        return task
    what = f"{table.source}: the target column {targets[0]!r}"
    refuse_numbers(what, column)
    guess = guess_task([column])
    if guess.note is not None and settings.class_weight is not None:
        return "classification"
    loss_of_task(guess.task, column, "they are not taken for labels")
    say_guess(what, guess.note, LOSS_TOO)
    return guess.task


def _are_texts_of_numbers(column: NDArray[Any]) -> bool:
    if column.dtype.kind not in "UO":
        return False
    texts = {value for value in column.tolist() if isinstance(value, str)}
    return 10 * len(read_numbers(texts).plain) >= 9 * len(texts)


def _divided(
    table: Table, targets: tuple[str, ...], y: NDArray[Any] | None, task: Any, validation: Any, seed: int
) -> tuple[Any, Any]:
    """Return the rows to learn from and those that a fraction holds back, None and None without one.

    They are those that it holds back of arrays.
    """
    if validation is None or isinstance(validation, (tuple, list)):
        return None, None
    fraction = validation_fraction(validation, table.n_rows)
    labels: Any = table.n_rows
    if targets and task == "classification":
        labels = LabelTarget(targets[0]).encode(table)
    elif y is not None and y.ndim == 1 and task != "regression":
        labels = y
    return holdout(labels, fraction, seed)


def scales_target(loss: Any, output_activation: Any) -> bool:
    """Standardise quantities for linear outputs; others have units and bounds of their own."""
    return output_activation in ("auto", "identity") and str(loss).strip() not in LINKS


def _validation(given: Sequence[Any], encoder: TableEncoder, dtype: str) -> tuple[Any, ...]:
    """Return validation rows of the user's own as the encoder makes them."""
    given_X, given_y, given_weights = validation_parts(given)
    try:
        X, y, _ = opened(given_X, given_y, True, None)
        X = as_table(X)
        if type(X) is np.ndarray or not column_names(X):
            raise TypeError(f"X must be a table, as that to learn from is; got {type(X).__name__}")
        table, targets, y = _with_target(read_frame(X), X, y, encoder if encoder.target_names else None)
        if y is None and targets != encoder.target_names:
            raise ValueError(f"y must be {quoted(encoder.target_names)}, got {quoted(targets)}")
        rows = _rows_with_target(table, targets) if y is None else None
        weights = _of_rows(given_weights, rows, table.n_rows)
        if rows is not None:
            say(f"validation: dropped {plural(table.n_rows - len(rows), 'row')} without a target")
            table = table.take(rows)
        matched = encoder.transform(encoder_inputs(encoder, table, "validation"), dtype)
        pair = (matched, encoder.transform_target(table) if y is None else y)
        return pair if weights is None else (*pair, weights)
    except (TypeError, ValueError) as error:
        named = str(error).startswith("validation")
        raise type(error)(str(error) if named else f"validation: {error}") from None
