"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from fastmlp._base.validation import as_numbers, flag, real
from fastmlp._estimators import parameters
from fastmlp._estimators.base import BaseMLP
from fastmlp._estimators.constructor import RegressorParameters
from fastmlp._estimators.docs import documented
from fastmlp._estimators.given import UsersRows
from fastmlp._inspect.metrics import middle_quantile
from fastmlp._rows.targets import Targets, parse_loss, per_quantile

Array = NDArray[Any]

LOSSES = ("squared_error", "poisson", "absolute_error", "huber", "quantile")


@documented
class MLPRegressor(RegressorMixin, BaseMLP, RegressorParameters):
    """Multilayer perceptron regressor with the interface of scikit-learn's.

    Minimises the loss plus ``alpha / (2 sum(w)) sum(W^2)``, by mini-batch gradient descent in the C++ core or
    by L-BFGS. The result has the same bits at any number of threads.
    """

    @available_if(parameters.is_stochastic)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None
    ) -> MLPRegressor:
        """Go through the rows once more, on from the weights and the optimizer's state.

        With ``early_stopping``, rows to measure on are needed. When their score has not improved for
        ``n_iter_no_change`` calls, ``early_stopped_`` is True and the weights are those of the best score.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Naming the argument, what was given and what is accepted.
        """
        return self._fit(UsersRows(X, y, sample_weight, X_val, y_val), incremental=True)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted values.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)
        return_std : bool, default False
            Return standard deviations as well; needs several ``quantiles``. They are those of a normal
            distribution with the outermost quantiles: ``(q_hi - q_lo) / (z_hi - z_lo)``.

        Returns
        -------
        array, (n,) or (n, n_outputs_), or a pair of arrays (n,)
            With several quantiles, the values at the one nearest to 1/2.

        Raises
        ------
        ValueError
            If return_std is True and there are not several quantiles, or X is wrong.
        """
        self._check_fitted()
        if flag("return_std", return_std) and len(self._quantiles()) < 2:
            raise ValueError("return_std needs loss='quantile' with at least two quantiles")
        if not self._quantiles():
            outputs = self._outputs(X)
            return outputs[:, 0] if outputs.shape[1] == 1 else outputs
        levels, values = np.array(self._quantiles()), self.predict_quantiles(X)
        middle = values[:, middle_quantile(self._quantiles())]
        if not return_std:
            return middle
        from scipy.special import ndtri

        low, high = ndtri(levels[[0, -1]])
        return middle, (values[:, -1] - values[:, 0]) / (high - low)

    def predict_quantiles(self, X: Any) -> Array:
        """Return the predicted quantiles, which never cross.

        A row's outputs are sorted, which never makes their loss larger.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)

        Returns
        -------
        array, (n, len(quantiles))

        Raises
        ------
        ValueError
            If the network was not fitted with ``quantiles``, or X is wrong.

        References
        ----------
        Chernozhukov, Fernandez-Val, Galichon (2010), Quantile and probability curves without crossing.
        """
        if not self._quantiles():
            raise ValueError(
                "predict_quantiles needs loss='quantile' and quantiles, such as (0.05, 0.5, 0.95)"
            )
        return np.sort(self._outputs(X), axis=1)

    def _quantiles(self) -> tuple[float, ...]:
        if self.quantiles is None:
            return ()
        if self.loss != "quantile":
            raise ValueError(f"quantiles need loss='quantile', got loss={self.loss!r}")
        given = self.quantiles
        if not isinstance(given, (list, tuple, np.ndarray)) or len(given) == 0:
            raise TypeError(
                f"quantiles must be a sequence of levels such as (0.05, 0.5, 0.95), got {given!r}"
            )
        inside: dict[str, Any] = {"low": 0, "high": 1, "open_low": True, "open_high": True}
        levels = [real(f"quantiles[{i}]", level, **inside) for i, level in enumerate(given)]
        if sorted(set(levels)) != levels:
            raise ValueError(f"quantiles must increase, got {given!r}")
        if hasattr(self, "coefs_") and len(levels) != self.n_outputs_:
            raise ValueError(f"quantiles must be {self.n_outputs_} levels as in the fit, got {given!r}")
        return tuple(levels)

    _y_numeric = True

    def _core_scores(self) -> bool:
        return not self._quantiles()  # several outputs for one target

    def _checked_targets(self, y: Array, *, complete: bool) -> Array:
        y = as_numbers("y", y, np.float64)
        if self._loss_name() == "poisson" and y.min() < 0:
            raise ValueError(f"y must not be negative for loss='poisson', got {y.min():g}")
        if self._quantiles() and y.ndim != 1:
            raise ValueError(f"y must have shape (n,) for quantiles, got {y.shape}")
        if hasattr(self, "coefs_") and self._count_outputs(y) != self.n_outputs_:
            raise ValueError(f"y must have {self.n_outputs_} columns as before, got shape {y.shape}")
        return y

    def _count_outputs(self, y: Array) -> int:
        return len(self._quantiles()) or (1 if y.ndim == 1 else int(y.shape[1]))

    def _loss_name(self) -> str:
        quantiles = self._quantiles()
        if quantiles:
            return f"quantile({', '.join(map(repr, quantiles))})"
        name, numbers = parse_loss(self.loss, LOSSES)
        if len(numbers) > 1:
            raise ValueError(f"loss must be 'quantile' for several quantiles={numbers}, got {self.loss!r}")
        return f"{name}({numbers[0]!r})" if numbers else name

    def _encode(self, y: Array) -> Targets:
        return Targets(None, per_quantile(y, self._quantiles()).reshape(len(y), -1))

    def _loss_of(self, y: Array, weights: Array | None) -> Callable[[float, float], float]:
        """scikit-learn's squared error is a mean over outputs, its Poisson loss half the deviance."""
        name = self._loss_name()
        if name == "squared_error":
            outputs = self.n_outputs_
            return lambda loss, penalty: (loss - penalty) / outputs + penalty
        if name == "poisson":
            values = y.reshape(len(y), -1)
            terms = values * np.log(np.where(values > 0, values, 1)) - values
            rest = float(np.average(terms.sum(axis=1), weights=weights))
            return lambda loss, penalty: loss + rest
        return super()._loss_of(y, weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self.quantiles is None
        return tags
