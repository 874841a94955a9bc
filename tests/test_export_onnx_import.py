"""from_onnx: our files come back, graphs of other exporters are read, all others are refused by name."""

from __future__ import annotations

import math
import os
import random
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import fastmlp
from export_tools import DTYPES, HIDDEN, OUTPUTS, assert_rows_close, network, network_of_homes, rows
from fastmlp.export import from_onnx, to_onnx
from fastmlp.spec import ACTIVATIONS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def graph(
    path: Path, nodes: list[Any], output: str = "y", width: Any = 3, opset: int = 13, **constants: Any
) -> None:
    """Write a graph from "x" to `output`; a node is (operator, inputs, output, attributes)."""
    made = helper.make_graph(
        [
            helper.make_node(op, inputs, [out], name=f"the_{op}_{out}", **options)
            for op, inputs, out, options in nodes
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "m"])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    onnx.save(model, path)


W0, B0 = rows(3, 4) / 4, rows(1, 4)[0]
W1, B1 = rows(4, 2) / 4, rows(1, 2)[0]
FIRST = ("Gemm", ["x", "W0", "B0"], "z", {})
LAST = ("Gemm", ["a", "W1", "B1"], "y", {})
PARAMETERS = {"W0": W0, "B0": B0, "W1": W1, "B1": B1}


def check_runtime_agrees(path: Path, net: fastmlp.Network, rtol: float = 1e-6) -> None:
    X = rows(50, 3)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert_rows_close(net.forward(X), session.run(None, {"x": X})[-1], rtol)


# ------------------------------------------------------------------------------------------- our own exports


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("activation", "loss", "output"),
    [*[(name, "squared_error", "identity") for name in HIDDEN], *[("relu", *pair) for pair in OUTPUTS]],
)
def test_our_own_files_come_back(activation: str, loss: str, output: str, dtype: str, path: Path) -> None:
    net = network((3, 4, 5, 2), activation, loss, output, dtype)
    to_onnx(net, path)
    back = from_onnx(path)
    assert (back.layer_sizes, back.activations) == (net.layer_sizes, net.activations)
    assert (back.loss, back.output_activation, back.dtype) == (net.loss, net.output_activation, net.dtype)
    np.testing.assert_array_equal(back.parameters, net.parameters)


@pytest.mark.parametrize(
    ("sizes", "loss"),
    [
        ((3, 1), "squared_error"),
        ((3, 4, 1), "poisson"),
        ((3, 4, 1), "binary_cross_entropy"),
        ((3, 4, 3), "quantile(0.1, 0.5, 0.9)"),
    ],
)
def test_our_files_of_every_kind_of_result_come_back(sizes: tuple[int, ...], loss: str, path: Path) -> None:
    net = network(sizes, "tanh", loss)
    to_onnx(net, path)
    back = from_onnx(path)
    assert back.loss == net.loss
    np.testing.assert_array_equal(back.predict(rows(9, 3)), net.predict(rows(9, 3)))


def test_float_labels_are_not_taken_for_outputs(path: Path) -> None:
    net = network(loss="softmax_cross_entropy")
    net.classes = np.array([0.5, 1.5, 2.5])
    to_onnx(net, path)
    np.testing.assert_array_equal(from_onnx(path).forward(rows(9, 4)), net.forward(rows(9, 4)))


def test_a_model_of_tables_is_refused(path: Path) -> None:
    to_onnx(network_of_homes("price", "float32"), path)
    with pytest.raises(ValueError, match="the graph must have one input, got 10: 'age', 'rooms', 'city'"):
        from_onnx(path)


# ------------------------------------------------------------------------------------------- other exporters

