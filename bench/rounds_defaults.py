"""How the defaults of `fastmlp.dask.train` were chosen: passes of rounds beside those of plain training.

    python bench/rounds_defaults.py TABLE.csv .. [--target y] [--partitions 8] [--states]

Each table is divided into partitions of consecutive rows, after a shuffle. The goals are the lowest losses of
all rows that `fastmlp.train` reaches in 10, 20 and 40 passes. For each choice of local epochs, outer rate and
momentum it prints how many times these passes rounds need; median and worst of all tables. --states compares
what becomes of the inner optimizer's state after a round: begun anew, kept by each partition, or averaged as
the weights are. It needs no Dask: the bits are those of the partitions, whoever computes them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp._dask.learning import task_seed
from fastmlp._dask.rounds import Outer
from fastmlp._rows.memory import WholeRows, core_rows
from fastmlp._training.options import checked_settings, core_options
from fastmlp._training.run import run

GOALS = (10, 20, 40)  # passes of plain training
MOST = 120  # passes of rounds
OUTER = ((1.0, 0.0), (1.0, 0.7), (1.0, 0.8), (0.7, 0.8), (0.4, 0.9), (0.7, 0.9), (1.0, 0.9), (0.7, 0.95))
SETTINGS: dict[str, Any] = {
    "optimizer": "adam", "learning_rate": None, "batch_size": "auto", "dropout": 0.0, "clip_norm": None,
    "patience": None, "min_delta": 0.0, "restore_best": False, "loss_target": None, "max_time": None,
    "shuffle": True, "seed": 0, "threads": None, "dtype": "float32", "compute": None,
}  # fmt: skip


def numbers_of(path: Path, target: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a table's rows, shuffled, standardised and encoded."""
    table = fastmlp.data.read(path).X
    table = table.take(np.random.default_rng(0).permutation(table.n_rows))
    encoder = fastmlp.data.TableEncoder(target).fit(table)
    return encoder.transform(table, "float32"), encoder.transform_target(table)


class Rows:
    """A table in partitions, and the network to begin with."""

    def __init__(self, X: NDArray[Any], y: NDArray[Any], partitions: int) -> None:
        labelled = y.dtype.kind != "f"
        outputs = len(np.unique(y)) if labelled else 1
        loss = "softmax_cross_entropy" if labelled else "squared_error"
        self.network = fastmlp.Network((X.shape[1], 100, outputs), loss=loss)
        if labelled:
            self.network.classes = np.unique(y)
        self.X, self.y = X, y
        self.whole = self._rows(slice(None))
        places = np.array_split(np.arange(len(X)), partitions)
        self.parts = [self._rows(slice(p[0], p[-1] + 1)) for p in places]

    def _rows(self, at: slice) -> WholeRows:
        return WholeRows(core_rows(*self.network._checked_rows(self.X[at], self.y[at], None)), None, 1.0)

    def loss(self, network: fastmlp.Network) -> float:
        """Return the loss of all rows."""
        return network.loss_and_gradient(self.X, self.y)[0]


def twin(network: fastmlp.Network) -> fastmlp.Network:
    """Return a copy."""
    made = fastmlp.Network(network.layer_sizes, loss=network.loss, init=network)
    if network.classes is not None:
        made.classes = network.classes
    return made


def plain(rows: Rows) -> list[float]:
    """Return the loss after each pass of plain training."""
    network, losses = twin(rows.network), []
    settings = checked_settings(epochs=max(GOALS), **SETTINGS)

    def note(record: Any) -> bool:
        losses.append(rows.loss(network))
        return False

    run(network, rows.whole, core_options(settings, len(rows.whole)), on_epoch=note)
    return losses


def rounds(rows: Rows, local_epochs: int, rate: float, momentum: float, state: str) -> list[float]:
    """Return the loss after each round."""
    network, losses = twin(rows.network), []
    settings = checked_settings(epochs=local_epochs, **SETTINGS)
    outer = Outer(network.n_parameters, rate, momentum)
    sizes = np.array([len(part) for part in rows.parts])
    moments = np.zeros((len(rows.parts), 2, network.n_parameters), np.float32)
    steps = [0] * len(rows.parts)
    for round_ in range(MOST // local_epochs):
        difference = np.zeros(network.n_parameters)
        for i, part in enumerate(rows.parts):
            local = twin(network)
            if state == "anew":
                moments[i], steps[i] = 0, 0
            carried = local._core.RunState(moments[i, 0].copy(), moments[i, 1].copy(), steps[i])
            options = core_options(settings.with_seed(task_seed(0, round_, i)), len(part))
            run(local, part, options, state=carried)
            moments[i, 0], moments[i, 1], steps[i] = carried.s1, carried.s2, carried.steps
            difference += sizes[i] / sizes.sum() * (local.parameters.astype(float) - network.parameters)
        if state == "averaged":
            moments[:] = np.average(moments, axis=0, weights=sizes)
        network.parameters[:] = outer.step(network.parameters, difference)
        losses.append(rows.loss(network))
        if not np.isfinite(losses[-1]):
            break
    return losses


def ratios(rows: Rows, goals: list[float], local_epochs: int, *choice: Any) -> list[float]:
    """Return how many times the passes of plain training rounds need to each goal."""
    losses = np.array(rounds(rows, local_epochs, *choice))
    found = [np.flatnonzero(losses <= goal) for goal in goals]
    return [
        (at[0] + 1) * local_epochs / passes if len(at) else np.inf
        for at, passes in zip(found, GOALS, strict=True)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--target", default="y")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--states", action="store_true")
    options = parser.parse_args()
    tables = [Rows(*numbers_of(path, options.target), options.partitions) for path in options.tables]
    goals = []
    for rows in tables:
        losses = plain(rows)
        goals.append([min(losses[:passes]) for passes in GOALS])
    states = ("anew", "kept", "averaged") if options.states else ("anew",)
    outer = ((1.0, 0.0), (0.7, 0.9)) if options.states else OUTER
    print(f"passes of rounds / of plain training, to what the latter reaches in {GOALS} passes")
    for local_epochs in (1, 4) if options.states else (1, 2, 4):
        for rate, momentum in outer:
            for state in states:
                found = np.array(
                    [
                        ratios(rows, goal, local_epochs, rate, momentum, state)
                        for rows, goal in zip(tables, goals, strict=True)
                    ]
                )
                median, worst = (
                    " ".join(f"{x:5.2f}" for x in row) for row in (np.median(found, 0), found.max(0))
                )
                name = f"local_epochs={local_epochs} rate={rate} momentum={momentum} state {state}"
                print(f"{name:60} median {median}   worst {worst}", flush=True)


if __name__ == "__main__":
    main()
