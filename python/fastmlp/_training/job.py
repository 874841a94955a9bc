"""A run in terms that another process understands too: a network, rows and settings, but no callbacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.model import Model, from_metadata, metadata
from fastmlp._native import core as _core
from fastmlp._rows.memory import WholeRows
from fastmlp._training.options import RunSettings, core_options
from fastmlp._training.run import OnEpoch, Run


class Carried:
    """The optimizer's state and the weights that a run has when it pauses, which it goes on from.

    Parameters
    ----------
    arrays : tuple of four arrays, (n_parameters,)
        The optimizer's first and second one, the best weights, and the current ones.
    steps : int
    progress : tuple, optional
        What `RunState.progress` tells; by default that of a run at its beginning.
    """

    def __init__(self, arrays: tuple[NDArray[Any], ...], steps: int = 0, progress: Any = None) -> None:
        of_type = _core.Network32 if arrays[0].dtype == np.float32 else _core.Network64
        s1, s2, best, current = self._arrays = arrays
        self.core = of_type.RunState(s1, s2, steps, best, current)
        if progress is not None:
            self.core.progress = progress

    @classmethod
    def begun(cls, network: Model) -> Carried:
        """Return the state before the first epoch."""
        return cls(tuple(np.zeros(network.n_parameters, network.dtype) for _ in range(4)))

    def __reduce__(self) -> Any:
        return Carried, (self._arrays, self.core.steps, self.core.progress)


@dataclass
class Job:
    """What a run begins with, or goes on from.

    Attributes
    ----------
    network : Model
        Of which another process gets what computes: no history, no encoder, no names.
    rows : WholeRows
    settings : RunSettings
    limits : dict or None
        Those of L-BFGS, by SciPy's names.
    epochs, seconds : int, float
        For how long it has been trained.
    pause : int or None
        The epoch after which it pauses; L-BFGS does not.
    state : Carried or None
        None at the beginning, and where it does not pause.
    """

    network: Model
    rows: WholeRows
    settings: RunSettings
    limits: dict[str, float] | None
    epochs: int
    seconds: float
    pause: int | None
    state: Carried | None = None

    def run(self, threads: int, on_epoch: OnEpoch | None = None) -> Run:
        """Return the run, with at most so many threads."""
        options = core_options(self.settings, len(self.rows), self.epochs)
        options.threads = threads
        options.max_time -= self.seconds
        if self.pause is not None and self.limits is None:
            options.pause = self.pause
            self.state = self.state or Carried.begun(self.network)
        state = None if self.state is None else self.state.core
        return Run(self.network, self.rows, options, self.limits, on_epoch, state=state)

    def cost(self) -> float:
        """Return the seconds that it may take on one thread, roughly."""
        passes = (self.settings.epochs if self.pause is None else self.pause) - self.epochs
        if self.limits is not None:
            passes = int(self.limits["maxiter"])
        of_a_row = 3e-10 * self.network.n_parameters + 2e-8 * math.fsum(self.network.layer_sizes)
        return passes * len(self.rows) * of_a_row

    def __reduce__(self) -> Any:
        network = (metadata(self.network), self.network.parameters)
        told = (self.rows, self.settings, self.limits, self.epochs, self.seconds, self.pause, self.state)
        return _received, (*network, *told)


def _received(described: dict[str, Any], parameters: NDArray[Any], *told: Any) -> Job:
    return Job(from_metadata(Model, described, parameters), *told)
