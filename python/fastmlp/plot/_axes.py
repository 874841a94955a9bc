"""What the pictures share: names of inputs and outputs, legends, levels of colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import LITERAL, shown
from fastmlp._model.model import Model
from fastmlp._model.predictor import Predictor

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_LEGEND_ENTRIES = 20


def check_network(net: Any, ensembles: bool = False) -> None:
    """Refuse what is no network, nor an ensemble where one can be drawn."""
    if not isinstance(net, Predictor if ensembles else Model):
        hint = "; draw one of its networks" if isinstance(net, Predictor) else ""
        raise TypeError(f"net must be a fastmlp.Network, got {net!r}{hint}")


def feature_names(net: Model) -> tuple[str, ...]:
    """Return the names of the columns of X, () if they are not known."""
    if net.feature_names or net.encoder is None:
        return net.feature_names
    return tuple(net.encoder.feature_names)


def input_names(net: Model) -> tuple[str, ...]:
    """Return the names of what the first layer reads, () if they are not known."""
    names = feature_names(net)
    if not names:
        return ()
    wide = (*net.periodic, *net.embeddings)
    made = {column for column, _, _ in wide}
    plain = [name for i, name in enumerate(names) if i not in made]
    parts = [f"{names[column]}[{i}]" for column, _, width in wide for i in range(width)]
    return (*plain, *parts)


def output_names(net: Model) -> tuple[str, ...]:
    """Return the names of the outputs, () if they are not known."""
    if net.classes is None:
        names = () if net.encoder is None else net.encoder.target_names
        return names if len(names) == net.layer_sizes[-1] else ()
    labels = tuple(map(str, net.classes))
    return labels if len(labels) == net.layer_sizes[-1] else (f"p({labels[1]})",)


def legend(ax: Axes, entries: Sequence[tuple[Artist, object]], **options: Any) -> None:
    """Draw a legend whose texts are shown as they are, also those that begin with "_"."""
    handles = [handle for handle, _ in entries[:_LEGEND_ENTRIES]]
    texts = [shown(text) for _, text in entries[:_LEGEND_ENTRIES]]
    if len(entries) > _LEGEND_ENTRIES:
        options["title"] = f"{_LEGEND_ENTRIES} of {len(entries)}"
    box = ax.legend(handles, ["?"] * len(handles), **options)
    for place, text in zip(box.get_texts(), texts, strict=True):
        place.set(text=text, **LITERAL)


def levels(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return about 20 round levels that enclose all finite values."""
    from matplotlib.ticker import MaxNLocator

    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = float(finite.min()), float(finite.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # equal, but for roundings
        margin = abs(low) / 100 or 0.5
        low, high = low - margin, high + margin
    return np.asarray(MaxNLocator(20).tick_values(low, high))
