"""The shapes of a network: layer sizes and activations, checked; and views of its parameters."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp._base.validation import as_array, choice, layer_sizes
from fastmlp._model.parts import Parts, layer_shapes
from fastmlp._rows.features import Features, SparseRows
from fastmlp._rows.targets import has_one_output_for_two, has_output_per_class
from fastmlp.data import TableEncoder
from fastmlp.spec.activations import ELEMENTWISE
from fastmlp.spec.losses import LINKS

Array: TypeAlias = NDArray[Any]

_LETTERS = 200  # of a value in an error: networks may have thousands of layers or embeddings


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


def check_inputs(
    X: Features,
    parts: Parts,
    first_unknown: Callable[[Any], int],
    place: Callable[[int], tuple[int, int]] | None,
) -> None:
    """Refuse sparse rows where parts need dense ones, and anything else than codes in columns of embeddings.

    `place` says where the element at a flat index stands, if not there.
    """
    if isinstance(X, SparseRows):
        what = "embeddings" if parts.embeddings else "periodic columns" if parts.periodic else "input_scale"
        raise TypeError(f"X must be dense for a network with {what}, got a sparse matrix")
    at = first_unknown(X) if parts.embeddings else -1
    if at >= 0:
        row, column = divmod(at, X.shape[1])
        codes = next(codes for coded, codes, _ in parts.embeddings if coded == column)
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


def check_memory(argument: str, sizes: Sequence[int], parts: Parts, itemsize: int) -> None:
    """Refuse a network whose parameters do not fit into the memory."""
    count = sum((i + 1) * o for i, o in layer_shapes(sizes, parts)) + parts.count(sizes)
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


@dataclass(frozen=True)
class ParameterViews:
    """The arrays in an array that is laid out as the parameters."""

    weights: Views
    biases: Views
    tables: Views
    periodic: tuple[Views, ...]  # w, b, V and c of each
    scale: Array | None
    alphas: Views

    def named(self) -> dict[str, Array]:
        """Return the arrays by their names, in their order."""
        pairs = zip(self.weights, self.biases, strict=True)
        named = {
            f"{letter}{i}": array
            for i, pair in enumerate(pairs)
            for letter, array in zip("Wb", pair, strict=True)
        }
        named |= {f"E{i}": table for i, table in enumerate(self.tables)}
        for i, arrays in enumerate(self.periodic):
            named |= {f"P{i}.{letter}": array for letter, array in zip("wbVc", arrays, strict=True)}
        named |= {} if self.scale is None else {"s": self.scale}
        return named | {f"alpha{i}": alpha for i, alpha in enumerate(self.alphas)}


def parameter_views(flat: Array, sizes: Sequence[int], parts: Parts) -> ParameterViews:
    """Return the arrays in an array that is laid out as the parameters."""
    end = 0

    def taken(*shape: int) -> Array:
        nonlocal end
        begin, end = end, end + math.prod(shape)
        return flat[begin:end].reshape(shape)

    layers = [(taken(i, o), taken(o)) for i, o in layer_shapes(sizes, parts)]
    views = ParameterViews(
        weights=Views(W for W, _ in layers),
        biases=Views(b for _, b in layers),
        tables=Views(taken(codes, width) for _, codes, width in parts.embeddings),
        periodic=tuple(Views(taken(*shape) for shape in shapes) for shapes in parts.periodic_shapes()),
        scale=taken(parts.first_inputs(sizes[0])) if parts.input_scale else None,
        alphas=Views(taken(outputs) for outputs in parts.alphas(sizes)),
    )
    if end != len(flat):
        raise ValueError(f"cannot view {len(flat)} numbers as {end} parameters")
    return views


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
