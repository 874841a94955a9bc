"""A trace as text: the numbers of the engine beside the formulas they come from."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fastmlp
import reference as ref
from problems import Case, network, prepared

LOSSES = [*ref.LOSSES, "huber(0.5)", "quantile(0.8)"]


def trace_of(case: Case, rows: int | None = None) -> fastmlp.Trace:
    problem, _ = prepared(case)
    net = network(case, problem)
    weight = None if problem.sample_weight is None else problem.sample_weight[:rows]
    return net.trace(problem.X[:rows].astype(case.dtype), problem.y[:rows], weight)


def shown(trace: fastmlp.Trace, *arguments: Any, **options: Any) -> str:
    """What `show` prints."""
    with redirect_stdout(io.StringIO()) as stream:
        trace.show(*arguments, **options)
    return stream.getvalue()


def numbers(text: str, name: str) -> np.ndarray:
    """The numbers to the right of a formula or in the lines below it."""
    found = re.search(
        rf"^ {{4}}{re.escape(name)}(?= |$)(.*?)(?=^ {{4}}\S|^$|\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"no {name!r} in\n{text}"
    values = (
        found[1].rpartition("[[")[2] if "[[" in found[1] else re.split(r"\s{2,}|\n", found[1], maxsplit=1)[-1]
    )
    return np.array([float(x) for x in re.findall(r"-?\d[\d.e+-]*|nan|inf", values)])


def near(values: np.ndarray) -> object:
    return pytest.approx(np.ravel(values), rel=2e-3, abs=1e-30)


@pytest.mark.parametrize("loss", LOSSES)
def test_one_row_shows_every_number_of_the_engine(loss: str) -> None:
    case = Case(sizes=(2, 3, 2), loss=loss, activation="sigmoid", dtype="float64", rows=6)
    trace = trace_of(case, rows=1)
    text = shown(trace, learning_rate=0.5)
    z1 = "a2 = " + {"identity": "z1"}.get(trace.activations[-1], f"{trace.activations[-1]}(z1)")
    for name, values in (
        ("a0 = x", trace.a[0]), ("W0", trace.W[0]), ("b0", trace.b[0]), ("z0 = a0 W0 + b0", trace.z[0]),
        ("a1 = sigmoid(z0)", trace.a[1]), ("z1 = a1 W1 + b1", trace.z[1]), (z1, trace.a[2]), ("y", trace.y),
        ("dW1 = a1^T delta1", trace.dW[1]), ("db1 = delta1", trace.db[1]),
        ("delta0 = (delta1 W1^T) * sigmoid'(z0)", trace.delta[0]), ("dW0 = a0^T delta0", trace.dW[0]),
        ("db0 = delta0", trace.db[0]), ("W0 <- W0 - 0.5 dW0", trace.W[0] - 0.5 * trace.dW[0]),
        ("b1 <- b1 - 0.5 db1", trace.b[1] - 0.5 * trace.db[1]),
    ):  # fmt: skip
        assert numbers(text, name) == near(values), name
    assert max(map(len, text.split("\n"))) <= 115


@pytest.mark.parametrize("output", ["identity", "tanh"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_row_losses_add_up_to_the_loss(loss: str, output: str) -> None:
    output = "auto" if loss in ref.AUTO_OUTPUT else output
    case = Case(sizes=(3, 4, 3), loss=loss, output_activation=output, weighted=True, rows=9, l2=0.1)
    trace = trace_of(case)
    texts = [shown(trace, row) for row in range(len(trace))]
    found = [re.search(r"^ {4}loss = .*?(?: {2,}|\n +)(\S+)$", text, re.MULTILINE) for text in texts]
    losses = np.array([float(match[1]) for match in found if match is not None])
    penalty = 0.05 * sum(np.square(W).sum() for W in trace.W)
    assert losses @ trace.share + penalty == pytest.approx(trace.loss, rel=2e-3)
    assert numbers(texts[0], "penalty = l2/2 sum(W^2), l2 = 0.1") == near(penalty)
    assert numbers(texts[0], "loss of all 9 rows, with penalty") == near(np.array(trace.loss))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("weighted", [False, True])
def test_of_several_rows_one_shows_its_part_of_the_gradients(weighted: bool) -> None:
    trace = trace_of(Case(sizes=(3, 2, 2), rows=5, weighted=weighted, l2=0.01))
    texts = [shown(trace, row) for row in range(5)]
    for layer in (0, 1):
        parts = [numbers(text, f"to dW{layer}: a{layer}^T delta{layer}") for text in texts]
        penalty = 0.01 * trace.W[layer].ravel()
        np.testing.assert_allclose(np.sum(parts, axis=0) + penalty, trace.dW[layer].ravel(), atol=2e-3)
        shares = [numbers(text, f"to db{layer}: delta{layer}") for text in texts]
        np.testing.assert_allclose(np.sum(shares, axis=0), trace.db[layer], atol=2e-3)
        assert numbers(texts[3], f"dW{layer} = sum over all rows + 0.01 W{layer}") == near(trace.dW[layer])
    assert [numbers(text, "w, the row's share of the loss")[0] for text in texts] == near(trace.share)
    assert texts[3].startswith("Row 3 of 5 through 3-2-2, loss squared_error")


@pytest.mark.parametrize(
    ("loss", "output", "of_one_row", "of_several"),
    [
        ("softmax_cross_entropy", "auto", "a2 - y", "w (a2 - y)"),
        ("binary_cross_entropy", "auto", "a2 - y", "w (a2 - y)"),
        ("squared_error", "identity", "a2 - y", "w (a2 - y)"),
        ("squared_error", "sigmoid", "(a2 - y) * sigmoid'(z1)", "w (a2 - y) * sigmoid'(z1)"),
        ("absolute_error", "tanh", "sign(a2 - y) * tanh'(z1)", "w sign(a2 - y) * tanh'(z1)"),
        ("huber(1.5)", "identity", "clip(a2 - y, -1.5, 1.5)", "w clip(a2 - y, -1.5, 1.5)"),
    ],
)
def test_the_formula_of_delta_is_that_of_the_loss_and_the_output(
    loss: str, output: str, of_one_row: str, of_several: str
) -> None:
    net = fastmlp.Network((2, 3, 2), loss=loss, output_activation=output)
    X, y = [[1.0, 2.0], [0.0, 1.0]], [1, 0] if loss == "softmax_cross_entropy" else [[0, 1], [1, 0]]
    for rows, formula in ((1, of_one_row), (2, of_several)):
        lines = [line.strip() for line in shown(net.trace(X[:rows], y[:rows])).split("\n")]
        assert any(
            line == f"delta1 = {formula}" or line.startswith(f"delta1 = {formula}  ") for line in lines
        )


def test_labels_are_shown_as_the_column_of_their_class() -> None:
    iris = fastmlp.datasets.load_iris()
    names = np.array(iris.target_names)[iris.target]
    net = fastmlp.train(iris.data, names, hidden=(6,), epochs=1)
    trace = net.trace(iris.data[[0, 50, 149]], names[[0, 50, 149]])
    np.testing.assert_array_equal(trace.y, np.eye(3))
    np.testing.assert_array_equal(trace.share, np.full(3, 1 / 3))
    assert trace.activations == ("relu", "softmax")
    assert numbers(shown(trace, 1), "y") == near(np.array([0, 1, 0]))


def test_a_trace_keeps_its_weights_when_the_network_learns_on() -> None:
    net = fastmlp.Network((2, 3, 2))
    trace = net.trace([[1.0, 2.0]], [0])
    before, text = net.weights[0].copy(), shown(trace)
    net.parameters[:] = 0
    np.testing.assert_array_equal(trace.W[0], before)
    assert shown(trace) == text


def test_wide_layers_are_abbreviated() -> None:
    net = fastmlp.Network((500, 300, 10))
    text = shown(net.trace(np.ones((2, 500)), [0, 9]), 1)
    assert "..." in text
    assert len(text) < 15000
    assert max(map(len, text.split("\n"))) <= 115


@pytest.mark.parametrize("rows", [1, 3])
def test_tables_of_embeddings_are_part_of_the_step(rows: int) -> None:
    net = fastmlp.Network((2, 3, 2), embeddings=[(0, 4, 2)], l2=0.5)
    trace = net.trace([[1.0, 0.5], [3.0, 0.1], [0.0, 2.0]][:rows], [0, 1, 1][:rows])
    text = shown(trace, rows - 1)
    assert "a0 = x, with rows of E for codes" in text
    assert numbers(text, "E0 <- E0 - 0.1 dE0") == near(trace.E[0] - 0.1 * trace.dE[0])


def test_a_trace_of_one_row_is_printed_step_by_step_and_one_of_several_as_a_table() -> None:
    trace = trace_of(Case(sizes=(2, 3, 2), rows=6), rows=1)
    assert f"{trace}\n" == shown(trace, 0, 0.1)
    assert "mean |delta|" in str(trace_of(Case(sizes=(2, 3, 2), rows=6)))


def test_a_linear_model_has_one_layer_to_show() -> None:
    text = shown(fastmlp.Network((2, 1), loss="squared_error").trace([[1.0, 2.0]], [3.0]))
    assert "a1 = z0" in text
    assert "delta1" not in text


def test_the_summary_has_a_row_a_layer() -> None:
    trace = trace_of(Case(sizes=(3, 4, 2), rows=7))
    lines = str(trace).split("\n")
    assert lines[0] == repr(trace)
    assert repr(trace).startswith("Trace(7 rows, 3-4-2, squared_error ")
    assert [line.split()[:4] for line in lines[2:4]] == [["0", "3", "4", "tanh"], ["1", "4", "2", "identity"]]
    assert float(lines[2].split()[-1]) == pytest.approx(np.linalg.norm(trace.db[0]), rel=1e-3)
    assert len(trace) == 7


def test_numbers_that_are_not_finite_are_shown_as_they_are() -> None:
    net = fastmlp.Network(
        (2, 3, 2),
        activation="identity",
        init=[(np.full((2, 3), 3e38), np.zeros(3)), (np.ones((3, 2)), [0, 0])],
    )
    trace = net.trace([[3e38, 1.0]], [0])
    assert "inf" in shown(trace)
    assert "inf" in str(trace)
    assert "nan" in shown(replace(trace, a=[np.full_like(a, np.nan) for a in trace.a]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"row": 3}, ValueError, "row must be at least 0 and at most 2, got 3"),
        ({"row": -1}, ValueError, "row must be at least 0 and at most 2, got -1"),
        ({"row": 0.5}, TypeError, "row must be an integer, got 0.5"),
        ({"row": True}, TypeError, "row must be an integer, got True"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be greater than 0, got 0"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be greater than 0, got nan"),
        ({"learning_rate": "0.1"}, TypeError, "learning_rate must be a number, got '0.1'"),
    ],
)
def test_a_row_that_is_not_there_is_an_error(arguments: dict, error: type, message: str) -> None:
    trace = fastmlp.Network((2, 2)).trace(np.zeros((3, 2)), [0, 1, 1])
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        shown(trace, **arguments)


def test_a_row_of_several_shows_what_it_adds_to_the_tables() -> None:
    net = fastmlp.Network((3, 4, 2), "tanh", embeddings=[(0, 5, 2), (2, 3, 3)], l2=0.1, dtype="float64")
    trace = net.trace([[1.0, 0.5, 2.0], [4.0, -0.5, 0.0]], [1, 0])
    text = shown(trace, 1)
    for table, code in ((0, 4), (1, 0)):
        added = trace.dE[table][code] - 0.1 * trace.E[table][code]  # no other row has the code
        assert numbers(text, f"to dE{table}, at the row's code: its part of delta0 W0^T") == near(added)
    squares = sum(float((part**2).sum()) for part in [*net.weights, *net.tables])
    assert numbers(text, "penalty = l2/2 (sum(W^2) + sum(E^2)), l2 = 0.1") == near(np.array(0.05 * squares))
