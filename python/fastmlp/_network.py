"""A network: its parameters, what it predicts, and its gradients."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _threads
from fastmlp._history import History
from fastmlp._init import initialize
from fastmlp._sparse import Features, SparseRows, as_features, core_form
from fastmlp._targets import LINKS, Targets, as_targets, encode, parse_loss, per_quantile, row_weights
from fastmlp._validation import choice, dtype_name, feature_names, integer, layer_sizes, real

if TYPE_CHECKING:
    from os import PathLike

    from fastmlp.data import TableEncoder

#: Activations that act on one element, so that any layer may have them.
ELEMENTWISE = tuple(name for name in _core.ACTIVATIONS if name not in ("softmax", "exp"))

Array = NDArray[Any]


@dataclass(frozen=True)
class Trace:
    """Every number of one forward and backward pass; n rows, layers 0 .. L-1 of the network.

    Attributes
    ----------
    z : list of arrays, (n, O)
        Pre-activations ``a_prev @ W + b``, one a layer.
    a : list of arrays
        Activations ``f(z)``; ``a[0]`` is X, so there is one more than layers; the last are the outputs.
    delta : list of arrays, (n, O)
        ``dLoss/dz``, with each row's weight and the division by their sum.
    dW, db : list of arrays, (I, O) and (O,)
        Gradients of the loss, with the l2 term in dW.
    loss : float
        The loss of all rows, with the l2 term.
    """

    z: list[Array]
    a: list[Array]
    delta: list[Array]
    dW: list[Array]  # noqa: N815 (the formula's name)
    db: list[Array]
    loss: float


class Network:
    """A multilayer perceptron: ``a = f(a_prev @ W + b)``, layer by layer.

    Parameters
    ----------
    layer_sizes : sequence of int
        Inputs, widths of the hidden layers, outputs.
    activation : str or sequence of str, default "relu"
        One for all hidden layers or one for each: identity, relu, leaky_relu (slope 0.01), elu (alpha 1),
        gelu (with erf), silu, softplus, tanh, sigmoid.
    loss : str, default "softmax_cross_entropy"
        Of a row with target y (labels, or values of each output), summed over the outputs:

        - softmax_cross_entropy: ``-log softmax(z)[y]``; rows of probabilities q: ``-sum q log softmax(z)``
        - binary_cross_entropy: ``-y log s(z) - (1 - y) log(1 - s(z))``, s the sigmoid
        - squared_error: ``(a - y)^2 / 2``
        - absolute_error: ``|a - y|``
        - huber(delta), delta 1 by default: ``(a - y)^2 / 2`` where ``|a - y| <= delta``, else
          ``delta (|a - y| - delta / 2)``
        - quantile(q), q 0.5 by default: ``q (y - a)`` where y > a, else ``(1 - q) (a - y)``; several,
          such as quantile(0.05, 0.5, 0.95), are an output each, for one target
        - poisson: ``exp(z) - y z``
        - hinge: ``sum over j != y of max(0, a_j - a_y + 1)``
    output_activation : str, default "auto"
        "auto": softmax, sigmoid and exp for the cross-entropies and poisson, which take no other; identity
        for the others, which take any activation of hidden layers.
    l2 : float, default 0
        Penalty ``l2/2`` times the sum of squared weights (not biases).
    init : str, list of (W, b), or Network, default "auto"
        "auto" (he_uniform for the relu family, glorot_uniform otherwise), zeros, normal(std) with std 0.01 by
        default, uniform(a) within -a and a, 0.05 by default, glorot_normal, glorot_uniform, he_normal,
        he_uniform, lecun_normal; or the values themselves.
    seed : int, default 0
        Chooses the initial weights.
    dtype : "float32" or "float64", default "float32"

    Attributes
    ----------
    classes : array or None
        The labels that the outputs stand for, sorted.
    feature_names : tuple of str
        The columns of the table that the network was trained on, () if it was none; another table must have
        the same, in the same order.
    history : History
        What training measured; empty for an untrained network.
    stop_reason : str or None
        Why training ended: epochs, patience, loss_target, max_time, callback, converged (lbfgs),
        diverged, interrupted.
    encoder : fastmlp.data.TableEncoder or None
        How a table becomes X, if the network was trained on one; saved with it.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: str | Sequence[str] = "relu",
        loss: str = "softmax_cross_entropy",
        output_activation: str = "auto",
        l2: float = 0.0,
        init: Any = "auto",
        seed: int = 0,
        dtype: Any = "float32",
    ) -> None:
        self._dtype = dtype_name(dtype)
        self._layer_sizes = checked_sizes("layer_sizes", layer_sizes, self.dtype.itemsize)
        self._activations = _hidden_activations(activation, len(self.layer_sizes) - 2)
        self._loss, self._loss_numbers = parse_loss(loss)
        if self._loss in ("softmax_cross_entropy", "hinge") and self.layer_sizes[-1] < 2:
            raise ValueError(f"layer_sizes must end with at least 2 outputs for loss {loss!r}, got 1")
        if len(self._loss_numbers) > 1 and self.layer_sizes[-1] != len(self._loss_numbers):
            raise ValueError(
                f"layer_sizes must end with {len(self._loss_numbers)} outputs for loss {loss!r}, "
                f"got {self.layer_sizes[-1]}"
            )
        self._output_activation = _checked_output_activation(output_activation, self._loss)
        self._l2 = real("l2", l2, low=0)
        self.feature_names: tuple[str, ...] = ()
        self.classes: Array | None = _default_classes(self._loss, self.layer_sizes[-1])
        self.history = History()
        self.stop_reason: str | None = None
        self.encoder: TableEncoder | None = None
        make = _core.Network32 if self._dtype == "float32" else _core.Network64
        self._core = make(
            self.layer_sizes,
            [*self.activations, self.output_activation],
            self._loss,
            self._loss_numbers * (1 if len(self._loss_numbers) > 1 else self.layer_sizes[-1]),
            self.l2,
        )
        self._parameters: Array = self._core.parameters
        self._weights, self._biases = self._views(self._parameters)
        initialize(self, init, integer("seed", seed, low=0, high=2**64 - 1))

    @property
    def parameters(self) -> Array:
        """W0, b0, W1, b1, .. end to end, (n_parameters,): a writable view of the core's memory."""
        return self._parameters

    @parameters.setter
    def parameters(self, values: Any) -> None:
        self._parameters[...] = values

    @property
    def weights(self) -> Views:
        """W of each layer, (I, O): writable views of the same memory."""
        return self._weights

    @property
    def biases(self) -> Views:
        """The b of each layer, (O,): writable views of the same memory."""
        return self._biases

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Inputs, widths of the hidden layers, outputs."""
        return self._layer_sizes

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        return self._activations

    @property
    def output_activation(self) -> str:
        """The activation of the outputs."""
        return self._output_activation

    @property
    def l2(self) -> float:
        """The penalty of the squared weights."""
        return self._l2

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return len(self.parameters)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the parameters and of all computation: float32 or float64."""
        return np.dtype(self._dtype)

    @property
    def activation(self) -> str | tuple[str, ...]:
        """The activation of the hidden layers: one name if they share it."""
        return self.activations[0] if len(set(self.activations)) == 1 else self.activations

    @property
    def loss(self) -> str:
        """The loss, with its number if it takes one, such as ``huber(1.5)``."""
        numbers = ", ".join(map(repr, self._loss_numbers))
        return f"{self._loss}({numbers})" if numbers else self._loss

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.layer_sizes))
        hidden = ", ".join(dict.fromkeys(self.activations)) or "linear"
        return f"Network({sizes}, {hidden}, {self.loss}, {self.output_activation}, {self._dtype})"

    def forward(self, X: Any) -> Array:
        """Return the output activations.

        Parameters
        ----------
        X : array_like, (n, inputs)
            Rows of finite numbers; n may be 0. A SciPy sparse matrix is not made dense.

        Returns
        -------
        array, (n, outputs)
            A row's outputs have the same bits whatever rows are around it.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite numeric matrix with the network's number of columns.

        Warns
        -----
        RuntimeWarning
            If outputs are not finite.
        """
        return self._forward_on(_threads.resolve(None), X)

    def _forward_on(self, threads: int, X: Any) -> Array:
        """Return what `forward` does, on so many threads at the most."""
        few: Array | None = self._core_predictor.try_forward(X)
        if few is not None:
            return few
        outputs: Array = self._core_predictor.forward(core_form(self._matrix(X)), threads)
        at = _core.first_nonfinite(outputs)
        if at >= 0:
            warnings.warn(
                f"the outputs of row {at // outputs.shape[1]} are not finite: X or the weights are too large",
                RuntimeWarning,
                stacklevel=3,
            )
        return outputs

    def predict(self, X: Any) -> Array:
        """Return labels, or values.

        Parameters
        ----------
        X : array_like, (n, inputs)

        Returns
        -------
        array
            (n,) labels of the type that training saw: the class with the largest output, or for
            binary_cross_entropy the second class where its probability is above 1/2. Without classes, the
            0/1 matrix (n, outputs) of multi-label problems, or the outputs, (n,) if there is one. Several
            quantiles never cross: they are sorted (Chernozhukov, Fernandez-Val, Galichon, 2010).

        Raises
        ------
        TypeError, ValueError
            As `forward`.
        """
        outputs = self.forward(X)
        if self._loss == "binary_cross_entropy":
            above: NDArray[np.int64] = (outputs > 0.5).astype(np.int64)
            labels: Array = above if self.classes is None else self.classes[above[:, 0]]
        elif self.classes is not None:
            labels = self.classes[outputs.argmax(axis=1)]
        else:
            labels = outputs[:, 0] if outputs.shape[1] == 1 else outputs
            if len(self._loss_numbers) > 1:
                labels = np.sort(labels, axis=1)
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities.

        Parameters
        ----------
        X : array_like, (n, inputs)

        Returns
        -------
        array, (n, classes) or (n, outputs)
            Rows over `classes`; for multi-label problems, the probability of each label.

        Raises
        ------
        ValueError
            If the loss gives no probabilities, or X is wrong as in `forward`.
        """
        if self._loss not in ("softmax_cross_entropy", "binary_cross_entropy"):
            raise ValueError(
                f"predict_proba needs loss softmax_cross_entropy or binary_cross_entropy, got {self.loss!r}"
            )
        outputs = self.forward(X)
        if self._loss == "binary_cross_entropy" and self.classes is not None:
            return np.hstack([1 - outputs, outputs])
        return outputs

    def loss_and_gradient(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[float, Array]:
        """Return the loss of all rows and its gradient.

        ``sum(w_i loss_i) / sum(w_i) + l2/2 sum(W^2)``

        Parameters
        ----------
        X : array_like, (n, inputs)
        y : array_like, (n,) or (n, outputs)
            Labels or values, as in training.
        sample_weight : array_like, (n,), optional
            Weights w, at least 0; all 1 by default.

        Returns
        -------
        float, array (n_parameters,)
            The gradient is laid out as `parameters`.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        X, targets, weights = self._checked_rows(X, y, sample_weight)
        return self._core.loss_and_gradient(
            core_form(X), targets.labels, targets.values, weights, _threads.resolve(None)
        )

    def trace(self, X: Any, y: Any, sample_weight: Any = None) -> Trace:
        """Return every z, a, delta, dW and db of one forward and backward pass.

        Parameters
        ----------
        X, y, sample_weight
            As in `loss_and_gradient`; a sparse X is made dense.

        Returns
        -------
        Trace

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        X, targets, weights = self._checked_rows(X, y, sample_weight)
        X = X.toarray() if isinstance(X, SparseRows) else X
        loss, gradient, z, a, delta = self._core.trace(X, targets.labels, targets.values, weights)
        dW, db = self._views(gradient)
        outputs = self._core_predictor.forward(X, 1)  # with the output activation that belongs to the loss
        return Trace(z, [X, *a[:-1], outputs], delta, list(dW), list(db), loss)

    def predictor(self) -> Callable[[Array], Array]:
        """Return a callable for one row or a small block, without checks beyond the shape.

        It takes a C-contiguous array of the network's dtype, (inputs,) or (n, inputs), and returns what
        `forward` does, (outputs,) or (n, outputs). It reads the parameters as they are at each call, and
        raises TypeError or ValueError for any other argument.

        Examples
        --------
        >>> predict_row = net.predictor()  # doctest: +SKIP
        >>> predict_row(X[0])  # doctest: +SKIP
        """
        make: Any = _core.Predictor32 if self._dtype == "float32" else _core.Predictor64
        predictor: Callable[[Array], Array] = make(self._core)
        return predictor

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to a safetensors file, whole or not at all; `fastmlp.load` reads it.

        Parameters
        ----------
        path : path
            A file that exists is replaced once the new one is complete.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        from fastmlp._serialization import save

        save(self, path)

    @cached_property
    def _core_predictor(self) -> Any:
        return self.predictor()

    def _views(self, flat: Array) -> tuple[Views, Views]:
        """Return the W and the b in an array that is laid out as the parameters."""
        shapes = list(pairwise(self.layer_sizes))
        ends = np.cumsum([size for inputs, outputs in shapes for size in (inputs * outputs, outputs)])
        parts = np.split(flat, ends[:-1])
        return Views(W.reshape(s) for W, s in zip(parts[::2], shapes, strict=True)), Views(parts[1::2])

    def _matrix(self, X: Any) -> Features:
        names = feature_names(X)
        if names and self.feature_names and names != self.feature_names:
            raise ValueError(
                f"X must have the columns {', '.join(self.feature_names)}, in this order; "
                f"got {', '.join(names)}"
            )
        return as_features("X", X, self._dtype, self.layer_sizes[0])

    def _checked_rows(self, X: Any, y: Any, sample_weight: Any) -> tuple[Features, Targets, Array | None]:
        X = self._matrix(X)
        if len(X) == 0:
            raise ValueError("X must have at least one row, got 0")
        y = per_quantile(as_targets(y), self._loss_numbers)
        targets = encode(y, self._loss, self.classes, self.layer_sizes[-1], self._dtype, len(X))
        return X, targets, row_weights(sample_weight, None, y, self.classes, self._dtype)

    def __reduce__(self) -> Any:
        from fastmlp._serialization import from_metadata, metadata

        state = {name: getattr(self, name) for name in ("stop_reason", "classes", "encoder", "feature_names")}
        state["history"] = History(self.history.columns, self.history.rows())
        return from_metadata, (metadata(self), self.parameters.copy()), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class Views(tuple[Array, ...]):
    """Arrays that share a network's memory; assigning to one copies the values into it."""

    __slots__ = ()

    def __setitem__(self, at: int, values: Any) -> None:
        self[at][...] = values


