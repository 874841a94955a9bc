"""L-BFGS over all rows, and what is said of its end.

It computes in float64, whatever the network's type: in float32 the loss of large targets no longer changes
from step to step, long before its minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.model import Model, from_metadata, metadata
from fastmlp._native import core as _core
from fastmlp._rows.memory import CoreRows, WholeRows
from fastmlp._rows.read import RunRows
from fastmlp.spec.losses import LOSSES

OnEpoch = Callable[[tuple[Any, ...]], bool | float] | None
#: What ended it, the loss, the largest component of its gradient, and how often both were computed.
End = tuple[str | None, float, float, int]

#: What the core calls an end, and SciPy's status and message for it; with the reason, see `Network`.
_ENDS = {
    "gradient": ("converged", 0, "CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL"),
    "decrease": ("converged", 0, "CONVERGENCE: RELATIVE REDUCTION OF F <= FACTR*EPSMCH"),
    "iterations": ("epochs", 1, "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT"),
    "evaluations": ("epochs", 1, "STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT"),
    "abnormal": ("stalled", 2, "ABNORMAL: "),
}

# Numbers that are not below it are infinite in float32: its largest number, and half of the way to the next.
_FLOAT32_ENDS = 2.0**128 - 2.0**103


@dataclass(frozen=True)
class Minimum:
    """Where L-BFGS has ended, in the terms of SciPy's results.

    Attributes
    ----------
    fun : float
        The loss.
    gradient : float
        The largest component of its gradient, by size.
    nfev : int
        How often both were computed.
    status, message : int, str
        SciPy's; of a run that was stopped, an empty message.
    """

    fun: float
    gradient: float
    nfev: int
    status: int
    message: str


def scaled_limits(limits: dict[str, float], rows: RunRows, loss: str) -> dict[str, float]:
    """Return the limits with a gradient that counts as 0 at the scale of the targets.

    The gradient of values far below 1 is small from the start; that of a layer below the last falls with
    their square. So where their variance is below 1, the limit is multiplied by it.
    """
    assert isinstance(rows, WholeRows)
    _, _, values, weights, index = rows.train
    if values is None or LOSSES[loss].of_labels:
        return limits
    if index is not None:
        values, weights = values[index], None if weights is None else weights[index]
    values = values.astype(np.float64)
    mean = np.average(values, axis=0, weights=weights)
    with np.errstate(over="ignore"):
        variance = float(np.average((values - mean) ** 2, axis=0, weights=weights).max())
    return limits | {"gtol": limits["gtol"] * variance} if 0 < variance < 1 else limits


def as_float64(part: Any) -> Any:
    """Return rows or targets with their numbers in float64, sparse rows too; labels as they are."""
    if isinstance(part, tuple):
        values, *places = part
        return (values.astype(np.float64, copy=False), *places)
    if part is None or part.dtype.kind != "f":
        return part
    return part.astype(np.float64, copy=False)


class Minimization:
    """A run of L-BFGS over all rows, in float64, until one of the limits, which have SciPy's names.

    A float64 network takes the place of a float32 one, which takes over its parameters.
    """

    def __init__(
        self, network: Model, rows: CoreRows, on_epoch: OnEpoch, limits: dict[str, Any],
        in_float64: Callable[[Any], Any] = as_float64,
    ) -> None:  # fmt: skip
        self._network, self._limits = network, limits
        self._trained, self.on_epoch, self.rows = network, on_epoch, rows
        most: dict[str, Any] = {}
        if not isinstance(network._core, _core.Network64):
            start = network.parameters.astype(np.float64)
            self._trained = from_metadata(Model, metadata(network) | {"dtype": "float64"}, start)
            self.on_epoch = None if on_epoch is None else self._shown(on_epoch)
            self.rows = (*(in_float64(part) for part in rows[:4]), rows[4])
            most["largest_parameter"] = _FLOAT32_ENDS
        core = self._trained._core
        assert isinstance(core, _core.Network64)
        self.core, self.limits = core, _core.LbfgsOptions(**limits, **most)

    def _shown(self, on_epoch: Callable[[tuple[Any, ...]], bool | float]) -> OnEpoch:
        def iteration_ended(record: tuple[Any, ...]) -> bool | float:
            self._network.parameters[:] = self._trained.parameters
            return on_epoch(record)

        return iteration_ended

    def ended(
        self, records: NDArray[np.float64], reason: str, exception: BaseException | None, end: End
    ) -> tuple[NDArray[np.float64], str, BaseException | None, Minimum | None]:
        """Take over the parameters; return records, reason and exception and, without one, the minimum."""
        if self._trained is not self._network:
            self._network.parameters[:] = self._trained.parameters
        if exception is not None:
            return records, reason, exception, None
        why, loss, gradient, evaluations = end
        status, message = 2, ""
        if reason == "epochs":
            assert why is not None
            reason, status, message = _ENDS[why]
            if why == "abnormal" and evaluations > self._limits["maxfun"]:  # SciPy looks at its limit first
                reason, status = "epochs", 1
        if not math.isfinite(loss):
            reason = "diverged"
        return records, reason, None, Minimum(loss, gradient, evaluations, status, message)


def why_not_converged(reason: str, minimum: Minimum | None, limits: dict[str, Any]) -> str | None:
    """Return what to say of a run that ended without a minimum; None where the user wanted its end."""
    if reason not in ("epochs", "stalled") or minimum is None:
        return None
    what = "its limit of epochs was reached" if reason == "epochs" else "no step lowers the loss any more"
    advice = "allow more epochs, or s" if reason == "epochs" else "s"
    return (
        f"L-BFGS has not converged: {what}, but a component of the gradient is {minimum.gradient:.3g}, which "
        f"should be at most {limits['gtol']:.3g}; {advice}cale X and y to a standard deviation of about 1"
    )
