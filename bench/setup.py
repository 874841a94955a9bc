"""What a call of `train` takes besides its epochs: checks, initial weights, memory, records.

    python bench/setup.py [--cases iris,tiny,..] [--threads 1,2] [--calls 15]

For each case, in ms: a call that begins anew, one that goes on from the network of the call before, and
``partial_fit`` of an estimator on one batch of the case, its step included. Medians over the calls, and in
brackets the least.

A call trains two epochs, and its history tells how long the second one took: the set-up is the time of the
rest, less that of an epoch. So what the first epoch takes for memory that is new belongs to it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from cases import TRAIN, TrainCase
from competitors import RATE

import fastmlp

Times = tuple[float, float]  # of a call without its second epoch, and of that


def calls(case: TrainCase, threads: int, dtype: str) -> dict[str, Callable[[], Times]]:
    """Return what makes one call of each kind, and measures it."""
    X, y = case.data(dtype)
    sizes = case.sizes[1:-1]
    fastmlp.set_num_threads(threads)
    options: dict[str, Any] = {"activation": case.activation, "batch_size": case.batch}
    estimator = fastmlp.MLPClassifier(sizes, learning_rate_init=RATE, **options)
    options |= {"hidden": sizes, "task": "classification", "learning_rate": RATE, "epochs": 2, "dtype": dtype}
    last: Any = "auto"

    def train(init: Any) -> Times:
        nonlocal last
        start = time.perf_counter()
        last = fastmlp.train(X, y, init=init, **options)
        seconds = time.perf_counter() - start
        first, second = last.history["seconds"][-2:]
        return seconds - (second - first), second - first

    def partial_fit() -> Times:
        start = time.perf_counter()
        estimator.partial_fit(X[: case.batch], y[: case.batch], classes=range(case.sizes[-1]))
        return time.perf_counter() - start, 0.0

    return {"anew": lambda: train("auto"), "going on": lambda: train(last), "partial_fit": partial_fit}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="iris,tiny,digits,mnist,higgs,wide")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--calls", type=int, default=15, help="the least number of each kind")
    parser.add_argument("--seconds", type=float, default=2.0, help="the least time for a case")
    options = parser.parse_args()
    for name in options.cases.split(","):
        for threads in map(int, options.threads.split(",")):
            kinds = calls(TRAIN[name], threads, options.dtype)
            for call in kinds.values():
                call()  # the first one imports and allocates
            times: dict[str, list[Times]] = {kind: [] for kind in kinds}
            begin = time.perf_counter()
            while len(times["anew"]) < options.calls or time.perf_counter() - begin < options.seconds:
                for kind, call in kinds.items():
                    times[kind].append(call())
            print(f"{name:8} {threads} thr", end="")
            for kind, measured in times.items():
                rest, epoch = zip(*measured, strict=True)
                middle, least = ((f(rest) - f(epoch)) * 1e3 for f in (median, min))
                print(f"   {kind} {middle:8.3f} ({least:.3f})", end="")
            print(flush=True)


if __name__ == "__main__":
    main()
