"""Models as Pyro programs, against the model's own log density and exact answers."""

import subprocess
import sys

import numpy as np
import pandas
import pyro
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyro import poutine
from pyro.infer import HMC, MCMC, Trace_ELBO, TraceEnum_ELBO
from pyro.infer.inspect import get_dependencies
from pyro.ops.stats import effective_sample_size
from torch import Tensor, nn

import pgm
from pgm import (
    BayesianNetwork,
    Binary,
    ConditionalLinearGaussian,
    Count,
    Deterministic,
    Energy,
    Gaussian,
    Implicit,
    Joined,
    LinearGaussian,
    Logistic,
    Model,
    Neural,
    Pairwise,
    Plate,
    Quadratic,
    Real,
    Table,
    Tabular,
    Variable,
    as_pyro,
)
from pgm.testing import KINDS, random_case, random_model

SEEDS = st.integers(0, 10**6)


def traced(program: nn.Module, seed: int = 0) -> poutine.Trace:
    """One run."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return poutine.trace(program).get_trace()


def hybrid(seed: int) -> Model:
    """Variables of every kind, with conditionals, potentials, nested plates and random numbers."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    k, z, y = Variable("k", 3), Variable("z", Real()), Variable("y", Real(2))
    a, b, m = Variable("a", 2), Variable("b", Real()), Variable("m", 2)
    c, e, d = Variable("c", Real()), Variable("e", Real(2)), Variable("d", Real())
    n = Variable("n", Count())
    inner = Plate(
        "word",
        ["u", "v", "w"],
        LinearGaussian(c, [b, z], random(2), random(), random().square()),
        Table([a, m], random(2, 2).square()),
    )
    outer = Plate(
        "page",
        2,
        Logistic(a, [z, k], random(4), random()),
        ConditionalLinearGaussian(b, [a, z], random(2, 1), random(2), random(2).square()),
        inner,
    )
    return Model(
        outer,
        ConditionalLinearGaussian(z, [k], None, random(3), [1.0]),
        Tabular(k, [], random(3).softmax(0)),
        LinearGaussian(y, [z], random(1, 2), random(2), torch.eye(2) + 0.5),
        Deterministic(d, [z, k], lambda z, k: z * (k + 1)),
        Quadratic([e, z], torch.eye(3), random(3)),
        Energy([d, y], lambda d, y: d.tanh() * y.sum(-1)),
        Table([k], random(3).square()),
        Table([k], random(3).square()),
        Table([], 3.0),
        Neural(n, [z], torch.distributions.Poisson, lambda z: z.exp().clamp(max=20.0)),
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(seed=SEEDS)
def test_the_density_of_a_finite_program_is_that_of_the_model(kind: str, seed: int) -> None:
    model, _, _ = random_case(seed, kind)  # type: ignore[arg-type]
    program = as_pyro(model)
    trace = traced(program, seed)
    values = {name: trace.nodes[name]["value"] for name in model.graph.names}
    torch.testing.assert_close(torch.as_tensor(trace.log_prob_sum()).double(), model.log_prob(values))


@settings(max_examples=15)
@given(seed=SEEDS)
def test_the_density_of_a_program_with_plates_and_numbers_is_that_of_the_model(seed: int) -> None:
    model = hybrid(seed)
    program = as_pyro(model)
    trace = traced(program, seed)
    values = program.unfold({name: node["value"] for name, node in trace.nodes.items() if "value" in node})
    assert set(values) == set(model.graph.names)
    torch.testing.assert_close(trace.log_prob_sum(), model.log_prob(values))


@settings(max_examples=10)
@given(seed=SEEDS)
def test_observed_copies_and_rows_stay_where_they_belong(seed: int) -> None:
    model, generator = hybrid(seed), torch.Generator().manual_seed(seed)
    rows = {
        name: torch.randn(4, generator=generator).double() for name in model.graph.names if name[:2] in ("b[", "c[")
    }
    rows |= {name: torch.randint(2, (4,), generator=generator) for name in ("a[0]", "a[1]")}
    rows |= {"z": torch.randn(4, generator=generator).double(), "k": torch.tensor([0, 1, 2, 0])}
    rows |= {"n": torch.tensor([0.0, 1.0, 2.0, 5.0]).double()}
    rows |= {name: torch.randn(4, 2, generator=generator).double() for name in ("y", "e")}
    rows |= {f"m[{i},{j}]": torch.randint(2, (4,), generator=generator) for i in range(2) for j in "uvw"}
    trace = traced(as_pyro(model, given=rows))
    expected = model.log_prob({**rows, "d": rows["z"] * (rows["k"] + 1)})
    torch.testing.assert_close(trace.log_prob_sum(), expected.sum())


def test_rows_may_come_as_a_frame() -> None:
    net = random_model(np.random.default_rng(0), 4, kind="bayesian")
    rows = {v.name: np.array([0, v.size - 1, 0]) for v in net.variables}
    frame = pandas.DataFrame({name: [net[name].states[n] for n in column] for name, column in rows.items()})
    for trace in (traced(as_pyro(net, given=frame)), poutine.trace(as_pyro(net)).get_trace(frame)):
        torch.testing.assert_close(trace.log_prob_sum(), net.log_prob(rows).sum())


def test_copies_that_are_observed_in_part_are_split() -> None:
    x, mean = Variable("x", Real(2)), Variable("mean", Real(2))
    model = Model(
        Gaussian(mean, [0.0, 0.0], 1.0), Plate("n", 3, LinearGaussian(x, [mean], torch.eye(2), [0.0, 0.0], 0.5))
    )
    seen = torch.tensor([1.0, -1.0])
    trace = traced(as_pyro(model, given={"x[1]": seen}))
    drawn = trace.nodes["x_unobserved"]["value"]
    values = {"mean": trace.nodes["mean"]["value"], "x[0]": drawn[0], "x[1]": seen, "x[2]": drawn[2]}
    torch.testing.assert_close(trace.log_prob_sum(), model.log_prob(values))
    torch.testing.assert_close(trace.nodes["x"]["value"][1], seen.double())


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(seed=SEEDS)
def test_the_enumerated_bound_is_the_exact_log_evidence(kind: str, seed: int) -> None:
    model, evidence, likelihood = random_case(seed, kind, most=5)  # type: ignore[arg-type]
    assume(len(evidence) < len(model.variables))  # Pyro warns when there is nothing to enumerate
    program = as_pyro(model, given=evidence, likelihood=likelihood)
    elbo = TraceEnum_ELBO(max_plate_nesting=0).loss(program, lambda: None)
    exact = pgm.log_evidence(model, given=evidence, likelihood=likelihood).item()
    assert -elbo == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_the_enumerated_bound_of_plates_is_the_exact_log_evidence() -> None:
    topic, style, word = Variable("topic", 3), Variable("style", 2), Variable("word", 4)
    numbers = torch.Generator().manual_seed(0)
    model = BayesianNetwork(
        Tabular(topic, [], [0.2, 0.3, 0.5]),
        Plate(
            "pages",
            2,
            Tabular(style, [topic], torch.rand(3, 2, generator=numbers).softmax(-1)),
            Plate("words", 3, Tabular(word, [topic, style], torch.rand(3, 2, 4, generator=numbers).softmax(-1))),
        ),
    )
    evidence = {f"word[{i},{j}]": str((i + 2 * j) % 4) for i in range(2) for j in range(3)}
    bound = -TraceEnum_ELBO(max_plate_nesting=2).loss(as_pyro(model, given=evidence), lambda: None)
    assert bound == pytest.approx(pgm.log_evidence(model, given=evidence).item(), rel=1e-6)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_pyro_infers_the_dependencies_of_the_model(seed: int) -> None:
    model, _, _ = random_case(seed, "bayesian")
    found = get_dependencies(as_pyro(model))["prior_dependencies"]
    parents = {name: set(given) - {name} for name, given in found.items()}  # type: ignore[attr-defined]
    assert parents == {name: set(given) for name, given in model.graph.parents.items()}


def test_the_graph_of_a_program_is_that_of_its_model() -> None:
    k, x, y, p = Variable("k", 3), Variable("x", Real(2)), Variable("y", 2), Variable("p", Binary(4))
    model = Model(
        Tabular(k, [], [0.2, 0.3, 0.5]),
        ConditionalLinearGaussian(x, [k], None, torch.zeros(3, 2), [1.0]),
        Logistic(y, [x, k], torch.ones(5), 0.0),
        Neural(p, [x], pgm.bernoulli, nn.Linear(2, 4)),
        Pairwise(k, y, 1.0),
    )
    found = pgm.from_pyro(as_pyro(model, given={"y": 1}))
    assert set(found.variables) == set(model.variables)
    assert {term.child: set(term.scope) for term in found.terms} == {
        term.child: set(term.scope) for term in model.graph.terms
    }


def test_parameters_stay_the_models_own() -> None:
    z, x = Variable("z", Real(2)), Variable("x", Binary(5))
    model = BayesianNetwork(Gaussian(z, [0.0, 0.0], 1.0), Neural(x, [z], pgm.bernoulli, nn.Linear(2, 5).double()))
    program = as_pyro(model)
    assert set(program.parameters()) == set(model.parameters())
    before = dict(pyro.get_param_store())
    loss = poutine.trace(program).get_trace({"x": torch.zeros(3, 5)}).log_prob_sum()
    loss.backward()
    assert dict(pyro.get_param_store()) == before
    assert all(parameter.grad is not None for parameter in model.conditionals["x"].parameters())


def test_zeros_in_tables_give_no_nan_gradients() -> None:
    a, b = Variable("a"), Variable("b")
    model = BayesianNetwork(Tabular(a, [], [0.0, 1.0]), Tabular(b, [a], [[1.0, 0.0], [0.25, 0.75]]))
    loss = poutine.trace(as_pyro(model, given={"a": 1, "b": 1})).get_trace().log_prob_sum()
    loss.backward()
    gradients = torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters()])
    assert bool(torch.isfinite(gradients).all())
    assert loss.item() == pytest.approx(torch.tensor(0.75).log().item())


