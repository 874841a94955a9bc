"""The command line: a run described by a file, and its columns and rows chosen by options."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fastmlp
from fastmlp.data import read_csv

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]


def write_table(n: int = 60) -> None:
    """Write columns a, b, "c,d" and the target y = 2 a, in the order of the rows."""
    rows = "".join(f"{i + 5},{i % 5},{i % 3},{2 * i}.5\n" for i in range(n))
    Path("t.csv").write_text(f'a,b,"c,d",y\n{rows}', encoding="utf-8")


def result(run: Run, *arguments: Any) -> dict[str, Any]:
    status, out, err = run(*arguments, "--json")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    parsed: dict[str, Any] = json.loads(out)
    return parsed


def without_times(outcome: dict[str, Any]) -> dict[str, Any]:
    history = {name: values for name, values in outcome["history"].items() if name != "seconds"}
    return {**outcome, "history": history, "seconds": None}


# ---------------------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    ("options", "inputs", "target"),
    [
        (("--target", "y"), ["a", "b", "c,d"], "y"),
        (("--target", "3"), ["a", "b", "c,d"], "y"),
        (("--target", "0"), ["b", "c,d", "y"], "a"),
        (("--target", "y", "--x", "a,b"), ["a", "b"], "y"),
        (("--target", "y", "--x", "1,0"), ["a", "b"], "y"),
        (("--target", "y", "--x", 'b,"c,d"'), ["b", "c,d"], "y"),
        (("--target", "y", "--ignore", "0"), ["b", "c,d"], "y"),
        (("--target", "y", "--ignore", "a", "--x", "b"), ["b"], "y"),
    ],
)
def test_columns_are_chosen_by_name_or_place(
    run: Run, options: tuple[str, ...], inputs: list[str], target: str
) -> None:
    write_table()
    network = result(run, "train", "t.csv", "--epochs", "1", "--loss", "squared_error", *options)["network"]
    assert (network["columns"], network["target"]) == (inputs, target)


def test_a_column_called_like_a_number_goes_before_a_place(run: Run) -> None:
    Path("t.csv").write_text(
        "a,1,0\n" + "".join(f"{i + 5},{i + 5},{i / 2}\n" for i in range(20)), encoding="utf-8"
    )
    network = result(run, "train", "t.csv", "--target", "0", "--epochs", "1")["network"]
    assert (network["columns"], network["target"]) == (["a", "1"], "0")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--target 4", "--target: t.csv has no column '4'; it has 'a', 'b', 'c,d', 'y'"),
        ("--target -1", "--target: t.csv has no column '-1'; it has 'a', 'b', 'c,d', 'y'"),
        ("--target y --x a,z", "--x: t.csv has no column 'z'; it has 'a', 'b', 'c,d', 'y'"),
        ("--target y --x a,y", "--x: 'y' is the target"),
        ("--target y --x a,3", "--x: 'y' is the target"),
        ("--target y --x a,b --ignore b", "--x: 'b' is in --ignore too"),
        ("--target y --x ,", "--x: t.csv has no column ''; it has 'a', 'b', 'c,d', 'y'"),
        ("--target y --x=", "--x must be names with commas between them, got none"),
        ("--target y --split sorted", "--split must be random or time, got 'sorted'"),
    ],
)
def test_columns_and_rows_that_cannot_be_chosen_are_one_line(run: Run, options: str, line: str) -> None:
    write_table()
    assert run("train", "t.csv", *options.split()) == (2, "", f"fastmlp: error: {line}\n")


# ------------------------------------------------------------------------------------------------------- rows


def test_a_split_in_time_holds_back_the_last_rows_the_test_after_the_validation(run: Run) -> None:
    write_table(60)
    status, out, _ = run("train", "t.csv", "--target", "y", "--epochs", "1", "--split", "time",
                         "--validation", "0.25", "--test", "0.2", "--save", "m")  # fmt: skip
    assert status == 0
    assert "rows: 36 to train on, 12 to validate on, 12 to test on (in the order of the rows)" in out
    encoder = fastmlp.load("m").encoder
    assert encoder is not None
    table = read_csv("t.csv")
    assert encoder.columns[0].to_dict()["center"] == table["a"][:36].mean()


@pytest.mark.parametrize(
    ("options", "rows", "on"),
    [
        ((), {"training": 36, "validation": 9, "test": 15}, "test"),
        (("--validation", "0.2"), {"training": 48, "validation": 12, "test": 0}, "validation"),
        (("--validation", "0.2", "--test", "0.5"), {"training": 24, "validation": 6, "test": 30}, "test"),
        (("--test", "0"), {"training": 48, "validation": 12, "test": 0}, "validation"),
        (("--validation", "0"), {"training": 45, "validation": 0, "test": 15}, "test"),
        (("--test", "0", "--validation", "0"), {"training": 60, "validation": 0, "test": 0}, None),
    ],
)
def test_the_network_is_judged_by_the_test_rows_or_else_by_the_validation_rows(
    run: Run, options: tuple[str, ...], rows: dict[str, int], on: str | None
) -> None:
    write_table(60)
    arguments = ("train", "t.csv", "--target", "y", "--epochs", "3", *options)
    outcome = result(run, *arguments)
    assert (outcome["rows"], outcome["evaluated_on"]) == (rows, on)
    assert (outcome["metrics"] is None) == (on is None)
    status, out, _ = run(*arguments)
    assert status == 0
    for name in ("test", "validation"):
        assert (f"\n{name} R2 " in out) == (name == on)


def test_the_metrics_on_the_validation_rows_are_those_of_the_best_epoch(run: Run) -> None:
    outcome = result(run, "train", "iris", "--hidden", "8", "--epochs", "300", "--validation", "0.3",
                     "--learning-rate", "0.5", "--batch-size", "10")  # fmt: skip
    losses = outcome["history"]["validation_loss"]
    best = int(np.argmin(losses))
    assert best < 299
    assert outcome["metrics"]["log_loss"] == pytest.approx(losses[best], rel=1e-4)
    assert outcome["metrics"]["accuracy"] == outcome["history"]["validation_accuracy"][best]


def test_several_quantiles_are_judged_by_their_coverage(run: Run) -> None:
    write_table(200)
    status, out, err = run("train", "t.csv", "--target", "y", "--loss", "quantile(0.1, 0.9)", "--save", "q",
                           "--epochs", "300")  # fmt: skip
    assert (status, err) == (0, "")
    assert "test coverage " in out
    status, out, _ = run("evaluate", "q", "t.csv", "--json")
    low, high = json.loads(out)["quantiles"]
    assert low["coverage"] <= high["coverage"]


# ------------------------------------------------------------------------------------------------------- JSON


def test_json_is_one_object_with_all_of_the_run(run: Run) -> None:
    outcome = result(run, "train", "iris", "--hidden", "6", "--epochs", "7", "--save", "m")
    assert list(outcome) == [
        "config", "notes", "rows", "network", "history", "evaluated_on", "metrics", "baseline", "verdict",
        "stop_reason", "seconds", "saved", "report",
    ]  # fmt: skip
    assert outcome["network"]["layer_sizes"] == [4, 6, 3]
    assert outcome["history"]["epoch"] == [1, 2, 3, 4, 5, 6, 7]
    assert (outcome["stop_reason"], outcome["saved"], outcome["report"]) == ("epochs", "m", None)
    assert outcome["seconds"] == outcome["history"]["seconds"][-1]
    assert sum(map(sum, outcome["metrics"]["confusion_matrix"])) == outcome["rows"]["test"]


def test_what_is_not_finite_becomes_null(run: Run) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i + 5},1.5\n" for i in range(20)), encoding="utf-8")
    outcome = result(run, "train", "t.csv", "--target", "y", "--epochs", "1")
    assert outcome["metrics"]["r2"] is None


def test_quiet_prints_nothing_but_what_was_asked_for(run: Run) -> None:
    assert run("train", "iris", "--epochs", "2", "--quiet", "--save", "m") == (0, "", "")
    assert Path("m").exists()
    assert "metrics" in result(run, "train", "iris", "--epochs", "2", "--quiet")
    status, out, err = run("train", "t.csv", "--quiet")
    assert (status, out) == (2, "")
    assert err == "fastmlp: error: t.csv: no such file\n"


# -------------------------------------------------------------------------------------------------- --config


@pytest.mark.parametrize("header", ["", "[train]\n"])
def test_the_config_of_a_run_gives_the_same_run_again(run: Run, header: str) -> None:
    write_table()
    first = result(
        run, "train", "t.csv", "--target", "3", "--x", '0,"c,d"', "--hidden", "8,4", "--seed", "7",
        "--activation", "tanh,relu", "--learning-rate", "1e-5", "--validation", "0.2", "--no-shuffle",
        "--batch-size", "full", "--optimizer", "sgd",
    )  # fmt: skip
    # JSON's numbers, texts, truth values and arrays are TOML's too.
    lines = [f"{key} = {json.dumps(value)}" for key, value in first["config"].items()]
    Path("run.toml").write_text(header + "\n".join(lines), encoding="utf-8")
    assert without_times(result(run, "train", "--config", "run.toml")) == without_times(first)


def test_options_of_the_command_line_win_and_arrays_and_dashes_are_understood(run: Run) -> None:
    write_table()
    Path("run.toml").write_text(
        'target = "y"\nhidden = [8, 4]\nactivation = ["tanh", "relu"]\nignore = ["c,d"]\nlearning-rate = 1\n'
        "epochs = 3\nbatch_size = 16\nshuffle = true\nquiet = false\n",
        encoding="utf-8",
    )
    outcome = result(run, "train", "t.csv", "--config", "run.toml", "--epochs", "2", "--no-shuffle")
    assert outcome["network"]["layer_sizes"] == [2, 8, 4, 1]
    assert outcome["network"]["activations"] == ["tanh", "relu"]
    assert outcome["network"]["ignored"] == ["c,d"]
    assert len(outcome["history"]["loss"]) == 2
    assert outcome["config"]["shuffle"] is False
    assert outcome["config"]["learning_rate"] == "1"


def test_no_hidden_layers_can_be_configured(run: Run) -> None:
    Path("run.toml").write_text('data = "iris"\nhidden = []\nepochs = 1\n', encoding="utf-8")
    assert result(run, "train", "--config", "run.toml")["network"]["layer_sizes"] == [4, 3]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('colour = "red"', "run.toml: unknown key 'colour'; the keys are 'data', 'target', "),
        ('config = "run.toml"', "run.toml: unknown key 'config'; the keys are "),
        ("return = 1", "run.toml: unknown key 'return'"),
        ("x = []", "--x must be names with commas between them, got none"),
        ('x = ["a", "\\n"]', "--x: iris has no column 'a'"),
        ('epochs = "many"', "run.toml: epochs: must be a whole number, got 'many'"),
        ("epochs = 1.5", "run.toml: epochs: must be a whole number, got 1.5"),
        ("epochs = true", "run.toml: epochs: must be a whole number, got True"),
        ("learning-rate = true", "run.toml: learning-rate: must be a text, got True"),
        ("l2 = false", "run.toml: l2: must be a number, got False"),
        ("shuffle = 1", "run.toml: shuffle: must be true or false, got 1"),
        ("optimizer = 1.5", "run.toml: optimizer: must be a text, got 1.5"),
        ("save = []", "run.toml: save: must be a text, got []"),
        ("hidden = 1.5", "run.toml: hidden: must be a text or an array, got 1.5"),
        ("hidden = [1.5]", "run.toml: hidden: must be an array of texts or whole numbers, got [1.5]"),
        ("ignore = [true]", "run.toml: ignore: must be an array of texts or whole numbers, got [True]"),
        ("l2 = 1\n[train]\nepochs = 1", "run.toml: 'l2' stands outside of the table [train]"),
        (
            "min_delta = 1\nmin-delta = 2",
            "run.toml: 'min-delta' is there twice, with a dash and with an under",
        ),
        ("[predict]\n", "run.toml: unknown key 'predict'"),
        ("epochs 1", "run.toml: not TOML: "),
        ("hidden = [64", "run.toml: not TOML: "),
        ("test = 2.0", "--test must be 0 or between 0 and 1, got 2"),
        ('hidden = "x"', "--hidden must be whole numbers"),
        ("", "Missing argument 'DATA'."),
    ],
)
def test_a_config_that_is_wrong_is_one_line_that_names_file_and_key(
    run: Run, content: str, line: str
) -> None:
    Path("run.toml").write_text(content, encoding="utf-8")
    arguments = () if not content else ("iris",)
    status, out, err = run("train", *arguments, "--config", "run.toml")
    assert (status, out) == (2, "")
    assert err.startswith(f"fastmlp: error: {line}")
    assert err.count("\n") == 1


def test_a_config_that_cannot_be_read_is_one_line(run: Run) -> None:
    Path("latin.toml").write_bytes(b'target = "caf\xe9"')
    for name, line in (
        ("absent.toml", "--config: absent.toml: no such file"),
        (".", "--config: .: this is a directory"),
        ("latin.toml", "latin.toml: not UTF-8 text"),
    ):
        assert run("train", "iris", "--config", name) == (2, "", f"fastmlp: error: {line}\n")


def test_the_example_of_the_documentation_is_understood(run: Run) -> None:
    page = (Path(__file__).parents[1] / "docs" / "cli.md").read_text(encoding="utf-8")
    Path("run.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert run("train", "--config", "run.toml") == (2, "", "fastmlp: error: houses.csv.gz: no such file\n")
    general = {"--install-completion", "--show-completion", "--help"}
    options = set(re.findall(r"--[a-z][a-z0-9-]*", page)) - general
    commands = ("train", "cv", "search", "predict", "evaluate", "report", "export", "info", "bench")
    known = "".join(run(command, "--help")[1] for command in commands)
    assert options <= set(re.findall(r"--[a-z][a-z0-9-]*", known))
