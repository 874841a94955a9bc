"""Training with products in bfloat16 is what its emulation computes, and is refused where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

import fastmlp
import reference as ref
from estimator_tools import few_epochs
from fastmlp._native import core as _core
from fastmlp.cli import main
from problems import Case, make_problem, train
from test_determinism import check_threads

needs_bfloat16 = pytest.mark.skipif(
    "v4" not in fastmlp.available_isas() or not _core.supports_bfloat16(),
    reason="bfloat16 needs AVX512_BF16 and the core for v4",
)


@pytest.fixture(params=["v4"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test on v4 alone, whatever else is built."""
    before = _core.ISA
    _core.use(request.param)
    yield request.param
    _core.use(before)


class Sgd:
    """Steps of plain SGD with all rows of a case, by the emulation; all in float32, and exact beside it."""

    def __init__(self, sizes: tuple[int, ...], rows: int, steps: int) -> None:
        self.case = Case(
            sizes=sizes, activation="relu", rows=rows, dtype="float32", learning_rate=0.125, epochs=steps
        )
        self.problem = problem = make_problem(self.case)
        model = ref.Model(self.case.activations, "squared_error", compute="bfloat16")
        layers = [(W.astype(np.float32), b.astype(np.float32)) for W, b in problem.layers]
        X, Y = problem.X.astype(np.float32), problem.Y.astype(np.float32)
        for _ in range(steps):
            self.last = model.loss_and_gradient(layers, X, Y)
            layers = [
                (W - np.float32(0.125) * dW, b - np.float32(0.125) * db)
                for (W, b), (dW, db) in zip(layers, self.last.gradient, strict=True)
            ]
        self.layers = layers

    def trained(self) -> ref.Layers:
        """Return the same from `train`."""
        net = train(self.case, self.problem, compute="bfloat16")
        return list(zip(net.weights, net.biases, strict=True))


# ------------------------------------------------------------------------------------------------ the numbers


@needs_bfloat16
@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(
    ("sizes", "rows"),
    [
        ((4, 6, 3), 16),
        ((33, 77, 131, 5), 64),
        ((65, 300, 301, 2), 37),
        ((1, 1, 1), 1),
        ((50, 17, 9, 64), 128),
    ],
    ids=str,
)
def test_steps_have_the_bits_of_the_emulation(sizes: tuple[int, ...], rows: int) -> None:
    sgd = Sgd(sizes, rows, steps=3)
    for got, want in zip(sgd.trained(), sgd.layers, strict=True):
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])


@needs_bfloat16
@pytest.mark.usefixtures("isa")
def test_the_gradient_of_a_batch_in_parts_is_off_by_the_rounding_of_its_sums_alone() -> None:
    sgd, eps = Sgd((16, 32, 8), 4_097, steps=1), float(np.finfo(np.float32).eps)
    for (got, _), (want, _), a, delta in zip(
        sgd.trained(), sgd.layers, sgd.last.a[:-1], sgd.last.delta, strict=True
    ):
        # Each of the additions, in either order, is off by at most eps / 2 of the sum of the absolute terms.
        allowed = 0.125 * len(a) * eps * (np.abs(a).T @ np.abs(delta)) + eps * np.abs(want)
        assert (np.abs(got - want) <= allowed).all()
        assert (got != want).any()  # the parts are there


@needs_bfloat16
@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize(
    "case",
    [
        Case(sizes=(30, 300, 301, 2), rows=300, batch_size=127, epochs=2, optimizer="adam", dropout=0.3),
        Case(sizes=(4, 32, 16, 4), rows=10_000, batch_size=3_333, epochs=2, clip_norm=0.1),
        Case(sizes=(64, 100, 10), activation="gelu", rows=601, batch_size=200, epochs=2, l2=0.01),
    ],
    ids=lambda case: str(case.sizes),
)
def test_any_number_of_threads_gives_the_same_bits(case: Case) -> None:
    check_threads(replace(case, dtype="float32"), compute="bfloat16")


