"""Random training problems that fastmlp and the reference both run, and how close the two must come.

How close: rounding errors grow in ways no simple bound follows tightly (Adam divides small numbers by small
numbers), so the allowance is measured. The reference runs in float64 and in float32; their difference
shows how much roundings of relative size eps move this very run. fastmlp may be FACTOR times as far from the
float64 run, scaled to its own eps. A wrong formula is off by many thousand times that.

Kinks: where the sign of a number decides a slope (relu, hinge, ...), rounding could turn it and the two runs
would differ by more than rounding. Data are drawn again until the float64 run stays clear of all kinks, which
keeps the comparison exact instead of making it forgiving.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

import fastmlp
import reference as ref
import reference_training as training

FACTOR = 16
EPS32 = float(np.finfo(np.float32).eps)
CLASSES = {"sgd": "SGD", "rmsprop": "RMSprop", "adagrad": "Adagrad", "adam": "Adam"}
Options = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that says what is trained, on what and how; hashable, so each reference run is done once."""

    sizes: tuple[int, ...] = (4, 7, 3)
    activation: str | tuple[str, ...] = "tanh"
    loss: str = "squared_error"
    output_activation: str = "auto"
    rows: int = 40
    validation_rows: int = 0
    weighted: bool = False
    seed: int = 0
    dtype: str = "float64"
    optimizer: str = "sgd"
    optimizer_options: Options = ()
    learning_rate: float = 0.1
    schedule: str = "Constant"
    schedule_options: Options = ()
    batch_size: int | None = None
    epochs: int = 1
    l2: float = 0.0
    dropout: Any = 0.0  # or a schedule
    clip_norm: float | None = None
    shuffle: bool = True

    @property
    def activations(self) -> list[str]:
        names = self.activation
        return [names] * (len(self.sizes) - 2) if isinstance(names, str) else list(names)

    @property
    def model(self) -> ref.Model:
        return ref.Model(self.activations, self.loss, self.output_activation, self.l2)

    @property
    def eps(self) -> float:
        return float(np.finfo(self.dtype).eps)


@dataclass
class Problem:
    """The numbers of a case; all of them are float32 numbers, so no dtype rounds what it is given."""

    layers: ref.Layers
    X: np.ndarray
    y: np.ndarray  # as fastmlp takes it
    Y: np.ndarray  # the same as a matrix, as the reference takes it
    sample_weight: np.ndarray | None
    validation: tuple[np.ndarray, np.ndarray] | None
    validation_targets: np.ndarray | None


def targets(loss: str, rng: np.random.Generator, rows: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """(y as fastmlp takes it, Y as the reference takes it) for random rows."""
    loss = loss.partition("(")[0]
    if loss == "hinge" or (loss == "softmax_cross_entropy" and rows >= 2 * outputs):
        labels = rng.permutation(np.arange(rows) % outputs)  # every class is there
        return labels, ref.one_hot(labels, outputs)
    if loss == "softmax_cross_entropy":
        q = rng.multinomial(64, np.full(outputs, 1 / outputs), size=rows) / 64  # sums to exactly 1
        return q, q
    if loss == "binary_cross_entropy" and outputs > 1:
        bits = rng.integers(2, size=(rows, outputs))
        return bits, bits.astype(float)
    if loss == "binary_cross_entropy":
        y = rng.random((rows, 1))
    elif loss == "poisson":
        y = rng.poisson(2.0, (rows, outputs)).astype(float)
    else:
        y = 2 * rng.normal(size=(rows, outputs))
    y = y.astype(np.float32).astype(float)
    return (y[:, 0] if outputs == 1 else y), y


def make_problem(case: Case, attempt: int = 0) -> Problem:
    rng = np.random.default_rng([case.seed, attempt, len(case.sizes)])

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32).astype(float)

    pairs = list(zip(case.sizes[:-1], case.sizes[1:], strict=True))
    layers = [((normal(i, o) / 2 ** round(np.log2(i) / 2)), normal(o) / 4) for i, o in pairs]
    X, (y, Y) = normal(case.rows, case.sizes[0]), targets(case.loss, rng, case.rows, case.sizes[-1])
    weight = np.round(rng.random(case.rows) * 64 + 1) / 16 if case.weighted else None
    if not case.validation_rows:
        return Problem(layers, X, y, Y, weight, None, None)
    yv, Yv = targets(case.loss, rng, case.validation_rows, case.sizes[-1])
    return Problem(layers, X, y, Y, weight, (normal(case.validation_rows, case.sizes[0]), yv), Yv)


