"""What trains well on most tables: the one source of the defaults of the estimators for tables.

It follows RealMLP (Holzmueller, Grinsztajn, Steinwart, Better by default: strong pre-tuned MLPs and boosted
trees on tabular data, NeurIPS 2024); its rates and its numbers of epochs were chosen on the tables that
bench/table_sets.py names for it.
"""

from __future__ import annotations

from typing import Any

from fastmlp.data import TableEncoder
from fastmlp.data._task import Task
from fastmlp.spec.optimizers import Adam, RateFactors
from fastmlp.spec.schedules import CosLog, FlatCos

#: Networks of an ensemble over folds.
FOLDS = 5

#: Of the rows, those that a single network's best epoch is chosen on.
HELD_BACK = 0.2

BATCH_ROWS = 256

# As many as make so many steps: small tables need many passes, large ones are learned in few.
_STEPS, _LEAST_EPOCHS = 3000, 32
_MOST_EPOCHS: dict[Task, int] = {"classification": 256, "regression": 512}

#: Scales of inputs, which choose columns, learn fast; biases and alphas slowly; weights as in the NTK form.
_FACTORS = RateFactors(scale=6.0, bias=0.1, embedding=0.1, alpha=0.1, fan_in=True)

_ACTIVATION: dict[Task, str] = {"classification": "selu", "regression": "mish"}
_RATE: dict[Task, float] = {"classification": 0.04, "regression": 0.07}


def _adam(decay: float) -> Adam:
    return Adam(beta2=0.95, weight_decay=FlatCos(decay) if decay else 0.0, rate_factors=_FACTORS)


#: Kinds of networks that quality="best" tries, in this order, by what they have in place of the recipe's.
PORTFOLIO: tuple[dict[str, Any], ...] = (
    {},
    {"parametric": False, "dropout": 0.0, "optimizer": _adam(0.0)},
    {"activation": "relu", "parametric": False},
    {"hidden": (512, 128)},
    {"activation": "silu", "dropout": FlatCos(0.3)},
    {"hidden": (128, 128), "activation": "tanh"},
    {"hidden": (384,), "activation": "mish"},
    {"activation": "gelu", "optimizer": _adam(0.1)},
)


def tabular_recipe(task: Task, rows: int) -> dict[str, Any]:
    """Return the arguments of `fastmlp.train` for a table.

    Parameters
    ----------
    task : "classification" or "regression"
    rows : int
        To train on.
    """
    return {
        "hidden": (256, 256, 256),
        "activation": _ACTIVATION[task],
        "input_scale": True,
        "parametric": True,
        "init": "lecun_normal",
        "optimizer": _adam(0.02),
        "learning_rate": CosLog(_RATE[task]),
        "dropout": FlatCos(0.15),
        "batch_size": BATCH_ROWS,
        "epochs": epochs(task, rows),
    }


def epochs(task: Task, rows: int) -> int:
    """Return how often a network goes through so many rows."""
    steps = max(1, rows // BATCH_ROWS)
    return min(max(_STEPS // steps, _LEAST_EPOCHS), _MOST_EPOCHS[task])


def tabular_encoder() -> TableEncoder:
    """Return the encoder, not fitted: outliers have no weight, and what is missing or new is 0."""
    return TableEncoder(scale="clipped", binary="sign", unknown="zeros", max_one_hot=8, embedding_width=8)
