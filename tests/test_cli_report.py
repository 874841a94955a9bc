"""The command line: the HTML report, and bench."""

from __future__ import annotations

import json
import re
import shlex
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fastmlp

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """A page as a browser would take it: its elements with their attributes, its text, what was left open."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open[-1:] in (["script"], ["style"]) else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}


def read(path: str) -> Page:
    """Parse a report and check what holds for each: no scripts but its own, nothing from elsewhere."""
    content = Path(path).read_text(encoding="utf-8")
    page = Page(content)
    assert page.open == []
    assert not page.tags() & {"link", "iframe", "object", "embed", "base", "form"}
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in images)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    packed = {"type": "text/plain", "id": "plotly"}
    assert scripts == [{"type": "application/json"}] * (len(scripts) - 2) + [packed, {}]
    assert len(content.encode()) <= 2_500_000
    ids = [value for _, attributes in page.elements if (value := attributes.get("id")) is not None]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if not name.startswith("xmlns"):
                assert "//" not in (value or "").removeprefix("data:image/png;base64,") or name == "src"
            if name in ("href", "xlink:href") or (name == "src" and attributes not in images):
                assert str(value)[1:] in ids
    return page


def figures(page: Page) -> list[dict[str, Any]]:
    """The figures that the page's script draws."""
    return [json.loads(text) for text in page.scripts if text.startswith('{"data"')]


def write_values(n: int = 80, name: str = "x", target: str = "y", scale: float = 1.0) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    rows = "".join(f"{a},{'uvw'[i % 3]},{a * 3 * scale}\n" for i, a in enumerate(x))
    Path("t.csv").write_text(f"{name},kind,{target}\n{rows}", encoding="utf-8")


def test_the_report_on_a_run_with_labels_has_all_sections(run: Run) -> None:
    status, out, err = run(
        "train", "iris", "--hidden", "6", "--epochs", "60", "--report", "r.html", "--seed", "3"
    )
    assert (status, err) == (0, "")
    assert "report written to r.html" in out
    page = read("r.html")
    for heading in (
        "Overview",
        "Data",
        "Configuration",
        "Network",
        "Training",
        "Metrics on the test rows",
        "Rows predicted worst",
    ):
        assert heading in page.text
    for text in ("150 rows, 5 columns", "sepal_length", "Confusion matrix", "macro F1", "51 parameters",
                 "setosa", "line ", "60 epochs"):  # fmt: skip
        assert text in page.text
    assert (
        len(figures(page)) == 7
    )  # confusion, ROC, precision-recall, calibration, importances, loss, accuracy
    pictures = [attributes for _, attributes in page.elements if attributes.get("role") == "img"]
    assert all(picture["aria-label"] for picture in pictures)
    assert sum("bars of" in str(picture["aria-label"]) for picture in pictures) == 5
    assert "sepal_length" in page.text.split("Network")[2]  # the words in the picture are text
    accuracy = float(out.split("test accuracy ")[1].split()[0])
    assert accuracy == pytest.approx(
        float(page.text.split(" accuracy ")[1].split()[0]), abs=5e-4
    )  # three decimals


def test_the_command_in_a_report_gives_the_same_run_again(run: Run) -> None:
    run("train", "iris", "--hidden", "6", "--epochs", "20", "--no-shuffle", "--validation", "0.2",
        "--report", "first.html", "--ignore", "0", "--batch-size", "16", "--save", "m")  # fmt: skip
    first = Path("first.html").read_text(encoding="utf-8")
    weights = fastmlp.load("m").parameters.copy()
    command = Page(first).text.split(": fastmlp train")[1]
    words = shlex.split(command)
    assert words[-1] == "iris"
    assert run("train", *words)[0] == 0
    np.testing.assert_array_equal(fastmlp.load("m").parameters, weights)


