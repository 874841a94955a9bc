"""Any shape, strides, dtype and size of the numbers: the right answer or a clear error, never a crash."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastmlp
import reference as ref

SETTINGS = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
QUICK: dict[str, Any] = {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.01}
NAMES = list(ref.ACTIVATIONS)
FLOATS = ("f2", "f4", "f8", ">f4", ">f8")
INTEGERS = ("i1", "u1", "i4", "i8", ">i2", "u8")


def numbers(rows: int, columns: int, seed: int) -> np.ndarray:
    """Small whole numbers, which every dtype below holds exactly."""
    return np.random.default_rng(seed).integers(0, 5, size=(rows, columns)).astype(float)


@st.composite
def arranged(draw: st.DrawFn, X: np.ndarray, kinds: tuple[str, ...]) -> np.ndarray:
    """The same numbers in another dtype, order, stride or alignment, perhaps read-only."""
    out = X.astype(draw(st.sampled_from(kinds)))
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided", "column of wide", "unaligned"]))
    if layout == "F":
        out = np.asfortranarray(out)
    elif layout == "reversed":
        out = out[::-1, ::-1].copy()[::-1, ::-1]
    elif layout == "strided":
        wide = np.zeros((3 * out.shape[0], 2 * out.shape[1]), out.dtype)
        wide[::3, ::2] = out
        out = wide[::3, ::2]
    elif layout == "column of wide":
        wide = np.zeros((out.shape[0], out.shape[1] + 3), out.dtype)
        wide[:, 2:-1] = out
        out = wide[:, 2:-1]
    elif layout == "unaligned":
        raw = np.ndarray(out.shape, out.dtype, np.empty(out.nbytes + 1, np.uint8).data, offset=1)
        raw[...] = out
        out = raw
    if draw(st.booleans()):
        out.flags.writeable = False
    return out


@SETTINGS
@given(st.data(), st.integers(2, 40), st.integers(1, 9), st.sampled_from(["float32", "float64"]))
def test_training_does_not_depend_on_how_the_data_lie_in_memory(
    data: st.DataObject, rows: int, columns: int, dtype: str
) -> None:
    X, y = numbers(rows, columns, 1), numbers(rows, 2, 2)
    options = {**QUICK, "hidden": (5,), "dtype": dtype, "batch_size": 7, "loss": "squared_error"}
    want = fastmlp.train(X.astype(dtype), y.astype(dtype), **options)
    given_X = data.draw(arranged(X, FLOATS + INTEGERS))
    before = given_X.copy()
    given_y = data.draw(arranged(y, FLOATS))
    net = fastmlp.train(given_X, given_y, **options)
    np.testing.assert_array_equal(net.parameters, want.parameters)
    np.testing.assert_array_equal(given_X, before)
    np.testing.assert_array_equal(net.predict(given_X), want.predict(X.astype(dtype)))
    np.testing.assert_array_equal(given_X, before)


@SETTINGS
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=6),
    st.integers(0, 70),
    st.sampled_from(["float32", "float64"]),
    st.data(),
)
def test_forward_of_any_shape_equals_the_reference(
    sizes: list[int], rows: int, dtype: str, data: st.DataObject
) -> None:
    activations = data.draw(
        st.lists(st.sampled_from(NAMES), min_size=len(sizes) - 2, max_size=len(sizes) - 2)
    )
    output = data.draw(st.sampled_from(NAMES))
    net = fastmlp.Network(
        sizes, activation=activations, loss="squared_error", output_activation=output, seed=rows, dtype=dtype
    )
    assert tuple(net.layer_sizes) == tuple(sizes)
    assert net.n_parameters == net.parameters.size == ref.is_weight(sizes).size
    X = np.random.default_rng(rows).normal(size=(rows, sizes[0])).astype(dtype)
    got = net.forward(X)
    model = ref.Model(activations, "squared_error", output)
    layers = [(W.astype(float), b.astype(float)) for W, b in zip(net.weights, net.biases, strict=True)]
    want = model.forward(layers, X.astype(float)).a[-1]
    assert got.shape == (rows, sizes[-1])
    assert got.dtype == dtype
    scale = np.abs(want).max(initial=1.0)
    np.testing.assert_allclose(got, want, rtol=0, atol=100 * np.finfo(dtype).eps * scale)
    assert net.predict(X).shape == ((rows,) if sizes[-1] == 1 else (rows, sizes[-1]))


@pytest.mark.parametrize("loss", ref.LOSSES)
def test_zero_rows_give_zero_predictions(loss: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(12, 4))
    labels = loss in ("softmax_cross_entropy", "hinge", "binary_cross_entropy")
    y = np.array(["a", "b"])[np.arange(12) % 2] if labels else rng.random(12)
    net = fastmlp.train(X, y, hidden=(3,), loss=loss, **QUICK)
    none = net.predict(X[:0])
    assert none.shape == (0,)
    assert none.dtype == net.predict(X).dtype
    assert net.forward(X[:0]).shape == (0, net.layer_sizes[-1])
    if loss in ("softmax_cross_entropy", "binary_cross_entropy"):
        assert net.predict_proba(X[:0]).shape == (0, 2)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_training_on_nothing_is_a_clear_error(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"\bX\b"):
        fastmlp.train(np.ones(shape), np.arange(float(shape[0])))


@pytest.mark.parametrize("loss", ["auto", "softmax_cross_entropy", "binary_cross_entropy", "hinge"])
@pytest.mark.parametrize("label", [0, 1, "yes", True])
def test_one_class_is_a_clear_error(label: Any, loss: str) -> None:
    with pytest.raises(ValueError, match=r"\by\b.*\bclass"):
        fastmlp.train(np.ones((5, 2)), np.array([label] * 5), loss=loss)


@SETTINGS
@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(2, 9), st.integers(1, 5)),
        elements=st.sampled_from([0.0, 1.0, -1.0, 1e-45, 1e-30, -1e-310, 1e15, 1e30, -1e30, 3e38, -3e38]),
    ),
    st.sampled_from(ref.LOSSES),
    st.sampled_from(NAMES),
    st.sampled_from(["float32", "float64"]),
)
def test_huge_and_tiny_values_train_or_end_cleanly(
    X: np.ndarray, loss: str, activation: str, dtype: str
) -> None:
    """With restore_best the weights are always finite; without it they are, or the error is the clear one."""
    y: np.ndarray = np.arange(len(X)) % 2
    y = y if loss in ("softmax_cross_entropy", "hinge", "binary_cross_entropy") else y.astype(float)
    options = {**QUICK, "hidden": (4,), "activation": activation, "loss": loss, "dtype": dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "(?i).*diverge", RuntimeWarning)
        net = fastmlp.train(X, y, **options)
    assert np.isfinite(net.parameters).all()
    try:
        net = fastmlp.train(X, y, restore_best=False, **options)
    except FloatingPointError as error:
        net = error.network
        assert net.stop_reason == "diverged"
    assert np.isfinite(net.parameters).all()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*not finite", RuntimeWarning)
        net.predict(X)


@SETTINGS
@given(
    hnp.arrays(np.float64, (6, 3), elements=st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf])),
    st.sampled_from(["float32", "float64"]),
)
def test_nan_and_infinity_are_refused_and_the_place_is_named(X: np.ndarray, dtype: str) -> None:
    y = np.arange(6.0)
    bad = np.argwhere(~np.isfinite(X))
    if not len(bad):
        fastmlp.train(X, y, hidden=(2,), dtype=dtype, **QUICK)
        return
    with pytest.raises(ValueError, match=rf"\bX\b.*\b{bad[0][0]}\b"):
        fastmlp.train(X, y, hidden=(2,), dtype=dtype, **QUICK)


@SETTINGS
@given(
    st.sampled_from(
        [
            np.array([3, 7, 3, 11, 7, 3]),
            np.array([-5, 5, -5, 5, -5, 5], np.int8),
            np.array([True, False, True, True, False, False]),
            np.array(["b", "a", "c", "a", "b", "c"]),
            np.array(["b", "a", "c", "a", "b", "c"], object),
            np.array([2**40, 0, 2**40, 1, 0, 1]),
            np.array([2**63, 0, 2**63, 1, 0, 1], np.uint64),
        ]
    ),
    st.sampled_from(["softmax_cross_entropy", "hinge", "auto"]),
)
def test_labels_come_back_as_they_went_in(y: np.ndarray, loss: str) -> None:
    """Each row is its own unit vector, so a linear model learns the labels by heart."""
    net = fastmlp.train(
        np.eye(6), y, hidden=(), loss=loss, optimizer="sgd", learning_rate=3.0, epochs=50, batch_size=None
    )
    np.testing.assert_array_equal(net.classes, np.unique(y))
    found = net.predict(np.eye(6))
    assert found.dtype == y.dtype
    np.testing.assert_array_equal(found, y)


@SETTINGS
@given(st.integers(1, 300), st.integers(1, 400), st.integers(0, 2**64 - 1))
def test_any_batch_size_and_seed(rows: int, batch_size: int, seed: int) -> None:
    X, y = numbers(rows, 2, 1), numbers(rows, 1, 2)
    options = {"hidden": (3,), "task": "regression", "batch_size": batch_size, "seed": seed, **QUICK}
    net = fastmlp.train(X, y[:, 0], **options)
    again = fastmlp.train(X, y, **options)  # (n, 1) is treated as (n,)
    np.testing.assert_array_equal(net.parameters, again.parameters)
    assert net.predict(X).shape == again.predict(X).shape == (rows,)
