"""`cross_validate`: networks trained on parts of the rows, each tested on the other ones."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from fastmlp._base.said import say
from fastmlp._base.validation import chosen_seed
from fastmlp._inspect.scorers import check_metric, scorer
from fastmlp._network.network import Network
from fastmlp._rows.shared import is_index
from fastmlp._rows.targets import gives_probabilities, parse_loss, takes_labels
from fastmlp._training.cross_validation import CrossValidation, gathered
from fastmlp._training.fits import Fits
from fastmlp._training.folds import Division
from fastmlp._training.many import run_fits, tell
from fastmlp._training.rows_to_divide import rows_to_divide
from fastmlp._training.runs import Runs
from fastmlp._training.specs import checked_common

#: Arguments that are those of all networks together, with their defaults.
_TOGETHER: dict[str, Any] = {
    "threads": None, "client": None, "max_time": None, "progress": False, "callbacks": (),
}  # fmt: skip


def cross_validate(
    X: Any,
    y: Any = None,
    *,
    folds: Any = 5,
    repeats: int = 1,
    groups: Any = None,
    split: str = "auto",
    metric: Any = "auto",
    **arguments: Any,
) -> CrossValidation:
    """Estimate how well networks do on rows that they have not learned from, by cross-validation.

    The rows are divided into k folds. For each of them a network learns from the other rows, as `train` with
    these arguments would, and is scored on the fold; all are trained in one call of `train_many`. What an
    encoder learns, how the target is standardised, and which weights are best on a fraction for `validation`
    depends on the rows that are trained on alone: nothing of a fold makes the network that it tests.

    Parameters
    ----------
    X : array_like, (n, inputs), table, or path
        As in `train`; rows are in memory, and the file of a path is read. Rows without a target are left out
        with a warning, where a table is encoded.
    y : array_like, (n,) or (n, outputs), str, or list of str
        As in `train`. Whether it holds labels, and which loss "auto" is, is decided by all rows.
    folds : int, iterable of (train_rows, test_rows), or splitter, default 5
        The number of folds, at least 2. Or pairs of indices or masks of rows of X; or an object of
        scikit-learn's such as ``ShuffleSplit(10)``, whose ``split(X, y, groups)`` gives them.
    repeats : int, default 1
        How often the rows are dealt out anew, each time into as many folds.
    groups : array_like, (n,), or str, optional
        Rows with equal values are in one fold, such as those of one patient. Or the name of a column of a
        table, which is then no input.
    split : {"auto", "stratified", "plain", "grouped", "time"}, default "auto"
        How rows are dealt out. "plain": at random. "stratified": at random, each label evenly. "grouped": at
        random, with the rows of a group in one fold, and labels as evenly as whole groups allow. "time": in
        the order of the rows, as folds + 1 blocks, of which each but the first is tested by a network that
        learned from all before it. "auto": "grouped" if groups are given, else "stratified" for labels and
        "plain" for quantities.
    metric : str or callable, default "auto"
        Of labels "accuracy", "log_loss", "macro_f1" or "auc" (of more than two classes the mean of each
        against the others); of quantities "r2", "rmse" or "mae", in the units of y; of several quantiles "r2"
        (of the one nearest to 1/2) or "pinball_loss" (their mean). "auto" is accuracy, or R2. Lower is better
        of log_loss, rmse, mae and pinball_loss, higher of the others. In all of them a row counts by its
        sample_weight. Or a function of y_true and y_pred that returns a number.
    **arguments
        Those of `train`: the network, the loss, the optimizer, `sample_weight` and so on. The seed also deals
        out the rows. `validation` may be a fraction, which is held back from the rows that are trained on, or
        rows of your own. `threads`, `client`, `max_time`, `progress` and `callbacks` are those of
        `train_many`, for all networks together.

    Returns
    -------
    CrossValidation

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted, and the fold where it is one's own.
    FloatingPointError, MemoryError, TimeoutError
        Naming the first fold that could not be trained to the end: its loss diverged and restore_best is
        False, memory ran out, or `max_time` was over before it began. The attribute ``runs`` has the others.
    KeyboardInterrupt, or what a callback raised
        Its attribute ``runs`` holds what was trained until then.

    References
    ----------
    M. Stone, Cross-Validatory Choice and Assessment of Statistical Predictions, Journal of the Royal
    Statistical Society B 36(2), 1974.
    R. Kohavi, A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection, IJCAI,
    1995.

    Examples
    --------
    >>> import fastmlp
    >>> iris = fastmlp.datasets.load_iris()
    >>> cv = fastmlp.cross_validate(iris.data, iris.target, hidden=(16,), epochs=100, learning_rate=0.01)
    >>> cv.mean > 0.9
    True
    >>> cv.predictions.shape, cv.probabilities.shape
    ((150,), (150, 3))
    """
    if "rows" in arguments:
        raise TypeError("cross_validate has no argument 'rows'; folds may be pairs of rows")
    together = {name: arguments.pop(name, default) for name, default in _TOGETHER.items()}
    arguments = checked_common(arguments, "cross_validate")
    _check_validation(arguments["validation"])
    arguments["seed"] = chosen_seed(arguments["seed"])
    division = Division(folds, repeats, split, arguments["seed"])
    division.check(groups is not None)
    check_metric(metric)
    rows = rows_to_divide(X, y, groups, arguments)
    loss, loss_numbers = parse_loss(rows.loss)
    score = scorer(metric, takes_labels(loss), gives_probabilities(loss), quantiles=len(loss_numbers) > 1)
    pairs = rows.divided(division)
    fits = Fits(rows.X, rows.y, {**arguments, **rows.settings}, "cross_validate", "folds")
    runs = run_fits(fits, [{"rows": train} for train, _ in pairs], **together)
    networks = _networks(fits, runs, arguments["restore_best"])
    tell(fits, runs)
    evaluations = [rows.evaluated(network, test) for network, (_, test) in zip(networks, pairs, strict=True)]
    scores = np.array([score(evaluation) for evaluation in evaluations])
    _say_undefined(score.name, scores)
    found = gathered(evaluations, [test for _, test in pairs], rows.n, rows.names)
    return CrossValidation(
        *found, tuple(evaluations), scores, score.name, score.higher_is_better, tuple(pairs), repeats, runs
    )


def _check_validation(validation: Any) -> None:
    """Refuse rows of X, which may be among those that a fold tests."""
    if is_index(validation) or not isinstance(validation, (numbers.Real, tuple, list, type(None))):
        raise TypeError(
            "validation must be a fraction, or rows of your own (X, y) or (X, y, sample_weight), as folds "
            f"may test rows of X; got a {type(validation).__name__}"
        )


def _networks(fits: Fits, runs: Runs, restore_best: bool) -> list[Network]:
    """Return the networks, or raise the error of the first fold that has none to be scored.

    Where the loss diverged, that is the best one so far, if the best weights are wanted.
    """
    networks = []
    for i, (network, error) in enumerate(zip(runs, runs.errors, strict=True)):
        kept = error is None or (isinstance(error, FloatingPointError) and restore_best)
        if network is not None and kept:
            networks.append(network)
            continue
        kinds = (FloatingPointError, MemoryError, TimeoutError)
        kind = next((kind for kind in kinds if isinstance(error, kind)), RuntimeError)
        named: Exception = kind(f"{fits.called(i)}: {error}")
        named.runs = runs  # type: ignore[attr-defined]
        raise named from error
    return networks


def _say_undefined(metric: str, scores: Any) -> None:
    undefined = [i for i, score in enumerate(scores.tolist()) if math.isnan(score)]
    if undefined:
        listed = ", ".join(map(str, undefined[:5])) + (" .." if len(undefined) > 5 else "")
        say(f"{metric} is not defined for the rows of fold {listed}, so that the mean is NaN")
