"""The computational graph of a network: the core's own formulas, written in gates."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._model.architecture import Array
from fastmlp._model.model import Model
from fastmlp._rows.features import dense_form
from fastmlp.graph import _engine as graph
from fastmlp.graph._engine import Tensor
from fastmlp.spec.activations import ACTIVATIONS
from fastmlp.spec.losses import LOSSES


def from_network(net: Model, X: Any, y: Any, sample_weight: Any = None) -> Tensor:
    """Return the graph of a network's loss, with the gradients of all its parts.

    ``sum(w_i loss_i) / sum(w_i) + l2/2 (sum(W^2) + sum(E^2))``

    Parameters
    ----------
    net : Network
        Read, never changed; the graph holds copies of its parameters, as float64.
    X, y, sample_weight
        As in `Network.loss_and_gradient`; a sparse X is made dense.

    Returns
    -------
    Tensor
        The loss, after `backward`. Its parts have the names of the formulas and are found by them, such as
        ``loss.find("W0").grad``: X (which is a0 if the first layer reads it as it is; without columns of
        codes), W0, b0, z0, a1, W1, .., y, a table and its gradient E0, .., a periodic column's "P0.w",
        "P0.b", "P0.V" and "P0.c", the input scale s, alpha0, .., the loss of each row "losses", and with l2
        the "data" loss and the "penalty".
        A loss that works on z, such as softmax_cross_entropy, has no activation behind the last z. Gradients
        equal those of `Network.trace`: z0.grad is its delta[0].

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    if not isinstance(net, Model):
        raise TypeError(f"net must be a fastmlp.Network, got {net!r:.60}")
    rows, targets, weights = net._checked_rows(X, y, sample_weight)
    values = targets.matrix(net.layer_sizes[-1], net.dtype)
    p = {name: Tensor(array, name) for name, array in net._own_views.named().items()}
    scores = _scores(net, p, _inputs(net, dense_form(rows), p))
    y, numbers = graph.constant(values, "y"), np.array(net._loss_numbers)
    entry = LOSSES[net._loss]
    losses = _named("losses", entry.gates(graph, scores, entry.smoothed(y, numbers), numbers))
    loss = losses.mean() if weights is None else (_shares(weights) * losses).sum()
    if net.l2 > 0:
        squares = [(matrix**2).sum() for name, matrix in p.items() if name[0] in "WE"]
        penalty = _named("penalty", net.l2 / 2 * sum(squares[1:], squares[0]))
        loss = _named("data", loss) + penalty
    _named("loss", loss).backward()
    return loss


def _named(name: str, tensor: Tensor) -> Tensor:
    tensor.name = name
    return tensor


def _shares(weights: Array) -> Tensor:
    exact = weights.astype(np.float64)
    return graph.constant(exact / exact.sum(), "w / sum(w)")


def _inputs(net: Model, X: Array, p: dict[str, Tensor]) -> Tensor:
    """Return what the first layer reads: plain columns of X, periodic ones and the tables' rows, scaled."""
    coded, periodic = ([column for column, *_ in parts] for parts in (net.embeddings, net.periodic))
    numbers = [column for column in range(X.shape[1]) if column not in coded]
    x = Tensor(X[:, numbers], "X")
    parts = [x]
    if periodic:
        parts = [x[:, [i for i, column in enumerate(numbers) if column not in periodic]]]
        parts += _waves(x, [numbers.index(column) for column in periodic], p)
    parts += [p[f"E{i}"][X[:, column].astype(np.int64)] for i, column in enumerate(coded)]
    a = x if len(parts) == 1 else graph.concatenate(parts, axis=1)
    if net.input_scale:
        a = a * p["s"]
    return a if a is x else _named("a0", a)


def _waves(X: Tensor, columns: list[int], p: dict[str, Tensor]) -> list[Tensor]:
    """Return each periodic column and its waves."""
    made = []
    for i, column in enumerate(columns):
        w, b, V, c = (p[f"P{i}.{letter}"] for letter in "wbVc")
        x = X[:, [column]]
        made += [x, graph.cos(2 * np.pi * x * w + b) @ V + c]
    return made


def _scores(net: Model, p: dict[str, Tensor], a: Tensor) -> Tensor:
    """Return what the loss reads: the outputs, or the last z where it works on that."""
    activations = [*net.activations, net.output_activation]
    for i, activation in enumerate(activations):
        z = _named(f"z{i}", a @ p[f"W{i}"] + p[f"b{i}"])
        if i == len(activations) - 1 and LOSSES[net._loss].link:
            return z
        f = ACTIVATIONS[activation].gates
        assert f is not None  # the others belong to losses that work on z
        a = f(graph, z)
        if f"alpha{i}" in p:
            a = z + p[f"alpha{i}"] * (a - z)
        _named(f"a{i + 1}", a)
    return a
