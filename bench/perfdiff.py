"""Two builds of fastmlp against each other: interleaved, as ratios; exits with 1 where one is over 5% slower.

    python bench/perfdiff.py BASE [NEW] [--cases iris,tiny,..] [--threads 1,2] [--isa v3] [--tolerance 5]

BASE and NEW are Python interpreters of two environments, or revisions of this repository, which are built
into temporary environments. NEW is by default the environment that runs this script.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import isa
from cases import TRAIN, WIDTHS, case_names
from workers import Worker

REPOSITORY = Path(__file__).resolve().parents[1]


@contextmanager
def environment(build: str) -> Iterator[str]:
    """Give the interpreter of a build: `build` itself, or that of a new environment for a revision."""
    if Path(build).is_file():
        yield build
        return
    git = ["git", "-C", str(REPOSITORY)]
    with tempfile.TemporaryDirectory() as folder:
        source, python = f"{folder}/source", f"{folder}/environment/bin/python"
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", source, build], check=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", f"{folder}/environment"], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", source], check=True)
            yield python
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", source], check=True)


def ratio(case: str, threads: int, base: str, new: str, options: argparse.Namespace) -> float:
    """Return NEW's time in units of BASE's; print a line of the table.

    That of the best rounds, or, where it is larger, what the median of the rounds' ratios says less twice the
    tolerance: bursts of other work raise the median.
    """
    steps = 1 if case.startswith("predict:") else (TRAIN | WIDTHS)[case].steps
    with (
        Worker(case, "fastmlp", threads, options.dtype, options.isa, base) as old,
        Worker(case, "fastmlp", threads, options.dtype, options.isa, new) as changed,
    ):
        repeats = old.repeats(options.seconds)
        changed.repeats(options.seconds)
        rounds = [(old.turn(repeats), changed.turn(repeats)) for _ in range(options.rounds)]
    times = list(zip(*rounds, strict=True))
    of_median, of_best = median(b / a for a, b in rounds), min(times[1]) / min(times[0])
    us = [median(t) / repeats / steps * 1e6 for t in times]
    print(
        f"{case:18} {threads:2} thr {us[0]:11.2f} us -> {us[1]:11.2f} us   x{of_median:.3f} ({of_best:.3f})",
        flush=True,
    )
    return max(of_best, of_median - 2 * options.tolerance / 100)


def main() -> int:
    """Compare, and return 1 if a case became slower than the tolerance allows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", help="an interpreter or a revision")
    parser.add_argument("new", nargs="?", default=sys.executable)
    parser.add_argument("--cases", default="iris,tiny,digits,mnist,higgs,predict:small/1,predict:mnist/64")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--isa", choices=tuple(isa.ISAS), help="the instruction set of both")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each turn in a round")
    parser.add_argument("--tolerance", type=float, default=5.0, help="per cent")
    options = parser.parse_args()
    cases = options.cases.split(",")
    if unknown := set(cases) - set(case_names()):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")
    with ExitStack() as stack:
        base, new = (stack.enter_context(environment(build)) for build in (options.base, options.new))
        if options.isa:
            for python in (base, new):
                isa.check(options.isa, "fastmlp", python)
        ratios = {
            f"{case} on {threads} threads": ratio(case, threads, base, new, options)
            for case in cases
            for threads in map(int, options.threads.split(","))
        }
    slower = [f"{name} x{r:.3f}" for name, r in ratios.items() if r > 1 + options.tolerance / 100]
    print(f"slower by more than {options.tolerance:g}%: {', '.join(slower) or 'none'}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
