"""Curves of a history: what is drawn, from one epoch to a hundred thousand, by matplotlib and by plotly."""

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
import pytest

import fastmlp
from fastmlp import History, plot
from fastmlp._base.curves import evenly

mpl.use("Agg")
import matplotlib.pyplot as plt

BASE = ("epoch", "loss", "learning_rate", "seconds")
NAN = float("nan")


pytestmark = pytest.mark.usefixtures("pictures")


def history(loss: list[float], **columns: list[float]) -> History:
    rows = [
        (i + 1, value, 0.1, 1.0, *(column[i] for column in columns.values())) for i, value in enumerate(loss)
    ]
    return History((*BASE, *columns), rows)


FULL = history(
    [1.0, 0.5, 0.4, 0.3],
    validation_loss=[1.1, 0.6, 0.7, 0.9],
    accuracy=[0.3, 0.8, 0.9, 1.0],
    validation_accuracy=[0.2, 0.7, 0.9, 0.8],
)


def labels(ax: plt.Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_loss_and_accuracy_are_drawn_side_by_side() -> None:
    ax = FULL.plot()
    loss, accuracy = ax.figure.axes
    assert loss is ax
    assert list(ax.lines[0].get_ydata()) == [1.0, 0.5, 0.4, 0.3]
    assert list(ax.lines[1].get_ydata()) == [1.1, 0.6, 0.7, 0.9]
    assert list(accuracy.lines[0].get_ydata()) == [0.3, 0.8, 0.9, 1.0]
    assert list(accuracy.lines[1].get_ydata()) == [0.2, 0.7, 0.9, 0.8]
    assert labels(loss) == ["training", "validation", "best epoch 2: 0.6"]
    assert labels(accuracy) == ["training", "validation", "best epoch 2: 0.7"]
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "loss")
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("epoch", "accuracy (share of rows)")


@pytest.mark.parametrize(("metric", "first"), [(None, 1.0), ("loss", 1.0), ("accuracy", 0.3)])
def test_a_given_axes_holds_one_metric(metric: str | None, first: float) -> None:
    _, given = plt.subplots()
    ax = plot.history(FULL, metric, given)
    assert ax is given
    assert ax.figure.axes == [given]
    assert ax.lines[0].get_ydata()[0] == first


def test_the_r2_stands_beside_the_loss() -> None:
    ax = history([1.0, 0.5], validation_loss=[2.0, 1.0], validation_r2=[0.1, 0.6]).plot()
    assert ax.figure.axes[1].get_ylabel() == "R²"
    assert labels(ax.figure.axes[1]) == ["validation", "best epoch 2: 0.6"]


def test_without_validation_no_epoch_is_called_best() -> None:
    ax = history([1.0, 0.5]).plot()
    assert ax.figure.axes == [ax]
    assert labels(ax) == ["training"]
    assert len(ax.lines) == 1


@pytest.mark.parametrize(
    ("loss", "scale"),
    [([1.0, 0.09], "log"), ([1.0, 0.2], "linear"), ([1.0, 0.0], "linear"), ([-0.1, 9.0], "linear")],
)
def test_the_scale_is_logarithmic_for_positive_losses_over_more_than_a_decade(
    loss: list[float], scale: str
) -> None:
    assert history(loss).plot().get_yscale() == scale


@pytest.mark.parametrize(
    "odd",
    [
        History(),
        history([], validation_loss=[], validation_accuracy=[]),
        history([0.5]),
        history([0.5], validation_loss=[0.6], validation_accuracy=[0.9]),
        history([1.0, 0.5], validation_loss=[NAN, NAN], validation_accuracy=[NAN, NAN]),
        history([NAN, NAN], validation_loss=[NAN, NAN]),
        history([1.0, float("inf")], validation_loss=[float("inf"), 2.0]),
        history([1.0, 0.5], validation_loss=[1.0, 0.4], validation_accuracy=[0.9, NAN]),
    ],
)
@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_odd_histories_are_drawn_without_a_warning(odd: History, backend: str) -> None:
    drawn = odd.plot(backend=backend)
    if backend == "plotly":
        assert drawn.to_json()
    else:
        assert drawn.get_xlabel() == "epoch"


def test_one_epoch_is_a_point() -> None:
    assert history([0.5]).plot().lines[0].get_marker() == "o"
    assert history([0.5]).plot(backend="plotly").data[0].mode == "markers"


def test_unmeasured_validation_is_not_in_the_legend() -> None:
    ax = history([1.0, 0.5], validation_loss=[NAN, NAN], validation_accuracy=[NAN, NAN]).plot()
    assert labels(ax) == ["training"]
    assert ax.figure.axes == [ax]


