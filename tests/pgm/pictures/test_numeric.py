"""Pictures of numeric variables, functions, nets, plates and time, read back by the layout program's own parser."""

import shlex
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Binary,
    ConditionalLinearGaussian,
    Deterministic,
    Energy,
    Gaussian,
    Implicit,
    LinearGaussian,
    Model,
    Moments,
    Neural,
    Plate,
    Quadratic,
    Real,
    ShapeError,
    Tabular,
    Variable,
    bernoulli,
    d_separated,
    from_networkx,
    junction_tree,
    moral,
    plot,
    to_networkx,
    treewidth,
)
from pgm.pictures.bars import BAR_WIDTH
from pgm.pictures.intervals import MOST_NUMBERS, SHOWN_NUMBERS, intervals, segments, written
from pgm.pictures.render import render
from pgm.pictures.style import BAR, BAR_LIGHT, EVIDENCE, INK, NODE, NUMERIC
from pgm.pictures.subject import folded
from pgm.temporal.template import Template, before
from tests.pgm.pictures.test_draw import parsed, texts

SEX, AGE, HEIGHT, BMI = (
    Variable("sex", ["f", "m"]),
    Variable("age", Real()),
    Variable("height", Real()),
    Variable("bmi", Real()),
)
IMAGE, PLACE = Variable("image", Binary(2, 3)), Variable("place", Real(2))


def people() -> BayesianNetwork:
    return BayesianNetwork(
        Tabular(SEX, [], [0.5, 0.5]),
        Gaussian(AGE, 10.0, 9.0),
        ConditionalLinearGaussian(HEIGHT, [SEX, AGE], [[6.0], [6.1]], [75.0, 78.0], [16.0]),
        Deterministic(BMI, [HEIGHT], lambda h: 20 + h / 100),
        Neural(IMAGE, [HEIGHT], bernoulli, lambda h: h[..., None, None].expand(*h.shape, 2, 3)),
        Implicit(PLACE, [AGE], lambda age, noise: noise, noise=2),
    )


def visits() -> Model:
    """A mean, patients, and visits of each patient."""
    x, y, z = Variable("x", Real()), Variable("y", Real(3)), Variable("z", 2)
    return Model(
        Gaussian(AGE, 0.0, 1.0),
        Plate(
            "patient",
            10,
            LinearGaussian(x, [AGE], [1.0], 0.0, 1.0),
            Tabular(z, [], [0.5, 0.5]),
            Plate("visit", 3, ConditionalLinearGaussian(y, [x, z], torch.ones(2, 1, 3), torch.zeros(2, 3), [1.0])),
        ),
    )


def boxes_of(dot: str) -> dict[str, set[str]]:
    """The names inside each box, those of inner boxes too."""
    nodes, _, boxes = parsed(dot)
    name = {node["_gvid"]: node["name"] for node in nodes}
    return {box["label"]: {name[place] for place in box["nodes"]} for box in boxes}


def test_each_kind_of_variable_has_its_look() -> None:
    picture = plot(people(), given={"age": 12.25})
    nodes, edges, _ = parsed(picture.dot)
    look = {node["name"]: (node["fillcolor"], node.get("peripheries", "1")) for node in nodes}
    assert look == {
        "sex": (NODE, "1"), "age": (EVIDENCE, "1"), "height": (NUMERIC, "1"), "bmi": (NUMERIC, "2"),
        "image": (NUMERIC, "1"), "place": (NUMERIC, "1"),
    }  # fmt: skip
    name = {node["_gvid"]: node["name"] for node in nodes}
    heads = {(name[e["tail"]], name[e["head"]]): e.get("arrowhead", "normal") for e in edges}
    assert heads == {
        ("sex", "height"): "normal", ("age", "height"): "normal", ("height", "bmi"): "normal",
        ("height", "image"): "normalbox", ("age", "place"): "normalobox",
    }  # fmt: skip
    assert {"= 12.25", "real", "real 2", "binary 2×3"} <= set(texts(picture.svg()))


def test_a_graph_alone_shows_what_it_knows() -> None:
    nodes, _, _ = parsed(plot(people().graph).dot)
    assert {node["name"] for node in nodes if node["fillcolor"] == NUMERIC} == {
        "age",
        "height",
        "bmi",
        "image",
        "place",
    }
    assert not any("peripheries" in node for node in nodes)


