"""Estimators with scikit-learn's interface, over the core's trainer.

The package needs scikit-learn. It imports `_training` and what lies below it.
"""

try:
    import scipy  # noqa: F401
    import sklearn  # noqa: F401
except ImportError:
    raise ImportError("the estimators need scikit-learn: pip install 'fastmlp[sklearn]'") from None

from fastmlp._estimators.classifier import MLPClassifier
from fastmlp._estimators.regressor import MLPRegressor
from fastmlp._estimators.search import GridSearchCV, RandomizedSearchCV
from fastmlp._estimators.tabular import TabularClassifier, TabularRegressor

__all__ = [
    "GridSearchCV", "MLPClassifier", "MLPRegressor", "RandomizedSearchCV", "TabularClassifier",
    "TabularRegressor",
]  # fmt: skip
