"""A cost model: the time of a step in lockstep, and of a round of local training, on any number of machines.

Messages follow Hockney (1994): one of n bytes takes latency + n / bandwidth. Computing follows the same law,
as Hockney gave it for vectors: a shard of m rows is computed at flops * m / (m + half). The exchanges of a
step are those of Thakur, Rabenseifner and Gropp (2005): gradients are added by recursive halving, and
parameters are gathered by recursive doubling. Checkpoints follow Young (1974) and Daly (2006).

Times are in seconds, sizes in bytes, rates per second. One process runs on each machine, on all of its
processors.

Hockney, R. (1994), The communication challenge for MPP, Parallel Computing 20(3), 389-398.
Thakur, R., Rabenseifner, R. and Gropp, W. (2005), Optimization of collective communication operations in
MPICH, International Journal of High Performance Computing Applications 19(1), 49-66.
Young, J. (1974), A first order approximation to the optimum checkpoint interval, Communications of the ACM
17(9).
Daly, J. (2006), A higher order estimate of the optimum checkpoint interval for restart dumps, Future
Generation Computer Systems 22(3), 303-312.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

SCALARS = 4 * 8  # bytes: four doubles are added up over all processes before a step
AVERAGING = (
    76  # bytes moved for a parameter of a task's result: to double, less the old one, times a share, added
)


@dataclass(frozen=True)
class Link:
    """What joins two processes; it carries `bandwidth` each way at once."""

    name: str
    latency: float
    bandwidth: float

    def message(self, size: float) -> float:
        """Return the time of a message, or of two that cross: Hockney's law."""
        return self.latency + size / self.bandwidth


# Bandwidths are those of the standards (IEEE 802.3ae, InfiniBand EDR), less 6% for headers on Ethernet and 3%
# on InfiniBand. Latencies are between two programs: some 30 us through a kernel's TCP, 1 to 2 us past it.
ETHERNET = Link("10 Gb/s Ethernet", 30e-6, 0.94 * 10e9 / 8)
INFINIBAND = Link("100 Gb/s InfiniBand", 1.5e-6, 0.97 * 100e9 / 8)


@dataclass(frozen=True)
class Machine:
    """What one process does by itself.

    `flops` is what it reaches with many rows a shard, `half` the rows at which it reaches half of that.
    `memory` is the bandwidth at which gradients are added and parameters updated. `swap` is what an exchange
    costs besides the link: Python and MPI, on both sides.
    """

    flops: float
    half: float
    memory: float
    swap: float


@dataclass(frozen=True)
class Work:
    """A network and its batches: layer sizes, rows of a batch, shards, bytes of a number.

    `words` are the numbers that the update of a parameter reads and writes; for Adam: w, m and v twice, g
    once.
    """

    sizes: tuple[int, ...]
    batch: float
    shards: int = 1
    word: int = 4
    words: int = 7

    @property
    def parameters(self) -> int:
        return sum(i * o + o for i, o in pairwise(self.sizes))

    @property
    def size(self) -> int:
        """Bytes of the parameters, and of a gradient."""
        return self.word * self.parameters

    @property
    def flops_per_row(self) -> float:
        """Operations of the three products; the first layer has no backward product."""
        products = [i * o for i, o in pairwise(self.sizes)]
        return 2.0 * (3 * sum(products) - products[0])


@dataclass(frozen=True)
class Step:
    """The time of a step, by what it is spent on."""

    compute: float
    add: float  # gradients of the process's own shards
    scalars: float
    reduce_scatter: float
    update: float
    all_gather: float

    @property
    def total(self) -> float:
        return self.compute + self.communication + self.add + self.update

    @property
    def communication(self) -> float:
        return self.scalars + self.reduce_scatter + self.all_gather


def levels(processes: int) -> int:
    """Return log2 of a power of two."""
    if processes < 1 or processes & (processes - 1):
        raise ValueError(f"processes must be a power of two, got {processes}")
    return processes.bit_length() - 1


def gradient_time(work: Work, machine: Machine, rows: float, shards: int = 1) -> float:
    """Return the time of the gradients of `shards` shards that have `rows` rows together."""
    if not rows:
        return 0.0
    return work.flops_per_row * (rows + shards * machine.half) / machine.flops


