"""The tasks of a round, which are pure: the same arguments give the same bits on whatever worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._dask.parts import Part, named
from fastmlp._dask.worker import made_network, threads_of_task
from fastmlp._network.network import Network
from fastmlp._rows.features import Features, SparseRows, as_features
from fastmlp._rows.memory import CoreRows, WholeRows, core_rows
from fastmlp._rows.targets import TargetForm, Targets, class_weighted
from fastmlp._training.options import RunSettings, checked_compute, core_options
from fastmlp._training.run import run
from fastmlp.data import holdout

Array = NDArray[Any]

_BLOCK = 4096  # rows that are measured together


@dataclass(frozen=True)
class Learning:
    """What all tasks are told, besides weights and rows.

    Attributes
    ----------
    described : dict
        What makes the network.
    class_weight : dict or None
        The weight of each label.
    settings : RunSettings
        Whose epochs are those of all rounds together.
    weighs_batches : bool
        Whether a batch divides by the sum of its own weights, as scikit-learn does.
    fraction : float or None
        The part of each partition that is held back to validate on.
    isa : str
        The instruction set that all tasks compute with.
    """

    described: dict[str, Any]
    form: TargetForm
    class_weight: dict[Any, float] | None
    settings: RunSettings
    local_epochs: int
    weighs_batches: bool
    fraction: float | None
    isa: str

    def network(self, parameters: Array | None, **changed: Any) -> Network:
        """Return the network with these parameters, None for zeros."""
        return made_network(self.isa, self.described | changed, parameters)


@dataclass(frozen=True)
class Prepared:
    """The rows of a partition as the core takes them.

    Attributes
    ----------
    learned : WholeRows or None
        None where there are none, or none that weighs more than 0.
    held : tuple of CoreRows
        Those to validate on, in blocks.
    """

    learned: WholeRows | None
    held: tuple[CoreRows, ...]


@dataclass(frozen=True)
class Size:
    """How much a partition counts: its rows to learn from, the sum of their weights, and what is held."""

    rows: int
    weight: float
    held: int


def prepare(what: str, place: int, part: Part, learning: Learning, *, held: bool = False) -> Prepared:
    """Return the rows of a partition, encoded for the network; all of them to validate on if `held`."""
    if not len(part):
        return Prepared(None, ())
    form, dtype = learning.form, learning.described["dtype"]
    with named(what):
        X = part.X if _is_of(part.X, dtype) else as_features("X", _as_data(part.X), dtype)
        if learning.settings.bfloat16:
            checked_compute("bfloat16", sparse=isinstance(X, SparseRows))
        if any(learning.described.get(name) for name in ("embeddings", "periodic", "input_scale")):
            learning.network(None)._check_codes(X)
        targets = form.encode(part.y, dtype, len(part))
        weights = None if part.weights is None else part.weights.astype(dtype)
        if learning.class_weight is not None:
            weights = class_weighted(weights, learning.class_weight, part.y, form.classes, dtype)
        if held:
            return Prepared(None, _blocks(X, targets, weights, np.arange(len(part))))
        kept, back = _divided(len(part), learning, place)
        left = core_rows(X, targets, weights, None if kept is None else kept.astype(np.uint32))
        return Prepared(_to_learn(left, learning), () if back is None else _blocks(X, targets, weights, back))


def _is_of(X: Any, dtype: str) -> bool:
    return bool((X.values if isinstance(X, SparseRows) else X).dtype == dtype)


def _as_data(X: Any) -> Any:
    if not isinstance(X, SparseRows):
        return X
    from scipy.sparse import csr_matrix

    return csr_matrix((X.values, X.columns, X.starts), X.shape)


def _blocks(
    X: Features, targets: Targets, weights: Array | None, rows: NDArray[np.int64]
) -> tuple[CoreRows, ...]:
    """Return some rows in blocks, whose activations take little memory."""
    return tuple(
        core_rows(X[at], targets.take(at), None if weights is None else weights[at])
        for at in (rows[first : first + _BLOCK] for first in range(0, len(rows), _BLOCK))
    )


def _divided(rows: int, learning: Learning, place: int) -> tuple[Any, Any]:
    """Return the rows to learn from and those held back, which depend on the seed and on the partition."""
    if learning.fraction is None or rows < 2:
        return None, None
    return holdout(rows, learning.fraction, learning.settings.seed, substream=place)


def _to_learn(rows: CoreRows, learning: Learning) -> WholeRows | None:
    total, count = _weight(rows)
    if not total > 0:
        return None
    return WholeRows(rows, None, 0.0 if learning.weighs_batches else total / count)


def _weight(rows: CoreRows) -> tuple[float, int]:
    """Return the sum of the weights of rows, and their number."""
    X, _, _, weights, index = rows
    count = len(index) if index is not None else len(X[2]) - 1 if isinstance(X, tuple) else len(X)
    if weights is None:
        return float(count), count
    chosen = weights if index is None else weights[index]
    return float(chosen.sum(dtype=np.float64)), count


def size(prepared: Prepared) -> Size:
    """Return how much a partition counts."""
    held = sum(_weight(block)[1] for block in prepared.held)
    if prepared.learned is None:
        return Size(0, 0.0, held)
    weight, rows = _weight(prepared.learned.train)
    return Size(rows, weight, held)


@dataclass(frozen=True)
class Learned:
    """What a partition makes of the common weights.

    Attributes
    ----------
    loss : float
        Of its first pass, as `History` has it; penalty is the part of the l2 term.
    diverged : bool
        Whether loss or weights are no longer finite.
    """

    parameters: Array
    loss: float
    penalty: float
    learning_rate: float
    diverged: bool


def learn(
    place: int, rows: Prepared, learning: Learning, parameters: Array, round_: int, share: int
) -> Learned:
    """Train a partition for a round from the common weights, with an optimizer that begins anew.

    Parameters
    ----------
    place : int
        The number of the partition.
    round_ : int
        That of the round, from 0.
    share : int
        The most threads, on which the result does not depend.
    """
    assert rows.learned is not None
    with threads_of_task(share) as threads:
        network = learning.network(parameters)
        settings, local = learning.settings, learning.local_epochs
        options = core_options(settings.with_seed(task_seed(settings.seed, round_, place)), len(rows.learned))
        options.threads, options.first_epoch = threads, round_ * local
        options.pause = options.first_epoch + local  # the schedule goes over all rounds
        s1, s2, best, current = (np.zeros_like(network.parameters) for _ in range(4))
        state = network._core.RunState(s1, s2, 0, best, current)
        outcome = run(network, rows.learned, options, state=state)
        if outcome.exception is not None:
            raise outcome.exception
        diverged = outcome.reason == "diverged"
        paused = outcome.reason == "epochs" and options.pause < options.epochs
        found = current if paused else network.parameters.copy()
        if diverged:
            return Learned(found, np.nan, np.nan, np.nan, diverged)
        _, loss, _, _, _, _, _, penalty = outcome.records[0]
        return Learned(found, float(loss), float(penalty), float(outcome.records[-1, 2]), diverged)


def task_seed(seed: int, round_: int, place: int) -> int:
    """Return the seed of a task: of its shuffling and dropout."""
    words = [seed & 0xFFFFFFFF, seed >> 32, round_, place]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])
