"""Ctrl-C anywhere in a run whose rows are streamed leaves no thread, descriptor or window behind."""

from __future__ import annotations

import _thread
import gc
import os
import sys
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeAlias

import numpy as np
import pytest

import fastmlp
from fastmlp._rows import blocks
from fastmlp._rows.stream import Buffers
from process_tools import run

if not Path("/proc/self/fd").is_dir():
    pytest.skip("descriptors are counted in /proc", allow_module_level=True)

#: A line, or the offset of an instruction.
Place: TypeAlias = tuple[CodeType, int]

X = np.random.default_rng(0).normal(size=(900, 4)).astype(np.float32)
Y = X[:, 0] > 0


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "PROCESS_BYTES", 0)
    monkeypatch.setattr(blocks, "_BATCH_ROWS", 0)
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 16)


def stream() -> None:
    batches = ((X[i : i + 300], Y[i : i + 300]) for i in range(0, len(X), 300))
    fastmlp.train(batches, hidden=(3,), epochs=1, batch_size=100, memory_limit=20_000, validation=0.2)


class Trace:
    """Notes the places that a run comes by in modules of rows, or raises KeyboardInterrupt at one of them."""

    def __init__(self, event: str, files: tuple[str, ...], at: Place | None = None) -> None:
        self.event, self.files, self.at = event, files, at
        self.places: dict[Place, None] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.endswith(self.files):
            return None
        frame.f_trace_opcodes = self.event == "opcode"
        if event == self.event:
            place = (frame.f_code, frame.f_lineno if event == "line" else frame.f_lasti)
            self.places[place] = None
            if place == self.at:
                raise KeyboardInterrupt
        return self


def traced(trace: Trace) -> bool:
    """Whether the run was interrupted."""
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        stream()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def left() -> tuple[int, int, int]:
    """Threads, descriptors and windows that are there."""
    gc.collect()
    return (
        _thread._count(),
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        sum(isinstance(thing, Buffers) for thing in gc.get_objects()),
    )


@pytest.mark.parametrize(
    ("event", "files", "step"),
    [("line", ("/spool.py", "/temporary.py", "/windows.py"), 5), ("opcode", ("/windows.py",), 16)],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_place_leaves_nothing_behind(
    event: str, files: tuple[str, ...], step: int
) -> None:
    files = tuple(f"fastmlp/_rows{file}" for file in files)
    everywhere = Trace(event, files)
    traced(everywhere)
    before = left()
    # What is raised in __del__ is written to standard error alone.
    places = [place for place in everywhere.places if place[0].co_name != "__del__"][::step]
    assert len(places) > 20
    assert all(traced(Trace(event, files, place)) for place in places)
    for _ in range(50):  # a thread that was told to end needs time to
        if left() == before:
            break
        time.sleep(0.1)
    assert left() == before


def test_signals_at_any_time_raise_keyboard_interrupt_and_leave_nothing_behind() -> None:
    output = run(
        """
        import gc, os, random, signal, time, _thread
        import numpy as np, fastmlp
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        X = np.zeros((600, 4), "float32")
        X[:, 0] = np.arange(600) % 2
        def stream():
            batches = ((X[i : i + 300], X[i : i + 300, 0] > 0) for i in range(0, 600, 300))
            fastmlp.train(batches, hidden=(3,), epochs=30, batch_size=50, memory_limit="1 GB")
        def left():
            gc.collect()
            return _thread._count(), len(os.listdir("/proc/self/fd"))
        stream()
        started = time.perf_counter()
        stream()
        whole, before, heard = time.perf_counter() - started, left(), 0
        random.seed(1)
        for _ in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-5 + random.random() * whole)
                stream()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                heard += 1
        for _ in range(50):
            if left() == before:
                break
            time.sleep(0.1)
        print(heard > 20, left() == before)
        """
    )
    assert output == "True True\n"
