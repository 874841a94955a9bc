"""fastmlp: multilayer perceptrons on the CPU, fast, reproducible and open to inspection.

`train` fits a network and returns a `Network`; everything else serves these two.
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from fastmlp import data, datasets
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.trace import Trace
from fastmlp._model.history import History
from fastmlp._native.config import show_config
from fastmlp._native.core import available_isas
from fastmlp._native.threads import get_num_threads, set_num_threads
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.files import load
from fastmlp._network.network import Network
from fastmlp._training.cross_validate import cross_validate
from fastmlp._training.cross_validation import CrossValidation
from fastmlp._training.many import train_many
from fastmlp._training.runs import Runs
from fastmlp._training.train import train
from fastmlp.spec.optimizers import LBFGS, SGD, Adagrad, Adam, RateFactors, RMSprop
from fastmlp.spec.schedules import (
    Constant,
    Cosine,
    CosLog,
    FlatCos,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    StepDecay,
)

if _TYPE_CHECKING:
    from fastmlp import dask as dask
    from fastmlp import distributed as distributed
    from fastmlp import export as export
    from fastmlp import graph as graph
    from fastmlp import numdiff as numdiff
    from fastmlp import plot as plot
    from fastmlp._estimators import GridSearchCV as GridSearchCV
    from fastmlp._estimators import MLPClassifier as MLPClassifier
    from fastmlp._estimators import MLPRegressor as MLPRegressor
    from fastmlp._estimators import RandomizedSearchCV as RandomizedSearchCV
    from fastmlp._estimators import TabularClassifier as TabularClassifier
    from fastmlp._estimators import TabularRegressor as TabularRegressor
    from fastmlp._inspect.gradcheck import gradcheck as gradcheck
    from fastmlp._report import report as report
    from fastmlp._search import Search as Search
    from fastmlp._search import search as search
    from fastmlp._studies import compare_inits as compare_inits
    from fastmlp._studies import study_batch_size as study_batch_size
    from fastmlp._studies import study_learning_rate as study_learning_rate
    from fastmlp.export import from_onnx as from_onnx
    from fastmlp.export import from_torch as from_torch

__version__ = _version("fastmlp")

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "Constant",
    "CosLog",
    "Cosine",
    "CrossValidation",
    "Ensemble",
    "Evaluation",
    "FlatCos",
    "History",
    "InverseScaling",
    "Network",
    "OneCycle",
    "RMSprop",
    "RateFactors",
    "ReduceOnPlateau",
    "Runs",
    "Search",
    "StepDecay",
    "Trace",
    "available_isas",
    "compare_inits",
    "cross_validate",
    "data",
    "datasets",
    "distributed",
    "export",
    "from_onnx",
    "from_torch",
    "get_num_threads",
    "gradcheck",
    "graph",
    "load",
    "numdiff",
    "plot",
    "report",
    "search",
    "set_num_threads",
    "show_config",
    "study_batch_size",
    "study_learning_rate",
    "train",
    "train_many",
]


# Imported when they are asked for: they need scikit-learn, or are not needed to train.
_LAZY = {
    "GridSearchCV": "fastmlp._estimators",
    "MLPClassifier": "fastmlp._estimators",
    "MLPRegressor": "fastmlp._estimators",
    "RandomizedSearchCV": "fastmlp._estimators",
    "TabularClassifier": "fastmlp._estimators",
    "TabularRegressor": "fastmlp._estimators",
    "compare_inits": "fastmlp._studies",
    "from_onnx": "fastmlp.export",
    "from_torch": "fastmlp.export",
    "gradcheck": "fastmlp._inspect.gradcheck",
    "report": "fastmlp._report",
    "search": "fastmlp._search",
    "Search": "fastmlp._search",
    "study_batch_size": "fastmlp._studies",
    "study_learning_rate": "fastmlp._studies",
}
_LAZY_MODULES = ("dask", "distributed", "export", "graph", "numdiff", "plot")


def __getattr__(name: str) -> _Any:
    if name in _LAZY:
        return getattr(_import_module(_LAZY[name]), name)
    if name in _LAZY_MODULES:
        return _import_module(f"fastmlp.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_LAZY, *_LAZY_MODULES]
