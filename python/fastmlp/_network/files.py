"""Networks and ensembles from model files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp._model.ensemble_file import load_any
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network

if TYPE_CHECKING:
    from os import PathLike


def load(path: str | PathLike[str]) -> Network | Ensemble:
    """Read a network or an ensemble that its `save` wrote.

    Parameters
    ----------
    path : path
        A safetensors file of this library.

    Returns
    -------
    Network or Ensemble
        As it was saved, each network with its classes, history and encoder.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, or not a model of this library, or of a newer format.
    """
    return load_any(path, Network, Ensemble)
