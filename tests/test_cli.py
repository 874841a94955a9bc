"""The command line: what it prints, saves and predicts, and one clear line for whatever is wrong."""

from __future__ import annotations

import csv
import gzip
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.cli import main
from fastmlp.data import TableEncoder, read_csv

Run = Callable[..., tuple[int, str, str]]

# The folder of larger data sets lies beside the repository, or where FASTMLP_DATA says.
DATA = Path(os.environ.get("FASTMLP_DATA", Path(__file__).parents[2] / "shared" / "data"))
HOUSING = DATA / "housing.csv.gz"

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and pipes")


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


def spawn(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fastmlp.cli", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, encoding="utf-8", **streams)  # type: ignore[call-overload,no-any-return]


def write_homes(path: Path, n: int = 400) -> None:
    """Write a table like the California housing data: numbers, gaps, a category, a price in units of 1e5."""
    rng = np.random.default_rng(1)
    rooms, income = rng.uniform(1, 9, n).round(1), rng.uniform(1, 10, n).round(2)
    place = rng.choice(["INLAND", "NEAR BAY", "<1H OCEAN"], n)
    price = 3e4 * income + 1e4 * rooms + 5e4 * (place == "NEAR BAY")
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rooms", "income", "price", "place"])
        for i in range(n):
            writer.writerow(["" if i % 10 == 3 else rooms[i], income[i], f"{price[i]:.1f}", place[i]])


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# ------------------------------------------------------------------------------------------------------ train


def test_train_iris_prints_epochs_accuracy_and_confusion_matrix(run: Run) -> None:
    status, out, err = run("train", "iris", "--hidden", "6")
    assert (status, err) == (0, "")
    assert "iris: 150 rows, 4 other columns" in out
    assert "target: species, labels of 3 classes (classification)" in out
    assert "rows: 111 to train on, 39 to test on (seed 0)" in out
    assert "network: 4-6-3, 51 parameters, loss softmax_cross_entropy" in out
    epochs = [
        int(line.split()[0]) for line in out.splitlines() if line.split()[:1] and line.split()[0].isdigit()
    ]
    assert epochs == [1, 300, 600, 900, 1200, 1500, 1800, 2100, 2400, 2700, 3000]
    accuracy = float(out.split("test accuracy ")[1].split()[0])
    assert accuracy >= 0.9
    matrix = out.split("rows: true class, columns: predicted")[1].splitlines()
    counts = np.array(
        [line.split()[1:] for line in matrix if line.split()[1:2] and line.split()[1].isdigit()], int
    )
    assert counts.shape == (3, 3)
    assert counts.sum(axis=1).tolist() == [13, 13, 13]
    assert np.trace(counts) / 39 == pytest.approx(accuracy, abs=1e-4)


def test_the_same_seed_prints_the_same_table_and_another_seed_another(run: Run) -> None:
    def table(seed: int) -> str:
        status, out, _ = run("train", "iris", "--epochs", "5", "--seed", seed)
        assert status == 0
        return "\n".join(line for line in out.splitlines() if not line.startswith("trained"))

    assert table(3) == table(3)
    assert table(3) != table(4)


def test_a_table_with_gaps_and_categories_is_learned_saved_and_predicted_raw(
    run: Run, tmp_path: Path
) -> None:
    homes, model = tmp_path / "homes.csv.gz", tmp_path / "m.safetensors"
    write_homes(homes)
    status, out, err = run(
        "train", homes, "--target", "price", "--hidden", "16", "--learning-rate", "0.01",
        "--validation", "0.2", "--save", model,
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert "target: price, numbers (regression)" in out
    assert "rows: 240 to train on, 60 to validate on, 100 to test on (seed 0)" in out
    assert "validation R2" in out
    assert "kept the weights of epoch" in out
    assert float(out.split("test R2 ")[1].split(",")[0]) > 0.95
    assert float(out.split("RMSE ")[1].split(",")[0]) < 25_000  # in the units of the price
    assert f"saved to {model}" in out

    network = fastmlp.load(model)
    assert isinstance(network.encoder, TableEncoder)
    table = read_csv(homes)
    expected = network.encoder.inverse_target(
        network.predict(network.encoder.transform(table, network.dtype))
    )
    status, out, err = run("predict", model, homes)
    assert (status, err) == (0, "")
    predicted = np.array([row["prediction"] for row in rows_of(out)], dtype=np.float32)
    np.testing.assert_array_equal(predicted, expected.astype(np.float32))

    # The columns in another order, without the target, and a category that training did not have.
    (tmp_path / "new.csv").write_text("place;income;rooms\nNEAR BAY;5,5;\nMOON;5;5\n", encoding="utf-8")
    status, out, err = run("predict", model, "new.csv", "--output", "new-predicted.csv")
    assert (status, out, err) == (0, "", "")
    values = [
        float(row["prediction"]) for row in rows_of(Path("new-predicted.csv").read_text(encoding="utf-8"))
    ]
    assert values[0] == pytest.approx(3e4 * 5.5 + 1e4 * 5 + 5e4, rel=0.15)
    assert len(values) == 2


def test_the_encoder_sees_the_training_rows_alone(run: Run, tmp_path: Path) -> None:
    from fastmlp.data import holdout

    write_homes(tmp_path / "homes.csv.gz")
    table = read_csv(tmp_path / "homes.csv.gz")
    run("train", "homes.csv.gz", "--target", "price", "--epochs", "1", "--validation", "0.2", "--seed", "5",
        "--save", "m.safetensors")  # fmt: skip
    rest, _ = holdout(400, 0.25, 5)
    kept, _ = holdout(len(rest), 0.2, 5, substream=1)
    expected = TableEncoder("price").fit(table.take(rest[kept]))
    encoder = fastmlp.load("m.safetensors").encoder
    assert encoder is not None
    assert encoder.to_dict() == expected.to_dict()


@pytest.mark.skipif(not HOUSING.exists(), reason=f"needs {HOUSING.name} in FASTMLP_DATA or ../shared/data")
def test_california_housing_is_learned(run: Run) -> None:
    status, out, err = run(
        "train", HOUSING, "--target", "median_house_value", "--epochs", "30", "--save", "h.st"
    )
    assert (status, err) == (0, "")
    assert "20640 rows, 9 other columns" in out
    assert float(out.split("test R2 ")[1].split(",")[0]) > 0.7
    status, out, _ = run("predict", "h.st", HOUSING)
    assert status == 0
    assert len(rows_of(out)) == 20640


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ("yes no", (), "labels of 2 classes"),
        ("1 2 3", (), "labels of 3 classes"),
        ("1 2 3", ("--loss", "squared_error"), "numbers (regression)"),
        ("1 2 3", ("--loss", "poisson"), "numbers (regression)"),
        ("1.5 2.5", (), "numbers (regression)"),
        ("1.0 2.0", ("--loss", "hinge"), "labels of 2 classes"),
        ("0 1", ("--loss", "binary_cross_entropy"), "labels of 2 classes"),
        (" ".join(map(str, range(30))), (), "numbers (regression)"),
        (" ".join(map(str, range(30))), ("--loss", "softmax_cross_entropy"), "labels of 30 classes"),
    ],
)
def test_what_the_target_is_taken_for(run: Run, values: str, options: tuple[str, ...], said: str) -> None:
    cells = values.split() * (60 // len(values.split()))
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{v}\n" for i, v in enumerate(cells)), encoding="utf-8")
    status, out, err = run("train", "t.csv", "--target", "y", "--epochs", "2", *options)
    assert (status, err) == (0, "")
    assert said in out


def test_counts_keep_their_units_for_poisson(run: Run) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i % 7},{i % 7}\n" for i in range(70)), encoding="utf-8")
    status, _, _ = run("train", "t.csv", "--target", "y", "--loss", "poisson", "--epochs", "2", "--save", "m")
    assert status == 0
    encoder = fastmlp.load("m").encoder
    assert encoder is not None
    assert encoder.inverse_target([3.0]).tolist() == [3.0]


