"""The estimators' parameters: checks, and what the core is told by them."""

from __future__ import annotations

import math
import numbers
import threading
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp import _core, _threads
from fastmlp._network import ELEMENTWISE
from fastmlp._optimizers import LBFGS, SGD, Adam, Optimizer, as_optimizer
from fastmlp._schedules import ReduceOnPlateau, as_schedule
from fastmlp._targets import LINKS
from fastmlp._validation import choice, flag, integer, layer_sizes, real

#: scikit-learn's names of activations, where this library has others.
ACTIVATIONS = {"logistic": "sigmoid"}

ADAPTATIONS = ("constant", "invscaling", "adaptive")


def check(estimator: Any) -> None:
    """Check every constructor parameter that the core's own tables do not."""
    p = estimator
    for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
        flag(name, getattr(p, name))
    for name in ("max_iter", "max_fun"):
        integer(name, getattr(p, name), low=1)
    for name in ("alpha", "tol", "power_t"):
        real(name, getattr(p, name), low=0)
    real("learning_rate_init", p.learning_rate_init, low=0, open_low=True)
    real("validation_fraction", p.validation_fraction, low=0, high=1, open_high=True)
    if p.n_iter_no_change != math.inf:
        integer("n_iter_no_change", p.n_iter_no_change, low=1)
    if not isinstance(p.verbose, (bool, np.bool_)):
        integer("verbose", p.verbose, low=0)
    if not (isinstance(p.batch_size, str) and p.batch_size == "auto"):
        integer("batch_size", p.batch_size, low=1)
    if isinstance(p.learning_rate, str):
        choice("learning_rate", p.learning_rate, ADAPTATIONS)


def hidden_layers(estimator: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers."""
    sizes = estimator.hidden_layer_sizes
    if not isinstance(sizes, (str, numbers.Integral)) and hasattr(sizes, "__iter__"):
        sizes = list(sizes)
    return layer_sizes("hidden_layer_sizes", sizes)


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
    if not isinstance(p.solver, str):
        return as_optimizer(p.solver)
    if p.solver == "adam":
        return Adam(
            beta1=real("beta_1", p.beta_1, low=0, high=1, open_high=True),
            beta2=real("beta_2", p.beta_2, low=0, high=1, open_high=True),
            eps=real("epsilon", p.epsilon, low=0, open_low=True),
        )
    if p.solver == "sgd":
        momentum = real("momentum", p.momentum, low=0, high=1)
        return SGD(momentum, nesterov=p.nesterovs_momentum and momentum > 0)
    try:
        return as_optimizer(p.solver)
    except ValueError as error:
        raise ValueError(str(error).replace("optimizer must", "solver must")) from None


def is_lbfgs(estimator: Any) -> bool:
    """Tell whether the solver is L-BFGS, which sees all rows at once."""
    return isinstance(estimator.solver, LBFGS) or estimator.solver == "lbfgs"


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
    n_jobs = estimator.n_jobs
    if n_jobs is None:
        return 1 if _inside_joblib_threads() else _threads.resolve(None)
    if integer("n_jobs", n_jobs, low=-(2**31)) == 0:
        raise ValueError("n_jobs must not be 0, got 0")
    cpus = _threads.available_cpus()
    return _threads.resolve(int(n_jobs) if n_jobs > 0 else max(1, cpus + 1 + int(n_jobs)))


def lbfgs_options(estimator: Any) -> tuple[dict[str, Any], _core.TrainOptions]:
    """Return SciPy's limits, and the options of the core that hold for L-BFGS."""
    p = estimator
    options = _core.TrainOptions()
    options.max_time, options.threads = _max_time(p), threads(p)
    if isinstance(p.solver, LBFGS):
        return p.solver.limits(p.max_iter) | {"maxfun": p.max_fun}, options
    return {"maxiter": p.max_iter, "maxfun": p.max_fun, "gtol": p.tol}, options


def _max_time(estimator: Any) -> float:
    seconds = estimator.max_time
    return math.inf if seconds is None else real("max_time", seconds, low=0, open_low=True)


def _inside_joblib_threads() -> bool:
    """Tell whether joblib runs this call beside others in threads; processes it limits by the environment."""
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend()
    return bool(backend.nesting_level) and threading.current_thread() is not threading.main_thread()


def train_options(estimator: Any, rows: int, rate: float) -> _core.TrainOptions:
    """Return the options of a run on so many rows, which starts at this learning rate."""
    p = estimator
    options = _core.TrainOptions()
    options.batch_size = min(200, rows) if p.batch_size == "auto" else min(int(p.batch_size), rows)
    options.shuffle = bool(p.shuffle)
    options.l2_over_weights = True
    options.restore_best = False
    options.dropout = real("dropout", p.dropout, low=0, high=1, open_high=True)
    options.clip_norm = 0 if p.clip_norm is None else real("clip_norm", p.clip_norm, low=0, open_low=True)
    options.max_time, options.threads = _max_time(p), threads(p)
    chosen = optimizer(p)
    assert not isinstance(chosen, LBFGS)
    chosen.fill(options.optimizer)
    options.optimizer.epsilon_hat = p.solver == "adam"  # as scikit-learn has it
    as_schedule(rate if isinstance(p.learning_rate, str) else p.learning_rate).fill(options.schedule, rate)
    return options
