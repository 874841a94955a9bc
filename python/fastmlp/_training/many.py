"""`train_many`: many networks from one X, each as `train` alone would give it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastmlp._base.said import say
from fastmlp._base.text import plural
from fastmlp._network.network import Network
from fastmlp._training.callbacks import checked_callbacks
from fastmlp._training.fits import Fits, cluster_of
from fastmlp._training.runs import Runs

if TYPE_CHECKING:
    from distributed import Client


def train_many(
    X: Any,
    y: Any,
    specs: Iterable[Mapping[str, Any]],
    *,
    threads: int | None = None,
    client: Client | None = None,
    max_time: float | None = None,
    progress: bool = False,
    callbacks: Callable[[Network], Any] | Iterable[Callable[[Network], Any]] = (),
    **common: Any,
) -> Runs:
    """Train many networks at once, each on a thread of its own.

    Each network has the bits that ``train(X[rows], y[rows], **spec)`` gives, at any number of threads and
    in any order of the specs. X is read once and never copied for a network. The longest fits begin first;
    when fewer are left than there are threads, they share these as `train` does.

    Parameters
    ----------
    X : array_like, (n, inputs), table, or path
        As `train` takes it, in memory: what `train` would stream is refused. Whether a table is encoded is
        decided by the whole of it; each fit has an encoder that is fitted on its own rows.
    y : array_like, (n,) or (n, outputs), str, list of str, or None
        As `train` takes it; None where each spec has its own.
    specs : iterable of dict
        The arguments of `train` that each network has, over those in `common`, and besides:

        rows : the numbers of the rows of X to learn from, or a mask, (n,). By default all rows, but for
        those of validation.

        validation : numbers of rows of X, or a mask; or, as `train` takes it, a fraction of the rows learned
        from, or a pair (X, y).

        y : targets in place of y, for all rows of X.

        sample_weight : a weight for each row of X.
    threads : int, optional
        The most threads to use, for all networks together; by default `get_num_threads` or, with a client,
        all that its workers have.
    client : dask.distributed.Client, optional
        Train on the workers of a Dask cluster, in place of this process: specs go out in chunks, what several
        of them read is sent once, and each network has the same bits. Callbacks of networks are refused.
        Needs ``fastmlp[dask]`` here, and this version of fastmlp on all workers.
    max_time : float, optional
        Stop after this many seconds: networks that are being trained end at their next batch, others do not
        begin.
    progress : bool, default False
        Show networks done, rows/s and the time left, as `train` does.
    callbacks : callable or iterable of callables
        Each is called with a network after each of its epochs, on the thread that trains it, one thread at a
        time; True stops this network. A spec may have callbacks of its own.
    **common
        Arguments of `train` that all specs have unless they say otherwise. A checkpoint, resume and
        memory_limit are refused.

    Returns
    -------
    Runs

    Raises
    ------
    TypeError, ValueError
        Before anything is trained, naming the spec, as in "specs[3]: ...", the argument, what was given and
        what is accepted.
    KeyboardInterrupt, or what a callback raised
        Its attribute ``runs`` holds what was trained until then.
    RuntimeError
        If the client has no worker, one has no fastmlp or another version, or the connection is lost.

    Warns
    -----
    RuntimeWarning
        If a network could not be trained, or its loss diverged: the others are not touched by it, and
        ``runs.errors`` tells.
    UserWarning
        If a worker of the client uses another instruction set, where the last bits differ.

    See Also
    --------
    train : One network.

    Examples
    --------
    >>> import fastmlp
    >>> iris = fastmlp.datasets.load_iris()
    >>> specs = [{"hidden": hidden, "learning_rate": rate} for hidden in (4, 16) for rate in (0.001, 0.01)]
    >>> runs = fastmlp.train_many(iris.data, iris.target, specs, validation=0.2, epochs=100)
    >>> len(runs)
    4
    >>> print(runs.best().layer_sizes[1:])
    (16, 3)
    """
    fits = Fits(X, y, common)
    runs = run_fits(
        fits, specs, threads=threads, client=client, max_time=max_time, progress=progress, callbacks=callbacks
    )
    tell(fits, runs)
    return runs


def run_fits(
    fits: Fits, specs: Any, *, threads: Any, client: Any, max_time: Any, progress: Any, callbacks: Any
) -> Runs:
    """Train fits of these specs; an exception that ends them all has the attribute ``runs``."""
    own = checked_callbacks(callbacks)
    cluster = cluster_of(client)
    unbegun = "not begun: the fits were interrupted"
    try:
        fits.add(specs)
        fits.run(threads=threads, max_time=max_time, progress=progress, callbacks=own, cluster=cluster)
        unbegun = f"not begun: max_time, {max_time} s, was over"
    except BaseException as error:
        with suppress(Exception):  # some exceptions take no attributes
            error.runs = fits.runs(unbegun)  # type: ignore[attr-defined]
        raise
    return fits.runs(unbegun)


def tell(fits: Fits, runs: Runs) -> None:
    """Warn of what went wrong, once for all networks."""
    failed = [i for i, error in enumerate(runs.errors) if error is not None]
    if failed:
        first = runs.errors[failed[0]]
        say(f"{plural(len(failed), 'network')} of {len(runs)} ended with an error, see runs.errors; "
            f"{fits.called(failed[0])}: {first}", RuntimeWarning)  # fmt: skip
    warned = [i for i in range(len(fits)) if fits[i].warning is not None]
    if warned:
        first_warned = f"{fits.called(warned[0])}: {fits[warned[0]].warning}"
        say(f"{plural(len(warned), 'network')} of {len(runs)}; {first_warned}")
