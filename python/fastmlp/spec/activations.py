"""The activations. Each entry holds all that the library's parts must know of one.

An activation needs, besides its entry here, a line and a functor in the C++ core and a function in
tests/reference.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from fastmlp.spec import onnx_forms as onnx
from fastmlp.spec.onnx_forms import Compose, op

Slopes: TypeAlias = tuple[Any, Any, Any]


@dataclass(frozen=True, kw_only=True)
class Activation:
    """One activation f with ``a = f(z)``.

    Attributes
    ----------
    name : str
        The name, in the core too.
    formula, derivative : str
        f(z) and f'(z) as Python expressions: s is the sigmoid, Phi the normal distribution function, phi its
        density. Those of softmax belong to vectors.
    source : str
        Where it was published.
    elementwise : bool
        Whether it acts on each element alone, so that any layer may have it. The others are output
        activations that a loss brings along.
    init : str
        The initialisation that keeps the size of signals: that of init="auto".
    c : str
        f(z) in C99; ``$f`` is the suffix of functions and constants of the type. "" where z stays as it is,
        and for softmax, which is a loop.
    onnx, onnx_single : callable
        Adds f(z) to a graph of ONNX operators, (graph, z) -> value: in operators that ONNX Runtime has in
        both precisions, and in shorter ones that it has in single precision.
    onnx_elsewhere : tuple of callables
        Ways in which other programs write it, for `from_onnx`.
    torch : (str, dict)
        The module of torch.nn, and the values that its arguments may have: it is made with the first.
    gates : callable
        f(z) in the functions of `fastmlp.graph`, (graph, z) -> tensor.
    kink : (float, float, float), optional
        f' below, at and above z = 0, if it, or only the second derivative, jumps there; in the latter case 0,
        as the straight parts that meet there make no kink.
    straight : bool
        Whether f'' = 0 but for the kink.
    flat_below, flat_beyond : float, optional
        z at or below which, |z| from which on, the slope is less than 1/100 of its largest; relu's is 0.
    goes_deep : bool
        Whether it carries signals through many layers with the weights of its initialisation.
    sklearn : str
        scikit-learn's name, if that is another.
    note : str
        What a list of names says in brackets.
    """

    name: str
    formula: str
    derivative: str = ""
    source: str = ""
    elementwise: bool = True
    init: str = "glorot_uniform"
    c: str = ""
    onnx: Compose
    onnx_single: Compose | None = None
    onnx_elsewhere: tuple[Compose, ...] = ()
    torch: tuple[str, dict[str, tuple[Any, ...]]] | None = None
    gates: Callable[[Any, Any], Any] | None = None
    kink: Slopes | None = None
    straight: bool = False
    flat_below: float | None = None
    flat_beyond: float | None = None
    goes_deep: bool = False
    sklearn: str = ""
    note: str = ""


#: With these, signals of a deep selu network tend to mean 0 and variance 1 by themselves.
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848

_ENTRIES = (
    Activation(
        name="identity",
        formula="z",
        derivative="1",
        onnx=onnx.identity,
        gates=lambda g, z: g.identity(z),
        straight=True,
    ),
    Activation(
        name="relu",
        formula="max(z, 0)",
        derivative="1 if z > 0 else 0",
        source="Nair, Hinton (2010), Rectified linear units improve restricted Boltzmann machines.",
        init="he_uniform",
        c="z < 0 ? 0 : z",
        onnx=op("Relu"),
        torch=("ReLU", {}),
        gates=lambda g, z: g.relu(z),
        kink=(0.0, 0.0, 1.0),
        straight=True,
        flat_below=0.0,
        goes_deep=True,
    ),
    Activation(
        name="leaky_relu",
        formula="z if z > 0 else 0.01 * z",
        derivative="1 if z > 0 else 0.01",
        source="Maas, Hannun, Ng (2013), Rectifier nonlinearities improve neural network acoustic models.",
        init="he_uniform",
        c="z > 0 ? z : 0.01$f * z",
        onnx=onnx.leaky_relu,
        onnx_single=op("LeakyRelu", alpha=0.01),
        torch=("LeakyReLU", {"negative_slope": (0.01,)}),
        gates=lambda g, z: g.maximum(0.01 * z, z),
        kink=(0.01, 0.01, 1.0),
        straight=True,
        goes_deep=True,
        note="slope 0.01",
    ),
    Activation(
        name="elu",
        formula="z if z > 0 else exp(z) - 1",
        derivative="1 if z > 0 else exp(z)",
        source="Clevert, Unterthiner, Hochreiter (2016), Fast and accurate deep network learning by "
        "exponential linear units.",
        init="he_uniform",
        c="z > 0 ? z : expm1$f(z)",
        onnx=onnx.elu,
        onnx_single=op("Elu", alpha=1.0),
        torch=("ELU", {"alpha": (1.0,)}),
        gates=lambda g, z: g.maximum(0, z) + g.expm1(g.minimum(z, 0)),
        kink=(0.0, 0.0, 0.0),
        flat_below=-4.61,
        goes_deep=True,
        note="alpha 1",
    ),
    Activation(
        name="selu",
        formula=f"{_SELU_SCALE} * (z if z > 0 else {_SELU_ALPHA} * (exp(z) - 1))",
        derivative=f"{_SELU_SCALE} * (1 if z > 0 else {_SELU_ALPHA} * exp(z))",
        source="Klambauer, Unterthiner, Mayr, Hochreiter (2017), Self-normalizing neural networks.",
        init="lecun_normal",
        c=f"z > 0 ? {_SELU_SCALE}$f * z : {_SELU_SCALE * _SELU_ALPHA}$f * expm1$f(z)",
        onnx=lambda g, z: g.add(
            "Where",
            g.add("Greater", z, 0.0),
            g.add("Mul", z, _SELU_SCALE),
            g.add("Mul", onnx.elu(g, z), _SELU_SCALE * _SELU_ALPHA),
        ),
        onnx_single=op("Selu", alpha=_SELU_ALPHA, gamma=_SELU_SCALE),
        torch=("SELU", {}),
        gates=lambda g, z: _SELU_SCALE * (g.maximum(0, z) + _SELU_ALPHA * g.expm1(g.minimum(z, 0))),
        kink=(_SELU_SCALE * _SELU_ALPHA, _SELU_SCALE * _SELU_ALPHA, _SELU_SCALE),
        flat_below=-5.18,
        goes_deep=True,
    ),
    Activation(
        name="gelu",
        formula="z * Phi(z)",
        derivative="Phi(z) + z * phi(z)",
        source="Hendrycks, Gimpel (2016), Gaussian error linear units.",
        init="he_uniform",
        c="0.5$f * z * erfc$f(-0.70710678118654752440$f * z)",
        onnx=onnx.gelu,
        onnx_single=onnx.gelu_by_erf,
        onnx_elsewhere=(
            op("Gelu"),
            *(onnx.gelu_as(scaled, last) for scaled in ("Div", "Mul") for last in range(3)),
        ),
        torch=("GELU", {"approximate": ("none",)}),
        gates=lambda g, z: z * g.normal_cdf(z),
        flat_below=-3.1,
        note="with erf",
    ),
    Activation(
        name="silu",
        formula="z * s(z)",
        derivative="s(z) * (1 + z * (1 - s(z)))",
        source="Elfwing, Uchibe, Doya (2018), Sigmoid-weighted linear units for neural network function "
        "approximation in reinforcement learning.",
        init="he_uniform",
        c="z / (1 + exp$f(-z))",
        onnx=onnx.silu,
        onnx_elsewhere=(onnx.silu_by_sigmoid,),
        torch=("SiLU", {}),
        gates=lambda g, z: z * g.sigmoid(z),
        flat_below=-6.3,
    ),
    Activation(
        name="mish",
        formula="z * tanh(log(1 + exp(z)))",
        derivative="tanh(log(1 + exp(z))) + z * s(z) * (1 - tanh(log(1 + exp(z))) ** 2)",
        source="Misra (2019), Mish: a self regularized non-monotonic activation function.",
        init="he_uniform",
        c="z * tanh$f((z > 0 ? z : 0) + log1p$f(exp$f(-fabs$f(z))))",
        onnx=lambda g, z: g.add("Mul", z, g.add("Tanh", onnx.softplus(g, z))),
        onnx_single=lambda g, z: g.add("Mul", z, g.add("Tanh", g.add("Softplus", z))),
        onnx_elsewhere=(
            op("Mish"),
            lambda g, z: g.add("Mul", z, g.add("Tanh", onnx.softplus_with_threshold(g, z))),
        ),
        torch=("Mish", {}),
        gates=lambda g, z: z * g.tanh(g.softplus(z)),
        flat_below=-6.3,
    ),
    Activation(
        name="softplus",
        formula="log(1 + exp(z))",
        derivative="s(z)",
        source="Dugas, Bengio, Belisle, Nadeau, Garcia (2001), Incorporating second-order functional "
        "knowledge for better option pricing.",
        init="he_uniform",
        c="(z > 0 ? z : 0) + log1p$f(exp$f(-fabs$f(z)))",
        onnx=onnx.softplus,
        onnx_single=op("Softplus"),
        onnx_elsewhere=(onnx.softplus_with_threshold,),
        # PyTorch gives z itself above the threshold; that is exact from 20 in float32, from 40 in float64.
        torch=("Softplus", {"beta": (1.0,), "threshold": (40.0, 20.0)}),
        gates=lambda g, z: g.softplus(z),
        flat_below=-4.6,
    ),
    Activation(
        name="tanh",
        formula="tanh(z)",
        derivative="1 - tanh(z) ** 2",
        c="tanh$f(z)",
        onnx=op("Tanh"),
        torch=("Tanh", {}),
        gates=lambda g, z: g.tanh(z),
        flat_beyond=3.0,
        goes_deep=True,
    ),
    Activation(
        name="sigmoid",
        formula="1 / (1 + exp(-z))",
        derivative="s(z) * (1 - s(z))",
        c="1 / (1 + exp$f(-z))",
        onnx=onnx.sigmoid,
        onnx_elsewhere=(op("Sigmoid"),),
        torch=("Sigmoid", {}),
        gates=lambda g, z: g.sigmoid(z),
        flat_beyond=6.0,
        sklearn="logistic",
    ),
    Activation(
        name="softmax",
        formula="exp(z) / sum(exp(z))",
        elementwise=False,
        onnx=op("Softmax", axis=1),
        torch=("Softmax", {"dim": (1, -1)}),
    ),
    Activation(name="exp", formula="exp(z)", elementwise=False, c="exp$f(z)", onnx=op("Exp")),
)

#: Every activation by its name, in the order of the core.
ACTIVATIONS = MappingProxyType({entry.name: entry for entry in _ENTRIES})

#: The names of those that any layer may have.
ELEMENTWISE = tuple(entry.name for entry in _ENTRIES if entry.elementwise)
