"""Networks with an encoder: tables go in, labels and values in units come out, and nothing fits by chance."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder


def shops(n: int = 200) -> Table:
    rng = np.random.default_rng(0)
    shop, size = rng.integers(0, 40, n), rng.normal(size=n)
    return Table(
        {
            "size": np.where(np.arange(n) % 9, size, np.nan),
            "shop": [f"shop {i}" for i in shop],
            "price": 100 * size + shop,
            "kind": np.where(size > 0, "big", "small"),
        }
    )


def trained(target: str) -> tuple[fastmlp.Network, TableEncoder]:
    ignored = "price" if target == "kind" else "kind"
    encoder = TableEncoder(target, ignore=[ignored]).fit(shops())
    net = fastmlp.train(
        encoder.transform(shops()), encoder.transform_target(shops()), hidden=(8,), epochs=5,
        embeddings=encoder.embeddings,
    )  # fmt: skip
    net.encoder = encoder
    return net, encoder


@pytest.mark.parametrize("form", ["Table", "pandas", "polars", "arrow"])
@pytest.mark.parametrize("target", ["price", "kind"])
def test_a_table_goes_through_the_encoder(target: str, form: str, tmp_path: Path) -> None:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    net, encoder = trained(target)
    columns = {name: shops()[name] for name in ("shop", "size")}
    make: Any = {"Table": Table, "pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[form]
    raw, X = make(columns), encoder.transform(shops())
    net.save(tmp_path / "m.safetensors")
    for network in (net, fastmlp.load(tmp_path / "m.safetensors"), copy.deepcopy(net)):
        np.testing.assert_array_equal(network.forward(raw), net.forward(X))
        np.testing.assert_array_equal(network.predict(raw), encoder.inverse_target(net.predict(X)))


@pytest.mark.parametrize("target", ["price", "kind"])
def test_targets_that_come_with_a_table_are_in_their_units(target: str) -> None:
    net, encoder = trained(target)
    table, X, y = shops(), encoder.transform(shops()), encoder.transform_target(shops())
    loss, gradient = net.loss_and_gradient(X, y)
    of_table, its_gradient = net.loss_and_gradient(table, table[target])
    assert of_table == loss
    np.testing.assert_array_equal(its_gradient, gradient)
    assert net.diagnose(table, table[target]).rows() == net.diagnose(X, y).rows()


def test_the_target_may_be_a_column_of_the_table() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": [0.5, 0, 1], "label": ["x", "y", "x"]})
    net = fastmlp.train(frame, "label", hidden=(3,), epochs=2)
    assert (
        net.loss_and_gradient(frame, "label")[0]
        == net.loss_and_gradient(frame[["a", "b"]], frame["label"])[0]
    )
    assert net.trace(frame, "label").loss == pytest.approx(net.loss_and_gradient(frame, "label")[0])
    assert fastmlp.gradcheck(net, frame, "label")
    with pytest.raises(ValueError, match="y must be one of the columns a, b, label; got 'c'"):
        net.trace(frame, "c")


def test_an_encoder_must_fit_the_network() -> None:
    net, encoder = trained("price")
    width = len(encoder.feature_names)
    for other, message in (
        (fastmlp.Network((width + 1, 1), loss="squared_error"), f"encoder must make {width + 1} inputs"),
        (fastmlp.Network((width, 1), loss="squared_error"), r"train with embeddings=encoder\.embeddings"),
        (fastmlp.Network((width, 2), embeddings=encoder.embeddings), "encoder is for regression"),
    ):
        with pytest.raises(ValueError, match=message):
            other.encoder = encoder
        assert other.encoder is None
    with pytest.raises(TypeError, match=r"encoder must be a fastmlp\.data\.TableEncoder"):
        net.encoder = "x"  # type: ignore[assignment]
