"""The rows of a run that are read in windows, by a thread ahead of the core, in bounded memory."""

from __future__ import annotations

import os
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy as np

from fastmlp._base.validation import not_finite
from fastmlp._native import core as _core
from fastmlp._rows.blocks import Blocks, Selection, plan_blocks
from fastmlp._rows.learner import Learner
from fastmlp._rows.memory import (
    HELD_BACK,
    LEFT,
    CoreRows,
    NextWindow,
    checked_mean_weight,
    fingerprint,
    given_validation,
    held_rows,
    validation_fraction,
)
from fastmlp._rows.stream import Buffers, StreamedRows
from fastmlp._rows.targets import as_targets, mean_weight, weight_sum


@dataclass(frozen=True)
class BlockReader:
    """Reads blocks of rows, and checks them against the network that is to learn from them."""

    source: StreamedRows
    network: Learner
    blocks: Blocks

    def read(self, block: int, chosen: Selection, room: Buffers, at: int) -> int:
        """Read rows of a block into the room from row `at` on, and return how many they are."""
        source, (first, last) = self.source, self.blocks.bounds(block)
        X = source.X[first:last][chosen]
        part = room.X[at : at + len(X)]
        with np.errstate(over="ignore"):
            np.copyto(part, X, casting="same_kind")

        def place(element: int) -> tuple[int, int]:
            row, column = divmod(element, source.width)
            return int(np.arange(first, last)[chosen][row]), column

        bad = _core.first_nonfinite(part)
        if bad >= 0:
            row, column = place(bad)
            raise not_finite("X", X.flat[bad], f"at row {row}, column {column}", source.dtype)
        self.network._check_codes(part, place)
        targets, weights = source.targets(first, last)
        into = (room.labels, room.values, room.weights)
        for buffer, read in zip(into, (targets.labels, targets.values, weights), strict=True):
            if buffer is not None and read is not None:
                buffer[at : at + len(X)] = read[chosen]
        source.release()
        return len(X)

    def window(self, blocks: list[int], room: Buffers) -> int:
        """Read the rows to train on of several blocks, and return their number."""
        at = 0
        for block in blocks:
            at += self.read(block, self.blocks.trained(block), room, at)
        return at

    def mean_weight(self, which: str) -> float:
        """Return the mean weight of the rows to train on, which an error calls `which`."""
        if not self.source.weighted:
            return 1.0
        total = 0.0
        for block in range(len(self.blocks)):
            _, weights = self.source.targets(*self.blocks.bounds(block))
            assert weights is not None
            total += weight_sum(weights[self.blocks.trained(block)])
            self.source.release()
        return mean_weight(total, self.blocks.trained_rows, which)

    def held_out(self) -> CoreRows:
        """Return the rows to validate on, of all blocks."""
        room = self.source.buffers(len(self.source) - self.blocks.trained_rows)
        at = 0
        for block in range(len(self.blocks)):
            at += self.read(block, self.blocks.held(block), room, at)
        return room.first(at)


@dataclass(frozen=True)
class WindowedRows:
    """The rows of a run: in windows to train on, in memory to validate on."""

    reader: BlockReader
    held_out: CoreRows | None
    mean_weight: float  # of the rows to train on

    def __len__(self) -> int:
        """Return the number of rows to train on."""
        return self.reader.blocks.trained_rows

    @property
    def window_rows(self) -> int | None:
        """The rows of a window, which decide the order of the rows; None where one window holds all."""
        rows = self.reader.blocks.window_rows
        return None if rows >= len(self) else rows

    def fingerprint(self) -> int:
        """Return a number that other rows hardly have: of the first block, with its targets."""
        blocks = self.reader.blocks
        room = self.reader.source.buffers(blocks.block_rows)
        return fingerprint(*room.first(self.reader.read(0, blocks.trained(0), room, 0)))

    @contextmanager
    def windows(
        self, batch_size: int, epochs: range, shuffle: bool, seed: int
    ) -> Iterator[tuple[CoreRows, NextWindow]]:
        """Yield room for a window, as the core takes it, and what hands out the windows one by one."""
        blocks, source = self.reader.blocks, self.reader.source
        if min(batch_size, len(self)) > blocks.window_rows:
            raise ValueError(
                f"batch_size must be at most {blocks.window_rows}, the rows of a window with "
                f"memory_limit={source.memory_limit}, got {batch_size}"
            )
        once = self.window_rows is None
        rooms = [source.buffers(blocks.window_rows) for _ in range(1 if once else 2)]
        plan = blocks.windows(epochs, shuffle, seed)
        ahead = _ReadAhead(self.reader, rooms, plan, once)
        try:
            ahead.start()
            yield rooms[0].first(blocks.window_rows), ahead
        finally:
            ahead.close()


