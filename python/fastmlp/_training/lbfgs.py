"""L-BFGS over the core's loss and gradient, by SciPy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.history import History, epochs_of
from fastmlp._model.model import Model
from fastmlp._native import core as _core

Rows = tuple[Any, Any, Any, Any]  # X, labels, values, weights

_LIMIT_REACHED = 1  # the status of a result at SciPy's maxiter or maxfun


def minimize(
    network: Model,
    rows: Rows,
    options: _core.TrainOptions,
    on_epoch: Callable[[tuple[Any, ...]], bool | float] | None,
    limits: dict[str, Any],
) -> tuple[NDArray[np.float64], str, BaseException | None, Any]:
    """Train on all rows until one of SciPy's limits.

    Returns records, stop reason and exception as the core's trainer does, and SciPy's result.
    """
    scipy_minimize = _scipy_minimize()
    start = time.perf_counter()
    records = History()
    reason, accepted = "epochs", network.parameters.astype(np.float64)
    batch = network._core.full_batch(*rows, options.threads)

    def set_parameters(values: NDArray[np.float64]) -> None:
        with np.errstate(over="ignore"):  # a step too far gives an infinite loss, and a shorter step
            network.parameters[:] = values

    def objective(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        set_parameters(parameters)
        loss, gradient = batch.loss_and_gradient()
        return loss, gradient.astype(np.float64)

    def iteration_ended(intermediate_result: Any) -> None:  # SciPy goes by the argument's name
        nonlocal reason, accepted
        loss, seconds = float(intermediate_result.fun), time.perf_counter() - start
        accepted = intermediate_result.x.copy()
        set_parameters(accepted)
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
        set_parameters(accepted)  # rather than a trial step's
        return records.table(), "interrupted", error, None
    set_parameters(result.x)
    if not np.isfinite(result.fun):
        reason = "diverged"
    elif reason == "epochs" and result.status != _LIMIT_REACHED:
        reason = "converged"  # the gradient is small enough, or no step lowers the loss any more
    return records.table(), reason, None, result


def _scipy_minimize() -> Any:  # SciPy's overloads are narrower than what it takes
    try:
        from scipy import optimize
    except ImportError:
        raise ImportError("optimizer 'lbfgs' needs SciPy: pip install 'fastmlp[sklearn]'") from None
    return optimize.minimize
