"""fastmlp beside its peers: interleaved, in one run, as ratios.

    python bench/compare.py [--cases iris,tiny,..] [--threads 1,2] [--against torch,jax,..] [--dtype float32]

Each round times every contender once (A B C A B C ..), after a warm-up; the table shows the median time of a
step, what share of the machine's FMA peak it reaches (a probe runs in every round too), and the median of the
rounds' ratios to each peer: peer time / fastmlp time, so that above 1 fastmlp is ahead.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from cases import PREDICT, TRAIN, WIDTHS
from workers import FmaPeak, Worker, machine

PEERS = ("torch", "torch-compiled", "jax", "sklearn")
PREDICT_PEERS = ("torch", "jax", "onnxruntime", "sklearn")


def measure(
    kind: str, case: Any, contenders: list[str], threads: int, options: argparse.Namespace, peak: FmaPeak
) -> dict[str, Any]:
    """Return the times of a step (or call) of every contender, round by round, and what follows from them."""
    unit = case.steps if kind == "train" else 1
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(kind, name, case, threads, options.dtype)) for name in contenders
        ]
        repeats = {w.contender: w.repeats(options.seconds) for w in workers}
        times: dict[str, list[float]] = {w.contender: [] for w in workers}
        peaks = []
        for _ in range(options.rounds):
            peaks.append(peak.measure(threads, options.dtype))
            for worker in workers:
                k = repeats[worker.contender]
                times[worker.contender].append(worker.ask(k) / k / unit)
        memory = {w.contender: w.ask("memory")["peak"] for w in workers}
        first = {w.contender: w.first for w in workers}
    ours = contenders[0]
    gflops = case.flops / median(times[ours]) / 1e9
    return {
        "case": case.name,
        "kind": kind,
        "threads": threads,
        "dtype": options.dtype,
        "us": {name: median(t) * 1e6 for name, t in times.items()},
        "rounds_us": {name: [x * 1e6 for x in t] for name, t in times.items()},
        "first_seconds": first,
        "peak_memory": memory,
        "gflops": gflops,
        "fma_peak": median(peaks),
        "percent": 100 * gflops / median(peaks),
        "ratio": {
            name: median(t / o for t, o in zip(times[name], times[ours], strict=True))
            for name in contenders
            if name != ours
        },
    }


def show(result: dict[str, Any]) -> None:
    """Print one line of the table."""
    us, ratios = result["us"], result["ratio"]
    ours = next(iter(us))
    cells = "  ".join(f"{name} x{ratio:.2f}" for name, ratio in ratios.items())
    print(
        f"{result['case']:10} {result['threads']:2} thr  {us[ours]:10.2f} us  {result['gflops']:7.1f} GFLOP/s"
        f"  {result['percent']:5.1f} %   {cells}",
        flush=True,
    )


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*TRAIN, *(f"predict:{name}" for name in PREDICT), *WIDTHS]
    parser.add_argument("--cases", default=",".join(TRAIN), help=f"of {', '.join(names)}; or 'all'")
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("--against", default=None, help="contenders, by default all of them")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each contender's turn in a round")
    parser.add_argument("--output", type=Path, default=None, help="a JSON file for the results")
    options = parser.parse_args(arguments)
    if options.cases == "all":
        options.cases = ",".join(names)
    if unknown := set(options.cases.split(",")) - set(names):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    """Measure, print, and write the JSON file."""
    options = parse()
    peak = FmaPeak()
    print(f"{dt.date.today()}, {machine()}, {options.dtype}", flush=True)
    results = []
    for name in options.cases.split(","):
        kind = "predict" if name.startswith("predict:") else "train"
        case: Any = PREDICT[name[8:]] if kind == "predict" else (TRAIN | WIDTHS)[name]
        peers = PREDICT_PEERS if kind == "predict" else PEERS
        if options.against is not None:
            peers = tuple(p for p in options.against.split(",") if p)
        contenders = ["fastmlp", *peers]
        if kind == "predict" and case.rows <= 64:
            contenders.insert(1, "fastmlp predictor()")
        for threads in map(int, options.threads.split(",")):
            results.append(measure(kind, case, contenders, threads, options, peak))
            show(results[-1])
    if options.output:
        header = {"date": str(dt.date.today()), "machine": machine()}
        options.output.write_text(json.dumps(header | {"results": results}, indent=1))


if __name__ == "__main__":
    main()
