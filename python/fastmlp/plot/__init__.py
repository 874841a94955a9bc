"""Pictures of training and of networks, with matplotlib: ``pip install 'fastmlp[plot]'``.

Each function draws into one Axes, which it returns: its own in a new figure, or the one given as ``ax``.
Labels and names are shown as they are, never as formulas. The package imports `_inspect`, `_model` and what
lies below them.
"""

from fastmlp.plot._boundary import decision_boundary
from fastmlp.plot._confusion import confusion
from fastmlp.plot._history import history
from fastmlp.plot._landscape import loss_landscape
from fastmlp.plot._network import network
from fastmlp.plot._weights import weights

__all__ = ["confusion", "decision_boundary", "history", "loss_landscape", "network", "weights"]
