"""Signals, forks and threads: training can be interrupted, forked after, and run side by side.

Each runs in an interpreter of its own, so that a hang ends with the time limit and nothing else is disturbed.
"""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import fastmlp
from fastmlp._native import core as _core
from problems import Case, make_problem, train
from process_tools import HANG, posix, run, run_and_interrupt


@posix
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_between_epochs_raises_and_hands_over_the_network(threads: int) -> None:
    output = run_and_interrupt(
        f"""
        import numpy as np, fastmlp
        rng = np.random.default_rng(1)
        X, y = rng.normal(size=(2000, 20)), rng.integers(3, size=2000)
        def started(net):
            if len(net.history["loss"]) == 3:
                print("started")
        try:
            fastmlp.train(X, y, hidden=(50, 50), epochs=10**9, threads={threads}, callbacks=[started])
        except KeyboardInterrupt as error:
            net = error.network
            assert net.stop_reason == "interrupted", net.stop_reason
            assert np.isfinite(net.parameters).all()
            assert len(net.history["loss"]) >= 3
            assert net.predict(X).shape == (2000,)
            again = fastmlp.train(X, y, hidden=(50, 50), epochs=2, threads={threads}, init=net)
            assert again.stop_reason == "epochs"
            print("well")
        """,
        after=0.3,
    )
    assert output == "well\n"


@posix
def test_ctrl_c_during_one_long_step_does_not_wait_for_it() -> None:
    """One step of many seconds on one thread: its epoch never ends, so no history, and nothing changed."""
    output = run_and_interrupt(
        """
        import numpy as np, fastmlp
        rng = np.random.default_rng(1)
        X, y = rng.random((6000, 8), np.float32), rng.random(6000, np.float32)
        sizes = (8, 3000, 3000, 3000, 1)
        start = [(np.zeros((i, o), np.float32), np.zeros(o, np.float32)) for i, o in zip(sizes, sizes[1:])]
        for W, b in start:
            W += rng.random(W.shape[1], np.float32) / 100
        print("started")
        try:
            fastmlp.train(X, y, hidden=sizes[1:-1], optimizer="sgd", learning_rate=1e-9, batch_size=None,
                          epochs=3, threads=1, init=start)
        except KeyboardInterrupt as error:
            net = error.network
            assert net.stop_reason == "interrupted", net.stop_reason
            print("rows of history:", len(net.history["loss"]))
            print("unchanged:", all((V == W).all() for V, (W, _) in zip(net.weights, start)))
        """,
        after=1.0,
    )
    assert output == "rows of history: 0\nunchanged: True\n"


@posix
def test_ctrl_c_with_validation_hands_over_the_best_weights() -> None:
    output = run_and_interrupt(
        """
        import numpy as np, fastmlp
        rng = np.random.default_rng(1)
        X, y = rng.normal(size=(60, 8)), rng.normal(size=60)
        best = [np.inf, None]
        def watch(net):
            loss = net.history["validation_loss"][-1]
            if loss < best[0]:
                best[:] = loss, net.parameters.copy()
            if len(net.history["loss"]) == 200:
                print("started")
        try:
            fastmlp.train(X[:30], y[:30], hidden=(40,), epochs=10**9, validation=(X[30:], y[30:]),
                          callbacks=[watch])
        except KeyboardInterrupt as error:
            print(bool((error.network.parameters == best[1]).all()))
        """,
        after=0.1,
    )
    assert output == "True\n"


@posix
def test_a_forked_child_trains_after_a_parent_with_threads() -> None:
    output = run(
        """
        import os, signal, warnings
        import numpy as np, fastmlp
        from fastmlp._native import core as _core
        from fastmlp._native import threads as _threads
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own warning about fork and threads
        _core.set_exact_threads(True)
        _threads.available_cpus = lambda: 64  # four threads, whatever the machine
        rng = np.random.default_rng(1)
        X, y = rng.normal(size=(500, 20)), rng.normal(size=500)
        options = dict(hidden=(64, 64), epochs=3, threads=4)
        want = fastmlp.train(X, y, **options)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            net = fastmlp.train(X, y, **options)
            os.write(write, b"same" if (net.parameters == want.parameters).all() else b"different")
            same = (net.predict(X) == want.predict(X)).all()
            os.write(write, b" same" if same else b" different")
            os._exit(0)
        os.close(write)
        _, status = os.waitpid(child, 0)
        print(status, b"".join(iter(lambda: os.read(read, 100), b"")).decode())
        after = fastmlp.train(X, y, **options)
        print((after.parameters == want.parameters).all())
        """
    )
    assert output == "0 same same\nTrue\n"


