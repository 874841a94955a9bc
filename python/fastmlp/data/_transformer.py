"""What scikit-learn asks of a transformer, so that pipelines and searches take the encoder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say

if TYPE_CHECKING:
    from typing_extensions import Self

    from fastmlp.data._columns import EncodedColumn


class Transformer:
    """Parameters that can be read, set and cloned; names of what comes out.

    Nothing of scikit-learn is imported unless it asks for its own tags.
    """

    columns: tuple[EncodedColumn, ...]

    if TYPE_CHECKING:

        def fit(self, table: Any, y: Any = None) -> Self: ...

        def transform(self, table: Any) -> NDArray[Any]: ...

        @property
        def embeddings(self) -> tuple[tuple[int, int, int], ...]: ...

        @property
        def feature_names(self) -> list[str]: ...

    def _parameters(self) -> dict[str, Any]:
        """Return the arguments of the constructor, as they were given."""
        raise NotImplementedError

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of the constructor, as they were given.

        Parameters
        ----------
        deep : bool, default True
            Makes no difference: no argument has parameters of its own.
        """
        return self._parameters()

    def set_params(self, **parameters: Any) -> Self:
        """Set arguments of the constructor. What was fitted is forgotten.

        Raises
        ------
        TypeError, ValueError
            As the constructor, or if it has no such argument.
        """
        if not parameters:
            return self
        known = self._parameters()
        for name in parameters:
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}"
                )
        changed = vars(type(self)(**known | parameters))
        vars(self).clear()
        vars(self).update(changed)
        return self

    def fit_transform(self, table: Any, y: Any = None) -> NDArray[Any]:
        """Fit to a table and return the inputs of its rows, as a pipeline asks for them.

        Warns
        -----
        UserWarning
            If a column has become numbers of categories: scikit-learn has no way to hand on `embeddings`, and
            an estimator would take them for quantities.
        """
        X = self.fit(table, y).transform(table)
        if self.embeddings:
            names = self.feature_names
            coded = ", ".join(f"{names[i]!r} ({codes})" for i, codes, _ in self.embeddings)
            say(
                f"columns of more categories than max_one_hot have become their numbers: {coded}; only "
                "fastmlp.train(embeddings=...) looks these up; a greater max_one_hot gives an input for each"
            )
        return X

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the inputs, as `feature_names` has them.

        Parameters
        ----------
        input_features : array_like of str, optional
            The names of the columns: those of the fitted table or, if that was an array, any.

        Raises
        ------
        ValueError
            If the encoder is not fitted, or these are not the names of its columns.
        """
        columns = self.columns
        if not columns:
            raise ValueError("the encoder is not fitted; call fit(table) first")
        if input_features is not None:
            given, own = list(input_features), [column.name for column in columns]
            of_array = own == [f"x{i}" for i in range(len(own))]
            if of_array and len(given) == len(own):
                columns = tuple(
                    replace(column, name=str(name))  # type: ignore[type-var]
                    for column, name in zip(columns, given, strict=True)
                )
            elif not set(own) <= set(given):
                raise ValueError(f"input_features must be the names of the columns, {own}; got {given}")
        return np.array([name for column in columns for name in column.feature_names], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return bool(self.columns)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(string=True, categorical=True, allow_nan=True),
        )
