"""Thousands of runs in one process take no more memory, threads and descriptors than a hundred."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from process_tools import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are read in /proc")

_SCRIPT = """
import gc, os
import numpy as np, fastmlp
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
_core.set_exact_threads(True)
_threads.available_cpus = lambda: 64
X = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
y = (X[:, 0] > 0).astype(int)
path = os.path.join({folder!r}, "model")
net = fastmlp.Network((5, 8, 2))

def train(i):
    fastmlp.train(X, y, hidden=(8,), epochs=2, threads=1 + i % 2, seed=i)
def stop(i):
    fastmlp.train(X, y, hidden=(8,), epochs=9, callbacks=[lambda net: True], validation=0.2)
def stream(i):
    fastmlp.train(iter([(X, y), (X, y)]), hidden=(8,), epochs=1)
def file(i):
    net.save(path)
    fastmlp.load(path).predict(X)
def fail(i):
    try:
        fastmlp.train(X, y[:-1])
    except ValueError:
        pass

def state():
    gc.collect()
    resident = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resident, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

for i in range(100):
    {call}(i)
memory, threads, descriptors = state()
for i in range({times}):
    {call}(i)
later = state()
print((later[0] - memory) // 2**20, later[1] - threads, later[2] - descriptors)
"""


@pytest.mark.parametrize(
    ("call", "times"), [("train", 1500), ("stop", 500), ("stream", 200), ("file", 150), ("fail", 1000)]
)
def test_runs_leave_nothing_behind(call: str, times: int, tmp_path: Path) -> None:
    mebibytes, threads, descriptors = map(
        int, run(_SCRIPT.format(folder=str(tmp_path), call=call, times=times)).split()
    )
    assert mebibytes <= 2
    assert threads <= 0
    assert descriptors == 0
