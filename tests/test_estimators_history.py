"""The history and the curve of losses have a row and a point for each epoch of all runs."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from estimator_tools import SMALL, VALUES, X, unfinished_fits
from fastmlp import MLPRegressor

pytestmark = unfinished_fits


mpl.use("Agg")


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_history_has_a_row_for_each_epoch(solver: str) -> None:
    estimator = MLPRegressor(**SMALL, solver=solver).fit(X, VALUES)
    history = estimator.history_
    assert history.columns == ("epoch", "loss", "learning_rate", "seconds", "validation_score")
    assert list(history["epoch"]) == list(range(1, 6))
    assert list(history["loss"]) == estimator.loss_curve_
    assert estimator.loss_ == estimator.loss_curve_[-1]
    assert (np.diff(history["seconds"]) >= 0).all()
    assert history.to_frame().shape == (5, 5)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_history_is_the_same_when_a_run_falls_silent(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = MLPRegressor(**SMALL, solver=solver, verbose=True)
    monkeypatch.setattr("builtins.print", lambda text, **_: estimator.set_params(verbose=False))
    assert list(estimator.fit(X, VALUES).history_["epoch"]) == list(range(1, 6))
    assert len(estimator.loss_curve_) == estimator.n_iter_ == 5


def test_history_starts_anew_with_fit_and_goes_on_with_warm_start_and_partial_fit() -> None:
    estimator = MLPRegressor(**SMALL).fit(X, VALUES)
    estimator.partial_fit(X, VALUES)
    estimator.set_params(warm_start=True).fit(X, VALUES)
    assert list(estimator.history_["epoch"]) == list(range(1, 12))
    assert list(estimator.history_["loss"]) == estimator.loss_curve_
    assert len(estimator.set_params(warm_start=False).fit(X, VALUES).history_) == 5


def test_loss_curve_plot_draws_losses_and_scores() -> None:
    import matplotlib.pyplot as plt

    estimator = MLPRegressor(**SMALL).fit(X, VALUES)
    _, given = plt.subplots()
    ax = estimator.loss_curve_plot(given)
    assert ax is given
    assert list(ax.lines[0].get_ydata()) == estimator.loss_curve_
    assert list(ax.lines[0].get_xdata()) == list(range(1, 6))
    assert len(ax.figure.axes) == 1
    estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    figure = estimator.loss_curve_plot().figure
    assert list(figure.axes[1].lines[0].get_ydata()) == estimator.validation_scores_
    plt.close("all")
    with pytest.raises(NotFittedError):
        MLPRegressor().loss_curve_plot()
