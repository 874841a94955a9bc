"""Pictures of networks: what they show, for which networks, and that texts of the user's stay texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import fastmlp
from fastmlp import plot
from fastmlp.data import TableEncoder
from fastmlp.plot._units import feature_axes

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.dates import date2num
from matplotlib.text import Text

IRIS = fastmlp.datasets.load_iris()
NAMES = np.array(IRIS.target_names)[IRIS.target]
FRAME = pd.DataFrame(IRIS.data, columns=list(IRIS.feature_names))
EVIL = ("$x$", "_y", "<script>alert(1)</script>", "a\nb", "$\\frac{1", "%d {0}")
VALUES = IRIS.data @ np.array([1.0, -2.0, 0.5, 1.5])


pytestmark = pytest.mark.usefixtures("pictures")


@pytest.fixture(scope="module")
def iris() -> fastmlp.Network:
    return fastmlp.train(FRAME, NAMES, hidden=(8,), epochs=60, learning_rate=0.02)


@pytest.fixture(scope="module")
def regression() -> fastmlp.Network:
    return fastmlp.train(IRIS.data, VALUES, hidden=(8,), epochs=30)


@pytest.fixture(scope="module")
def evil() -> tuple[fastmlp.Network, pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 6)), columns=list(EVIL))
    y = np.array(EVIL)[np.arange(60) % 6]
    return fastmlp.train(X, y, hidden=(3,), epochs=2), X, y


DRAW: dict[str, Callable[..., Axes]] = {
    "confusion": plot.confusion,
    "decision_boundary": plot.decision_boundary,
    "loss_landscape": lambda net, X, y, **more: plot.loss_landscape(net, X, y, resolution=5, **more),
    "weights": lambda net, X, y, **more: plot.weights(net, **more),
    "weights of the last layer": lambda net, X, y, **more: plot.weights(net, 1, **more),
    "network": lambda net, X, y, **more: plot.network(net, **more),
}


def texts(ax: Axes) -> list[str]:
    """Return the texts that stand in the figure."""
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.figure.findobj(Text) if text.get_visible() and text.get_text()]


def ticks(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("name", DRAW)
def test_a_picture_stands_in_a_new_figure_or_in_the_axes_given(name: str, iris: fastmlp.Network) -> None:
    before = iris.parameters.copy()
    ax = DRAW[name](iris, FRAME, NAMES)
    assert isinstance(ax, Axes)
    assert ax.figure.get_size_inches()[0] == 9
    _, given = plt.subplots()
    assert DRAW[name](iris, FRAME, NAMES, ax=given) is given
    assert len(plt.get_fignums()) == 2
    np.testing.assert_array_equal(iris.parameters, before)


@pytest.mark.parametrize("name", DRAW)
def test_texts_of_the_user_are_shown_as_they_are(
    name: str, evil: tuple[fastmlp.Network, pd.DataFrame, np.ndarray]
) -> None:
    ax = DRAW[name](*evil)
    shown = texts(ax)
    for text in ax.figure.findobj(Text):
        if "$" in text.get_text() and "mathdefault" not in text.get_text():
            assert not text.get_parse_math()
            assert text.get_usetex() is False
    assert not any("\n" in text for text in shown if text.startswith("a"))
    if name == "decision_boundary":
        assert {"$x$", "_y"} <= {ax.get_xlabel(), ax.get_ylabel()}
    elif name != "loss_landscape":
        assert {"$x$", "_y", "<script>alert(1)</s…", "a\\nb"} <= set(shown)


@pytest.mark.parametrize("name", DRAW)
def test_what_is_no_network_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"^net must be a fastmlp\.Network, got 'net'$"):
        DRAW[name]("net", FRAME, NAMES)


@pytest.mark.parametrize("name", DRAW)
def test_what_is_no_axes_is_refused(name: str, iris: fastmlp.Network) -> None:
    with pytest.raises(TypeError, match=r"^ax must be a matplotlib Axes or None, got 5$"):
        DRAW[name](iris, FRAME, NAMES, ax=5)


class TestConfusion:
    def test_cells_hold_the_numbers_of_rows(self, iris: fastmlp.Network) -> None:
        ax = plot.confusion(iris, FRAME, NAMES)
        predicted = iris.predict(IRIS.data)
        expected = [
            [str(((true == NAMES) & (predicted == guess)).sum()) for guess in IRIS.target_names]
            for true in IRIS.target_names
        ]
        assert np.array([text.get_text() for text in ax.texts]).reshape(3, 3).tolist() == expected
        assert ticks(ax.xaxis) == ticks(ax.yaxis) == list(IRIS.target_names)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")

    def test_shares_add_up_to_one_in_a_row_and_give_the_colour(self, iris: fastmlp.Network) -> None:
        ax = plot.confusion(iris, FRAME, NAMES, normalize=True)
        shares = np.asarray(ax.images[0].get_array())
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert [text.get_text() for text in ax.texts] == [f"{share:.2f}" for share in shares.ravel()]

    def test_a_class_without_rows_is_an_empty_row(self, iris: fastmlp.Network) -> None:
        ax = plot.confusion(iris, IRIS.data[:50], NAMES[:50])
        assert np.asarray(ax.images[0].get_array())[1:].tolist() == [[0, 0, 0], [0, 0, 0]]

    @pytest.mark.parametrize(("classes", "numbers"), [(30, True), (31, False), (200, False)])
    def test_numbers_are_written_for_thirty_classes(self, classes: int, numbers: bool) -> None:
        net = fastmlp.Network((2, classes))
        ax = plot.confusion(net, np.eye(2), [0, classes - 1])
        assert bool(ax.texts) is numbers
        assert len(ax.get_xticks()) <= 30

    def test_numbers_too_small_to_read_are_left_out(self) -> None:
        _, axes = plt.subplots(4, 4)
        ax = plot.confusion(fastmlp.Network((2, 30)), np.eye(2), [0, 1], ax=axes[0, 0])
        assert not ax.texts

    def test_labels_may_be_a_column(self, iris: fastmlp.Network) -> None:
        ax = plot.confusion(iris, FRAME.assign(kind=NAMES), "kind")
        assert sum(int(text.get_text()) for text in ax.texts) == 150

    @pytest.mark.parametrize(
        ("y", "error", "message"),
        [
            (NAMES[:3], ValueError, "y must have as many rows as X, 150, got 3"),
            ([], ValueError, r"y must be labels of shape \(n,\), n at least 1; got shape \(0,\)"),
            (
                np.eye(3)[IRIS.target],
                ValueError,
                r"y must be labels of shape \(n,\), n at least 1; got shape \(150, 3\)",
            ),
            (["rose"] * 150, ValueError, "y has the label 'rose' at row 0, which is not one of the classes"),
            ([None] * 150, ValueError, "y has a missing value at row 0"),
        ],
    )
    def test_wrong_labels_are_named(
        self, y: Any, error: type[Exception], message: str, iris: fastmlp.Network
    ) -> None:
        with pytest.raises(error, match=message):
            plot.confusion(iris, FRAME, y)

    def test_values_have_no_confusion(self, regression: fastmlp.Network) -> None:
        with pytest.raises(
            ValueError, match="confusion needs a network that predicts one label for each row"
        ):
            plot.confusion(regression, IRIS.data, VALUES)
        with pytest.raises(TypeError, match="normalize must be True or False, got 1"):
            plot.confusion(fastmlp.Network((2, 2)), np.eye(2), [0, 1], normalize=1)


class TestDecisionBoundary:
    def test_regions_are_what_the_network_predicts(self, iris: fastmlp.Network) -> None:
        ax = plot.decision_boundary(iris, FRAME, NAMES, features=(2, 3), resolution=9)
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        rows = np.tile(np.median(IRIS.data.astype(np.float32), axis=0), (81, 1))
        rows[:, 2] = np.tile(np.linspace(left, right, 9), 9)
        rows[:, 3] = np.repeat(np.linspace(low, high, 9), 9)
        drawn = np.asarray(IRIS.target_names)[np.asarray(ax.images[0].get_array())]
        assert drawn.ravel().tolist() == iris.predict(rows).tolist()
        assert left < IRIS.data[:, 2].min() < IRIS.data[:, 2].max() < right

    def test_points_and_regions_share_their_colours(self, iris: fastmlp.Network) -> None:
        ax = plot.decision_boundary(iris, FRAME, NAMES, features=("petal_length", "petal_width"))
        image, points = ax.images[0], ax.collections[0]
        strong = points.get_facecolors()[[0, 50, 100], :3]
        light = image.cmap(image.norm(np.arange(3)))[:, :3]
        np.testing.assert_allclose(light, 0.35 * strong + 0.65, atol=1e-6)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == list(IRIS.target_names)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("petal_length", "petal_width")
        assert ax.get_title() == "the other features are at their median"

    @pytest.mark.parametrize("columns", [2, 3])
    @pytest.mark.parametrize("labelled", [True, False])
    def test_two_classes_of_one_output_are_two_regions(self, columns: int, labelled: bool) -> None:
        X, y = IRIS.data[:, -columns:], NAMES == "setosa"
        net = fastmlp.train(X, y, loss="binary_cross_entropy", hidden=(4,), epochs=100, learning_rate=0.05)
        ax = plot.decision_boundary(net, X, y if labelled else None, resolution=20)
        assert set(np.unique(ax.images[0].get_array())) == {0, 1}
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 0", "feature 1")
        assert bool(ax.get_title()) is (columns == 3)

    @pytest.mark.parametrize("classes", [3, 15, 40])
    def test_many_classes_have_colours_of_their_own(self, classes: int) -> None:
        net = fastmlp.Network((2, classes), seed=1)
        y = np.arange(200) % classes
        ax = plot.decision_boundary(net, np.random.default_rng(0).normal(size=(200, 2)), y, resolution=10)
        assert len(np.unique(ax.collections[0].get_facecolors(), axis=0)) == classes

    @pytest.mark.parametrize("y", [VALUES, None])
    def test_values_are_contours_with_a_colour_bar(self, y: Any, regression: fastmlp.Network) -> None:
        ax = plot.decision_boundary(regression, IRIS.data, y, resolution=20)
        assert [other.get_ylabel() for other in ax.figure.axes] == ["feature 1", "predicted value"]

    @pytest.mark.parametrize("constant", [0.0, 0.1, -3e30])
    def test_constant_values_and_constant_features_are_drawn(self, constant: float) -> None:
        net = fastmlp.Network((2, 1), loss="squared_error", init="zeros")
        net.biases[0] = constant
        assert plot.decision_boundary(net, np.ones((3, 2)), resolution=5).get_xlim() == (0.5, 1.5)

    def test_a_table_is_shown_in_its_own_units(self) -> None:
        table = pd.DataFrame(
            {"size": np.arange(60.0), "age": np.arange(60) % 7, "kind": ["a", "b", "c"] * 20}
        )
        price = pd.Series(1000 + 50 * table["size"], name="price")
        encoder = TableEncoder("price", max_one_hot=2).fit(table.assign(price=price))
        whole = table.assign(price=price)
        net = fastmlp.train(
            encoder.transform(whole),
            encoder.transform_target(whole),
            hidden=(8,),
            epochs=200,
            embeddings=encoder.embeddings,
            learning_rate=0.02,
        )
        net.encoder = encoder
        ax = plot.decision_boundary(net, table, price, features=("size", "age"), resolution=11)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "age")
        np.testing.assert_allclose(ax.get_xlim(), (-0.05 * 59, 59 * 1.05), rtol=1e-6)
        np.testing.assert_allclose(ax.collections[-1].get_offsets(), table[["size", "age"]], atol=1e-4)
        assert ax.figure.axes[1].get_ylim()[1] > 2000  # the colour bar
        with pytest.raises(ValueError, match="features must not be embedded: column 2 holds codes"):
            plot.decision_boundary(net, table, features=("size", "kind"))

    def test_dates_vary_with_their_cycles_and_other_features_by_themselves(self) -> None:
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(400), unit="D")
        table = pd.DataFrame({"when": days, "kind": ["a", "b"] * 200, "size": np.arange(400.0) % 9})
        table.loc[::7, "size"] = np.nan
        table["y"] = np.sin(2 * np.pi * np.arange(400) / 365.25)
        encoder = TableEncoder("y").fit(table)
        net = fastmlp.train(
            encoder.transform(table), encoder.transform_target(table), hidden=(8,), epochs=100,
            learning_rate=0.02,
        )  # fmt: skip
        net.encoder = encoder
        assert len(encoder.columns[0].feature_names) > 2  # with cycles
        ax = plot.decision_boundary(net, table, "y", features=("when", "kind=a"), resolution=41)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("when", "kind=a (encoded)")
        first = ax.collections[-1].get_offsets()[0, 0]
        assert first == pytest.approx(date2num(np.datetime64("2024-01-01")), abs=0.01)
        ax.figure.canvas.draw()
        assert any("Feb" in tick.get_text() or "2024" in tick.get_text() for tick in ax.get_xticklabels())
        # A number and whether it is missing are features of one column; each varies by itself.
        ax = plot.decision_boundary(net, table, features=("size", "size is missing"), resolution=3)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "size is missing (encoded)")

    def test_the_grid_predicts_what_the_table_with_these_values_does(self) -> None:
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(90), unit="D")
        table = pd.DataFrame({"when": days, "size": np.arange(90.0) % 9, "y": np.arange(90) % 2})
        encoder = TableEncoder("y").fit(table)
        net = fastmlp.Network((len(encoder.feature_names), 5, 2), activation="tanh")
        net.encoder = encoder
        axes = feature_axes(net, encoder.feature_names, [0, encoder.feature_names.index("size")])
        X = encoder.transform(table, "float64")
        for axis in axes:
            np.testing.assert_allclose(axis.encoded(axis.shown(X)), X[:, axis.features], atol=1e-9)

    def test_sparse_rows_are_drawn(self) -> None:
        net = fastmlp.Network((3, 2))
        ax = plot.decision_boundary(net, sparse.csr_matrix(np.eye(3)), [0, 1, 1], resolution=4)
        assert ax.images[0].get_array().shape == (4, 4)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"features": (0, 4)}, ValueError, r"features\[1\] must be at least 0 and at most 3, got 4"),
            ({"features": (0, 0)}, ValueError, r"features must be two different columns of X, got \(0, 0\)"),
            ({"features": (0,)}, ValueError, r"features must be two columns of X, got \(0,\)"),
            ({"features": "ab"}, ValueError, "features must be two columns of X, got 'ab'"),
            ({"features": (0, "b")}, ValueError, r"features\[1\] must be one of sepal_length, .*; got 'b'"),
            ({"features": (0, 1.0)}, TypeError, r"features\[1\] must be an integer, got 1\.0"),
            ({"resolution": 1}, ValueError, "resolution must be at least 2 and at most 5000, got 1"),
            ({"resolution": 2.5}, TypeError, r"resolution must be an integer, got 2\.5"),
            ({"X": FRAME[:0]}, ValueError, "X must have at least one row, got 0"),
            ({"X": FRAME.to_numpy()[:, :3]}, ValueError, "X must have 4 columns, got 3"),
            ({"y": NAMES[:9]}, ValueError, "y must have as many rows as X, 150, got 9"),
            ({"y": np.ones((150, 3))}, ValueError, r"y must have shape \(n,\), got \(150, 3\)"),
            ({"y": ["rose"] * 150}, ValueError, "y has the label 'rose'"),
        ],
    )
    def test_wrong_arguments_are_named(
        self, arguments: dict[str, Any], error: type[Exception], message: str, iris: fastmlp.Network
    ) -> None:
        with pytest.raises(error, match=message):
            plot.decision_boundary(iris, **({"X": FRAME, "y": NAMES} | arguments))

    @pytest.mark.filterwarnings("ignore:the outputs of row:RuntimeWarning")
    def test_predictions_that_are_not_finite_are_left_out(self) -> None:
        net = fastmlp.Network((2, 1), loss="squared_error")
        net.weights[0] = [[2e38], [1.0]]
        plot.decision_boundary(net, [[0.0, 1.0], [3.0, 2.0]], resolution=5)
        net.biases[0] = np.inf
        with pytest.raises(ValueError, match="no prediction in the picture is finite"):
            plot.decision_boundary(net, np.eye(2), resolution=5)

    def test_networks_without_a_picture_are_named(self) -> None:
        with pytest.raises(ValueError, match="needs a network of at least 2 inputs, got 1"):
            plot.decision_boundary(fastmlp.Network((1, 2)), [[1.0], [2.0]])
        with pytest.raises(ValueError, match="needs a network that predicts one label or one value"):
            plot.decision_boundary(fastmlp.Network((2, 3), loss="squared_error"), np.eye(2))


class TestWeights:
    def test_the_matrix_is_drawn_about_zero(self, iris: fastmlp.Network) -> None:
        image = plot.weights(iris).images[0]
        np.testing.assert_array_equal(image.get_array(), iris.weights[0])
        largest = float(np.abs(iris.weights[0]).max())
        assert image.get_clim() == (-largest, largest)

    def test_axes_carry_the_names_that_are_known(self, iris: fastmlp.Network) -> None:
        first, last = plot.weights(iris), plot.weights(iris, 1)
        assert ticks(first.yaxis) == list(IRIS.feature_names)
        assert ticks(last.xaxis) == list(IRIS.target_names)
        assert (first.get_xlabel(), first.get_ylabel()) == ("unit", "input")

    @pytest.mark.parametrize("towns", [3, 40])  # one-hot, embedded
    def test_the_inputs_of_a_column_stand_together_between_lines(self, towns: int) -> None:
        kinds = ["a", "b"] * 40
        table = pd.DataFrame(
            {"town": [f"t{i % towns}" for i in range(80)], "size": np.arange(80.0), "kind": kinds, "y": kinds}
        )
        encoder = TableEncoder("y").fit(table)
        net = fastmlp.Network((len(encoder.feature_names), 4, 2), embeddings=encoder.embeddings)
        net.encoder = encoder
        ax, W = plot.weights(net), net.weights[0]
        width = len(W) - 4  # beside size, kind=a, kind=b and other kinds
        drawn = ax.images[0].get_array()
        if towns == 40:  # the embedding's weights lie behind the others, and are drawn where the column is
            W = np.concatenate([W[4:], W[:4]])
        np.testing.assert_array_equal(drawn, W)
        names = ticks(ax.yaxis)
        assert names[-4:] == ["size", "kind=a", "kind=b", "kind is other"]
        assert names[0] == ("town=t0" if towns == 3 else "town[0]")
        lines = [line.get_ydata()[0] for line in ax.lines]  # type: ignore[index]
        assert lines == [width - 0.5, width + 0.5]

    def test_columns_are_named_where_inputs_are_too_many(self) -> None:
        table = pd.DataFrame({"town": [f"t{i % 40:02}" for i in range(120)], "size": np.arange(120.0)})
        table["y"] = ["a", "b"] * 60
        encoder = TableEncoder("y", max_one_hot=50).fit(table)
        net = fastmlp.Network((len(encoder.feature_names), 4, 2))
        net.encoder = encoder
        ax = plot.weights(net)
        assert ticks(ax.yaxis) == ["town", "size"]
        assert ax.get_yticks().tolist() == [20.0, 41.0]  # 40 towns and the others, then size
        assert ax.get_ylabel() == "column"

    @pytest.mark.parametrize(("units", "shape"), [(1, (2, 3)), (5, (2, 3)), (7, (6, 1)), (64, (1, 6))])
    def test_the_image_of_each_unit_is_in_the_mosaic(self, units: int, shape: tuple[int, int]) -> None:
        net = fastmlp.Network((6, units), loss="squared_error")
        ax = plot.weights(net, image_shape=shape)
        mosaic = np.ma.filled(ax.images[0].get_array(), np.nan)
        height, width = shape
        across = (mosaic.shape[1] + 1) // (width + 1)
        for unit in range(units):
            row, column = divmod(unit, across)
            tile = mosaic[row * (height + 1) :, column * (width + 1) :][:height, :width]
            np.testing.assert_array_equal(tile, net.weights[0][:, unit].reshape(shape))
        assert np.isfinite(mosaic).sum() == 6 * units

    def test_weights_that_are_zero_or_not_finite_are_drawn(self) -> None:
        net = fastmlp.Network((2, 2), init="zeros")
        assert plot.weights(net).images[0].get_clim() == (-1, 1)
        net.weights[0] = [[np.nan, np.inf], [1.0, -2.0]]
        assert plot.weights(net).images[0].get_clim() == (-2, 2)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"layer": 2}, ValueError, "layer must be at least 0 and at most 1, got 2"),
            ({"layer": -1}, ValueError, "layer must be at least 0 and at most 1, got -1"),
            ({"layer": "first"}, TypeError, "layer must be an integer, got 'first'"),
            (
                {"image_shape": (3, 2)},
                ValueError,
                r"image_shape must be \(height, width\) of 4 pixels, .*got \(3, 2\)",
            ),
            ({"image_shape": (4,)}, ValueError, r"image_shape must be \(height, width\) of 4 pixels"),
            ({"image_shape": (-2, -2)}, ValueError, r"image_shape\[0\] must be at least 1"),
            ({"image_shape": "2x2"}, TypeError, "image_shape must be an integer or a sequence of integers"),
        ],
    )
    def test_wrong_arguments_are_named(
        self, arguments: dict[str, Any], error: type[Exception], message: str, iris: fastmlp.Network
    ) -> None:
        with pytest.raises(error, match=message):
            plot.weights(iris, **arguments)


class TestLossLandscape:
    @pytest.mark.usefixtures("isa")
    def test_the_middle_is_the_loss_of_the_network(self) -> None:
        net = fastmlp.train(IRIS.data, NAMES, hidden=(5,), epochs=20, l2=0.01)
        ax = plot.loss_landscape(net, IRIS.data, NAMES, resolution=5)
        loss, _ = net.loss_and_gradient(IRIS.data, NAMES)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [f"the network: loss {loss:.4g}"]
        assert [other.get_ylabel() for other in ax.figure.axes][1] == "loss"

    def test_each_unit_moves_as_far_as_its_own_weights(self) -> None:
        from fastmlp.plot._landscape import _direction

        net = fastmlp.Network((3, 4, 2), embeddings=[(0, 5, 2)])
        net.weights[0][:, 1] *= 100
        net.weights[0][:, 2] = 0
        rng = np.random.default_rng(3)
        moved_by = net._views(_direction(net, rng))
        dW, db, dE = moved_by.weights, moved_by.biases, moved_by.tables
        for W, b, weights, biases in zip(net.weights, net.biases, dW, db, strict=True):
            moved = np.sqrt((weights**2).sum(axis=0) + biases**2)
            np.testing.assert_allclose(moved, np.sqrt((W**2).sum(axis=0) + b**2), rtol=1e-5)
        np.testing.assert_allclose(
            np.linalg.norm(dE[0], axis=1), np.linalg.norm(net.tables[0], axis=1), rtol=1e-5
        )

    def test_the_seed_chooses_the_directions(self) -> None:
        from fastmlp.plot._landscape import _direction, _losses

        net = fastmlp.Network((4, 3), dtype="float64")
        rng = np.random.default_rng(7)
        pair = _direction(net, rng), _direction(net, rng)
        steps = np.array([-1.0, 0.5])
        here, losses = _losses(net, IRIS.data, IRIS.target, steps, pair)
        start = net.parameters.copy()
        assert here == net.loss_and_gradient(IRIS.data, IRIS.target)[0]
        net.parameters = start - pair[0] + 0.5 * pair[1]
        np.testing.assert_allclose(losses[1, 0], net.loss_and_gradient(IRIS.data, IRIS.target)[0], rtol=1e-12)

    def test_losses_that_overflow_are_left_out(self) -> None:
        net = fastmlp.Network((2, 1), loss="poisson")
        ax = plot.loss_landscape(net, 30 * np.eye(2), [1.0, 2.0], span=3, resolution=9)
        assert ax.get_xlim() == (-3, 3)
        net.parameters[...] = np.inf
        with pytest.raises(ValueError, match="the loss is finite nowhere in the picture"):
            plot.loss_landscape(net, np.eye(2), [1.0, 2.0], resolution=3)

    def test_a_constant_loss_is_drawn(self) -> None:
        net = fastmlp.Network((2, 2), init="zeros")
        plot.loss_landscape(net, np.eye(2), [0, 1], resolution=3)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"span": 0}, ValueError, "span must be greater than 0, got 0"),
            ({"span": float("nan")}, ValueError, "span must be greater than 0, got nan"),
            ({"resolution": 1}, ValueError, "resolution must be at least 2 and at most 1000, got 1"),
            ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
            ({"y": [0, 1]}, ValueError, "y must have as many rows as X, 150, got 2"),
        ],
    )
    def test_wrong_arguments_are_named(
        self, arguments: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        net = fastmlp.Network((4, 3))
        with pytest.raises(error, match=message):
            plot.loss_landscape(net, **({"X": IRIS.data, "y": IRIS.target} | arguments))


class TestNetwork:
    def edges(self, ax: Axes) -> list[LineCollection]:
        return [each for each in ax.collections if isinstance(each, LineCollection)]

    def test_edges_are_as_wide_as_their_weights_and_coloured_by_sign(self) -> None:
        net = fastmlp.Network((2, 2), loss="squared_error")
        net.weights[0] = [[4.0, -2.0], [1.0, 0.0]]
        (edges,) = self.edges(plot.network(net))
        widths = np.array(edges.get_linewidths())
        np.testing.assert_allclose(widths / widths.max(), [0, 0.25, 0.5, 1])
        red, blue = mpl.colors.to_rgb("C3"), mpl.colors.to_rgb("C0")
        np.testing.assert_allclose(edges.get_colors()[1:, :3], [red, blue, red])
        assert edges.get_segments()[3].tolist() == [[0, 0.5], [1, 0.5]]

    def test_inputs_and_outputs_are_named(self, iris: fastmlp.Network) -> None:
        ax = plot.network(iris)
        shown = texts(ax)
        assert {*IRIS.feature_names, *IRIS.target_names} <= set(shown)
        assert {"4 inputs", "8 units\nrelu", "3 outputs\nsoftmax"} <= set(shown)
        assert any(text.startswith("width: |weight|") for text in shown)

    def test_wide_layers_are_abbreviated_with_their_true_size(self) -> None:
        ax = plot.network(fastmlp.Network((784, 512, 512, 10)))
        shown = texts(ax)
        assert shown.count("…") == 3
        assert {"784 inputs", "512 units\nrelu", "10 outputs\nsoftmax", "x0", "x7", "x776", "x783"} <= set(
            shown
        )
        assert "x8" not in shown
        assert [len(edges.get_segments()) for edges in self.edges(ax)] == [256, 256, 160]

    @pytest.mark.parametrize(("width", "gaps"), [(16, 0), (17, 1)])
    def test_layers_of_sixteen_are_whole(self, width: int, gaps: int) -> None:
        assert texts(plot.network(fastmlp.Network((2, width, 2)))).count("…") == gaps

    def test_two_classes_of_one_output_are_named_by_the_second(self) -> None:
        net = fastmlp.train(IRIS.data, NAMES == "setosa", loss="binary_cross_entropy", epochs=1)
        assert {"p(True)", "1 output\nsigmoid"} <= set(texts(plot.network(net)))

    def test_embedded_columns_are_as_many_inputs_as_they_are_wide(self) -> None:
        net = fastmlp.Network((3, 2), embeddings=[(0, 5, 2)])
        net.feature_names = ("kind", "size", "age")
        assert {"size", "age", "kind[0]", "kind[1]", "4 inputs"} <= set(texts(plot.network(net)))
        assert ticks(plot.weights(net).yaxis) == ["size", "age", "kind[0]", "kind[1]"]

    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
    def test_weights_that_are_zero_or_not_finite_are_drawn(self, value: float) -> None:
        net = fastmlp.Network((2, 2, 2), init="zeros")
        net.weights[0][0, 0] = value
        assert self.edges(plot.network(net))

    @pytest.mark.parametrize("sizes", [(1, 1), (3, *[4] * 20, 2)])
    def test_the_smallest_and_a_deep_network_are_drawn(self, sizes: tuple[int, ...]) -> None:
        assert len(self.edges(plot.network(fastmlp.Network(sizes, loss="squared_error")))) == len(sizes) - 1