def test_the_best_epoch_is_the_lowest_that_is_finite() -> None:
    ax = history([1.0] * 4, validation_loss=[NAN, 3.0, 2.0, float("inf")]).plot()
    assert labels(ax)[-1] == "best epoch 3: 2"


@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_a_long_history_is_thinned_but_keeps_its_best_epoch(backend: str) -> None:
    losses = np.ones(100_000)
    losses[54_321] = 0.5
    drawn = history(losses.tolist(), validation_loss=losses.tolist()).plot("loss", backend=backend)
    x, y = drawn.lines[1].get_data() if backend == "matplotlib" else (drawn.data[1].x, drawn.data[1].y)
    assert 1000 <= len(x) <= 1001
    assert (x[0], x[-1]) == (1, 100_000)
    assert y[np.flatnonzero(x == 54_322)[0]] == 0.5


@pytest.mark.parametrize(("count", "limit"), [(0, 10), (1, 10), (10, 10), (11, 10), (1_000_003, 1000)])
def test_thinning_spreads_evenly(count: int, limit: int) -> None:
    places = evenly(count, limit)
    assert len(places) == min(count, limit)
    if count:
        assert (places[0], places[-1]) == (0, count - 1)
        assert np.ptp(np.diff(places)) <= 1 if count > 1 else True


def test_plotly_draws_the_same() -> None:
    figure = FULL.plot(backend="plotly")
    traces = {(trace.name, trace.xaxis): list(trace.y) for trace in figure.data}
    assert traces == {
        ("training", "x"): [1.0, 0.5, 0.4, 0.3],
        ("validation", "x"): [1.1, 0.6, 0.7, 0.9],
        ("best epoch 2", "x"): [0.6],
        ("training", "x2"): [0.3, 0.8, 0.9, 1.0],
        ("validation", "x2"): [0.2, 0.7, 0.9, 0.8],
        ("best epoch 2", "x2"): [0.7],
    }
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "training",
        "validation",
        "best epoch 2",
    ]
    assert [shape.x0 for shape in figure.layout.shapes] == [2, 2]
    assert figure.layout.yaxis.title.text == "loss"
    assert figure.layout.hovermode == "x unified"
    assert len(FULL.plot("accuracy", backend="plotly").data) == 3
    assert history([1.0, 0.01]).plot(backend="plotly").layout.yaxis.type == "log"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metric": "f1"}, ValueError, "metric must be one of loss, accuracy, r2; got 'f1'"),
        ({"metric": "r2"}, ValueError, "metric 'r2' is not in this history, which has loss, accuracy"),
        ({"metric": 3}, TypeError, "metric must be one of loss, accuracy, r2; got 3"),
        ({"backend": "bokeh"}, ValueError, "backend must be one of matplotlib, plotly; got 'bokeh'"),
        ({"backend": None}, TypeError, "backend must be one of matplotlib, plotly; got None"),
        ({"ax": "here"}, TypeError, "ax must be a matplotlib Axes or None, got 'here'"),
        ({"ax": "here", "backend": "plotly"}, ValueError, "ax must be None for backend 'plotly'"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        FULL.plot(**arguments)


@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_only_a_history_is_drawn(backend: str) -> None:
    with pytest.raises(TypeError, match=r"history must be a fastmlp\.History, such as net\.history; got"):
        plot.history({"loss": [1.0]}, backend=backend)


@pytest.mark.parametrize(
    ("module", "backend", "what"),
    [
        ("matplotlib", "matplotlib", "a picture needs matplotlib"),
        ("plotly", "plotly", "backend 'plotly' needs plotly"),
    ],
)
def test_a_missing_library_is_named_with_what_to_install(
    module: str, backend: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name == module or name.startswith(f"{module}."):
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"^{what}: pip install 'fastmlp\[plot\]'$"):
        FULL.plot(backend=backend)


def test_a_trained_network_shows_its_history() -> None:
    iris = fastmlp.datasets.load_iris()
    net = fastmlp.train(iris.data, iris.target, hidden=(6,), epochs=5, validation=0.2)
    ax = net.history.plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), net.history["loss"])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), net.history["validation_loss"])
    accuracy = {line.get_label(): line.get_ydata() for line in ax.figure.axes[1].lines}
    np.testing.assert_array_equal(accuracy["validation"], net.history["validation_accuracy"])


def test_a_history_without_a_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="history has nothing to draw, only epoch"):
        plot.history(History(("epoch",)))
