"""The learned parts of a network besides W and b, checked: embeddings, periodic columns, scales, alphas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from fastmlp._base.text import shortened
from fastmlp._base.validation import flag, integer

_LETTERS = 200  # of a value in an error: networks may have thousands of layers or embeddings

#: Column of X, number of codes, width.
Embedding: TypeAlias = tuple[int, int, int]

#: Column of X, number of frequencies, width.
Periodic: TypeAlias = tuple[int, int, int]

#: The shapes of w, b, V and c of a periodic column.
PeriodicShapes: TypeAlias = tuple[tuple[int], tuple[int], tuple[int, int], tuple[int]]


@dataclass(frozen=True)
class Parts:
    """What a network learns besides W and b."""

    embeddings: tuple[Embedding, ...] = ()
    periodic: tuple[Periodic, ...] = ()
    input_scale: bool = False
    parametric: bool = False

    def first_inputs(self, columns: int) -> int:
        """Return how many inputs the first layer has, where X has so many columns."""
        return columns + sum(width - 1 for _, _, width in (*self.embeddings, *self.periodic))

    def periodic_shapes(self) -> list[PeriodicShapes]:
        return [((k,), (k,), (k, width - 1), (width - 1,)) for _, k, width in self.periodic]

    def alphas(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return how many alphas each layer has."""
        return tuple(sizes[1:-1]) if self.parametric else ()

    def count(self, sizes: Sequence[int]) -> int:
        """Return how many numbers they are, in a network of these layers."""
        return (
            sum(codes * width for _, codes, width in self.embeddings)
            + sum(k * (width + 1) + width - 1 for _, k, width in self.periodic)
            + (self.first_inputs(sizes[0]) if self.input_scale else 0)
            + sum(self.alphas(sizes))
        )

    def check_same(self, init: Any) -> None:
        """Refuse a network to begin with that has other parts."""
        for name, wanted in self.described().items():
            has = getattr(init, name, type(wanted)())
            if has != wanted:
                raise ValueError(f"init has {name} {_short(has)}, but {_short(wanted)} are needed")

    def described(self) -> dict[str, Any]:
        """Return the arguments of `Network` that make them."""
        return {
            "embeddings": self.embeddings, "periodic": self.periodic,
            "input_scale": self.input_scale, "parametric": self.parametric,
        }  # fmt: skip


def checked_parts(
    embeddings: Any = (),
    periodic: Any = (),
    input_scale: Any = False,
    parametric: Any = False,
    *,
    inputs: int,
) -> Parts:
    """Return the parts of a network whose X has so many columns."""
    embedded = checked_embeddings(embeddings, inputs)
    waves = checked_periodic(periodic, inputs, {column for column, _, _ in embedded})
    return Parts(embedded, waves, flag("input_scale", input_scale), flag("parametric", parametric))


def checked_embeddings(embeddings: Any, inputs: int) -> tuple[Embedding, ...]:
    """Return embeddings, each of a column of its own."""
    checked: list[Embedding] = []
    embedded: set[int] = set()
    for i, one in enumerate(_triples("embeddings", embeddings, "codes")):
        name = f"embeddings[{i}]"
        column = integer(f"{name} column", one[0], low=0, high=inputs - 1)
        if column in embedded:
            raise ValueError(f"{name}: column {column} has an embedding already")
        embedded.add(column)
        # Codes are elements of X: 2**24 is the last whole number up to which float32 has all.
        codes = integer(f"{name} codes", one[1], low=1, high=2**24)
        checked.append((column, codes, integer(f"{name} width", one[2], low=1, high=2**20)))
    return tuple(checked)


def checked_periodic(periodic: Any, inputs: int, embedded: set[int]) -> tuple[Periodic, ...]:
    """Return periodic columns, each a column of its own that holds no codes."""
    checked: list[Periodic] = []
    taken: set[int] = set()
    for i, one in enumerate(_triples("periodic", periodic, "frequencies")):
        name = f"periodic[{i}]"
        column = integer(f"{name} column", one[0], low=0, high=inputs - 1)
        if column in embedded:
            raise ValueError(f"{name}: column {column} has an embedding, so it holds codes")
        if column in taken:
            raise ValueError(f"{name}: column {column} is periodic already")
        taken.add(column)
        frequencies = integer(f"{name} frequencies", one[1], low=1, high=2**16)
        checked.append((column, frequencies, integer(f"{name} width", one[2], low=2, high=128)))
    return tuple(checked)


def layer_shapes(sizes: Sequence[int], parts: Parts) -> list[tuple[int, int]]:
    """Return the shape of each W; the first reads what parts make of the columns of X."""
    return list(pairwise((parts.first_inputs(sizes[0]), *sizes[1:])))


def _triples(argument: str, given: Any, second: str) -> Sequence[Any]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TypeError(f"{argument} must be a sequence of (column, {second}, width), got {_short(given)}")
    for i, one in enumerate(given):
        if isinstance(one, str) or not isinstance(one, Sequence) or len(one) != 3:
            raise TypeError(f"{argument}[{i}] must be (column, {second}, width), got {_short(one)}")
    return given


def _short(value: object) -> str:
    """Return a value for a message, which it may not make long."""
    return shortened(repr(value), _LETTERS)
