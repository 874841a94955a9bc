"""The command line on tables as they are: roles of columns, reading, baselines, rows that a model knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fastmlp

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

FEW = ("--epochs", "3", "--hidden", "4")


def write_people(n: int = 120, name: str = "t.csv") -> None:
    """Write rows with a key, a group of three rows, a weight, gaps and an income that depends on age."""
    rng = np.random.default_rng(0)
    age = rng.integers(20, 60, n)
    rows = "".join(
        f"p{i:03},{i // 3},{1 + i % 2},{age[i]},{'' if i % 10 == 9 else 'high' if age[i] > 40 else 'low'}\n"
        for i in range(n)
    )
    Path(name).write_text("key,family,count,age,income\n" + rows, encoding="utf-8")


def result(run: Run, *arguments: Any) -> dict[str, Any]:
    status, out, err = run("train", *arguments, *FEW, "--json")
    assert (status, err) == (0, "")
    parsed: dict[str, Any] = json.loads(out)
    return parsed


# --------------------------------------------------------------------------------------- baseline and verdict


def test_noise_is_not_learned_by_heart(run: Run) -> None:
    """Labels are "no" in 75 % of the rows, whatever the inputs: nothing is to be learned."""
    rng = np.random.default_rng(3)
    X, no = rng.normal(size=(300, 8)).round(3), rng.random(300) < 0.75
    rows = "".join(
        f"{','.join(map(str, row))},{'no' if y else 'yes'}\n" for row, y in zip(X, no, strict=True)
    )
    Path("t.csv").write_text("a,b,c,d,e,f,g,h,y\n" + rows, encoding="utf-8")
    status, out, err = run("train", "t.csv", "--target", "y", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    constant = found["baseline"]["log_loss"]
    assert found["metrics"]["log_loss"] < 1.1 * constant
    assert found["rows"] == {"training": 180, "validation": 45, "test": 75}


def test_the_baseline_is_that_of_the_training_rows(run: Run) -> None:
    write_people()
    found = result(run, "t.csv", "--target", "income", "--ignore", "key", "--save", "m")
    assert found["baseline"]["predicts"] in ("always 'low'", "always 'high'")
    assert set(found["baseline"]) >= {"accuracy", "log_loss", "predicts"}
    status, out, _ = run("evaluate", "m", "t.csv", "--rows", "test", "--json")
    assert status == 0
    assert json.loads(out)["baseline"] == found["baseline"]


def test_of_values_the_baseline_is_the_mean(run: Run) -> None:
    Path("t.csv").write_text(
        "x,y\n" + "".join(f"{i % 9},{3.5 * (i % 9) + i % 2}\n" for i in range(90)), encoding="utf-8"
    )
    status, out, err = run("train", "t.csv", "--target", "y", "--epochs", "100", "--seed", "1")
    assert (status, err) == (0, "")
    assert "\n  always the mean (" in out
    assert "\nverdict: sound: RMSE " in out


def test_a_model_that_is_no_better_than_a_constant_is_said_also_when_quiet(run: Run) -> None:
    Path("t.csv").write_text(
        "x,y\n" + "".join(f"{i % 7},{i * 37 % 101 % 2}\n" for i in range(200)), encoding="utf-8"
    )
    command = (
        "train",
        "t.csv",
        "--target",
        "y",
        "--epochs",
        "1",
        "--learning-rate",
        "10",
        "--no-restore-best",
    )
    status, out, err = run(*command)
    assert (status, err) == (0, "")
    assert "\nverdict: no better than the constant: log loss " in out
    assert run(*command, "--quiet") == (
        0, "", f"fastmlp: warning: {out.split('verdict: ')[1].splitlines()[0]}\n"
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- roles of columns


def test_what_is_left_out_is_said_in_a_line_and_refused_with_strict(run: Run) -> None:
    write_people()
    status, out, _ = run("train", "t.csv", "--target", "income", *FEW)
    assert status == 0
    assert "note: dropped 12 rows without a value in 'income' (first at line 11)" in out
    assert "note: column 'key' is left out: its 120 texts are all different, as identifiers are" in out
    assert "\n  3 numbers: family, count, age\n" in out
    status, out, err = run("train", "t.csv", "--target", "income", *FEW, "--strict")
    assert (status, out) == (2, "")
    assert "12 rows" in err
    assert "'key'" in err
    assert err.count("\n") == 1
    options = ("--strict", "--drop-missing-target", "--ignore", "key")
    assert run("train", "t.csv", "--target", "income", *FEW, *options)[0] == 0


def test_what_the_encoder_leaves_out_is_a_note_or_with_strict_an_error(run: Run) -> None:
    rows = "".join(f"{i % 9},{f'c{i}' if i % 4 == 0 else ''},{'ab'[i % 2]}\n" for i in range(200))
    Path("t.csv").write_text("x,cabin,y\n" + rows, encoding="utf-8")
    status, out, err = run("train", "t.csv", "--target", "y", *FEW)
    assert (status, err) == (0, "")
    assert "column 'cabin'" in out.split("note: ")[1]
    status, _, err = run("train", "t.csv", "--target", "y", *FEW, "--strict")
    assert (status, err.count("\n")) == (2, 1)
    assert "column 'cabin'" in err


def test_strict_lists_what_the_audit_and_the_encoder_would_leave_out_in_one_error(run: Run) -> None:
    cabins = [f"c{i // 2}" for i in range(200)]  # each twice, of which most training rows see one
    rows = "".join(f"{i % 9},{i},{cabin},k{i},{'ab'[i % 2]}\n" for i, cabin in enumerate(cabins))
    Path("t.csv").write_text("x,id,cabin,key,y\n" + rows, encoding="utf-8")
    status, _, err = run("train", "t.csv", "--target", "y", *FEW, "--strict", "--test", "0.5")
    assert (status, err.count("\n")) == (2, 1)
    assert "t.csv: nothing may be left out, but there would be: column 'id' is left out" in err
    assert "; column 'key' is left out: its 200 texts are all different" in err
    assert "; t.csv: column 'cabin' holds" in err


def test_labels_that_are_all_different_are_refused_in_words(run: Run) -> None:
    Path("t.csv").write_text("x,name\n" + "".join(f"{i % 9},n{i}\n" for i in range(60)), encoding="utf-8")
    status, _, err = run("train", "t.csv", "--target", "name", *FEW)
    assert status == 2
    assert "target column 'name' holds 60 labels that are all different, as identifiers are" in err


def test_repeated_options_append(run: Run) -> None:
    write_people()
    found = result(run, "t.csv", "--target", "income", "--ignore", "key", "--ignore", "family,count")
    assert found["network"]["columns"] == ["age"]
    assert found["config"]["ignore"] == "key,family,count"
    found = result(run, "t.csv", "--target", "income", "--x", "age", "--x", "count")
    assert found["network"]["columns"] == ["count", "age"]
    _, out, _ = run("train", "iris", "--hidden", "6", "--hidden", "4", "--epochs", "1", "--json")
    assert json.loads(out)["network"]["layer_sizes"] == [4, 6, 4, 3]


def test_rows_of_a_group_are_held_back_together(run: Run) -> None:
    write_people()
    found = result(run, "t.csv", "--target", "income", "--ignore", "key", "--group", "family", "--save", "m")
    assert found["network"]["columns"] == ["count", "age"]
    network = fastmlp.load("m")
    from fastmlp._cli.split import Split
    from fastmlp.data import read_csv

    table = read_csv("t.csv")
    table = table.take([i for i, value in enumerate(table["income"]) if value is not None])
    rows = Split.from_dict(network.origin["split"]).rows(table, None)
    groups = [set(table["family"][chosen].tolist()) for chosen in rows.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 40
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(108))
    assert {name: len(chosen) for name, chosen in rows.items()} == found["rows"]
    line = "fastmlp: error: --group does not go with --split time: groups are held back at random\n"
    assert run("train", "t.csv", "--target", "income", "--group", "family", "--split", "time") == (
        2,
        "",
        line,
    )


def test_a_weight_counts_a_row_so_often(run: Run) -> None:
    """Twice the weight is twice the row: the two fits agree, and so do the metrics."""
    rng = np.random.default_rng(1)
    x, count = rng.normal(size=60).round(2), rng.integers(1, 4, 60)
    y = (3 * x + rng.normal(size=60)).round(2)
    once = "".join(f"{a},{b},{c}\n" for a, b, c in zip(x, y, count, strict=True))
    often = "".join(f"{a},{b}\n" * c for a, b, c in zip(x, y, count, strict=True))
    Path("once.csv").write_text("x,y,n\n" + once, encoding="utf-8")
    Path("often.csv").write_text("x,y\n" + often, encoding="utf-8")
    options = ("--target", "y", "--epochs", "1500", "--hidden", "none", "--batch-size", "full", "--test", "0",
               "--validation", "0", "--learning-rate", "0.05", "--dtype", "float64", "--quiet")  # fmt: skip
    assert run("train", "once.csv", *options, "--weight", "n", "--save", "a") == (0, "", "")
    assert run("train", "often.csv", *options, "--save", "b") == (0, "", "")
    of_a, of_b = (
        json.loads(run("evaluate", m, f"{f}.csv", "--json")[1]) for m, f in (("a", "once"), ("b", "often"))
    )
    assert of_a["rmse"] == pytest.approx(of_b["rmse"], rel=1e-3)
    assert of_a["r2"] == pytest.approx(of_b["r2"], rel=1e-3)
    Path("bad.csv").write_text("x,y,n\n1,2.5,1\n2,3.5,-1\n3,3.5,1\n4,3.5,1\n5,3.5,1\n", encoding="utf-8")
    status, _, err = run("train", "bad.csv", "--target", "y", "--weight", "n", "--test", "0")
    assert status == 2
    assert err == (
        "fastmlp: error: bad.csv: line 3, column 'n' of --weight: the weight is -1; a weight is a finite "
        "number of at least 0\n"
    )


def test_ids_are_no_inputs_but_stand_beside_the_predictions(run: Run) -> None:
    rows = "".join(f"00{i},{i % 7},{i % 7 > 3}\n" for i in range(60))
    Path("t.csv").write_text("code,x,y\n" + rows, encoding="utf-8")
    found = result(run, "t.csv", "--target", "y", "--id", "code", "--save", "m")
    assert found["network"]["columns"] == ["x"]
    assert found["notes"] == []
    status, out, err = run("predict", "m", "t.csv")
    assert (status, err) == (0, "")
    assert [line.split(",")[0] for line in out.splitlines()] == ["code", *(f"00{i}" for i in range(60))]
    for _ in range(2):  # its own output is replaced
        assert run("predict", "m", "t.csv", "--output", "p.csv") == (0, "", "")
    Path("new.csv").write_text("x,name\n3,=1+1\n", encoding="utf-8")
    Path("plain.csv").write_text("x\n3\n", encoding="utf-8")
    said = "plain.csv: no column 'code', which named the rows in training"
    status, _, err = run("predict", "m", "plain.csv")
    assert (status, err) == (0, f"fastmlp: warning: {said}\n")
    _, out, _ = run("predict", "m", "new.csv", "--id", "name")
    assert out.splitlines()[0] == "name,prediction"
    assert out.splitlines()[1].startswith("=1+1,")


def test_several_targets_are_predicted_each_in_its_units(run: Run) -> None:
    rows = "".join(f"{i % 11},{2.5 * (i % 11)},{1e4 - 100.5 * (i % 11)}\n" for i in range(110))
    Path("t.csv").write_text("x,a,b\n" + rows, encoding="utf-8")
    status, out, err = run("train", "t.csv", "--target", "a,b", "--epochs", "400", "--save", "m")
    assert (status, err) == (0, "")
    assert "target: a, b, numbers (regression)" in out
    status, out, err = run("predict", "m", "t.csv")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "prediction_a,prediction_b"
    predicted = np.array([line.split(",") for line in out.splitlines()[1:]], dtype=float)
    x = np.arange(110) % 11
    np.testing.assert_allclose(predicted[:, 0], 2.5 * x, atol=2)
    np.testing.assert_allclose(predicted[:, 1], 1e4 - 100.5 * x, atol=80)
    assert run("evaluate", "m", "t.csv", "--rows", "test")[0] == 0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--task labels", "--task must be auto or classification or regression, got 'labels'"),
        (
            "--task regression --loss hinge",
            "--task regression does not go with --loss hinge, which is for cla",
        ),
        ("--weight age --group age", "--group: 'age' is in --weight too"),
        ("--id income", "--id: 'income' is the target"),
        ("--weight none", "--weight: t.csv has no column 'none'; it has 'key', 'family', "),
        ("--text none", "--text: t.csv has no column 'none'"),
        ("--delimiter ab", "delimiter must be None or one character"),
        (
            "--save m.pkl",
            "--save: m.pkl: a model cannot be written as .pkl; the name may end in .safetensors",
        ),
    ],
)
def test_roles_that_do_not_fit_are_one_line(run: Run, options: str, line: str) -> None:
    write_people()
    status, out, err = run("train", "t.csv", "--target", "income", *options.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"fastmlp: error: {line}")
    assert err.count("\n") == 1


def test_task_decides_what_a_target_is(run: Run) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i % 7},{i % 3}\n" for i in range(60)), encoding="utf-8")
    assert result(run, "t.csv", "--target", "y")["network"]["task"] == "classification"
    assert result(run, "t.csv", "--target", "y", "--task", "regression")["network"]["task"] == "regression"


# ---------------------------------------------------------------------------------------------------- reading


def test_a_file_is_read_in_prediction_as_in_training(run: Run) -> None:
    rows = "".join(f"{'?!' if i % 9 == 0 else i % 7}|{i % 5}|{'ab'[i % 2]}\n" for i in range(60))
    Path("t.txt").write_bytes(rows.encode("utf-16-le"))
    options = ("--no-header", "--delimiter", "|", "--missing=?!", "--encoding", "utf-16-le")
    found = result(run, "t.txt", "--target", "2", *options, "--save", "m")
    assert found["network"]["columns"] == ["0", "1"]
    assert found["network"]["inputs"] == ["0", "0 is missing", "1"]
    status, out, err = run("predict", "m", "t.txt")
    assert (status, err, out.count("\n")) == (0, "", 61)
    Path("new.csv").write_text("3;4\n", encoding="utf-8")
    status, out, err = run("predict", "m", "new.csv", "--delimiter", ";", "--encoding", "utf-8")
    assert (status, err, out.count("\n")) == (0, "", 2)


def test_columns_stay_texts_where_that_is_asked_for(run: Run) -> None:
    Path("t.csv").write_text(
        "zip,y\n" + "".join(f"{90 + i % 3},{i % 3}\n" for i in range(60)), encoding="utf-8"
    )
    found = result(run, "t.csv", "--target", "y", "--text", "zip")
    assert found["network"]["inputs"][:3] == ["zip=90", "zip=91", "zip=92"]


def test_a_first_line_of_numbers_is_asked_about(run: Run) -> None:
    Path("t.csv").write_text("5.1,3.5,0\n4.9,3.0,0\n6.3,3.3,1\n", encoding="utf-8")
    status, _, err = run("train", "t.csv", "--target", "2")
    assert status == 2
    assert "; --no-header reads it as a row" in err
    assert "header=" not in err


def test_what_the_reader_notes_names_the_options(run: Run) -> None:
    rows = "".join(f"{i % 7},{('café', 'bar')[i % 2]}\n" for i in range(60))
    Path("t.csv").write_bytes(f"x,y\n{rows}".encode("cp1252"))
    found = result(run, "t.csv", "--target", "y")
    assert found["notes"][0].startswith("read as ")
    assert found["notes"][0].endswith("; --encoding says it where that is wrong")
    assert found["network"]["classes"] == ["bar", "café"]


def test_options_of_text_files_are_refused_for_others(run: Run) -> None:
    np.save("x.npy", np.eye(30))
    line = "fastmlp: error: --delimiter: x.npy is no CSV file\n"
    assert run("train", "x.npy", "--target", "0", "--delimiter", ";") == (2, "", line)


# ------------------------------------------------------------ rows that a model knows


def test_labels_that_no_class_matches_are_an_error_and_a_final_dot_is_removed_if_told(run: Run) -> None:
    rows = "".join(f"{i % 7},{'<=50K' if i % 7 < 4 else '>50K'}\n" for i in range(90))
    Path("t.csv").write_text("x,y\n" + rows, encoding="utf-8")
    Path("dots.csv").write_text("x,y\n" + rows.replace("K\n", "K.\n"), encoding="utf-8")
    assert run("train", "t.csv", "--target", "y", "--quiet", "--save", "m") == (0, "", "")
    status, out, err = run("evaluate", "m", "dots.csv")
    assert (status, out) == (2, "")
    assert err == (
        "fastmlp: error: dots.csv: no label of 'y' is one that the model knows: the file has '<=50K.', "
        "'>50K.', the model '<=50K', '>50K'; --strip-dot removes the final dot\n"
    )
    status, out, _ = run("evaluate", "m", "dots.csv", "--strip-dot", "--json")
    assert status == 0
    assert json.loads(out)["accuracy"] > 0.9


def test_the_split_is_repeated_for_the_file_that_the_model_was_trained_on(run: Run) -> None:
    write_people()
    trained = result(run, "t.csv", "--target", "income", "--save", "m", "--seed", "4")
    status, out, err = run("evaluate", "m", "t.csv", "--rows", "test", "--json")
    assert (status, err.count("\n")) == (0, 1)  # rows without a target
    found = json.loads(out)
    assert found["confusion_matrix"] == trained["metrics"]["confusion_matrix"]
    for part in ("training", "validation"):
        _, out, _ = run("evaluate", "m", "t.csv", "--rows", part, "--json")
        assert json.loads(out)["rows"] == trained["rows"][part]
    assert "was trained on 65 of these 108 rows" in run("evaluate", "m", "t.csv")[2]
    write_people(118, "other.csv")
    assert "was trained on" not in run("evaluate", "m", "other.csv")[2]
    status, _, err = run("evaluate", "m", "other.csv", "--rows", "test")
    assert (status, err.splitlines()[-1]) == (
        2,
        "fastmlp: error: --rows test: other.csv does not hold the rows that the run of this model divided",
    )
    assert run("evaluate", "m", "t.csv", "--rows", "new")[0] == 2


@pytest.mark.parametrize("origin", [{"split": {}}, {"split": 5}, {"reading": {"header": 3}}, {"ids": 7}])
def test_an_origin_that_is_damaged_is_no_crash(run: Run, origin: dict[str, Any]) -> None:
    write_people()
    result(run, "t.csv", "--target", "income", "--save", "m")
    network = fastmlp.load("m")
    network.origin = {**network.origin, **origin}
    network.save("m")
    for command in (("evaluate", "m", "t.csv", "--rows", "test"), ("predict", "m", "t.csv")):
        status, _, err = run(*command)
        assert status in (0, 2)
        assert "Traceback" not in err


# ----------------------------------------------------------------------------------------------------- output


def test_predictions_are_written_as_parquet_if_the_name_says_so(run: Run, model: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for _ in range(2):
        assert run("predict", model, "iris", "--out", "p.parquet", "--proba") == (0, "", "")
    table = parquet.read_table("p.parquet")
    assert table.column_names[:2] == ["prediction", "probability_setosa"]
    assert table.num_rows == 150
    assert run("predict", model, "iris", "--output", "p.csv") == (0, "", "")
    predicted = Path("p.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert table["prediction"].to_pylist() == predicted


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            "predict iris.safetensors iris --output p.xlsx",
            "--output: p.xlsx: predictions cannot be written as .x",
        ),
        (
            "evaluate iris.safetensors iris --output e.json",
            "--output: e.json: text cannot be written as .json",
        ),
        ("report iris.safetensors iris --output r.pdf", "--out: r.pdf: a report cannot be written as .pdf"),
        ("export iris.safetensors --to c --out m.onnx", "--output: m.onnx: C cannot be written as .onnx"),
    ],
)
def test_a_name_that_promises_another_format_is_refused(
    run: Run, model: Path, arguments: str, line: str
) -> None:
    status, _, err = run(*arguments.split())
    assert status == 2
    assert err.splitlines()[-1].startswith(f"fastmlp: error: {line}")
    assert sorted(Path().iterdir()) == [Path("iris.safetensors")]


def test_labels_come_back_as_they_were_spelled(run: Run) -> None:
    labels = ("=1+1", " a", "007")
    rows = "".join(f'{i % 3},"{labels[i % 3]}"\n' for i in range(90))
    Path("t.csv").write_text("x,y\n" + rows, encoding="utf-8")
    run("train", "t.csv", "--target", "y", "--hidden", "8", "--save", "m", "--quiet")
    _, out, _ = run("predict", "m", "t.csv")
    assert set(out.splitlines()[1:]) == {"=1+1", "a", "007"}  # blanks around cells are no part of them


@pytest.mark.parametrize("width", ["80", "100"])
@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "report", "export", "bench"])
def test_the_help_is_never_cut(run: Run, monkeypatch: pytest.MonkeyPatch, command: str, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    status, out, _ = run(command, "--help")
    assert status == 0
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= int(width)


def test_deep_toml_is_one_line(run: Run) -> None:
    for deep in (
        "a = " + "[" * 5000 + "]" * 5000,
        "hidden = " + "[" * 90 + "]" * 90,
        "[" + "a." * 3000 + "a]",
    ):
        Path("run.toml").write_text(deep, encoding="utf-8")
        status, out, err = run("train", "iris", "--config", "run.toml")
        assert (status, out) == (2, "")
        assert err.startswith("fastmlp: error: run.toml: ")
        assert err.count("\n") == 1
        assert len(err) < 1000
