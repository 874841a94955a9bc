"""Fixtures for tests of the command line: `run` it, and a `model` it has saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fastmlp.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def model(run: Run) -> Path:
    assert run("train", "iris", "--hidden", "6", "--epochs", "50", "--save", "iris.safetensors")[0] == 0
    return Path("iris.safetensors").absolute()
