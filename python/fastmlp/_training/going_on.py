"""The network that a run begins with; where it goes on from another one, matched by column and by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import as_numbers
from fastmlp._inspect.columns import inputs_of_features
from fastmlp._model.architecture import hidden_activations, parameter_views
from fastmlp._model.parts import checked_parts
from fastmlp._network.network import Network
from fastmlp._rows.targets import TargetForm, parse_loss
from fastmlp.data._table import quoted

#: The arguments of `Network` that make parts: embeddings, periodic, input_scale, parametric.
PartArguments: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class _Start:
    """Parameters to begin with, as `Network` takes them for init."""

    layer_sizes: tuple[int, ...]
    parameters: NDArray[Any]
    embeddings: tuple[tuple[int, int, int], ...]
    periodic: tuple[tuple[int, int, int], ...]
    input_scale: bool
    parametric: bool


def is_network(init: Any) -> bool:
    """Whether init is a network, rather than a way to draw weights or the weights themselves."""
    return hasattr(init, "layer_sizes") and hasattr(init, "parameters")


def has_learned(init: Any) -> bool:
    """Whether init is a network that was trained."""
    return is_network(init) and bool(len(getattr(init, "history", ())))


def loss_to_go_on_with(loss: Any, task: Any, init: Any) -> Any:
    """Return the loss; where neither it nor the task is told, that of the trained network to go on from."""
    auto = isinstance(loss, str) and loss == "auto" and isinstance(task, str) and task == "auto"
    return init.loss if auto and has_learned(init) else loss


def known_form(init: Any) -> TargetForm | None:
    """Return how the targets of the network to go on from were given, if it is known what they were."""
    if not is_network(init) or not (has_learned(init) or known_classes(init) is not None):
        return None
    return TargetForm(*parse_loss(init.loss), known_classes(init), init.layer_sizes[-1])


def known_classes(init: Any) -> NDArray[Any] | None:
    """Return the labels that the outputs of the network to go on from are known to stand for."""
    classes = getattr(init, "classes", None) if is_network(init) else None
    if classes is None:
        return None
    classes = np.asarray(classes)
    default = classes.dtype.kind in "iu" and np.array_equal(classes, np.arange(len(classes)))
    return None if default and not has_learned(init) else classes


def begun(
    sizes: tuple[int, ...], activation: Any, loss: str, output_activation: Any, l2: Any, init: Any, seed: int,
    dtype: str, parts: PartArguments, *, names: tuple[str, ...], classes: NDArray[Any] | None,
) -> Network:  # fmt: skip
    """Return the network of a run; `names` are the columns of X and `classes` the labels of y.

    Raises
    ------
    ValueError
        If init is a network of other columns, labels, activations or sizes.
    """
    if is_network(init):
        init = _matched(init, activation, names, classes, parts)
    network = Network(sizes, activation, loss, output_activation, l2, init, seed, dtype, **parts)
    if classes is not None:
        classes.flags.writeable = False
    network._classes = classes  # found in y, so that they need no check
    if names:
        network.feature_names = names
    return network


def _matched(
    init: Any, activation: Any, names: tuple[str, ...], classes: NDArray[Any] | None, parts: PartArguments
) -> Any:
    """Return init, checked, with its inputs in the order of the columns."""
    hidden = getattr(init, "activations", None)
    if hidden is not None and hidden_activations(activation, len(hidden)) != tuple(hidden):
        raise ValueError(
            f"activation must be that of init, activation={init.activation!r}, got {activation!r}"
        )
    if has_learned(init) and (init.classes is None) != (classes is None):
        learned, given = ("values", "labels") if init.classes is None else ("labels", "values")
        raise ValueError(f"init has learned {learned}, y holds {given}")
    known = known_classes(init)
    if known is not None and classes is not None and not np.array_equal(known, classes):
        had, given = quoted(known.tolist()), quoted(classes.tolist())
        raise ValueError(f"y must have the labels of init, {had}; got {given}")
    rows = _first_rows(init, names, parts)
    if rows is None:
        return init
    wanted = checked_parts(**parts, inputs=len(names))
    has = checked_parts(**{name: getattr(init, name) for name in parts}, inputs=len(names))
    replace(wanted, embeddings=has.embeddings, periodic=has.periodic).check_same(init)
    values_of_init = as_numbers("init", init.parameters, init.parameters.dtype)
    parameters = np.empty_like(values_of_init)
    old = parameter_views(values_of_init, init.layer_sizes, has)
    new = parameter_views(parameters, init.layer_sizes, wanted)
    kept = (chain(views.weights, views.biases, views.alphas) for views in (new, old))
    for to, values in zip(*kept, strict=True):
        to[...] = values
    new.weights[0][...] = old.weights[0][rows.order]
    for table, at in zip(new.tables, rows.tables, strict=True):
        table[...] = old.tables[at]
    for waves, at in zip(new.periodic, rows.periodic, strict=True):
        for to, values in zip(waves, old.periodic[at], strict=True):
            to[...] = values
    if new.scale is not None and old.scale is not None:
        new.scale[...] = old.scale[rows.order]
    return _Start(init.layer_sizes, parameters, **wanted.described())


class _Rows(NamedTuple):
    """The rows of init's first W, and its tables and periodic columns, in the order of other columns."""

    order: NDArray[np.int64]
    tables: list[int]
    periodic: list[int]


def _first_rows(init: Any, names: tuple[str, ...], parts: PartArguments) -> _Rows | None:
    """Return what of init goes where, as its columns have another order; None if they have the same."""
    old = tuple(getattr(init, "feature_names", ()))
    if not old or not names or old == names:
        return None
    if set(old) != set(names):
        raise ValueError(
            "X must have the columns of init, in any order; "
            f"init alone has {quoted(name for name in old if name not in set(names))}, "
            f"X alone {quoted(name for name in names if name not in set(old))}"
        )
    tables = _places("embeddings", init, parts["embeddings"], names)
    periodic = _places("periodic", init, parts["periodic"], names)
    inputs = inputs_of_features(init)
    place = {name: i for i, name in enumerate(old)}
    wide = {**periodic, **tables}
    read = (*(name for name in names if name not in wide), *wide)
    order = np.array([row for name in read for row in inputs[place[name]]])
    return _Rows(order, [*tables.values()], [*periodic.values()])


def _places(
    argument: str, init: Any, given: Sequence[tuple[int, int, int]], names: tuple[str, ...]
) -> dict[str, int]:
    """Return which of init's embeddings or periodic columns the wanted ones are, by the columns' names."""
    old = tuple(init.feature_names)
    has = getattr(init, argument)
    known = {old[column]: at for at, (column, _, _) in enumerate(has)}
    wanted = [names[column] for column, _, _ in given]
    if set(wanted) != set(known):
        raise ValueError(f"{argument} must be of {quoted(known)}, as those of init, got {quoted(wanted)}")
    for (_, *shape), name in zip(given, wanted, strict=True):
        if tuple(shape) != tuple(has[known[name]][1:]):
            raise ValueError(f"init has {argument} {has}, but {tuple(given)} are needed")
    return {name: known[name] for name in wanted}
