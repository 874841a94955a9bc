"""Label smoothing, schedules of all kinds, and rates of groups of parameters, against the reference."""

from __future__ import annotations

import io
import math
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import fastmlp
import reference as ref
from fastmlp import Cosine, CosLog, FlatCos, RateFactors
from problems import Case, check_training, make_problem, network, train, train_options

DTYPES = ("float32", "float64")
SMOOTHED = ("softmax_cross_entropy(0.1)", "binary_cross_entropy(0.25)")

# ------------------------------------------------------------------------------------------- label smoothing


def pytorch_cross_entropy(z: np.ndarray, q: np.ndarray, smoothing: float) -> np.ndarray:
    """The loss of each row, as torch.nn.CrossEntropyLoss(label_smoothing=...) documents and computes it.

    The loss by the targets times 1 - e, and e / K times the sum over the K classes of -log p.
    """
    log_p = ref.log_softmax(z)
    return (1 - smoothing) * -(q * log_p).sum(axis=1) + smoothing / z.shape[1] * -log_p.sum(axis=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outputs", [2, 3, 8, 17])
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_the_smoothed_loss_is_pytorchs(isa: str, kind: str, outputs: int, dtype: str) -> None:
    rng = np.random.default_rng(outputs)
    X, labels = rng.normal(size=(37, 5)).astype(dtype), rng.permutation(np.arange(37) % outputs)
    q = (
        ref.one_hot(labels, outputs)
        if kind == "labels"
        else rng.multinomial(64, np.ones(outputs) / outputs, 37) / 64
    )
    net = fastmlp.Network((5, 4, outputs), loss="softmax_cross_entropy(0.3)", dtype=dtype)
    a = np.maximum(X @ net.weights[0], 0).astype(float)
    z = a @ net.weights[1].astype(float)
    loss, gradient = net.loss_and_gradient(X, labels if kind == "labels" else q)
    tolerance = 64 * float(np.finfo(dtype).eps)
    assert loss == pytest.approx(pytorch_cross_entropy(z, q, 0.3).mean(), rel=tolerance)
    delta = (ref.softmax(z) - (0.7 * q + 0.3 / outputs)) / 37
    np.testing.assert_allclose(gradient[-outputs:], delta.sum(axis=0), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "outputs", "rows"),
    [(SMOOTHED[0], 3, 40), (SMOOTHED[0], 30, 40), (SMOOTHED[1], 1, 33), (SMOOTHED[1], 5, 33)],
)
def test_training_on_smoothed_labels(
    isa: str, loss: str, outputs: int, rows: int, weighted: bool, dtype: str
) -> None:
    check_training(
        Case(
            sizes=(6, 19, outputs), loss=loss, rows=rows, batch_size=16, epochs=3, validation_rows=11,
            weighted=weighted, dtype=dtype, l2=0.01,
        )
    )  # fmt: skip


@pytest.mark.parametrize("loss", SMOOTHED)
def test_every_view_of_a_smoothed_loss_says_the_same(loss: str) -> None:
    """The core, the graph in gates, numeric differentiation and the trace."""
    case = Case(sizes=(4, 5, 3), loss=loss, rows=12)
    problem = make_problem(case)
    net = network(case, problem)
    value, gradient = net.loss_and_gradient(problem.X, problem.y)
    graph = fastmlp.graph.from_network(net, problem.X, problem.y)
    assert float(graph.value) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(graph.find("W0").grad.ravel(), gradient[:20], atol=1e-12)
    assert fastmlp.gradcheck(net, problem.X, problem.y).passed
    trace = net.trace(problem.X[:1], problem.y[:1])
    with redirect_stdout(io.StringIO()) as stream:
        trace.show()
    text = stream.getvalue()
    kept, of_each = (0.9, 0.1 / 3) if "softmax" in loss else (0.75, 0.125)
    assert f"a2 - ({kept:g} y + {of_each:.4g})" in text
    (told,) = re.findall(r"^ {4}loss = .*?(?: {2,}|\n +)(\S+)$", text, re.MULTILINE)
    assert float(told) == pytest.approx(trace.loss, rel=1e-3)


