"""What `train` makes of the outcome of a run: the network with its history, or an error that holds it."""

from __future__ import annotations

from contextlib import suppress

from fastmlp._base.said import say
from fastmlp._model.history import History, epochs_of
from fastmlp._network.network import Network
from fastmlp._training.callbacks import later_table
from fastmlp._training.lbfgs import why_not_converged
from fastmlp._training.run import Outcome


def finished(
    network: Network, earlier: History, outcome: Outcome, restore_best: bool, limits: dict[str, float] | None
) -> Network:
    """Return the network with its history and stop reason; limits are those of L-BFGS.

    Raises
    ------
    BaseException
        What ended the run, or FloatingPointError where the loss diverged and the best weights were not
        wanted; its attribute ``network`` holds the network.
    """
    network.history = earlier.copy()
    network.history.extend_table(later_table(outcome.records, earlier))
    network.stop_reason = outcome.reason
    if outcome.exception is not None:
        raise _with_network(outcome.exception, network)
    if outcome.reason == "diverged":
        text = (
            f"the loss diverged in epoch {epochs_of(network.history) + 1}: it, or a weight, is no longer "
            "finite; try a smaller learning_rate, clip_norm, or inputs on a smaller scale"
        )
        if not restore_best:
            raise _with_network(FloatingPointError(text), network)
        kept = (
            "the best weights so far were restored"
            if len(network.history)
            else "the initial weights were restored"
        )
        _warn(f"{text}; {kept}", RuntimeWarning, network)
    elif limits is not None and (why := why_not_converged(outcome.reason, outcome.minimum, limits)):
        _warn(why, UserWarning, network)
    return network


def _warn(text: str, kind: type[Warning], network: Network) -> None:
    try:
        say(text, kind)
    except kind as error:  # where warnings are errors
        raise _with_network(error, network) from None


def _with_network(error: BaseException, network: Network) -> BaseException:
    """Attach what was learned so far, where the exception takes attributes."""
    with suppress(AttributeError, TypeError):
        error.network = network  # type: ignore[attr-defined]
    return error
