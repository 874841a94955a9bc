"""ONNX files and C headers of networks with periodic columns, an input scale and parametric activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from export_tools import DTYPES, HIDDEN, PARTS, assert_rows_close, network_of_parts, rows_of_parts
from fastmlp.export import to_onnx
from test_ensemble_exports import c_program
from test_export_c import REAL, forward_of, needs_compiler, run_c
from test_export_onnx import run

#: Of ONNX Runtime: roundings of more layers than in test_export_onnx add up.
RTOL = {"float32": 1e-5, "float64": 1e-13}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parts", PARTS)
def test_onnx_runtime_computes_them(parts: str, dtype: str, tmp_path: Path) -> None:
    net, X = network_of_parts(PARTS[parts], dtype), rows_of_parts(200, dtype)
    to_onnx(net, tmp_path / "model.onnx")
    assert_rows_close(run(tmp_path / "model.onnx", X=X)["prediction"], net.predict(X), RTOL[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_onnx_runtime_blends_every_activation(activation: str, dtype: str, tmp_path: Path) -> None:
    net, X = network_of_parts({"parametric": True}, dtype, activation), rows_of_parts(100, dtype)
    to_onnx(net, tmp_path / "model.onnx")
    assert_rows_close(run(tmp_path / "model.onnx", X=X)["prediction"], net.predict(X), RTOL[dtype])


def waves(dtype: str) -> tuple[fastmlp.Network, np.ndarray]:
    """Return a network that gives the waves of a column, and rows where they are many turns."""
    net = fastmlp.Network((1, 3), "relu", "squared_error", dtype=dtype, periodic=[(0, 2, 3)])
    net.weights[0] = np.diag([0, 1, 1])
    for array, values in zip(net.periodic_parameters[0], ([1, 0.5], [0, 3], np.eye(2), [0, 0]), strict=True):
        array[...] = values
    return net, np.linspace(-1e4, 1e4, 1001).astype(dtype)[:, None]


@pytest.mark.parametrize("dtype", DTYPES)
def test_waves_of_many_turns_keep_their_digits_in_onnx(dtype: str, tmp_path: Path) -> None:
    net, X = waves(dtype)
    to_onnx(net, tmp_path / "model.onnx")
    got = run(tmp_path / "model.onnx", X=X)["prediction"]
    assert_rows_close(got, net.predict(X), 1e-6 if dtype == "float32" else 1e-14)
    x = X.astype(np.longdouble)
    exact = np.cos(2 * np.pi * np.remainder(x * [1, 0.5], 1) + [0, 3])
    np.testing.assert_allclose(got[:, 1:], exact, rtol=0, atol=1e-6 if dtype == "float32" else 1e-14)


def ensemble_of_parts(dtypes: tuple[str, ...]) -> fastmlp.Ensemble:
    made = [
        network_of_parts(PARTS[name], dtypes[i % len(dtypes)], "silu", "softmax_cross_entropy", 3)
        for i, name in enumerate(("all", "parametric", "scaled embeddings"))
    ]
    return fastmlp.Ensemble(made, [1, 2, 3])


@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")], ids=len)
def test_onnx_runtime_computes_them_in_ensembles(dtypes: Any, tmp_path: Path) -> None:
    ensemble = ensemble_of_parts(dtypes)
    ensemble.to_onnx(tmp_path / "e.onnx")
    X = rows_of_parts(60, ensemble.dtype.name)
    rtol = 1e-5 if "float32" in dtypes else 1e-13
    got = run(tmp_path / "e.onnx", X=X)["probabilities"]
    assert_rows_close(got, ensemble.predict_proba(X), rtol)


def test_a_network_with_parts_is_not_read_from_onnx(tmp_path: Path) -> None:
    for parts in PARTS.values():
        to_onnx(network_of_parts(parts, "float32"), tmp_path / "model.onnx")
        with pytest.raises(ValueError, match="neither a dense layer nor the end of an activation"):
            fastmlp.from_onnx(tmp_path / "model.onnx")


# ---------------------------------------------------------------------------------------------------------- C

SANITIZERS = ("-fsanitize=undefined,address", "-fno-sanitize-recover=all")


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_c_computes_them(dtype: str) -> None:
    nets, X = [network_of_parts(parts, dtype) for parts in PARTS.values()], rows_of_parts(200, dtype)
    for net, got in zip(nets, forward_of(nets, X, SANITIZERS), strict=True):
        assert_rows_close(got, net.forward(X), RTOL[dtype])


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_c_blends_every_activation(dtype: str) -> None:
    nets = [network_of_parts({"parametric": True}, dtype, activation) for activation in HIDDEN]
    X = rows_of_parts(100, dtype)
    for net, got in zip(nets, forward_of(nets, X), strict=True):
        assert_rows_close(got, net.forward(X), RTOL[dtype])


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_waves_of_many_turns_keep_their_digits_in_c(dtype: str) -> None:
    net, X = waves(dtype)
    assert_rows_close(forward_of([net], X)[0], net.forward(X), 1e-6 if dtype == "float32" else 1e-14)


@needs_compiler
@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")], ids=len)
def test_c_computes_them_in_ensembles(dtypes: Any, tmp_path: Path) -> None:
    ensemble = ensemble_of_parts(dtypes)
    ensemble.to_c(tmp_path / "e.h")
    X = rows_of_parts(60, ensemble.dtype.name)
    program = c_program("e.h", (5, 3), REAL[X.dtype.name])
    got = np.frombuffer(run_c(tmp_path, program, X.tobytes()), X.dtype).reshape(60, 3)
    assert_rows_close(got, ensemble.forward(X), 1e-5 if "float32" in dtypes else 1e-13)
