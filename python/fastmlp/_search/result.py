"""What a search has found: its trials, the best of them, and what can be made of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastmlp._base.records import Records
from fastmlp._base.text import plural
from fastmlp._base.validation import choice, integer
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network
from fastmlp._search.trials import COMPLETE, Trial, best_first, trial_table

if TYPE_CHECKING:
    from optuna import Study

    from fastmlp._search.rows import SearchedRows
    from fastmlp._training.fits import Fits
    from fastmlp._training.runs import Runs


class Search:
    """The trials of a search, in the order in which they were proposed; `fastmlp.search` makes it.

    Attributes
    ----------
    metric : "loss" or "score"
        What trials were compared by.
    seed : int
        Of the proposals, of the rows that were held back and of every fit, also where it was drawn.
    study : optuna.Study
        For Optuna's own pictures and tables.
    trials : list of Trial
        Each with its number, parameters, spec, state, loss, score, epochs and seconds.
    """

    def __init__(
        self, rows: SearchedRows, fits: Fits, study: Study, metric: str, seed: int, threads: int | None
    ) -> None:
        self._rows, self._fits, self._threads = rows, fits, threads
        self.study, self.metric, self.seed = study, metric, seed
        self.trials: list[Trial] = []

    def __len__(self) -> int:
        return len(self.trials)

    def __repr__(self) -> str:
        trial = self._lowest()
        best = "" if trial is None else f", best {self.metric} {getattr(trial, self.metric):.4g}"
        return f"<Search: {plural(len(self), 'trial')}{best}>"

    @property
    def table(self) -> Records:
        """A row a trial: its number, parameters, loss, score, epochs, seconds and state.

        Loss and score are those of the rows that trials are judged by, in the epoch whose weights are kept.
        States: complete; pruned (by successive halving); diverged (its loss was no longer finite); failed;
        cut off (by the end of the search).
        """
        return trial_table(self.trials)

    @property
    def best_trial(self) -> Trial:
        """The trial with the best value of the metric, the first of equal ones.

        It is one that was trained to its end, if there is any.

        Raises
        ------
        ValueError
            If no trial has a finite loss.
        """
        trial = self._lowest()
        if trial is None:
            raise ValueError(f"no trial of {len(self)} has a finite loss; {self._why()}")
        return trial

    @property
    def best_spec(self) -> dict[str, Any]:
        """The arguments of `train` that the best trial varied, over those that all trials share."""
        return dict(self.best_trial.spec)

    @property
    def best_score(self) -> float:
        """The value of the metric of the best trial: a loss, or a score."""
        return float(getattr(self.best_trial, self.metric))

    @property
    def best(self) -> Network | Ensemble:
        """The network of the best trial; with folds, the ensemble of its networks.

        Where a search before this one trained it, as a storage tells, it is trained again, to the same bits.
        """
        trial = self.best_trial
        if not trial.fits:
            fits = list(self._fits.add(self._rows.specs(trial.spec)))
            self._fits.run(fits, threads=self._threads)
            trial.fits = fits  # of an interrupted run there are none
        networks = [self._fits[place].network for place in trial.fits]
        if len(networks) == 1:
            return networks[0]
        return Ensemble(networks)

    @property
    def runs(self) -> Runs:
        """The networks of this call, a fold a network; those of trials that were dropped as they were."""
        return self._fits.runs("not begun: the search ended before")

    def refit(self) -> Network:
        """Train the best spec on all rows, for as many epochs as were best.

        These are the epochs after which the best trial had its lowest loss (with folds, their mean); the
        learning rate follows the schedule of the whole run up to there. No rows are held back, so that
        nothing stops it earlier.

        Returns
        -------
        Network
        """
        trial = self.best_trial
        best = trial.best_epochs
        epochs = max(1, round(sum(best) / len(best)))
        place = self._fits.add([self._rows.whole(trial.spec)])[0]
        self._fits.run([place], until=epochs, threads=self._threads)
        fit = self._fits[place]
        if fit.error is not None:
            raise fit.error
        self._fits.forget(place)
        return fit.network

    def ensemble(self, size: int = 32) -> Ensemble:
        """Return an ensemble of networks that were trained to their ends, chosen by the rows held back.

        `Ensemble.greedy` adds, time and again, the network that lowers the ensemble's loss on these rows
        most; with folds it does so for each fold, on the rows of that fold.

        Parameters
        ----------
        size : int, default 32
            How many are chosen, with repeats; with folds, for each.

        Returns
        -------
        Ensemble

        Raises
        ------
        ValueError
            If no trial of this call was trained to its end.

        References
        ----------
        R. Caruana et al., Ensemble Selection from Libraries of Models, ICML 2004.
        """
        size = integer("size", size, low=1)
        trials = [trial for trial in self.trials if trial.state == COMPLETE and trial.fits]
        if not trials:
            raise ValueError(
                "ensemble needs trials of this call that were trained to their ends, there are none"
            )
        chosen = []
        for part in range(len(self._rows.parts)):
            networks = [self._fits[trial.fits[part]].network for trial in trials]
            X, y, weights = self._rows.held_out(part)
            chosen.append(Ensemble.greedy(networks, X, y, size, sample_weight=weights))
        if len(chosen) == 1:
            return chosen[0]
        members = [network for one in chosen for network in one.networks]
        return Ensemble(members, weights=[weight for one in chosen for weight in one.weights])

    def importances(self) -> dict[str, float]:
        """Return how much of the spread of the values each parameter explains, the largest first.

        The values are those that trials reached, also where successive halving stopped them. Importances sum
        to 1; of fewer than 8 trials with a finite value there are none. By fANOVA where scikit-learn is
        installed, else by Optuna's PED-ANOVA.

        References
        ----------
        F. Hutter, H. Hoos, K. Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance,
        ICML 2014.
        S. Watanabe, A. Bansal, F. Hutter, PED-ANOVA, IJCAI 2023.
        """
        from fastmlp._search.importance import importances

        return importances(self.study, self.seed)

    def plot(self, ax: Any = None, backend: str = "matplotlib") -> Any:
        """Draw the value of each trial and the best so far, and beside it the importance of the parameters.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw the values alone; by default a new figure with both.
        backend : "matplotlib" or "plotly", default "matplotlib"

        Returns
        -------
        matplotlib Axes, or plotly Figure
            The Axes of the values; that of the importances is ``ax.figure.axes[1]``.
        """
        from fastmlp._search.drawing import Values, draw, figure

        values, found = Values.of(self.trials, self.metric), self.importances() if ax is None else {}
        if choice("backend", backend, ("matplotlib", "plotly")) == "plotly":
            if ax is not None:
                raise ValueError("ax must be None for backend 'plotly', which makes a figure of its own")
            return figure(values, found)
        return draw(values, found, ax)

    def _lowest(self) -> Trial | None:
        """Return the best trial, of those that were trained to their ends if there is one."""
        found = next(iter(best_first(self.trials, self.metric)), None)
        return found if found is not None and math.isfinite(found.value(self.metric)) else None

    def _why(self) -> str:
        return next((trial.error for trial in self.trials if trial.error), "none was trained for an epoch")
