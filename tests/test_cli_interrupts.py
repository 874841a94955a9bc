"""The command line: Ctrl-C, and the bar on the terminal."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import fastmlp
from cli_tools import interrupted_training
from fastmlp._cli import cv as cv_command
from fastmlp._cli import evaluate as evaluate_command
from fastmlp._cli import learn as learning_commands
from fastmlp._cli import outcome
from fastmlp._cli import predict as predict_command
from fastmlp._cli import report as report_command
from fastmlp._cli.files import load_data
from fastmlp._model.history import History
from fastmlp._training.progress import epoch_bar
from fastmlp.data import TableEncoder, holdout

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and pipes")


def interrupt(*arguments: Any, **options: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        ("train iris --epochs 1", learning_commands, "load_data"),
        ("train iris --epochs 1", TableEncoder, "fit"),
        ("train iris --epochs 1", TableEncoder, "transform"),
        ("train iris --epochs 1", outcome, "evaluate"),
        ("train iris --epochs 1 --report r.html", report_command, "write_report"),
        ("cv iris --epochs 1", learning_commands, "load_data"),
        ("cv iris --epochs 1 --predictions p.csv", cv_command, "write_predictions"),
        ("predict iris.safetensors iris", predict_command, "load_rows"),
        ("predict iris.safetensors iris", TableEncoder, "transform"),
        ("evaluate iris.safetensors iris", evaluate_command, "load_rows"),
        ("evaluate iris.safetensors iris", evaluate_command, "evaluate"),
        ("report iris.safetensors iris --out r.html", report_command, "write_report"),
    ],
)
def test_ctrl_c_at_any_point_is_one_line_and_exit_code_130(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch, command: str, module: Any, name: str
) -> None:
    monkeypatch.setattr(module, name, interrupt)
    before = sorted(Path().iterdir())
    status, _, err = run(*command.split())
    assert (status, err.splitlines()[-1]) == (130, "fastmlp: interrupted")
    assert all(line.startswith("fastmlp: ") for line in err.splitlines())
    assert sorted(Path().iterdir()) == before


@posix
def test_ctrl_c_while_standard_input_is_read() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp.cli", "train", "-", "--target", "y"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"1,2\n" * 250_000)  # more than a pipe holds: when it is written, it is being read
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"fastmlp: interrupted\n")


@posix
def test_ctrl_c_with_validation_rows_saves_the_best_weights_so_far(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    options = f"--hidden 8 --learning-rate 0.3 --batch-size 10 --validation 0.3 --save {path}"
    err = interrupted_training(*options.split())
    assert err.endswith(f"; the best weights so far are in {path}\n")

    network = fastmlp.load(path)
    assert network.encoder is not None
    table = load_data("iris").table
    _, held_out = holdout(table["species"].astype(str), 0.3, 0, substream=1)
    rows = table.take(held_out)
    X, y = network.encoder.transform(rows), network.encoder.transform_target(rows)
    losses = network.history["validation_loss"]
    assert len(losses) > 100
    assert losses.argmin() < len(losses) - 1
    assert network.loss_and_gradient(X, y)[0] == pytest.approx(losses.min(), rel=1e-4)


# ---------------------------------------------------------------------------------------------------- the bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("rows", "speed"), [(1000, "2,500 rows/s"), (None, None)])
def test_the_bar_shows_epoch_losses_speed_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch, rows: int | None, speed: str | None
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    columns = ("epoch", "loss", "learning_rate", "seconds", "validation_loss")
    network = SimpleNamespace(history=History(columns, [(5, 0.25, 0.1, 2.0, 0.5)]))
    with epoch_bar(True, 20, rows) as bar:
        assert bar is not None
        bar(network)  # type: ignore[arg-type]
    shown = terminal.getvalue()
    for text in ("epoch 5/20", "loss 0.25", "validation loss 0.5", "left"):
        assert text in shown
    assert ("rows/s" in shown) == (speed is not None)
    assert speed is None or speed in shown


def test_a_line_every_few_seconds_where_standard_error_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter((0.0, 1.0, 5.5, 6.0, 12.0))  # when the run begins, and when it is called
    monkeypatch.setattr("fastmlp._training.progress.time.monotonic", lambda: next(seconds))
    columns = ("epoch", "loss", "learning_rate", "seconds", "validation_loss")
    with epoch_bar(True, 20, 100) as lines:
        assert lines is not None
        for epoch in (1, 5, 6, 12):
            network = SimpleNamespace(history=History(columns, [(epoch, 0.25, 0.1, 2.0, 0.5)]))
            lines(network)  # type: ignore[arg-type]
    assert capsys.readouterr().err == (
        "epoch 5/20  loss 0.25  validation loss 0.5  250 rows/s\n"
        "epoch 12/20  loss 0.25  validation loss 0.5  600 rows/s\n"
    )