@posix
def test_a_child_forked_by_a_callback_goes_on_with_the_run_alone() -> None:
    output = run(
        """
        import os, signal, warnings
        import numpy as np, fastmlp
        from fastmlp._native import core as _core
        from fastmlp._native import threads as _threads
        warnings.simplefilter("ignore", DeprecationWarning)
        _core.set_exact_threads(True)
        _threads.available_cpus = lambda: 64
        X, y = np.random.default_rng(1).normal(size=(500, 20)), np.arange(500.0)
        options = dict(hidden=(64, 64), epochs=6, threads=4)
        want = fastmlp.train(X, y, **options).parameters
        children = []
        def fork(net):
            if not children:
                children.append(os.fork())
                if children == [0]:
                    signal.alarm(60)
        net = fastmlp.train(X, y, callbacks=[fork], **options)
        print((net.parameters == want).all(), flush=True)
        if children == [0]:
            os._exit(0)
        print(os.waitpid(children[0], 0)[1])
        """
    )
    assert output == "True\nTrue\n0\n"


@posix
def test_a_child_forked_by_a_signal_handler_in_the_midst_of_a_team_raises() -> None:
    output = run(
        """
        import os, signal, warnings
        import numpy as np, fastmlp
        from fastmlp._native import core as _core
        from fastmlp._native import threads as _threads
        warnings.simplefilter("ignore", DeprecationWarning)
        _core.set_exact_threads(True)
        _threads.available_cpus = lambda: 64
        X, y = np.random.default_rng(1).normal(size=(500, 20)), np.arange(500.0)
        options = dict(hidden=(64, 64), threads=4)
        children = []
        def fork(*_):
            children.append(os.fork())
            if children == [0]:
                signal.alarm(60)
        signal.signal(signal.SIGALRM, fork)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            net = fastmlp.train(X, y, epochs=10**9, max_time=2.0, **options)  # one region for all epochs
            print(net.stop_reason, os.waitpid(children[0], 0)[1])
        except RuntimeError as error:
            net = fastmlp.train(X, y, epochs=2, **options)  # the child goes on by itself
            print(error, np.isfinite(net.predict(X)).all(), flush=True)
            os._exit(0)
        """
    )
    child, parent = output.splitlines()
    assert "forked while fastmlp computed on several threads" in child
    assert child.endswith(" True")
    assert parent == "max_time 0"


@pytest.mark.parametrize("callbacks", ["()", "[lambda net: None]"])
def test_a_daemon_thread_that_trains_does_not_disturb_the_end_of_the_interpreter(callbacks: str) -> None:
    output = run(
        f"""
        import threading, time
        import numpy as np, fastmlp
        X, y = np.random.default_rng(1).normal(size=(300, 20)), np.arange(300.0)
        def work():
            while True:
                fastmlp.train(X, y, hidden=(64, 64), epochs=10**6, threads=2, callbacks={callbacks})
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)
        print("ends")
        """
    )
    assert output == "ends\n"


@posix
def test_a_pool_of_forked_workers_trains() -> None:
    output = run(
        """
        import multiprocessing, warnings
        import numpy as np, fastmlp
        warnings.simplefilter("ignore", DeprecationWarning)
        X, y = np.random.default_rng(1).normal(size=(300, 20)), np.arange(300.0)
        def work(seed):
            return fastmlp.train(X, y, hidden=(32,), epochs=2, seed=seed).parameters.tobytes()
        here = [work(seed) for seed in range(4)]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(work, range(4)) == here)
        """
    )
    assert output == "True\n"


@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize("threads", [1, 2])
def test_python_threads_training_at_once_get_the_same_bits_as_alone(threads: int) -> None:
    cases = [
        Case(
            sizes=(9, 40 + index, 3),
            rows=200,
            batch_size=32,
            epochs=6,
            seed=index,
            dropout=0.2,
            dtype="float32",
        )
        for index in range(4)
    ]
    problems = [make_problem(case) for case in cases]
    alone = [
        train(case, problem, threads=threads).parameters
        for case, problem in zip(cases, problems, strict=True)
    ]
    together: list[fastmlp.Network | None] = [None] * len(cases)
    barrier = threading.Barrier(len(cases))

    def work(index: int) -> None:
        barrier.wait()
        together[index] = train(cases[index], problems[index], threads=threads)

    workers = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(len(cases))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(HANG)
        assert not worker.is_alive()
    for net, parameters in zip(together, alone, strict=True):
        assert net is not None
        np.testing.assert_array_equal(net.parameters, parameters)


