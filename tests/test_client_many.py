"""train_many(client=..): the workers of a Dask cluster give the bits that this process gives."""

from __future__ import annotations

import asyncio
import gc
import io
import re
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from distributed import Client

import fastmlp
from client_tools import LABELS, VALUES, WEIGHTS, N, X, assert_same_runs, sent_arrays
from fastmlp._training import cluster as of_cluster
from fastmlp._training.cluster import Cluster
from fastmlp._training.fits import Fits
from process_tools import run

COMMON: dict[str, Any] = {"epochs": 3, "hidden": (8,)}
ROWS = np.arange(N) % 3


def both(client: Client, X: Any, y: Any, specs: Any, **common: Any) -> tuple[fastmlp.Runs, fastmlp.Runs]:
    """Return what the cluster gives, after comparing it with what this process gives."""
    common = COMMON | common
    there = fastmlp.train_many(X, y, specs, client=client, **common)
    here = fastmlp.train_many(X, y, specs, **common)
    assert_same_runs(there, here)
    return there, here


# ---------------------------------------------------------------------------------------- the same bits


def test_kinds_of_targets_losses_and_types(dask_client: Client) -> None:
    several = np.stack([LABELS == 0, LABELS == 1], axis=1).astype(int)
    specs = [
        {"y": y, "loss": loss, "dtype": dtype}
        for y, losses in [
            (LABELS, ("auto", "hinge")),
            (np.array(["a", "b", "c"])[LABELS], ("auto",)),
            (VALUES, ("auto", "huber(0.5)", "quantile(0.2, 0.7)")),
            (np.stack([VALUES, -VALUES], axis=1), ("absolute_error",)),
            (several, ("auto",)),
        ]
        for loss in losses
        for dtype in ("float32", "float64")
    ]
    both(dask_client, X, None, specs)


@pytest.mark.parametrize(
    "optimizer", ["sgd", "rmsprop", "adagrad", "adamw", "lbfgs", fastmlp.SGD(momentum=0.9)]
)
def test_optimizers(dask_client: Client, optimizer: Any) -> None:
    specs = [{"seed": seed, "dtype": dtype} for seed in (0, 1) for dtype in ("float32", "float64")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of L-BFGS, which has not converged
        both(dask_client, X, VALUES, specs, optimizer=optimizer)


def test_rows_weights_and_validation(dask_client: Client) -> None:
    own = (X[:300] + 1, LABELS[:300])
    specs: list[dict[str, Any]] = [
        {"rows": k != ROWS, "validation": k == ROWS, "sample_weight": weight, "batch_size": batch}
        for k in range(3)
        for weight in (None, WEIGHTS)
        for batch in ("auto", None, 64)
    ]
    specs += [{"validation": 0.3, "seed": seed, "patience": 1} for seed in range(4)]
    specs += [{"validation": own}, {"validation": (*own, WEIGHTS[:300])}]
    specs += [{"class_weight": "balanced"}, {"dropout": 0.3, "l2": 0.1, "clip_norm": 0.5}]
    specs += [{"learning_rate": fastmlp.Cosine(0.02)}, {"learning_rate": fastmlp.ReduceOnPlateau(0.1)}]
    specs += [{"shards": 4}, {"shards": 2, "validation": 0.2, "sample_weight": WEIGHTS, "batch_size": 64}]
    specs += [{"hidden": (), "shuffle": False}, {"hidden": (9, 7, 5), "activation": ("tanh", "gelu", "relu")}]
    both(dask_client, X, LABELS, specs)


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_matrix], ids=["csr", "csc"])
def test_sparse_rows(dask_client: Client, kind: Any) -> None:
    specs = [{"rows": rows, "seed": seed} for rows in (None, ROWS != 1) for seed in (0, 1)]
    both(dask_client, kind(X), LABELS, specs, validation=0.2)


def test_columns_of_codes(dask_client: Client) -> None:
    coded = X.copy()
    coded[:, 3] = np.arange(N) % 7
    specs = [
        {"embeddings": [(3, 7, width)], "optimizer": kind} for width in (2, 4) for kind in ("sgd", "adam")
    ]
    both(dask_client, coded, VALUES, specs)


def test_tables_with_an_encoder_for_each_set_of_rows(dask_client: Client) -> None:
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "city": np.array(["Rome", "Oslo", "Bonn"])[ROWS]})
    table.loc[::17, "b"] = np.nan
    table["price"] = 100 * VALUES
    specs = [{"rows": k != ROWS, "seed": seed} for k in range(3) for seed in (0, 1)]
    specs += [{"validation": 0.2, "seed": seed} for seed in (2, 3)]
    there, here = both(dask_client, table, "price", specs)
    for one, other in zip(there, here, strict=True):
        assert one is not None
        assert other is not None
        assert one.encoder is not None
        assert np.array_equal(one.predict(table), other.predict(table))


