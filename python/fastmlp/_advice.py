"""What is wrong with the signals of a network, and the initialisation that mends it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._init import SCHEMES, fitting_scheme

if TYPE_CHECKING:
    from fastmlp._network import Network
    from fastmlp._records import Records

#: A signal vanishes or explodes if it changes by more than this factor through the hidden layers.
FACTOR = 100
#: So many dead or saturated units of a layer are worth a warning; a trained network has some.
SHARE = 0.7

_SAME_SCALE = 1.25  # weights within this factor of a scheme's standard deviation are no reason to change it


def warnings_about(network: Network, layers: Records) -> list[str]:
    """Return what is wrong, for a table with the columns of `Diagnosis`; the output layer may be as it is."""
    hidden = len(layers) - 1
    symmetric = [
        layer for layer in range(hidden) if _are_copies(network.weights[layer], network.biases[layer])
    ]
    if symmetric:  # what else is odd follows from it
        scheme = _scheme(network, symmetric[0])
        text = (
            f"symmetric weights: the units of {_named(symmetric)} are copies of each other and stay so, as "
            f"they get the same gradient; init={scheme!r} draws different weights"
        )
        return [text]
    return [*_signals(network, layers, hidden), *_stuck_units(network, layers, hidden)]


def _signals(network: Network, layers: Records, hidden: int) -> Iterator[str]:
    spread = layers["spread"][:hidden]
    backward = np.sqrt(layers["delta_mean"] ** 2 + layers["delta_variance"])[:hidden][::-1]
    sizes = [layers[name] for name in ("z_variance", "a_variance", "delta_variance", "dW_norm")]
    finite = np.isfinite(sizes).all(axis=0)
    if not finite.all():
        at = int(np.flatnonzero(~finite)[0])
        remedy = _remedy(network, hidden) if hidden else "inputs on a smaller scale may help"
        yield f"exploding signals: numbers of layer {at} are too large for {network.dtype}; {remedy}"
        return
    order = list(range(hidden))
    for what, signal, layer in (("activations", spread, order), ("gradients", backward, order[::-1])):
        if hidden < 2 or signal[0] == 0:
            continue
        change = signal[-1] / signal[0]
        if 1 / FACTOR <= change <= FACTOR:
            continue
        how = "vanishing" if change < 1 else "exploding"
        measure = "the spread over the rows" if what == "activations" else "the root mean square of delta"
        yield (
            f"{how} {what}: {measure} goes from {signal[0]:.2g} in layer {layer[0]} to {signal[-1]:.2g} "
            f"in layer {layer[-1]}; {_remedy(network, hidden)}"
        )


def _remedy(network: Network, hidden: int) -> str:
    """Say which scheme's weights would have another size, or that the size is not the reason."""
    wrong, farthest = 0, 1.0
    for layer in range(hidden):
        ratio = _deviation(network.weights[layer]) / _scheme_deviation(network, layer)
        distance = max(ratio, 1 / ratio) if ratio > 0 else np.inf
        if not distance <= farthest:
            wrong, farthest = layer, distance
    scheme, activation = _scheme(network, wrong), network.activations[wrong]
    if farthest > _SAME_SCALE:
        return (
            f"the weights have standard deviation {_deviation(network.weights[wrong]):.2g} in layer {wrong}, "
            f"init={scheme!r} (for {activation}) gives {_scheme_deviation(network, wrong):.2g}"
        )
    other = "" if activation in ("relu", "tanh") else f", or relu or tanh in place of {activation}"
    return f"the weights have the size of init={scheme!r} already: try fewer layers{other}"


def _stuck_units(network: Network, layers: Records, hidden: int) -> Iterator[str]:
    for column, why, mend in (
        ("dead", "almost no slope in every row, so they learn nothing", "mean 0, a smaller learning_rate"),
        ("saturated", "almost no slope, so they learn slowly", "a smaller scale"),
    ):
        shares = layers[column][:hidden]
        found = [int(layer) for layer in np.flatnonzero(shares >= SHARE)]
        if found:
            worst = max(found, key=lambda layer: float(shares[layer]))
            others = [layer for layer in found if layer != worst]
            more = f" (and at least {SHARE:.0%} of {_named(others)})" if others else ""
            yield (
                f"{column} units: {shares[worst]:.0%} of layer {worst}{more} have {why}; "
                f"try inputs of {mend} and init={_scheme(network, worst)!r}"
            )


def _are_copies(W: NDArray[Any], b: NDArray[Any]) -> bool:
    return len(b) > 1 and bool((np.ptp(W, axis=1) == 0).all() and np.ptp(b) == 0)


def _scheme(network: Network, layer: int) -> str:
    return fitting_scheme(network.activations[layer], "normal")


def _scheme_deviation(network: Network, layer: int) -> float:
    return SCHEMES[_scheme(network, layer)][1](*network.weights[layer].shape)


def _deviation(W: NDArray[Any]) -> float:
    return float(np.sqrt(np.square(W, dtype=np.float64).mean()))


def _named(layers: Sequence[int]) -> str:
    """Return "layer 3", "layers 1, 2" or "layers 0 to 7"."""
    if len(layers) == 1:
        return f"layer {layers[0]}"
    if len(layers) > 2 and list(layers) == list(range(layers[0], layers[-1] + 1)):
        return f"layers {layers[0]} to {layers[-1]}"
    return "layers " + ", ".join(map(str, layers))