def test_training_lets_other_python_threads_run() -> None:
    """The global lock is free while the core trains: of about 100 naps of 10 ms at least 20 are had."""
    case = Case(
        sizes=(20, 60, 3), rows=3000, batch_size=32, epochs=10**9, dtype="float32", learning_rate=1e-6
    )
    problem = make_problem(case)
    worker = threading.Thread(target=train, args=(case, problem), kwargs={"max_time": 1.0}, daemon=True)
    worker.start()
    naps = 0
    while worker.is_alive():
        time.sleep(0.01)
        naps += 1
    assert naps >= 20


@pytest.mark.parametrize(
    "call",
    [
        "_core.permutation(0, 0, 0, 30_000_000)",
        "fastmlp.Network((5000, 5000, 1), loss='squared_error')",
        "predict(X)",
    ],
)
def test_long_calls_let_other_python_threads_run(call: str) -> None:
    """Another thread gets the global lock only where the call lets go of it: it would ask for hours."""
    output = run(
        f"""
        import sys, threading, time
        import numpy as np, fastmlp
        from fastmlp._native import core as _core
        predict = fastmlp.Network((200, 500, 1), loss="squared_error").predictor()
        X = np.zeros((100_000, 200), "float32")
        naps, over = [0], threading.Event()
        def nap():
            while not over.is_set():
                time.sleep(0.001)
                naps[0] += 1
        napper = threading.Thread(target=nap)
        napper.start()
        sys.setswitchinterval(1000)
        before = naps[0]
        {call}
        had = naps[0] - before
        sys.setswitchinterval(0.005)
        over.set()
        napper.join()
        print(had >= 10)
        """
    )
    assert output == "True\n"


def test_signals_are_looked_at_on_the_main_thread_alone() -> None:
    """A run on another thread needs no global lock: its clock ends it while the main thread holds it."""
    output = run(
        """
        import sys, threading, time
        import numpy as np, fastmlp
        X = np.random.default_rng(0).standard_normal((1000, 10))
        nets, begun = [], threading.Event()
        def work():
            begun.set()
            nets.append(fastmlp.train(X, X[:, 0], hidden=(20,), epochs=10**9, max_time=0.3))
        worker = threading.Thread(target=work)
        worker.start()
        begun.wait()
        time.sleep(0.15)  # the run is under way
        sys.setswitchinterval(1000)  # a thread that asks for the lock gets it only when this one lets go
        end = time.perf_counter() + 3
        while time.perf_counter() < end:
            pass
        sys.setswitchinterval(0.005)
        worker.join()
        print(nets[0].stop_reason, nets[0].history["seconds"][-1] < 2)
        """
    )
    assert output == "max_time True\n"


def test_a_callback_that_returns_what_the_core_cannot_take_ends_the_run_in_order() -> None:
    net = fastmlp.Network((3, 4, 1), loss="squared_error", dtype="float64")
    options = _core.TrainOptions()
    X, y = np.zeros((20, 3)), np.zeros((20, 1))
    records, reason, error = net._core.train(
        X, None, y, None, None, None, options, lambda record: "not a number"
    )
    assert (len(records), reason, type(error)) == (1, "interrupted", RuntimeError)


@pytest.mark.parametrize("call", ["train", "predict"])
def test_threads_sleep_soon_after_a_call_returns(call: str) -> None:
    busy = run(
        f"""
        import time
        import numpy as np
        import fastmlp

        X = np.random.default_rng(0).standard_normal((20000, 10)).astype("float32")
        options = dict(hidden=(256, 256), epochs=1, batch_size=500, threads=2)
        net = fastmlp.train(X, X[:, 0], **options)
        fastmlp.set_num_threads(2)
        busy = []
        for _ in range(5):
            net.predict(X) if {call!r} == "predict" else fastmlp.train(X, X[:, 0], **options)
            start = time.process_time()
            time.sleep(0.05)
            busy.append(time.process_time() - start)
        print(min(busy))
        """
    )
    # The runtimes' default is to spin for 5 ms and more, every time.
    assert float(busy) < 0.003


def test_openmp_settings_do_not_leak_from_the_import() -> None:
    script = "import os, fastmlp; print([n for n in os.environ if n.startswith(('GOMP_', 'KMP_'))])"
    assert run(script) == "[]\n"