HALVES = {
    "s": np.float32(math.sqrt(2)),
    "one": np.float32(1),
    "half": np.float32(0.5),
    "twenty": np.float32(20),
}
ELSEWHERE: dict[str, tuple[str, list[Any]]] = {
    "gelu in five nodes": (
        "gelu",
        [
            ("Div", ["z", "s"], "d", {}),
            ("Erf", ["d"], "e", {}),
            ("Add", ["e", "one"], "f", {}),
            ("Mul", ["z", "f"], "g", {}),
            ("Mul", ["g", "half"], "a", {}),
        ],
    ),
    "gelu, halved first": (
        "gelu",
        [
            ("Div", ["z", "s"], "d", {}),
            ("Erf", ["d"], "e", {}),
            ("Add", ["one", "e"], "f", {}),
            ("Mul", ["half", "z"], "g", {}),
            ("Mul", ["f", "g"], "a", {}),
        ],
    ),
    "silu": ("silu", [("Sigmoid", ["z"], "s1", {}), ("Mul", ["z", "s1"], "a", {})]),
    "silu, turned": ("silu", [("Sigmoid", ["z"], "s1", {}), ("Mul", ["s1", "z"], "a", {})]),
    "softplus with a threshold": (
        "softplus",
        [
            ("Softplus", ["z"], "s1", {}),
            ("Greater", ["z", "twenty"], "g", {}),
            ("Where", ["g", "z", "s1"], "a", {}),
        ],
    ),
    "leaky": ("leaky_relu", [("LeakyRelu", ["z"], "a", {"alpha": 0.01})]),
    "leaky by default": ("leaky_relu", [("LeakyRelu", ["z"], "a", {})]),
    "elu by default": ("elu", [("Elu", ["z"], "a", {})]),
    "selu by default": ("selu", [("Selu", ["z"], "a", {})]),
    "mish": (
        "mish",
        [("Softplus", ["z"], "s1", {}), ("Tanh", ["s1"], "t", {}), ("Mul", ["t", "z"], "a", {})],
    ),
    "mish with a threshold": (
        "mish",
        [
            ("Softplus", ["z"], "s1", {}),
            ("Greater", ["z", "twenty"], "g", {}),
            ("Where", ["g", "z", "s1"], "w", {}),
            ("Tanh", ["w"], "t", {}),
            ("Mul", ["z", "t"], "a", {}),
        ],
    ),
    **{op: (op.lower(), [(op, ["z"], "a", {})]) for op in ("Relu", "Tanh", "Sigmoid", "Softplus")},
    "nothing": ("identity", [("Identity", ["z"], "a", {})]),
    "dropout": ("relu", [("Relu", ["z"], "r", {}), ("Dropout", ["r"], "a", {})]),
    "flatten and cast": (
        "tanh",
        [
            ("Flatten", ["z"], "f", {}),
            ("Tanh", ["f"], "t", {}),
            ("Cast", ["t"], "a", {"to": TensorProto.FLOAT}),
        ],
    ),
    "reshape": ("relu", [("Relu", ["z"], "r", {}), ("Reshape", ["r", "same"], "a", {})]),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_activations_of_other_exporters_are_known(name: str, path: Path) -> None:
    activation, nodes = ELSEWHERE[name]
    same = np.array([-1, 4])
    graph(path, [FIRST, *nodes, LAST], **PARAMETERS, **HALVES, same=same)
    net = from_onnx(path)
    assert net.activations == (activation,)
    assert (net.loss, net.output_activation, net.dtype) == ("squared_error", "identity", np.float32)
    check_runtime_agrees(path, net)


def test_mish_as_an_operator(path: Path) -> None:
    graph(path, [FIRST, ("Mish", ["z"], "a", {}), LAST], opset=18, **PARAMETERS)
    assert from_onnx(path).activations == ("mish",)


def test_gelu_as_an_operator(path: Path) -> None:
    graph(path, [FIRST, ("Gelu", ["z"], "a", {}), LAST], opset=20, **PARAMETERS)
    assert from_onnx(path).activations == ("gelu",)
    graph(path, [FIRST, ("Gelu", ["z"], "a", {"approximate": "tanh"}), LAST], opset=20, **PARAMETERS)
    with pytest.raises(ValueError, match=r"node .the_Gelu_a. \(Gelu\) with approximate=b'tanh' is neither"):
        from_onnx(path)


@pytest.mark.parametrize(
    "nodes",
    [
        [("MatMul", ["x", "W0"], "m", {}), ("Add", ["m", "B0"], "y", {})],
        [("MatMul", ["x", "W0"], "m", {}), ("Add", ["row", "m"], "y", {})],
        [("MatMul", ["x", "W0"], "m", {}), ("Add", ["m", "number"], "y", {})],
        [("MatMul", ["x", "W0"], "y", {})],
        [("Gemm", ["x", "W0"], "y", {})],
        [("Gemm", ["x", "W0", ""], "y", {"alpha": 0.5})],
        [("Gemm", ["x", "W0T", "B0"], "y", {"transB": 1})],
        [("Gemm", ["x", "W0", "row"], "y", {"alpha": 0.5, "beta": 2.0})],
        [("Transpose", ["W0T"], "t", {"perm": [1, 0]}), ("Gemm", ["x", "t", "B0"], "y", {})],
        [("Identity", ["W0"], "i", {}), ("MatMul", ["x", "i"], "y", {})],
    ],
    ids=lambda nodes: " ".join(f"{op}({','.join(inputs)})" for op, inputs, _, _ in nodes),
)
def test_every_way_to_write_a_dense_layer(nodes: list[Any], path: Path) -> None:
    constants = {"W0": W0, "W0T": W0.T.copy(), "B0": B0, "row": B0[None], "number": np.float32(2)}
    graph(path, nodes, **constants)
    check_runtime_agrees(path, from_onnx(path))


def test_constants_may_be_nodes(path: Path) -> None:
    value = numpy_helper.from_array(W0)
    graph(path, [("Constant", [], "W0", {"value": value}), ("MatMul", ["x", "W0"], "y", {})])
    check_runtime_agrees(path, from_onnx(path))


@pytest.mark.parametrize(
    ("op", "loss"),
    [("Softmax", "softmax_cross_entropy"), ("Sigmoid", "binary_cross_entropy"), ("Exp", "poisson")],
)
def test_the_output_activation_tells_the_loss(op: str, loss: str, path: Path) -> None:
    graph(path, [FIRST, (op, ["z"], "y", {})], **PARAMETERS)
    net = from_onnx(path)
    assert net.loss == loss
    check_runtime_agrees(path, net)


def test_a_named_loss_adds_its_activation_to_plain_outputs(path: Path) -> None:
    graph(path, [FIRST], output="z", **PARAMETERS)
    assert from_onnx(path, loss="softmax_cross_entropy").output_activation == "softmax"
    assert from_onnx(path, loss="huber(2)").loss == "huber(2.0)"
    with pytest.raises(ValueError, match="loss must be one of"):
        from_onnx(path, loss="mse")
    with pytest.raises(TypeError, match="loss must be one of"):
        from_onnx(path, loss=3)  # type: ignore[arg-type]
    graph(path, [FIRST, ("Softmax", ["z"], "y", {})], **PARAMETERS)
    with pytest.raises(ValueError, match="output_activation for loss 'poisson'"):
        from_onnx(path, loss="poisson")


def test_a_classifier_as_scikit_learns_exporter_writes_it(path: Path) -> None:
    nodes = [
        ("Cast", ["x"], "c", {"to": TensorProto.FLOAT}),
        ("MatMul", ["c", "W0"], "m", {}),
        ("Add", ["m", "B0"], "z", {}),
        ("Relu", ["z"], "a", {}),
        ("MatMul", ["a", "W2"], "n", {}),
        ("Add", ["n", "B2"], "o", {}),
        ("Sigmoid", ["o"], "p", {}),
        ("Sub", ["one", "p"], "q", {}),
        ("Concat", ["q", "p"], "probabilities", {"axis": 1}),
        ("ArgMax", ["probabilities"], "place", {"axis": 1}),
        ("ArrayFeatureExtractor", ["classes", "place"], "label", {"domain": "ai.onnx.ml"}),
    ]
    made = helper.make_graph(
        [helper.make_node(op, inputs, [out], **options) for op, inputs, out, options in nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n", "m"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
        ],
        [
            numpy_helper.from_array(np.asarray(values), name)
            for name, values in {
                "W0": W0, "B0": B0[None], "W2": W1[:, :1], "B2": B1[:1],
                "one": np.float32(1), "classes": np.arange(2),
            }.items()
        ],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 1)]
    onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=7), path)
    net = from_onnx(path)
    assert (net.layer_sizes, net.loss) == ((3, 4, 1), "binary_cross_entropy")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    X = rows(20, 3)
    assert_rows_close(net.predict_proba(X), session.run(["probabilities"], {"x": X})[0], 1e-6)


