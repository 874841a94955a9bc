"""A network from an ONNX file: dense layers and activations in a row, read from the output back."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._export.onnx import LOSS_PROPERTY, PRODUCER, import_onnx
from fastmlp._network.layers import Layers, check_loss
from fastmlp._network.onnx_match import Model, attributes, patterns, two_columns

if TYPE_CHECKING:
    from os import PathLike

    from fastmlp._network.network import Network

Array = NDArray[Any]

#: What a node adds to the layers, once those before it are there.
Step = Callable[[Layers], None]

_NO_BIAS = np.zeros(1, np.float32)


def from_onnx(path: str | PathLike[str], *, loss: str = "auto") -> Network:
    """Read a network from an ONNX model of dense layers.

    The graph must be a chain of dense layers (Gemm, or MatMul and Add) with activations of this library, as
    the exporters of PyTorch and scikit-learn write them, and `to_onnx` for a network without encoder. What
    computes labels from the outputs is left out; classes are numbered.

    Parameters
    ----------
    path : path
    loss : str, default "auto"
        "auto": the loss of a network that `to_onnx` wrote; else softmax_cross_entropy, binary_cross_entropy
        or poisson if the outputs are softmax, sigmoid or exp, and squared_error otherwise. Where one of
        those three losses is named and the outputs have no activation, its activation is added.

    Returns
    -------
    Network
        Of the dtype of the weights, float32 or float64.

    Raises
    ------
    ImportError
        If onnx is not installed.
    OSError
        If the file cannot be read.
    TypeError, ValueError
        If the file is damaged, or its graph has a part that a network cannot have; the message names the
        file and the node. If the loss is unknown or does not go with the outputs.
    """
    onnx = import_onnx()
    check_loss(loss)
    with Path(path).open("rb"):  # a missing file, a directory or a lack of rights: the system's own error
        pass
    try:
        model = onnx.load_model(path)
        onnx.checker.check_model(model)
    except Exception as error:  # of protobuf, of the checker, of files of weights beside it
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{os.fspath(path)}: not a valid ONNX model: {reason}") from None
    try:
        _check_operators(model)
        return _network(model, loss)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None
    except RecursionError:
        raise ValueError(f"{os.fspath(path)}: its constants are nested too deeply") from None


def _check_operators(model: Any) -> None:
    """Refuse operators that are not ONNX's own, whatever they are called."""
    if model.functions:
        raise ValueError(f"the model has functions of its own, such as {model.functions[0].name!r}")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx", "ai.onnx.ml"):
            raise ValueError(f"{_where(node)}: its operator is of the unknown domain {node.domain!r}")


def _network(model: Any, loss: str) -> Network:
    ours = model.producer_name == PRODUCER
    if loss == "auto" and ours:
        loss = {entry.key: entry.value for entry in model.metadata_props}.get(LOSS_PROPERTY, loss)
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs)
        raise ValueError(f"the graph must have one input, got {len(inputs)}: {names}")
    reader = _Reader(Model(model.graph), ours)
    layers = Layers()
    for step in reversed(reader.steps(_outputs(model.graph), inputs[0])):
        step(layers)
    return layers.network(loss)


def _outputs(graph: Any) -> str:
    """Return the output that holds the network's: the only one of floats, or the one of that name."""
    from onnx import TensorProto

    floats = [
        value.name
        for value in graph.output
        if not value.type.HasField("tensor_type")
        or value.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE)
    ]
    named = [name for name in floats if name in ("probabilities", "scores")]
    if len(floats) != 1 and len(named) != 1:
        raise ValueError(f"the graph must have one output of floats, got {len(floats)}: {', '.join(floats)}")
    return str((named if len(named) == 1 else floats)[0])


def _where(node: Any) -> str:
    return f"node {node.name or node.output[0]!r} ({node.op_type})"


