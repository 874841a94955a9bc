"""Contenders of distributed.py: one network, trained by one process or by several that are timed as one.

A gang is a worker (workers.py) whose first process hears and answers, and tells the others what to do:

    3              all run three epochs -> {"seconds": ..}
    "verify"       -> {"loss": .., "steps": .., "digest": ..} after one epoch, asked before any other
    "sent"         -> {"bytes": ..} that this process sends in a step
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import isa
import numpy as np
from cases import TRAIN, TrainCase
from competitors import RATE, Torch
from numpy.typing import NDArray
from scale_measure import mpiexec
from workers import THREAD_LIMITS, Worker

SHARDS = 8
CASES = {
    "higgs": replace(TRAIN["higgs"], batch=4096, rows=65_536),
    "wide": replace(TRAIN["wide"], rows=4096),
}


@dataclass(frozen=True)
class Contender:
    """Which library, on how many processes, with how many threads in each; of fastmlp, how many shards."""

    library: str
    processes: int
    threads: int
    shards: int = SHARDS

    def __str__(self) -> str:
        name = {"fastmlp": "fastmlp", "torch": "PyTorch" + (" DDP" if self.processes > 1 else "")}[
            self.library
        ]
        several = "es" if self.processes > 1 else ""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        shards = f", {self.shards} shards" if self.shards != SHARDS else ""
        return f"{name}, {self.processes} process{several}, {threads}{shards}"


def weights(case: TrainCase) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return the initial (W, b) of each layer, the same for all contenders (He et al. 2015)."""
    random = np.random.default_rng(2)
    return [
        ((random.standard_normal((i, o)) * np.sqrt(2 / i)).astype(np.float32), np.zeros(o, np.float32))
        for i, o in pairwise(case.sizes)
    ]


class Side(Protocol):
    """What one process of a gang does."""

    def epochs(self, k: int) -> None:
        """Train for k more epochs."""

    def verify(self) -> dict[str, Any]:
        """Return what came of the first epoch."""

    def heard(self, request: Any) -> Any:
        """Return the request that the first process has read."""


class FastMLP:
    """``fastmlp.train`` in lockstep."""

    def __init__(self, case: TrainCase, contender: Contender, rank: int) -> None:
        import fastmlp

        self.case, self.world = case, None
        self.net: Any = weights(case)
        self.X, self.y = case.data()
        self.train = fastmlp.train
        self.options: dict[str, Any] = {
            "hidden": case.sizes[1:-1],
            "activation": case.activation,
            "batch_size": case.batch,
            "learning_rate": RATE,
            "task": "classification",
            "threads": contender.threads,
            "shards": contender.shards,
        }
        if contender.processes > 1:
            from mpi4py import MPI

            self.world = self.options["communicator"] = MPI.COMM_WORLD

    def epochs(self, k: int) -> None:
        self.net = self.train(self.X, self.y, epochs=k, init=self.net, **self.options)

    def verify(self) -> dict[str, Any]:
        self.epochs(1)
        digest = hashlib.sha256(self.net.parameters.tobytes()).hexdigest()
        loss, _ = self.net.loss_and_gradient(self.X, self.y)
        return {"loss": float(loss), "steps": self.case.steps, "digest": digest}

    def sent(self) -> dict[str, Any]:
        """Count what the exchange of a step sends: two runs, so that what a run itself sends falls out."""
        from fastmlp._processes.processes import Processes

        swap, count = Processes.swap, 0

        def counted(this: Any, partner: int, out: Any, into: Any) -> None:
            nonlocal count
            count += memoryview(out).nbytes
            swap(this, partner, out, into)

        counts = []
        Processes.swap = counted  # type: ignore[method-assign]
        try:
            for epochs in (1, 2):
                count = 0
                self.train(self.X, self.y, epochs=epochs, **self.options)
                counts.append(count)
        finally:
            Processes.swap = swap  # type: ignore[method-assign]
        return {"bytes": (counts[1] - counts[0]) / self.case.steps}

    def heard(self, request: Any) -> Any:
        """Wait asleep: MPI's own broadcast keeps a processor busy, which is another contender's now."""
        if self.world is None:
            return request
        if self.world.rank == 0:
            self.world.send(request, 1)
            return request
        while not self.world.iprobe(0):
            time.sleep(1e-3)
        return self.world.recv(source=0)


