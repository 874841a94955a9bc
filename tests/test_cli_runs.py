"""Runs of the command line with L-BFGS, weights and targets of many digits, and what `info` says of them."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

CLI_PAGE = Path(__file__).parents[1] / "docs" / "cli.md"


def test_lbfgs_needs_no_other_option_and_says_how_it_ended(run: Run) -> None:
    options = ("train", "iris", "--optimizer", "lbfgs", "--hidden", "4")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        status, out, err = run(*options, "--epochs", "5")
    assert status == 0
    assert "rows: 111 to train on, 39 to test on" in out
    assert ": the last epoch came before a minimum of the loss\n" in out
    assert err.startswith("fastmlp: warning: L-BFGS has not converged: its limit of epochs was reached")
    assert err.count("\n") == 1
    status, out, err = run(*options, "--l2", "0.01", "--epochs", "3000")
    assert (status, err) == (0, "")
    assert ": the loss is at a minimum\n" in out
    status, _, err = run(*options, "--validation", "0.2")
    assert status == 2
    assert "validation does not go with optimizer 'lbfgs'" in err


def test_info_has_the_seed(run: Run) -> None:
    assert run("train", "iris", "--epochs", "2", "--seed", "17", "--quiet", "--save", "m")[0] == 0
    assert ["seed", "17"] in [line.split() for line in run("info", "m")[1].splitlines()]
    assert json.loads(run("info", "m", "--json")[1])["seed"] == 17


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_predictions_keep_the_digits_of_their_target(run: Run, offset: float) -> None:
    x = np.arange(80)
    y = offset + 0.001 * (x % 17) ** 2
    lines = [f"{a},{b!r}" for a, b in zip((x % 17).tolist(), y.tolist(), strict=True)]
    Path("t.csv").write_text("x,y\n" + "\n".join(lines), encoding="utf-8")
    assert run("train", "t.csv", "--target", "y", "--quiet", "--save", "m", "--task", "regression")[0] == 0
    status, out, _ = run("predict", "m", "t.csv")
    assert status == 0
    texts = out.split()[1:]
    assert np.abs(np.array(texts, float) - y).max() < 0.05  # float32 has steps of 64 there
    assert len({*texts}) == 17
    assert max(len(text.partition(".")[2]) for text in texts) <= 10
    assert run("predict", "m", "t.csv", "--output", "p.parquet")[0] == 0
    parquet = pytest.importorskip("pyarrow.parquet")
    written = parquet.read_table("p.parquet")["prediction"].to_numpy()
    assert written.tolist() == [float(text) for text in texts]


def test_the_baseline_is_that_of_the_weighted_rows(run: Run) -> None:
    lines = [f"{i % 9},{'yes' if i % 4 else 'no'},{1 if i % 4 else 9}" for i in range(200)]
    Path("t.csv").write_text("x,y,w\n" + "\n".join(lines), encoding="utf-8")
    options = ("--target", "y", "--weight", "w", "--epochs", "3", "--save", "m", "--json")
    found = json.loads(run("train", "t.csv", *options)[1])["baseline"]
    assert found["predicts"] == "always 'no'"
    assert found["accuracy"] == pytest.approx(0.75, abs=0.01)
    assert found["log_loss"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=0.01)
    again = json.loads(run("evaluate", "m", "t.csv", "--rows", "test", "--json")[1])["baseline"]
    assert again == found
    Path("t.csv").write_text("x,y,w\n" + "\n".join(lines).replace(",9", ",9.1"), encoding="utf-8")
    out = run("train", "t.csv", *options[:-1], "--batch-size", "full")[1]
    assert not re.search(r"\d\.\d{6}", out.split("columns: predicted")[1]), "weights of rows"


@pytest.mark.parametrize(
    "options",
    [
        "train iris",
        "train iris --x sepal_length --target petal_width --task regression",
        "train iris --target petal_length,petal_width",
        "train iris --target petal_width --loss quantile(0.1,0.9)",
    ],
)
def test_the_documentation_lists_the_keys_of_json(run: Run, options: str) -> None:
    documented = {*re.findall("`([a-z0-9_]+)`", CLI_PAGE.read_text(encoding="utf-8"))}
    found = json.loads(run(*options.split(), "--epochs", "2", "--save", "m", "--json")[1])
    described = json.loads(run("info", "m", "--json")[1])
    assert {*described} - {"file", "bytes", "training"} == {*found["network"]}
    keys = {*found, *described, *described["training"], *found["metrics"], *found["baseline"]}
    for name in ("classes", "outputs", "quantiles"):
        keys |= {key for part in found["metrics"].get(name, []) for key in part}
    assert keys - documented == set()
