"""What exports need is imported when it is asked for, and its absence is said with what to install."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export_tools import network
from fastmlp import export


def test_importing_the_exports_imports_no_extra() -> None:
    code = "import sys, fastmlp.export; print({'onnx', 'onnxruntime', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("extra", "call"),
    [
        ("onnx", lambda path: export.to_onnx(network(), path)),
        ("onnx", export.from_onnx),
        ("torch", lambda path: export.to_torch(network())),
        ("torch", export.from_torch),
    ],
    ids=["to_onnx", "from_onnx", "to_torch", "from_torch"],
)
def test_a_missing_package_is_said_with_what_to_install(
    extra: str, call: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(ImportError, match=rf"pip install 'fastmlp\[{extra}\]'"):
        call(tmp_path / "model")
    assert not list(tmp_path.iterdir())
