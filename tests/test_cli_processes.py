"""The command line under mpiexec: one run of several processes, of which one writes."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import fastmlp
import mpi_tools
from fastmlp._processes import launcher as launchers
from mpi_tools import Ended, launcher, run_mpi
from process_tools import posix

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli_tools import Run

pytest_plugins = ["cli_tools"]

pytestmark = posix

# Like the script of the command, and in the folder of the test.
COMMAND = """
import os, pathlib, sys
pathlib.Path(os.environ["FASTMLP_TEST_PROCESSES"], str(os.getpid())).touch()
rank = os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK"))
pathlib.Path(os.environ["FASTMLP_TEST_PROCESSES"], f"rank-{rank}").write_text(str(os.getpid()))
os.chdir(sys.argv.pop(1))
from fastmlp.cli import main
sys.exit(main())
"""


def fastmlp_train(
    folder: Path,
    processes: int,
    arguments: str,
    meanwhile: Callable[[mpi_tools.Processes], None] | None = None,
) -> Ended:
    """Run `mpiexec -n PROCESSES fastmlp train ARGUMENTS` in a folder."""
    program = [sys.executable, "-c", COMMAND, str(folder), "train", *arguments.split()]
    return run_mpi([launcher(), "-n", str(processes), *program], meanwhile)


def lines_of(ended: Ended) -> list[str]:
    """Return what the command wrote to standard error, without what MPI says of processes that it ends."""
    return [line for line in ended.err.splitlines() if line.startswith("fastmlp: ")]


def without_times(text: str) -> str:
    return re.sub(r"(?<= in )[0-9.e-]+ s", "", text)


def test_several_processes_print_write_and_learn_what_one_does(run: Run, tmp_path: Path) -> None:
    arguments = "iris --shards 4 --epochs 20 --hidden 6 --save model.safetensors --checkpoint log --every 10"
    ended = fastmlp_train(tmp_path, 4, arguments)
    assert (ended.code, ended.err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "model.safetensors"]
    assert sorted(path.name for path in Path("log").iterdir()) == [
        "epoch-00000010.safetensors",
        "epoch-00000020.safetensors",
    ]
    together = fastmlp.load("model.safetensors")

    status, out, _ = run("train", *arguments.replace("--checkpoint log --every 10", "").split())
    assert status == 0
    assert sorted(map(without_times, ended.out)) == sorted(map(without_times, out.splitlines()))
    alone = fastmlp.load("model.safetensors")
    assert np.array_equal(alone.parameters, together.parameters)
    assert alone.history["validation_loss"].tolist() == together.history["validation_loss"].tolist()


AT_LEAST = (
    "--shards must be at least the number of processes, 2, got 1; the result depends on it, and not on how "
    "many processes there are"
)


@pytest.mark.parametrize(
    ("processes", "arguments", "said"),
    [
        (2, "iris", AT_LEAST),
        (3, "iris --shards 4", "communicator must have a power of two of processes (1, 2, 4, 8, ...), got 3"),
        (2, "- --shards 2", "several processes read DATA: it must be a file, got standard input"),
        (2, "iris --shards 2 --batch-size 3", "batch_size must be a multiple of shards=2, got 3"),
        (2, "iris --shard 2", "No such option: --shard; did you mean --shards?"),
    ],
)  # fmt: skip
def test_what_all_processes_refuse_is_said_once(
    tmp_path: Path, processes: int, arguments: str, said: str
) -> None:
    ended = fastmlp_train(tmp_path, processes, arguments)
    assert (ended.code, lines_of(ended)) == (2, [f"fastmlp: error: {said}"])


def test_what_one_process_alone_refuses_is_said_by_it(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n" + "".join(f"{i % 13}.5,{i % 7}.5\n" for i in range(40)))
    (tmp_path / "elsewhere").mkdir()
    goes_elsewhere = COMMAND.replace("from fastmlp", "if rank == '1': os.chdir('elsewhere')\nfrom fastmlp")
    program = [sys.executable, "-c", goes_elsewhere, str(tmp_path), "train", "table.csv", "--target", "b"]
    ended = run_mpi([launcher(), "-n", "2", *program, "--shards", "2", "--quiet"])
    assert (ended.code, lines_of(ended)) == (2, ["fastmlp: process 1: error: table.csv: no such file"])


def test_ctrl_c_saves_the_best_weights_so_far(tmp_path: Path) -> None:
    def interrupt(running: mpi_tools.Processes) -> None:
        running.of_rank(0)
        end = time.monotonic() + mpi_tools.HANG
        while not any(tmp_path.glob("log/epoch-*")) and time.monotonic() < end:
            time.sleep(0.01)
        for rank in (1, 0):  # what mpiexec does
            os.kill(running.of_rank(rank), signal.SIGINT)

    saves = "--save model.safetensors --checkpoint log"
    arguments = f"iris --shards 2 --epochs 1000000 --hidden 6 --quiet {saves}"
    ended = fastmlp_train(tmp_path, 2, arguments, interrupt)
    assert ended.code == 130
    (line,) = lines_of(ended)
    saved = "the best weights so far are in model.safetensors"
    assert re.fullmatch(rf"fastmlp: interrupted after \d+ epochs?; {saved}", line)
    assert len(fastmlp.load(tmp_path / "model.safetensors").history)


def test_a_process_that_stops_is_named(tmp_path: Path) -> None:
    def stop(running: mpi_tools.Processes) -> None:
        pid = running.of_rank(1)
        end = time.monotonic() + mpi_tools.HANG
        while not any(tmp_path.glob("log/epoch-*")) and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(pid, signal.SIGSTOP)

    arguments = "iris --shards 2 --epochs 1000000 --hidden 6 --quiet --checkpoint log --timeout 1"
    ended = fastmlp_train(tmp_path, 2, arguments, stop)
    assert ended.code == 1
    assert lines_of(ended) == ["fastmlp: error: process 1 has not answered for 1 s (timeout=1)"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--shards 3", "--shards must be a power of two (1, 2, 4, 8, ...), got 3"),
        ("--timeout 0", "--timeout must be greater than 0, got 0.0"),
    ],
)
def test_one_process_checks_the_options_too(run: Run, option: str, said: str) -> None:
    assert run("train", "iris", *option.split()) == (2, "", f"fastmlp: error: {said}\n")


# ------------------------------------------------------------------------------------------- who was started


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (1, 0)),
        ({"PMI_SIZE": "4", "PMI_RANK": "3"}, (4, 3)),
        ({"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "0"}, (8, 0)),
        ({"SLURM_STEP_NUM_TASKS": "16", "PMIX_RANK": "5", "SLURM_PROCID": "5"}, (16, 5)),
        ({"SLURM_STEP_NUM_TASKS": "16", "SLURM_PROCID": "5"}, (1, 0)),
        ({"PMI_SIZE": "many", "PMI_RANK": "0"}, (1, 0)),
    ],
)
def test_a_launcher_is_known_by_its_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[int, int]
) -> None:
    for name in [name for pair in launchers._VARIABLES for name in pair]:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launchers.launch() == expected


def test_a_launcher_of_another_make_is_an_error_and_not_several_runs(tmp_path: Path) -> None:
    variables = "PMI_SIZE OMPI_COMM_WORLD_SIZE"
    script = f"""
import os
for name in {variables!r}.split():
    os.environ.pop(name, None)
os.environ.update(MV2_COMM_WORLD_SIZE="4", MV2_COMM_WORLD_RANK="0")
{COMMAND}"""
    ended = run_mpi([sys.executable, "-c", script, str(tmp_path), "train", "iris", "--shards", "4"])
    assert ended.code == 2
    said = "fastmlp: error: 4 processes were started, but mpi4py's library knows of 1: start them by the "
    assert ended.err.startswith(said + "mpiexec that belongs to it (")


def test_without_mpi4py_the_error_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    status, _, err = run("train", "iris", "--shards", "2")
    assert status == 2
    assert err.startswith(
        "fastmlp: error: several processes need mpi4py and an MPI library: pip install 'fastmlp[mpi]'"
    )
