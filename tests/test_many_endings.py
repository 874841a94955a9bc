"""train_many: wrong specs, failures of single networks, interrupts, callbacks, progress, the table."""

from __future__ import annotations

import dataclasses
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from process_tools import posix, run, run_and_interrupt

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype(np.float32)
Y = RNG.integers(3, size=80)


def many(specs: Any, **common: Any) -> fastmlp.Runs:
    return fastmlp.train_many(X, Y, specs, **{"epochs": 2, **common})


# ----------------------------------------------------------------------------------------- wrong specs


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"hidden": 0}, r"specs\[1\]: hidden\[0\] must be at least 1 .*, got 0"),
        ({"epochs": 1.5}, r"specs\[1\]: epochs must be an integer, got 1.5"),
        ({"lr": 0.1}, r"specs\[1\] holds 'lr'; a spec may hold rows, y, hidden, "),
        (
            {"checkpoint": "folder"},
            r"specs\[1\] must not hold 'checkpoint': fits among others write no checkp",
        ),
        (
            {"memory_limit": 10**9},
            r"specs\[1\] must not hold 'memory_limit': all fits share one X, in memory",
        ),
        ({"threads": 2}, r"specs\[1\] must not hold 'threads'"),
        ({"rows": []}, r"specs\[1\]: rows must choose at least one row, got none"),
        ({"rows": [80]}, r"specs\[1\]: rows must be rows of X, of which there are 80; got 80"),
        ({"rows": [-81]}, r"specs\[1\]: rows must be rows of X, of which there are 80; got -81"),
        (
            {"rows": [0.5]},
            r"specs\[1\]: rows must be the numbers of rows, or a mask of them; got dtype float64",
        ),
        ({"rows": np.ones(79, bool)}, r"specs\[1\]: rows must have as many rows as X, 80, got 79"),
        ({"rows": np.eye(2, dtype=int)}, r"specs\[1\]: rows must be the numbers of rows, .* shape \(2, 2\)"),
        ({"rows": Y == 0}, r"specs\[1\]: y has only one class, 0"),
        ({"validation": np.arange(80)}, r"specs\[1\]: validation must leave rows to learn from"),
        ({"validation": [1, 99]}, r"specs\[1\]: validation must be rows of X, .* got 99"),
        ({"rows": Y < 2, "validation": Y == 2}, r"specs\[1\]: validation: y has the label 2"),
        ({"y": Y[:-1]}, r"specs\[1\]: y must have as many rows as X, 80, got 79"),
        ({"sample_weight": np.ones(3)}, r"specs\[1\]: sample_weight must have as many rows as X, 80, got 3"),
        (
            {"rows": range(30), "sample_weight": np.ones(3)},
            r"specs\[1\]: sample_weight must have .* 80, got 3",
        ),
        ({"optimizer": "lbfgs", "dropout": 0.5}, r"specs\[1\]: dropout does not go with optimizer 'lbfgs'"),
        (7, r"specs\[1\] must be a dict of arguments of train, got 7"),
    ],
)
def test_a_wrong_spec_is_named_before_anything_runs(spec: Any, message: str) -> None:
    epochs = []
    with pytest.raises((TypeError, ValueError), match=message):
        many([{}, spec], callbacks=lambda net: epochs.append(net))
    assert not epochs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": 0.1}, "train_many has no argument 'lr'; of train it takes hidden, "),
        (
            {"resume": "folder"},
            "train_many has no argument resume: fits among others write no checkpoints; give",
        ),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"max_time": 0}, "max_time must be greater than 0, got 0"),
        ({"progress": "yes"}, "progress must be True or False, got 'yes'"),
        ({"callbacks": 3}, "callbacks must be a callable or callables, got 3"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        many([{}], **arguments)


@pytest.mark.parametrize("specs", [{"epochs": 1}, "abc", 3, None])
def test_specs_must_be_a_sequence(specs: Any) -> None:
    with pytest.raises(TypeError, match="specs must be a sequence of dicts"):
        many(specs)


def test_rows_that_train_would_stream_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    for streamed in (tmp_path / "X.npy", iter([(X, Y)])):
        with pytest.raises(TypeError, match=r"train_many needs X in memory, got .*, which train streams"):
            fastmlp.train_many(streamed, Y, [{}])
    with pytest.raises(TypeError, match="y is needed"):
        fastmlp.train_many(X, None, [{}])


@pytest.mark.parametrize("name", ["X.csv", "X.npy", "X.parquet"])
def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"X: '.*{name}' is not there"):
        fastmlp.train_many(tmp_path / name, "y", [{}])


