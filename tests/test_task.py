"""What a target is for: one rule in train, in memory and streamed, and in the encoder; guesses are said."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 3))
CODES = RNG.integers(0, 3, N)
LONG = {"memory_limit": "500 MB"}


def trained(y: Any, **options: Any) -> fastmlp.Network:
    return fastmlp.train(X, y, hidden=(4,), epochs=1, **options)


@pytest.mark.parametrize("options", [{}, LONG], ids=["memory", "stream"])
@pytest.mark.parametrize(
    ("y", "loss"),
    [
        (np.array(["a", "b", "c"])[CODES], "softmax_cross_entropy"),
        (CODES > 0, "softmax_cross_entropy"),
        (CODES, "softmax_cross_entropy"),
        (CODES.astype(object), "softmax_cross_entropy"),
        (np.arange(N) % 20, "softmax_cross_entropy"),
        (RNG.normal(size=N), "squared_error"),
        (np.arange(N) * 1.0, "squared_error"),
        (np.ones(N), "squared_error"),
        (RNG.normal(size=(N, 2)), "squared_error"),
        (np.arange(2 * N).reshape(N, 2), "squared_error"),
        (RNG.integers(0, 2, (N, 3)), "binary_cross_entropy"),
        (RNG.integers(0, 2, (N, 3)) > 0, "binary_cross_entropy"),
    ],
)
def test_plain_targets_are_told_without_a_word(y: Any, loss: str, options: dict[str, Any]) -> None:
    assert trained(y, **options).loss == loss


@pytest.mark.parametrize("options", [{}, LONG], ids=["memory", "stream"])
@pytest.mark.parametrize(
    ("y", "loss", "note"),
    [
        (
            np.arange(N),
            "squared_error",
            "more than 20 different whole numbers, which are taken as quan",
        ),
        (np.arange(N) % 21, "squared_error", "more than 20 different whole numbers"),
        ((CODES > 0) * 1.0, "softmax_cross_entropy", "floats of only 0 and 1, which are taken as labels"),
        (CODES * 1.0, "squared_error", "floats of only 3 different whole numbers, .* taken as quantities"),
        (np.eye(3)[CODES], "softmax_cross_entropy", "rows of a single 1, which are taken as classes 0 to 2"),
        (np.eye(3, dtype=int)[CODES], "softmax_cross_entropy", "rows of a single 1"),
        (RNG.integers(0, 2, (N, 3)) * 1.0, "binary_cross_entropy", ".*labels, several a row"),
        (np.full((N, 4), 0.25), "squared_error", "rows that sum to 1, which are taken as quantities"),
    ],
)
def test_a_guess_is_said_and_an_argument_ends_it(
    y: Any, loss: str, note: str, options: dict[str, Any]
) -> None:
    with pytest.warns(UserWarning, match=f"y holds {note}") as said:
        net = trained(y, **options)
    assert net.loss == loss
    assert [warning.filename for warning in said] == [__file__]
    assert "loss=" in str(said[0].message)
    given = {"softmax_cross_entropy": "classification", "binary_cross_entropy": "classification"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trained(y, task=given.get(loss, "regression"), **options).loss == loss
        assert trained(y, loss=loss, **options).loss == loss


def test_whole_prices_are_quantities_and_learned_as_such() -> None:
    price = (100_000 + 20_000 * X[:, 0] + 5_000 * X[:, 1]).astype(int)
    with pytest.warns(UserWarning, match="taken as quantities"):
        net = fastmlp.train(X, price, hidden=(), epochs=1)
    assert net.layer_sizes[-1] == 1
    assert net.classes is None
    encoder = TableEncoder("price", task="regression")
    assert encoder.fit(Table({"x": X[:, 0], "price": price})).task == "regression"


def test_one_hot_rows_give_probabilities_of_their_classes() -> None:
    y = 1 * (X[:, 0] > 0) + (X[:, 1] > 0)
    with pytest.warns(UserWarning, match="classes 0 to 2"):
        net = fastmlp.train(X, np.eye(3)[y], hidden=(8,), epochs=60, learning_rate=0.05)
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-6)
    assert (net.predict(X) == y).mean() > 0.8


def test_class_weights_tell_that_whole_numbers_are_labels() -> None:
    assert len(trained(np.arange(N) % 30, class_weight="balanced").classes) == 30  # type: ignore[arg-type]
    net = trained((CODES > 0) * 1.0, class_weight={0.0: 2.0})
    assert net.classes is not None
    assert net.classes.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("options", [{}, LONG], ids=["memory", "stream"])
@pytest.mark.parametrize(
    ("y", "given", "message"),
    [
        (CODES, {"task": "ranking"}, "task must be one of auto, classification, regression; got 'ranking'"),
        (CODES, {"task": "regression", "loss": "hinge"}, "task 'regression' does not go with loss 'hinge'"),
        (CODES, {"task": "classification", "loss": "huber(2)"}, "does not go with loss 'huber\\(2\\)'"),
        (np.array(["a", "b"] * 60), {"task": "regression"}, "numbers where task is 'regression', got labels"),
        (X[:, 0], {"task": "classification"}, "y must hold labels where task is 'classification', got the"),
        (X[:, :2], {"task": "classification"}, "where task is 'classification'; got other numbers of shape"),
        (np.array([["a", "b"]] * N), {}, r"y of shape \(n, 2\) must hold numbers, got .*'a'"),
        (
            np.arange(N).astype("M8[D]"),
            {},
            "numbers where they are not taken for labels, got dates such as 1970-01-01",
        ),
        (
            np.arange(N).astype("m8[D]"),
            {},
            "numbers where they are not taken for labels, got durations such as 0 days",
        ),
        (np.array(["a", "b"] * 60), {"task": "regression"}, "got labels such as 'a'$"),
    ],
)
def test_errors_speak_of_what_was_given(
    y: Any, given: dict[str, Any], message: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        trained(y, **given, **options)
    assert "loss" not in given or given["loss"] in str(error.value)
    assert "loss" in given or "loss" not in str(error.value)


def test_the_encoder_says_what_it_guesses() -> None:
    with pytest.warns(UserWarning, match=r"t: the target column 'y' holds more than 20 .*task='class"):
        encoder = TableEncoder("y").fit(Table({"x": X[:, 0], "y": np.arange(N)}, source="t"))
    assert encoder.task == "regression"
    with pytest.warns(UserWarning, match="floats of only 0 and 1"):
        encoder = TableEncoder("y").fit(Table({"x": X[:, 0], "y": (CODES > 0) * 1.0}))
    assert encoder.task == "classification"


def test_a_long_column_is_gone_through_as_far_as_is_needed() -> None:
    from fastmlp.data._task import guess_task

    def parts() -> Any:
        yield np.arange(30)
        raise AssertionError("the first part told it")

    assert guess_task(parts()).task == "regression"


def test_all_runs_of_a_study_have_one_loss() -> None:
    y = np.arange(60) % 10  # some runs see each label once, as quantities have it
    study = fastmlp.study_batch_size(
        X[:60],
        y,
        [2],
        target_loss=2.302,
        epochs=5,
        progress=False,
        hidden=(),
        init="zeros",
        learning_rate=0.01,
    )  # reached within the first epoch, whose rows are then bisected
    assert 1 < study["steps_to_target"][0] < 30
