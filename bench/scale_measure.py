"""The parameters of scale.py, as this machine has them.

    python bench/scale_measure.py [--case higgs] [--threads 1]

The link is measured between two processes that mpiexec starts here, which send each other as much as an
exchange does; the machine by steps of one process, of different batches and shards, to which the model is
fitted.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cases import TRAIN, TrainCase
from machine import undisturbed
from numpy.typing import NDArray
from scale import Link, Machine, Work

SIZES = (32, 256, 2048, 1 << 14, 1 << 18, 1 << 21, 1 << 24)  # bytes of messages
BATCHES, SHARDS = (64, 256, 1024), (1, 2, 4)


def mpiexec(count: int, *command: str) -> list[str]:
    """Return the command that runs Python's `command` as so many processes."""
    beside = Path(sys.executable).with_name("mpiexec")
    program = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not program:
        raise SystemExit("mpiexec is not installed: pip install 'fastmlp[mpi]'")
    return [program, "-n", str(count), sys.executable, *command]


def swap_seconds(repeats: int = 9) -> list[list[float]]:
    """Run in both of two processes: return the times of exchanges of SIZES, by MPI and by fastmlp."""
    from mpi4py import MPI

    from fastmlp._processes.processes import Processes

    world = MPI.COMM_WORLD
    processes, other = Processes(world, timeout=60), 1 - world.rank
    exchanges: list[Callable[[Any, Any], None]] = [
        lambda out, into: world.Sendrecv(out, other, 0, into, other, 0),
        lambda out, into: processes.swap(other, out, into),
    ]
    found: list[list[float]] = [[], []]
    for size in SIZES:
        out, into = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        count = max(4, min(1000, 10_000_000 // size))
        for exchange, best in zip(exchanges, found, strict=True):
            times = []
            for _ in range(repeats):
                world.Barrier()
                start = time.perf_counter()
                for _ in range(count):
                    exchange(out, into)
                times.append((time.perf_counter() - start) / count)
            best.append(min(times))
    return found


def fitted(rows: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers, none negative, that bring rows @ numbers nearest to seconds, in relative terms."""
    from scipy.optimize import nnls

    return np.asarray(nnls(rows / seconds[:, None], np.ones(len(seconds)))[0])


def measure_link(others: float = math.inf) -> tuple[Link, float]:
    """Measure what joins two processes of this machine, and what fastmlp's exchange takes besides."""
    command = mpiexec(2, __file__, "--swaps")
    said = undisturbed(lambda: subprocess.check_output(command, text=True), others)
    by_mpi, by_swap = (np.array(s) for s in json.loads(said))
    terms = np.array([(1, size) for size in SIZES], float)
    latency, per_byte = fitted(terms, by_mpi)
    return Link("this machine", float(latency), 1 / float(per_byte)), float(
        fitted(terms, by_swap)[0] - latency
    )


def step_seconds(
    case: TrainCase, batch: int, shards: int, threads: int, others: float, seconds: float = 0.3
) -> float:
    """Return the time of a step of fastmlp on one process."""
    import fastmlp

    rows = max(2 * batch, case.sizes[-1])
    X, y = replace(case, rows=rows).data()
    options: dict[str, Any] = {
        "hidden": case.sizes[1:-1],
        "batch_size": batch,
        "learning_rate": 1e-3,
        "task": "classification",
        "threads": threads,
        "shards": shards,
    }
    net = fastmlp.train(X, y, epochs=1, **options)

    def timed() -> float:
        start = time.perf_counter()
        fastmlp.train(X, y, epochs=epochs, init=net, **options)
        return time.perf_counter() - start

    epochs, steps, times = 1, -(-rows // batch), []
    while len(times) < 3:
        spent = undisturbed(timed, others)
        if spent < seconds / 3:  # what a call sets up must not count
            epochs = 2 * epochs
            continue
        times.append(spent)
    return min(times) / epochs / steps


def measure_machine(case: TrainCase, threads: int, others: float = math.inf) -> tuple[Machine, float]:
    """Fit the model to steps of one process; return what came of it, and the median relative error."""
    terms, seconds = [], []
    for batch in BATCHES:
        for shards in SHARDS:
            work = Work(case.sizes, batch, shards)
            per_row = work.flops_per_row
            moved = work.size * (3 * (shards - 1) + work.words)
            terms.append((per_row * batch, per_row * shards, moved))
            seconds.append(step_seconds(case, batch, shards, threads, others))
    rows, measured = np.array(terms, float), np.array(seconds)
    per_flop, per_shard, per_byte = fitted(rows, measured)
    error = median(np.abs(rows @ (per_flop, per_shard, per_byte) / measured - 1).tolist())
    memory = 1 / per_byte if per_byte else float("inf")
    return Machine(1 / per_flop, per_shard / per_flop, memory, swap=0.0), error


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", default="higgs", choices=tuple(TRAIN))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--others",
        type=float,
        default=math.inf,
        help="repeat what ran beside more busy processors",
    )
    parser.add_argument("--swaps", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.swaps:
        from mpi4py import MPI

        seconds = swap_seconds()
        if MPI.COMM_WORLD.rank == 0:
            print(json.dumps(seconds))
        return
    link, swap = measure_link(options.others)
    print(f"link: {link.latency * 1e6:.2f} us, {link.bandwidth / 1e9:.2f} GB/s each way", flush=True)
    print(f"an exchange besides: {swap * 1e6:.2f} us", flush=True)
    machine, error = measure_machine(TRAIN[options.case], options.threads, options.others)
    print(f"{options.case}, threads={options.threads}: {asdict(machine)}, median error {error:.1%}")


if __name__ == "__main__":
    main()
