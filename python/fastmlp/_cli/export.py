"""The command `fastmlp export`."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from fastmlp._cli.files import STREAM, check_output, check_suffix, load_model, write_stdout
from fastmlp._export.c import to_c
from fastmlp._export.onnx import to_onnx

FORMATS = ("onnx", "c")
_SUFFIXES = {"onnx": (".onnx",), "c": (".h", ".c", ".txt")}


def run_export(model: str, to: str, output: str, name: str) -> int:
    """Write a model in the form that other programs read."""
    if to not in FORMATS:
        raise ValueError(f"--to must be {' or '.join(FORMATS)}, got {to!r}")
    if output == STREAM and to == "onnx" and sys.stdout.isatty():
        raise ValueError("--output: ONNX is not for a terminal; name a file, or pipe it on")
    check_output("--output", output, (model,))
    check_suffix("--output", output, "ONNX" if to == "onnx" else "C", _SUFFIXES[to])
    network = load_model(model)
    write = to_onnx if to == "onnx" else partial(to_c, name=name)
    if output != STREAM:
        write(network, output)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{Path(model).stem}.{to}"
        write(network, path)
        write_stdout(path.read_bytes())
    return 0
