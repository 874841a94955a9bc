"""The space that is searched: what of `train`'s arguments varies, and how."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.text import shortened
from fastmlp._search.quiet import need_optuna
from fastmlp._training.specs import DEFAULTS

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Spec = dict[str, Any]

#: Arguments that a search sets itself, or that concern the process rather than the network.
OWN = (
    "callbacks", "checkpoint", "every", "keep", "max_time", "memory_limit", "progress", "resume", "rows",
    "seed", "threads", "validation",
)  # fmt: skip

#: What a parameter may be: in errors.
_FORMS = (
    "a list of choices, a dict such as {'low': 1e-4, 'high': 0.1, 'log': True}, or a distribution of "
    "optuna.distributions"
)


@dataclass(frozen=True)
class Space:
    """What proposes specs.

    Attributes
    ----------
    distributions : dict of str to distribution, or None
        Of each parameter; None where `build` suggests them itself.
    build : callable
        Makes a spec of the parameters of a trial, by name; or, without distributions, of the trial.
    text : str
        What tells one space from another.
    shown : callable
        Returns the parameters of a trial as tables show them.
    """

    distributions: dict[str, BaseDistribution] | None
    build: Callable[[Any], Spec]
    text: str
    shown: Callable[[Mapping[str, Any]], dict[str, Any]] = dict

    def ask(self, study: Study) -> tuple[Trial, Spec]:
        """Return a new trial, and its spec."""
        if self.distributions is None:
            trial = study.ask()
            return trial, self._suggested(trial)
        trial = study.ask(self.distributions)
        return trial, self.build(trial.params)

    def spec(self, parameters: Mapping[str, Any]) -> Spec:
        """Return the spec of known parameters."""
        if self.distributions is None:
            return self._suggested(need_optuna().trial.FixedTrial(dict(parameters)))
        return self.build(parameters)

    def _suggested(self, trial: Any) -> Spec:
        spec = self.build(trial)
        if not isinstance(spec, Mapping):
            raise TypeError(f"space must return a dict of train's arguments, got {shortened(repr(spec), 60)}")
        for name in spec:
            _check_argument(name)
        return dict(spec)


def as_space(space: Any) -> Space:
    """Return what the argument `space` stands for, if it is not "auto"."""
    if isinstance(space, Mapping):
        return _named(space)
    if callable(space):
        return Space(None, space, f"function {getattr(space, '__qualname__', type(space).__qualname__)}")
    raise TypeError(
        f"space must be 'auto', a dict of train's arguments, or a function of a trial; got {space!r}"
    )


def _named(space: Mapping[Any, Any]) -> Space:
    """Return the space of a dict, in which each argument stands beside what it may be."""
    if not space:
        raise ValueError("space must have at least one argument that varies, got {}")
    distributions, values = {}, {}
    for name, given in space.items():
        _check_argument(name)
        distributions[name], values[name] = _distribution(f"space[{name!r}]", given)

    def build(parameters: Mapping[str, Any]) -> Spec:
        return {name: values[name].get(value, value) for name, value in parameters.items()}

    text = "; ".join(f"{name}: {one}" for name, one in sorted(distributions.items()))
    return Space(distributions, build, text)


def _check_argument(name: Any) -> None:
    if name in OWN:
        raise ValueError(f"space cannot vary {name}, which search sets itself")
    if name not in DEFAULTS:
        raise ValueError(f"space must name arguments of train, got {name!r}")


def _distribution(where: str, given: Any) -> tuple[BaseDistribution, dict[Any, Any]]:
    """Return the distribution of one argument, and what its labels stand for, if they are not the values."""
    distributions = need_optuna().distributions
    if isinstance(given, distributions.BaseDistribution):
        return given, {}
    if isinstance(given, Mapping):
        return _range(where, given), {}
    if isinstance(given, range):
        given = list(given)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, list):
        raise TypeError(f"{where} must be {_FORMS}; got {shortened(repr(given), 60)}")
    if not given:
        raise ValueError(f"{where} must have at least one choice, got []")
    if all(value is None or isinstance(value, (bool, int, float, str)) for value in given):
        labels, values = given, {}
    else:
        labels = [_label(value) for value in given]
        values = dict(zip(labels, given, strict=True))
    if len(set(labels)) < len(labels):
        raise ValueError(f"{where} must have each choice once, got {shortened(repr(given), 100)}")
    return distributions.CategoricalDistribution(labels), values


def _label(value: Any) -> str:
    """Return the text that stands for a choice in tables and storages: (64, 32) is "64,32"."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value)) or "none"
    return value if isinstance(value, str) else repr(value)


def _range(where: str, given: Mapping[Any, Any]) -> BaseDistribution:
    """Return the distribution between two numbers: of integers, if both are."""
    distributions = need_optuna().distributions
    unknown = [name for name in given if name not in ("low", "high", "log", "step")]
    if unknown or not {"low", "high"} <= {*given}:
        raise ValueError(f"{where} must have low and high, and may have log and step; got {dict(given)!r}")
    ends = (given["low"], given["high"])
    if not all(isinstance(end, numbers.Real) and not isinstance(end, bool) for end in ends):
        raise TypeError(f"{where}: low and high must be numbers, got {ends[0]!r} and {ends[1]!r}")
    if not all(math.isfinite(end) for end in ends):
        raise ValueError(f"{where}: low and high must be finite, got {ends[0]!r} and {ends[1]!r}")
    whole = all(isinstance(end, numbers.Integral) for end in ends)
    kind = distributions.IntDistribution if whole else distributions.FloatDistribution
    try:
        return kind(**given)  # type: ignore[no-any-return]
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None