def test_no_specs_are_no_networks() -> None:
    runs = many([])
    assert (len(runs), runs.errors, len(runs.table)) == (0, [], 0)
    with pytest.raises(ValueError, match="no network was trained without an error"):
        runs.best()


def test_rows_that_are_learned_from_and_validated_on_are_told() -> None:
    with pytest.warns(UserWarning, match="rows and validation have 10 rows in common"):
        many([{"rows": range(40), "validation": range(30, 50)}])


def test_what_concerns_several_networks_is_said_once() -> None:
    table = fastmlp.data.Table({"a": X[:, 0], "same": ["k"] * 80, "t": X[:, 1]})
    specs = [{"rows": np.arange(i, 70)} for i in range(4)]
    with pytest.warns(UserWarning, match="column 'same' is left out") as said:
        fastmlp.train_many(table, "t", specs, epochs=1)
    assert len(said) == 1
    with pytest.warns(UserWarning, match="3 different whole numbers") as said:
        fastmlp.train_many(X, Y.astype(float), specs, epochs=1)
    assert len(said) == 1


# ----------------------------------------------------------------------------- failures of one network


@pytest.mark.parametrize("restore_best", [True, False])
def test_a_network_whose_loss_diverges_ends_alone(restore_best: bool) -> None:
    specs = [{"seed": 0}, {"optimizer": "sgd", "learning_rate": 1e30, "batch_size": 10}, {"seed": 2}]
    common: dict[str, Any] = {"epochs": 5, "restore_best": restore_best, "hidden": (9, 9)}
    with pytest.warns(
        RuntimeWarning, match=r"1 network of 3 ended with an error, .* specs\[1\]: the loss div"
    ):
        runs = many(specs, **common)
    assert [type(error) for error in runs.errors] == [type(None), FloatingPointError, type(None)]
    diverged = runs[1]
    assert diverged is not None
    assert np.isfinite(diverged.parameters).all()
    assert runs.table["stop_reason"].tolist() == ["epochs", "diverged", "epochs"]
    for place in (0, 2):
        expected = fastmlp.train(X, Y, **common, **specs[place])
        np.testing.assert_array_equal(runs[place].parameters, expected.parameters)  # type: ignore[union-attr]
    assert runs.best() is not diverged


@posix
def test_a_network_that_runs_out_of_memory_ends_alone() -> None:
    script = """
        import resource, warnings
        import numpy as np, fastmlp
        X = np.zeros((20_000, 4), "f"); X[:, 0] = np.arange(20_000) % 2
        specs = [{"hidden": 8, "batch_size": 100}, {"hidden": 20_000, "batch_size": None}] * 2
        fastmlp.train_many(X, X[:, 0], specs[:1], loss="squared_error", epochs=1, threads=2)
        used = int(open("/proc/self/statm").read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, -1))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            runs = fastmlp.train_many(X, X[:, 0], specs, loss="squared_error", epochs=1, threads=2)
        print([type(error).__name__ for error in runs.errors], [net is None for net in runs], len(told))
    """
    expected = "['NoneType', 'MemoryError', 'NoneType', 'MemoryError'] [False, True, False, True] 1\n"
    assert run(script) == expected


def test_a_network_larger_than_the_memory_is_named_before_anything_runs() -> None:
    with pytest.raises(MemoryError, match=r"specs\[1\]: layer_sizes: .* more than the memory"):
        many([{}, {"hidden": (10**7, 10**7)}])


def test_lbfgs_without_a_minimum_is_told_once() -> None:
    with pytest.warns(UserWarning, match=r"2 networks of 2; specs\[0\]: L-BFGS has not converged"):
        runs = many([{"seed": 1}, {"seed": 2}], optimizer="lbfgs")
    assert runs.errors == [None, None]


