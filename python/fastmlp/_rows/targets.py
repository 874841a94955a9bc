"""Targets y as the core reads them: class numbers, or rows of values."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp._base.validation import as_array, as_numbers, is_missing, name_and_numbers, same_length
from fastmlp._base.whole_numbers import places, unique
from fastmlp.spec.losses import LINKS, LOSSES


def takes_labels(loss: str) -> bool:
    """Whether a loss is one of labels, which are scored by accuracy."""
    return LOSSES[loss].of_labels


def has_output_per_class(loss: str) -> bool:
    """Whether a loss is one of labels with an output for each."""
    return LOSSES[loss].output_per_class


def has_one_output_for_two(loss: str) -> bool:
    """Whether an output is the probability of the second of two classes, or of one of several labels."""
    return LOSSES[loss].one_output_for_two


def gives_probabilities(loss: str) -> bool:
    """Whether the outputs are probabilities of labels."""
    return LOSSES[loss].probabilities


@dataclass(frozen=True)
class Targets:
    """Exactly one of `labels` (n,) and `values` (n, outputs) is an array."""

    labels: NDArray[np.int32] | None
    values: NDArray[Any] | None

    def take(self, rows: NDArray[np.int64]) -> Targets:
        """Return some of the rows."""
        return Targets(
            None if self.labels is None else self.labels[rows],
            None if self.values is None else self.values[rows],
        )

    def matrix(self, outputs: int, dtype: Any) -> NDArray[Any]:
        """Return the values; for labels 1 in the column of the class and 0 elsewhere, (n, outputs)."""
        if self.values is not None:
            return self.values
        matrix = np.zeros((len(self), outputs), dtype)
        matrix[np.arange(len(self)), self.labels] = 1
        return matrix

    def __len__(self) -> int:
        array = self.labels if self.labels is not None else self.values
        assert array is not None
        return len(array)


_NUMBERS = {name: loss.number for name, loss in LOSSES.items()}


def parse_loss(loss: Any, among: Iterable[str] | None = None) -> tuple[str, tuple[float, ...]]:
    """Return the name of a loss and its numbers: none, one, or those of several quantiles.

    A cross-entropy that does not smooth has none.
    """
    known = _NUMBERS if among is None else {name: _NUMBERS[name] for name in among}
    name, numbers = name_and_numbers("loss", loss, known)
    number = LOSSES[name].number
    if number is not None and number.is_option:
        if not all(number.low <= value < number.high for value in numbers):
            raise ValueError(
                f"loss: the {number.name} of {name} must be at least {number.low:g} and below "
                f"{number.high:g}, got {loss!r}"
            )
        return name, () if numbers == (number.default,) else numbers
    if number is not None and not all(number.low < value < number.high for value in numbers):
        bounded = f"between {number.low:g} and {number.high:g}, both excluded"
        accepted = bounded if np.isfinite(number.high) else f"greater than {number.low:g}"
        raise ValueError(f"loss: the {number.name} of {name} must be {accepted}, got {loss!r}")
    if not all(q < r for q, r in pairwise(numbers)):
        raise ValueError(f"loss: several quantiles must increase, got {loss!r}")
    return name, numbers


def loss_text(name: str, numbers: tuple[float, ...]) -> str:
    """Return a loss with its numbers, such as ``huber(1.5)``: the inverse of `parse_loss`."""
    listed = ", ".join(map(repr, numbers))
    return f"{name}({listed})" if listed else name


def as_targets(y: Any) -> NDArray[Any]:
    """Return y as an array of one or two dimensions without missing labels; (n, 1) becomes (n,)."""
    array = as_array("y", y)
    if array.ndim == 0:
        given = shortened(repr(y), 40)
        raise ValueError(
            f"y must hold a target for each row, or be a text, the name of a column; got {given}"
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise ValueError(f"y must have 1 or 2 dimensions, got shape {array.shape}")
    if array.dtype.kind not in "biufSUOMm":
        raise TypeError(f"y must hold labels or real numbers, got dtype {array.dtype}")
    if array.dtype.kind in "OMm":
        missing = np.isnat(array) if array.dtype.kind != "O" else np.frompyfunc(is_missing, 1, 1)(array)
        if missing.any():
            raise ValueError(f"y has a missing value at row {np.argwhere(missing)[0][0]}")
    if array.dtype.kind == "O" and _are_fractions(array):
        return array.astype(np.float64)
    if array.dtype.kind == "O" and all(isinstance(value, bytes) for value in array.flat):
        return _bytes(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _bytes(labels: NDArray[Any]) -> NDArray[Any]:
    """Return bytes as an array of them, which drops zeros at the end."""
    packed = labels.astype("S")
    if (packed.astype(object) != labels).any():
        raise ValueError("y holds bytes that end in a zero byte, which NumPy cannot hold; decode them first")
    return packed


def _are_fractions(values: NDArray[Any]) -> bool:
    """Whether objects are numbers, and not all of them integers."""
    return all(isinstance(v, (numbers.Real, Decimal)) for v in values.flat) and not all(
        isinstance(v, numbers.Integral) for v in values.flat
    )


def per_quantile(y: NDArray[Any], numbers: tuple[float, ...]) -> NDArray[Any]:
    """Return y once for each of several quantiles, (n, quantiles); as it is for one number."""
    if len(numbers) < 2:
        return y
    if y.ndim != 1:
        raise ValueError(f"y must have shape (n,) for a loss of several quantiles, got {y.shape}")
    return np.repeat(y[:, np.newaxis], len(numbers), axis=1)


def find_classes(y: NDArray[Any], loss: str) -> NDArray[Any] | None:
    """Return the classes that training targets show, sorted; None where y holds values."""
    if not takes_labels(loss):
        return None
    if y.ndim == 2:
        if loss == "hinge":
            raise ValueError(f"y must be labels of shape (n,) for loss 'hinge', got shape {y.shape}")
        return np.arange(y.shape[1]) if has_output_per_class(loss) else None
    if y.dtype.kind == "f":
        as_numbers("y", y, np.float64)  # NaN is no label
        one_output = has_one_output_for_two(loss)
        if one_output and not np.isin(y, (0, 1)).all() and y.min() >= 0 and y.max() <= 1:
            return np.arange(2)  # probabilities of class 1
        if has_output_per_class(loss) and not (y == np.floor(y)).all():
            raise ValueError(
                f"y must be labels, or rows of probabilities of shape (n, classes), for loss {loss!r}; "
                "got numbers with fractions"
            )
    try:
        classes = unique(y)
    except TypeError:
        raise TypeError("y must hold labels of one type, got a mixture that cannot be sorted") from None
    if len(classes) < 2:
        raise ValueError(f"y has only one class, {shown(classes[0])}; at least two are needed")
    if has_one_output_for_two(loss) and len(classes) > 2:
        raise ValueError(
            f"y has {len(classes)} classes, but loss {loss!r} takes two (or a 0/1 matrix); "
            "use 'softmax_cross_entropy'"
        )
    return classes


def check_known(y: NDArray[Any], known: NDArray[Any]) -> NDArray[Any]:
    """Return the labels that the network to go on from knows, among which those of y must be."""
    texts = y.dtype.kind in "USO", known.dtype.kind in "USO"
    new = y if texts[0] != texts[1] else y[~np.isin(y, known)]
    if len(new):
        raise ValueError(
            f"y has the label {shown(new[0])}, which init, the network to go on from, does not know; its "
            f"labels are {some_of(known, 10)}"
        )
    return known


def encode(
    y: NDArray[Any],
    loss: str,
    numbers: tuple[float, ...],
    classes: NDArray[Any] | None,
    outputs: int,
    dtype: str,
    rows: int,
) -> Targets:
    """Return y as the core reads it, checked against the loss, the classes and the network's outputs."""
    same_length("y", len(y), rows)
    if has_output_per_class(loss) and y.ndim == 1:
        assert classes is not None
        return Targets(class_numbers(y, classes).astype(np.int32), None)
    one_output = has_one_output_for_two(loss) and y.ndim == 1
    if one_output and classes is not None and are_labels(y, classes):
        return Targets(None, class_numbers(y, classes).astype(dtype).reshape(-1, 1))
    if y.dtype.kind in "SUOMm":
        raise ValueError(f"y must be numbers for loss {loss!r}, got labels such as {shown(y.flat[0])}")
    values = per_quantile(as_numbers("y", y, dtype), numbers).reshape(len(y), -1)
    if values.shape[1] != outputs:
        raise ValueError(f"y must have {outputs} columns, one an output, got {values.shape[1]}")
    _check_values(values, loss)
    return Targets(None, values)


