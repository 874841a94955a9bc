"""Initial weights side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastmlp._base.drawing import integer_ticks, logarithmic, new_axes, scale_logarithmic
from fastmlp._base.records import Records
from fastmlp._base.validation import choice, flag
from fastmlp._inspect.diagnosis import Diagnosis
from fastmlp._model.history import History
from fastmlp._network.network import Network
from fastmlp._studies.runs import (
    as_rows,
    check_scale,
    check_settings,
    checked_list,
    train_quietly,
    untrained,
    with_loss,
    with_seed,
)
from fastmlp._training.progress import run_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("init", "first_spread", "last_spread", "first_dW_norm", "first_loss", "last_loss", "stop_reason")

#: What `plot` draws before training -> the column of the diagnoses.
_DRAWN = {"activations": "spread", "gradients": "dW_norm"}


class InitComparison(Records):
    """A table with one row a scheme of initial weights.

    Columns: init; first_spread and last_spread (of the first and last hidden layer before training, see
    `Diagnosis`); first_dW_norm (of the gradient of the first W before training); first_loss and last_loss (of
    the first and last epoch, NaN if there was none or the run diverged); stop_reason.

    Parameters
    ----------
    inits : sequence of str
        The schemes.
    diagnoses : sequence of Diagnosis
        Of the untrained networks.
    histories : sequence of History
        Of the runs.
    stop_reasons : sequence of str
        Why the runs ended.
    seed : int, default 0
        Of the runs.

    Attributes
    ----------
    diagnoses : dict of str to Diagnosis
    histories : dict of str to History
    seed : int
        Of all runs, also where it was drawn.
    """

    def __init__(
        self,
        inits: Sequence[str],
        diagnoses: Sequence[Diagnosis],
        histories: Sequence[History],
        stop_reasons: Sequence[str],
        seed: int = 0,
    ) -> None:
        self.seed = seed
        self.diagnoses = dict(zip(inits, diagnoses, strict=True))
        self.histories = dict(zip(inits, histories, strict=True))
        rows = []
        for init, reason in zip(inits, stop_reasons, strict=True):
            start, losses = self.diagnoses[init], self.histories[init]["loss"]
            spread = start["spread"][: max(len(start) - 1, 1)]
            norm = float(start["dW_norm"][0])
            first = float(losses[0]) if len(losses) else math.nan
            last = float(losses[-1]) if len(losses) and reason != "diverged" else math.nan
            rows.append((init, float(spread[0]), float(spread[-1]), norm, first, last, reason))
        super().__init__(_COLUMNS, rows)

    def plot(self, ax: Axes | None = None, what: str = "loss") -> Axes:
        """Draw one line a scheme; needs ``fastmlp[plot]``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        what : "loss", "activations" or "gradients", default "loss"
            The loss over the epochs; or, before training, the spread of the activations or the norm of dW
            over the hidden layers. On a logarithmic scale; the legend says how many values are 0 or not
            finite, and which runs diverged.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        TypeError, ValueError
            If `what` is none of these.
        """
        what = choice("what", what, ("loss", *_DRAWN))
        ax = new_axes(ax)[0]
        styles = ("-", "--", "-.", ":")
        for number, (init, start) in enumerate(self.diagnoses.items()):
            label = init
            if what == "loss":
                x, values = self.histories[init]["epoch"], self.histories[init]["loss"]
                if self["stop_reason"][number] == "diverged":
                    label += " (diverged)"
            else:
                hidden = slice(max(len(start) - 1, 1))
                x, values = start["layer"][hidden], start[_DRAWN[what]][hidden]
            shown, note = logarithmic(values)
            marker = "o" if len(x) < 30 else ""
            ax.plot(x, shown, styles[number % len(styles)], marker=marker, label=label + note)
        scale_logarithmic(ax)
        integer_ticks(ax.xaxis)
        texts = {
            "loss": ("epoch", "loss"),
            "activations": ("layer", "spread of the activations over the rows"),
            "gradients": ("layer", "norm of the gradient dW"),
        }
        ax.set(xlabel=texts[what][0], ylabel=texts[what][1])
        ax.legend(title="init", loc="center left", bbox_to_anchor=(1, 0.5))
        return ax


def compare_inits(
    X: Any,
    y: Any,
    inits: Sequence[str] = ("zeros", "normal(0.01)", "normal(1)", "glorot_normal", "he_normal"),
    *,
    hidden: int | Sequence[int] = (50, 50, 50, 50, 50),
    activation: str | Sequence[str] = "relu",
    epochs: int = 50,
    seed: int | None = 0,
    progress: bool = True,
    **settings: Any,
) -> InitComparison:
    """Compare schemes of initial weights: the signals before training, and the loss of a short run.

    Parameters
    ----------
    X, y
        As in `train`; in memory.
    inits : sequence of str
        Names of schemes, see `Network`.
    hidden, activation, epochs, seed
        As in `train`. A deep network by default, as it shows the differences. A seed that is drawn, for
        None, is that of all runs.
    progress : bool, default True
        Show a progress bar where standard error is a terminal and ``fastmlp[cli]`` is installed.
    **settings
        Other arguments of `train`, but for those that stop a run early or hold rows back.

    Returns
    -------
    InitComparison

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.

    Examples
    --------
    >>> import fastmlp
    >>> iris = fastmlp.datasets.load_iris()
    >>> schemes = fastmlp.compare_inits(iris.data, iris.target, ("zeros", "he_normal"), epochs=5)
    >>> float(schemes["last_spread"][0])
    0.0
    """
    settings |= {"hidden": hidden, "activation": activation, "epochs": epochs, "seed": seed}
    check_settings("compare_inits", settings, own=("init",))
    drawn = with_seed(settings)
    schemes = checked_list("inits", inits, "names of schemes", _checked_scheme)
    X, y = as_rows(X, y, settings)
    settings = with_loss(y, settings)
    diagnoses, histories, reasons = [], [], []
    with run_bar(flag("progress", progress), len(schemes)) as begin:
        for init in schemes:
            begin(f"init {init}")
            network = train_quietly(X, y, init=init, **settings)
            check_scale(network, X, y, settings)
            diagnoses.append(untrained(network, settings | {"init": init}).diagnose(X, y))
            histories.append(network.history)
            reasons.append(str(network.stop_reason))
    return InitComparison(schemes, diagnoses, histories, reasons, drawn)


def _checked_scheme(argument: str, init: Any) -> str:
    if not isinstance(init, str):
        raise TypeError(f"{argument} must be the name of a scheme, got {init!r}")
    try:
        Network((1, 2), init=init)
    except ValueError as error:  # which calls it init
        raise ValueError(f"{argument}{str(error).removeprefix('init')}") from None
    return str(init)
