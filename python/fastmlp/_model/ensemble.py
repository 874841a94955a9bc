"""Several networks as one predictor: which go together, and the mean of their outputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp._base.validation import as_numbers, flag
from fastmlp._model.ensemble_checks import checked_members, shared
from fastmlp._model.model import Model
from fastmlp._model.predictor import Predictor, check_finite
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp._rows.features import Features, core_form
from fastmlp._rows.targets import has_one_output_for_two
from fastmlp.data import TableEncoder
from fastmlp.data._frames import read_frame
from fastmlp.data._match import check_columns
from fastmlp.data._target import from_log, learns_log, target_units

Array = NDArray[Any]

#: (scale, shift) of each output of a network.
Units: TypeAlias = tuple[Array, Array]


@dataclass(frozen=True)
class Blocks:
    """The rows as each group of networks reads them."""

    features: tuple[Features, ...]

    def __len__(self) -> int:
        return len(self.features[0])

    def core_form(self) -> list[Any]:
        """Return them as the core takes them."""
        return [core_form(X) for X in self.features]


class _NoShortWay:
    """Stands for the core's predictor where networks read rows in several forms."""

    def try_forward(self, X: Any) -> None:
        """Leave the rows to the long way."""


class EnsembleModel(Predictor):
    """The mean of several networks; see `Ensemble`."""

    def __init__(self, networks: Sequence[Any], weights: Any = None) -> None:
        self._networks = checked_members(networks)
        self._weights = _checked_weights(weights, len(self._networks))
        first = self._networks[0]
        self._loss, self._loss_numbers = first._loss, first._loss_numbers
        self._dtype = "float32" if all(net._dtype == "float32" for net in self._networks) else "float64"
        self._classes = first.classes
        self._target_names = next((net.target_names for net in self._networks if net.target_names), ())
        self._encoders, self._encoder_places = _different_encoders(self._networks)
        self._own_units = len(self._encoders) > 1 and first.encoder.task == "regression"  # type: ignore[union-attr]
        self.origin: dict[str, Any] = shared([net.origin for net in self._networks]) or {}
        self._prepare()

    def _prepare(self) -> None:
        """Group the networks that count by how they read rows, and make the core's ensemble of them."""
        counting = np.flatnonzero(self._weights).tolist()
        members = [(self._networks[i], float(self._weights[i])) for i in counting]
        keys = [_reading(self._networks[i], self._encoder_places[i]) for i in counting]
        groups = list(dict.fromkeys(keys))
        self._groups = tuple(members[keys.index(key)][0] for key in groups)
        self._reads = dict(zip(counting, map(groups.index, keys), strict=True))  # the group of each network
        own = self._own_units
        dtype = self._dtype = "float64" if own else self._dtype
        make = _core.Ensemble32 if dtype == "float32" else _core.Ensemble64
        self._core = make(
            tuple(net._core for net, _ in members),
            list(self._reads.values()),
            [weight for _, weight in members],
            [_units(net, self._n_outputs) for net, _ in members] if own else None,
        )
        one = len(groups) == 1 and self._groups[0]._dtype == dtype and not own
        self._core_predictor: Any = self._core.predictor() if one else _NoShortWay()

    @property
    def networks(self) -> tuple[Model, ...]:
        """The networks, in order."""
        return self._networks

    @property
    def weights(self) -> NDArray[np.float64]:
        """What each network counts, (networks,); the sum is 1."""
        return self._weights

    @property
    def classes(self) -> Array | None:
        """The labels that the outputs stand for, sorted; None where there is not one label for each row."""
        return self._classes

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of the table that the networks were trained on, () if they are not known."""
        return self._networks[0].feature_names if len(self._encoders) < 2 else ()

    @property
    def target_names(self) -> tuple[str, ...]:
        """The columns of that table that were learned, () if they are not known."""
        return self._target_names

    @property
    def encoder(self) -> TableEncoder | None:
        """The encoder that all networks share; None if there is none, or each has one of its own."""
        return self._encoders[0] if len(self._encoders) == 1 else None

    @property
    def _reader(self) -> TableEncoder | None:
        return self._networks[0].encoder

    @property
    def _n_inputs(self) -> int:
        return self._networks[0].layer_sizes[0]

    @property
    def _n_outputs(self) -> int:
        return self._networks[0].layer_sizes[-1]

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases of all networks."""
        return sum(net.n_parameters for net in self._networks)

    def __repr__(self) -> str:
        shapes = {"-".join(map(str, net.layer_sizes)) for net in self._networks}
        shape = shapes.pop() if len(shapes) == 1 else "different sizes"
        count = f"{len(self._networks)} network{'s' if len(self._networks) > 1 else ''} of {shape}"
        return f"{type(self).__name__}({count}, {self.loss}, {self._dtype})"

    @overload
    def predict(self, X: Any, return_std: Literal[False] = ...) -> Array: ...
    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[Array, Array]: ...
    @overload
    def predict(self, X: Any, return_std: bool) -> Array | tuple[Array, Array]: ...

    def predict(self, X: Any, return_std: bool = False) -> Array | tuple[Array, Array]:
        """Return labels, or values, and how far the networks are apart.

        Parameters
        ----------
        X : array_like, (n, inputs), table, or path
            As in `Network.forward`; a table where each network has an encoder of its own.
        return_std : bool, default False
            Return the standard deviation over the networks too: ``sqrt(sum w_i (p_i - p)^2)``, where p_i is
            what network i predicts and p their mean. It is what the networks disagree by, not the noise of
            the target.

        Returns
        -------
        prediction : array
            As that of `Network.predict`, of the mean of the networks' outputs: the label with the largest
            mean probability, or the mean value, in the units of the target if a table went through an
            encoder. Several quantiles are sorted.
        std : array, only with return_std
            Of values like the prediction, and in its units. Of labels that of the probabilities, (n, classes)
            as `predict_proba` has them, or of hinge's scores; of several labels at once (n, labels).

        Raises
        ------
        TypeError, ValueError
            As `Network.forward`; with `return_std`, for values that were learned as log(1 + y), which come
            back from the mean of the logarithms.
        """
        if not flag("return_std", return_std):
            return super().predict(X)
        X = self._rows(X)
        in_units = self._in_units(X)
        if in_units and self._learns_log:
            raise ValueError(
                "return_std must be False where the target was learned as log(1 + y): its deviation has no "
                "place in the units of y; inverse_target of the mean and of the mean plus a deviation has"
            )
        most = _threads.resolve(None)
        with _threads.at_most(most):
            blocks = self._matrix(X)
        outputs, deviations = self._core.moments(blocks.core_form(), most, True)
        assert deviations is not None
        check_finite(outputs)
        return self._predicted(outputs, in_units), self._deviations(outputs, deviations, in_units)

    def predictor(self) -> Callable[[Array], Array]:
        """Return a callable for one row or a small block, without checks beyond shape and codes.

        It takes a C-contiguous array of the networks' dtype, (inputs,) or (n, inputs), and returns what
        `forward` does, (outputs,) or (n, outputs). It reads the parameters as they are at each call, and
        raises TypeError or ValueError for any other argument.

        Raises
        ------
        TypeError
            If the networks have different dtypes, codes of embeddings or encoders.
        """
        if isinstance(self._core_predictor, _NoShortWay):
            raise TypeError(
                "predictor() needs networks of one dtype that read the same X: these differ in dtype, "
                "encoder or codes of embeddings; use predict"
            )
        made: Callable[[Array], Array] = self._core.predictor()
        return made

    def _deviations(self, outputs: Array, deviations: Array, in_units: bool) -> Array:
        """Return the deviations of what is predicted from those of the outputs."""
        if self.classes is not None:
            both = has_one_output_for_two(self._loss)
            return np.hstack([deviations, deviations]) if both else deviations
        if len(self._loss_numbers) > 1:  # the quantiles were sorted
            deviations = np.take_along_axis(deviations, np.argsort(outputs, axis=1, kind="stable"), axis=1)
        if in_units and not self._own_units:
            deviations = deviations * target_units(self._encoders[0]._target)[0]
        return deviations[:, 0] if deviations.shape[1] == 1 else deviations

    def _outputs(self, X: Blocks, threads: int) -> Array:
        if len(X.features) == 1 and not self._own_units:
            return super()._outputs(X.features[0], threads)
        outputs: Array = self._core.moments(X.core_form(), threads, False)[0]
        return outputs

    def _outputs_of(self, number: int, X: Blocks, threads: int) -> Array:
        """Return the outputs of one of the networks, as they go into the mean."""
        net = self._networks[number]
        outputs = net._outputs(X.features[self._reads[number]], threads)
        if not self._own_units:
            return outputs
        scale, shift = _units(net, self._n_outputs)
        return outputs * scale + shift

    def _to_units(self, values: Array) -> Array:
        if not self._own_units:
            return super()._to_units(values)
        return from_log(values) if self._learns_log else values

    @property
    def _learns_log(self) -> bool:
        """Whether the networks learned log(1 + y), of which outputs in units of their own are the mean."""
        return self._reader is not None and learns_log(self._reader._target)

    def _matrix(self, X: Any) -> Blocks:
        if self._encodes(X):
            return self._encoded(X)
        if len(self._encoders) > 1:
            raise TypeError(
                f"X must be a table with the columns {shortened(', '.join(self._input_names()), 200)}: "
                f"the networks have {len(self._encoders)} encoders; got {type(X).__name__}"
            )
        return Blocks(tuple(net._matrix(X) for net in self._groups))

    def _encoded(self, X: Any) -> Blocks:
        """Return what the encoders make of a table; each is asked once for each dtype."""
        table = read_frame(X)
        known = {
            name
            for encoder in self._encoders
            for name in (*encoder.target_names, *encoder.ignore, *encoder.dropped)
        }
        names = self._input_names()
        check_columns(table.names, names, known, "X" if table.source == "table" else table.source)
        table = table.keep(*names)
        return Blocks(tuple(net._matrix(table.keep(*net.encoder.input_names)) for net in self._groups))  # type: ignore[union-attr]

    def _input_names(self) -> tuple[str, ...]:
        """Return the columns that any encoder reads."""
        return tuple(dict.fromkeys(name for encoder in self._encoders for name in encoder.input_names))

    def __reduce__(self) -> Any:
        return restored, (type(self), self._networks, self._weights, self.origin)


