"""Bad input: for each argument what is given and the message expected; nothing crashes the interpreter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp

X = np.arange(12.0).reshape(6, 2)
Y = np.array(["a", "b", "a", "b", "a", "b"])
V = np.arange(6.0)

#: Arguments of train beside X and Y, the exception and its whole message.
OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"hidden": 0}, ValueError, "hidden[0] must be at least 1 and at most 2147483647, got 0"),
    ({"hidden": (4, -1)}, ValueError, "hidden[1] must be at least 1 and at most 2147483647, got -1"),
    ({"hidden": (1.5,)}, TypeError, "hidden[0] must be an integer, got 1.5"),
    ({"hidden": "10"}, TypeError, "hidden must be an integer or a sequence of integers, got '10'"),
    ({"hidden": b"10"}, TypeError, "hidden must be an integer or a sequence of integers, got b'10'"),
    ({"hidden": (True,)}, TypeError, "hidden[0] must be an integer, got True"),
    (
        {"activation": "rulu"},
        ValueError,
        (
            "activation must be one of identity, relu, leaky_relu, elu, selu, gelu, silu, mish, softplus, "
            "tanh, sigmoid; got 'rulu'"
        ),
    ),
    (
        {"activation": ["relu", "tanh"]},
        ValueError,
        "activation must be one name, or one a hidden layer, 1; got 2",
    ),
    (
        {"loss": "mse"},
        ValueError,
        (
            "loss must be one of softmax_cross_entropy, binary_cross_entropy, squared_error, absolute_error, "
            "huber, quantile, poisson, hinge; got 'mse'"
        ),
    ),
    ({"loss": "hinge(2)"}, ValueError, "loss: hinge takes no number, got 'hinge(2)'"),
    ({"loss": "huber(x)"}, ValueError, "loss must be like 'huber(1)', got 'huber(x)'"),
    ({"loss": "huber(-1)"}, ValueError, "loss: the delta of huber must be greater than 0, got 'huber(-1)'"),
    (
        {"loss": "quantile(1)"},
        ValueError,
        "loss: the q of quantile must be between 0 and 1, both excluded, got 'quantile(1)'",
    ),
    (
        {"loss": "squared_error"},
        ValueError,
        "y must be numbers for loss 'squared_error', got labels such as 'a'",
    ),
    (
        {"output_activation": "sigmoid"},
        ValueError,
        "output_activation for loss 'softmax_cross_entropy' must be one of auto, softmax; got 'sigmoid'",
    ),
    (
        {"optimizer": "adma"},
        ValueError,
        "optimizer must be one of sgd, rmsprop, adagrad, adam, adamw, lbfgs; got 'adma'",
    ),
    (
        {"optimizer": 3},
        TypeError,
        "optimizer must be one of sgd, rmsprop, adagrad, adam, adamw, lbfgs, or an optimizer object; got 3",
    ),
    ({"learning_rate": 0}, ValueError, "learning_rate must be greater than 0, got 0"),
    ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got 'fast'"),
    ({"learning_rate": np.nan}, ValueError, "learning_rate must be greater than 0, got nan"),
    ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
    ({"batch_size": "all"}, ValueError, "batch_size must be an integer, None or 'auto', got 'all'"),
    ({"batch_size": True}, TypeError, "batch_size must be an integer, got True"),
    ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
    ({"epochs": 1e3}, TypeError, "epochs must be an integer, got 1000.0"),
    ({"l2": -1}, ValueError, "l2 must be at least 0, got -1"),
    ({"l2": np.inf}, ValueError, "l2 must be finite and at least 0, got inf"),
    ({"l2": 10**400}, ValueError, f"l2 must be finite and at least 0, got {10**400}"),
    ({"l2": np.complex128(1)}, TypeError, f"l2 must be a number, got {np.complex128(1)!r}"),
    (
        {"batch_size": 2**63},
        ValueError,
        f"batch_size must be at least 1 and at most {2**63 - 1}, got {2**63}",
    ),
    ({"learning_rate": 1e-60}, ValueError, "learning_rate must be at least 1.18e-38 in float32, got 1e-60"),
    (
        {"learning_rate": fastmlp.ReduceOnPlateau(0.1, min_rate=1.0)},
        ValueError,
        "min_rate must be at most the rate 0.1, got 1.0",
    ),
    ({"loss": "huber(q=1)"}, ValueError, "loss must be like 'huber(1)', got 'huber(q=1)'"),
    ({"dropout": 1}, ValueError, "dropout must be at least 0 and less than 1, got 1"),
    ({"clip_norm": 0}, ValueError, "clip_norm must be greater than 0, got 0"),
    ({"validation": 1.0}, ValueError, "validation must be greater than 0 and less than 1, got 1.0"),
    *(
        (
            {"validation": wrong},
            TypeError,
            f"validation must be a fraction, a pair (X, y) or a triple (X, y, sample_weight), got {got}",
        )
        for wrong, got in (
            ("x", "'x'"),
            ((1,), "1 thing"),
            ((X, Y, Y, 1), "4 things"),
            (X, "a ndarray"),
        )
    ),
    (
        {"validation": (X, Y, [1, 2])},
        ValueError,
        "validation: sample_weight must have as many rows as X, 6, got 2",
    ),
    (
        {"validation": (X, Y, [0] * 6)},
        ValueError,
        "validation: sample_weight must be greater than 0 somewhere, got zeros only",
    ),
    (
        {"validation": (X[:1], Y[:1]), "class_weight": {Y[0]: 0}},
        ValueError,
        "validation: class_weight must leave some rows a weight above 0, got {'a': 0.0, 'b': 1.0}",
    ),
    (
        {"validation": (X, ["a"] * 5 + ["c"])},
        ValueError,
        "validation: y has the label 'c' at row 5, which is not one of the classes 'a', 'b'",
    ),
    ({"validation": (X[:, :1], Y)}, ValueError, "validation: X must have 2 columns, got 1"),
    ({"patience": 0}, ValueError, "patience must be at least 1, got 0"),
    ({"min_delta": -0.1}, ValueError, "min_delta must be at least 0, got -0.1"),
    ({"restore_best": 1}, TypeError, "restore_best must be True or False, got 1"),
    ({"loss_target": "low"}, TypeError, "loss_target must be a number, got 'low'"),
    ({"max_time": 0}, ValueError, "max_time must be greater than 0, got 0"),
    ({"sample_weight": [1, 2]}, ValueError, "sample_weight must have as many rows as X, 6, got 2"),
    (
        {"sample_weight": [1, 0, 1, -2, 1, 1]},
        ValueError,
        "sample_weight must be at least 0, got -2 at row 3",
    ),
    (
        {"sample_weight": [0] * 6},
        ValueError,
        "sample_weight must be greater than 0 somewhere, got zeros only",
    ),
    (
        {"sample_weight": [np.nan] * 6},
        ValueError,
        "sample_weight has nan at row 0; only finite numbers are accepted",
    ),
    (
        {"class_weight": "auto"},
        TypeError,
        "class_weight must be 'balanced' or a dict of label to weight, got 'auto'",
    ),
    ({"class_weight": {"c": 1}}, ValueError, "class_weight has the label 'c', which y does not have"),
    ({"class_weight": {"a": -1}}, ValueError, "class_weight['a'] must be a number of at least 0, got -1"),
    (
        {"class_weight": {"a": 1e300}},
        ValueError,
        (
            "class_weight has 1e+300 at row 0, more than float32 holds (3.4e+38); compute in float64 "
            '(dtype="float64"; estimators: X of that type), or give it on a smaller scale'
        ),
    ),
    (
        {"class_weight": {"a": 0, "b": 0}},
        ValueError,
        "class_weight must leave some rows a weight above 0, got {'a': 0, 'b': 0}",
    ),
    ({"shuffle": None}, TypeError, "shuffle must be True or False, got None"),
    (
        {"init": "xavier"},
        ValueError,
        (
            "init must be one of auto, zeros, glorot_normal, glorot_uniform, he_normal, he_uniform, "
            "lecun_normal, normal, uniform; got 'xavier'"
        ),
    ),
    ({"init": "normal(-1)"}, ValueError, "init: the number of normal must be at least 0, got 'normal(-1)'"),
    ({"init": []}, ValueError, "init must have one (W, b) a layer, 2, got 0"),
    ({"init": [1, 2]}, TypeError, "init[0] must be a pair (W, b)"),
    (
        {"hidden": (), "init": [(np.ones((3, 2)), [0, 0])]},
        ValueError,
        "init[0] W must have shape (2, 2), got (3, 2)",
    ),
    (
        {"init": fastmlp.Network((2, 3, 2))},
        ValueError,
        "init has layer sizes (2, 3, 2), but (2, 100, 2) are needed",
    ),
    ({"seed": -1}, ValueError, "seed must be at least 0 and at most 18446744073709551615, got -1"),
    ({"dtype": "int8"}, ValueError, "dtype must be one of float32, float64; got 'int8'"),
    ({"dtype": None}, ValueError, "dtype must be one of float32, float64; got None"),
    ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
    ({"callbacks": [3]}, TypeError, "callbacks[0] must be callable, got 3"),
    ({"callbacks": None}, TypeError, "callbacks must be a callable or callables, got None"),
    ({"callbacks": lambda net: 1}, TypeError, "callbacks[0] must return True, False or None, got 1"),
    ({"progress": "yes"}, TypeError, "progress must be True or False, got 'yes'"),
    ({"optimizer": "lbfgs", "dropout": 0.1}, ValueError, "dropout does not go with optimizer 'lbfgs'"),
]

#: X, y, the exception and its whole message.
DATA: list[tuple[Any, Any, type[Exception], str]] = [
    (X[:0], Y[:0], ValueError, "X must have at least one row and fewer than 2**32, got 0"),
    (X[:, :0], Y, ValueError, "X must have at least one column, got shape (6, 0)"),
    (X[:, 0], Y, ValueError, "X must have 2 dimensions (rows, columns), got shape (6,)"),
    (X, Y[:5], ValueError, "y must have as many rows as X, 6, got 5"),
    (X, None, TypeError, "y is needed, except for an iterator of batches (X, y)"),
    ([[1, 2], [3]], [0, 1], ValueError, "X must be a rectangular array, got rows of different lengths"),
    (
        [["1", "x"], ["2", "y"]],
        [0, 1],
        TypeError,
        (
            "X must hold real numbers, got dtype <U1; encode other columns first, for example with "
            "fastmlp.data.TableEncoder"
        ),
    ),
    (
        np.where(X == 7, np.nan, X),
        Y,
        ValueError,
        "X has nan at row 3, column 1; only finite numbers are accepted",
    ),
    (
        np.array([["1", 2]] * 6, dtype=object),
        Y,
        TypeError,
        (
            "X must hold real numbers, got '1' of type str; encode other columns first, for example with "
            "fastmlp.data.TableEncoder"
        ),
    ),
    (
        np.ma.masked_greater(X, 5),
        Y,
        ValueError,
        "X has masked values; fill them in or leave their rows out",
    ),
    (X, np.array(["NaT", "2020-01-01"] * 3, "M8[D]"), ValueError, "y has a missing value at row 0"),
    (
        np.where(X == 7, 1e300, X),
        Y,
        ValueError,
        (
            "X has 1e+300 at row 3, column 1, more than float32 holds (3.4e+38); compute in float64 "
            '(dtype="float64"; estimators: X of that type), or give it on a smaller scale'
        ),
    ),
    (X, ["a"] * 6, ValueError, "y has only one class, 'a'; at least two are needed"),
    (X, ["a", None] * 3, ValueError, "y has a missing value at row 1"),
    (X, [0.5, np.nan] * 3, ValueError, "y has nan at row 1; only finite numbers are accepted"),
    (
        X,
        np.array(["a", 1] * 3, dtype=object),
        TypeError,
        "y must hold labels of one type, got a mixture that cannot be sorted",
    ),
    (X, V + 1j, TypeError, "y must hold labels or real numbers, got dtype complex128"),
    (X, "target", ValueError, "y may be a column name only when X is a table, got 'target'"),
]


@pytest.mark.parametrize(("options", "error", "message"), OPTIONS)
def test_a_wrong_option_is_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        fastmlp.train(X, Y, **{"epochs": 1} | options)
    assert str(raised.value) == message
    assert type(raised.value) is error


@pytest.mark.parametrize(("X", "y", "error", "message"), DATA)
def test_wrong_data_is_named(X: Any, y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        fastmlp.train(X, y, epochs=1)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("poisson", -V, "y must not be negative for loss 'poisson', got -5"),
        (
            "binary_cross_entropy",
            V,
            (
                "y has 6 classes, but loss 'binary_cross_entropy' takes two (or a 0/1 matrix); "
                "use 'softmax_cross_entropy'"
            ),
        ),
        ("binary_cross_entropy", X, "y must be at most 1 for loss 'binary_cross_entropy', got 11"),
        ("softmax_cross_entropy", X, "y must have rows that sum to 1, row 1 sums to 5"),
        (
            "softmax_cross_entropy",
            V + 0.5,
            (
                "y must be labels, or rows of probabilities of shape (n, classes), for loss "
                "'softmax_cross_entropy'; got numbers with fractions"
            ),
        ),
        ("hinge", X.astype(int), "y must be labels of shape (n,) for loss 'hinge', got shape (6, 2)"),
    ],
)
def test_targets_outside_the_losss_range_are_named(loss: str, y: Any, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (the message is compared whole)
        fastmlp.train(X, y, loss=loss, epochs=1)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastmlp.SGD(momentum=1.1), "momentum must be at least 0 and at most 1, got 1.1"),
        (lambda: fastmlp.SGD(nesterov=True), "nesterov=True needs momentum greater than 0, got momentum=0.0"),
        (lambda: fastmlp.Adam(eps=0), "eps must be greater than 0, got 0"),
        (lambda: fastmlp.RMSprop(rho=-1), "rho must be at least 0 and less than 1, got -1"),
        (lambda: fastmlp.LBFGS(history=0), "history must be at least 1, got 0"),
        (lambda: fastmlp.StepDecay(every=0), "every must be greater than 0, got 0"),
        (lambda: fastmlp.Cosine(0.1, warmup=-1), "warmup must be at least 0 and at most 1e+09, got -1"),
        (lambda: fastmlp.OneCycle(0.1, rise=2), "rise must be at least 0 and at most 1, got 2"),
        (
            lambda: fastmlp.Network((4,)),
            "layer_sizes must have at least 2 entries, inputs and outputs, got (4,)",
        ),
        (
            lambda: fastmlp.Network((4, 1)),
            "layer_sizes must end with at least 2 outputs for loss 'softmax_cross_entropy', got 1",
        ),
        (lambda: fastmlp.Network((2, 2)).forward(np.ones((1, 3))), "X must have 2 columns, got 3"),
        (
            lambda: fastmlp.Network((2, 2), loss="squared_error").predict_proba(np.ones((1, 2))),
            "predict_proba needs loss softmax_cross_entropy or binary_cross_entropy, got 'squared_error'",
        ),
        (
            lambda: fastmlp.Network((2, 2)).loss_and_gradient(np.ones((1, 2)), [2]),
            "y has the label 2 at row 0, which is not one of the classes 0, 1",
        ),
        (lambda: fastmlp.set_num_threads(0), "n must be at least 1, got 0"),
    ],
)
def test_a_wrong_argument_of_a_class_or_method_is_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (the message is compared whole)
        make()
    assert str(raised.value) == message


@pytest.mark.parametrize("n", [True, 2.0, "2", None])
def test_a_number_of_threads_that_is_no_integer_is_named(n: Any) -> None:
    with pytest.raises(TypeError, match=re.escape(f"n must be an integer, got {n!r}")):
        fastmlp.set_num_threads(n)


def test_nothing_crashes_the_interpreter() -> None:
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import fastmlp, test_bad_input as bad
calls = [(bad.X, bad.Y, options) for options, _, _ in bad.OPTIONS]
calls += [(X, y, dict()) for X, y, _, _ in bad.DATA]
for X, y, options in calls:
    try:
        fastmlp.train(X, y, **dict(epochs=1) | options)
    except (TypeError, ValueError):
        continue
    raise AssertionError(options)
print("alive", len(calls))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout == f"alive {len(OPTIONS) + len(DATA)}\n", done.stderr
    assert done.returncode == 0


def test_a_failed_run_changes_neither_the_network_it_begins_with_nor_a_file(tmp_path: Path) -> None:
    net = fastmlp.train(X, V, hidden=(3,), epochs=1)
    path = tmp_path / "model.safetensors"
    net.save(path)
    before, content = net.parameters.copy(), path.read_bytes()
    with pytest.raises(ValueError, match="hidden"):
        fastmlp.train(X, V, hidden=(0,), init=net)
    with pytest.raises(FloatingPointError) as raised:
        fastmlp.train(X, V, hidden=(3,), init=net, optimizer="sgd", learning_rate=1e9, restore_best=False)
    assert np.isfinite(raised.value.network.parameters).all()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(net.parameters, before)
    labelled = fastmlp.Network((2, 2))
    labelled.classes = np.array([(1, 2), (3, 4)], "O,O").astype(object)  # tuples
    with pytest.raises(ValueError, match="cannot be saved"):
        labelled.save(path)
    net.parameters = np.nan
    with pytest.raises(ValueError, match="NaN or infinity cannot be saved"):
        net.save(path)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


LARGE = np.where(X == 7, 1e39, X)
BESIDE = np.arange(6.0)
BESIDE[4] = -1e39


@pytest.mark.parametrize("form", ["array", "column-major", "list", "pandas", "sparse", "windows"])
def test_what_float32_cannot_hold_is_named_as_it_was_given(form: str) -> None:
    import pandas as pd
    import scipy.sparse as sp

    make: Any = {
        "array": np.array, "column-major": np.asfortranarray, "list": np.ndarray.tolist,
        "pandas": pd.DataFrame, "sparse": sp.csc_array, "windows": np.array,
    }[form]  # fmt: skip
    options: dict[str, Any] = {"epochs": 1, "memory_limit": "500 MB" if form == "windows" else None}
    message = r"X has 1e\+39 at row 3, column 1, more than float32 holds \(3\.4e\+38\); .*dtype=\"float64\""
    with pytest.raises(ValueError, match=message):
        fastmlp.train(make(LARGE), V, **options)
    assert fastmlp.train(make(np.where(X == 7, 10, X)), V, **options).stop_reason == "epochs"
    if form != "windows":
        for method in (fastmlp.Network((2, 3)).predict, fastmlp.Network((2, 3)).predict_proba):
            with pytest.raises(ValueError, match=message):
                method(make(LARGE))
        assert np.isfinite(
            fastmlp.Network((2, 1), loss="squared_error", dtype="float64").predict(make(LARGE))
        ).all()


@pytest.mark.parametrize("loss", ["squared_error", "quantile(0.1, 0.5, 0.9)"])
def test_a_target_of_one_column_is_named_by_its_row_alone(loss: str) -> None:
    with pytest.raises(ValueError, match=r"y has -1e\+39 at row 4, more than float32 holds"):
        fastmlp.train(X, BESIDE, loss=loss)
    with pytest.raises(ValueError, match="y has inf at row 0; only finite numbers are accepted"):
        fastmlp.train(X, np.where(BESIDE == 0, np.inf, 1), loss=loss)
    with pytest.raises(ValueError, match="y has nan at row 2, column 1; only finite"):
        fastmlp.train(X, np.where(X == 5, np.nan, X))


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        (None, "classes must be 3 labels for loss 'softmax_cross_entropy', got None"),
        (["a", "b"], r"classes must be 3 labels, got shape \(2,\): \['a', 'b'\]"),
        ("abc", r"classes must be 3 labels, got shape \(\): 'abc'"),
        ([["a"], ["b"], ["c"]], r"got shape \(3, 1\)"),
        (["a", "b", "b"], "classes must be different and sorted"),
        (["b", "a", "c"], r"classes must be different and sorted, .* np\.argsort\(labels\)"),
        ([0.0, 1.0, np.nan], "classes must be different and sorted"),
        (["a", "b", 3], "classes must be labels of one type that can be sorted"),
        (np.array(["a", 1, 2], object), "classes must be labels of one type that can be sorted"),
        ([1j, 2j, 3j], "classes must be labels or real numbers, got dtype complex128"),
        (["x" * 1000] * 3, "classes must be different and sorted"),
    ],
)
def test_labels_that_outputs_cannot_stand_for_are_refused(labels: Any, error: str) -> None:
    net = fastmlp.Network((2, 3))
    with pytest.raises((TypeError, ValueError), match=error) as raised:
        net.classes = labels
    assert len(str(raised.value)) < 500
    np.testing.assert_array_equal(net.classes, np.arange(3))  # type: ignore[arg-type]


def test_labels_may_be_assigned_as_any_list_and_are_the_networks_own() -> None:
    import pandas as pd

    net = fastmlp.Network((2, 3))
    for labels in (
        ["a", "b", "c"],
        ("a", "b", "c"),
        np.array(["a", "b", "c"], object),
        pd.Series(["a", "b", "c"]),
    ):
        net.classes = labels
        assert isinstance(net.classes, np.ndarray)
        assert set(net.predict(X)) <= {"a", "b", "c"}
        assert net.score(X, net.predict(X)) == 1
    mine = np.array([3, 5, 9])
    net.classes = mine
    mine[0] = 7
    assert net.classes.tolist() == [3, 5, 9]
    with pytest.raises(ValueError, match="read-only"):
        net.classes[0] = 7
    values = fastmlp.Network((2, 1), loss="squared_error")
    with pytest.raises(
        ValueError, match="classes must be None for a network that does not predict one label"
    ):
        values.classes = ["a"]


def test_names_of_columns_are_as_many_as_columns() -> None:
    import pandas as pd

    net = fastmlp.Network((2, 3))
    for names in (["a", "b"], np.array(["a", "b"]), pd.Index(["a", "b"]), iter("ab")):
        net.feature_names = names
        assert net.feature_names == ("a", "b")
        assert all(type(name) is str for name in net.feature_names)
    for wrong, error in (
        (["a"], "feature_names must be 2 names, one for each column of X, got 1"),
        ("ab", "feature_names must be a sequence of strings, got 'ab'"),
        ([1, 2], "feature_names must be a sequence of strings"),
        (None, "feature_names must be a sequence of strings, got None"),
    ):
        with pytest.raises((TypeError, ValueError), match=error):
            net.feature_names = wrong
    assert net.feature_names == ("a", "b")
    net.feature_names = ()
    net.target_names = ["y"]
    for wrong, error in (
        (["p", "q"], "target_names must be 1 name, or 3, one for each output, got 2"),
        ("y", "target_names must be a sequence of strings, got 'y'"),
    ):
        with pytest.raises((TypeError, ValueError), match=error):
            net.target_names = wrong
    assert net.target_names == ("y",)
