"""Where lockstep pays and where rounds do: tables, and the chart of docs/scale.md.

    python bench/scale_chart.py [--chart docs/scale.svg]

Each process is a machine as it was measured (scale_measure.py), with a link of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scale
from cases import TRAIN
from numpy.typing import NDArray
from scale import ETHERNET, INFINIBAND, Link, Machine, Rounds, Work
from scale_simulation import Failures, Stragglers, simulate_lockstep, simulate_rounds

# Two threads on an Intel Xeon with AVX-512, float32; MPI's exchange and Python's part in it
# (scale_measure.py).
MACHINE = Machine(flops=2.4e11, half=20, memory=2e10, swap=1.5e-6)
PROCESSES = tuple(2**k for k in range(11))
PARTITIONS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
ROWS = 2**26  # of all machines together
LOCAL_BATCH = 256  # of a task
LATE = Stragglers(machines=0.1, steps=0.1)
FAIL = Failures(mtbf=30 * 86_400, restart=120, checkpoint=1)
COLORS = {"higgs": "C0", "wide": "C1"}
LINKS = (ETHERNET, INFINIBAND)
MAP_PROCESSES = 64
PERCENT = "% of one process, times processes"


def work_of(case: str, batch: float, processes: int) -> Work:
    """Return the work of a case with as many shards as processes."""
    return Work(TRAIN[case].sizes, batch, shards=processes)


def lockstep_pass(case: str, batch: float, link: Link, processes: int, late: bool) -> float:
    """Return the time in which lockstep goes once through all rows."""
    work, steps = work_of(case, batch, processes), ROWS / batch
    if not late:
        return steps * scale.step_time(work, MACHINE, link, processes).total
    return simulate_lockstep(work, MACHINE, link, processes, round(steps), LATE, FAIL).seconds


def rounds_pass(case: str, link: Link, workers: int, partitions: int, late: bool) -> float:
    """Return the time of a round with one local epoch: it also goes once through all rows."""
    work, rounds = work_of(case, LOCAL_BATCH, 1), Rounds(partitions, workers, ROWS // partitions)
    if not late:
        return scale.round_time(work, MACHINE, link, rounds)
    count = max(2, min(40, 20_000 // partitions))
    return simulate_rounds(work, MACHINE, link, rounds, count, LATE, FAIL).seconds / count


def efficiencies() -> Iterator[tuple[str, int, Link, list[float]]]:
    """Yield case, batch, link, and the efficiency of lockstep at each of PROCESSES."""
    for case in COLORS:
        for batch in (4096, 65_536):
            for link in LINKS:
                yield (
                    case,
                    batch,
                    link,
                    [scale.efficiency(work_of(case, batch, R), MACHINE, link, R) for R in PROCESSES],
                )


def speeds(case: str, batch: int, late: bool) -> Iterator[tuple[str, list[float]]]:
    """Yield how many times one process's rows per second lockstep and rounds take, at each of PROCESSES."""
    alone = lockstep_pass(case, batch, ETHERNET, 1, late=False)
    for link in LINKS:
        yield f"lockstep, {link.name}", [alone / lockstep_pass(case, batch, link, R, late) for R in PROCESSES]
    for each in (1, 4):
        name = f"rounds, {each} partition{'s' * (each > 1)} a worker, {ETHERNET.name}"
        yield name, [alone / rounds_pass(case, ETHERNET, R, each * R, late) for R in PROCESSES]


def round_times(case: str, late: bool) -> list[float]:
    """Return the time of a round on MAP_PROCESSES workers, for each of PARTITIONS."""
    return [rounds_pass(case, ETHERNET, MAP_PROCESSES, n, late) for n in PARTITIONS]


def advantage(case: str, batches: NDArray[Any], gigabits: NDArray[Any]) -> NDArray[np.float64]:
    """Return how many times as many rows a second lockstep takes as rounds do: a row for each bandwidth."""
    table = np.empty((len(gigabits), len(batches)))
    for i, rate in enumerate(gigabits.tolist()):
        link = replace(ETHERNET, bandwidth=rate * 1e9 / 8)
        rounds = rounds_pass(case, link, MAP_PROCESSES, MAP_PROCESSES, late=False)
        for j, batch in enumerate(batches.tolist()):
            table[i, j] = rounds / lockstep_pass(case, batch, link, MAP_PROCESSES, late=False)
    return table