# --------------------------------------------------------------------------------- time and interrupts


def test_max_time_ends_what_runs_and_begins_nothing_more() -> None:
    with pytest.warns(
        RuntimeWarning, match="ended with an error, see runs.errors; .* max_time, 0.05 s, was ov"
    ):
        runs = many([{}] * 50, epochs=10**7, max_time=0.05, threads=2)
    begun = [network for network in runs if network is not None]
    assert 1 <= len(begun) <= 2
    assert {network.stop_reason for network in begun} == {"max_time"}
    assert {type(error) for error in runs.errors} == {type(None), TimeoutError}
    assert runs.table["stop_reason"].tolist()[-1] == "TimeoutError"


def test_a_spec_may_have_a_time_of_its_own() -> None:
    runs = many([{"max_time": 0.02, "epochs": 10**7}, {"epochs": 3}])
    assert runs.table["stop_reason"].tolist() == ["max_time", "epochs"]


@posix
@pytest.mark.parametrize(("threads", "networks"), [(1, 30), (2, 1), (2, 30)])
def test_ctrl_c_keeps_what_is_done(threads: int, networks: int) -> None:
    script = f"""
        import numpy as np, fastmlp
        X = np.random.default_rng(0).normal(size=(2000, 10)).astype("f")
        specs = [{{"epochs": 1}}] * 3 + [{{"epochs": 10**6}}] * {networks}
        print("started", flush=True)
        try:
            fastmlp.train_many(X, X[:, 0] > 0, specs[::-1], threads={threads}, hidden=(50, 50))
        except KeyboardInterrupt as error:
            runs = error.runs
        reasons = {{net.stop_reason for net in runs if net is not None}}
        print(reasons - {{"epochs"}}, len(runs) == len(specs))
        print({{type(e).__name__ for e in runs.errors}} <= {{"NoneType", "TimeoutError"}})
        again = fastmlp.train_many(X, X[:, 0] > 0, [{{"seed": 1}}], epochs=1)
        print(again.errors)
    """
    assert run_and_interrupt(script, 0.5) == "{'interrupted'} True\nTrue\n[None]\n"


# ------------------------------------------------------------------------------ callbacks and progress


def test_callbacks_see_each_epoch_of_each_network_and_stop_their_own() -> None:
    seen: list[tuple[int | None, int]] = []
    lock = threading.Lock()

    def note(net: fastmlp.Network) -> None:
        with lock:
            seen.append((net.seed, int(net.history["epoch"][-1])))

    specs = [{"seed": 1}, {"seed": 2, "callbacks": lambda net: len(net.history) == 2}]
    runs = many(specs, epochs=4, callbacks=note)
    assert sorted(seen) == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2)]
    assert [net.stop_reason for net in runs if net is not None] == ["epochs", "callback"]


@pytest.mark.parametrize("common", [{"epochs": 5}, {"epochs": 5, "validation": 0.25}])
def test_a_callback_changes_no_history(common: dict[str, Any]) -> None:
    watched = many([{}, {"callbacks": lambda net: net.history["loss"][-1] < 0}], **common)
    for network, alone in zip(watched, many([{}, {}], **common), strict=True):
        assert network is not None
        assert alone is not None
        for name in set(alone.history.columns) - {"seconds"}:
            np.testing.assert_array_equal(network.history[name], alone.history[name])


def test_what_a_callback_raises_ends_all_and_is_raised() -> None:
    def fail(net: fastmlp.Network) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        many([{"callbacks": fail}, *[{"seed": i} for i in range(9)]], epochs=10**7, threads=1)
    runs = caught.value.runs  # type: ignore[attr-defined]
    assert [type(error) for error in runs.errors] == [type(None)] + [TimeoutError] * 9


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    """An exception that takes no attributes."""


def test_an_exception_that_takes_no_attributes_is_raised_as_it_is() -> None:
    def fail(network: fastmlp.Network) -> None:
        raise FrozenError

    with pytest.raises(FrozenError):
        many([{}], callbacks=fail)


