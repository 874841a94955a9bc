"""`DaskMLPClassifier` and `DaskMLPRegressor`: scikit-learn's interface over Dask's collections."""

from __future__ import annotations

import pickle
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.dask import DaskMLPClassifier, DaskMLPRegressor, train

RNG = np.random.default_rng(3)
N, CHUNKS = 80, (30, 0, 25, 25)
X = RNG.normal(size=(N, 3))
LABELS = np.array(["ant", "bee", "cat"])[np.digitize(X[:, 0] + X[:, 1] ** 2, [0.0, 1.5])]
VALUES = np.sin(X[:, 0]) + X[:, 1]
SMALL: dict[str, Any] = {"hidden_layer_sizes": (5,), "rounds": 3, "random_state": 0}


def in_parts(array: np.ndarray) -> da.Array:
    return da.from_array(array, chunks=(CHUNKS, *array.shape[1:]))


def unknown(array: da.Array) -> da.Array:
    """Return an array whose chunks have sizes that Dask does not know."""
    return array[da.ones(len(array), chunks=array.chunks[0], dtype=bool)]


def frame() -> pd.DataFrame:
    return pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(N) * 2).assign(kind=LABELS, value=VALUES)


def test_a_classifier_on_arrays(dask_threads: Client) -> None:
    dX, dy = in_parts(X), in_parts(LABELS)
    model = DaskMLPClassifier(client=dask_threads, **SMALL)
    assert model.fit(dX, dy) is model
    local = model.to_local()
    assert type(local) is MLPClassifier
    assert model.classes_.tolist() == ["ant", "bee", "cat"]
    assert (model.n_features_in_, model.n_iter_, model.n_outputs_) == (3, 3, 3)
    assert len(model.history_) == len(model.loss_curve_) == 3
    for given in (dX, unknown(dX)):
        labels, probabilities = model.predict(given), model.predict_proba(given)
        assert isinstance(labels, da.Array)
        assert (labels.dtype, labels.ndim, labels.npartitions) == (LABELS.dtype, 1, 4)
        assert (probabilities.dtype, probabilities.shape[1]) == (np.float64, 3)
        assert probabilities.chunks[1] == (3,)
        assert np.array_equal(labels.compute(), local.predict(X))
        assert np.array_equal(probabilities.compute(), local.predict_proba(X))
    assert labels._meta.dtype == LABELS.dtype
    assert model.predict(dX).chunks == (CHUNKS,)
    w = RNG.uniform(0.5, 2, N)
    assert model.score(dX, dy) == pytest.approx(local.score(X, LABELS))
    assert model.score(dX, dy, in_parts(w)) == pytest.approx(local.score(X, LABELS, w))


