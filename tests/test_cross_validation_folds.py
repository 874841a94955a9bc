"""The folds of a cross-validation: as scikit-learn's, by its splitters, or pairs of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import model_selection as sk

import fastmlp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
LABELS = RNG.permutation(np.repeat(["a", "b", "c"], [36, 18, 6]))
VALUES = X @ [1.0, -2.0, 0.5] + 0.01 * RNG.normal(size=60)
GROUPS = np.repeat(np.arange(15), 4)


def folds_of(y: Any = LABELS, **arguments: Any) -> list[tuple[list[int], list[int]]]:
    options: dict[str, Any] = {"hidden": (), "epochs": 1, "X": X, **arguments}
    found = fastmlp.cross_validate(options.pop("X"), y, **options)
    return [(train.tolist(), test.tolist()) for train, test in found.folds]


def each_row_is_tested(folds: list[tuple[list[int], list[int]]], times: int = 1) -> None:
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(60))
    tested = np.bincount(np.concatenate([test for _, test in folds]), minlength=60)
    assert (tested == times).all()


def test_labels_are_stratified_and_quantities_are_not() -> None:
    folds = folds_of(folds=6)
    assert len(folds) == 6
    each_row_is_tested(folds)
    for _, test in folds:
        assert [(LABELS[test] == label).sum() for label in "abc"] == [6, 3, 1]
    assert folds_of(folds=6, split="stratified") == folds
    plain = folds_of(VALUES, folds=6)
    each_row_is_tested(plain)
    assert plain == folds_of(folds=6, split="plain")
    assert plain != folds


def test_groups_are_kept_together() -> None:
    for y in (LABELS, VALUES):
        folds = folds_of(y, groups=GROUPS, folds=5)
        each_row_is_tested(folds)
        for train, test in folds:
            assert not {*GROUPS[train]} & {*GROUPS[test]}
            assert len(test) == 12
        assert folds == folds_of(y, groups=GROUPS, folds=5, split="grouped")


def test_groups_may_be_of_any_type() -> None:
    expected = folds_of(VALUES, groups=GROUPS)
    dates = np.datetime64("2026-01-01") + GROUPS
    for groups in (GROUPS.astype(float), pd.Series([f"g{i:02}" for i in GROUPS]), dates, GROUPS.tolist()):
        assert folds_of(VALUES, groups=groups) == expected


def test_time_goes_on_as_with_scikit_learn() -> None:
    folds = folds_of(VALUES, split="time", folds=5)
    expected = [(train.tolist(), test.tolist()) for train, test in sk.TimeSeriesSplit(5).split(X)]
    assert folds == expected


def test_repeats_deal_the_rows_out_anew() -> None:
    for more in ({}, {"groups": np.arange(60) // 2}, {"y": VALUES}):
        folds = folds_of(**{"y": LABELS, **more}, folds=3, repeats=4)
        each_row_is_tested(folds, times=4)
        for i in range(0, 12, 3):
            each_row_is_tested(folds[i : i + 3])
        assert len({str(folds[i : i + 3]) for i in range(0, 12, 3)}) == 4
        assert folds[:3] == folds_of(**{"y": LABELS, **more}, folds=3)


def test_folds_depend_on_the_seed_alone() -> None:
    assert folds_of(seed=1) == folds_of(seed=1, hidden=(3,), epochs=2)
    assert folds_of(seed=1) != folds_of(seed=2)
    drawn = fastmlp.cross_validate(X, LABELS, seed=None, hidden=(), epochs=1)
    assert len({network.seed for network in drawn.networks}) == 1
    again = folds_of(seed=drawn.networks[0].seed)
    assert [(train.tolist(), test.tolist()) for train, test in drawn.folds] == again


@pytest.mark.parametrize(
    "splitter",
    [
        sk.KFold(4),
        sk.StratifiedKFold(4, shuffle=True, random_state=0),
        sk.GroupKFold(4),
        sk.StratifiedGroupKFold(4),
        sk.ShuffleSplit(3, test_size=0.3, random_state=0),
        sk.RepeatedKFold(n_splits=2, n_repeats=2, random_state=0),
        sk.LeavePGroupsOut(1),
        sk.TimeSeriesSplit(3),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_splitters_of_scikit_learn_are_asked(splitter: Any) -> None:
    grouped = "Group" in type(splitter).__name__
    groups = GROUPS if grouped else None
    expected = [(train.tolist(), test.tolist()) for train, test in splitter.split(X, LABELS, groups)]
    assert folds_of(folds=splitter, groups=groups) == expected


def test_folds_may_be_pairs_of_indices_or_masks() -> None:
    train, test = np.arange(0, 60, 2), np.arange(1, 30, 2)
    mask = np.zeros(60, bool)
    mask[test] = True
    even = ~mask & (np.arange(60) % 2 == 0)
    expected = [(train.tolist(), test.tolist())]
    assert folds_of(folds=[(train, test)]) == expected
    assert folds_of(folds=iter([(train.tolist(), test.tolist())])) == expected
    assert folds_of(folds=[(even, mask)]) == expected
    twice = np.r_[train, train[:3]]  # as of a bootstrap
    assert folds_of(folds=[(twice, test)]) == [(twice.tolist(), test.tolist())]


def test_a_class_with_fewer_rows_than_folds_is_said() -> None:
    with pytest.warns(UserWarning, match="1 class has fewer rows than there are folds, 10: 'c'"):
        folds = folds_of(folds=10)
    each_row_is_tested(folds)
    with pytest.raises(
        ValueError, match="folds must be at most the number of rows of some class, 36, got 40"
    ):
        folds_of(folds=40)
    each_row_is_tested(folds_of(folds=40, split="plain"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"folds": 1}, ValueError, "folds must be at least 2, got 1"),
        ({"folds": 2.5}, TypeError, r"folds must be an integer, got 2\.5"),
        ({"folds": True}, TypeError, "folds must be an integer, got True"),
        ({"folds": "5"}, TypeError, "folds must be an integer of at least 2, pairs .*, got '5'"),
        ({"folds": None}, TypeError, "folds must be an integer of at least 2, pairs .*, got None"),
        ({"folds": 61, "y": VALUES}, ValueError, "folds must be at most the number of rows, 60, got 61"),
        ({"folds": []}, ValueError, "folds must hold at least one pair"),
        ({"folds": [([0, 1],)]}, ValueError, r"folds\[0\] must be a pair \(train, test\) of indices, got"),
        (
            {"folds": [([0, 1], [1, 2])]},
            ValueError,
            r"folds\[0\] must not test rows that it trains on, got row 1",
        ),
        ({"folds": [([0, 1], [60])]}, ValueError, r"folds\[0\]\[1\] must be within 0 and 59, got 60"),
        ({"folds": [([-1, 1], [2])]}, ValueError, r"folds\[0\]\[0\] must be within 0 and 59, got -1"),
        (
            {"folds": [([0, 1], [])]},
            ValueError,
            r"folds\[0\]\[1\] must be indices of rows or a mask, at least",
        ),
        ({"folds": [([0, 1], [2, 2])]}, ValueError, r"folds\[0\]\[1\] must hold each row once"),
        ({"folds": [([0.5], [2])]}, ValueError, r"folds\[0\]\[0\] must be indices of rows or a mask"),
        (
            {"folds": [(np.ones(60, bool), np.zeros(60, bool))]},
            ValueError,
            r"folds\[0\]\[1\] must have at least",
        ),
        (
            {"folds": [(np.ones(5, bool), [1])]},
            ValueError,
            r"folds\[0\]\[0\] must have as many rows as X, 60",
        ),
        ({"repeats": 0}, ValueError, "repeats must be at least 1, got 0"),
        ({"repeats": 1.0}, TypeError, r"repeats must be an integer, got 1\.0"),
        ({"repeats": 2, "split": "time"}, ValueError, "repeats must be 1 with split 'time', .* got 2"),
        ({"repeats": 2, "folds": sk.KFold(3)}, ValueError, "repeats goes with a number of folds, not with"),
        ({"split": "time", "folds": sk.KFold(3)}, ValueError, "split goes with a number of folds, not with"),
        ({"split": "random"}, ValueError, "split must be one of auto, stratified, plain, grouped, time; got"),
        ({"split": "grouped"}, ValueError, "groups is needed where split is 'grouped'"),
        (
            {"split": "time", "groups": GROUPS},
            ValueError,
            "groups goes with split 'grouped', got split 'time'",
        ),
        (
            {"split": "stratified", "y": VALUES},
            ValueError,
            "split 'stratified' needs y to hold one label a row",
        ),
        ({"groups": GROUPS, "folds": [([0], [1])]}, ValueError, "groups goes with a number of folds or a"),
        (
            {"groups": GROUPS, "folds": 16},
            ValueError,
            "folds must be at most the number of groups, 15, got 16",
        ),
        ({"groups": GROUPS[:9]}, ValueError, "groups must have as many rows as X, 60, got 9"),
        ({"groups": [1, None] * 30}, ValueError, "groups has a missing value at row 1"),
        ({"groups": np.array([1, "b"] * 30, object)}, TypeError, "groups must hold values of one type"),
        ({"groups": X}, ValueError, r"groups must hold one value for each row, \(n,\), got shape \(60, 3\)"),
        (
            {"groups": "patient"},
            ValueError,
            "groups must be values or one of the columns of X, got 'patient'",
        ),
    ],
)
def test_what_is_no_fold_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        folds_of(**arguments)
