"""Labels that are whole numbers: what is found in linear time is what sorting finds."""

import numpy as np
import pytest

from fastmlp._base.whole_numbers import places, unique

TYPES = ("int8", "uint8", "int32", "int64", "uint64")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("where", ["least", "zero", "largest"])
def test_close_numbers_are_found_anywhere_in_a_type(dtype, where):
    ends = np.iinfo(dtype)
    low = {"least": int(ends.min), "zero": 0, "largest": int(ends.max) - 90}[where]
    labels = np.array([low + step for step in np.random.default_rng(0).integers(0, 91, 300).tolist()], dtype)
    known = unique(labels)
    assert known.dtype == labels.dtype
    np.testing.assert_array_equal(known, np.unique(labels))
    np.testing.assert_array_equal(places(labels, known), np.searchsorted(known, labels))


@pytest.mark.parametrize("values", [[3, -(2**62), 2**62], [0.5, 2.0], [True, False], ["a", "b"], []])
def test_other_values_are_sorted(values):
    values = np.array(values)
    np.testing.assert_array_equal(unique(values), np.unique(values))


@pytest.mark.parametrize("odd", [-1, 3, 9])
def test_values_that_are_not_there_have_no_place(odd):
    assert places(np.array([1, 2, odd, 5] * 3), np.array([1, 2, 5])) is None
