"""How much each parameter matters."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastmlp._search.quiet import need_optuna, quiet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

_LEAST = 8  # trials


def importances(study: Study, seed: int) -> dict[str, float]:
    """Return the importance of each parameter, the largest first; see `Search.importances`."""
    with quiet() as optuna:
        reached = _reached(study)
        names = set(reached[0].params).intersection(*(one.params for one in reached)) if reached else ()
        differ = [name for name in sorted(names) if len({one.params[name] for one in reached}) > 1]
        if len(reached) < _LEAST or not differ or len({one.value for one in reached}) < 2:
            return {}
        whole = optuna.create_study(direction=study.direction)
        whole.add_trials(reached)
        if find_spec("sklearn") is not None:
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed % 2**32)
        else:
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(whole, evaluator=evaluator, params=differ)
    return {name: float(value) for name, value in found.items()}


def _reached(study: Study) -> list[FrozenTrial]:
    """Return the trials with what they reached, as complete ones, which alone evaluators look at."""
    optuna = need_optuna()
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return [
        optuna.trial.create_trial(params=one.params, distributions=one.distributions, value=one.value)
        for one in study.get_trials(deepcopy=False, states=states)
        if one.value is not None and math.isfinite(one.value)
    ]
