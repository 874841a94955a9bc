"""Dense layers and activations, read one after the other from another program's model, as a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._network.network import Network
from fastmlp._rows.targets import parse_loss
from fastmlp.spec.losses import LINKS

#: The loss that goes with an output activation; squared_error with any other.
_LOSS_OF = {link: loss for loss, link in LINKS.items()}


def check_loss(loss: Any) -> None:
    """Check a loss argument, "auto" included, before anything is read."""
    if loss != "auto":
        parse_loss(loss)


class Layers:
    """A network in the making; `where` names the part of the model in messages."""

    def __init__(self) -> None:
        self._dense: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self._activations: list[str] = []
        self._open = False  # whether an activation may come
        self._inputs: int | None = None

    def inputs(self, width: int) -> None:
        """Take the number of inputs that the model says it has."""
        self._inputs = width

    def dense(self, W: NDArray[Any], b: NDArray[Any] | None, where: str) -> None:
        """Append ``z = a @ W + b``, W of shape (I, O); without b, it is zeros."""
        if W.dtype not in (np.float32, np.float64):
            raise ValueError(f"{where}: weights must be float32 or float64, got {W.dtype}")
        if self._dense and W.dtype != self._dense[0][0].dtype:
            raise ValueError(f"{where}: weights are {W.dtype}, those before are {self._dense[0][0].dtype}")
        self.width(W.shape[0], where)
        self._dense.append((W, np.zeros(W.shape[1], W.dtype) if b is None else b))
        self._activations.append("identity")
        self._open = True

    def activation(self, name: str, where: str) -> None:
        """Append an activation of the layer before."""
        if not self._open:
            raise ValueError(f"{where}: an activation must follow a dense layer, and only one may")
        self._activations[-1], self._open = name, False

    def width(self, width: int, where: str) -> None:
        """Check the number of values a row has at this place."""
        given = self._dense[-1][0].shape[1] if self._dense else self._inputs
        if given is not None and width != given:
            raise ValueError(f"{where}: takes {width} values a row, got {given}")

    def network(self, loss: str) -> Network:
        """Return the network; a loss that takes its link, such as softmax, adds it to plain outputs."""
        if not self._dense:
            raise ValueError("there is no dense layer")
        *hidden, output = self._activations
        if loss == "auto":
            loss = _LOSS_OF.get(output, "squared_error")
        elif output == "identity":
            output = "auto"
        sizes = [self._dense[0][0].shape[0], *(W.shape[1] for W, _ in self._dense)]
        network = Network(sizes, hidden, loss, output, init=self._dense, dtype=self._dense[0][0].dtype)
        network._seed = None  # not that of these weights
        return network