def test_a_classifier_on_data_frames(dask_threads: Client) -> None:
    table = dd.from_pandas(frame(), npartitions=3)
    features = table[["a", "b", "c"]]
    model = DaskMLPClassifier(client=dask_threads, **SMALL).fit(features, table["kind"])
    local = model.to_local()
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    labels, probabilities = model.predict(features), model.predict_proba(features)
    assert isinstance(labels, dd.Series)
    assert isinstance(probabilities, dd.DataFrame)
    assert list(probabilities.columns) == ["ant", "bee", "cat"]
    assert labels.npartitions == 3
    found = labels.compute()
    assert found.index.equals(frame().index)
    assert found.dtype == labels.dtype
    wanted = local.predict(frame()[["a", "b", "c"]])
    assert (found.to_numpy() == wanted).all()
    assert np.array_equal(probabilities.compute().to_numpy(), local.predict_proba(frame()[["a", "b", "c"]]))
    assert model.score(features, table["kind"]) == pytest.approx(np.mean(wanted == LABELS))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[["b", "a", "c"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert (model.predict(in_parts(X)).compute() == wanted).all()


def test_a_regressor(dask_threads: Client) -> None:
    dX, both = in_parts(X), np.c_[VALUES, -VALUES]
    model = DaskMLPRegressor(client=dask_threads, **SMALL | {"rounds": 20}).fit(dX, in_parts(VALUES))
    local = model.to_local()
    assert type(local) is MLPRegressor
    predicted = model.predict(dX)
    assert (predicted.dtype, predicted.shape, predicted.chunks) == (np.float64, (N,), (CHUNKS,))
    assert np.array_equal(predicted.compute(), local.predict(X))
    w = RNG.uniform(0.5, 2, N)
    assert model.score(dX, in_parts(VALUES)) == pytest.approx(r2_score(VALUES, local.predict(X)))
    assert model.score(dX, in_parts(VALUES), in_parts(w)) == pytest.approx(local.score(X, VALUES, w))
    assert model.loss_ == pytest.approx(model.history_["loss"][-1])
    several = DaskMLPRegressor(client=dask_threads, **SMALL).fit(dX, in_parts(both))
    assert several.predict(dX).shape == (N, 2)
    assert several.score(dX, in_parts(both)) == pytest.approx(several.to_local().score(X, both))


def test_quantiles_margins_and_several_labels(dask_threads: Client) -> None:
    dX = in_parts(X)
    model = DaskMLPRegressor("quantile", quantiles=(0.1, 0.5, 0.9), client=dask_threads, **SMALL)
    model.fit(dX, in_parts(VALUES))
    assert model.predict_quantiles(dX).shape == (N, 3)
    assert np.array_equal(model.predict(dX).compute(), model.to_local().predict(X))
    hinge = DaskMLPClassifier(loss="hinge", client=dask_threads, **SMALL).fit(dX, in_parts(LABELS))
    assert hinge.decision_function(dX).shape == (N, 3)
    assert not hasattr(hinge, "predict_proba")
    flags = (X[:, :2] > 0).astype(int)
    several = DaskMLPClassifier(client=dask_threads, **SMALL).fit(dX, in_parts(flags))
    assert np.array_equal(several.predict(dX).compute(), several.to_local().predict(X))
    assert several.score(dX, in_parts(flags)) == pytest.approx(several.to_local().score(X, flags))
    two = DaskMLPClassifier(client=dask_threads, **SMALL).fit(dX, in_parts(X[:, 0] > 0))
    assert two.classes_.tolist() == [False, True]
    assert two.predict_proba(dX).shape == (N, 2)


def test_float32_stays_so(dask_threads: Client) -> None:
    dX = in_parts(X.astype(np.float32))
    model = DaskMLPClassifier(client=dask_threads, **SMALL).fit(dX, in_parts(LABELS))
    assert model.coefs_[0].dtype == np.float32
    assert model.predict_proba(dX).dtype == np.float32


def test_one_partition_and_round_is_an_epoch_of_the_local_estimator(dask_threads: Client) -> None:
    given = da.from_array(X, chunks=(-1, -1)), da.from_array(LABELS, chunks=-1)
    settings: dict[str, Any] = {"hidden_layer_sizes": (5,), "shuffle": False, "random_state": 0, "alpha": 0.1}
    outer = {"outer_learning_rate": 1.0, "outer_momentum": 0.0, "batch_size": 32}
    model = DaskMLPClassifier(client=dask_threads, rounds=1, local_epochs=3, **outer, **settings).fit(*given)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        alone = MLPClassifier(max_iter=3, batch_size=32, **settings).fit(X, LABELS)
    for mine, theirs in zip(model.coefs_, alone.coefs_, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-13)
    assert model.loss_curve_ == pytest.approx(alone.loss_curve_[:1])


def test_early_stopping_takes_the_best_weights(dask_threads: Client) -> None:
    settings = SMALL | {"rounds": 60, "learning_rate_init": 0.3, "n_iter_no_change": 3}
    dX, dy = in_parts(X), in_parts(LABELS)
    model = DaskMLPClassifier(client=dask_threads, early_stopping=True, **settings)
    model.fit(dX, dy, X_val=X[:40], y_val=LABELS[:40])
    assert model.early_stopped_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.to_local().score(X[:40], LABELS[:40]) == pytest.approx(model.best_validation_score_)
    model.fit(dX, dy, X_val=dX[:40], y_val=dy[:40])  # in chunks
    assert model.to_local().score(X[:40], LABELS[:40]) == pytest.approx(model.best_validation_score_)
    model.fit(dX, dy)  # a part of each partition
    assert len(model.validation_scores_) == model.n_iter_
    with pytest.raises(ValueError, match="y_val was given without X_val"):
        model.fit(dX, dy, y_val=dy)


def test_weights_of_rows_and_classes(dask_threads: Client) -> None:
    dX, dy = in_parts(X), in_parts(LABELS)
    plain = DaskMLPClassifier(client=dask_threads, **SMALL).fit(dX, dy)
    for more in ({"class_weight": "balanced"}, {"class_weight": {"ant": 3.0, "dog": 1.0}}):
        weighted = DaskMLPClassifier(client=dask_threads, **SMALL, **more).fit(dX, dy)
        assert not np.array_equal(weighted.coefs_[0], plain.coefs_[0])
    ones = DaskMLPClassifier(client=dask_threads, **SMALL).fit(
        dX, dy, sample_weight=da.ones(N, chunks=(CHUNKS,))
    )
    np.testing.assert_allclose(ones.coefs_[0], plain.coefs_[0], rtol=1e-12)
    with pytest.raises(ValueError, match="multi-label"):
        DaskMLPClassifier(client=dask_threads, class_weight="balanced", **SMALL).fit(dX, dX > 0)


def test_the_tools_of_scikit_learn(dask_threads: Client) -> None:
    model = DaskMLPClassifier((4,), client=dask_threads, rounds=2, local_epochs=2, alpha=0.5)
    assert is_classifier(model)
    assert is_regressor(DaskMLPRegressor())
    parameters = model.get_params()
    assert parameters["client"] is dask_threads
    assert set(MLPClassifier().get_params()) < set(parameters)
    twin = clone(model)
    assert twin.client is dask_threads
    assert twin.get_params() == parameters
    assert model.set_params(rounds=3).rounds == 3
    with pytest.raises(NotFittedError, match="DaskMLPClassifier is not fitted"):
        model.predict(in_parts(X))
    assert not hasattr(model, "classes_")
    model.fit(in_parts(X), in_parts(LABELS))
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.client is None
    assert np.array_equal(loaded.to_local().predict(X), model.to_local().predict(X))
    local = model.to_local()
    local.coefs_[0][:] = 0
    assert model.coefs_[0].any()  # the copy has weights of its own
    assert isinstance(model.network_, fastmlp.Network)


def test_the_current_client_is_the_default(dask_threads: Client) -> None:
    dX, dy = in_parts(X), in_parts(LABELS)
    model = DaskMLPClassifier(**SMALL).fit(dX, dy)
    assert model.client_ is dask_threads
    assert np.array_equal(
        model.coefs_[0], DaskMLPClassifier(client=dask_threads, **SMALL).fit(dX, dy).coefs_[0]
    )
    assert train(None, dX, dy, hidden=(), rounds=1).layer_sizes == (3, 3)
    with pytest.raises(TypeError, match=r"client must be a distributed\.Client or None, got 3"):
        DaskMLPClassifier(client=3, **SMALL).fit(dX, dy)


def test_a_fit_that_fails_leaves_what_there_was(dask_threads: Client) -> None:
    dX, dy = in_parts(X), in_parts(LABELS)
    model = DaskMLPClassifier(**SMALL).fit(dX, dy)
    before = model.to_local().coefs_[0]
    with pytest.raises(ValueError, match="partition 2: X has nan at row 1, column 2"):
        model.fit(in_parts(np.where(np.arange(3 * N).reshape(N, 3) == 95, np.nan, X)), dy)
    assert np.array_equal(model.coefs_[0], before)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_iter": 10}, r"max_iter must be 200, .* rounds \* local_epochs"),
    ({"warm_start": True}, "warm_start must be False"),
    ({"n_estimators": 2}, "n_estimators must be 1"),
    ({"scoring": "accuracy"}, "scoring must be None"),
    ({"solver": "lbfgs"}, "solver='lbfgs' needs all rows"),
    ({"learning_rate": "adaptive", "solver": "sgd"}, "learning_rate must be 'constant' or a schedule"),
    ({"learning_rate": fastmlp.ReduceOnPlateau()}, "learning_rate must be 'constant' or a schedule"),
    ({"rounds": 0}, "rounds must be"),
    ({"alpha": -1}, "alpha must be at least 0"),
]


@pytest.mark.parametrize(("parameters", "message"), WRONG, ids=[next(iter(p)) for p, _ in WRONG])
def test_parameters_that_do_not_go_with_rounds(
    dask_threads: Client, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        DaskMLPClassifier(**SMALL | parameters).fit(in_parts(X), in_parts(LABELS))


def test_probabilities_of_a_single_class(dask_threads: Client) -> None:
    table = dd.from_pandas(frame(), npartitions=2)
    model = DaskMLPClassifier(**SMALL).fit(table[["a", "b"]], table["value"] * 0)
    found = model.predict_proba(table[["a", "b"]]).compute()  # two columns, as scikit-learn's
    assert np.array_equal(found, model.to_local().predict_proba(frame()[["a", "b"]]))


def test_y_may_name_columns_also_in_score_and_validation(dask_threads: Client) -> None:
    local = frame()[["a", "b", "value"]]
    table, names = dd.from_pandas(local, npartitions=2), ["a", "b"]
    named, given = (DaskMLPRegressor(**SMALL) for _ in range(2))
    named.fit(table, "value", X_val=local, y_val="value")
    given.fit(table[names], table["value"], X_val=local[names], y_val=local["value"])
    assert np.array_equal(named.coefs_[0], given.coefs_[0])
    assert named.validation_scores_ == given.validation_scores_
    assert named.score(table, "value") == given.score(table[names], table["value"])


def test_lists_to_validate_on(dask_threads: Client) -> None:
    fits = [
        DaskMLPClassifier(**SMALL).fit(in_parts(X), in_parts(LABELS), X_val=rows, y_val=labels)
        for rows, labels in [(X, LABELS), (X.tolist(), LABELS.tolist()), (X.tolist(), tuple(LABELS.tolist()))]
    ]
    assert len({tuple(fit.validation_scores_) for fit in fits}) == 1


def test_columns_of_objects_that_are_numbers(dask_threads: Client) -> None:
    table = dd.from_pandas(frame()[["a", "b"]], npartitions=2).astype(object)
    model = DaskMLPRegressor(**SMALL).fit(table, dd.from_pandas(frame()["value"], npartitions=2))
    assert np.array_equal(model.predict(table), model.to_local().predict(frame()[["a", "b"]]))


ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"X": dask.delayed(X)}, "X must be a dask array or data frame, got Delayed"),
    ({"y": dask.delayed(LABELS)}, "y must be a dask array or data frame, got Delayed"),
    ({"X_val": X[:0], "y_val": LABELS[:0]}, "validation: X must have at least one row"),
    ({"X_val": "X", "y_val": "y"}, "validation, partition 0: y may be a column name only when X is a table"),
]


@pytest.mark.parametrize(("given", "message"), ARGUMENTS)
def test_arguments_that_are_no_rows(dask_threads: Client, given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        DaskMLPClassifier(**SMALL).fit(**{"X": in_parts(X), "y": in_parts(LABELS)} | given)


def test_what_is_in_memory_is_left_to_the_local_estimator(dask_threads: Client) -> None:
    model = DaskMLPClassifier(**SMALL).fit(in_parts(X), in_parts(LABELS))
    with pytest.raises(TypeError, match=r"X must be a dask array or data frame, got ndarray; to_local\(\)"):
        model.predict(X)
    with pytest.raises(ValueError, match="2 features, but MLPClassifier is expecting 3"):
        model.predict(in_parts(X)[:, :2])
