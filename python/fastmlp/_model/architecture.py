"""The shapes of a network: layer sizes, activations and embeddings, checked; and views of its parameters."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp._base.validation import as_array, choice, integer, layer_sizes
from fastmlp._rows.features import Features, SparseRows
from fastmlp._rows.targets import has_one_output_for_two, has_output_per_class
from fastmlp.data import TableEncoder
from fastmlp.spec.activations import ELEMENTWISE
from fastmlp.spec.losses import LINKS

Array = NDArray[Any]

_LETTERS = 200  # of a value in an error: networks may have thousands of layers or embeddings

#: Column of X, number of codes, width.
Embedding: TypeAlias = tuple[int, int, int]


class Views(tuple[Array, ...]):
    """Arrays that share a network's memory; assigning to one copies the values into it."""

    __slots__ = ()

    def __setitem__(self, at: int, values: Any) -> None:
        self[at][...] = values


def checked_sizes(sizes: Any) -> tuple[int, ...]:
    """Return layer sizes, inputs and outputs with them."""
    checked = layer_sizes("layer_sizes", sizes)
    if len(checked) < 2:
        raise ValueError(f"layer_sizes must have at least 2 entries, inputs and outputs, got {checked}")
    return checked


def checked_embeddings(embeddings: Any, inputs: int) -> tuple[Embedding, ...]:
    """Return embeddings, each of a column of its own."""
    if isinstance(embeddings, str) or not isinstance(embeddings, Sequence):
        raise TypeError(f"embeddings must be a sequence of (column, codes, width), got {_short(embeddings)}")
    checked: list[Embedding] = []
    embedded: set[int] = set()
    for i, one in enumerate(embeddings):
        name = f"embeddings[{i}]"
        if isinstance(one, str) or not isinstance(one, Sequence) or len(one) != 3:
            raise TypeError(f"{name} must be (column, codes, width), got {_short(one)}")
        column = integer(f"{name} column", one[0], low=0, high=inputs - 1)
        if column in embedded:
            raise ValueError(f"{name}: column {column} has an embedding already")
        embedded.add(column)
        # Codes are elements of X: 2**24 is the last whole number up to which float32 has all.
        codes = integer(f"{name} codes", one[1], low=1, high=2**24)
        checked.append((column, codes, integer(f"{name} width", one[2], low=1, high=2**20)))
    return tuple(checked)


def layer_shapes(sizes: Sequence[int], embeddings: Sequence[Embedding]) -> list[tuple[int, int]]:
    """Return the shape of each W; the first reads embedded columns."""
    inputs = sizes[0] + sum(width - 1 for _, _, width in embeddings)
    return list(pairwise((inputs, *sizes[1:])))


def check_codes(
    X: Features,
    embeddings: Sequence[Embedding],
    first_unknown: Callable[[Any], int],
    place: Callable[[int], tuple[int, int]] | None,
) -> None:
    """Refuse rows with anything else than codes in the columns of embeddings.

    `place` says where the element at a flat index stands, if not there.
    """
    if isinstance(X, SparseRows):
        raise TypeError("X must be dense for a network with embeddings, got a sparse matrix")
    at = first_unknown(X)
    if at >= 0:
        row, column = divmod(at, X.shape[1])
        codes = next(codes for coded, codes, _ in embeddings if coded == column)
        where = place(at)[0] if place else row
        raise ValueError(
            f"X has {float(X[row, column])!r} at row {where}, column {column}, which must be a code: "
            f"a whole number from 0 to {codes - 1}"
        )


def check_outputs(outputs: int, given: str, loss: str, numbers: Sequence[float]) -> None:
    """Refuse a number of outputs that a loss cannot have; `given` is the loss as it was written."""
    if has_output_per_class(loss) and outputs < 2:
        raise ValueError(f"layer_sizes must end with at least 2 outputs for loss {given!r}, got 1")
    if len(numbers) > 1 and outputs != len(numbers):
        raise ValueError(
            f"layer_sizes must end with {len(numbers)} outputs for loss {given!r}, got {outputs}"
        )


def check_memory(argument: str, sizes: Sequence[int], embeddings: Sequence[Embedding], itemsize: int) -> None:
    """Refuse a network whose parameters do not fit into the memory."""
    count = sum((i + 1) * o for i, o in layer_shapes(sizes, embeddings))
    count += sum(codes * width for _, codes, width in embeddings)
    if count * itemsize > _physical_memory():
        raise MemoryError(
            f"{argument}: {_short(sizes)} make {count} parameters, {count * itemsize / 2**30:.0f} GiB: "
            "more than the memory of this machine"
        )


def check_encoder(encoder: Any, network: Any) -> None:
    """Refuse an encoder that makes other inputs than the network has, or a target of another kind."""
    if not isinstance(encoder, TableEncoder):
        raise TypeError(f"encoder must be a fastmlp.data.TableEncoder or None, got {encoder!r}")
    inputs, embeddings = len(encoder.feature_names), encoder.embeddings
    if inputs != network.layer_sizes[0]:
        raise ValueError(f"encoder must make {network.layer_sizes[0]} inputs, the network's, got {inputs}")
    if sorted(embeddings) != sorted(network.embeddings):
        raise ValueError(
            f"encoder has the embeddings {_short(embeddings)}, the network {_short(network.embeddings)}; "
            "train with embeddings=encoder.embeddings"
        )
    if encoder.task is not None and (encoder.task == "classification") != (network.classes is not None):
        raise ValueError(f"encoder is for {encoder.task}, the network has loss {network.loss!r}")
    targets, outputs = len(encoder.target_names), network.layer_sizes[-1]
    if targets > 1 and targets != outputs:
        raise ValueError(f"encoder has {targets} targets, the network {outputs} outputs")


