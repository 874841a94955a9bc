"""Rows that are read in windows: shuffled blocks of a file, a thread ahead of the core, bounded memory.

Each epoch takes the blocks of consecutive rows in a new order; some of them make a window, whose rows the
core shuffles again. So near and far rows meet in a batch, though the file is read in long runs. Two windows
are in memory: the core's, and the next one, which the thread fills.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.validation import (
    as_array,
    as_matrix,
    as_numbers,
    check_shape,
    feature_names,
    features_and_target,
    memory_size,
    same_length,
)
from fastmlp._native import core as _core
from fastmlp._rows.learner import Learner
from fastmlp._rows.memory import (
    CoreRows,
    MemoryRows,
    NextWindow,
    check_row_count,
    fingerprint,
    given_validation,
    held_rows,
    validation_fraction,
)
from fastmlp._rows.spool import as_batches, is_npy, is_parquet, mapped, release, spool, spool_parquet
from fastmlp._rows.targets import (
    TargetForm,
    as_targets,
    class_numbers,
    class_weighted,
    label_weights,
    labelled_classes,
    sample_weights,
)
from fastmlp.data import holdout

#: What Python, NumPy, pyarrow and the core take before the first row is read.
PROCESS_BYTES = 160 * 10**6

_DEFAULT_LIMIT = 2 * 10**9
_BLOCKS_PER_WINDOW = 64
_LEAST_BLOCK = 256  # rows
_SCANNED_AT_ONCE = 2**16  # targets
_BATCH_ROWS = 1024  # whose activations are counted

# Arrays as large as the parameters: these, their panels, two of the optimizer's state, the best weights, and
# the last three once more for a checkpoint, which is written from them without another copy. They are always
# counted, so that a run with checkpoints has the windows of one without.
_COPIES = 8

Selection = NDArray[np.int64] | slice


def open_rows(X: Any, y: Any, dtype: str, memory_limit: Any) -> MemoryRows | StreamedRows:
    """Return the rows to train on: in memory, unless they come from files or there is a limit."""
    limit = _DEFAULT_LIMIT if memory_limit is None else memory_size("memory_limit", memory_limit)
    from_file = is_npy(X)
    X, y = mapped(X), mapped(y)
    if is_parquet(X):
        return StreamedRows(*spool_parquet(X, y, dtype), dtype, limit)
    batches = as_batches(X, y)
    if batches is not None:
        return StreamedRows(*spool(batches, dtype), dtype, limit)
    if y is None:
        raise TypeError("y is needed, except for an iterator of batches (X, y)")
    if memory_limit is None and not from_file:
        return MemoryRows(X, y, dtype)
    X, y = features_and_target(X, y)
    if hasattr(X, "tocsr"):
        raise TypeError("memory_limit goes with dense rows, got a sparse X")
    array = as_array("X", X)
    if array.dtype.kind not in "biuf":  # numbers as objects, which lie in memory anyway
        array = as_matrix("X", X, dtype)
    return StreamedRows(array, as_array("y", y), feature_names(X), dtype, limit)


@dataclass(frozen=True)
class Buffers:
    """Room for the rows of one window."""

    X: NDArray[Any]
    labels: NDArray[np.int32] | None
    values: NDArray[Any] | None
    weights: NDArray[Any] | None

    def first(self, rows: int) -> CoreRows:
        """Return the first rows, as the core takes them."""
        labels, values, weights = (
            None if part is None else part[:rows] for part in (self.labels, self.values, self.weights)
        )
        return self.X[:rows], labels, values, weights


class StreamedRows:
    """X with its targets where they lie: arrays that are read by slices of rows, such as memory maps."""

    def __init__(self, X: Any, y: Any, names: tuple[str, ...], dtype: str, memory_limit: int) -> None:
        check_shape("X", X.shape, None)
        check_row_count(X.shape[0])
        same_length("y", len(y), len(X))
        self.names = names
        self._X, self._y, self._dtype, self._limit = X, y, dtype, memory_limit
        self._fraction, self._seed = 0.0, 0
        self._held_of_all: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Return the number of rows to train on; known from `hold_back` on."""
        return self._rows

    @property
    def window_rows(self) -> int | None:
        """The rows of a window, which decide the order of the rows; None where one window holds all."""
        return None if self._window_rows >= len(self) else self._window_rows

    @property
    def width(self) -> int:
        """The number of columns of X."""
        return int(self._X.shape[1])

    @property
    def sample(self) -> NDArray[Any]:
        """Some targets, which show what kind they are."""
        return as_targets(self._y[:1000])

    def labels(self) -> NDArray[Any]:
        """Return targets among which each label is."""
        if self.sample.ndim == 2:
            return self.sample
        return np.concatenate([np.unique(part) for part in self._scanned()])

    def prepare(self, form: TargetForm, sample_weight: Any, class_weight: Any) -> None:
        """Keep how targets and weights are to be encoded."""
        self._form, self._sample_weight, self._class_weight = form, sample_weight, class_weight
        if sample_weight is not None:
            self._sample_weight = as_array("sample_weight", sample_weight)
            same_length("sample_weight", len(self._sample_weight), len(self._X))
            if not self._sample_weight.any():
                raise ValueError("sample_weight must be greater than 0 somewhere, got zeros only")
        if class_weight is not None:
            classes = labelled_classes(self.sample, form.classes)
            counts = np.zeros(len(classes), np.int64)
            for part in self._scanned():
                counts += np.bincount(class_numbers(part, classes), minlength=len(classes))
            weights = label_weights(class_weight, classes, counts)
            if not (weights * counts).any():
                raise ValueError(f"class_weight must leave some rows a weight above 0, got {class_weight!r}")
            self._class_weight = dict(zip(classes.tolist(), weights.tolist(), strict=True))

    def hold_back(
        self, network: Learner, validation: Any, seed: int, clipped: bool = False
    ) -> CoreRows | None:
        """Divide the rows into blocks and windows, and take rows to validate on out of each block.

        Where gradients are clipped, the run has to keep one.
        """
        self._network, self._seed = network, seed
        self._copies = _COPIES + clipped
        given = None
        if validation is None or isinstance(validation, (tuple, list)):
            given = given_validation(network, validation)
        else:
            self._fraction = validation_fraction(validation, len(self._X))
        self._plan(network, int(self._fraction * len(self._X)) + 1 if self._fraction else 0)
        if not self._fraction:
            return given
        held_back = self._buffers(len(self._X) - len(self))
        at = 0
        for block in range(-(-len(self._X) // self._block_rows)):
            at += self._read(block, self._held(block), held_back, at)
        return held_back.first(at)

    def core_rows(self) -> CoreRows:
        """Return room for a window, as the core takes it; inside of `windows`."""
        return self._room[0].first(self._window_rows)

    def fingerprint(self) -> int:
        """Return a number that other rows hardly have: of the first block, with its targets."""
        room = self._buffers(self._block_rows)
        return fingerprint(*room.first(self._read(0, self._selection(0), room, 0)))

    @contextmanager
    def windows(self, options: _core.TrainOptions) -> Iterator[NextWindow | None]:
        """Yield the function that hands out the windows, one after the other."""
        if min(options.batch_size, len(self)) > self._window_rows:
            raise ValueError(
                f"batch_size must be at most {self._window_rows}, the rows of a window with "
                f"memory_limit={self._limit}, got {options.batch_size}"
            )
        options.epoch_rows = len(self)
        once = self._window_rows >= len(self)
        self._room = [self._buffers(self._window_rows) for _ in range(1 if once else 2)]
        reader = _Reader(self, self._windows_of_blocks(options), once)
        try:
            yield reader
        finally:
            reader.close()

    def read(self, blocks: list[int], room: Buffers) -> int:
        """Read a window of blocks, and return the number of its rows."""
        at = 0
        for block in blocks:
            at += self._read(block, self._selection(block), room, at)
        return at

    def _plan(self, network: Learner, held: int) -> None:
        """Choose blocks and windows by the arguments alone, so that results depend on nothing else."""
        item, sizes = network.dtype.itemsize, network.layer_sizes
        row_bytes = item * (self.width + sizes[-1] + 2) + 4
        fixed = PROCESS_BYTES + item * (self._copies * network.n_parameters + 4 * _BATCH_ROWS * sum(sizes))
        fixed += held * row_bytes
        rows = (self._limit - fixed) // (2 * row_bytes)
        if rows < _LEAST_BLOCK:
            raise ValueError(
                f"memory_limit must be at least {fixed + 2 * _LEAST_BLOCK * row_bytes} bytes for this "
                f"network and {held} rows of validation, got {self._limit}"
            )
        rows = min(rows, len(self._X))
        blocks = min(max(rows // _LEAST_BLOCK, 1), _BLOCKS_PER_WINDOW) if rows < len(self._X) else 1
        self._block_rows = rows // blocks
        full, rest = divmod(len(self._X), self._block_rows)
        kept = self._kept(self._block_rows)
        self._rows = full * kept + self._kept(rest)
        self._window_rows = min(blocks * kept, self._rows)
        self._blocks_per_window = blocks

    def _buffers(self, rows: int) -> Buffers:
        labels = self._form.encode(self.sample, self._dtype, len(self.sample)).labels is not None
        weighted = self._sample_weight is not None or self._class_weight is not None
        return Buffers(
            np.empty((rows, self.width), self._dtype),
            np.empty(rows, np.int32) if labels else None,
            None if labels else np.empty((rows, self._form.outputs), self._dtype),
            np.empty(rows, self._dtype) if weighted else None,
        )

    def _windows_of_blocks(self, options: _core.TrainOptions) -> Iterator[list[int]]:
        full, rest = divmod(len(self._X), self._block_rows)
        for epoch in range(options.first_epoch, options.epochs):
            order = np.arange(full)
            if options.shuffle and full > 1:
                order = _core.permutation(options.seed, _core.BLOCK_STREAM, epoch, full)
            blocks = [*order.tolist(), *([full] if rest else [])]
            for first in range(0, len(blocks), self._blocks_per_window):
                yield blocks[first : first + self._blocks_per_window]

    def _rows_of(self, block: int) -> int:
        return min(self._block_rows, len(self._X) - block * self._block_rows)

    def _kept(self, rows: int) -> int:
        """Return how many rows of a block of so many are trained on."""
        return rows - len(self._held_of(rows, 0))

    def _held(self, block: int) -> NDArray[np.int64]:
        """Return which of a block's rows are validated on."""
        return self._held_of(self._rows_of(block), block)

    def _held_of(self, rows: int, block: int) -> NDArray[np.int64]:
        if not self._fraction or rows < 2:
            return np.empty(0, np.int64)
        if rows == len(self._X):  # one block, as in memory
            if self._held_of_all is None:
                y = as_targets(self._y[:])
                self._held_of_all = held_rows(self._network, y, self._fraction, self._seed)
            return self._held_of_all
        return holdout(rows, self._fraction, self._seed, substream=block)[1]

    def _selection(self, block: int) -> Selection:
        """Return which of a block's rows are trained on."""
        if not self._fraction:
            return slice(None)
        return np.delete(np.arange(self._rows_of(block)), self._held(block))

    def _read(self, block: int, chosen: Selection, room: Buffers, at: int) -> int:
        """Read rows of a block into the room from row `at` on, and return how many they are."""
        first = block * self._block_rows
        last = first + self._rows_of(block)
        X = self._X[first:last][chosen]
        part = room.X[at : at + len(X)]
        with np.errstate(over="ignore"):
            np.copyto(part, X, casting="same_kind")

        def place(element: int) -> tuple[int, int]:
            row, column = divmod(element, self.width)
            return int(np.arange(first, last)[chosen][row]), column

        as_numbers("X", part, self._dtype, place)
        self._network._check_codes(part, place)
        try:
            y = as_targets(self._y[first:last])
            targets = self._form.encode(y, self._dtype, last - first)
            weights = self._sample_weight
            if weights is not None:
                weights = sample_weights(weights[first:last], last - first, self._dtype)
            weights = class_weighted(weights, self._class_weight, y, self._form.classes, self._dtype)
        except (ValueError, TypeError) as error:
            raise type(error)(f"rows {first} to {last - 1}, counted from 0: {error}") from None
        into = (room.labels, room.values, room.weights)
        for buffer, read in zip(into, (targets.labels, targets.values, weights), strict=True):
            if buffer is not None and read is not None:
                buffer[at : at + len(X)] = read[chosen]
        for source in (self._X, self._y, self._sample_weight):
            release(source)
        return len(X)

    def _scanned(self) -> Iterator[NDArray[Any]]:
        """Yield all targets, part by part."""
        for first in range(0, len(self._y), _SCANNED_AT_ONCE):
            try:
                yield as_targets(self._y[first : first + _SCANNED_AT_ONCE])
            except ValueError as error:
                raise ValueError(f"counted from row {first}: {error}") from None
            release(self._y)


class _Reader:
    """Hands out windows; a thread fills the next one while the core is busy with the last."""

    def __init__(self, rows: StreamedRows, plan: Iterator[list[int]], once: bool) -> None:
        self._rows, self._plan, self._once = rows, plan, once
        self._free: SimpleQueue[Buffers | None] = SimpleQueue()
        self._filled: SimpleQueue[tuple[Buffers, int] | BaseException] = SimpleQueue()
        self._current: tuple[Buffers, int] | None = None
        for room in rows._room:
            self._free.put(room)
        self._thread = Thread(target=self._fill, name="fastmlp reader", daemon=True)
        self._thread.start()

    def __call__(self) -> CoreRows:
        if self._current is None or not self._once:
            if self._current is not None:
                self._free.put(self._current[0])
            filled = self._filled.get()
            if isinstance(filled, BaseException):
                raise filled
            self._current = filled
        room, rows = self._current
        return room.first(rows)

    def close(self) -> None:
        """End the thread."""
        self._free.put(None)
        self._thread.join()

    def _fill(self) -> None:
        try:
            for blocks in self._plan:
                room = self._free.get()
                if room is None:
                    return
                self._filled.put((room, self._rows.read(blocks, room)))
        except BaseException as error:
            self._filled.put(error)
