"""A network from PyTorch's nn.Sequential."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from fastmlp._export.torch import import_torch
from fastmlp._network.layers import Layers, check_loss
from fastmlp._network.network import Network
from fastmlp.spec import texts
from fastmlp.spec.activations import ACTIVATIONS

#: Module of torch.nn -> the activation that it is, and the values that its arguments may have.
_ACTIVATIONS = {
    entry.torch[0]: (entry.name, entry.torch[1]) for entry in ACTIVATIONS.values() if entry.torch is not None
}

#: Modules that change nothing when a trained network is run on rows.
_WITHOUT_EFFECT = ("Identity", "Dropout", "AlphaDropout", "Flatten")


@texts.documented(modules=texts.torch_modules())
def from_torch(module: Any, *, loss: str = "auto") -> Network:
    """Return a network with the weights of PyTorch modules.

    Parameters
    ----------
    module : torch.nn.Sequential
        Linear layers (bias or not), each with an activation or none: <modules>.
        Softmax(1) or Softmax(-1) may be at the end. Dropout, Flatten and Identity are left out; a Sequential
        may be inside another.
    loss : str, default "auto"
        "auto": softmax_cross_entropy, binary_cross_entropy or poisson if the outputs are softmax, sigmoid
        or exp, and squared_error otherwise. Where one of those three losses is named and the outputs have
        no activation, as for PyTorch's losses on logits, its activation is added.

    Returns
    -------
    Network
        Of the dtype of the weights, float32 or float64, which are copied; `forward` computes what the
        modules do in evaluation mode. Classes are numbered.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError, ValueError
        If module is no Sequential or has a part that a network cannot have; the message names the part. If
        the loss is unknown or does not go with the outputs.
    """
    torch = import_torch()
    check_loss(loss)
    if type(module) is not torch.nn.Sequential:
        raise TypeError(f"module must be a torch.nn.Sequential, got {type(module).__name__}")
    layers = Layers()
    read = _readers(torch)
    for where, part in _parts(torch, module, "module"):
        if type(part) not in read:
            names = ", ".join(sorted(known.__name__ for known in read))
            raise ValueError(f"{where} is {type(part).__name__}; accepted are {names}")
        read[type(part)](layers, part, where)
    return layers.network(loss)


def _parts(torch: Any, module: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the modules in order, those of inner ones in their place."""
    for i, part in enumerate(module):
        if part._forward_hooks or part._forward_pre_hooks:
            raise ValueError(f"{where}[{i}] has hooks, which a network cannot have")
        if type(part) is torch.nn.Sequential:
            yield from _parts(torch, part, f"{where}[{i}]")
        else:
            yield f"{where}[{i}]", part


def _readers(torch: Any) -> dict[type, Callable[[Layers, Any, str], None]]:
    """Return what adds a module of each class to the layers."""
    from fastmlp._export.torch_modules import Exp

    activations = {getattr(torch.nn, module): _activation for module in _ACTIVATIONS}
    nothing = {getattr(torch.nn, module): _nothing for module in _WITHOUT_EFFECT}
    return {torch.nn.Linear: _linear, **activations, **nothing, Exp: _exp}


def _linear(layers: Layers, linear: Any, where: str) -> None:
    b = None if linear.bias is None else _array(linear.bias, where)
    layers.dense(_array(linear.weight, where).T, b, where)


def _array(values: Any, where: str) -> NDArray[Any]:
    if str(values.dtype) not in ("torch.float32", "torch.float64"):  # NumPy does not have all others
        raise ValueError(f"{where}: weights must be float32 or float64, got {values.dtype}")
    array: NDArray[Any] = values.detach().cpu().numpy()
    return array


def _activation(layers: Layers, module: Any, where: str) -> None:
    name, accepted = _ACTIVATIONS[type(module).__name__]
    for argument, values in accepted.items():
        given, wanted = getattr(module, argument), " or ".join(map(repr, values))
        if given not in values:
            raise ValueError(
                f"{where}: the {argument} of {type(module).__name__} must be {wanted}, got {given!r}"
            )
    layers.activation(name, f"{where} ({type(module).__name__})")


def _nothing(layers: Layers, module: Any, where: str) -> None:
    pass


def _exp(layers: Layers, module: Any, where: str) -> None:
    layers.activation("exp", where)
