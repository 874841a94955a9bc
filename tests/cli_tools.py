"""Fixtures for tests of the command line: `run` it, and a `model` it has saved."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastmlp.cli import main

Run = Callable[..., tuple[int, str, str]]


def spawn(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    command = [sys.executable, "-m", "fastmlp.cli", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, encoding="utf-8", **streams)  # type: ignore[call-overload,no-any-return]


def interrupted_training(*arguments: str, command: str = "train") -> str:
    """Send Ctrl-C to an endless training on iris that is under way; return standard error."""
    endless = ("--epochs", "1000000000", "--max-time", "60")
    process = spawn(command, "iris", *arguments, *endless)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("rows:"):
        assert process.poll() is None
    time.sleep(1)  # the line is printed just before training begins
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    return err


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
