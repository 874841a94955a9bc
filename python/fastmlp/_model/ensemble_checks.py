"""Whether networks go together as an ensemble: the same inputs, outputs and kind of prediction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastmlp._base.text import shortened
from fastmlp._model.model import Model
from fastmlp._rows.targets import some_of
from fastmlp.data._target import learns_log
from fastmlp.spec.losses import LOSSES

_LETTERS = 200  # of a list of names in a message


def checked_members(networks: Any) -> tuple[Model, ...]:
    """Return networks that go together, as a tuple.

    Raises
    ------
    TypeError, ValueError
        Naming the first that is no network, or differs from networks[0], and how.
    """
    if isinstance(networks, (Model, str)) or not isinstance(networks, Iterable):
        raise TypeError(f"networks must be a sequence of Network, got {shortened(repr(networks), _LETTERS)}")
    members: tuple[Any, ...] = tuple(getattr(member, "network_", member) for member in networks)
    if not members:
        raise ValueError("networks must hold at least one Network, got none")
    for i, member in enumerate(members):
        if not isinstance(member, Model):
            hint = ", a fit that failed: leave it out" if member is None else ""
            raise TypeError(f"networks[{i}] must be a Network, got {shortened(repr(member), _LETTERS)}{hint}")
    for i, member in enumerate(members[1:], 1):
        _check_outputs(i, member, members[0])
        _check_classes(i, member, members[0])
        _check_inputs(i, member, members[0])
    return members


def shared(values: Sequence[Any]) -> Any:
    """Return the value that all have; None where they differ."""
    return values[0] if all(value == values[0] for value in values) else None


def _differs(i: int, what: str, own: Any, first: Any) -> ValueError:
    own, first = (shortened(str(value), _LETTERS) for value in (own, first))
    return ValueError(f"networks[{i}] has {what} {own}, networks[0] {first}; an ensemble needs the same")


def _check_outputs(i: int, member: Model, first: Model) -> None:
    """Refuse outputs of another number or meaning."""
    if _kind(member) != _kind(first):
        raise _differs(i, "loss", f"{member.loss!r}", f"{first.loss!r}, whose outputs mean something else")
    if member.layer_sizes[-1] != first.layer_sizes[-1]:
        raise _differs(i, "outputs:", member.layer_sizes[-1], first.layer_sizes[-1])
    if member.target_names and first.target_names and member.target_names != first.target_names:
        raise _differs(i, "target_names", member.target_names, first.target_names)


def _kind(network: Model) -> tuple[Any, ...]:
    """Return what the outputs stand for: probabilities, scores, means, or quantiles."""
    loss = LOSSES[network._loss]
    return loss.targets, loss.probabilities, network._loss_numbers if network._loss == "quantile" else ()


def _check_classes(i: int, member: Model, first: Model) -> None:
    own, others = member.classes, first.classes
    if (own is None) != (others is None):
        raise _differs(i, "classes", own, others)
    if own is None or others is None:
        return
    text = own.dtype.kind in "US", others.dtype.kind in "US"
    if text[0] != text[1] or not np.array_equal(own, others):
        raise _differs(i, "classes", some_of(own, 10), some_of(others, 10))


def _check_inputs(i: int, member: Model, first: Model) -> None:
    """Refuse networks that read other columns."""
    own, others = member.encoder, first.encoder
    if own is None and others is None:
        if member.layer_sizes[0] != first.layer_sizes[0]:
            raise _differs(i, "inputs:", member.layer_sizes[0], first.layer_sizes[0])
        if member.feature_names != first.feature_names:
            raise _differs(i, "feature_names", member.feature_names, first.feature_names)
        return
    if own is None or others is None:
        with_one, without = (
            ("networks[0]", f"networks[{i}]") if own is None else (f"networks[{i}]", "networks[0]")
        )
        raise ValueError(f"{with_one} has an encoder, {without} has none; an ensemble needs the same inputs")
    if own is others:
        return
    if own.task != others.task:
        raise _differs(i, "an encoder for", own.task, others.task)
    if own.target_names != others.target_names:
        raise _differs(i, "an encoder with the target", own.target_names, others.target_names)
    if learns_log(own._target) != learns_log(others._target):
        raise _differs(i, "an encoder with target_transform", own.target_transform, others.target_transform)
    for reads, other in ((own, others), (others, own)):
        known = {*other.input_names, *other.ignore, *other.dropped}
        unknown = [name for name in reads.input_names if name not in known]
        if unknown:
            raise _differs(
                i, "an encoder of the columns", ", ".join(own.input_names), ", ".join(others.input_names)
            )
