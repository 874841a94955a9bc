"""What a report tells, gathered before any of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastmlp._inspect.baseline import Baseline, baseline
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.importance import Importances, permutation_importances
from fastmlp._inspect.verdict import Verdict, verdict
from fastmlp._report.images import Pixels, find_pixels
from fastmlp.data import Table
from fastmlp.data._leaks import tell_target

if TYPE_CHECKING:
    from fastmlp._network.ensemble import Ensemble
    from fastmlp._network.network import Network
    from fastmlp._search.result import Search


@dataclass(frozen=True)
class Facts:
    """What is known of a network and its data.

    Attributes
    ----------
    title : str
    command : str
        What gives the report, or the run, again.
    config : mapping
        The options of the run, by name; empty if they are not known.
    table : Table
        All data.
    targets : tuple of str
        The columns that the network predicts.
    network : Network or Ensemble
    evaluated_on : str
        What the evaluated rows are called: "test rows".
    evaluation : Evaluation or None
        None where no rows were held out.
    training : Evaluation or None
        Of the rows that the network was trained on; None where they are not known.
    rows : mapping of str to int
        How many rows are for what.
    notes : tuple of str
        What was guessed or left out when the data was read.
    learned : (targets, weights)
        Of the training rows, as far as they are known where `training` is not.
    search : Search or None
        That found the network.
    """

    title: str
    command: str
    config: Mapping[str, Any]
    table: Table
    targets: tuple[str, ...]
    network: Network | Ensemble
    evaluated_on: str
    evaluation: Evaluation | None
    training: Evaluation | None
    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()
    learned: tuple[NDArray[Any] | None, NDArray[Any] | None] = (None, None)
    search: Search | None = None

    @cached_property
    def created(self) -> str:
        """The time in UTC, to the minute."""
        return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns that the network sees."""
        encoder = self.network._reader
        if encoder is not None:
            return encoder.input_names
        return tuple(name for name in self.table.names if name not in self.targets)

    @cached_property
    def baseline(self) -> Baseline | None:
        """What a constant reaches on the evaluated rows."""
        if self.evaluation is None:
            return None
        if self.training is not None:
            return baseline(self.evaluation, self.training.truth, self.training.weights)
        return baseline(self.evaluation, *self.learned)

    @cached_property
    def verdict(self) -> Verdict:
        """What to think of the network."""
        evaluation, training = self.evaluation, self.training
        return verdict(
            None if evaluation is None else evaluation.metrics,
            self.baseline,
            None if training is None else training.metrics,
            self.evaluated_on,
            unseen=training is not None,
            told=self.told,
        )

    @cached_property
    def told(self) -> list[str]:
        """A line on each column that may be the target under another name."""
        if any(name not in self.table for name in self.inputs):
            return []
        return list(tell_target(self.table, self.targets, self.inputs).values())

    @cached_property
    def importances(self) -> Importances | None:
        """How much the network needs each column; None where no rows were held out, and of pixels."""
        if self.evaluation is None or self.pixels is not None:
            return None
        return permutation_importances(self.network, self.evaluation, self.targets)

    @cached_property
    def pixels(self) -> Pixels | None:
        """The pixels that rows consist of, if they are images."""
        return find_pixels(self.table, self.inputs)
