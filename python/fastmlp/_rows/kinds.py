"""Targets for a network that exists: labels where it has learned labels, numbers where it has learned those.

Its user need not have chosen its loss, so that errors speak of what it has learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import KINDS, plural
from fastmlp._base.validation import as_numbers
from fastmlp._rows.targets import (
    TargetForm,
    are_labels,
    gives_probabilities,
    rows_sum_to_one,
    shown,
    some_of,
    takes_labels,
)

LEARNS = "the network learns"


def check_kind(y: NDArray[Any], form: TargetForm, who: str = LEARNS) -> None:
    """Raise ValueError for targets of another kind or shape than a network learns.

    `who` begins an error's clause on what that is.

    Labels of the right kind that it does not know are left to others.
    """
    if not takes_labels(form.loss):
        wanted = 1 if len(form.numbers) > 1 else form.outputs
        check_values(y, wanted, who)
    elif form.classes is None:
        _check_several_labels(y, form.outputs, who)
    elif y.ndim == 2:
        _check_rows_of_classes(y, form, who)
    elif y.dtype.kind == "f":
        fractions = np.flatnonzero(as_numbers("y", y, np.float64) % 1)  # NaN is no label
        if len(fractions) and form.classes.dtype.kind != "f" and not _are_probabilities(y, form):
            raise ValueError(
                f"y must hold labels, as {who} {_some(form.classes)}; got the number {y[fractions[0]]:g}"
            )


def check_values(y: NDArray[Any], outputs: int, who: str = LEARNS) -> None:
    """Raise ValueError unless y holds numbers, as many for each row as a network learns."""
    odd = next((v for v in y.flat if isinstance(v, (str, bytes))), None) if y.dtype.kind == "O" else None
    if y.size and (y.dtype.kind in KINDS or odd is not None):
        what = KINDS.get(y.dtype.kind, "texts")
        first = y.flat[0] if odd is None else odd
        raise ValueError(f"y must hold numbers, as {who} quantities; got {what} such as {shown(first)}")
    if outputs != (1 if y.ndim == 1 else y.shape[1]):
        shape = "(n,)" if outputs == 1 else f"(n, {outputs})"
        raise ValueError(
            f"y must have shape {shape}, as {who} {plural(outputs, 'value')} a row, got {_shape(y)}"
        )


def _check_several_labels(y: NDArray[Any], outputs: int, who: str) -> None:
    columns = 1 if y.ndim == 1 else y.shape[1]
    if columns != outputs or y.dtype.kind in KINDS or not _within(y):
        got = f"shape {_shape(y)}" if columns != outputs else "other values"
        raise ValueError(
            f"y must be a matrix of 0 and 1 of shape (n, {outputs}), as {who} several labels a row; got {got}"
        )


def _check_rows_of_classes(y: NDArray[Any], form: TargetForm, who: str) -> None:
    """Check rows that hold a probability for each class."""
    assert form.classes is not None
    several = gives_probabilities(form.loss) and form.outputs > 1
    right = several and y.shape[1] == form.outputs and y.dtype.kind not in KINDS and _within(y)
    if not right or not rows_sum_to_one(y).all():
        rows = f", or rows of probabilities of shape (n, {form.outputs}) that sum to 1" if several else ""
        got = "other rows" if several and y.shape[1] == form.outputs else f"shape {_shape(y)}"
        raise ValueError(f"y must be labels of shape (n,){rows}, as {who} {_some(form.classes)}; got {got}")


def _are_probabilities(y: NDArray[Any], form: TargetForm) -> bool:
    """Whether y may be the probability of the second of two classes."""
    assert form.classes is not None
    return form.outputs == 1 and not are_labels(y, form.classes) and _within(y)


def _within(y: NDArray[Any]) -> bool:
    values = as_numbers("y", y, np.float64)
    return bool(((values >= 0) & (values <= 1)).all())


def _shape(y: NDArray[Any]) -> str:
    return "(n,)" if y.ndim == 1 else f"(n, {y.shape[1]})"


def _some(classes: NDArray[Any]) -> str:
    return f"the labels {some_of(classes, 5)}"
