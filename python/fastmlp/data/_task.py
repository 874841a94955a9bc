"""Labels or quantities: the one rule by which a target column is told to be for one task or the other."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.text import KINDS, shortened
from fastmlp._base.whole_numbers import unique
from fastmlp.data._numbers import WRITTEN, read_numbers, unread_quantities

Task = Literal["classification", "regression"]

TASKS = ("auto", "classification", "regression")

#: Whole numbers with more distinct values than this are taken for quantities.
MAX_NUMBERED_CLASSES = 20

#: Texts that look like numbers are not taken for labels of more classes than this.
MAX_CLASSES_OF_NUMBERS = 50

_LOOKED_AT_ONCE = 2**16  # values


class Guess(NamedTuple):
    """What a target is for, and what a warning should say where that is not plain."""

    task: Task
    note: str | None = None


def choose_task(column: NDArray[Any]) -> Task:
    """Tell labels from quantities.

    Strings and booleans are labels and fractions are quantities. Whole numbers, dates and durations are
    labels if there are at most 20 different ones and each occurs twice or more on average, or if there are at
    most two. Of floats that are all whole, only 0 and 1 are labels.

    Parameters
    ----------
    column : array, shape (n,)
        A target column, such as one of a Table; NaN is left out.

    Returns
    -------
    "classification" or "regression"

    Examples
    --------
    >>> import numpy as np
    >>> choose_task(np.arange(100) % 20), choose_task(np.arange(100) % 21)
    ('classification', 'regression')
    """
    return guess_task([np.asarray(column)]).task


def told_task(what: str, column: NDArray[Any]) -> Task:
    """Return what `choose_task` says of a column, and warn where it has to guess; `what` is its name.

    Raises
    ------
    ValueError
        If it would be labels, and these are numbers.
    """
    refuse_numbers(what, column)
    guess = guess_task([column])
    say_guess(what, guess.note)
    return guess.task


def refuse_numbers(
    what: str, column: NDArray[Any], option: str = "task={!r}", quantities: str | None = None
) -> None:
    """Raise ValueError for texts that would be labels of more than 50 classes, but look like quantities.

    So it is from more than 20 on where they are numbers but for a few, as ages with a "-" among them.
    `option` is how the user says what they are, `quantities` how they are taken as such, if not by it.
    """
    if column.dtype.kind not in "UO":
        return
    labels = {value for value in column[:_LOOKED_AT_ONCE].tolist() if isinstance(value, str)}
    if len(labels) <= MAX_NUMBERED_CLASSES:
        return
    given, are_labels = (
        f"{len(labels)} different ones such as {_some(labels)}",
        option.format("classification"),
    )
    plain = read_numbers(labels).plain
    if len(labels) <= MAX_CLASSES_OF_NUMBERS and not 0.9 * len(labels) <= len(plain) < len(labels):
        return
    if 10 * len(plain) >= 9 * len(labels):
        raise ValueError(
            f"{what} holds texts that look like numbers, {given}; {are_labels} takes them as labels, "
            f"{quantities or option.format('regression') + ' as quantities'}"
        )
    if 2 * len(plain) >= len(labels):
        raise ValueError(
            f"{what} holds {len(labels)} different texts of which {len(plain)} are numbers, but not "
            f"{_some(labels - set(plain))}; {are_labels} takes all as labels; "
            "for quantities, write plain numbers"
        )
    unread = unread_quantities(labels)
    if unread is not None:
        raise ValueError(
            f"{what} holds texts that look like {unread}, {given}; "
            f"{are_labels} takes them as labels; for quantities, write them {WRITTEN[unread]}"
        )


def _some(labels: Collection[str]) -> str:
    return ", ".join(repr(shortened(label, 30)) for label in sorted(labels)[:3])


def say_guess(what: str, note: str | None, other: str | None = None) -> None:
    """Warn of a guess, if it was one; `other` is another argument than task that spares it."""
    if note is not None:
        too = "" if other is None else f", or {other},"
        say(f"{what} holds {note}; task='classification' or task='regression'{too} says what it is for")


def guess_task(parts: Iterable[NDArray[Any]]) -> Guess:
    """Return what `choose_task` says of a column that comes in parts, and what is to be said of it."""
    values: NDArray[Any] = np.empty(0)
    kind, rows = "", 0
    for part in _pieces(parts):
        kind = _kind(part)
        if kind in "bUSO":
            return Guess("classification")
        known = part[~np.isnan(part)] if kind in "fMm" else part
        if kind == "f" and not (np.isfinite(known) & (known == np.floor(known))).all():
            return Guess("regression")
        found = unique(known)
        values = np.union1d(values, found) if len(values) else found
        rows += len(part)
        if len(values) > MAX_NUMBERED_CLASSES:
            break
    repeated = len(values) <= MAX_NUMBERED_CLASSES and 2 * len(values) <= rows
    if kind == "f":
        return _of_floats(values, repeated)
    return _of_whole_numbers(values, repeated or len(values) <= 2, kind)


def _of_whole_numbers(values: NDArray[Any], few: bool, kind: str) -> Guess:
    if few:
        return Guess("classification")
    what = KINDS.get(kind, "whole numbers")
    return Guess("regression", f"{_counted(values)} different {what}, which are taken as quantities")


def _of_floats(values: NDArray[Any], repeated: bool) -> Guess:
    if values.tolist() == [0, 1]:
        return Guess("classification", "floats of only 0 and 1, which are taken as labels")
    if repeated and len(values) > 1:
        counted = f"floats of only {len(values)} different whole numbers"
        return Guess("regression", f"{counted}, which are taken as quantities")
    return Guess("regression")


def _counted(values: NDArray[Any]) -> str:
    many = len(values) > MAX_NUMBERED_CLASSES
    return f"more than {MAX_NUMBERED_CLASSES}" if many else str(len(values))


def _kind(part: NDArray[Any]) -> str:
    """Return the kind of a dtype; "i" for objects that are whole numbers."""
    kind = part.dtype.kind
    if kind == "O" and all(isinstance(v, numbers.Integral) and not isinstance(v, bool) for v in part):
        return "i"
    return "i" if kind == "u" else kind


def _pieces(parts: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Yield short slices, so that a long column is only gone through as far as is needed."""
    for part in parts:
        for first in range(0, len(part), _LOOKED_AT_ONCE):
            yield part[first : first + _LOOKED_AT_ONCE]
