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
from fastmlp._rows.blocks import BlockPlan, Blocks, Selection, plan_blocks
from fastmlp._rows.learner import Learner
from fastmlp._rows.memory import (
    HELD_BACK,
    LEFT,
    CoreRows,
    NextWindow,
    fingerprint,
    given_validation,
    held_rows,
    row_count,
    some_rows,
    validation_fraction,
)
from fastmlp._rows.shards import Shards
from fastmlp._rows.stream import Buffers, StreamedRows
from fastmlp._rows.targets import as_targets, mean_weight, weight_sum


@dataclass(frozen=True)
class BlockReader:
    """Reads blocks of rows, and checks them against the network that is to learn from them."""

    source: StreamedRows
    network: Learner
    plan: BlockPlan

    def read(self, first: int, last: int, chosen: Selection, room: Buffers, at: int) -> int:
        """Read some of the rows from first to before last into the room from row `at` on; return how many."""
        source = self.source
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

    def window(self, blocks: list[tuple[Blocks, int]], room: Buffers) -> int:
        """Read the rows to train on of several blocks, and return their number."""
        at = 0
        for part, block in blocks:
            at += self.read(*part.bounds(block), part.trained(block), room, at)
        return at

    def mean_weight(self, which: str, held: bool = False) -> float:
        """Return the mean weight of the rows to train on, or of those to validate on, of all shards.

        An error calls them `which`.
        """
        if not self.source.weighted:
            return 1.0
        total, rows = 0.0, 0
        for first, last, chosen in self.plan.selections(held):
            _, weights = self.source.targets(first, last)
            assert weights is not None
            total += weight_sum(weights[chosen])
            rows += len(weights[chosen])
            self.source.release()
        return mean_weight(total, rows, which)

    def held_out(self) -> CoreRows:
        """Return the rows to validate on, of this process's shards."""
        shards, held = self.plan.shards, self.plan.held
        if held is not None:
            held = held[shards.own_rows(len(held))]
            room = self.source.buffers(len(held))
            if len(held):
                self.read(int(held[0]), int(held[-1]) + 1, held - held[0], room, 0)
            return room.first(len(held))
        room = self.source.buffers(sum(part.rows - part.trained_rows for part in self.plan.own))
        at = 0
        for part in self.plan.own:
            for block in range(len(part)):
                at += self.read(*part.bounds(block), part.held(block), room, at)
        return room.first(at)


@dataclass(frozen=True)
class WindowedRows:
    """The rows of a run, or of a process's shards: in windows to train on, in memory to validate on."""

    reader: BlockReader
    held_out: CoreRows | None
    held_shard_rows: tuple[int, ...]  # how many rows to validate on each shard has
    mean_weight: float  # of the rows to train on
    given: int = 0  # what other given rows to validate on hardly have

    def __len__(self) -> int:
        """Return the number of rows to train on, of all processes."""
        return sum(self.shard_rows)

    @property
    def held_count(self) -> int:
        """The number of rows to validate on, of all processes."""
        return sum(self.held_shard_rows)

    @property
    def shard_rows(self) -> tuple[int, ...]:
        """How many rows to train on each shard has."""
        return self.reader.plan.trained_rows

    def checksum(self) -> int:
        """Return a number that other given rows to validate on hardly have."""
        return self.given

    def sharded(self, shards: Shards, network: Learner) -> WindowedRows:
        """Return the rows of a process's shards, which these are."""
        return self

    @property
    def window_rows(self) -> int | None:
        """The rows of a shard in a window, which decide their order; None where one window holds all."""
        return None if self.reader.plan.one_window else self.reader.plan.window_rows

    def fingerprint(self) -> int:
        """Return a number that other rows hardly have: of the first block, with its targets."""
        blocks = self.reader.plan.parts[0]
        room = self.reader.source.buffers(blocks.block_rows)
        read = self.reader.read(*blocks.bounds(0), blocks.trained(0), room, 0)
        return fingerprint(*room.first(read))

    @contextmanager
    def windows(
        self, batch_size: int, epochs: range, shuffle: bool, seed: int
    ) -> Iterator[tuple[CoreRows, NextWindow]]:
        """Yield room for a window, as the core takes it, and what hands out the windows one by one."""
        plan, source = self.reader.plan, self.reader.source
        most = plan.window_rows * plan.shards.count
        if min(batch_size, len(self)) > most:
            raise ValueError(
                f"batch_size must be at most {most}, the rows of a window with "
                f"memory_limit={source.memory_limit}, got {batch_size}"
            )
        once = plan.one_window
        room = sum(min(plan.window_rows, part.trained_rows) for part in plan.own)
        rooms = [source.buffers(room) for _ in range(1 if once else 2)]
        ahead = _ReadAhead(self.reader, rooms, plan.windows(epochs, shuffle, seed), once)
        try:
            ahead.start()
            yield rooms[0].first(room), ahead
        finally:
            ahead.close()


def divide_stream(
    rows: StreamedRows, network: Learner, validation: Any, seed: int, clipped: bool, shards: Shards
) -> WindowedRows:
    """Divide the rows into blocks and windows, and read those that are to be validated on."""
    given, fraction = None, 0.0
    if validation is None or isinstance(validation, (tuple, list)):
        given = given_validation(network, validation, rows.class_weight)
    else:
        fraction = validation_fraction(validation, len(rows))
    shards.check(len(rows))
    plan = plan_blocks(
        len(rows), network, rows.memory_limit, clipped, fraction, seed,
        lambda: held_rows(network, as_targets(rows.y[:]), fraction, seed), shards,
    )  # fmt: skip
    reader = BlockReader(rows, network, plan)
    if not fraction:
        given_rows = 0 if given is None else row_count(given)
        own = None if given is None else some_rows(given, shards.own_rows(given_rows), network)
        counts = tuple(shards.sizes(given_rows))
        told = 0 if given is None else fingerprint(*given[:4])
        return WindowedRows(reader, own, counts, reader.mean_weight("the rows"), told)
    reader.mean_weight(HELD_BACK.format(fraction), held=True)
    return WindowedRows(reader, reader.held_out(), plan.held_rows, reader.mean_weight(LEFT.format(fraction)))


class _ReadAhead:
    """Hands out windows; a thread fills the next one while the core is busy with the last.

    Where the system starts no thread, each window is read when it is asked for. The thread knows nothing of
    this object, whose end is therefore the thread's end too, wherever an interrupt came.
    """

    def __init__(
        self, reader: BlockReader, rooms: list[Buffers], plan: Iterator[list[tuple[Blocks, int]]], once: bool
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
    reader: BlockReader, plan: Iterator[list[tuple[Blocks, int]]], free: SimpleQueue[Buffers | None],
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
