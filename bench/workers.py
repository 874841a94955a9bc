"""Worker processes: one contender each, on a given number of processors, timed when asked.

Interleaving needs all contenders of a case alive at once; a process each keeps their thread pools, their peak
memory and their pinning apart. A worker reads a line of JSON and answers with one:

    3              run three epochs (or calls) -> {"seconds": ..}
    "memory"       -> {"bytes": ..}, the peak resident memory
    "accuracy"     -> {"accuracy": ..} on the test images of MNIST
    "work"         -> {"count": .., "values": ..}, what the last run of a case of many.py did
    "avx512"       -> {"used": ..}, whether a thread used AVX-512 since the worker's start
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import isa
from cases import PREDICT, TRAIN, WIDTHS, mnist, mnist_case

Questions = dict[str, Callable[[], Any]]
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def peak_memory() -> int:
    """Return the peak resident memory of this process, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says includes the parent's, from before exec
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _prepare(case: str, contender: str, threads: int, dtype: str) -> tuple[Callable[[int], None], Questions]:
    """Return what runs k epochs or calls, and what answers questions about them."""
    from competitors import PREDICTORS, TRAINERS

    kind, _, name = case.rpartition(":")
    if kind == "many":
        from many_cases import CASES

        of_many = CASES[name].peers[contender].make(threads)

        def run_all(times: int) -> None:
            for _ in range(times):
                of_many.run()

        return run_all, {"work": of_many.work}
    if kind == "predict":
        X = PREDICT[name].data(dtype)
        predict = PREDICTORS[contender](PREDICT[name], dtype, threads)

        def run(calls: int) -> None:
            for _ in range(calls):
                predict(X)

        return run, {}
    if kind == "mnist":
        X, y, Xt, yt = mnist(Path(name))
        trainer = TRAINERS[contender](mnist_case(len(X)), X, y, threads)
        return trainer.epochs, {"accuracy": lambda: {"accuracy": trainer.accuracy(Xt, yt)}}
    of_case = (TRAIN | WIDTHS)[name]
    X, y = of_case.data(dtype)
    return TRAINERS[contender](of_case, X, y, threads).epochs, {}


def _serve(case: str, contender: str, threads: int, dtype: str) -> None:
    start_of_worker = time.monotonic()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is not an answer
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    run, questions = _prepare(case, contender, threads, dtype)
    for line in sys.stdin:
        request = json.loads(line)
        answer: Any
        if request == "memory":
            answer = {"bytes": peak_memory()}
        elif request in questions:
            answer = questions[request]()
        elif request == "avx512":
            answer = {"used": isa.used_avx512(start_of_worker)}
        else:
            start = time.perf_counter()
            run(request)
            answer = {"seconds": time.perf_counter() - start}
        print(json.dumps(answer), file=answers)


class Worker:
    """A contender in a process of its own, run by `python`, which may belong to another environment.

    ``first`` is the time of its first epoch or call, compilation included. It is held to the instruction set
    `level`, if that is not None; `check_level` tells whether that held.
    """

    def __init__(
        self,
        case: str,
        contender: str,
        threads: int,
        dtype: str,
        level: str | None = None,
        python: str = sys.executable,
    ) -> None:
        self.contender, self.level = contender, level
        self.process = subprocess.Popen(
            [python, __file__, case, contender, str(threads), dtype],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | dict.fromkeys(THREAD_LIMITS, str(threads)) | isa.environment(level),
            text=True,
        )
        self.first = self.seconds(1)

    def ask(self, request: int | str) -> dict[str, Any]:
        """Return the answer to a request."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.contender} failed; its message is above")
        return dict(json.loads(answer))

    def check_level(self) -> None:
        """End the run if this process used AVX-512 and is held to less."""
        if self.level in ("v2", "v3") and self.ask("avx512")["used"]:
            raise SystemExit(f"{self.contender} used AVX-512 though it is held to {self.level}")

    def seconds(self, repeats: int) -> float:
        """Return the seconds that so many epochs or calls take."""
        return float(self.ask(repeats)["seconds"])

    def turn(self, repeats: int) -> float:
        """Return the same after an untimed start, while the threads of the turn before fall asleep."""
        self.seconds(max(1, repeats // 10))
        return self.seconds(repeats)

    def repeats(self, seconds: float) -> int:
        """Return how many epochs or calls take about `seconds`; warms up on the way."""
        k, spent = 1, self.seconds(1)
        while spent < seconds / 4 and k < 10**8:
            k = max(k + 1, min(10 * k, int(k * seconds / max(spent, 1e-9))))
            spent = self.seconds(k)
        return max(1, round(k * seconds / spent))

    def __enter__(self) -> Worker:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.process.communicate(timeout=10)  # its input ends, and with it the processes of its own
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
