"""The command line: models for other programs, from a raw table to ONNX Runtime and a C compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

import fastmlp
from fastmlp.cli import main
from fastmlp.data import read_csv

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]


def write_shops(path: Path, n: int = 400) -> None:
    """Write numbers with gaps, a category, one of many values, dates, and a price that depends on them."""
    rng = np.random.default_rng(0)
    shop, size = rng.integers(0, 40, n), rng.normal(size=n)
    rows = [
        f"{'' if i % 9 == 0 else round(size[i], 3)},{'SML'[i % 3]},shop {shop[i]},2026-0{1 + i % 9}-11,"
        f"{3 * size[i] + shop[i] % 5:.3f}\n"
        for i in range(n)
    ]
    path.write_text("area,size,shop,opened,price\n" + "".join(rows), encoding="utf-8")


def test_a_table_goes_through_onnx_runtime_as_through_predict(run: Run) -> None:
    write_shops(Path("shops.csv"))
    trained = ("train", "shops.csv", "--target", "price", "--epochs", "20", "--save", "m.safetensors")
    assert run(*trained, "--quiet") == (0, "", "")
    assert run("export", "m.safetensors", "--to", "onnx", "--output", "m.onnx") == (0, "", "")
    assert run("predict", "m.safetensors", "shops.csv", "--output", "p.csv") == (0, "", "")
    table = read_csv("shops.csv")
    days = (table["opened"] - np.datetime64(0, "D")) / np.timedelta64(1, "D")
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    inputs = {
        "area": table["area"][:, None],
        "size": table["size"][:, None],
        "shop": table["shop"][:, None],
        "opened": days[:, None],
    }
    (prediction,) = session.run(["prediction"], inputs)
    np.testing.assert_allclose(prediction, read_csv("p.csv")["prediction"], rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_model_goes_through_a_c_compiler(run: Run, model: Path) -> None:
    assert run("export", model, "--to", "c", "--output", "model.h") == (0, "", "")
    Path("main.c").write_text(
        '#include <stdio.h>\n#include "model.h"\nint main(void) { const double row[] = {5.1, 3.5, 1.4, 0.2};'
        " puts(model_classes[model_predict(row, NULL)]); return 0; }\n",
        encoding="utf-8",
    )
    compiler = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main", "-lm"]
    subprocess.run(compiler, check=True)
    assert subprocess.run(["./main"], capture_output=True, text=True, check=True).stdout == "setosa\n"


def test_standard_output_gets_the_file_as_it_is(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    model, file = str(tmp_path / "m.safetensors"), tmp_path / "file.onnx"
    fastmlp.Network((4, 6, 3)).save(model)
    assert main(["export", model, "--to", "onnx", "--output", str(file)]) == 0
    assert main(["export", model, "--to", "onnx", "--output", "-"]) == 0
    assert capfdbinary.readouterr().out == file.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("iris.safetensors --to java --output x", "--to must be onnx or c, got 'java'"),
        ("iris.safetensors --to c --output iris.safetensors", "--output: iris.safetensors is the file to"),
        ("iris.safetensors --to c --output notes.txt", "notes.txt: is there already and is not a C header"),
        (
            "iris.safetensors --to onnx --output notes.txt",
            "--output: notes.txt: ONNX cannot be written as .txt",
        ),
        ("iris.safetensors --to c --output no/x.h", "--output: no/x.h: there is no folder 'no'"),
        ("absent.safetensors --to c --output x.h", "absent.safetensors: no such file"),
        ("iris.safetensors --to c", "Missing option '--output'"),
        ("iris.safetensors --output x.h", "Missing option '--to'"),
    ],
)
def test_what_cannot_be_exported_is_one_line(run: Run, model: Path, arguments: str, line: str) -> None:
    Path("notes.txt").write_text("years of work", encoding="utf-8")
    status, out, err = run("export", *arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"fastmlp: error: {line}")
    assert err.count("\n") == 1
    assert Path("notes.txt").read_text(encoding="utf-8") == "years of work"
