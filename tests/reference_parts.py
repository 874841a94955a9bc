"""Periodic columns, input scales and parametric activations in plain NumPy, beside reference.py.

A network's parts are read from its attributes. Letters: x a periodic column (B,), w and b (k,), V (k, m) and
c (m,) its parameters; e (B, I) the first layer's inputs before their scales s (I,); f the activation of a
hidden layer and alpha (O,) its parameters. reference.py says the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import reference


def inputs(net: Any, X: np.ndarray) -> np.ndarray:
    """What the first layer reads, before it is scaled: plain columns, periodic ones, rows of tables."""
    wide = {column for column, _, _ in (*net.periodic, *net.embeddings)}
    parts = [X[:, [j for j in range(X.shape[1]) if j not in wide]]]
    for (column, _, _), (w, b, V, c) in zip(net.periodic, net.periodic_parameters, strict=True):
        x = X[:, [column]]
        parts.append(np.hstack([x, np.cos(2 * np.pi * x * w + b) @ V + c]))
    for (column, _, _), E in zip(net.embeddings, net.tables, strict=True):
        parts.append(E[X[:, column].astype(int)])
    return np.hstack(parts)


def forward(net: Any, X: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """z and a of each layer; a[0] is what the first layer reads."""
    a = [inputs(net, X) * (1 if net.scale is None else net.scale)]
    z = []
    names = (*net.activations, net.output_activation)
    for layer, (W, b, name) in enumerate(zip(net.weights, net.biases, names, strict=True)):
        z.append(a[-1] @ W + b)
        f = reference.activate(name, z[-1])
        parametric = net.parametric and layer < len(net.activations)
        a.append(z[-1] + net.alphas[layer] * (f - z[-1]) if parametric else f)
    return z, a


def gradient(net: Any, X: np.ndarray, Y: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss of the rows with the penalty, and its gradient laid out as the parameters."""
    z, a = forward(net, X)
    data = reference.row_losses(net.loss, z[-1], a[-1], Y).mean()
    loss = float(data) + net.l2 / 2 * sum(float((W * W).sum()) for W in (*net.weights, *net.tables))
    delta = reference.loss_slope(net.loss, z[-1], a[-1], Y, net.output_activation) / len(X)
    layers: list[np.ndarray] = []
    alphas: list[np.ndarray] = []
    for layer in reversed(range(len(z))):
        W = net.weights[layer]
        layers = [a[layer].T @ delta + net.l2 * W, delta.sum(axis=0), *layers]
        delta = delta @ W.T  # dLoss/da of the layer below
        if layer == 0:
            break
        name, below = net.activations[layer - 1], z[layer - 1]
        f_slope = reference.slope(name, below)
        if net.parametric:
            alpha = net.alphas[layer - 1]
            alphas.insert(0, (delta * (reference.activate(name, below) - below)).sum(axis=0))
            delta = delta * (1 + alpha * (f_slope - 1))
        else:
            delta = delta * f_slope
    scales = []
    if net.scale is not None:
        scales = [(delta * inputs(net, X)).sum(axis=0)]
        delta = delta * net.scale
    tables, waves = _of_inputs(net, X, delta)
    return loss, np.concatenate([part.ravel() for part in (*layers, *tables, *waves, *scales, *alphas)])


def _of_inputs(net: Any, X: np.ndarray, delta: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Gradients of tables and of periodic columns, from dLoss/de."""
    at = X.shape[1] - len(net.periodic) - len(net.embeddings)
    waves = []
    for (column, _, width), (w, b, V, _) in zip(net.periodic, net.periodic_parameters, strict=True):
        x, d = X[:, [column]], delta[:, at + 1 : at + width]
        u = 2 * np.pi * x * w + b
        du = -np.sin(u) * (d @ V.T)
        waves += [(2 * np.pi * x * du).sum(axis=0), du.sum(axis=0), np.cos(u).T @ d, d.sum(axis=0)]
        at += width
    tables = []
    for (column, codes, width), E in zip(net.embeddings, net.tables, strict=True):
        tables.append(np.eye(codes)[X[:, column].astype(int)].T @ delta[:, at : at + width] + net.l2 * E)
        at += width
    return tables, waves