def step_time(work: Work, machine: Machine, link: Link, processes: int) -> Step:
    """Return the time of a step in lockstep, on processes that own work.shards / processes shards each.

    Gradients of P parameters in R processes: log2 R exchanges of P/2, P/4, .. P/R numbers, each of which is
    added; the update of P/R; and the same exchanges backwards.
    """
    depth = levels(processes)
    if work.shards % processes:
        raise ValueError(f"{work.shards} shards cannot be shared out among {processes} processes")
    own = work.shards // processes
    sent = work.size * (1 - 1 / processes)
    wire = depth * (link.latency + machine.swap) + sent / link.bandwidth
    return Step(
        compute=gradient_time(work, machine, work.batch / processes, own),
        add=3 * (own - 1) * work.size / machine.memory,
        scalars=depth * (link.message(SCALARS) + machine.swap),
        reduce_scatter=wire + 3 * sent / machine.memory,
        update=work.words * work.size / processes / machine.memory,
        all_gather=wire,
    )


def bytes_sent(work: Work, processes: int) -> float:
    """Return what each process sends in a step: 2 (R - 1) / R gradients, and log2 R times the scalars."""
    return 2 * (1 - 1 / processes) * work.size + levels(processes) * SCALARS


def efficiency(work: Work, machine: Machine, link: Link, processes: int) -> float:
    """Return the speed on R processes, divided by R times that of one process with one shard."""
    alone = step_time(replace(work, shards=1), machine, link, 1).total
    return alone / (processes * step_time(work, machine, link, processes).total)


@dataclass(frozen=True)
class Rounds:
    """Local training: each of `partitions` partitions is a task of a round.

    A task trains on the `rows` rows of its partition `local_epochs` times from the common weights.
    `scheduler` is the scheduler's own time for a task; the tasks of a round pass through it one by one.
    """

    partitions: int
    workers: int
    rows: int
    local_epochs: int = 1
    scheduler: float = 1e-3  # distributed.dask.org: "Each task suffers about 1ms of overhead"


def task_time(work: Work, machine: Machine, rounds: Rounds) -> float:
    """Return the time of a task: its epochs, in batches of work.batch rows on one process."""
    steps = math.ceil(rounds.rows / work.batch)
    update = work.words * work.size / machine.memory
    return rounds.local_epochs * (gradient_time(work, machine, rounds.rows, steps) + steps * update)


def broadcast_time(work: Work, link: Link, workers: int) -> float:
    """Return the time until every worker has the weights, of which each that has them sends them on."""
    return math.ceil(math.log2(workers + 1)) * link.message(work.size)


def result_time(work: Work, machine: Machine, link: Link) -> float:
    """Return the time that the result of a task takes at the one place where they are averaged."""
    return link.message(work.size) + AVERAGING * work.parameters / machine.memory


def outer_time(work: Work, machine: Machine) -> float:
    """Return the time of the outer update: Nesterov's momentum reads w, v and the mean, writes w and v."""
    return 5 * work.size / machine.memory


def round_time(work: Work, machine: Machine, link: Link, rounds: Rounds) -> float:
    """Return the time of a round whose tasks take all the same time, and nothing fails.

    Task i begins when a worker and the scheduler are free; results arrive one by one, in the order in which
    they end. It is exact where the workers divide the partitions, and a bound from above elsewhere.
    """
    workers = min(rounds.workers, rounds.partitions)
    waves = math.ceil(rounds.partitions / workers)
    task, given, taken = task_time(work, machine, rounds), rounds.scheduler, result_time(work, machine, link)
    turn = max(given + task, workers * given)  # of a worker, from task to task
    ends = [  # corners of a piecewise line: when a task ends, and how many results are still to come
        (wave * turn + (worker + 1) * given + task, (waves - wave) * workers - worker)
        for wave in (0, waves - 1)
        for worker in (0, workers - 1)
    ]
    done = max(end + left * taken for end, left in ends)
    return broadcast_time(work, link, workers) + done + outer_time(work, machine)


def checkpoint_interval(cost: float, mtbf: float) -> float:
    """Return the time between two checkpoints that loses least (Daly 2006, eq. 37).

    To the first order that is Young's sqrt(2 cost mtbf). `mtbf` is the mean time between failures of the
    whole run, 1/R of a machine's.
    """
    if cost >= 2 * mtbf:
        return mtbf
    x = cost / (2 * mtbf)
    return math.sqrt(2 * cost * mtbf) * (1 + math.sqrt(x) / 3 + x / 9) - cost


def time_with_failures(work: float, interval: float, cost: float, restart: float, mtbf: float) -> float:
    """Return the mean time of `work` seconds of training, a checkpoint each `interval` (Daly 2006, eq. 20).

    Failures come as a Poisson process; each loses what was done since the last checkpoint, and takes
    `restart`.
    """
    return mtbf * math.exp(restart / mtbf) * math.expm1((interval + cost) / mtbf) * work / interval