def parameter_views(
    flat: Array, sizes: Sequence[int], embeddings: Sequence[Embedding]
) -> tuple[Views, Views, Views]:
    """Return the W, the b and the E in an array that is laid out as the parameters."""
    shapes: list[tuple[int, ...]] = []
    for inputs, outputs in layer_shapes(sizes, embeddings):
        shapes += [(inputs, outputs), (outputs,)]
    layers = len(shapes)
    shapes += [(codes, width) for _, codes, width in embeddings]
    ends = list(accumulate(map(math.prod, shapes), initial=0))
    parts = [flat[a:b].reshape(shape) for (a, b), shape in zip(pairwise(ends), shapes, strict=True)]
    return Views(parts[0:layers:2]), Views(parts[1:layers:2]), Views(parts[layers:])


def _short(value: object) -> str:
    """Return a value for a message, which it may not make long."""
    return shortened(repr(value), _LETTERS)


@cache
def _physical_memory() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows, where an allocation that is too large fails
        return 2.0**42


def hidden_activations(activation: Any, layers: int) -> tuple[str, ...]:
    if isinstance(activation, str) or not isinstance(activation, Sequence):
        return (choice("activation", activation, ELEMENTWISE),) * layers
    if len(activation) != layers:
        raise ValueError(
            f"activation must be one name, or one a hidden layer, {layers}; got {len(activation)}"
        )
    return tuple(choice(f"activation[{i}]", name, ELEMENTWISE) for i, name in enumerate(activation))


def checked_output_activation(name: Any, loss: str) -> str:
    link = LINKS.get(loss)
    accepted = (link,) if link else ELEMENTWISE
    name = choice(f"output_activation for loss {loss!r}", name, ("auto", *accepted))
    return name if name != "auto" else link or "identity"


def checked_classes(labels: Any, loss: str, outputs: int) -> Array | None:
    """Return labels of the outputs as an array of the network's own: as many as there must be, sorted.

    None goes with networks of values, or of several labels at once, alone.
    """
    default = default_classes(loss, outputs)
    if default is None:
        if labels is not None:
            raise ValueError(
                f"classes must be None for a network that does not predict one label for each row "
                f"(loss {loss}, {outputs} outputs), got {_short(labels)}"
            )
        return None
    if labels is None:
        raise ValueError(f"classes must be {len(default)} labels for loss {loss!r}, got None")
    array = as_array("classes", labels)
    if array.shape != default.shape:
        raise ValueError(f"classes must be {len(default)} labels, got shape {array.shape}: {_short(labels)}")
    if array.dtype.kind not in "biufSUOMm":
        raise TypeError(f"classes must be labels or real numbers, got dtype {array.dtype}")
    mixed = array.dtype.kind in "SU" and not all(isinstance(label, (str, bytes)) for label in labels)
    try:
        increase = mixed or (array[1:] > array[:-1]).astype(bool).all()  # NumPy makes texts of a mixture
    except TypeError:
        mixed = True
    if mixed:
        raise TypeError(f"classes must be labels of one type that can be sorted, got {_short(labels)}")
    if not increase:
        raise ValueError(
            f"classes must be different and sorted, as training sorts them, got {_short(labels)}; "
            "to sort them, bring the columns of the last W and b into the same order: np.argsort(labels)"
        )
    array = array.copy()
    array.flags.writeable = False
    return array


def checked_feature_names(names: Any, inputs: int) -> tuple[str, ...]:
    """Return the names of the columns of X, as many as there are, or none."""
    given = _checked_names("feature_names", names)
    if len(given) not in (0, inputs):
        raise ValueError(f"feature_names must be {inputs} names, one for each column of X, got {len(given)}")
    if len(set(given)) < len(given):
        raise ValueError(f"feature_names must be different, got {names!r}")
    return given


def checked_target_names(names: Any, outputs: int) -> tuple[str, ...]:
    """Return the names of the columns that are learned: one, or one for each output, or none."""
    given = _checked_names("target_names", names)
    if len(given) not in (0, 1, outputs):
        wanted = "1 name" if outputs == 1 else f"1 name, or {outputs}, one for each output"
        raise ValueError(f"target_names must be {wanted}, got {len(given)}")
    return given


def _checked_names(argument: str, names: Any) -> tuple[str, ...]:
    try:
        given = None if isinstance(names, (str, bytes)) else tuple(names)
    except TypeError:
        given = None
    if given is None or not all(isinstance(name, str) for name in given):
        raise TypeError(f"{argument} must be a sequence of strings, got {_short(names)}")
    return tuple(map(str, given))


def default_classes(loss: str, outputs: int) -> Array | None:
    if has_output_per_class(loss):
        return np.arange(outputs)
    return np.arange(2) if has_one_output_for_two(loss) and outputs == 1 else None
