"""A callback that changes X or y while a run goes on gives an error or does no harm, and never a crash."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

import fastmlp

Array = NDArray[Any]

SMALL: dict[str, Any] = {"hidden": (3,), "epochs": 4, "batch_size": 10}


def sparse_rows() -> tuple[Any, Array]:
    """Return rows whose starts have the core's type, so that it could read them where they lie."""
    rng = np.random.default_rng(0)
    X = csr_matrix(rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.5), dtype=np.float32)
    X.indptr = X.indptr.astype(np.int64)
    return X, rng.integers(0, 2, 40).astype(np.int32)


def coded_rows() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).astype(np.float32)
    X[:, 1] = rng.integers(0, 5, 40)
    return X, rng.integers(0, 2, 40)


def spoil(X: Any) -> None:
    """Make the indices those of other entries, all of which exist."""
    X.indices[:] = 5 - X.indices
    X.indptr[1:-1] = X.indptr[-1]


@pytest.mark.filterwarnings("ignore:L-BFGS has not converged:UserWarning")
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_indices_of_sparse_rows_are_the_runs_own(optimizer: str) -> None:
    X, y = sparse_rows()
    expected = fastmlp.train(X, y, optimizer=optimizer, **SMALL)
    net = fastmlp.train(X, y, optimizer=optimizer, callbacks=lambda net: spoil(X), **SMALL)
    np.testing.assert_array_equal(net.parameters, expected.parameters)
    assert net.history["loss"].tolist() == expected.history["loss"].tolist()


def test_indices_of_sparse_validation_rows_are_the_runs_own() -> None:
    X, y = sparse_rows()
    Xv, yv = sparse_rows()
    expected = fastmlp.train(X, y, validation=(Xv, yv), **SMALL)
    net = fastmlp.train(X, y, validation=(Xv, yv), callbacks=lambda net: spoil(Xv), **SMALL)
    assert net.history["validation_loss"].tolist() == expected.history["validation_loss"].tolist()


def test_labels_are_the_runs_own() -> None:
    X, y = coded_rows()
    y = y.astype(np.int32)
    expected = fastmlp.train(X, y, **SMALL)
    net = fastmlp.train(X, y, callbacks=lambda net: y.fill(10**6), **SMALL)
    np.testing.assert_array_equal(net.parameters, expected.parameters)


@pytest.mark.parametrize("code", [5.0, -1.0, 0.5, np.nan, 1e9])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_code_that_is_none_any_more_is_an_error(code: float, optimizer: str) -> None:
    X, y = coded_rows()

    def change(net: fastmlp.Network) -> None:
        if len(net.history) == 2:
            X[7, 1] = code

    with pytest.raises(ValueError, match=r"X has .* at row 7, column 1, which must be a code") as caught:
        fastmlp.train(X, y, embeddings=[(1, 5, 2)], optimizer=optimizer, callbacks=change, **SMALL)
    assert str(caught.value).endswith("from 0 to 4, after a callback has changed it")
    network: Any = caught.value
    assert len(network.network.history) == 2


def test_a_code_of_validation_rows_that_is_none_any_more_is_an_error() -> None:
    X, y = coded_rows()
    Xv, yv = coded_rows()

    def change(net: fastmlp.Network) -> None:
        Xv[7, 1] = 5

    options: dict[str, Any] = {"embeddings": [(1, 5, 2)], "validation": (Xv, yv), **SMALL}
    with pytest.raises(ValueError, match=r"validation: X has 5\.0 at row 7, column 1, which must be a code"):
        fastmlp.train(X, y, callbacks=change, **options)


def test_another_code_is_learned_from() -> None:
    X, y = coded_rows()

    def change(net: fastmlp.Network) -> None:
        X[:, 1] = 4 - X[:, 1]

    net = fastmlp.train(X, y, embeddings=[(1, 5, 2)], callbacks=change, **SMALL)
    assert len(net.history) == 4


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("validation", [False, True])
def test_a_scorer_of_an_estimator_cannot_change_the_indices(solver: str, validation: bool) -> None:
    X, y = sparse_rows()
    Xv, yv = sparse_rows()
    spoiled = Xv if validation else X

    def scoring(estimator: Any, X: Any, y: Any) -> float:
        spoil(spoiled)
        return 0.5

    def fitted(scoring: Any) -> fastmlp.MLPClassifier:
        model = fastmlp.MLPClassifier((3,), solver=solver, max_iter=4, random_state=0, scoring=scoring)
        return model.fit(X, y, X_val=Xv, y_val=yv)

    expected = fitted(None)
    for a, b in zip(fitted(scoring).coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_what_verbose_prints_to_cannot_change_the_indices(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = sparse_rows()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            spoil(X)
            return len(text)

    def fitted(verbose: bool) -> fastmlp.MLPClassifier:
        model = fastmlp.MLPClassifier((3,), solver=solver, max_iter=4, random_state=0, verbose=verbose)
        return model.fit(X, y)

    expected = fitted(verbose=False)
    monkeypatch.setattr(sys, "stdout", Stream())
    for a, b in zip(fitted(verbose=True).coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
