"""Difference quotients and the complex step are as near to the derivative as scheme and dtype allow."""

from __future__ import annotations

import cmath
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastmlp import numdiff

SCHEMES = ["forward", "backward", "central"]
FUNCTIONS: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (np.exp, np.exp),
    (np.sin, np.cos),
    (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    (lambda x: x**3 - 2 * x, lambda x: 3 * x**2 - 2),
    (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
]


def allowed(scheme: str, dtype: str) -> float:
    eps = float(np.finfo(dtype).eps)
    return 10 * (eps ** (2 / 3) if scheme == "central" else eps**0.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("f", "slope"), FUNCTIONS)
def test_derivative_is_as_exact_as_its_scheme(f: Any, slope: Any, scheme: str, dtype: str) -> None:
    x = np.linspace(-2, 2, 21).astype(dtype)
    got = numdiff.derivative(f, x, scheme=scheme)
    assert got.dtype == dtype
    want = slope(x.astype(float))
    np.testing.assert_allclose(got, want, rtol=0, atol=allowed(scheme, dtype) * np.abs(want).max())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_functions_of_one_number_are_called_with_numbers(scheme: str) -> None:
    got = numdiff.derivative(math.exp, 1.0, scheme=scheme)
    assert type(got) is float
    assert got == pytest.approx(math.e, rel=1e-7)
    assert numdiff.derivative(math.sqrt, 4, scheme=scheme) == pytest.approx(0.25, rel=1e-7)


@pytest.mark.parametrize("x", [3, 3.0, np.int8(3), np.float64(3), np.array(3), [3], np.array([3], np.uint8)])
def test_integers_become_float64(x: Any) -> None:
    got = numdiff.derivative(lambda t: t * t, x)
    assert np.asarray(got).dtype == np.float64
    np.testing.assert_allclose(got, np.full(np.shape(x), 6.0), rtol=1e-9)


def test_float32_numbers_stay_float32() -> None:
    seen: list[np.dtype[Any]] = []

    def f(x: Any) -> Any:
        seen.append(np.asarray(x).dtype)
        return x * x

    assert type(numdiff.derivative(f, np.float32(3))) is np.float32
    assert numdiff.gradient(lambda x: f(x).sum(), np.ones(3, np.float32)).dtype == np.float32
    assert numdiff.jacobian(f, np.ones(3, np.float32)).dtype == np.float32
    assert type(numdiff.step_size(np.float32(3))) is np.float32
    assert set(seen) == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("x", [0.0, 1e-9, -1.0, 1.0, 0.1, -3.7, 1024.0, -1e6, 1e30])
def test_steps_are_floating_point_numbers_on_both_sides(x: float, scheme: str, dtype: str) -> None:
    point = np.array(x, dtype)
    h = np.asarray(numdiff.step_size(point, scheme))
    root = np.finfo(dtype).eps ** (1 / 3 if scheme == "central" else 1 / 2)
    assert h == pytest.approx(root * max(1, abs(float(point))), rel=1e-3)
    if abs(x) >= 0.1:
        assert (point + h) - point == h
        assert point - (point - h) == h


def test_a_step_of_ones_own_is_taken() -> None:
    assert numdiff.derivative(lambda x: x**2, 1.0, h=0.5, scheme="forward") == 2.5
    assert numdiff.derivative(lambda x: x**2, 1.0, h=0.5, scheme="backward") == 1.5
    assert numdiff.derivative(lambda x: x**3, 1.0, h=0.5) == 3.25
    slopes = numdiff.derivative(lambda x: x**2, [1.0, 1.0], h=[0.5, 0.25], scheme="forward")
    assert slopes.tolist() == [2.5, 2.25]
    slopes = numdiff.gradient(lambda x: (x**2).sum(), [1.0, 1.0], h=[0.5, 0.25], scheme="forward")
    assert slopes.tolist() == [2.5, 2.25]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (2, 1, 3), (0,), (0, 3)])
