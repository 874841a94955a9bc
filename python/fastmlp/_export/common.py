"""What every export asks about a network, or an ensemble of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.ensemble import EnsembleModel
from fastmlp._model.model import Model
from fastmlp._rows.targets import parse_loss
from fastmlp.data._target import learns_log, target_units
from fastmlp.spec.losses import LOSSES, Loss

if TYPE_CHECKING:
    from fastmlp._model.predictor import Predictor
    from fastmlp.data import TableEncoder


class Part(NamedTuple):
    """A network, and what its outputs count."""

    network: Model
    factor: NDArray[np.float64]  # one number, or one for each output
    encoder: int  # which of the encoders, if there are any


class Parts(NamedTuple):
    """The networks that a model computes; its outputs are ``sum(factor * outputs) + shift``."""

    networks: list[Part]
    encoders: tuple[TableEncoder, ...]
    dtype: np.dtype[Any]  # of the networks; double if they have different ones
    shift: NDArray[np.float64] | None  # of outputs that are combined in the units of the target, in double


def parts(model: Predictor) -> Parts:
    """Return the networks that a network or an ensemble computes."""
    if not isinstance(model, EnsembleModel):
        assert isinstance(model, Model)
        own = () if model.encoder is None else (model.encoder,)
        return Parts([Part(model, np.ones(1), 0)], own, model.dtype, None)
    networks, shift = [], np.zeros(1)
    for i in np.flatnonzero(model.weights).tolist():
        network, scale = model.networks[i], np.ones(1)
        if model._own_units:
            scale, mean = target_units(None if network.encoder is None else network.encoder._target)
            shift = shift + model.weights[i] * mean
        networks.append(Part(network, model.weights[i] * scale, model._encoder_places[i] or 0))
    dtypes = {part.network.dtype for part in networks}
    dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(np.float64)
    return Parts(networks, model._encoders, dtype, shift if model._own_units else None)


def embeddings(network: Model) -> tuple[tuple[int, NDArray[Any]], ...]:
    """Return (column of X, table of shape (codes, width)) for each embedding, in order."""
    pairs = zip(network.embeddings, network.tables, strict=True)
    return tuple((column, table) for (column, *_), table in pairs)


class Waves(NamedTuple):
    """A periodic column x of X, whose numbers are x and ``cos(2 pi (x w + b)) V + c``: b in turns."""

    column: int
    w: NDArray[Any]
    b: NDArray[Any]
    V: NDArray[Any]
    c: NDArray[Any]


def periodic(network: Model) -> list[Waves]:
    """Return the periodic columns, in order."""
    turn = network.dtype.type(1 / (2 * np.pi))
    pairs = zip(network.periodic, network.periodic_parameters, strict=True)
    return [Waves(column, w, b * turn, V, c) for (column, *_), (w, b, V, c) in pairs]


def plain_columns(network: Model) -> list[int]:
    """Return the columns of X that the first layer reads as they are."""
    others = {column for column, *_ in (*network.embeddings, *network.periodic)}
    return [column for column in range(network.layer_sizes[0]) if column not in others]


def layer_activations(network: Model) -> tuple[str, ...]:
    """Return the activation of each layer, the output's with them."""
    return (*network.activations, network.output_activation)


def layer_alphas(network: Model) -> tuple[NDArray[Any] | None, ...]:
    """Return the alpha of each layer's activation, None where there is none or it changes nothing."""
    straight = (name == "identity" for name in network.activations)
    used = network.alphas or (None,) * len(network.activations)
    return (*(None if skip else alpha for alpha, skip in zip(used, straight, strict=True)), None)


def loss_entry(network: Predictor) -> Loss:
    """Return what the table of losses says of the network's."""
    return LOSSES[parse_loss(network.loss)[0]]


def sorts_outputs(network: Predictor) -> bool:
    """Tell whether `predict` sorts the outputs: those of several quantiles."""
    return len(parse_loss(network.loss)[1]) > 1


def units(network: Predictor) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return (scale, mean) of predictions ``y * scale + mean``; None if they are in units already.

    Each is an array of one number for all outputs, or of one for each of several targets.
    """
    target = None if network.encoder is None else network.encoder._target
    scale, mean = target_units(target)
    own = (scale == 1).all() and (mean == 0).all() and not learns_log(target)
    return None if own else (scale, mean)


def learned_log(network: Predictor) -> bool:
    """Return whether the values, in the units that `units` gives, are log(1 + y) of the target y."""
    encoder = network._reader
    return encoder is not None and learns_log(encoder._target)


def labels(network: Predictor) -> NDArray[Any] | None:
    """Return the classes as strings, int64, bool or float64; None if there are none.

    Bytes are read as Latin-1, as in model files, and dates are written out.
    """
    classes = network.classes
    if classes is None:
        return None
    if classes.dtype.kind == "O":
        classes = _of_one_type(classes)
    kind = classes.dtype.kind
    if kind == "S":
        return np.array([label.decode("latin-1") for label in classes.tolist()])
    if kind in "Mm":
        return classes.astype(str)
    if kind in "iu":
        if int(classes.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"classes must fit in 64 bits with a sign to be exported, got {classes.max()}")
        return classes.astype(np.int64)
    return classes.astype(np.float64) if kind == "f" else classes


def _of_one_type(classes: NDArray[Any]) -> NDArray[Any]:
    kinds = {type(label) for label in classes.tolist()}
    if len(kinds) > 1 or not kinds <= {str, bytes, int, float, bool}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"classes must be all text or all numbers to be exported, got {names}")
    return np.array(classes.tolist())


def check_finite(networks: Sequence[Part]) -> None:
    """Refuse a network that would compute nonsense elsewhere."""
    if not all(np.isfinite(part.network.parameters).all() for part in networks):
        raise ValueError("a network whose parameters hold NaN or infinity cannot be exported")