@pytest.mark.parametrize("opset", [13, 18])
def test_what_pytorch_writes(opset: int, path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, whose exporter this reads, is not installed")
    nn = torch.nn
    torch.manual_seed(0)
    names = tuple(name for name in HIDDEN if ACTIVATIONS[name].torch)
    activations = [getattr(nn, ACTIVATIONS[name].torch[0])() for name in names]
    hidden = [part for activation in activations for part in (nn.Linear(3, 3), nn.Dropout(0.5), activation)]
    module = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(3, 2, bias=False), nn.Softmax(-1)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs onnxscript
        torch.onnx.export(
            module,
            (torch.zeros(2, 3),),
            path,
            dynamo=False,
            opset_version=opset,
            dynamic_axes={"x": {0: "n"}},
            input_names=["x"],
        )
    net = from_onnx(path)
    assert net.activations == names
    check_runtime_agrees(path, net)


# ------------------------------------------------------------------------------------------------- refusals

REFUSED: dict[str, tuple[list[Any], str]] = {
    "another slope": ([FIRST, ("LeakyRelu", ["z"], "a", {"alpha": 0.2}), LAST], r"the_LeakyRelu.*alpha=0.2"),
    "another selu": (
        [FIRST, ("Selu", ["z"], "a", {"alpha": 1.5}), LAST],
        r"the_Selu.*alpha=1.5",
    ),
    "another alpha": ([FIRST, ("Elu", ["z"], "a", {"alpha": 0.5}), LAST], r"the_Elu.*alpha=0.5"),
    "an unknown activation": ([FIRST, ("HardSigmoid", ["z"], "a", {}), LAST], "the_HardSigmoid"),
    "a residual": (
        [FIRST, ("Relu", ["z"], "r", {}), ("Add", ["r", "z"], "a", {}), LAST],
        r"the_Add_a.*\(Add\)",
    ),
    "another gelu": (
        [FIRST, ("Erf", ["z"], "e", {}), ("Add", ["e", "one"], "f", {}), ("Mul", ["z", "f"], "a", {}), LAST],
        r"the_Mul_a.*\(Mul\)",
    ),
    "two activations": (
        [FIRST, ("Tanh", ["z"], "t", {}), ("Relu", ["t"], "a", {}), LAST],
        "the_Relu.*only one",
    ),
    "an activation first": (
        [("Relu", ["x"], "r", {}), ("Gemm", ["r", "W0", "B0"], "y", {})],
        "the_Relu.*must follow",
    ),
    "a hidden softmax": ([FIRST, ("Softmax", ["z"], "a", {}), LAST], r"activation\[0\] must be one of"),
    "softmax over rows": ([FIRST, ("Softmax", ["z"], "y", {"axis": 0})], "the_Softmax.*axis=0"),
    "transposed input": ([("Gemm", ["x", "W0", "B0"], "y", {"transA": 1})], "the_Gemm.*not be transposed"),
    "weights first": ([("MatMul", ["W1T", "x"], "y", {})], "the_MatMul.*constant weights"),
    "products of inputs": ([("MatMul", ["x", "x"], "y", {})], "the_MatMul.*constant weights"),
    "no layer": ([("Identity", ["x"], "y", {})], "there is no dense layer"),
    "a constant": ([("Identity", ["W0"], "y", {})], "does not depend on the input 'x', but on 'W0'"),
    "other widths": (
        [FIRST, ("Relu", ["z"], "a", {}), ("Gemm", ["a", "W0", "B0"], "y", {})],
        "takes 3 values a row, got 4",
    ),
    "biases that do not fit": ([("Gemm", ["x", "W0", "B1"], "y", {})], r"biases of shape \(2,\)"),
    "rows of other lengths": (
        [FIRST, ("Reshape", ["z", "pairs"], "a", {}), LAST],
        "the_Reshape.*takes 2 values a row, got 4",
    ),
    "rows turned": ([FIRST, ("Reshape", ["z", "turned"], "a", {}), LAST], "the_Reshape.*changes the shape"),
    "an integer cast": ([FIRST, ("Cast", ["z"], "a", {"to": TensorProto.INT64}), LAST], "the_Cast"),
    "half precision": ([("MatMul", ["x", "half_W"], "y", {})], "must be float32 or float64, got float16"),
    "two precisions": (
        [FIRST, ("Cast", ["z"], "a", {"to": TensorProto.DOUBLE}), ("MatMul", ["a", "double_W"], "y", {})],
        "weights are float64, those before are float32",
    ),
    "infinity": ([("MatMul", ["x", "inf_W"], "y", {})], r"init\[0\] W has inf"),
    "one class": ([("MatMul", ["x", "one_W"], "o", {}), ("Softmax", ["o"], "y", {})], "at least 2 outputs"),
}

UNUSUAL = {
    "W1T": W1.T.copy(),
    "one": np.float32(1),
    "pairs": np.array([-1, 2]),
    "turned": np.array([4, -1]),
    "half_W": W0.astype(np.float16),
    "double_W": W1.astype(float),
    "inf_W": np.full((3, 2), np.inf, np.float32),
    "one_W": W0[:, :1],
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_graphs_are_refused_by_the_name_of_the_node(name: str, path: Path) -> None:
    nodes, message = REFUSED[name]
    graph(path, nodes, **PARAMETERS, **UNUSUAL)
    with pytest.raises(ValueError, match=message) as caught:
        from_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_images_are_refused_unless_flattened(path: Path) -> None:
    flat = [("Flatten", ["x"], "f", {}), ("MatMul", ["f", "W0"], "y", {})]
    for nodes in (flat, [("MatMul", ["x", "W0"], "y", {})]):
        graph(path, nodes, W0=W0)
        model = onnx.load(path)
        model.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 1
        onnx.save(model, path)
        if nodes is flat:
            assert from_onnx(path).layer_sizes == (3, 4)
        else:
            with pytest.raises(ValueError, match="'x' must have 2 dimensions, got 3"):
                from_onnx(path)


def damaged(content: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "text": b"hello, this is not a model",
        "cut": content[: len(content) // 2],
        "zeros": bytes(100),
        "tail": content + b"\xff" * 10,
    }


@pytest.mark.parametrize("how", damaged(b""))
def test_damaged_files_are_named(how: str, path: Path) -> None:
    to_onnx(network(), path)
    path.write_bytes(damaged(path.read_bytes())[how])
    with pytest.raises(ValueError, match="not a valid ONNX model") as caught:
        from_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_weights_of_an_unknown_type_are_named(path: Path) -> None:
    graph(path, [("MatMul", ["x", "W0"], "y", {})], W0=W0)
    model = onnx.load(path)
    model.graph.initializer[0].data_type = 110
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="the constant 'W0' has the unknown type 110"):
        from_onnx(path)


def test_no_damage_does_worse_than_an_error(path: Path) -> None:
    to_onnx(network(activation="gelu", loss="softmax_cross_entropy", dtype="float64"), path)
    content = path.read_bytes()
    rng = random.Random(0)
    for _ in range(150):
        hostile = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            hostile[rng.randrange(len(hostile))] = rng.randrange(256)
        path.unlink(missing_ok=True)  # to cut a file to nothing is slow on some file systems
        path.write_bytes(hostile)
        with suppress(ValueError):
            assert from_onnx(path).layer_sizes


def test_missing_files_give_the_systems_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "none.onnx")
    with pytest.raises(IsADirectoryError if os.name == "posix" else OSError):
        from_onnx(tmp_path)
