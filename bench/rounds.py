"""Rounds on Dask beside plain training: passes over the rows, and seconds, until a loss is reached.

    python bench/rounds.py [--rows 16384] [--tables 6] [--partitions 8] [--methods 1:0.7:0.9,4:0.7:0.9]
        [--workers 2] [--output FILE]

The rows are like those of protein tables: nine numbers that hang together, of which some are skewed, and a
target that is not linear in them, with noise. Each contender learns from the same rows and is measured on the
same others after each pass or round. The goals are what plain `fastmlp.train` reaches in 5, 10, 20 and 40
passes. A method is local_epochs:outer_learning_rate:outer_momentum; its line has its passes / those of plain
train, the median of all tables, and the worst. They do not depend on the machine; seconds do.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import describe
from numpy.typing import NDArray

Array = NDArray[np.float32]
Method = tuple[int, float, float]  # local epochs, outer learning rate, outer momentum
GOALS = (5, 10, 20, 40)  # passes of plain train
MOST = 120  # passes of rounds
OPTIONS: dict[str, Any] = {"hidden": (100, 100), "task": "regression", "seed": 0}


def table(rows: int, seed: int) -> tuple[Array, Array]:
    """Return X (rows, 9) and y (rows,)."""
    random = np.random.default_rng(seed)
    hidden = random.standard_normal((rows, 4))
    X = hidden @ random.standard_normal((4, 9)) / 2 + 0.6 * random.standard_normal((rows, 9))
    X[:, ::3] = np.exp(0.7 * X[:, ::3])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    a = np.tanh(X @ random.standard_normal((9, 24)) / 2)
    y = np.tanh(a @ random.standard_normal((24, 12)) / 2) @ random.standard_normal(12)
    y += np.sin(2 * X[:, 0]) * X[:, 3]
    y = y / y.std() + 0.3 * random.standard_normal(rows)
    return X.astype(np.float32), y.astype(np.float32)


def plain(X: Array, y: Array, held: tuple[Array, Array]) -> tuple[list[float], list[float]]:
    """Return the loss on held rows after each pass, and the seconds until then."""
    import fastmlp

    net = fastmlp.train(X, y, validation=held, epochs=max(GOALS), restore_best=False, **OPTIONS)
    return list(net.history["validation_loss"]), list(net.history["seconds"])


def rounds(
    client: Any, X: Array, y: Array, held: tuple[Array, Array], partitions: int, method: Method
) -> tuple[list[float], list[float]]:
    """Return the same for rounds on Dask."""
    import dask.array as da

    import fastmlp.dask

    chunk = -(-len(X) // partitions)
    dX, dy = da.from_array(X, chunks=(chunk, -1)).persist(), da.from_array(y, chunks=chunk).persist()
    local_epochs, rate, momentum = method
    net = fastmlp.dask.train(
        client, dX, dy, validation=held, rounds=MOST // local_epochs, local_epochs=local_epochs,
        outer_learning_rate=rate, outer_momentum=momentum, restore_best=False, **OPTIONS,
    )  # fmt: skip
    return list(net.history["validation_loss"]), list(net.history["seconds"])


def reached(losses: list[float], goal: float) -> int | None:
    """Return after how many passes or rounds the goal was reached, None if it was not."""
    return next((k + 1 for k, loss in enumerate(losses) if loss <= goal), None)


def measure_table(client: Any, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a line for each goal and method on one table."""
    X, y = table(options.rows + options.rows // 10, seed)
    held = (X[options.rows :], y[options.rows :])
    X, y = X[: options.rows], y[: options.rows]
    losses, seconds = plain(X, y, held)
    goals = [min(losses[:passes]) for passes in GOALS]
    first = [reached(losses, goal) or 0 for goal in goals]
    lines = []
    for method in options.methods:
        by_rounds, spent = rounds(client, X, y, held, options.partitions, method)
        for of, goal, k in zip(GOALS, goals, first, strict=True):
            n = reached(by_rounds, goal)
            line = {"table": seed, "method": method, "goal": of, "loss": goal, "rounds": n}
            line |= {"passes": n and n * method[0], "plain_passes": k}
            lines.append(line | {"seconds": n and spent[n - 1], "plain_seconds": seconds[k - 1]})
    return lines


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the lines of all tables."""
    sys.path.append(sys.path.pop(0))  # distributed.py of this folder is not Dask's
    from distributed import Client, LocalCluster

    processes = {"n_workers": options.workers} if options.workers else {"n_workers": 1, "processes": False}
    threads = 1 if options.workers else None
    cluster = LocalCluster(**processes, threads_per_worker=threads, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        return [line for seed in range(options.tables) for line in measure_table(client, seed, options)]


def show(lines: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print a table: a line for each method, with a column for each goal."""
    print(
        f"{'passes / passes of plain train':42}" + "".join(f"{'to the loss of ' + str(g):>22}" for g in GOALS)
    )
    for method in options.methods:
        cells = []
        for goal in GOALS:
            of = [line for line in lines if line["method"] == method and line["goal"] == goal]
            ratios = [(x["passes"] or math.inf) / x["plain_passes"] for x in of]
            cells.append(f"{median(ratios):.2f} (worst {max(ratios):.2f})")
        local_epochs, rate, momentum = method
        name = f"local_epochs={local_epochs}, outer rate {rate:g}, momentum {momentum:g}"
        print(f"{name:42}" + "".join(f"{cell:>22}" for cell in cells), flush=True)
    for method in options.methods:
        of = [x for x in lines if x["method"] == method and x["goal"] == 20 and x["seconds"]]
        if of:
            ours, plain_seconds = (median(x[k] for x in of) for k in ("seconds", "plain_seconds"))
            print(f"seconds to the loss of 20 passes, {method}: {ours:.2f}, plain {plain_seconds:.2f}")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=16_384)
    parser.add_argument("--tables", type=int, default=6)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument(
        "--workers", type=int, default=2, help="processes of a thread each; 0 for threads of this one"
    )
    parser.add_argument("--methods", default="1:0.7:0.9,2:0.7:0.9,4:0.7:0.9,1:1:0.9,1:1:0")
    parser.add_argument("--output", type=Path, help="a JSON file for the results")
    options = parser.parse_args(arguments)
    methods = [method.split(":") for method in options.methods.split(",")]
    options.methods = [(int(n), float(rate), float(momentum)) for n, rate, momentum in methods]
    return options


def main() -> None:
    """Measure, print, and write the file."""
    options = parse()
    header = describe(["fastmlp"], None, "float32")
    print(f"{options.tables} tables of {options.rows} rows, {options.partitions} partitions")
    lines = measure(options)
    show(lines, options)
    if options.output:
        options.output.write_text(json.dumps(header | {"results": lines}, indent=1))


if __name__ == "__main__":
    main()
