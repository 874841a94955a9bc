"""The core reads no byte beside an array: each ends, or begins, at a page that must not be touched."""

from __future__ import annotations

import sys

import pytest

from process_tools import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mmap and mprotect of Linux")

_SCRIPT = """
import ctypes, mmap
import numpy as np, fastmlp
from fastmlp._native import core as _core
_core.use({isa!r})

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
PAGE = mmap.PAGESIZE

def guarded(array):
    '''The same array between two pages without access, beside the {side} of them.'''
    array = np.ascontiguousarray(array)
    room = -(-max(array.nbytes, 1) // PAGE) * PAGE
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start = libc.mmap(None, room + 2 * PAGE, mmap.PROT_READ | mmap.PROT_WRITE, private, -1, 0)
    at = start + PAGE + (room - array.nbytes if {side!r} == "last" else 0)
    memory = (ctypes.c_byte * array.nbytes).from_address(at)
    copy = np.frombuffer(memory, array.dtype).reshape(array.shape)
    copy[...] = array
    for guard in (start, start + PAGE + room):
        assert libc.mprotect(guard, PAGE, 0) == 0
    return copy

def options(batch_size):
    made = _core.TrainOptions()
    made.epochs, made.batch_size, made.shuffle, made.dropout.rate = 2, batch_size, True, 0.2
    return made

rng = np.random.default_rng(0)
runs = 0
for dtype in ("float32", "float64"):
    for n, inputs, hidden, outputs in ((1, 1, 1, 2), (3, 5, 17, 3), (37, 19, 33, 7), (65, 64, 16, 16)):
        X = rng.normal(size=(n, inputs)).astype(dtype)
        X[rng.random(X.shape) < 0.5] = 0
        rows, columns = np.nonzero(X)
        starts = np.concatenate([[0], np.cumsum((X != 0).sum(1))])
        entries = (X[rows, columns], columns.astype(np.int32), starts.astype(np.int64))
        sparse = tuple(map(guarded, entries))
        weights = guarded(rng.uniform(0.5, 1, n).astype(dtype))
        labels = guarded(rng.integers(outputs, size=n).astype(np.int32))
        values = guarded(rng.random((n, outputs)).astype(dtype))
        for loss in ("softmax_cross_entropy", "squared_error"):
            targets = (labels, None) if loss == "softmax_cross_entropy" else (None, values)
            net = fastmlp.Network((inputs, hidden, outputs), loss=loss, dtype=dtype)
            for given in (guarded(X), sparse):
                for batch_size in (1, 4, n):
                    data = (given, *targets, weights)
                    net._core.train(*data, None, (*data, None), options(batch_size), None)
                    index = guarded(rng.integers(n, size=n + 1).astype(np.uint32))
                    net._core.train(*data, index, (*data, index), options(batch_size), None)
                    runs += 2
            net.predict(guarded(X))
            net.predictor()(guarded(X))
            net.predictor()(guarded(X[0]))
            if dtype == "float32":
                net.loss_and_gradient(guarded(X), labels if targets[1] is None else values, weights)
        coded = X.copy()
        coded[:, 0] = np.arange(n) % 3
        net = fastmlp.Network((inputs, hidden, outputs), dtype=dtype, embeddings=[(0, 3, 2)])
        net._core.train(guarded(coded), labels, None, weights, None, None, options(n), None)
        net.predict(guarded(coded))
print(runs)
"""


@pytest.mark.parametrize("side", ["first", "last"])
def test_arrays_beside_guarded_pages(isa: str, side: str) -> None:
    assert run(_SCRIPT.format(isa=isa, side=side)) == "192\n"
