"""Models as PyTorch's nn.Sequential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp._export import common
from fastmlp._model.parts import refuse_new_parts
from fastmlp.spec.activations import ACTIVATIONS

if TYPE_CHECKING:
    from fastmlp._model.model import Model


def to_torch(network: Model) -> Any:
    """Return a network as PyTorch modules that compute what `Network.forward` does.

    The output activation is the last module. A network with embeddings begins with a module that looks up the
    codes. The encoder, labels and units stay behind: rows are those of ``network.encoder.transform``.

    Parameters
    ----------
    network : Network

    Returns
    -------
    torch.nn.Sequential
        Linear layers and activations in turn, in the network's dtype; the weights are copies.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    refuse_new_parts(network._parts, "to_torch")
    torch = import_torch()
    from fastmlp._export.torch_modules import ColumnEmbeddings, Exp

    modules: list[Any] = []
    tables = [(column, torch.tensor(table)) for column, table in common.embeddings(network)]
    if tables:
        modules.append(ColumnEmbeddings(common.plain_columns(network), tables))
    for W, b, name in zip(network.weights, network.biases, common.layer_activations(network), strict=True):
        linear = torch.nn.Linear(*W.shape, device="meta")  # no numbers are drawn
        linear.weight, linear.bias = (torch.nn.Parameter(torch.tensor(values)) for values in (W.T, b))
        modules.append(linear)
        kind = ACTIVATIONS[name].torch
        if name == "exp":  # PyTorch has no module for it
            modules.append(Exp())
        elif kind is not None:
            module, accepted = kind
            modules.append(getattr(torch.nn, module)(**{key: values[0] for key, values in accepted.items()}))
    return torch.nn.Sequential(*modules)


def import_torch() -> Any:
    """Return PyTorch, or say how to install it."""
    try:
        import torch
    except ImportError:
        raise ImportError("PyTorch models need torch: pip install 'fastmlp[torch]'") from None
    return torch
