"""The cases of many.py: the contenders of each, how closely they must agree, and what is wanted of fastmlp.

The first contender of a case is fastmlp's; the others' times are divided by its time. This module imports
nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import many_calls as calls
import many_peers as peers
import numpy as np
from cases import TrainCase
from many_peers import Contender, Fleet


@dataclass(frozen=True)
class Peer:
    """One contender of a case.

    Attributes
    ----------
    make : callable
        Makes it for a number of threads.
    library : str
        Its name in isa.REPORTS.
    needs : tuple of str
        The packages without which it is left out.
    goal : float, optional
        The ratio of its time to fastmlp's that is wanted.
    tolerance : float
        By how much the mean of its values may differ from fastmlp's, as a part of it.
    each : bool
        Whether any of its values may differ by the tolerance at the most.
    """

    make: Callable[[int], Contender]
    library: str = "fastmlp"
    needs: tuple[str, ...] = ()
    goal: float | None = None
    tolerance: float = 0.0
    each: bool = False


@dataclass(frozen=True)
class Case:
    """Some work, and who does it.

    Attributes
    ----------
    text : str
    peers : dict of str to Peer
        The first is fastmlp.
    most_seconds, most_bytes : float, optional
        What fastmlp should take at the most: of time, and of memory at its peak.
    """

    text: str
    peers: dict[str, Peer]
    most_seconds: float | None = None
    most_bytes: float | None = None

    @property
    def ours(self) -> str:
        """The name of fastmlp's contender."""
        return next(iter(self.peers))


def _trained(fleet: Fleet, goals: dict[str, float]) -> dict[str, Peer]:
    """Return the contenders that train a fleet.

    Fits of fastmlp have the same bits. scikit-learn has one logistic output for two classes, which takes less
    work and learns in other steps than two outputs.
    """
    own = {
        "train_many": peers.TrainMany,
        "loop of train": peers.Loop,
        "Python threads": peers.PythonThreads,
    }
    torches = {
        "torch bmm": (peers.TorchBmm, "torch"),
        "torch compiled": (peers.TorchCompiled, "torch-compiled"),
        "torch vmap": (peers.TorchVmap, "torch"),
    }
    found = {name: Peer(partial(make, fleet), goal=goals.get(name), each=True) for name, make in own.items()}
    found["JAX vmap"] = Peer(partial(peers.JaxVmap, fleet), "jax", ("jax",), goals.get("JAX vmap"), 0.1)
    for name, (make, library) in torches.items():
        # Its threads have little to share out in products so small, so that one may be the better choice.
        for suffix, form in (
            ("", partial(make, fleet)),
            (" (1)", partial(_on_one_thread, make, fleet)),
        ):
            found[name + suffix] = Peer(form, library, ("torch",), goals.get(name), 0.1)
    found["joblib"] = Peer(partial(peers.Joblib, fleet), "sklearn", ("sklearn", "joblib"), tolerance=0.25)
    return found


def _on_one_thread(make: Callable[[Fleet, int], Contender], fleet: Fleet, threads: int) -> Contender:
    return make(fleet, 1)


def _search(text: str, space: calls.Space) -> Case:
    """Return a search, and its fits alone; their ratio is 1/1.2 if the rest takes a fifth of them."""
    fits = partial(calls.SearchedByTrainMany, space)
    return Case(
        f"1,000 trials of search on iris, {text}",
        {
            "search": Peer(partial(calls.Search, space), needs=("optuna",)),
            "its fits alone": Peer(fits, "fastmlp", ("optuna",), 1 / 1.2, each=True),
        },
        most_seconds=20.0,
    )


def _ensemble(rows: int) -> Case:
    """Return the outputs of an ensemble for so many rows."""
    sklearn, onnx = ("sklearn",), ("sklearn", "onnx", "onnxruntime")
    return Case(
        f"Ensemble of 16 networks 64-64-64-10, {rows:,} row" + ("s" if rows > 1 else ""),
        {
            "Ensemble": Peer(partial(calls.EnsembleCall, rows), needs=sklearn),
            "16 networks": Peer(partial(calls.SingleCalls, rows), "fastmlp", sklearn, 1 / 1.1, 1e-6, True),
            "ONNX Runtime": Peer(partial(calls.OnnxRuntime, rows), "onnxruntime", onnx, 1.0, 1e-5, True),
        },
    )


SMALL = Fleet(TrainCase("small", (10, 32, 32, 2), batch=32, rows=4096), (0.001,) * 64)
RATES = Fleet(
    TrainCase("rates", (10, 40, 40, 40, 40, 1), batch=64, rows=4096, regression=True),
    tuple(np.geomspace(3e-4, 1e-2, 100).tolist()),
)
GRID = calls.Grid()

CASES = {
    "small": Case(
        "64 networks 10-32-32-2, batches of 32, 4,096 rows, one epoch",
        _trained(SMALL, {"loop of train": 1.9, "JAX vmap": 6.0, "torch bmm": 3.0}),
    ),
    "rates": Case(
        "100 networks 10-[40 x 4]-1, batches of 64, 4,096 rows, each another learning rate, one epoch",
        _trained(RATES, {"JAX vmap": 3.0}),
    ),
    "grid": Case(
        "5 folds x 20 specs of digits, 64-h-10, 20 epochs",
        {
            "GridSearchCV": Peer(partial(calls.OwnGridSearch, GRID), needs=("sklearn",)),
            "train_many": Peer(partial(calls.FoldsByTrainMany, GRID), needs=("sklearn",), tolerance=0.02),
            "scikit-learn": Peer(partial(calls.ScikitGridSearch, GRID), "sklearn", ("sklearn",), 8.0, 0.02),
        },
    ),
    "search": _search("every default", calls.Space()),
    "search/small": _search("networks of up to 32-32, 100 epochs", calls.SMALL_SPACE),
    "ensemble/1": _ensemble(1),
    "ensemble/4096": _ensemble(4096),
    "memory": Case(
        "10,000 networks 10-32-32-2 from 10,000 rows",
        {"train_many": Peer(calls.TenThousand)},
        most_bytes=1e9,
    ),
}
