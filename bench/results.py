"""Tables in Markdown, and a chart, from the files of compare.py and many.py, one instruction set a file.

    python bench/compare.py --isa v3 --output v3.json && python bench/compare.py --output v4.json
    python bench/results.py v3.json v4.json [--chart bench/compare]

The tables go to the standard output, in the form of README.md; the chart to a .png and an .svg, with a panel
for each file: the ratios to every peer at its largest number of threads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

PEERS = {
    "torch": "PyTorch",
    "torch-compiled": "compiled",
    "jax": "JAX",
    "sklearn": "scikit-learn",
    "onnxruntime": "ONNX Runtime",
}
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)


def digits(x: float) -> str:
    """Return a ratio with two or three digits that count."""
    return f"{x:.2f}" if x < 9.995 else f"{x:.1f}" if x < 19.95 else f"{x:.0f}"


def microseconds(x: float) -> str:
    """Return a time with at least three digits."""
    return f"{x:.2f}" if x < 9.995 else f"{x:.1f}" if x < 99.95 else f"{x:,.0f}"


def seconds(x: float) -> str:
    """Return a time in the unit that suits it."""
    return f"{x:.3g} s" if x >= 1 else f"{x * 1e3:.3g} ms" if x >= 1e-3 else f"{x * 1e6:.3g} us"


def peers_of(rows: list[dict[str, Any]]) -> list[str]:
    """Return the peers of some rows, in the order of the tables."""
    return [peer for peer in PEERS if any(peer in row["ratio"] for row in rows)]


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table of rows that have their kind, dtype and number of threads in common."""
    peers = peers_of(rows)
    heads = ["case", "us", "% of peak", *(PEERS[peer] for peer in peers)]
    lines = []
    for row in rows:
        pairs = [(row["ratio"].get(peer), row["best_ratio"].get(peer)) for peer in peers]
        lines.append(
            [
                row["case"].removeprefix("predict:"),
                microseconds(row["us"]["fastmlp"]),
                f"{row['percent']:.0f} ({row['best_percent']:.0f})",
                *(f"{digits(m)} ({digits(b)})" if m else "" for m, b in pairs),
            ]
        )
    text = [f"| {' | '.join(cells)} |" for cells in (heads, *lines)]
    return "\n".join([text[0], "|---" * len(heads) + "|", *text[1:]])


def memory(rows: list[dict[str, Any]]) -> str:
    """Return a line with the peak resident memory of the large cases."""
    parts = []
    for row in rows:
        if row["case"] in ("mnist", "wide"):
            mib = {name: size / 2**20 for name, size in row["peak_memory"].items()}
            others = ", ".join(f"{PEERS[p]} {mib[p]:.0f}" for p in peers_of([row]))
            parts.append(f"{row['case']} {mib['fastmlp']:.0f}" + (f" ({others})" if others else ""))
    return f"Peak resident memory, in MiB: {'; '.join(parts)}." if parts else ""


def section(run: dict[str, Any]) -> str:
    """Return the tables of a file, with the machine above them."""
    held = "all contenders held to it" if run["held"] else "each contender's own choice"
    busy = f"; beside {run['busy']} spinning processes" if run["busy"] else ""
    where = f"{run['date']}, {run['machine']} ({run['caches']}); {run['versions']}."
    parts = [f"{where} Instruction set {run['isa']}, {held}{busy}."]
    groups: dict[tuple[bool, int, str], list[dict[str, Any]]] = {}
    for row in run["results"]:
        key = (row["case"].startswith("predict:"), row["threads"], row["dtype"])
        groups.setdefault(key, []).append(row)
    for (predicts, threads, dtype), rows in sorted(groups.items(), key=lambda g: (g[0][0], -g[0][1])):
        what = "Prediction (rows after the stroke)" if predicts else "Training"
        on = f"{threads} threads" if threads > 1 else "one thread"
        parts += [f"{what} in {dtype} on {on}:", table(rows)]
        if not predicts and (line := memory(rows)):
            parts.append(line)
    if run.get("many"):
        parts += ["Many networks:", many_table(run["many"])]
    return "\n\n".join(parts)


def many_table(cases: list[dict[str, Any]]) -> str:
    """Return the table of many.py: a line for each peer, and for what has a limit."""
    lines = [["case", "threads", "fastmlp", "beside", "ratio", "wanted"]]
    for case in cases:
        name, threads, ours = case["case"], str(case["threads"]), case["ours"]
        if case["most_bytes"]:
            peak, most = case["peak_memory"] / 1e6, case["most_bytes"] / 1e6
            lines.append([name, threads, f"{ours}: {peak:.0f} MB", "", "", f"at most {most:.0f} MB"])
            continue
        own = f"{ours}: {seconds(case['seconds'][ours])}"
        if case["most_seconds"]:
            lines.append([name, threads, own, "", "", f"at most {seconds(case['most_seconds'])}"])
        for peer, ratio in case["ratio"].items():
            goal = case["goals"].get(peer)
            wanted = f"at least {digits(goal)}" if goal else ""
            both = f"{digits(ratio)} ({digits(case['best_ratio'][peer])})"
            lines.append([name, threads, own, peer, both, wanted])
    text = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([text[0], "|---" * len(lines[0]) + "|", *text[1:]])


def chart(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw the ratios to every peer, a panel for each run: `path`.png and `path`.svg."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "fastmlp"
    import matplotlib.pyplot as plt

    shown = []
    for run in runs:
        threads = max(row["threads"] for row in run["results"])
        shown.append([row for row in run["results"] if row["threads"] == threads])
    cases = list(dict.fromkeys(row["case"] for rows in shown for row in rows))
    size = (2 + 5.5 * len(runs), 0.4 * len(cases) + 1.4)
    figure, panels = plt.subplots(
        1, len(runs), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for axes, run, rows in zip(panels[0], runs, shown, strict=True):
        for mark, peer in zip("osD^v", PEERS, strict=True):  # one look of a peer in all panels
            at = [(cases.index(row["case"]), row["ratio"][peer]) for row in rows if peer in row["ratio"]]
            axes.plot([x for _, x in at], [i for i, _ in at], mark, label=PEERS[peer], alpha=0.8)
        axes.axvline(1, color="black", linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.minorticks_off()
        axes.set_xlabel("times as fast as")
        axes.set_yticks(range(len(cases)), cases)
        axes.grid(axis="x", alpha=0.3)
        threads = rows[0]["threads"]
        axes.set_title(f"{run['isa']}, {run['machine']}, {threads} threads, {run['date']}", fontsize="small")
    panels[0][0].invert_yaxis()
    panels[0][-1].legend(fontsize="small")
    for ending, metadata in ((".png", {}), (".svg", {"Date": None})):
        figure.savefig(path.with_suffix(ending), metadata=metadata, dpi=150)


def main() -> None:
    """Print the tables and draw the chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="written by compare.py or many.py, --output")
    parser.add_argument("--chart", type=Path, help="files for the chart, without .png and .svg")
    options = parser.parse_args()
    runs = [json.loads(file.read_text()) for file in options.files]
    print("\n\n".join(section(run) for run in runs))
    if options.chart:
        chart([run for run in runs if run["results"]], options.chart)


if __name__ == "__main__":
    main()
