"""Shards: the fixed consecutive parts of a run's rows, and which of them one of several processes has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shards:
    """The shards of a run, of all its processes, and the process whose own ones are meant.

    Attributes
    ----------
    count : int
        A power of two.
    rank, size : int
        The process, and how many there are, each with as many neighbouring shards.
    """

    count: int = 1
    rank: int = 0
    size: int = 1

    @property
    def own(self) -> range:
        """The numbers of this process's shards."""
        each = self.count // self.size
        return range(each * self.rank, each * (self.rank + 1))

    def begin(self, rows: int, shard: int) -> int:
        """Return where a shard of so many rows begins, and for shard `count` where the last one ends."""
        return rows * shard // self.count

    def sizes(self, rows: int) -> list[int]:
        """Return how many of the rows each shard has: the same number, to within one."""
        return [self.begin(rows, s + 1) - self.begin(rows, s) for s in range(self.count)]

    def own_rows(self, rows: int) -> slice:
        """Return which of the rows this process has."""
        return slice(self.begin(rows, self.own.start), self.begin(rows, self.own.stop))

    def check(self, rows: int) -> None:
        """Refuse more shards than rows to learn from."""
        if rows < self.count:
            raise ValueError(f"shards must be at most the rows to learn from, {rows}, got {self.count}")
