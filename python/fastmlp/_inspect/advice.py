"""What is wrong with the signals of a network, and what mends it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.records import Records
from fastmlp._model.model import Model
from fastmlp._rows.targets import parse_loss, takes_labels
from fastmlp.spec.activations import ACTIVATIONS
from fastmlp.spec.initialisations import fitting_normal

#: A signal vanishes or explodes if it changes by more than this factor through the hidden layers.
FACTOR = 100
#: So many dead or saturated units of a layer are worth a warning; a trained network has some.
SHARE = 0.7

_SAME_SCALE = 1.25  # weights within this factor of a scheme's standard deviation are no reason to change it


def warnings_about(network: Model, layers: Records) -> list[str]:
    """Return what is wrong, for a table with the columns of `Diagnosis`; the output layer may be as it is."""
    broken = _not_finite(network)
    if broken:  # what else is odd follows from it
        text = (
            f"weights that are not finite: those of {broken} hold nan or inf, as the run diverged; train "
            "again with a smaller learning_rate"
        )
        return [text]
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


def _signals(network: Model, layers: Records, hidden: int) -> Iterator[str]:
    spread = layers["spread"][:hidden]
    backward = np.sqrt(layers["delta_mean"] ** 2 + layers["delta_variance"])[:hidden][::-1]
    for what, columns, step in (
        ("z or a", ("z_variance", "a_variance"), 1),
        ("delta or dW", ("delta_variance", "dW_norm"), -1),  # these go from the last layer to the first
    ):
        broken = np.flatnonzero(~np.isfinite([layers[name] for name in columns]).all(axis=0))[::step]
        if len(broken):
            remedy = _remedy(network, hidden) if hidden else "inputs on a smaller scale may help"
            yield (
                f"exploding signals: numbers of {what} in layer {broken[0]} are too large for "
                f"{network.dtype}; {remedy}"
            )
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


def _remedy(network: Model, hidden: int) -> str:
    """Say which scheme's weights would have another size, or that the size is not the reason."""
    wrong = max(range(hidden), key=lambda layer: _distance(network, layer))
    farthest = _distance(network, wrong)
    scheme, activation = _scheme(network, wrong), network.activations[wrong]
    other = "" if ACTIVATIONS[activation].goes_deep else f", or relu or tanh in place of {activation}"
    if farthest > _SAME_SCALE:
        return (
            f"the weights have standard deviation {_deviation(network.weights[wrong]):.2g} in layer {wrong}, "
            f"init={scheme!r} (for {activation}) gives {_scheme_deviation(network, wrong):.2g}"
            + (other and f"; try it{other}")
        )
    return f"the weights have the size of init={scheme!r} already: try fewer layers{other}"


def _stuck_units(network: Model, layers: Records, hidden: int) -> Iterator[str]:
    for column, why, inputs in (
        ("dead", "almost no slope in every row, so they learn nothing", "inputs of mean 0"),
        ("saturated", "almost no slope, so they learn slowly", "inputs of a smaller scale"),
    ):
        shares = layers[column][:hidden]
        found = [int(layer) for layer in np.flatnonzero(shares >= SHARE)]
        if found:
            worst = max(found, key=lambda layer: float(shares[layer]))
            others = [layer for layer in found if layer != worst]
            more = f" (and at least {SHARE:.0%} of {_named(others)})" if others else ""
            yield (
                f"{column} units: {shares[worst]:.0%} of layer {worst}{more} have {why}; "
                f"try {_unsticking(network, worst, inputs)}"
            )


def _unsticking(network: Model, layer: int, inputs: str) -> str:
    """Say what moves the z of a layer; the scale of X does so in the first one alone."""
    ways = [inputs] if layer == 0 else []
    ways.append("a smaller learning_rate")
    if layer > 0 and not takes_labels(parse_loss(network.loss)[0]):
        ways.append("targets of a smaller scale")
    if _distance(network, layer) > _SAME_SCALE:
        ways.append(f"init={_scheme(network, layer)!r}")
    return " or ".join(ways)


def _not_finite(network: Model) -> str:
    """Name the layers whose parameters are not all finite; "" if there are none."""
    layers = [
        layer
        for layer, (W, b) in enumerate(zip(network.weights, network.biases, strict=True))
        if not (np.isfinite(W).all() and np.isfinite(b).all())
    ]
    named = [_named(layers)] if layers else []
    parts = network._own_views
    others = {
        "the embeddings": parts.tables,
        "the periodic columns": [array for arrays in parts.periodic for array in arrays],
        "the input scale": [] if parts.scale is None else [parts.scale],
        "the alphas": parts.alphas,
    }
    named += [name for name, arrays in others.items() if not all(np.isfinite(a).all() for a in arrays)]
    return " and ".join(named)


def _are_copies(W: NDArray[Any], b: NDArray[Any]) -> bool:
    return len(b) > 1 and bool((np.ptp(W, axis=1) == 0).all() and np.ptp(b) == 0)


def _scheme(network: Model, layer: int) -> str:
    return fitting_normal(network.activations[layer]).name


def _scheme_deviation(network: Model, layer: int) -> float:
    scale = fitting_normal(network.activations[layer]).scale
    assert scale is not None
    return scale(*network.weights[layer].shape)


def _distance(network: Model, layer: int) -> float:
    """Return the factor between the weights' standard deviation and that of the fitting scheme."""
    ratio = _deviation(network.weights[layer]) / _scheme_deviation(network, layer)
    return max(ratio, 1 / ratio) if ratio > 0 else np.inf


def _deviation(W: NDArray[Any]) -> float:
    return float(np.sqrt(np.square(W, dtype=np.float64).mean()))


def _named(layers: Sequence[int]) -> str:
    """Return "layer 3", "layers 1, 2" or "layers 0 to 7"."""
    if len(layers) == 1:
        return f"layer {layers[0]}"
    if len(layers) > 2 and list(layers) == list(range(layers[0], layers[-1] + 1)):
        return f"layers {layers[0]} to {layers[-1]}"
    return "layers " + ", ".join(map(str, layers))
