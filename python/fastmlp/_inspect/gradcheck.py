"""Every parameter's gradient beside its difference quotient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.quotients import SCHEMES, checked_steps
from fastmlp._base.records import Records
from fastmlp._base.validation import choice, real
from fastmlp._inspect.kinks import Kinks, Twin
from fastmlp._inspect.trace import traced
from fastmlp._model.architecture import Array
from fastmlp._model.model import Model
from fastmlp.numdiff import gradient, step_size
from fastmlp.spec import texts

#: The largest relative error that passes: 20 times and more what rounding and truncation were seen to make.
_TOLERANCES = {"float32": 1e-4, "float64": 1e-6}
_ONE_SIDED = 1e-4  # of quotients with an error of O(h)

_FLOOR = 0.01
_SAFETY = 10  # times the rounding that is expected
_SHOWN_KINKS = 8

Names: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """What `gradcheck` found; true if it passed.

    Attributes
    ----------
    scheme : str
        The difference quotient.
    tolerance : float
        The largest relative error that passes.
    analytic, numeric, errors : array, (n_parameters,)
        The gradient, the quotients and their relative errors, laid out as ``net.parameters``.
    at_kink : array of bool, (n_parameters,)
        The parameters whose quotient steps over a kink, which explains its error.
    rounding : array, (n_parameters,)
        The differences that rounding explains.
    names : tuple of (str, array shape)
        W0, b0, .. with their shapes, in the order of ``net.parameters``.
    """

    scheme: str
    tolerance: float
    analytic: Array
    numeric: Array
    errors: Array
    at_kink: NDArray[np.bool_]
    rounding: Array
    names: Names

    def __bool__(self) -> bool:
        return self.passed

    @property
    def passed(self) -> bool:
        """Whether no error is above the tolerance, kinks aside."""
        return self.largest_error <= self.tolerance

    @property
    def largest_error(self) -> float:
        """The largest relative error, kinks aside; 0 if there is nothing else."""
        return float(self._errors.max(initial=0.0))

    @property
    def where(self) -> str:
        """The parameter with the largest error, kinks aside, such as ``W1[3, 2]``."""
        return self._name(int(self._errors.argmax()))

    @property
    def kinks(self) -> tuple[str, ...]:
        """The parameters at kinks, such as ``b0[4]``."""
        return tuple(self._name(int(at)) for at in np.flatnonzero(self.at_kink))

    @property
    def unchecked(self) -> tuple[str, ...]:
        """The arrays, such as ``W0``, whose gradient is so small that rounding would hide a wrong one."""
        lost = (np.abs(self.numeric) <= self.rounding) & (self._errors <= self.tolerance)
        return tuple(name for name, _, part in self._parts() if lost[part].all())

    @property
    def _errors(self) -> Array:
        return np.where(self.at_kink, 0.0, self.errors)

    def _parts(self) -> Iterator[tuple[str, tuple[int, ...], slice]]:
        start = 0
        for name, shape in self.names:
            end = start + int(np.prod(shape))
            yield name, shape, slice(start, end)
            start = end

    def _name(self, at: int) -> str:
        name, shape, part = next(entry for entry in self._parts() if at < entry[2].stop)
        index = np.unravel_index(at - part.start, shape)
        return f"{name}[{', '.join(map(str, index))}]"

    def __str__(self) -> str:
        at = int(self._errors.argmax())
        kinks = self.kinks
        more = f" and {len(kinks) - _SHOWN_KINKS} more" if len(kinks) > _SHOWN_KINKS else ""
        return "\n".join(
            [
                f"Gradient against {self.scheme} differences, {len(self.errors)} parameters",
                str(self._layers()),
                f"worst: {self.where}, analytic {self.analytic[at]:.9g}, numeric {self.numeric[at]:.9g}",
                f"kinks: {', '.join(kinks[:_SHOWN_KINKS]) or 'none'}{more}",
                *([f"not checked: too small: {', '.join(self.unchecked)}"] if self.unchecked else []),
                f"{'PASS' if self.passed else 'FAIL'}: the tolerance is {self.tolerance:.0e}",
            ]
        )

    def _layers(self) -> Records:
        """Return a row a layer and a row an embedding."""
        parts: list[tuple[str, slice]] = []
        for name, _, part in self._parts():
            if name.startswith("b"):  # goes with the W before it
                before, weights = parts.pop()
                name, part = f"{before}, {name}", slice(weights.start, part.stop)
            parts.append((name, part))
        rows = []
        for name, part in parts:
            worst = part.start + int(self._errors[part].argmax())
            error = f"{self._errors[worst]:.1e}"
            kinks = int(self.at_kink[part].sum())
            rows.append((name, part.stop - part.start, error, self._name(worst), kinks))
        return Records(("layer", "parameters", "largest error", "where", "kinks"), rows)


_KINKS = (
    f"The activations {texts.activations_with(lambda f: f.kink and any(f.kink))} and the losses "
    f"{texts.losses_with(lambda loss: loss.kink and loss.flat)} have kinks, where the gradient is that "
    "of one side and a quotient may mix both. Where one steps over a kink and differs from the gradient, "
    "the quotient is taken again of the loss whose kinks are made straight: continued with the slope of "
    "the gradient's side. If that agrees to 1e-4, the parameter is reported in `kinks` and does not fail. "
    f"{texts.activations_with(lambda f: f.kink and not any(f.kink))} and "
    f"{texts.losses_with(lambda loss: loss.kink and not loss.flat)}, whose second derivatives jump, are "
    "judged so too, as a quotient across them is less exact."
)


@texts.documented(kinks=_KINKS)
def gradcheck(
    net: Model,
    X: Any,
    y: Any,
    scheme: str = "central",
    *,
    sample_weight: Any = None,
    h: float | None = None,
    tolerance: float | None = None,
) -> GradientCheck:
    """Compare the gradient of the loss with difference quotients, parameter by parameter.

    The error of a parameter with the gradient a and the quotient n is ``|a - n| / max(|a|, |n|, floor)``,
    where the floor is 0.01 times the largest |n| of its array: W0, b0, ... If rounding explains the
    difference, ``|a - n| <= r``, the floor is at least ``r / tolerance``, so that it passes. Rounding is
    ``r = 10 (e(loss) / h + e(a))``: e(loss) is float64's eps times ``max(1, |loss|)`` and the terms of the
    scores; e(a) is the eps of the network's dtype times the terms that a is summed from, ``|a_prev|^T
    |delta|``, and what these inherit from the layers before and behind. An array whose |n| are all below r
    is named in `unchecked`: its gradient is too small to tell right from wrong.

    The quotients come from a float64 copy of the network, whose own parameters are only read.

    <kinks>

    Elsewhere a quotient of the default step that differs is extrapolated to h = 0, as truncation may be the
    reason.

    Parameters
    ----------
    net : Network
    X : array_like, (n, inputs)
    y : array_like, (n,) or (n, outputs)
        Labels or values, as in training. A few rows are enough.
    scheme : {"central", "forward", "backward"}, default "central"
    sample_weight : array_like, (n,), optional
        Weights of the rows, all 1 by default.
    h : float, optional
        The step of all parameters. By default that of `fastmlp.numdiff.step_size` for each, divided by s:
        the largest |input| of a weight, at least 1, and 1 for the other parameters.
    tolerance : float, optional
        The largest error that passes: by default 1e-6 for float64 networks and central differences, otherwise
        1e-4.

    Returns
    -------
    GradientCheck
        True if it passed; ``str()`` shows it layer by layer, with what is `unchecked`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    The cost is that of `loss_and_gradient` twice for each parameter, once for "forward" and "backward": 10000
    parameters and 100 rows take some seconds.

    References
    ----------
    Nocedal, Wright, Numerical Optimization (2006), section 8.1; Press, Teukolsky, Vetterling, Flannery,
    Numerical Recipes (2007), section 5.7.

    Examples
    --------
    >>> net = Network((2, 3, 1), "tanh", "squared_error", dtype="float64")
    >>> check = gradcheck(net, [[1.0, 2.0], [0.5, -1.0]], [1.0, 0.0])
    >>> bool(check), check.kinks
    (True, ())
    """
    if not isinstance(net, Model):
        raise TypeError(f"net must be a fastmlp.Network, got {net!r}")
    choice("scheme", scheme, SCHEMES)
    if tolerance is None:
        tolerance = _TOLERANCES[net.dtype.name] if scheme == "central" else _ONE_SIDED
    tolerance = real("tolerance", tolerance, low=0, open_low=True)
    if h is not None:
        h = real("h", h, low=0, open_low=True)
    loss, analytic = net.loss_and_gradient(X, y, sample_weight)
    if not np.isfinite(loss):
        raise ValueError(f"net must have a finite loss on X and y, got {loss}")
    analytic = analytic.astype(np.float64)
    names = _names(net)
    twin = Twin(net, X, y, sample_weight)
    theta = net.parameters.astype(np.float64)
    inputs = twin.input_sizes(theta)
    steps = checked_steps(theta, step_size(theta, scheme) / inputs if h is None else h, scheme)
    numeric = gradient(twin.loss, theta, steps, scheme)
    floors = _array_floors(numeric, names)
    of_loss, of_gradient = twin.rounding(theta, float(np.finfo(net.dtype).eps))
    rounding = _SAFETY * (of_loss / steps + of_gradient)
    errors = _relative_errors(analytic, numeric, floors, rounding, tolerance)

    at_kink = np.zeros(len(theta), np.bool_)
    suspects = np.flatnonzero((errors > tolerance) & np.isfinite(errors))
    if len(suspects):
        kinks = Kinks(net, twin, traced(net, *net._checked_rows(X, y, sample_weight)))
        # Beside a kink every scheme has an error of O(h), so the step of the one-sided ones is best.
        small = np.minimum(steps, checked_steps(theta, step_size(theta, "forward") / inputs, scheme))
        for k in map(int, suspects):
            if kinks.crossed(theta, k, steps[k], scheme):
                straight = kinks.straight_quotient(theta, k, small[k], scheme)
                allowed, noise = max(tolerance, _ONE_SIDED), _SAFETY * (of_loss / small[k] + of_gradient[k])
                error = _relative_errors(analytic[k], straight, floors[k], noise, allowed)
                at_kink[k] = error <= allowed
            elif h is None:
                better = twin.extrapolated_quotient(theta, k, steps[k], scheme)
                error = _relative_errors(analytic[k], better, floors[k], rounding[k], tolerance)
                if error <= tolerance:
                    numeric[k], errors[k] = better, error
    return GradientCheck(scheme, tolerance, analytic, numeric, errors, at_kink, rounding, names)


def _relative_errors(analytic: Any, numeric: Any, floors: Any, rounding: Any, tolerance: float) -> Any:
    """Return |a - n| beside the largest of |a|, |n| and the floor; what rounding explains passes."""
    sizes = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), floors)
    with np.errstate(invalid="ignore"):
        difference = np.abs(analytic - numeric)
        sizes = np.where(difference <= rounding, np.maximum(sizes, rounding / tolerance), sizes)
        return np.where(np.isfinite(analytic), difference / sizes, np.inf)


def _array_floors(numeric: Array, names: Names) -> Array:
    """Return a share of the largest quotient of its array for each parameter."""
    sizes = [int(np.prod(shape)) for _, shape in names]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.repeat(_FLOOR * np.maximum.reduceat(np.abs(numeric), starts), sizes)


def _names(net: Model) -> Names:
    return tuple((name, array.shape) for name, array in net._own_views.named().items())
