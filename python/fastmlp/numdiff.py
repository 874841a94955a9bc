"""Numeric differentiation: difference quotients, the complex step, and how their errors depend on h."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.drawing import new_axes
from fastmlp._base.quotients import (
    SCHEMES,
    Array,
    Function,
    as_point,
    checked_steps,
    imaginary_quotient,
    like_point,
    moved,
    quotient,
    value_at,
)
from fastmlp._base.records import Records
from fastmlp._base.validation import choice, real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Convergence", "complex_step", "convergence", "derivative", "gradient", "jacobian", "step_size"]

_COMPLEX_STEP = 1e-20  # its square is lost beside any number, and it is far from underflow, in float32 too


def derivative(f: Function, x: Any, h: Any = None, scheme: str = "central") -> Any:
    """Return the slope of a function of one number, at one point or at each of many.

    - forward: ``(f(x + h) - f(x)) / h``, truncation error ``h f''/2``
    - backward: ``(f(x) - f(x - h)) / h``, truncation error ``h f''/2``
    - central: ``(f(x + h) - f(x - h)) / (2 h)``, truncation error ``h^2 f'''/6``

    Rounding adds about ``eps |f| / h``. The default h makes the sum of the two small, see `step_size`.

    Parameters
    ----------
    f : callable
        Is called with a number if x is one, so that ``math.exp`` will do; else with arrays of x's shape, of
        which it returns one value an element, as ``np.exp`` does.
    x : float or array_like
        Float32 stays float32, all other real numbers become float64.
    h : float or array_like, optional
        The step, one for all elements or one for each; greater than 0. It is rounded so that x + h and x - h
        are floating-point numbers.
    scheme : {"central", "forward", "backward"}, default "central"

    Returns
    -------
    float or array
        As x.

    Raises
    ------
    TypeError, ValueError
        If f is not callable or returns anything else than finite real numbers, one an element; if they are
        of lower precision than x, as of a float32 model for a float64 x, and no h is set for it; if x is not
        finite and real; if h is not greater than 0, so small that x + h is x, or so large that the quotient
        overflows.

    References
    ----------
    Nocedal, Wright, Numerical Optimization (2006), section 8.1; Press, Teukolsky, Vetterling, Flannery,
    Numerical Recipes (2007), section 5.7.

    Examples
    --------
    >>> import math
    >>> round(derivative(math.exp, 0.0), 9)
    1.0
    >>> derivative(lambda x: x**2, [1.0, 2.0, 3.0]).round(9).tolist()
    [2.0, 4.0, 6.0]
    """
    point = as_point(x)
    up, down = SCHEMES[choice("scheme", scheme, SCHEMES)]
    steps = checked_steps(point, h, scheme)
    above, below = (
        value_at(f, moved(point, count, steps), point.shape, as_fine_as_x=h is None) for count in (up, -down)
    )
    return like_point(point, quotient(above, below, steps, scheme))


def gradient(f: Function, x: Any, h: Any = None, scheme: str = "central") -> Any:
    """Return the slopes of a function of an array towards each of its elements, ``df/dx_i``.

    Each is a quotient as in `derivative`. For n elements that takes 2 n calls of f for "central", n + 1 calls
    for the others.

    Parameters
    ----------
    f : callable
        Takes an array of x's shape and returns one number. Each call gets an array of its own, so f may
        change it.
    x, h, scheme
        As in `derivative`.

    Returns
    -------
    array
        Of x's shape.

    Raises
    ------
    TypeError, ValueError
        As `derivative`.

    References
    ----------
    Nocedal, Wright, Numerical Optimization (2006), section 8.1.

    Examples
    --------
    >>> gradient(lambda x: x[0] ** 2 * x[1], [3.0, 2.0]).round(6).tolist()
    [12.0, 9.0]
    """
    return _jacobian(f, x, h, scheme, shape=())


def jacobian(f: Function, x: Any, h: Any = None, scheme: str = "central") -> Any:
    """Return the slopes of each output of a function towards each of its inputs, ``df_j/dx_i``.

    Each is a quotient as in `derivative`, with as many calls of f as in `gradient`.

    Parameters
    ----------
    f : callable
        Takes an array of x's shape and returns an array, of the same shape at each call.
    x, h, scheme
        As in `derivative`.

    Returns
    -------
    array
        Of the outputs' shape followed by x's shape.

    Raises
    ------
    TypeError, ValueError
        As `derivative`.

    References
    ----------
    Nocedal, Wright, Numerical Optimization (2006), section 8.1.

    Examples
    --------
    >>> jacobian(lambda x: np.array([x[0] * x[1], x[0] + x[1], 3 * x[0]]), [2.0, 5.0]).round(6).tolist()
    [[5.0, 2.0], [1.0, 1.0], [3.0, 0.0]]
    """
    return _jacobian(f, x, h, scheme)


def complex_step(f: Function, x: Any) -> Any:
    """Return the slope of an analytic function of one number, exact to rounding: ``Im f(x + ih) / h``.

    Nothing is subtracted, so h can be as small as 1e-20, and the truncation error ``h^2 f'''/6`` vanishes.

    Parameters
    ----------
    f : callable
        As in `derivative`, of complex numbers: functions of NumPy or ``cmath``, not of ``math``. Anything in
        it that drops the imaginary part (``abs``, ``.real``) makes the result wrong.
    x : float or array_like
        Real, as in `derivative`.

    Returns
    -------
    float or array
        As x.

    Raises
    ------
    TypeError, ValueError
        If f does not take complex numbers, or returns other than finite complex numbers, one an element; if
        x is not finite and real.

    References
    ----------
    Squire, Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40 (1998).

    Examples
    --------
    >>> float(complex_step(np.exp, 0.0))
    1.0
    """
    point = as_point(x)
    return like_point(point, imaginary_quotient(f, point, _COMPLEX_STEP))


def step_size(x: Any, scheme: str = "central") -> Any:
    """Return the default step: ``c max(1, |x|)``, c the root of x's eps, cube root for "central".

    Truncation error grows with h, or h^2, and rounding error with 1/h; this is where they meet if f and its
    derivatives are about as large as each other.

    Parameters
    ----------
    x, scheme
        As in `derivative`.

    Returns
    -------
    float or array
        As x; rounded so that x + h and x - h are floating-point numbers.

    References
    ----------
    Press, Teukolsky, Vetterling, Flannery, Numerical Recipes (2007), section 5.7.
    """
    point = as_point(x)
    return like_point(point, checked_steps(point, None, choice("scheme", scheme, SCHEMES)))


class Convergence(Records):
    """The absolute errors of the schemes at x against h.

    Attributes
    ----------
    orders : dict of str to float
        The p of each scheme in ``error ~ h^p``, measured where truncation rules; NaN where it never does.
    best : dict of str to float
        The h with the smallest error of each scheme, the largest such h.
    rounding : float
        ``eps max(|f|, |x f'|)``, which over h is about the rounding error of a difference quotient.
    """

    def __init__(self, columns: tuple[str, ...], rows: list[tuple[float, ...]], rounding: float) -> None:
        super().__init__(columns, rows)
        self.rounding = rounding
        self.orders: dict[str, float] = {}
        self.best: dict[str, float] = {}
        for scheme in self.columns[1:]:
            self.orders[scheme], self.best[scheme] = _order_and_best(self["h"], self[scheme])

    def __str__(self) -> str:
        rows = [(f"{h:.0e}", *(f"{error:.1e}" for error in errors)) for h, *errors in self.rows()]
        rows.append(("order", *(f"{order:.2f}" for order in self.orders.values())))
        rows.append(("best h", *(f"{h:.0e}" for h in self.best.values())))
        return str(Records(self.columns, rows))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the errors against h on logarithmic axes, with O(h), O(h^2) and the rounding error.

        A circle marks the best h of each scheme. An error of 0 is drawn at the bottom of the axes. The
        legend is right of the axes: ``layout="constrained"`` leaves room for it in a figure of your own.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            Without matplotlib: ``pip install 'fastmlp[plot]'``.
        """
        ax = new_axes(ax, size=(9, 4.5))[0]
        h, schemes = self["h"], self.columns[1:]
        shown = np.array([self[scheme] for scheme in schemes])
        positive = shown[np.isfinite(shown) & (shown > 0)]
        low, high = (positive.min(), positive.max()) if len(positive) else (1e-16, 1.0)
        ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="absolute error of the derivative")
        ax.set_ylim(low / 10, high * 10)
        for scheme, marker in zip(schemes, "^vsD", strict=False):
            errors = np.where(self[scheme] == 0, low / 10, self[scheme])
            name, at = scheme.replace("_", " "), h == self.best[scheme]
            (line,) = ax.plot(h, errors, marker=marker, markersize=4, label=name, clip_on=False)
            (circle,) = ax.plot(h[at], errors[at], "o", color=line.get_color(), clip_on=False)
            circle.set(markersize=10, fillstyle="none")
        for scheme, power, dashes in (("forward", 1, "--"), ("central", 2, "-.")):
            error = self[scheme][h == 0.01][0]
            if error > 0:
                label = "O(h)" if power == 1 else "O(h²)"
                ax.plot(h, error * (h / 0.01) ** power, dashes, color="0.5", linewidth=1, label=label)
        if self.rounding > 0:
            ax.plot(h, self.rounding / h, ":", color="0.5", linewidth=1.5, label="rounding error")
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return ax


