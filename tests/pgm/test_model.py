"""Models: the joint they define, what they refuse, and actions."""

import copy
import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm.causes import NoisyOr
from pgm.conditionals import Conditional, Tabular
from pgm.errors import EvidenceError, GraphError
from pgm.model import BayesianNetwork, MarkovNetwork, Model
from pgm.potentials import Pairwise, Table
from pgm.variable import Variable

YES = ["no", "yes"]
RAIN, SPRINKLER, WET = (Variable(name, YES) for name in ["rain", "sprinkler", "wet"])


def lawn() -> BayesianNetwork:
    return BayesianNetwork(
        Tabular(WET, [RAIN, SPRINKLER], [[[1, 0], [0.1, 0.9]], [[0.2, 0.8], [0.01, 0.99]]]),
        Tabular(RAIN, [], [0.8, 0.2]),
        Tabular(SPRINKLER, [RAIN], [[0.6, 0.4], [0.99, 0.01]]),
        variables=[RAIN, SPRINKLER, WET],
        name="lawn",
    )


def joint(model: Model) -> Tensor:
    """The product of all factors over all worlds, axes in the order of the variables; not normalised."""
    number = {name: i for i, name in enumerate(model.graph.names)}
    parts = [(factor.values, [number[name] for name in factor.names]) for factor in model.factors()]
    ones = [(torch.ones(v.size, dtype=torch.float64), [number[v.name]]) for v in model.variables]
    return torch.einsum(*(each for part in parts + ones for each in part), list(number.values()))


@st.composite
def models(draw: st.DrawFn, potentials: bool) -> Model:
    """Random tables over a random structure; zeros in the potentials."""
    variables = [Variable(f"x{i}", draw(st.integers(1, 3))) for i in range(draw(st.integers(1, 4)))]
    dice = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    terms: list = []
    for i, child in enumerate(variables):
        given = draw(st.lists(st.sampled_from(variables[:i]), max_size=2, unique=True)) if i else []
        table = torch.rand([v.size for v in (*given, child)], generator=dice, dtype=torch.float64) + 0.01
        terms.append(Tabular(child, given, table / table.sum(-1, keepdim=True)))
    scope = st.lists(st.sampled_from(variables), max_size=2, unique=True)
    for each in draw(st.lists(scope, max_size=2 * potentials)):
        table = torch.rand([v.size for v in each], generator=dice, dtype=torch.float64)
        terms.append(Table(each, (table * 2 - 0.5).clamp_min(0)))
    return Model(*draw(st.permutations(terms)), variables=variables)


@given(models(potentials=True))
@settings(max_examples=29)
def test_log_prob_is_the_log_of_the_product_of_factors(model: Model) -> None:
    values = joint(model)
    worlds = list(product(*(range(v.size) for v in model.variables)))
    batch = {v.name: torch.tensor([world[i] for world in worlds]) for i, v in enumerate(model.variables)}
    torch.testing.assert_close(model.log_prob(batch), values.flatten().log(), rtol=1e-12, atol=1e-13)
    last = {v.name: v.states[-1] for v in model.variables}
    torch.testing.assert_close(model.log_prob(last), values.flatten()[-1].log(), rtol=1e-12, atol=1e-13)


@given(models(potentials=False))
@settings(max_examples=38)
def test_the_joint_of_a_bayesian_network_sums_to_one(model: Model) -> None:
    network = BayesianNetwork(*model.terms, variables=model.variables)
    assert joint(network).sum().item() == pytest.approx(1, abs=1e-13)


@given(models(potentials=False), st.integers(0, 2))
@settings(max_examples=34)
def test_doing_to_a_root_is_conditioning_on_it(model: Model, pick: int) -> None:
    root = model.variables[0]
    state = pick % root.size
    conditioned = joint(model).select(0, state)
    acted = joint(model.do({root.name: root.states[state]})).select(0, state)
    torch.testing.assert_close(acted, conditioned / conditioned.sum(), rtol=1e-12, atol=0)


@given(models(potentials=False), st.integers(0, 3), st.integers(0, 2))
@settings(max_examples=29)
def test_doing_divides_the_conditional_out(model: Model, number: int, pick: int) -> None:
    """The truncated factorisation: p(x | do(a)) = p(x) / p(a | parents of a) where a holds, else 0."""
    axis = number % len(model.variables)
    variable = model.variables[axis]
    state = pick % variable.size
    acted = joint(model.do({variable.name: variable.states[state]}))
    rest = Model(*(term for term in model.terms if term.child != variable), variables=model.variables)
    expected = torch.zeros_like(acted)
    expected.select(axis, state).copy_(joint(rest).select(axis, state).detach())
    torch.testing.assert_close(acted, expected, rtol=1e-13, atol=0)


def test_seeing_is_not_doing() -> None:
    """Seeing the lawn wet makes rain likelier; wetting it does not."""
    seen = joint(lawn())[..., 1].sum(1)
    done = joint(lawn().do({"wet": "yes"}))[..., 1].sum(1)
    assert (seen / seen.sum())[1].item() == pytest.approx(0.16038 / (0.16038 + 0.288))
    assert done[1].item() == pytest.approx(0.2)