def test_gradients_have_the_shape_of_x(shape: tuple[int, ...], scheme: str) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    got = numdiff.gradient(lambda x: np.sum(x**3), x, scheme=scheme)
    assert np.shape(got) == shape
    np.testing.assert_allclose(got, 3 * x**2, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("inputs", [(), (3,), (2, 2), (0,)])
@pytest.mark.parametrize("outputs", [(), (1,), (3, 2), (0,)])
def test_jacobians_have_the_shapes_of_outputs_and_inputs(
    outputs: tuple[int, ...], inputs: tuple[int, ...], scheme: str
) -> None:
    random = np.random.default_rng(1)
    matrix, x = random.normal(size=outputs + inputs), random.normal(size=inputs)
    got = numdiff.jacobian(lambda x: np.tensordot(matrix, x, len(inputs)), x, scheme=scheme)
    assert np.shape(got) == outputs + inputs
    np.testing.assert_allclose(got, matrix, rtol=0, atol=1e-6)


def test_the_gradient_costs_one_or_two_calls_an_element() -> None:
    for scheme, calls in {"forward": 11, "backward": 11, "central": 20}.items():
        for call in (numdiff.gradient, numdiff.jacobian):
            seen = []
            call(lambda x, seen=seen: seen.append(1) or 0.0, np.ones(10), scheme=scheme)
            assert len(seen) == calls


@pytest.mark.parametrize("call", [numdiff.derivative, numdiff.gradient, numdiff.jacobian])
def test_central_quotients_do_not_ask_for_f_at_x(call: Any) -> None:
    assert call(lambda x: math.sin(x) / float(x), 0.0) == 0.0
    with pytest.raises(ZeroDivisionError):
        call(lambda x: math.sin(x) / float(x), 0.0, scheme="forward")


@pytest.mark.parametrize("call", [numdiff.derivative, numdiff.gradient, numdiff.jacobian])
@pytest.mark.parametrize(
    ("x", "coarse"),
    [(3.0, np.float16), (3.0, np.float32), (np.float32(3), np.float16)],
)
def test_f_may_not_be_coarser_than_x_unless_h_is_set(call: Any, x: Any, coarse: Any) -> None:
    kind, of_x = np.dtype(coarse).name, np.asarray(x).dtype.name
    with pytest.raises(TypeError, match=f"f must compute in x's dtype {of_x}, got dtype {kind}.*or set h"):
        call(lambda x: coarse(x) * coarse(x), x)
    assert call(lambda x: coarse(x) * coarse(x), x, h=0.25) == pytest.approx(6)
    assert call(lambda x: float(x) ** 2, np.float32(x)) == pytest.approx(6, rel=1e-3)
    assert call(lambda x: np.longdouble(x) ** 2, x) == pytest.approx(6, rel=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_functions_may_change_and_keep_what_they_get_and_return(scheme: str) -> None:
    x, kept, out = np.array([1.0, 2.0, 3.0]), [], np.zeros(3)

    def f(argument: np.ndarray) -> np.ndarray:
        for old in kept:
            old[...] = np.nan
        out[...] = argument**2  # the same memory at each call
        kept.append(argument)
        argument[...] = -1.0
        return out

    want = np.array([2.0, 4.0, 6.0])
    np.testing.assert_allclose(numdiff.derivative(f, x, scheme=scheme), want, rtol=1e-6)
    np.testing.assert_allclose(numdiff.jacobian(f, x, scheme=scheme), np.diag(want), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(numdiff.gradient(lambda x: f(x).sum(), x, scheme=scheme), want, rtol=1e-6)
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_read_only_and_strided_x_are_taken() -> None:
    x = np.arange(12.0).reshape(3, 4).T[::2]
    x.flags.writeable = False
    np.testing.assert_allclose(numdiff.gradient(lambda x: (x**2).sum(), x), 2 * x, rtol=1e-8, atol=1e-8)


def test_small_unsigned_values_do_not_wrap_around() -> None:
    assert numdiff.derivative(lambda x: np.uint8(x > 1), 1.0, h=1.0, scheme="backward") == 0.0
    assert numdiff.derivative(lambda x: np.uint8(x < 1), 1.0, h=1.0, scheme="backward") == -1.0


@pytest.mark.parametrize(("f", "slope"), FUNCTIONS)
def test_complex_step_is_exact_to_rounding(f: Any, slope: Any) -> None:
    x = np.linspace(-2, 2, 21)
    np.testing.assert_allclose(numdiff.complex_step(f, x), slope(x), rtol=1e-14, atol=1e-14)
    single = numdiff.complex_step(f, x.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, slope(x), rtol=1e-5, atol=1e-6)


def test_complex_step_takes_functions_of_cmath() -> None:
    got = numdiff.complex_step(cmath.exp, 1)
    assert type(got) is float
    assert got == pytest.approx(math.e, rel=1e-15)
    assert type(numdiff.complex_step(cmath.exp, np.float32(1))) is np.float32


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (abs, "f must return complex numbers for complex x, got dtype float64; abs"),
        (lambda x: x.real, "f must return complex numbers"),
        (lambda x: 3.0, "f must return complex numbers"),
        (math.exp, "f must take complex numbers, as functions of NumPy and cmath do"),
        (lambda x: max(x, 0), "f must take complex numbers"),
        (None, "f must be callable, got None"),
    ],
)
def test_complex_step_refuses_functions_of_real_numbers(f: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        numdiff.complex_step(f, 1.0)


@pytest.mark.parametrize(
    "call", [numdiff.derivative, numdiff.gradient, numdiff.jacobian, numdiff.complex_step]
)
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ("1", TypeError, "x must be real, a number or an array of numbers, got '1'"),
        (1j, TypeError, "x must be real.*, got 1j"),
        (True, TypeError, "x must be real.*, got True"),
        (None, TypeError, "x must be real.*, got None"),
        ([1.0, 1j], TypeError, "x must be real.*, got dtype complex128"),
        (["a"], TypeError, "x must be real.*, got dtype <U1"),
        (np.array([1.0, None]), TypeError, "x must be real.*, got dtype object"),
        (np.array(["2026-01-01"], "M8[D]"), TypeError, "x must be real"),
        (math.nan, ValueError, "x must be finite, got nan"),
        ([1.0, -math.inf], ValueError, "x must be finite, got -inf"),
        ([[1.0], [1.0, 2.0]], ValueError, "x must be a rectangular array"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), ValueError, "x has masked values"),
    ],
)
def test_x_must_be_finite_and_real(call: Any, x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(np.exp, x)


@pytest.mark.parametrize("call", [numdiff.derivative, numdiff.jacobian])
@pytest.mark.parametrize(
    ("h", "error", "message"),
    [
        (0, ValueError, "h must be greater than 0, got 0"),
        (-1e-3, ValueError, "h must be greater than 0, got -0.001"),
        (math.nan, ValueError, "h must be greater than 0, got nan"),
        (math.inf, ValueError, "h must be finite and greater than 0, got inf"),
        ("small", TypeError, "h must be a number, got 'small'"),
        (1j, TypeError, "h must be a number, got 1j"),
        (1e-17, ValueError, "h must be large enough to change x: x . h is x at x = 1.0, h = 1e-17"),
        ([1e-3], ValueError, r"h must be a number, or real numbers of x's shape \(2,\); got shape \(1,\)"),
        ([1e-3, 0.0], ValueError, "h must be finite and greater than 0 at each element"),
        ([1e-3, math.nan], ValueError, "h must be finite and greater than 0 at each element"),
        (["a", "b"], ValueError, "h must be a number, or real numbers"),
        (1.7e308, ValueError, "f must be finite"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_h_must_be_a_step(call: Any, h: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(np.exp, [1.0, 2.0], h=h)


def test_steps_beyond_the_largest_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"h must leave x \+ h and x - h finite, got h = 1e\+308"):
        numdiff.derivative(np.tanh, 1.5e308, h=1e308)


@pytest.mark.parametrize("call", [numdiff.derivative, numdiff.gradient, numdiff.jacobian])
@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: x * math.nan, ValueError, "f must be finite at x and beside it, got nan"),
        (lambda x: x * 1j, TypeError, "f must return real numbers, got dtype complex128"),
        (lambda x: None, TypeError, "f must return real numbers, got dtype object"),
        (lambda x: "1", TypeError, "f must return real numbers, got dtype <U1"),
        (lambda x: x > 0, TypeError, "f must return real numbers, got dtype bool"),
        (3.0, TypeError, "f must be callable, got 3.0"),
    ],
)
def test_f_must_return_finite_real_numbers(call: Any, f: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(f, 1.0)


def test_f_must_return_what_the_function_is_for() -> None:
    with pytest.raises(ValueError, match=r"f must return values of shape \(2,\), got shape \(\)"):
        numdiff.derivative(np.sum, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"f must return one number, got shape \(2,\)"):
        numdiff.gradient(np.exp, [1.0, 2.0])
    shapes = iter([(2,), (2,), (3,)])
    with pytest.raises(ValueError, match=r"f must return values of shape \(2,\), got shape \(3,\)"):
        numdiff.jacobian(lambda x: np.ones(next(shapes)), [1.0, 2.0])


def test_at_the_edge_of_a_domain_one_scheme_works() -> None:
    def f(x: float) -> float:
        return x**1.5 if x >= 0 else math.nan

    assert numdiff.derivative(f, 0.0, scheme="forward") == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match=r"got nan at -.*; another scheme or h may do"):
        numdiff.derivative(f, 0.0)


@pytest.mark.parametrize("call", [numdiff.derivative, numdiff.gradient, numdiff.jacobian])
def test_schemes_are_named(call: Any) -> None:
    with pytest.raises(ValueError, match="scheme must be one of forward, backward, central; got 'middle'"):
        call(np.sum, 1.0, scheme="middle")
    with pytest.raises(TypeError, match="scheme must be one of forward, backward, central; got 2"):
        call(np.sum, 1.0, scheme=2)


@pytest.mark.parametrize("call", [numdiff.derivative, numdiff.gradient, numdiff.jacobian])
def test_quotients_that_overflow_name_h(call: Any) -> None:
    with pytest.raises(ValueError, match=r"h must leave the quotient of f finite, got h = 1.7e\+308"):
        call(lambda x: x, 0.0, h=1.7e308)
    with pytest.raises(ValueError, match=r"x must leave x \+ h finite.* at x = 1.797\d*e\+308"):
        call(lambda x: x, sys.float_info.max)


def test_messages_stay_short_for_long_x() -> None:
    for x in (10**400, -(10**5000)):  # Python does not even print the latter
        with pytest.raises(ValueError, match="x must be finite, got an integer too large for float64"):
            numdiff.derivative(lambda x: x, x)
    assert numdiff.derivative(lambda x: x, 10**20) == 1.0
    with pytest.raises(TypeError, match=r"x must be real.*, got '1{59}$"):
        numdiff.derivative(lambda x: x, "1" * 500)


def test_f_must_return_rows_of_equal_length() -> None:
    with pytest.raises(ValueError, match=r"f must return a number or a rectangular array, got \[1, \[2\]\]"):
        numdiff.jacobian(lambda x: [1, [2]], [1.0])


@pytest.mark.parametrize("f", [3, None])
def test_the_complex_step_needs_a_function_too(f: Any) -> None:
    with pytest.raises(TypeError, match=f"^f must be callable, got {f}$"):
        numdiff.complex_step(f, 1.0)


def test_errors_of_f_come_through() -> None:
    with pytest.raises(ZeroDivisionError, match="own"):
        numdiff.gradient(lambda x: (_ for _ in ()).throw(ZeroDivisionError("own")), [1.0])