def divide_stream(
    rows: StreamedRows, network: Learner, validation: Any, seed: int, clipped: bool
) -> WindowedRows:
    """Divide the rows into blocks and windows, and read those that are to be validated on."""
    given, fraction = None, 0.0
    if validation is None or isinstance(validation, (tuple, list)):
        given = given_validation(network, validation, rows.class_weight)
    else:
        fraction = validation_fraction(validation, len(rows))
    blocks = plan_blocks(
        len(rows), network, rows.memory_limit, clipped, fraction, seed,
        lambda: held_rows(network, as_targets(rows.y[:]), fraction, seed),
    )  # fmt: skip
    reader = BlockReader(rows, network, blocks)
    if not fraction:
        return WindowedRows(reader, given, reader.mean_weight("the rows"))
    held_out = reader.held_out()
    checked_mean_weight(held_out, HELD_BACK.format(fraction))
    return WindowedRows(reader, held_out, reader.mean_weight(LEFT.format(fraction)))


class _ReadAhead:
    """Hands out windows; a thread fills the next one while the core is busy with the last.

    Where the system starts no thread, each window is read when it is asked for. The thread knows nothing of
    this object, whose end is therefore the thread's end too, wherever an interrupt came.
    """

    def __init__(
        self, reader: BlockReader, rooms: list[Buffers], plan: Iterator[list[int]], once: bool
    ) -> None:
        self._free: SimpleQueue[Buffers | None] = SimpleQueue()
        self._reader, self._plan, self._once = reader, plan, once
        self._filled: SimpleQueue[_Filled] = SimpleQueue()
        self._current: tuple[Buffers, int] | None = None
        for room in rooms:
            self._free.put(room)
        self._process, self._working = os.getpid(), allocate_lock()
        self._threads: list[int] = []

    def start(self) -> None:
        """Start the thread."""
        self._working.acquire()
        arguments = (self._reader, self._plan, self._free, self._filled, self._working)
        # One call, in whose midst no signal is handled: the thread runs and is noted, or neither.
        with suppress(RuntimeError):  # the system has no more threads
            self._threads.extend(map(start_new_thread, (_fill,), (arguments,)))

    def __call__(self) -> CoreRows:
        if self._current is None or not self._once:
            if self._current is not None:
                self._free.put(self._current[0])
            filled = self._next()
            if isinstance(filled, BaseException):
                raise filled
            self._current = filled
        room, rows = self._current
        return room.first(rows)

    def _next(self) -> _Filled:
        if not self._threads:
            room = self._free.get()
            assert room is not None
            return room, self._reader.window(next(self._plan), room)
        if os.getpid() != self._process:
            return RuntimeError(
                "the process was forked while a thread read rows, which the child does not have; "
                "begin the run again in the child"
            )
        return self._filled.get()

    def close(self) -> None:
        """End the thread, and wait for its end."""
        self._free.put(None)
        if self._threads and os.getpid() == self._process:
            self._working.acquire()

    def __del__(self) -> None:
        self._free.put(None)


_Filled: TypeAlias = "tuple[Buffers, int] | BaseException"


def _fill(
    reader: BlockReader, plan: Iterator[list[int]], free: SimpleQueue[Buffers | None],
    filled: SimpleQueue[_Filled], working: LockType,
) -> None:  # fmt: skip
    """Fill what is free until there is nothing more to read, or None comes instead."""
    try:
        for blocks in plan:
            room = free.get()
            if room is None:
                return
            filled.put((room, reader.window(blocks, room)))
    except BaseException as error:
        filled.put(error)
    finally:
        working.release()
