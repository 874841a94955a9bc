"""The same work in fastmlp, PyTorch, JAX, scikit-learn and ONNX Runtime, each in its best honest form.

Every contender draws its batches through an index shuffled anew each epoch, in the case's dtype, with the
case's optimizer (Adam 0.9, 0.999, 1e-8, or SGD with momentum 0.9; learning rate 0.001). A trainer's
``epochs(k)`` goes on from where it stands; ``accuracy(X, y)`` measures it. A predictor is a function of X.
This module imports nothing heavy: a worker sets its processors and thread counts first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from cases import PredictCase, TrainCase
from numpy.typing import NDArray

Array = NDArray[Any]
RATE = 0.001


class Trainer(Protocol):
    """One network of one contender, in training."""

    def epochs(self, k: int) -> None:
        """Train for k more epochs."""

    def accuracy(self, X: Array, y: Array) -> float:
        """Return the share of right answers."""


class FastMLP:
    """``fastmlp.train``, which goes on from the network it gave before."""

    def __init__(self, case: TrainCase, X: Array, y: Array, threads: int) -> None:
        import fastmlp

        self.X, self.y, self.net = X, y, "auto"
        self.train = fastmlp.train
        adam = case.optimizer == "adam"
        self.options: dict[str, Any] = {
            "hidden": case.sizes[1:-1],
            "activation": case.activation,
            "batch_size": case.batch,
            "optimizer": "adam" if adam else fastmlp.SGD(momentum=0.9),
            "learning_rate": RATE,
            "task": "regression" if case.regression else "classification",
            "threads": threads,
            "dtype": X.dtype,
        }

    def epochs(self, k: int) -> None:
        self.net = self.train(self.X, self.y, init=self.net, epochs=k, **self.options)

    def accuracy(self, X: Array, y: Array) -> float:
        return float((self.net.predict(X) == y).mean())


class Torch:
    """PyTorch, eager, with the fused optimizer."""

    compiled = False

    def __init__(self, case: TrainCase, X: Array, y: Array, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch, self.case = torch, case
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        layers: list[Any] = []
        act = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}[case.activation]
        for i, o in pairwise(case.sizes):
            layers += [torch.nn.Linear(i, o, dtype=self.X.dtype), act()]
        self.model = torch.nn.Sequential(*layers[:-1])
        if case.regression:
            functional: Any = torch.nn.functional.mse_loss
        else:
            functional = torch.nn.functional.cross_entropy

        def loss(X: Any, y: Any) -> Any:
            return functional(self.model(X), y)

        self.loss = torch.compile(loss) if self.compiled else loss
        parameters = self.model.parameters()
        if case.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(parameters, lr=RATE, fused=True)
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=0.9, fused=True)

    def epochs(self, k: int) -> None:
        case, torch = self.case, self.torch
        for _ in range(k):
            order = torch.randperm(case.rows)
            for first in range(0, case.rows, case.batch):
                X, y = self.X, self.y
                if case.batch < case.rows:
                    rows = order[first : first + case.batch]
                    X, y = X[rows], y[rows]
                self.optimizer.zero_grad(set_to_none=True)
                self.loss(X, y).backward()
                self.optimizer.step()

    def accuracy(self, X: Array, y: Array) -> float:
        with self.torch.inference_mode():
            return float((self.model(self.torch.from_numpy(X)).argmax(1).numpy() == y).mean())


class TorchCompiled(Torch):
    """PyTorch with ``torch.compile`` for the forward and backward passes."""

    compiled = True


def jax_forward(activation: str) -> Callable[..., Any]:
    """Return the forward pass of a list of (W, b), in JAX."""
    import jax

    f = {"relu": jax.nn.relu, "tanh": jax.numpy.tanh, "sigmoid": jax.nn.sigmoid}[activation]

    def forward(parameters: Any, a: Any) -> Any:
        for W, b in parameters[:-1]:
            a = f(a @ W + b)
        W, b = parameters[-1]
        return a @ W + b

    return forward


class Jax:
    """JAX: a whole epoch in one jitted ``lax.scan``, with buffers donated."""

    def __init__(self, case: TrainCase, X: Array, y: Array, threads: int) -> None:
        import jax
        import jax.numpy as jnp

        if X.dtype == np.float64:
            jax.config.update("jax_enable_x64", True)
        self.jax, self.X, self.y = jax, jnp.asarray(X), jnp.asarray(y)
        forward = jax_forward(case.activation)
        random = np.random.default_rng(0)
        parameters = [
            (
                jnp.asarray((random.standard_normal((i, o)) * np.sqrt(2 / i)).astype(X.dtype)),
                jnp.zeros(o, X.dtype),
            )
            for i, o in pairwise(case.sizes)
        ]
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        self.state = (parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.zeros((), X.dtype))
        self.key = jax.random.key(0)

        def loss(parameters: Any, X: Any, y: Any) -> Any:
            z = forward(parameters, X)
            if case.regression:
                return ((z - y) ** 2).mean()
            return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()

        def step(state: Any, rows: Any) -> Any:
            w, m, v, t = state
            X, y = (self_X[rows], self_y[rows]) if case.batch < case.rows else (self_X, self_y)
            g = jax.grad(loss)(w, X, y)
            t = t + 1
            if case.optimizer != "adam":
                m = jax.tree.map(lambda m, g: 0.9 * m - RATE * g, m, g)
                return (jax.tree.map(lambda w, m: w + m, w, m), m, v, t), None
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            a, b = RATE / (1 - 0.9**t), 1 / (1 - 0.999**t)
            w = jax.tree.map(lambda w, m, v: w - a * m / (jnp.sqrt(v * b) + 1e-8), w, m, v)
            return (w, m, v, t), None

        def epoch(state: Any, key: Any, X: Any, y: Any) -> Any:
            nonlocal self_X, self_y
            self_X, self_y = X, y
            key, sub = jax.random.split(key)
            order = jax.random.permutation(sub, case.rows)
            full = case.rows // case.batch * case.batch
            state, _ = jax.lax.scan(step, state, order[:full].reshape(-1, case.batch))
            if full < case.rows:
                state, _ = step(state, order[full:])
            return state, key

        self_X = self_y = None
        self.epoch = jax.jit(epoch, donate_argnums=(0, 1))
        self.forward = jax.jit(forward)

    def epochs(self, k: int) -> None:
        for _ in range(k):
            self.state, self.key = self.epoch(self.state, self.key, self.X, self.y)
        self.jax.block_until_ready(self.state)

    def accuracy(self, X: Array, y: Array) -> float:
        return float((np.asarray(self.forward(self.state[0], X)).argmax(1) == y).mean())


class ScikitLearn:
    """scikit-learn's MLP with a warm start; its BLAS runs on the threads that the worker allows."""

    def __init__(self, case: TrainCase, X: Array, y: Array, threads: int) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        self.X, self.y = X, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        adam = case.optimizer == "adam"
        self.model = (MLPRegressor if case.regression else MLPClassifier)(
            hidden_layer_sizes=case.sizes[1:-1],
            activation={"sigmoid": "logistic"}.get(case.activation, case.activation),
            solver="adam" if adam else "sgd",
            nesterovs_momentum=False,
            alpha=0,
            batch_size=case.batch,
            learning_rate_init=RATE,
            n_iter_no_change=10**9,
            warm_start=True,
        )

    def epochs(self, k: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.set_params(max_iter=k).fit(self.X, self.y)

    def accuracy(self, X: Array, y: Array) -> float:
        return float(self.model.score(X, y))


TRAINERS: dict[str, type] = {
    "fastmlp": FastMLP,
    "torch": Torch,
    "torch-compiled": TorchCompiled,
    "jax": Jax,
    "sklearn": ScikitLearn,
}


def _weights(case: PredictCase, dtype: Any) -> list[tuple[Array, Array]]:
    random = np.random.default_rng(1)
    return [
        ((random.standard_normal((i, o)) / np.sqrt(i)).astype(dtype), np.zeros(o, dtype))
        for i, o in pairwise(case.sizes)
    ]


def _fastmlp_network(case: PredictCase, dtype: Any) -> Any:
    import fastmlp

    init = _weights(case, dtype)
    return fastmlp.Network(case.sizes, case.activation, "squared_error", init=init, dtype=dtype)


def predict_fastmlp(case: PredictCase, dtype: Any, threads: int) -> Callable[[Array], Any]:
    """``net.forward``, with all its checks."""
    import fastmlp

    fastmlp.set_num_threads(threads)
    return _fastmlp_network(case, dtype).forward  # type: ignore[no-any-return]


def predict_predictor(case: PredictCase, dtype: Any, threads: int) -> Callable[[Array], Any]:
    """``net.predictor()``, for one row or a small block."""
    return _fastmlp_network(case, dtype).predictor()  # type: ignore[no-any-return]


def predict_torch(case: PredictCase, dtype: Any, threads: int) -> Callable[[Array], Any]:
    """PyTorch, eager, in inference mode, from NumPy to NumPy."""
    import torch

    torch.set_num_threads(threads)
    weights = [(torch.from_numpy(W.T.copy()), torch.from_numpy(b)) for W, b in _weights(case, dtype)]

    @torch.inference_mode()
    def predict(X: Array) -> Any:
        a = torch.from_numpy(X)
        for W, b in weights[:-1]:
            a = torch.relu(torch.nn.functional.linear(a, W, b))
        return torch.nn.functional.linear(a, *weights[-1]).numpy()

    return predict


def predict_jax(case: PredictCase, dtype: Any, threads: int) -> Callable[[Array], Any]:
    """JAX, jitted, from NumPy to NumPy."""
    import jax

    if np.dtype(dtype) == np.float64:
        jax.config.update("jax_enable_x64", True)
    forward = jax.jit(jax_forward(case.activation))
    weights = jax.tree.map(jax.numpy.asarray, _weights(case, dtype))
    return lambda X: np.asarray(forward(weights, X))


def predict_onnx(case: PredictCase, dtype: Any, threads: int) -> Callable[[Array], Any]:
    """ONNX Runtime on a graph of Gemm and Relu."""
    import onnxruntime
    from onnx import helper, numpy_helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes, constants, a = [], [], "X"
    layers = _weights(case, dtype)
    for n, (W, b) in enumerate(layers):
        constants += [numpy_helper.from_array(W, f"W{n}"), numpy_helper.from_array(b, f"b{n}")]
        last = n + 1 == len(layers)
        nodes.append(helper.make_node("Gemm", [a, f"W{n}", f"b{n}"], ["Y" if last else f"z{n}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"z{n}"], [f"a{n}"]))
        a = f"a{n}"
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("X", kind, [None, case.sizes[0]])],
        [helper.make_tensor_value_info("Y", kind, [None, case.sizes[-1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda X: session.run(None, {"X": X})[0]


def predict_sklearn(case: PredictCase, dtype: Any, threads: int) -> Callable[[Array], Any]:
    """scikit-learn's MLPRegressor.predict."""
    from sklearn.neural_network import MLPRegressor

    random = np.random.default_rng(0)
    X, y = random.standard_normal((8, case.sizes[0])), random.standard_normal((8, case.sizes[-1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(hidden_layer_sizes=case.sizes[1:-1], max_iter=1).fit(
            X.astype(dtype), y.astype(dtype)
        )
    model.coefs_ = [W for W, _ in _weights(case, dtype)]
    model.intercepts_ = [b for _, b in _weights(case, dtype)]
    return model.predict  # type: ignore[no-any-return]


PREDICTORS: dict[str, Callable[[PredictCase, Any, int], Callable[[Array], Any]]] = {
    "fastmlp": predict_fastmlp,
    "fastmlp predictor()": predict_predictor,
    "torch": predict_torch,
    "jax": predict_jax,
    "onnxruntime": predict_onnx,
    "sklearn": predict_sklearn,
}
