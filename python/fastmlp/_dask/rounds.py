"""Rounds of local steps with an outer update: the loop in the client, over the partitions on the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import plural
from fastmlp._base.validation import integer, real
from fastmlp._dask.futures import Futures, common_isa, connected
from fastmlp._dask.learning import Learning, Size, learn, prepare, size
from fastmlp._dask.measuring import Measured, loss_and_score, measure
from fastmlp._dask.partitions import is_collection, partitions
from fastmlp._dask.parts import Facts, Merged, facts, merged, read
from fastmlp._network.network import Network
from fastmlp._rows.targets import mean_weight
from fastmlp.data._table import quoted

Array = NDArray[Any]

PARTITION, VALIDATION = "partition {}", "validation, partition {}"
_OF_VALIDATION = "validation: "  # before the names of arguments


@dataclass(frozen=True)
class Method:
    """How rounds are made; `train` describes each."""

    rounds: int
    local_epochs: int
    outer_learning_rate: float
    outer_momentum: float
    timeout: float

    @classmethod
    def checked(
        cls, rounds: Any, local_epochs: Any, outer_learning_rate: Any, outer_momentum: Any, timeout: Any
    ) -> Method:
        """Return the method that the arguments stand for."""
        return cls(
            integer("rounds", rounds, low=1),
            integer("local_epochs", local_epochs, low=1),
            real("outer_learning_rate", outer_learning_rate, low=0, open_low=True),
            real("outer_momentum", outer_momentum, low=0, high=1, open_high=True),
            real("timeout", timeout, low=0, open_low=True),
        )

    @property
    def epochs(self) -> int:
        """Passes over the rows in all rounds."""
        return self.rounds * self.local_epochs


@dataclass(frozen=True)
class Round:
    """What a round measured.

    Attributes
    ----------
    number : int
        From 1.
    loss, penalty : float
        Over all rows to learn from, in the first pass of the round; the part of the l2 term in it.
    seconds : float
        Since the first round began.
    validation_loss, validation_score : float or None
        Of the weights after the round.
    """

    number: int
    loss: float
    penalty: float
    learning_rate: float
    seconds: float
    validation_loss: float | None
    validation_score: float | None


class Outer:
    """The outer optimizer: SGD with Nesterov's momentum, in float64.

    With D the mean of (common weights - a partition's weights): ``b = momentum b + D`` and
    ``weights -= rate (D + momentum b)``.
    """

    def __init__(self, size: int, rate: float, momentum: float) -> None:
        self._rate, self._momentum = rate, momentum
        self._velocity = np.zeros(size)

    def step(self, weights: Array, difference: NDArray[np.float64]) -> Array:
        """Return the weights after the mean difference, partitions less common ones."""
        self._velocity *= self._momentum
        self._velocity -= difference
        moved = weights + self._rate * (difference - self._momentum * self._velocity)
        return moved.astype(weights.dtype)


class Rounds:
    """A fit: its partitions on the workers, and the loop. As a context, it cancels what an error leaves.

    Parameters
    ----------
    client : Client or None
    method : Method
    """

    def __init__(self, client: Any, method: Method) -> None:
        self._futures, self._method = Futures(connected(client), method.timeout), method
        self._token = uuid4().hex  # no two fits share keys
        self._parts: list[Any] = []
        self._measured: list[Any] = []  # partitions with rows to validate on
        self._validation: list[Any] = []
        self._sizes: list[Size] = []

    def __enter__(self) -> Rounds:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._futures.cancel()

    def isa(self) -> str:
        """Return the instruction set that all workers have."""
        return common_isa(self._futures.client)

    def read(self, X: Any, y: Any, weights: Any, dtype: str | None, encoder: Any = None) -> Merged:
        """Read the partitions where they are; return what is known of all."""
        self._parts, self._known = self._read(partitions(X, y, weights), PARTITION, dtype, encoder)
        return self._known

    def read_validation(self, given: Sequence[Any], dtype: str, encoder: Any = None) -> None:
        """Read (X, y) or (X, y, weights) to validate on: collections of Dask, or arrays and tables.

        Raises
        ------
        ValueError
            If X has other columns than that to learn from.
        """
        X, y, weights = (*given, None)[:3]
        if any(map(is_collection, (X, y, weights))):
            parts = partitions(X, y, weights, _OF_VALIDATION)
        else:
            parts = [(X, list(y) if isinstance(y, tuple) else y, weights)]
        self._validation, known = self._read(parts, VALIDATION, dtype, encoder)
        columns = self._known.columns
        if known.columns != columns:
            raise ValueError(f"validation: X must have {plural(columns, 'column')}, got {known.columns}")
        names = self._known.names
        if names and known.names and known.names != names:
            raise ValueError(
                f"validation: X must have the columns {quoted(names)} in order, got {quoted(known.names)}"
            )

    def _read(
        self, blocks: list[tuple[Any, Any, Any]], what: str, dtype: str | None, encoder: Any
    ) -> tuple[list[Any], Merged]:
        from dask.delayed import delayed

        kind = what.partition(" ")[0].strip(",")
        names = [what.format(i) for i in range(len(blocks))]
        tasks = [
            delayed(partial(read, name, dtype, encoder), pure=False)(
                *block, dask_key_name=f"fastmlp-read-{kind}-{self._token}-{i}"
            )
            for i, (name, block) in enumerate(zip(names, blocks, strict=True))
        ]
        parts = self._futures.compute(tasks)
        found: list[Facts] = list(self._all(f"facts-{kind}", facts, names, parts, what=what.format))
        return parts, merged(found, what.format, _OF_VALIDATION if what == VALIDATION else "")

    def begin(self, learning: Learning) -> None:
        """Encode the rows for the network; the partitions as they were read are let go.

        Raises
        ------
        ValueError
            If no row weighs more than 0.
        """
        self._learning = self._futures.value(f"fastmlp-learning-{self._token}", learning)
        self._parts = self._prepared("partition", PARTITION, self._parts, held=False)
        self._sizes = list(self._all("size", size, self._parts, what=PARTITION.format))
        self._validation = self._prepared("validation", VALIDATION, self._validation, held=True)
        held: list[Size] = list(self._all("held", size, self._validation, what=VALIDATION.format))
        self._measured = [
            part
            for part, of in zip([*self._parts, *self._validation], [*self._sizes, *held], strict=True)
            if of.held
        ]
        mean_weight(sum(of.weight for of in self._sizes), max(1, self.rows), "the rows")

    def _prepared(self, kind: str, what: str, parts: list[Any], *, held: bool) -> list[Any]:
        places = range(len(parts))
        found = self._futures.map(
            f"fastmlp-prepare-{kind}-{self._token}", prepare, [what.format(i) for i in places], places, parts,
            learning=self._learning, held=held,
        )  # fmt: skip
        self._futures.forget(parts)
        return found

    def _all(
        self,
        name: str,
        function: Callable[..., Any],
        *iterables: Sequence[Any],
        what: Callable[[int], str],
        **common: Any,
    ) -> Any:
        futures = self._futures.map(f"fastmlp-{name}-{self._token}", function, *iterables, **common)
        return self._futures.results(futures, what)

    @property
    def rows(self) -> int:
        """The number of rows to learn from."""
        return sum(of.rows for of in self._sizes)

    @property
    def partitions(self) -> int:
        """The number of partitions that have some."""
        return sum(of.weight > 0 for of in self._sizes)

    @property
    def validates(self) -> bool:
        """Whether there are rows to validate on."""
        return bool(self._measured)

    def run(self, network: Network, watch: Callable[[Round], str | None]) -> str:
        """Make the rounds, in place; return why they ended: "epochs", "diverged", or what watch returns."""
        m, start = self._method, time.perf_counter()
        outer = Outer(network.n_parameters, m.outer_learning_rate, m.outer_momentum)
        common = self._common(network.parameters, 0)
        for round_ in range(m.rounds):
            found = self._round(network.parameters.copy(), common, round_)
            if found is None:
                return "diverged"
            difference, loss, penalty, rate = found
            moved = outer.step(network.parameters, difference)
            if not np.isfinite(moved).all():
                return "diverged"
            network.parameters[:] = moved
            common = self._common(network.parameters, round_ + 1)
            measured = self._measure(common, round_) if self.validates else (None, None)
            seconds = time.perf_counter() - start
            reason = watch(Round(round_ + 1, loss, penalty, rate, seconds, *measured))
            if reason is not None:
                return reason
            if not np.array_equal(network.parameters, moved):  # a callback has changed them
                common = self._common(network.parameters, m.rounds + round_ + 1)
        return "epochs"

    def _common(self, parameters: Array, round_: int) -> Any:
        return self._futures.value(f"fastmlp-weights-{self._token}-{round_}", parameters.copy())

    def _round(
        self, before: Array, common: Any, round_: int
    ) -> tuple[NDArray[np.float64], float, float, float] | None:
        """Return mean difference, loss, penalty in it and learning rate; None where a partition diverged."""
        places = [i for i, of in enumerate(self._sizes) if of.weight > 0]
        total = sum(self._sizes[i].weight for i in places)
        shares = [self._sizes[i].weight / total for i in places]
        results = self._all(
            f"learn-{round_}", learn, places, [self._parts[i] for i in places],
            what=lambda i: PARTITION.format(places[i]), learning=self._learning, parameters=common,
            round_=round_, share=self._share(len(places)),
        )  # fmt: skip
        start, difference = before.astype(np.float64), np.zeros(len(before))
        loss = penalty = rate = 0.0
        for share, learned in zip(
            shares, results, strict=True
        ):  # in order, so that the sum has the same bits
            if learned.diverged:
                return None
            difference += share * (learned.parameters.astype(np.float64) - start)
            loss, penalty = loss + share * learned.loss, penalty + share * learned.penalty
            rate = learned.learning_rate
        return difference, loss, penalty, rate

    def _measure(self, common: Any, round_: int) -> tuple[float, float]:
        results: list[Measured] = list(
            self._all(
                f"measure-{round_}", measure, self._measured, what=VALIDATION.format, learning=self._learning,
                parameters=common, share=self._share(len(self._measured)),
            )
        )  # fmt: skip
        return loss_and_score(results)

    def _share(self, tasks: int) -> int:
        """Return the threads of a task, where so many share those of all workers."""
        return max(1, self._futures.threads() // max(1, tasks))

    def __repr__(self) -> str:
        return f"Rounds({plural(len(self._parts), 'partition')}, {plural(self.rows, 'row')})"