def test_labels_that_are_not_smoothed_have_no_number(tmp_path: Path) -> None:
    for loss in ("softmax_cross_entropy", "binary_cross_entropy"):
        for text in (loss, f"{loss}(0)", f"{loss}(smoothing=0.0)"):
            assert fastmlp.Network((2, 3), loss=text).loss == loss
        smoothed = fastmlp.Network((2, 3), loss=f"{loss}(smoothing=0.1)")
        assert smoothed.loss == f"{loss}(0.1)"
        smoothed.save(tmp_path / "net.safetensors")
        assert fastmlp.load(tmp_path / "net.safetensors").loss == f"{loss}(0.1)"


def test_smoothing_by_nothing_changes_no_bit(isa: str) -> None:
    for loss, outputs in (("softmax_cross_entropy", 3), ("binary_cross_entropy", 2)):
        case = Case(sizes=(4, 7, outputs), loss=loss, rows=30, batch_size=8, epochs=2, dtype="float32")
        problem = make_problem(case)
        plain, zero = train(case, problem), train(case, problem, loss=f"{loss}(0)")
        assert plain.parameters.tobytes() == zero.parameters.tobytes()


@pytest.mark.parametrize(
    "loss", ["softmax_cross_entropy(1)", "binary_cross_entropy(-0.1)", "softmax_cross_entropy(nan)"]
)
def test_smoothing_out_of_range_is_refused(loss: str) -> None:
    with pytest.raises(ValueError, match=r"loss: the smoothing of \w+ must be at least 0 and below 1, got"):
        fastmlp.Network((2, 3), loss=loss)


# ------------------------------------------------------------------------------------------------- schedules

NEW = [
    ("CosLog", {}),
    ("CosLog", {"cycles": 2, "warmup": 1.5}),
    ("FlatCos", {}),
    ("FlatCos", {"flat": 0.0}),
    ("FlatCos", {"flat": 1.0}),
    ("FlatCos", {"flat": 0.3, "warmup": 2.0}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize(("name", "options"), NEW, ids=str)
def test_new_schedules_step_by_step(
    isa: str, name: str, options: dict[str, float], batch_size: int | None, dtype: str
) -> None:
    check_training(
        Case(
            rows=30, batch_size=batch_size, epochs=12, schedule=name, schedule_options=tuple(options.items()),
            dtype=dtype,
        )
    )  # fmt: skip


def rates(schedule: Any, epochs: int) -> np.ndarray:
    """A full batch makes every epoch a step."""
    X, y = np.ones((4, 2)), np.ones(4)
    net = fastmlp.train(
        X, y, hidden=(), optimizer="sgd", learning_rate=schedule, epochs=epochs, batch_size=None
    )
    return np.asarray(net.history["learning_rate"])


def test_cos_log_is_the_formula_of_its_authors() -> None:
    t = np.arange(64) / 64
    expected = 0.04 / 2 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t)))
    np.testing.assert_allclose(rates(CosLog(0.04), 64), expected, rtol=1e-9, atol=1e-15)


