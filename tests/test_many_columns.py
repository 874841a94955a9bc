"""Work grows with the number of columns, not with its square: tables of very many columns are read at once.

The sizes are such that quadratic code would take a minute.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp._model.parts import checked_embeddings
from fastmlp.data import Table, TableEncoder, audit, read

N = 40_000
NAMES = [f"c{i}" for i in range(N)]


def values(columns: int = N) -> Any:
    return np.arange(2.0 * columns).reshape(2, columns)


def csv_file() -> io.BytesIO:
    lines = (",".join(NAMES), ",".join(map(str, range(N))), ",".join(["0"] * N))
    return io.BytesIO("\n".join(lines).encode())


def test_a_csv_file_of_many_columns_is_read() -> None:
    X, y = read(csv_file(), NAMES[-1], x=NAMES[:-1], text=NAMES[::2])
    assert X.names == (*NAMES[:-1],)
    assert y is not None
    assert y.tolist() == [N - 1, 0]
    assert X["c2"].tolist() == ["2", "0"]
    assert X["c3"].tolist() == [3, 0]


@pytest.mark.parametrize("first", ["c" + ",c" * (N - 1), "," * (N - 1)], ids=["one name", "no name"])
def test_many_columns_of_one_name_get_names_of_their_own(first: str) -> None:
    table = read(io.BytesIO(f"{first}\n{','.join(['x'] * N)}\n".encode())).X
    assert len(table.names) == N
    assert len(table.notes) == 1


def test_a_frame_of_many_columns_is_read() -> None:
    import polars as pl

    X, y = read(pl.DataFrame(values(), schema=NAMES, orient="row"), -1, x=range(N - 1))
    assert X.names == (*NAMES[:-1],)
    assert y is not None
    assert y.tolist() == [N - 1, 2 * N - 1]


def test_a_frame_of_many_columns_is_learned_and_predicted() -> None:
    import pandas as pd

    frame = pd.DataFrame(values() / N, columns=NAMES)
    net = fastmlp.train(frame, NAMES[-1], hidden=(), epochs=1, loss="squared_error")
    assert net.feature_names == (*NAMES[:-1],)
    np.testing.assert_array_equal(net.predict(frame[NAMES[:-1]]), net.predict(frame[NAMES[:-1]].to_numpy()))


def test_an_svmlight_file_of_a_million_columns_is_read() -> None:
    X, y = read(io.BytesIO(b"1 1:0.5 1000000:2\n0 7:1 8:1\n"))
    assert X.shape == (2, 1_000_000)
    assert y is not None
    assert y.tolist() == [1, 0]
    chosen = read(io.BytesIO(b"1 1:0.5 1000000:2\n0 7:1 8:1\n"), x=range(1_000_000)).X
    assert (chosen != X).nnz == 0


def test_a_numpy_file_of_many_columns_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", values())
    X, y = read(tmp_path / "wide.npy", y=5)
    assert X.shape == (2, N - 1)
    assert y is not None
    assert y.tolist() == [5, N + 5]


def test_a_table_of_many_columns_is_divided() -> None:
    table = Table(dict(zip(NAMES, values().T, strict=True)))
    assert table.drop(*NAMES[::2]).names == (*NAMES[1::2],)
    assert table.keep(*NAMES[::2]).names == (*NAMES[::2],)


class CountedNames(Table):
    """A table that counts how often all its names are listed."""

    listed = 0

    @property
    def names(self) -> tuple[str, ...]:
        self.listed += 1
        return tuple(self)


def test_an_encoder_lists_the_columns_a_fixed_number_of_times() -> None:
    listed = []
    for columns in (10, 1000):
        names = NAMES[:columns]
        table = CountedNames(dict(zip(names, values(columns).T, strict=True)))
        encoder = TableEncoder(names[-1], ignore=names[: columns // 2]).fit(table)
        encoder.transform(table)
        encoder.transform_target(table)
        listed.append(table.listed)
    assert listed[0] == listed[1]


def test_an_encoder_of_many_columns_learns_few_and_ignores_many() -> None:
    table = Table(dict(zip(NAMES, values().T, strict=True)))
    encoder = TableEncoder(NAMES[-1], ignore=NAMES[5:-1]).fit(table)
    assert encoder.transform(table).shape == (2, 5)
    assert encoder.input_names == (*NAMES[:5],)
    again = TableEncoder.from_dict(encoder.to_dict())
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))


def test_many_embeddings_are_checked() -> None:
    given = [(column, 3, 2) for column in range(N)]
    assert checked_embeddings(given, N) == (*given,)
    with pytest.raises(ValueError, match=rf"embeddings\[{N}\]: column 7 has an embedding already"):
        checked_embeddings([*given, (7, 3, 2)], N)


def test_a_table_of_many_columns_is_audited() -> None:
    columns = {name: np.array([1.0, 2.0, i % 2]) for i, name in enumerate(NAMES[:20_000])}
    constant = {f"flat {name}": np.ones(3) for name in NAMES[:20_000]}
    found = audit(Table({**columns, **constant, "y": np.arange(3.0)}), "y")
    assert found.dropped == tuple(constant)
    assert len(found.notes) == 1
    encoder = TableEncoder("y", task="regression", ignore=found.dropped).fit(found.table)
    assert len(encoder.get_feature_names_out(encoder.input_names)) == 20_000
