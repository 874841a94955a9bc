"""Studies of initial weights, batch sizes and learning rates: what they record, and what they make of it."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import fastmlp
from fastmlp._studies import BatchSizeStudy, LearningRateStudy, batch_size, runs
from fastmlp._studies.runs import measured_run
from fastmlp._training.progress import run_bar

mpl.use("Agg")

IRIS = fastmlp.datasets.load_iris()
X = (IRIS.data - IRIS.data.mean(axis=0)) / IRIS.data.std(axis=0)
Y = np.array(IRIS.target_names)[IRIS.target]
NAN = math.nan

STUDIES: list[Callable[..., Any]] = [
    fastmlp.compare_inits,
    fastmlp.study_batch_size,
    fastmlp.study_learning_rate,
]


@pytest.fixture(autouse=True)
def _short_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_size, "_TIMED_SECONDS", 1e-9)


def drawn(axes: Any) -> Any:
    axes.figure.canvas.draw()
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert axes.get_legend() is not None
    mpl.pyplot.close("all")
    return axes


# ------------------------------------------------------------------------------------------------ inits


def test_inits_are_measured_before_and_during_training() -> None:
    inits = ("zeros", "normal(0.01)", "he_normal")
    found = fastmlp.compare_inits(X, Y, inits, hidden=(20,) * 5, epochs=10, learning_rate=0.01)
    assert found["init"].tolist() == list(inits)
    assert found["first_spread"][0] == found["last_spread"][0] == 0
    assert found["last_spread"][1] < 1e-3 * found["last_spread"][2]
    assert found["first_dW_norm"][1] < 1e-3 * found["first_dW_norm"][2]
    assert found["last_loss"].argmin() == 2
    assert found["stop_reason"].tolist() == ["epochs"] * 3
    assert [bool(found.diagnoses[init].warnings) for init in inits] == [True, True, False]
    assert [len(found.histories[init]) for init in inits] == [10] * 3
    same = fastmlp.train(X, Y, init="he_normal", hidden=(20,) * 5, epochs=10, learning_rate=0.01)
    assert found["last_loss"][2] == same.history["loss"][-1]
    start = fastmlp.Network((4, *(20,) * 5, 3), init="he_normal")
    assert str(found.diagnoses["he_normal"]) == str(start.diagnose(X, IRIS.target))


@pytest.mark.parametrize("what", ["loss", "activations", "gradients"])
def test_inits_are_drawn_side_by_side(what: str) -> None:
    found = fastmlp.compare_inits(X, Y, ("zeros", "normal(1e20)", "he_normal"), hidden=(5,) * 4, epochs=3)
    axes = drawn(found.plot(what=what))
    assert [line.get_label().partition(" ")[0] for line in axes.lines] == found["init"].tolist()


def test_an_init_that_diverges_is_recorded() -> None:
    found = fastmlp.compare_inits(
        X, Y, ("normal(1e30)", "auto"), hidden=(5, 5), epochs=3, optimizer="sgd", learning_rate=0.01
    )
    assert found["stop_reason"].tolist() == ["diverged", "epochs"]
    assert math.isnan(found["last_loss"][0])
    assert "exploding signals" in found.diagnoses["normal(1e30)"].warnings[0]
    assert drawn(found.plot()).lines[0].get_label() == "normal(1e30) (diverged)"


def test_inits_of_a_linear_model_and_a_table() -> None:
    import pandas as pd

    frame = pd.DataFrame(X, columns=list("abcd")).assign(species=Y)
    found = fastmlp.compare_inits(frame, "species", ("zeros", "auto"), hidden=(), epochs=2)
    assert str(found) == str(fastmlp.compare_inits(X, Y, ("zeros", "auto"), hidden=(), epochs=2))
    drawn(found.plot(what="activations"))


# ------------------------------------------------------------------------------------------------ batch size


def test_the_batch_size_is_the_product_of_time_and_steps() -> None:
    study = BatchSizeStudy(
        [(8, 1e-6, 4000.0, 0.1, False), (32, 2e-6, 1000.0, 0.1, False), (150, 9e-6, 600.0, 0.1, False)], 0.2
    )
    assert study["seconds_to_target"].tolist() == pytest.approx([4e-3, 2e-3, 5.4e-3])
    assert study.best == 32
    assert study.target_loss == 0.2
    assert study["outcome"].tolist() == ["reached"] * 3
    axes = drawn(study.plot())
    assert axes.get_xscale() == axes.get_yscale() == "log"
    labels = [line.get_label() for line in axes.lines]
    assert labels[:3] == [
        "time per step, 1 = 2 µs", "steps to the target, 1 = 1000", "time to the target, 1 = 2 ms",
    ]  # fmt: skip
    assert labels[3] == "best batch size 32"
    assert all(line.get_ydata()[1] == pytest.approx(1) for line in axes.lines[:3])


def test_sizes_that_do_not_get_there_are_no_optimum() -> None:
    study = BatchSizeStudy(
        [(8, 1e-6, NAN, 0.9, False), (32, 2e-6, 1000.0, 0.1, True), (64, 9e-6, 600.0, 0.1, False)], 0.2
    )
    assert study["outcome"].tolist() == ["not reached", "diverged", "reached"]
    assert np.isnan(study["steps_to_target"]).tolist() == [True, True, False]
    assert study.best == 64
    marks = {line.get_label(): line for line in drawn(study.plot()).lines}
    for label, size in (("target not reached", 8), ("diverged", 32)):
        assert (marks[label].get_xdata().tolist(), marks[label].get_ydata().tolist()) == ([size], [0])
        assert not marks[label].get_clip_on()
    assert marks["target not reached"].get_marker() != marks["diverged"].get_marker()
    axes = study.plot()
    axes.figure.canvas.draw()
    legend = axes.get_legend().get_window_extent()
    assert legend.y0 >= axes.get_window_extent().y1
    assert legend.width <= axes.figure.bbox.width
    mpl.pyplot.close("all")


def test_there_may_be_no_best_batch_size() -> None:
    study = BatchSizeStudy([(8, 1e-6, NAN, 0.9, False), (9, NAN, NAN, 0.9, True)], 0.2)
    assert study.best is None
    drawn(study.plot())


@pytest.mark.parametrize("sizes", [[7], [1, 2, 3, 1000], [512, 513, 514], list(range(1, 60))])
def test_any_sizes_are_drawn(sizes: list[int]) -> None:
    axes = drawn(BatchSizeStudy([(s, 1e-6 * s, 1e4 / s, 0.1, False) for s in sizes], 0.2).plot())
    shown = [text.get_text() for text in axes.get_xticklabels()]
    assert shown[0] == str(sizes[0])
    assert len(shown) <= 13


def test_steps_to_the_target_are_those_of_the_run() -> None:
    settings: dict[str, Any] = {"hidden": (8,), "learning_rate": 0.02, "seed": 5}
    study = fastmlp.study_batch_size(X, Y, (150, 16, 40), target_loss=0.3, epochs=100, **settings)
    assert study["batch_size"].tolist() == [16, 40, 150]
    for size, steps in zip((16, 40, 150), study["steps_to_target"], strict=True):
        run = measured_run(X, Y, batch_size=size, epochs=100, **settings)
        epoch = next(i for i, loss in enumerate(run.losses) if loss <= 0.3)
        a_pass = math.ceil(150 / size)
        assert (epoch - 1) * a_pass < steps <= epoch * a_pass
    assert (study["lowest_loss"] <= 0.3).all()
    assert (study["seconds_per_step"] > 0).all()
    product = study["seconds_per_step"] * study["steps_to_target"]
    np.testing.assert_allclose(study["seconds_to_target"], product)
    assert study.best in (16, 40, 150)


def test_a_target_out_of_reach_is_recorded() -> None:
    study = fastmlp.study_batch_size(X, Y, (50, 150), target_loss=1e-6, epochs=2, hidden=(4,))
    assert study["outcome"].tolist() == ["not reached"] * 2
    assert study.best is None
    assert np.isfinite(study["seconds_per_step"]).all()


def test_the_default_target_is_the_pilot_run() -> None:
    study = fastmlp.study_batch_size(X, Y, (10, 50, 150), epochs=40, hidden=(4,), learning_rate=0.01)
    pilot = measured_run(X, Y, batch_size=50, epochs=10, hidden=(4,), learning_rate=0.01)
    assert study.target_loss == min(pilot.losses)
    assert study["steps_to_target"][1] == pytest.approx(30)


def test_sizes_that_diverge_are_recorded() -> None:
    y = X @ np.arange(4.0)
    study = fastmlp.study_batch_size(
        X, y, (1, 150), target_loss=1.0, epochs=30, hidden=(), optimizer="sgd", learning_rate=0.6
    )
    assert study["outcome"].tolist() == ["diverged", "reached"]


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(1, [1]), (5, [5]), (16, [8, 16]), (150, [8, 16, 32, 64, 150]), (17, [8, 17])],
)
def test_the_default_sizes_go_up_to_all_rows(rows: int, sizes: list[int]) -> None:
    assert batch_size._default_sizes(rows) == sizes


@pytest.mark.parametrize("rows", [2000, 60_000, 10**9])
def test_the_default_sizes_are_at_most_eight(rows: int) -> None:
    sizes = batch_size._default_sizes(rows)
    assert len(sizes) == 8
    assert sizes[0] == 8
    assert sizes[-1] == rows


# ---------------------------------------------------------------------------------------- learning rate

RATES = [
    (0.001, 1.9, NAN, False), (0.01, 0.9, NAN, False), (0.1, 0.3, 20.0, False), (0.3, 0.2, 9.0, False),
    (1.0, 1.2, NAN, False), (3.0, 2.5, NAN, False), (10.0, NAN, NAN, True),
]  # fmt: skip


def test_rates_are_judged() -> None:
    study = LearningRateStudy(RATES[::-1], 0.4, 2.0)
    assert study["learning_rate"].tolist() == [row[0] for row in RATES]
    assert study["verdict"].tolist() == [
        "too small (slow)", "too small (slow)", "useful", "useful", "too large", "diverges", "diverges",
    ]  # fmt: skip
    assert study.best == 0.3
    assert study.useful == (0.1, 0.3)
    assert np.isnan(study["loss"]).tolist() == [False] * 5 + [True] * 2
    axes = drawn(study.plot())
    _, labels = axes.get_legend_handles_labels()
    assert {"too small (slow)", "useful", "too large", "diverges", "best: 0.3"} <= set(labels)
    assert axes.get_xscale() == "log"


def test_the_useful_range_is_that_around_the_best_rate() -> None:
    rows = [
        (0.01, 0.3, 4.0, False),
        (0.02, 0.9, NAN, False),
        (0.03, 0.1, 4.0, False),
        (0.04, 0.2, 4.0, False),
    ]
    study = LearningRateStudy(rows, 0.4, 2.0)
    assert study["verdict"].tolist() == ["useful", "too small (slow)", "useful", "useful"]
    assert study.useful == (0.03, 0.04)


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([(0.1, NAN, NAN, True)], None), ([(0.1, 1.0, NAN, False), (0.2, NAN, NAN, True)], 0.1),
        ([(0.1, 2.0, NAN, False), (0.2, NAN, NAN, True)], None),
    ],
)  # fmt: skip
def test_there_may_be_no_useful_rate(rows: list[Any], best: float | None) -> None:
    study = LearningRateStudy(rows, 0.5, 2.0)
    assert study.useful is None
    assert study.best == best
    drawn(study.plot())


def test_a_rate_that_does_not_stay_at_the_target_is_not_useful() -> None:
    rows = [(0.1, 0.3, 20.0, False), (0.3, 0.5, 9.0, False), (0.05, 0.6, 9.0, False)]
    study = LearningRateStudy(rows, 0.4, 2.0)
    assert study["verdict"].tolist() == ["too small (slow)", "useful", "too large"]
    assert study["epochs_to_target"].tolist() == [9, 20, 9]


def test_where_no_rate_lowers_the_loss_none_is_useful() -> None:
    study = fastmlp.study_learning_rate(X, Y, (1e-30, 1e-20), epochs=2, hidden=(3,), optimizer="sgd")
    assert study.best is None
    assert study.useful is None
    assert study["verdict"].tolist() == ["too small (slow)"] * 2
    assert np.isnan(study["epochs_to_target"]).all()
    axes = drawn(study.plot())
    assert axes.get_yscale() == "linear"
    labels = [line.get_label() for line in axes.lines]
    assert labels == ["loss after the last epoch", "loss of the initial weights, target"]


def test_a_picture_of_runs_that_all_failed_says_so() -> None:
    rates = LearningRateStudy([(0.1, NAN, NAN, True), (0.2, NAN, NAN, True)], NAN, NAN)
    sizes = BatchSizeStudy([(8, NAN, NAN, NAN, True), (9, NAN, NAN, NAN, True)], 0.2)
    for study, text in ((rates, "no finite values"), (sizes, "no finite values above 0")):
        axes = drawn(study.plot())
        assert [one.get_text() for one in axes.texts] == [text]
        assert not len(axes.get_yticks())


def test_rates_of_a_linear_model_are_found() -> None:
    """The full-batch step converges below 2 / (the largest eigenvalue of X^T X / n)."""
    y = X @ np.arange(4.0)
    limit = 2 / np.linalg.eigvalsh(X.T @ X / len(X)).max()
    rates = limit * np.array([1e-4, 0.3, 0.9, 1.2, 10])
    study = fastmlp.study_learning_rate(
        X, y, rates, epochs=100, hidden=(), optimizer="sgd", batch_size=None, dtype="float64"
    )
    assert study["verdict"].tolist() == ["too small (slow)", "useful", "useful", "diverges", "diverges"]
    assert study.useful == pytest.approx((0.3 * limit, 0.9 * limit))
    assert study.start_loss == pytest.approx(
        fastmlp.Network((4, 1), loss="squared_error", dtype="float64").loss_and_gradient(X, y)[0]
    )
    lowest = np.nanmin(study["loss"])
    assert study.target_loss == pytest.approx(study.start_loss - 0.9 * (study.start_loss - lowest))


def test_a_given_target_says_what_is_useful() -> None:
    settings: dict[str, Any] = {"hidden": (6,), "epochs": 20}
    study = fastmlp.study_learning_rate(X, Y, (0.001, 0.1), target_loss=0.2, **settings)
    assert study.target_loss == 0.2
    assert study["verdict"].tolist() == ["too small (slow)", "useful"]
    none = fastmlp.study_learning_rate(X, Y, (0.001, 0.1), target_loss=1e-9, **settings)
    assert none.useful is None
    assert none.best == 0.1


def test_initial_weights_beyond_the_type_make_every_run_diverge() -> None:
    settings: dict[str, Any] = {"hidden": (6, 6), "epochs": 2, "init": "normal(1e30)"}
    rates = fastmlp.study_learning_rate(X, Y, (0.001, 0.1), **settings)
    assert rates["verdict"].tolist() == ["diverges"] * 2
    drawn(rates.plot())
    sizes = fastmlp.study_batch_size(X, Y, (10, 100), target_loss=0.1, **settings)
    assert sizes["outcome"].tolist() == ["diverged"] * 2
    drawn(sizes.plot())


def test_the_default_rates_span_six_decades() -> None:
    study = fastmlp.study_learning_rate(X, Y, epochs=2, hidden=(3,))
    assert len(study) == 13
    assert study["learning_rate"][0] == pytest.approx(1e-5)
    assert study["learning_rate"][-1] == pytest.approx(10)


# ------------------------------------------------------------------------------------------------ all


def test_studies_take_weights_and_regression() -> None:
    weight = np.arange(150.0)
    settings: dict[str, Any] = {"sample_weight": weight, "hidden": (3,), "epochs": 2, "loss": "huber(1.5)"}
    y = X @ np.arange(4.0)
    study = fastmlp.study_learning_rate(X, y, (0.01,), **settings)
    start = fastmlp.Network((4, 3, 1), loss="huber(1.5)").loss_and_gradient(X, y, weight)[0]
    assert study.start_loss == start
    fastmlp.study_batch_size(X, y, (10,), target_loss=start / 2, **settings)
    fastmlp.compare_inits(X, y, ("auto",), **settings)


def test_sparse_rows_are_studied() -> None:
    from scipy.sparse import csr_matrix

    sparse = csr_matrix(X)
    want = fastmlp.study_learning_rate(X, Y, (0.01,), epochs=2, hidden=(3,))
    assert str(fastmlp.study_learning_rate(sparse, Y, (0.01,), epochs=2, hidden=(3,))) == str(want)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize(
    "name", ["callbacks", "validation", "loss_target", "patience", "checkpoint", "restore_best"]
)
def test_what_would_spoil_a_study_is_refused(study: Callable[..., Any], name: str) -> None:
    with pytest.raises(TypeError, match=f"^{study.__name__} does not take {name}, got 0.1"):
        study(X, Y, **{name: 0.1})


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"progress": 1}, TypeError, "progress must be True or False, got 1"),
        ({"hiden": 3}, TypeError, "hiden"),
        ({"y": None}, TypeError, "y is needed"),
        ({"y": Y[:9]}, ValueError, "y must have as many rows as X, 150, got 9"),
        ({"X": X * np.nan}, ValueError, "X has nan"),
        ({"X": "data.parquet"}, ValueError, "X must have 2 dimensions"),
        ({"X": X[:0], "y": Y[:0]}, ValueError, "at least"),
    ],
)
def test_bad_arguments_are_errors(
    study: Callable[..., Any], arguments: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        study(**({"X": X, "y": Y, "epochs": 1} | arguments))


@pytest.mark.parametrize(
    ("study", "values", "error", "message"),
    [
        (fastmlp.compare_inits, "he_normal", TypeError, "inits must be a sequence of names of schemes"),
        (fastmlp.compare_inits, (), ValueError, "inits must be one or more names of schemes, each once"),
        (fastmlp.compare_inits, ("zeros", "zeros"), ValueError, "inits must be one or more names of schemes"),
        (fastmlp.compare_inits, (3,), TypeError, r"inits\[0\] must be the name of a scheme, got 3"),
        (fastmlp.compare_inits, ("he",), ValueError, r"^inits\[0\] must be one of auto, .*; got 'he'"),
        (fastmlp.compare_inits, ("auto", "normal(-1)"), ValueError, r"^inits\[1\]: the number of norm"),
        (fastmlp.study_batch_size, [[1, 2], 3], TypeError, r"sizes\[0\] must be an integer, got \[1, 2\]"),
        (fastmlp.compare_inits, np.array("auto"), TypeError, "inits must be a sequence"),
        (fastmlp.study_learning_rate, (0.1, math.inf), ValueError, r"rates\[1\] must be finite .*got inf"),
        (fastmlp.study_learning_rate, (0.1, NAN), ValueError, r"rates\[1\] must be greater than 0, got nan"),
        (fastmlp.study_learning_rate, (0.1, 1e39), ValueError, r"rates\[1\] must be at most 3.4e\+38"),
        (fastmlp.study_learning_rate, [0.1, 1e-39], ValueError, r"rates\[1\] must be at least 1.18e-38"),
        (fastmlp.study_batch_size, 8, TypeError, "sizes must be a sequence of batch sizes, got 8"),
        (fastmlp.study_batch_size, (), ValueError, "sizes must be one or more batch sizes"),
        (fastmlp.study_batch_size, (8, 8), ValueError, "sizes must be one or more batch sizes, each once"),
        (fastmlp.study_batch_size, (8, 0), ValueError, r"sizes\[1\] must be at least 1 and at most 150"),
        (fastmlp.study_batch_size, (151,), ValueError, r"sizes\[0\] must be at least 1 and at most 150"),
        (fastmlp.study_batch_size, (8.0,), TypeError, r"sizes\[0\] must be an integer"),
        (fastmlp.study_learning_rate, 0.1, TypeError, "rates must be a sequence of learning rates"),
        (fastmlp.study_learning_rate, (), ValueError, "rates must be one or more learning rates"),
        (fastmlp.study_learning_rate, (0.1, 0.1), ValueError, "rates must be one or more learning rates"),
        (fastmlp.study_learning_rate, (0.1, 0), ValueError, r"rates\[1\] must be greater than 0"),
        (fastmlp.study_learning_rate, ("0.1",), TypeError, r"rates\[0\] must be a number"),
    ],
)  # fmt: skip
def test_bad_lists_are_errors_before_any_training(
    study: Callable[..., Any], values: Any, error: type, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "train", None)
    with pytest.raises(error, match=message):
        study(X, Y, values, epochs=1)


@pytest.mark.parametrize(
    ("study", "values"),
    [
        (fastmlp.compare_inits, ["zeros", "he_normal"]),
        (fastmlp.study_batch_size, [16, 150]),
        (fastmlp.study_learning_rate, [0.01, 0.1]),
    ],
)
def test_lists_may_be_arrays(study: Callable[..., Any], values: list[Any]) -> None:
    settings: dict[str, Any] = {"epochs": 4, "hidden": (3,), "learning_rate": 0.02}
    if study is fastmlp.study_learning_rate:
        del settings["learning_rate"]
    first = study(X, Y, np.array(values), **settings).rows()
    assert [row[0] for row in first] == values
    study(X, Y, tuple(values), **settings)


@pytest.mark.parametrize("study", STUDIES)
def test_values_whose_loss_overflows_are_an_error(study: Callable[..., Any]) -> None:
    with pytest.raises(
        ValueError, match=r"^y must be on a smaller scale, got values up to 5e\+30, .* float32"
    ):
        study(X, np.linspace(0, 5e30, 150), epochs=2, hidden=(3,))


@pytest.mark.parametrize("target", [50.0, math.inf, NAN])
@pytest.mark.parametrize("study", STUDIES[1:])
def test_a_target_above_the_first_loss_is_an_error(study: Callable[..., Any], target: float) -> None:
    with pytest.raises(ValueError, match="target_loss must be"):
        study(X, Y, (1,), target_loss=target, epochs=1)


@pytest.mark.parametrize("optimizer", ["lbfgs", fastmlp.LBFGS()])
def test_an_optimizer_without_batches_is_refused(optimizer: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^optimizer must be one that trains in batches, got .*(lbfgs|LBFGS)"
    ):
        fastmlp.study_batch_size(X, Y, optimizer=optimizer)


def test_a_pilot_run_that_learns_nothing_asks_for_a_target() -> None:
    with pytest.raises(ValueError, match="another learning_rate: a run with batch_size=150 did not lower"):
        fastmlp.study_batch_size(X, X @ np.ones(4), (150,), hidden=(), optimizer="sgd", learning_rate=1e6)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_shows_its_runs_on_a_terminal(
    study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    study(X, Y, epochs=4, hidden=(3,), progress=False)
    assert not terminal.getvalue()
    study(X, Y, epochs=4, hidden=(3,))
    assert "run " in terminal.getvalue()


def test_the_bar_of_runs_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    with run_bar(True, 2) as begin:
        begin("first")
        begin("second [red]name[/red]")  # is not read as a colour
    assert "run 1/2" in terminal.getvalue()
    assert "[red]name[/red]" in terminal.getvalue()
    assert "second" in terminal.getvalue()


@pytest.mark.parametrize("missing", ["terminal", "rich"])
def test_without_a_terminal_or_rich_there_is_no_bar(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO() if missing == "terminal" else Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    if missing == "rich":
        monkeypatch.setitem(sys.modules, "rich", None)
        monkeypatch.setattr("fastmlp._training.progress.find_spec", lambda name: None)
    with run_bar(True, 2) as begin:
        begin("first")
    assert not stream.getvalue()