def run_reference(case: Case, problem: Problem, dtype: type) -> training.Run:
    return training.train_reference(
        case.model,
        problem.layers,
        problem.X,
        problem.Y,
        optimizer=training.make_optimizer(case.optimizer, **dict(case.optimizer_options)),
        learning_rate=case.learning_rate,
        schedule=(case.schedule, dict(case.schedule_options)),
        batch_size=case.batch_size,
        epochs=case.epochs,
        dropout=case.dropout,
        clip_norm=case.clip_norm,
        sample_weight=problem.sample_weight,
        shuffle=case.shuffle,
        seed=case.seed,
        validation=None
        if problem.validation is None
        else (problem.validation[0], problem.validation_targets),
        dtype=dtype,
    )


@cache
def prepared(case: Case) -> tuple[Problem, training.Run]:
    """The first draw of the case's data that stays clear of kinks, and its float64 run."""
    for attempt in range(100):
        problem = make_problem(case, attempt)
        run = run_reference(case, problem, np.float64)
        if run.kink > 50 * case.eps:
            return problem, run
    raise AssertionError(f"no data found that stay clear of kinks: {case}")


@cache
def rounding(case: Case) -> tuple[list[float], list[float], list[float]]:
    """How far float32 arithmetic takes the parameters, losses and validation losses of each epoch away.

    The most of three float32 runs, two of them from weights that are off in their last bit: the rounding of
    one run can be small by chance, and of which runs it is depends on how NumPy sums on this processor.
    """
    problem, exact = prepared(case)
    rough = [run_reference(case, nudged(problem, seed), np.float32) for seed in (None, 0, 1)]

    def moved(name: str) -> list[float]:
        def of(run: training.Run) -> list[float]:
            pairs = zip(getattr(run, name), getattr(exact, name), strict=True)
            return [float(np.abs(a - b).max()) for a, b in pairs]

        return np.max([of(run) for run in rough], axis=0).tolist()

    return moved("parameters"), moved("loss"), moved("validation_loss")


def nudged(problem: Problem, seed: int | None) -> Problem:
    """The same problem from weights that are off by about one rounding of float32; the same one for None."""
    if seed is None:
        return problem
    rng = np.random.default_rng(seed)

    def off(values: np.ndarray) -> np.ndarray:
        return values * (1 + EPS32 * rng.uniform(-1, 1, values.shape))

    return replace(problem, layers=[(off(W), off(b)) for W, b in problem.layers])


def make_schedule(case: Case) -> Any:
    return getattr(fastmlp, case.schedule)(case.learning_rate, **dict(case.schedule_options))


def train_options(case: Case) -> dict[str, Any]:
    """The arguments of fastmlp.train for a case, besides X, y and init."""
    options = dict(case.optimizer_options)
    constant = case.schedule == "Constant" and not case.schedule_options
    return {
        "hidden": case.sizes[1:-1],
        "activation": case.activation,
        "loss": case.loss,
        "output_activation": case.output_activation,
        "optimizer": getattr(fastmlp, CLASSES[case.optimizer])(**options) if options else case.optimizer,
        "learning_rate": case.learning_rate if constant else make_schedule(case),
        "batch_size": case.batch_size,
        "epochs": case.epochs,
        "l2": case.l2,
        "dropout": case.dropout,
        "clip_norm": case.clip_norm,
        "shuffle": case.shuffle,
        "seed": case.seed,
        "dtype": case.dtype,
    }


def train(case: Case, problem: Problem, **more: Any) -> fastmlp.Network:
    options = train_options(case) | {
        "init": problem.layers,
        "sample_weight": problem.sample_weight,
        "validation": problem.validation,
        "restore_best": False,
    }
    return fastmlp.train(problem.X.astype(case.dtype), problem.y, **(options | more))


