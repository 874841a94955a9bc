"""The command line where something is wrong: bad input, broken pipes, full disks, Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import fastmlp
from cli_tools import interrupted_training, spawn
from fastmlp.data import TableEncoder

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and pipes")


# -------------------------------------------------------------------------------------------------- bad input


def write_bad_files() -> None:
    files = {
        "good.csv": "x,y\n" + "".join(f"{i + 5},{'ab'[i % 2]}\n" for i in range(40)),
        "numbers.csv": "x,y\n" + "".join(f"{i + 5},{i / 2}\n" for i in range(40)),
        "one.csv": "x,y\n1,a\n2,a\n3,a\n",
        "ragged.csv": "x,y\n1,a\n2\n",
        "gap.csv": "x,y\n1,a\n2,\n",
        "inf.csv": "x,y\n1,a\ninf,b\n2,a\n3,b\n",
        "row.csv": "x,y\n1,2.5\n",
        "ids.csv": "x,y\n" + "".join(f"v{i},{i / 2}\n" for i in range(1500)),
        "odd.csv": "a\n1\n",
        "empty.csv": "",
        "pipes.csv": "x|y\n1|a\n2|b\n",
        "notes.txt": "not a model",
        "text.csv": "sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n1,2,three,4\n",
        "extra.csv": "sepal_length,sepal_width,petal_length,petal_width,id\n1,2,3,4,5\n",
    }
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")
    Path("postcodes.csv").write_text("x,zip\n" + "".join(f"{i % 7},00{100 + i % 51}\n" for i in range(102)))
    Path("latin.csv").write_bytes(b"x,y\n1,caf\xe9\x02\n")
    Path("folder").mkdir()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("train absent.csv --target y", "absent.csv: no such file"),
        ("train folder --target y", "folder: this is a directory, not a file"),
        ("train good.csv", "--target is needed; the columns of good.csv are 'x', 'y'"),
        ("train good.csv --target z", "--target: good.csv has no column 'z'; it has 'x', 'y'"),
        (
            "train good.csv --target X",
            "--target: good.csv has no column 'X'; it has 'x', 'y'; did you mean 'x'?",
        ),
        (
            "train pipes.csv --target y",
            "--target: pipes.csv has no column 'y'; it has 'x|y'; --delimiter '|' would divide it",
        ),
        ("train good.csv --target y --ignore z", "--ignore: good.csv has no column 'z'; it has 'x', 'y'"),
        ("train good.csv --target y --ignore y", "--ignore: 'y' is the target"),
        ("train good.csv --target y --ignore x", "good.csv: no input columns are left to learn from"),
        ("train empty.csv --target y", "empty.csv: the file is empty"),
        (
            "train ragged.csv --target y",
            "ragged.csv: line 3: 1 cell where 2 columns are named; column 'y' is not there",
        ),
        (
            "train postcodes.csv --target zip",
            (
                "target 'zip' holds texts that look like numbers, 51 different ones such as "
                "'00100', '00101', '00102'; --task classification takes them as labels, "
                "--task regression as quantities"
            ),
        ),
        (
            "train latin.csv --target y",
            "latin.csv: line 2: byte 0x02 is a control character, not text",
        ),
        ("train gap.csv --target y", "gap.csv: the target column 'y' holds one class only, 'a'"),
        ("train one.csv --target y", "one.csv: the target column 'y' holds one class only, 'a'"),
        ("train inf.csv --target y --test 0", "inf.csv: line 3, column 'x': inf is not a finite number"),
        ("train row.csv --target y", "at least 2 rows are needed to hold some back, got 1"),
        (
            "train ids.csv --target y --test 0",
            (
                "ids.csv: no input column is left: column 'x' is left out: its 1500 texts are all different, "
                "as identifiers are"
            ),
        ),
        (
            "train good.csv --target y --loss squared_error --test 0",
            "good.csv: line 3, column 'y': 'b' is not a number",
        ),
        (
            "train numbers.csv --target y --loss hinge",
            "numbers.csv: line 3, target column 'y': 0.5 is no label; labels are texts or whole numbers",
        ),
        ("train iris --test 1", "--test must be 0 or between 0 and 1, got 1"),
        ("train iris --test nan", "--test must be 0 or between 0 and 1, got nan"),
        ("train iris --validation -1", "--validation must be 0 or between 0 and 1, got -1"),
        (
            "train iris --learning-rate cosine(0.1",
            (
                "--learning-rate must be a number, cosine(rate), one_cycle(rate), cos_log(rate) or "
                "flat_cos(rate), rate above 0; got 'cosine(0.1'"
            ),
        ),
        (
            "train iris --hidden 64,x",
            "--hidden must be whole numbers with commas between them, such as 64,64, or none; got '64,x'",
        ),
        ("train iris --batch-size some", "--batch-size must be a whole number, full or auto; got 'some'"),
        ("train iris --seed -1", "seed must be between 0 and 2**64 - 1, got -1"),
        ("train iris --save folder", "--save: 'folder' is a directory"),
        ("train iris --save no/m.safetensors", "--save: no/m.safetensors: there is no folder 'no'"),
        (
            "train iris --save good.csv",
            "--save: good.csv: is there already and is not a fastmlp model; it is left as it is",
        ),
        ("predict absent.safetensors good.csv", "absent.safetensors: no such file"),
        ("predict folder good.csv", "folder: this is a directory"),
        ("predict iris.safetensors absent.csv", "absent.csv: no such file"),
        (
            "predict iris.safetensors good.csv",
            (
                "good.csv: no columns 'sepal_length', 'sepal_width', 'petal_length', 'petal_width'; "
                "its columns are 'x', 'y'"
            ),
        ),
        (
            "predict iris.safetensors text.csv",
            "text.csv: line 3, column 'petal_length': 'three' is not a number",
        ),
        ("predict iris.safetensors iris --output folder", "--output: 'folder' is a directory"),
        ("predict iris.safetensors iris --output no/o.csv", "--output: no/o.csv: there is no folder 'no'"),
        (
            "predict iris.safetensors text.csv --output text.csv",
            "--output: text.csv is the file to read from",
        ),
        (
            "predict iris.safetensors iris --output iris.safetensors",
            "--output: iris.safetensors is the file to read from",
        ),
        (
            "predict values.safetensors numbers.csv --proba",
            "--proba: the model predicts numbers, which have no classes",
        ),
        (
            "predict arrays.safetensors good.csv",
            (
                "good.csv: 2 columns; the model was trained on arrays and takes its 1 inputs in order, "
                "with no other column"
            ),
        ),
        ("info absent.safetensors", "absent.safetensors: no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run: Run, model: Path, arguments: str, line: str) -> None:
    write_bad_files()
    if "values" in arguments:
        run("train", "numbers.csv", "--target", "y", "--epochs", "1", "--save", "values.safetensors")
    if "arrays" in arguments:
        fastmlp.train(np.eye(4)[:, :1], np.arange(4.0), hidden=(), epochs=1).save("arrays.safetensors")
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert run(*arguments.split()) == (2, "", f"fastmlp: error: {line}\n")
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ("--frobnicate", "No such option: --frobnicate"),
        ("learn iris", "No such command 'learn'; did you mean train?"),
        ("frobnicate iris", "No such command 'frobnicate'; see fastmlp --help"),
        ("train iris --hiden 6", "No such option: --hiden; did you mean --hidden?"),
        ("train iris --lr 0.1", "No such option: --lr; did you mean --learning-rate?"),
        ("train iris --epoch 9", "No such option: --epoch; did you mean --epochs?"),
        ("train iris --epochs", "Option '--epochs' requires an argument"),
        ("train iris iris", "Got unexpected extra argument"),
        ("train", "Missing argument 'DATA'."),
        ("predict iris.safetensors", "Missing argument 'FILE'."),
        ("train iris --epochs many", "Invalid value for '--epochs': "),
        ("train iris --dtype float16", "dtype must be 'float32' or 'float64', got 'float16'"),
        ("train iris --epochs 0", "epochs"),
        ("train iris --learning-rate -1", "learning_rate"),
        ("train iris --loss entropy", "loss"),
        ("train iris --activation swish", "activation"),
        ("train iris --optimizer adamax", "optimizer"),
        ("train iris --hidden 0", "hidden"),
        ("train iris --batch-size -5", "batch_size"),
        ("train iris --dropout 1.5", "dropout"),
        ("train iris --l2 nan", "l2"),
        ("train iris --init magic", "init"),
        ("train iris --class-weight heavy", "class_weight"),
        ("train iris --threads 0", "threads"),
        ("predict notes.txt good.csv", "notes.txt"),
        ("info notes.txt", "notes.txt"),
    ],
)
def test_what_typer_or_the_library_refuses_is_one_line_too(run: Run, arguments: str, start: str) -> None:
    write_bad_files()
    status, _, err = run(*arguments.split())
    assert status == 2
    assert err.startswith(f"fastmlp: error: {start}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_damaged_model_is_one_line(run: Run, model: Path, keep: int) -> None:
    model.write_bytes(model.read_bytes()[:keep])
    for arguments in (("predict", "iris.safetensors", "iris"), ("info", "iris.safetensors")):
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("fastmlp: error: iris.safetensors")
        assert err.count("\n") == 1


def test_save_replaces_a_model(run: Run, model: Path) -> None:
    before = model.read_bytes()
    assert run("train", "iris", "--hidden", "3", "--epochs", "1", "--save", model)[0] == 0
    assert model.read_bytes() != before
    assert fastmlp.load(model).layer_sizes == (4, 3, 3)


def test_a_diverging_run_is_one_line_and_exit_code_1(run: Run) -> None:
    status, _, err = run(
        "train", "iris", "--optimizer", "sgd", "--learning-rate", "1e30", "--no-restore-best", "--save", "m"
    )
    assert status == 1
    assert err.startswith("fastmlp: error: ")
    assert err.count("\n") == 1
    assert not Path("m").exists()


@pytest.mark.filterwarnings("default::RuntimeWarning")
def test_a_run_that_diverges_at_once_saves_nothing_and_one_that_does_later_its_best(run: Run) -> None:
    arguments = ("train", "iris", "--optimizer", "sgd", "--learning-rate", "1e30", "--save", "m",
                 "--validation", "0")  # fmt: skip
    status, _, err = run(*arguments, "--batch-size", "10")
    assert status == 1
    assert "nothing was learned or saved" in err
    assert not Path("m").exists()
    status, _, err = run(*arguments)
    assert status == 1
    assert "the best weights so far were restored" in err
    assert len(fastmlp.load("m").history) == 1


# -------------------------------------------------------------------------------- pipes, signals, environment


def test_without_typer_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from fastmlp.cli import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    line = "fastmlp's command line needs typer and rich: pip install 'fastmlp[cli]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_the_command_is_installed_and_runs_as_a_module() -> None:
    process = spawn("train", "iris", "--epochs", "1")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "test accuracy" in out


def test_output_in_an_ascii_terminal_is_not_an_error(run: Run) -> None:
    Path("t.csv").write_text(
        "x,y\n" + "".join(f"{i + 5},{'äö'[i % 2]}\n" for i in range(40)), encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    process = spawn("train", "t.csv", "--target", "y", "--epochs", "1", env=environment)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert r"\xe4" in out


@posix
def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    process = spawn("train", "iris", "--epochs", "1")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate()
    assert (process.returncode, err) == (141, "")


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_predictions_that_nobody_reads_to_the_end_are_not_a_success(model: Path, unbuffered: str) -> None:
    rows = "1,2,3,4\n" * 50_000  # more than a pipe holds
    Path("x.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n" + rows, encoding="utf-8")
    process = spawn("predict", str(model), "x.csv", env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
    assert process.stdout is not None
    assert process.stdout.readline() == "prediction\n"
    process.stdout.close()
    _, err = process.communicate()
    assert (process.returncode, err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["train iris --epochs 1", "predict iris.safetensors iris", "info"])
def test_a_full_disk_under_standard_output_is_one_line(model: Path, command: str) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = spawn(*command.split(), stdout=full)
        _, err = process.communicate()
    assert (process.returncode, err) == (2, "fastmlp: error: No space left on device\n")


@posix
@pytest.mark.parametrize("save", [True, False])
def test_ctrl_c_saves_what_was_learned_and_exits_with_130(tmp_path: Path, save: bool) -> None:
    path = tmp_path / "m.safetensors"
    err = interrupted_training("--hidden", "6", *(["--save", str(path)] if save else []))
    assert err.startswith("fastmlp: interrupted after ")
    assert err.count("\n") == 1
    assert path.exists() == save
    if save:
        assert err.endswith(f"epochs; the best weights so far are in {path}\n")
        network = fastmlp.load(path)
        assert network.layer_sizes == (4, 6, 3)
        assert isinstance(network.encoder, TableEncoder)


@posix
def test_a_bar_is_shown_on_a_terminal_only() -> None:
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = spawn(
        "train", "iris", "--max-time", "1", "--epochs", "1000000", stderr=follower, env=environment
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # Linux says so that the other end was closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(leader)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"epoch " in shown
    assert b"loss " in shown
    assert "\x1b" not in out


@pytest.mark.filterwarnings("default")
def test_a_column_that_the_model_does_not_know_is_left_out_and_said(run: Run, model: Path) -> None:
    write_bad_files()
    status, out, said = run("predict", "iris.safetensors", "extra.csv")
    assert status == 0
    assert out.startswith("prediction")
    line = "extra.csv: left out the column 'id', which the network was not trained on"
    assert said == f"fastmlp: warning: {line}\n"