def test_the_report_on_values_shows_predicted_over_true_and_residuals(run: Run) -> None:
    write_values()
    status, _, err = run("train", "t.csv", "--target", "y", "--validation", "0.25", "--epochs", "30",
                         "--report", "r.html")  # fmt: skip
    assert (status, err) == (0, "")
    page = read("r.html")
    points, residuals, importances, loss, r2 = figures(page)
    assert {trace["name"] for trace in loss["data"]} >= {"training", "validation"}
    assert {trace["name"] for trace in r2["data"]} >= {"validation"}
    for figure, titles in (
        (points, ("true y", "predicted y")),
        (residuals, ("predicted y", "predicted - true")),
        (importances, ("rise of the RMSE", None)),
    ):
        axes = [figure["layout"][axis].get("title", {}).get("text") for axis in ("xaxis", "yaxis")]
        assert tuple(axes) == titles
    for text in ("Metrics on the validation rows", "RMSE", "absolute error", "lowest validation loss"):
        assert text in page.text


def test_the_report_on_a_model_and_the_table_of_its_run_is_on_the_rows_that_were_held_back(
    run: Run, model: Path
) -> None:
    assert run("report", model.name, "iris", "--out", "r.html") == (0, "", "")
    page = read("r.html")
    assert "Metrics on the test rows" in page.text
    assert re.search("Sound: log loss 0.[0-9]+ on test rows, log loss 0.[0-9]+ on training rows", page.text)
    assert "fastmlp report --out r.html iris.safetensors iris" in page.text


def test_the_report_on_a_model_and_other_rows_is_on_those_that_have_a_target(run: Run, model: Path) -> None:
    rows = [f"{i / 20},3,{i / 25},{i / 60},{'' if i == 5 else 'setosa'}" for i in range(100)]
    columns = "sepal_length,sepal_width,petal_length,petal_width,species"
    Path("t.csv").write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    assert run("report", model.name, "t.csv", "--out", "r.html")[0] == 0
    page = read("r.html")
    assert "Metrics on the rows of t.csv" in page.text
    assert "99 evaluated" in page.text


def test_a_report_says_the_verdict_and_the_constant_that_the_command_prints(run: Run) -> None:
    status, out, _ = run("train", "iris", "--hidden", "6", "--epochs", "60", "--report", "r.html")
    assert status == 0
    verdict = out.split("verdict: ")[1].splitlines()[0]
    assert verdict[1:] + "." in read("r.html").text


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_the_rows_predicted_worst_are_those_of_the_file(run: Run, format: str) -> None:
    import pandas as pd

    frame = pd.DataFrame({"id": np.arange(120), "x": np.arange(120) % 7 / 7})
    frame["y"] = frame["x"] + (frame["id"] % 50 == 3) * 5.0
    getattr(frame, f"to_{format}")(f"t.{format}", index=False)
    run("train", f"t.{format}", "--target", "y", "--ignore", "id", "--epochs", "2", "--report", "r.html")
    rows = re.findall(r"<td>(?:line|row) (\d+)</td>.*?</tr>", Path("r.html").read_text(encoding="utf-8"))
    ids = re.findall(
        r'<td>(?:line|row) \d+</td><td class="number">[^<]*</td><td class="number">[^<]*</td>'
        r'<td class="number">[^<]*</td><td class="number">(\d+)</td>',
        Path("r.html").read_text(encoding="utf-8"),
    )
    first = 2 if format == "csv" else 0  # the line below the names
    assert len(ids) == len(rows) == 10
    assert [int(row) - first for row in rows] == [int(i) for i in ids]


def test_of_many_rows_the_worst_are_drawn(run: Run) -> None:
    write_values(n=6000)
    run("train", "t.csv", "--target", "y", "--validation", "0.5", "--epochs", "1", "--report", "r.html")
    page = read("r.html")
    assert re.search(r"1,0\d\d of 3,000 rows are drawn, the worst among them", page.text)


def test_a_file_that_looks_like_an_option_stands_behind_two_dashes(run: Run) -> None:
    write_values()
    Path("t.csv").rename("-t.csv")
    assert run("train", "--target", "y", "--epochs", "1", "--report", "r.html", "--", "-t.csv")[0] == 0
    command = read("r.html").text.split(": fastmlp train")[1]
    assert run("train", *shlex.split(command))[0] == 0


