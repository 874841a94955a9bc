"""Many networks of one shape in fastmlp, JAX, PyTorch and scikit-learn, each in its best honest form.

A contender trains all networks of a `Fleet` anew in each ``run()``, for one epoch of mini-batches with Adam
(0.9, 0.999, 1e-8) in float32, and keeps the mean loss of the epoch. Every network has its own seed: its own
weights, drawn from the same distribution, and its own order of rows, drawn in each run. What fastmlp does in
its call, preparing the rows and drawing the weights, JAX and PyTorch have done before the time counts, like
their compilation. ``work()`` tells what was done: the number of updates, and the loss of each network on all
rows, which it measures with the weights after the epoch. This module imports nothing heavy: a worker sets
its processors and thread counts first.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, TypedDict

import numpy as np
from cases import TrainCase
from numpy.typing import NDArray

Array = NDArray[Any]


class Work(TypedDict):
    """What was done: how many updates (or rows), and numbers that the contenders should agree in."""

    count: int
    values: list[float]


class Contender(Protocol):
    """One way to do the work of a case."""

    def run(self) -> None:
        """Do all of the work, from the start."""

    def work(self) -> Work:
        """Tell what the last run did."""


@dataclass(frozen=True)
class Fleet:
    """Networks of one shape that learn from the same rows, each with its own seed and learning rate."""

    case: TrainCase
    rates: tuple[float, ...]

    @property
    def task(self) -> str:
        """What `fastmlp.train` calls it."""
        return "regression" if self.case.regression else "classification"

    def start(self) -> list[tuple[Array, Array]]:
        """Return initial (W, b) of each layer, (networks, I, O) and (networks, O): Glorot's uniform."""
        layers = []
        for at, (i, o) in enumerate(pairwise(self.case.sizes)):
            bound = np.sqrt(6 / (i + o))
            draws = [np.random.default_rng((seed, at)).uniform(-bound, bound, (i, o)) for seed in self.seeds]
            layers.append((np.float32(draws), np.zeros((len(draws), o), np.float32)))
        return layers

    @property
    def seeds(self) -> range:
        """The seed of each network."""
        return range(len(self.rates))

    def work(self, networks: Sequence[Sequence[tuple[Array, Array]]], updates: int) -> Work:
        """Return the loss of each network on all rows, and the updates of all of them together."""
        X, y = self.case.data()
        losses = []
        for layers in networks:
            a = X.astype(np.float64)
            for W, b in layers[:-1]:
                a = np.maximum(a @ W + b, 0)
            z = a @ layers[-1][0] + layers[-1][1]
            if self.case.regression:
                losses.append(0.5 * float(((z - y) ** 2).mean()))
            else:
                z -= z.max(axis=1, keepdims=True)
                chosen = z[np.arange(len(y)), y]
                losses.append(float((np.log(np.exp(z).sum(axis=1)) - chosen).mean()))
        return {"count": updates, "values": losses}


class Loop:
    """`fastmlp.train` on one thread, one network after the other."""

    def __init__(self, fleet: Fleet, threads: int) -> None:
        import fastmlp

        self.fleet, self.threads, self.fastmlp = fleet, threads, fastmlp
        self.X, self.y = fleet.case.data()
        self.specs = [
            {"seed": seed, "learning_rate": rate} for seed, rate in zip(fleet.seeds, fleet.rates, strict=True)
        ]
        self.common: dict[str, Any] = {
            "hidden": fleet.case.sizes[1:-1],
            "task": fleet.task,
            "batch_size": fleet.case.batch,
            "epochs": 1,
            "init": "glorot_uniform",  # as scikit-learn's
        }
        self.networks: Sequence[Any] = ()

    def one(self, spec: dict[str, Any]) -> Any:
        """Train one network, on one thread."""
        return self.fastmlp.train(self.X, self.y, threads=1, **self.common, **spec)

    def run(self) -> None:
        self.networks = [self.one(spec) for spec in self.specs]

    def work(self) -> Work:
        layers = [list(zip(net.weights, net.biases, strict=True)) for net in self.networks]
        epochs = sum(int(net.history["epoch"][-1]) for net in self.networks)
        return self.fleet.work(layers, epochs * self.fleet.case.steps)


class TrainMany(Loop):
    """`fastmlp.train_many` on all threads."""

    def run(self) -> None:
        self.networks = self.fastmlp.train_many(
            self.X, self.y, self.specs, threads=self.threads, **self.common
        )


class PythonThreads(Loop):
    """`fastmlp.train` on one thread, called by several threads of Python."""

    def __init__(self, fleet: Fleet, threads: int) -> None:
        super().__init__(fleet, threads)
        self.pool = ThreadPoolExecutor(threads)

    def run(self) -> None:
        self.networks = list(self.pool.map(self.one, self.specs))


