"""The form in which the targets of a run are given to the core, chosen by its loss and by the targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from fastmlp._rows.kinds import check_kind
from fastmlp._rows.targets import (
    TargetForm,
    check_known,
    find_classes,
    has_output_per_class,
    parse_loss,
    per_quantile,
    takes_labels,
)


def target_form(
    loss: Any, sample: NDArray[Any], labels: Callable[[], NDArray[Any]], known: TargetForm | None = None
) -> TargetForm:
    """Return the loss with its numbers, the classes that the targets show, and the number of outputs.

    The sample shows what kind of targets there are; labels() returns targets among which each label is.
    `known` is the form of a network to go on from, if it is known what its outputs stand for: where it has
    labels, these are the classes.
    """
    name, numbers = parse_loss(loss)
    given = labels() if takes_labels(name) else sample
    if known is not None and known.loss == name:
        check_kind(given, known, "init, the network to go on from, has learned")
    sample = per_quantile(sample, numbers)
    shown = given if takes_labels(name) else sample
    if known is not None and known.classes is not None and takes_labels(name) and shown.ndim == 1:
        classes: NDArray[Any] | None = check_known(shown, known.classes)
    else:
        classes = find_classes(shown, name)
    if classes is not None and has_output_per_class(name):
        return TargetForm(name, numbers, classes, len(classes))
    return TargetForm(name, numbers, classes, 1 if sample.ndim == 1 else int(sample.shape[1]))
