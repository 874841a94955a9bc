"""An ensemble as an ONNX file or a C header computes what it does here, encoders and units included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from ensemble_tools import KINDS, houses_with, networks, of_folds, rows
from export_tools import as_numbers, assert_rows_close
from fastmlp.data import Table
from test_export_c import REAL, needs_compiler, run_c
from test_export_onnx import run, table_inputs

WEIGHTS = [0.5, 0.0, 2.0, 1.0, 3.5]
#: Those of networks of both types are computed in double there, and in their own type here.
RTOL = {"32": 1e-5, "64": 1e-13, "mixed": 1e-5}
TARGETS: list[Any] = ["kind", "price", ["price", "rent"]]


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("dtypes", ["32", "64", "mixed"])
@pytest.mark.parametrize(("loss", "outputs"), KINDS)
def test_onnx_runtime_gives_the_same(
    loss: str, outputs: int, dtypes: str, weights: Any, tmp_path: Path
) -> None:
    ensemble = fastmlp.Ensemble(networks(loss, outputs, dtypes), weights)
    ensemble.to_onnx(tmp_path / "e.onnx")
    X = rows(60, dtype=ensemble.dtype.name)
    got, prediction = run(tmp_path / "e.onnx", X=X), ensemble.predict(X)
    if "entropy" in loss:
        assert_rows_close(got["probabilities"], ensemble.predict_proba(X), RTOL[dtypes])
    if ensemble.classes is not None or loss == "binary_cross_entropy":
        name = "prediction" if ensemble.classes is None else "label"
        assert (got[name] == prediction).mean() > 0.98
    else:
        assert_rows_close(got["prediction"].reshape(60, -1), prediction.reshape(60, -1), RTOL[dtypes])


@pytest.mark.parametrize("dtypes", [("float32",) * 3, ("float64",) * 3], ids=["32", "64"])
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_onnx_runtime_encodes_a_table_for_each_network(
    target: Any, dtypes: tuple[str, ...], tmp_path: Path
) -> None:
    ensemble, table = fastmlp.Ensemble(of_folds(target, dtypes), [1, 2, 4]), houses_with(target, 50, seed=1)
    ensemble.to_onnx(tmp_path / "e.onnx")
    got = run(
        tmp_path / "e.onnx", **table_inputs(table.drop(*([target] if isinstance(target, str) else target)))
    )
    if target == "kind":
        np.testing.assert_array_equal(got["label"], ensemble.predict(table))
        np.testing.assert_allclose(got["probabilities"], ensemble.predict_proba(table), rtol=1e-4, atol=1e-6)
    else:
        assert got["prediction"].dtype == np.float64
        np.testing.assert_allclose(got["prediction"], ensemble.predict(table), rtol=1e-7)


def c_program(header: str, shape: tuple[int, int], real: str) -> str:
    inputs, outputs = shape
    return f"""
        #include <stdio.h>
        #include "{header}"
        int main(void)
        {{
            {real} x[{inputs}], out[{outputs}];
            while (fread(x, sizeof x, 1, stdin) == 1) {{
                model_forward(x, out);
                fwrite(out, sizeof out, 1, stdout);
            }}
            return 0;
        }}
    """


@needs_compiler
@pytest.mark.parametrize("dtypes", ["32", "64", "mixed"])
@pytest.mark.parametrize(("loss", "outputs"), KINDS[::2])
def test_c_gives_the_same(loss: str, outputs: int, dtypes: str, tmp_path: Path) -> None:
    ensemble = fastmlp.Ensemble(networks(loss, outputs, dtypes), WEIGHTS)
    ensemble.to_c(tmp_path / "e.h")
    X = rows(60, dtype=ensemble.dtype.name)
    program = c_program("e.h", (6, outputs), REAL[X.dtype.name])
    got = np.frombuffer(run_c(tmp_path, program, X.tobytes()), X.dtype).reshape(60, outputs)
    assert_rows_close(got, ensemble.forward(X), 1e-13 if dtypes == "64" else 1e-5)


def c_rows(table: Table, show: str) -> str:
    """Return a program with a table's rows in it: n are the numbers of a row, t its texts."""
    blocks = []
    for row in range(table.n_rows):
        numbers = [as_numbers(table[name])[row] for name in ("size", "built")]
        values = ", ".join("NAN" if np.isnan(value) else repr(float(value)) for value in numbers)
        texts = ", ".join(f'"{table[name][row]}"' for name in ("city", "street"))
        blocks.append(
            f"{{ const double n[] = {{ {values} }}; const char *const t[] = {{ {texts} }}; {show} }}"
        )
    body = "\n".join(blocks)
    return f'#include <stdio.h>\n#include "model.h"\nint main(void)\n{{\n{body}\nreturn 0;\n}}\n'


@needs_compiler
@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("own", [True, False], ids=["own encoders", "one encoder"])
def test_c_encodes_a_row_of_a_table(own: bool, target: Any, tmp_path: Path) -> None:
    table = houses_with(target)
    nets = (
        of_folds(target, ("float32", "float64", "float32"))
        if own
        else [fastmlp.train(table, target, hidden=(5,), epochs=3, seed=seed) for seed in range(3)]
    )
    ensemble, new = fastmlp.Ensemble(nets, [3, 2, 1]), houses_with(target, 20, seed=1)
    ensemble.to_c(tmp_path / "model.h")
    show = 'double v[2] = { 0, 0 }; model_predict(n, t, v); printf("%.17g %.17g\\n", v[0], v[1]);'
    if target == "kind":
        show = 'printf("%s x\\n", model_classes[model_predict(n, t)]);'
    lines = [line.split() for line in run_c(tmp_path, c_rows(new, show)).decode().splitlines()]
    expected = ensemble.predict(new)
    if target == "kind":
        assert [label for label, _ in lines] == expected.tolist()
        return
    got = np.array(lines, np.float64)[:, : expected.size // 20]
    np.testing.assert_allclose(got, expected.reshape(20, -1), rtol=1e-7)


def test_the_header_says_what_it_holds(tmp_path: Path) -> None:
    fastmlp.Ensemble(of_folds("price")).to_c(tmp_path / "model.h", name="price")
    text = (tmp_path / "model.h").read_text()
    assert "The mean of 3 networks." in text
    assert "price_predict writes price_n_outputs values" in text
    assert 'numbers[0]  "size"' in text
    assert 'texts[1]  "street"' in text


def test_numbers_that_are_not_finite_are_not_exported(tmp_path: Path) -> None:
    nets = networks()
    nets[1].parameters[0] = np.nan
    for export in (fastmlp.Ensemble(nets).to_onnx, fastmlp.Ensemble(nets).to_c):
        with pytest.raises(ValueError, match="NaN or infinity cannot be exported"):
            export(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_an_onnx_file_of_an_ensemble_is_not_read_as_one_network(tmp_path: Path) -> None:
    fastmlp.Ensemble(networks()).to_onnx(tmp_path / "e.onnx")
    with pytest.raises(ValueError, match="neither a dense layer nor the end of an activation"):
        fastmlp.from_onnx(tmp_path / "e.onnx")
