"""client=: workers that die, data that is lost, interrupts, limits of time, and clusters that do not fit."""

from __future__ import annotations

import _thread
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import Client

import fastmlp
from client_tools import LABELS, VALUES, X, assert_same_runs, later, sent_arrays
from dask_tools import dask_command, kill, local_client, pids, wait_for_workers
from fastmlp._training import cluster as of_cluster
from fastmlp._training import cluster_worker
from fastmlp._training.cluster import Cluster
from fastmlp._training.job import Job

SPECS: list[dict[str, Any]] = [{"seed": seed} for seed in range(9)]
LONG: dict[str, Any] = {"hidden": (32,), "epochs": 30}
ENDLESS: dict[str, Any] = {"hidden": (32,), "epochs": 10**6}


@pytest.fixture(scope="module")
def expected() -> fastmlp.Runs:
    return fastmlp.train_many(X, VALUES, SPECS, **LONG)


@pytest.fixture
def many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_cluster, "_LEAST_SECONDS", 0.0)


@pytest.fixture
def restored(dask_client: Client) -> Iterator[None]:
    """Wait for the workers that follow killed ones."""
    yield
    wait_for_workers(dask_client, 3)


RUN_MANY, FACTS = cluster_worker.run_many, cluster_worker.facts


def watch() -> None:
    """Let a worker note how many rows it has trained on."""

    def watched(jobs: Any, threads: int, max_time: float, look: Any) -> Any:
        def looked(done: int, rows: int) -> None:
            cluster_worker.rows_trained = rows  # type: ignore[attr-defined]
            look(done, rows)

        return RUN_MANY(jobs, threads, max_time, looked)

    cluster_worker.run_many, cluster_worker.rows_trained = watched, 0  # type: ignore[attr-defined]


def unwatch() -> None:
    cluster_worker.run_many = RUN_MANY


def rows_trained() -> int:
    return cluster_worker.rows_trained  # type: ignore[attr-defined, no-any-return]


@contextmanager
def once_trained(client: Client, work: Callable[[], Any]) -> Iterator[None]:
    """Do something, on another thread, once all workers have trained a few epochs in the block within."""
    client.run(watch)

    def wait() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not min(client.run(rows_trained).values()) > 5 * len(X):
            time.sleep(0.05)
        work()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
        thread.join(30)
    finally:
        client.run(unwatch)


def kill_after(monkeypatch: pytest.MonkeyPatch, chunks: int, chosen: Any) -> list[int]:
    """Kill what `chosen` returns once so many chunks were sent; return the list of what was killed."""
    submit, counted, killed = Cluster.submit, [], []

    def spy(self: Cluster, *arguments: Any) -> Any:
        future = submit(self, *arguments)
        counted.append(future)
        if len(counted) == chunks:
            time.sleep(0.05)  # until it trains
            for pid in chosen(self):
                kill(pid)
                killed.append(pid)
        return future

    monkeypatch.setattr(Cluster, "submit", spy)
    return killed


# ------------------------------------------------------------------------------------ workers that die


