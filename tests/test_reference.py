"""The reference itself, without the core: published vectors, difference quotients and plain facts."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import reference as ref
import reference_random as rnd
import reference_training as training
from fastmlp.spec import ACTIVATIONS
from formulas import far_out

# --------------------------------------------------------------------------------------------- random numbers


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # known answers for philox4x32 with 10 rounds, published with Random123
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_known_answers(counter: str, key: str, expected: str) -> None:
    low, high = (int(word, 16) for word in key.split())
    got = rnd.philox(np.array([int(word, 16) for word in counter.split()]), low | high << 32)
    assert " ".join(f"{word:08x}" for word in got) == expected


def test_word_sequence_is_the_words() -> None:
    source = rnd.word_sequence(7, rnd.SHUFFLE, 3)
    assert [next(source) for _ in range(1003)] == rnd.words(7, rnd.SHUFFLE, 3, 1003).tolist()


def test_streams_substreams_and_seeds_do_not_share_words() -> None:
    seeds = (0, 1, 2**32, 2**64 - 1)
    firsts = {tuple(rnd.words(*key, 4)) for key in product(seeds, range(4), range(3))}
    assert len(firsts) == 48


@pytest.mark.parametrize("n", [1, 2, 3, 10, 997])
def test_permutation_is_one(n: int) -> None:
    assert sorted(rnd.permutation(5, rnd.SHUFFLE, 0, n).tolist()) == list(range(n))


def test_every_permutation_is_equally_likely() -> None:
    orders = [tuple(rnd.permutation(seed, rnd.SHUFFLE, 0, 3).tolist()) for seed in range(3000)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert all(400 < count < 600 for count in counts)  # 500 expected, standard deviation 20


def test_below_rejects_the_words_that_would_bias() -> None:
    # n = 3: 2^32 = 3 * 1431655765 + 1, so exactly one word (0) of 2^32 must be drawn again.
    assert rnd.below(iter([0, 0xFFFFFFFF]), 3) == 2
    assert rnd.below(iter([1]), 3) == 0


def test_uniform_and_normal_moments() -> None:
    u = rnd.uniform01(11, rnd.INIT, 0, 40_001)
    z = rnd.standard_normal(11, rnd.INIT, 0, 40_001)
    assert len(u) == len(z) == 40_001
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() <= 1
    assert abs(u.mean() - 0.5) < 0.01
    assert abs(u.var() - 1 / 12) < 0.002
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02
    assert abs((z**3).mean()) < 0.06


def test_dropout_multiplier_keeps_the_mean_and_depends_on_each_counter() -> None:
    mask = rnd.dropout_multiplier(3, 0, 0, (301, 130), 0.25)
    assert set(np.unique(mask)) == {0.0, 1 / 0.75}
    assert abs(mask.mean() - 1) < 0.02
    for other in ({"seed": 4}, {"step": 1}, {"layer": 1}):
        arguments = {"seed": 3, "step": 0, "layer": 0, **other}
        assert (rnd.dropout_multiplier(shape=(301, 130), p=0.25, **arguments) != mask).mean() > 0.3
    np.testing.assert_array_equal(rnd.dropout_multiplier(3, 0, 0, (7, 5), 0.25), mask[:7, :5])


@pytest.mark.parametrize(
    ("scheme", "limit", "std"),
    [
        ("glorot_uniform", math.sqrt(6 / 500), math.sqrt(2 / 500)),
        ("glorot_normal", None, math.sqrt(2 / 500)),
        ("he_uniform", math.sqrt(6 / 300), math.sqrt(2 / 300)),
        ("he_normal", None, math.sqrt(2 / 300)),
        ("lecun_normal", None, math.sqrt(1 / 300)),
        ("uniform", 0.05, 0.05 / math.sqrt(3)),
        ("normal", None, 0.01),
    ],
)
def test_initial_weights_have_the_named_spread(scheme: str, limit: float | None, std: float) -> None:
    W = rnd.initial_weights(scheme, 300, 200, layer=0, seed=1)
    assert W.std() == pytest.approx(std, rel=0.01)
    assert abs(W.mean()) < 5 * std / math.sqrt(W.size)
    if limit is not None:
        assert 0.99 * limit < np.abs(W).max() <= limit


# ------------------------------------------------------------------------------------- activations and losses

Z = np.array([-1e4, -800.0, -40.0, -9.0, -2.0, -0.3, -1e-9, 1e-9, 0.5, 3.0, 40.0, 800.0, 1e4])


@pytest.mark.parametrize("name", ref.ACTIVATIONS)
def test_activation_slope_is_the_difference_quotient(name: str) -> None:
    z = np.linspace(-4, 4, 161) + 0.0131  # clear of the kink at 0
    f, h = ref.ACTIVATIONS[name][0], 1e-5
    np.testing.assert_allclose(ref.slope(name, z), (f(z + h) - f(z - h)) / (2 * h), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ref.ACTIVATIONS)
def test_activation_is_stable_far_out(name: str, dtype: type) -> None:
    z = Z.astype(dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, slope = ref.activate(name, z), ref.slope(name, z)
    assert value.dtype == slope.dtype == dtype
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()
    formula = ACTIVATIONS[name].formula
    assert value[[0, -1]].tolist() == pytest.approx([far_out(formula, -1e4), far_out(formula, 1e4)])


def test_activations_far_out_by_hand() -> None:
    ends = {
        "identity": (-1e4, 1e4),
        "leaky_relu": (-100.0, 1e4),
        "elu": (-1.0, 1e4),
        "tanh": (-1.0, 1.0),
        "sigmoid": (0.0, 1.0),
        **dict.fromkeys(("relu", "gelu", "silu", "softplus"), (0.0, 1e4)),
    }
    for name, (left, right) in ends.items():
        assert ref.activate(name, Z[[0, -1]]).tolist() == pytest.approx([left, right])


def test_kinked_slopes_at_zero() -> None:
    assert ref.slope("relu", np.zeros(1)) == 0
    one = np.ones((1, 1))
    assert ref.loss_slope("absolute_error", one, one, one, "identity") == 0
    assert ref.loss_slope("quantile(0.9)", one, one, one, "identity") == 0


def test_named_values() -> None:
    """A few numbers worked out by hand."""
    one = np.ones((1, 1))

    def value(loss: str, z: float, y: float) -> float:
        model = ref.Model([], loss)
        return model.loss_and_gradient([(np.array([[z]]), np.zeros(1))], one, np.array([[y]])).loss

    assert value("squared_error", 3.0, 1.0) == 2.0
    assert value("absolute_error", 3.0, 1.0) == 2.0
    assert value("huber", 1.5, 1.0) == 0.125
    assert value("huber", 3.0, 1.0) == 1.5
    assert value("huber(4)", 3.0, 1.0) == 2.0
    assert value("quantile(0.9)", 1.0, 3.0) == pytest.approx(1.8)
    assert value("quantile(0.9)", 3.0, 1.0) == pytest.approx(0.2)
    assert value("poisson", 0.0, 3.0) == 1.0
    assert value("binary_cross_entropy", 0.0, 1.0) == pytest.approx(math.log(2))
    scores = [(np.array([[2.0, 1.5, -3.0]]), np.zeros(3))]
    label = np.array([[0.0, 1.0, 0.0]])
    assert ref.Model([], "hinge").loss_and_gradient(scores, one, label).loss == 1.5
    expected = math.log(math.exp(2) + math.exp(1.5) + math.exp(-3)) - 1.5
    found = ref.Model([], "softmax_cross_entropy").loss_and_gradient(scores, one, label).loss
    assert found == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("loss", ref.LOSSES)
def test_losses_are_stable_far_out(loss: str) -> None:
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 30.0], [-1e4, -1e4, -1e4]])
    z = np.minimum(z, 700) if loss == "poisson" else z
    model = ref.Model([], loss)
    y = np.eye(3)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        a = ref.activate(model.output, z)
        rows, slope = ref.row_losses(loss, z, a, y), ref.loss_slope(loss, z, a, y, model.output)
    assert np.isfinite(rows).all()
    assert np.isfinite(slope).all()


def random_target(loss: str, rng: np.random.Generator, rows: int, outputs: int) -> np.ndarray:
    if loss == "hinge":
        return np.eye(outputs)[rng.integers(outputs, size=rows)]
    if loss == "softmax_cross_entropy":
        return rng.dirichlet(np.ones(outputs), rows)
    if loss == "binary_cross_entropy":
        return rng.random((rows, outputs))
    if loss == "poisson":
        return rng.poisson(2.0, (rows, outputs)).astype(float)
    return rng.normal(size=(rows, outputs))


OUTPUTS = [
    (loss, output)
    for loss in (*ref.LOSSES, "huber(0.3)", "quantile(0.8)")
    for output in (["auto"] if loss in ref.AUTO_OUTPUT else ref.ACTIVATIONS)
]


@pytest.mark.parametrize(("loss", "output"), OUTPUTS)
def test_gradient_is_the_difference_quotient(loss: str, output: str) -> None:
    rng = np.random.default_rng(1)
    sizes = (3, 4, 5, 2)
    model = ref.Model(["tanh", "silu"], loss, output, l2=0.07)
    X, Y = rng.normal(size=(6, 3)), random_target(loss, rng, 6, 2)
    weight, flat = rng.random(6), rng.normal(size=int(ref.is_weight(sizes).size))
    masks = [rnd.dropout_multiplier(1, 0, layer, (6, width), 0.3) for layer, width in enumerate(sizes[1:-1])]

    def loss_at(w: np.ndarray) -> float:
        return model.loss_and_gradient(ref.unflatten(w, sizes), X, Y, weight, masks).loss

    p = model.loss_and_gradient(ref.unflatten(flat, sizes), X, Y, weight, masks)
    assert p.kink > 1e-4
    h = 1e-6
    quotient = [(loss_at(flat + h * e) - loss_at(flat - h * e)) / (2 * h) for e in np.eye(flat.size)]
    np.testing.assert_allclose(ref.flatten(p.gradient), quotient, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("activation", ref.ACTIVATIONS)
def test_hidden_gradient_is_the_difference_quotient(activation: str) -> None:
    rng = np.random.default_rng(2)
    sizes = (3, 4, 4, 2)
    model = ref.Model([activation] * 2, "squared_error")
    X, Y, flat = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), 0.5 * rng.normal(size=46)
    p = model.loss_and_gradient(ref.unflatten(flat, sizes), X, Y)
    assert p.kink > 1e-4
    h = 1e-6
    quotient = [
        (
            model.loss_and_gradient(ref.unflatten(flat + h * e, sizes), X, Y).loss
            - model.loss_and_gradient(ref.unflatten(flat - h * e, sizes), X, Y).loss
        )
        / (2 * h)
        for e in np.eye(flat.size)
    ]
    np.testing.assert_allclose(ref.flatten(p.gradient), quotient, rtol=1e-7, atol=1e-8)


def test_flat_layout() -> None:
    sizes = (3, 4, 2)
    flat = np.arange(26.0)
    (W0, b0), (W1, b1) = ref.unflatten(flat, sizes)
    assert (W0.shape, b0.shape, W1.shape, b1.shape) == ((3, 4), (4,), (4, 2), (2,))
    assert W0[1, 0] == 4
    assert b0[0] == 12
    assert W1[0, 1] == 17
    np.testing.assert_array_equal(ref.flatten([(W0, b0), (W1, b1)]), flat)
    assert np.flatnonzero(~ref.is_weight(sizes)).tolist() == [12, 13, 14, 15, 24, 25]


# --------------------------------------------------------------------------------------------------- training


def test_clipping_keeps_the_direction() -> None:
    g = np.array([3.0, 4.0])
    np.testing.assert_allclose(training.clipped(g, 1.0), [0.6, 0.8])
    assert training.clipped(g, 5.0) is g
    assert training.clipped(g, None) is g


def test_first_steps_by_hand() -> None:
    w, g, weight = np.array([1.0, 1.0]), np.array([0.5, -0.25]), np.array([True, False])

    def step(name: str, rate: float = 0.1, **options: float) -> np.ndarray:
        optimizer = training.make_optimizer(name, **options)
        return optimizer.step(w, g, rate, rate * optimizer.weight_decay * weight)

    np.testing.assert_allclose(step("sgd"), w - 0.1 * g)
    np.testing.assert_allclose(step("sgd", momentum=0.9, nesterov=True), w - 0.1 * 1.9 * g)
    np.testing.assert_allclose(step("sgd", normalized=True), w - 0.1 * g / math.hypot(0.5, 0.25))
    np.testing.assert_allclose(step("rmsprop"), w - 0.1 * np.sign(g) / math.sqrt(0.1), rtol=1e-6)
    np.testing.assert_allclose(step("adagrad"), w - 0.1 * np.sign(g), rtol=1e-6)
    np.testing.assert_allclose(step("adam"), w - 0.1 * np.sign(g), rtol=1e-6)
    np.testing.assert_allclose(step("adamw"), [0.999 - 0.1, 1.1], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "rate"), [("sgd", 0.02), ("rmsprop", 0.02), ("adagrad", 0.2), ("adam", 0.02), ("adamw", 0.02)]
)
def test_every_optimizer_goes_downhill(name: str, rate: float) -> None:
    optimizer, w = training.make_optimizer(name), np.array([1.0, -2.0])
    for _ in range(400):
        w = optimizer.step(w, w * [1.0, 10.0], rate, rate * optimizer.weight_decay)
    assert np.abs(w).max() < 0.5


@pytest.mark.parametrize(
    ("name", "options", "rates"),
    [  # at the starts of epochs 0 .. 4 of 4
        ("Constant", {}, [1, 1, 1, 1, 1]),
        ("InverseScaling", {"power": 1.0}, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]),
        ("StepDecay", {"every": 2, "factor": 0.5}, [1, 1, 0.5, 0.5, 0.25]),
        (
            "CosLog",
            {},
            [0, *(0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * t)) for t in (0.25, 0.5, 0.75)), 0],
        ),
        ("FlatCos", {}, [1, 1, 1, 0.5, 0]),
        ("Cosine", {"final": 0.2}, [1, 0.6 + 0.2 * 2**0.5, 0.6, 0.6 - 0.2 * 2**0.5, 0.2]),
        ("OneCycle", {"rise": 0.5, "start_factor": 0.2, "final_factor": 0.1}, [0.2, 0.6, 1, 0.55, 0.1]),
        ("Constant", {"warmup": 2.0}, [0.1, 0.6, 1, 1, 1]),
        ("StepDecay", {"every": 1, "factor": 0.5, "warmup": 2.0}, [0.1, 0.6, 1, 0.5, 0.25]),
    ],
)
def test_schedules_by_hand(name: str, options: dict[str, float], rates: list[float]) -> None:
    plan = training.Schedule(name, 1.0, steps=5, epochs=4, **options)
    np.testing.assert_allclose([plan.at(5 * epoch) for epoch in range(5)], rates, rtol=1e-14)


def test_reduce_on_plateau_by_hand() -> None:
    plan = training.Schedule("ReduceOnPlateau", 1.0, steps=1, epochs=9, patience=1, factor=0.5, min_rate=0.2)
    rates = []
    for loss in [3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1]:
        plan.after_epoch(loss)
        rates.append(plan.at(0))
    assert rates == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]


def test_patience_by_hand() -> None:
    losses = [5.0, 4.0, 4.0, 3.9, 3.8, 3.7, 3.75, 3.8, 3.9]
    assert training.stopping_epoch(losses, 3) == 8
    assert training.stopping_epoch(losses, 4) is None
    assert training.stopping_epoch(losses, 3, min_delta=0.2) == 4
    assert training.best_epoch([3.0, 1.0, 2.0, 1.0]) == 1


def test_training_is_a_loop_of_steps() -> None:
    """One epoch of train_reference, written out."""
    rng = np.random.default_rng(3)
    X, Y = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    layers = [(rng.normal(size=(3, 4)), np.zeros(4)), (rng.normal(size=(4, 2)), np.zeros(2))]
    model = ref.Model(["tanh"], "squared_error", l2=0.1)
    run = training.train_reference(
        model, layers, X, Y, optimizer=training.SGD(), learning_rate=0.3, batch_size=3, seed=9, epochs=2
    )
    w, losses = ref.flatten(layers), []
    for epoch in range(2):
        order = rnd.permutation(9, rnd.SHUFFLE, epoch, 7)
        total = 0.0
        for rows in (order[:3], order[3:6], order[6:]):
            p = model.loss_and_gradient(ref.unflatten(w, (3, 4, 2)), X[rows], Y[rows])
            total += p.loss * len(rows)
            w = w - 0.3 * ref.flatten(p.gradient)
        losses.append(total / 7)
        np.testing.assert_array_equal(run.parameters[epoch], w)
    assert run.loss == losses


def test_metrics() -> None:
    Y = np.array([[0.0], [1.0], [2.0]])
    assert training.r2(Y, Y) == 1
    assert training.r2(np.ones((3, 1)), Y) == 0
    assert training.accuracy(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[1.0, 0.0], [1.0, 0.0]])) == 0.5
