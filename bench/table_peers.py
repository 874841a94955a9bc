"""What learns from a table in bench/tables.py: each a function of rows that returns a fitted model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pandas as pd
from table_sets import Task

THREADS = 2  # what each may use


@dataclass(frozen=True)
class Contender:
    """A library's way to learn from tables.

    Attributes
    ----------
    name : str
    package : str
        What must be installed.
    make : callable
        (task, names of the columns of categories, seed) -> an estimator, not fitted.
    prepare : callable
        Brings X into the form that the estimator takes.
    """

    name: str
    package: str
    make: Callable[[Task, list[str], int], Any]
    prepare: Callable[[pd.DataFrame, list[str]], pd.DataFrame] = lambda X, categories: X


def categorical(X: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    """Return X with the type of categories that pandas has."""
    return X.astype(dict.fromkeys(categories, "category"))


def texts(X: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    """Return X with a text for each missing category."""
    return X.fillna(dict.fromkeys(categories, "missing"))


def lightgbm(task: Task, categories: list[str], seed: int) -> Any:
    import lightgbm

    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    return kind(random_state=seed, n_jobs=THREADS, verbose=-1)


def catboost(task: Task, categories: list[str], seed: int) -> Any:
    import catboost

    kind = catboost.CatBoostRegressor if task == "regression" else catboost.CatBoostClassifier
    return kind(
        random_seed=seed,
        thread_count=THREADS,
        verbose=False,
        allow_writing_files=False,
        cat_features=categories,
    )


def hist_gradient_boosting(task: Task, categories: list[str], seed: int) -> Any:
    from sklearn import ensemble

    regression = task == "regression"
    kind = ensemble.HistGradientBoostingRegressor if regression else ensemble.HistGradientBoostingClassifier
    return kind(random_state=seed, categorical_features="from_dtype")


def sklearn_mlp(task: Task, categories: list[str], seed: int) -> Any:
    """Return scikit-learn's network with its defaults, behind the encoding that its user guide names."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encoder = ColumnTransformer(
        [("categories", OneHotEncoder(handle_unknown="ignore"), categories)],
        remainder=make_pipeline(SimpleImputer(), StandardScaler()),
        sparse_threshold=0,
    )
    if task == "classification":
        return make_pipeline(encoder, MLPClassifier(random_state=seed))
    network = make_pipeline(encoder, MLPRegressor(random_state=seed))
    return TransformedTargetRegressor(network, transformer=StandardScaler())


def realmlp(task: Task, categories: list[str], seed: int) -> Any:
    """Return RealMLP-TD-S with the defaults of its authors."""
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    kind = RealMLP_TD_S_Regressor if task == "regression" else RealMLP_TD_S_Classifier
    network = kind(random_state=seed, n_threads=THREADS, device="cpu")
    imputer = ColumnTransformer(  # it takes no missing numbers
        [("categories", "passthrough", categories)],
        remainder=SimpleImputer(),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return make_pipeline(imputer, network)


def fastmlp(quality: str) -> Callable[[Task, list[str], int], Any]:
    def make(task: Task, categories: list[str], seed: int) -> Any:
        from fastmlp import TabularClassifier, TabularRegressor

        kind = TabularRegressor if task == "regression" else TabularClassifier
        return kind(quality=quality, random_state=seed, n_jobs=THREADS)

    return make


CONTENDERS = {
    each.name: each
    for each in (
        Contender("fastmlp fast", "fastmlp", fastmlp("fast")),
        Contender("fastmlp good", "fastmlp", fastmlp("good")),
        Contender("LightGBM", "lightgbm", lightgbm, categorical),
        Contender("CatBoost", "catboost", catboost, texts),
        Contender("HistGradientBoosting", "sklearn", hist_gradient_boosting, categorical),
        Contender("MLP of scikit-learn", "sklearn", sklearn_mlp, texts),
        Contender("RealMLP-TD-S", "pytabkit", realmlp, categorical),
    )
}


def installed() -> list[str]:
    """Return the names of the contenders whose packages are there."""
    return [name for name, each in CONTENDERS.items() if find_spec(each.package)]
