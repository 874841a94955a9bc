"""What there is to choose from: activations, losses, optimizers, schedules and initialisations.

Each choice is written down once, with its formula, defaults, ranges and its form in every part of the
library; training, exports, graphs, checks, estimators, the command line and the documentation read it from
here. May import the checks of arguments and the core.
"""

from fastmlp.spec.activations import ACTIVATIONS, Activation
from fastmlp.spec.initialisations import INITIALISATIONS, Initialisation
from fastmlp.spec.losses import LOSSES, Loss
from fastmlp.spec.optimizers import OPTIMIZERS
from fastmlp.spec.schedules import SCHEDULES

__all__ = [
    "ACTIVATIONS", "INITIALISATIONS", "LOSSES", "OPTIMIZERS", "SCHEDULES",
    "Activation", "Initialisation", "Loss",
]  # fmt: skip
