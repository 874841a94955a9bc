"""TableEncoder's options for texts, booleans and the target: width, signs, zeros, log1p."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp.data import Table, TableEncoder


def texts(*values: str | None) -> np.ndarray:
    return np.array(values, dtype=object)


def again(encoder: TableEncoder) -> TableEncoder:
    return TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))


# -------------------------------------------------------------------------------------------------- signs


def test_two_categories_and_booleans_become_signs() -> None:
    table = Table({"s": texts("no", "yes", None, "no", "yes"), "b": [True, False, True, True, False]})
    encoder = TableEncoder(binary="sign").fit(table)
    assert encoder.feature_names == ["s=yes", "b"]
    assert encoder.text_columns == ("s",)
    assert encoder.transform(table).tolist() == [[-1, 1], [1, -1], [0, 1], [-1, 1], [1, -1]]
    new = Table({"s": texts("maybe", None), "b": [np.nan, 0.0]})
    for each in (encoder, again(encoder)):
        assert each.transform(new).tolist() == [[0, 0], [0, -1]]
    assert encoder.to_dict()["version"] == 4


@pytest.mark.parametrize(
    "values",
    [("a", "a"), ("a", "a", "b", "b", "c", "c"), ("a", "a", "b", "b", "rare")],
    ids=["1", "3", "rare"],
)
def test_columns_of_other_than_two_categories_are_as_before(values: tuple[str, ...]) -> None:
    table = Table({"s": texts(*values)})
    encoder, plain = TableEncoder(binary="sign").fit(table), TableEncoder().fit(table)
    assert encoder.columns == plain.columns


def test_two_categories_are_a_sign_also_where_all_are_embedded() -> None:
    encoder = TableEncoder(binary="sign", max_one_hot=0).fit(Table({"s": texts("a", "b", "a", "b")}))
    assert encoder.embeddings == ()
    assert encoder.feature_names == ["s=b"]


# -------------------------------------------------------------------------------------------------- zeros


def test_unknown_categories_are_zeros_where_training_had_no_rare_ones() -> None:
    table = Table({"s": texts("a", "b", None, "c", "a", "b", "c")})
    encoder = TableEncoder(unknown="zeros").fit(table)
    assert encoder.feature_names == ["s=a", "s=b", "s=c"]
    for each in (encoder, again(encoder)):
        X = each.transform(Table({"s": texts("a", "z", None)}))
        assert X.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_unknown_categories_are_the_rare_ones_where_training_had_some() -> None:
    table = Table({"s": texts(*"aaabbbcd", None)})
    encoder = TableEncoder(unknown="zeros", min_count=3).fit(table)
    assert encoder.feature_names == ["s=a", "s=b", "s is other"]
    for each in (encoder, again(encoder)):
        X = each.transform(Table({"s": texts("b", "d", "z", None)}))
        assert X.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]


# ----------------------------------------------------------------------------------------------- embeddings


def test_the_width_of_embeddings_can_be_given() -> None:
    table = Table({"s": texts(*"abcdefghij" * 2), "t": texts(*"ab" * 10)})
    encoder = TableEncoder(max_one_hot=8, embedding_width=8).fit(table)
    assert encoder.embeddings == ((0, 11, 8),)
    assert again(encoder).embeddings == ((0, 11, 8),)
    net = fastmlp.train(
        table, np.arange(20.0), encode=TableEncoder(max_one_hot=8, embedding_width=3), epochs=1
    )
    assert net.embeddings == ((0, 11, 3),)
    assert TableEncoder(max_one_hot=8).fit(table).to_dict()["version"] == 2


# --------------------------------------------------------------------------------------------------- target


def prices() -> Table:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    return Table({"x": x, "price": np.exp(3 * x) * 1000, "rent": np.exp(x)})


def test_the_logarithm_is_learned_and_units_come_back() -> None:
    table = prices()
    encoder = TableEncoder("price", target_transform="log1p", ignore=["rent"]).fit(table)
    y = encoder.transform_target(table)
    logs = np.log1p(table["price"])
    np.testing.assert_allclose(y, (logs - logs.mean()) / logs.std(), rtol=1e-12, atol=1e-14)
    for each in (encoder, again(encoder)):
        np.testing.assert_allclose(each.inverse_target(y), table["price"], rtol=1e-12)
        np.testing.assert_array_equal(each.learned_target(table["price"]), y)
    plain = TableEncoder("price", target_transform="log1p", scale_target=False, ignore=["rent"]).fit(table)
    np.testing.assert_array_equal(plain.transform_target(table), logs)


def test_several_targets_each_have_their_logarithm() -> None:
    table = prices()
    encoder = TableEncoder(["price", "rent"], target_transform="log1p").fit(table)
    back = again(encoder).inverse_target(encoder.transform_target(table))
    np.testing.assert_allclose(back, np.column_stack([table["price"], table["rent"]]), rtol=1e-12)
    data = encoder.to_dict()
    del data["target"]["targets"][0]["log"]
    with pytest.raises(ValueError, match="encoder: target: 'log' must be the same for all targets"):
        TableEncoder.from_dict(data)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(min_value=0, max_value=1e308), min_size=1, max_size=20))
def test_any_quantity_comes_back_from_its_logarithm(values: list[float]) -> None:
    table = Table({"x": np.arange(len(values)), "y": np.array(values)})
    encoder = TableEncoder("y", task="regression", target_transform="log1p").fit(table)
    back = encoder.inverse_target(encoder.transform_target(table))
    np.testing.assert_allclose(back, values, rtol=1e-11, atol=1e-12)


def test_predictions_that_no_number_holds_are_the_greatest() -> None:
    encoder = TableEncoder("price", target_transform="log1p", ignore=["rent"]).fit(prices())
    assert np.isfinite(encoder.inverse_target([1e3, 1e300])).all()


def test_negative_quantities_and_labels_are_refused() -> None:
    table = Table({"x": [1, 2, 3], "y": [0.5, -0.25, 2.0], "label": texts("a", "b", "a")})
    with pytest.raises(
        ValueError, match=r"row 1, target column 'y': target_transform='log1p' needs .* -0.25"
    ):
        TableEncoder("y", target_transform="log1p", ignore=["label"]).fit(table)
    with pytest.raises(ValueError, match=r"target_transform must be None for labels, which .* 'label' holds"):
        TableEncoder("label", target_transform="log1p", ignore=["y"]).fit(table)
    encoder = TableEncoder("y", target_transform="log1p", ignore=["label"]).fit(table.take([0, 2]))
    with pytest.raises(
        ValueError, match=r"'y' is learned as log\(1 \+ y\): y must be greater than -1, got -2"
    ):
        encoder.learned_target([1.0, -2.0])


def test_a_network_learns_predicts_and_is_evaluated_in_units(tmp_path: Path) -> None:
    table = prices().keep("x", "price")
    like = TableEncoder(target_transform="log1p", scale="quantile")
    net = fastmlp.train(table, "price", encode=like, hidden=(8,), learning_rate=0.02, epochs=200)
    net.save(tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model")
    predicted = loaded.predict(table)
    assert np.corrcoef(np.log1p(predicted), np.log1p(table["price"]))[0, 1] > 0.98
    error = np.abs(predicted - table["price"]).mean()
    np.testing.assert_allclose(net.evaluate(table, "price").metrics.mae, error, rtol=1e-6)  # type: ignore[union-attr]
    ensemble = fastmlp.Ensemble([net, net])
    np.testing.assert_allclose(ensemble.predict(table), predicted, rtol=1e-5)
    with pytest.raises(ValueError, match="return_std must be False where the target was learned as log"):
        ensemble.predict(table, return_std=True)


def test_networks_of_folds_are_the_mean_of_logarithms(tmp_path: Path) -> None:
    table = prices().keep("x", "price")
    like = TableEncoder(target_transform="log1p")
    found = fastmlp.cross_validate(table, "price", folds=3, encode=like, hidden=(4,), epochs=3)
    ensemble = found.ensemble
    assert ensemble.encoder is None
    logs = np.mean([np.log1p(net.predict(table)) for net in ensemble.networks], axis=0)
    np.testing.assert_allclose(ensemble.predict(table), np.expm1(logs), rtol=1e-5)
    error = ensemble.evaluate(table, "price").metrics.mae  # type: ignore[union-attr]
    np.testing.assert_allclose(error, np.abs(ensemble.predict(table) - table["price"]).mean(), rtol=1e-6)
    chosen = fastmlp.Ensemble.greedy(ensemble.networks, table, "price", size=2)
    assert len(chosen.networks) >= 1
    fastmlp.export.to_onnx(ensemble, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(["prediction"], {"x": table["x"][:, None]})
    np.testing.assert_allclose(got, ensemble.predict(table), rtol=1e-5)
    fastmlp.export.to_c(ensemble, tmp_path / "model.h")
    header = (tmp_path / "model.h").read_text()
    assert "values in the units of log(1 + target)" in header
    assert "values[i] = expm1(" in header
    plain = fastmlp.train(table, "price", encode=True, hidden=(4,), epochs=1)
    with pytest.raises(ValueError, match="an encoder with target_transform"):
        fastmlp.Ensemble([ensemble.networks[0], plain])


def test_targets_beside_the_table_cannot_be_transformed() -> None:
    table = prices().keep("x")
    like = TableEncoder(target_transform="log1p")
    with pytest.raises(ValueError, match="target_transform must be None where y is given beside the table"):
        fastmlp.train(table, np.ones((200, 2)) * 0.5, encode=like, epochs=1)
    net = fastmlp.train(table, np.linspace(0.5, 9, 200), encode=like, epochs=1)  # one column can go in
    assert net.encoder is not None
    assert net.encoder.target_transform == "log1p"


# -------------------------------------------------------------------------------------------------- settings


NEW: dict[str, Any] = {
    "scale": "quantile",
    "embedding_width": 4,
    "binary": "sign",
    "unknown": "zeros",
    "target_transform": "log1p",
}


@pytest.mark.parametrize("name", NEW)
def test_an_option_is_written_only_if_it_is_used_and_fits_again(name: str) -> None:
    table = Table(
        {
            "s": texts(*"aabb", None),
            "b": [True, False] * 2 + [True],
            "x": [1.0, 2, 4, 5, 9],
            "y": [0.5, 1, 3, 2, 8],
        }
    )
    encoder = TableEncoder("y", **{name: NEW[name]}).fit(table)
    later = {*encoder.to_dict()["settings"]} & {"embedding_width", "binary", "unknown", "target_transform"}
    assert later == {name} - {"scale"}
    assert encoder.to_dict()["version"] == 4
    back = again(encoder)
    assert back.get_params() == encoder.get_params()
    assert back.fit(table).to_dict() == encoder.to_dict()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"embedding_width": 0}, ValueError, "embedding_width must be at least 1, got 0"),
        ({"embedding_width": 1.5}, TypeError, "embedding_width must be an integer, got 1.5"),
        ({"binary": True}, TypeError, "binary must be one of plain, sign; got True"),
        ({"unknown": "none"}, ValueError, "unknown must be one of own, zeros; got 'none'"),
        ({"target_transform": "log"}, ValueError, "target_transform must be one of log1p; got 'log'"),
    ],
)
def test_bad_options_are_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TableEncoder(**arguments)
