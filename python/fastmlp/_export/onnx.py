"""A network, or an ensemble of networks, as an ONNX file."""

from __future__ import annotations

import math
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.files import replace_own_file
from fastmlp._export import common
from fastmlp._export.onnx_columns import COLUMNS, ML_DOMAIN
from fastmlp._export.onnx_graph import Graph, activation
from fastmlp.data._target import LOG_OF_MOST

if TYPE_CHECKING:
    from os import PathLike

    from fastmlp._model.model import Model
    from fastmlp._model.predictor import Predictor
    from fastmlp.data import TableEncoder

#: Old ones, of 2020, that have all that is needed.
OPSET, ML_OPSET, IR_VERSION = 13, 2, 7

#: What protobuf can hold, less room for all but the parameters.
_MOST_BYTES = 2**31 - 2**24

#: Who wrote a file, and the property that holds the network's loss.
PRODUCER, LOSS_PROPERTY = "fastmlp", "fastmlp.loss"

#: Name, type and shape of an input or output.
Value = tuple[str, np.dtype[Any], list[Any]]

_OUTPUTS = ("label", "probabilities", "scores", "prediction")


def to_onnx(network: Predictor, path: str | PathLike[str]) -> None:
    """Write a network as an ONNX model that computes in the network's dtype.

    The input is ``X``, (n, inputs). If the network has an encoder, there is one input for each column of
    the table instead, (n, 1), named like the column (``column_3`` if that is empty or an output's name):
    numbers, booleans as 0 and 1 and dates as days since 1970-01-01 in double, whatever the network's dtype,
    so that large ones keep their differences; NaN where missing; texts as strings, "" where missing.

    The outputs are what `predict` and `predict_proba` return: ``label`` (n,) and ``probabilities``
    (n, classes); for hinge, ``label`` and ``scores``, the output activations; for several labels at once,
    ``prediction`` of 0 and 1 and ``probabilities``; else ``prediction``, (n,) or (n, outputs), which is
    double and in the target's own units if the encoder standardised it. Labels are strings, int64, bool or
    double.

    An ensemble is one graph of all its networks and the weighted mean of their outputs, in double if the
    networks have different dtypes. Where they have encoders of their own, each column of the table is one
    input all the same, and ``prediction`` of quantities is double.

    The file needs opset 13 and IR version 7, both of 2020. ONNX Runtime before 1.18 fails to load float64
    networks with relu or tanh.

    Parameters
    ----------
    network : Network or Ensemble
    path : path
        An empty file or an ONNX model that is there already is replaced once the new one is complete.

    Raises
    ------
    ImportError
        If onnx is not installed.
    ValueError
        If path is a directory or a file of another sort, parameters are not finite, the classes are of
        types that ONNX does not have, or the model is larger than ONNX's 2 GiB.
    OSError
        If the file cannot be written.
    """
    onnx = import_onnx()
    parts = common.parts(network)
    common.check_finite(parts.networks)
    size = sum(part.network.n_parameters for part in parts.networks) * parts.dtype.itemsize
    if size > _MOST_BYTES:
        raise ValueError(f"an ONNX file holds at most 2 GiB, the parameters are {size} bytes")
    model = _model(network, parts)
    onnx.checker.check_model(model, full_check=True)
    replace_own_file(path, model.SerializeToString(), "an ONNX model", _is_onnx)


def import_onnx() -> Any:
    """Return the package onnx, which is optional."""
    try:
        import onnx
    except ImportError:
        raise ImportError("ONNX needs onnx: pip install 'fastmlp[onnx]'") from None
    return onnx


def _is_onnx(path: Path) -> bool:
    onnx = import_onnx()
    try:
        model = onnx.load_model(path, load_external_data=False)
    except Exception:  # whatever the parser makes of other files
        return False
    return model.ir_version > 0 and len(model.graph.node) > 0


