"""Many networks: fastmlp's calls beside a loop of train, JAX, PyTorch, scikit-learn, ONNX Runtime, as ratios.

    python bench/many.py [--cases small,rates,..] [--threads 2] [--rounds 7] [--against "JAX vmap",..]
        [--isa v3] [--busy 2] [--output FILE]

Before anything is timed, each contender does the work once and tells how many updates it made and what came
of them: losses, scores or outputs. These must agree with fastmlp's, or the run ends. Then each round times
every contender once (A B C A B C ..), each in a process of its own on the same processors; the table shows
the median times, and the median of the rounds' ratios to each peer: peer time / fastmlp time, so that above 1
fastmlp is ahead; in brackets what the best rounds give. Goals stand beside them.

--isa holds every contender to one instruction set; one that uses more ends the run. --busy runs the cases
beside so many other processes that spin. results.py makes a table of FILE.
"""

from __future__ import annotations

import argparse
import json
import os
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import isa
import numpy as np
from machine import describe, spinning
from many_cases import CASES, Case
from many_peers import Work
from workers import Worker


def contenders(case: Case, against: str | None) -> list[str]:
    """Return fastmlp's contender and its peers, those that are asked for and installed; say which are not."""
    names = []
    for name, peer in case.peers.items():
        if against is not None and name != case.ours and name not in against.split(","):
            continue
        lacking = [package for package in peer.needs if find_spec(package) is None]
        if not lacking:
            names.append(name)
            continue
        print(f"    {name} is left out: {' and '.join(lacking)} not installed", flush=True)
        if name == case.ours:
            return []
    return names


def verify(case: Case, name: str, work: Work, ours: Work) -> None:
    """End the run unless a contender did as much as fastmlp, with the same result."""
    peer = case.peers[name]
    if work["count"] != ours["count"]:
        raise SystemExit(f"{name} did {work['count']} updates or rows, {case.ours} {ours['count']}")
    a, b = np.array(work["values"]), np.array(ours["values"])
    if a.shape != b.shape or not a.size:
        raise SystemExit(f"{name} has {a.size} results, {case.ours} {b.size}")
    apart = float(np.abs(a - b).max() if peer.each else abs(a.mean() / b.mean() - 1))
    if not (apart <= peer.tolerance or np.array_equal(a, b, equal_nan=True)):
        raise SystemExit(
            f"the result of {name} is {apart:.3g} from that of {case.ours}, accepted: {peer.tolerance:.3g}"
        )


def measure(name: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the seconds of every contender, round by round, and what follows from them."""
    case = CASES[name]
    print(f"{name}: {case.text}, {options.threads} threads", flush=True)
    names = contenders(case, options.against)
    if not names:
        return None
    with ExitStack() as stack:
        workers = {
            n: stack.enter_context(Worker(f"many:{name}", n, options.threads, "float32", options.isa))
            for n in names
        }
        works = {n: worker.ask("work") for n, worker in workers.items()}
        for n in names[1:]:
            verify(case, n, works[n], works[case.ours])
        peak = workers[case.ours].ask("memory")["bytes"]  # of one run
        seconds = {} if case.most_bytes else rounds(workers, options)
        first = {n: worker.first for n, worker in workers.items()}
        for worker in workers.values():
            worker.check_level()
    ours = seconds.get(case.ours, [])
    return {
        "case": name,
        "text": case.text,
        "threads": options.threads,
        "ours": case.ours,
        "count": works[case.ours]["count"],
        "mean_result": {n: float(np.mean(work["values"])) for n, work in works.items()},
        "first_seconds": first,
        "peak_memory": peak,
        "most_bytes": case.most_bytes,
        "most_seconds": case.most_seconds,
        "rounds_seconds": seconds,
        "seconds": {n: median(times) for n, times in seconds.items()},
        "goals": {n: case.peers[n].goal for n in names if case.peers[n].goal},
        "ratio": {n: median(t / o for t, o in zip(seconds[n], ours, strict=True)) for n in list(seconds)[1:]},
        "best_ratio": {n: min(seconds[n]) / min(ours) for n in list(seconds)[1:]},
    }


def rounds(workers: dict[str, Worker], options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds that one run of each contender takes, in every round."""
    repeats = {name: worker.repeats(options.seconds) for name, worker in workers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(options.rounds):
        for name, worker in workers.items():
            k = repeats[name]
            seconds[name].append((worker.turn(k) if k > 1 else worker.seconds(1)) / k)
    return seconds


def show(result: dict[str, Any]) -> None:
    """Print the lines of a case."""
    if result["most_bytes"]:
        peak, most = result["peak_memory"], result["most_bytes"]
        print(f"    {result['ours']:24} {peak / 1e6:.0f} MB at its peak, wanted: at most {most / 1e6:.0f} MB")
        return
    ours = result["seconds"][result["ours"]]
    most = result["most_seconds"]
    print(
        f"    {result['ours']:24} {ours * 1e3:10.4g} ms" + (f", wanted: at most {most:g} s" if most else "")
    )
    for name, ratio in result["ratio"].items():
        goal = result["goals"].get(name)
        wanted = f", wanted: {goal:.3g}" if goal else ""
        print(f"    {name:24} {result['seconds'][name] * 1e3:10.4g} ms   x{ratio:.2f} "
              f"({result['best_ratio'][name]:.2f}){wanted}", flush=True)  # fmt: skip


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", "--case", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--threads", type=int, default=threads, help="and processors of each contender")
    names = dict.fromkeys(name for case in CASES.values() for name in case.peers)
    parser.add_argument("--against", help=f"of {', '.join(names)}; by default all of them")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--seconds", type=float, default=0.3, help="of each contender's turn, where a run is shorter"
    )
    parser.add_argument("--output", type=Path, help="a JSON file for the results")
    parser.add_argument("--isa", choices=tuple(isa.ISAS), help="the instruction set of every contender")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="beside N processes that spin")
    options = parser.parse_args(arguments)
    options.cases = options.cases.split(",")
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    if unknown := set((options.against or "").split(",")) - {*names, ""}:
        parser.error(f"unknown contenders: {', '.join(sorted(unknown))}")
    return options


def libraries(options: argparse.Namespace) -> list[str]:
    """Return the libraries of all contenders, as isa.py names them, that are installed."""
    peers = [
        peer
        for name in options.cases
        for contender, peer in CASES[name].peers.items()
        if options.against is None or contender in (CASES[name].ours, *options.against.split(","))
    ]
    return list(dict.fromkeys(p.library for p in peers if all(find_spec(package) for package in p.needs)))


def main() -> None:
    """Measure, print, and write the file."""
    options = parse()
    header = describe(libraries(options), options.isa, "float32", options.busy)
    results = []
    with spinning(options.busy):
        for name in options.cases:
            result = measure(name, options)
            if result is not None:
                results.append(result)
                show(result)
    if options.output:
        options.output.write_text(json.dumps(header | {"results": [], "many": results}, indent=1))


if __name__ == "__main__":
    main()
