"""Pictures, read back by the layout program's own parser and by an XML parser."""

import json
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm.chordal import junction_tree
from pgm.errors import EvidenceError, GraphError, ShapeError
from pgm.graph import Graph, Term
from pgm.pictures.draw import plot
from pgm.pictures.render import render
from pgm.pictures.sketch import LARGE
from pgm.pictures.style import EVIDENCE, FACTOR, MARRIED, short
from pgm.variable import Variable
from pgm.views import to_networkx

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("cloudy", "sprinkler", "rain", "wet")
C, S, R, W = (Variable(name, ["no", "yes"]) for name in NAMES)
LAWN = Graph((C, S, R, W), tuple(Term(scope, scope[-1]) for scope in [
    ("cloudy",), ("cloudy", "sprinkler"), ("cloudy", "rain"), ("sprinkler", "rain", "wet"),
]))  # fmt: skip

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Networks and chain graphs of up to six variables, of any names."""
    known = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    terms = []
    for place, name in enumerate(known):
        given = draw(st.lists(st.sampled_from(known[:place]), max_size=3, unique=True)) if place else []
        terms.append(Term((*given, name), name))
    for scope in draw(st.lists(st.lists(st.sampled_from(known), max_size=3, unique=True), max_size=2)):
        terms.append(Term(tuple(scope)))
    return Graph(tuple(Variable(name) for name in known), tuple(terms))


def parsed(dot: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Nodes, edges and boxes as the layout program reads them."""
    found = json.loads(render(dot, "dot_json"))
    objects = found.get("objects", [])
    boxes = [each for each in objects if "nodes" in each]
    return [each for each in objects if "nodes" not in each], found.get("edges", []), boxes


def pairs(dot: str) -> set[frozenset[str]]:
    """The names at both ends of each edge, with the escapes of quoting undone."""
    nodes, edges, _ = parsed(dot)
    title = {node["_gvid"]: node["name"] for node in nodes}
    return {frozenset((title[edge["tail"]], title[edge["head"]])) for edge in edges}


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def squeezed(words: Sequence[str]) -> set[str]:
    return {" ".join(text.split()) for text in words}


@settings(max_examples=40)
@given(graphs())
def test_each_variable_is_one_node_under_its_name_and_the_svg_is_well_formed(graph: Graph) -> None:
    picture = plot(graph)
    nodes, _, _ = parsed(picture.dot)
    assert len(nodes) == len(graph.names) == picture.nodes
    assert squeezed([short(name, 28) for name in graph.names]) <= squeezed(texts(picture.svg())) | {""}


@settings(max_examples=30)
@given(graphs())
def test_directed_view_has_the_arrows_of_the_graph_and_a_line_for_each_pair_in_a_potential(graph: Graph) -> None:
    nodes, edges, _ = parsed(plot(graph).dot)
    places = [(graph.names[edge["tail"]], graph.names[edge["head"]], edge.get("dir")) for edge in edges]
    arrows = {(a, b) for a, b, end in places if end != "none"}
    assert arrows == {(parent, child) for child in graph.names for parent in graph.parents[child]}
    lines = [frozenset((a, b)) for a, b, end in places if end == "none"]
    shared = {frozenset((a, b)) for t in graph.terms if t.child is None for a in t.scope for b in t.scope if a != b}
    assert set(lines) == shared
    assert len(lines) == len(shared)
    assert [node["_gvid"] for node in nodes] == list(range(len(graph.names)))


@settings(max_examples=30)
@given(graphs())
def test_moral_view_is_the_moral_graph_and_dashes_what_is_no_arrow_and_no_potential(graph: Graph) -> None:
    _, edges, _ = parsed(plot(graph, view="moral").dot)
    drawn = {frozenset((graph.names[edge["tail"]], graph.names[edge["head"]])): edge for edge in edges}
    assert len(drawn) == len(edges)
    assert set(drawn) == {frozenset(pair) for pair in to_networkx(graph, "moral").edges}
    direct = {frozenset(pair) for pair in to_networkx(graph, "directed").edges}
    assert {pair for pair, edge in drawn.items() if edge.get("color") == MARRIED} == set(drawn) - direct


@settings(max_examples=30)
@given(graphs())
def test_factor_view_has_a_square_for_each_term_and_an_edge_for_each_variable_in_it(graph: Graph) -> None:
    nodes, edges, _ = parsed(plot(graph, view="factor").dot)
    squares = [node["_gvid"] for node in nodes if node.get("fillcolor") == FACTOR]
    assert len(nodes) - len(squares) == len(graph.names)
    scopes = {square: set[str]() for square in squares}
    for edge in edges:
        ends = {edge["tail"], edge["head"]}
        (square,) = ends & set(squares)
        scopes[square] |= {graph.names[place] for place in ends - {square}}
    assert [scopes[square] for square in squares] == [set(term.scope) for term in graph.terms]


