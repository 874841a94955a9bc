"""Reports from Python: what they take, what they say, what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp._base.text import rate, three_digits
from fastmlp._report.images import find_pixels
from fastmlp._report.numbers import date, of_data
from fastmlp.data import Table, TableEncoder, read
from fastmlp.data._table import table_hash


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def frame(n: int = 120, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    kind = rng.choice(["u", "v"], n)
    label = np.where(x + (kind == "u") + 0.3 * rng.normal(size=n) > 0, "yes", "no")
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n), unit="D")
    return pd.DataFrame({"x": x, "kind": kind, "when": when, "label": label})


def encoded_network(table: pd.DataFrame, epochs: int = 40) -> fastmlp.Network:
    encoder = TableEncoder("label").fit(table)
    X, y = encoder.transform(table), encoder.transform_target(table)
    net = fastmlp.train(X, y, hidden=(16,), learning_rate=0.02, epochs=epochs)
    net.encoder = encoder
    return net


def written(name: str = "r.html") -> str:
    """The page without its scripts."""
    return Path(name).read_text(encoding="utf-8").partition('<script type="text/plain"')[0]


def test_a_frame_with_text_and_dates_goes_through_the_encoder() -> None:
    seen, unseen = frame(), frame(seed=1)
    fastmlp.report(encoded_network(seen), unseen, "r.html", training=seen)
    page = written()
    assert '<p class="note good">Sound: log loss ' in page
    assert "on test rows" in page
    assert "120 training, 120 evaluated" in page
    assert "2024-01-01 to 2024-04-29" in page
    assert ".000000" not in page
    for title in (
        "Overview",
        "Results",
        "Importance of columns",
        "Rows predicted worst",
        "Data",
        "Diagnostics",
    ):
        assert f">{title}</h2>" in page
    # The importances are those of columns, not of their inputs.
    assert "kind=u</td>" not in page
    assert "The most important columns: x, kind" in page


def test_a_network_that_learned_its_rows_by_heart_overfits() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 6)), rng.integers(0, 2, 80)
    net = fastmlp.train(X[:40], y[:40], hidden=(64,), learning_rate=0.02, epochs=150)
    fastmlp.report(net, (X[40:], y[40:]), "r.html", training=(X[:40], y[:40]))
    assert '<p class="note warning">Overfits: log loss ' in written()
    assert "40 rows are few" in written()


def test_without_training_rows_the_report_says_what_it_does_not_know() -> None:
    seen = frame()
    seen.to_csv("t.csv", index=False)
    fastmlp.report(encoded_network(seen), "t.csv", "r.html")
    assert "the model may have seen these rows in training" in written()
    assert "rows of t.csv" in written()


def test_a_network_that_has_learned_nothing_is_no_better_than_the_constant() -> None:
    rng = np.random.default_rng(0)
    net = fastmlp.Network((3, 4, 1), loss="squared_error")
    fastmlp.report(net, (rng.normal(size=(60, 3)), rng.normal(size=60) + 5), "r.html")
    page = written()
    assert "No better than the constant: RMSE " in page
    assert "always the mean (" in page


@pytest.mark.parametrize("noise", [False, True])
def test_a_column_that_tells_the_target_is_pointed_at(noise: bool) -> None:
    table = frame(200)
    told = table["label"].where(np.arange(200) % (5 if noise else 1000) > 0, "no")
    table = table.assign(alive=told).drop(columns="x")
    seen, unseen = table[:120], table[120:]
    fastmlp.report(encoded_network(seen, epochs=150), unseen, "r.html", training=seen)
    assert ("Nearly all of it comes from alive alone" in written()) is not noise


def test_an_estimator_and_a_numeric_frame_are_taken() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(90, 2)), columns=["a", "b"])
    y = (X["a"] > 0).to_numpy()
    fitted = fastmlp.train(X.to_numpy(), y, hidden=(8,), learning_rate=0.02, epochs=60)
    fastmlp.report(SimpleNamespace(network_=fitted), (X, y), "r.html")
    assert "The most important columns: a" in written()
    table = X.assign(y=y)
    net = fastmlp.train(table, "y", hidden=(8,), epochs=20)
    fastmlp.report(net, table.assign(other="text"), "r.html", target="y")  # which the network does not see
    assert "columns</td><td>3, 2 inputs" in written()


@pytest.mark.parametrize("labels", [False, True])
def test_several_targets_are_reported_one_by_one(labels: bool) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    Y = np.stack([np.tanh(X[:, 0]) * 1000, np.tanh(X[:, 1])], axis=1)
    if labels:
        net = fastmlp.train(X, (Y > 0).astype(int), hidden=(8,), learning_rate=0.02, epochs=60)
        fastmlp.report(net, (X, (Y > 0).astype(int)), "r.html", target=["wide", "high"])
        assert "<td>high</td>" in written()
        return
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "wide": Y[:, 0], "high": Y[:, 1]})
    encoder = TableEncoder(["wide", "high"]).fit(table)
    X, Y = encoder.transform(table), encoder.transform_target(table)
    net = fastmlp.train(X, Y, hidden=(8,), learning_rate=0.02, epochs=60)
    net.encoder = encoder
    fastmlp.report(net, table, "r.html", training=table)
    page = written()
    assert "Sound: mean R2 0.9" in page
    assert "Target by target" in page
    assert page.count('class="figure"') == 6  # two for each target, importances, loss
    assert "rise of the RMSE in standard deviations" in page


def net_of_arrays() -> fastmlp.Network:
    return fastmlp.Network((2, 2))


@pytest.mark.parametrize(
    ("model", "table", "options", "error", "message"),
    [
        (
            "a model",
            frame(),
            {},
            TypeError,
            "model must be a Network, an Ensemble or an estimator that holds one, got 'a mod",
        ),
        (
            net_of_arrays(),
            frame(),
            {},
            ValueError,
            "target must name the column of the truth, one of 'x', 'k",
        ),
        (net_of_arrays(), frame(), {"target": "z"}, ValueError, "table: table has no column 'z', the target"),
        (
            net_of_arrays(),
            np.ones((3, 2)),
            {},
            TypeError,
            "table must be a table with the target's column, or",
        ),
        (
            net_of_arrays(),
            (np.ones(3), np.ones(3)),
            {},
            ValueError,
            "table: X must have shape (n, inputs), go",
        ),
        (
            net_of_arrays(),
            (np.ones((3, 2)), np.ones((3, 2))),
            {},
            ValueError,
            "target: the network predicts one label",
        ),
    ],
)
def test_what_is_no_model_or_has_no_truth_is_refused(
    model: Any, table: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        fastmlp.report(model, table, "r.html", **options)
    assert str(raised.value).startswith(message)
    assert not Path("r.html").exists()


def test_another_file_is_left_as_it_is() -> None:
    Path("mine.html").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="is not a fastmlp report"):
        fastmlp.report(net_of_arrays(), (np.ones((3, 2)), [0, 1, 0]), "mine.html")
    assert Path("mine.html").read_text(encoding="utf-8") == "mine"


def test_plot_libraries_are_imported_by_the_first_report_alone() -> None:
    code = "import sys, fastmlp; fastmlp.report; assert not {'plotly', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("library", ["matplotlib", "plotly"])
def test_without_a_plot_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[plot\]'"):
        fastmlp.report(net_of_arrays(), (np.ones((3, 2)), [0, 1, 0]), "r.html")


def test_the_hash_is_that_of_the_values_whatever_their_file() -> None:
    table = frame()
    table.to_csv("t.csv", index=False)
    table.to_parquet("t.parquet", index=False)
    hashes = [table_hash(read(name).X) for name in ("t.csv", "t.parquet")]
    assert hashes[0] == hashes[1]
    changed = table.assign(kind=table["kind"].where(table.index > 0, "w"))
    changed.to_csv("t.csv", index=False)
    assert table_hash(read("t.csv").X) != hashes[0]
    assert table_hash(Table({"a": ["xy", "z"]})) != table_hash(Table({"a": ["x", "yz"]}))
    assert table_hash(Table({"a": ["", "z"]})) != table_hash(Table({"a": [None, "z"]}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.82234, "0.822"), (12.345, "12.3"), (999.6, "1,000"), (20640.3, "20,640"), (1.5e-7, "1.5e-07"),
        (-0.0, "0"), (float("nan"), "nan"), (1e20, "1e+20"), (0.0, "0"),
    ],
)  # fmt: skip
def test_what_is_computed_has_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7, "0.700"), (0.0001, "<0.001"), (-0.0001, "0.000"), (0.0, "0.000"), (float("nan"), "not defined")],
)
def test_a_rate_has_three_decimals(value: float, text: str) -> None:
    assert rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (38.0, "38"), (37.88, "37.88"), (np.float64(2024), "2024"), (np.int64(5), "5"), (None, ""),
        (float("nan"), ""), ("text", "text"), (True, "True"),
        (np.datetime64("2024-03-01", "us"), "2024-03-01"),
    ],
)  # fmt: skip
def test_data_is_shown_as_it_is(value: Any, text: str) -> None:
    assert of_data(value) == text


def test_dates_have_no_zeros_behind_them() -> None:
    assert date(np.datetime64("2024-03-01T12:30:00", "us")) == "2024-03-01 12:30:00"
    assert date(np.datetime64("2024-03-01T12:30:00.25", "us")) == "2024-03-01 12:30:00.250000"


@pytest.mark.parametrize(
    ("names", "change", "side"),
    [
        ([f"{i}" for i in range(64)], None, 8),
        ([f"pixel_{i}_{j}" for i in range(8) for j in range(8)], None, 8),
        ([f"{i}" for i in range(63)] + ["age"], None, None),  # named otherwise
        ([f"{i}" for i in range(60)], None, None),  # no square
        ([f"{i}" for i in range(49)], None, None),  # a small one
        ([f"{i}" for i in range(64)], -1.0, None),
        ([f"{i}" for i in range(64)], 256.0, None),
        ([f"{i}" for i in range(64)], 17.5, None),
        ([f"{i}" for i in range(64)], np.nan, None),
    ],
)
def test_pixels_are_whole_numbers_in_a_square_with_names_alike(
    names: list[str], change: float | None, side: int | None
) -> None:
    columns = {name: np.array([0.0, 16.0, 255.0]) for name in names}
    if change is not None:
        columns[names[5]][1] = change
    found = find_pixels(Table(columns), tuple(names))
    assert (None if found is None else found.side) == side
