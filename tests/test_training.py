"""Training equals the plain NumPy reference, epoch by epoch and step by step, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
import reference as ref
import reference_training as training
from problems import Case, check_training, make_problem, prepared, random_case, train

pytestmark = pytest.mark.usefixtures("isa")

ACTIVATIONS = tuple(ref.ACTIVATIONS)
ALL_LOSSES = (*ref.LOSSES, "huber(0.5)", "huber(delta=1.5)", "quantile(0.9)", "quantile(q=0.2)")
DTYPES = ("float32", "float64")


# --------------------------------------------------------------------------------------------- whole networks


@pytest.mark.parametrize("first", range(0, 150, 10))
def test_one_epoch_of_a_random_network(first: int) -> None:
    for index in range(first, first + 10):
        check_training(random_case(index))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ref.LOSSES)
def test_each_loss_with_each_hidden_activation(loss: str, dtype: str) -> None:
    for activation in ACTIVATIONS:
        case = Case(
            sizes=(5, 9, 6, 4),
            activation=activation,
            loss=loss,
            rows=23,
            batch_size=8,
            learning_rate=0.05,
            dtype=dtype,
            weighted=True,
            l2=0.01,
        )
        check_training(case)


@pytest.mark.parametrize("loss", [name for name in ALL_LOSSES if name not in ref.AUTO_OUTPUT])
def test_each_free_loss_with_each_output_activation(loss: str) -> None:
    for output in ACTIVATIONS:
        check_training(Case(sizes=(3, 8, 5), loss=loss, output_activation=output, rows=30, batch_size=13))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [1, 2, 7, 8, 9, 16, 31, 32, 33, 64, 127, 128, 299, 300, 301, None])
def test_each_batch_size_with_a_smaller_last_batch(batch_size: int | None, dtype: str) -> None:
    rows = 20 if batch_size == 1 else 300
    check_training(Case(sizes=(11, 17, 3), rows=rows, batch_size=batch_size, learning_rate=0.02, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "width", [*range(1, 20), 23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 130]
)
def test_each_width_in_each_place(width: int, dtype: str) -> None:
    """Tile edges: the same odd width as inputs, hidden units, outputs and rows."""
    sizes = (width, width, width)
    check_training(Case(sizes=sizes, rows=width, dtype=dtype, learning_rate=0.5 / width, epochs=2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_everything_at_once(dtype: str) -> None:
    check_training(
        Case(
            sizes=(13, 40, 21, 18, 9, 5),
            activation=("gelu", "tanh", "silu", "elu"),
            loss="softmax_cross_entropy",
            rows=150,
            validation_rows=37,
            weighted=True,
            optimizer="adam",
            optimizer_options=(("weight_decay", 0.05),),
            learning_rate=0.01,
            schedule="Cosine",
            schedule_options=(("warmup", 1.0),),
            batch_size=32,
            epochs=3,
            l2=0.01,
            dropout=0.2,
            clip_norm=0.7,
            dtype=dtype,
        )
    )


# ------------------------------------------------------------------------------------------------- optimizers

OPTIMIZERS = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("sgd", {"normalized": True}),
    ("sgd", {"normalized": True, "momentum": 0.5}),
    ("rmsprop", {}),
    ("rmsprop", {"rho": 0.5, "eps": 1e-4}),
    ("adagrad", {}),
    ("adagrad", {"eps": 1e-3}),
    ("adam", {}),
    ("adam", {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}),
    ("adam", {"weight_decay": 0.3}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip_norm", [None, 0.3])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_each_optimizer_step_by_step(
    name: str, options: dict[str, float], clip_norm: float | None, dtype: str
) -> None:
    """A full batch makes every epoch one step, and every epoch is compared: 25 steps."""
    check_training(
        Case(
            sizes=(6, 11, 3),
            rows=20,
            epochs=25,
            optimizer=name,
            optimizer_options=tuple(options.items()),
            learning_rate=0.02,
            clip_norm=clip_norm,
            l2=0.02,
            dtype=dtype,
        )
    )


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adagrad", "adam"])
def test_optimizers_in_mini_batches(name: str) -> None:
    check_training(
        Case(sizes=(6, 33, 17, 3), rows=75, batch_size=10, epochs=4, optimizer=name, learning_rate=0.01)
    )


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adagrad", "adam", "adamw"])
def test_default_options_and_rates_by_name(name: str) -> None:
    case = Case(rows=12)
    problem = make_problem(case)
    net = train(case, problem, optimizer=name, learning_rate=None)
    optimizer = training.make_optimizer(name)
    run = training.train_reference(case.model, problem.layers, problem.X, problem.Y, optimizer=optimizer)
    np.testing.assert_allclose(net.parameters, run.parameters[-1], rtol=1e-12, atol=1e-14)
    assert net.history["learning_rate"][0] == optimizer.default_rate


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("scale", [1e20, 1e-25])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_norm_of_a_gradient_whose_squares_fit_no_float32(
    scale: float, dtype: str, normalized: bool
) -> None:
    X = scale * np.array([[1.0, 2], [-1, -2], [3, 1], [-3, -1]])
    net = fastmlp.train(
        X, np.array([1.0, -1, 1, -1]), hidden=(), init="zeros", loss="absolute_error", epochs=1, dtype=dtype,
        optimizer=fastmlp.SGD(normalized=normalized), learning_rate=0.1,
        clip_norm=None if normalized else scale / 1000,
    )  # fmt: skip
    expected = 0.1 if normalized else scale / 10000
    assert np.linalg.norm(net.parameters.astype(float)) == pytest.approx(expected, rel=1e-6)


def test_a_clip_that_is_never_reached_changes_nothing() -> None:
    case = Case(rows=12, epochs=3)
    problem = make_problem(case)
    free, clipped = train(case, problem), train(case, problem, clip_norm=1e6)
    np.testing.assert_allclose(clipped.parameters, free.parameters, rtol=1e-14)


def test_normalized_steps_have_the_length_of_the_rate() -> None:
    case = Case(rows=12, epochs=4, optimizer_options=(("normalized", True),), learning_rate=0.01)
    problem, seen = make_problem(case), []
    train(case, problem, callbacks=[lambda net: seen.append(net.parameters.copy())])
    path = np.array([ref.flatten(problem.layers), *seen])
    np.testing.assert_allclose(np.linalg.norm(np.diff(path, axis=0), axis=1), 0.01, rtol=1e-10)


@pytest.mark.parametrize("normalized", [False, True])
def test_a_zero_gradient_moves_nothing(normalized: bool) -> None:
    X = np.ones((4, 2))
    net = fastmlp.train(
        X,
        np.zeros(4),
        hidden=(3,),
        init=[(np.ones((2, 3)), np.zeros(3)), (np.zeros((3, 1)), np.zeros(1))],
        optimizer=fastmlp.SGD(normalized=normalized),
        learning_rate=1.0,
        epochs=3,
        dtype="float64",
    )
    np.testing.assert_array_equal(net.weights[0], np.ones((2, 3)))
    np.testing.assert_array_equal(net.weights[1], np.zeros((3, 1)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_lbfgs_solves_ridge_regression(dtype: str) -> None:
    """A linear model with squared error has one minimum, known in closed form."""
    rng = np.random.default_rng(4)
    X, y, l2 = rng.normal(size=(50, 6)), rng.normal(size=50), 0.1
    centred = X - X.mean(axis=0)
    W = np.linalg.solve(centred.T @ centred / 50 + l2 * np.eye(6), centred.T @ (y - y.mean()) / 50)
    net = fastmlp.train(X.astype(dtype), y, hidden=(), optimizer="lbfgs", l2=l2, epochs=200, dtype=dtype)
    tolerance = 1e-3 if dtype == "float32" else 1e-4
    np.testing.assert_allclose(net.weights[0][:, 0], W, atol=tolerance)
    np.testing.assert_allclose(net.biases[0][0], y.mean() - X.mean(axis=0) @ W, atol=tolerance)


# -------------------------------------------------------------------------------------------------- schedules

SCHEDULES = [
    ("Constant", {"warmup": 1.5}),
    ("InverseScaling", {}),
    ("InverseScaling", {"power": 1.0, "warmup": 2.0}),
    ("StepDecay", {"every": 2, "factor": 0.5}),
    ("StepDecay", {"every": 3, "factor": 0.3, "warmup": 1.0}),
    ("Cosine", {}),
    ("Cosine", {"final": 0.01, "warmup": 2.0}),
    ("Cosine", {"warmup": 20.0}),
    ("OneCycle", {}),
    ("OneCycle", {"rise": 0.5, "start_factor": 0.1, "final_factor": 0.01, "warmup": 1.0}),
    ("ReduceOnPlateau", {"patience": 1, "factor": 0.5}),
    ("ReduceOnPlateau", {"patience": 0, "threshold": 0.2, "factor": 0.7, "min_rate": 0.03, "warmup": 0.5}),
]


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=str)
def test_each_schedule_step_by_step(name: str, options: dict[str, float], batch_size: int | None) -> None:
    check_training(
        Case(
            rows=30,
            batch_size=batch_size,
            epochs=12,
            learning_rate=0.1,
            schedule=name,
            schedule_options=tuple(options.items()),
        )
    )


def test_plateau_watches_the_validation_loss() -> None:
    """Targets of the validation rows are noise, so their loss rises while the training loss falls."""
    case = Case(
        sizes=(8, 20, 1),
        rows=24,
        validation_rows=12,
        epochs=15,
        schedule="ReduceOnPlateau",
        schedule_options=(("patience", 1), ("factor", 0.5)),
    )
    _, run = prepared(case)
    assert len(set(run.learning_rate)) > 2
    assert (np.diff(run.loss) < 0).all()
    check_training(case)


def test_reduce_on_plateau_asks_losses_below_zero_to_fall_too() -> None:
    """By the losses of the run: better is below best - threshold |best|."""
    X, y = np.ones((20, 1)), np.full(20, 20.0)
    threshold, patience, factor = 0.2, 1, 0.5
    plan = fastmlp.ReduceOnPlateau(0.002, factor=factor, patience=patience, threshold=threshold)
    net = fastmlp.train(
        X,
        y,
        hidden=(),
        loss="poisson",
        optimizer="sgd",
        learning_rate=plan,
        epochs=40,
        init="zeros",
        dtype="float64",
    )
    rate, best, bad, expected = 0.002, np.inf, 0, []
    for loss in net.history["loss"]:
        expected.append(rate)
        if best == np.inf or loss < best - threshold * abs(best):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            rate, bad = rate * factor, 0
    assert net.history["loss"][0] > 0 > net.history["loss"][-1]
    assert len(set(expected)) > 2
    np.testing.assert_allclose(net.history["learning_rate"], expected, rtol=1e-12)
    falling = np.diff(net.history["loss"]) < 0
    assert falling.all()  # by best (1 - threshold) each of these epochs below 0 would count as better


@pytest.mark.parametrize(
    "name", ["Constant", "InverseScaling", "StepDecay", "Cosine", "OneCycle", "ReduceOnPlateau"]
)
def test_a_schedule_without_a_rate_takes_the_optimizers(name: str) -> None:
    case = Case(rows=12)
    net = train(
        case, make_problem(case), optimizer="adagrad", learning_rate=getattr(fastmlp, name)(warmup=0.0)
    )
    plan = training.Schedule(name, training.Adagrad.default_rate, steps=1, epochs=1)
    np.testing.assert_allclose(net.history["learning_rate"], [plan.at(0)], rtol=1e-12)


# ---------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "hinge"])
def test_class_weight_is_a_sample_weight_by_label(loss: str) -> None:
    case = Case(loss=loss, rows=30, batch_size=8, epochs=2)
    problem = make_problem(case)
    by_class = {0: 0.5, 1: 2.0, 2: 1.25}
    by_row = np.array([by_class[label] for label in problem.y])
    net = train(case, problem, class_weight=by_class)
    np.testing.assert_array_equal(net.parameters, train(case, problem, sample_weight=by_row).parameters)
    both = train(case, problem, class_weight=by_class, sample_weight=by_row)
    np.testing.assert_array_equal(both.parameters, train(case, problem, sample_weight=by_row**2).parameters)


@pytest.mark.parametrize("loss", ref.LOSSES)
def test_a_row_of_weight_zero_does_not_count(loss: str) -> None:
    """In one batch with others; the loss of the epoch and the gradient are means by weight."""
    case = Case(sizes=(4, 7, 4), loss=loss, rows=32, l2=0.1)
    problem = make_problem(case)
    weight = np.ones(32)
    weight[20:] = 0.0
    weighted = train(case, problem, sample_weight=weight)
    problem.X, problem.y = problem.X[:20], problem.y[:20]
    fewer = train(case, problem)
    np.testing.assert_allclose(weighted.parameters, fewer.parameters, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(weighted.history["loss"], fewer.history["loss"], rtol=1e-12)


# -------------------------------------------------------------------------------------------------- quantiles


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_quantiles_are_an_output_each(dtype: str) -> None:
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(40, 5)), rng.normal(size=40)
    loss = "quantile(0.1, 0.5, 0.8)"
    net = fastmlp.Network((5, 7, 3), activation="tanh", loss=loss, dtype=dtype)
    layers = [(W.astype(float), b.astype(float)) for W, b in zip(net.weights, net.biases, strict=True)]
    targets = np.repeat(y[:, None], 3, axis=1)
    want = ref.Model(["tanh"], loss).loss_and_gradient(layers, X, targets)
    value, gradient = net.loss_and_gradient(X, y)
    assert value == pytest.approx(want.loss, rel=1e-5 if dtype == "float32" else 1e-12)
    np.testing.assert_allclose(gradient, ref.flatten(want.gradient), rtol=1e-4, atol=1e-6)


def test_predicted_quantiles_never_cross_and_cover_what_they_promise() -> None:
    rng = np.random.default_rng(4)
    X = rng.uniform(-2, 2, (3000, 1))
    y = np.sin(X[:, 0]) + (0.2 + 0.3 * np.abs(X[:, 0])) * rng.normal(size=3000)
    net = fastmlp.train(X, y, loss="quantile(0.05, 0.5, 0.95)", hidden=(32,), epochs=60, learning_rate=0.01)
    quantiles = net.predict(X)
    assert (np.diff(net.predict(X * 50), axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, None] < quantiles).mean(axis=0), [0.05, 0.5, 0.95], atol=0.05)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("quantile(0.5, 0.1)", "several quantiles must increase"),
        ("quantile(0.5, 1)", "q of quantile must be between 0 and 1"),
        ("quantile(0.1, )", "must be like 'quantile\\(0.5\\)'"),
        ("huber(1, 2)", "must be like 'huber\\(1\\)'"),
    ],
)
def test_wrong_quantiles_are_refused(loss: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fastmlp.train(np.zeros((4, 1)), np.zeros(4), loss=loss)


def test_several_quantiles_are_of_one_target() -> None:
    with pytest.raises(ValueError, match=r"y must have shape \(n,\) for a loss of several quantiles"):
        fastmlp.train(np.zeros((4, 1)), np.zeros((4, 2)), loss="quantile(0.1, 0.9)")
    with pytest.raises(ValueError, match="layer_sizes must end with 2 outputs"):
        fastmlp.Network((3, 1), loss="quantile(0.1, 0.9)")
