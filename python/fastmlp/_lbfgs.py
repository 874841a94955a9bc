"""L-BFGS over the core's loss and gradient, by SciPy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _threads
from fastmlp._network import Network
from fastmlp._optimizers import LBFGS
from fastmlp._targets import Targets

Rows = tuple[NDArray[Any], Targets, NDArray[Any] | None]


class _Stop(Exception):  # noqa: N818 (it is no error)
    """Ends SciPy's loop."""


def minimize(
    network: Network,
    optimizer: LBFGS,
    rows: Rows,
    options: _core.TrainOptions,
    on_epoch: Callable[[tuple[Any, ...]], bool] | None,
) -> tuple[list[tuple[Any, ...]], str, BaseException | None]:
    """Train on all rows; returns records, stop reason and exception as the core's trainer does."""
    try:
        from scipy.optimize import minimize as scipy_minimize
    except ImportError:
        raise ImportError("optimizer 'lbfgs' needs SciPy: pip install 'fastmlp[sklearn]'") from None

    X, targets, weights = rows
    threads = _threads.resolve(options.threads)
    start = time.perf_counter()
    records: list[tuple[Any, ...]] = []
    losses: dict[bytes, float] = {}
    reason = "epochs"

    def objective(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        network.parameters[:] = parameters
        loss, gradient = network._core.loss_and_gradient(X, targets.labels, targets.values, weights, threads)
        losses.clear()
        losses[parameters.tobytes()] = loss
        return loss, gradient.astype(np.float64)

    def iteration_ended(parameters: NDArray[np.float64]) -> None:
        nonlocal reason
        loss = losses.get(parameters.tobytes())
        if loss is None:
            loss = objective(parameters)[0]
        network.parameters[:] = parameters
        seconds = time.perf_counter() - start
        records.append((len(records) + 1, loss, 1.0, seconds, np.nan, np.nan))
        for stop, why in (
            (on_epoch is not None and on_epoch(records[-1]), "callback"),
            (loss <= options.loss_target, "loss_target"),
            (seconds >= options.max_time, "max_time"),
        ):
            if stop:
                reason = why
                raise _Stop

    limits = {
        "maxiter": options.epochs,
        "maxfun": 2**31 - 1,
        "maxcor": optimizer.history,
        "gtol": optimizer.tol,
        "ftol": 0.0,
    }
    try:
        result = scipy_minimize(
            objective,
            network.parameters.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=iteration_ended,
            options=limits,
        )
        network.parameters[:] = result.x
        reason = "epochs" if len(records) >= options.epochs else "patience"
        if not np.isfinite(result.fun):
            reason = "diverged"
    except _Stop:
        pass
    except BaseException as error:
        return records, "interrupted", error
    return records, reason, None