def test_networks_to_go_on_from(dask_client: Client) -> None:
    first = fastmlp.train(X, LABELS, **COMMON)
    before = first.parameters.copy()
    there, _ = both(dask_client, X, LABELS, [{"init": first, "seed": seed} for seed in (0, 1)])
    assert np.array_equal(first.parameters, before)
    assert there[0] is not None
    assert not np.array_equal(there[0].parameters, before)


def test_arrays_of_other_layouts(dask_client: Client) -> None:
    for other in (np.asfortranarray(X), X[:, ::2], X.astype(np.float64), X.astype(np.float16)):
        both(dask_client, other, VALUES, [{"seed": seed} for seed in (0, 1)])


def test_more_threads_than_fits_and_fewer(dask_client: Client) -> None:
    for specs in ([{}], [{"seed": seed} for seed in range(30)], []):
        for threads in (1, 2, None):
            both(dask_client, X, VALUES, specs, threads=threads, epochs=1)


def test_drawn_seeds_are_drawn_here(dask_client: Client) -> None:
    there = fastmlp.train_many(X, LABELS, [{"seed": None}] * 2, client=dask_client, **COMMON)
    seeds = [network.seed for network in there if network is not None]
    assert len(set(seeds)) == 2
    here = fastmlp.train_many(X, LABELS, [{"seed": seed} for seed in seeds], **COMMON)
    assert_same_runs(there, here)


def test_networks_that_diverge_end_alone(dask_client: Client) -> None:
    specs = [{"learning_rate": rate, "restore_best": best} for rate in (0.01, 1e35) for best in (True, False)]
    with pytest.warns(
        RuntimeWarning, match=r"2 networks of 4 ended with an error, .*specs\[2\]: the loss div"
    ):
        there = fastmlp.train_many(X, VALUES, specs, optimizer="sgd", client=dask_client, **COMMON)
    with pytest.warns(RuntimeWarning, match="2 networks of 4"):
        here = fastmlp.train_many(X, VALUES, specs, optimizer="sgd", **COMMON)
    assert_same_runs(there, here)
    assert [type(error) for error in there.errors[:2]] == [type(None)] * 2
    assert [type(error) for error in there.errors[2:]] == [FloatingPointError] * 2


def test_fits_that_pause_go_on_with_the_same_bits(dask_client: Client) -> None:
    specs = [
        {"optimizer": kind, "seed": seed, "dtype": dtype, "validation": validation, "learning_rate": rate}
        for seed, kind in enumerate(("sgd", "adam", fastmlp.SGD(momentum=0.9)))
        for dtype in ("float32", "float64")
        for validation in (None, 0.2)
        for rate in (None, fastmlp.ReduceOnPlateau(0.05, patience=1))
    ]
    common = COMMON | {"epochs": 6}
    paused = Fits(X, VALUES, common)
    places = paused.add(specs)
    cluster = Cluster(dask_client)
    paused.run(until=2, cluster=cluster)
    assert {paused[place].epochs for place in places} == {2}
    paused.run(until=3)  # here, in between
    paused.run(until=5, cluster=cluster)
    paused.run(cluster=cluster)
    assert_same_runs(paused.runs(""), fastmlp.train_many(X, VALUES, specs, **common))


# -------------------------------------------------------------------------------------- what is sent


def test_what_several_fits_read_is_sent_once(dask_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_cluster, "_LEAST_SECONDS", 0.0)  # many chunks
    masks = [k != ROWS for k in range(3)]
    specs = [{"rows": mask, "seed": seed} for mask in masks for seed in range(8)]
    with sent_arrays(monkeypatch) as sent:
        runs = fastmlp.train_many(X, VALUES, specs, client=dask_client, sample_weight=WEIGHTS, **COMMON)
    assert len(runs) == 24
    assert [array.shape for array in sent] == [X.shape]  # what is small goes with the fits
    with monkeypatch.context() as patched, sent_arrays(monkeypatch) as sent:
        patched.setattr(of_cluster, "_LARGE", 0)
        fastmlp.train_many(X, VALUES, specs, client=dask_client, sample_weight=WEIGHTS, **COMMON)
    of_rows = [(mask.sum(),) for mask in masks]
    assert sorted(array.shape for array in sent) == sorted([*of_rows, (N,), (N, 1), X.shape])


def test_large_chunks_are_sent_past_the_scheduler(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_cluster, "_LARGE_CHUNK", 1000)
    with sent_arrays(monkeypatch) as sent:
        both(dask_client, X, VALUES, [{"seed": seed} for seed in range(4)])
    assert {type(value) for value in sent} == {np.ndarray, bytes}