class JaxVmap:
    """JAX: a step of one network, vmapped over the networks, in one jitted scan over an epoch's steps."""

    def __init__(self, fleet: Fleet, threads: int) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.fleet, case = jax, fleet, fleet.case
        self.X, self.y = (jnp.asarray(array) for array in case.data())
        self.start = [(jnp.asarray(W), jnp.asarray(b)) for W, b in fleet.start()]
        self.rates = jnp.asarray(fleet.rates, jnp.float32)
        self.key = jax.random.key(0)

        def loss(layers: Any, X: Any, y: Any) -> Any:
            a = X
            for W, b in layers[:-1]:
                a = jax.nn.relu(a @ W + b)
            z = a @ layers[-1][0] + layers[-1][1]
            if case.regression:
                return 0.5 * ((z - y) ** 2).mean()
            return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()

        def step(w: Any, m: Any, v: Any, t: Any, rate: Any, X: Any, y: Any) -> Any:
            value, g = jax.value_and_grad(loss)(w, X, y)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            a, b = rate / (1 - 0.9**t), 1 / (1 - 0.999**t)
            w = jax.tree.map(lambda w, m, v: w - a * m / (jnp.sqrt(v * b) + 1e-8), w, m, v)
            return w, m, v, value

        steps = jax.vmap(step, in_axes=(0, 0, 0, None, 0, 0, 0))

        def epoch(start: Any, rates: Any, key: Any, X: Any, y: Any) -> Any:
            rows = jax.vmap(lambda k: jax.random.permutation(k, case.rows))(jax.random.split(key, len(rates)))
            rows = rows.reshape(len(rates), case.steps, case.batch).swapaxes(0, 1)

            def all_networks(state: Any, rows: Any) -> Any:
                w, m, v, t = state
                w, m, v, values = steps(w, m, v, t + 1, rates, X[rows], y[rows])
                return (w, m, v, t + 1), values

            zeros = jax.tree.map(jnp.zeros_like, start)
            state, values = jax.lax.scan(all_networks, (start, zeros, zeros, jnp.float32(0)), rows)
            return state[0], state[3], values.mean(axis=0)

        self.epoch = jax.jit(epoch)

    def run(self) -> None:
        self.key, key = self.jax.random.split(self.key)
        self.result = self.jax.block_until_ready(self.epoch(self.start, self.rates, key, self.X, self.y))

    def work(self) -> Work:
        layers, steps, _ = self.result
        arrays = [(np.asarray(W), np.asarray(b)) for W, b in layers]
        networks = [[(W[i], b[i]) for W, b in arrays] for i in self.fleet.seeds]
        return self.fleet.work(networks, int(steps) * len(networks))


