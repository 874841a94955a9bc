"""The command line: evaluate, info --json, pipes and completion."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics as sk

import fastmlp
from fastmlp.data import Table, TableEncoder, read_csv

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

#: What is said of the file that the model was trained on.
SEEN = (
    "fastmlp: warning: the model was trained on 90 of these 150 rows; "
    "--rows test takes those that were held back\n"
)
IRIS = (files("fastmlp.datasets") / "iris.csv").read_bytes()


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Stand for standard input: what is written here, and rewound, is read by `-`."""
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer))
    return buffer


def feed(stdin: io.BytesIO, content: bytes) -> None:
    stdin.write(content)
    stdin.seek(0)


# ------------------------------------------------------------------------------------------------- evaluate


def test_evaluate_gives_the_metrics_of_labels(run: Run, model: Path) -> None:
    status, out, err = run("evaluate", model, "iris", "--json")
    assert (status, err) == (0, SEEN)
    found = json.loads(out)
    table = read_csv(io.BytesIO(IRIS))
    network = fastmlp.load(model)
    assert network.encoder is not None
    X, y = network.encoder.transform(table), table["species"].astype(str)
    predicted = network.predict(X)
    assert found["rows"] == 150
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, predicted))
    assert found["log_loss"] == pytest.approx(sk.log_loss(y, network.predict_proba(X)), rel=1e-5)
    assert found["macro_f1"] == pytest.approx(sk.f1_score(y, predicted, average="macro"))
    assert found["confusion_matrix"] == sk.confusion_matrix(y, predicted).tolist()
    status, out, err = run("evaluate", model, "iris")
    assert (status, err) == (0, SEEN)
    assert out.startswith(f"accuracy {found['accuracy']:.4f} (")
    assert "precision   recall" in out
    assert "rows: true class, columns: predicted" in out


def test_evaluate_gives_the_metrics_of_values_in_their_units(run: Run) -> None:
    Path("t.csv").write_text(
        "x,y\n" + "".join(f"{i + 5},{1e5 + 300 * i}\n" for i in range(100)), encoding="utf-8"
    )
    run("train", "t.csv", "--target", "y", "--save", "m", "--epochs", "50")
    status, out, err = run("evaluate", "m", "t.csv", "--json")
    assert (status, err) == (0, SEEN.replace("90 of these 150", "60 of these 100"))
    found = json.loads(out)
    run("predict", "m", "t.csv", "--output", "p.csv")
    y, p = read_csv("t.csv")["y"], read_csv("p.csv")["prediction"]
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(y, p), rel=1e-4)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, p), rel=1e-4)
    assert found["r2"] == pytest.approx(sk.r2_score(y, p), rel=1e-4)
    status, out, _ = run("evaluate", "m", "t.csv")
    constant = found["baseline"]
    metrics, always = out.splitlines()
    assert always.startswith(f"  {constant['predicts']}: RMSE ")
    assert metrics == f"R2 {found['r2']:.4f}, RMSE {found['rmse']:.6g}, MAE {found['mae']:.6g} (100 rows)"


def test_hinge_has_no_log_loss(run: Run) -> None:
    run("train", "iris", "--loss", "hinge", "--epochs", "20", "--save", "m")
    status, out, _ = run("evaluate", "m", "iris", "--json")
    assert (status, json.loads(out)["log_loss"]) == (0, None)
    assert "log loss" not in run("evaluate", "m", "iris")[1]


def test_the_truth_may_have_another_name_and_labels_that_look_like_numbers_stay_texts(run: Run) -> None:
    rows = [f"{i + 5},{['007', '11'][i % 2]}" for i in range(40)]
    Path("t.csv").write_text("x,y\n" + "\n".join(rows), encoding="utf-8")
    Path("new.csv").write_text("x,truth\n1,11\n2,11\n", encoding="utf-8")
    Path("same.csv").write_text("x,y\n1,11\n2,11\n", encoding="utf-8")
    run("train", "t.csv", "--target", "y", "--epochs", "5", "--save", "m")
    assert run("evaluate", "m", "same.csv", "--json")[0] == 0
    status, _, err = run("evaluate", "m", "new.csv", "--target", "truth")
    assert (status, err) == (
        2,
        "fastmlp: error: new.csv: the target column 'truth' holds numbers; the model's labels are texts\n",
    )
    Path("new.csv").write_text("x,truth\n1,007\n2,seven\n", encoding="utf-8")
    status, out, err = run("evaluate", "m", "new.csv", "--target", "truth", "--json")
    assert status == 0
    said = "new.csv: 1 row of labels that the model does not know count as mistakes: 'seven'"
    assert err == f"fastmlp: warning: {said}\n"
    assert [c["label"] for c in json.loads(out)["classes"]] == ["007", "11", "seven"]


def test_a_model_trained_on_arrays_is_evaluated_on_the_columns_beside_the_target(run: Run) -> None:
    X = np.linspace(-1, 1, 40).reshape(20, 2)
    fastmlp.train(X, X[:, 0], hidden=(4,), epochs=5).save("values.safetensors")
    fastmlp.train(X, X, hidden=(4,), epochs=5).save("outputs.safetensors")
    labels = np.arange(40).reshape(20, 2) % 2
    fastmlp.train(X, labels, loss="binary_cross_entropy", hidden=(4,), epochs=5).save("multi.safetensors")
    cells = "".join(f"{a!r},{a!r},{b!r}\n" for a, b in X.tolist())
    Path("t.csv").write_text("y,a,b\n" + cells, encoding="utf-8")
    assert run("evaluate", "values.safetensors", "t.csv", "--target", "y")[0] == 0
    error = "fastmlp: error: --target: the model has 2 targets, got 1 column: 'y'\n"
    for name in ("outputs", "multi"):
        assert run("evaluate", f"{name}.safetensors", "t.csv", "--target", "y") == (2, "", error)
    line = "fastmlp: error: --target is needed; the columns of t.csv are 'y', 'a', 'b'\n"
    assert run("evaluate", "values.safetensors", "t.csv") == (2, "", line)


