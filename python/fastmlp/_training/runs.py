"""The networks of several fits, with a table of what became of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from fastmlp._base.records import Records
from fastmlp._base.text import shortened
from fastmlp._model.history import epochs_of
from fastmlp._network.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Runs(Sequence["Network | None"]):
    """The networks of `train_many`, in the order of the specs.

    A sequence: ``runs[i]`` is the network of ``specs[i]``, or None where there is none, because too little
    memory was left or the time was over before it began. Of one that diverged it is the network with the best
    weights so far, or without restore_best the last finite ones.

    Attributes
    ----------
    specs : list of dict
        As they were given.
    errors : list of Exception or None
        What kept a network from being trained as it should: FloatingPointError where the loss diverged,
        MemoryError, TimeoutError where max_time was over before it began; None for all others.
    table : Records
        A row for each network: the arguments that the specs hold, the loss and, with validation, its loss and
        score, all of the weights that were kept, epochs, seconds, and why it stopped.
    """

    def __init__(
        self,
        specs: Sequence[dict[str, Any]],
        networks: Sequence[Network | None],
        errors: Sequence[Exception | None],
        kept_rows: Sequence[int | None],
        common: Mapping[str, Any],
    ) -> None:
        self.specs, self._networks, self.errors = list(specs), list(networks), list(errors)
        # What holds where a spec does not say otherwise.
        self._common = {name: value for name, value in common.items() if name not in _NOT_SHOWN}
        self._kept_rows = list(kept_rows)  # of each history, that of the weights that the network has

    @overload
    def __getitem__(self, place: int) -> Network | None: ...
    @overload
    def __getitem__(self, place: slice) -> list[Network | None]: ...
    def __getitem__(self, place: int | slice) -> Network | list[Network | None] | None:
        return self._networks[place]

    def __len__(self) -> int:
        return len(self._networks)

    def __iter__(self) -> Iterator[Network | None]:
        return iter(self._networks)

    def __repr__(self) -> str:
        failed = sum(error is not None for error in self.errors)
        return f"Runs({len(self)} networks{f', {failed} of them with errors' if failed else ''})"

    @property
    def table(self) -> Records:
        """What became of each network."""
        held = list(dict.fromkeys(name for spec in self.specs for name in spec))
        held = [name for name in held if name not in _NOT_SHOWN and self._varies(name)]
        kept = [self._kept(place) for place in range(len(self))]
        measured = [name for name in _MEASURED if any(name in numbers for numbers in kept)]
        rows = []
        for spec, network, numbers, error in zip(self.specs, self._networks, kept, self.errors, strict=True):
            values = [numbers.get(name, math.nan) for name in measured]
            epochs = 0 if network is None else epochs_of(network.history)
            seconds = numbers.get("run_seconds", math.nan)
            reason = type(error).__name__ if network is None else str(network.stop_reason)
            cells = (_shown(self._argument(spec, name)) for name in held)
            rows.append((*cells, *values, epochs, seconds, reason))
        return Records((*held, *measured, "epochs", "seconds", "stop_reason"), rows)

    def _kept(self, place: int) -> dict[str, float]:
        """Return what was measured of the weights that a network has, and the seconds of its run."""
        network, row = self._networks[place], self._kept_rows[place]
        if network is None or row is None:
            return {}
        history = network.history
        numbers = {name: float(history[name][row]) for name in history.columns}
        return numbers | {"run_seconds": float(history["seconds"][-1])}

    def _varies(self, name: str) -> bool:
        values = [self._argument(spec, name) for spec in self.specs]
        return any(value is not values[0] and _cell(value) != _cell(values[0]) for value in values)

    def _argument(self, spec: dict[str, Any], name: str) -> Any:
        return spec.get(name, self._common.get(name))

    def best(self) -> Network:
        """Return the network with the lowest validation loss or, without validation, the lowest loss.

        Where some have validation, the others are left out, and so is the l2 term. Where losses are of
        different kinds, the one with the highest validation score.

        Raises
        ------
        ValueError
            If no network was trained without an error, or there is nothing to compare them by: losses of
            different kinds without validation.
        """
        return self._networks[self.best_place()]  # type: ignore[return-value]

    def best_place(self) -> int:
        """Return the place of `best`."""
        places = [i for i, network in enumerate(self._networks) if network is not None and not self.errors[i]]
        if not places:
            raise ValueError("no network was trained without an error; see errors")
        validated = [i for i in places if "validation_loss" in self._kept(i)]
        places = validated or places
        networks = [network for i in places if (network := self._networks[i]) is not None]
        kept = [self._kept(i) for i in places]
        if len({network.loss for network in networks}) > 1:
            scores = [found.get("validation_accuracy", found.get("validation_r2")) for found in kept]
            if None in scores:
                raise ValueError(
                    "losses of different kinds are compared by the validation score; give validation"
                )
            return places[int(np.argmax(scores))]  # type: ignore[arg-type]
        losses = [found.get("validation_loss", found.get("loss", math.inf)) for found in kept]
        lowest = np.argmin([loss - penalty(net) for loss, net in zip(losses, networks, strict=True)])
        return places[int(lowest)]

    def plot(self, ax: Axes | None = None, backend: str = "matplotlib") -> Any:
        """Draw the validation loss of each network over the epochs, or the loss without validation.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        backend : {"matplotlib", "plotly"}, default "matplotlib"

        Returns
        -------
        Axes or plotly Figure
            The best network's curve stands out.
        """
        from fastmlp.plot._runs import draw_runs

        trained = [(f"specs[{i}]", net.history) for i, net in enumerate(self._networks) if net is not None]
        try:
            best = f"specs[{self.best_place()}]"
        except ValueError:  # nothing to compare
            best = None
        return draw_runs(trained, best, ax, backend)


#: Arguments that a table does not show: they are long, or no setting.
_NOT_SHOWN = ("rows", "validation", "y", "sample_weight", "callbacks")

_WIDEST = 80  # characters of a cell

_MEASURED = ("loss", "validation_loss", "validation_accuracy", "validation_r2")


def penalty(network: Network) -> float:
    """Return the l2 term of the loss of the weights that a network has kept."""
    return network.l2 / 2 * sum(float(np.vdot(W, W)) for W in (*network.weights, *network.tables))


def _cell(value: Any) -> Any:
    """Return an argument as a number or a text of one line."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (str, int, float, bool, type(None))) else " ".join(repr(value).split())


def _shown(value: Any) -> Any:
    cell = _cell(value)
    return shortened(cell, _WIDEST) if isinstance(cell, str) else cell
