"""L-BFGS over the core's loss and gradient, by SciPy.

It computes in float64, whatever the network's type: in float32 the loss of large targets no longer changes
from step to step, long before its minimum.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.history import History, epochs_of
from fastmlp._model.model import Model, from_metadata, metadata
from fastmlp._native import core as _core
from fastmlp._rows.memory import WholeRows
from fastmlp._rows.read import RunRows
from fastmlp.spec.losses import LOSSES

Rows = tuple[Any, Any, Any, Any]  # X, labels, values, weights

_LIMIT_REACHED = 1  # the status of a result at SciPy's maxiter or maxfun


def scaled_limits(limits: dict[str, float], rows: RunRows, loss: str) -> dict[str, float]:
    """Return SciPy's limits with a gradient that counts as 0 at the scale of the targets.

    The gradient of values far below 1 is small from the start; that of a layer below the last falls with
    their square. So where their variance is below 1, the limit is multiplied by it.
    """
    assert isinstance(rows, WholeRows)
    _, _, values, weights = rows.train
    if values is None or LOSSES[loss].of_labels:
        return limits
    values = values.astype(np.float64)
    mean = np.average(values, axis=0, weights=weights)
    variance = float(np.average((values - mean) ** 2, axis=0, weights=weights).max())
    return limits | {"gtol": limits["gtol"] * variance} if 0 < variance < 1 else limits


def minimize(
    network: Model,
    rows: Rows,
    options: _core.TrainOptions,
    on_epoch: Callable[[tuple[Any, ...]], bool | float] | None,
    limits: dict[str, Any],
) -> tuple[NDArray[np.float64], str, BaseException | None, Any]:
    """Train on all rows, in float64, until one of SciPy's limits.

    Returns records, stop reason and exception as the core's trainer does, and SciPy's result.
    """
    scipy_minimize = _scipy_minimize()
    start = time.perf_counter()
    records = History()
    reason, accepted = "epochs", network.parameters.astype(np.float64)
    trial = from_metadata(Model, metadata(network) | {"dtype": "float64"}, accepted)
    X, labels, values, weights = (_in_float64(part) for part in rows)
    batch = trial._core.full_batch(X, labels, values, weights, options.threads)

    def objective(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        trial.parameters[:] = parameters
        return batch.loss_and_gradient()

    def take_over(values: NDArray[np.float64]) -> bool:
        """Give the network these parameters, unless one of them is too large for its type."""
        with np.errstate(over="ignore"):
            cast = values.astype(network.dtype)
        fits = bool(np.isfinite(cast).all())
        if fits:
            network.parameters[:] = cast
        return fits

    def iteration_ended(intermediate_result: Any) -> None:  # SciPy goes by the argument's name
        nonlocal reason, accepted
        loss, seconds = float(intermediate_result.fun), time.perf_counter() - start
        if not take_over(intermediate_result.x):
            reason = "diverged"
            raise StopIteration
        accepted = intermediate_result.x.copy()
        records.append((epochs_of(records) + 1, loss, 1.0, seconds))
        for stop, why in (
            (on_epoch is not None and on_epoch(records.last()), "callback"),
            (loss <= options.loss_target, "loss_target"),
            (seconds >= options.max_time, "max_time"),
        ):
            if stop:
                reason = why
                raise StopIteration

    try:
        result = scipy_minimize(
            objective,
            accepted,
            method="L-BFGS-B",
            jac=True,
            callback=iteration_ended,
            options=limits,
        )
    except BaseException as error:
        take_over(accepted)  # in place of what a callback may have left
        return records.table(), "interrupted", error, None
    if reason == "epochs":
        reason = _reason(result)
    if reason != "diverged" and not take_over(result.x):
        reason = "diverged"
    return records.table(), reason, None, result


def _reason(result: Any) -> str:
    """Return why SciPy ended: it found a minimum, came to a limit, or found no step that lowers the loss."""
    if not np.isfinite(result.fun):
        return "diverged"
    if result.status == _LIMIT_REACHED:
        return "epochs"
    return "converged" if result.success and "ABNORMAL" not in str(result.message) else "stalled"


def why_not_converged(reason: str, result: Any, limits: dict[str, Any]) -> str | None:
    """Return what to say of a run that ended without a minimum; None where the user wanted its end."""
    if reason not in ("epochs", "stalled"):
        return None
    gradient = float(np.abs(result.jac).max())
    what = "its limit of epochs was reached" if reason == "epochs" else "no step lowers the loss any more"
    advice = "allow more epochs, or s" if reason == "epochs" else "s"
    return (
        f"L-BFGS has not converged: {what}, but a component of the gradient is {gradient:.3g}, which should "
        f"be at most {limits['gtol']:.3g}; {advice}cale X and y to a standard deviation of about 1"
    )


def _in_float64(part: Any) -> Any:
    """Return rows or targets with their numbers in float64, sparse rows too; labels as they are."""
    if isinstance(part, tuple):
        values, *places = part
        return (values.astype(np.float64, copy=False), *places)
    if part is None or part.dtype.kind != "f":
        return part
    return part.astype(np.float64, copy=False)


def _scipy_minimize() -> Any:  # SciPy's overloads are narrower than what it takes
    try:
        from scipy import optimize
    except ImportError:
        raise ImportError("optimizer 'lbfgs' needs SciPy: pip install 'fastmlp[sklearn]'") from None
    return optimize.minimize