def test_a_callback_may_train_itself() -> None:
    inner: list[float] = []

    def train_more(net: fastmlp.Network) -> None:
        inner.append(fastmlp.train(X, Y, epochs=1, hidden=(3,)).history["loss"][-1])

    many([{}, {}], callbacks=train_more, epochs=1)
    assert len(inner) == 2
    assert len(set(inner)) == 1


@pytest.mark.parametrize("epochs", [1, 20_000])
def test_progress_writes_lines_where_there_is_no_terminal(
    epochs: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastmlp._training import progress

    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    many([{}, {}], progress=True, epochs=epochs, hidden=(40,))
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(("network 0/2  ", "network 1/2  ", "network 2/2  ")) for line in lines)
    assert all("rows/s" in line for line in lines)
    assert epochs == 1 or lines


# ----------------------------------------------------------------------------------- the table of runs


def test_the_table_has_what_varies_and_what_was_measured() -> None:
    specs = [{"hidden": (3,), "seed": 1, "rows": np.arange(40)}, {"hidden": (9, 2), "seed": 1}]
    runs = many(specs, validation=0.25, epochs=3)
    table = runs.table
    assert table.columns == (
        "hidden", "loss", "validation_loss", "validation_accuracy", "epochs", "seconds", "stop_reason",
    )  # fmt: skip
    assert table["hidden"].tolist() == ["(3,)", "(9, 2)"]
    assert table["epochs"].tolist() == [3, 3]
    for network, loss in zip(runs, table["validation_loss"], strict=True):
        assert network is not None
        assert loss == network.history["validation_loss"].min()
    assert table.to_frame().shape == (2, 7)
    assert "validation_accuracy" in str(table)
    assert repr(runs) == "Runs(2 networks)"
    assert runs[-1] is runs[1]
    assert runs[0:2] == list(runs)


def test_the_table_has_what_all_have_in_common_where_a_spec_says_nothing() -> None:
    weights = [(np.ones((4, 2)), np.ones(2)), (np.ones((2, 3)), np.ones(3))]
    specs = [{"learning_rate": 0.1}, {"batch_size": np.int64(8)}, {"init": weights, "l2": 0.1}]
    table = many(specs, hidden=2, learning_rate=0.2, batch_size=16).table
    assert table["learning_rate"].tolist() == [0.1, 0.2, 0.2]
    assert table["batch_size"].tolist() == [16, 8, 16]
    assert table["l2"].tolist() == [0.0, 0.0, 0.1]
    assert len(str(table).splitlines()) == 4  # a line a network, whatever an argument is


def test_the_best_network_is_one_of_those_with_validation() -> None:
    specs = [{"epochs": 60, "learning_rate": 0.1}, {"validation": 0.25}, {"validation": 0.25, "seed": 1}]
    runs = many(specs)
    losses = runs.table["validation_loss"]
    assert runs.table["loss"][0] < np.nanmin(losses)
    assert runs.best() is runs[int(np.nanargmin(losses))]


@pytest.mark.parametrize("restore_best", [True, False])
def test_the_table_tells_of_the_weights_that_were_kept(restore_best: bool) -> None:
    held = np.arange(80) % 4 == 0
    specs = [{"learning_rate": 0.1, "seed": seed} for seed in range(3)]
    runs = many(specs, validation=held, hidden=(64,), epochs=40, restore_best=restore_best)
    losses = runs.table["validation_loss"]
    for network, loss in zip(runs, losses, strict=True):
        assert network is not None
        assert network.loss_and_gradient(X[held], Y[held])[0] == pytest.approx(loss, rel=1e-5)
        assert bool(loss == network.history["validation_loss"].min()) == restore_best
    assert runs.best() is runs[int(np.argmin(losses))]


def test_without_validation_patience_keeps_the_epoch_of_the_lowest_loss() -> None:
    runs = many([{"patience": 40}, {}], hidden=(64,), epochs=40, learning_rate=0.3, batch_size=8)
    with_patience, without = runs
    assert with_patience is not None
    assert without is not None
    assert np.argmin(with_patience.history["loss"]) < 39
    expected = [with_patience.history["loss"].min(), without.history["loss"][-1]]
    assert runs.table["loss"].tolist() == expected


