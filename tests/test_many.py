"""train_many: each network has the bits that train alone gives it, whatever the others and the threads."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp._native import core as _core
from fastmlp._training.fits import Fits

N = 150
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 6)).astype(np.float32)
X[RNG.random(X.shape) < 0.4] = 0
WEIGHTS = RNG.uniform(0.1, 2, N)
TARGETS = {
    "labels": RNG.integers(3, size=N),
    "texts": np.array(["no", "yes"])[RNG.integers(2, size=N)],
    "values": RNG.normal(size=N),
    "two values": RNG.normal(size=(N, 2)),
    "several labels": RNG.integers(2, size=(N, 3)),
}
LOSSES = {
    "labels": ["auto", "hinge"],
    "texts": ["auto", "binary_cross_entropy"],
    "values": ["auto", "absolute_error", "huber(0.5)", "quantile(0.2, 0.7)"],
    "two values": ["auto", "absolute_error"],
    "several labels": ["auto"],
}
OPTIMIZERS = ["sgd", "rmsprop", "adagrad", "adam", "adamw", "lbfgs", fastmlp.SGD(momentum=0.9)]


@st.composite
def drawn_spec(draw: st.DrawFn) -> dict[str, Any]:
    """Return any spec; what does not go with its optimizer is left out."""
    kind = draw(st.sampled_from(list(TARGETS)))
    spec: dict[str, Any] = {
        "y": TARGETS[kind],
        "loss": draw(st.sampled_from(LOSSES[kind])),
        "hidden": draw(st.sampled_from([(), (5,), (20, 9), (40,)])),
        "activation": draw(st.sampled_from(["relu", "tanh", "gelu"])),
        "optimizer": draw(st.sampled_from(OPTIMIZERS)),
        "epochs": draw(st.integers(1, 5)),
        "seed": draw(st.integers(0, 2**40)),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
        "l2": draw(st.sampled_from([0, 0.01])),
    }
    rows = draw(st.sampled_from(["all", "numbers", "mask"]))
    if rows != "all":
        drawn = np.random.default_rng(draw(st.integers(0, 99)))
        spec["rows"] = drawn.integers(-N, N, 90) if rows == "numbers" else drawn.random(N) < 0.6
    if draw(st.booleans()):
        spec["sample_weight"] = WEIGHTS
    if kind in ("labels", "texts") and draw(st.booleans()):
        spec["class_weight"] = "balanced"
    if spec["optimizer"] == "lbfgs":
        return spec
    of_descent = {
        "batch_size": st.sampled_from(["auto", 7, 32, None]),
        "dropout": st.sampled_from([0, 0.3]),
        "clip_norm": st.sampled_from([None, 0.5]),
        "learning_rate": st.sampled_from([None, 0.01, fastmlp.Cosine(0.02)]),
        "shuffle": st.booleans(),
        "patience": st.sampled_from([None, 2]),
        "restore_best": st.booleans(),
        "validation": st.sampled_from([None, 0.2, "numbers", "mask"]),
    }
    spec |= {name: draw(values) for name, values in of_descent.items()}
    if isinstance(spec["validation"], str):
        held = np.random.default_rng(draw(st.integers(0, 99))).permutation(N)[:30]
        spec["validation"] = held if spec["validation"] == "numbers" else np.isin(np.arange(N), held)
    return spec


def alone(X: Any, spec: dict[str, Any]) -> fastmlp.Network:
    """Return what train gives for the rows of a spec."""
    arguments = dict(spec)
    y, rows = arguments.pop("y"), arguments.pop("rows", np.arange(N))
    weights, validation = arguments.pop("sample_weight", None), arguments.get("validation")
    if isinstance(validation, np.ndarray):
        held = np.flatnonzero(validation) if validation.dtype == bool else validation
        weighted = () if weights is None else (weights[held],)
        arguments["validation"] = (X[held], y[held], *weighted)
        if "rows" not in spec:
            rows = np.setdiff1d(np.arange(N), held)
    if weights is not None:
        arguments["sample_weight"] = weights[rows]
    return fastmlp.train(X[rows], y[rows], **arguments)


def assert_same(one: fastmlp.Network | None, other: fastmlp.Network) -> None:
    assert one is not None
    assert (one.layer_sizes, one.loss, one.stop_reason) == (other.layer_sizes, other.loss, other.stop_reason)
    np.testing.assert_array_equal(one.parameters, other.parameters)
    assert one.history.columns == other.history.columns
    for name in one.history.columns:
        if name != "seconds":
            np.testing.assert_array_equal(one.history[name], other.history[name])
    if other.classes is None:
        assert one.classes is None
    else:
        np.testing.assert_array_equal(one.classes, other.classes)


@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@settings(
    deadline=None, max_examples=24, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(specs=st.lists(drawn_spec(), min_size=1, max_size=12), threads=st.integers(1, 5))
def test_each_network_has_the_bits_that_train_gives_it(
    form: Callable[[Any], Any], specs: list[dict[str, Any]], threads: int
) -> None:
    rows = form(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of L-BFGS, which has few epochs, and of shared rows
        runs = fastmlp.train_many(rows, None, specs, threads=threads)
        for network, spec in zip(runs, specs, strict=True):
            assert_same(network, alone(rows, spec))


@pytest.mark.usefixtures("exact_threads")
def test_the_order_of_specs_changes_nothing() -> None:
    specs = [{"hidden": (width,), "seed": seed} for width in (3, 30) for seed in range(4)]
    forth = fastmlp.train_many(X, TARGETS["labels"], specs, epochs=3, threads=3)
    back = fastmlp.train_many(X, TARGETS["labels"], specs[::-1], epochs=3, threads=2)
    for one, other in zip(forth, back[::-1], strict=True):
        assert other is not None
        assert_same(one, other)


def test_embeddings_are_learned_as_alone() -> None:
    coded = X.copy()
    coded[:, 1] = np.arange(N) % 4
    common: dict[str, Any] = {"embeddings": [(1, 4, 2)], "epochs": 3, "validation": 0.2}
    rows = np.arange(0, N, 2)
    specs = [{"seed": 1}, {"seed": 2, "rows": rows}]
    runs = fastmlp.train_many(coded, TARGETS["values"], specs, **common)
    assert_same(runs[0], fastmlp.train(coded, TARGETS["values"], seed=1, **common))
    assert_same(runs[1], fastmlp.train(coded[rows], TARGETS["values"][rows], seed=2, **common))


def frame() -> pd.DataFrame:
    table = pd.DataFrame(X, columns=list("abcdef"))
    table["city"] = np.array(["Rome", "Oslo", "Bern"])[RNG.integers(3, size=N)]
    table.loc[::7, "a"] = np.nan
    table["price"] = TARGETS["values"] * 100 + 300
    return table


@pytest.mark.parametrize("make", [lambda t: t, pl.from_pandas, fastmlp.data.read_frame])
@pytest.mark.parametrize("validation", [None, 0.25, np.arange(120, N)])
def test_an_encoder_learns_from_the_rows_of_its_network_alone(
    make: Callable[[Any], Any], validation: Any
) -> None:
    pandas = frame()
    fold = np.arange(100)
    specs = [{"rows": fold, "seed": 1}, {"rows": fold[:50], "seed": 1}]
    runs = fastmlp.train_many(make(pandas), "price", specs, epochs=3, validation=validation)
    for spec, network in zip(specs, runs, strict=True):
        held = validation
        if isinstance(validation, np.ndarray):
            held = (pandas.iloc[validation], "price")
        expected = fastmlp.train(pandas.iloc[spec["rows"]], "price", epochs=3, validation=held, seed=1)
        assert_same(network, expected)
        assert network is not None
        np.testing.assert_array_equal(network.predict(make(pandas)), expected.predict(pandas))


def test_a_table_of_numbers_is_read_once_and_keeps_its_names() -> None:
    table = pd.DataFrame(X, columns=list("abcdef"))
    table["label"] = TARGETS["labels"]
    (network,) = fastmlp.train_many(table, "label", [{"rows": np.arange(60)}], epochs=2)
    assert_same(network, fastmlp.train(table.iloc[:60], "label", epochs=2))
    assert network is not None
    assert (network.feature_names, network.target_names) == (tuple("abcdef"), ("label",))


def test_what_may_be_the_target_is_said_once_of_the_whole_table() -> None:
    a = np.random.default_rng(0).normal(size=60)
    table = fastmlp.data.Table({"a": a, "double": 2 * a, "b": a**2})
    specs = [{"rows": np.arange(60) % 3 != fold, "seed": fold} for fold in range(3)]
    with pytest.warns(UserWarning, match="'double' is a linear function of 'a'") as said:
        fastmlp.train_many(table, "a", specs, epochs=1)
    assert len(said) == 1


def test_a_csv_file_is_read_once(tmp_path: Any) -> None:
    path = tmp_path / "table.csv"
    frame().to_csv(path, index=False)
    runs = fastmlp.train_many(path, "price", [{"seed": 1}, {"seed": 2}], epochs=2)
    assert_same(runs[1], fastmlp.train(path, "price", seed=2, epochs=2))


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u8"])
def test_numbers_of_rows_may_be_of_any_type(kind: str) -> None:
    rows_of_X, y = np.tile(X, (2, 1)), np.tile(TARGETS["values"], 2)
    rows = np.arange(-50 if kind[0] == "i" else 0, 50, 3).astype(kind)
    runs = fastmlp.train_many(rows_of_X, y, [{"rows": rows[9:], "validation": rows[:9]}], epochs=2)
    learned, held = rows[9:].astype(np.int64), rows[:9].astype(np.int64)
    validation = (rows_of_X[held], y[held])
    assert_same(runs[0], fastmlp.train(rows_of_X[learned], y[learned], epochs=2, validation=validation))


def test_rows_that_are_not_chosen_may_hold_gaps() -> None:
    gaps, y = X.copy(), TARGETS["values"].copy()
    gaps[3, 2], y[5] = np.nan, np.nan
    rows = ~(np.isnan(gaps).any(axis=1) | np.isnan(y))
    (network,) = fastmlp.train_many(gaps, y, [{"rows": rows}], epochs=2)
    assert_same(network, fastmlp.train(gaps[rows], y[rows], epochs=2))
    whole, values = X, y
    (network,) = fastmlp.train_many(whole, values, [{"rows": rows}], epochs=2)
    assert_same(network, fastmlp.train(whole[rows], values[rows], epochs=2))


@pytest.mark.parametrize("other", [1.0, np.nan, -1.0])
def test_weights_are_shared_unless_those_of_rows_not_chosen_are_wrong(other: float) -> None:
    y, weights = TARGETS["values"], WEIGHTS.copy()
    weights[0] = other
    specs = [{"rows": np.arange(1, 90)}, {"rows": np.arange(60, N), "validation": np.arange(1, 40)}]
    fits = Fits(X, y, {"epochs": 2, "sample_weight": weights})
    fits.add(specs)
    first, second = fits[0].rows, fits[1].rows
    assert first is not None
    assert second is not None
    fits.run()
    assert (first.train[3] is second.train[3]) is (other == 1)
    for place, spec in enumerate(specs):
        assert_same(fits[place].network, alone(X, {**spec, "y": y, "sample_weight": weights, "epochs": 2}))


def test_a_fold_without_a_label_learns_the_others() -> None:
    y = np.arange(N) % 3
    rows = np.flatnonzero(y != 1)
    runs = fastmlp.train_many(X, y, [{"rows": rows}, {}], epochs=2)
    assert runs[0] is not None
    assert runs[0].classes.tolist() == [0, 2]  # type: ignore[union-attr]
    assert_same(runs[0], fastmlp.train(X[rows], y[rows], epochs=2))
    assert_same(runs[1], fastmlp.train(X, y, epochs=2))


def test_x_is_not_copied_for_a_network() -> None:
    before = X.copy()
    fits = Fits(X, TARGETS["labels"], {"epochs": 1})
    fits.add([{"rows": np.arange(10)}, {"rows": np.arange(90), "validation": 0.5}, {"validation": 0.2}])
    for place in range(3):
        rows = fits[place].rows
        assert np.shares_memory(rows.train[0], X)
        assert rows.held_out is None or np.shares_memory(rows.held_out[0], X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize("validation", [None, 0.2])
@pytest.mark.parametrize("batch_size", [32, None])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", fastmlp.SGD(momentum=0.5)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fits_that_pause_go_on_as_if_they_had_not(
    validation: Any, batch_size: Any, optimizer: Any, dtype: str
) -> None:
    common = {
        "epochs": 9, "validation": validation, "batch_size": batch_size, "optimizer": optimizer,
        "dtype": dtype, "dropout": 0.2, "learning_rate": fastmlp.ReduceOnPlateau(0.05, patience=1),
    }  # fmt: skip
    specs = [{"seed": 1}, {"seed": 2, "patience": 3}, {"seed": 3, "restore_best": False}]
    fits = Fits(X, TARGETS["labels"], common)
    fits.add(specs)
    for until in (2, 3, [3, 5, 7]):
        fits.run(until=until, threads=2)
        for place in range(3):
            network = fits[place].network
            if validation is not None and not fits[place].ended:  # those of the best epoch so far
                shown = network.evaluate(X, TARGETS["labels"])
                assert np.isfinite(shown.score)
    fits.run(threads=2)
    for fit, spec in zip((fits[i] for i in range(3)), specs, strict=True):
        assert fit.ended
        assert_same(fit.network, fastmlp.train(X, TARGETS["labels"], **common, **spec))


def test_what_a_paused_fit_shows_is_what_training_to_there_gives() -> None:
    common: dict[str, Any] = {"validation": 0.2, "seed": 4}
    fits = Fits(X, TARGETS["labels"], {"epochs": 9} | common)
    fits.add([{}])
    fits.run(until=4)
    expected = fastmlp.train(X, TARGETS["labels"], epochs=4, **common)
    np.testing.assert_array_equal(fits[0].network.parameters, expected.parameters)
    assert not fits[0].ended
    fits.forget(0)
    fits.run()
    assert fits[0].epochs == 4


def test_fits_go_on_from_a_network() -> None:
    first = fastmlp.train(X, TARGETS["labels"], hidden=(9,), epochs=3)
    specs = [{"init": first, "hidden": (9,)}, {"init": first, "hidden": (9,), "rows": np.arange(70)}]
    runs = fastmlp.train_many(X, TARGETS["labels"], specs, epochs=2)
    assert_same(runs[0], fastmlp.train(X, TARGETS["labels"], init=first, hidden=(9,), epochs=2))
    fewer = fastmlp.train(X[:70], TARGETS["labels"][:70], init=first, hidden=(9,), epochs=2)
    assert_same(runs[1], fewer)


def test_fits_go_on_from_a_network_with_its_encoder() -> None:
    table = frame()
    first = fastmlp.train(table, "price", hidden=(9,), epochs=3)
    (network,) = fastmlp.train_many(table, "price", [{"init": first, "hidden": (9,)}], epochs=2)
    assert_same(network, fastmlp.train(table, "price", init=first, hidden=(9,), epochs=2))


@pytest.mark.skipif(_core.why_no_bfloat16() is not None, reason="this processor or build has no bfloat16")
def test_products_may_be_in_bfloat16() -> None:
    specs = [{"compute": "bfloat16", "rows": np.arange(70)}, {"compute": None}]
    runs = fastmlp.train_many(X, TARGETS["labels"], specs, epochs=2)
    y = TARGETS["labels"][:70]
    assert_same(runs[0], fastmlp.train(X[:70], y, compute="bfloat16", epochs=2))


def test_a_seed_that_is_drawn_makes_the_same_network_again() -> None:
    runs = fastmlp.train_many(X, TARGETS["labels"], [{"seed": None}] * 2, epochs=2)
    assert runs[0] is not None
    assert runs[1] is not None
    assert runs[0].seed != runs[1].seed
    assert_same(runs[0], fastmlp.train(X, TARGETS["labels"], seed=runs[0].seed, epochs=2))


@pytest.mark.parametrize("most_bytes", [0, 20_000])
@pytest.mark.parametrize("until", [None, 2])
def test_fits_whose_rows_take_much_memory_are_trained_in_portions(
    most_bytes: int, until: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastmlp._training.fits.MOST_BYTES", most_bytes)
    monkeypatch.setattr("fastmlp._rows.shared.MOST_BYTES", most_bytes)
    table = frame()
    specs: list[dict[str, Any]] = [{"seed": seed} for seed in range(4)] + [{"rows": np.arange(90), "seed": 1}]
    fits = Fits(table, "price", {"validation": 0.2, "epochs": 4})
    fits.add(specs)
    assert any(fits[i].rows is None for i in range(5))
    fits.run(until=until)
    fits.run()
    for place, spec in enumerate(specs):
        rows = table.iloc[spec["rows"]] if "rows" in spec else table
        expected = fastmlp.train(rows, "price", validation=0.2, epochs=4, seed=spec["seed"])
        assert_same(fits[place].network, expected)
        assert fits[place].rows is None


def test_portions_keep_fits_with_the_same_rows_together() -> None:
    fits = Fits(frame(), "price", {"epochs": 1})
    fits.add([{"rows": np.arange(90)}, {"seed": 2}, {"seed": 3}])
    sizes = {fits[i].rows_key: fits[i].rows_bytes for i in range(3)}
    assert len(sizes) == 3 - 1
    assert all(size > 0 for size in sizes.values())


def test_what_was_prepared_is_gone_with_the_fits() -> None:
    gc.collect()
    gc.disable()
    try:
        fits = Fits(X, TARGETS["labels"], {"epochs": 1, "validation": 0.2})
        fits.add([{}, {"rows": np.arange(90)}])
        rows = weakref.ref(fits[0].rows)
        fits.run()
        del fits
        assert rows() is None
    finally:
        gc.enable()
