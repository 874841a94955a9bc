"""Every command that takes a model takes the file of an ensemble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fastmlp
from ensemble_tools import houses_with, networks, of_folds
from fastmlp.data import Table, read_csv

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]


def write_csv(table: Table, path: str) -> None:
    """Write a table as a CSV file."""
    names = table.names
    lines = [",".join(names)]
    for row in range(table.n_rows):
        cells = (table[name][row] for name in names)
        lines.append(",".join("" if cell is None or cell != cell else str(cell) for cell in cells))
    Path(path).write_text("\n".join(lines) + "\n")


def saved(target: Any, own: bool = True) -> fastmlp.Ensemble:
    """Save an ensemble as e.safetensors, and rows as new.csv."""
    if own:
        nets = of_folds(target)
    else:
        table = houses_with(target)
        nets = [fastmlp.train(table, target, hidden=(5,), epochs=3, seed=seed) for seed in range(3)]
    ensemble = fastmlp.Ensemble(nets, [1, 2, 1])
    ensemble.save("e.safetensors")
    write_csv(houses_with(target, 60, seed=1), "new.csv")
    return ensemble


@pytest.mark.parametrize("own", [True, False], ids=["own encoders", "one encoder"])
@pytest.mark.parametrize("target", ["kind", "price", ["price", "rent"]], ids=str)
def test_predict_and_evaluate(target: Any, own: bool, run: Run) -> None:
    ensemble = saved(target, own)
    status, out, err = run("predict", "e.safetensors", "new.csv", *(["--proba"] if target == "kind" else []))
    assert (status, err) == (0, "")
    names, *lines = [line.split(",") for line in out.splitlines()]
    table = read_csv("new.csv")
    if target == "kind":
        assert names == ["prediction", "probability_cheap", "probability_dear"]
        assert [line[0] for line in lines] == ensemble.predict(table).tolist()
        got = np.array([line[1:] for line in lines], np.float32)
        np.testing.assert_array_equal(got, ensemble.predict_proba(table))
    else:
        assert names == (["prediction"] if target == "price" else ["prediction_price", "prediction_rent"])
        expected = ensemble.predict(table)
        np.testing.assert_allclose(np.array(lines, float).reshape(expected.shape), expected, rtol=1e-7)
    status, out, err = run("evaluate", "e.safetensors", "new.csv", "--json")
    assert (status, err) == (0, "")
    score = json.loads(out)["accuracy" if target == "kind" else "r2"]
    assert score == pytest.approx(ensemble.score(table, target), rel=1e-6)


def test_info_lists_the_networks(run: Run) -> None:
    ensemble = saved("price")
    status, out, _ = run("info", "e.safetensors")
    assert status == 0
    assert "the weighted mean of 3 networks" in out
    assert "weight 0.5" in out
    assert "price (regression)" in out
    status, out, _ = run("info", "e.safetensors", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["parameters"] == ensemble.n_parameters
    assert [net["weight"] for net in told["networks"]] == [0.25, 0.5, 0.25]
    assert told["networks"][1]["layer_sizes"] == list(ensemble.networks[1].layer_sizes)
    assert told["networks"][1]["training"]["epochs"] == 8
    assert told["target"] == "price"


def test_info_of_many_networks_lists_the_first(run: Run) -> None:
    fastmlp.Ensemble(networks() * 6).save("e.safetensors")
    status, out, _ = run("info", "e.safetensors")
    assert status == 0
    assert "and 10 more networks" in out


@pytest.mark.parametrize("to", ["onnx", "c"])
def test_export(to: str, run: Run) -> None:
    saved("kind")
    assert run("export", "e.safetensors", "--to", to, "--output", "model.out")[0] == 0
    assert Path("model.out").stat().st_size > 1000


@pytest.mark.parametrize("own", [True, False], ids=["own encoders", "one encoder"])
@pytest.mark.parametrize("target", ["kind", "price"])
def test_report(target: str, own: bool, run: Run) -> None:
    saved(target, own)
    status, _, err = run("report", "e.safetensors", "new.csv", "--out", "r.html")
    assert (status, err) == (0, "")
    page = Path("r.html").read_text(encoding="utf-8")
    assert "mean of 3 networks" in page
    assert "make a report of that network" in page
    assert "The most important columns: " in page


def test_an_ensemble_of_networks_without_encoders_predicts_plain_columns(run: Run) -> None:
    ensemble = fastmlp.Ensemble(networks("squared_error", 1))
    ensemble.save("e.safetensors")
    X = np.random.default_rng(0).normal(size=(5, 6)).round(3)
    np.savetxt("x.csv", X, "%.3f", ",", header="a,b,c,d,e,f", comments="")
    status, out, _ = run("predict", "e.safetensors", "x.csv")
    assert status == 0
    np.testing.assert_allclose(np.array(out.split()[1:], float), ensemble.predict(X), rtol=1e-5)