@pytest.mark.parametrize(
    "options",
    [
        ("--hidden", "none"),
        ("--hidden", "8,4", "--activation", "tanh,relu"),
        ("--activation", "gelu", "--optimizer", "sgd", "--learning-rate", "0.1"),
        ("--batch-size", "full", "--dtype", "float64"),
        ("--batch-size", "16", "--no-shuffle", "--l2", "0.001"),
        ("--dropout", "0.2", "--clip-norm", "1"),
        ("--validation", "0.2", "--patience", "2", "--min-delta", "0.01", "--no-restore-best"),
        ("--class-weight", "balanced", "--init", "glorot_normal", "--threads", "1"),
        ("--loss-target", "100"),
        ("--max-time", "0.001"),
        ("--loss", "hinge"),
        ("--loss", "binary_cross_entropy", "--test", "0"),
        ("--loss", "softmax_cross_entropy", "--output-activation", "auto"),
        ("--ignore", "x1,x2"),
    ],
)
def test_the_options_of_train_are_understood(run: Run, options: tuple[str, ...]) -> None:
    rows = "".join(f"{i},{i % 3},{i % 5},{'ab'[i % 2]}\n" for i in range(60))
    Path("t.csv").write_text("x0,x1,x2,y\n" + rows, encoding="utf-8")
    status, out, err = run("train", "t.csv", "--target", "y", "--epochs", "5", *options)
    assert (status, err) == (0, "")
    assert "trained" in out


