"""``n_estimators`` above 1: networks that differ in their seeds, trained together, which predict as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fastmlp._estimators.callbacks import FitTask
from fastmlp._estimators.fitted import OF_EACH_NETWORK
from fastmlp._estimators.fitting import Ended, Fitting, SingleFitting
from fastmlp._estimators.given import Given, UsersRows, checked_once

#: What fitting leaves that all estimators of an ensemble have in common, and the ensemble too.
_SHARED = (
    "classes_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "feature_names_in_",
    "_multilabel", "_sparse_targets",
)  # fmt: skip

#: What is left of an estimator that was fitted as a single network.
_OF_ONE = (
    *OF_EACH_NETWORK, "_optimizer", "_network", "_hidden", "_no_improvement_count", "_random_state",
)  # fmt: skip


def prepared_fit(
    estimator: Any, given: Given, task: FitTask, *, incremental: bool = False, classes: Any = None,
    random: np.random.RandomState | None = None,
) -> Fitting:  # fmt: skip
    """Return the fit of an estimator, of one network or several; see `SingleFitting`."""
    check_count(estimator, goes_on=incremental or estimator.warm_start)
    make = SingleFitting if estimator.n_estimators == 1 else EnsembleFitting
    return make(estimator, given, task, incremental=incremental, classes=classes, random=random)


def begin(estimator: Any, given: UsersRows) -> None:
    """Give an estimator of one network or several the initial weights of a fit."""
    if estimator.n_estimators == 1:
        estimator._begin(given)
        return
    checked, begun = checked_once(estimator, given, reset=True), members(estimator, None)
    for member in begun:
        member._begin(checked)
    take_over(estimator, begun)


def check_count(estimator: Any, *, goes_on: bool) -> None:
    """Check that an estimator that goes on has as many networks as before."""
    fitted = vars(estimator).get("estimators_")
    count = len(fitted) if fitted else 1 if hasattr(estimator, "coefs_") else None
    if goes_on and count not in (None, estimator.n_estimators):
        raise ValueError(
            f"n_estimators must be {count} as before to go on from the weights there are, got "
            f"{estimator.n_estimators}"
        )


def members(estimator: Any, random: np.random.RandomState | None) -> list[Any]:
    """Return the single estimators that are to be fitted: new ones, each with a seed of its own."""
    shared = estimator.get_params(deep=False) | {"n_estimators": 1}
    random = random or check_random_state(estimator.random_state)
    seeds = random.randint(np.iinfo(np.int32).max, size=estimator.n_estimators)
    return [type(estimator)(**shared | {"random_state": int(seed)}) for seed in seeds]


def going_on(estimator: Any) -> list[Any]:
    """Return the fitted estimators, with the parameters that the ensemble has now."""
    shared = estimator.get_params(deep=False)
    del shared["n_estimators"], shared["random_state"]
    return [member.set_params(**shared) for member in estimator.estimators_]


class EnsembleFitting(Fitting):
    """The fit of several networks, each as the single estimator with its seed is fitted; see `SingleFitting`.

    A new fit that fails leaves the estimator as it was.
    """

    def __init__(
        self, estimator: Any, given: Given, task: FitTask, *, incremental: bool = False, classes: Any = None,
        random: np.random.RandomState | None = None,
    ) -> None:  # fmt: skip
        first = not hasattr(estimator, "estimators_") or not (incremental or estimator.warm_start)
        self._estimator, self._task = estimator, task
        self._before = vars(estimator).copy()
        try:
            if isinstance(given, UsersRows):
                given = checked_once(estimator, given, reset=first)
            self._members = members(estimator, random) if first else going_on(estimator)
            for i, member in enumerate(self._members):
                member._place = f"estimators_[{i}]: "  # for the lines that it prints
            self._fittings = [
                SingleFitting(
                    member, given, FitTask.of_nobody(member), incremental=incremental, classes=classes
                )
                for member in self._members
            ]
        except Exception:
            estimator.__dict__ = self._before
            raise
        self.runs = [job for fitting in self._fittings for job in fitting.runs]

    def finish(self, ended: Sequence[Ended]) -> None:
        """Take over how the runs ended."""
        try:
            for fitting, end in zip(self._fittings, ended, strict=True):
                fitting.finish([end])
        except Exception:
            self._estimator.__dict__ = self._before
            raise
        take_over(self._estimator, self._members)
        self._task.ended()


def take_over(estimator: Any, fitted: Sequence[Any]) -> None:
    """Make an estimator the ensemble of fitted ones."""
    attributes, first = vars(estimator), fitted[0]
    for member in fitted:
        vars(member).pop("_place", None)
    for name in _OF_ONE:
        attributes.pop(name, None)
    attributes.update({name: vars(first)[name] for name in _SHARED if name in vars(first)})
    estimator.estimators_ = list(fitted)
    if hasattr(first, "loss_"):
        estimator.loss_ = float(np.mean([member.loss_ for member in fitted]))
        estimator.n_iter_ = max(member.n_iter_ for member in fitted)
        best = [member.best_loss_ for member in fitted]
        estimator.best_loss_ = None if None in best else float(np.mean(best))
