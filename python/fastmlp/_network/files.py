"""Networks from model files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp._model import files
from fastmlp._network.network import Network

if TYPE_CHECKING:
    from os import PathLike


def load(path: str | PathLike[str]) -> Network:
    """Read a network that `Network.save` wrote.

    Parameters
    ----------
    path : path
        A safetensors file of this library.

    Returns
    -------
    Network
        With its classes, history and encoder.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, or not a model of this library, or of a newer format.
    """
    return files.load(path, Network)
