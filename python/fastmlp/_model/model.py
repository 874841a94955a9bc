"""A model: its parameters, what it predicts, and its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from numpy.typing import NDArray

from fastmlp._base.validation import (
    as_numbers,
    chosen_seed,
    dtype_name,
    feature_names,
    real,
)
from fastmlp._model.architecture import (
    Array,
    ParameterViews,
    Views,
    check_encoder,
    check_inputs,
    check_memory,
    check_outputs,
    checked_classes,
    checked_feature_names,
    checked_output_activation,
    checked_sizes,
    checked_target_names,
    default_classes,
    hidden_activations,
    parameter_views,
)
from fastmlp._model.history import History
from fastmlp._model.init import assign_layers, initialize, initialize_periodic, initialize_tables
from fastmlp._model.parts import Embedding, Periodic, checked_parts, layer_shapes
from fastmlp._model.predictor import Predictor
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp._rows.features import Features, as_features, core_form
from fastmlp._rows.targets import (
    parse_loss,
)
from fastmlp.data import TableEncoder
from fastmlp.data._match import encoder_inputs, plain_inputs

Made = TypeVar("Made", bound="Model")


class Model(Predictor):
    """What the core trains and runs: parameters, predictions, losses and gradients; see `Network`."""

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activation: str | Sequence[str] = "relu",
        loss: str = "softmax_cross_entropy",
        output_activation: str = "auto",
        l2: float = 0.0,
        init: Any = "auto",
        seed: int | None = 0,
        dtype: Any = "float32",
        embeddings: Sequence[Embedding] = (),
        periodic: Sequence[Periodic] = (),
        input_scale: bool = False,
        parametric: bool = False,
    ) -> None:
        self._dtype = dtype_name(dtype)
        self._layer_sizes = checked_sizes(layer_sizes)
        self._parts = checked_parts(embeddings, periodic, input_scale, parametric, inputs=self.layer_sizes[0])
        check_memory("layer_sizes", self.layer_sizes, self._parts, self.dtype.itemsize)
        self._activations = hidden_activations(activation, len(self.layer_sizes) - 2)
        self._loss, self._loss_numbers = parse_loss(loss)
        check_outputs(self.layer_sizes[-1], loss, self._loss, self._loss_numbers)
        self._output_activation = checked_output_activation(output_activation, self._loss)
        self._l2 = real("l2", l2, low=0)
        self._feature_names: tuple[str, ...] = ()
        self._target_names: tuple[str, ...] = ()
        self._classes: Array | None = default_classes(self._loss, self.layer_sizes[-1])
        self.history = History()
        self.stop_reason: str | None = None
        self.origin: dict[str, Any] = {}
        self._encoder: TableEncoder | None = None
        make = _core.Network32 if self._dtype == "float32" else _core.Network64
        self._core = make(
            self.layer_sizes,
            [*self.activations, self.output_activation],
            self._loss,
            self._loss_numbers * (1 if len(self._loss_numbers) > 1 else self.layer_sizes[-1]),
            self.l2,
            self.embeddings,
            self.periodic,
            self.input_scale,
            self.parametric,
        )
        self._parameters: Array = self._core.parameters
        self._seed: int | None = chosen_seed(seed)
        if self.embeddings:
            initialize_tables(self._core, len(self.embeddings), self._seed)
        if self.periodic:
            initialize_periodic(self._core, len(self.periodic), self._seed)
        if hasattr(init, "layer_sizes") and hasattr(init, "parameters"):
            self._copy_parameters(init)
        elif isinstance(init, str):
            activations = (*self.activations, self.output_activation)
            shapes = layer_shapes(self.layer_sizes, self._parts)
            initialize(self._core, activations, shapes, init, self._seed)
        else:
            assign_layers(list(zip(self.weights, self.biases, strict=True)), init)

    @property
    def parameters(self) -> Array:
        """W0, b0, W1, b1, .. and what else is learned, end to end: a writable view of the core's memory.

        Behind the layers lie E0, E1, .. of embeddings, w, b, V and c of each periodic column, the input scale
        and the alphas of each hidden layer.
        """
        return self._parameters

    @parameters.setter
    def parameters(self, values: Any) -> None:
        self._parameters[...] = values

    @property
    def weights(self) -> Views:
        """W of each layer, (I, O): writable views of the same memory."""
        return self._own_views.weights

    @property
    def biases(self) -> Views:
        """The b of each layer, (O,): writable views of the same memory."""
        return self._own_views.biases

    @property
    def tables(self) -> Views:
        """The E of each embedding, (codes, width): writable views of the same memory."""
        return self._own_views.tables

    @property
    def periodic_parameters(self) -> tuple[Views, ...]:
        """Of each periodic column w (k,), b (k,), V (k, width - 1) and c (width - 1,): writable views."""
        return self._own_views.periodic

    @property
    def scale(self) -> Array | None:
        """What the first layer's inputs are multiplied by, a writable view; None without an input scale."""
        return self._own_views.scale

    @property
    def alphas(self) -> Views:
        """The alpha of each hidden layer, (O,), writable views; none where activations are not parametric."""
        return self._own_views.alphas

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Columns of X, widths of the hidden layers, outputs."""
        return self._layer_sizes

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """Column, number of codes and width of each embedding."""
        return self._parts.embeddings

    @property
    def periodic(self) -> tuple[Periodic, ...]:
        """Column, number of frequencies and width of each periodic column."""
        return self._parts.periodic

    @property
    def input_scale(self) -> bool:
        """Whether the first layer's inputs are multiplied by learned numbers."""
        return self._parts.input_scale

    @property
    def parametric(self) -> bool:
        """Whether hidden layers have ``a = z + alpha (f(z) - z)`` with a learned alpha a neuron."""
        return self._parts.parametric

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        return self._activations

    @property
    def output_activation(self) -> str:
        """The activation of the outputs."""
        return self._output_activation

    @property
    def seed(self) -> int | None:
        """The seed of the initial weights and of the run of `train`, also where None was given.

        None where it is not known: of older files, estimators and other programs' models.
        """
        return self._seed

    @property
    def l2(self) -> float:
        """The penalty of the squared weights."""
        return self._l2

    @property
    def classes(self) -> Array | None:
        """The labels that the outputs stand for, sorted; None where there is not one label for each row."""
        return self._classes

    @classes.setter
    def classes(self, labels: Any) -> None:
        self._classes = checked_classes(labels, self._loss, self.layer_sizes[-1])

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of the table that the network was trained on, () if they are not known."""
        return self._feature_names

    @feature_names.setter
    def feature_names(self, names: Any) -> None:
        self._feature_names = checked_feature_names(names, self.layer_sizes[0])

    @property
    def target_names(self) -> tuple[str, ...]:
        """The columns of that table that were learned, () if they are not known."""
        return self._target_names

    @target_names.setter
    def target_names(self, names: Any) -> None:
        self._target_names = checked_target_names(names, self.layer_sizes[-1])

    @property
    def encoder(self) -> TableEncoder | None:
        """How a table becomes X: then `predict` takes tables too, and the encoder is saved and exported."""
        return self._encoder

    @encoder.setter
    def encoder(self, encoder: TableEncoder | None) -> None:
        if encoder is not None:
            check_encoder(encoder, self)
        self._encoder = encoder

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return len(self.parameters)

    @property
    def _n_inputs(self) -> int:
        return self.layer_sizes[0]

    @property
    def _n_outputs(self) -> int:
        return self.layer_sizes[-1]

    @property
    def activation(self) -> str | tuple[str, ...]:
        """The activation of the hidden layers: one name if they share it."""
        return self.activations[0] if len(set(self.activations)) == 1 else self.activations

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.layer_sizes))
        hidden = ", ".join(dict.fromkeys(self.activations)) or "linear"
        return (
            f"{type(self).__name__}({sizes}, {hidden}, {self.loss}, {self.output_activation}, {self._dtype})"
        )

    def loss_and_gradient(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[float, Array]:
        """Return the loss of all rows and its gradient.

        ``sum(w_i loss_i) / sum(w_i) + l2/2 sum(W^2)``

        Parameters
        ----------
        X : array_like, (n, inputs)
        y : array_like, (n,) or (n, outputs), or str
            Labels or values, as in training; with a table that goes through the encoder, in their units. Or
            the name of a column of X.
        sample_weight : array_like, (n,), optional
            Weights w, at least 0; all 1 by default.

        Returns
        -------
        float, array (n_parameters,)
            The gradient is laid out as `parameters`.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        X, targets, weights = self._checked_rows(X, y, sample_weight)
        threads = _threads.resolve(None)
        batch = self._core.full_batch(core_form(X), targets.labels, targets.values, weights, threads)
        return batch.loss_and_gradient()

    def predictor(self) -> Callable[[Array], Array]:
        """Return a callable for one row or a small block, without checks beyond shape and codes.

        It takes a C-contiguous array of the network's dtype, (inputs,) or (n, inputs), and returns what
        `forward` does, (outputs,) or (n, outputs). It reads the parameters as they are at each call, and
        raises TypeError or ValueError for any other argument.

        Examples
        --------
        >>> predict_row = net.predictor()  # doctest: +SKIP
        >>> predict_row(X[0])  # doctest: +SKIP
        """
        make: Any = _core.Predictor32 if self._dtype == "float32" else _core.Predictor64
        predictor: Callable[[Array], Array] = make(self._core)
        return predictor

    def _copy_parameters(self, init: Any) -> None:
        """Begin with the parameters of another model."""
        if init.layer_sizes != self.layer_sizes:
            raise ValueError(f"init has layer sizes {init.layer_sizes}, but {self.layer_sizes} are needed")
        self._parts.check_same(init)
        source = as_numbers("init", init.parameters, self.dtype)
        _core.copy(source, self.parameters, _threads.for_bytes(source.nbytes))

    @cached_property
    def _own_views(self) -> ParameterViews:
        return self._views(self._parameters)

    def _views(self, flat: Array) -> ParameterViews:
        """Return the arrays in an array that is laid out as the parameters."""
        return parameter_views(flat, self.layer_sizes, self._parts)

    def _matrix(self, X: Any) -> Features:
        if self._encodes(X):
            encoder = self.encoder
            assert encoder is not None
            X = encoder.transform(encoder_inputs(encoder, X), self._dtype)
        elif self.feature_names and feature_names(X):
            X = plain_inputs(X, self.feature_names, self.target_names)
        features = as_features("X", X, self._dtype, self.layer_sizes[0])
        self._check_codes(features)
        return features

    def _check_codes(self, X: Features, place: Callable[[int], tuple[int, int]] | None = None) -> None:
        parts = self._parts
        if parts.embeddings or parts.periodic or parts.input_scale:
            check_inputs(X, parts, self._core.first_unknown_code, place)

    def __reduce__(self) -> Any:
        names = ("stop_reason", "origin", "_classes", "_encoder", "_feature_names", "_target_names")
        state = {name: getattr(self, name) for name in names}
        state["history"] = self.history.copy()
        return from_metadata, (type(self), metadata(self), self.parameters.copy()), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def metadata(model: Model) -> dict[str, Any]:
    """Return what makes an untrained model; what older versions do not know only where it is used."""
    parts = model._parts
    added: dict[str, Any] = {}
    if parts.periodic:
        added["periodic"] = [list(column) for column in parts.periodic]
    if parts.input_scale:
        added["input_scale"] = True
    if parts.parametric:
        added["parametric"] = True
    return added | {
        "layer_sizes": list(model.layer_sizes),
        "activation": list(model.activations),
        "loss": model.loss,
        "output_activation": model.output_activation,
        "l2": model.l2,
        "dtype": model.dtype.name,
        "embeddings": [list(embedding) for embedding in model.embeddings],
        "seed": model.seed,
    }


def from_metadata(make: type[Made], described: dict[str, Any], parameters: NDArray[Any] | None) -> Made:
    """Return the model that `metadata` described, of the class to make; without parameters, one of zeros.

    A subclass may have a constructor of its own, which is not called.
    """
    names: tuple[str, ...] = ("layer_sizes", "activation", "loss", "output_activation", "l2", "dtype")
    optional = ("embeddings", "periodic", "input_scale", "parametric")  # not all files have them
    names += tuple(name for name in optional if name in described)
    model = make.__new__(make)
    Model.__init__(model, **{name: described[name] for name in names}, init="zeros")
    seed = described.get("seed")
    model._seed = None if seed is None else chosen_seed(seed)
    if parameters is not None:
        model.parameters[:] = parameters
    return model