def test_the_best_network_has_the_lowest_loss_without_its_penalty() -> None:
    specs = [{"l2": 1.0}, {"l2": 0.0}, {"l2": 0.0, "learning_rate": 1e-6}]
    runs = many(specs, validation=0.25, epochs=60, learning_rate=0.01)
    losses = [
        net.history["validation_loss"].min()
        - net.l2 / 2 * sum((W.astype(float) ** 2).sum() for W in net.weights)
        for net in runs
        if net is not None
    ]
    assert runs.best() is runs[int(np.argmin(losses))]


def test_losses_of_different_kinds_are_compared_by_the_score() -> None:
    specs = [{"loss": "hinge"}, {"loss": "softmax_cross_entropy", "learning_rate": 1e-9}]
    runs = many(specs, validation=0.25, epochs=60)
    scores = runs.table["validation_accuracy"]
    assert runs.best() is runs[int(np.argmax(scores))]
    with pytest.raises(ValueError, match="losses of different kinds are compared by the validation score"):
        many(specs).best()


@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
@pytest.mark.parametrize("validation", [None, 0.25])
@pytest.mark.usefixtures("pictures")
def test_plot_draws_each_network(backend: str, validation: Any) -> None:
    runs = many([{"seed": seed} for seed in range(3)], epochs=4, validation=validation)
    drawn = runs.plot(backend=backend)
    assert len(drawn.lines if backend == "matplotlib" else drawn.data) == 3


def test_a_table_of_failed_networks_has_no_numbers() -> None:
    with pytest.warns(RuntimeWarning):
        runs = many([{}] * 9, epochs=10**7, max_time=0.01, threads=1)
    assert math.isnan(runs.table["loss"][-1])


@posix
def test_ten_thousand_networks_with_rows_of_their_own_take_less_than_a_gigabyte() -> None:
    script = """
        import numpy as np, fastmlp
        rng = np.random.default_rng(0)
        X = rng.normal(size=(10_000, 10)).astype("f")
        specs = [{"seed": seed, "rows": rng.integers(10_000, size=200)} for seed in range(10_000)]
        runs = fastmlp.train_many(X, X[:, 0] > 0, specs, hidden=(32, 32), epochs=1)
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        print(len(runs), int(peak.split()[1]) < 2**20)
    """
    assert run(script) == "10000 True\n"


@posix
@pytest.mark.parametrize("seed", [0, 3])
def test_a_callback_may_fork(seed: int) -> None:
    script = f"""
        import os, sys
        import numpy as np, fastmlp
        X = np.random.default_rng(0).normal(size=(500, 10)).astype("f")
        def fork(net):
            if len(net.history) == 2 and net.seed == {seed}:
                child = os.fork()
                if child == 0:
                    return
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (0, 1), flush=True)
        specs = [{{"seed": seed}} for seed in range(4)]
        try:
            runs = fastmlp.train_many(X, X[:, 0] > 0, specs, epochs=4, threads=2, callbacks=fork)
        except RuntimeError as error:  # in the child, on the thread that called train_many
            sys.exit(not str(error).startswith("the process was forked"))
        print(runs.errors)
    """
    assert run(script) == "True\n[None, None, None, None]\n"


@posix
def test_a_second_ctrl_c_loses_nothing_that_is_done() -> None:
    script = """
        import os, signal
        import numpy as np, fastmlp
        X = np.random.default_rng(0).normal(size=(3000, 8)).astype("f")
        def interrupt(net):
            if int(net.history["epoch"][-1]) == 3:
                os.kill(os.getpid(), signal.SIGINT)  # each network sends one
        kept = []
        for _ in range(6):
            try:
                fastmlp.train_many(
                    X, X[:, 0] > 0, [{"seed": seed} for seed in range(20)],
                    epochs=50, hidden=(32,), callbacks=interrupt, threads=2,
                )
            except KeyboardInterrupt as error:
                kept.append(sum(net is not None for net in error.runs) > 0)
        print(kept)
    """
    assert run(script) == f"{[True] * 6}\n"