def test_flat_cos_is_the_formula_of_its_authors() -> None:
    t = np.arange(50) / 50
    expected = 0.04 * (1 + np.cos(np.pi * (np.maximum(1, 2 * t) - 1))) / 2
    np.testing.assert_allclose(rates(FlatCos(0.04), 50), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CosLog(0.1, cycles=0), "cycles must be at least 1"),
        (lambda: CosLog(0.1, cycles=2.5), "cycles must be an integer"),
        (lambda: FlatCos(0.1, flat=1.5), "flat must be"),
        (lambda: FlatCos(0.0), "rate must be"),
        (
            lambda: fastmlp.Adam(weight_decay=FlatCos()),
            r"weight_decay must be .* with a rate, as in FlatCos\(0.1\)",
        ),
        (lambda: fastmlp.Adam(weight_decay=fastmlp.ReduceOnPlateau(0.1)), "ReduceOnPlateau is for learning"),
        (lambda: fastmlp.Adam(weight_decay="high"), "weight_decay must be"),
        (lambda: rates_of_dropout(FlatCos(1.0)), "the rate of dropout must be"),
        (lambda: rates_of_dropout(Cosine(0.1, final=1.0)), "the final rate of dropout must be"),
        (
            lambda: rates_of_dropout(fastmlp.ReduceOnPlateau(0.1)),
            "dropout must be a number or another schedule",
        ),
        (lambda: rates_of_dropout(CosLog()), "dropout must be a number or a schedule with a rate"),
        (lambda: RateFactors(bias=-1), "bias must be at least 0"),
        (lambda: RateFactors(scale=math.inf), "scale must be"),
        (lambda: RateFactors(fan_in="yes"), "fan_in must be"),
        (lambda: fastmlp.SGD(rate_factors={"bias": 0.1}), r"rate_factors must be a RateFactors, such as"),
        (
            lambda: fastmlp.train(
                [[1.0]], [1.0], learning_rate=1e30, optimizer=fastmlp.SGD(rate_factors=RateFactors(bias=1e20))
            ),
            "rate_factors times the rate must be at most .* in float32",
        ),
    ],
)
def test_wrong_arguments_are_named(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def rates_of_dropout(dropout: Any) -> None:
    fastmlp.train([[1.0]], [1.0], dropout=dropout)


# ---------------------------------------------------------------------- dropout, decay, rates of groups

OPTIONS: dict[str, dict[str, Any]] = {
    "dropout": {"optimizer": "adam", "dropout": FlatCos(0.4)},
    "dropout with warm-up": {"dropout": Cosine(0.5, final=0.1, warmup=1.0)},
    "decay": {"optimizer": "adam", "optimizer_options": (("weight_decay", FlatCos(0.5)),)},
    "decay and rate": {
        "optimizer": "adam",
        "optimizer_options": (("weight_decay", CosLog(0.5, cycles=1)),),
        "schedule": "CosLog",
        "clip_norm": 0.5,
    },
    "sgd": {"optimizer_options": (("rate_factors", RateFactors(0.5, 0.1, fan_in=True)),), "l2": 0.01},
    "momentum": {"optimizer_options": (("momentum", 0.9), ("rate_factors", RateFactors(bias=0.1)))},
    "nesterov": {
        "optimizer_options": (
            ("momentum", 0.9),
            ("nesterov", True),
            ("rate_factors", RateFactors(bias=3.0, fan_in=True)),
        )
    },
    "normalized": {"optimizer_options": (("normalized", True), ("rate_factors", RateFactors(bias=0.1)))},
    "rmsprop": {
        "optimizer": "rmsprop",
        "optimizer_options": (("rate_factors", RateFactors(2.0, fan_in=True)),),
    },
    "adagrad": {"optimizer": "adagrad", "optimizer_options": (("rate_factors", RateFactors(bias=0.0)),)},
    "adam": {
        "optimizer": "adam",
        "optimizer_options": (("weight_decay", 0.3), ("rate_factors", RateFactors(0.5, 0.1, fan_in=True))),
    },
    "everything": {
        "loss": "softmax_cross_entropy(0.1)",
        "optimizer": "adam",
        "optimizer_options": (
            ("weight_decay", FlatCos(0.02)),
            ("rate_factors", RateFactors(bias=0.1, fan_in=True)),
        ),
        "dropout": FlatCos(0.15),
        "schedule": "CosLog",
        "clip_norm": 0.7,
        "l2": 0.01,
        "weighted": True,
        "validation_rows": 20,
    },
}


def case_of(name: str, **options: Any) -> Case:
    return Case(**{"sizes": (6, 33, 17, 3), "rows": 75, "batch_size": 20, "epochs": 4, "learning_rate": 0.02,
                   **OPTIONS[name], **options})  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIONS)
def test_training_equals_the_reference(isa: str, name: str, dtype: str) -> None:
    check_training(case_of(name, dtype=dtype))


@pytest.mark.parametrize("name", ["dropout", "decay and rate", "adam", "everything"])
def test_gradients_in_parts_of_the_batch(isa: str, name: str) -> None:
    """Many activations for each parameter: the gradients of parts are stored and added."""
    check_training(
        case_of(name, sizes=(6, 40, 30, 3), rows=2100, batch_size=2048, epochs=2, validation_rows=0)
    )


def bits(net: fastmlp.Network) -> tuple[bytes, bytes]:
    return net.parameters.tobytes(), np.asarray(net.history["loss"]).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(6, 33, 17, 3), (6, 40, 30, 3)])
@pytest.mark.parametrize("name", ["sgd", "everything"])
def test_the_bits_do_not_depend_on_threads(
    isa: str, exact_threads: None, name: str, sizes: tuple[int, ...], dtype: str
) -> None:
    case = case_of(
        name, sizes=sizes, rows=3000, batch_size=1500 if sizes[1] == 40 else 64, dtype=dtype, epochs=2
    )
    problem = make_problem(case)
    assert len({bits(train(case, problem, threads=threads)) for threads in (1, 2, 3)}) == 1


