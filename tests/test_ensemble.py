"""An ensemble predicts the weighted mean of its networks, with the same bits whatever threads and rows."""

from __future__ import annotations

import copy
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import fastmlp
from ensemble_tools import KINDS, mean_and_std, networks, rows

WEIGHTS = [0.5, 0.0, 2.0, 1.0, 3.5]
CLOSE = {"32": 1e-6, "64": 1e-14, "mixed": 1e-14}


def expected_labels(ensemble: fastmlp.Ensemble, mean: np.ndarray) -> Any:
    """Return what the mean of the outputs predicts."""
    if ensemble.loss == "binary_cross_entropy":
        above = (mean > 0.5).astype(np.int64)
        return above if ensemble.classes is None else ensemble.classes[above[:, 0]]
    if ensemble.classes is not None:
        return ensemble.classes[mean.argmax(axis=1)]
    values = np.sort(mean, axis=1) if ensemble.loss.startswith("quantile") else mean
    return values[:, 0] if values.shape[1] == 1 else values


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("dtypes", ["32", "64", "mixed"])
@pytest.mark.parametrize(("loss", "outputs"), KINDS)
def test_it_predicts_the_mean_of_the_networks(
    loss: str, outputs: int, dtypes: str, weights: Any, isa: str
) -> None:
    nets = networks(loss, outputs, dtypes)
    ensemble, X = fastmlp.Ensemble(nets, weights), rows(131)
    assert ensemble.dtype == ("float32" if dtypes == "32" else "float64")
    mean, std = mean_and_std([net.forward(X) for net in nets], np.ones(5) if weights is None else weights)
    forward = ensemble.forward(X)
    assert forward.dtype == ensemble.dtype
    np.testing.assert_allclose(forward, mean, rtol=CLOSE[dtypes], atol=CLOSE[dtypes])
    prediction, deviation = ensemble.predict(X, return_std=True)
    np.testing.assert_array_equal(prediction, expected_labels(ensemble, forward))
    np.testing.assert_array_equal(ensemble.predict(X), prediction)
    if loss.startswith("quantile"):
        std = np.take_along_axis(std, mean.argsort(axis=1), axis=1)
    if outputs == 1:
        std = np.hstack([std, std]) if ensemble.classes is not None else std[:, 0]
    np.testing.assert_allclose(deviation, std, rtol=1e-6, atol=1e-7 if dtypes == "32" else 1e-14)
    if "entropy" in loss:
        probabilities = ensemble.predict_proba(X)
        both = outputs == 1
        np.testing.assert_array_equal(probabilities, np.hstack([1 - forward, forward]) if both else forward)


