"""Runs of lockstep and of rounds, simulated: machines are slow at times, and fail.

What scale.py gives as a mean is drawn here: the pace of each machine, each step's own delay, and failures as
a Poisson process. Without any of these the results are those of scale.py. A seed gives the same run again.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scale import (
    Link,
    Machine,
    Rounds,
    Work,
    broadcast_time,
    checkpoint_interval,
    outer_time,
    result_time,
    step_time,
    task_time,
)

SAMPLED = 128  # steps that are drawn for all those between two checkpoints


@dataclass(frozen=True)
class Stragglers:
    """By how much computing takes longer than it should.

    A machine has a pace, a log-normal factor of median 1 and deviation `machines`, which it keeps for as long
    as a task takes. Each step is also late by itself: by a log-normal factor of deviation `steps`, or, for
    law="exponential", by a factor of 1 + an exponential one of mean `steps`.
    """

    machines: float = 0.0
    steps: float = 0.0
    law: str = "lognormal"

    def paces(self, random: np.random.Generator, shape: tuple[int, ...] = ()) -> NDArray[np.float64]:
        """Return the paces of machines."""
        return np.exp(self.machines * random.standard_normal(shape))

    def delays(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the factors of single steps."""
        if self.law == "exponential":
            return 1 + self.steps * random.standard_exponential(shape)
        return np.exp(self.steps * random.standard_normal(shape))

    @property
    def mean_delay(self) -> float:
        """The mean factor of a step, which is that of a task of many steps."""
        return 1 + self.steps if self.law == "exponential" else math.exp(self.steps**2 / 2)


@dataclass(frozen=True)
class Failures:
    """A machine fails every `mtbf` seconds in the mean, and is there again after `restart`.

    `checkpoint` is the time that a checkpoint takes, during which lockstep waits.
    """

    mtbf: float = math.inf
    restart: float = 60.0
    checkpoint: float = 1.0


@dataclass(frozen=True)
class Run:
    """What came of a simulated run."""

    seconds: float
    failures: int
    checkpoints: int = 0
    tasks: int = 0


def slowest_step(
    compute: float, rest: float, processes: int, stragglers: Stragglers, random: np.random.Generator
) -> float:
    """Return the mean time of the next steps: each waits for the process that computes longest."""
    if not stragglers.machines and not stragglers.steps:
        return compute + rest
    shape = (SAMPLED, processes)
    factors = stragglers.paces(random, shape) * stragglers.delays(random, shape)
    return compute * float(factors.max(axis=1).mean()) + rest


def simulate_lockstep(
    work: Work,
    machine: Machine,
    link: Link,
    processes: int,
    steps: int,
    stragglers: Stragglers = Stragglers(),
    failures: Failures = Failures(),
    seed: int = 0,
) -> Run:
    """Simulate `steps` steps in lockstep.

    One machine that fails ends the run. It starts again, after `restart`, from the last checkpoint; one is
    written whenever Daly's interval is over, and there is none at the end.
    """
    random = np.random.default_rng(seed)
    time = step_time(work, machine, link, processes)
    compute, rest = time.compute, time.total - time.compute
    mtbf = failures.mtbf / processes
    every = steps
    if math.isfinite(mtbf):
        interval = checkpoint_interval(failures.checkpoint, mtbf)
        every = max(1, min(steps, round(interval / time.total)))
    clock, done, failed, written = 0.0, 0, 0, 0
    fails_at = random.exponential(mtbf) if math.isfinite(mtbf) else math.inf
    while done < steps:
        todo = min(every, steps - done)
        last = done + todo == steps
        spent = todo * slowest_step(compute, rest, processes, stragglers, random)
        spent += 0.0 if last else failures.checkpoint
        if clock + spent <= fails_at:
            clock, done, written = clock + spent, done + todo, written + (not last)
            continue
        clock, failed = fails_at, failed + 1
        fails_at = clock + random.exponential(mtbf)
        while fails_at < clock + failures.restart:  # a machine that fails while the others come back
            clock, failed = fails_at, failed + 1
            fails_at = clock + random.exponential(mtbf)
        clock += failures.restart
    return Run(clock, failed, written)


def simulate_round(
    work: Work,
    machine: Machine,
    link: Link,
    rounds: Rounds,
    stragglers: Stragglers = Stragglers(),
    failures: Failures = Failures(),
    seed: int = 0,
) -> Run:
    """Simulate a round, event by event.

    The scheduler gives each worker that is free the next task. A task whose worker fails is given to another
    one. A result takes its turn on the link to where results are averaged.
    """
    random = np.random.default_rng(seed)
    workers = min(rounds.workers, rounds.partitions)
    task = task_time(work, machine, rounds) * stragglers.mean_delay
    taken = result_time(work, machine, link)
    fails = math.isfinite(failures.mtbf)

    clock = broadcast_time(work, link, workers)
    fails_at = clock + random.exponential(failures.mtbf, workers) if fails else np.full(workers, math.inf)
    free = [(clock, worker) for worker in range(workers)]  # when, who
    waiting = [clock] * rounds.partitions  # since when each task that nobody has waits
    scheduler, failed, tasks = clock, 0, 0
    results: list[float] = []  # when they are ready
    while waiting:
        now, worker = heapq.heappop(free)
        begin = max(now, scheduler, waiting[0]) + rounds.scheduler
        end = begin + task * float(stragglers.paces(random))
        if begin < fails_at[worker]:
            heapq.heappop(waiting)
            scheduler, tasks = begin, tasks + 1
            if end <= fails_at[worker]:
                results.append(end)
                heapq.heappush(free, (end, worker))
                continue
            heapq.heappush(waiting, float(fails_at[worker]))
        failed += 1
        back = float(fails_at[worker]) + failures.restart
        fails_at[worker] = back + random.exponential(failures.mtbf)
        heapq.heappush(free, (max(now, back), worker))
    done = 0.0
    for ready in sorted(results):
        done = max(done, ready) + taken
    return Run(done + outer_time(work, machine), failed, tasks=tasks)


def simulate_rounds(
    work: Work,
    machine: Machine,
    link: Link,
    rounds: Rounds,
    count: int,
    stragglers: Stragglers = Stragglers(),
    failures: Failures = Failures(),
    seed: int = 0,
) -> Run:
    """Simulate `count` rounds, one after the other."""
    seeds = np.random.SeedSequence(seed).generate_state(count)
    runs = [simulate_round(work, machine, link, rounds, stragglers, failures, int(s)) for s in seeds.tolist()]
    return Run(
        sum(run.seconds for run in runs),
        sum(run.failures for run in runs),
        tasks=sum(run.tasks for run in runs),
    )