def test_several_targets_have_a_line_each(run: Run) -> None:
    x = np.linspace(-1, 1, 20)
    table = Table({"x": x, "a": 3 * x, "b": 100 - x})
    encoder = TableEncoder(["a", "b"]).fit(table)
    net = fastmlp.train(encoder.transform(table), encoder.transform_target(table), hidden=(4,), epochs=5)
    net.encoder = encoder
    net.save("ab.safetensors")
    cells = "".join(f"{v!r},{3 * v!r},{100 - v!r}\n" for v in x.tolist())
    Path("ab.csv").write_text("x,a,b\n" + cells, encoding="utf-8")
    status, out, _ = run("evaluate", "ab.safetensors", "ab.csv")
    expected = net.evaluate(table).metrics
    assert status == 0
    assert out.startswith(expected.summary())
    for name, each in expected.outputs:  # type: ignore[union-attr]
        assert re.search(rf"{name} +{each.r2:.4f} +{each.rmse:.6g} +{each.mae:.6g}", out)


def test_output_takes_what_would_be_printed(run: Run, model: Path) -> None:
    _, text, _ = run("evaluate", model, "iris")
    assert run("evaluate", model, "iris", "--output", "e.txt") == (0, "", SEEN)
    assert Path("e.txt").read_text(encoding="utf-8") == text
    assert run("evaluate", model, "iris", "--output", "-") == (0, text, SEEN)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("iris --target z", "--target: iris has no column 'z'; it has "),
        ("no.csv", "no.csv: no such file"),
        ("x.csv", "--target: x.csv has no column 'species'; it has 'sepal_length'"),
        ("gap.csv", "gap.csv: 1 row has no value in the target column 'species' (line 2)"),
        ("one.csv", "one.csv: there is no column beside the target 'species'"),
        ("iris --output iris.safetensors", "--output: iris.safetensors is the file to read from"),
        ("iris --output no/e.txt", "--output: no/e.txt: there is no folder 'no'"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(run: Run, model: Path, arguments: str, line: str) -> None:
    Path("x.csv").write_text("sepal_length\n1\n", encoding="utf-8")
    Path("gap.csv").write_text("sepal_length,species\n1,\n", encoding="utf-8")
    Path("one.csv").write_text("species\nsetosa\n", encoding="utf-8")
    status, out, err = run("evaluate", model.name, *arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"fastmlp: error: {line}")
    assert err.count("\n") == 1


# ----------------------------------------------------------------------------------------------------- others


def test_info_as_json(run: Run, model: Path) -> None:
    status, out, err = run("info", model, "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["layer_sizes"] == [4, 6, 3]
    assert found["classes"] == ["setosa", "versicolor", "virginica"]
    assert found["training"]["epochs"] == 50
    assert found["bytes"] == model.stat().st_size
    assert run("info", "--json") == (2, "", "fastmlp: error: --json needs a MODEL\n")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_dash_reads_standard_input_plain_or_gzipped(
    run: Run, model: Path, stdin: io.BytesIO, pack: type[bytes]
) -> None:
    for arguments in (
        ("predict", model, "-"),
        ("evaluate", model, "-"),
        ("train", "-", "--target", "species", "--epochs", "1"),
    ):
        stdin.seek(0)
        feed(stdin, pack(IRIS))
        status, out, err = run(*arguments)
        assert (status, err) == (0, SEEN if arguments[0] == "evaluate" else "")
        assert "150 rows" in out or out.count("\n") == 151


def test_an_error_in_standard_input_says_where(run: Run, model: Path, stdin: io.BytesIO) -> None:
    feed(stdin, b"sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n1,2,three,4\n")
    line = "fastmlp: error: standard input: line 3, column 'petal_length': 'three' is not a number\n"
    assert run("predict", model, "-") == (2, "", line)


def test_closed_standard_input_is_one_line(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert run("predict", model, "-") == (2, "", "fastmlp: error: standard input is closed\n")


def test_predictions_go_to_standard_output_by_a_dash_and_models_do_not(run: Run, model: Path) -> None:
    status, out, err = run("predict", model, "iris", "--output", "-")
    assert (status, out.count("\n"), err) == (0, 151, "")
    line = "fastmlp: error: --save: a fastmlp model goes to a file, not to standard output\n"
    assert run("train", "iris", "--save", "-") == (2, "", line)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(shell: str) -> None:
    def complete(words: str) -> str:
        environment = {
            **os.environ,
            "_FASTMLP_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        command = [sys.executable, "-m", "fastmlp.cli"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert "evaluate" in complete("fastmlp ev")
    assert "--validation" in complete("fastmlp train --val")


def test_the_help_lists_the_exit_codes(run: Run) -> None:
    _, out, _ = run("--help")
    text = " ".join(out.split())
    for code in ("0 done", "1 the training diverged", "2 bad input", "130 interrupted", "141 the reader"):
        assert code in text


def test_help_and_predict_import_nothing_heavy() -> None:
    heavy = "{'matplotlib', 'pandas', 'scipy', 'sklearn', 'pyarrow', 'onnx'}"
    code = (
        "import sys; from fastmlp.cli import main; import fastmlp._cli.predict; main(['--help']); "
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
