"""Every number of one forward and backward pass."""

from __future__ import annotations

from dataclasses import dataclass

from fastmlp._architecture import Array


@dataclass(frozen=True)
class Trace:
    """Every number of one forward and backward pass; n rows, layers 0 .. L-1 of the network.

    Attributes
    ----------
    z : list of arrays, (n, O)
        Pre-activations ``a_prev @ W + b``, one a layer.
    a : list of arrays
        Activations ``f(z)``; ``a[0]`` is X, or what its embeddings make of it, so there is one more than
        layers; the last are the outputs.
    delta : list of arrays, (n, O)
        ``dLoss/dz``, with each row's weight and the division by their sum.
    dW, db : list of arrays, (I, O) and (O,)
        Gradients of the loss, with the l2 term in dW.
    loss : float
        The loss of all rows, with the l2 term.
    dE : list of arrays, (codes, width)
        Gradients of the tables, with the l2 term, one an embedding.
    """

    z: list[Array]
    a: list[Array]
    delta: list[Array]
    dW: list[Array]  # noqa: N815 (the formula's name)
    db: list[Array]
    loss: float
    dE: list[Array]  # noqa: N815
