"""What a fitted estimator can do: outputs, the last hidden layer, saving, pickling."""

from __future__ import annotations

from copy import copy, deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._base.csr import as_csr
from fastmlp._base.validation import (
    as_matrix,
    as_numbers,
    as_table,
    check_collected,
    check_undated,
    check_unmasked,
)
from fastmlp._estimators import parameters
from fastmlp._estimators.constructor import CommonParameters
from fastmlp._estimators.written import WrittenAsOne
from fastmlp._model.history import History
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

Array = NDArray[Any]

HISTORY_COLUMNS = ("epoch", "loss", "learning_rate", "seconds", "validation_score")


def prepared(argument: str, data: Any) -> Any:
    """Return data that scikit-learn and SciPy read as they are meant, without crashing."""
    check_unmasked(argument, data)
    check_collected(argument, data)
    check_undated(argument, data)
    return as_csr(argument, data) if hasattr(data, "tocsr") else as_table(data)


#: Attributes that each network of an ensemble has for itself.
OF_EACH_NETWORK = (
    "coefs_", "intercepts_", "loss_curve_", "history_", "validation_scores_", "best_validation_score_",
    "early_stopped_", "t_",
)  # fmt: skip


def _of_each_network(name: str) -> AttributeError:
    return AttributeError(
        f"there are several networks, each with a {name} of its own: see estimators_[i].{name}; ensemble_ is "
        "all of them"
    )