def test_many_classes_are_summed_up_as_confusions(run: Run) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},c{i % 15}\n" for i in range(150)), encoding="utf-8")
    status, out, _ = run("train", "t.csv", "--target", "y", "--epochs", "1")
    assert status == 0
    assert "15 classes; the most frequent confusions:" in out


def test_names_from_the_data_are_printed_as_they_are_but_never_as_control_characters(run: Run) -> None:
    names = ["[bold]a[/bold]", "[/]", ":smile:", "\x1b[31mred"]
    rows = "".join(f"{i},{names[i % 4]}\n" for i in range(80))
    Path("t.csv").write_text("[x],y\n" + rows, encoding="utf-8")
    status, out, _ = run("train", "t.csv", "--target", "y", "--epochs", "1")
    assert status == 0
    for name in ("[bold]a[/bold]", "[/]", ":smile:", r"\x1b[31mred"):
        assert name in out
    assert "\x1b" not in out


# ------------------------------------------------------------------------------------------- predict and info


@pytest.fixture
def model(run: Run) -> Path:
    assert run("train", "iris", "--hidden", "6", "--epochs", "50", "--save", "iris.safetensors")[0] == 0
    return Path("iris.safetensors").absolute()


def test_predict_gives_labels_and_probabilities_in_the_order_of_the_rows(run: Run, model: Path) -> None:
    status, out, err = run("predict", model, "iris", "--proba")
    assert (status, err) == (0, "")
    rows = rows_of(out)
    names = ["setosa", "versicolor", "virginica"]
    assert list(rows[0]) == ["prediction", *(f"probability_{name}" for name in names)]
    probabilities = np.array([[float(row[f"probability_{name}"]) for name in names] for row in rows])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert [row["prediction"] for row in rows] == [names[i] for i in probabilities.argmax(axis=1)]


def test_predict_replaces_an_older_output_whole_and_leaves_nothing_else(run: Run, model: Path) -> None:
    Path("out.csv").write_text("old", encoding="utf-8")
    before = sorted(Path().iterdir())
    assert run("predict", model, "iris", "--output", "out.csv") == (0, "", "")
    assert sorted(Path().iterdir()) == before
    assert len(rows_of(Path("out.csv").read_text(encoding="utf-8"))) == 150