def check_training(case: Case, **more: Any) -> fastmlp.Network:
    """Train with fastmlp and compare every epoch's parameters and every history column with the reference."""
    problem, run = prepared(case)
    seen: list[np.ndarray] = []
    net = train(case, problem, callbacks=[lambda n: seen.append(n.parameters.copy())], **more)
    scale, steps = case.eps / EPS32, case.epochs * -(-case.rows // (case.batch_size or case.rows))
    moved, moved_loss, moved_validation = rounding(case)
    assert len(seen) == case.epochs
    assert net.dtype == case.dtype
    for epoch, (got, want) in enumerate(zip(seen, run.parameters, strict=True)):
        allowed = FACTOR * (scale * moved[epoch] + case.eps * np.abs(want).max() * steps**0.5)
        error = np.abs(got - want).max()
        assert error <= allowed, (
            f"parameters after epoch {epoch + 1}: off by {error}, allowed {allowed}; {case}"
        )
    np.testing.assert_array_equal(net.parameters, seen[-1])
    np.testing.assert_array_equal(net.history["epoch"], np.arange(case.epochs) + 1)
    np.testing.assert_allclose(net.history["learning_rate"], run.learning_rate, rtol=1e-12)
    check_losses(case, net.history["loss"], run.loss, moved_loss)
    if problem.validation is not None:
        check_losses(case, net.history["validation_loss"], run.validation_loss, moved_validation)
    return net


def check_losses(case: Case, got: np.ndarray, want: list[float], moved: list[float]) -> None:
    allowed = FACTOR * (case.eps / EPS32 * np.array(moved) + case.eps * (np.abs(want) + 1))
    error = np.abs(got - np.array(want))
    assert (error <= allowed).all(), f"losses off by {error}, allowed {allowed}; {case}"


def random_case(index: int) -> Case:
    """0 to 4 hidden layers, widths 1 to 130, batches 1 to 300, any loss, any activations."""
    rng = np.random.default_rng([7, index])

    def pick(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    hidden = tuple(int(width) for width in np.exp(rng.uniform(0, np.log(130.99), size=index % 5)))
    loss = pick(*ref.LOSSES, "huber(0.5)", "quantile(0.8)")
    outputs = (
        int(rng.integers(2, 12)) if loss in ("hinge", "softmax_cross_entropy") else int(rng.integers(1, 9))
    )
    sizes = (int(rng.integers(1, 131)), *hidden, outputs)
    batch_size = int(np.exp(rng.uniform(0, np.log(300.99))))
    output = random_activation(index, len(hidden))
    case = Case(
        sizes=sizes,
        activation=tuple(random_activation(index, layer) for layer in range(len(hidden))),
        loss=loss,
        output_activation="auto" if loss in ref.AUTO_OUTPUT or output == "identity" else output,
        rows=max(outputs, int(batch_size * rng.uniform(1, min(4.0, 1 + 600 / batch_size)))),
        weighted=pick(False, True),
        seed=index,
        dtype=pick("float32", "float64"),
        optimizer=pick(*CLASSES),
        learning_rate=pick(0.1, 0.01, 0.003),
        batch_size=pick(batch_size, batch_size, None),
        l2=pick(0.0, 0.03),
        dropout=pick(0.0, 0.0, 0.3),
        clip_norm=pick(None, None, 0.5),
        shuffle=pick(True, True, False),
    )
    return calm(case)


def random_activation(index: int, layer: int) -> str:
    """Any activation; one more of them changes only the layers that draw it."""
    return min(
        ref.ACTIVATIONS, key=lambda name: np.random.default_rng([7, index, layer, *name.encode()]).random()
    )


def calm(case: Case) -> Case:
    """A smaller step where exp would run away, fewer rows where float32 could not stay clear of the kinks."""
    if case.loss == "poisson":
        case = replace(case, learning_rate=case.learning_rate / 10)
    kinked = sum(w for w, name in zip(case.sizes[1:-1], case.activations, strict=True) if ref.has_kink(name))
    kinked += case.sizes[-1] * (case.loss in ("hinge", "absolute_error") or "quantile" in case.loss)
    if case.dtype == "float32" and kinked * case.rows > 4000:
        rows = max(2 * case.sizes[-1], 4000 // kinked)
        case = replace(case, rows=rows, batch_size=case.batch_size and min(case.batch_size, rows))
    return case


def network(case: Case, problem: Problem) -> fastmlp.Network:
    """The untrained network of a case."""
    return fastmlp.Network(
        case.sizes,
        activation=case.activation,
        loss=case.loss,
        output_activation=case.output_activation,
        l2=case.l2,
        init=problem.layers,
        dtype=case.dtype,
    )
