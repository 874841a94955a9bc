"""A run of several processes that does not end by itself, and what its last checkpoint must be good for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import fastmlp

GIVEN = """
import fastmlp
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 5)).astype(np.float32)
y = X[:, 0] * X[:, 1]
options = dict(hidden=(8,), batch_size=64, shards=4, validation=0.2, dropout=0.1, restore_best=False)
"""

ENDLESS = """
ready()
fastmlp.train(
    X, y, communicator=world, epochs=10**9, checkpoint=sys.argv[1], timeout=float(sys.argv[2]),
    callbacks=fails if world.rank == 1 else (), **options
)
"""


def goes_on_from(folder: Path) -> int:
    """Check that a run goes on from the last checkpoint as if it had never stopped; return its epoch."""
    last = max(folder.glob("epoch-*.safetensors"))
    epoch = int(last.stem.partition("-")[2])
    assert len(fastmlp.load(last).history) == epoch
    space: dict[str, object] = {"np": np}
    exec(GIVEN, space)
    X, y, options = space["X"], space["y"], dict(space["options"])  # type: ignore[call-overload]
    resumed = fastmlp.train(X, y, epochs=epoch + 2, resume=folder, **options)
    whole = fastmlp.train(X, y, epochs=epoch + 2, **options)
    assert np.array_equal(resumed.parameters, whole.parameters)
    assert resumed.history["validation_loss"].tolist() == whole.history["validation_loss"].tolist()
    return epoch