class _Reader:
    """Goes from the output back to the input, a layer or an activation at a time."""

    def __init__(self, model: Model, ours: bool) -> None:
        self._model = model
        self._ours = ours

    def steps(self, output: str, given: Any) -> list[Step]:
        """Return the steps, last first."""
        steps: list[Step] = []
        value, first = output, ""
        while value != given.name:
            node = self._model.producers.get(value)
            if node is None:
                raise ValueError(f"the output does not depend on the input {given.name!r}, but on {value!r}")
            if value != node.output[0]:
                raise ValueError(f"{_where(node)}: {value!r} is not its first output")
            value, step = self._without_effect(node) or self._dense(node) or self._activation(node)
            first = node.op_type
            steps.append(step)
        shape = given.type.tensor_type.shape.dim if given.type.tensor_type.HasField("shape") else (None, None)
        if len(shape) != 2 and first not in ("Flatten", "Reshape"):
            raise ValueError(f"the input {given.name!r} must have 2 dimensions, got {len(shape)}")
        if len(shape) == 2 and shape[1] is not None and shape[1].dim_value > 0:
            steps.append(partial(Layers.inputs, width=shape[1].dim_value))
        return steps

    def _activation(self, node: Any) -> tuple[str, Step]:
        where = _where(node)
        for name, pattern in patterns():
            x = pattern.find(self._model, node.output[0])
            if x is not None:
                return x, partial(Layers.activation, name=name, where=where)
        given = ", ".join(f"{key}={value!r}" for key, value in attributes(node).items())
        raise ValueError(
            f"{where}{f' with {given}' if given else ''} is neither a dense layer nor the end of an "
            "activation that a network can have"
        )

    def _dense(self, node: Any) -> tuple[str, Step] | None:
        """Read a dense layer: Gemm, MatMul, or Add of a MatMul."""
        found = self._gemm(node) if node.op_type == "Gemm" else self._product(node)
        if found is None:
            return None
        (value, W, b), where = found, _where(node)
        if W.ndim != 2:
            raise ValueError(f"{where}: weights must have 2 dimensions, got shape {W.shape}")
        try:
            b = np.broadcast_to(b, (1, W.shape[1]))[0]
        except ValueError:
            raise ValueError(
                f"{where}: biases of shape {b.shape} do not fit weights of shape {W.shape}"
            ) from None
        return value, partial(Layers.dense, W=W, b=b, where=where)

    def _gemm(self, node: Any) -> tuple[str, Array, Array]:
        options = attributes(node)
        value, *rest = (name for name in node.input if name)
        W = self._model.constant(rest[0])
        b = self._model.constant(rest[1]) if len(rest) > 1 else _NO_BIAS
        if options["transA"] or W is None or b is None:
            raise ValueError(
                f"{_where(node)}: its input must not be transposed, its weights must be constant"
            )
        return value, options["alpha"] * (W.T if options["transB"] else W), options["beta"] * b

    def _product(self, node: Any) -> tuple[str, Array, Array] | None:
        product, b = node, _NO_BIAS
        if node.op_type == "Add":
            for value, other in (node.input, node.input[::-1]):
                bias = self._model.constant(other)
                if bias is not None and value in self._model.producers:
                    product, b = self._model.producers[value], bias
        if product.op_type != "MatMul":
            return None
        W = self._model.constant(product.input[1])
        if W is None:
            raise ValueError(f"{_where(product)}: its second factor must be constant weights")
        return product.input[0], W, b

    def _without_effect(self, node: Any) -> tuple[str, Step] | None:
        """Read a node that leaves rows as they are, or only makes two columns of one probability."""
        from onnx import TensorProto

        options, where, width = attributes(node), _where(node), None
        if node.op_type in ("Reshape", "Squeeze"):
            width = self._width(node, options)
        elif two_columns().find(self._model, node.output[0]):
            return str(two_columns().find(self._model, node.output[0])), _check_width(1, where)
        elif not (
            node.op_type in ("Identity", "Dropout", "ZipMap")
            or (node.op_type == "Flatten" and options["axis"] == 1)
            or (node.op_type == "Cast" and options["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE))
            or (node.op_type == "TopK" and self._ours)  # several quantiles, which predict sorts again
        ):
            return None
        return node.input[0], _check_width(width, where)

    def _width(self, node: Any, options: dict[str, Any]) -> int | None:
        """Return the values that a row must have for a node to change nothing; None if it can have any."""
        given = self._model.constant(node.input[1]) if len(node.input) > 1 else options.get("axes")
        match node.op_type, [] if given is None else np.ravel(given).tolist():
            case ("Squeeze", [1 | -1]) | ("Reshape", [-1]):
                return 1
            case "Reshape", [0, -1]:
                return None
            case "Reshape", [0 | -1, int(width)] if width > 0:
                return width
        raise ValueError(f"{_where(node)}: changes the shape of rows")


def _check_width(width: int | None, where: str) -> Step:
    return lambda layers: None if width is None else layers.width(width, where)
