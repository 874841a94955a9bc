"""diagnose measures what the reference computes, and warns of what keeps a network from learning."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import fastmlp
import reference as ref
from fastmlp._inspect import diagnosis
from fastmlp._inspect.diagnosis import FLAT_BELOW, FLAT_BEYOND
from problems import Case, prepared

mpl.use("Agg")

IRIS = fastmlp.datasets.load_iris()
ROWS = np.random.default_rng(0).normal(size=(200, 50))


def deep(activation: str, init: str, layers: int = 20, **more: Any) -> fastmlp.Network:
    return fastmlp.Network((50, *(60,) * layers, 3), activation, init=init, **more)


def kinds(found: fastmlp._inspect.diagnosis.Diagnosis) -> list[str]:
    return [text.partition(":")[0] for text in found.warnings]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("block", [1, 3, 2**22])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_table_holds_what_the_reference_computes(
    monkeypatch: pytest.MonkeyPatch, activation: str, block: int
) -> None:
    case = Case(sizes=(3, 6, 5, 2), activation=activation, rows=11, l2=0.1)
    problem, _ = prepared(case)
    net = fastmlp.Network(case.sizes, activation, case.loss, l2=case.l2, init=problem.layers, dtype="float64")
    monkeypatch.setattr(diagnosis, "_BLOCK_NUMBERS", block * sum(case.sizes))
    found = net.diagnose(problem.X, problem.y)
    want = case.model.loss_and_gradient(problem.layers, problem.X, problem.Y)
    assert found["layer"].tolist() == [0, 1, 2]
    assert found["units"].tolist() == [6, 5, 2]
    assert found["activation"].tolist() == [activation, activation, "identity"]
    for layer, (dW, db) in enumerate(want.gradient):
        z, a, delta = want.z[layer], want.a[layer + 1], want.delta[layer] * 11
        for column, value in {
            "z_mean": z.mean(), "z_variance": z.var(), "a_mean": a.mean(), "a_variance": a.var(),
            "spread": a.var(axis=0).mean() ** 0.5, "delta_mean": delta.mean(), "delta_variance": delta.var(),
            "dW_norm": np.linalg.norm(dW), "db_norm": np.linalg.norm(db),
        }.items():  # fmt: skip
            assert found[column][layer] == pytest.approx(value, rel=1e-9, abs=1e-12), column


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ref.LOSSES)
def test_without_targets_a_signal_of_variance_1_goes_back(loss: str, dtype: str) -> None:
    net = fastmlp.Network((50, 20, 10, 4), "tanh", loss=loss, dtype=dtype)
    found = net.diagnose(ROWS)
    assert found["delta_mean"][-1] == pytest.approx(0, abs=0.1)
    assert found["delta_mean"][-1] ** 2 + found["delta_variance"][-1] == pytest.approx(1)
    assert (found["delta_variance"] > 0).all()
    assert (found["dW_norm"] > 0).all()
    assert found["a_mean"][-1] == pytest.approx(float(net.forward(ROWS).mean()), rel=1e-4, abs=1e-6)
    assert found.rows() == net.diagnose(ROWS).rows()


def test_the_stand_in_for_targets_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    net = fastmlp.Network((50, 20, 3), "tanh", dtype="float64")
    whole = net.diagnose(ROWS)
    monkeypatch.setattr(diagnosis, "_BLOCK_NUMBERS", 7 * 73)
    for column in ("delta_variance", "dW_norm", "a_variance"):
        np.testing.assert_allclose(net.diagnose(ROWS)[column], whole[column], rtol=1e-9)


def test_the_signal_goes_back_from_outputs_that_are_far_too_large() -> None:
    net = fastmlp.Network((50, 60, 3), init="normal(1e9)", loss="squared_error")
    found = net.diagnose(ROWS)
    assert found["delta_mean"][-1] ** 2 + found["delta_variance"][-1] == pytest.approx(1)


@pytest.mark.parametrize("targets", [None, np.arange(200) % 3])
def test_small_weights_vanish_and_glorot_mends_it(targets: Any) -> None:
    found = deep("tanh", "normal(0.01)").diagnose(ROWS, targets)
    assert kinds(found) == ["vanishing activations", "vanishing gradients"]
    assert all("standard deviation 0.0" in text for text in found.warnings)
    assert all("init='glorot_normal' (for tanh) gives 0.1" in text for text in found.warnings)
    assert not deep("tanh", "glorot_normal").diagnose(ROWS, targets).warnings


@pytest.mark.parametrize("init", ["normal(1)", "normal(0.5)", "uniform(1)"])
@pytest.mark.parametrize("targets", [None, np.arange(200) % 3])
def test_large_weights_explode_and_he_mends_it(targets: Any, init: str) -> None:
    found = deep("relu", init).diagnose(ROWS, targets)
    assert kinds(found)[:2] == ["exploding activations", "exploding gradients"]
    assert all("init='he_normal' (for relu) gives 0." in text for text in found.warnings)
    assert not deep("relu", "he_normal").diagnose(ROWS, targets).warnings


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("activation", "init"),
    [
        ("relu", "auto"), ("relu", "he_normal"), ("relu", "he_uniform"), ("leaky_relu", "he_normal"),
        ("elu", "he_normal"), ("tanh", "auto"), ("tanh", "glorot_normal"), ("tanh", "glorot_uniform"),
    ],
)  # fmt: skip
def test_the_fitting_scheme_is_no_reason_to_warn(activation: str, init: str, seed: int) -> None:
    assert not deep(activation, init, seed=seed).diagnose(ROWS).warnings


def test_relu_with_glorot_vanishes_for_want_of_he() -> None:
    found = deep("relu", "glorot_normal").diagnose(ROWS)
    assert "init='he_normal' (for relu)" in found.warnings[0]


def test_where_the_weights_are_not_to_blame_no_other_scheme_is_named() -> None:
    found = deep("sigmoid", "glorot_normal").diagnose(ROWS)
    assert kinds(found) == ["vanishing activations", "vanishing gradients"]
    assert "size of init='glorot_normal' already: try fewer layers, or relu or tanh in" in found.warnings[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_beyond_the_type_are_a_warning(dtype: str) -> None:
    found = deep("relu", "normal(1e20)", dtype=dtype).diagnose(ROWS)
    assert kinds(found) == ["exploding signals"]
    assert f"are too large for {dtype}" in found.warnings[0]
    assert "init='he_normal'" in found.warnings[0]
    str(found)


def test_weights_that_are_not_numbers_are_a_warning() -> None:
    for bad in (np.nan, np.inf, -np.inf):
        net = fastmlp.Network((50, 6, 6, 3))
        net.weights[1][0, 0] = bad
        (text,) = net.diagnose(ROWS).warnings
        assert text.startswith("weights that are not finite: those of layer 1 hold nan or inf, as the run")
        assert text.endswith("train again with a smaller learning_rate")
        net.biases[2][0] = bad
        assert "those of layers 1, 2 hold" in net.diagnose(ROWS).warnings[0]
    net = fastmlp.Network((2, 4, 2), embeddings=[(0, 4, 2)])
    net.tables[0][1, 1] = np.nan
    assert "those of the embeddings hold" in net.diagnose([[0, 1.0]]).warnings[0]


def test_signals_that_are_not_finite_are_blamed_on_the_layer_where_they_begin() -> None:
    def blamed(net: fastmlp.Network, X: Any = ROWS, y: Any = None) -> str:
        found = net.diagnose(X, y)
        assert kinds(found) == ["exploding signals"]
        return found.warnings[0].partition("numbers of ")[2].partition(" are")[0]

    forward = deep("relu", "he_normal", layers=6)
    forward.weights[3][:] *= 1e38
    assert blamed(forward) == blamed(forward, y=np.arange(200) % 3) == "z or a in layer 3"
    assert blamed(fastmlp.Network((50, 3), init="normal(1e38)"), 1e10 * ROWS) == "z or a in layer 0"
    backward = deep("tanh", "glorot_normal", layers=6)
    for layer in range(5):  # a row of zeros stays one
        backward.weights[layer][:] *= 1e20
    assert blamed(backward, np.zeros((1, 50)), [0]) == "delta or dW in layer 2"


@pytest.mark.parametrize("activation", ["sigmoid", "silu", "gelu", "softplus"])
def test_the_scheme_alone_is_no_cure_for_activations_that_vanish_in_deep_networks(activation: str) -> None:
    found = deep(activation, "normal(0.001)").diagnose(ROWS)
    assert "vanishing activations" in kinds(found)
    assert f"; try it, or relu or tanh in place of {activation}" in found.warnings[0]


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "tanh"])
def test_the_scheme_is_a_cure_for_activations_that_go_deep(activation: str) -> None:
    found = deep(activation, "normal(0.001)").diagnose(ROWS)
    assert "vanishing activations" in kinds(found)
    assert "in place of" not in str(found)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus"])
def test_equal_weights_are_symmetric(activation: str) -> None:
    found = fastmlp.Network((50, 6, 7, 3), activation, init="zeros").diagnose(ROWS)
    assert kinds(found) == ["symmetric weights"]
    scheme = "he_normal" if activation in ("relu", "softplus") else "glorot_normal"
    assert "layers 0, 1 are copies" in found.warnings[0]
    assert f"init={scheme!r}" in found.warnings[0]


def test_a_linear_model_may_start_with_zeros() -> None:
    assert not fastmlp.Network((4, 3), init="zeros").diagnose(IRIS.data, IRIS.target).warnings


def test_a_single_unit_is_no_copy() -> None:
    assert not fastmlp.Network((50, 1, 1, 3), "tanh").diagnose(ROWS).warnings


@pytest.mark.parametrize("activation", FLAT_BELOW)
def test_units_with_large_negative_biases_are_dead(activation: str) -> None:
    net = fastmlp.Network((50, 10, 10, 3), activation)
    net.biases[1][:8] = -100
    found = net.diagnose(ROWS)
    assert found["dead"].tolist() == [0.0, 0.8, 0.0]
    assert "dead units" in kinds(found)
    text = next(text for text in found.warnings if text.startswith("dead"))
    assert "80% of layer 1 have" in text
    assert text.endswith("; try a smaller learning_rate")  # the weights are He's, and X is far away


@pytest.mark.parametrize(
    ("layer", "loss", "init", "advice"),
    [
        (0, "squared_error", "auto", "inputs of mean 0 or a smaller learning_rate"),
        (1, "squared_error", "auto", "a smaller learning_rate or targets of a smaller scale"),
        (1, "softmax_cross_entropy", "normal(1)", "a smaller learning_rate or init='he_normal'"),
        (1, "huber(2)", "normal(1)",
         "a smaller learning_rate or targets of a smaller scale or init='he_normal'"),
    ],
)  # fmt: skip
def test_what_moves_dead_units_depends_on_the_layer_the_loss_and_the_weights(
    layer: int, loss: str, init: str, advice: str
) -> None:
    net = fastmlp.Network((50, 10, 10, 3), loss=loss, init=init)
    net.biases[layer][:9] = -1e4
    dead = [text for text in net.diagnose(ROWS).warnings if text.startswith("dead units")]
    assert dead[0].endswith(f"; try {advice}")


def test_a_unit_that_one_row_wakes_is_not_dead() -> None:
    net = fastmlp.Network((50, 10, 3))
    net.biases[0][:] = -100
    assert net.diagnose(ROWS)["dead"][0] == 1
    assert net.diagnose(np.vstack([ROWS, 1e4 * ROWS[:1]]))["dead"][0] < 1


@pytest.mark.parametrize(("activation", "bias"), [("tanh", 50), ("tanh", -50), ("sigmoid", 50)])
def test_units_far_out_are_saturated(activation: str, bias: float) -> None:
    net = fastmlp.Network((50, 10, 10, 3), activation)
    net.biases[0][:9] = bias
    found = net.diagnose(ROWS)
    assert found["saturated"].tolist() == pytest.approx([0.9, 0, 0], abs=0.02)
    assert found["dead"].tolist() == [0, 0, 0]
    assert "saturated units" in kinds(found)
    assert found.warnings[-1].endswith("; try inputs of a smaller scale or a smaller learning_rate")


@pytest.mark.parametrize(("activation", "at"), FLAT_BELOW.items())
def test_dead_means_a_slope_of_less_than_a_hundredth(activation: str, at: float) -> None:
    below = np.abs(ref.slope(activation, np.linspace(at - 30, at, 1000)))
    assert below.max() <= 0.01 if activation != "silu" else below[-1] <= 0.01
    assert abs(ref.slope(activation, np.array([at + 0.1]))[0]) > 0.01


@pytest.mark.parametrize(("activation", "at"), FLAT_BEYOND.items())
def test_saturated_means_a_slope_of_less_than_a_hundredth_of_the_largest(activation: str, at: float) -> None:
    largest = ref.slope(activation, np.zeros(1))[0]
    for sign in (-1, 1):
        assert ref.slope(activation, np.array([sign * at]))[0] < 0.01 * largest
        assert ref.slope(activation, np.array([sign * (at - 0.1)]))[0] > 0.01 * largest


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
@pytest.mark.parametrize("hidden", [(6,), (10,), (30, 30)])
def test_a_network_that_learned_iris_gives_no_warning(activation: str, hidden: tuple[int, ...]) -> None:
    X = (IRIS.data - IRIS.data.mean(axis=0)) / IRIS.data.std(axis=0)
    net = fastmlp.train(X, IRIS.target, hidden=hidden, activation=activation, epochs=200, learning_rate=0.02)
    assert (net.predict(X) == IRIS.target).mean() > 0.95
    assert not net.diagnose(X, IRIS.target).warnings
    assert not net.diagnose(X).warnings


def test_the_printed_result_has_the_table_and_the_warnings() -> None:
    found = deep("tanh", "normal(0.01)", layers=4).diagnose(ROWS)
    lines = str(found).split("\n")
    assert lines[0].split()[:3] == ["layer", "units", "activation"]
    assert len(lines) == 1 + 5 + len(found.warnings)
    assert lines[-1] == f"warning: {found.warnings[-1]}"
    assert str(deep("tanh", "auto", layers=2).diagnose(ROWS)).endswith("\nno warnings")


def test_one_row_is_enough() -> None:
    found = fastmlp.Network((4, 6, 5, 3)).diagnose(IRIS.data[:1], IRIS.target[:1])
    assert found["spread"].tolist() == [0, 0, 0]
    assert not [text for text in found.warnings if "activations" in text]


def test_tables_and_sparse_rows_are_diagnosed() -> None:
    import pandas as pd
    from scipy import sparse

    frame = pd.DataFrame(IRIS.data, columns=list("abcd")).assign(species=IRIS.target)
    net = fastmlp.train(frame, "species", hidden=(5,), epochs=3)
    want = net.diagnose(IRIS.data, IRIS.target)
    assert str(net.diagnose(frame, "species")) == str(want)
    assert str(net.diagnose(sparse.csr_matrix(IRIS.data), IRIS.target)) == str(want)
    assert str(net.diagnose(sparse.csr_matrix(IRIS.data))) == str(net.diagnose(IRIS.data))


def test_embeddings_are_diagnosed() -> None:
    net = fastmlp.Network((3, 5, 2), embeddings=[(0, 4, 2)], loss="squared_error")
    X = np.column_stack([np.arange(8) % 4, np.linspace(-1, 1, 16).reshape(8, 2)])
    assert np.isfinite(net.diagnose(X)["dW_norm"]).all()


def test_diagnosing_changes_nothing() -> None:
    net = fastmlp.Network((50, 6, 3))
    before = net.parameters.copy()
    net.diagnose(ROWS)
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((0, 50)), None, "X must have at least one row"),
        (np.zeros((0, 50)), [], "X must have at least one row"),
        (np.zeros((2, 3)), None, "X must have 50 columns, got 3"),
        (np.full((2, 50), np.nan), None, "X has nan at row 0, column 0"),
        (np.zeros((2, 50)), [0], "y must have as many rows as X, 2, got 1"),
        (np.zeros((2, 50)), "label", "y may be a column name only when X is a table"),
    ],
)
def test_bad_rows_are_an_error(X: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fastmlp.Network((50, 6, 3)).diagnose(X, y)


@pytest.mark.parametrize("init", ["auto", "zeros", "normal(1e20)"])
def test_the_signals_are_drawn(init: str) -> None:
    found = deep("relu", init, layers=5).diagnose(ROWS)
    axes = found.plot()
    axes.figure.canvas.draw()
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "layer"
    assert [line.get_label().partition(" ")[0].rstrip(":") for line in axes.lines] == [
        "activations",
        "deltas",
        "gradient",
    ]
    assert ("(0 in 6 of 6)" in axes.get_legend_handles_labels()[1][2]) == (init == "zeros")
    assert found.plot(axes) is axes
    mpl.pyplot.close("all")


def test_the_legend_covers_no_line_and_counts_what_is_not_finite() -> None:
    net = deep("relu", "he_normal", layers=5)
    net.weights[3][:] = np.nan
    axes = net.diagnose(ROWS).plot()
    axes.figure.canvas.draw()
    assert "(not finite in 3 of 6)" in axes.get_legend_handles_labels()[1][0]
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
    assert axes.get_tightbbox().width <= axes.figure.bbox.width
    assert not [text for text in axes.texts if "no finite values" in text.get_text()]
    mpl.pyplot.close("all")


def test_a_picture_of_nothing_says_so() -> None:
    net = deep("relu", "he_normal", layers=2)
    net.parameters[:] = np.nan
    axes = net.diagnose(ROWS).plot()
    axes.figure.canvas.draw()
    assert [text.get_text() for text in axes.texts] == ["no finite values above 0"]
    assert not len(axes.get_yticks())
    mpl.pyplot.close("all")


@pytest.mark.parametrize("layers", [1, 2, 5, 20, 60])
def test_layers_are_numbered_by_integers(layers: int) -> None:
    axes = deep("relu", "auto", layers=layers).diagnose(ROWS[:5]).plot()
    axes.figure.canvas.draw()
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= layers]
    assert len(ticks) >= 2
    assert all(tick == round(tick) for tick in ticks)
    mpl.pyplot.close("all")