def checked_sizes(argument: str, sizes: Any, itemsize: int) -> tuple[int, ...]:
    """Return layer sizes, inputs and outputs with them, whose parameters fit into the memory."""
    checked = layer_sizes(argument, sizes)
    if len(checked) < 2:
        raise ValueError(f"{argument} must have at least 2 entries, inputs and outputs, got {checked}")
    count = sum((i + 1) * o for i, o in pairwise(checked))
    if count * itemsize > _physical_memory():
        raise MemoryError(
            f"{argument}: {checked} make {count} parameters, {count * itemsize / 2**30:.0f} GiB: "
            "more than the memory of this machine"
        )
    return checked


def _physical_memory() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows, where an allocation that is too large fails
        return 2.0**42


def _hidden_activations(activation: Any, layers: int) -> tuple[str, ...]:
    if isinstance(activation, str) or not isinstance(activation, Sequence):
        return (choice("activation", activation, ELEMENTWISE),) * layers
    if len(activation) != layers:
        raise ValueError(
            f"activation must be one name, or one a hidden layer, {layers}; got {len(activation)}"
        )
    return tuple(choice(f"activation[{i}]", name, ELEMENTWISE) for i, name in enumerate(activation))


def _checked_output_activation(name: Any, loss: str) -> str:
    link = LINKS.get(loss)
    accepted = (link,) if link else ELEMENTWISE
    name = choice(f"output_activation for loss {loss!r}", name, ("auto", *accepted))
    return name if name != "auto" else link or "identity"


def _default_classes(loss: str, outputs: int) -> Array | None:
    if loss in ("softmax_cross_entropy", "hinge"):
        return np.arange(outputs)
    return np.arange(2) if loss == "binary_cross_entropy" and outputs == 1 else None