def test_a_model_trained_on_arrays_takes_plain_columns_in_order(run: Run) -> None:
    X = np.linspace(-1, 1, 40).reshape(20, 2)
    network = fastmlp.train(X, X[:, 0], hidden=(4,), epochs=5, dtype="float64")
    network.save("plain.safetensors")
    Path("x.csv").write_text("a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in X.tolist()), encoding="utf-8")
    status, out, err = run("predict", "plain.safetensors", "x.csv")
    assert (status, err) == (0, "")
    np.testing.assert_array_equal([float(row["prediction"]) for row in rows_of(out)], network.predict(X))


def test_info_describes_a_model(run: Run, model: Path) -> None:
    status, out, err = run("info", model)
    assert (status, err) == (0, "")
    for text in ("4-6-3", "relu", "softmax", "51 of float32", "setosa, versicolor, virginica", "50 epochs",
                 "species (classification)", "petal_width"):  # fmt: skip
        assert text in out


def test_info_without_a_model_describes_the_installation(run: Run) -> None:
    status, out, err = run("info")
    assert (status, err) == (0, "")
    assert out.strip()


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("-h",), ("train", "--help"), ("predict", "-h"), ("info", "-h")]
)
def test_help_is_printed(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    assert "Usage: fastmlp" in out


# -------------------------------------------------------------------------------------------------- bad input


def write_bad_files() -> None:
    files = {
        "good.csv": "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(40)),
        "numbers.csv": "x,y\n" + "".join(f"{i},{i / 2}\n" for i in range(40)),
        "one.csv": "x,y\n1,a\n2,a\n3,a\n",
        "ragged.csv": "x,y\n1,a\n2\n",
        "gap.csv": "x,y\n1,a\n2,\n",
        "inf.csv": "x,y\n1,a\ninf,b\n2,a\n3,b\n",
        "row.csv": "x,y\n1,2.5\n",
        "ids.csv": "x,y\n" + "".join(f"v{i},{i / 2}\n" for i in range(1500)),
        "odd.csv": "a\n1\n",
        "empty.csv": "",
        "notes.txt": "not a model",
        "text.csv": "sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n1,2,three,4\n",
        "extra.csv": "sepal_length,sepal_width,petal_length,petal_width,id\n1,2,3,4,5\n",
    }
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")
    Path("latin.csv").write_bytes(b"x,y\n1,caf\xe9\n")
    Path("folder").mkdir()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("train absent.csv --target y", "absent.csv: no such file"),
        ("train folder --target y", "folder: this is a directory, not a CSV file"),
        ("train good.csv", "--target is needed; the columns of good.csv are 'x', 'y'"),
        ("train good.csv --target z", "--target: good.csv has no column 'z'; it has 'x', 'y'"),
        ("train good.csv --target y --ignore z", "--ignore: good.csv has no column 'z'; it has 'x', 'y'"),
        ("train good.csv --target y --ignore y", "--ignore: 'y' is the target"),
        ("train good.csv --target y --ignore x", "good.csv: no input columns are left to learn from"),
        ("train empty.csv --target y", "empty.csv: the file is empty"),
        (
            "train ragged.csv --target y",
            "ragged.csv: line 3: 1 cell where 2 columns are named; column 'y' is not there",
        ),
        (
            "train latin.csv --target y",
            "latin.csv: line 2, byte 6 (0xe9) is not UTF-8 text; save the file as UTF-8",
        ),
        ("train gap.csv --target y", "gap.csv: 1 row has no value in the target column 'y' (line 3)"),
        ("train one.csv --target y", "one.csv: the target column 'y' holds one class only, 'a'"),
        ("train inf.csv --target y --test 0", "inf.csv: line 3, column 'x': inf is not a finite number"),
        ("train row.csv --target y", "at least 2 rows are needed to hold some back, got 1"),
        (
            "train ids.csv --target y --test 0",
            (
                "ids.csv: column 'x' holds 1500 different texts (line 2: 'v0'), more than 1000; "
                "mend it if it should be numbers, or have it ignored"
            ),
        ),
        (
            "train good.csv --target y --loss squared_error --test 0",
            "good.csv: line 2, column 'y': 'a' is not a number",
        ),
        (
            "train numbers.csv --target y --loss hinge",
            "numbers.csv: line 3, target column 'y': 0.5 is no label; labels are texts or whole numbers",
        ),
        ("train iris --test 1", "--test must be 0 or between 0 and 1, got 1"),
        ("train iris --test nan", "--test must be 0 or between 0 and 1, got nan"),
        ("train iris --validation 0", "--validation must be between 0 and 1, got 0"),
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
            "good.csv: no column 'sepal_length'; its columns are 'x', 'y'",
        ),
        (
            "predict iris.safetensors extra.csv",
            (
                "extra.csv: unknown column 'id'; "
                "the inputs are 'sepal_length', 'sepal_width', 'petal_length', 'petal_width'"
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
        ("learn iris", "No such command 'learn'."),
        ("train iris --hiden 6", "No such option: --hiden"),
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
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{'äö'[i % 2]}\n" for i in range(40)), encoding="utf-8")
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [["train", "iris", "--epochs", "1"], ["info"]])
def test_a_full_disk_under_standard_output_is_one_line(command: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = spawn(*command, stdout=full)
        _, err = process.communicate()
    assert (process.returncode, err) == (2, "fastmlp: error: No space left on device\n")


@posix
@pytest.mark.parametrize("save", [True, False])
def test_ctrl_c_saves_what_was_learned_and_exits_with_130(tmp_path: Path, save: bool) -> None:
    path = tmp_path / "m.safetensors"
    options = ["--save", str(path)] if save else []
    process = spawn("train", "iris", "--hidden", "6", "--epochs", "1000000000", "--max-time", "60", *options)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("rows:"):
        assert process.poll() is None
    time.sleep(1)  # the line is printed just before training begins
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.startswith("fastmlp: interrupted after ")
    assert err.count("\n") == 1
    assert path.exists() == save
    if save:
        assert err.endswith(f"epochs; the weights so far are in {path}\n")
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
