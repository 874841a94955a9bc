"""The public network: a model that also evaluates, traces, diagnoses, saves and exports itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp._inspect.trace import Trace, traced
from fastmlp._model.files import save
from fastmlp._model.model import Model
from fastmlp._network.evaluated import Evaluated
from fastmlp.spec import texts

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn

    from fastmlp._inspect.diagnosis import Diagnosis


@texts.documented(
    activations=texts.activations(),
    losses=texts.losses(),
    inits=texts.inits(),
    inits_of_activations=texts.inits_of_activations(),
)
class Network(Evaluated, Model):
    """A multilayer perceptron: ``a = f(a_prev @ W + b)``, layer by layer.

    Parameters
    ----------
    layer_sizes : sequence of int
        Inputs, widths of the hidden layers, outputs.
    activation : str or sequence of str, default "relu"
        One for all hidden layers or one for each: <activations>.
    loss : str, default "softmax_cross_entropy"
        Of a row with target y (labels, or values of each output), summed over the outputs:

        <losses>
    output_activation : str, default "auto"
        "auto": softmax, sigmoid and exp for the cross-entropies and poisson, which take no other; identity
        for the others, which take any activation of hidden layers.
    l2 : float, default 0
        Penalty ``l2/2`` times the sum of squared weights (not biases).
    init : str, list of (W, b), or Network, default "auto"
        "auto" (<inits_of_activations>), <inits>; or the values themselves.
    seed : int or None, default 0
        Chooses the initial weights; None draws a seed.
    dtype : "float32" or "float64", default "float32"
    embeddings : sequence of (column, codes, width), default ()
        Columns of X that hold codes 0 .. codes - 1 of a category, such as `TableEncoder` makes. Each code
        stands for a row of a table E (codes, width) that is learned with the weights. The first layer reads
        the other columns of X and, behind them, these rows; the result is that of one-hot columns times E.
        Tables begin uniform within -0.05 and 0.05 and are penalised as weights are.
    periodic : sequence of (column, frequencies, width), default ()
        Columns x of X that become ``width`` inputs: x and, behind it, ``cos(2 pi x w + b) V + c`` with
        learned w and b (frequencies,), V (frequencies, width - 1) and c (width - 1,). w begins normal with
        deviation 0.1, b uniform within -pi and pi, V and c within -1 and 1 over sqrt(frequencies). They are
        not penalised.
        The first layer reads the plain columns of X, then those of each periodic one, then those of each
        embedding. (Gorishniy, Rubachev, Babenko, On embeddings for numerical features, NeurIPS 2022, and
        Holzmüller, Grinsztajn, Steinwart, Better by default, NeurIPS 2024.)
    input_scale : bool, default False
        Multiply each of these inputs by a learned number, `scale`, that begins as 1 and is not penalised.
    parametric : bool, default False
        Hidden layers have ``a = z + alpha (f(z) - z)`` with a learned alpha a neuron that begins as 1 and is
        not penalised; see `alphas`.

    Attributes
    ----------
    classes : array or None
        The labels that the outputs stand for, sorted; others of the same number can be assigned.
    feature_names : tuple of str
        The columns of the table that the network was trained on, () if it was none. Of another table it
        reads these, in whatever order they are; further columns are left out with a warning. As many names
        as X has columns, or none, can be assigned.
    target_names : tuple of str
        The column of that table that was learned, which another table may have too.
    seed : int or None
        The seed, also where it was drawn: it makes the same network again. Kept in the model's file.
    history : History
        What training measured; empty for an untrained network.
    stop_reason : str or None
        Why training ended: epochs, patience, loss_target, max_time, callback, diverged, interrupted; of
        lbfgs also converged (a minimum), or stalled (no step lowers the loss, short of a minimum).
    origin : dict
        What the command line keeps in the model file of the data: how it was read and split, a fingerprint,
        the frequencies of the labels. Values that JSON can hold; empty for other networks.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.
    """

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
        return traced(self, *self._checked_rows(X, y, sample_weight))

    def diagnose(self, X: Any, y: Any = None) -> Diagnosis:
        """Measure the signals of each layer, forward and backward, and warn where they do not get through.

        Parameters
        ----------
        X : array_like, (n, inputs), or a table
        y : array_like, (n,) or (n, outputs), or str, optional
            As in training. Without y, random signs are sent back from the outputs in place of dLoss/dz.

        Returns
        -------
        Diagnosis

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        from fastmlp._inspect.diagnosis import diagnose

        return diagnose(self, X, y)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to a safetensors file, whole or not at all; `fastmlp.load` reads it.

        Parameters
        ----------
        path : path
            A model that exists is replaced once the new one is complete; another file never.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If there is another file, or parameters are not finite.
        """
        save(self, path)

    def to_torch(self) -> nn.Sequential:
        """Return a torch.nn.Sequential with the same outputs; see `fastmlp.export.to_torch`."""
        from fastmlp._export.torch import to_torch

        return to_torch(self)
