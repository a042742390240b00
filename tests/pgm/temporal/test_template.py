"""Templates: what is accepted, what is derived, and unrolling."""

import copy

import pytest
import torch
from torch import nn

from pgm import (
    BayesianNetwork,
    Deterministic,
    GraphError,
    Model,
    Real,
    Table,
    Tabular,
    Template,
    Variable,
    before,
    infer,
)

SKY, WET = Variable("sky", ["clear", "grey"]), Variable("wet", ["no", "yes"])
START = Tabular(SKY, [], [0.8, 0.2])
CHANGE = Tabular(SKY, [before(SKY)], [[0.9, 0.1], [0.4, 0.6]])
SEEN = Tabular(WET, [SKY], [[0.9, 0.1], [0.3, 0.7]])


def weather() -> Template:
    return Template([START], [CHANGE, SEEN])


def test_what_a_template_knows() -> None:
    made = weather()
    assert [v.name for v in made.variables] == ["sky", "wet"]
    assert made.carried == (SKY,)
    assert made.first == (START, SEEN)  # the emission serves the first step too
    assert made.later == (CHANGE, SEEN)
    assert made.graph.parents == {"sky[t-1]": (), "sky": ("sky[t-1]",), "wet": ("sky",)}
    assert made["wet"] == WET


def test_unrolling_is_the_product_written_by_hand() -> None:
    states = [Variable(f"sky[{t}]", SKY.domain) for t in range(3)]
    seen = [Variable(f"wet[{t}]", WET.domain) for t in range(3)]
    by_hand = BayesianNetwork(
        Tabular(states[0], [], START.table),
        *(Tabular(after, [last], CHANGE.table) for last, after in zip(states, states[1:], strict=False)),
        *(Tabular(wet, [sky], SEEN.table) for sky, wet in zip(states, seen, strict=True)),
    )
    given = {"wet[0]": "yes", "wet[2]": "no"}
    mine, theirs = infer(weather().unroll(3), given=given), infer(by_hand, given=given)
    for name in by_hand.graph.names:
        torch.testing.assert_close(mine[name], theirs[name])


def test_unrolled_terms_share_the_parameters() -> None:
    made = weather()
    assert len(list(made.unroll(5).parameters())) == len(list(made.parameters())) == 3


def test_an_unrolled_template_with_inputs_or_potentials_is_a_model() -> None:
    push = Variable("push", 2)
    driven = Template([START], [Tabular(SKY, [before(SKY), push], [[[0.9, 0.1]] * 2, [[0.4, 0.6]] * 2])])
    assert driven.inputs == (push,)
    assert type(driven.unroll(2)) is Model
    field = Template([], [Table([before(SKY), SKY], [[2.0, 1.0], [1.0, 2.0]]), SEEN])
    assert not field.directed
    assert field.inputs == ()
    assert type(field.unroll(2)) is Model


def test_it_is_a_module() -> None:
    made, other = weather(), copy.deepcopy(weather())
    with torch.no_grad():
        other.later[0].table.fill_(0.5)
    assert CHANGE.table[0, 0].item() == 0.9  # a copy is a copy
    made = copy.deepcopy(made)
    made.load_state_dict(other.state_dict())
    assert made.later[0].table[0, 0].item() == 0.5
    assert made.to(torch.float32).later[1].table.dtype == torch.float32


def test_functions_in_terms_are_part_of_it() -> None:
    h = Variable("h", Real(2))
    net = Deterministic(h, [before(h)], nn.Linear(2, 2))
    assert len(list(Template([Deterministic(h, [], lambda: torch.zeros(2))], [net]).parameters())) == 2


WRONG = [
    (lambda: Template([], [CHANGE]), "Template: 'sky' looks back and has no conditional in `initial`; give it one."),
    (lambda: Template([START, CHANGE], [CHANGE]), "is an initial term, but there is no step before the first one"),
    (lambda: Template([START], [SEEN]), "Template: 'sky' has a conditional in `initial` and none in `step`"),
    (lambda: Template([START], [Tabular(before(SKY), [SKY], [[1, 0], [0, 1]])]), "is about the step before"),
    (lambda: Template([], []), "Template: `step` has no terms, expected one or more."),
    (lambda: Template([SKY], [CHANGE]), "is no conditional or potential"),
    (lambda: Template([START], [CHANGE, CHANGE]), "'sky' has two conditionals"),
    (lambda: weather().unroll(0), "unroll: steps is 0, expected 1 or more."),
    (lambda: weather()["snow"], "Template: 'snow' is not a variable; there are 'sky', 'wet'."),
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=range(len(WRONG)))
def test_errors_say_what_is_wrong(make: object, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        make()  # type: ignore[operator]
    assert message in str(caught.value)


def test_a_cycle_in_a_step_is_found() -> None:
    loop = [Tabular(SKY, [WET], [[0.5, 0.5]] * 2), Tabular(WET, [SKY], [[0.5, 0.5]] * 2)]
    with pytest.raises(GraphError, match="cycle"):
        Template([], loop)
