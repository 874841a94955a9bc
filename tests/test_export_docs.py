"""The examples of docs/models.md run as they stand there, one after the other."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```$",
    (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE | re.DOTALL,
)


def test_the_examples_run_in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    python = [text for language, text in BLOCKS if language == "python"]
    assert len(python) > 5
    names: dict[str, Any] = {}
    for text in python:
        if not text.startswith("# needs torch") or find_spec("torch"):
            exec(text, names)
    (c,) = (text for language, text in BLOCKS if language == "c")
    (sh,) = (text for language, text in BLOCKS if language == "sh")
    (tmp_path / "main.c").write_text(c)
    if shutil.which("cc"):
        done = subprocess.run(sh, shell=True, capture_output=True, text=True, check=True)
        label, probability = done.stdout.split()
        assert label == names["net"].predict(names["X"][:1])[0] == "setosa"
        assert float(probability) == pytest.approx(names["net"].predict_proba(names["X"][:1])[0, 0], abs=1e-3)