def test_a_model_is_the_guide_of_another() -> None:
    z, x = Variable("z", Real()), Variable("x", Real())
    model = BayesianNetwork(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0))
    guide = BayesianNetwork(Gaussian(z, 1.0, 0.5))  # the exact posterior given x = 2
    loss = Trace_ELBO().loss(as_pyro(model, given={"x": 2.0}), as_pyro(guide))
    evidence = torch.distributions.Normal(0.0, 2.0**0.5).log_prob(torch.tensor(2.0))
    assert -loss == pytest.approx(evidence.item(), rel=1e-6)


def test_an_implicit_conditional_is_drawn_and_has_no_density() -> None:
    z, x = Variable("z", Real(2)), Variable("x", Real(3))
    model = BayesianNetwork(Gaussian(z, [0.0, 0.0], 1.0), Implicit(x, [z], Joined(nn.Linear(6, 3).double()), 4))
    with pytest.raises(pgm.PlanError, match=r"^as_pyro: 'x' is observed, but Implicit\(x\) has no density\. Observe"):
        poutine.trace(as_pyro(model, given={"x": [0.0, 0.0, 0.0]})).get_trace()
    trace = poutine.trace(as_pyro(model)).get_trace()
    assert trace.nodes["x"]["value"].shape == (3,)
    with pytest.raises(ValueError, match="'x' has no log_prob"):  # Pyro adds the shapes to our message
        trace.log_prob_sum()


