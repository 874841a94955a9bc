"""What every export asks about a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._rows.targets import parse_loss
from fastmlp.data._target import SeveralTargets, ValueTarget
from fastmlp.spec.losses import LOSSES, Loss

if TYPE_CHECKING:
    from fastmlp._model.model import Model


def embeddings(network: Model) -> tuple[tuple[int, NDArray[Any]], ...]:
    """Return (column of X, table of shape (codes, width)) for each embedding, in order."""
    pairs = zip(network.embeddings, network.tables, strict=True)
    return tuple((column, table) for (column, *_), table in pairs)


def plain_columns(network: Model) -> list[int]:
    """Return the columns of X that are numbers, not codes of an embedding."""
    codes = {column for column, _ in embeddings(network)}
    return [column for column in range(network.layer_sizes[0]) if column not in codes]


def layer_activations(network: Model) -> tuple[str, ...]:
    """Return the activation of each layer, the output's with them."""
    return (*network.activations, network.output_activation)


def loss_entry(network: Model) -> Loss:
    """Return what the table of losses says of the network's."""
    return LOSSES[parse_loss(network.loss)[0]]


def sorts_outputs(network: Model) -> bool:
    """Tell whether `predict` sorts the outputs: those of several quantiles."""
    return len(parse_loss(network.loss)[1]) > 1


def units(network: Model) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return (scale, mean) of predictions ``y * scale + mean``; None if they are in units already.

    Each is an array of one number for all outputs, or of one for each of several targets.
    """
    target = None if network.encoder is None else network.encoder._target
    if isinstance(target, ValueTarget):
        target = SeveralTargets((target,))
    if not isinstance(target, SeveralTargets) or all((t.scale, t.mean) == (1, 0) for t in target.targets):
        return None
    return np.array([t.scale for t in target.targets]), np.array([t.mean for t in target.targets])


def labels(network: Model) -> NDArray[Any] | None:
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


def check_finite(network: Model) -> None:
    """Refuse a network that would compute nonsense elsewhere."""
    tables = (table for _, table in embeddings(network))
    if not all(np.isfinite(values).all() for values in (*network.weights, *network.biases, *tables)):
        raise ValueError("a network whose parameters hold NaN or infinity cannot be exported")
