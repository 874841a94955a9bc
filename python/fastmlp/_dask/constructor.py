"""The parameters of the constructors: those of the estimators for one machine, and how rounds are made."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from fastmlp._estimators.constructor import ClassifierParameters, RegressorParameters


@dataclass(eq=False, repr=False)
class _RoundParameters:
    """How rounds are made, and where."""

    _: KW_ONLY
    client: Any = None
    rounds: int = 200
    local_epochs: int = 1
    outer_learning_rate: float = 0.7
    outer_momentum: float = 0.9
    timeout: float = 300.0


@dataclass(eq=False, repr=False)
class DaskClassifierParameters(ClassifierParameters, _RoundParameters):
    """What the classifier takes."""


@dataclass(eq=False, repr=False)
class DaskRegressorParameters(RegressorParameters, _RoundParameters):
    """What the regressor takes."""
