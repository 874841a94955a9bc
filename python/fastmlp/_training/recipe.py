"""What trains well on most tables: the one source of the defaults of the estimators for tables."""

from __future__ import annotations

from typing import Any

from fastmlp.data import TableEncoder
from fastmlp.data._task import Task
from fastmlp.spec.optimizers import Adam
from fastmlp.spec.schedules import OneCycle

#: Networks of an ensemble over folds.
FOLDS = 5

#: Of the rows, those that a single network's best epoch is chosen on.
HELD_BACK = 0.2

BATCH_ROWS = 256

# Small tables are gone through often enough for a good fit; of large ones fewer passes do as well.
_LEAST_EPOCHS, _MOST_EPOCHS, _STEPS = 64, 256, 6000

#: Wide layers, and activations without kinks for quantities.
_NETWORK: dict[Task, dict[str, Any]] = {
    "classification": {"hidden": (256, 256, 256), "activation": "selu"},
    "regression": {"hidden": (256, 256, 256), "activation": "mish"},
}

#: Kinds of networks that quality="best" tries, in this order, by what they have in place of the recipe's.
PORTFOLIO: tuple[dict[str, Any], ...] = (
    {},
    {"dropout": 0.15},
    {"activation": "relu", "dropout": 0.1},
    {"hidden": (512, 256)},
    {"activation": "silu", "hidden": (128, 128, 128)},
    {"optimizer": Adam(beta2=0.95, weight_decay=0.1), "dropout": 0.1},
    {"hidden": (64, 64), "learning_rate": OneCycle(0.01)},
    {"activation": "tanh", "hidden": (256, 256)},
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
        **_NETWORK[task],
        "optimizer": Adam(beta2=0.95),
        "learning_rate": OneCycle(0.004),
        "batch_size": BATCH_ROWS,
        "epochs": epochs(rows),
    }


def epochs(rows: int) -> int:
    """Return how often a network goes through so many rows."""
    steps = max(1, rows // BATCH_ROWS)
    return min(max(_STEPS // steps, _LEAST_EPOCHS), _MOST_EPOCHS)


def tabular_encoder() -> TableEncoder:
    """Return the encoder, not fitted: outliers do not decide the scale of a column."""
    return TableEncoder(scale="robust")
