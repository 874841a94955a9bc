"""Models as PyTorch's nn.Sequential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp._export import common
from fastmlp.spec.activations import ACTIVATIONS

if TYPE_CHECKING:
    from fastmlp._model.model import Model


def to_torch(network: Model) -> Any:
    """Return a network as PyTorch modules that compute what `Network.forward` does.

    The output activation is the last module. A network with embeddings begins with a module that looks up the
    codes; periodic columns, an input scale and parametric activations are modules, too, whose parameters have
    the names w, b, V, c, s and alpha. The encoder, labels and units stay behind: rows are those of
    ``network.encoder.transform``.

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
    torch = import_torch()
    from fastmlp._export.torch_modules import Parametric

    modules = _inputs(torch, network)
    alphas = (*(network.alphas or (None,) * len(network.activations)), None)
    layers = zip(network.weights, network.biases, common.layer_activations(network), alphas, strict=True)
    for W, b, name, alpha in layers:
        linear = torch.nn.Linear(*W.shape, device="meta")  # no numbers are drawn
        linear.weight, linear.bias = (torch.nn.Parameter(torch.tensor(values)) for values in (W.T, b))
        modules.append(linear)
        f = _activation(torch, name)
        if alpha is not None:
            modules.append(Parametric(f or torch.nn.Identity(), torch.tensor(alpha)))
        elif f is not None:
            modules.append(f)
    return torch.nn.Sequential(*modules)


def _inputs(torch: Any, network: Model) -> list[Any]:
    """Return the modules between X and the first layer."""
    from fastmlp._export.torch_modules import ColumnEmbeddings, InputColumns, InputScale, PeriodicColumn

    modules: list[Any] = []
    plain = common.plain_columns(network)
    tables = [(column, torch.tensor(table)) for column, table in common.embeddings(network)]
    pairs = zip(network.periodic, network.periodic_parameters, strict=True)
    periodic = [PeriodicColumn(column, *map(torch.tensor, arrays)) for (column, *_), arrays in pairs]
    if periodic:
        modules.append(InputColumns(plain, periodic + ([ColumnEmbeddings([], tables)] if tables else [])))
    elif tables:
        modules.append(ColumnEmbeddings(plain, tables))
    if network.scale is not None:
        modules.append(InputScale(torch.tensor(network.scale)))
    return modules


def _activation(torch: Any, name: str) -> Any:
    """Return an activation's module, None for the identity."""
    from fastmlp._export.torch_modules import Exp

    if name == "exp":  # PyTorch has no module for it
        return Exp()
    kind = ACTIVATIONS[name].torch
    if kind is None:
        return None
    module, accepted = kind
    return getattr(torch.nn, module)(**{key: values[0] for key, values in accepted.items()})


def import_torch() -> Any:
    """Return PyTorch, or say how to install it."""
    try:
        import torch
    except ImportError:
        raise ImportError("PyTorch models need torch: pip install 'fastmlp[torch]'") from None
    return torch