def test_a_report_without_held_out_rows_has_no_metrics(run: Run) -> None:
    assert (
        run("train", "iris", "--test", "0", "--validation", "0", "--epochs", "2", "--report", "r.html")[0]
        == 0
    )
    assert "Metrics" not in read("r.html").text


def test_many_classes_and_columns_and_several_quantiles_are_summed_up(run: Run) -> None:
    names = [f"x{i}" for i in range(30)]
    rows = "".join(
        ",".join([*(str((i * j) % 7) for j in range(30)), f"c{i % 40}"]) + "\n" for i in range(160)
    )
    Path("t.csv").write_text(",".join([*names, "y"]) + "\n" + rows, encoding="utf-8")
    assert run("train", "t.csv", "--target", "y", "--epochs", "1", "--report", "r.html")[0] == 0
    text = read("r.html").text
    assert "The most frequent mistakes" in text
    assert "10 of 40 classes, those with the fewest rows, are left out" in text
    assert "13 more columns not shown" in text
    write_values()
    assert run("train", "t.csv", "--target", "y", "--epochs", "1", "--loss", "quantile(0.1, 0.5, 0.9)",
               "--report", "r.html")[0] == 0  # fmt: skip
    page = read("r.html")
    assert "share at or below" in page.text
    assert "quantile 0.5 of y" in page.text
    assert figures(page)[0]["layout"]["yaxis"]["title"]["text"] == "predicted y"
    assert run("train", "t.csv", "--target", "y", "--epochs", "1", "--loss", "quantile(0.5, 0.9)",
               "--report", "r.html")[0] == 0  # fmt: skip
    assert "quantile 0.5 of y" in read("r.html").text  # the one that the score is of


@pytest.mark.parametrize("name", [SCRIPT, "$x$", "a&amp;b", "日本", "\x1b[31m", "${{"])
def test_names_from_the_data_are_text_in_the_report(run: Run, name: str) -> None:
    write_values(name=name, target=f"{name} target", scale=1e5)
    status, _, err = run("train", "t.csv", "--target", "2", "--epochs", "2", "--report", "r.html")
    assert (status, err) == (0, "")
    shown = name.replace("\x1b", "\\x1b")
    text = read("r.html").text
    assert shown in text
    assert f"{shown} target" in text


def test_labels_and_cells_and_file_names_are_text_in_the_report(run: Run) -> None:
    quoted = IMAGE.replace('"', '""')
    labels = [f'"{quoted}"', SCRIPT]
    file = "<b onclick=x>.csv"
    rows = "".join(f'{i},"{SCRIPT}{i % 3}",{labels[i % 2]}\n' for i in range(60))
    Path(file).write_text(f"x,{SCRIPT},y\n" + rows, encoding="utf-8")
    status, _, err = run("train", file, "--target", "y", "--epochs", "2", "--report", "r.html", "--save", "m")
    assert (status, err) == (0, "")
    page = read("r.html")
    assert IMAGE in page.text
    assert "b" not in page.tags()
    assert run("report", "m", file, "--out", "r.html") == (0, "", "")
    read("r.html")


def test_gaps_equal_values_and_huge_values_are_no_error(run: Run) -> None:
    for values in (["1.5"], ["1e300", "-1e300"], ["1e-300", "2e-300"]):
        rows = "".join(f"{'' if i % 4 else i},{values[i % len(values)]},\n" for i in range(40))
        Path("t.csv").write_text("x,y,empty\n" + rows, encoding="utf-8")
        run("train", "t.csv", "--target", "y", "--ignore", "empty", "--epochs", "3", "--save", "m")
        status, _, err = run("report", "m", "t.csv", "--out", "r.html")
        assert (status, err) == (0, "")
        read("r.html")


