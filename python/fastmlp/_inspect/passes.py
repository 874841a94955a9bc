"""The numbers of one forward and backward pass."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    dP: list[list[Array]] = field(default_factory=list)  # noqa: N815
    ds: Array | None = None
    dalpha: list[Array] = field(default_factory=list)
    P: list[list[Array]] = field(default_factory=list)
    s: Array | None = None
    alpha: list[Array] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.y)