def test_doing_leaves_the_model_alone() -> None:
    model = lawn()
    before = joint(model).detach()
    acted = model.do({"sprinkler": "yes"})
    assert isinstance(acted, BayesianNetwork)
    assert (acted.name, acted.graph.names) == ("lawn", model.graph.names)
    assert acted.graph.parents == {"rain": (), "sprinkler": (), "wet": ("rain", "sprinkler")}
    assert model.graph.parents["sprinkler"] == ("rain",)
    assert torch.equal(joint(model), before)


def test_what_cannot_be_done_is_said() -> None:
    model = Model(Tabular(RAIN, [], [0.8, 0.2]), Table([SPRINKLER, WET], [[1, 2], [3, 4]]))
    with pytest.raises(GraphError) as caught:
        model.do({"wet": "yes"})
    assert str(caught.value) == "do: 'wet' is in a potential; actions are defined on conditionals only."
    with pytest.raises(GraphError, match=r"^do: 'snow' is not a variable; there are 'rain', 'sprinkler', 'wet'\.$"):
        model.do({"snow": "yes"})
    with pytest.raises(EvidenceError, match=r"'rain' is 'maybe'; its states are 'no', 'yes'\.$"):
        model.do({"rain": "maybe"})


def test_a_model_is_a_module() -> None:
    model, other = lawn(), lawn()
    assert len(list(model.parameters())) == 3
    torch.nn.init.constant_(other.terms[1].table, 0.5)
    assert not torch.equal(joint(other), joint(model))
    other.load_state_dict(model.state_dict())
    assert torch.equal(joint(other), joint(model))
    assert {factor.values.dtype for factor in copy.deepcopy(model).to(torch.float32).factors()} == {torch.float32}


def test_log_prob_reaches_all_parameters() -> None:
    model = BayesianNetwork(Tabular(RAIN, [], [0.8, 0.2]), NoisyOr(WET, [RAIN], [0.5], leak=0.25))
    value = model.log_prob({"rain": "yes", "wet": "yes"})
    value.backward()
    assert value.item() == pytest.approx(math.log(0.2 * (1 - 0.75 * 0.5)))
    grads = {name: parameter.grad.tolist() for name, parameter in model.named_parameters()}
    assert grads["shared.0.table"] == pytest.approx([0, 1 / 0.2])
    assert grads["shared.1.strengths"] == pytest.approx([0.75 / 0.625])
    assert grads["shared.1.leak"] == pytest.approx(0.5 / 0.625)


def test_a_copy_stands_alone() -> None:
    model = lawn()
    assert set(model.conditionals) == {"rain", "sprinkler", "wet"}
    twin = copy.deepcopy(model)
    assert all(twin.conditionals[name] is not term for name, term in model.conditionals.items())
    assert all(any(term is each for each in twin.terms) for term in twin.conditionals.values())


def test_what_a_model_says_of_itself() -> None:
    model = Model(Tabular(RAIN, [], [0.8, 0.2]), Pairwise(RAIN, WET, 1.0), Table([SPRINKLER], [1, 2]))
    assert repr(model) == "Model(3 variables: rain, wet, sprinkler; 1 conditional, 2 potentials)"
    assert model["wet"] is WET
    assert (list(model.conditionals), len(model.potentials)) == (["rain"], 2)
    assert all(isinstance(term, Conditional) for term in lawn().terms)


def other_rain() -> Tabular:
    return Tabular(Variable("rain", ["dry", "wet"]), [], [0.5, 0.5])


WRONG = {
    "no term": (
        lambda: Model(RAIN),
        "Model: Variable('rain', ['no', 'yes']) is no conditional or potential; give them one by one, Model(a, b).",
    ),
    "two conditionals": (
        lambda: Model(Tabular(RAIN, [], [0.8, 0.2]), Tabular(RAIN, [], [0.5, 0.5])),
        "Graph: 'rain' has two conditionals; keep one, or make the other a potential.",
    ),
    "two variables of a name": (
        lambda: Model(Tabular(WET, [RAIN], [[1, 0], [0, 1]]), other_rain()),
        "variable 'rain' is given with states 'no', 'yes' and with states 'dry', 'wet'; "
        "use one Variable object for both.",
    ),
    "cycle": (
        lambda: BayesianNetwork(Tabular(WET, [RAIN], [[1, 0], [0, 1]]), Tabular(RAIN, [WET], [[1, 0], [0, 1]])),
        "BayesianNetwork: cycle rain -> wet -> rain.",
    ),
    "potential": (
        lambda: BayesianNetwork(Tabular(RAIN, [], [0.8, 0.2]), Table([RAIN], [1, 2])),
        "BayesianNetwork: Table(rain) is a potential; use Model or MarkovNetwork.",
    ),
    "no conditional": (
        lambda: BayesianNetwork(Tabular(WET, [RAIN], [[1, 0], [0, 1]])),
        "BayesianNetwork: 'rain' has no conditional; add one, or use Model.",
    ),
    "conditional": (
        lambda: MarkovNetwork(Tabular(WET, [RAIN], [[1, 0], [0, 1]])),
        "MarkovNetwork: Tabular(wet | rain) is a conditional; use Model or BayesianNetwork.",
    ),
    "unknown name": (
        lambda: lawn()["snow"],
        "BayesianNetwork: 'snow' is not a variable; there are 'rain', 'sprinkler', 'wet'.",
    ),
    "no value": (
        lambda: lawn().log_prob({"rain": "no", "wet": "no"}),
        "log_prob: no value for 'sprinkler'; every variable needs one.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, text = WRONG[case]
    with pytest.raises(GraphError) as caught:
        make()
    assert str(caught.value) == text
