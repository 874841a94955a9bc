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
    """The blocks of a file's rows, and which of their rows are validated on."""

    rows: int  # of the file
    block_rows: int  # the last block may have fewer
    blocks_per_window: int
    fraction: float  # of the rows that is validated on; 0 for none
    seed: int
    held_of_all: NDArray[np.int64] | None  # the rows to validate on, where one block has all rows

    def __len__(self) -> int:
        return -(-self.rows // self.block_rows)

    @cached_property
    def trained_rows(self) -> int:
        """The rows to train on, of all blocks."""
        full, rest = divmod(self.rows, self.block_rows)
        return full * self._kept(self.block_rows) + self._kept(rest)

    @cached_property
    def window_rows(self) -> int:
        """The most rows to train on in a window."""
        return min(self.blocks_per_window * self._kept(self.block_rows), self.trained_rows)

    def bounds(self, block: int) -> tuple[int, int]:
        """Return the first row of a block, and the one behind its last."""
        first = block * self.block_rows
        return first, min(first + self.block_rows, self.rows)

    def held(self, block: int) -> NDArray[np.int64]:
        """Return which of a block's rows are validated on."""
        first, last = self.bounds(block)
        return self._held_of(last - first, block)

    def trained(self, block: int) -> Selection:
        """Return which of a block's rows are trained on."""
        if not self.fraction:
            return slice(None)
        first, last = self.bounds(block)
        return np.delete(np.arange(last - first), self.held(block))

    def windows(self, epochs: range, shuffle: bool, seed: int) -> Iterator[list[int]]:
        """Yield the blocks of each window, epoch by epoch; a last block with fewer rows stays the last."""
        full, rest = divmod(self.rows, self.block_rows)
        for epoch in epochs:
            order = np.arange(full)
            if shuffle and full > 1:
                order = _core.permutation(seed, _core.BLOCK_STREAM, epoch, full)
            blocks = [*order.tolist(), *([full] if rest else [])]
            for first in range(0, len(blocks), self.blocks_per_window):
                yield blocks[first : first + self.blocks_per_window]

    def _kept(self, rows: int) -> int:
        """Return how many rows of a block of so many are trained on."""
        return rows - len(self._held_of(rows, 0))

    def _held_of(self, rows: int, block: int) -> NDArray[np.int64]:
        if not self.fraction or rows < 2:
            return np.empty(0, np.int64)
        if self.held_of_all is not None and rows == self.rows:
            return self.held_of_all
        return holdout(rows, self.fraction, self.seed, substream=block)[1]


def plan_blocks(
    rows: int, network: Learner, memory_limit: int, clipped: bool, fraction: float, seed: int,
    held_of_all: Callable[[], NDArray[np.int64]],
) -> Blocks:  # fmt: skip
    """Choose blocks and windows by the arguments alone, so that results depend on nothing else.

    Where gradients are clipped, the run has to keep one.
    """
    item, sizes = network.dtype.itemsize, network.layer_sizes
    held = int(fraction * rows) + 1 if fraction else 0
    row_bytes = item * (sizes[0] + sizes[-1] + 2) + 4
    copies = _COPIES + clipped
    fixed = PROCESS_BYTES + item * (copies * network.n_parameters + 4 * _BATCH_ROWS * sum(sizes))
    fixed += held * row_bytes
    at_once = (memory_limit - fixed) // (2 * row_bytes)
    if at_once < _LEAST_BLOCK:
        raise ValueError(
            f"memory_limit must be at least {fixed + 2 * _LEAST_BLOCK * row_bytes} bytes for this "
            f"network and {held} rows of validation, got {memory_limit}"
        )
    if at_once >= rows:  # one block, as in memory
        return Blocks(rows, rows, 1, fraction, seed, held_of_all() if fraction and rows > 1 else None)
    blocks = min(max(at_once // _LEAST_BLOCK, 1), _BLOCKS_PER_WINDOW)
    return Blocks(rows, at_once // blocks, blocks, fraction, seed, None)
