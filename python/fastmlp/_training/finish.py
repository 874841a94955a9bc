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
    record(network, earlier, outcome)
    if outcome.exception is not None:
        raise with_network(outcome.exception, network)
    if outcome.reason == "diverged":
        text = why_diverged(network, restore_best)
        if not restore_best:
            raise with_network(FloatingPointError(text), network)
        _warn(text, RuntimeWarning, network)
    elif limits is not None and (why := why_not_converged(outcome.reason, outcome.minimum, limits)):
        _warn(why, UserWarning, network)
    return network


def record(network: Network, earlier: History, outcome: Outcome) -> None:
    """Give the network its history, which goes on from earlier epochs, and its stop reason."""
    table = later_table(outcome.records, earlier)
    network.history = earlier
    network.history.extend_table(table)
    network.stop_reason = outcome.reason


def why_diverged(network: Network, restore_best: bool) -> str:
    """Return what to say of a run whose loss is no longer finite."""
    text = (
        f"the loss diverged in epoch {epochs_of(network.history) + 1}: it, or a weight, is no longer "
        "finite; try a smaller learning_rate, clip_norm, or inputs on a smaller scale"
    )
    kept = "best weights so far" if len(network.history) else "initial weights"
    return f"{text}; the {kept} were restored" if restore_best else text


def _warn(text: str, kind: type[Warning], network: Network) -> None:
    try:
        say(text, kind)
    except kind as error:  # where warnings are errors
        raise with_network(error, network) from None


def with_network(error: BaseException, network: Network) -> BaseException:
    """Attach what was learned so far, where the exception takes attributes."""
    with suppress(AttributeError, TypeError):
        error.network = network  # type: ignore[attr-defined]
    return error
