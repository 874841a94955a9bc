"""`search`: good arguments of `train` for X and y."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

from fastmlp._base.validation import choice, chosen_seed, flag, integer, real
from fastmlp._search.default_space import default_space
from fastmlp._search.halving import Halving
from fastmlp._search.ledger import Ledger, identity
from fastmlp._search.progress import trial_bar
from fastmlp._search.quiet import need_optuna, quiet
from fastmlp._search.result import Search
from fastmlp._search.rows import SearchedRows, searched_rows
from fastmlp._search.samplers import BATCH, check_sampler
from fastmlp._search.session import Session, varies_loss
from fastmlp._search.space import OWN, Space, as_space
from fastmlp._training.callbacks import checked_callbacks
from fastmlp._training.fits import Fits, cluster_of

if TYPE_CHECKING:
    from distributed import Client

METRICS = ("auto", "loss", "score")


def search(
    X: Any,
    y: Any,
    space: Any = "auto",
    *,
    trials: int = 64,
    folds: Any = None,
    validation: Any = 0.2,
    metric: str = "auto",
    sampler: Any = "tpe",
    halving: int | None = 3,
    max_time: float | None = None,
    seed: int | None = 0,
    storage: str | PathLike[str] | Any = None,
    threads: int | None = None,
    client: Client | None = None,
    progress: bool = False,
    callbacks: Callable[[Search], Any] | Iterable[Callable[[Search], Any]] = (),
    **common: Any,
) -> Search:
    """Search for arguments of `train` that make a network good on rows that it has not learned from.

    Trials are proposed by a sampler of Optuna's in batches of 16, later of up to 64, and trained together by
    `train_many`. By successive halving a whole batch trains for ``epochs / halving^2`` epochs (with
    halving=3), the best third of it goes on to ``epochs / halving``, and the best third of those to the end;
    each goes on where it stopped, as if it had never paused. The result depends on the seed and on the
    arguments, not on the number of threads; where max_time or a callback ends it, it depends on the machine's
    speed too. Needs ``fastmlp[search]``.

    Parameters
    ----------
    X, y
        As in `train`; rows must be in memory.
    space : "auto", dict, or callable, default "auto"
        What varies. A dict of arguments of `train`, each with a list of choices, such as [(64,), (64, 32)]
        for hidden; a dict such as {"low": 1e-4, "high": 0.1, "log": True} (of integers, if both ends are; it
        may have a step); or a distribution of ``optuna.distributions``. A callable takes an Optuna trial,
        suggests from it and returns a dict of arguments: parameters may depend on each other. "auto" varies
        depth (1 to 4 layers) and width (8 to a quarter of the rows, that is to at least 64 and at most 512),
        activation (relu, gelu, tanh), the rate of a `Cosine` schedule (0.0003 to 0.03), AdamW's weight decay
        (0.001 to 1), dropout (0 to 0.5) and batch size (32 to 256, of 20,000 rows or more 128 to 1024), but
        for arguments that are given.
    trials : int, default 64
        How many in all, with those that a storage holds.
    folds : int, iterable of (train_rows, test_rows), or splitter, optional
        Judge each trial by the mean over folds, in place of `validation`: as those of `cross_validate`, of
        labels stratified.
    validation : float, (X, y) or (X, y, sample_weight), default 0.2
        The rows that trials are judged by, as in `train`: the same ones for all.
    metric : {"auto", "loss", "score"}, default "auto"
        What is compared: the loss on these rows, or the score (accuracy of labels, R2 of values), in the
        epoch whose weights are kept. "auto": the loss without its l2 term, unless the space varies what
        it measures (loss, class_weight, sample_weight, task, output_activation, encode).
    sampler : {"tpe", "random", "grid"} or an Optuna sampler, default "tpe"
        "tpe": tree-structured Parzen estimators over all parameters together, after a first batch at random.
        "grid" tries each combination of lists once, in a random order. An object's own seed counts, and it
        begins anew where a storage goes on.
    halving : int or None, default 3
        What successive halving divides trials by, and multiplies epochs; None trains every trial to its end.
    max_time : float, optional
        Stop after this many seconds. Trials that are not at their ends then are cut off, where they are.
    seed : int or None, default 0
        Of the proposals, of the rows held back and of every fit; None draws one, which the result keeps.
    storage : path, URL or Optuna storage, optional
        Where trials are kept: an SQLite file (.db, .sqlite), else a journal, or what Optuna takes. The same
        call goes on from it: trials that are there count, but for those of a batch that was cut off, which is
        tried again, and what follows is what would have followed. It must hold a search of the same data,
        space and arguments, but for trials, max_time, sampler, threads, client, progress and callbacks; a
        function is known by its name alone. One search at a time can use it.
    threads : int, optional
        The most threads to use; by default `get_num_threads` or, with a client, all that its workers have.
    client : dask.distributed.Client, optional
        Train the trials on the workers of a Dask cluster; see `train_many`. They are proposed, judged and
        stored in this process, where callbacks are called, and so are networks that are trained later, by
        `Search.refit`. The result is the same. Needs ``fastmlp[dask]``.
    progress : bool, default False
        Show a progress bar on a terminal, for which ``fastmlp[cli]`` is needed, and elsewhere a line every
        five seconds.
    callbacks : callable or iterable of callables
        Each is called with the `Search` after every rung of a batch; True ends the search.
    **common
        Arguments of `train` that all trials share, such as epochs, patience, sample_weight or encode. The
        space has precedence.

    Returns
    -------
    Search

    Raises
    ------
    ImportError
        Without Optuna.
    TypeError, ValueError
        Naming the argument, what was given and what is accepted; a spec that is wrong, with its trial; or if
        the storage holds a search of other data, another space or other arguments.
    KeyboardInterrupt
        At Ctrl-C; its attribute ``search`` holds what is done.

    References
    ----------
    T. Akiba et al., Optuna: A Next-generation Hyperparameter Optimization Framework, KDD 2019.
    J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, NeurIPS 2011.
    K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
    AISTATS 2016.
    S. Falkner, A. Klein and F. Hutter, BOHB: Robust and Efficient Hyperparameter Optimization at Scale,
    ICML 2018.

    Examples
    --------
    >>> import fastmlp
    >>> iris = fastmlp.datasets.load_iris()
    >>> space = {"hidden": [(8,), (16,), (16, 8)], "learning_rate": {"low": 1e-3, "high": 0.1, "log": True}}
    >>> found = fastmlp.search(iris.data, iris.target, space, trials=16, epochs=50)
    >>> found.best.score(iris.data, iris.target) > 0.8
    True
    >>> sorted(found.best_spec)
    ['hidden', 'learning_rate']
    """
    need_optuna()
    trials = integer("trials", trials, low=1)
    factor = None if halving is None else integer("halving", halving, low=2)
    limit = math.inf if max_time is None else real("max_time", max_time, low=0, open_low=True)
    seed = chosen_seed(seed)
    choice("metric", metric, METRICS)
    flag("progress", progress)
    if threads is not None:
        integer("threads", threads, low=1)
    deadline = time.monotonic() + limit
    for name in common:
        if name in OWN:
            raise TypeError(f"search does not take {name}, got {common[name]!r}")
    called: list[Any] = [*checked_callbacks(callbacks)]
    cluster = cluster_of(client)

    rows = searched_rows(X, y, folds, validation, seed, common)
    shared = {**common, "encode": rows.encode, "seed": seed}
    with quiet():
        searched = _space(space, rows, common)
        check_sampler(sampler, searched)
        metric = _metric(metric, searched, seed)
        fits = Fits(rows.X, rows.y, shared, "search")
        told = {**shared, "folds": folds, "validation": validation if folds is None else None}
        told = {**told, "metric": metric, "halving": factor}
        ledger = Ledger(storage, metric, {} if storage is None else identity(rows, searched, told))
    result = Search(rows, fits, ledger.study, metric, seed, threads)
    with trial_bar(progress, trials, metric) as bar:
        session = Session(
            result, rows, fits, shared, ledger, searched, sampler, Halving(factor, BATCH), threads, cluster,
            deadline, [*called, *([] if bar is None else [bar])],
        )  # fmt: skip
        session.run(trials)
    return result


def _space(space: Any, rows: SearchedRows, common: dict[str, Any]) -> Space:
    """Return the space, where "auto" is what varies for tables of this size."""
    if isinstance(space, str) and space == "auto":
        return default_space(rows.count, common)
    return as_space(space)


def _metric(metric: str, space: Space, seed: int) -> str:
    """Return what "auto" stands for: the loss, where all trials have the same one."""
    if metric != "auto":
        return metric
    return "score" if varies_loss(space, seed) else "loss"