@settings(max_examples=20)
@given(graphs())
def test_junction_view_is_a_forest_with_one_tree_a_connected_part(graph: Graph) -> None:
    nodes, edges, _ = parsed(plot(graph, view="junction").dot)
    forest = nx.Graph([(edge["tail"], edge["head"]) for edge in edges])
    forest.add_nodes_from(node["_gvid"] for node in nodes)
    assert nx.is_forest(forest)
    assert nx.number_connected_components(forest) == nx.number_connected_components(to_networkx(graph, "moral"))


def test_junction_view_shows_the_cliques_of_the_tree_and_marks_what_is_observed() -> None:
    picture = plot(LAWN, view="junction", given={"wet": "yes"})
    tree = junction_tree(LAWN)
    nodes, _, _ = parsed(picture.dot)
    assert {node["name"] for node in nodes} == {", ".join(scope) for scope in tree.cliques} | {"sprinkler, rain"}
    assert "<B>wet</B>" in picture.dot
    assert "<B>rain</B>" not in picture.dot


def test_names_with_quotes_backslashes_and_markup_are_kept_apart() -> None:
    odd = ("a\\", 'a\\"', 'say "hi"', "<b>&amp;", "tab\there", "tab here", "naïve 日本", "a:b", "\x01", "\\u0001")
    graph = Graph(tuple(Variable(name) for name in odd), (Term(odd[:2], odd[1]),))
    nodes, _, _ = parsed(plot(graph).dot)
    assert len({node["name"] for node in nodes}) == len(odd)
    assert pairs(plot(graph).dot) == {frozenset((nodes[0]["name"], nodes[1]["name"]))}


def test_observed_nodes_and_only_those_are_shaded_and_name_their_state() -> None:
    picture = plot(LAWN, given={"rain": "yes", "wet": torch.tensor(-1)})
    nodes, _, _ = parsed(picture.dot)
    assert [node["name"] for node in nodes if node["fillcolor"] == EVIDENCE] == ["rain"]
    assert [text for text in texts(picture.svg()) if text.startswith("=")] == ["= yes"]


def test_printed_percentages_are_those_of_the_posterior() -> None:
    answers = {"cloudy": torch.tensor([0.25, 0.75]), "rain": torch.tensor([0.1234, 0.8766])}
    shown = texts(plot(LAWN, posterior=answers, given={"wet": "no"}).svg())
    assert sorted(text for text in shown if text.endswith("%")) == ["12.3%", "25.0%", "75.0%", "87.7%"]
    assert "= no" in shown


def test_plates_become_boxes_inside_each_other_with_their_factors() -> None:
    plates = {"lawns": ["wet"], "days": ["rain", "wet"]}
    nodes, _, boxes = parsed(plot(LAWN, view="factor", plates=plates).dot)
    inside = {box["label"]: {nodes[place - len(boxes)]["name"] for place in box["nodes"]} for box in boxes}
    assert inside == {
        "days": {"rain", "wet", "p(rain | cloudy)", "p(wet | sprinkler, rain)"},
        "lawns": {"wet", "p(wet | sprinkler, rain)"},
    }


def test_large_pictures_hold_every_name() -> None:
    variables = tuple(Variable(f"x{i}") for i in range(LARGE + 10))
    terms = tuple(Term((f"x{i // 2}", f"x{i}"), f"x{i}") for i in range(1, len(variables)))
    assert {v.name for v in variables} <= set(texts(plot(Graph(variables, terms)).svg()))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"view": "tree"}, GraphError, "plot: view is 'tree', expected 'directed', 'moral', 'factor' or 'junction'."),
        ({"plates": {"N": ["x"]}}, GraphError, "plot: plate 'N': 'x' is not a variable; there are 'cloudy', "),
        ({"plates": {"N": ["rain", "wet"], "T": ["wet", "cloudy"]}}, GraphError,
         "plot: plates 'N' and 'T' share 'wet' and neither holds the other; let one hold all of the other, or leave"),
        ({"given": {"wet": "maybe"}}, EvidenceError, "plot: evidence for 'wet' is 'maybe'; its states are 'no', "),
        ({"given": {"wet": ["no", "yes"]}}, EvidenceError, "plot: evidence has 2 rows, expected one; a picture shows "),
        ({"posterior": {"wet": torch.ones(3, 2)}}, ShapeError,
         "plot: posterior of 'wet' has shape (3, 2), expected (2,). A picture shows one row: pass the posterior of "),
        ({"posterior": {"wet": torch.tensor([1.5, 0.0])}}, ShapeError,
         "plot: posterior of 'wet' is [1.5, 0.0], expected probabilities."),
        ({"posterior": {"snow": torch.ones(2)}}, GraphError, "plot: posterior: 'snow' is not a variable; there are "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(options: dict[str, Any], error: type[ValueError], text: str) -> None:
    with pytest.raises(error) as caught:
        plot(LAWN, **options)
    assert str(caught.value).startswith(text)