def test_a_deterministic_number_cannot_be_observed() -> None:
    x, y = Variable("x", Real()), Variable("y", Real())
    model = BayesianNetwork(Gaussian(x, 0.0, 1.0), Deterministic(y, [x], torch.exp))
    with pytest.raises(pgm.PlanError, match=r"^as_pyro: 'y' is observed, but Deterministic\(y\) has no density\."):
        traced(as_pyro(model, given={"y": 1.0}))


def test_a_plate_needs_a_name_of_its_own() -> None:
    x = Variable("x")
    with pytest.raises(pgm.GraphError, match=r"^as_pyro: plate 'x' has the name of a variable; in a program each"):
        as_pyro(Model(Plate("x", 2, Tabular(x, [], [0.5, 0.5]))))


def test_a_value_is_observed_whole_or_not_at_all() -> None:
    x = Variable("x", Real(2))
    with pytest.raises(pgm.EvidenceError, match=r"^as_pyro: 'x' is missing in part of its \(2,\); expected all"):
        traced(as_pyro(Model(Gaussian(x, [0.0, 0.0], 1.0)), given={"x": [1.0, torch.nan]}))


def plated() -> BayesianNetwork:
    """A mean behind three numbers."""
    mean, x = Variable("mean", Real()), Variable("x", Real())
    return BayesianNetwork(Gaussian(mean, 0.0, 4.0), Plate("n", 3, LinearGaussian(x, [mean], [1.0], 0.0, 1.0)))