def _model(network: Predictor, parts: common.Parts) -> Any:
    from onnx import helper, numpy_helper

    columns = {column.name: column for encoder in parts.encoders for column in encoder.columns}
    names = _input_names(list(columns)) if columns else {"X": "X"}
    graph = Graph(parts.dtype, {*names.values(), *_OUTPUTS})
    if columns:
        Xs = [_encoded(graph, encoder, names, columns) for encoder in parts.encoders]
        inputs: list[Value] = [
            (names[name], np.dtype(str if _is_text(column) else np.float64), ["n", 1])
            for name, column in columns.items()
        ]
    else:
        Xs, inputs = ["X"], [("X", parts.dtype, ["n", network._n_inputs])]
    outputs = _results(graph, network, _mean(graph, parts, Xs))
    opsets = [helper.make_opsetid("", OPSET)]
    if any(node.domain for node in graph.nodes):
        opsets.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
    described = helper.make_graph(
        graph.nodes,
        "fastmlp",
        [_value_info(value) for value in inputs],
        [_value_info(value) for value in outputs],
        [numpy_helper.from_array(_encodable(values), name) for name, values in graph.constants.items()],
    )
    model = helper.make_model(
        described,
        producer_name=PRODUCER,
        producer_version=version("fastmlp"),
        ir_version=IR_VERSION,
        opset_imports=opsets,
    )
    helper.set_model_props(model, {LOSS_PROPERTY: network.loss})
    return model


def _is_text(column: Any) -> bool:
    return COLUMNS[type(column)][0]


def _encoded(graph: Graph, encoder: TableEncoder, names: dict[str, str], columns: dict[str, Any]) -> str:
    """Add what makes an encoder's X of the columns of a table, whose inputs have these names."""
    blocks: list[str] = []
    for column in encoder.columns:
        if _is_text(column) != _is_text(columns[column.name]):
            raise ValueError(
                f"column {column.name!r} is text for one encoder and numbers for another: they cannot be "
                "exported together"
            )
        blocks += COLUMNS[type(column)][1](graph, column, names[column.name])
    return graph.add("Concat", *blocks, axis=1)


def _input_names(columns: list[str]) -> dict[str, str]:
    """Return the input that each column is; an empty name, and that of an output, is replaced."""
    return {
        name: _other_name(f"column_{i}", columns) if name in ("", *_OUTPUTS) else name
        for i, name in enumerate(columns)
    }


