"""The computational graph of a network: the core's own formulas, written in gates."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._model.architecture import Array
from fastmlp._model.model import Model
from fastmlp._model.parts import refuse_new_parts
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
        ``loss.find("W0").grad``: X (which is a0 without embeddings), W0, b0, z0, a1, W1, .., y, a table and
        its gradient E0, .., the loss of each row "losses", and with l2 the "data" loss and the "penalty".
        A loss that works on z, such as softmax_cross_entropy, has no activation behind the last z. Gradients
        equal those of `Network.trace`: z0.grad is its delta[0].

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    if not isinstance(net, Model):
        raise TypeError(f"net must be a fastmlp.Network, got {net!r:.60}")
    refuse_new_parts(net._parts, "the graph")
    rows, targets, weights = net._checked_rows(X, y, sample_weight)
    values = targets.matrix(net.layer_sizes[-1], net.dtype)
    tables = [Tensor(E, f"E{i}") for i, E in enumerate(net.tables)]
    layers = [
        (Tensor(W, f"W{i}"), Tensor(b, f"b{i}"))
        for i, (W, b) in enumerate(zip(net.weights, net.biases, strict=True))
    ]
    scores = _scores(net, layers, _inputs(net, dense_form(rows), tables))
    y, numbers = graph.constant(values, "y"), np.array(net._loss_numbers)
    entry = LOSSES[net._loss]
    losses = _named("losses", entry.gates(graph, scores, entry.smoothed(y, numbers), numbers))
    loss = losses.mean() if weights is None else (_shares(weights) * losses).sum()
    if net.l2 > 0:
        squares = [(matrix**2).sum() for matrix in [*(W for W, _ in layers), *tables]]
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


def _inputs(net: Model, X: Array, tables: list[Tensor]) -> Tensor:
    """Return what the first layer reads: X, or its plain columns and the tables' rows of its codes."""
    if not tables:
        return Tensor(X, "X")
    coded = [column for column, _, _ in net.embeddings]
    plain = Tensor(np.delete(X, coded, axis=1), "X")
    found = [E[X[:, column].astype(np.int64)] for column, E in zip(coded, tables, strict=True)]
    return _named("a0", graph.concatenate([plain, *found], axis=1))


def _scores(net: Model, layers: list[tuple[Tensor, Tensor]], a: Tensor) -> Tensor:
    """Return what the loss reads: the outputs, or the last z where it works on that."""
    for i, ((W, b), activation) in enumerate(
        zip(layers, [*net.activations, net.output_activation], strict=True)
    ):
        z = _named(f"z{i}", a @ W + b)
        if i == len(layers) - 1 and LOSSES[net._loss].link:
            return z
        f = ACTIVATIONS[activation].gates
        assert f is not None  # the others belong to losses that work on z
        a = _named(f"a{i + 1}", f(graph, z))
    return a
