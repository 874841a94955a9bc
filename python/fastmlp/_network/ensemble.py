"""The public ensemble: several networks that also evaluate, save and export themselves as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastmlp._inspect.selection import select
from fastmlp._model.ensemble import EnsembleModel
from fastmlp._model.ensemble_file import save_ensemble
from fastmlp._network.evaluated import Evaluated
from fastmlp._network.network import Network

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Self


class Ensemble(Evaluated, EnsembleModel):
    """Several networks that predict as one: the weighted mean of their outputs.

    ``p = sum(w_i p_i)``, where p_i are probabilities of labels, scores of hinge, or values.

    All networks are computed in one call of the core, a block of rows through one after the other. The mean
    is taken in double, in the order of the networks; it has the same bits at any number of threads and
    whatever rows are around a row. The parameters are the networks' own: where they change, the predictions
    do.

    Parameters
    ----------
    networks : sequence of Network
        At least one; or estimators that hold one as ``network_``. They must have the same inputs, outputs,
        classes and kind of loss. Widths, depths, activations and dtypes may differ. So may encoders, as those
        that were fitted in the folds of a cross-validation do: then X must be a table, which goes through
        each encoder, and values are combined in the units of the target.
    weights : array_like, (networks,), optional
        What each network counts: at least 0, and more than 0 somewhere. Equal by default. Networks of weight
        0 are kept and not computed.

    Attributes
    ----------
    networks : tuple of Network
    weights : array, (networks,)
        With the sum 1.
    classes : array or None
        The labels that the outputs stand for, sorted.
    feature_names, target_names : tuple of str
        The columns of the table that the networks were trained on, () if they are not known.
    encoder : TableEncoder or None
        The one that all networks share. None where there is none, or more than one.
    origin : dict
        As that of `Network`.

    Raises
    ------
    TypeError, ValueError
        Naming the first network that does not go with networks[0], and why.

    References
    ----------
    L. K. Hansen, P. Salamon, Neural network ensembles, IEEE Transactions on Pattern Analysis and Machine
    Intelligence 12, 1990. B. Lakshminarayanan, A. Pritzel, C. Blundell, Simple and scalable predictive
    uncertainty estimation using deep ensembles, NeurIPS 2017.

    Examples
    --------
    >>> import fastmlp
    >>> iris = fastmlp.datasets.load_iris()
    >>> X, y = iris.data[::2], iris.target[::2]
    >>> networks = [fastmlp.train(X, y, epochs=60, learning_rate=0.02, seed=seed) for seed in range(5)]
    >>> ensemble = fastmlp.Ensemble(networks)
    >>> labels, std = ensemble.predict(iris.data[1::2], return_std=True)
    >>> std.shape
    (75, 3)
    """

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say whose it is, where a network has it."""
            first = self.__dict__.get("_networks", (Network,))[0]
            known = not name.startswith("_") and hasattr(first, name)
            hint = f"; ask one of its networks: .networks[0].{name}" if known else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    @classmethod
    def greedy(
        cls,
        networks: Sequence[Any],
        X: Any,
        y: Any,
        size: int = 32,
        *,
        metric: str = "loss",
        sample_weight: Any = None,
    ) -> Self:
        """Choose networks by their loss together on rows that none of them was trained on.

        Forward selection with replacement: it starts from the network with the lowest loss, and adds in each
        step the one with which the mean of those chosen so far has the lowest loss. A network may be chosen
        again: ``w_i = times chosen / number chosen``. Of the ensembles of 1, 2, .. `size` the one with the
        lowest loss is returned. Of equal losses the lowest index and the smallest ensemble are taken.

        Parameters
        ----------
        networks : sequence of Network
            As of `Ensemble`. Those that are never chosen are left out.
        X, y, sample_weight
            Held-out rows, as in `evaluate`.
        size : int, default 32
            How many are chosen at the most, at least 1.
        metric : str, default "loss"
            "loss": that of networks[0], without l2; probabilities are kept within eps and 1 - eps of their
            type, so that one sure mistake is not infinite. Or "accuracy", "log_loss", "macro_f1" or "auc" of
            labels, "r2", "rmse" or "mae" of values, "pinball_loss" of several quantiles, which takes longer.

        Returns
        -------
        Ensemble

        Raises
        ------
        TypeError, ValueError
            Naming the argument.

        References
        ----------
        R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, Ensemble selection from libraries of models, ICML
        2004.

        Examples
        --------
        >>> import fastmlp
        >>> iris = fastmlp.datasets.load_iris()
        >>> X, y = iris.data[::2], iris.target[::2]
        >>> networks = [fastmlp.train(X, y, hidden=(h,), epochs=60, learning_rate=0.02) for h in (2, 8, 32)]
        >>> ensemble = fastmlp.Ensemble.greedy(networks, iris.data[1::2], iris.target[1::2])
        >>> float(ensemble.weights.sum())
        1.0
        """
        library = cls(networks)
        counts = select(library, X, y, size, metric, sample_weight)
        chosen = [i for i, count in enumerate(counts) if count]
        return cls([library.networks[i] for i in chosen], counts[chosen])

    def save(self, path: str | PathLike[str]) -> None:
        """Write all networks to one safetensors file, whole or not at all; `fastmlp.load` reads it.

        Parameters
        ----------
        path : path
            A model that exists is replaced once the new one is complete; another file never.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If there is another file, or parameters are not finite.
        """
        save_ensemble(self, path)