@pytest.mark.usefixtures("many_chunks", "restored")
def test_a_worker_that_is_killed_changes_no_bit(
    dask_client: Client, expected: fastmlp.Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(_: Any) -> list[int]:
        running = [worker for worker, tasks in dask_client.processing().items() if tasks]
        own = pids(dask_client)
        return [own[worker] for worker in [*running, *own][:1]]

    killed = kill_after(monkeypatch, 5, one)
    runs = fastmlp.train_many(X, VALUES, SPECS, client=dask_client, **LONG)
    assert len(killed) == 1
    assert_same_runs(runs, expected)


@pytest.mark.usefixtures("many_chunks", "restored")
def test_rows_that_are_lost_are_sent_again(
    dask_client: Client, expected: fastmlp.Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    scattered = Cluster._scattered
    monkeypatch.setattr(Cluster, "_scattered", lambda self, value, broadcast=False: scattered(self, value))

    def holders(cluster: Cluster) -> list[int]:
        futures = [future for _, future in cluster._sent.values()]
        found = {worker for workers in dask_client.who_has(futures).values() for worker in workers}
        return [pid for worker, pid in pids(dask_client).items() if worker in found]

    killed = kill_after(monkeypatch, 1, holders)
    with sent_arrays(monkeypatch) as sent:
        runs = fastmlp.train_many(X, VALUES, SPECS, client=dask_client, **LONG)
    assert killed
    assert [array.shape for array in sent][:2] == [X.shape] * 2
    assert_same_runs(runs, expected)


@pytest.mark.usefixtures("restored")
def test_a_fit_that_kills_its_workers_ends_alone(
    dask_client: Client, expected: fastmlp.Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_client.cluster.scheduler, "allowed_failures", 0)  # others are suspected, too
    packed = cluster_worker.packed

    class Bomb:
        def __reduce__(self) -> Any:
            return os._exit, (1,)

    def with_bomb(jobs: list[Job], shared: Any) -> tuple[bytes, list[int]]:
        if any(job.settings.seed == 4 for job in jobs):
            return pickle.dumps(Bomb()), []
        return packed(jobs, shared)

    monkeypatch.setattr(of_cluster, "packed", with_bomb)
    with pytest.warns(RuntimeWarning, match=r"1 network of 9 .*specs\[4\]: the workers that trained it died"):
        runs = fastmlp.train_many(X, VALUES, SPECS, client=dask_client, **LONG)
    assert runs[4] is None
    assert [error is None for error in runs.errors] == [place != 4 for place in range(9)]
    for place in {*range(9)} - {4}:
        one, other = runs[place], expected[place]
        assert one is not None
        assert other is not None
        assert (one.parameters == other.parameters).all()


def test_what_is_lost_again_and_again_is_an_error(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, times = Cluster.submit, []

    def cancelled(self: Cluster, *arguments: Any) -> Any:
        future = submit(self, *arguments)
        future.cancel()
        times.append(future)
        return future

    monkeypatch.setattr(Cluster, "submit", cancelled)
    with pytest.raises(RuntimeError, match=r"^client: 1 fit was lost 4 times, with the workers") as caught:
        fastmlp.train_many(X, VALUES, [{}], client=dask_client, **ENDLESS)
    assert len(times) == 4
    assert list(caught.value.runs) == [None]  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------- endings


@pytest.mark.usefixtures("many_chunks")
def test_ctrl_c_ends_all_workers_and_keeps_what_was_trained(dask_client: Client) -> None:
    begun = time.monotonic()
    with once_trained(dask_client, _thread.interrupt_main), pytest.raises(KeyboardInterrupt) as caught:
        fastmlp.train_many(X, VALUES, SPECS, client=dask_client, **ENDLESS)
    assert time.monotonic() - begun < 60
    assert_ended(dask_client, caught.value.runs, "interrupted")  # type: ignore[attr-defined]
    assert str(caught.value.runs.errors[-1]) == "not begun: the fits were interrupted"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("many_chunks")
def test_max_time_ends_all_workers(dask_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    late = threading.Event()
    clock = SimpleNamespace(
        monotonic=lambda: time.monotonic() + (1000 if late.is_set() else 0), sleep=time.sleep
    )
    monkeypatch.setattr(of_cluster, "time", clock)
    with once_trained(dask_client, late.set), pytest.warns(RuntimeWarning, match="max_time, 500 s, was over"):
        runs = fastmlp.train_many(X, VALUES, SPECS, client=dask_client, max_time=500, **ENDLESS)
    assert_ended(dask_client, runs, "max_time")
    assert {type(error) for error in runs.errors} == {type(None), TimeoutError}


def assert_ended(client: Client, runs: fastmlp.Runs, reason: str) -> None:
    """What the workers had under way is there, and nothing trains on."""
    trained = [network for network in runs if network is not None]
    assert len(trained) >= 2
    assert {network.stop_reason for network in trained} == {reason}
    assert sum(len(network.history) >= 5 for network in trained) >= 2
    assert not any(client.processing().values())


def test_a_second_interrupt_waits_for_nobody(dask_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def interrupt(_: Client, call: str) -> None:
        told.append(call)
        _thread.interrupt_main()

    monkeypatch.setattr(of_cluster, "_told_to_stop", interrupt)
    with once_trained(dask_client, _thread.interrupt_main), pytest.raises(KeyboardInterrupt) as caught:
        fastmlp.train_many(X, VALUES, SPECS, client=dask_client, **ENDLESS)
    dask_client.run(cluster_worker.stop, *told)
    assert list(caught.value.runs) == [None] * 9  # type: ignore[attr-defined]


@pytest.mark.usefixtures("many_chunks")
def test_no_more_threads_are_used_than_are_wanted(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, send = [], of_cluster._Call._send

    def spy(self: Any, chunk: Any) -> None:
        send(self, chunk)
        most.append(len(self._flying))

    monkeypatch.setattr(of_cluster._Call, "_send", spy)
    fastmlp.train_many(X, VALUES, SPECS, client=dask_client, threads=1, epochs=1)
    assert max(most) == 1


# --------------------------------------------------------------------------- clusters that do not fit


def set_facts(version: str, isa: str) -> None:
    cluster_worker.facts = lambda: cluster_worker.Facts(version, isa)


def keep_facts() -> None:
    cluster_worker.facts = FACTS
    sys.modules["fastmlp._training.cluster_worker"] = cluster_worker


def forget_fastmlp() -> None:
    sys.modules["fastmlp._training.cluster_worker"] = None  # type: ignore[assignment]


def test_workers_must_have_the_same_version_and_should_have_the_same_instructions(
    dask_client: Client,
) -> None:
    own = FACTS()
    try:
        dask_client.run(set_facts, own.version, "v0")
        with pytest.warns(
            UserWarning, match=rf"^client: a worker uses .* v0, this process {own.isa}: its netw"
        ):
            runs = fastmlp.train_many(X, LABELS, SPECS, client=dask_client, epochs=1)
        assert not any(runs.errors)
        dask_client.run(set_facts, "9.9", own.isa)
        with pytest.raises(
            RuntimeError, match=rf"^client: the worker tcp.* 9.9, this process {own.version}; ins"
        ):
            fastmlp.train_many(X, LABELS, SPECS, client=dask_client)
        dask_client.run(forget_fastmlp)
        with pytest.raises(
            RuntimeError, match=rf"^client: the worker tcp.* cannot run fastmlp {own.version}, which"
        ):
            fastmlp.train_many(X, LABELS, SPECS, client=dask_client)
    finally:
        dask_client.run(keep_facts)


def test_a_worker_that_joins_later_is_asked_too(dask_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it came between the look at all workers and its first chunk."""
    wanted = cluster_worker.Facts("9.9", cluster_worker.facts().isa)
    monkeypatch.setattr(Cluster, "check_workers", lambda self: None)
    monkeypatch.setattr(of_cluster, "facts", lambda: wanted)
    with pytest.raises(RuntimeError, match=r"^client: this worker has fastmlp .*, this process 9.9; install"):
        fastmlp.train_many(X, LABELS, SPECS, client=dask_client, epochs=1)


@pytest.mark.parametrize("isa", fastmlp.available_isas()[1:2] or fastmlp.available_isas())
def test_workers_of_the_command_and_a_scheduler_that_is_killed(
    isa: str, expected: fastmlp.Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastmlp._native import core as _core

    with dask_command(workers=1, variables={"FASTMLP_ISA": isa}) as cluster, cluster.client() as client:
        before, own = _core.ISA, pids(client)
        if isa != before:
            with pytest.warns(
                UserWarning, match=rf"^client: a worker uses the instruction set {isa}, this proc"
            ):
                fastmlp.train_many(X, VALUES, SPECS, client=client, epochs=1)
        _core.use(isa)
        try:
            here = fastmlp.train_many(X, VALUES, SPECS, **LONG)
            there = fastmlp.train_many(X, VALUES, SPECS, client=client, **LONG)
        finally:
            _core.use(before)
        assert_same_runs(there, here)
        monkeypatch.setattr(
            of_cluster, "facts", lambda: cluster_worker.Facts(cluster_worker.facts().version, isa)
        )
        with (
            later(0.5, kill, cluster.scheduler.pid),
            pytest.raises(RuntimeError, match=r"^client: the connection to its scheduler was lost"),
        ):
            fastmlp.train_many(X, VALUES, SPECS, client=client, **ENDLESS)
        kill(*own.values())  # nobody could tell it to stop


def test_a_client_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_cluster, "_NO_WORKER", 0.2)
    with local_client(workers=0) as client, pytest.raises(RuntimeError, match=r"^client must have a worker"):
        fastmlp.train_many(X, VALUES, SPECS, client=client)
