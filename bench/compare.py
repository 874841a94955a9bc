"""fastmlp beside its peers: interleaved, in one run, as ratios.

    python bench/compare.py [--cases iris,tiny,..] [--threads 1,2] [--against torch,jax,..] [--dtype float32]
        [--isa v3] [--busy 2] [--output FILE]

Each round times every contender once (A B C A B C ..), after a warm-up; the table shows the median time of a
step, what share of the machine's FMA peak it reaches (the best of a probe in every round), and the median of
the rounds' ratios to each peer: peer time / fastmlp time, so that above 1 fastmlp is ahead. In brackets
stands what the best round of each contender gives, for machines whose rounds differ much. The last column is
how far apart the processors were: the time a line of memory takes from one to the other and back.

--isa holds every contender, and the probe, to one instruction set; a contender that uses more ends the run.
--busy runs the cases beside so many other processes that spin. results.py makes tables and a chart of FILE.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import isa
from cases import PREDICT, TRAIN, WIDTHS, case_names, mnist_case
from machine import Probe, describe, spinning
from workers import Worker

PEERS = ("torch", "torch-compiled", "jax", "sklearn")
PREDICT_PEERS = ("torch", "jax", "onnxruntime", "sklearn")
MEMORY_CASES = ("mnist", "wide")
MIN_EPOCHS = 3  # of a call, so that a step counts more than what a call sets up


def contenders(case: str, against: str | None) -> list[str]:
    """Return fastmlp and its peers for a case."""
    predicts = case.startswith("predict:")
    peers = PREDICT_PEERS if predicts else PEERS
    if against is not None:
        peers = tuple(p for p in peers if p in against.split(","))
    few = predicts and PREDICT[case.removeprefix("predict:")].rows <= 64
    return ["fastmlp", *(["fastmlp predictor()"] if few else []), *peers]


def measure(case: str, threads: int, options: argparse.Namespace, probe: Probe) -> dict[str, Any]:
    """Return the times of a step (or call) of every contender, round by round, and what follows from them."""
    if case.startswith("predict:"):
        flops, steps = PREDICT[case.removeprefix("predict:")].flops, 1
    else:
        of_case = (TRAIN | WIDTHS)[case]
        flops, steps = of_case.flops, of_case.steps
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(case, name, threads, options.dtype, options.isa))
            for name in contenders(case, options.against)
        ]
        repeats = {w.contender: max(w.repeats(options.seconds), MIN_EPOCHS) for w in workers}
        us: dict[str, list[float]] = {w.contender: [] for w in workers}
        probes = []
        for _ in range(options.rounds):
            probes.append(probe.measure(threads, options.dtype))
            for worker in workers:
                k = repeats[worker.contender]
                us[worker.contender].append(worker.turn(k) / k / steps * 1e6)
        memory = {w.contender: w.ask("memory")["bytes"] for w in workers}
        first = {w.contender: w.first for w in workers}
        for worker in workers:
            worker.check_level()
    ours, others = us["fastmlp"], {name: times for name, times in us.items() if name != "fastmlp"}
    peak = max(peak for peak, _ in probes)
    gflops, best_gflops = flops / median(ours) / 1e3, flops / min(ours) / 1e3
    return {
        "case": case,
        "threads": threads,
        "dtype": options.dtype,
        "us": {name: median(times) for name, times in us.items()},
        "rounds_us": us,
        "first_seconds": first,
        "peak_memory": memory,
        "gflops": gflops,
        "fma_peak": peak,
        "percent": 100 * gflops / peak,
        "best_percent": 100 * best_gflops / peak,
        "round_trips_ns": [trip for _, trip in probes],
        "ratio": {n: median(t / o for t, o in zip(times, ours, strict=True)) for n, times in others.items()},
        "best_ratio": {n: min(times) / min(ours) for n, times in others.items()},
    }


def show(result: dict[str, Any]) -> None:
    """Print one line of the table."""
    us, ratios, name = result["us"], result["ratio"], result["case"]
    cells = "  ".join(
        f"{peer} x{ratio:.2f} ({result['best_ratio'][peer]:.2f})" for peer, ratio in ratios.items()
    )
    trips = result["round_trips_ns"]
    print(
        f"{name:18} {result['threads']:2} thr {us['fastmlp']:11.2f} us {result['gflops']:7.1f} GFLOP/s"
        f" {result['percent']:5.1f} % ({result['best_percent']:.1f})   {cells}"
        + (f"   trip {min(trips):.0f}-{max(trips):.0f} ns" if max(trips) else ""),
        flush=True,
    )
    if name in MEMORY_CASES:
        peaks = "  ".join(f"{who} {b / 2**20:.0f} MiB" for who, b in result["peak_memory"].items())
        print(f"{'':18}        peak resident memory: {peaks}", flush=True)


def time_to_accuracy(
    folder: Path, threads: int, options: argparse.Namespace, goal: float = 0.95
) -> dict[str, Any]:
    """Return the seconds of training until the test images of MNIST are recognised so well."""
    case, most = f"mnist:{folder}", 30
    seconds: dict[str, list[float]] = {}
    first: dict[str, float] = {}
    for _ in range(3):
        for name in contenders("mnist", options.against):
            with Worker(case, name, threads, options.dtype, options.isa) as worker:
                spent, epochs = [worker.first], 1
                while worker.ask("accuracy")["accuracy"] < goal and epochs < most:
                    spent.append(worker.seconds(1))
                    epochs += 1
                # The first epoch of some holds a compilation, which is reported apart.
                epoch = min(spent)
                seconds.setdefault(name, []).append(sum(spent[1:]) + epoch)
                first[name] = worker.first - epoch
    return {
        "case": f"MNIST, {mnist_case(8000).rows} images, to {goal:.0%}",
        "threads": threads,
        "seconds": {name: median(s) for name, s in seconds.items()},
        "start_seconds": first,
    }


def show_time_to_accuracy(result: dict[str, Any]) -> None:
    """Print its line."""
    cells = "  ".join(
        f"{name} {s:.2f} s (+ {max(0, result['start_seconds'][name]):.2f} s at the start)"
        for name, s in result["seconds"].items()
    )
    print(f"{result['case']:18} {result['threads']:2} thr   {cells}", flush=True)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = case_names()
    groups = {
        "train": list(TRAIN),
        "widths": list(WIDTHS),
        "predict": [f"predict:{name}" for name in PREDICT],
        "all": names,
    }
    parser.add_argument(
        "--cases", default="train,predict", help=f"of {', '.join(names)}, or {', '.join(groups)}"
    )
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument(
        "--against",
        default=None,
        help=f"of {', '.join(dict.fromkeys(PEERS + PREDICT_PEERS))}; by default all of them",
    )
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each contender's turn in a round")
    parser.add_argument("--mnist", type=Path, help="folder with MNIST's test images: time to 95%% accuracy")
    parser.add_argument("--output", type=Path, help="a JSON file for the results")
    parser.add_argument("--isa", choices=tuple(isa.ISAS), help="the instruction set of every contender")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="beside N processes that spin")
    options = parser.parse_args(arguments)
    options.cases = [n for wish in options.cases.split(",") for n in groups.get(wish, [wish]) if n]
    options.threads = [int(n) for n in options.threads.split(",")]
    if unknown := set(options.cases) - set(names):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    peers = {*PEERS, *PREDICT_PEERS, ""}
    if unknown := set((options.against or "").split(",")) - peers:
        parser.error(f"unknown contenders: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    """Measure, print, and write the file."""
    options = parse()
    names = dict.fromkeys(n for case in options.cases for n in contenders(case, options.against))
    header = describe(names, options.isa, options.dtype, options.busy)
    probe = Probe(header["isa"])
    results, to_accuracy = [], []
    with spinning(options.busy):
        for name in options.cases:
            for threads in options.threads:
                results.append(measure(name, threads, options, probe))
                show(results[-1])
        for threads in options.threads if options.mnist else ():
            to_accuracy.append(time_to_accuracy(options.mnist, threads, options))
            show_time_to_accuracy(to_accuracy[-1])
    if options.output:
        everything = header | {"results": results, "time_to_accuracy": to_accuracy}
        options.output.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