def show() -> None:
    """Print what the chart shows."""
    print("efficiency of lockstep, " + " ".join(f"{R:>5}" for R in PROCESSES))
    for case, batch, link, values in efficiencies():
        print(f"{case:6}{batch:>7} {link.name:22}" + " ".join(f"{100 * e:5.1f}" for e in values))
    for case, batch in (("higgs", 65_536), ("wide", 65_536)):
        for late in (False, True):
            print(f"speed, {case}, batch {batch}" + (", stragglers and failures" if late else ""))
            for name, values in speeds(case, batch, late):
                print(f"    {name:55}" + " ".join(f"{x:6.1f}" for x in values))
    print("seconds of a round,      " + " ".join(f"{n:>7}" for n in PARTITIONS))
    for case in COLORS:
        for late in (False, True):
            print(
                f"{case:6}{'late' if late else '':10}"
                + " ".join(f"{x:7.2f}" for x in round_times(case, late))
            )


def draw(path: Path) -> None:
    """Draw the chart."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "fastmlp"
    import matplotlib.pyplot as plt

    figure, ((top, speed), (tasks, area)) = plt.subplots(2, 2, figsize=(11, 8.5), layout="constrained")
    hues = {("higgs", 4096): "C0", ("higgs", 65_536): "C9", ("wide", 4096): "C1", ("wide", 65_536): "C3"}
    for case, batch, link, values in efficiencies():
        style = "--" if link is ETHERNET else "-"
        label = f"{case}, batch {batch:,}" if link is INFINIBAND else None
        top.plot(PROCESSES, 100 * np.array(values), style, color=hues[case, batch], label=label)
    top.plot([], [], "--", color="gray", label=ETHERNET.name)
    top.plot([], [], "-", color="gray", label=INFINIBAND.name)
    top.set(title="Lockstep: efficiency", xlabel="processes", ylabel=PERCENT, ylim=(0, 102))

    for late, style in ((True, "-"), (False, ":")):
        for k, (name, values) in enumerate(speeds("wide", 65_536, late)):
            percent = 100 * np.array(values) / PROCESSES
            speed.plot(PROCESSES, percent, style, color=f"C{k}", label=name if late else None)
    speed.plot([], [], ":", color="gray", label="without stragglers and failures")
    speed.set(title="wide, batch 65,536: rows a second", xlabel="processes", ylabel=PERCENT, ylim=(0, 102))

    for case, color in COLORS.items():
        tasks.plot(PARTITIONS, round_times(case, late=True), "-o", markersize=3, color=color, label=case)
        tasks.plot(PARTITIONS, round_times(case, late=False), ":", color=color)
    tasks.plot([], [], ":", color="gray", label="without stragglers and failures")
    title = f"A round over {ROWS / 2**20:.0f} million rows, {MAP_PROCESSES} workers, {ETHERNET.name}"
    tasks.set(title=title, xlabel="partitions", ylabel="seconds", xscale="log", yscale="log")

    batches, gigabits = np.logspace(8, 20, 49, base=2), np.logspace(0, 2.6, 27)
    for case, color in COLORS.items():
        for level, style in ((0.25, ":"), (0.5, "--"), (1.0, "-")):
            table = np.log(advantage(case, batches, gigabits) / level)
            area.contour(batches, gigabits, table, [0.0], colors=color, linestyles=style)
            area.plot([], [], style, color=color, label=f"{case}: {level:g}")
    title = f"Rows a second of lockstep / of rounds, {MAP_PROCESSES} processes"
    area.set(title=title, xlabel="rows of a batch", ylabel="Gb/s", yscale="log")

    for axes in (top, speed, area):
        axes.set_xscale("log", base=2)
    for axes in (top, speed, tasks, area):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Print the tables and draw the chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chart", type=Path, help="a file for the chart, .svg or .png")
    options = parser.parse_args()
    show()
    if options.chart:
        draw(options.chart)


if __name__ == "__main__":
    main()
