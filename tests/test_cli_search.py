"""`fastmlp search`: the best network of `fastmlp.search`, tested on unseen rows, and what is written."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fastmlp
from cli_tools import spawn
from fastmlp._cli import search as search_command
from fastmlp._training.fits import Fits

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

FEW = ("--trials", "4", "--epochs", "9")
IRIS = Path(fastmlp.datasets.__file__).with_name("iris.csv")


def result(run: Run, *arguments: Any) -> dict[str, Any]:
    status, out, err = run("search", *arguments, "--json")
    assert (status, err) == (0, "")
    parsed: dict[str, Any] = json.loads(out)
    return parsed


def write_homes(rows: int = 120) -> None:
    """Write a table with texts and gaps whose price follows from two columns."""
    rng = np.random.default_rng(0)
    area, city = rng.uniform(20, 200, rows), rng.choice(["Rome", "Oslo", "Lima"], rows)
    price = area * np.where(city == "Oslo", 3.0, 2.0)
    lines = (f"{'' if i % 17 == 0 else area[i]},{city[i]},{price[i]},{1 + i % 2}" for i in range(rows))
    Path("homes.csv").write_text("area,city,price,count\n" + "\n".join(lines), encoding="utf-8")


def test_the_best_network_is_shown_and_saved(run: Run) -> None:
    status, out, err = run("search", "iris", "--trials", "16", "--epochs", "18", "--save", "m.safetensors")
    assert (status, err) == (0, "")
    assert "the best of 16 trials, by the loss of rows held back:" in out
    assert "importance: " in out
    assert "test accuracy " in out
    network = fastmlp.load("m.safetensors")
    assert network.score(IRIS) > 0.5


def test_the_trials_are_those_of_the_library(run: Run) -> None:
    found = result(run, "iris", *FEW, "--test", "0", "--seed", "3", "--threads", "1")
    iris = fastmlp.data.read_csv(IRIS)
    train, held = fastmlp.data.holdout(iris["species"], 0.2, 3, substream=1)
    encoder = fastmlp.data.TableEncoder("species").fit(iris.take(train))
    pair = [
        (encoder.transform(part), encoder.transform_target(part))
        for part in (iris.take(train), iris.take(held))
    ]
    mine = fastmlp.search(*pair[0], trials=4, epochs=9, validation=pair[1], seed=3)
    assert [trial["loss"] for trial in found["search"]["trials"]] == mine.table["loss"].tolist()
    assert found["search"]["best_trial"] == mine.best_trial.number


def test_folds_end_with_a_network_of_all_training_rows(run: Run) -> None:
    write_homes()
    columns = ("--target", "price", "--weight", "count")
    found = result(run, "homes.csv", *columns, *FEW, "--folds", "3", "--save", "m.safetensors")
    assert found["rows"] == {"training": 90, "validation": 0, "test": 30}
    assert fastmlp.load("m.safetensors").predict(fastmlp.data.read("homes.csv").X).shape == (120,)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ('hidden = ["none", "8", "6,6"]\ndropout = {low = 0.0, high = 0.5}', {"hidden", "dropout"}),
        ('hidden = [[8], [6, 6]]\nlearning-rate = [0.01, "cosine(0.02)"]', {"hidden", "learning_rate"}),
        (
            'optimizer = ["adam", "adamw(0.2)"]\nbatch-size = {low = 16, high = 32}',
            {"optimizer", "batch_size"},
        ),
    ],
)
def test_a_space_may_lie_in_a_file(run: Run, text: str, parameters: set[str]) -> None:
    Path("space.toml").write_text(text, encoding="utf-8")
    found = result(run, "iris", *FEW, "--space", "space.toml")
    others = {"trial", "loss", "score", "epochs", "seconds", "state"}
    assert {*found["search"]["trials"][0]} - others == parameters


def test_options_that_are_given_hold_for_all_trials(run: Run) -> None:
    given = ("--hidden", "5", "--dropout", "0", "--learning-rate", "0.01", "--optimizer", "sgd")
    found = result(run, "iris", *FEW, *given)
    assert found["network"]["layer_sizes"] == [4, 5, 3]
    assert {"activation", "batch_size"} < {*found["search"]["trials"][0]}
    assert "dropout" not in found["search"]["trials"][0]


def test_a_storage_goes_on(run: Run) -> None:
    first = result(run, "iris", *FEW, "--storage", "s.log")["search"]["trials"]
    more = result(run, "iris", "--trials", "6", "--epochs", "9", "--storage", "s.log")["search"]["trials"]
    assert [trial["loss"] for trial in more[:4]] == [trial["loss"] for trial in first]
    assert len(more) == 6


def test_a_storage_goes_on_with_the_same_encoder_alone(run: Run) -> None:
    write_homes()
    arguments = ("homes.csv", "--target", "price", *FEW, "--folds", "2", "--storage", "s.log")
    assert result(run, *arguments)["search"] == result(run, *arguments)["search"]
    status, _, err = run("search", *arguments, "--scale", "robust")
    assert status == 2
    assert "storage holds a search of other arguments" in err


def test_the_options_of_a_result_give_it_again(run: Run) -> None:
    found = result(run, "iris", *FEW, "--metric", "score", "--halving", "2", "--sampler", "random")
    config = "\n".join(f"{name} = {json.dumps(value)}" for name, value in found["config"].items())
    Path("c.toml").write_text("[search]\n" + config, encoding="utf-8")
    again = result(run, "--config", "c.toml")
    assert again["metrics"] == found["metrics"]
    assert again["search"]["metric"] == "score"


def test_the_report_tells_of_the_search(run: Run) -> None:
    arguments = ("--trials", "16", "--epochs", "9", "--report", "r.html", "--quiet")
    status, out, err = run("search", "iris", *arguments)
    assert (status, out) == (0, "")
    assert "error" not in err
    page = Path("r.html").read_text(encoding="utf-8")
    for text in ("16 trials: 1 complete, 15 pruned", "fastmlp search", "weight decay", "The best 16 trials"):
        assert text in page


def test_help_does_not_offer_to_judge_trials_by_no_rows(run: Run) -> None:
    _, out, _ = run("search", "--help")
    told = " ".join(out.replace("│", " ").split()).partition("--validation ")[2][:150]
    assert "judge trials by" in told
    assert "0 keeps none" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials", "0"), "--trials must be at least 1, got 0"),
        (("--folds", "1"), "--folds must be at least 2, got 1"),
        (("--halving", "1"), "--halving must be at least 2, or 0 for none, got 1"),
        (("--metric", "f1"), "--metric must be auto or loss or score, got 'f1'"),
        (("--sampler", "gp"), "--sampler must be tpe or random or grid, got 'gp'"),
        (("--max-time", "0"), "--max-time must be greater than 0, got 0"),
        (("--validation", "0"), "--validation: trials are judged by rows held back; give a part, or --folds"),
        (("--folds", "3", "--validation", "0.2"), "--folds does not go with --validation"),
        (("--space", "none.toml"), "--space: none.toml: no such file"),
        (("--sampler", "grid"), "sampler 'grid' needs a list of values for "),
        (("--checkpoint", "c"), "No such option: --checkpoint"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    status, _, err = run("search", "iris", *FEW, *arguments)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hidden = 8", "space.toml: hidden must be an array, or have low and high; got 8"),
        ("depth = [1, 2]", "space must name arguments of train, got 'depth'"),
        ("hidden = [", "space.toml: not TOML"),
        ("dropout = {low = 0.5}", "space['dropout'] must have low and high"),
    ],
)
def test_a_wrong_space_is_said(run: Run, text: str, message: str) -> None:
    Path("space.toml").write_text(text, encoding="utf-8")
    status, _, err = run("search", "iris", *FEW, "--space", "space.toml")
    assert status == 2
    assert message in err


def test_a_terminal_shows_the_best_trials_meanwhile(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastmlp._cli.search.on_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes standard error for a terminal
    _, out, err = run("search", "iris", "--trials", "16", "--epochs", "9")
    assert "11 of 16 trials in " in err
    assert "16 of 16 trials in " in err
    assert "  loss " in err.split("16 of 16 trials in ")[1]
    assert "trials in " not in out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_saves_the_best_network_so_far(tmp_path: Path) -> None:
    saved, storage = tmp_path / "m.safetensors", tmp_path / "s.log"
    files = ("--save", str(saved), "--storage", str(storage))
    process = spawn("search", "iris", "--trials", "1000000", "--epochs", "50", *files)
    while not storage.exists() or storage.read_bytes().count(b"\n") < 20:  # a line or more a trial
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "trials; the best network so far is in " in err.splitlines()[-1]
    assert fastmlp.load(saved).layer_sizes[0] == 4


def interrupted(monkeypatch: pytest.MonkeyPatch, rung: int = 1) -> None:
    """Let Ctrl-C come after a rung, and nothing be trained afterwards."""
    rungs = []

    def interrupt(found: fastmlp.Search) -> None:
        rungs.append(found)
        if len(rungs) == rung:
            monkeypatch.setattr(Fits, "run", lambda *_, **__: pytest.fail("trained after the interrupt"))
            raise KeyboardInterrupt

    def search(*given: Any, callbacks: Any, **settings: Any) -> fastmlp.Search:
        return fastmlp.search(*given, callbacks=[*callbacks, interrupt], **settings)

    monkeypatch.setattr(search_command, "search", search)


def test_ctrl_c_with_folds_saves_their_networks_and_trains_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_homes()
    interrupted(monkeypatch)
    arguments = ("homes.csv", "--target", "price", *FEW, "--folds", "3", "--save", "m.safetensors")
    status, _, err = run("search", *arguments)
    assert status == 130
    assert "4 trials; the best networks so far, one of each fold, are in m.safetensors" in err
    saved = fastmlp.load("m.safetensors")
    assert len(saved.networks) == 3
    assert saved.predict(fastmlp.data.read("homes.csv").X).shape == (120,)


def test_ctrl_c_while_the_best_spec_learns_from_all_rows_saves_the_networks_of_the_folds(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(found: fastmlp.Search) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fastmlp.Search, "refit", interrupt)
    status, _, err = run("search", "iris", *FEW, "--folds", "2", "--save", "m.safetensors")
    assert status == 130
    assert "one of each fold, are in m.safetensors" in err
    assert len(fastmlp.load("m.safetensors").networks) == 2


@pytest.mark.parametrize("folds", [(), ("--folds", "2")])
def test_ctrl_c_without_a_finite_loss_saves_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, folds: tuple[str, ...]
) -> None:
    interrupted(monkeypatch)
    diverging = ("--optimizer", "sgd", "--learning-rate", "1e30", "--save", "m.safetensors")
    status, _, err = run("search", "iris", *FEW, *diverging, *folds)
    assert status == 130
    assert err.splitlines()[-1].endswith("nothing was saved")
    assert not Path("m.safetensors").exists()


def test_ctrl_c_does_not_train_the_best_of_an_earlier_search_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--epochs", "50", "--storage", "s.log", "--optimizer", "sgd", "--seed", "1")
    assert run("search", "iris", "--trials", "16", *arguments)[0] == 0
    interrupted(monkeypatch)
    status, _, err = run("search", "iris", "--trials", "32", *arguments, "--save", "m.safetensors")
    assert status == 130
    assert "the best of an earlier search, which has to be trained again; nothing was saved" in err
    assert not Path("m.safetensors").exists()
