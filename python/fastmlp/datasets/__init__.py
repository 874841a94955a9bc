"""Data that comes with the package; it imports nothing else of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dataset", "load_iris"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to learn from, and what they mean.

    Attributes
    ----------
    data : float64 array, shape (n, d)
    target : int64 array, shape (n,)
        The class of each row, an index into `target_names`.
    target_names : tuple of str
    feature_names : tuple of str, length d
    description : str
        What was measured, its units, and where it was published.
    """

    data: NDArray[np.float64]
    target: NDArray[np.int64]
    target_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    description: str


_IRIS = """\
Anderson's measurements of 150 iris flowers: length and width of sepal and petal in cm, for 50 flowers each
of Iris setosa, Iris versicolor and Iris virginica, in this order. One species is linearly separable from
the other two. The values are those of Fisher's paper and of R's `iris`; the copy at the UCI repository
differs from them in rows 34 and 37 (0-based).

E. Anderson, The irises of the Gaspe Peninsula, Bulletin of the American Iris Society 59, 2-5, 1935.
R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7, 179-188, 1936.
"""


def load_iris() -> Dataset:
    """Return Fisher's iris data: 150 flowers, 4 measurements in cm, 3 species.

    Returns
    -------
    Dataset
        `data` of shape (150, 4); new arrays at every call.

    References
    ----------
    R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7, 179-188, 1936.

    Examples
    --------
    >>> from fastmlp import datasets
    >>> iris = datasets.load_iris()
    >>> iris.target_names[iris.target[149]]
    'virginica'
    """
    text = (files(__name__) / "iris.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    species = [row[-1] for row in rows]
    names = tuple(dict.fromkeys(species))
    return Dataset(
        data=np.array([row[:-1] for row in rows], dtype=np.float64),
        target=np.array([names.index(name) for name in species], dtype=np.int64),
        target_names=names,
        feature_names=tuple(header[:-1]),
        description=_IRIS,
    )
