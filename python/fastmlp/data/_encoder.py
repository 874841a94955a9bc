"""The encoder between a table and a network: fitted on training rows, kept in the model's file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base.said import say
from fastmlp._base.validation import choice, integer
from fastmlp.data._arrays import is_array, read_rows
from fastmlp.data._categories import EmbeddingColumn, TextColumn, TextSettings, fit_texts
from fastmlp.data._columns import BoolColumn, EncodedColumn, NumberColumn
from fastmlp.data._dates import DateColumn
from fastmlp.data._encoder_json import described, restored
from fastmlp.data._scaling import SCALINGS, Scaling
from fastmlp.data._table import Table, quoted
from fastmlp.data._target import LabelTarget, SeveralTargets, Target, ValueTarget, check_present, listed
from fastmlp.data._task import Task, told_task
from fastmlp.data._transformer import Transformer

if TYPE_CHECKING:
    from typing_extensions import Self


class TableEncoder(Transformer):
    """Turn the columns of a table into inputs of a network, and a target column into what it learns.

    ``fit`` looks at the training rows alone. Then, column by column and matched by name,

    - numbers become (x - mean) / standard deviation (population; a constant column becomes 0). A missing
      value is replaced by the training median. If training rows had missing values, one more input tells
      with 1 or 0 whether the value is missing;
    - dates become days since 1970-01-01, with fractions for the time, which go on as numbers, and the cycles
      in which training rows differ: sin and cos of the place in the year ("month"), the day of the week and
      the time of the day ("hour"). What comes again is learned from cycles, what goes on from the days;
    - booleans become 0 and 1. A missing one is what most training rows had;
    - strings become one input per category, in sorted order: 1 where the row has it. One more stands for all
      other categories: those that training rows did not have, or fewer than `min_count` of them. If training
      rows had missing values, a last one stands for those; else a missing value counts as another category;
    - strings of more than `max_one_hot` categories become a single input, the number of the category, which
      a network looks up in an embedding (see `embeddings`);
    - strings most of which occur once, as those of names and free text do, are left out with a warning if
      there are more than `max_one_hot` different ones;
    - the target's labels are kept as they are; its quantities become (y - mean) / standard deviation, and
      ``inverse_target`` gives them back in their units.

    Parameters
    ----------
    target : str or sequence of str, optional
        The column to predict. Tables given to ``transform`` need not have it. Several columns must all be
        quantities; ``transform_target`` and ``inverse_target`` then give a column for each.
    task : {"auto", "classification", "regression"}, default "auto"
        Whether the target holds labels or quantities; "auto" leaves it to `choose_task`, and warns where
        that has to guess.
    scale : {"standard", "robust", "common", "clipped", "quantile"}, default "standard"
        How numbers and days are scaled; the target is not concerned. Each goes by the values that training
        rows have; a missing one is the median, as ever, and a constant column 0.

        - "robust" takes the median for the mean, and the interquartile range / 1.349 for the standard
          deviation where it is not 0, so that outliers do not decide the scale;
        - "common" takes mean and standard deviation of all columns of numbers together, which suits columns
          of one unit, such as pixels;
        - "clipped": z = (x - median) / interquartile range becomes z / sqrt(1 + (z / 3)^2), which is never
          beyond -3 and 3. Where that range is 0, half the whole range stands for it (Holzmueller et al.,
          NeurIPS 2024);
        - "quantile": the column's quantiles, at most 1000, become those of the normal distribution, and what
          is between two of them is linear. What is beyond the first or last is as that one.
    scale_target : bool, default True
        Whether quantities are standardised. False suits counts and outputs that have bounds.
    ignore : collection of str, default ()
        Columns that are neither inputs nor the target. Tables may or may not have them.
    max_one_hot : int, default 32
        A column of strings with more categories than this is embedded.
    min_count : int, default 2
        Categories of fewer training rows than this count as other ones, so that there is something to learn
        about those.
    embedding_width : int, optional
        How many values stand for a category that is embedded; None takes the rule of `embeddings`.
    binary : {"plain", "sign"}, default "plain"
        With "sign", booleans become -1 and 1, and so do strings of two categories, in sorted order, if no
        training row had a third one. What is missing, or neither of the two, becomes 0.
    unknown : {"own", "zeros"}, default "own"
        What strings with an input for each category do for others. With "zeros", a missing value is 0 in all
        of these inputs; so is a category that training rows did not have, unless they had rare ones (see
        `min_count`), whose input then stands for it. Embedded strings are not concerned.
    target_transform : {"log1p"}, optional
        Quantities are learned as log(1 + y), standardised then; ``inverse_target`` gives y. It suits those
        that are at least 0 and skewed, such as prices. Labels have no logarithm and are refused.

    Attributes
    ----------
    decimal : dict of str to {".", ","}
        The decimal marks of the columns whose texts had commas (see `Table`): later texts are read alike.
    columns : tuple
        The encoded columns, in the order of the fitted table; empty before ``fit``.
    dropped : tuple of str
        Columns that `audit` or ``fit`` left out; tables may or may not have them.

    Notes
    -----
    It is a transformer as scikit-learn's are: ``make_pipeline(TableEncoder(), MLPClassifier())``. There y is
    handed to the estimator, and the encoder has no target.
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        task: Task | Literal["auto"] = "auto",
        scale: Literal["standard", "robust", "common", "clipped", "quantile"] = "standard",
        scale_target: bool = True,
        ignore: Collection[str] = (),
        max_one_hot: int = 32,
        min_count: int = 2,
        embedding_width: int | None = None,
        binary: Literal["plain", "sign"] = "plain",
        unknown: Literal["own", "zeros"] = "own",
        target_transform: Literal["log1p"] | None = None,
    ) -> None:
        if task not in ("auto", "classification", "regression"):
            raise ValueError(f"task must be 'auto', 'classification' or 'regression', got {task!r}")
        if isinstance(ignore, str):
            raise TypeError(f"ignore must be a collection of column names, got the string {ignore!r}")
        if not isinstance(ignore, Collection):
            raise TypeError(f"ignore must be a collection of column names, got {ignore!r}")
        choice("scale", scale, SCALINGS)
        integer("max_one_hot", max_one_hot, low=0)
        integer("min_count", min_count, low=1)
        if embedding_width is not None:
            integer("embedding_width", embedding_width, low=1)
        choice("binary", binary, ("plain", "sign"))
        choice("unknown", unknown, ("own", "zeros"))
        if target_transform is not None:
            choice("target_transform", target_transform, ("log1p",))
        self.target = target
        _check_target(target)
        for name in self.target_names:
            if name in ignore:
                raise ValueError(f"the target column {name!r} cannot be ignored")
        # Kept as they were given: scikit-learn's clone compares them.
        self._wanted_task = task
        self.scale, self.scale_target, self.ignore = scale, scale_target, ignore
        self.max_one_hot, self.min_count, self.embedding_width = max_one_hot, min_count, embedding_width
        self.binary, self.unknown, self.target_transform = binary, unknown, target_transform
        self.columns: tuple[EncodedColumn, ...] = ()
        self.dropped: tuple[str, ...] = ()
        self.decimal: dict[str, str] = {}
        self._target: Target | None = None

    def _parameters(self) -> dict[str, Any]:
        own = (
            *("target", "task", "scale", "scale_target", "ignore", "max_one_hot", "min_count"),
            *("embedding_width", "binary", "unknown", "target_transform"),
        )
        return {name: self._wanted_task if name == "task" else getattr(self, name) for name in own}

    def fit(self, table: Any, y: Any = None) -> Self:
        """Learn means, medians and categories from a table of training rows.

        Parameters
        ----------
        table : Table, pandas or polars data frame, Arrow table, array, or list of rows
            Its columns other than the target and the ignored ones are the inputs. Those of an array are
            called x0, x1 and so on.
        y : ignored
            The target is a column of the table, if there is one. Pipelines of scikit-learn hand on their y.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the target or an ignored column is not there, no inputs are left, there are no rows, the target
            has missing values, a value is infinite, or one of several targets holds labels.

        Warns
        -----
        UserWarning
            For each column that is left out because most of its many strings occur once.
        """
        of_array = is_array(table)
        table = read_rows(table)
        gone = {*table.left_out}
        for name in (*(name for name in self.ignore if name not in gone), *self.target_names):
            _check_has(table, name)
        left_out = {*self.target_names, *self.ignore}
        names = [name for name in table.names if name not in left_out]
        if not names or not table.n_rows:
            what = "rows" if names else "input columns are left"
            raise ValueError(f"{table.source}: no {what} to learn from")
        target = self._fit_target(table)
        scaling = self._scaling(table, names)
        fitted = {name: self._fit_column(table, name, scaling) for name in names}
        notes = {name: note for name, note in fitted.items() if isinstance(note, str)}
        if len(notes) == len(fitted):
            raise ValueError(f"no input columns are left: {'; '.join(notes.values())}")
        for note in notes.values():
            say(note)
        self.columns = tuple(column for column in fitted.values() if not isinstance(column, str))
        known = {*names, *self.ignore, *self.target_names}
        self.dropped = (*(name for name in table.left_out if name not in known), *notes)
        self._target = target
        used = (*self.input_names, *self.target_names)
        self.decimal = {name: table.decimal[name] for name in used if name in table.decimal}
        self.n_features_in_ = len(table.names)
        vars(self).pop("feature_names_in_", None)
        if not of_array:
            self.feature_names_in_ = np.array(table.names, dtype=object)
        return self

    def transform(self, table: Any, dtype: Any = "float32") -> NDArray[Any]:
        """Return the inputs of a table's rows.

        Parameters
        ----------
        table : Table, pandas or polars data frame, Arrow table, array, or list of rows
            It must have every input column, in any order, and may have the target and ignored columns. An
            array of as many columns as there are inputs has these, in order.
        dtype : {"float32", "float64"}, default "float32"

        Returns
        -------
        array, shape (n_rows, len(feature_names)), C-contiguous

        Raises
        ------
        ValueError
            If the encoder is not fitted, a column is missing or unknown, or a value is not of the kind that
            training rows had: a text or an infinity among numbers, for example. The message names the column,
            and the line where there is one.
        """
        if not self.columns:
            raise ValueError("the encoder is not fitted; call fit(table) first")
        if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
        table = read_rows(table, self.input_names).with_decimal(self.decimal)
        self._check_columns(table)
        out = np.zeros((table.n_rows, len(self.feature_names)), dtype=dtype)
        start = 0
        for column in self.columns:
            stop = start + len(column.feature_names)
            column.encode(table, out[:, start:stop])
            start = stop
        return out

    def transform_target(self, table: Any) -> NDArray[Any]:
        """Return what the network is to learn: labels as they are, quantities standardised as float64.

        Returns
        -------
        array, (n,), or (n, targets) of several

        Raises
        ------
        ValueError
            If there is no fitted target, or the table has no such column or values missing in it.
        """
        target, table = self._fitted_target(), read_rows(table).with_decimal(self.decimal)
        for name in self.target_names:
            _check_has(table, name)
        return target.encode(table)

    def learned_target(self, y: ArrayLike) -> NDArray[Any]:
        """Return values of the target as the network is to learn them; the inverse of `inverse_target`."""
        return self._fitted_target().learned(y)

    def inverse_target(self, y: ArrayLike) -> NDArray[Any]:
        """Return a network's predictions as labels or in the target's own units.

        Parameters
        ----------
        y : array_like
            Labels, or standardised values of any shape; for several targets, (n, targets).

        Returns
        -------
        array of the same shape
        """
        return self._fitted_target().decode(y)

    @property
    def task(self) -> Task | None:
        """What the fitted target is for, "classification" or "regression"; None without one."""
        return None if self._target is None else self._target.task

    @property
    def target_names(self) -> tuple[str, ...]:
        """The columns to predict, in the order of the outputs; () without a target."""
        return listed(self.target)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the columns that are inputs."""
        return tuple(column.name for column in self.columns)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The input columns that hold strings; `read_csv(text=...)` keeps them so."""
        return tuple(column.name for column in self.columns if isinstance(column, TextColumn))

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs: "age", "age is missing", "city=Paris" and the like."""
        return [name for column in self.columns for name in column.feature_names]

    @property
    def embeddings(self) -> tuple[tuple[int, int, int], ...]:
        """The inputs that are numbers of categories: (index of the input, how many numbers, width).

        `fastmlp.train` takes them as ``embeddings``. The width is `embedding_width`, or else
        min(50, round(1.6 n^0.56)) for n numbers.
        """
        found, index = [], 0
        for column in self.columns:
            if isinstance(column, EmbeddingColumn):
                found.append((index, column.n_codes, column.width))
            index += len(column.feature_names)
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted encoder as plain values that JSON can hold.

        Raises
        ------
        ValueError
            If the encoder is not fitted.
        """
        if not self.columns:
            raise ValueError("the encoder is not fitted; call fit(table) first")
        return described(self)

    @classmethod
    def from_dict(cls, data: Any) -> TableEncoder:
        """Rebuild the encoder that `to_dict` described.

        Raises
        ------
        ValueError
            If data is anything that `to_dict` does not write.
        """
        return restored(cls, data)

    def __repr__(self) -> str:
        if not self.columns:
            return f"<TableEncoder target={self.target!r}, not fitted>"
        size = f"{len(self.columns)} columns, {len(self.feature_names)} inputs"
        return f"<TableEncoder target={self.target!r}: {size}>"

    def _scaling(self, table: Table, names: list[str]) -> Scaling:
        """Return what gives the center and scale of a column of numbers."""
        own = SCALINGS[self.scale]
        if self.scale != "common":
            return own
        values = [NumberColumn.values(table, name) for name in names if table[name].dtype.kind in "if"]
        together = np.concatenate(values) if values else np.empty(0)
        of_all = own(together[~np.isnan(together)])
        return lambda _: of_all

    def _fit_column(self, table: Table, name: str, scaling: Scaling) -> EncodedColumn | str:
        """Return the encoded column, or why it is left out."""
        kind = table[name].dtype.kind
        if kind == "O":
            return fit_texts(table, name, self._texts())
        if kind == "b":
            return BoolColumn.fit(table, name, sign=self.binary == "sign")
        if kind == "M":
            return DateColumn.fit(table, name, SCALINGS[self.scale])
        return NumberColumn.fit(table, name, scaling)

    def _texts(self) -> TextSettings:
        return TextSettings(
            int(self.max_one_hot),
            int(self.min_count),
            None if self.embedding_width is None else int(self.embedding_width),
            sign=self.binary == "sign",
            zeros=self.unknown == "zeros",
        )

    def _fit_target(self, table: Table) -> Target | None:
        if self.target is None:
            return None
        log = self.target_transform is not None
        if not isinstance(self.target, str) and len(self.target) > 1:
            return SeveralTargets.fit(table, self.target_names, self._wanted_task, self.scale_target, log)
        (name,) = self.target_names
        check_present(table, name)
        task = self._wanted_task
        if task == "auto":
            task = told_task(f"{table.source}: the target column {name!r}", table[name])
        if task == "classification":
            if log:
                raise ValueError(
                    f"target_transform must be None for labels, which the target column {name!r} holds, got "
                    f"{self.target_transform!r}; task='regression' takes it for quantities"
                )
            return LabelTarget.fit(table, name)
        return ValueTarget.fit(table, name, self.scale_target, log)

    def _fitted_target(self) -> Target:
        if self._target is None:
            reason = "has no target" if self.target is None else "is not fitted; call fit(table) first"
            raise ValueError(f"the encoder {reason}")
        return self._target

    def _check_columns(self, table: Table) -> None:
        for name in self.input_names:
            _check_has(table, name)
        known = {*self.input_names, *self.target_names, *self.ignore, *self.dropped}
        for name in table.names:
            if name not in known:
                raise ValueError(
                    f"{table.source}: unknown column {name!r}; the inputs are {quoted(self.input_names)}"
                )


def _check_target(target: Any) -> None:
    names = listed(target) if isinstance(target, (str, Sequence, np.ndarray, type(None))) else (target,)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"target must be a column's name, several of them or None, got {target!r}")
    if target is not None and (not names or len(set(names)) < len(names)):
        raise ValueError(f"target must name one column or several different ones, got {target!r}")


def _check_has(table: Table, name: str) -> None:
    if name not in table:
        raise ValueError(f"{table.source}: no column {name!r}; its columns are {quoted(table.names)}")
