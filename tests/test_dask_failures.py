"""Rounds on clusters that change or fail: the same bits, or a clear error, and never a hang."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client, wait

import fastmlp
from dask_tools import client_in_this_process, kill, local_client, pids
from fastmlp._dask import worker as _worker
from fastmlp._dask.futures import Futures
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp.dask import DaskMLPClassifier, train

RNG = np.random.default_rng(5)
X = RNG.normal(size=(600, 4)).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
SMALL: dict[str, Any] = {"hidden": (8,), "rounds": 6, "local_epochs": 2}
CHUNK = 100


def rows() -> tuple[da.Array, da.Array]:
    """Return rows that Dask can make again where a worker is lost."""
    return da.from_array(X, chunks=(CHUNK, -1)), da.from_array(LABELS, chunks=CHUNK)


@pytest.fixture(scope="module")
def expected() -> Iterator[np.ndarray]:
    """Return the parameters that one worker in this process gives."""
    with client_in_this_process(workers=1, threads=2) as client:
        yield train(client, *rows(), **SMALL).parameters


def test_the_bits_do_not_depend_on_the_workers(dask_client: Client, expected: np.ndarray) -> None:
    assert np.array_equal(train(dask_client, *rows(), **SMALL).parameters, expected)
    persisted = [dask_client.persist(part) for part in rows()]
    assert np.array_equal(train(dask_client, *persisted, **SMALL).parameters, expected)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_a_worker_that_is_killed_changes_nothing(dask_client: Client, expected: np.ndarray) -> None:
    victims = sorted(pids(dask_client).values())[:2]
    timers: list[threading.Timer] = []
    killed: list[int] = []

    def kill_next() -> None:
        kill(victims[len(killed)])
        killed.append(victims[len(killed)])

    def kill_one(net: fastmlp.Network) -> None:
        if len(net.history) == 1:
            kill_next()
        elif len(net.history) == 3:  # in the middle of a round
            timers.append(threading.Timer(0.01, kill_next))
            timers[0].start()

    net = train(dask_client, *rows(), callbacks=kill_one, **SMALL)
    timers[0].join()
    assert killed == victims
    assert np.array_equal(net.parameters, expected)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_results_that_were_lost_before_they_were_fetched_are_made_again() -> None:
    with local_client(workers=2) as client:
        futures = Futures(client, timeout=60)
        victim, other = client.nthreads()
        lost = client.submit(abs, -1, workers=[victim], allow_other_workers=True, key="lost", pure=False)
        slow = client.submit(time.sleep, 1, workers=[other], key="slow", pure=False)
        wait([lost])
        kill(pids(client)[victim])
        while lost.status == "finished":
            time.sleep(0.005)
        assert list(futures.results([lost, slow], "{}".format)) == [1, None]


def test_a_worker_that_joins_changes_nothing(dask_client: Client, expected: np.ndarray) -> None:
    def one_more(net: fastmlp.Network) -> None:
        if len(net.history) == 1:
            dask_client.cluster.scale(4)
            dask_client.wait_for_workers(4, timeout=60)

    assert np.array_equal(train(dask_client, *rows(), callbacks=one_more, **SMALL).parameters, expected)


def test_workers_of_different_instruction_sets(dask_client: Client) -> None:
    available = fastmlp.available_isas()
    if len(available) == 1:
        available = available * 2
    first, *others = dask_client.nthreads()
    lowest = train_on(available[-1])
    try:
        dask_client.run(_core.use, available[-1])
        assert np.array_equal(train(dask_client, *rows(), **SMALL).parameters, lowest)
        dask_client.run(_core.use, available[0], workers=others)
        if available[0] != available[-1]:
            with pytest.warns(UserWarning, match="differ in their last bits; all compute with"):
                net = train(dask_client, *rows(), **SMALL)
            assert np.array_equal(net.parameters, lowest)
        used = dask_client.run(lambda: _core.ISA)
        assert used == {one: available[-1] if one == first else available[0] for one in used}
    finally:
        dask_client.run(_core.use, available[0])


def test_a_worker_that_joins_without_the_instruction_set_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastmlp._dask.rounds.common_isa", lambda client: "v9")  # that of those before
    with (
        client_in_this_process(workers=1) as client,
        pytest.raises(RuntimeError, match="a worker that joined does not have the instruction set v9"),
    ):
        train(client, *rows(), **SMALL)


def train_on(isa: str) -> np.ndarray:
    before = _core.ISA
    _core.use(isa)
    try:
        with client_in_this_process(workers=1) as client:
            return train(client, *rows(), **SMALL).parameters
    finally:
        _core.use(before)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_scattered_rows_that_are_lost_are_an_error() -> None:
    with local_client(workers=1) as client:
        first = next(iter(client.nthreads()))
        parts = [client.scatter(X[i : i + CHUNK], workers=[first], hash=False) for i in range(0, 600, CHUNK)]
        lost = da.concatenate(
            [da.from_delayed(part, shape=(CHUNK, 4), dtype=np.float32) for part in map(_lazy, parts)]
        )

        def kill_it(net: fastmlp.Network) -> None:
            if len(net.history) == 1:
                kill(pids(client)[first])

        with pytest.raises(RuntimeError, match=r"partition \d is lost, and cannot be made again"):
            train(client, lost, rows()[1], callbacks=kill_it, **SMALL | {"rounds": 50})


def _lazy(future: Any) -> Any:
    from dask.delayed import delayed

    return delayed(future)


@pytest.mark.parametrize("when", ["between rounds", "within a round"])
def test_a_client_that_is_closed_is_an_error(dask_client: Client, when: str) -> None:
    other = Client(dask_client.cluster, set_as_default=False)

    def close(net: fastmlp.Network) -> None:
        if len(net.history) == 1:
            if when == "between rounds":
                other.close()
            else:
                threading.Timer(0.02, other.close).start()

    with pytest.raises(RuntimeError, match="client is clos"):
        train(other, *rows(), callbacks=close, **SMALL | {"rounds": 500})
    with pytest.raises(RuntimeError, match="client is closed: make a new one"):
        train(other, *rows(), **SMALL)


def test_a_cluster_without_workers_is_an_error() -> None:
    with (
        client_in_this_process(workers=0) as client,
        pytest.raises(RuntimeError, match=r"the cluster had no worker for 0\.5 s"),
    ):
        train(client, *rows(), timeout=0.5, **SMALL)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_ctrl_c_cancels_the_round(dask_client: Client) -> None:
    def interrupt(net: fastmlp.Network) -> None:
        if len(net.history) == 2:
            threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()

    big = (
        da.from_array(np.tile(X, (20, 1)), chunks=(2000, -1)),
        da.from_array(np.tile(LABELS, 20), chunks=2000),
    )
    with pytest.raises(KeyboardInterrupt) as caught:
        train(dask_client, *big, callbacks=interrupt, hidden=(100,), rounds=2000, local_epochs=5)
    net = caught.value.network
    assert net.stop_reason == "interrupted"
    assert len(net.history) >= 2
    end = time.monotonic() + 30
    while any(dask_client.processing().values()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(dask_client.processing().values())


def test_ctrl_c_keeps_what_an_estimator_has_learned(dask_client: Client) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    model = DaskMLPClassifier((8,), client=dask_client, rounds=5, verbose=True)
    printed = []

    class Print:
        def __call__(self, *arguments: object, **_: object) -> None:
            printed.append(arguments)
            if len(printed) == 3:
                interrupt()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", Print())
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model.fit(*rows())
    assert model.n_iter_ == 3


def test_tasks_of_a_worker_share_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_worker, "_worker", lambda: ("a worker", 4))
    monkeypatch.setattr(_threads, "available_cpus", lambda: 64)
    running, most, given = [0], [0], []
    lock = threading.Lock()

    def task() -> None:
        with _worker.threads_of_task(3) as threads:
            with lock:
                running[0] += threads
                most[0] = max(most[0], running[0])
                given.append(threads)
            time.sleep(0.01)
            with lock:
                running[0] -= threads

    tasks = [threading.Thread(target=task) for _ in range(12)]
    for one in tasks:
        one.start()
    for one in tasks:
        one.join(10)
    assert len(given) == 12
    assert most[0] == 4
    assert set(given) <= {1, 2, 3}
