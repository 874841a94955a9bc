"""bench/scale.py and scale_simulation.py: the cost model and the simulations of large clusters."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import scale
import scale_simulation as simulation
from scale import ETHERNET, INFINIBAND, Link, Machine, Rounds, Work
from scale_simulation import Failures, Stragglers

sys.path.pop()  # its distributed.py is not Dask's

MACHINE = Machine(flops=1e11, half=20, memory=1e10, swap=5e-6)
WORK = Work((28, 300, 300, 300, 2), batch=4096, shards=1024)
SIZES = (1, 2, 8, 64, 1024)
ROUNDS = Rounds(partitions=64, workers=16, rows=10_000)


def test_one_process_sends_nothing() -> None:
    work = replace(WORK, shards=1)
    step = scale.step_time(work, MACHINE, ETHERNET, 1)
    assert step.communication == 0
    assert step.add == 0
    assert scale.bytes_sent(work, 1) == 0
    assert scale.efficiency(work, MACHINE, ETHERNET, 1) == 1


def test_a_step_of_two_processes_by_hand() -> None:
    work, machine = Work((3, 5), batch=8, shards=4), Machine(flops=1e9, half=2, memory=1e8, swap=1e-6)
    step = scale.step_time(work, machine, Link("", 1e-5, 1e6), 2)
    size = 4 * (3 * 5 + 5)
    assert step.compute == pytest.approx(
        2 * 2 * 15 * (4 + 2 * 2) / 1e9
    )  # 4 rows in 2 shards; no backward product
    assert step.add == pytest.approx(3 * size / 1e8)  # the gradients of two shards, once
    assert step.scalars == pytest.approx(1.1e-5 + 32 / 1e6)
    assert step.reduce_scatter == pytest.approx(1.1e-5 + size / 2 / 1e6 + 3 * size / 2 / 1e8)
    assert step.update == pytest.approx(7 * size / 2 / 1e8)
    assert step.all_gather == pytest.approx(1.1e-5 + size / 2 / 1e6)
    assert scale.bytes_sent(work, 2) == size + 32


@pytest.mark.parametrize("processes", SIZES)
def test_halving_sends_in_log2_messages_what_is_not_ones_own(processes: int) -> None:
    """The sum over messages of P/2, P/4, .. P/R is (R - 1) / R P."""
    depth = scale.levels(processes)
    sizes = [WORK.size / 2 ** (k + 1) for k in range(depth)]
    machine = replace(MACHINE, memory=math.inf, swap=0)
    step = scale.step_time(WORK, machine, ETHERNET, processes)
    assert step.reduce_scatter == pytest.approx(sum(ETHERNET.message(size) for size in sizes))
    assert scale.bytes_sent(WORK, processes) == pytest.approx(2 * sum(sizes) + depth * 32)


@pytest.mark.parametrize("processes", SIZES[1:])
@pytest.mark.parametrize("field", ["latency", "bandwidth"])
def test_a_better_link_never_makes_a_step_longer(processes: int, field: str) -> None:
    factors = np.logspace(-2, 2, 9)
    better = 1 / factors if field == "latency" else factors
    times = [
        scale.step_time(
            WORK, MACHINE, replace(ETHERNET, **{field: getattr(ETHERNET, field) * f}), processes
        ).total
        for f in better.tolist()
    ]
    assert all(a > b for a, b in itertools.pairwise(times))


def test_efficiency_rises_with_the_batch_and_the_link_and_falls_with_processes() -> None:
    large = replace(WORK, batch=16 * WORK.batch)
    for R in SIZES[1:]:
        assert scale.efficiency(large, MACHINE, ETHERNET, R) > scale.efficiency(WORK, MACHINE, ETHERNET, R)
        assert scale.efficiency(WORK, MACHINE, INFINIBAND, R) > scale.efficiency(WORK, MACHINE, ETHERNET, R)
    few_shards = [replace(WORK, shards=R) for R in SIZES]
    falling = [scale.efficiency(w, MACHINE, ETHERNET, w.shards) for w in few_shards]
    assert all(a > b for a, b in itertools.pairwise(falling))


@pytest.mark.parametrize("processes", [0, 3, 6])
def test_processes_are_a_power_of_two(processes: int) -> None:
    with pytest.raises(ValueError, match=f"processes must be a power of two, got {processes}"):
        scale.step_time(WORK, MACHINE, ETHERNET, processes)


def test_more_processes_than_shards_are_refused() -> None:
    with pytest.raises(ValueError, match="4 shards cannot be shared out among 8 processes"):
        scale.step_time(replace(WORK, shards=4), MACHINE, ETHERNET, 8)


def test_a_round_of_one_partition_is_the_task_and_its_way() -> None:
    rounds = Rounds(partitions=1, workers=4, rows=100, local_epochs=3, scheduler=2e-3)
    work = Work((3, 5), batch=10)
    task = 3 * (
        work.flops_per_row * (100 + 10 * MACHINE.half) / MACHINE.flops + 10 * 7 * work.size / MACHINE.memory
    )
    assert scale.task_time(work, MACHINE, rounds) == pytest.approx(task)
    rest = 2 * ETHERNET.message(work.size) + (scale.AVERAGING + 5 * 4) * work.parameters / MACHINE.memory
    assert scale.round_time(work, MACHINE, ETHERNET, rounds) == pytest.approx(2e-3 + task + rest)


@pytest.mark.parametrize("cost", [1.0, 10.0, 60.0])
def test_dalys_interval_loses_least(cost: float) -> None:
    mtbf = 3600.0
    best = scale.checkpoint_interval(cost, mtbf)
    times = {f: scale.time_with_failures(1e5, f * best, cost, 30, mtbf) for f in (0.8, 0.95, 1.0, 1.05, 1.25)}
    assert min(times, key=lambda f: times[f]) == 1.0
    assert scale.checkpoint_interval(1e-3, mtbf) == pytest.approx(math.sqrt(2e-3 * mtbf), rel=1e-2)  # Young's


# ----------------------------------------------------------------------------------------------- simulations


@pytest.mark.parametrize("processes", SIZES)
def test_lockstep_without_stragglers_and_failures_is_the_formula(processes: int) -> None:
    run = simulation.simulate_lockstep(WORK, MACHINE, ETHERNET, processes, steps=1000)
    assert run.seconds == pytest.approx(1000 * scale.step_time(WORK, MACHINE, ETHERNET, processes).total)
    assert (run.failures, run.checkpoints) == (0, 0)


@pytest.mark.parametrize("link", [ETHERNET, INFINIBAND, Link("slow", 1e-3, 1e7)], ids=lambda link: link.name)
@pytest.mark.parametrize("workers", [1, 8, 1000])
@pytest.mark.parametrize("partitions", [1, 8, 1000, 10_000])
@pytest.mark.parametrize("rows", [10, 100_000])
def test_rounds_without_stragglers_and_failures_are_the_formula(
    link: Link, workers: int, partitions: int, rows: int
) -> None:
    rounds = Rounds(partitions, workers, rows)
    assert not partitions % min(workers, partitions)
    run = simulation.simulate_round(WORK, MACHINE, link, rounds)
    assert run.seconds == pytest.approx(scale.round_time(WORK, MACHINE, link, rounds))
    assert (run.failures, run.tasks) == (0, partitions)


@pytest.mark.parametrize("law", ["lognormal", "exponential"])
def test_a_seed_gives_the_same_run_again(law: str) -> None:
    stragglers, failures = Stragglers(0.1, 0.2, law), Failures(mtbf=200, restart=5)

    def runs(seed: int) -> list[object]:
        lockstep = simulation.simulate_lockstep(
            WORK, MACHINE, ETHERNET, 64, 20_000, stragglers, failures, seed
        )
        rounds = simulation.simulate_rounds(WORK, MACHINE, ETHERNET, ROUNDS, 5, stragglers, failures, seed)
        return [lockstep, rounds]

    assert runs(1) == runs(1)
    assert all(a != b for a, b in zip(runs(1), runs(2), strict=True))


@pytest.mark.parametrize("processes", [2, 16, 256])
def test_the_slowest_of_exponential_delays_is_a_harmonic_number(processes: int) -> None:
    """The mean of the largest of R exponential numbers is 1 + 1/2 + .. + 1/R (Renyi 1953)."""
    stragglers = Stragglers(steps=0.5, law="exponential")
    step = scale.step_time(WORK, MACHINE, ETHERNET, processes)
    mean = np.mean(
        [
            simulation.simulate_lockstep(WORK, MACHINE, ETHERNET, processes, 1, stragglers, seed=s).seconds
            for s in range(40)
        ]
    )
    harmonic = sum(1 / k for k in range(1, processes + 1))
    assert mean - step.total == pytest.approx(step.compute * 0.5 * harmonic, rel=0.05)


def test_lockstep_with_failures_takes_the_time_that_daly_gives() -> None:
    failures = Failures(mtbf=64 * 600, restart=30, checkpoint=2)
    step = scale.step_time(WORK, MACHINE, ETHERNET, 64).total
    steps = round(50_000 / step)
    runs = [
        simulation.simulate_lockstep(WORK, MACHINE, ETHERNET, 64, steps, failures=failures, seed=s)
        for s in range(20)
    ]
    interval = scale.checkpoint_interval(2, 600)
    expected = scale.time_with_failures(steps * step, interval, 2, 30, 600)
    assert np.mean([run.seconds for run in runs]) == pytest.approx(expected, rel=0.02)
    assert all(run.checkpoints == math.ceil(steps / round(interval / step)) - 1 for run in runs)


def test_a_lost_task_is_run_again_and_no_other() -> None:
    task = scale.task_time(WORK, MACHINE, ROUNDS)
    failures = Failures(mtbf=5 * task, restart=task)
    runs = [
        simulation.simulate_round(WORK, MACHINE, ETHERNET, ROUNDS, failures=failures, seed=s)
        for s in range(300)
    ]
    quiet = simulation.simulate_round(WORK, MACHINE, ETHERNET, ROUNDS)
    assert all(0 <= run.tasks - ROUNDS.partitions <= run.failures for run in runs)
    assert all(run.seconds >= quiet.seconds or run.failures for run in runs)
    again = np.mean([run.tasks - ROUNDS.partitions for run in runs])
    expected = ROUNDS.partitions * math.expm1(task / failures.mtbf)  # the tries of a task are geometric
    assert again == pytest.approx(expected, rel=0.05)


def test_stragglers_and_failures_only_cost_time() -> None:
    quiet = simulation.simulate_lockstep(WORK, MACHINE, ETHERNET, 16, 5000).seconds
    late = simulation.simulate_lockstep(WORK, MACHINE, ETHERNET, 16, 5000, Stragglers(0.1, 0.1)).seconds
    fails = Failures(mtbf=100, restart=1, checkpoint=0.01)
    both = simulation.simulate_lockstep(WORK, MACHINE, ETHERNET, 16, 5000, Stragglers(0.1, 0.1), fails)
    assert quiet < late < both.seconds
    assert both.failures > 0