@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize("dtypes", ["32", "64", "mixed"])
def test_the_bits_do_not_depend_on_threads_or_on_other_rows(
    dtypes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble, X = fastmlp.Ensemble(networks(dtypes=dtypes), WEIGHTS), rows(1000)
    fastmlp.set_num_threads(1)
    alone, (_, std) = ensemble.forward(X), ensemble.predict(X, return_std=True)
    for threads in (2, 3, 7):
        fastmlp.set_num_threads(threads)
        assert ensemble.forward(X).tobytes() == alone.tobytes()
        assert ensemble.predict(X, return_std=True)[1].tobytes() == std.tobytes()
    for first, last in ((0, 1), (95, 97), (17, 18), (500, 800)):
        part = X[first:last].astype(ensemble.dtype)
        assert ensemble.forward(part).tobytes() == alone[first:last].tobytes()
        assert ensemble.predict(part, return_std=True)[1].tobytes() == std[first:last].tobytes()


def test_equal_networks_give_the_bits_of_one(isa: str) -> None:
    for dtype in ("float32", "float64"):
        net = fastmlp.Network((6, 20, 3), "tanh", dtype=dtype)
        ensemble, X = fastmlp.Ensemble([net] * 7), rows(200)
        assert ensemble.forward(X).tobytes() == net.forward(X).tobytes()
        assert not ensemble.predict(X, return_std=True)[1].any()


@pytest.mark.parametrize("dtypes", ["32", "64"])
def test_the_predictor_of_one_row_gives_the_same_bits(dtypes: str, isa: str) -> None:
    ensemble = fastmlp.Ensemble(networks(dtypes=dtypes))
    X = rows(50, dtype=ensemble.dtype.name)
    one = ensemble.predictor()
    assert one(X).tobytes() == ensemble.forward(X).tobytes()
    assert one(X[7]).tobytes() == ensemble.forward(X)[7].tobytes()
    with pytest.raises(ValueError, match=r"x must be a C-contiguous float.. array of shape \(6,\)"):
        one(X[:, :3].copy())


def test_networks_of_both_dtypes_have_no_predictor_of_one_row() -> None:
    with pytest.raises(TypeError, match=r"predictor\(\) needs networks of one dtype"):
        fastmlp.Ensemble(networks(dtypes="mixed")).predictor()


@pytest.mark.parametrize("dtypes", ["32", "64", "mixed"])
def test_sparse_rows_give_what_dense_ones_do(dtypes: str, isa: str) -> None:
    ensemble = fastmlp.Ensemble(networks(dtypes=dtypes, inputs=40))
    X = rows(150, 40) * (np.random.default_rng(0).random((150, 40)) < 0.1)
    dense, std = ensemble.forward(X), ensemble.predict(X, return_std=True)[1]
    sparse = scipy.sparse.csr_matrix(X)
    np.testing.assert_allclose(ensemble.forward(sparse), dense, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ensemble.predict(sparse, return_std=True)[1], std, rtol=1e-4, atol=1e-6)


def test_networks_with_embeddings_may_have_different_codes_and_widths(isa: str) -> None:
    embeddings: list[Any] = [[(1, 4, 2)], [(1, 4, 7)], [(1, 9, 3)], []]
    nets = [
        fastmlp.Network((6, 10, 3), embeddings=each, dtype=dtype, seed=i)
        for i, (each, dtype) in enumerate(
            zip(embeddings, ["float32", "float32", "float32", "float64"], strict=True)
        )
    ]
    X = rows(100)
    X[:, 1] = np.arange(100) % 4
    ensemble = fastmlp.Ensemble(nets)
    mean, _ = mean_and_std([net.forward(X) for net in nets], np.ones(4))
    np.testing.assert_allclose(ensemble.forward(X), mean, rtol=1e-13)
    X[3, 1] = 5  # a code for one of them
    with pytest.raises(ValueError, match="row 3, column 1, which must be a code: a whole number from 0 to 3"):
        ensemble.forward(X)


def test_the_parameters_are_those_of_the_networks() -> None:
    nets, X = networks(), rows(3, dtype="float32")
    ensemble = fastmlp.Ensemble(nets)
    before = ensemble.forward(X)
    nets[0].parameters[:] = 0
    after = ensemble.forward(X)
    assert (before != after).any()
    np.testing.assert_allclose(after, np.mean([net.forward(X) for net in nets], axis=0), rtol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 96, 97])
def test_any_number_of_rows_and_of_networks(n: int) -> None:
    for nets in (networks()[:1], networks() * 30):
        ensemble, X = fastmlp.Ensemble(nets), rows(n)
        np.testing.assert_allclose(
            ensemble.forward(X), np.mean([net.forward(X) for net in nets], axis=0), rtol=1e-5, atol=1e-7
        )
        assert ensemble.predict(X, return_std=True)[1].shape == (n, 3)


def test_outputs_that_are_not_finite_are_warned_of() -> None:
    nets = networks("squared_error", 1)
    nets[2].parameters[:] = 3e38
    ensemble, X = fastmlp.Ensemble(nets), rows(4, dtype="float32")
    with pytest.warns(RuntimeWarning, match="the outputs of row 0 are not finite"):
        ensemble.predict(X)
    with pytest.warns(RuntimeWarning, match="the outputs of row 0 are not finite"):
        ensemble.predict(X, return_std=True)
    assert np.isfinite(
        fastmlp.Ensemble(nets, [1, 1, 0, 1, 1]).predict(X)
    ).all()  # a weight of 0 is not computed