class FittedMLP(
    CommonParameters, WrittenAsOne, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Weights, and the network that computes with them.

    ``coefs_`` and ``intercepts_`` are views of the network's memory. They may be changed in place, or
    replaced: the network takes them over at its next use.
    """

    coefs_: list[Array]
    intercepts_: list[Array]
    estimators_: list[Any]

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Return the names of the parameters; scikit-learn looks at the signature for each copy it makes."""
        names: list[str] = super()._get_param_names()
        return names

    def _loss_name(self) -> str:
        """Return this library's name of the loss."""
        raise NotImplementedError

    @property
    def network_(self) -> Network:
        """The fitted network, with all that a `Network` has; it shares its memory with ``coefs_``.

        What is changed in the one changes in the other; a new `fit` makes a new network.

        Raises
        ------
        AttributeError
            Before `fit`; or with ``n_estimators`` above 1.
        """
        self._check_fitted()
        if self._is_ensemble():
            raise _of_each_network("network_")
        network = self._linked_network()
        network._classes, network._seed = self._network_classes(), None
        network.feature_names = getattr(self, "feature_names_in_", ())
        network.history = self.history_
        return network

    @property
    def ensemble_(self) -> Ensemble:
        """The fitted networks as an `Ensemble`, with all that it has; it shares their memory.

        Raises
        ------
        AttributeError
            Before `fit`; or with ``n_estimators=1``.
        """
        self._check_fitted()
        if not self._is_ensemble():
            raise AttributeError("ensemble_ needs n_estimators above 1; network_ is the fitted network")
        return Ensemble([member.network_ for member in self.estimators_])

    def transform(self, X: Any) -> Array:
        """Return the activations of the last hidden layer, which are X itself where there is none.

        Of several networks, those of the first, then of the second and so on.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)

        Returns
        -------
        array, (n, n_estimators * hidden_layer_sizes[-1]) or (n, n_estimators * inputs)

        Raises
        ------
        ValueError
            If X is wrong.
        """
        self._check_fitted()
        X = self._rows(X)
        if self._is_ensemble():
            return np.hstack([member._hidden_layer(X) for member in self.estimators_])
        return self._hidden_layer(X)

    def _hidden_layer(self, X: Any) -> Array:
        network = self._linked_network()
        if len(network.layer_sizes) == 2:
            return as_matrix("X", X, network.dtype).copy()
        *below, last = network.activations
        hidden = Network(
            network.layer_sizes[:-1], below, "squared_error", last, dtype=network.dtype,
            init=list(zip(network.weights[:-1], network.biases[:-1], strict=True)),
        )  # fmt: skip
        return hidden._forward_on(parameters.threads(self), X)

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Self:
        """Return an estimator with the parameters and weights of a fitted one of scikit-learn's.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPClassifier or MLPRegressor
            Of the same name as this class.

        Returns
        -------
        estimator
            Predicts the same to rounding. `partial_fit` starts with a fresh optimizer.

        Raises
        ------
        TypeError
            If it is another kind of estimator.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        from fastmlp._estimators.convert import from_sklearn

        return from_sklearn(cls, fitted)

    def to_sklearn(self) -> Any:
        """Return a fitted estimator of scikit-learn's that predicts the same to rounding.

        Parameters that scikit-learn does not have are left out.

        Raises
        ------
        ValueError
            If scikit-learn has no network with this activation or loss.
        """
        from fastmlp._estimators.convert import to_sklearn

        return to_sklearn(self)

    def loss_curve_plot(self, ax: Axes | None = None) -> Axes:
        """Draw ``loss_curve_`` over the epochs, and the validation scores; needs ``fastmlp[plot]``.

        Of several networks, the loss of each.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes
        """
        self._check_fitted()
        if self._is_ensemble():
            first, *others = self.estimators_
            drawn = first.history_.plot("loss", ax)
            for member in others:
                member.history_.plot("loss", drawn)
            return drawn
        ax = self.history_.plot("loss", ax)
        if self.validation_scores_:
            scores = ax.twinx()
            scores.plot(self.history_["epoch"], self.history_["validation_score"], "C1")
            scores.set_ylabel("validation score")
        return ax

    @property
    def _n_features_out(self) -> int:
        members = self.estimators_ if self._is_ensemble() else [self]
        return sum(int(member.coefs_[-1].shape[0]) for member in members)

    def _network_classes(self) -> Array | None:
        """Return the labels that the network's outputs stand for."""
        return None

    def _rows(self, X: Any) -> Any:
        return validate_data(self, prepared("X", X), reset=False, accept_sparse=["csr"])

    def _outputs(self, X: Any) -> Array:
        """Return the output activations, or their mean over several networks, (n, n_outputs_)."""
        self._check_fitted()
        model = self.ensemble_ if self._is_ensemble() else self._linked_network()
        return model._forward_on(parameters.threads(self), self._rows(X))

    def _check_fitted(self) -> None:
        check_is_fitted(self, ["coefs_", "estimators_"], all_or_any=any)

    def _is_ensemble(self) -> bool:
        """Tell whether several networks have been fitted."""
        return "estimators_" in vars(self)

    def _as_one(self) -> Network | Ensemble:
        """Return what predicts: the network, or the ensemble of several."""
        return self.ensemble_ if self._is_ensemble() else self.network_

    def __getattr__(self, name: str) -> Any:
        if name in OF_EACH_NETWORK and "estimators_" in vars(self):
            raise _of_each_network(name)
        return object.__getattribute__(self, name)  # raises what it has raised before

    def _linked_network(self) -> Network:
        """Return the network whose memory coefs_ and intercepts_ are, after making them so if need be."""
        network: Network | None = self.__dict__.get("_network")
        for name in ("coefs_", "intercepts_"):
            if not isinstance(getattr(self, name), (list, tuple)) or len(getattr(self, name)) == 0:
                raise ValueError(f"{name} must be a list of an array a layer, got {getattr(self, name)!r}")
        if network is None or not self._is_linked(network):
            dtype = getattr(self.coefs_[0], "dtype", None)
            network = self._make_network(0.0, "float32" if dtype == np.float32 else "float64")
            self._network = network
            self.coefs_, self.intercepts_ = list(network.weights), list(network.biases)
        return network

    def _is_linked(self, network: Network) -> bool:
        views, mine = (*network.weights, *network.biases), (*self.coefs_, *self.intercepts_)
        return (
            len(mine) == len(views)
            and all(a is b for a, b in zip(mine, views, strict=True))
            and network.activations == parameters.hidden_activations(self, len(self.coefs_) - 1)
            and network.loss == self._loss_name()
        )

    def _make_network(self, l2: float, dtype: str) -> Network:
        """Return a network with the weights as they are now."""
        weights = self._checked_weights(dtype)
        sizes = [len(weights[0][0]), *(len(b) for _, b in weights)]
        activations = parameters.hidden_activations(self, len(sizes) - 2)
        return Network(sizes, activations, self._loss_name(), l2=l2, init=weights, dtype=dtype)

    def _checked_weights(self, dtype: str) -> list[tuple[Array, Array]]:
        """Return W and b of each layer; users may have replaced them."""
        if len(self.coefs_) != len(self.intercepts_):
            raise ValueError(
                "coefs_ and intercepts_ must have an entry for each layer, "
                f"got {len(self.coefs_)} and {len(self.intercepts_)}"
            )
        checked, inputs = [], self.n_features_in_
        for i, pair in enumerate(zip(self.coefs_, self.intercepts_, strict=True)):
            W, b = (
                as_numbers(f"{name}[{i}]", x, dtype)
                for name, x in zip(("coefs_", "intercepts_"), pair, strict=True)
            )
            if W.ndim != 2 or W.shape[0] != inputs or b.shape != W.shape[1:]:
                raise ValueError(
                    f"coefs_[{i}] must have {inputs} rows, and intercepts_[{i}] a number for each of its "
                    f"columns; got shapes {W.shape} and {b.shape}"
                )
            checked.append((W, b))
            inputs = len(b)
        if inputs != self.n_outputs_:
            raise ValueError(f"coefs_[{len(checked) - 1}] must have {self.n_outputs_} columns, got {inputs}")
        return checked

    def _begin_curves(self) -> None:
        """Set the attributes that training adds to."""
        self.t_ = self._no_improvement_count = 0
        self.loss_curve_: list[float] = []
        self.history_ = History(HISTORY_COLUMNS)
        self.best_loss_: float | None = None
        self.best_validation_score_: float | None = None
        self.validation_scores_: list[float] | None = None
        self._watch(self.early_stopping)

    def _watch(self, measures: bool) -> None:
        """Begin a run: set what it watches, loss or score, where no run before it did."""
        self.n_iter_, self.early_stopped_ = 0, False
        if self.early_stopping and not parameters.is_lbfgs(self):
            self.best_loss_ = None
            if self.best_validation_score_ is None:
                self.best_validation_score_ = -np.inf
        else:
            self.best_validation_score_ = None
            if self.best_loss_ is None:
                self.best_loss_ = np.inf
        self.validation_scores_ = (self.validation_scores_ or []) if measures else None

    def __copy__(self) -> Self:
        """Return an estimator that can be trained without changing this one."""
        twin = object.__new__(type(self))
        twin.__dict__ = {name: v for name, v in self.__dict__.items() if name != "_network"}
        for name in ("coefs_", "intercepts_"):
            if name in twin.__dict__:
                twin.__dict__[name] = [np.array(part) for part in twin.__dict__[name]]
        for name in ("loss_curve_", "validation_scores_", "history_", "_optimizer"):
            if twin.__dict__.get(name) is not None:
                twin.__dict__[name] = twin.__dict__[name].copy()
        if "estimators_" in twin.__dict__:
            twin.estimators_ = [copy(member) for member in twin.estimators_]
        if "_random_state" in twin.__dict__ and self._random_state is not self.random_state:
            twin._random_state = deepcopy(self._random_state)
        return twin

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_network"}
