"""fastmlp: multilayer perceptrons on the CPU, fast, reproducible and open to inspection.

`train` fits a network and returns a `Network`; everything else serves these two.
"""

from importlib.metadata import version as _version

from fastmlp import data, datasets
from fastmlp._config import show_config
from fastmlp._core import available_isas
from fastmlp._history import History
from fastmlp._network import Network, Trace
from fastmlp._optimizers import LBFGS, SGD, Adagrad, Adam, RMSprop
from fastmlp._schedules import Constant, Cosine, InverseScaling, OneCycle, ReduceOnPlateau, StepDecay
from fastmlp._serialization import load
from fastmlp._threads import get_num_threads, set_num_threads
from fastmlp._train import train

__version__ = _version("fastmlp")

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "Constant",
    "Cosine",
    "History",
    "InverseScaling",
    "Network",
    "OneCycle",
    "RMSprop",
    "ReduceOnPlateau",
    "StepDecay",
    "Trace",
    "available_isas",
    "data",
    "datasets",
    "get_num_threads",
    "load",
    "set_num_threads",
    "show_config",
    "train",
]
