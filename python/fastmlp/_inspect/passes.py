"""The numbers of one forward and backward pass."""

from __future__ import annotations

from dataclasses import dataclass

from fastmlp._model.architecture import Array


@dataclass(frozen=True, repr=False, eq=False)
class Pass:
    """The numbers of a pass; `Trace` says what they are."""

    z: list[Array]
    a: list[Array]
    delta: list[Array]
    dW: list[Array]  # noqa: N815 (the formula's name)
    db: list[Array]
    loss: float
    dE: list[Array]  # noqa: N815
    W: list[Array]
    b: list[Array]
    E: list[Array]
    y: Array
    share: Array
    activations: tuple[str, ...]
    loss_name: str
    l2: float

    def __len__(self) -> int:
        return len(self.y)
