"""Parquet datasets that are streamed: what is wrong with one is named by file, column and row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import fastmlp


def write(folder: Path, *parts: dict[str, Any]) -> Path:
    for number, part in enumerate(parts):
        pq.write_table(pa.table(part), folder / f"{number}.parquet", row_group_size=40)
    return folder


def columns(**changed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=100), "b": rng.normal(size=100), "y": rng.normal(size=100)} | changed


def test_a_file_that_lacks_a_column_is_named_with_it(tmp_path: Path) -> None:
    without = columns()
    del without["b"]
    with pytest.raises(ValueError, match=r"1\.parquet has not the column 'b'$"):
        fastmlp.train(write(tmp_path, columns(), without), "y", epochs=1, encode=False)


def test_a_file_with_a_column_that_the_first_has_not_is_named_with_it(tmp_path: Path) -> None:
    more = columns(c=np.zeros(100), d=np.zeros(100))
    with pytest.raises(ValueError, match=r"1\.parquet alone has the column 'c' and 1 others$"):
        fastmlp.train(write(tmp_path, columns(), more), "y", epochs=1, encode=False)


def test_a_dataset_with_a_schema_of_its_own_reads_only_that(tmp_path: Path) -> None:
    folder = write(tmp_path, columns(), columns(c=np.zeros(100)))
    first = ds.dataset(folder / "0.parquet").schema
    net = fastmlp.train(ds.dataset(folder, schema=first, format="parquet"), "y", epochs=1, encode=False)
    assert net.feature_names == ("a", "b")


def test_columns_in_another_order_are_the_same_rows(tmp_path: Path) -> None:
    turned = dict(reversed(list(columns().items())))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = fastmlp.train(write(tmp_path / "one", columns(), columns()), "y", epochs=2, encode=False)
    two = fastmlp.train(write(tmp_path / "two", columns(), turned), "y", epochs=2, encode=False)
    np.testing.assert_array_equal(one.parameters, two.parameters)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"b": [*[0.5] * 57, None, *[0.5] * 42]}, ValueError, r"1\.parquet: column 'b' has nan at row 57;"),
        ({"b": ["text"] * 100}, (TypeError, ValueError), r"1\.parquet: .*"),
    ],
)
def test_a_bad_value_is_named_by_file_column_and_row(
    changed: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        fastmlp.train(write(tmp_path, columns(), columns(**changed)), "y", epochs=1, encode=False)


def test_a_column_of_texts_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"0\.parquet: column 'b' must hold real numbers, got 'text'"):
        fastmlp.train(write(tmp_path, columns(b=["text"] * 100)), "y", epochs=1, encode=False)


def test_a_table_in_a_dataset_is_given_as_it_is() -> None:
    with pytest.raises(TypeError, match="X must be a Parquet dataset; give a table in memory as it is"):
        fastmlp.train(ds.dataset(pa.table(columns())), "y", epochs=1, encode=False)
