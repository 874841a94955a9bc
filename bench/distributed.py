"""One network on several processes: lockstep beside threads, and beside PyTorch's DistributedDataParallel.

    python bench/distributed.py [--cases higgs,wide] [--rounds 9] [--seconds 1] [--model] [--output FILE]

fastmlp's contenders have 8 shards, and one has 2. Before anything is timed each trains for one epoch: those
of 8 shards must have the same bits, and PyTorch's loss must be near. Then each round times every contender
once (A B C A B C ..). The table shows the median times of a step, and the medians of the rounds' ratios; in
brackets what the best rounds give. `efficiency` is the speed of two processes with a thread each beside that
of two threads of one.

Each process is bound to as many processors as it has threads. What an exchange sends is counted in it.
With --others 0.05 a turn counts only if the processes of others took less than 5% of a processor meanwhile,
and is repeated otherwise. --model also measures the parameters of the cost model (scale.py), on other batches
and numbers of shards than those of the table, and sets what it predicts beside the medians.
"""

from __future__ import annotations

import argparse
import json
import math
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import scale
from gangs import CASES, SHARDS, Contender, Gang
from machine import describe, undisturbed
from scale import Work
from scale_measure import measure_link, measure_machine

ALONE, THREADS, PROCESSES = (Contender("fastmlp", *n) for n in ((1, 1), (1, 2), (2, 1)))
FEW = Contender("fastmlp", 2, 1, shards=2)  # a gradient of each process, as DDP has
PEERS = (Contender("torch", 1, 2), Contender("torch", 2, 1))
GOAL = 0.9  # of the speed of two threads, for two processes
NEAR = 0.1  # how far the loss of PyTorch may be, relative to fastmlp's: its batches have other rows


def verify(gangs: dict[Contender, Gang]) -> None:
    """End the run unless all trained the same network in as many steps, fastmlp with the same bits."""
    ours = gangs[ALONE].result
    for contender, gang in gangs.items():
        if gang.result["steps"] != ours["steps"]:
            raise SystemExit(
                f"{contender} makes {gang.result['steps']} steps an epoch, {ALONE} {ours['steps']}"
            )
        if (contender.library, contender.shards) == ("fastmlp", SHARDS) and gang.result["digest"] != ours[
            "digest"
        ]:
            raise SystemExit(f"{contender} has other parameters than {ALONE}")
        if abs(gang.result["loss"] / ours["loss"] - 1) > NEAR:
            raise SystemExit(f"the loss of {contender} is {gang.result['loss']}, of {ALONE} {ours['loss']}")


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the times of a step of every contender, round by round, and what follows from them."""
    case = CASES[name]
    peers = PEERS if options.torch and find_spec("torch") else ()
    with ExitStack() as stack:
        gangs = {c: stack.enter_context(Gang(name, c)) for c in (ALONE, THREADS, PROCESSES, FEW, *peers)}
        verify(gangs)
        sent = gangs[PROCESSES].ask("sent")["bytes"]
        repeats = {c: gang.repeats(options.seconds) for c, gang in gangs.items()}
        us: dict[Contender, list[float]] = {c: [] for c in gangs}
        for _ in range(options.rounds):
            for c, gang in gangs.items():
                spent = undisturbed(partial(gang.turn, repeats[c]), options.others)
                us[c].append(spent / repeats[c] / case.steps * 1e6)
    ours = us[PROCESSES]

    def ratios(times: list[float]) -> tuple[float, float]:
        return median(t / o for t, o in zip(times, ours, strict=True)), min(times) / min(ours)

    return {
        "case": name,
        "batch": case.batch,
        "shards": SHARDS,
        "us": {str(c): median(times) for c, times in us.items()},
        "best_us": {str(c): min(times) for c, times in us.items()},
        "rounds_us": {str(c): times for c, times in us.items()},
        "efficiency": ratios(us[THREADS]),
        "speedup": ratios(us[ALONE]),
        "ratio": {str(c): ratios(us[c]) for c in (FEW, *peers)},
        "bytes": sent,
        "bytes_expected": scale.bytes_sent(work_of(name), 2),
        "loss": {str(c): gang.result["loss"] for c, gang in gangs.items()},
        "model": predict(name, options.others) if options.model else {},
    }


def work_of(name: str) -> Work:
    """Return the work of a case as the cost model has it."""
    return Work(CASES[name].sizes, CASES[name].batch, SHARDS)


def predict(name: str, others: float) -> dict[str, Any]:
    """Return the microseconds of a step that the cost model gives, and its parameters."""
    link, swap = measure_link(others)
    machine, error = measure_machine(CASES[name], 1, others)
    machine = replace(machine, swap=swap)
    steps = {R: scale.step_time(work_of(name), machine, link, R) for R in (1, 2)}
    return {
        "us": {str(c): steps[c.processes].total * 1e6 for c in (ALONE, PROCESSES)},
        "communication_us": steps[2].communication * 1e6,
        "link": vars(link),
        "machine": vars(machine),
        "median_error": error,
    }


def show(result: dict[str, Any]) -> None:
    """Print the lines of a case."""
    case = CASES[result["case"]]
    print(f"{result['case']}: {'-'.join(map(str, case.sizes))}, {case.batch} rows a batch, {SHARDS} shards")
    for name, us in result["us"].items():
        line = f"    {name:36} {us:10.0f} us a step ({result['best_us'][name]:.0f})"
        if name in result["ratio"]:
            line += "   x{:.2f} ({:.2f}) of two processes, 8 shards".format(*result["ratio"][name])
        if name in result["model"].get("us", ()):
            predicted = result["model"]["us"][name]
            line += f"   the model: {predicted:.0f} ({100 * (predicted / us - 1):+.0f}%)"
        print(line)
    (efficiency, best), speedup = result["efficiency"], result["speedup"]
    print(f"    efficiency {100 * efficiency:.0f}% ({100 * best:.0f}%), wanted: {100 * GOAL:.0f}%;"
          f" {speedup[0]:.2f} ({speedup[1]:.2f}) times one thread")  # fmt: skip
    print(f"    bytes sent a step by each process: {result['bytes']:,.0f}"
          f" (2 (R - 1) / R gradients and scalars: {result['bytes_expected']:,.0f})", flush=True)  # fmt: skip


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", "--case", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each contender's turn in a round")
    parser.add_argument(
        "--others", type=float, default=math.inf, help="repeat turns beside more busy processors of others"
    )
    parser.add_argument("--no-torch", dest="torch", action="store_false", help="fastmlp alone")
    parser.add_argument("--model", action="store_true", help="also what the cost model predicts")
    parser.add_argument("--output", type=Path, help="a JSON file for the results")
    options = parser.parse_args(arguments)
    options.cases = options.cases.split(",")
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    """Measure, print, and write the file."""
    options = parse()
    header = describe(["fastmlp"], None, "float32")
    results = []
    for name in options.cases:
        results.append(measure(name, options))
        show(results[-1])
    if options.output:
        options.output.write_text(json.dumps(header | {"results": results}, indent=1))


if __name__ == "__main__":
    main()
