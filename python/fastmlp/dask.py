"""Training on Dask's clusters: one network from the partitions of dask arrays and data frames.

`DaskMLPClassifier` and `DaskMLPRegressor` have the interface of scikit-learn, as LightGBM's and XGBoost's
estimators for Dask have; `train` is `fastmlp.train` on partitions. It needs ``fastmlp[dask]``.
"""

try:
    import dask as _dask  # noqa: F401
    import distributed as _distributed  # noqa: F401
except ImportError:
    raise ImportError("fastmlp.dask needs Dask and distributed: pip install 'fastmlp[dask]'") from None

from fastmlp._dask.estimators import DaskMLPClassifier, DaskMLPRegressor
from fastmlp._dask.train import train

__all__ = ["DaskMLPClassifier", "DaskMLPRegressor", "train"]
