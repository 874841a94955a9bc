"""Which inputs of a network belong to which column of its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastmlp._model.model import Model


class ColumnGroup(NamedTuple):
    """A column of a table, and what became of it.

    `features` are its places in X, `inputs` its rows in the weights of the first layer: those of a
    periodic column stand behind the plain ones, and those of embeddings behind all others.
    """

    name: str
    features: list[int]
    inputs: list[int]


def column_groups(net: Model, names_of_X: Sequence[str] = ()) -> list[ColumnGroup]:
    """Return the columns of the table that the network's encoder takes, or else the columns of X.

    Columns of X that have no names are called as given, or "feature 0" and so on.
    """
    if net.encoder is not None:
        names = [column.name for column in net.encoder.columns]
        sizes = [len(column.feature_names) for column in net.encoder.columns]
    else:
        width = net.layer_sizes[0]
        names = list(net.feature_names or names_of_X) or [f"feature {i}" for i in range(width)]
        sizes = [1] * width
    inputs = inputs_of_features(net)
    groups, start = [], 0
    for name, size in zip(names, sizes, strict=True):
        features = list(range(start, start + size))
        groups.append(ColumnGroup(name, features, [i for feature in features for i in inputs[feature]]))
        start += size
    return groups


def inputs_of_features(net: Model) -> list[list[int]]:
    """Return the rows of the first W that each column of X has."""
    wide = (*net.periodic, *net.embeddings)
    made = {column for column, _, _ in wide}
    inputs: list[list[int]] = [[] for _ in range(net.layer_sizes[0])]
    plain = (column for column in range(len(inputs)) if column not in made)
    at = 0
    for column in plain:
        inputs[column], at = [at], at + 1
    for column, _, width in wide:
        inputs[column], at = list(range(at, at + width)), at + width
    return inputs
