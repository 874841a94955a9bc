"""Predictions of a fitted estimator for Dask's collections: lazy, partition by partition."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.validation import as_numbers
from fastmlp._dask.measuring import Spread
from fastmlp._dask.partitions import is_collection
from fastmlp._dask.parts import named, without_target
from fastmlp._dask.worker import threads_of_task
from fastmlp._rows.targets import as_targets, sample_weights

Array = NDArray[Any]


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator, and a prediction of a row, which shows shape and type."""

    estimator: Any
    method: str
    sample: Array

    def __call__(self, X: Any) -> Array:
        """Return what the method gives for a block."""
        if not X.shape[0]:
            return self.sample[:0]
        with threads_of_task(1):
            return np.asarray(getattr(copy(self.estimator), self.method)(X))


def lazily(estimator: Any, method: str, X: Any) -> Any:
    """Return the predictions of a collection as one of the same kind, chunks or partitions, and index.

    Raises
    ------
    TypeError, ValueError
        If X is no collection, or has other columns than in the fit.
    """
    from dask.base import tokenize
    from dask.delayed import delayed

    if not is_collection(X) or (not hasattr(X, "columns") and not hasattr(X, "chunks")):
        raise TypeError(
            f"X must be a dask array or data frame, got {type(X).__name__}; to_local() returns an estimator "
            "that takes what is in memory"
        )
    if hasattr(X, "chunks") and X.ndim != 2:
        raise ValueError(f"X must have 2 dimensions (rows, columns), got {X.ndim}")
    fitted = _with_sample(estimator, method, X)
    model = delayed(fitted, traverse=False, name=f"fastmlp-{method}-{tokenize(fitted)}")
    return _of_frame(fitted, model, X) if hasattr(X, "columns") else _of_array(fitted, model, X)


def _with_sample(estimator: Any, method: str, X: Any) -> Fitted:
    row: Any = np.zeros((1, len(X.columns) if hasattr(X, "columns") else int(X.shape[1])))
    if hasattr(X, "columns"):
        import pandas as pd

        row = pd.DataFrame(row, columns=X.columns)  # of columns of any type, which workers look at
    elif hasattr(estimator, "feature_names_in_"):  # scikit-learn would say so on each worker
        say(
            f"X does not have valid feature names, but {type(estimator).__name__} was fitted with feature "
            "names"
        )
        estimator = copy(estimator)
        del estimator.feature_names_in_
    with threads_of_task(1):
        return Fitted(estimator, method, np.asarray(getattr(copy(estimator), method)(row)))


def _of_array(fitted: Fitted, model: Any, X: Any) -> Any:
    import dask.array as da

    if any(blocks > 1 for blocks in X.numblocks[1:]):
        X = X.rechunk({1: -1})
    shape = fitted.sample.shape[1:]
    chunks = (X.chunks[0], *((n,) for n in shape))
    return da.map_blocks(
        _block, X, model, chunks=chunks, drop_axis=() if shape else 1, dtype=fitted.sample.dtype,
        meta=np.empty((0, *shape), fitted.sample.dtype),
    )  # fmt: skip


def _block(X: Any, model: Fitted) -> Array:
    return model(X)


def _of_frame(fitted: Fitted, model: Any, X: Any) -> Any:
    import dask.dataframe as dd
    import pandas as pd
    from dask.delayed import delayed

    sample, columns = fitted.sample, None
    if sample.ndim == 2:
        columns = list(range(sample.shape[1]))
        if fitted.method == "predict_proba" and len(fitted.estimator.classes_) == len(columns):
            columns = list(fitted.estimator.classes_)  # of a single class there are two columns
    index = X._meta.index[:0]
    dtype = pd.Series(sample.ravel()).dtype  # of texts it is that of pandas
    parts = [
        delayed(_partition, pure=True)(part, model, columns=columns, dtype=dtype) for part in X.to_delayed()
    ]
    meta = _table(sample[:0], index, columns, dtype)
    return dd.from_delayed(parts, meta=meta, divisions=X.divisions, verify_meta=False)


def _partition(X: Any, model: Fitted, columns: list[Any] | None, dtype: Any) -> Any:
    return _table(model(X), X.index, columns, dtype)


def _table(values: Array, index: Any, columns: list[Any] | None, dtype: Any) -> Any:
    import pandas as pd

    if columns is None:
        return pd.Series(values, index=index, dtype=dtype)
    return pd.DataFrame(values, index=index, columns=columns, dtype=dtype)


@dataclass(frozen=True)
class Scored:
    """How the predictions of a partition compare with the truth.

    Attributes
    ----------
    weight, right : float
        Of the rows, and of those that are predicted right, where they are labels.
    spread : Spread or None
        Of values.
    """

    weight: float
    right: float
    spread: Spread | None


def scored(what: str, labelled: bool, model: Fitted, X: Any, y: Any, weights: Any) -> Scored | None:
    """Compare the predictions of a partition with the truth; None where there are no rows."""
    if not X.shape[0]:
        return None
    with named(what):
        X, y = without_target(X, y)
        truth = as_targets(y)
        w = np.ones(len(truth)) if weights is None else sample_weights(weights, len(truth), "float64")
        predicted = model(X)
        if truth.shape != predicted.shape:
            raise ValueError(f"y must have shape {predicted.shape}, got {truth.shape}")
        if labelled:
            same = truth == predicted
            same = same if same.ndim == 1 else same.all(axis=1)
            return Scored(float(w.sum()), float(w[same].sum()), None)
        values = as_numbers("y", truth, np.float64).reshape(len(truth), -1)
        spread = Spread.of(values, predicted.reshape(values.shape), w)
        return Scored(spread.weight, 0.0, spread)


def score_of(parts: Iterable[Scored | None]) -> float:
    """Return the accuracy of all partitions, or their R2, the mean over the outputs."""
    there = [part for part in parts if part is not None and part.weight > 0]
    if not there:
        raise ValueError("X must have at least one row whose sample_weight is above 0, got none")
    spreads = [part.spread for part in there if part.spread is not None]
    if spreads:
        return reduce(Spread.with_, spreads).r2()
    return sum(part.right for part in there) / sum(part.weight for part in there)
