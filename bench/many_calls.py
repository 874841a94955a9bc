"""Grid search, search, ensembles and memory: fastmlp's calls for many networks, and what else does the work.

Contenders as in many_peers.py: ``run()`` does the work from the start, ``work()`` tells what was done.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from many_peers import Array, Work


def digits() -> tuple[Array, Array]:
    """Return scikit-learn's digits: 1,797 images of 8 x 8 pixels in [0, 1], and what they show."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


# 5 folds x 20 specs.


@dataclass(frozen=True)
class Grid:
    """A grid of widths and learning rates over folds of the digits."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    rates: tuple[float, ...] = (0.0005, 0.001, 0.002, 0.004)
    folds: int = 5
    epochs: int = 20
    batch: int = 200

    def splits(self) -> list[tuple[Array, Array]]:
        """Return the rows to learn from and to test on, the same for all contenders."""
        from sklearn.model_selection import StratifiedKFold

        return list(StratifiedKFold(self.folds).split(*digits()))

    def work(self, epochs: int, scores: list[float]) -> Work:
        """Return the updates of all fits, which had so many epochs, and the mean score of each spec."""
        steps = [-(-len(rows) // self.batch) for rows, _ in self.splits()]
        return {"count": epochs * sum(steps) * len(scores), "values": scores}


class GridSearch:
    """A GridSearchCV over its library's MLPClassifier; it also fits the best spec on all rows at the end."""

    def __init__(self, grid: Grid, threads: int) -> None:
        self.grid = grid
        self.X, self.y = digits()
        space = {"hidden_layer_sizes": [(h,) for h in grid.widths], "learning_rate_init": list(grid.rates)}
        arguments = {
            "batch_size": grid.batch,
            "max_iter": grid.epochs,
            "n_iter_no_change": grid.epochs + 1,
            "alpha": 0.0,
            "random_state": 0,
        }
        self.search = self.made(space, arguments, threads)

    def made(self, space: dict[str, Any], arguments: dict[str, Any], threads: int) -> Any:
        """Return the search over `space`, with the other arguments of the estimator."""
        raise NotImplementedError

    def run(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that they have not converged
            self.search.fit(self.X, self.y)

    def work(self) -> Work:
        scores = [float(score) for score in self.search.cv_results_["mean_test_score"]]
        return self.grid.work(self.search.best_estimator_.n_iter_, scores)


class OwnGridSearch(GridSearch):
    """`fastmlp.GridSearchCV`."""

    def made(self, space: dict[str, Any], arguments: dict[str, Any], threads: int) -> Any:
        import fastmlp

        fastmlp.set_num_threads(threads)
        return fastmlp.GridSearchCV(fastmlp.MLPClassifier(**arguments), space, cv=self.grid.splits())


class ScikitGridSearch(GridSearch):
    """scikit-learn's, in processes of joblib."""

    def made(self, space: dict[str, Any], arguments: dict[str, Any], threads: int) -> Any:
        import os

        from sklearn.model_selection import GridSearchCV
        from sklearn.neural_network import MLPClassifier

        os.environ["PYTHONWARNINGS"] = "ignore"  # the processes tell of each fit that it has not converged
        estimator = MLPClassifier(**arguments)
        return GridSearchCV(estimator, space, cv=self.grid.splits(), n_jobs=threads)


class FoldsByTrainMany:
    """`fastmlp.train_many` over folds and specs, and the score of each network."""

    def __init__(self, grid: Grid, threads: int) -> None:
        self.grid, self.threads, self.splits = grid, threads, grid.splits()
        self.X, self.y = digits()
        self.specs = [
            {"hidden": (h,), "learning_rate": rate, "rows": rows}
            for h, rate in product(grid.widths, grid.rates)
            for rows, _ in self.splits
        ]

    def run(self) -> None:
        import fastmlp

        grid = self.grid
        self.runs = fastmlp.train_many(
            self.X, self.y, self.specs, batch_size=grid.batch, epochs=grid.epochs, init="glorot_uniform",
            threads=self.threads,
        )  # fmt: skip
        tests = [test for _, test in self.splits] * (len(self.runs) // grid.folds)
        self.scores = [
            net.score(self.X[test], self.y[test]) for net, test in zip(self.runs, tests, strict=True)
        ]

    def work(self) -> Work:
        epochs = {int(net.history["epoch"][-1]) for net in self.runs}
        assert len(epochs) == 1
        return self.grid.work(
            epochs.pop(), np.reshape(self.scores, (-1, self.grid.folds)).mean(axis=1).tolist()
        )


# A search of 1,000 trials.


@dataclass(frozen=True)
class Space:
    """What is searched on iris, with arguments that all trials share."""

    space: Any = "auto"
    epochs: int = 200  # as by default

    @property
    def common(self) -> dict[str, Any]:
        """The arguments of `search` and `train_many` alike; those of search's defaults."""
        return {"epochs": self.epochs, "validation": 0.2, "seed": 0}


SMALL_SPACE = Space(
    {
        "hidden": [(8,), (16,), (32,), (16, 16), (32, 32)],
        "learning_rate": {"low": 1e-3, "high": 0.1, "log": True},
        "batch_size": [16, 32, 64],
    },
    epochs=100,
)


class Search:
    """`fastmlp.search`."""

    trials = 1000

    def __init__(self, space: Space, threads: int) -> None:
        import fastmlp

        self.space, self.threads, self.fastmlp = space, threads, fastmlp
        iris = fastmlp.datasets.load_iris()
        self.X, self.y = iris.data, iris.target

    def run(self) -> None:
        self.found = self.fastmlp.search(
            self.X, self.y, self.space.space, trials=self.trials, threads=self.threads, **self.space.common
        )

    def work(self) -> Work:
        """Return the losses of trials that were trained to their ends; the others' schedules are longer."""
        trials = self.found.trials
        assert len(trials) == self.trials
        losses = [trial.loss for trial in trials if trial.epochs == self.space.epochs]
        return {"count": sum(trial.epochs for trial in trials), "values": losses}


class SearchedByTrainMany(Search):
    """`fastmlp.train_many` with the very specs that the search trained, each for as many epochs."""

    def __init__(self, space: Space, threads: int) -> None:
        super().__init__(space, threads)
        super().run()
        self.specs = [{**trial.spec, "epochs": trial.epochs} for trial in self.found.trials]

    def run(self) -> None:
        common = {**self.space.common, "threads": self.threads}
        self.runs = self.fastmlp.train_many(self.X, self.y, self.specs, **common)

    def work(self) -> Work:
        epochs = [int(net.history["epoch"][-1]) for net in self.runs]
        losses = [
            float(min(net.history["validation_loss"]))
            for net, trained in zip(self.runs, epochs, strict=True)
            if trained == self.space.epochs
        ]
        return {"count": sum(epochs), "values": losses}


# The outputs of an ensemble.


class EnsembleCall:
    """`Ensemble.predict_proba` of 16 networks 64-64-64-10 that have learned the digits a little."""

    size = 16
    checked = 16  # rows

    def __init__(self, rows: int, threads: int) -> None:
        import fastmlp

        fastmlp.set_num_threads(threads)
        self.threads = threads
        X, y = digits()
        self.X = np.resize(X, (rows, X.shape[1]))
        specs = [{"seed": seed} for seed in range(self.size)]
        self.networks = list(fastmlp.train_many(X, y, specs, hidden=(64, 64), epochs=5))
        self.ensemble = fastmlp.Ensemble(self.networks)
        self.call: Callable[[Array], Any] = self.ensemble.predict_proba

    def run(self) -> None:
        self.result = self.call(self.X)

    def probabilities(self, result: Any) -> Array:
        """Return the mean of the networks' probabilities from a result."""
        return np.asarray(result)

    def work(self) -> Work:
        values = self.probabilities(self.result)[: self.checked].ravel().tolist()
        return {"count": len(self.probabilities(self.result)), "values": values}


class SingleCalls(EnsembleCall):
    """`Network.predict_proba` of each of the networks; their mean is not part of it."""

    def __init__(self, rows: int, threads: int) -> None:
        super().__init__(rows, threads)
        networks = self.networks
        self.call = lambda X: [net.predict_proba(X) for net in networks]

    def probabilities(self, result: Any) -> Array:
        return np.asarray(np.mean(result, axis=0))


class OnnxRuntime(EnsembleCall):
    """ONNX Runtime on the ensemble's file; on one thread for one row, where others would only wait."""

    def __init__(self, rows: int, threads: int) -> None:
        import onnxruntime

        super().__init__(rows, threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads if rows > 1 else 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ensemble.onnx"
            self.ensemble.to_onnx(path)
            session = onnxruntime.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])
        self.call = lambda X: session.run(["probabilities"], {"X": X})[0]


# Memory.


class TenThousand:
    """`fastmlp.train_many`: 10,000 networks 10-32-32-2 from 10,000 rows, one epoch."""

    networks = 10_000

    def __init__(self, threads: int) -> None:
        self.threads = threads
        random = np.random.default_rng(0)
        self.X = random.standard_normal((10_000, 10), np.float32)
        self.y = (self.X.sum(axis=1) > 0).astype(np.int64)

    def run(self) -> None:
        import fastmlp

        specs = [{"seed": seed} for seed in range(self.networks)]
        self.runs = fastmlp.train_many(self.X, self.y, specs, hidden=(32, 32), epochs=1, threads=self.threads)

    def work(self) -> Work:
        losses = [float(net.history["loss"][-1]) for net in self.runs]
        return {"count": len(losses), "values": losses}
