"""Worker processes: one contender each, on a given number of processors, timed when asked.

Interleaving needs all contenders of a case alive at once; a process each keeps their thread pools, their peak
memory and their pinning apart.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from cases import TRAIN, mnist

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def peak_memory() -> int:
    """Return the peak resident memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _serve(pipe: Any, kind: str, contender: str, case: Any, threads: int, cpus: int, dtype: str) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpus])
    if kind == "predict":
        from competitors import PREDICTORS

        X = case.data(dtype)
        predict = PREDICTORS[contender](case, dtype, threads)

        def run(k: int) -> None:
            for _ in range(k):
                predict(X)
    else:
        from competitors import TRAINERS

        if isinstance(case, Path):
            X, y, Xt, yt = mnist(case)
            case = TRAIN["mnist"].__class__("mnist", (784, 512, 512, 10), 128, len(X))
        else:
            X, y = case.data(dtype)
        if case.regression:
            y = y.astype(dtype)
        trainer = TRAINERS[contender](case, X, y, threads)
        run = trainer.epochs
    before = peak_memory()
    start = time.perf_counter()
    run(1)
    pipe.send({"first": time.perf_counter() - start})
    while (request := pipe.recv()) is not None:
        if request == "memory":
            pipe.send({"peak": peak_memory(), "before": before})
        elif request == "accuracy":
            pipe.send(trainer.accuracy(Xt, yt))
        else:
            start = time.perf_counter()
            run(request)
            pipe.send(time.perf_counter() - start)


class Worker:
    """A contender in a process of its own.

    ``first`` is the time of its first epoch or call, compilation included. `cpus` is the number of processors
    that the process may use, `threads` what the contender is asked to use.
    """

    def __init__(
        self, kind: str, contender: str, case: Any, threads: int, dtype: str, cpus: int | None = None
    ) -> None:
        here, there = mp.get_context("spawn").Pipe()
        limits = dict.fromkeys(LIMITS, str(threads))
        kept = {name: os.environ.get(name) for name in limits}
        os.environ.update(limits)
        self.pipe, self.contender = here, contender
        arguments = (there, kind, contender, case, threads, cpus or threads, dtype)
        self.process = mp.get_context("spawn").Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        there.close()
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        self.first: float = self.pipe.recv()["first"]

    def ask(self, request: Any) -> Any:
        """Return the seconds of `request` epochs or calls, or the answer to "memory" or "accuracy"."""
        self.pipe.send(request)
        return self.pipe.recv()

    def repeats(self, seconds: float) -> int:
        """Return how many epochs or calls take about `seconds`; warms up on the way."""
        k, spent = 1, self.ask(1)
        while spent < seconds / 4 and k < 10**8:
            k = max(k + 1, min(10 * k, int(k * seconds / max(spent, 1e-9))))
            spent = self.ask(k)
        return max(1, round(k * seconds / spent))

    def close(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join()

    def __enter__(self) -> Worker:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.join()


class FmaPeak:
    """The machine's peak of multiply-adds in GFLOP/s, by a probe compiled for it."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.probe = Path(self.folder.name) / "fma_peak"
        source = Path(__file__).with_name("fma_peak.cpp")
        compiler = os.environ.get("CXX", "c++")
        flags = ["-std=c++20", "-O3", "-march=native", "-pthread"]
        subprocess.run([compiler, *flags, str(source), "-o", str(self.probe)], check=True)

    def measure(self, threads: int, dtype: str) -> float:
        """Return GFLOP/s of that many threads together."""
        kind = {"float32": "float", "float64": "double"}[dtype]
        return float(subprocess.check_output([str(self.probe), kind, str(threads)], text=True))


def machine() -> str:
    """Return the processor's name and the number of processors in use."""
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{names[0] if names else 'unknown processor'}, {len(os.sched_getaffinity(0))} processors"