def test_labels_come_back_as_they_are_and_are_evaluated() -> None:
    iris = fastmlp.datasets.load_iris()
    names = np.array(iris.target_names)[iris.target]
    X, y = iris.data[::2], names[::2]
    nets = [fastmlp.train(X, y, hidden=(h,), epochs=60, learning_rate=0.02, seed=h) for h in (4, 8, 16)]
    ensemble = fastmlp.Ensemble(nets)
    predicted = ensemble.predict(iris.data)
    assert set(predicted) == set(iris.target_names)
    evaluation = ensemble.evaluate(iris.data[1::2], names[1::2])
    assert evaluation.metrics.accuracy == (predicted == names)[1::2].mean()  # type: ignore[union-attr]
    assert ensemble.score(iris.data[1::2], names[1::2]) == evaluation.score > 0.8
    np.testing.assert_array_equal(evaluation.probabilities, ensemble.predict_proba(iris.data[1::2]))


def test_what_it_says_of_itself() -> None:
    nets = networks()
    ensemble = fastmlp.Ensemble(nets, [1, 1, 2, 0, 0])
    assert ensemble.networks == tuple(nets)
    assert ensemble.weights.tolist() == [0.25, 0.25, 0.5, 0, 0]
    assert ensemble.classes is not None
    assert ensemble.classes.tolist() == [0, 1, 2]
    assert (ensemble.encoder, ensemble.feature_names, ensemble.target_names) == (None, (), ())
    assert ensemble.n_parameters == sum(net.n_parameters for net in nets)
    assert repr(ensemble) == "Ensemble(5 networks of different sizes, softmax_cross_entropy, float32)"
    assert repr(fastmlp.Ensemble(nets[:1])) == "Ensemble(1 network of 6-9-3, softmax_cross_entropy, float32)"
    with pytest.raises(ValueError, match="read-only"):
        ensemble.weights[0] = 1


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy, copy.copy])
def test_copies_predict_the_same_bits(again: Any) -> None:
    ensemble, X = fastmlp.Ensemble(networks(dtypes="mixed"), [0.1, 0.2, 0.3, 0.15, 0.25]), rows(20)
    ensemble.origin = {"rows": 3}
    twin = again(ensemble)
    assert type(twin) is fastmlp.Ensemble
    assert twin.forward(X).tobytes() == ensemble.forward(X).tobytes()
    assert twin.weights.tobytes() == ensemble.weights.tobytes()
    assert twin.origin == {"rows": 3}


def test_estimators_that_hold_a_network_are_taken() -> None:
    iris = fastmlp.datasets.load_iris()
    fitted = [
        fastmlp.MLPClassifier((5,), max_iter=20, random_state=i, early_stopping=True).fit(
            iris.data, iris.target
        )
        for i in range(2)
    ]
    ensemble = fastmlp.Ensemble(fitted)
    mean = np.mean([model.predict_proba(iris.data) for model in fitted], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(iris.data), mean, rtol=1e-5, atol=1e-7)


def test_several_threads_of_python_predict_at_once() -> None:
    ensemble, X = fastmlp.Ensemble(networks(dtypes="mixed")), rows(3000)
    alone = ensemble.forward(X)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: (ensemble.forward(X), ensemble.forward(X[:2])), range(24)))
    for together, few in results:
        assert together.tobytes() == alone.tobytes()
        assert few.tobytes() == alone[:2].tobytes()


@pytest.mark.usefixtures("pictures")
def test_its_confusion_is_drawn_and_what_belongs_to_one_network_is_said_so() -> None:
    ensemble, X = fastmlp.Ensemble(networks()), rows(40)
    assert fastmlp.plot.confusion(ensemble, X, np.arange(40) % 3).get_xlabel()
    with pytest.raises(TypeError, match=r"got Ensemble\(.*; draw one of its networks"):
        fastmlp.plot.weights(ensemble)  # type: ignore[arg-type]
    for name in ("trace", "history", "diagnose", "parameters", "to_torch", "loss_and_gradient"):
        message = f"no attribute {name!r}; ask one of its networks: .networks[0].{name}"
        with pytest.raises(AttributeError, match=re.escape(message)):
            getattr(ensemble, name)
    with pytest.raises(AttributeError, match=r"'Ensemble' object has no attribute 'colour'$"):
        ensemble.colour  # type: ignore[attr-defined]  # noqa: B018


