"""Clusters of Dask for tests: processes of this machine, which end with the test whatever happens in it.

`local_client` has a `LocalCluster` of worker processes; the fixture `dask_client` is one for a file of tests.
`dask_command` has a scheduler and workers that the command ``dask`` started.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
from distributed import Client, LocalCluster

LIMIT = 60  # seconds for a process to start or to end; it takes one or two

#: Where tests' own modules lie, which functions that are sent to workers may come from.
_TESTS = str(Path(__file__).parent)

_CONFIG = {
    "distributed.scheduler.allowed-failures": 3,
    "distributed.comm.timeouts.connect": f"{LIMIT}s",
    "distributed.deploy.lost-worker-timeout": f"{2 * LIMIT}s",  # a busy machine is long about another one
    "distributed.worker.memory.spill": False,
    "distributed.admin.tick.limit": f"{LIMIT}s",  # no warning where this machine is busy with other tests
}


@contextmanager
def local_client(workers: int = 3, threads: int = 1) -> Iterator[Client]:
    """Yield a client of a new cluster of so many processes on this machine, each with so many threads."""
    with TemporaryDirectory(prefix="fastmlp-dask-") as folder, dask.config.set(_CONFIG):
        with _unwarned():
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=threads, processes=True, memory_limit=None,
                dashboard_address=None, local_directory=folder, host="127.0.0.1",
            )  # fmt: skip
        try:
            with _closing(Client(cluster, timeout=LIMIT)) as client:
                yield client
        finally:
            processes = [nanny.process.process for nanny in cluster.workers.values() if nanny.process]
            with _unwarned():
                try:
                    cluster.close(timeout=LIMIT)
                finally:
                    for process in processes:
                        if process is not None and process.is_alive():
                            process.kill()


@contextmanager
def client_in_this_process(workers: int, threads: int = 1) -> Iterator[Client]:
    """Yield a client, not the current one, of a cluster in threads of this process, which begins at once."""
    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=threads, processes=False, dashboard_address=":0",
        memory_limit=None,
    )  # fmt: skip
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


@dataclass
class Commands:
    """A scheduler and its workers, each a process that the command ``dask`` runs."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Yield a client of this cluster, once all workers have come."""
        with _closing(Client(self.address, timeout=LIMIT)) as client:
            client.wait_for_workers(len(self.workers), timeout=LIMIT)
            yield client


@contextmanager
def dask_command(
    workers: int = 2, threads: int = 1, variables: Mapping[str, str] | None = None
) -> Iterator[Commands]:
    """Yield a scheduler with workers, all started by the command ``dask``; they end with the context.

    Parameters
    ----------
    workers, threads : int
        How many workers, and the threads of each.
    variables : mapping of str to str, optional
        Of the workers' environment.
    """
    with TemporaryDirectory(prefix="fastmlp-dask-") as folder, ExitStack() as stack:
        told, log = Path(folder) / "scheduler.json", Path(folder) / "log.txt"
        file = stack.enter_context(log.open("wb"))
        own = {"PYTHONPATH": os.pathsep.join([_TESTS, *filter(None, [os.environ.get("PYTHONPATH")])])}

        def start(*arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [*_command(), *arguments], env={**os.environ, **own, **(variables or {})}, cwd=folder,
                stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
            stack.callback(_end, process)
            return process

        scheduler = start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)
        )
        started = []
        for _ in range(workers):
            worker = start(
                "worker", "--scheduler-file", str(told), "--nthreads", str(threads), "--no-dashboard",
                "--memory-limit", "0", "--local-directory", folder, variables=variables,
            )  # fmt: skip
            started.append(worker)
        yield Commands(_address(told, scheduler, log), scheduler, started)


def _command() -> list[str]:
    """Return how to run ``dask``: the script beside this interpreter, or its module where there is none."""
    script = Path(sys.executable).with_name("dask.exe" if sys.platform == "win32" else "dask")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "dask"]


def _address(told: Path, scheduler: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that the scheduler has written to its file."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and scheduler.poll() is None:
        try:
            return str(json.loads(told.read_text())["address"])
        except (OSError, ValueError):  # it is not there yet, or not wholly
            time.sleep(0.05)
    raise RuntimeError(f"the scheduler did not start: {log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it has started."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(LIMIT)
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # of all that are left of its group
    process.wait(LIMIT)


def pids(client: Client) -> dict[str, int]:
    """Return the process of each worker, by its address; those that are just ending do not answer."""
    return dict(client.run(os.getpid, on_error="ignore"))


def kill(pid: int) -> None:
    """Kill a process at once, as a machine that fails does; a worker's nanny starts another one."""
    os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def wait_for_workers(client: Client, count: int) -> None:
    """Return once so many workers answer, at least."""
    end = time.monotonic() + LIMIT
    while len(pids(client)) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"there are not {count} workers")
        time.sleep(0.05)


@contextmanager
def _closing(client: Client) -> Iterator[Client]:
    try:
        yield client
    finally:
        with _unwarned():
            client.close(timeout=LIMIT)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Let Dask warn while it starts and ends; what it leaves to the garbage collector is collected here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            gc.collect()
