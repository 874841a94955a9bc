"""One network on several processes: the same bits on any number of them, whatever a run is made of."""

from __future__ import annotations

import os
import sys
import warnings
from functools import cache
from pathlib import Path

import pytest

import fastmlp
import shard_cases
from mpi_tools import launcher, mpiexec, run_mpi


@cache
def expected() -> list[str]:
    """Return the results of one process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = [f"{name}: {shard_cases.result(train(None))}" for name, train in shard_cases.CASES.items()]
        for name, given in shard_cases.LOCAL.items():
            net = fastmlp.train(validation=0.2, **given, **shard_cases.SMALL)
            lines.append(f"local {name}: {shard_cases.result(net)}")
    return lines


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_any_number_of_processes_gives_the_bits_of_one(processes: int, tmp_path: Path) -> None:
    program = [sys.executable, shard_cases.__file__, str(tmp_path)]
    ended = run_mpi([launcher(), "-n", str(processes), *program])
    assert ended.code == 0, ended.err
    for rank in range(processes):
        assert (tmp_path / f"results-{rank}").read_text().splitlines() == expected()
        # The first process's clock is that of all.
        assert (tmp_path / f"seconds-{rank}").read_text() == (tmp_path / "seconds-0").read_text()


OWN_ROWS = """
import fastmlp
from zlib import crc32

rng = np.random.default_rng(0)
X, y = rng.normal(size=(4096, 3)), rng.normal(size=4096)
whole = X.copy()
# What the other process alone needs is not even a number here; the first and last 1,000 rows tell data apart.
X[[slice(2048, 3000), slice(1100, 2048)][world.rank]] = np.nan
options = {"epochs": 2, "shards": 4, "batch_size": 512}
net = fastmlp.train(X, y, communicator=world, threads=world.rank or None, **options)
few = fastmlp.train(whole[:20], y[:20], communicator=world, validation=0.1, **options)
alone = fastmlp.train(whole, y, **options)
alone_few = fastmlp.train(whole[:20], y[:20], validation=0.1, **options)
say((net.parameters == alone.parameters).all(), (few.parameters == alone_few.parameters).all())
say(few.history["validation_loss"].tolist() == alone_few.history["validation_loss"].tolist())
X[:] = np.where(np.arange(4096)[:, None] == 2500, np.inf, whole)
try:
    fastmlp.train(X, y, communicator=world, **options)
except (ValueError, ProcessError) as error:
    say(error)
