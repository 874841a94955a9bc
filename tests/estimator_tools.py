"""What the tests of the estimators share: data, short runs of ours and of scikit-learn's, and comparisons."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn import neural_network

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor

Array = NDArray[Any]
Estimator = MLPClassifier | MLPRegressor

HAS_POISSON = "loss" in inspect.signature(neural_network.MLPRegressor).parameters
HAS_WEIGHTS = "sample_weight" in inspect.signature(neural_network.MLPClassifier.fit).parameters
weights_needed = pytest.mark.skipif(not HAS_WEIGHTS, reason="this scikit-learn's fit takes no sample_weight")

# Most fits are a few epochs long.
few_epochs = pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")
quiet_lbfgs = pytest.mark.filterwarnings("ignore:lbfgs failed:sklearn.exceptions.ConvergenceWarning")
unfinished_fits = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Data

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 4))
TWO = np.where(X[:, 0] + 0.3 * RNG.normal(size=60) > 0.4, "yes", "no")
THREE = np.digitize(X[:, 1], [-0.4, 0.6])
MANY = (X[:, :3] + 0.3 * RNG.normal(size=(60, 3)) > 0).astype(int)
VALUES = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RNG.normal(size=60)
PAIRS = np.column_stack([VALUES, np.sin(X[:, 2])])
COUNTS = np.floor(np.exp(0.5 * X[:, 0])).astype(int)
BITS = (TWO == "yes").astype(int)
NAMES = list("abcd")
FRAME = pd.DataFrame(X, columns=NAMES)
TARGETS: dict[str, Array] = {
    "binary": TWO,
    "multiclass": 10 * THREE,
    "multilabel": MANY,
    "regression": VALUES,
    "multioutput": PAIRS,
    "poisson": COUNTS,
}
CLASSIFIED = ("binary", "multiclass", "multilabel")

SMALL: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}
STEP: dict[str, Any] = {  # one step of plain gradient descent a call, over all rows
    "hidden_layer_sizes": (6,), "solver": fastmlp.SGD(), "learning_rate_init": 0.1, "batch_size": 60,
    "random_state": 0,
}  # fmt: skip

#: Each kind of target and loss: the class, its parameters, y, and the network's loss.
LOSSES: dict[str, tuple[type[Any], dict[str, Any], Array, str]] = {
    "two classes": (MLPClassifier, {}, TWO, "binary_cross_entropy"),
    "three classes": (MLPClassifier, {}, THREE, "softmax_cross_entropy"),
    "multi-label": (MLPClassifier, {}, MANY, "binary_cross_entropy"),
    "hinge of two": (MLPClassifier, {"loss": "hinge"}, TWO, "hinge"),
    "hinge of three": (MLPClassifier, {"loss": "hinge"}, THREE, "hinge"),
    "squared_error": (MLPRegressor, {}, VALUES, "squared_error"),
    "two outputs": (MLPRegressor, {}, PAIRS, "squared_error"),
    "absolute_error": (MLPRegressor, {"loss": "absolute_error"}, PAIRS, "absolute_error"),
    "huber": (MLPRegressor, {"loss": "huber"}, PAIRS, "huber"),
    "huber(0.3)": (MLPRegressor, {"loss": "huber(0.3)"}, VALUES, "huber(0.3)"),
    "quantile": (MLPRegressor, {"loss": "quantile"}, VALUES, "quantile"),
    "quantile(0.2)": (MLPRegressor, {"loss": "quantile(0.2)"}, PAIRS, "quantile(0.2)"),
    "quantiles": (
        MLPRegressor,
        {"loss": "quantile", "quantiles": (0.1, 0.5, 0.8)},
        VALUES,
        "quantile(0.1, 0.5, 0.8)",
    ),
    "poisson": (MLPRegressor, {"loss": "poisson"}, COUNTS, "poisson"),
}

both_names = pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
kinds = pytest.mark.parametrize("kind", TARGETS)
solvers = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


# Estimators


def estimator(kind: str = "binary", library: Any = fastmlp, **params: Any) -> Any:
    params = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 1} | params
    if kind == "poisson":
        params["loss"] = "poisson"
    name = "MLPClassifier" if kind in CLASSIFIED else "MLPRegressor"
    return getattr(library, name)(**params)


def good(make: type[Any] = MLPClassifier, **options: Any) -> Any:
    return make(**{**SMALL, **options}).fit(X, VALUES if make is MLPRegressor else BITS)


def partly_fitted(estimator: Any, X: Any, y: Any, times: int = 1, **arguments: Any) -> Any:
    """Call partial_fit several times, with the classes in the first call where it wants them."""
    first = dict(arguments)
    if isinstance(estimator, MLPClassifier) and np.ndim(y) == 1:
        first["classes"] = np.unique(y)
    estimator.partial_fit(X, y, **first)
    for _ in range(times - 1):
        estimator.partial_fit(X, y, **arguments)
    return estimator


def outputs(fitted: Any, rows: Any = X) -> Array:
    """Return the finest thing that it predicts."""
    return fitted.predict_proba(rows) if hasattr(fitted, "predict_proba") else fitted.predict(rows)


def parameters(estimator: Estimator) -> Array:
    pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    return np.concatenate([part.ravel() for pair in pairs for part in pair])


def assert_same_weights(one: Any, other: Any) -> None:
    assert [W.shape for W in one.coefs_] == [W.shape for W in other.coefs_]
    assert_array_equal(parameters(one), parameters(other))


def assert_same_bits(one: Estimator, other: Estimator) -> None:
    assert_same_weights(one, other)
    assert one.loss_curve_ == other.loss_curve_


def assert_differ(one: Estimator, other: Estimator) -> None:
    assert not np.array_equal(parameters(one), parameters(other))


def network_of(estimator: Estimator, activations: Any, loss: str, l2: float = 0.0) -> fastmlp.Network:
    sizes = (len(estimator.coefs_[0]), *(W.shape[1] for W in estimator.coefs_))
    weights = [(W.copy(), b.copy()) for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True)]
    return fastmlp.Network(
        sizes, activations, loss, l2=l2, init=weights, dtype=estimator.coefs_[0].dtype.name
    )


class Script:
    """A scorer that returns the numbers it was given, and keeps the weights and rows it was shown."""

    def __init__(self, *scores: float) -> None:
        self.scores, self.weights, self.rows = scores, [], []
        self.__name__ = "script"

    def __call__(self, estimator: Estimator, X: Any, y: Any, **_: Any) -> float:
        self.weights.append(parameters(estimator))
        self.rows.append((np.array(X), np.array(y)))
        return self.scores[min(len(self.weights), len(self.scores)) - 1]


# Ours beside scikit-learn's


def data(kind: str, dtype: str = "float64", rows: int = 60) -> tuple[Array, Array]:
    rng = np.random.RandomState(7)
    X = rng.normal(size=(rows, 5)).astype(dtype)
    noisy = X @ rng.normal(size=(5, 3)) + 0.3 * rng.normal(size=(rows, 3))
    y = {
        "binary": np.array(["no", "yes"])[(noisy[:, 0] > 0).astype(int)],
        "multiclass": noisy.argmax(axis=1) * 10,
        "multilabel": (noisy > 0).astype(int),
        "regression": noisy[:, 0],
        "multioutput": noisy[:, :2],
        "poisson": rng.poisson(np.exp(noisy[:, 0] / 3)),
    }[kind]
    return X, y.astype(dtype) if y.dtype.kind == "f" else y


def weights_keyword(weighted: bool) -> dict[str, Array]:
    if weighted and not HAS_WEIGHTS:
        pytest.skip("this scikit-learn's fit takes no sample_weight")
    return {"sample_weight": np.random.RandomState(3).uniform(0.1, 3, 60)} if weighted else {}


def pair(kind: str, **params: Any) -> tuple[Any, Any]:
    """Return our estimator and theirs."""
    name = "MLPClassifier" if kind in CLASSIFIED else "MLPRegressor"
    if kind == "poisson":
        if not HAS_POISSON:
            pytest.skip("this scikit-learn has no Poisson loss")
        params["loss"] = "poisson"
    if kind == "binary" and params.get("early_stopping") and not HAS_WEIGHTS:
        pytest.skip("this scikit-learn cannot score the text of labels")
    params = {"hidden_layer_sizes": (6, 4), "random_state": 5, "max_iter": 8} | params
    return getattr(fastmlp, name)(**params), getattr(neural_network, name)(**params)


def heard(call: Callable[[], Any]) -> list[tuple[type[Warning], str]]:
    """Call, and return the warnings."""
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        call()
    return [(record.category, str(record.message)) for record in records]


def fit_both(kind: str, dtype: str = "float64", weighted: bool = False, **params: Any) -> tuple[Any, Any]:
    """Fit ours and theirs, which must warn of the same; the L-BFGS texts are compared elsewhere."""
    ours, theirs = pair(kind, **params)
    keywords = weights_keyword(weighted)
    mine, expected = (heard(lambda e=e: e.fit(*data(kind, dtype), **keywords)) for e in (ours, theirs))
    if params.get("solver") == "lbfgs":
        mine, expected = [w[0] for w in mine], [w[0] for w in expected]
    assert mine == expected
    return ours, theirs


def assert_same_fit(ours: Any, theirs: Any, rtol: float = 1e-7, atol: float = 1e-10) -> None:
    """Compare every fitted attribute that theirs has, and what both predict."""
    expected = {name: value for name, value in vars(theirs).items() if name.endswith("_")}
    assert {"coefs_", "intercepts_", "n_iter_", "t_", "loss_", "n_layers_", "out_activation_"} <= set(
        expected
    )
    for name, value in expected.items():
        mine = getattr(ours, name)
        if value is None:
            assert mine is None, name
        elif name in ("coefs_", "intercepts_"):
            assert [a.shape for a in mine] == [a.shape for a in value]
            for a, b in zip(mine, value, strict=True):
                assert_allclose(a, b, rtol=rtol, atol=max(atol, rtol), err_msg=name)
        elif isinstance(value, (int, str)) or np.asarray(value).dtype.kind in "iuUOb":
            assert_array_equal(mine, value, err_msg=name)
        else:
            assert_allclose(mine, value, rtol=rtol, atol=atol, err_msg=name)
    X, _ = data("binary", str(theirs.coefs_[0].dtype))
    for method in ("predict_proba", "predict_log_proba", "predict"):
        if hasattr(theirs, method):
            with np.errstate(divide="ignore"):  # theirs warns of log(0)
                mine, value = getattr(ours, method)(X), getattr(theirs, method)(X)
            assert mine.shape == value.shape
            if value.dtype.kind == "f":
                assert_allclose(mine, value, rtol=rtol, atol=max(atol, rtol), err_msg=method)
            else:
                assert_array_equal(mine, value, err_msg=method)


# Errors


class Hostile:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __repr__(self) -> str:
        return "Hostile()"

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]


NAN, INF = float("nan"), float("inf")
HOSTILE = Hostile()


def shown(name: str, value: Any) -> str:
    """Return the same text in every process."""
    text = repr(value)
    return f"{name}={type(value).__name__ if ' at 0x' in text else text}"[:60]


def assert_refused(
    make: type[Any], options: dict[str, Any], y: Array, name: str, error: Any, text: str
) -> None:
    estimator = make(**{**SMALL, **options})
    with pytest.raises(error, match=rf"(?s){name}.*{re.escape(text)}") as caught:
        estimator.fit(X, y)
    assert isinstance(caught.value, (TypeError, ValueError))


def in_process(code: str, address_space: int | None = None) -> str:
    """Run code beside the names of this module, in a process that may crash, and return what it prints."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({address_space}, {address_space}))\n"
    head = "import sys; sys.path[:0] = %r\n" % [p for p in sys.path if p]
    head += "import warnings; warnings.simplefilter('ignore')\nimport numpy as np\n"
    head += "from estimator_tools import *\n"
    program = head + (limit if address_space else "") + code
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-1500:]}"
    return done.stdout
