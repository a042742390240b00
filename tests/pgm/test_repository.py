"""The networks of the Bayesian Network Repository: another library, given the same numbers, says the same."""

import functools
import importlib.util
import os
import pathlib

import numpy as np
import pytest
import torch

from pgm import BayesianNetwork, Exact, Model, infer, load, log_evidence, mpe, sample
from pgm.plan import Query
from pgm.planner import Planner, make_plan
from pgm.relevance import mask_of
from pgm.testing import brute_mpe, brute_posterior

PGMPY = importlib.util.find_spec("pgmpy")
FOLDER = pathlib.Path(os.path.dirname(PGMPY.origin or "") if PGMPY else "") / "utils" / "example_models"
gum = pytest.importorskip("pyagrum", reason="pyagrum, the other library, is not installed")
pytestmark = pytest.mark.skipif(PGMPY is None, reason="pgmpy, which carries the repository, is not installed")

SMALL = ["asia", "alarm", "insurance", "hailfinder", "child", "win95pts", "hepar2"]


@functools.cache
def repository(name: str) -> BayesianNetwork:
    """A network with its published numbers, which are rounded, made to sum to one exactly."""
    model = load(FOLDER / f"{name}.bif.gz")
    assert isinstance(model, BayesianNetwork)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.div_(parameter.sum(-1, keepdim=True))
    return model


@functools.cache
def peer(name: str):  # type: ignore[no-untyped-def]
    """The same network in the other library, built from our float64 tables (its own reader keeps float32)."""
    model, other = repository(name), gum.BayesNet(name)
    number = {v.name: other.add(gum.LabelizedVariable(f"v{k}", "", v.size)) for k, v in enumerate(model.variables)}
    for child, conditional in model.conditionals.items():
        for parent in conditional.given:
            other.addArc(number[parent.name], number[child])
    for child, conditional in model.conditionals.items():
        table = conditional.factor().values.detach().numpy()
        names = list(other.cpt(number[child]).names)  # the child first, then parents in its own order
        ours = {v.name: axis for axis, v in enumerate(conditional.scope)}
        axes = [ours[model.variables[int(name[1:])].name] for name in names]
        other.cpt(number[child]).fillWith(table.transpose(axes).reshape(-1, order="F").tolist())
    return other


def evidence_of(name: str, seed: int, share: float) -> dict[str, str]:
    """A share of the variables, at their states in one world drawn from the model, so that it is possible."""
    model, generator = repository(name), np.random.default_rng(seed)
    drawn = sample(model, 1, seed=seed)
    return {v.name: drawn.labels(v.name)[0] for v in model.variables if generator.random() < share}


def answers_of_peer(name: str, seen: dict[str, str]) -> tuple[dict[str, np.ndarray], float]:
    """All posteriors and the log evidence by the other library's lazy propagation."""
    model = repository(name)
    engine = gum.LazyPropagation(peer(name))
    place = {v.name: f"v{k}" for k, v in enumerate(model.variables)}
    engine.setEvidence({place[each]: model[each].number(label) for each, label in seen.items()})
    engine.makeInference()
    found = {v.name: engine.posterior(place[v.name]).toarray() for v in model.variables}
    return found, float(np.log(engine.evidenceProbability())) if seen else 0.0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("name", SMALL)
def test_posteriors_and_log_evidence(name: str, share: float) -> None:
    seen = evidence_of(name, 1, share)
    expected, total = answers_of_peer(name, seen)
    post = infer(repository(name), given=seen)
    for each, values in expected.items():
        np.testing.assert_allclose(post[each].numpy(), values, rtol=0, atol=1e-9)
    assert post.log_evidence.item() == pytest.approx(total, rel=1e-9, abs=1e-9)
    assert log_evidence(repository(name), given=seen).item() == pytest.approx(total, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["asia", "alarm", "child"])
def test_matrix_products_say_the_same(name: str) -> None:
    seen = evidence_of(name, 2, 0.2)
    expected, total = answers_of_peer(name, seen)
    post = infer(repository(name), given=seen, engine=Exact(executor="products"))
    for each, values in expected.items():
        np.testing.assert_allclose(post[each].numpy(), values, rtol=0, atol=1e-9)
    assert post.log_evidence.item() == pytest.approx(total, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["alarm", "hepar2"])
def test_a_batch_of_drawn_rows(name: str) -> None:
    """A hundred rows, a fifth of their cells missing: the other library is asked about a few of them."""
    model, generator = repository(name), np.random.default_rng(3)
    states = sample(model, 100, seed=3).states.numpy().copy()
    states[generator.random(states.shape) < 0.2] = -1
    columns = [k for k in range(len(model.variables)) if generator.random() < 0.3]
    rows = {model.variables[k].name: states[:, k] for k in columns}
    post = infer(model, given=rows)
    for row in (0, 41, 99):
        seen = {each: model[each].states[column[row]] for each, column in rows.items() if column[row] >= 0}
        expected, total = answers_of_peer(name, seen)
        for each, values in expected.items():
            np.testing.assert_allclose(post[each][row].numpy(), values, rtol=0, atol=1e-9)
        assert post.log_evidence[row].item() == pytest.approx(total, rel=1e-9)