def convergence(f: Function, x: Any, exact: Any) -> Convergence:
    """Return the errors of the schemes for h = 1, 0.1, .., 1e-16.

    With a smaller h the truncation error falls, by a factor of 10 a row for "forward" and "backward" and 100
    for "central"; the rounding error ``eps |f| / h`` rises. The complex step only has the former.

    Parameters
    ----------
    f : callable
        Takes and returns a number. There is a column complex_step if it takes complex numbers too.
    x : float
        Where.
    exact : float or callable
        The derivative at x, or the derivative as a function.

    Returns
    -------
    Convergence
        A table with the columns h, forward, backward, central and complex_step; ``str()`` shows it with the
        measured orders and the best h, ``plot()`` draws it. Where f cannot be worked out, the error is NaN.

    Raises
    ------
    TypeError, ValueError
        If x or f(x) or `exact` is not one finite real number.

    References
    ----------
    Press, Teukolsky, Vetterling, Flannery, Numerical Recipes (2007), section 5.7; Squire, Trapp (1998).

    Examples
    --------
    >>> table = convergence(np.sin, 1.0, np.cos)
    >>> {scheme: round(order) for scheme, order in table.orders.items()}
    {'forward': 1, 'backward': 1, 'central': 2, 'complex_step': 2}
    """
    point = as_point(x)
    if point.ndim != 0:
        raise ValueError(f"x must be one number, got shape {point.shape}")
    at_x = value_at(f, point, ())
    slope = float(value_at(exact, point, (), "exact")) if callable(exact) else real("exact", exact)
    quotients: dict[str, Callable[[float], Any]] = {
        scheme: partial(_scalar_quotient, f, point, scheme) for scheme in SCHEMES
    }
    try:
        imaginary_quotient(f, point, _COMPLEX_STEP)
        quotients["complex_step"] = partial(imaginary_quotient, f, point)
    except (TypeError, ValueError):
        pass  # f is a function of real numbers only
    steps = [10.0**-k for k in range(17)]
    rows = [(h, *(_error(at_step, h, slope) for at_step in quotients.values())) for h in steps]
    eps = float(max(np.finfo(dtype).eps for dtype in (point.dtype, at_x.dtype)))
    rounding = eps * max(abs(float(at_x)), abs(float(point) * slope))
    return Convergence(("h", *quotients), rows, rounding)