def test_the_workers_keep_nothing(dask_client: Client) -> None:
    gc.collect()
    gc.disable()  # what is released waits for no collector
    try:
        fastmlp.train_many(X, VALUES, [{"seed": seed} for seed in range(4)], client=dask_client, **COMMON)
        end = time.monotonic() + 30
        while any(dask_client.has_what().values()) and time.monotonic() < end:
            time.sleep(0.02)
        assert not any(dask_client.has_what().values())
    finally:
        gc.enable()


def test_no_chunk_is_much_larger_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    class Job:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds
            self.network = type("", (), {"parameters": np.zeros(10)})
            self.state = None

        def cost(self) -> float:
            return self.seconds

    jobs: Any = [Job(seconds) for seconds in [30, 20, *[1] * 50, *[0.001] * 1000]]
    call = of_cluster._Call(Cluster.__new__(Cluster), jobs, None, np.inf, None)
    call._slots = 4
    chunks = []
    while call._left:
        chunks.append(call._next_chunk().places)
    assert sorted(place for places in chunks for place in places) == [*range(len(jobs))]
    assert chunks[:2] == [(0,), (1,)]  # the longest first
    seconds = [sum(jobs[place].seconds for place in places) for places in chunks]
    assert max(seconds[2:]) <= 101 / 12
    assert seconds[-1] <= 0.25
    assert len(chunks) < 60
    assert max(map(len, chunks)) <= 263


# --------------------------------------------------------------------------------------- what is refused


def test_wrong_specs_are_named_before_anything_is_sent(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_client, "submit", None)
    with (
        sent_arrays(monkeypatch) as sent,
        pytest.raises(ValueError, match=r"^specs\[1\]: epochs must be at least 1"),
    ):
        fastmlp.train_many(X, VALUES, [{}, {"epochs": 0}], client=dask_client)
    assert sent == []


def test_callbacks_are_refused(dask_client: Client) -> None:
    def watch(network: fastmlp.Network) -> None:
        raise AssertionError

    why = "must be empty with client, as networks are trained in other processes; got"
    with pytest.raises(ValueError, match=rf"^callbacks {re.escape(why)} \[<function"):
        fastmlp.train_many(X, VALUES, [{}], client=dask_client, callbacks=watch)
    with pytest.raises(ValueError, match=rf"^specs\[1\]: callbacks {re.escape(why)} \[<function"):
        fastmlp.train_many(X, VALUES, [{}, {"callbacks": watch}], client=dask_client)


@pytest.mark.parametrize("client", ["tcp://127.0.0.1:8786", 3, Client])
def test_what_is_no_client(client: Any) -> None:
    with pytest.raises(TypeError, match=r"^client must be a dask.distributed.Client, got "):
        fastmlp.train_many(X, VALUES, [{}], client=client)


def test_a_client_must_be_connected_and_synchronous(dask_client: Client) -> None:
    closed = Client(dask_client.scheduler.address)
    closed.close()
    with pytest.raises(
        ValueError, match=r"^client must be connected to its scheduler, got one that is closed"
    ):
        fastmlp.train_many(X, VALUES, [{}], client=closed)

    async def refused() -> None:
        async with Client(dask_client.scheduler.address, asynchronous=True) as own:
            with pytest.raises(ValueError, match=r"^client must be a synchronous one"):
                fastmlp.train_many(X, VALUES, [{}], client=own)

    asyncio.run(refused())


def test_nothing_of_dask_is_imported_without_a_client() -> None:
    code = """
        import sys, fastmlp
        fastmlp.train_many([[0.0], [1.0]], [0.5, 1.5], [{}], epochs=1, task="regression")
        print(sorted(sys.modules.keys() & {"dask", "distributed", "fastmlp._training.cluster"}))
        sys.modules["distributed"] = None
        try:
            fastmlp.train_many([[0.0], [1.0]], [0.5, 1.5], [{}], client=1)
        except ImportError as error:
            print(error)
    """
    assert run(code) == "[]\nclient needs dask.distributed: pip install 'fastmlp[dask]'\n"


def test_progress_is_that_of_all_fits(dask_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmlp._training import progress

    lines = io.StringIO()
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(of_cluster, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr", lines)
    fastmlp.train_many(
        X, VALUES, [{"seed": seed} for seed in range(9)], client=dask_client, progress=True, **COMMON
    )
    shown = re.findall(r"network (\d+)/9  ([\d,]+) rows/s", lines.getvalue())
    assert shown
    assert shown[-1][0] == "9"
    assert int(shown[-1][1].replace(",", "")) > 0