def _other_name(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _value_info(value: Value) -> Any:
    from onnx import TensorProto, helper

    name, dtype, shape = value
    kind = TensorProto.STRING if dtype.kind == "U" else helper.np_dtype_to_tensor_dtype(dtype)
    return helper.make_tensor_value_info(name, kind, shape)


def _encodable(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(object) if values.dtype.kind == "U" else values


def _mean(graph: Graph, parts: common.Parts, Xs: list[str]) -> str:
    """Add all networks and the weighted mean of their outputs."""
    outputs = [
        _forward(graph, part.network, _inputs(graph, part.network, Xs[part.encoder]))
        for part in parts.networks
    ]
    factors = [part.factor for part in parts.networks]
    if parts.shift is not None:
        terms = [graph.add("Mul", graph.to_double(a), f) for a, f in zip(outputs, factors, strict=True)]
        return graph.add("Add", graph.add("Sum", *terms), parts.shift)
    if len(outputs) == 1:
        return outputs[0]
    if all((factor == factors[0]).all() for factor in factors):
        return graph.add("Mul", graph.add("Sum", *outputs), float(factors[0][0]))
    return graph.add(
        "Sum", *(graph.add("Mul", a, float(f[0])) for a, f in zip(outputs, factors, strict=True))
    )


def _inputs(graph: Graph, network: Model, X: str) -> str:
    """Add what the first layer reads: plain columns, periodic ones and the rows of tables, all scaled."""
    embeddings, periodic = common.embeddings(network), common.periodic(network)
    value = X
    if embeddings or periodic:
        plain = np.array(common.plain_columns(network), dtype=np.int64)
        parts = [graph.add("Gather", X, plain, axis=1)] if len(plain) else []
        for waves in periodic:
            parts += _periodic(graph, waves, X)
        for column, table in embeddings:
            code = graph.cast(graph.add("Gather", X, np.int64(column), axis=1), np.int64)
            parts.append(graph.add("Gather", graph.own(table), code))
        value = graph.add("Concat", *parts, axis=1)
    return value if network.scale is None else graph.add("Mul", value, graph.own(network.scale))


def _periodic(graph: Graph, waves: common.Waves, X: str) -> list[str]:
    """Add a periodic column and its waves; whole turns are taken off, so that large ones keep their digits.

    Then cos(2 pi t) is sin(2 pi (1/4 - |t|)), which is accurate near its zeros, too.
    """
    w, b, V, c = (graph.own(values) for values in waves[1:])
    x = graph.add("Gather", X, np.array([waves.column]), axis=1)
    turns = graph.add("Mul", x, w)
    t = graph.add("Add", graph.add("Sub", turns, graph.add("Round", turns)), b)
    t = graph.add("Abs", graph.add("Sub", t, graph.add("Round", t)))
    cosines = graph.add("Sin", graph.add("Mul", graph.add("Sub", 0.25, t), 2 * math.pi))
    return [x, graph.add("Gemm", cosines, V, c)]


def _forward(graph: Graph, network: Model, value: str) -> str:
    layers = zip(
        network.weights, network.biases, common.layer_activations(network), common.layer_alphas(network),
        strict=True,
    )  # fmt: skip
    for W, b, name, alpha in layers:
        z = graph.add("Gemm", value, graph.own(W), graph.own(b))
        value = activation(graph, name, z)
        if alpha is not None:
            gap = graph.add("Sub", value, z)
            value = graph.add("Add", z, graph.add("Mul", gap, graph.own(alpha)))
    return value


def _results(graph: Graph, network: Predictor, outputs: str) -> list[Value]:
    """Add what `predict` and `predict_proba` make of the outputs; return name, type and shape of each."""
    loss, labels, size = common.loss_entry(network), common.labels(network), network._n_outputs
    if labels is None:
        return _values(graph, network, outputs)
    if loss.one_output_for_two:
        above = graph.add("Greater", outputs, 0.5)
        place = graph.add("Reshape", graph.cast(above, np.int64), np.array([-1]))
        outputs, size = graph.add("Concat", graph.add("Sub", 1.0, outputs), outputs, axis=1), 2
    else:
        place = graph.add("ArgMax", outputs, axis=1, keepdims=0)
    graph.add("Gather", labels, place, name="label")
    name = graph.add("Identity", outputs, name="probabilities" if loss.probabilities else "scores")
    return [("label", labels.dtype, ["n"]), (name, network.dtype, ["n", size])]


def _values(graph: Graph, network: Predictor, outputs: str) -> list[Value]:
    size = network._n_outputs
    if common.loss_entry(network).one_output_for_two:
        above = graph.add("Greater", outputs, 0.5)
        graph.add("Identity", graph.cast(above, np.int64), name="prediction")
        graph.add("Identity", outputs, name="probabilities")
        return [
            ("prediction", np.dtype(np.int64), ["n", size]),
            ("probabilities", network.dtype, ["n", size]),
        ]
    if common.sorts_outputs(network):
        outputs = graph.add("TopK", outputs, np.array([size]), outputs=2, axis=1, largest=0)
    units, dtype = common.units(network), network.dtype
    if units is not None:
        scale, mean = units
        outputs = graph.add("Add", graph.add("Mul", graph.to_double(outputs), scale), mean)
        dtype = np.dtype(np.float64)
    if common.learned_log(network):
        exponent = graph.add("Min", outputs, np.float64(LOG_OF_MOST))  # those of an ensemble are double, too
        outputs = graph.add("Sub", graph.add("Exp", exponent), np.float64(1))
    if size == 1:
        outputs = graph.add("Reshape", outputs, np.array([-1]))
    graph.add("Identity", outputs, name="prediction")
    return [("prediction", dtype, ["n"] if size == 1 else ["n", size])]
