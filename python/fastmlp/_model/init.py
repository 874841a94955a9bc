"""Initial weights: schemes scaled by fan-in I and fan-out O; biases are zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from fastmlp._base.validation import as_numbers, name_and_numbers
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp.spec.initialisations import INITIALISATIONS, fitting

#: Activation, W (I, O), b (O,); the arrays are the memory of the core.
Layer: TypeAlias = tuple[str, NDArray[Any], NDArray[Any]]

#: What init may be, with its number.
_NUMBERS = {"auto": None} | {name: entry.number for name, entry in INITIALISATIONS.items()}

_TABLE_SCALE = 0.05


def initialize_tables(core: _core.Network32, tables: int, seed: int) -> None:
    """Draw the tables of embeddings: uniform numbers within -0.05 and 0.05."""
    threads = _threads.for_bytes(core.parameters.nbytes)
    for number in range(tables):
        core.initialize_table(number, _TABLE_SCALE, seed, threads)


def initialize(core: _core.Network32, layers: Sequence[Layer], init: Any, seed: int) -> None:
    """Set weights and biases by a scheme, or a list of (W, b).

    "auto" is that of each layer's activation in `fastmlp.spec`; most are uniform, as uniform numbers need no
    logarithm, so that they are the same on every platform.
    """
    if isinstance(init, str):
        _by_scheme(core, layers, init, seed)
    elif isinstance(init, Sequence):
        _by_arrays(layers, init)
    else:
        names = ", ".join(_NUMBERS)
        raise TypeError(f"init must be one of {names}, a list of (W, b), or a Network; got {init!r}")


def _by_scheme(core: _core.Network32, layers: Sequence[Layer], init: str, seed: int) -> None:
    name, numbers = name_and_numbers("init", init, _NUMBERS)
    number = numbers[0] if numbers else None
    carried = _NUMBERS[name]
    if carried is not None and not carried.low <= numbers[0] < float("inf"):
        raise ValueError(f"init: the number of {name} must be at least {carried.low:g}, got {init!r}")
    for layer, (activation, W, _) in enumerate(layers):
        scheme = fitting(activation) if name == "auto" else INITIALISATIONS[name]
        scale = scheme.scale(*W.shape) if scheme.scale is not None else number
        assert scale is not None
        core.initialize(layer, scheme.distribution, scale, seed, _threads.for_bytes(W.nbytes))


def _by_arrays(layers: Sequence[Layer], arrays: Sequence[Any]) -> None:
    if len(arrays) != len(layers):
        raise ValueError(f"init must have one (W, b) a layer, {len(layers)}, got {len(arrays)}")
    for layer, (pair, (_, W, b)) in enumerate(zip(arrays, layers, strict=True)):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"init[{layer}] must be a pair (W, b)")
        for letter, given, into in zip("Wb", pair, (W, b), strict=True):
            values = as_numbers(f"init[{layer}] {letter}", given, into.dtype)
            if values.shape != into.shape:
                raise ValueError(f"init[{layer}] {letter} must have shape {into.shape}, got {values.shape}")
            into[...] = values
