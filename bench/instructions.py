"""Instructions of fixed small runs, counted by callgrind, against those in instructions.json.

    python bench/instructions.py [--isa v2,v3] [--accept]

Exits with 1 where a run takes over 3% more than the file says; `--accept` writes what was counted into it.
A count holds no noise: one thread, a fixed hash seed, and under valgrind every processor with AVX2 looks the
same, so that the C library and NumPy choose the same code. What can differ is said in the file: another
compiler's counts of the core are not compared, nor, with another Python or NumPy, those of the whole process.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from cases import PREDICT, TRAIN

FILE = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.03
EPOCHS = {"iris": 100, "tiny": 2, "digits": 2}
ONE_ROW = "small/1"
CALLS = 10
PARTS = {"core": "the core", "all": "the whole process"}
# The child calls these functions of the C library around each run; callgrind writes its counts there
# and begins anew.
CALLS_AROUND = ("getpgrp", "getsid")
CALLGRIND = [
    "valgrind",
    "--tool=callgrind",
    "--compress-strings=no",
    "--compress-pos=no",
    *(f"--dump-before={function}" for function in CALLS_AROUND),
]


def works() -> dict[str, Callable[[], Any]]:
    """Return what is counted, by name."""
    from competitors import FastMLP, predict_fastmlp, predict_predictor

    row = PREDICT[ONE_ROW].data()
    forward, predictor = (
        make(PREDICT[ONE_ROW], np.float32, 1) for make in (predict_fastmlp, predict_predictor)
    )

    def train(name: str) -> Callable[[], Any]:
        trainer = FastMLP(TRAIN[name], *TRAIN[name].data(), threads=1)
        return lambda: trainer.epochs(EPOCHS[name])

    return {name: train(name) for name in EPOCHS} | {
        "predict, one row": lambda: [forward(row) for _ in range(CALLS)],
        "predictor, one row": lambda: [predictor(row) for _ in range(CALLS)],
    }


def run() -> None:
    """Do every work three times, the last time between the two functions; print names and versions."""
    from fastmlp._native import core

    gc.disable()
    names = []
    for name, work in works().items():
        for _ in range(2):  # imports, caches, and what the interpreter learns of its code
            work()
        gc.collect()
        os.getpgrp()
        work()
        os.getsid(0)
        names.append(name)
    python = f"Python {sys.version_info[0]}.{sys.version_info[1]}, NumPy {np.__version__}"
    built = {"isa": core.ISA, "compiler": core.build_config()["compiler"], "python": python}
    print(json.dumps(built | {"names": names}))


def counts_of(dump: str) -> dict[str, int]:
    """Return the instructions that a dump of callgrind's holds: those of the core's library, and all."""
    counts = dict.fromkeys(PARTS, 0)
    in_core = of_call = False
    for line in dump.splitlines():
        if line.startswith("ob="):
            in_core = "/_core_" in line
        elif line.startswith("calls="):
            of_call = True  # the line below it counts what was called, which has lines of its own
        elif re.match(r"\d", line):
            if not of_call:
                instructions = int(line.split()[1])
                counts["all"] += instructions
                counts["core"] += instructions * in_core
            of_call = False
    return counts


def count(isa: str) -> dict[str, Any]:
    """Return the counts of every run on an instruction set, and what they depend on."""
    settings = {
        "FASTMLP_ISA": isa,
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        dumps = Path(folder) / "counts"
        command = [*CALLGRIND, f"--callgrind-out-file={dumps}", sys.executable, __file__, "--run"]
        child = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
        if child.returncode:
            raise SystemExit(f"{' '.join(command)}\n{child.stderr}")
        found = json.loads(child.stdout.splitlines()[-1])
        names = found.pop("names")
        # Every second dump is that of a run, the others are of what lies between them.
        texts = [dumps.with_suffix(f".{2 * n + 2}").read_text() for n in range(len(names))]
    return found | {"counts": {name: counts_of(text) for name, text in zip(names, texts, strict=True)}}


def compare(found: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    """Print the counts of an instruction set beside those of the file; return what is too much."""
    comparable = {
        "core": found["compiler"] == kept.get("compiler"),
        "all": all(found[key] == kept.get(key) for key in ("compiler", "python")),
    }
    for part, of_part in PARTS.items():
        if not comparable[part]:
            was, now = (f"{who.get('compiler')}, {who.get('python')}" for who in (kept, found))
            print(f"{found['isa']}: {of_part} NOT COMPARED: {FILE.name} has {was}; this is {now}")
    worse = []
    for name, counts in found["counts"].items():
        cells = []
        for part, n in counts.items():
            before = kept.get("counts", {}).get(name, {}).get(part)
            change = n / before - 1 if before and comparable[part] else None
            cells.append(f"{PARTS[part]} {n:12,}" + ("" if change is None else f" ({change:+.2%})"))
            if change is not None and change > TOLERANCE:
                worse.append(f"{name} on {found['isa']}: {PARTS[part]} takes {change:.1%} more instructions")
        print(f"{found['isa']} {name:20} " + "   ".join(cells))
    return worse


def main() -> int:
    """Count, compare or accept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isa", default="v2,v3", help="instruction sets that valgrind knows")
    parser.add_argument("--accept", action="store_true", help=f"write the counts into {FILE.name}")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run()
        return 0
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    with ThreadPoolExecutor() as pool:
        found = {result["isa"]: result for result in pool.map(count, options.isa.split(","))}
    worse = [line for isa, result in found.items() for line in compare(result, kept.get(isa, {}))]
    if options.accept:
        FILE.write_text(json.dumps(kept | found, indent=1) + "\n")
    elif worse:
        print(f"\nOver {TOLERANCE:.0%} more than {FILE.name} says:\n" + "\n".join(worse))
        print("If it must be so: python bench/instructions.py --accept, and commit the file with the reason.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