def test_likelihoods() -> None:
    """Virtual evidence on three variables of ALARM."""
    model = repository("alarm")
    generator = np.random.default_rng(4)
    soft = {v.name: generator.random(v.size) for v in model.variables[5:8]}
    engine = gum.LazyPropagation(peer("alarm"))
    place = {v.name: f"v{k}" for k, v in enumerate(model.variables)}
    engine.setEvidence({place[each]: weights.tolist() for each, weights in soft.items()})
    engine.makeInference()
    post = infer(model, likelihood=soft)
    for v in model.variables:
        np.testing.assert_allclose(post[v.name].numpy(), engine.posterior(place[v.name]).toarray(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SMALL)
def test_the_explanation_beats_a_thousand_samples(name: str) -> None:
    model, seen = repository(name), evidence_of(name, 5, 0.1)
    best = mpe(model, given=seen)
    drawn = sample(model, 1000, given=seen, seed=6)
    with torch.no_grad():
        weights = model.log_prob({v.name: drawn[v.name] for v in model.variables})
        own = model.log_prob(best.assignment())
    assert best.log_prob[0].item() >= weights.max().item() - 1e-9
    assert own.item() == pytest.approx(best.log_prob[0].item(), rel=1e-12)
    assert seen.items() <= best.assignment().items()


def test_asia_by_enumeration() -> None:
    model = repository("asia")
    seen = {"asia": "yes", "xray": "yes"}
    expected = brute_mpe(model, given=seen, k=5)
    found = mpe(model, given=seen, k=5)
    assert found.log_prob.tolist() == pytest.approx([value for _, value in expected], rel=1e-12)
    assert found.assignment() == expected[0][0]
    post = infer(model, [("lung", "bronc", "tub")], given=seen)
    np.testing.assert_allclose(
        post["lung", "bronc", "tub"].numpy(), brute_posterior(model, ("lung", "bronc", "tub"), given=seen), rtol=1e-12
    )


def test_asia_as_published() -> None:
    """Lauritzen and Spiegelhalter (1988): dyspnoea after a visit to Asia, and after smoking is ruled out."""
    model = repository("asia")
    prior = infer(model)
    assert prior["tub", "yes"].item() == pytest.approx(0.0104)
    assert prior["lung", "yes"].item() == pytest.approx(0.055)
    assert prior["bronc", "yes"].item() == pytest.approx(0.45)
    assert prior["either", "yes"].item() == pytest.approx(0.064828)
    visited = infer(model, ["tub"], given={"asia": "yes"})
    assert visited["tub", "yes"].item() == pytest.approx(0.05)


def assert_each_target_alone(model: Model, seen: dict[str, str], count: int) -> None:
    """All targets in one go, from a plan of groups, equal single targets, each with a plan of its own."""
    post = infer(model, given=seen)
    assert len(post.plan.trees) > 2
    total = log_evidence(model, given=seen).item()
    assert post.log_evidence.item() == pytest.approx(total, rel=1e-10)
    free = [v.name for v in model.variables if v.name not in seen]
    for name in free[:: len(free) // count]:
        alone = infer(model, [name], given=seen)
        assert alone.plan.operations < post.plan.operations
        np.testing.assert_allclose(alone[name].numpy(), post[name].numpy(), rtol=1e-9, atol=1e-14)


def leaves_of(name: str, count: int) -> dict[str, str]:
    """The states of a few variables without children in a world drawn from the model."""
    model = repository(name)
    drawn = sample(model, 1, [each for each in model.graph.names if not model.graph.children[each]], seed=7)
    return {v.name: drawn.labels(v.name)[0] for v in drawn.variables[:count]}


def test_groups_of_targets_on_pigs() -> None:
    """PIGS with five observed leaves: against single targets, and against the other library."""
    seen = leaves_of("pigs", 5)
    assert_each_target_alone(repository("pigs"), seen, 20)
    expected, total = answers_of_peer("pigs", seen)
    post = infer(repository("pigs"), given=seen)
    assert post.log_evidence.item() == pytest.approx(total, rel=1e-9)
    for each, values in expected.items():
        np.testing.assert_allclose(post[each].numpy(), values, rtol=0, atol=1e-9)


def test_a_large_network_is_planned_within_its_relevant_parts() -> None:
    """MUNIN1 with five observed leaves: groups of targets cost a fraction of one tree for all, and agree."""
    model, seen = repository("munin1"), leaves_of("munin1", 5)
    number = {name: place for place, name in enumerate(model.graph.names)}
    query = Query("marginal", tuple((v,) for v in number.values()), frozenset(number[name] for name in seen))
    plan, planner = make_plan(model.graph, query, 0.0), Planner(model.graph, query, 0.0)
    assert len(plan.trees) > 2
    assert plan.operations < planner._greedy((1 << len(number)) - 1 - mask_of(query.observed)).cost / 3
    names = [name for name in number if name not in seen][::40]
    post = infer(model, names, given=seen)
    engine = gum.VariableElimination(peer("munin1"))
    engine.setEvidence({f"v{number[each]}": model[each].number(label) for each, label in seen.items()})
    for name in names:
        theirs = engine.posterior(f"v{number[name]}").toarray()
        np.testing.assert_allclose(post[name].numpy(), theirs, rtol=0, atol=1e-9)
