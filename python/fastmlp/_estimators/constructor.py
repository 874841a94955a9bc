"""The parameters of the estimators' constructors, each once.

Data classes make `__init__` of them: it takes the fields of the last base first, and sets attributes of the
same names and nothing else, as scikit-learn asks of its estimators. `docs` says what the parameters mean.
They are apart from the estimators, whose bases have no types, so that type checkers know all arguments.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from fastmlp.spec.schedules import Schedule


@dataclass(eq=False, repr=False)
class CommonParameters:
    """What the classifier and the regressor take."""

    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"
    _: KW_ONLY
    solver: Any = "adam"
    alpha: float = 0.0001
    batch_size: Any = "auto"
    learning_rate: Any = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: Any = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000
    dropout: float | Schedule = 0.0
    clip_norm: float | None = None
    compute: str | None = None
    scoring: Any = None
    max_time: float | None = None
    n_jobs: int | None = None
    n_estimators: int = 1


@dataclass(eq=False, repr=False)
class ClassifierParameters(CommonParameters):
    """What the classifier takes."""

    _: KW_ONLY
    loss: str = "log_loss"
    class_weight: Any = None


@dataclass(eq=False, repr=False)
class _Loss:
    """The loss of the regressor, which is its first parameter, as in scikit-learn."""

    loss: str = "squared_error"


@dataclass(eq=False, repr=False)
class RegressorParameters(CommonParameters, _Loss):
    """What the regressor takes."""

    _: KW_ONLY
    quantiles: Any = None
