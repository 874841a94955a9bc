"""Cross-validation of arrays: bit for bit a loop of `train` and `evaluate`, whatever y holds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.model_selection import ShuffleSplit, TimeSeriesSplit

import fastmlp

RNG = np.random.default_rng(1)
X = RNG.normal(size=(90, 4))
SCORE = X @ [1.0, -1.0, 0.5, 0.0]
LABELS = np.array(["low", "mid", "top"])[np.digitize(SCORE, [-0.7, 0.7])]
WEIGHTS = RNG.integers(1, 4, 90).astype(float)
OPTIONS: dict[str, Any] = {"hidden": (5,), "epochs": 4, "learning_rate": 0.05}

#: What y holds, and the arguments that go with it.
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "labels": (LABELS, {}),
    "two labels": (SCORE > 0, {"loss": "binary_cross_entropy"}),
    "hinge": (LABELS, {"loss": "hinge"}),
    "one-hot rows": (
        np.eye(3, dtype=int)[np.digitize(SCORE, [-0.7, 0.7])],
        {"loss": "softmax_cross_entropy"},
    ),
    "several labels": (np.stack([SCORE > 0, SCORE > 1], 1).astype(int), {}),
    "values": (SCORE, {}),
    "several values": (np.stack([SCORE, -SCORE], 1), {}),
    "quantiles": (SCORE, {"loss": "quantile(0.2, 0.8)"}),
    "weighted": (LABELS, {"sample_weight": WEIGHTS}),
    "validated": (LABELS, {"validation": 0.2, "patience": 2}),
    "float64": (SCORE, {"dtype": "float64"}),
    "L-BFGS": (SCORE, {"optimizer": "lbfgs", "learning_rate": None, "hidden": (), "epochs": 500}),
}


def cross_validated(y: Any = LABELS, **arguments: Any) -> fastmlp.CrossValidation:
    return fastmlp.cross_validate(X, y, **{"folds": 3, **OPTIONS, **arguments})


@pytest.mark.parametrize("kind", KINDS)
def test_each_fold_is_what_train_and_evaluate_give(kind: str) -> None:
    y, arguments = KINDS[kind]
    found = cross_validated(y, **arguments)
    own = {"loss": found.networks[0].loss, **OPTIONS, **arguments}
    weights = own.pop("sample_weight", None)
    for (train, test), network, evaluation, score in zip(
        found.folds, found.networks, found.evaluations, found.scores, strict=True
    ):
        given = own if weights is None else {**own, "sample_weight": weights[train]}
        alone = fastmlp.train(X[train], y[train], **given)
        np.testing.assert_array_equal(network.parameters, alone.parameters)
        assert network.stop_reason == alone.stop_reason
        expected = alone.evaluate(X[test], y[test], None if weights is None else weights[test])
        assert score == evaluation.score == expected.score
        np.testing.assert_array_equal(found.predictions[test], alone.predict(X[test]))
        if expected.probabilities is not None:
            assert found.probabilities is not None
            np.testing.assert_array_equal(found.probabilities[test], alone.predict_proba(X[test]))
    assert found.tested.all()
    assert found.mean == pytest.approx(found.scores.mean())
    assert found.standard_error == pytest.approx(found.scores.std(ddof=1) / math.sqrt(3))


@pytest.mark.parametrize("kind", KINDS)
def test_the_evaluation_is_that_of_all_rows_together(kind: str) -> None:
    y, arguments = KINDS[kind]
    found = cross_validated(y, **arguments)
    assert found.evaluation.metrics.rows == 90
    if kind in ("several labels", "several values"):
        right = (found.predictions == y).all(axis=1) if kind == "several labels" else None
    else:
        truth = y.argmax(axis=1) if kind == "one-hot rows" else y
        np.testing.assert_array_equal(found.evaluation.truth, truth)
        right = found.predictions == truth if found.classes is not None else None
    if right is not None:
        assert found.evaluation.score == pytest.approx(
            np.average(right, weights=arguments.get("sample_weight"))
        )
    assert len(found.evaluation.row_loss) == 90


def test_sparse_rows_give_what_dense_ones_give() -> None:
    sparse = scipy.sparse.csr_matrix(np.where(X > 0, X, 0))
    found = fastmlp.cross_validate(sparse, LABELS, folds=3, **OPTIONS)
    for (train, test), network in zip(found.folds, found.networks, strict=True):
        alone = fastmlp.train(sparse[train], LABELS[train], **OPTIONS)
        np.testing.assert_array_equal(network.parameters, alone.parameters)
        np.testing.assert_array_equal(found.predictions[test], alone.predict(sparse[test]))


def test_lists_are_rows_too() -> None:
    found = fastmlp.cross_validate(X.tolist(), LABELS.tolist(), folds=3, **OPTIONS)
    np.testing.assert_array_equal(found.probabilities, cross_validated().probabilities)


def test_the_rows_of_npy_files_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    found = fastmlp.cross_validate(tmp_path / "X.npy", LABELS, folds=3, **OPTIONS)
    np.testing.assert_array_equal(found.probabilities, cross_validated().probabilities)


@pytest.mark.parametrize("threads", [2, 5])
def test_the_same_bits_at_any_number_of_threads(threads: int) -> None:
    one, many = (cross_validated(threads=n, repeats=2, dropout=0.2) for n in (1, threads))
    np.testing.assert_array_equal(one.probabilities, many.probabilities)
    np.testing.assert_array_equal(one.scores, many.scores)


def test_repeats_are_averaged() -> None:
    found = cross_validated(repeats=3)
    assert (len(found.folds), len(found), found.repeats) == (9, 9, 3)
    sums = np.zeros((90, 3))
    for (_, test), network in zip(found.folds, found.networks, strict=True):
        sums[test] += network.predict_proba(X[test])
    np.testing.assert_allclose(found.probabilities, sums / 3, rtol=1e-6)
    np.testing.assert_array_equal(found.predictions, np.unique(LABELS)[sums.argmax(axis=1)])
    assert found.standard_error == pytest.approx(found.scores.std(ddof=1) / math.sqrt(3))
    values = cross_validated(SCORE, repeats=2)
    means = np.zeros(90)
    for (_, test), network in zip(values.folds, values.networks, strict=True):
        means[test] += network.predict(X[test]) / 2
    np.testing.assert_allclose(values.predictions, means, rtol=1e-5)


def test_without_probabilities_the_networks_of_a_row_vote() -> None:
    found = cross_validated(loss="hinge", repeats=3)
    votes = np.zeros((90, 3))
    for (_, test), network in zip(found.folds, found.networks, strict=True):
        votes[test] += network.predict(X[test])[:, np.newaxis] == np.unique(LABELS)
    np.testing.assert_array_equal(found.predictions, np.unique(LABELS)[votes.argmax(axis=1)])
    assert found.probabilities is None
    np.testing.assert_array_equal(found.evaluation.row_loss, found.predictions != LABELS)


def test_rows_that_no_fold_tests_have_no_prediction() -> None:
    values = cross_validated(SCORE, split="time", folds=4)
    first = next(TimeSeriesSplit(4).split(X))[0]
    assert np.flatnonzero(~values.tested).tolist() == first.tolist()
    assert np.isnan(values.predictions[first]).all()
    assert np.isfinite(values.predictions[values.tested]).all()
    labels = cross_validated(LABELS, split="time", folds=4)
    assert labels.predictions[first].tolist() == [None] * len(first)
    assert {*labels.predictions[labels.tested]} <= {*LABELS}
    assert labels.probabilities is not None
    assert np.isnan(labels.probabilities[first]).all()
    assert labels.evaluation.metrics.rows == 90 - len(first)
    several = cross_validated(KINDS["several labels"][0], split="time", folds=4)
    assert np.isnan(several.predictions[first]).all()


def test_the_standard_error_counts_rows_once_that_are_tested_often() -> None:
    found = cross_validated(folds=ShuffleSplit(6, test_size=30, random_state=0))
    tested = np.bincount(np.concatenate([test for _, test in found.folds]), minlength=90)
    folds = 6 / tested[tested > 0].mean()
    assert found.standard_error == pytest.approx(found.scores.std(ddof=1) / math.sqrt(folds))
    assert math.isnan(cross_validated(folds=[(range(60), range(60, 90))]).standard_error)


def test_a_class_that_a_fold_does_not_know_has_probability_0() -> None:
    groups = np.unique(LABELS, return_inverse=True)[1]
    found = cross_validated(groups=groups, epochs=1)
    assert found.scores.tolist() == [0, 0, 0]
    assert found.classes is not None
    assert found.classes.tolist() == ["low", "mid", "top"]
    assert found.probabilities is not None
    assert (found.probabilities[np.arange(90), groups] == 0).all()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)
    assert not found.evaluation.score


def test_the_ensemble_is_made_of_the_networks_of_the_folds() -> None:
    found = cross_validated()
    assert found.ensemble is found.ensemble
    assert list(found.ensemble.networks) == found.networks
    mean = np.mean([network.predict_proba(X) for network in found.networks], axis=0)
    np.testing.assert_allclose(found.ensemble.predict_proba(X), mean, rtol=1e-5)
    groups = np.unique(LABELS, return_inverse=True)[1]
    apart = cross_validated(groups=groups, epochs=1)  # each fold knows two of the three labels
    with pytest.raises(ValueError, match=r"networks\[1\] has classes"):
        _ = apart.ensemble


METRICS: dict[str, tuple[Any, Any]] = {
    "accuracy": (LABELS, lambda e: e.metrics.accuracy),
    "log_loss": (LABELS, lambda e: e.metrics.log_loss),
    "macro_f1": (LABELS, lambda e: e.metrics.macro_f1),
    "r2": (SCORE, lambda e: e.metrics.r2),
    "rmse": (SCORE, lambda e: e.metrics.rmse),
    "mae": (SCORE, lambda e: e.metrics.mae),
}


@pytest.mark.parametrize("metric", METRICS)
def test_the_metric_is_that_of_each_fold(metric: str) -> None:
    y, measured = METRICS[metric]
    found = cross_validated(y, metric=metric)
    assert found.metric == metric
    assert found.scores.tolist() == [measured(evaluation) for evaluation in found.evaluations]
    assert found.higher_is_better is (metric not in ("log_loss", "rmse", "mae"))
    words = str(found).rpartition(f"\n{metric} ")[2].split()
    assert words[1] == "+-"
    assert float(words[2]) == pytest.approx(found.standard_error, rel=0.01)
    assert float(words[0]) == pytest.approx(found.mean, abs=found.standard_error / 100)


def test_the_metric_may_be_a_function() -> None:
    def hits(truth: Any, predicted: Any) -> int:
        return int((truth == predicted).sum())

    found = cross_validated(metric=hits)
    assert found.scores.sum() == (found.predictions == LABELS).sum()
    assert (found.metric, found.higher_is_better) == ("hits", None)


def test_a_score_that_is_not_defined_is_said() -> None:
    with pytest.warns(UserWarning, match="r2 is not defined for the rows of fold 1, so that the mean is NaN"):
        found = cross_validated(SCORE, folds=[(range(50), range(50, 90)), (range(50), [60])])
    assert np.isnan(found.scores).tolist() == [False, True]
    assert math.isnan(found.mean)


def test_the_table_tells_how_each_fold_went() -> None:
    found = cross_validated(validation=0.2, patience=1, epochs=50, repeats=2)
    table = found.table
    assert table.columns[:5] == ("repeat", "fold", "rows", "test_rows", "score")
    assert table["repeat"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["fold"].tolist() == [0, 1, 2] * 2
    np.testing.assert_array_equal(table["score"], found.scores)
    lowest = [network.history["validation_loss"].min() for network in found.networks]
    np.testing.assert_array_equal(table["validation_loss"], lowest)
    assert table["epochs"].tolist() == [len(network.history) for network in found.networks]
    assert {*table["stop_reason"]} == {network.stop_reason for network in found.networks}
    assert table["test_rows"].tolist() == [len(test) for _, test in found.folds]
    assert str(found).startswith(str(table))
    assert repr(found) == f"<CrossValidation: {found.summary()}>"
    assert cross_validated().table.columns[0] == "fold"


@pytest.mark.usefixtures("pictures")
def test_the_plot_has_a_point_a_fold() -> None:
    found = cross_validated()
    ax = found.plot()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found.scores)
    assert ax.get_ylabel() == "accuracy"


def test_what_y_is_for_is_decided_by_all_rows_and_said_once() -> None:
    y = np.r_[np.zeros(70), np.ones(19), 0.5]  # quantities, but most folds hold 0 and 1 alone
    found = fastmlp.cross_validate(X, y, folds=[(range(80), range(80, 90))], **OPTIONS)
    assert found.networks[0].loss == "squared_error"
    with pytest.warns(UserWarning, match="only 0 and 1") as said:
        labels = cross_validated(np.round(y))
    assert len(said) == 1
    assert labels.metric == "accuracy"


def test_a_fold_that_cannot_be_trained_is_named() -> None:
    low = np.flatnonzero(LABELS == "low")
    with pytest.raises(ValueError, match=r"folds\[1\]: y has only one class, 'low'"):
        cross_validated(folds=[(range(60), range(60, 90)), (low[1:], low[:1])])
    far = SCORE.copy()
    far[0] = 1e30  # in the training rows of the folds but one
    with pytest.raises(FloatingPointError, match=r"folds\[[01]\]: the loss diverged in epoch") as caught:
        cross_validated(far, optimizer="sgd", restore_best=False)
    runs = caught.value.runs  # type: ignore[attr-defined]
    assert [isinstance(error, FloatingPointError) for error in runs.errors].count(True) == 2


def test_of_a_fold_that_diverges_the_best_weights_are_scored() -> None:
    far = SCORE.copy()
    far[0] = 1e30
    with pytest.warns(RuntimeWarning, match=r"2 networks of 3 ended with an error, see runs.errors; folds\["):
        found = cross_validated(far, optimizer="sgd")
    assert found.table["stop_reason"].tolist().count("diverged") == 2
    assert np.isfinite(found.predictions).all()


def test_folds_that_the_time_did_not_suffice_for_are_an_error() -> None:
    with pytest.raises(TimeoutError, match=r"folds\[\d\]: not begun: max_time, 0.001 s") as caught:
        cross_validated(max_time=0.001, epochs=10**6, threads=1)
    assert len(caught.value.runs) == 3  # type: ignore[attr-defined]


def test_callbacks_see_every_network_and_may_stop_it() -> None:
    seen: set[int] = set()

    def stop(network: fastmlp.Network) -> bool:
        seen.add(id(network))
        return len(network.history) == 2

    found = cross_validated(callbacks=stop)
    assert len(seen) == 3
    assert found.table["stop_reason"].tolist() == ["callback"] * 3
    assert found.table["epochs"].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"metric": "rmse"},
            ValueError,
            "metric must be one of accuracy, .* where labels are predicted, got",
        ),
        ({"metric": "best"}, ValueError, "metric must be one of auto, accuracy"),
        (
            {"metric": "auc", "loss": "hinge"},
            ValueError,
            "metric 'auc' needs probabilities, which the loss does",
        ),
        ({"validation": np.arange(5)}, TypeError, "validation must be a fraction, or rows of your own"),
        ({"validation": [0, 1, 2]}, TypeError, "rows of your own .* as folds may test rows of X; got a list"),
        ({"checkpoint": "here"}, TypeError, "cross_validate has no argument checkpoint: fits among"),
        ({"rows": [1]}, TypeError, "cross_validate has no argument 'rows'; folds may be pairs"),
        ({"memory_limit": "1 GB"}, TypeError, "cross_validate has no argument memory_limit: all fits"),
        ({"y": None}, TypeError, "y is needed: the labels or values to learn"),
        ({"y": LABELS[:9]}, ValueError, "y must have as many rows as X, 90, got 9"),
        ({"sample_weight": WEIGHTS[:9]}, ValueError, "sample_weight must have as many rows as X, 90, got 9"),
        ({"X": iter([(X, LABELS)])}, TypeError, "X must be rows in memory, .* got rows that are streamed"),
        ({"X": X[:, 0]}, ValueError, r"X must have 2 dimensions \(rows, columns\), got shape \(90,\)"),
        (
            {"y": np.linspace(0, 1, 90), "loss": "binary_cross_entropy"},
            ValueError,
            "y must hold labels to compare",
        ),
        (
            {"y": np.full((90, 2), 0.5), "loss": "softmax_cross_entropy"},
            ValueError,
            "y must hold labels to compare",
        ),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"hiden": 3}, TypeError, "cross_validate has no argument 'hiden'; of train it takes hidden, "),
        ({"hidden": -1}, ValueError, r"folds\[0\]: hidden\[0\] must be at least 1 and at most"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"X": X, "y": LABELS, **OPTIONS, **arguments}
    with pytest.raises(error, match=message):
        fastmlp.cross_validate(given.pop("X"), given.pop("y"), **given)
