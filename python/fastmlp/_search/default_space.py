"""The space "auto": what is worth varying for networks on tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fastmlp._search.quiet import need_optuna
from fastmlp._search.space import Space, Spec
from fastmlp.spec.optimizers import Adam
from fastmlp.spec.schedules import Cosine

#: From so many rows on, batches are larger: a small one leaves most of a processor idle.
_MANY_ROWS = 20_000

#: The arguments of `train` that each parameter goes into; one that the user gives is not searched.
_INTO = {
    "layers": "hidden",
    "width": "hidden",
    "activation": "activation",
    "rate": "learning_rate",
    "weight_decay": "optimizer",
    "dropout": "dropout",
    "batch_size": "batch_size",
}


def default_space(rows: int, given: Collection[str]) -> Space:
    """Return the default space for a table of so many rows, less the arguments that the user gives.

    The schedule is the same for all trials: early in a run, successive halving would take a constant rate
    for the better one. Weights decay by AdamW's term, which is no part of the loss, so that losses are
    comparable.

    References
    ----------
    Y. Gorishniy et al., Revisiting Deep Learning Models for Tabular Data, NeurIPS 2021.
    I. Loshchilov and F. Hutter, Decoupled Weight Decay Regularization, ICLR 2019.
    D. Masters and C. Luschi, Revisiting Small Batch Training for Deep Neural Networks, 2018.
    """
    of = need_optuna().distributions
    batches = (32, 64, 128, 256) if rows < _MANY_ROWS else (128, 256, 512, 1024)
    widest = min(512, max(64, rows // 4))  # theirs; of few rows, wide layers learn no more and take long
    every = {
        "layers": of.CategoricalDistribution((1, 2, 3, 4)),  # theirs are up to 8; few help
        "width": of.FloatDistribution(8, widest, log=True),  # it is rounded
        "activation": of.CategoricalDistribution(("relu", "gelu", "tanh")),  # cornered, smooth, bounded
        "rate": of.FloatDistribution(3e-4, 3e-2, log=True),  # tenfold about Adam's 0.003 with a schedule
        "weight_decay": of.FloatDistribution(1e-3, 1.0, log=True),  # from next to none to most of a weight
        "dropout": of.FloatDistribution(0.0, 0.5),  # theirs
        "batch_size": of.CategoricalDistribution(batches),  # small ones generalise: Masters and Luschi
    }
    distributions = {name: one for name, one in every.items() if _INTO[name] not in given}
    if not distributions:
        raise ValueError(f"space 'auto' has nothing left to vary: {', '.join(sorted(given))} are given")
    text = "auto: " + "; ".join(f"{name}: {one}" for name, one in distributions.items())
    return Space(distributions, _spec, text, _rounded)


def _spec(parameters: Mapping[str, Any]) -> Spec:
    spec: Spec = {name: parameters[name] for name in _INTO if name in parameters and _INTO[name] == name}
    if "width" in parameters:
        spec["hidden"] = (round(parameters["width"]),) * parameters["layers"]
    if "rate" in parameters:
        spec["learning_rate"] = Cosine(parameters["rate"])
    if "weight_decay" in parameters:
        spec["optimizer"] = Adam(weight_decay=parameters["weight_decay"])
    return spec


def _rounded(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the width that the layers have.

    Optuna's TPE takes ten times as long for integers, so that they are floats to it.
    """
    return {name: round(value) if name == "width" else value for name, value in parameters.items()}
