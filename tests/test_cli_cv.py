"""`fastmlp cv`: the folds of a table, as `cross_validate` gives them, and what is written of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import fastmlp
from cli_tools import interrupted_training
from fastmlp.data import TableEncoder, read_csv

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

FEW = ("--epochs", "3", "--hidden", "4")


def write_people(n: int = 120, name: str = "t.csv") -> None:
    """Write rows with a key, a group of three rows, a weight, gaps and an income that depends on age."""
    rng = np.random.default_rng(0)
    age, town = rng.integers(20, 60, n), rng.choice(["Oslo", "Rome"], n)
    rows = "".join(
        f"p{i:03},{i // 3},{1 + i % 2},{age[i]},{town[i]},"
        f"{'' if i % 10 == 9 else 'high' if age[i] > 40 else 'low'},{1000 * age[i] + i}\n"
        for i in range(n)
    )
    Path(name).write_text("key,family,count,age,town,income,pay\n" + rows, encoding="utf-8")


def result(run: Run, *arguments: Any) -> dict[str, Any]:
    status, out, err = run("cv", *arguments, *FEW, "--json")
    assert (status, err) == (0, "")
    parsed: dict[str, Any] = json.loads(out)
    return parsed


def rows_of(name: str) -> list[dict[str, str]]:
    with Path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_prints_the_folds_and_the_mean_with_its_error(run: Run) -> None:
    status, out, err = run("cv", "iris", "--hidden", "8", "--epochs", "60", "--folds", "4")
    assert (status, err) == (0, "")
    assert "iris: 150 rows, 4 other columns" in out
    assert "target: species, labels of 3 classes (classification)" in out
    assert "rows: 150 in 4 folds, stratified; 0.2 of those to train on are to validate on (seed 0)" in out
    assert "network: 4-8-3, loss softmax_cross_entropy" in out
    lines = [line.split() for line in out.splitlines()]
    folds = [line for line in lines if line and line[0] in "0123" and line[-1] == "epochs"]
    assert [line[:3] for line in folds] == [
        ["0", "112", "38"],
        ["1", "112", "38"],
        ["2", "113", "37"],
        ["3", "113", "37"],
    ]
    mean = next(line for line in lines if line[:1] == ["accuracy"])
    assert float(mean[1]) == pytest.approx(np.mean([float(line[3]) for line in folds]), abs=1e-3)
    assert mean[2] == "+-"
    assert "(mean and standard error of 4 folds; higher is better)" in out
    assert "held-out accuracy 0." in out
    assert "  always 'setosa': accuracy 0.333, log loss 1.0" in out
    assert "\nverdict: sound: log loss " in out


def test_it_is_what_the_library_gives(run: Run) -> None:
    write_people()
    found = result(run, "t.csv", "--target", "pay", "--ignore", "key,income,family,count", "--folds", "3")
    table = read_csv("t.csv").drop("key", "income", "family", "count")
    config = found["config"]
    assert config["learning_rate"] == "one_cycle(0.01)"
    expected = fastmlp.cross_validate(
        table, "pay", folds=3, task="regression", encode=TableEncoder(), validation=0.2,
        hidden=(4,), epochs=3, optimizer=fastmlp.Adam(weight_decay=0.1),
        learning_rate=fastmlp.OneCycle(0.01), dropout=config["dropout"],
    )  # fmt: skip
    assert [fold["score"] for fold in found["folds"]] == expected.scores.tolist()
    assert (found["mean"], found["standard_error"]) == (expected.mean, expected.standard_error)
    assert found["metrics"] == expected.evaluation.metrics.to_dict()
    assert (found["metric"], found["higher_is_better"], found["rows"]) == ("r2", True, 120)
    assert found["baseline"]["predicts"].startswith("always the mean")
    assert found["verdict"]
    assert [fold["rows"] + fold["test_rows"] for fold in found["folds"]] == [120] * 3


def test_a_network_of_a_fold_is_one_that_train_makes_of_its_rows(run: Run) -> None:
    """With the recipe that `train` has for as many rows."""
    write_people()
    options = ("--target", "pay", "--ignore", "key,income,family,count", "--hidden", "4")
    found = json.loads(run("cv", "t.csv", *options, "--split", "time", "--folds", "2", "--json")[1])
    trained = json.loads(run("train", "t.csv", *options, "--split", "time", "--test", "0.3333", "--json")[1])
    for name in ("optimizer", "learning_rate", "dropout"):
        assert found["config"][name] == trained["config"][name]
    given = json.loads(run("cv", "t.csv", *options, "--optimizer", "sgd", *FEW, "--json")[1])
    assert "learning_rate" not in given["config"]


def test_groups_weights_and_names_of_rows_are_no_inputs(run: Run) -> None:
    write_people()
    roles = ("--groups", "family", "--weight", "count", "--id", "key")
    found = result(run, "t.csv", "--target", "income", *roles, "--folds", "4", "--predictions", "p.csv")
    assert found["network"]["columns"] == ["age", "town", "pay"]
    assert found["rows"] == 108
    assert "dropped 12 rows without a value in 'income'" in " ".join(found["notes"])
    weights = np.array([1 + i % 2 for i in range(120) if i % 10 != 9])
    assert sum(entry["support"] for entry in found["metrics"]["classes"]) == weights.sum()
    rows = rows_of("p.csv")
    assert [row["key"] for row in rows] == [f"p{i:03}" for i in range(120)]
    assert [not row["prediction"] for row in rows] == [i % 10 == 9 for i in range(120)]
    truth = [row["income"] for row in rows_of("t.csv")]
    right = [row["prediction"] == label for row, label in zip(rows, truth, strict=True) if row["prediction"]]
    assert np.average(right, weights=weights) == pytest.approx(found["metrics"]["accuracy"])


def test_predictions_have_probabilities_and_may_be_parquet(run: Run) -> None:
    write_people()
    options = ("t.csv", "--target", "income", "--ignore", "key,family", "--proba", "--split", "time")
    found = result(run, *options, "--predictions", "p.parquet")
    frame = pd.read_parquet("p.parquet")
    assert list(frame.columns) == ["prediction", "probability_high", "probability_low"]
    assert len(frame) == 120
    tested = frame.dropna()
    assert len(tested) == sum(fold["test_rows"] for fold in found["folds"])
    np.testing.assert_allclose(tested["probability_high"] + tested["probability_low"], 1, rtol=1e-6)
    assert (tested["prediction"] == np.where(tested["probability_low"] > 0.5, "low", "high")).all()


def test_values_are_written_without_digits_that_nobody_knows(run: Run) -> None:
    write_people()
    result(run, "t.csv", "--target", "pay,age", "--ignore", "key,family,income", "--predictions", "p.csv")
    rows = rows_of("p.csv")
    assert list(rows[0]) == ["prediction_pay", "prediction_age"]
    assert all(len(row["prediction_pay"].partition(".")[2]) <= 4 for row in rows)


def test_the_networks_are_saved_as_one_model_that_other_commands_take(run: Run) -> None:
    write_people()
    options = ("t.csv", "--target", "income", "--id", "key", "--ignore", "family", *FEW, "--folds", "3")
    status, out, err = run("cv", *options, "--save", "m.safetensors")
    assert (status, err) == (0, "")
    assert out.endswith("saved to m.safetensors, an ensemble of 3 networks\n")
    ensemble = fastmlp.load("m.safetensors")
    assert isinstance(ensemble, fastmlp.Ensemble)
    assert len(ensemble.networks) == 3
    status, out, err = run("predict", "m.safetensors", "t.csv")
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(out.splitlines()))
    assert list(rows[0]) == ["key", "prediction"]
    assert [row["prediction"] for row in rows] == ensemble.predict(
        read_csv("t.csv").drop("key", "family")
    ).tolist()
    status, out, err = run("evaluate", "m.safetensors", "t.csv", "--json")
    assert status == 0
    assert json.loads(out)["rows"] == 108
    assert "the model was trained on 108 of these 108 rows" in err


def test_repeats_and_metrics(run: Run) -> None:
    found = result(run, "iris", "--folds", "3", "--repeats", "2", "--metric", "log_loss", "--seed", "5")
    assert [(fold["repeat"], fold["fold"]) for fold in found["folds"]] == [
        (i, j) for i in (0, 1) for j in range(3)
    ]
    assert (found["metric"], found["higher_is_better"]) == ("log_loss", False)
    assert found["config"]["seed"] == 5
    assert found["mean"] == pytest.approx(np.mean([fold["score"] for fold in found["folds"]]))


def test_a_config_holds_its_options(run: Run) -> None:
    Path("run.toml").write_text(
        '[cv]\ndata = "iris"\nfolds = 3\nepochs = 3\nhidden = [4]\n', encoding="utf-8"
    )
    found = json.loads(run("cv", "--config", "run.toml", "--json")[1])
    assert len(found["folds"]) == 3
    again = json.loads(run("cv", "iris", "--folds", "3", *FEW, "--json")[1])
    assert [fold["score"] for fold in found["folds"]] == [fold["score"] for fold in again["folds"]]
    Path("again.toml").write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in found["config"].items()), encoding="utf-8"
    )
    same = json.loads(run("cv", "--config", "again.toml", "--json")[1])
    assert same["mean"] == found["mean"]


def test_quiet_prints_nothing_and_warns_of_what_is_not_sound(run: Run) -> None:
    rng = np.random.default_rng(3)
    rows = "".join(f"{x:.3f},{y:.3f}\n" for x, y in rng.normal(size=(60, 2)))
    Path("noise.csv").write_text("a,y\n" + rows, encoding="utf-8")
    status, out, err = run("cv", "noise.csv", "--target", "y", "--quiet")
    assert (status, out) == (0, "")
    assert err.startswith("fastmlp: warning: no better than the constant: RMSE ")


def test_a_column_that_tells_the_target_is_said_once(run: Run) -> None:
    write_people()
    frame = pd.read_csv("t.csv").assign(rich=lambda frame: frame["income"].map({"high": "yes", "low": "no"}))
    frame.to_csv("u.csv", index=False)
    status, out, err = run("cv", "u.csv", "--target", "income", "--ignore", "key,family", *FEW)
    assert (status, err) == (0, "")
    assert out.count("column 'rich' has one value for each label of 'income'") == 1 + out.count(
        "verdict: too good to be true"
    )
    assert "--ignore rich leaves it out" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("t.csv",), "--target is needed; the columns of t.csv are"),
        (("iris", "--folds", "1"), "--folds must be at least 2, got 1"),
        (("iris", "--folds", "60"), "folds must be at most the number of rows of some class, 50, got 60"),
        (("iris", "--repeats", "0"), "--repeats must be at least 1, got 0"),
        (
            ("iris", "--split", "random"),
            "--split must be auto or stratified or plain or grouped or time, got",
        ),
        (
            ("iris", "--metric", "f2"),
            "--metric must be auto or accuracy or log_loss or macro_f1 or auc or r2",
        ),
        (
            ("iris", "--metric", "rmse"),
            "metric must be one of accuracy, log_loss, macro_f1, auc where labels",
        ),
        (("iris", "--split", "grouped"), "--groups is needed with --split grouped"),
        (("iris", "--groups", "species"), "--group: 'species' is the target"),
        (("t.csv", "--target", "pay", "--groups", "x"), "--group: t.csv has no column 'x'"),
        (
            ("iris", "--groups", "sepal_width", "--split", "time"),
            "--groups goes with --split grouped, got 'time'",
        ),
        (("iris", "--split", "time", "--repeats", "2"), "--repeats does not go with --split time"),
        (
            ("t.csv", "--target", "pay", "--groups", "income"),
            "t.csv: line 11, column 'income' of --group: the",
        ),
        (("iris", "--proba"), "--proba goes with --predictions"),
        (
            ("t.csv", "--target", "pay", "--proba", "--predictions", "p.csv"),
            "--proba: the target is a quantity",
        ),
        (("iris", "--proba", "--predictions", "p.csv", "--loss", "hinge"), "--proba: loss hinge gives no"),
        (("iris", "--predictions", "-"), "--predictions: predictions go to a file, not to standard output"),
        (
            ("iris", "--predictions", "p.html"),
            "--predictions: p.html: predictions cannot be written as .html",
        ),
        (("iris", "--predictions", "t.csv"), "--predictions: t.csv: is there already and was not written by"),
        (("iris", "--save", "t.csv"), "--save: t.csv: is there already and is not a fastmlp model"),
        (("iris", "--validation", "1"), "--validation must be 0 or between 0 and 1, got 1"),
        (("iris", "--hidden", "0"), "folds[0]: hidden[0] must be at least 1"),
        (("iris", "--test", "0.2"), "No such option: --test"),
        (("t.csv", "--target", "pay", "--strict"), "t.csv: nothing may be left out, but there would be:"),
        (("iris", "--config", "run.toml"), "--config: run.toml: no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run: Run, arguments: tuple[str, ...], line: str) -> None:
    write_people()
    before = Path("t.csv").read_bytes()
    status, out, err = run("cv", *arguments, *(() if "--hidden" in arguments else FEW))
    assert status == 2
    assert "fold " not in out
    assert err.startswith(f"fastmlp: error: {line}")
    assert err.count("\n") == 1
    assert Path("t.csv").read_bytes() == before


def test_a_fold_that_diverges_is_exit_code_1(run: Run) -> None:
    frame = pd.DataFrame({"a": np.r_[1e15, np.arange(59.0)], "y": np.r_[1e18, np.arange(59.0)]})
    frame.to_csv("far.csv", index=False)
    options = (
        "--target",
        "y",
        "--optimizer",
        "sgd",
        "--learning-rate",
        "1e9",
        "--hidden",
        "4",
        "--epochs",
        "9",
    )
    status, out, err = run("cv", "far.csv", *options)
    assert status == 1
    assert "diverged" in out
    assert err.startswith("fastmlp: warning: ")
    status, out, err = run("cv", "far.csv", *options, "--no-restore-best", "--quiet")
    assert (status, out) == (1, "")
    assert err.startswith("fastmlp: error: folds[")


def test_ctrl_c_says_how_far_it_was() -> None:
    err = interrupted_training("--folds", "3", command="cv")
    assert err.endswith("fastmlp: interrupted after 0 of 3 networks; nothing was saved\n")


def test_the_time_may_be_up_before_a_fold(run: Run) -> None:
    status, out, err = run(
        "cv", "iris", "--max-time", "0.01", "--epochs", "1000000", "--threads", "1", "--quiet"
    )
    assert (status, out) == (1, "")
    assert err.startswith("fastmlp: error: folds[")
    assert err.endswith("not begun: max_time, 0.01 s, was over\n")
