"""Columns that may be the target under another name are said: by the commands, in Python, in reports."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fastmlp
from fastmlp.data import Table
from fastmlp.data._leaks import tell_target

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

N = 60
RNG = np.random.default_rng(0)
LABELS = np.arange(N) * 7 % 3
VALUES = RNG.normal(20, 5, N)


def told(target: Any, **columns: Any) -> dict[str, str]:
    return tell_target(Table({"y": target, **columns}), ("y",), columns)


@pytest.mark.parametrize(
    ("target", "column", "how"),
    [
        (LABELS, [["a", "b", "c"][i] for i in LABELS], "has one value for each label of"),
        (LABELS, [["a", "b", None][i] for i in LABELS], "has one value for each label of"),
        (LABELS, np.array([9.5, -1, 3])[LABELS], "has one value for each label of"),
        (LABELS, [None] * 5 + ["abc"[i] for i in LABELS[5:]], "has one value for each label of"),
        (LABELS, LABELS, "equals"),
        (LABELS > 0, [["dead", "alive"][int(i > 0)] for i in LABELS], "has one value for each label of"),
        ([f"label {i}" for i in LABELS], LABELS, "has one value for each label of"),
        (VALUES, VALUES, "equals"),
        (VALUES, (1.8 * VALUES + 32).round(6), "is a linear function of"),
        (VALUES, np.where(np.arange(N) < 3, np.nan, -VALUES), "is a linear function of"),
        (np.arange(N) * 1000, np.arange(N), "is a linear function of"),
    ],
)  # fmt: skip
def test_a_column_that_tells_the_target_is_found(target: Any, column: Any, how: str) -> None:
    assert told(target, other=column) == {
        "other": f"column 'other' {how} 'y' and may be the target under another name"
    }


@pytest.mark.parametrize(
    ("target", "column"),
    [
        (LABELS, LABELS > 0),  # which tells one label alone
        (LABELS, np.arange(N) % 6),  # whose values tell the label, but not the other way round
        (LABELS, np.where(np.arange(N) == N - 1, 1 - LABELS, LABELS)),
        (LABELS, [None if i < 20 else "abc"[v] for i, v in enumerate(LABELS)]),
        (LABELS, np.full(N, np.nan)),
        (LABELS[:49], LABELS[:49]),
        (np.arange(N) < 4, [str(i < 4) for i in range(N)]),
        ([f"p{i}" for i in range(N)], [f"q{i}" for i in range(N)]),
        (VALUES, VALUES + RNG.normal(0, 1e-3, N)),
        (VALUES, VALUES**2),
        (VALUES[LABELS], [["a", "b", "c"][i] for i in LABELS]),
        (VALUES, np.full(N, 3.0)),
        (VALUES, np.full(N, np.nan)),
        (np.where(LABELS > 0, VALUES, np.nan), np.where(LABELS > 0, VALUES, np.nan)),
        (VALUES * 1e300, np.where(LABELS > 0, VALUES, np.inf)),
    ],
)
def test_other_columns_are_not(target: Any, column: Any) -> None:
    assert told(target, other=column) == {}


def passengers(n: int = 200) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    survived = rng.random(n) < 0.4
    return {
        "survived": survived.astype(int),
        "age": (rng.integers(1, 70, n) + 10 * survived).astype(float),
        "alive": np.where(survived, "yes", "no"),
    }


NOTE = "column 'alive' has one value for each label of 'survived' and may be the target under another name"


@pytest.mark.parametrize("form", ["table", "pandas", "file", "numbers", "polars", "arrow"])
def test_train_warns_and_drops_nothing(form: str, tmp_path: Path) -> None:
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    columns = passengers()
    if form in ("numbers", "polars", "arrow"):
        columns["alive"] = np.where(columns["survived"], 2.5, -1)
    file = tmp_path / "t.csv"
    pd.DataFrame(columns).to_csv(file, index=False)
    makers = {"table": Table, "polars": pl.DataFrame, "arrow": pa.table, "file": lambda _: file}
    data = makers.get(form, pd.DataFrame)(columns)
    with pytest.warns(UserWarning, match=NOTE) as caught:
        net = fastmlp.train(data, "survived", hidden=(4,), epochs=2)
    assert len(caught) == 1
    assert len(net.feature_names or net.encoder.input_names) == 2
    assert net.score(data) <= 1


def test_the_command_notes_it_and_the_verdict_has_it(run: Run) -> None:
    table = Table(passengers())
    rows = zip(*(table[name] for name in table.names), strict=True)
    lines = [",".join(table.names), *(",".join(map(str, row)) for row in rows)]
    Path("t.csv").write_text("\n".join(lines), encoding="utf-8")
    status, out, err = run("train", "t.csv", "--target", "survived", "--save", "m", "--report", "a.html")
    assert (status, err) == (0, "")
    assert f"note: {NOTE}; --ignore alive leaves it out" in out.splitlines()
    told = "Too good to be true: log loss "
    assert out.splitlines()[-3].startswith(f"verdict: {told[0].lower()}{told[1:]}")
    assert out.splitlines()[-3].endswith(f"; {NOTE}")
    assert run("report", "m", "t.csv", "--out", "b.html")[0] == 0
    for page in ("a.html", "b.html"):
        text = Path(page).read_text(encoding="utf-8")
        assert told in text
        assert "has one value for each label of" in text
    status, out, _ = run("train", "t.csv", "--target", "survived", "--ignore", "alive", "--json")
    found = json.loads(out)
    assert not any("alive" in note for note in found["notes"])
    assert "too good" not in found["verdict"]
    status, out, err = run("train", "t.csv", "--target", "survived", "--strict", "--quiet")
    assert (status, out) == (0, "")
    assert err.startswith("fastmlp: warning: too good to be true: ")


@pytest.mark.parametrize("name", ["is alive", "alive, or not"])
def test_the_hint_can_be_typed_as_it_is(run: Run, name: str) -> None:
    columns = passengers()
    rows = zip(*columns.values(), strict=True)
    lines = [f'survived,age,"{name}"', *(",".join(map(str, row)) for row in rows)]
    Path("t.csv").write_text("\n".join(lines), encoding="utf-8")
    command = ("train", "t.csv", "--target", "survived", "--epochs", "2", "--json")
    (note,) = json.loads(run(*command)[1])["notes"]
    hint = note.partition("; ")[2].removesuffix(" leaves it out")
    assert json.loads(run(*command, *shlex.split(hint))[1])["network"]["columns"] == ["age"]