def test_a_report_replaces_a_report_and_nothing_else(run: Run, model: Path) -> None:
    Path("page.html").write_text("<!DOCTYPE html><p>mine", encoding="utf-8")
    line = (
        "fastmlp: error: {}: page.html: is there already and is not a fastmlp report; it is left as it is\n"
    )
    arguments = ("train", "iris", "--epochs", "1", "--report")
    assert run(*arguments, "page.html") == (2, "", line.format("--report"))
    assert run("report", model.name, "iris", "--out", "page.html") == (2, "", line.format("--out"))
    assert Path("page.html").read_text(encoding="utf-8") == "<!DOCTYPE html><p>mine"
    Path("empty.html").touch()
    for name in ("empty.html", "r.html", "r.html"):
        assert run(*arguments, name)[0] == 0
        read(name)
    before = sorted(Path().iterdir())
    assert run(*arguments, "r.html")[0] == 0
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("train absent.csv --report no/r.html", "--report: no/r.html: there is no folder 'no'"),
        ("train absent.csv --report .", "--report: '.' is a directory"),
        ("train absent.csv --report -", "--report: a fastmlp report goes to a file, not to standard output"),
        ("train absent.csv --report m --save ./m", "--report: m is where --save goes"),
        ("report iris.safetensors absent.csv --out r.html", "absent.csv: no such file"),
        ("report absent.st iris --out r.html", "absent.st: no such file"),
        ("report iris.safetensors iris --out iris.safetensors", "--out: iris.safetensors: is there already"),
    ],
)
def test_a_report_that_cannot_be_written_is_one_line_before_the_data_is_read(
    run: Run, model: Path, arguments: str, line: str
) -> None:
    status, out, err = run(*arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"fastmlp: error: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("library", ["matplotlib", "plotly"])
def test_without_a_plot_library_one_line_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    line = "fastmlp: error: a report needs matplotlib and plotly: pip install 'fastmlp[plot]'\n"
    assert run("train", "iris", "--report", "r.html") == (2, "", line)
    assert not Path("r.html").exists()


# ------------------------------------------------------------------------------------------------------ bench


def test_bench_measures_one_thread_and_as_many_as_asked_for(run: Run) -> None:
    arguments = ("bench", "--rows", "400", "--inputs", "4", "--outputs", "3", "--hidden", "8,5",
                 "--batch-size", "40", "--seconds", "0.02")  # fmt: skip
    status, out, err = run(*arguments, "--threads", "2", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["layer_sizes"] == [4, 8, 5, 3]
    assert [result["threads"] for result in found["training"]] == [1, 2]
    for result in found["training"]:
        step = result["microseconds_per_step"]
        assert result["rows_per_second"] == pytest.approx(40 / step * 1e6)
        products = [4 * 8, 8 * 5, 5 * 3]
        assert result["gflops"] == pytest.approx(2 * 40 * (3 * sum(products) - 32) / step / 1e3)
    assert found["predict_row_microseconds"] > 0
    status, out, err = run(*arguments, "--threads", "1")
    assert (status, err) == (0, "")
    assert out.startswith("4-8-5-3, 400 rows in batches of 40, float32\ntraining, 1 thread: ")
    assert re.search(r"rows/s, \S+ us/step, \S+ GFLOP/s\nprediction of one row: \S+ us\n$", out)


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ("--rows 2 --outputs 3", "--rows must be at least --outputs, 3, got 2"),
        ("--seconds 0", "--seconds must be greater than 0, got 0"),
        ("--seconds nan", "--seconds must be greater than 0, got nan"),
        ("--hidden x", "--hidden must be whole numbers"),
        ("--hidden 0", "hidden"),
        ("--dtype float16", "dtype must be one of float32, float64; got 'float16'"),
        ("--dtype bogus", "dtype must be one of float32, float64; got 'bogus'"),
        ("--threads 0", "threads must be at least 1, got 0"),
        ("--rows 0", "Invalid value for '--rows'"),
        ("--batch-size 0", "Invalid value for '--batch-size'"),
        ("--outputs 1", "Invalid value for '--outputs'"),
    ],
)
def test_a_bench_that_cannot_be_run_is_one_line(run: Run, arguments: str, start: str) -> None:
    status, out, err = run("bench", *arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"fastmlp: error: {start}")
    assert err.count("\n") == 1
