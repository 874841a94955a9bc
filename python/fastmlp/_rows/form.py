"""The form in which the targets of a run are given to the core, chosen by its loss and by the targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from fastmlp._rows.targets import (
    TargetForm,
    find_classes,
    has_output_per_class,
    parse_loss,
    per_quantile,
    takes_labels,
)


def target_form(loss: Any, sample: NDArray[Any], labels: Callable[[], NDArray[Any]]) -> TargetForm:
    """Return the loss with its numbers, the classes that the targets show, and the number of outputs.

    The sample shows what kind of targets there are; labels() returns targets among which each label is.
    """
    name, numbers = parse_loss(loss)
    sample = per_quantile(sample, numbers)
    classes = find_classes(labels() if takes_labels(name) else sample, name)
    if classes is not None and has_output_per_class(name):
        return TargetForm(name, numbers, classes, len(classes))
    return TargetForm(name, numbers, classes, 1 if sample.ndim == 1 else int(sample.shape[1]))
