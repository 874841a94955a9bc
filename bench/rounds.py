"""Rounds on Dask beside plain training: passes over the rows, and seconds, until a loss is reached.

    python bench/rounds.py [--rows 45730] [--partitions 8] [--local-epochs 1,4] [--workers 2] [--output FILE]

The rows are like those of protein tables: nine numbers that hang together, of which some are skewed, and a
target that is not linear in them, with noise. Each contender learns from the same rows and is measured on the
same others after each pass or round. The goals are what plain `fastmlp.train` reaches in 5, 10, 20 and 40
passes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from numpy.typing import NDArray

Array = NDArray[np.float32]
GOALS = (5, 10, 20, 40)  # passes of plain train
MOST = 160  # passes of rounds
OPTIONS: dict[str, Any] = {"hidden": (100, 100), "task": "regression", "seed": 0}


def table(rows: int) -> tuple[Array, Array]:
    """Return X (rows, 9) and y (rows,)."""
    random = np.random.default_rng(0)
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
    client: Any, X: Array, y: Array, held: tuple[Array, Array], partitions: int, local_epochs: int
) -> tuple[list[float], list[float]]:
    """Return the same for rounds on Dask."""
    import dask.array as da

    import fastmlp.dask

    chunk = -(-len(X) // partitions)
    dX, dy = da.from_array(X, chunks=(chunk, -1)).persist(), da.from_array(y, chunks=chunk).persist()
    start = time.perf_counter()
    net = fastmlp.dask.train(
        client, dX, dy, validation=held, rounds=MOST // local_epochs, local_epochs=local_epochs,
        restore_best=False, **OPTIONS,
    )  # fmt: skip
    spent = time.perf_counter() - start
    losses = list(net.history["validation_loss"])
    return losses, [spent * (k + 1) / len(losses) for k in range(len(losses))]


def reached(losses: list[float], goal: float) -> int | None:
    """Return after how many passes or rounds the goal was reached, None if it was not."""
    return next((k + 1 for k, loss in enumerate(losses) if loss <= goal), None)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a line for each goal and contender."""
    sys.path.append(sys.path.pop(0))  # distributed.py of this folder is not Dask's
    from distributed import Client, LocalCluster

    X, y = table(options.rows + options.rows // 10)
    held = (X[options.rows :], y[options.rows :])
    X, y = X[: options.rows], y[: options.rows]
    losses, seconds = plain(X, y, held)
    goals = [min(losses[:passes]) for passes in GOALS]
    lines = [
        {"contender": "train", "goal": goal, "passes": k, "seconds": seconds[k - 1]}
        for goal in goals
        if (k := reached(losses, goal)) is not None
    ]
    with (
        LocalCluster(n_workers=options.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        for local_epochs in options.local_epochs:
            losses, seconds = rounds(client, X, y, held, options.partitions, local_epochs)
            for goal in goals:
                k = reached(losses, goal)
                lines.append(
                    {
                        "contender": f"rounds, local_epochs={local_epochs}",
                        "goal": goal,
                        "rounds": k,
                        "passes": k and k * local_epochs,
                        "seconds": k and seconds[k - 1],
                    }
                )
    return lines


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=45_730)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2, help="processes of a thread each")
    parser.add_argument("--local-epochs", default="1,4")
    parser.add_argument("--output", type=Path, help="a JSON file for the results")
    options = parser.parse_args(arguments)
    options.local_epochs = [int(n) for n in options.local_epochs.split(",")]
    return options


def main() -> None:
    """Measure, print, and write the file."""
    options = parse()
    header = describe(["fastmlp"], None, "float32")
    print(f"{options.rows} rows, {options.partitions} partitions, {options.workers} workers")
    lines = measure(options)
    for line in lines:
        cost = f"not in {MOST} passes"
        if line["passes"] is not None:
            cost = f"{line['passes']:4} passes, {line['seconds']:.2f} s"
        print(f"    {line['contender']:24} loss {line['goal']:.4f}: {cost}")
    if options.output:
        options.output.write_text(json.dumps(header | {"results": lines}, indent=1))


if __name__ == "__main__":
    main()