class DDP(Torch):
    """PyTorch's DistributedDataParallel over gloo: each process has half of the rows, and of each batch."""

    def __init__(self, case: TrainCase, contender: Contender, rank: int) -> None:
        import torch
        from torch import distributed

        X, y = case.data()
        n = contender.processes
        part = replace(case, rows=case.rows // n, batch=case.batch // n)
        super().__init__(part, X[rank::n].copy(), y[rank::n].copy(), contender.threads)
        self.distributed, self.several, self.whole = distributed, n > 1, case
        linear = [layer for layer in self.model if isinstance(layer, torch.nn.Linear)]
        with torch.no_grad():
            for layer, (W, b) in zip(linear, weights(case), strict=True):
                layer.weight.copy_(torch.from_numpy(W.T))
                layer.bias.copy_(torch.from_numpy(b))
        if self.several:
            distributed.init_process_group("gloo", rank=rank, world_size=n)
            self.model = torch.nn.parallel.DistributedDataParallel(
                self.model, gradient_as_bucket_view=True, static_graph=True
            )

    def verify(self) -> dict[str, Any]:
        self.epochs(1)
        with self.torch.inference_mode():
            model = self.model.module if self.several else self.model
            loss = self.torch.nn.functional.cross_entropy(model(self.X), self.y)
        return {"loss": float(loss), "steps": self.case.steps, "digest": ""}

    def heard(self, request: Any) -> Any:
        if not self.several:
            return request
        said = [request]
        self.distributed.broadcast_object_list(said)
        return said[0]


def _start_others(contender: Contender) -> int:
    """Return the rank of this process; the first one of DDP's starts the others."""
    if contender.processes == 1:
        return 0
    if contender.library == "fastmlp":
        from mpi4py import MPI

        return int(MPI.COMM_WORLD.rank)
    rank = int(os.environ.get("RANK", "0"))
    if rank == 0:
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        for other in range(1, contender.processes):
            subprocess.Popen(
                [sys.executable, *sys.argv], stdin=subprocess.DEVNULL, env=os.environ | {"RANK": str(other)}
            )
    return rank


def _pin(contender: Contender, rank: int) -> None:
    """Give each process processors of its own, as many as it has threads."""
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        first = rank * contender.threads % len(processors)
        os.sched_setaffinity(0, processors[first : first + contender.threads])


def _serve(name: str, contender: Contender) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is not an answer
    rank = _start_others(contender)
    _pin(contender, rank)
    library: Callable[[TrainCase, Contender, int], Any] = {"fastmlp": FastMLP, "torch": DDP}[
        contender.library
    ]
    side = library(CASES[name], contender, rank)
    while True:
        line = sys.stdin.readline() if rank == 0 else ""
        request = side.heard(json.loads(line or "null"))
        if request is None:
            break
        answer: Any
        if isinstance(request, str):
            answer = getattr(side, request)()
        else:
            start = time.perf_counter()
            side.epochs(request)
            answer = {"seconds": time.perf_counter() - start}
        if rank == 0:
            print(json.dumps(answer), file=answers)


class Gang(Worker):
    """A contender of any number of processes; what a `Worker` can be asked, it can be asked."""

    def __init__(self, case: str, contender: Contender, level: str | None = None) -> None:
        self.contender, self.level = str(contender), None
        arguments = [__file__, case, json.dumps(vars(contender))]
        if contender.library == "fastmlp" and contender.processes > 1:
            command = mpiexec(contender.processes, *arguments)
        else:
            command = [sys.executable, *arguments]
        limits = dict.fromkeys(THREAD_LIMITS, str(contender.threads))
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | limits | isa.environment(level),
            text=True,
        )
        self.result = self.ask("verify")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    _serve(sys.argv[1], Contender(**json.loads(sys.argv[2])))
