"""What a fit is given: rows as the user has them, or rows that were checked for several fits at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from fastmlp._estimators.rows import Matrix, Rows, Source

#: What checking X and y leaves in an estimator.
_LEARNED = ("n_features_in_", "feature_names_in_", "_sparse_targets")


@dataclass(frozen=True)
class UsersRows:
    """The arguments of `fit`."""

    X: Any
    y: Any
    sample_weight: Any = None
    X_val: Any = None
    y_val: Any = None

    def source(self, estimator: Any, *, reset: bool) -> Source:
        """Return X and y, checked."""
        X, y = estimator._arrays(self.X, self.y, reset=reset)
        return Source(Matrix(X), y)

    def measured(self, estimator: Any) -> Rows | None:
        """Return X_val and y_val, checked."""
        if self.X_val is None and self.y_val is None:
            return None
        for name, missing, value in (("y_val", "X_val", self.X_val), ("X_val", "y_val", self.y_val)):
            if value is None:
                raise ValueError(f"{name} was given without {missing}; give both or neither")
        try:
            X, y = estimator._arrays(self.X_val, self.y_val, reset=False)
            return Rows(Source(Matrix(X), estimator._checked_targets(y, complete=False)))
        except (TypeError, ValueError) as error:
            raise type(error)(f"X_val, y_val: {error}") from None


@dataclass(frozen=True)
class CheckedRows:
    """Rows that one estimator has checked, for others with the same parameters of the data."""

    checked: Source
    learned: dict[str, Any]  # attributes of the estimator that has checked them
    rest: UsersRows
    sample_weight: Any = None

    def source(self, estimator: Any, *, reset: bool) -> Source:
        """Return X and y, and let the estimator know of the columns what the other has learned."""
        vars(estimator).update(self.learned)
        return self.checked

    def measured(self, estimator: Any) -> Rows | None:
        """Return X_val and y_val, checked."""
        return self.rest.measured(estimator)


Given: TypeAlias = UsersRows | CheckedRows


def checked_once(estimator: Any, given: UsersRows, *, reset: bool) -> CheckedRows:
    """Return the same rows, checked by an estimator, for several others."""
    source = given.source(estimator, reset=reset)
    return CheckedRows(source, learned_columns(estimator), given, given.sample_weight)


def learned_columns(estimator: Any) -> dict[str, Any]:
    """Return what checking X and y has left in an estimator."""
    return {name: vars(estimator)[name] for name in _LEARNED if name in vars(estimator)}
