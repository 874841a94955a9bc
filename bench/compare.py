"""fastmlp beside its peers: interleaved, in one run, as ratios.

    python bench/compare.py [--cases iris,tiny,..] [--threads 1,2] [--against torch,jax,..] [--dtype float32]

Each round times every contender once (A B C A B C ..), after a warm-up; the table shows the median time of a
step, what share of the machine's FMA peak it reaches (the best of a probe in every round), and the median of
the rounds' ratios to each peer: peer time / fastmlp time, so that above 1 fastmlp is ahead. In brackets
stands what the best round of each contender gives, for machines whose rounds differ much. The last column is
how far apart the processors were: the time a line of memory takes from one to the other and back.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from cases import PREDICT, TRAIN, WIDTHS, case_names, mnist_case
from workers import Probe, Worker, machine

PEERS = ("torch", "torch-compiled", "jax", "sklearn")
PREDICT_PEERS = ("torch", "jax", "onnxruntime", "sklearn")
MEMORY_CASES = ("mnist", "wide")


def contenders(case: str, against: str | None) -> list[str]:
    """Return fastmlp and its peers for a case."""
    predicts = case.startswith("predict:")
    peers = PREDICT_PEERS if predicts else PEERS
    if against is not None:
        peers = tuple(p for p in against.split(",") if p)
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
            stack.enter_context(Worker(case, name, threads, options.dtype))
            for name in contenders(case, options.against)
        ]
        # At least four epochs, so that a step counts more than what train() sets up.
        repeats = {w.contender: max(w.repeats(options.seconds), 4) for w in workers}
        us: dict[str, list[float]] = {w.contender: [] for w in workers}
        probes = []
        for _ in range(options.rounds):
            probes.append(probe.measure(threads, options.dtype))
            for worker in workers:
                k = repeats[worker.contender]
                us[worker.contender].append(worker.turn(k) / k / steps * 1e6)
        memory = {w.contender: w.ask("memory")["bytes"] for w in workers}
        first = {w.contender: w.first for w in workers}
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
            with Worker(case, name, threads, options.dtype) as worker:
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


def chart(results: list[dict[str, Any]], title: str, path: Path) -> None:
    """Draw the ratios to every peer, at the largest number of threads: `path`.png and `path`.svg."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "fastmlp"
    import matplotlib.pyplot as plt

    threads = max(r["threads"] for r in results)
    rows = [r for r in results if r["threads"] == threads and r["case"] not in WIDTHS]
    peers = [p for p in dict.fromkeys(p for r in rows for p in r["ratio"]) if "fastmlp" not in p]
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    for n, peer in enumerate(peers):
        at = [(i, r["ratio"][peer]) for i, r in enumerate(rows) if peer in r["ratio"]]
        axes.plot([x for _, x in at], [i for i, _ in at], "osD^v"[n % 5], label=peer, alpha=0.8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.set_xlabel("times as fast as")
    axes.set_yticks(range(len(rows)), [r["case"] for r in rows])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(title, fontsize="small")
    axes.legend(fontsize="small")
    for ending, metadata in ((".png", {}), (".svg", {"Date": None})):
        figure.savefig(path.with_suffix(ending), metadata=metadata, dpi=150)


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
    parser.add_argument("--against", default=None, help="contenders, by default all of them")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each contender's turn in a round")
    parser.add_argument("--mnist", type=Path, help="folder with MNIST's test images: time to 95%% accuracy")
    parser.add_argument("--output", type=Path, help="a JSON file for the results")
    parser.add_argument("--chart", type=Path, help="files for the chart, without .png and .svg")
    options = parser.parse_args(arguments)
    options.cases = [n for wish in options.cases.split(",") for n in groups.get(wish, [wish]) if n]
    options.threads = [int(n) for n in options.threads.split(",")]
    if unknown := set(options.cases) - set(names):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    """Measure, print, and write the files."""
    options = parse()
    probe = Probe()
    title = f"{dt.date.today()}, {machine()}, {options.dtype}"
    print(title, flush=True)
    results = []
    for name in options.cases:
        for threads in options.threads:
            results.append(measure(name, threads, options, probe))
            show(results[-1])
    to_accuracy = []
    for threads in options.threads if options.mnist else ():
        to_accuracy.append(time_to_accuracy(options.mnist, threads, options))
        show_time_to_accuracy(to_accuracy[-1])
    if options.output:
        header = {"date": str(dt.date.today()), "machine": machine()}
        everything = header | {"results": results, "time_to_accuracy": to_accuracy}
        options.output.write_text(json.dumps(everything, indent=1))
    if options.chart and results:
        chart(results, title, options.chart)


if __name__ == "__main__":
    main()