SEEN = {"x[0]": 1.0, "x[1]": 2.0, "x[2]": 0.5}


def test_pyros_own_bound_trains_a_guide_with_many_particles_at_once() -> None:
    exact = pgm.infer(plated(), ["mean"], given=SEEN)
    guide = as_pyro(BayesianNetwork(Gaussian(Variable("mean", Real()), 0.0, 1.0)))
    bound = Trace_ELBO(num_particles=20, vectorize_particles=True)(as_pyro(plated(), given=SEEN), guide)
    trained = list(guide.parameters())
    adam = torch.optim.Adam(trained, lr=0.05)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(150):
            adam.zero_grad()
            bound().backward()
            adam.step()
    conditional = guide.model.conditionals["mean"]
    assert isinstance(conditional, Gaussian)
    # steps of Adam at this rate leave less than two of them
    assert conditional.mean.item() == pytest.approx(exact["mean"].mean.item(), abs=0.1)
    assert conditional.scale.abs().item() == pytest.approx(exact["mean"].std.item(), abs=0.1)


def test_pyros_own_sampler_sums_the_finite_sites() -> None:
    k, x, z = Variable("k", 2), Variable("x", Real()), Variable("z", Real())
    model = BayesianNetwork(
        Tabular(k, [], [0.3, 0.7]),
        Gaussian(x, 0.0, 1.0),
        ConditionalLinearGaussian(z, [k, x], [[1.0], [-1.0]], [0.0, 1.0], [0.5]),
    )
    kernel = HMC(as_pyro(model, given={"z": 0.4}), step_size=0.5, num_steps=3)
    with torch.random.fork_rng():
        chains = MCMC(kernel, num_samples=200, warmup_steps=50, disable_progbar=True)
        torch.manual_seed(0)
        chains.run()
    exact = pgm.infer(model, ["x"], given={"z": 0.4})["x"]
    effective = effective_sample_size(chains.get_samples(group_by_chain=True)["x"], 0, 1).item()
    bound = 4 * exact.std.item() / effective**0.5
    assert chains.get_samples()["x"].mean().item() == pytest.approx(exact.mean.item(), abs=bound)


def test_a_checkpoint_of_a_program_is_loaded_strictly() -> None:
    one, other = as_pyro(hybrid(1)), as_pyro(hybrid(2))
    other.load_state_dict(one.state_dict())
    values = one.unfold({name: node["value"] for name, node in traced(one).nodes.items() if "value" in node})
    torch.testing.assert_close(other.model.log_prob(values), one.model.log_prob(values))


def test_the_engines_are_there_without_pyro() -> None:
    script = "import sys, pgm; pgm.SVI(), pgm.NUTS(), pgm.Importance(); assert 'pyro' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
