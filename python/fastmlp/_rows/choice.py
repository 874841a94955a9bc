"""Which loss "auto" is: by the task that the user names or, without one, by what the targets look like."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.validation import as_numbers, choice
from fastmlp._rows.targets import parse_loss, rows_sum_to_one, shown, takes_labels
from fastmlp.data._task import TASKS, Guess, guess_task, refuse_numbers, say_guess

Parts = Callable[[], Iterable[NDArray[Any]]]

#: What else than task says what y is for.
LOSS_TOO = "loss="

#: What "auto" is for labels, and for quantities.
LOSS_OF_TASK = {"classification": "softmax_cross_entropy", "regression": "squared_error"}


def choose_loss(loss: Any, task: Any, parts: Parts, *, labelled: bool = False) -> Any:
    """Return the loss, the one for y where it is "auto"; warn where that is a guess.

    Parameters
    ----------
    loss, task
        As `train` takes them.
    parts : callable
        Returns the targets, checked by `as_targets`, part by part.
    labelled : bool
        Whether an argument was given that only labels have, such as class_weight; then whole numbers are
        labels.

    Raises
    ------
    TypeError, ValueError
        If loss and task do not go together, or the targets do not go with the task.
    """
    choice("task", task, TASKS)
    if not isinstance(loss, str) or loss != "auto":
        check_agreement(loss, task)
        return loss
    first = next(iter(parts()))
    if first.ndim == 2:
        return _loss_of_matrix(task, parts)
    if task == "auto":
        refuse_numbers("y", first, quantities="as quantities give y as numbers, such as y.astype(float)")
        guess = guess_task(parts())
        if guess.note is not None and labelled:
            guess = Guess("classification")
        loss = loss_of_task(guess.task, first, "they are not taken for labels")
        say_guess("y", guess.note, LOSS_TOO)
        return loss
    return loss_of_task(task, first, f"task is {task!r}")


def check_agreement(loss: Any, task: str) -> None:
    """Refuse a task that is not that of the loss."""
    if task != "auto" and takes_labels(parse_loss(loss)[0]) != (task == "classification"):
        raise ValueError(f"task {task!r} does not go with loss {loss!r}; leave one of them out")


def loss_of_task(task: str, y: NDArray[Any], why: str) -> str:
    """Return the loss of a task for targets (n,), after a look at the first of them; errors say why."""
    if task == "regression" and y.dtype.kind in "SUOMm" and not _are_numbers(y):
        what = {"M": "dates", "m": "durations"}.get(y.dtype.kind, "labels")
        raise ValueError(f"y must hold numbers where {why}, got {what} such as {shown(y[0])}")
    if task == "classification" and y.dtype.kind == "f":
        fractions = np.flatnonzero(as_numbers("y", y, np.float64) % 1)
        if len(fractions):
            raise ValueError(f"y must hold labels where {why}, got the number {y[fractions[0]]:g}")
    return LOSS_OF_TASK[task]


def _loss_of_matrix(task: str, parts: Parts) -> str:
    """Return the loss for targets of several columns."""
    form = _look_at(parts)
    if task == "regression":
        return "squared_error"
    if task == "classification":
        if not form.within:
            raise ValueError(
                "y must be labels of shape (n,), 0 and 1 for several labels a row, or rows of probabilities "
                f"where task is {task!r}; got other numbers of shape (n, {form.columns})"
            )
        return "softmax_cross_entropy" if form.sums_to_one else "binary_cross_entropy"
    if form.flags and form.sums_to_one:
        classes = f"classes 0 to {form.columns - 1}"
        say(f"y holds rows of a single 1, which are taken as {classes}; for several labels a row give "
            "loss='binary_cross_entropy', for quantities task='regression'")  # fmt: skip
        return "softmax_cross_entropy"
    if form.flags:
        if form.floats:
            say_guess("y", "floats of only 0 and 1, which are taken as labels, several a row", LOSS_TOO)
        return "binary_cross_entropy"
    if form.sums_to_one:
        say_guess("y", "rows that sum to 1, which are taken as quantities", LOSS_TOO)
    return "squared_error"


class _Form(NamedTuple):
    """What a matrix of targets looks like."""

    columns: int
    floats: bool
    within: bool  # 0 and 1
    sums_to_one: bool  # each row, of numbers within 0 and 1
    flags: bool  # 0 and 1 alone; of floats, both of them


def _look_at(parts: Parts) -> _Form:
    columns, floats = 0, False
    within = sums_to_one = flags = True
    ones = zeros = False
    for y in parts():
        columns, floats = y.shape[1], y.dtype.kind == "f"
        if y.dtype.kind not in "biuf" and not _are_numbers(y):
            odd = next((value for value in y.flat if not isinstance(value, numbers.Real)), y.flat[0])
            raise ValueError(
                f"y of shape (n, {columns}) must hold numbers, got {shown(odd)}; labels have shape (n,)"
            )
        within = bool(((y >= 0) & (y <= 1)).all())
        if not within:
            return _Form(columns, floats, within=False, sums_to_one=False, flags=False)
        is_one, is_zero = y == 1, y == 0
        ones, zeros = ones or bool(is_one.any()), zeros or bool(is_zero.any())
        flags = flags and bool((is_one | is_zero).all())
        sums_to_one = sums_to_one and bool(rows_sum_to_one(y).all())
    return _Form(columns, floats, within, sums_to_one, flags and (not floats or (ones and zeros)))


def _are_numbers(y: NDArray[Any]) -> bool:
    return y.dtype.kind == "O" and all(isinstance(value, numbers.Real) for value in y.flat)
