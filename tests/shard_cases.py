"""Trainings in shards that cover what a run is made of. Each has one result, on any number of processes.

As a program, which mpiexec starts, it writes the results of each process to a folder.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

import fastmlp
from fastmlp._rows import blocks

N, D = 1003, 12
_rng = np.random.default_rng(5)
X = _rng.normal(size=(N, D)).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] + 0.3 * _rng.normal(size=N) > 0).astype(np.int64) + (X[:, 2] > 1)
VALUES = np.column_stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])]) + 3
WEIGHTS = _rng.uniform(0, 2, N)
CODES = np.column_stack([X[:, :3], _rng.integers(0, 5, (N, 2))]).astype(np.float32)
SPARSE = csr_matrix(np.where(np.abs(X) > 1, X, 0))
COLUMNS = {
    "size": [round(float(x), 3) for x in X[:, 0]],
    "place": [["Rome", "Oslo", "Kiel"][int(abs(x) * 2) % 3] for x in X[:, 1]],
    "price": [round(float(x), 3) for x in VALUES[:, 0]],
}

SMALL: dict[str, Any] = {"hidden": (17, 9), "epochs": 2, "batch_size": 64, "shards": 8}

Trained = Callable[..., fastmlp.Network]  # with a communicator, and options in place of the case's own


def case(X: Any, y: Any, **options: Any) -> Trained:
    """Return a training in which each process is given all rows."""
    return lambda communicator, **more: fastmlp.train(
        X, y, communicator=communicator, **SMALL | options | more
    )


def streamed(**options: Any) -> Trained:
    """Return a training in windows of at most 64 rows of each shard."""
    row_bytes = 4 * (D + 3 + 2) + 4
    parameters = (D + 1) * 17 + 18 * 9 + 10 * 3
    held = int(0.2 * N) + 1 if "validation" in options else 0
    limit = 2 * 64 * 8 * row_bytes + 4 * (8 + 4) * parameters + held * row_bytes

    def trained(communicator: Any, **more: Any) -> fastmlp.Network:
        before = blocks.PROCESS_BYTES, blocks._BATCH_ROWS, blocks._LEAST_BLOCK
        blocks.PROCESS_BYTES, blocks._BATCH_ROWS, blocks._LEAST_BLOCK = 0, 0, 16
        try:
            return case(X, LABELS, memory_limit=limit, **options)(communicator, **more)
        finally:
            blocks.PROCESS_BYTES, blocks._BATCH_ROWS, blocks._LEAST_BLOCK = before

    return trained


CASES: dict[str, Trained] = {
    "labels": case(X, LABELS, validation=0.2, dropout=0.2, l2=1e-3, optimizer="adamw"),
    "values": case(X, VALUES, validation=0.25, clip_norm=0.5, l2=1e-3, sample_weight=WEIGHTS),
    "weights": case(X, LABELS, class_weight="balanced", sample_weight=WEIGHTS, optimizer="sgd"),
    "given validation": case(X, VALUES, validation=(X[:5], VALUES[:5]), patience=1, min_delta=1e9, epochs=9),
    "momentum": case(X, VALUES, optimizer=fastmlp.SGD(momentum=0.9), dtype="float64"),
    "normalised": case(X, VALUES, optimizer=fastmlp.SGD(normalized=True), l2=0.01),
    "plateau": case(
        X, LABELS, learning_rate=fastmlp.ReduceOnPlateau(patience=1), optimizer="rmsprop", epochs=4
    ),
    "full batch": case(X, LABELS, batch_size=None, optimizer="adagrad", patience=2),
    # As many rows a step, with as many activations for a parameter, as gradients in parts of a batch take.
    "many activations": case(
        np.tile(X, (3, 1)), np.tile(LABELS, 3), hidden=(80, 80), batch_size=1504, dropout=0.1, l2=0.01
    ),
    "a row of each shard": case(X[:37], LABELS[:37], batch_size=8, clip_norm=1.0),
    "a row a shard": case(X[:9], VALUES[:9], batch_size="auto", l2=0.1),
    "shards without rows in a step": case(X[:61], VALUES[:61], batch_size=56, dropout=0.3),
    "sparse": case(SPARSE, LABELS, validation=0.2),
    "sparse lbfgs": case(SPARSE, VALUES, optimizer="lbfgs", batch_size="auto"),
    "embeddings": case(CODES, VALUES, embeddings=[(3, 5, 2), (4, 5, 3)], clip_norm=1.0, l2=0.01),
    "parts": case(
        CODES,
        VALUES,
        embeddings=[(3, 5, 2)],
        periodic=[(1, 6, 3)],
        input_scale=True,
        parametric=True,
        dropout=0.1,
        clip_norm=1.0,
        activation="mish",
    ),
    "table": case(fastmlp.data.Table(COLUMNS), "price", validation=0.2, epochs=3),
    "lbfgs": case(X, LABELS, optimizer="lbfgs", l2=0.01, batch_size="auto", epochs=6),
    "lbfgs weighted": case(X, VALUES, optimizer="lbfgs", sample_weight=WEIGHTS, batch_size="auto", epochs=4),
    "loss target": case(X, LABELS, loss_target=1.06, epochs=30),
    "few rows to validate on": case(
        X[:40], LABELS[:40], memory_limit="1 GB", validation=0.05, sample_weight=WEIGHTS[:40], batch_size=16
    ),
    "in one window": case(X, LABELS, memory_limit="1 GB"),
    "in one window, held back": case(X, LABELS, memory_limit="1 GB", validation=0.2, batch_size=None),
    "equal targets to validate on": case(
        X, VALUES, validation=(X[:3], np.full((3, 2), 0.1)), dtype="float64"
    ),
    "streamed": streamed(),
    "streamed validation": streamed(validation=0.2, sample_weight=WEIGHTS),
    "callback": case(X, LABELS, epochs=3, callbacks=lambda net: len(net.history) == 2),
    "diverged": case(X, VALUES, hidden=(), optimizer="sgd", learning_rate=3.0, epochs=9),
}

# Those that the tests interrupt.
RESUMED: dict[str, Trained] = {
    "in memory": case(X, LABELS, validation=0.2, dropout=0.1, optimizer="adamw"),
    "streamed": streamed(validation=0.2, optimizer="adamw"),
}


def local_part(rows: Any, rank: int, size: int) -> Any:
    """Return a process's part of rows: none for the first one, and few for the second."""
    if rows is None or isinstance(rows, str) or size == 1:
        return rows
    bounds = [0, 0, *(5,) * (size > 2), *np.linspace(5, N, max(size - 1, 2)).astype(int)[1:]]
    return rows[bounds[rank] : bounds[rank + 1]]


