"""What the graph shows: a table, words, Graphviz's language and an SVG picture that no name can break."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

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
    assert dot.count("shape=") == 5
    assert re.findall(r'-> n\d+ \[label="(.*)"\]', dot) == ["1", "1", "-4", "3"]
    assert 'label="upstream @ W0.T"' in small_network().to_dot()
    y = graph.constant([1.0, 2.0], "y")
    assert '[label=""]' in (y * Tensor(3.0)).to_dot()  # a constant has no local gradient


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


def test_svg_shows_local_gradients_where_wires_reach_gates() -> None:
    svg = example().to_svg()
    assert sorted(texts(svg, "local")) == ["-4", "1", "1", "3"]
    assert "local gradient at the gate" in texts(svg, "small")[-1]
    x = Tensor(2.0, "x")
    assert texts((x * x).to_svg(), "local") == ["2", "2"]
    assert texts((graph.constant([1.0, 2.0], "y") * x).to_svg(), "local") == ["[1 2]"]
    assert texts(graph.sqrt(Tensor(0.0)).to_svg(), "local") == ["inf"]
    svg = small_network().to_svg()
    assert {"upstream @ W0.T", "X.T @ upstream", "a1.T @ upstream", "0.25"} <= set(texts(svg, "local"))
    assert "local gradient" not in texts(x.to_svg(), "small")[-1]


def test_long_rules_and_those_of_nameless_inputs_stand_in_the_table_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    x = Tensor([[1.0, 2.0]])
    for f in (x @ x.T, x.softmax(), x.log_softmax(), graph.concatenate([x, x]), x[0]):
        assert set(texts(f.to_svg(), "local")) <= {"upstream.T"}
        f.show()
    out = capsys.readouterr().out
    assert "upstream @ t2.T" in out
    assert "s (upstream - sum(s upstream))" in out


def wires(svg: str) -> list[tuple[float, float]]:
    """The ends of the bent pieces."""
    ends = re.findall(r"C\S+ \S+ ([\d.]+),([\d.]+)", svg)
    return [(float(x), float(y)) for x, y in ends]


@pytest.mark.parametrize("gate", [graph.sub, graph.div, graph.pow, graph.mul, graph.maximum])
def test_an_input_that_is_read_twice_has_two_wires(gate: Any) -> None:
    x = Tensor(2.0, "x")
    (x0, y0), (x1, y1) = wires(gate(x, x).to_svg())
    assert x0 == x1
    assert abs(y0 - y1) > 10


def middles(svg: str) -> dict[str, float]:
    """The height of each text in a picture from left to right."""
    return {t.text or "": float(t.get("y", 0)) for t in ET.fromstring(svg).iter(f"{SVG}text")}


def test_inputs_stand_in_their_order_where_it_matters() -> None:
    z = Tensor([3.2, 5.1, -1.7], "z")
    e = graph.exp(z)
    svg = (e / e.sum()).to_svg()
    (_, straight), (_, summed) = sorted(wires(svg))[-2:]
    assert "input" not in "".join(texts(svg, "local"))
    assert straight != summed
    a, b = Tensor(3.0, "a"), Tensor(2.0, "b")
    for f in (
        a - b,
        b - a,
        a / b,
        b / a,
        a**b,
        b**a,
        graph.exp(a) - graph.exp(b),
        graph.exp(b) / graph.exp(a),
    ):
        svg = f.to_svg()
        first, second = f.edges[0].input, f.edges[1].input
        names = [node.name or (node.edges and node.edges[0].input.name) for node in (first, second)]
        at = middles(svg)
        assert at[str(names[0])] < at[str(names[1])]
        assert "input" not in "".join(texts(svg, "local"))


def test_inputs_that_cannot_stand_in_their_order_are_numbered() -> None:
    a, b = Tensor(3.0, "a"), Tensor(2.0, "b")
    svg = ((a - b) * (b - a)).to_svg()
    assert sorted(texts(svg, "local")) == ["-1", "-1", "1", "1", "input 1: 1", "input 2: -1"]


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


def test_formulas_hold_axes_and_words_their_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    x = Tensor(np.ones((2, 3, 4)), "x")
    f = graph.sum(x.transpose(1, 2, 0).max(axis=(0, 1), keepdims=True).sum(axis=-1, keepdims=True).T)
    f.backward()
    f.explain()
    out = capsys.readouterr().out
    assert "t1 = transpose(x, (1, 2, 0)): transpose" in out
    assert "x.grad += upstream.transpose(2, 0, 1) = (2, 3, 4)" in out
    assert "t2 = max(t1, axis=(0, 1), keepdims=True)" in out
    assert "t3 = sum(t2, axis=-1, keepdims=True)" in out
    assert "t4 = transpose(t3): transpose" in out
    assert "t3.grad += upstream.T = (1, 1, 1)" in out


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
    assert f._repr_svg_() is None  # a notebook shows its value


def chain(n: int) -> Tensor:
    """Each value is read by the next gate and by the last, the most bends that there can be."""
    x = [Tensor([1.0])]
    while len(x) < n:
        x.append(-x[-1])
    return graph.concatenate(x)


def test_notebooks_draw_what_is_not_too_large() -> None:
    assert chain(80)._repr_svg_() is not None
    assert chain(299)._repr_svg_() is None  # 300 nodes, but 44551 bends
    f = Tensor(1.0)
    for _ in range(299):
        f = -f
    assert f._repr_svg_() is not None
    assert (-f)._repr_svg_() is None


def test_graphs_with_too_many_bends_are_refused_before_these_are_made() -> None:
    f = chain(5000)
    with pytest.raises(
        ValueError, match=r"too large for a picture: 5001 nodes and 12497500 bends of wires, more than 20000"
    ):
        f.to_svg()
    assert f.to_dot().count(" -> ") == 4999 + 5000