def test_a_posterior_is_written_with_its_deviation() -> None:
    post = {
        "sex": torch.tensor([0.25, 0.75]),
        "height": Moments((HEIGHT,), torch.tensor([171.234]), torch.tensor([[4.0]])),
        "place": Moments((PLACE,), torch.tensor([1.0, -3.0]), torch.diag(torch.tensor([1.0, 0.04]))),
    }
    shown = texts(plot(people(), posterior=post).svg())
    assert {"25.0%", "171.2 ± 2.0", "[0]", "1.0 ± 1.0", "[1]", "-3.00 ± 0.20"} <= set(shown)


def test_what_is_no_answer_about_numbers_is_said() -> None:
    with pytest.raises(ShapeError, match=r"^plot: posterior of 'age' is a Tensor, expected Moments, for it is Real"):
        plot(people(), posterior={"age": torch.ones(2)})
    with pytest.raises(
        ShapeError, match=r"^plot: posterior of 'age' has 3 rows, expected one\. A picture shows one row"
    ):
        plot(people(), posterior={"age": Moments((AGE,), torch.zeros(3, 1), torch.ones(3, 1, 1))})


@given(st.floats(-10, 10), st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_parts_of_an_interval_lie_in_proportion(mean: float, std: float, below: float, above: float) -> None:
    low, high = mean - 2 * std - below, mean + 2 * std + above
    parts = segments(mean, std, low, high)
    assert sum(width for _, width in parts) == BAR_WIDTH
    assert all(width >= 0 for _, width in parts)
    span = {colour: sum(width for each, width in parts if each == colour) for colour in (BAR, BAR_LIGHT, INK)}
    unit = BAR_WIDTH / max(high - low, 1e-300)
    assert span[INK] == 2
    assert abs(span[BAR] + span[INK] - min(2 * std * unit, BAR_WIDTH)) <= 4 or high - low < 1e-6
    assert abs(span[BAR_LIGHT] - 2 * std * unit) <= 4 or high - low < 1e-6


@given(st.floats(-1e6, 1e6), st.floats(1e-4, 1e5))
def test_what_is_written_is_right_to_the_last_digit(mean: float, std: float) -> None:
    left, right = map(float, written(mean, std).split(" ± "))
    assert abs(right - std) <= 0.05 * std * 1.001 + 1e-300
    assert abs(left - mean) <= max(0.051 * std, 0.5)


def test_long_vectors_show_their_first_numbers() -> None:
    for length, lines in ((MOST_NUMBERS, MOST_NUMBERS + 1), (MOST_NUMBERS + 1, SHOWN_NUMBERS + 2)):
        moments = Moments((Variable("w", Real(length)),), torch.zeros(length), torch.eye(length))
        assert len(ElementTree.fromstring(intervals(moments)).findall("TR")) == lines
    assert f"{MOST_NUMBERS + 1 - SHOWN_NUMBERS} more" in intervals(moments)


def test_plates_are_boxes_inside_each_other() -> None:
    picture = plot(visits())
    nodes, edges, _ = parsed(picture.dot)
    assert sorted(node["name"] for node in nodes) == ["age", "x", "y", "z"]
    assert len(edges) == 3
    assert boxes_of(picture.dot) == {"patient × 10": {"x", "y", "z"}, "visit × 3": {"y"}}
    assert plot(visits(), copies=True).nodes == 1 + 10 * 2 + 30


def test_copies_in_a_box_are_those_of_the_model() -> None:
    model = visits()
    found = [name for names in folded(model).copies.values() for name in names]
    assert sorted([*found, "age"]) == sorted(model.graph.names)
    assert folded(model).copies["y"][4] == "y[1,1]"


def test_observed_copies_are_counted_and_shaded_once_all_are() -> None:
    seen = {f"x[{i}]": float(i) for i in range(10)} | {"y[0,0]": [1.0, 2.0, 3.0]}
    picture = plot(visits(), given=seen)
    nodes, _, _ = parsed(picture.dot)
    assert [node["name"] for node in nodes if node["fillcolor"] == EVIDENCE] == ["x"]
    assert "1 of 30 observed" in texts(picture.svg())
    written_out = texts(plot(visits(), given=seen, copies=True).svg())
    assert {"= 7", "= (1, 2, 3)", "x[7]"} <= set(written_out)


def test_factors_lie_in_the_boxes_of_what_they_touch() -> None:
    """A potential between a variable in a plate and one outside is copied, so it stands inside."""
    a, b, c = (Variable(name, Real()) for name in "abc")
    model = Model(
        Gaussian(a, 0.0, 1.0),
        Plate("n", 5, Energy([a, b], lambda a, b: a * b), Plate("m", 2, Quadratic([b, c], torch.eye(2)))),
    )
    assert boxes_of(plot(model, view="factor").dot) == {
        "n × 5": {"b", "c", "f(a, b)", "f(b, c)"},
        "m × 2": {"c", "f(b, c)"},
    }
    assert boxes_of(plot(model, view="moral").dot) == {"n × 5": {"b", "c"}, "m × 2": {"c"}}


def test_plates_of_the_same_name_are_two_boxes() -> None:
    x, y = Variable("x", Real()), Variable("y", Real())
    model = Model(Plate("n", 2, Gaussian(x, 0.0, 1.0)), Plate("n", 2, Gaussian(y, 0.0, 1.0)))
    assert [{"x"}, {"y"}] == sorted(boxes_of(plot(model).dot).values(), key=sorted)


def chain(steps: int) -> Model:
    z = [Variable(f"z[{t}]", 2) for t in range(steps)]
    x = [Variable(f"x[{t}]", Real()) for t in range(steps)]
    moves = [Tabular(z[t], [z[t - 1]], [[0.9, 0.1], [0.2, 0.8]]) for t in range(1, steps)]
    seen = [ConditionalLinearGaussian(x[t], [z[t]], None, [0.0, 1.0], [1.0]) for t in range(steps)]
    return Model(Tabular(z[0], [], [0.5, 0.5]), *moves, *seen)


def places(dot: str) -> dict[str, tuple[float, float]]:
    """Where the layout program puts each node, in inches."""
    lines = map(shlex.split, render(dot, "plain").decode().splitlines())
    return {line[1]: (float(line[2]), float(line[3])) for line in lines if line[0] == "node"}


def test_time_goes_from_left_to_right_on_two_levels() -> None:
    place = places(plot(chain(4)).dot)
    z, x = ([place[f"{name}[{t}]"] for t in range(4)] for name in "zx")
    assert [left for left, _ in z] == sorted({left for left, _ in z})
    assert [left for left, _ in z] == [left for left, _ in x]
    assert len({height for _, height in z}) == len({height for _, height in x}) == 1
    assert z[0][1] > x[0][1]


def test_a_template_is_two_steps_side_by_side() -> None:
    weather, umbrella = Variable("weather", 2), Variable("umbrella", 2)
    flat = [[0.5, 0.5], [0.5, 0.5]]
    template = Template(
        [Tabular(weather, [], [0.5, 0.5])],
        [Tabular(weather, [before(weather)], flat), Tabular(umbrella, [weather], flat)],
    )
    place = places(plot(template).dot)
    assert place["weather[t-1]"][0] < place["weather"][0] == place["umbrella"][0]
    assert place["weather[t-1]"][1] == place["weather"][1] > place["umbrella"][1]


def test_copies_in_a_plate_are_no_steps() -> None:
    assert "rank=same" in plot(chain(3)).dot
    assert "rank=same" not in plot(visits(), copies=True).dot


def test_questions_about_structure_do_not_mind_numbers() -> None:
    graph = people().graph
    assert bool(d_separated(people(), "sex", "age"))
    assert not bool(d_separated(people(), "sex", "age", given="image"))
    assert ("sex", "age") in {tuple(sorted(pair, reverse=True)) for pair in to_networkx(moral(people())).edges}
    for view in ("directed", "factor"):
        back = from_networkx(to_networkx(people(), view))
        assert (set(back.variables), back.parents) == (set(graph.variables), graph.parents)
    assert treewidth(people()).upper == 2
    assert max(map(len, junction_tree(people()).cliques)) == 3
    assert plot(people(), view="junction", given={"height": 170.0}).nodes > 0
