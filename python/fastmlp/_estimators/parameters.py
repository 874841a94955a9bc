"""The estimators' parameters: checks, and what the core is told by them."""

from __future__ import annotations

import math
import threading
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils import check_random_state

from fastmlp._base.validation import choice, flag, integer, layer_sizes, real
from fastmlp._native import threads as _threads
from fastmlp._training.options import RunSettings, checked_compute
from fastmlp.spec.activations import ACTIVATIONS as _ACTIVATIONS
from fastmlp.spec.activations import ELEMENTWISE
from fastmlp.spec.losses import LINKS
from fastmlp.spec.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, Optimizer
from fastmlp.spec.ranges import bounds
from fastmlp.spec.schedules import InverseScaling, ReduceOnPlateau, Schedule, as_schedule, scheduled

#: scikit-learn's names of activations, where this library has others.
ACTIVATIONS = {entry.sklearn: entry.name for entry in _ACTIVATIONS.values() if entry.sklearn}

ADAPTATIONS = ("constant", "invscaling", "adaptive")


class ParameterError(ValueError, TypeError):
    """A parameter has a wrong type or value; both kinds of error, as scikit-learn's."""


_FLAGS = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping")

_REALS: dict[str, dict[str, Any]] = {
    "alpha": {"low": 0},
    "learning_rate_init": {"low": 0, "open_low": True},
    "power_t": bounds(InverseScaling, "power"),
    "tol": {"low": 0},
    "momentum": bounds(SGD, "momentum"),
    "validation_fraction": {"low": 0, "high": 1, "open_high": True},
    "beta_1": bounds(Adam, "beta1"),
    "beta_2": bounds(Adam, "beta2"),
    "epsilon": bounds(Adam, "eps"),
}


def check(estimator: Any) -> None:
    """Check the constructor's parameters; the data are not looked at."""
    try:
        _check(estimator)
    except (TypeError, ValueError) as error:
        raise ParameterError(str(error)) from None


def _check(p: Any) -> None:
    for name in _FLAGS:
        flag(name, getattr(p, name))
    for name, limits in _REALS.items():
        real(name, getattr(p, name), **limits)
    scheduled("dropout", p.dropout, low=0, high=1, open_high=True)
    for name in ("clip_norm", "max_time"):
        if getattr(p, name) is not None:
            real(name, getattr(p, name), low=0, open_low=True)
    for name in ("max_iter", "max_fun", "n_estimators"):
        integer(name, getattr(p, name), low=1)
    if p.n_iter_no_change != math.inf:
        integer("n_iter_no_change", p.n_iter_no_change, low=1)
    if not isinstance(p.verbose, (bool, np.bool_)):
        integer("verbose", p.verbose, low=0)
    if not (isinstance(p.batch_size, str) and p.batch_size == "auto"):
        integer('batch_size, unless it is "auto",', p.batch_size, low=1)
    if p.scoring is not None and not callable(p.scoring):
        get_scorer(p.scoring)
    try:
        check_random_state(p.random_state)
    except ValueError:
        raise ValueError(
            f"random_state must be an integer of 32 bits, a RandomState or None, got {p.random_state!r}"
        ) from None
    if not isinstance(p.learning_rate, (str, Schedule)):
        raise TypeError(
            f"learning_rate must be one of {', '.join(ADAPTATIONS)}, or a schedule such as fastmlp.Cosine(); "
            f"got {p.learning_rate!r} (learning_rate_init takes numbers)"
        )
    if isinstance(p.learning_rate, str):
        choice("learning_rate", p.learning_rate, ADAPTATIONS)
    hidden_activations(p, len(hidden_layers(p)))
    checked_compute(p.compute)
    optimizer(p)
    threads(p)
    if is_lbfgs(p):
        for name, without in (("dropout", 0), ("clip_norm", None), ("compute", None)):
            if getattr(p, name) != without:
                raise ValueError(f"{name} does not go with solver='lbfgs', got {getattr(p, name)!r}")
        if not isinstance(p.learning_rate, str):
            raise ValueError(
                f"schedules do not go with solver='lbfgs', got learning_rate={p.learning_rate!r}"
            )


