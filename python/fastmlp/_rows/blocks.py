"""How the rows of a file are cut: blocks of consecutive rows, and windows of several blocks.

Each epoch takes the blocks in a new order; some of them make a window, whose rows the core shuffles again. So
near and far rows meet in a batch, though the file is read in long runs. Two windows are in memory: the
core's, and the next one. Rows to validate on come from every block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastmlp._native import core as _core
from fastmlp._rows.learner import Learner
from fastmlp._rows.shards import Shards
from fastmlp.data import holdout

#: What Python, NumPy, pyarrow and the core take before the first row is read.
PROCESS_BYTES = 180 * 10**6

_BLOCKS_PER_WINDOW = 64
_LEAST_BLOCK = 256  # rows
_BATCH_ROWS = 1024  # whose activations are counted

# Arrays as large as the parameters: these, their panels, two of the optimizer's state, the best weights, and
# the last three once more for a checkpoint, which is written from them without another copy. They are always
# counted, so that a run with checkpoints has the windows of one without.
_COPIES = 8

Selection = NDArray[np.int64] | slice


@dataclass(frozen=True)
class Blocks:
    """The blocks of a shard's rows, and which of their rows are validated on."""

    first: int  # row of the file
    rows: int
    block_rows: int  # the last block may have fewer
    blocks_per_window: int
    fraction: float  # of the rows that is validated on; 0 for none
    seed: int
    number: int = 0  # of the first block, among those of all shards
    chosen: NDArray[np.int64] | None = None  # the rows to train on, where one block has all of the shard

    def __len__(self) -> int:
        return -(-self.rows // self.block_rows)

    @cached_property
    def trained_rows(self) -> int:
        """The rows to train on, of all blocks."""
        if self.chosen is not None:
            return len(self.chosen)
        full, rest = divmod(self.rows, self.block_rows)
        return full * self.kept(self.block_rows) + self.kept(rest)

    def bounds(self, block: int) -> tuple[int, int]:
        """Return the first row of a block, and the one behind its last."""
        first = self.first + block * self.block_rows
        return first, min(first + self.block_rows, self.first + self.rows)

    def held(self, block: int) -> NDArray[np.int64]:
        """Return which of a block's rows are validated on."""
        first, last = self.bounds(block)
        return self._held_of(last - first, block)

    def trained(self, block: int) -> Selection:
        """Return which of a block's rows are trained on."""
        if self.chosen is not None:
            return self.chosen
        if not self.fraction:
            return slice(None)
        first, last = self.bounds(block)
        return np.delete(np.arange(last - first), self.held(block))

    def windows(self, stream: int, shuffle: bool, seed: int) -> list[list[int]]:
        """Return the blocks of each window of an epoch; a last block with fewer rows stays the last."""
        full, rest = divmod(self.rows, self.block_rows)
        order = np.arange(full)
        if shuffle and full > 1:
            order = _core.permutation(seed, _core.BLOCK_STREAM, stream, full)
        blocks = [*order.tolist(), *([full] if rest else [])]
        each = self.blocks_per_window
        return [blocks[first : first + each] for first in range(0, len(blocks), each)]

    def kept(self, rows: int) -> int:
        """Return how many rows of a block of so many are trained on."""
        return rows - len(self._held_of(rows, 0))

    def _held_of(self, rows: int, block: int) -> NDArray[np.int64]:
        if not self.fraction or rows < 2:
            return np.empty(0, np.int64)
        return holdout(rows, self.fraction, self.seed, substream=self.number + block)[1]


@dataclass(frozen=True)
class BlockPlan:
    """The blocks of all shards, and which shards a process reads."""

    parts: tuple[Blocks, ...]  # of each shard
    shards: Shards
    held: NDArray[np.int64] | None = None  # the rows to validate on, where one window has all rows

    @property
    def own(self) -> tuple[Blocks, ...]:
        """Those of the process's shards."""
        return self.parts[self.shards.own.start : self.shards.own.stop]

    @cached_property
    def trained_rows(self) -> tuple[int, ...]:
        """The rows to train on, of each shard."""
        return tuple(part.trained_rows for part in self.parts)

    @cached_property
    def held_rows(self) -> tuple[int, ...]:
        """The rows to validate on, of each shard."""
        if self.held is not None:
            return tuple(self.shards.sizes(len(self.held)))
        return tuple(part.rows - part.trained_rows for part in self.parts)

    @cached_property
    def window_rows(self) -> int:
        """The most rows to train on that a shard has in a window."""
        part, most = self.parts[0], max(self.trained_rows)
        if all(len(each) == 1 for each in self.parts):
            return most
        return min(part.blocks_per_window * part.kept(part.block_rows), most)

    @property
    def one_window(self) -> bool:
        """Whether one window has all rows."""
        return self.window_rows == max(self.trained_rows)

    def selections(self, held: bool) -> Iterator[tuple[int, int, Selection]]:
        """Yield the rows to train on, or those to validate on, of all shards.

        They are given as the first row of a block, the one behind its last, and which of them are meant.
        """
        if held and self.held is not None:
            first = int(self.held[0])
            yield first, int(self.held[-1]) + 1, self.held - first
            return
        for part in self.parts:
            for block in range(len(part)):
                yield (*part.bounds(block), part.held(block) if held else part.trained(block))

    def windows(self, epochs: range, shuffle: bool, seed: int) -> Iterator[list[tuple[Blocks, int]]]:
        """Yield what a process reads for each window, epoch by epoch: blocks of one shard after the other."""
        number = -(-max(self.trained_rows) // self.window_rows)
        for epoch in epochs:
            of_shards = [
                part.windows(epoch * self.shards.count + shard, shuffle, seed)
                for shard, part in zip(self.shards.own, self.own, strict=True)
            ]
            for window in range(number):
                yield [
                    (part, block)
                    for part, windows in zip(self.own, of_shards, strict=True)
                    for block in (windows[window] if window < len(windows) else ())
                ]


def plan_blocks(
    rows: int, network: Learner, memory_limit: int, clipped: bool, fraction: float, seed: int,
    held_of_all: Callable[[], NDArray[np.int64]], shards: Shards,
) -> BlockPlan:  # fmt: skip
    """Choose blocks and windows by the arguments alone, so that results depend on nothing else.

    The limit is that of a process which has all shards. Where gradients are clipped, the run has to keep one;
    where they are those of several shards, some.
    """
    item, sizes = network.dtype.itemsize, network.layer_sizes
    held = int(fraction * rows) + 1 if fraction else 0
    row_bytes = item * (sizes[0] + sizes[-1] + 2) + 4
    copies = _COPIES + (clipped if shards.count == 1 else shards.count.bit_length())
    fixed = PROCESS_BYTES + item * (copies * network.n_parameters + 4 * _BATCH_ROWS * sum(sizes))
    fixed += held * row_bytes
    at_once = (memory_limit - fixed) // (2 * row_bytes * shards.count)  # of each shard
    if at_once < _LEAST_BLOCK:
        least = fixed + 2 * _LEAST_BLOCK * row_bytes * shards.count
        raise ValueError(
            f"memory_limit must be at least {least} bytes for this network, {shards.count} shards and {held} "
            f"rows of validation, got {memory_limit}"
        )
    if at_once * shards.count >= rows:
        return _one_window(rows, fraction, seed, held_of_all() if fraction and rows > 1 else None, shards)
    blocks = min(max(at_once // _LEAST_BLOCK, 1), _BLOCKS_PER_WINDOW)
    block_rows = at_once // blocks
    most = -(-(rows // shards.count + 1) // block_rows)  # blocks of a shard
    parts = [
        Blocks(shards.begin(rows, s), size, block_rows, blocks, fraction, seed, s * most)
        for s, size in enumerate(shards.sizes(rows))
    ]
    return BlockPlan(tuple(parts), shards)


def _one_window(
    rows: int, fraction: float, seed: int, held: NDArray[np.int64] | None, shards: Shards
) -> BlockPlan:
    """Return a plan by which rows train as in memory: the shards are of the rows that are not held back."""
    if held is None:
        bounds = [(shards.begin(rows, s), shards.begin(rows, s + 1)) for s in range(shards.count)]
        parts = [Blocks(first, last - first, last - first, 1, fraction, seed) for first, last in bounds]
        return BlockPlan(tuple(parts), shards)
    trained = np.delete(np.arange(rows), held)
    shards.check(len(trained))
    parts = []
    for s in range(shards.count):
        own = trained[shards.begin(len(trained), s) : shards.begin(len(trained), s + 1)]
        first, span = int(own[0]), int(own[-1] - own[0]) + 1
        parts.append(Blocks(first, span, span, 1, fraction, seed, chosen=own - first))
    return BlockPlan(tuple(parts), shards, held)