# ---------------------------------------------------------------------------------------------------- errors


def network(sizes: tuple[int, ...] = (6, 4, 3), loss: str = "softmax_cross_entropy", **more: Any) -> Any:
    net = fastmlp.Network(sizes, loss=loss)
    for name, value in more.items():
        setattr(net, name, value)
    return net


LABELS = np.array(["a", "b", "c"])


@pytest.mark.parametrize(
    ("nets", "error", "message"),
    [
        ([], ValueError, "networks must hold at least one Network, got none"),
        (network(), TypeError, r"networks must be a sequence of Network, got Network\(6-4-3"),
        ("abc", TypeError, "networks must be a sequence of Network, got 'abc'"),
        (3, TypeError, "networks must be a sequence of Network, got 3"),
        (
            [network(), network(), None],
            TypeError,
            r"networks\[2\] must be a Network, got None, a fit that failed",
        ),
        ([network(), 3], TypeError, r"networks\[1\] must be a Network, got 3"),
        ([network(), network((5, 3))], ValueError, r"networks\[1\] has inputs: 5, networks\[0\] 6"),
        ([network()] * 3 + [network((6, 4))], ValueError, r"networks\[3\] has outputs: 4, networks\[0\] 3"),
        (
            [network(), network(loss="hinge")],
            ValueError,
            r"networks\[1\] has loss 'hinge', networks\[0\] 'softmax",
        ),
        (
            [network(loss="huber"), network(loss="quantile(0.1, 0.2, 0.3)")],
            ValueError,
            r"networks\[1\] has loss",
        ),
        (
            [network(), network(classes=LABELS)],
            ValueError,
            r"networks\[1\] has classes 'a', 'b', 'c', networks\[0\] 0",
        ),
        (
            [network(feature_names=list("abcdef")), network(feature_names=list("fbcdea"))],
            ValueError,
            r"networks\[1\] has feature_names \('f', 'b'",
        ),
        (
            [network(target_names=["y"]), network(target_names=["z"])],
            ValueError,
            r"networks\[1\] has target_names \('z',\), networks\[0\] \('y',\)",
        ),
    ],
)
def test_networks_that_do_not_go_together_are_refused(
    nets: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fastmlp.Ensemble(nets)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1, 2], ValueError, r"weights must be 5 numbers, one a network, got shape \(2,\)"),
        ([1, 2, -1, 0, 0], ValueError, "weights must be at least 0, got -1 at place 2"),
        ([0] * 5, ValueError, "weights must be greater than 0 somewhere, got zeros only"),
        ([1, np.nan, 1, 1, 1], ValueError, "weights"),
        ([1, np.inf, 1, 1, 1], ValueError, "weights"),
        (["a"] * 5, TypeError, "weights"),
        (3, ValueError, "weights must be 5 numbers"),
    ],
)
def test_wrong_weights_are_refused(weights: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.Ensemble(networks(), weights)


def test_huge_and_tiny_weights_are_normalised() -> None:
    for weights in ([1e308] * 5, [5e-324] * 5, [1e-300, 1e300, 1, 1, 1]):
        ensemble = fastmlp.Ensemble(networks(), weights)
        assert ensemble.weights.sum() == pytest.approx(1)
        assert np.isfinite(ensemble.forward(rows(3))).all()


def test_wrong_rows_are_refused_as_by_a_network() -> None:
    ensemble = fastmlp.Ensemble(networks())
    with pytest.raises(ValueError, match="X must have 6 columns"):
        ensemble.predict(rows(3, 5))
    with pytest.raises(ValueError, match="X"):
        ensemble.predict(np.full((2, 6), np.nan))
    with pytest.raises(TypeError, match="return_std must be True or False, got 'yes'"):
        ensemble.predict(rows(3), return_std="yes")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="predict_proba needs loss"):
        fastmlp.Ensemble(networks("hinge")).predict_proba(rows(3))
