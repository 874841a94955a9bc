"""The estimators beside scikit-learn's: scores, losses, times of fit, and epochs over sparse X.

    python bench/estimators.py [--seeds 10] [--threads 2] [--solver lbfgs]

Each seed splits the data anew, standardises them, and gives both libraries the same random_state and, but for
the solver, their default parameters. The two are fitted in turns in one process; times are the seeds'
medians, the speed-up is the median of their ratios.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import fastmlp


def houses() -> tuple[Any, Any]:
    """Return 8,000 rows like the California housing data: 8 skewed columns, prices that depend on place."""
    random = np.random.default_rng(0)
    income, rooms, people = random.lognormal([1.2, 1.6, 1.0], [0.5, 0.3, 0.4], (8000, 3)).T
    age, latitude, longitude = random.uniform([1, 32.5, -124], [52, 42, -114], (8000, 3)).T
    bedrooms, households = rooms / random.uniform(4, 6, 8000), people * random.lognormal(0, 0.2, 8000)
    coast = np.hypot(latitude - 35, longitude + 121)
    price = 0.45 * income + np.exp(-coast / 3) + 0.01 * age + 0.1 * np.log(rooms / people)
    X = np.column_stack([income, age, rooms, bedrooms, people, households, latitude, longitude])
    return X, price + random.normal(0, 0.3, 8000)


@dataclass
class Case:
    """A data set and the estimators of both libraries for it."""

    data: Callable[[], tuple[Any, Any]]
    estimator: str

    def fit_all(self, seed: int, solver: str) -> dict[str, tuple[float, float, float]]:
        """Return score, loss and seconds of each library."""
        X, y = self.data()
        labels = y if self.estimator == "MLPClassifier" else None
        X, X_test, y, y_test = train_test_split(X, y, random_state=seed, stratify=labels)
        scaler = StandardScaler().fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
        results = {}
        libraries = {"fastmlp": fastmlp, "scikit-learn": neural_network}
        for name in sorted(libraries, reverse=bool(seed % 2)):
            estimator = getattr(libraries[name], self.estimator)(random_state=seed, solver=solver)
            start = time.perf_counter()
            estimator.fit(X, y)
            seconds = time.perf_counter() - start
            results[name] = (estimator.score(X_test, y_test), float(estimator.loss_), seconds)
        return results


def shipped(load: Callable[..., Any]) -> Callable[[], tuple[Any, Any]]:
    """Return a loader of one of scikit-learn's own data sets."""
    return lambda: load(return_X_y=True)


CASES = {
    "digits": Case(shipped(datasets.load_digits), "MLPClassifier"),
    "wine": Case(shipped(datasets.load_wine), "MLPClassifier"),
    "breast cancer": Case(shipped(datasets.load_breast_cancer), "MLPClassifier"),
    "diabetes": Case(shipped(datasets.load_diabetes), "MLPRegressor"),
    "houses (synthetic)": Case(houses, "MLPRegressor"),
}


def texts() -> tuple[Any, Any]:
    """Return 20,000 rows of 50,000 columns with 100 entries each, as texts give them, and two classes."""
    random = np.random.default_rng(0)
    columns = (50_000 * random.random((20_000, 100)) ** 3).astype(np.int32)  # some words are frequent
    X = csr_matrix((random.random(columns.size), columns.ravel(), np.arange(0, columns.size + 1, 100)))
    X.sum_duplicates()
    return X, X @ random.normal(size=X.shape[1]) > 0


def sparse_epoch(library: Any, X: Any, y: Any) -> float:
    """Return the seconds of an epoch, the second of two calls of partial_fit."""
    estimator = library.MLPClassifier(random_state=0)
    estimator.partial_fit(X, y, classes=[False, True])
    start = time.perf_counter()
    estimator.partial_fit(X, y)
    return time.perf_counter() - start


def print_sparse() -> None:
    """Print the times of epochs over sparse X."""
    X, y = texts()
    ratios = []
    for _ in range(3):
        ours, theirs = (sparse_epoch(library, X, y) for library in (fastmlp, neural_network))
        ratios.append(theirs / ours)
        print(f"sparse X, {X.shape[0]} x {X.shape[1]}, an epoch: {ours:.2f} s and {theirs:.2f} s", flush=True)
    print(f"median of the sparse speed-ups: {np.median(ratios):.1f}")


def main() -> None:
    """Print the table, and whether it is as promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--solver", choices=("adam", "sgd", "lbfgs"), default="adam")
    options = parser.parse_args()
    if options.threads:
        fastmlp.set_num_threads(options.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| data | score | scikit-learn's | loss | scikit-learn's | ms | scikit-learn's | faster |")
    print("|---|---|---|---|---|---|---|---|")
    faster, as_promised = [], True
    for name, case in CASES.items():
        case.fit_all(0, options.solver)  # first calls import and allocate
        runs = [case.fit_all(seed, options.solver) for seed in range(options.seeds)]
        ours, theirs = (np.array([run[name] for run in runs]).T for name in ("fastmlp", "scikit-learn"))
        error = theirs[0].std(ddof=1) / np.sqrt(options.seeds)
        faster.append(np.median(theirs[2] / ours[2]))
        score, loss = (ours[i].mean() for i in (0, 1))
        as_promised &= score >= theirs[0].mean() - error and abs(loss / theirs[1].mean() - 1) < 0.02
        print(
            f"| {name} | {score:.4f} | {theirs[0].mean():.4f} +- {error:.4f} | {loss:.5g} | "
            f"{theirs[1].mean():.5g} | {np.median(ours[2]) * 1e3:.1f} | {np.median(theirs[2]) * 1e3:.1f} | "
            f"{faster[-1]:.1f} |",
            flush=True,
        )
    if options.solver == "adam":
        print_sparse()
    print(f"median of the speed-ups: {np.median(faster):.1f}; scores and losses as promised: {as_promised}")


if __name__ == "__main__":
    main()
