"""The table of errors against h shows truncation, rounding and the best step; its picture can be read."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from fastmlp import numdiff
from fastmlp._base.records import Records

mpl.use("Agg")


pytestmark = pytest.mark.usefixtures("pictures")


CASES: list[tuple[Callable[[Any], Any], float, Any]] = [
    (np.exp, 1.0, np.exp),
    (np.sin, 1.0, math.cos(1.0)),
    (np.tanh, 0.5, lambda x: 1 - np.tanh(x) ** 2),
    (lambda x: x**5, 1.5, lambda x: 5 * x**4),
]


@pytest.mark.parametrize(("f", "x", "exact"), CASES)
def test_orders_and_best_steps_are_those_of_the_theory(f: Any, x: float, exact: Any) -> None:
    table = numdiff.convergence(f, x, exact)
    orders = {"forward": 1, "backward": 1, "central": 2, "complex_step": 2}
    assert table.columns == ("h", *orders)
    assert table.orders == pytest.approx(orders, abs=0.1)
    assert 1e-9 <= table.best["forward"] <= 1e-7
    assert 1e-9 <= table.best["backward"] <= 1e-7
    assert 1e-7 <= table.best["central"] <= 1e-4
    assert table.best["complex_step"] <= 1e-7
    scale = abs(exact(x) if callable(exact) else exact)
    assert table["forward"].min() < 1e-6 * scale
    assert table["central"].min() < 1e-8 * scale
    assert (table["complex_step"][-8:] < 1e-14 * scale).all()
    assert table["forward"][-1] > 0.01 * scale  # nothing but rounding is left


def test_errors_are_those_of_the_textbook_formula() -> None:
    table = numdiff.convergence(np.exp, 0.0, 1.0)
    h = table["h"]
    assert h.tolist() == [10.0**-k for k in range(17)]
    np.testing.assert_array_equal(table["forward"], np.abs((np.exp(h) - 1) / h - 1))
    np.testing.assert_array_equal(table["central"], np.abs((np.exp(h) - np.exp(-h)) / (2 * h) - 1))


def test_the_table_is_a_table() -> None:
    table = numdiff.convergence(np.exp, 1.0, np.exp)
    assert isinstance(table, Records)
    assert len(table) == 17
    assert list(table.to_frame().columns) == ["h", "forward", "backward", "central", "complex_step"]
    lines = str(table).splitlines()
    assert lines[0].split() == ["h", "forward", "backward", "central", "complex_step"]
    assert lines[3].split()[:4] == ["1e-02", "1.4e-02", "1.4e-02", "4.5e-05"]
    assert lines[-2].split() == ["order", "1.00", "1.00", "2.00", "2.00"]
    assert lines[-1].startswith("best h")
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("f", [math.exp, abs, lambda x: max(x, -x)])
def test_without_complex_numbers_there_is_no_complex_step(f: Any) -> None:
    exact = math.e if f is math.exp else 1.0
    assert numdiff.convergence(f, 1.0, exact).columns == ("h", "forward", "backward", "central")


@pytest.mark.parametrize("f", [math.log, np.log])
def test_outside_of_the_domain_the_error_is_nan(f: Any) -> None:
    table = numdiff.convergence(f, 0.5, 2.0)
    assert np.isnan(table["backward"]).tolist() == [True] + [False] * 16
    assert np.isfinite(table["forward"]).all()
    assert table.orders["backward"] == pytest.approx(1, abs=0.1)
    assert table.orders["central"] == pytest.approx(2, abs=0.1)


def test_schemes_that_are_exact_have_no_order() -> None:
    table = numdiff.convergence(lambda x: x * x, 1.0, 2.0)
    assert math.isnan(table.orders["central"])
    assert table.best["central"] == 1.0
    assert table.orders["forward"] == pytest.approx(1, abs=0.05)


def test_errors_that_do_not_fall_have_no_order() -> None:
    for f, x, exact in [(abs, 0.0, 0.0), (lambda x: x, 1.0, 1.0), (np.sin, 1.0, 0.0), (np.sign, 0.0, 0.0)]:
        orders = list(numdiff.convergence(f, x, exact).orders.values())
        assert all(math.isnan(order) or order > 0 for order in orders)
    assert math.isnan(numdiff.convergence(abs, 0.0, 0.0).orders["central"])


def test_errors_of_zero_lie_at_the_bottom_of_the_axes() -> None:
    axes = numdiff.convergence(abs, 0.0, 0.0).plot()
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert set(lines["central"].get_ydata()) == {axes.get_ylim()[0]}
    assert set(lines["forward"].get_ydata()) == {1.0}
    assert axes.get_ylim()[0] < 1.0


def test_float32_has_its_own_rounding() -> None:
    single, double = (numdiff.convergence(np.sin, x, np.cos) for x in (np.float32(1), 1.0))
    assert single["central"].min() > 1e-7 > 1e-10 > double["central"].min()
    assert single.best["central"] > double.best["central"]


@pytest.mark.parametrize(
    ("f", "x", "exact", "error", "message"),
    [
        (np.exp, [1.0], 1.0, ValueError, r"x must be one number, got shape \(1,\)"),
        (np.exp, "1", 1.0, TypeError, "x must be real"),
        (np.exp, math.nan, 1.0, ValueError, "x must be finite, got nan"),
        (np.exp, 0.0, "1", TypeError, "exact must be a number, got '1'"),
        (np.exp, 0.0, math.nan, ValueError, "exact must be finite, got nan"),
        (np.exp, 0.0, lambda x: math.inf, ValueError, "exact must be finite"),
        (np.exp, 0.0, lambda x: [x], ValueError, "exact must return one number"),
        (np.exp, 0.0, lambda x: 1j, TypeError, "exact must return real numbers, got dtype complex128"),
        (lambda x: math.nan, 0.0, 1.0, ValueError, "f must be finite"),
        (lambda x: [x], 0.0, 1.0, ValueError, "f must return one number"),
        (None, 0.0, 1.0, TypeError, "f must be callable, got None"),
    ],
)
def test_bad_input_is_named(f: Any, x: Any, exact: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        numdiff.convergence(f, x, exact)


def test_the_picture_names_its_axes_and_lines() -> None:
    import matplotlib.pyplot as plt

    table = numdiff.convergence(np.exp, 1.0, np.exp)
    axes = table.plot()
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_xlabel() == "step h"
    assert axes.get_ylabel() == "absolute error of the derivative"
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["forward", "backward", "central", "complex step", "O(h)", "O(h²)", "rounding error"]
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["forward"].get_ydata(), table["forward"])
    one = lines["O(h)"].get_ydata()
    assert one[2] == pytest.approx(table["forward"][2])
    assert one[1] / one[2] == pytest.approx(10)
    _, own = plt.subplots()
    assert table.plot(ax=own) is own


@pytest.mark.parametrize(
    ("f", "x", "exact"),
    [(np.sin, 0.0, 1.0), (lambda x: 0 * x, 0.0, 0.0), (math.log, 0.5, 2.0), (abs, 0.0, 0.0)],
)
def test_errors_of_zero_and_nan_can_be_drawn(f: Any, x: float, exact: float) -> None:
    axes = numdiff.convergence(f, x, exact).plot()
    axes.figure.canvas.draw()
    low, high = axes.get_ylim()
    assert 0 < low < high < math.inf


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    table = numdiff.convergence(np.exp, 1.0, np.exp)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[plot\]'"):
        table.plot()
