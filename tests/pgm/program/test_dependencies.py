"""Graphs of Pyro programs, against what Pyro says and what the programs say."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro.infer.inspect import get_dependencies
from torch import Tensor

import pgm
from pgm import Binary, Count, Finite, Real, as_pyro, from_pyro
from pgm.testing import random_case


def topics(words: Tensor | None = None) -> None:
    """Latent Dirichlet allocation, with a plate in a plate and a potential."""
    topic = pyro.sample("topic", dist.Dirichlet(torch.ones(3)))
    with pyro.plate("documents", 2):
        share = pyro.sample("share", dist.Dirichlet(topic))
        with pyro.plate("words", 4):
            chosen = pyro.sample("chosen", dist.Categorical(share), infer={"enumerate": "parallel"})
            pyro.sample("word", dist.Bernoulli(0.2 + 0.2 * chosen), obs=words)
    pyro.factor("peaked", topic.square().sum())


def kinds() -> None:
    """One site of each kind of support."""
    x = pyro.sample("x", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    pyro.sample("pixels", dist.Bernoulli(logits=x[..., :1].expand(3)).to_event(1))
    pyro.sample("count", dist.Poisson(x[..., 0].exp()))
    pyro.sample("hot", dist.OneHotCategorical(torch.ones(4)))
    pyro.sample("rate", dist.Gamma(1.0, 1.0))
    pyro.sample("die", dist.Categorical(torch.ones(6)))
    twice = pyro.deterministic("twice", 2 * x, event_dim=1)
    pyro.sample("below", dist.Normal(twice.sum(-1), 1.0), obs=torch.tensor(0.0))


def test_the_dependencies_are_those_written() -> None:
    graph = from_pyro(topics, torch.ones(4, 2))
    assert graph.parents == {"topic": (), "share": ("topic",), "chosen": ("share",), "word": ("chosen",)}
    assert [term.scope for term in graph.terms if term.child is None] == [("topic",)]
    assert pgm.d_separated(graph, "topic", "word", given="share")


def test_observed_sites_are_parents_too() -> None:
    def chain() -> None:
        x = pyro.sample("x", dist.Normal(0.0, 1.0), obs=torch.tensor(1.0))
        pyro.sample("y", dist.Normal(x, 1.0))

    assert from_pyro(chain).parents == {"x": (), "y": ("x",)}  # Pyro's own list leaves them out


def test_supports_become_domains() -> None:
    assert {v.name: v.domain for v in from_pyro(kinds).variables} == {
        "x": Real(2),
        "pixels": Binary(3),
        "count": Count(),
        "hot": Finite(range(4)),
        "rate": Real(),
        "die": Finite(range(6)),
        "below": Real(),
    }


def test_deterministic_sites_are_looked_through() -> None:
    assert from_pyro(kinds).parents["below"] == ("x",)


@pytest.mark.parametrize("program", [topics, kinds])
def test_the_dependencies_are_those_that_pyro_infers(program: object) -> None:
    found = get_dependencies(program)["prior_dependencies"]  # type: ignore[arg-type]
    graph = from_pyro(program)  # type: ignore[arg-type]
    scopes = {term.child or "peaked": {*term.scope} for term in graph.terms}
    assert {name: {*given} - {name} for name, given in found.items()} == {  # type: ignore[attr-defined]
        name: scope - {name} for name, scope in scopes.items()
    }


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_there_and_back_again(seed: int) -> None:
    model, _, _ = random_case(seed, "bayesian")
    graph = from_pyro(as_pyro(model))
    assert {v.name: v.size for v in graph.variables} == {v.name: v.size for v in model.variables}
    assert {name: {*given} for name, given in graph.parents.items()} == {
        name: {*given} for name, given in model.graph.parents.items()
    }


def test_a_run_leaves_randomness_and_parameters_alone() -> None:
    before = torch.get_rng_state()
    from_pyro(kinds)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_program_without_sites_has_no_graph() -> None:
    with pytest.raises(pgm.GraphError, match=r"^from_pyro: .* has no sample site, expected one or more\.$"):
        from_pyro(lambda: None)
    with pytest.raises(pgm.GraphError, match=r"^from_pyro: .* is a model, expected a Pyro program; its graph is `mod"):
        from_pyro(pgm.Model(pgm.Table([pgm.Variable("x")], [1.0, 1.0])))