def hidden_layers(estimator: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers."""
    return layer_sizes("hidden_layer_sizes", estimator.hidden_layer_sizes)


def hidden_activations(estimator: Any, layers: int) -> tuple[str, ...]:
    """Return this library's name of the activation of each of so many hidden layers."""
    names = estimator.activation
    accepted = (*ACTIVATIONS, *ELEMENTWISE)
    if isinstance(names, str):
        name = choice("activation", names, accepted)
        return (ACTIVATIONS.get(name, name),) * layers
    if not isinstance(names, (list, tuple)) or len(names) != layers:
        raise ValueError(
            f"activation must be one name, or a list with one a hidden layer, {layers}; got {names!r}"
        )
    checked = [choice(f"activation[{i}]", name, accepted) for i, name in enumerate(names)]
    return tuple(ACTIVATIONS.get(name, name) for name in checked)


def initial_bounds(estimator: Any, sizes: tuple[int, ...]) -> list[float]:
    """Return each layer's bound of the uniform initial weights and biases.

    ``sqrt(6 / (I + O))``, or ``sqrt(2 / (I + O))`` for logistic layers (Glorot, Bengio, 2010); the output
    layer counts as one of the last hidden activation, as in scikit-learn.
    """
    layers = len(sizes) - 1
    if isinstance(estimator.activation, str):
        names = hidden_activations(estimator, layers)
    else:
        hidden = hidden_activations(estimator, layers - 1)
        names = (*hidden, *hidden[-1:]) or ("identity",)
    return [
        math.sqrt((2 if name == "sigmoid" else 6) / (inputs + outputs))
        for name, (inputs, outputs) in zip(names, pairwise(sizes), strict=True)
    ]


def output_activation(loss: str) -> str:
    """Return scikit-learn's name of the output activation that goes with a loss of this library."""
    return sklearn_name(LINKS.get(loss, "identity"))


def sklearn_name(activation: str) -> str:
    """Return scikit-learn's name of an activation of this library."""
    return next((theirs for theirs, name in ACTIVATIONS.items() if name == activation), activation)


def optimizer(estimator: Any) -> Optimizer:
    """Return the optimizer that the parameters describe."""
    p = estimator
    if isinstance(p.solver, Optimizer):
        return p.solver
    if not isinstance(p.solver, str) or p.solver not in OPTIMIZERS:
        raise ValueError(
            f"solver must be one of {', '.join(OPTIMIZERS)}, or an optimizer object such as fastmlp.Adam(); "
            f"got {p.solver!r}"
        )
    if p.solver == "adam":
        return Adam(p.beta_1, p.beta_2, p.epsilon)
    if p.solver == "sgd":
        return SGD(p.momentum, nesterov=bool(p.nesterovs_momentum and p.momentum > 0))
    return OPTIMIZERS[p.solver]


def is_lbfgs(estimator: Any) -> bool:
    """Tell whether the solver is L-BFGS, which sees all rows at once."""
    solver = estimator.solver
    return isinstance(solver, LBFGS) or (isinstance(solver, str) and solver == "lbfgs")


def is_stochastic(estimator: Any) -> bool:
    """Tell whether the solver can go on with other rows."""
    if is_lbfgs(estimator):
        raise AttributeError("partial_fit is only available for stochastic optimizers; lbfgs is none")
    return True


def adaptation(estimator: Any) -> str:
    """Return how the rate changes between epochs: the schedules of scikit-learn are for SGD alone."""
    if not isinstance(estimator.learning_rate, str) or not isinstance(optimizer(estimator), SGD):
        return "constant"
    return str(estimator.learning_rate)


def check_incremental(estimator: Any) -> None:
    """Refuse what needs to see several epochs in one call."""
    if isinstance(estimator.learning_rate, ReduceOnPlateau):
        raise ValueError(
            "partial_fit does not support learning_rate=ReduceOnPlateau: it has no plateau to see"
        )


def threads(estimator: Any) -> int:
    """Return the most threads to use: n_jobs, where -1 is every processor this process may use."""
    n_jobs = -1 if estimator.n_jobs is None else integer("n_jobs", estimator.n_jobs, low=-(2**31))
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0, got 0")
    if n_jobs > 0:
        return _threads.resolve(n_jobs)
    return 1 if _inside_joblib_threads() else max(1, _threads.resolve(None) + 1 + n_jobs)


def _inside_joblib_threads() -> bool:
    """Tell whether joblib runs this call beside others in threads; processes it limits by the environment."""
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    return bool(backend.nesting_level) and threading.current_thread() is not threading.main_thread()


def run_settings(estimator: Any, rows: int, rate: float, seed: int = 0, first_epoch: int = 0) -> RunSettings:
    """Return what a run on so many rows is told, whose learning rate is now this one."""
    p = estimator
    return RunSettings(
        optimizer=optimizer(p),
        schedule=as_schedule(rate if isinstance(p.learning_rate, str) else p.learning_rate),
        default_rate=rate,
        limits=_lbfgs_limits(p) if is_lbfgs(p) else None,
        batch_size="auto" if isinstance(p.batch_size, str) else min(int(p.batch_size), rows),
        epochs=max(p.max_iter, first_epoch + 1),
        dropout=p.dropout if isinstance(p.dropout, Schedule) else float(p.dropout),
        clip_norm=None if p.clip_norm is None else float(p.clip_norm),
        max_time=None if p.max_time is None else float(p.max_time),
        bfloat16=p.compute is not None,
        shuffle=bool(p.shuffle),
        seed=seed,
        threads=threads(p),
        alpha=float(p.alpha),
        epsilon_hat=isinstance(p.solver, str) and p.solver == "adam",  # as scikit-learn has it
    )


def _lbfgs_limits(p: Any) -> dict[str, float]:
    """Return the limits of L-BFGS, by SciPy's names."""
    if isinstance(p.solver, LBFGS):
        return p.solver.limits(p.max_iter) | {"maxfun": p.max_fun}
    return {"maxiter": p.max_iter, "maxfun": p.max_fun, "gtol": p.tol}
