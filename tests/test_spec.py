"""The tables of choices agree with the core, with the reference and with each part that is made from them."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from typing import Any

import numpy as np
import pytest

import fastmlp
import reference as ref
from fastmlp import graph
from fastmlp._cli import options as cli_options
from fastmlp._estimators import regressor
from fastmlp._export.onnx_graph import Graph
from fastmlp._native import core as _core
from fastmlp._network.onnx_match import patterns
from fastmlp.spec import ACTIVATIONS, INITIALISATIONS, LOSSES, OPTIMIZERS, SCHEDULES
from fastmlp.spec.activations import ELEMENTWISE
from fastmlp.spec.initialisations import fitting
from fastmlp.spec.losses import LINKS
from fastmlp.spec.texts import documented
from formulas import evaluated

Z = np.array([-30.0, -4.0, -1.5, -1e-3, 0.0, 1e-3, 0.3, 2.0, 7.0, 30.0])


# ---------------------------------------------------------------------------- the core and the reference


def test_the_tables_have_the_names_of_the_core_and_of_the_reference() -> None:
    assert tuple(ACTIVATIONS) == tuple(_core.ACTIVATIONS)
    assert tuple(LOSSES) == tuple(_core.LOSSES)
    assert set(ELEMENTWISE) == set(ref.ACTIVATIONS)
    assert set(ACTIVATIONS) - set(ELEMENTWISE) == set(ref.OUTPUT_ONLY)
    assert set(LOSSES) == set(ref.LOSSES)
    assert LINKS == ref.AUTO_OUTPUT


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_formulas_of_an_activation_are_what_the_reference_computes(name: str) -> None:
    entry = ACTIVATIONS[name]
    for text, values in ((entry.formula, ref.activate(name, Z)), (entry.derivative, ref.slope(name, Z))):
        # log(1 + exp(z)) as it is written loses what is small beside 1
        np.testing.assert_allclose([evaluated(text, z) for z in Z], values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_kinks_and_straight_parts_are_those_of_the_slope(name: str) -> None:
    entry, f = ACTIVATIONS[name], lambda z: float(ref.slope(name, np.array([z]))[0])
    jump = f(1e-9) - f(-1e-9)
    below, at, above = entry.kink or (0, 0, 0)
    if abs(jump) > 1e-6:
        assert (below, at, above) == pytest.approx((f(-1e-9), f(0.0), f(1e-9)))
    else:
        assert below == at == above == 0
    assert entry.straight == (f(-3.0) == f(-1.0) and f(3.0) == f(1.0))


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if ACTIVATIONS[name].flat_below is not None])
def test_slopes_are_small_where_an_activation_is_called_flat(name: str) -> None:
    at = ACTIVATIONS[name].flat_below
    largest = np.abs(ref.slope(name, np.linspace(-10, 10, 2001))).max()
    assert np.abs(ref.slope(name, np.linspace(at - 30, at, 500))).max() <= largest / 100


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_auto_draws_a_layer_as_its_activation_says(name: str) -> None:
    auto, named = (
        fastmlp.Network((7, 5, 2), name, init=init, seed=3).weights[0]
        for init in ("auto", ACTIVATIONS[name].init)
    )
    np.testing.assert_array_equal(auto, named)
    assert fitting(name).name == ACTIVATIONS[name].init


class _Name(str, enum.Enum):
    LOSS = "squared_error"
    DTYPE = "float64"


def test_a_network_keeps_plain_names_whatever_kind_of_text_was_given() -> None:
    net = fastmlp.train(
        Z[:, None], Z, loss=_Name.LOSS, dtype=_Name.DTYPE, activation=np.str_("tanh"), epochs=1
    )
    assert repr(net) == "Network(1-100-1, tanh, squared_error, identity, float64)"
    assert type(net.loss) is str


# ------------------------------------------------------------------------------ what is made from the tables


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_core_and_graph_compute_what_the_reference_computes(name: str) -> None:
    net = fastmlp.Network((1, 1), loss="squared_error", output_activation=name, dtype="float64")
    net.parameters[:] = [1, 0]
    want = ref.activate(name, Z)
    np.testing.assert_allclose(net.forward(Z[:, None])[:, 0], want, rtol=1e-11, atol=1e-300)
    z = graph.Tensor(Z)
    value = ACTIVATIONS[name].gates(graph, z)
    np.testing.assert_allclose(value.value, want, rtol=1e-11, atol=1e-300)
    value.sum().backward()
    np.testing.assert_allclose(z.grad, ref.slope(name, Z), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_a_form_in_each_part(name: str) -> None:
    entry = ACTIVATIONS[name]
    assert (entry.gates is not None) == entry.elementwise
    assert bool(entry.c) == (name not in ("identity", "softmax"))
    assert (entry.torch is not None) == (name not in ("identity", "exp"))
    if name != "identity":
        assert name in {known for known, _ in patterns()}
        assert entry.onnx(Graph(np.float64, {"x"}), "x") != "x"
    assert entry.init in INITIALISATIONS


@pytest.mark.parametrize("loss", [*LOSSES, "huber(0.5)", "quantile(0.9)"])
def test_losses_have_one_value_in_trace_graph_and_reference(loss: str) -> None:
    entry = LOSSES[ref.split_name(loss)[0]]
    rng = np.random.default_rng(1)
    z = rng.normal(size=(4, 3))
    y = (
        ref.one_hot(np.array([0, 2, 1, 1]), 3)
        if entry.targets == "labels"
        else rng.integers(0, 2, (4, 3)) * 1.0
    )
    a = ref.activate(entry.link or "identity", z)
    want, (_, c) = ref.row_losses(loss, z, a, y), ref.split_name(loss)
    got = entry.gates(graph, graph.Tensor(z if entry.link else a), graph.constant(y), c).value
    np.testing.assert_allclose(got, want, rtol=1e-13)
    of_rows = [np.sum(entry.value(z[i], a[i], y[i], c)) for i in range(4)]
    np.testing.assert_allclose(of_rows, want, rtol=1e-13)


@pytest.mark.parametrize("loss", [name for name, entry in LOSSES.items() if entry.kink])
def test_kinks_of_a_loss_are_where_its_slope_jumps(loss: str) -> None:
    c = ref.split_name(loss)[1]
    y = np.array([[1.0, 0.0]])
    for column in (0, 1):
        near = {}
        for side in (-1, 0, 1):
            a = np.array([[3.0, -2.0]])
            start = {"absolute_error": y[0, column], "quantile": y[0, column], "huber": y[0, column] + c[0]}
            a[0, column] = start.get(loss, a[0, 1 - column] + (-1 if column else 1)) + side * 1e-9
            t, slopes = LOSSES[loss].kink(a, y, c)
            near[side] = float(t[0, 1 if loss == "hinge" else column])
        assert abs(near[0]) < 1e-12
        assert near[-1] * near[1] < 0
        assert len(slopes) == 3


def test_the_estimators_have_the_losses_of_their_targets() -> None:
    assert set(regressor.LOSSES) == {name for name, entry in LOSSES.items() if entry.targets == "values"}


def test_numbers_of_losses_are_the_defaults_that_the_reference_takes() -> None:
    for name, entry in LOSSES.items():
        if entry.number is not None:
            assert ref.split_name(name)[1] == entry.number.default


# ----------------------------------------------------------------------------------------- what documents say


def words(text: str | None) -> set[str]:
    return set(re.findall(r"[A-Za-z_0-9]+", text or ""))


def test_documents_name_every_activation_and_loss() -> None:
    assert words(fastmlp.Network.__doc__) >= {*ELEMENTWISE, *LOSSES, *INITIALISATIONS}
    sklearn = {ACTIVATIONS[name].sklearn or name for name in ELEMENTWISE}
    for estimator in (fastmlp.MLPClassifier, fastmlp.MLPRegressor):
        assert words(estimator.__doc__) >= sklearn
    modules = {entry.torch[0] for entry in ACTIVATIONS.values() if entry.torch}
    assert words(fastmlp.export.from_torch.__doc__) >= modules
    kinked = {name for name, entry in ACTIVATIONS.items() if entry.kink}
    assert words(fastmlp.gradcheck.__doc__) >= kinked | {name for name, loss in LOSSES.items() if loss.kink}


def test_help_of_the_command_line_names_every_choice() -> None:
    def told(option: Any) -> set[str]:
        return words(option.__metadata__[0].help)

    assert told(cli_options.Activation) >= set(ELEMENTWISE)
    assert told(cli_options.Loss) >= set(LOSSES)
    assert told(cli_options.Optimizer) >= set(OPTIMIZERS)


def test_train_documents_every_optimizer_schedule_and_rate() -> None:
    text = fastmlp.train.__doc__ or ""
    assert words(text) >= set(OPTIMIZERS) | {type(optimizer).__name__ for optimizer in OPTIMIZERS.values()}
    assert words(text) >= {schedule.__name__ for schedule in SCHEDULES.values()}
    rates = {name: o.default_rate for name, o in OPTIMIZERS.items() if hasattr(o, "default_rate")}
    assert "0.01 for sgd and adagrad, 0.001 for the others" in text
    assert rates == {name: 0.01 if name in ("sgd", "adagrad") else 0.001 for name in rates}


CLASSES = {type(optimizer) for optimizer in OPTIMIZERS.values()} | set(SCHEDULES.values())


@pytest.mark.parametrize("choice", sorted(CLASSES, key=lambda choice: choice.__name__))
def test_docstrings_of_optimizers_and_schedules_give_the_defaults_and_ranges(choice: Any) -> None:
    text = inspect.cleandoc(choice.__doc__)
    entries = re.findall(
        r"^([\w, ]+) : [\w ]+, (?:default (.+)|optional)\n((?:    .*\n?)+)", text, re.MULTILINE
    )
    told = {}
    for names, defaults, rest in entries:
        values = re.split(r" and ", defaults) if defaults else [None] * len(names.split(","))
        for name, value in zip(names.split(", "), values, strict=True):
            told[name] = (value, rest)
    fields = dataclasses.fields(choice)
    assert set(told) == {field.name for field in fields}
    for field in fields:
        value, rest = told[field.name]
        default = None if field.default == fastmlp.RateFactors() else field.default
        assert (None if value is None else eval(value)) == default
        bounds = field.metadata["bounds"]
        if "high" in bounds and field.name != "warmup":
            brackets = "(" if bounds.get("open_low") else "[", ")" if bounds.get("open_high") else "]"
            assert f"n {brackets[0]}{bounds['low']}, {bounds['high']}{brackets[1]}" in rest


def test_a_text_takes_the_place_of_its_mark_and_lines_are_broken_again() -> None:
    @documented(what="- " + "word " * 30 + "\n- end")
    def example() -> None:
        """Do something.

        Parameters
            <what>
            <other>
        """

    lines = inspect.cleandoc(example.__doc__ or "").split("\n")
    assert max(map(len, lines)) <= 110
    assert [line.strip()[:6] for line in lines[3:]] == ["- word", "word w", "- end", "<other"]
    assert lines[4].startswith("      word")
