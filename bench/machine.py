"""The machine a benchmark runs on: what it is, what it gives at the moment, and what else keeps it busy."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import isa

CPUS = Path("/sys/devices/system/cpu")
COMPILER = os.environ.get("CXX", "c++")
T = TypeVar("T")
PACKAGES = ("torch", "jax", "scikit-learn", "onnxruntime", "numpy")


class Probe:
    """What the machine gives at the moment, by a program compiled for an instruction set."""

    def __init__(self, level: str | None) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.program = Path(self.folder.name) / "probe"
        source = Path(__file__).with_name("probe.cpp")
        flags = ["-std=c++20", "-O3", f"-march={isa.march(level)}", "-pthread"]
        subprocess.run([COMPILER, *flags, str(source), "-o", str(self.program)], check=True)

    def measure(self, threads: int, dtype: str) -> tuple[float, float]:
        """Return GFLOP/s of that many threads together, and ns of a round trip between two processors."""
        kind = {"float32": "float", "float64": "double"}[dtype]
        peak, trip = subprocess.check_output([str(self.program), kind, str(threads)], text=True).split()
        return float(peak), float(trip)


@contextmanager
def spinning(processes: int) -> Iterator[None]:
    """Keep so many processes busy meanwhile; they also end when this one does, however it ends."""
    spin = f"import os\nwhile os.getppid() == {os.getpid()}:\n    sum(range(100_000))"
    with ExitStack() as stack:
        for _ in range(processes):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", spin]))
            stack.callback(process.kill)
        yield


class Others:
    """How many processors processes other than this one and its descendants keep busy, since it was made."""

    def __init__(self) -> None:
        self.start, self.before = time.monotonic(), self._seconds()

    def processors(self) -> float:
        """Return their mean number."""
        return (self._seconds() - self.before) / max(time.monotonic() - self.start, 1e-9)

    @staticmethod
    def _seconds() -> float:
        """Return the seconds of processor time, by the kernel's clock, of all but this process's family."""
        user, nice, system, _, _, *interrupts = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        everything = sum(map(int, (user, nice, system, *interrupts)))
        parents, ticks = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            pid = int(path.parent.name)
            parents[pid], ticks[pid] = int(fields[1]), sum(map(int, fields[11:15]))
        family, found = {os.getpid()}, True
        while found:
            found = {pid for pid, parent in parents.items() if parent in family} - family
            family |= found
        return (everything - sum(ticks.get(pid, 0) for pid in family)) / os.sysconf("SC_CLK_TCK")


def undisturbed(measure: Callable[[], T], most: float) -> T:
    """Return what `measure` returns, in a call beside which others kept at most so many processors busy."""
    while True:
        others, result = Others(), measure()
        if others.processors() <= most:
            return result
        time.sleep(1)


def processor() -> str:
    """Return the processor's name and the number of processors in use."""
    found = re.search(r"model name\s*: *(.*)", Path("/proc/cpuinfo").read_text())
    return f"{found[1] if found else 'unknown processor'}, {len(os.sched_getaffinity(0))} processors"


def caches() -> str:
    """Return the sizes of the data caches that a processor in use sees, those of others in it included."""
    sizes = {}
    for cache in sorted(CPUS.glob(f"cpu{min(os.sched_getaffinity(0))}/cache/index*")):
        level, kind, size = ((cache / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            kib = int(size.removesuffix("K"))
            name = f"L{level}" + ("d" if kind == "Data" else "")
            sizes[name] = f"{name} {kib // 1024} MB" if kib >= 1024 else f"{name} {kib} KB"
    return ", ".join(sizes.values()) or "caches unknown"


def versions() -> str:
    """Return the versions of the compiler and of the libraries."""
    compiler = subprocess.check_output([COMPILER, "--version"], text=True).splitlines()[0]
    found = [compiler]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def describe(contenders: Iterable[str], level: str | None, dtype: str, busy: int = 0) -> dict[str, Any]:
    """Print what is compared where; return the same for a file.

    Ends the run if a contender that is in isa.REPORTS is not held to `level`.
    """
    header: dict[str, Any] = {
        "date": str(dt.date.today()),
        "machine": processor(),
        "caches": caches(),
        "versions": versions(),
        "isa": level or isa.in_use(),
        "held": {n: isa.check(level, n) for n in contenders if n in isa.REPORTS} if level else {},
        "busy": busy,
    }
    print(f"{header['date']}, {header['machine']} ({header['caches']}), {dtype}")
    print(f"{header['versions']}")
    if level:
        print(f"instruction set of all: {level}; their reports when held to it:")
        for name, reports in header["held"].items():
            print(f"    {name:15} " + ", ".join(f"{who}: {what}" for who, what in reports.items()))
    else:
        print(f"instruction set: {header['isa']} for fastmlp and the peak, each peer's own choice")
    if busy:
        print(f"beside {busy} spinning processes")
    return header
