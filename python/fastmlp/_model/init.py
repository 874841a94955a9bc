"""Initial weights: schemes scaled by fan-in I and fan-out O; biases are zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from fastmlp._base.validation import as_numbers, name_and_numbers
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp.spec.initialisations import INITIALISATIONS, fitting

#: W (I, O) and b (O,), in the memory of the core.
Layer: TypeAlias = tuple[NDArray[Any], NDArray[Any]]

#: What init may be, with its number.
_NUMBERS = {"auto": None} | {name: entry.number for name, entry in INITIALISATIONS.items()}

_TABLE_SCALE = 0.05


def initialize_tables(core: _core.Network32, tables: int, seed: int) -> None:
    """Draw the tables of embeddings: uniform numbers within -0.05 and 0.05."""
    threads = _threads.for_bytes(core.parameters.nbytes)
    for number in range(tables):
        core.initialize_table(number, _TABLE_SCALE, seed, threads)


def initialize_periodic(core: _core.Network32, columns: int, seed: int) -> None:
    """Draw the parameters of periodic columns; see `Network`."""
    threads = _threads.for_bytes(core.parameters.nbytes)
    for number in range(columns):
        core.initialize_periodic(number, seed, threads)


def initialize(
    core: _core.Network32, activations: Sequence[str], shapes: Sequence[tuple[int, int]], init: str, seed: int
) -> None:
    """Draw the weights of layers, of shapes (I, O), by a scheme.

    "auto" is that of each layer's activation in `fastmlp.spec`; most are uniform, as uniform numbers need no
    logarithm, so that they are the same on every platform.
    """
    name, numbers = name_and_numbers("init", init, _NUMBERS)
    number = numbers[0] if numbers else None
    carried = _NUMBERS[name]
    if carried is not None and not carried.low <= numbers[0] < float("inf"):
        raise ValueError(f"init: the number of {name} must be at least {carried.low:g}, got {init!r}")
    itemsize = core.parameters.itemsize
    for layer, (activation, (inputs, outputs)) in enumerate(zip(activations, shapes, strict=True)):
        scheme = fitting(activation) if name == "auto" else INITIALISATIONS[name]
        scale = scheme.scale(inputs, outputs) if scheme.scale is not None else number
        assert scale is not None
        threads = _threads.for_bytes(inputs * outputs * itemsize)
        core.initialize(layer, scheme.distribution, scale, seed, threads)


def assign_layers(layers: Sequence[Layer], init: Any) -> None:
    """Copy a list of (W, b) into the layers."""
    if not isinstance(init, Sequence):
        names = ", ".join(_NUMBERS)
        raise TypeError(f"init must be one of {names}, a list of (W, b), or a Network; got {init!r}")
    if len(init) != len(layers):
        raise ValueError(f"init must have one (W, b) a layer, {len(layers)}, got {len(init)}")
    for layer, (pair, own) in enumerate(zip(init, layers, strict=True)):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"init[{layer}] must be a pair (W, b)")
        for letter, given, into in zip("Wb", pair, own, strict=True):
            values = as_numbers(f"init[{layer}] {letter}", given, into.dtype)
            if values.shape != into.shape:
                raise ValueError(f"init[{layer}] {letter} must have shape {into.shape}, got {values.shape}")
            into[...] = values
