"""What rows must know of the network that is to learn from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp._rows.features import Features
from fastmlp._rows.targets import TargetForm, Targets


class Learner(Protocol):
    """The network that learns from the rows."""

    @property
    def classes(self) -> NDArray[Any] | None:
        """The labels that the outputs stand for, sorted; None where y holds values."""
        ...

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Columns of X, widths of the hidden layers, outputs."""
        ...

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the parameters."""
        ...

    @property
    def _target_form(self) -> TargetForm:
        """How targets are given to the core."""
        ...

    def _check_codes(self, X: Features, place: Callable[[int], tuple[int, int]] | None = None) -> None:
        """Refuse rows with unknown codes in the columns of embeddings."""

    def _checked_rows(
        self, X: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> tuple[Features, Targets, NDArray[Any] | None]:
        """Return the user's own rows as the core reads them."""
        ...