@needs_bfloat16
@pytest.mark.usefixtures("isa")
def test_the_network_computes_in_float32_and_a_run_goes_on_bit_by_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20)).astype(np.float32)
    y = (X @ rng.normal(size=20) > 0).astype(int)
    settings: dict[str, Any] = {"hidden": (40,), "seed": 3, "validation": (X[:50], y[:50]), "batch_size": 32}
    whole = fastmlp.train(X, y, epochs=6, compute="bfloat16", **settings)
    fastmlp.train(X, y, epochs=3, compute="bfloat16", checkpoint=tmp_path, **settings)
    with pytest.raises(ValueError, match="compute='bfloat16', this one compute=None"):
        fastmlp.train(X, y, epochs=6, resume=tmp_path, **settings)
    rest = fastmlp.train(X, y, epochs=6, resume=tmp_path, compute="bfloat16", **settings)
    np.testing.assert_array_equal(rest.parameters, whole.parameters)
    assert rest.history["loss"].tolist() == whole.history["loss"].tolist()
    assert whole.history["validation_loss"].min() == pytest.approx(whole.loss_and_gradient(X[:50], y[:50])[0])
    in_float32 = fastmlp.train(X, y, epochs=6, **settings)
    assert not np.array_equal(in_float32.parameters, whole.parameters)
    assert whole.history["loss"][-1] == pytest.approx(in_float32.history["loss"][-1], rel=0.02)


@needs_bfloat16
@few_epochs
@pytest.mark.usefixtures("isa")
def test_the_estimators_and_the_command_line_take_it(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    y = (X.sum(axis=1) > 0).astype(int)
    curves = [
        fastmlp.MLPClassifier((20,), random_state=0, max_iter=3, compute=compute).fit(X, y).loss_curve_
        for compute in ("bfloat16", None)
    ]
    assert curves[0] != curves[1]
    np.testing.assert_allclose(*curves, rtol=0.02)
    models = [tmp_path / "rounded.safetensors", tmp_path / "plain.safetensors"]
    for model, options in zip(models, (["--compute", "bfloat16"], []), strict=True):
        assert main(["train", "iris", "--epochs", "2", "--quiet", "--save", str(model), *options]) == 0
    rounded, plain = map(fastmlp.load, models)
    assert not np.array_equal(rounded.parameters, plain.parameters)


# ------------------------------------------------------------------------------------------------ what is not


def refused(match: str, **arguments: Any) -> None:
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    with pytest.raises(ValueError, match=match):
        fastmlp.train(arguments.pop("X", X), [0, 1] * 10, **{"compute": "bfloat16", "epochs": 1} | arguments)


@pytest.mark.parametrize("isa", fastmlp.available_isas(), indirect=True)
def test_where_the_processor_or_the_core_lacks_it_the_error_says_what_is_there(isa: str) -> None:
    if _core.why_no_bfloat16() is None:
        pytest.skip("bfloat16 is there")
    refused(f"needs AVX512_BF16 and the instruction set v4: this processor has .* in use is {isa}")


def test_other_names_and_float64_are_refused() -> None:
    refused("compute, unless it is None, must be one of bfloat16; got 'float16'", compute="float16")
    refused("compute='bfloat16' goes with float32, got float64", dtype="float64")
    estimator = fastmlp.MLPClassifier(compute="float16")
    with pytest.raises(ValueError, match="compute, unless it is None, must be one of bfloat16"):
        estimator.fit(np.eye(3), [0, 1, 0])


@needs_bfloat16
@pytest.mark.usefixtures("isa")
def test_lbfgs_and_sparse_rows_are_refused() -> None:
    refused("compute does not go with optimizer 'lbfgs'", optimizer="lbfgs")
    refused("compute='bfloat16' goes with dense rows, got a sparse X", X=csr_array(np.eye(20, 3)))
    estimator, y = fastmlp.MLPClassifier(compute="bfloat16", max_iter=1), [0, 1, 0]
    with pytest.raises(ValueError, match="compute='bfloat16' goes with float32, got float64"):
        estimator.fit(np.eye(3), y)
    with pytest.raises(ValueError, match="compute='bfloat16' goes with dense rows, got a sparse X"):
        estimator.fit(csr_array(np.eye(3, dtype=np.float32)), y)
    with pytest.raises(ValueError, match="compute does not go with solver='lbfgs', got 'bfloat16'"):
        estimator.set_params(solver="lbfgs").fit(np.eye(3), y)
