"""What the graph shows: a table, words, Graphviz's language and an SVG picture that no name can break."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import fastmlp
from fastmlp import graph
from fastmlp.graph import Tensor

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '"',
    "'",
    "&amp;",
    "\\N",
    "a\nb",
    "\x00",
    "\ud800",
    "]]>",
    "{0}",
    "$x$",
    "가중치",
    "",
]


def example() -> Tensor:
    x, y, z = Tensor(-2.0, name="x"), Tensor(5.0, name="y"), Tensor(-4.0, name="z")
    q = x + y
    q.name = "q"
    f = q * z
    f.name = "f"
    return f


def small_network() -> Tensor:
    net = fastmlp.Network((2, 3, 2), l2=0.1, dtype="float64")
    return graph.from_network(net, np.ones((4, 2)), [0, 1, 1, 0])


def texts(svg: str, kind: str | None = None) -> list[str]:
    found = [text for text in ET.fromstring(svg).iter(f"{SVG}text") if kind in (None, text.get("class"))]
    return ["".join(text.itertext()) for text in found]


def test_show_prints_each_gate_with_value_upstream_and_local_gradient(
    capsys: pytest.CaptureFixture[str],
) -> None:
    f = example()
    f.show()
    before = capsys.readouterr().out
    f.backward()
    f.show()
    assert [line.split() for line in before.splitlines()[-2:]] == [
        ["f", "=", "q", "*", "z", "-12", "q", "-4"],
        ["z", "3"],
    ]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert " ".join(lines[0]) == "gate value upstream gradient input local gradient gradient to input"
    assert lines[1:] == [
        ["x", "-2", "-4"],
        ["y", "5", "-4"],
        ["q", "=", "x", "+", "y", "3", "-4", "x", "1", "-4"],
        ["y", "1", "-4"],
        ["z", "-4", "3"],
        ["f", "=", "q", "*", "z", "-12", "1", "q", "-4", "-4"],
        ["z", "3", "3"],
    ]


def test_show_abbreviates_arrays_and_names_what_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    x, t1 = Tensor(np.arange(6.0).reshape(2, 3)), Tensor(2.0, "t1")
    (2 * x[0] * t1).sum(axis=0).show()
    out = capsys.readouterr().out
    assert "(2, 3) [0 1 .. 5]" in out
    assert "t4 = 2 * t3" in out
    assert "t6 = sum(t5, axis=0)" in out
    assert "(3,) [0 2 4]" in out


def test_a_tensor_alone_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for tensor in (Tensor(1.5), graph.constant(1.5), graph.exp(0.0)):
        tensor.show()
        assert tensor.to_dot().startswith("digraph {")
        ET.fromstring(tensor.to_svg())
        tensor.backward()
        tensor.explain()
    assert "1.5" in capsys.readouterr().out


def test_explain_says_what_each_gate_did(capsys: pytest.CaptureFixture[str]) -> None:
    f = example()
    with pytest.raises(
        ValueError, match=r"explain needs gradients, all of one pass: call backward\(\) first"
    ):
        f.explain()
    f.backward()
    f.explain()
    assert capsys.readouterr().out.splitlines() == [
        "f.grad = 1: the gradient that backward() began with",
        "f = q * z: mul swaps: each input receives upstream times the value of the other",
        "    q.grad += 1 * -4 = -4",
        "    z.grad += 1 * 3 = 3",
        "q = x + y: add distributes its upstream gradient: both inputs receive it",
        "    x.grad += -4 * 1 = -4",
        "    y.grad += -4 * 1 = -4",
    ]
    x = Tensor(3.0, "x")
    g = graph.maximum(x, 1) + x
    g.backward()
    g.explain()
    out = capsys.readouterr().out
    assert "maximum routes its upstream gradient to the larger input" in out
    assert "x branches: its 2 parts add up to 2" in out


def test_explain_knows_the_rules_of_matrices(capsys: pytest.CaptureFixture[str]) -> None:
    small_network().explain()
    out = capsys.readouterr().out
    assert "W0.grad += X.T @ upstream = (2, 3)" in out
    assert "a1.grad += upstream @ W1.T = (4, 3)" in out
    assert "W0 branches: its 2 parts add up to (2, 3)" in out


def test_dot_has_a_node_for_each_gate_and_an_edge_for_each_input() -> None:
    f = example()
    f.backward()
    dot = f.to_dot()
    assert r'label="f = q * z\nvalue -12\ngradient 1"' in dot
    assert len(re.findall(r"n\d+ -> n\d+", dot)) == 4
    assert dot.count("label=") == 5


def test_svg_shows_values_and_after_backward_gradients() -> None:
    f = example()
    svg = f.to_svg()
    assert sorted(texts(svg, "value")) == ["-12", "-2", "-4", "3", "5"]
    assert texts(svg, "grad") == []
    f.backward()
    svg = f.to_svg()
    assert sorted(texts(svg, "grad")) == ["-4", "-4", "-4", "1", "3"]
    assert {"x", "y", "z", "q", "f"} == set(texts(svg, "name"))
    assert {"+", "*"} <= set(texts(svg, "box"))
    assert f._repr_svg_() == svg


def test_svg_writes_numbers_into_their_gate() -> None:
    x = Tensor(2.0, "x")
    assert {"1 / ·", "1 + ·", "exp", "neg"} == set(texts((1 / (1 + graph.exp(-x))).to_svg(), "box"))
    assert texts(graph.maximum(0, x).to_svg(), "box") == ["maximum(0, ·)"]


def test_gradients_of_several_passes_are_not_mixed() -> None:
    x = Tensor(2.0, "x")
    f, g = x * x, 3 * x
    f.backward()
    g.backward()
    assert texts(g.to_svg(), "grad") == ["3", "1"]
    assert texts(f.to_svg(), "grad") == []
    assert "gradient" not in f.to_dot()
    with pytest.raises(ValueError, match="all of one pass"):
        f.explain()
    h = f + x
    h.backward()
    assert sorted(texts(f.to_svg(), "grad")) == ["1", "5"]  # f as a part of h


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    return [
        (float(r.get("x", 0)), float(r.get("y", 0)), float(r.get("width", 0)), float(r.get("height", 0)))
        for r in ET.fromstring(svg).iter(f"{SVG}rect")
        if r.get("class") == "gate"
    ]


def test_no_boxes_lie_on_each_other_and_all_lie_in_the_picture() -> None:
    svg = small_network().to_svg()
    root = ET.fromstring(svg)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    found = boxes(svg)
    assert len(found) == 17
    for i, (x, y, w, h) in enumerate(found):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for a, b, c, d in found[:i]:
            assert x + w < a or a + c < x or y + h + 20 < b or b + d + 20 < y


def test_a_graph_that_would_be_too_wide_for_a_page_goes_from_top_to_bottom() -> None:
    f = example()
    wide, tall = ET.fromstring(f.to_svg()), ET.fromstring(small_network().to_svg())
    assert float(wide.get("width", 0)) > float(wide.get("height", 0))
    assert float(tall.get("width", 0)) < 900 < float(tall.get("height", 0))
    assert "left of the wire" in texts(small_network().to_svg(), "small")[-1]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_as_they_are_and_do_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    x = Tensor(1.0, name)
    f = x * x + 1
    f.name = name
    f.backward()
    svg = f.to_svg()
    root = ET.fromstring(svg.encode())  # well-formed, and encodable
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "style", "rect", "path", "text", "tspan")
    }
    assert "<script" not in svg
    for line in f.to_dot().splitlines():
        assert not re.sub(r"\\.", "", line).count('"') % 2
    f.show()
    f.explain()
    assert "\x00" not in capsys.readouterr().out


def test_long_names_are_cut_in_the_picture() -> None:
    assert max(map(len, texts(Tensor(1.0, "n" * 5000).to_svg(), "name"))) == 24


def test_large_graphs_are_drawn_too() -> None:
    x = Tensor(1.0, "x")
    f = x
    for _ in range(500):
        f = f + f * x
        f = f / 2
    f.backward()
    svg, dot = f.to_svg(), f.to_dot()
    assert len(boxes(svg)) == 1500
    assert dot.count(" -> ") == 2500
