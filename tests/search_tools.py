"""Small problems to search on, shared by the tests of `fastmlp.search`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp._search.result import Search

IRIS = fastmlp.datasets.load_iris()

#: Two parameters of `train` that matter, over few epochs.
SPACE: dict[str, Any] = {
    "hidden": [(4,), (8,), (6, 6)],
    "learning_rate": {"low": 1e-3, "high": 0.3, "log": True},
}


def iris_search(space: Any = SPACE, **settings: Any) -> Search:
    """Search on iris; 16 trials of 18 epochs unless told otherwise."""
    return fastmlp.search(IRIS.data, IRIS.target, space, **{"trials": 16, "epochs": 18, **settings})


def same_trials(one: Search, other: Search) -> bool:
    """Whether two searches have the same trials, values and networks, but for the time they took."""
    columns = [name for name in one.table if name != "seconds"]
    return (
        columns == [name for name in other.table if name != "seconds"]
        and all(_same(one.table[name], other.table[name]) for name in columns)
        and np.array_equal(one.best.parameters, other.best.parameters)
    )


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