@pytest.mark.parametrize("name", ["sgd", "adam", "decay"])
def test_a_batch_in_shards_is_the_batch(isa: str, name: str) -> None:
    """Of all rows in order, but for rounding."""
    case = case_of(name, rows=64, batch_size=None, epochs=5)
    problem = make_problem(case)
    one, sharded = train(case, problem), train(case, problem, shards=4)
    np.testing.assert_allclose(sharded.parameters, one.parameters, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["dropout", "decay", "everything"])
def test_a_spec_of_many_has_the_bits_of_a_fit_alone(name: str) -> None:
    case = case_of(name, validation_rows=0, weighted=False)
    problem = make_problem(case)
    given = train_options(case)
    arguments = {key: given[key] for key in ("loss", "dropout", "learning_rate", "optimizer")}
    alone = fastmlp.train(problem.X, problem.y, hidden=(8,), epochs=3, **arguments)
    runs = fastmlp.train_many(
        problem.X, problem.y, [arguments, {**arguments, "dropout": 0.1}], hidden=(8,), epochs=3
    )
    assert bits(runs[0]) == bits(alone)


def test_biases_with_a_factor_of_zero_stay(isa: str) -> None:
    case = case_of("adam", optimizer_options=(("rate_factors", RateFactors(bias=0.0)),))
    problem = make_problem(case)
    net = train(case, problem)
    for b, (_, first) in zip(net.biases, problem.layers, strict=True):
        np.testing.assert_array_equal(b, first)


def test_fan_in_is_the_ntk_parametrisation(isa: str) -> None:
    """Plain steps of V in x V / sqrt(I) + b are steps of W = V / sqrt(I) whose rate is divided by I."""
    rng = np.random.default_rng(0)
    X, y, V = rng.normal(size=(20, 9)), rng.normal(size=20), rng.normal(size=9)
    net = fastmlp.train(
        X, y, hidden=(), init=[(V[:, None] / 3, np.zeros(1))], epochs=10, batch_size=None, dtype="float64",
        optimizer=fastmlp.SGD(rate_factors=RateFactors(fan_in=True)), learning_rate=0.1,
    )  # fmt: skip
    b = 0.0
    for _ in range(10):
        r = X @ V / 3 + b - y
        V, b = V - 0.1 * (X / 3).T @ r / 20, b - 0.1 * r.mean()
    np.testing.assert_allclose(net.weights[0][:, 0], V / 3, rtol=1e-10)
    np.testing.assert_allclose(net.biases[0], b, rtol=1e-10)


@pytest.mark.parametrize("clip_norm", [None, 1e9])
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tables_of_embeddings_learn_at_their_own_rate(
    isa: str, dtype: str, shards: int, clip_norm: float | None
) -> None:
    """One step: w - rate (factor) g, without fan-in; and their decay goes with their factor."""
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.normal(size=40), np.arange(40) % 5]).astype(dtype)
    y = rng.normal(size=40)
    start = fastmlp.Network((2, 6, 1), loss="squared_error", embeddings=[(1, 5, 3)], dtype=dtype)

    def step(optimizer: Any) -> fastmlp.Network:
        return fastmlp.train(
            X, y, hidden=(6,), init=start, embeddings=[(1, 5, 3)], epochs=1, batch_size=None, dtype=dtype,
            optimizer=optimizer, learning_rate=0.1, shards=shards, clip_norm=clip_norm,
        )  # fmt: skip

    _, gradient = start.loss_and_gradient(X, y)
    factors = RateFactors(weight=2.0, bias=0.5, embedding=0.25, fan_in=True)
    net = step(fastmlp.SGD(rate_factors=factors))
    W0, b0, E = (4 * 6, 6, 15)
    expected = np.concatenate(
        [np.full(W0, 0.2 / 4), np.full(b0, 0.05), np.full(6, 0.2 / 6), np.full(1, 0.05), np.full(E, 0.025)]
    )
    tolerance = 16 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(net.parameters, start.parameters - expected * gradient, atol=tolerance)

    decayed = step(fastmlp.Adam(weight_decay=0.5, rate_factors=factors)).tables[0]
    plain = step(fastmlp.Adam(rate_factors=factors)).tables[0]
    np.testing.assert_allclose(plain - decayed, 0.1 * 0.25 * 0.5 * start.tables[0], atol=tolerance)


