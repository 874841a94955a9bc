"""What the parameters mean, for both class docstrings; `constructor` has their defaults."""

from __future__ import annotations

from typing import Any, TypeVar

from fastmlp.spec import texts

Class = TypeVar("Class", bound=type[Any])

_MORE = {
    "MLPClassifier": """\
    loss : {"log_loss", "hinge"}, default "log_loss"
        log_loss: softmax cross-entropy, or sigmoid cross-entropy for two classes and multi-label y. hinge:
        ``sum over j != y of max(0, a_j - a_y + 1)``, which gives `decision_function` and no probabilities.
    class_weight : dict or "balanced", optional
        Weights of the labels, multiplied into those of the rows; "balanced" is n / (classes * count). For
        multi-label y, "balanced" or a list with a dict for each column. With it a batch divides the sum of
        its weighted losses by its rows times the mean weight of all rows, so that the weights count in small
        batches as in large ones; without, by the sum of its own rows' weights, as scikit-learn does.
""",
    "MLPRegressor": """\
    quantiles : sequence of float, optional
        With ``loss="quantile"``: increasing levels, each an output of the one network, such as (0.05, 0.5,
        0.95); see `predict_quantiles`.
""",
}

_FIRST = {
    "MLPClassifier": "",
    "MLPRegressor": """\
    loss : str, default "squared_error"
        squared_error, poisson (the output is exp(z)), absolute_error, huber or huber(delta), quantile or
        quantile(q); see `Network` for the formulas.
""",
}