Made = TypeVar("Made", bound=EnsembleModel)


def restored(make: type[Made], networks: Sequence[Model], weights: Any, origin: dict[str, Any]) -> Made:
    """Return an ensemble of networks and weights that another one had."""
    ensemble = make(networks, weights)
    ensemble.origin = origin
    return ensemble


def _checked_weights(weights: Any, count: int) -> NDArray[np.float64]:
    """Return what each network counts, so that the sum is 1."""
    if weights is None:
        checked = np.full(count, 1 / count)
    else:
        checked = np.array(as_numbers("weights", weights, np.float64))
        if checked.shape != (count,):
            raise ValueError(f"weights must be {count} numbers, one a network, got shape {checked.shape}")
        if checked.min() < 0:
            at = int(checked.argmin())
            raise ValueError(f"weights must be at least 0, got {checked[at]:g} at place {at}")
        if checked.max() == 0:
            raise ValueError("weights must be greater than 0 somewhere, got zeros only")
        # Those that sum to 1 already stay as they are, to the last bit.
        with np.errstate(over="ignore"):
            total = checked.sum()
        if abs(total - 1) > count * np.finfo(np.float64).eps:
            checked /= checked.max()
            checked /= checked.sum()
    checked.flags.writeable = False
    return checked


def _different_encoders(
    networks: Sequence[Model],
) -> tuple[tuple[TableEncoder, ...], tuple[int | None, ...]]:
    """Return the encoders, one of each kind, and which of them each network has."""
    places: dict[str, int] = {}
    by_object: dict[int, int] = {}
    encoders: list[TableEncoder] = []
    for encoder in (net.encoder for net in networks):
        if encoder is None or id(encoder) in by_object:
            continue
        text = json.dumps(encoder.to_dict(), sort_keys=True)
        if text not in places:
            places[text] = len(encoders)
            encoders.append(encoder)
        by_object[id(encoder)] = places[text]
    return tuple(encoders), tuple(by_object.get(id(net.encoder)) for net in networks)


def _reading(net: Model, encoder: int | None) -> tuple[Any, ...]:
    """Return what networks have in common that can read the same X."""
    return encoder, net._dtype, tuple(sorted((column, codes) for column, codes, _ in net.embeddings))


def _units(net: Model, outputs: int) -> Units:
    """Return by what the network's outputs come to the units of its encoder's target."""
    scale, shift = target_units(None if net.encoder is None else net.encoder._target)
    return np.broadcast_to(scale, outputs), np.broadcast_to(shift, outputs)