def local(communicator: Any, embeddings: Any = (), **given: Any) -> fastmlp.Network:
    """Train on rows of which each process has a part."""
    rank, size = communicator.rank, communicator.size
    options = {name: local_part(rows, rank, size) for name, rows in given.items()} | SMALL
    return fastmlp.train(
        communicator=communicator, local=True, validation=0.2, embeddings=embeddings, **options
    )


LOCAL: dict[str, dict[str, Any]] = {
    "arrays": {"X": X, "y": LABELS, "sample_weight": WEIGHTS},
    "sparse": {"X": SPARSE, "y": VALUES},
    "table": {"X": pd.DataFrame(COLUMNS), "y": "price"},
    "embeddings": {"X": CODES, "y": VALUES, "embeddings": [(3, 5, 2), (4, 5, 3)]},
}


def result(net: fastmlp.Network) -> str:
    """Return what must be the same: all bits of the weights and of the history but for the seconds."""
    history = {name: net.history[name].tolist() for name in net.history.columns if name != "seconds"}
    return f"{crc32(net.parameters.tobytes())} {history} {net.stop_reason}"


def main() -> None:
    """Write what comes out in this process, and the seconds that it knows of."""
    from mpi4py import MPI

    warnings.simplefilter("ignore")
    world = MPI.COMM_WORLD
    lines, seconds = [], []
    for name, train in CASES.items():
        net = train(world)
        lines.append(f"{name}: {result(net)}")
        seconds.append(net.history["seconds"].tolist())
    for name, given in LOCAL.items():
        lines.append(f"local {name}: {result(local(world, **given))}")
    Path(sys.argv[1], f"results-{world.rank}").write_text("\n".join(lines))
    Path(sys.argv[1], f"seconds-{world.rank}").write_text(str(seconds))


if __name__ == "__main__":
    main()
