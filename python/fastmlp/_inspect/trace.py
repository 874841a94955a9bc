"""Every number of one forward and backward pass."""

from __future__ import annotations

import numpy as np

from fastmlp._base.records import Records
from fastmlp._base.validation import integer, real
from fastmlp._inspect import steps
from fastmlp._inspect.passes import Pass
from fastmlp._model.architecture import Array
from fastmlp._model.model import Model
from fastmlp._rows.features import Features, dense_form
from fastmlp._rows.targets import Targets


class Trace(Pass):
    """Every number of one forward and backward pass; n rows, layers 0 .. L-1 of the network.

    ``print(trace)`` shows one row step by step; of several rows a table of the layers, and `show` a row.

    Attributes
    ----------
    z : list of arrays, (n, O)
        Pre-activations ``a_prev @ W + b``, one a layer.
    a : list of arrays
        Activations ``f(z)``, of parametric layers ``z + alpha (f(z) - z)``; ``a[0]`` is what the first layer
        reads, so there is one more than layers; the last are the outputs.
    delta : list of arrays, (n, O)
        ``dLoss/dz``, with each row's weight and the division by their sum.
    dW, db : list of arrays, (I, O) and (O,)
        Gradients of the loss, with the l2 term in dW.
    loss : float
        The loss of all rows, with the l2 term.
    dE : list of arrays, (codes, width)
        Gradients of the tables, with the l2 term, one an embedding.
    dP : list of lists of arrays
        Gradients of w, b, V and c, one list a periodic column.
    ds : array or None
        Gradient of the input scale.
    dalpha : list of arrays, (O,)
        Gradients of the alphas, one a hidden layer where they are parametric.
    W, b, E, P, s, alpha
        Copies of the parameters that the pass used, alike.
    y : array, (n, outputs)
        The targets; for labels 1 in the column of the class and 0 elsewhere.
    share : array, (n,)
        What each row counts in the loss: its weight divided by their sum, 1/n without weights.
    activations : tuple of str
        The f of each layer, the outputs' with them.
    loss_name : str
        The network's loss, such as ``huber(1.5)``.
    l2 : float
        The network's penalty of squared weights.
    """

    def __repr__(self) -> str:
        sizes = "-".join(str(a.shape[1]) for a in self.a)
        return f"Trace({len(self)} row{'s' * (len(self) != 1)}, {sizes}, {self.loss_name} {self.loss:.4g})"

    def __str__(self) -> str:
        return steps.of_row(self) if len(self) == 1 else self._summary()

    def _summary(self) -> str:
        columns = ("layer", "inputs", "outputs", "activation", "mean |z|", "mean |a|", "mean |delta|")
        rows = [
            (layer, *W.shape, f, *(_mean_size(part[layer]) for part in (self.z, self.a[1:], self.delta)),
             _norm(self.dW[layer]), _norm(self.db[layer]))
            for layer, (W, f) in enumerate(zip(self.W, self.activations, strict=True))
        ]  # fmt: skip
        table = Records((*columns, "|dW|", "|db|"), rows)
        return f"{self!r}\n{table}\ntrace.show(row) prints a row step by step"

    def show(self, row: int = 0, learning_rate: float = steps.LEARNING_RATE) -> None:
        """Print one row's way through the network, step by step, with the formulas beside the numbers.

        The forward pass, the backward pass and a step of gradient descent ``W <- W - learning_rate dW``. Of
        several rows, the backward pass shows what this one adds to the gradients, and the step takes the
        gradients of all rows. Numbers have 4 digits; of wide layers the first and last units are shown.

        Parameters
        ----------
        row : int, default 0
            Which of the n rows.
        learning_rate : float, default 0.1
            Length of the step, greater than 0.

        Raises
        ------
        TypeError, ValueError
            If there is no such row, or the learning rate is not greater than 0.

        References
        ----------
        D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning representations by back-propagating errors,
        Nature 323, 533-536, 1986.
        """
        row = integer("row", row, low=0, high=len(self) - 1)
        rate = real("learning_rate", learning_rate, low=0, open_low=True)
        print(steps.of_row(self, row, rate))


def traced(network: Model, X: Features, targets: Targets, weights: Array | None) -> Trace:
    """Run rows, checked and encoded, forward and backward."""
    X = dense_form(X)
    loss, gradient, z, a, delta = network._core.full_batch(
        X, targets.labels, targets.values, weights, threads=1
    ).trace()
    d, own = network._views(gradient), network._views(network.parameters.copy())
    outputs = network._core_predictor.forward(X, 1)  # with the output activation that belongs to the loss
    y = targets.matrix(outputs.shape[1], network.dtype)
    share = np.ones(len(y)) if weights is None else weights.astype(np.float64)
    return Trace(
        z, [*a[:-1], outputs], delta, [*d.weights], [*d.biases], loss, [*d.tables],
        [*own.weights], [*own.biases], [*own.tables], y, share / share.sum(),
        (*network.activations, network.output_activation), network.loss, network.l2,
        [[*arrays] for arrays in d.periodic], d.scale, [*d.alphas],
        [[*arrays] for arrays in own.periodic], own.scale, [*own.alphas],
    )  # fmt: skip


def _mean_size(values: Array) -> float:
    return float(np.abs(values).mean(dtype=np.float64))


def _norm(values: Array) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))