def _scalar_quotient(f: Function, point: Array, scheme: str, h: float) -> Any:
    """Return the quotient with h as it is given, as textbooks write it."""
    up, down = SCHEMES[scheme]
    above, below = (value_at(f, moved(point, count, h), ()) for count in (up, -down))
    return quotient(above, below, h, scheme)


def _error(at_step: Callable[[float], Any], h: float, slope: float) -> float:
    """Return the error of a quotient, NaN where one of its points is outside of the domain of f."""
    try:
        with np.errstate(all="ignore"):
            return abs(float(at_step(h)) - slope)
    except (ArithmeticError, ValueError):
        return float("nan")


def _order_and_best(h: Array, errors: Array) -> tuple[float, float]:
    """Return the median slope of log error against log h before rounding takes over, and the best h."""
    known = np.isfinite(errors)
    h, errors = h[known], errors[known]
    if not len(h):
        return float("nan"), float("nan")
    end = int(np.argmax(errors <= 10 * errors.min()))  # the first row that is near the best
    until = errors[: end + 1]
    slopes = -np.diff(np.log10(until[until > 0]))
    falling = slopes[slopes > 0]
    order = float(np.median(falling)) if len(falling) else float("nan")
    return order, float(h[errors.argmin()])


def _jacobian(f: Function, x: Any, h: Any, scheme: str, shape: tuple[int, ...] | None = None) -> Any:
    """Return the slopes of outputs of a shape; None: of the shape of f's first value."""
    point = as_point(x)
    choice("scheme", scheme, SCHEMES)
    steps = checked_steps(point, h, scheme)
    up, down = SCHEMES[scheme]

    def value(there: Array) -> Array:
        nonlocal shape
        result = value_at(f, there, shape, as_fine_as_x=h is None)
        shape = result.shape
        return result

    here = None if up and down and point.size else value(point.copy())

    def beside(index: tuple[int, ...], count: int) -> Array:
        if count == 0 and here is not None:
            return here
        there = point.copy()
        there[index] = moved(point[index], count, steps[index])
        return value(there)

    columns = [quotient(beside(i, up), beside(i, -down), steps[i], scheme) for i in np.ndindex(point.shape)]
    slopes = np.stack(columns, axis=-1) if columns else np.empty(0)
    return like_point(point, slopes.reshape((shape or ()) + point.shape))