"""


def test_a_process_reads_its_own_rows_alone() -> None:
    ended = mpiexec(2, OWN_ROWS)
    error = "X has inf at row 2500, column 0; only finite numbers are accepted"
    assert ended.out == ["True"] * 2 + ["True True"] * 2 + [error, f"process 1: ValueError: {error}"]


LOCAL = """
import fastmlp
rng = np.random.default_rng(0)
X, y = rng.normal(size=(64, 3)), rng.normal(size=64)
nets = [fastmlp.train(X, y, epochs=2, communicator=world, local=local) for local in (True, False)]
say((nets[0].parameters == nets[1].parameters).all())
"""


def test_one_process_may_have_all_rows_as_its_part() -> None:
    ended = mpiexec(1, LOCAL)
    assert ended.out == ["True"], ended.err


RESUMED = """
from shard_cases import RESUMED, result
net = RESUMED[sys.argv[1]](world, checkpoint=sys.argv[2], resume=sys.argv[2], epochs=int(sys.argv[3]))
say(result(net))
"""


@pytest.mark.parametrize("name", shard_cases.RESUMED)
def test_any_number_of_processes_goes_on_from_a_checkpoint_of_another(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    for epochs, processes in ((2, 4), (4, 1), (6, 2)):
        ended = mpiexec(processes, RESUMED, name, str(tmp_path), str(epochs))
        assert ended.code == 0, ended.err
    whole = shard_cases.result(shard_cases.RESUMED[name](None, epochs=6))
    assert ended.out == [whole] * 2
    assert shard_cases.result(shard_cases.RESUMED[name](None, epochs=6, resume=tmp_path)) == whole


DISAGREEMENTS = {
    "{'seed': rank}": "seed must be the same in all processes, got ",
    "{'seed': None if rank else 3}": "seed must be the same in all processes, got None in some",
    "{'epochs': 2 + rank}": "epochs must be the same in all processes, got ",
    "{'X': X + rank}": "fingerprint of the rows must be the same in all processes, got ",
    "{'X': X * (np.inf if rank else 1)}": "process 1: ValueError: X has inf at row 0, column 0",
    "{'shards': 1}": "communicator must have at most shards=1 processes, got 2",
    "{'local': bool(rank)}": "local must be the same in all processes, got ",
    "{'local': True, 'encode': True if rank else 'auto'}": "encode=True needs a table of named columns",
    "{'local': True, 'validation': (X, y) if rank else None}": "validation must be given alike in all",
    "{'local': True, 'validation': (X, y, y)[: 2 + rank]}": "got ['2 parts', '3 parts']",
    "{'local': True, 'X': pd.DataFrame({'ab'[rank]: y})}": "X must have the same columns in all processes",
    "{'validation': (X[: 9 + rank], y[: 9 + rank])}": "rows to validate on must be the same in all processes",
    "{'sample_weight': np.where(np.arange(3000) == 1500, 1 + rank, 1)}": "mean weight of the rows must be",
    "{'checkpoint': '/nowhere' if rank else None}": "checkpoint must be the same in all processes, got ",
    "{'validation': (X[:50], y[:50] + rank)}": "checksum of targets and rows to validate on must be the same",
    "{'X': pd.DataFrame({'a': ['u', 'vw'[rank]] * 1500}), 'y': y}": "encoder must be the same in all",
    "{'local': True, 'memory_limit': '1 GB'}": "local=True goes with rows in memory, not with memory_limit",
    "{'local': True, 'X': 'there.csv'}": "local=True goes with rows in memory, got X of type str",
    "{'local': True, 'X': fastmlp.data.Table({'a': y})}": "got Table, Table",
    "{'every': 1 + rank}": "every must be the same in all processes, got ",
    "{'hidden': 3 + rank}": "layer_sizes must be the same in all processes, got ",
}

DISAGREEING = """
import fastmlp
import pandas as pd
rng, rank = np.random.default_rng(0), world.rank
X, y = rng.normal(size=(3000, 3)), rng.normal(size=3000)
for changed in CHANGES:
    arguments = {"shards": 4, "epochs": 2, "communicator": world, "X": X, "y": y}
    try:
        fastmlp.train(**arguments | eval(changed))
    except (TypeError, ValueError, ProcessError) as error:
        say(changed, error)
    world.Barrier()
"""


def test_processes_that_disagree_are_told_of_it() -> None:
    ended = mpiexec(2, DISAGREEING.replace("CHANGES", str(list(DISAGREEMENTS))))
    for changed, said in DISAGREEMENTS.items():
        told = [line for line in ended.out if line.startswith(changed)]
        assert len(told) == 2, ended
        assert any(said in line for line in told), told


CALLBACKS = """
import fastmlp
rng = np.random.default_rng(0)
X, y = rng.normal(size=(64, 3)), rng.normal(size=64)
seen = []

def stops_here(net):
    seen.append(len(net.history))
    return world.rank == 1 and len(net.history) == 3

net = fastmlp.train(X, y, shards=2, communicator=world, callbacks=stops_here if world.rank else ())
say(world.rank, len(net.history), net.stop_reason, seen)

# The first process's clock ends all of them after the same step.
net = fastmlp.train(X, y, shards=2, communicator=world, epochs=10**8, max_time=0.2)
say("time", len(net.history), net.stop_reason, net.parameters.tobytes().hex()[:64])
net = fastmlp.train(X, y, shards=2, communicator=world, epochs=10**8, max_time=0.2, optimizer="lbfgs")
say("lbfgs", len(net.history), net.stop_reason)

try:
    fastmlp.train(X, 1e30 * y, shards=2, communicator=world, optimizer="sgd", restore_best=False, timeout=5)
except FloatingPointError as error:
    say("diverged", error)

def changes(net):
    net.parameters[0] = world.rank
try:
    fastmlp.train(X, y, shards=2, communicator=world, callbacks=changes)
except (ValueError, ProcessError) as error:
    say(error)
"""


def test_callbacks_and_clocks_do_not_part_processes() -> None:
    ended = mpiexec(2, CALLBACKS)
    assert ended.out[:2] == ["0 3 callback []", "1 3 callback [1, 2, 3]"], ended
    assert any("callbacks must change the weights of all processes alike" in line for line in ended.out)
    for begin in ("time", "lbfgs"):
        first, second = (line for line in ended.out if line.startswith(begin))
        assert first == second
        assert "max_time" in first or begin == "lbfgs"
    assert len([line for line in ended.out if line.startswith("diverged the loss diverged in epoch ")]) == 2