_PARAMETERS = """
    Parameters
    ----------
{first}    hidden_layer_sizes : int or sequence of int, default (100,)
        Widths of the hidden layers; () is a linear model.
    activation : str or list of str, default "relu"
        Of all hidden layers, or of each: <activations>.
    solver : str or optimizer, default "adam"
        "adam", "sgd" or "lbfgs", which take the parameters below; "rmsprop", "adagrad", "adamw"; or an
        optimizer object such as ``fastmlp.Adam(weight_decay=0.01)``.
    alpha : float, default 0.0001
        L2 penalty of the weights, divided by what the batch's losses are divided by: the sum of its row
        weights.
    batch_size : int or "auto", default "auto"
        Rows a step; "auto" is min(200, n). L-BFGS takes all rows.
    learning_rate : str or schedule, default "constant"
        For sgd "constant", "invscaling": ``learning_rate_init / (t_ + 1)^power_t`` after each epoch, or
        "adaptive": divided by 5 instead of stopping until it is at most 1e-6. Or, for any solver but lbfgs,
        a schedule such as ``fastmlp.Cosine()`` over max_iter epochs; calls of partial_fit count as epochs.
    learning_rate_init : float, default 0.001
    power_t : float, default 0.5
        For "invscaling".
    max_iter : int, default 200
        Epochs, or iterations of L-BFGS.
    shuffle : bool, default True
        Draw the batches in a new random order each epoch.
    random_state : int, RandomState or None, default None
        Of initial weights, rows held back, batches and dropout.
    tol : float, default 1e-4
        An epoch is an improvement if the loss falls, or the validation score rises, by more than this; for
        L-BFGS, training ends when no component of the gradient is larger.
    verbose : bool, default False
        Print the loss of each epoch, of several networks with the place in ``estimators_``.
    warm_start : bool, default False
        Let `fit` go on from the weights there are.
    momentum : float, default 0.9
        Of sgd, in [0, 1].
    nesterovs_momentum : bool, default True
        Whether sgd's momentum is Nesterov's.
    early_stopping : bool, default False
        Stop when the validation score no longer improves, and take the weights of the best.
    validation_fraction : float, default 0.1
        Share of the rows held back for early stopping, in [0, 1).
    beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
        Of adam.
    n_iter_no_change : int, default 10
        Epochs in a row without improvement that end training; may be infinite.
    max_fun : int, default 15000
        The most calls of the loss that L-BFGS makes.
    dropout : float or schedule, default 0
        Share of hidden activations that a training step drops, in [0, 1); or a schedule with a rate, such as
        ``fastmlp.FlatCos(0.15)``.
    clip_norm : float, optional
        The gradient is scaled down to this norm where it is longer.
    compute : "bfloat16", optional
        Products of a training step in bfloat16, for dense X in float32; see `fastmlp.train`.
    scoring : str or callable, optional
        What early stopping and X_val measure: scikit-learn's scorers, with the rows' weights if the metric
        takes them. By default `score`: {score}.
    max_time : float, optional
        Stop after this many seconds.
    n_jobs : int, optional
        The most threads, for training and prediction. By default, or for -1, `fastmlp.get_num_threads`, and
        one inside of joblib's threads.
    n_estimators : int, default 1
        Above 1, so many networks that differ in their seeds are trained together, and the mean of their
        outputs is predicted. The i-th is what ``random_state=seeds[i]`` gives alone, where ``seeds =
        check_random_state(random_state).randint(2**31 - 1, size=n_estimators)``.
{more}
    Attributes
    ----------
{attributes}    coefs_, intercepts_ : list of array
        W (I, O) and b (O,) of each layer: views of the network's memory. With several networks each of
        ``estimators_`` has its own, as it has ``loss_curve_``, ``validation_scores_``,
        ``best_validation_score_``, ``early_stopped_``, ``history_`` and ``t_``.
    network_ : Network
        The fitted network, which shares this memory, with `trace`, `evaluate`, exports and more.
    estimators_, ensemble_ : list of estimators, Ensemble
        With ``n_estimators`` above 1: the fitted estimators of a network each, and the networks as one
        predictor, in place of ``network_``.
    loss_, best_loss_ : float
        Of the last epoch, and the lowest (None with early_stopping). Means over several networks.
    loss_curve_ : list of float
        The loss of each epoch.
    validation_scores_ : list of float or None
        The score of each epoch that was measured, with early_stopping or X_val.
    best_validation_score_ : float or None
        With early_stopping.
    early_stopped_ : bool
        Whether training ended for want of improvement.
    history_ : History
        Epoch, loss, learning rate, seconds and validation score of each epoch.
    n_iter_, t_ : int
        Epochs of the last fit, of several networks the most; rows seen in all.
    n_layers_, n_outputs_ : int
        Layers with the input's, and outputs.
    out_activation_ : str
        logistic, softmax, identity or exp.
    n_features_in_, feature_names_in_
        Columns of X and, where they are strings, their names.

    References
    ----------
    Glorot, Bengio (2010), Understanding the difficulty of training deep feedforward neural networks.
    Kingma, Ba (2015), Adam: a method for stochastic optimization.

    Examples
    --------
{example}"""

_ATTRIBUTES = {
    "MLPClassifier": """\
    classes_ : array
        The labels, sorted.
""",
    "MLPRegressor": "",
}

_EXAMPLES = {
    "MLPClassifier": """\
    >>> from fastmlp import MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.95
    True
    """,
    "MLPRegressor": """\
    >>> from fastmlp import MLPRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(200, 20, random_state=1)
    >>> regressor = MLPRegressor(solver="lbfgs", random_state=1).fit(X, y)
    >>> regressor.score(X, y) > 0.95
    True
    """,
}


def documented(estimator: Class) -> Class:
    """Add the shared part to a class docstring."""
    name = estimator.__name__
    estimator.__doc__ = (estimator.__doc__ or "").rstrip() + "\n" + _PARAMETERS.format(
        first=_FIRST[name], more=_MORE[name], attributes=_ATTRIBUTES[name],
        score="accuracy" if name == "MLPClassifier" else "R2", example=_EXAMPLES[name],
    )  # fmt: skip
    estimator.__init__.__qualname__ = f"{name}.__init__"  # which errors show
    estimator.__module__ = "fastmlp"  # where users, and pickles, find it
    return texts.documented(activations=texts.activation_names(sklearn=True))(estimator)
