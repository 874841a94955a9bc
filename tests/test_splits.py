"""Folds at random and in order of time: every row in its place, whatever seed, classes and ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp.data import group_folds, holdout, kfold, time_folds, time_ordered

# ------------------------------------------------------------------------------------------------------ kfold


@given(
    st.one_of(st.integers(2, 60), st.lists(st.sampled_from("aaaabbc"), min_size=2, max_size=60)),
    st.integers(2, 7),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
@settings(max_examples=100)
def test_folds_hold_every_row_back_once_and_are_even(
    rows: int | list[str], k: int, seed: int, stratify: bool
) -> None:
    n = rows if isinstance(rows, int) else len(rows)
    k = min(k, n)
    folds = kfold(rows, k, seed, stratify)
    assert len(folds) == k
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(n))
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()
    tests = [test for _, test in folds]
    assert sorted(np.concatenate(tests)) == list(range(n))
    assert np.ptp([len(test) for test in tests]) <= 1
    if stratify and not isinstance(rows, int):
        labels = np.array(rows)
        for label in set(rows):
            assert np.ptp([(labels[test] == label).sum() for test in tests]) <= 1


def test_folds_depend_on_the_seed_alone() -> None:
    def tests(seed: int) -> list[list[int]]:
        return [test.tolist() for _, test in kfold(40, 4, seed)]

    assert tests(1) == tests(1)
    assert tests(1) != tests(2)
    assert tests(1)[0] != holdout(40, 0.25, 1)[1].tolist()


def test_folds_are_dealt_from_the_documented_permutation() -> None:
    import reference_random as rnd

    order = rnd.permutation(7, rnd.SPLIT, 2**32 - 1, 20)
    for i, (_, test) in enumerate(kfold(20, 3, seed=7)):
        assert test.tolist() == sorted(order[i::3].tolist())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((10, 1), ValueError, "k must be between 2 and the number of rows, 10, got 1"),
        ((10, 11), ValueError, "k must be between 2 and the number of rows, 10, got 11"),
        (([], 2), ValueError, "k must be between 2 and the number of rows, 0, got 2"),
        ((10, 2.0), TypeError, r"k must be an integer, got 2\.0"),
        ((10, True), TypeError, "k must be an integer, got True"),
        ((10, 2, -1), ValueError, r"seed must be between 0 and 2\*\*64 - 1, got -1"),
        ((np.zeros((3, 2)), 2), ValueError, r"labels must be 1-D, got shape \(3, 2\)"),
    ],
)
def test_kfold_refuses_bad_arguments(
    arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        kfold(*arguments)


def test_another_substream_deals_the_rows_out_anew() -> None:
    tests = [[test.tolist() for _, test in kfold(40, 4, 1, substream=i)] for i in (0, 1, 1, 2)]
    assert tests[1] == tests[2]
    assert tests[0] != tests[1] != tests[3]
    with pytest.raises(ValueError, match="substream must be at least 0 and at most 1073741824, got -1"):
        kfold(40, 4, substream=-1)


# --------------------------------------------------------------------------------------------------- groups


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("aab")), min_size=2, max_size=80),
    st.integers(2, 5),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
@settings(max_examples=100)
def test_a_group_is_in_one_fold_and_every_row_is_held_back_once(
    rows: list[tuple[int, str]], k: int, seed: int, with_labels: bool
) -> None:
    groups, labels = (np.array(column) for column in zip(*rows, strict=True))
    sizes = np.unique(groups, return_counts=True)[1]
    if len(sizes) < k:
        with pytest.raises(ValueError, match=f"k must be between 2 and the number of groups, {len(sizes)}"):
            group_folds(groups, k, seed)
        return
    folds = group_folds(groups, k, seed, labels if with_labels else None)
    assert len(folds) == k
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(rows)))
    for train, test in folds:
        assert len(test)
        assert sorted([*train, *test]) == list(range(len(rows)))
        assert not {*groups[train]} & {*groups[test]}
    if not with_labels:
        assert np.ptp([len(test) for _, test in folds]) <= sizes.max()


def test_folds_of_small_groups_are_as_even_as_those_of_rows() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 200, 1000)
    labels = np.where(rng.random(1000) < 0.1, "rare", np.where(groups % 3, "common", "other"))
    tests = [test for _, test in group_folds(groups, 5, 0, labels)]
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        assert np.ptp([(labels[test] == label).sum() for test in tests]) <= 0.05 * count
    assert np.ptp([len(test) for _, test in group_folds(groups, 5)]) <= 1


def test_folds_of_groups_depend_on_the_seed_and_the_substream_alone() -> None:
    groups = np.arange(40) // 2

    def tests(*arguments: Any, **more: Any) -> list[list[int]]:
        return [test.tolist() for _, test in group_folds(groups, 4, *arguments, **more)]

    assert tests(1) == tests(1)
    assert tests(1) != tests(2)
    assert tests(1) != tests(1, substream=1)
    renamed = [test.tolist() for _, test in group_folds([f"g{i:02}" for i in groups], 4, 1)]
    assert renamed == tests(1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1, 1, 2], 3), ValueError, "k must be between 2 and the number of groups, 2, got 3"),
        (([1, 2, 3], 1), ValueError, "k must be between 2 and the number of groups, 3, got 1"),
        (([1, 2, 3], 2.0), TypeError, r"k must be an integer, got 2\.0"),
        ((np.array(["a", None], object), 2), ValueError, "groups must be known, row 1 has none"),
        (([1.0, float("nan")], 2), ValueError, "groups must be known, row 1 has none"),
        ((np.ones((2, 2)), 2), ValueError, r"groups must be 1-D, got shape \(2, 2\)"),
        (([1, 2, 3], 2, 0, ["a", "b"]), ValueError, "labels must be as many as groups, 3, got 2"),
    ],
)
def test_group_folds_refuses_bad_arguments(
    arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        group_folds(*arguments)


# ---------------------------------------------------------------------------------------------- order of time


@pytest.mark.parametrize(
    ("times", "fraction", "test"),
    [
        (10, 0.2, [8, 9]),
        (10, 0.25, [7, 8, 9]),  # halves upwards
        (10, 0.01, [9]),
        (10, 0.99, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ([3.5, 1.0, 2.0, 9.0], 0.5, [0, 3]),
        ([1, 2, 2, 2, 2, 3, 3, 3, 3, 3], 0.2, [5, 6, 7, 8, 9]),
        ([1, 1, 1, 1, 1, 1, 2, 2], 0.5, [6, 7]),
        ([-np.inf, 0.0, np.inf, np.inf], 0.5, [2, 3]),
        ([1, 1, 2, 2, 3, 3], 0.5, [2, 3, 4, 5]),  # borders at 2 and 4 are as near
        (np.array(["2026-03-01", "2026-01-01", "2026-02-01"], dtype="datetime64[D]"), 0.3, [0]),
        (pd.Series(pd.to_datetime(["2026-03-01", "2026-01-01", "2026-02-01"])), 0.6, [0, 2]),
        (np.array([250, 0, 10], dtype=np.uint8), 0.3, [0]),
    ],
)
def test_the_latest_rows_are_held_back_and_ties_stay_together(
    times: Any, fraction: float, test: list[int]
) -> None:
    train_rows, test_rows = time_ordered(times, fraction)
    assert test_rows.tolist() == test
    n = times if isinstance(times, int) else len(times)
    assert sorted([*train_rows, *test_rows]) == list(range(n))


def test_folds_of_time_train_on_the_past() -> None:
    folds = [(train.tolist(), test.tolist()) for train, test in time_folds(8, 3)]
    assert folds == [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5]), ([0, 1, 2, 3, 4, 5], [6, 7])]


@given(st.lists(st.integers(0, 40), min_size=6, max_size=60), st.integers(2, 4))
def test_no_row_is_trained_on_that_is_not_earlier(times: list[int], k: int) -> None:
    values = np.array(times)
    try:
        folds = time_folds(values, k)
    except ValueError as error:
        assert "different times" in str(error)  # noqa: PT017
        assert len(set(times)) < len(times)
        return
    assert len(folds) == k
    for (train, test), (later, _) in zip(folds, [*folds[1:], (np.arange(len(times)), None)], strict=True):
        assert values[train].max() < values[test].min()
        assert sorted([*train, *test]) == later.tolist()


@pytest.mark.parametrize(
    ("split", "arguments", "error", "message"),
    [
        (time_ordered, (10, 0), ValueError, "fraction must be greater than 0 and less than 1, got 0"),
        (time_ordered, (1, 0.5), ValueError, "at least 2 different times are needed, the 1 rows have fewer"),
        (time_ordered, ([4, 4, 4], 0.5), ValueError, "at least 2 different times are needed, the 3 rows"),
        (time_ordered, ([1.0, float("nan")], 0.5), ValueError, "times: row 1 has no time"),
        (time_ordered, (np.array(["2026", "NaT"], "M8[D]"), 0.5), ValueError, "times: row 1 has no time"),
        (time_ordered, (["x", "y"], 0.5), TypeError, "times must be numbers or dates, got dtype <U1"),
        (time_ordered, (np.ones((2, 2)), 0.5), ValueError, r"times must be 1-D, got shape \(2, 2\)"),
        (time_folds, (3, 4), ValueError, "k must be between 2 and the number of rows, 3, got 4"),
        (time_folds, (3, 3), ValueError, "k=3 folds need more rows of different times than there are: 3"),
        (time_folds, ([1, 1, 1, 1, 2, 2], 2), ValueError, "k=2 folds need more .* than there are: 2"),
        (time_folds, (9, "2"), TypeError, "k must be an integer, got '2'"),
    ],
)
def test_splits_by_time_refuse_bad_arguments(
    split: Any, arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        split(*arguments)