class TorchBmm:
    """PyTorch: parameters stacked, one baddbmm a layer for all networks; Adam over the stacks."""

    compiled = False

    def __init__(self, fleet: Fleet, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch, self.fleet = torch, fleet
        self.X, self.y = (torch.from_numpy(array) for array in fleet.case.data())
        self.start = [torch.from_numpy(a) for W, b in fleet.start() for a in (W, b[:, None, :])]
        self.total = torch.compile(self._losses) if self.compiled else self._losses

    def _losses(self, stacks: Any, X: Any, y: Any) -> Any:
        """Return the loss of each network, (networks,), from the rows of each, (networks, batch, I)."""
        torch, a = self.torch, X
        for at in range(0, len(stacks) - 2, 2):
            a = torch.baddbmm(stacks[at + 1], a, stacks[at]).relu()
        z = torch.baddbmm(stacks[-1], a, stacks[-2])
        if self.fleet.case.regression:
            return 0.5 * ((z - y) ** 2).mean(dim=(1, 2))
        each = torch.nn.functional.cross_entropy(z.flatten(0, 1), y.flatten(), reduction="none")
        return each.view(y.shape).mean(dim=1)

    def gradients(self, stacks: list[Any], X: Any, y: Any) -> Any:
        """Set the gradient of each stack; return the losses. One network's loss has no part in another's."""
        losses = self.total(stacks, X, y)
        losses.sum().backward()
        return losses.detach()

    def run(self) -> None:
        torch, case = self.torch, self.fleet.case
        self.stacks = [a.clone().requires_grad_() for a in self.start]
        adam = self.optimizer(self.stacks)
        orders = torch.stack([torch.randperm(case.rows) for _ in self.fleet.rates])
        self.loss, self.steps = torch.zeros(len(orders)), 0
        for rows in orders.split(case.batch, dim=1):
            for stack in self.stacks:
                stack.grad = None
            self.loss += self.gradients(self.stacks, self.X[rows], self.y[rows])
            adam.step()
            self.steps += 1

    def optimizer(self, stacks: list[Any]) -> Any:
        """Return PyTorch's fused Adam, or one with a rate for each network, which it does not have."""
        if len(set(self.fleet.rates)) == 1:
            return self.torch.optim.Adam(stacks, lr=self.fleet.rates[0], fused=True)
        return RatedAdam(self.torch, stacks, self.fleet.rates)

    def layers(self, network: int) -> list[tuple[Array, Array]]:
        """Return (W, b) of each layer of a network."""
        arrays = [stack[network].detach().numpy() for stack in self.stacks]
        return [(W, b[0]) for W, b in zip(arrays[::2], arrays[1::2], strict=True)]

    def work(self) -> Work:
        return self.fleet.work([self.layers(i) for i in self.fleet.seeds], self.steps * len(self.fleet.seeds))


class RatedAdam:
    """Adam with a learning rate for each network of the stacks, in place."""

    def __init__(self, torch: Any, stacks: list[Any], rates: Sequence[float]) -> None:
        self.torch, self.stacks, self.t = torch, stacks, 0
        self.rates = [torch.tensor(rates).view(-1, *(1,) * (stack.ndim - 1)) for stack in stacks]
        self.m, self.v = ([torch.zeros_like(stack) for stack in stacks] for _ in range(2))

    def step(self) -> None:
        """Update the stacks by their gradients."""
        self.t += 1
        scale, root = 1 - 0.9**self.t, (1 - 0.999**self.t) ** 0.5
        with self.torch.no_grad():
            for stack, m, v, rate in zip(self.stacks, self.m, self.v, self.rates, strict=True):
                m.lerp_(stack.grad, 0.1)
                v.mul_(0.999).addcmul_(stack.grad, stack.grad, value=0.001)
                stack.addcdiv_(m * rate, v.sqrt().div_(root).add_(1e-8), value=-1 / scale)


class TorchCompiled(TorchBmm):
    """The same with ``torch.compile`` for the forward and backward passes."""

    compiled = True


class TorchVmap(TorchBmm):
    """PyTorch: torch.func.vmap over the gradient of functional_call; Adam over the stacks."""

    def __init__(self, fleet: Fleet, threads: int) -> None:
        super().__init__(fleet, threads)
        torch, nn = self.torch, self.torch.nn
        layers = [part for i, o in pairwise(fleet.case.sizes) for part in (nn.Linear(i, o), nn.ReLU())]
        model = nn.Sequential(*layers[:-1])
        self.names = [name for name, _ in model.named_parameters()]
        self.start = [a.mT.contiguous() if at % 2 == 0 else a[:, 0] for at, a in enumerate(self.start)]

        def loss(parameters: dict[str, Any], X: Any, y: Any) -> Any:
            z = torch.func.functional_call(model, parameters, (X,))
            if fleet.case.regression:
                return 0.5 * nn.functional.mse_loss(z, y)
            return nn.functional.cross_entropy(z, y)

        self.each = torch.func.vmap(torch.func.grad_and_value(loss))

    def gradients(self, stacks: list[Any], X: Any, y: Any) -> Any:
        parameters = dict(zip(self.names, (stack.detach() for stack in stacks), strict=True))
        gradients, losses = self.each(parameters, X, y)
        for name, stack in zip(self.names, stacks, strict=True):
            stack.grad = gradients[name]
        return losses

    def layers(self, network: int) -> list[tuple[Array, Array]]:
        arrays = [stack[network].detach().numpy() for stack in self.stacks]
        return [(W.T, b) for W, b in zip(arrays[::2], arrays[1::2], strict=True)]


def _fitted(regression: bool, arguments: dict[str, Any], X: Array, y: Array) -> Any:
    """Return scikit-learn's estimator after its epochs; in a process of joblib's."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        return (MLPRegressor if regression else MLPClassifier)(**arguments).fit(X, y)


class Joblib:
    """scikit-learn's MLP in processes of joblib, one network a task."""

    def __init__(self, fleet: Fleet, threads: int) -> None:
        import joblib

        self.fleet, self.joblib, case = fleet, joblib, fleet.case
        self.parallel = joblib.Parallel(n_jobs=threads)
        self.X, self.y = case.data()
        self.y = self.y.ravel()
        self.arguments = [
            {
                "hidden_layer_sizes": case.sizes[1:-1],
                "alpha": 0.0,
                "batch_size": case.batch,
                "learning_rate_init": rate,
                "max_iter": 1,
                "random_state": seed,
            }
            for seed, rate in zip(fleet.seeds, fleet.rates, strict=True)
        ]

    def run(self) -> None:
        fit = self.joblib.delayed(_fitted)
        regression = self.fleet.case.regression
        self.models = self.parallel(fit(regression, one, self.X, self.y) for one in self.arguments)

    def work(self) -> Work:
        """Give it a second output where it has one alone for two classes: the loss is the same."""
        networks = []
        for model in self.models:
            layers = [*zip(model.coefs_, model.intercepts_, strict=True)]
            if not self.fleet.case.regression and layers[-1][0].shape[1] == 1:
                W, b = layers[-1]
                layers[-1] = (np.hstack([np.zeros_like(W), W]), np.append(0, b))
            networks.append(layers)
        return self.fleet.work(networks, sum(model._optimizer.t for model in self.models))