# --------------------------------------------------------------------------- checkpoints, and other faces


class Stopped(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("name", ["dropout", "decay and rate", "momentum", "everything"])
def test_a_run_that_goes_on_is_the_run_that_was_never_stopped(isa: str, name: str, tmp_path: Path) -> None:
    def stop(net: fastmlp.Network) -> None:
        if len(net.history) == 2:
            raise Stopped

    case = case_of(name)
    problem = make_problem(case)
    whole = train(case, problem)
    with pytest.raises(Stopped):
        train(case, problem, checkpoint=tmp_path, callbacks=[stop])
    assert bits(train(case, problem, resume=tmp_path)) == bits(whole)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dropout": FlatCos(0.2)}, r"dropout='FlatCos\(rate=0.1, .*, this one dropout='FlatCos\(rate=0.2,"),
        ({"dropout": 0.1}, "this one dropout=0.1"),
        ({"optimizer": fastmlp.Adam(weight_decay=FlatCos(0.3))}, "optimizer="),
        ({"optimizer": fastmlp.Adam(rate_factors=RateFactors(bias=0.1))}, r"RateFactors\(.*bias=0.1"),
        ({"loss": "softmax_cross_entropy(0.2)"}, r"loss='softmax_cross_entropy\(0.2\)'"),
    ],
)
def test_a_checkpoint_of_other_options_is_not_gone_on_with(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    X, y = np.eye(4), [0, 1, 0, 1]
    options: dict[str, Any] = {"hidden": (3,), "epochs": 2, "dropout": FlatCos(0.1)}
    fastmlp.train(X, y, checkpoint=tmp_path, **options)
    with pytest.raises(ValueError, match=f"resume: the run of .* has .*{message}"):
        fastmlp.train(X, y, resume=tmp_path, **options | changed)


def test_optimizers_without_factors_are_written_as_before() -> None:
    """Checkpoints compare these texts."""
    assert repr(fastmlp.SGD()) == "SGD(momentum=0.0, nesterov=False, normalized=False)"
    assert repr(fastmlp.Adam()) == "Adam(beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0)"
    assert eval(repr(fastmlp.Adam(rate_factors=RateFactors(bias=0.1))), vars(fastmlp)) == fastmlp.Adam(
        rate_factors=RateFactors(bias=0.1)
    )


def test_estimators_take_schedules_and_factors() -> None:
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    arguments: dict[str, Any] = {
        "solver": fastmlp.Adam(weight_decay=FlatCos(0.02), rate_factors=RateFactors(bias=0.1)),
        "learning_rate": CosLog(0.04),
        "dropout": FlatCos(0.15),
        "random_state": 0,
        "max_iter": 5,
        "n_iter_no_change": math.inf,
    }
    with pytest.warns(ConvergenceWarning):
        model = fastmlp.MLPClassifier((8,), **arguments).fit(X, y)
    assert model.n_iter_ == 5
    with pytest.warns(ConvergenceWarning):
        other = fastmlp.MLPClassifier((8,), **arguments | {"dropout": 0.0}).fit(X, y)
    assert (model.coefs_[0] != other.coefs_[0]).any()
    with pytest.raises(ValueError, match="dropout must be a number or a schedule with a rate"):
        fastmlp.MLPClassifier(dropout=FlatCos()).fit(X, y)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("flat_cos(0.15)", FlatCos(0.15)), ("cos_log(0.2)", CosLog(0.2)), ("0.25", 0.25), (0.5, 0.5)],
)
def test_the_command_line_reads_dropout(text: str, expected: Any) -> None:
    from fastmlp._cli.option_values import read_dropout

    assert read_dropout(text) == expected


def test_the_command_line_reads_rates_and_decays() -> None:
    from fastmlp._cli.option_values import read_dropout, read_learning_rate, read_optimizer

    assert read_learning_rate("cos_log(0.04)") == CosLog(0.04)
    assert read_optimizer("adamw(flat_cos(0.02))") == fastmlp.Adam(weight_decay=FlatCos(0.02))
    with pytest.raises(ValueError, match=r"--dropout must be a number, .* or flat_cos"):
        read_dropout("much")
    with pytest.raises(ValueError, match="--optimizer: the weight decay must be a number of at least 0"):
        read_optimizer("adamw(flat_cos(-1))")