@dataclass(frozen=True)
class TargetForm:
    """How targets are given to the core: the loss with its numbers, the classes, the number of outputs."""

    loss: str
    numbers: tuple[float, ...]
    classes: NDArray[Any] | None
    outputs: int

    def encode(self, y: NDArray[Any], dtype: str, rows: int) -> Targets:
        """Return targets as the core reads them."""
        return encode(y, self.loss, self.numbers, self.classes, self.outputs, dtype, rows)


def are_labels(y: NDArray[Any], classes: NDArray[Any]) -> bool:
    """Whether y holds labels, rather than probabilities."""
    return y.dtype.kind != "f" or bool(np.isin(y, classes).all())


def class_numbers(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the number of each label among the sorted classes."""
    numbers = places(y, classes)
    if numbers is not None:
        return numbers
    try:
        at = np.searchsorted(classes, y)
    except TypeError:
        raise TypeError(f"y must hold labels like {shown(classes[0])}, got {shown(y[0])}") from None
    at[at == len(classes)] = 0
    unknown = np.flatnonzero(classes[at] != y)
    if len(unknown):
        raise ValueError(
            f"y has the label {shown(y[unknown[0]])} at row {unknown[0]}, which is not one of the classes "
            f"{some_of(classes, 10)}"
        )
    return at


def _check_values(values: NDArray[Any], loss: str) -> None:
    if loss in LINKS and values.size and values.min() < 0:
        raise ValueError(f"y must not be negative for loss {loss!r}, got {values.min():g}")
    if has_one_output_for_two(loss) and values.size and values.max() > 1:
        raise ValueError(f"y must be at most 1 for loss {loss!r}, got {values.max():g}")
    if has_output_per_class(loss) and gives_probabilities(loss):
        wrong = np.flatnonzero(~rows_sum_to_one(values))
        if len(wrong):
            total = values[wrong[0]].sum(dtype=np.float64)
            raise ValueError(f"y must have rows that sum to 1, row {wrong[0]} sums to {total:g}")


def rows_sum_to_one(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which rows sum to 1, as probabilities do, but for rounding."""
    right: NDArray[np.bool_] = np.abs(rows.sum(axis=1, dtype=np.float64) - 1) <= 1e-3
    return right


def shown(label: Any) -> str:
    """Return a label as an error shows it."""
    if isinstance(label, (np.datetime64, np.timedelta64)):
        return str(label)
    return repr(label.item() if isinstance(label, np.generic) else label)


def some_of(labels: NDArray[Any], most: int) -> str:
    """Return the first labels as an error lists them."""
    return ", ".join(shown(label) for label in labels[:most]) + (", .." if len(labels) > most else "")


def row_weights(
    sample_weight: Any, class_weight: Any, y: NDArray[Any], classes: NDArray[Any] | None, dtype: str
) -> NDArray[Any] | None:
    """Return the weight of each row, None where all are 1; some must be above 0."""
    weights = None
    if sample_weight is not None:
        weights = sample_weights(sample_weight, len(y), dtype)
        if weights.max() == 0:
            most = float(np.max(as_array("sample_weight", sample_weight)))
            got = "zeros only" if most == 0 else f"at most {most:g}, which is 0 in {dtype}"
            raise ValueError(f"sample_weight must be greater than 0 somewhere, got {got}")
    if class_weight is None:
        return weights
    weights = class_weighted(weights, class_weight, y, classes, dtype)
    if weights is not None and weights.max() == 0:
        raise ValueError(f"class_weight must leave some rows a weight above 0, got {class_weight!r}")
    return weights


def sample_weights(sample_weight: Any, rows: int, dtype: str) -> NDArray[Any]:
    """Return the weights of rows, checked."""
    weights = as_numbers("sample_weight", sample_weight, dtype)
    if weights.ndim != 1:
        raise ValueError(f"sample_weight must have shape (n,), got {weights.shape}")
    same_length("sample_weight", len(weights), rows)
    if weights.min() < 0:
        row = weights.argmin()
        raise ValueError(f"sample_weight must be at least 0, got {weights[row]:g} at row {row}")
    return weights


def class_weighted(
    weights: NDArray[Any] | None,
    class_weight: Any,
    y: NDArray[Any],
    classes: NDArray[Any] | None,
    dtype: str,
) -> NDArray[Any] | None:
    """Return weights (None: all are 1) times those of the rows' classes."""
    if class_weight is None:
        return weights
    classes = labelled_classes(y, classes)
    at = class_numbers(y, classes)
    counts = np.bincount(at, minlength=len(classes))
    of_rows = label_weights(class_weight, classes, counts)[at] * (1.0 if weights is None else weights)
    return as_numbers("class_weight", of_rows, dtype)


def labelled_classes(y: NDArray[Any], classes: NDArray[Any] | None) -> NDArray[Any]:
    """Return the classes whose rows class_weight can weigh."""
    if classes is None or y.ndim != 1 or not are_labels(y, classes):
        raise ValueError("class_weight needs y to be labels of shape (n,)")
    return classes


def weight_sum(weights: NDArray[Any]) -> float:
    """Return the sum of the weights of rows, which may be infinite."""
    with np.errstate(over="ignore"):
        return float(weights.sum(dtype=np.float64))


def mean_weight(total: float, rows: int, which: str) -> float:
    """Return the mean weight of rows; a sum that is 0, or too large or small to divide by, is refused."""
    mean = total / rows
    if not (np.finfo(np.float64).tiny <= mean and total < math.inf):
        raise ValueError(
            f"sample_weight and class_weight must leave some of {which} a weight above 0, and all of them a "
            f"finite sum, got a sum of {total:g}"
        )
    return mean


def weight_of_labels(
    class_weight: Any, parts: Iterable[NDArray[Any]], classes: NDArray[Any]
) -> dict[Any, float]:
    """Return the weight of each label, by the rows that there are of it; some must be above 0."""
    counts = np.zeros(len(classes), np.int64)
    for y in parts:
        counts += np.bincount(class_numbers(y, classes), minlength=len(classes))
    weights = label_weights(class_weight, classes, counts)
    if not weights[counts > 0].any():
        raise ValueError(f"class_weight must leave some rows a weight above 0, got {class_weight!r}")
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def label_weights(class_weight: Any, classes: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weight of each class, of which there are so many rows."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        # A network to go on from may know labels that y lacks: they are no classes of y, and weigh 1.
        there = counts > 0
        weights = np.ones(len(classes))
        weights[there] = counts.sum() / (there.sum() * counts[there])
        return weights
    if not isinstance(class_weight, dict):
        raise TypeError(f"class_weight must be 'balanced' or a dict of label to weight, got {class_weight!r}")
    factors = np.ones(len(classes))
    known = {label.item() if isinstance(label, np.generic) else label: i for i, label in enumerate(classes)}
    for label, factor in class_weight.items():
        if label not in known:
            raise ValueError(f"class_weight has the label {shown(label)}, which y does not have")
        if (
            isinstance(factor, bool)
            or not isinstance(factor, (int, float, np.number))
            or not 0 <= factor < np.inf
        ):
            raise ValueError(f"class_weight[{shown(label)}] must be a number of at least 0, got {factor!r}")
        factors[known[label]] = factor
    return factors
