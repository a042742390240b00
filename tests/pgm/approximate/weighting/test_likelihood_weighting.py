"""Likelihood weighting: within its own standard errors of enumeration and of exact inference."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    Deterministic,
    Gaussian,
    LikelihoodWeighting,
    LinearGaussian,
    Logistic,
    MarkovNetwork,
    Model,
    NoisyOr,
    Real,
    Table,
    Tabular,
    Variable,
    infer,
    log_evidence,
    sample,
)
from pgm.approximate.weighting.draws import Draws, compiled_source, torch_source
from pgm.approximate.weighting.problem import problems
from pgm.approximate.weighting.sums import Sums, Target, compiled_counts, stacked, summed, torch_counts
from pgm.engines import likelihood_weighting
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError
from pgm.evidence import read_evidence
from pgm.testing import brute_log_z, brute_posterior, random_model

SEEDS = st.integers(0, 2**32 - 1)
SIGMAS = 5.0  # standard errors; one normal estimate in two million is further off
RAIN, WET, MUD = (Variable(name, ["no", "yes"]) for name in ("rain", "wet", "mud"))
NET = BayesianNetwork(
    Tabular(RAIN, [], [0.8, 0.2]),
    Tabular(WET, [RAIN], [[0.9, 0.1], [0.2, 0.8]]),
    Tabular(MUD, [WET], [[0.95, 0.05], [0.4, 0.6]]),
)
HEIGHT, WEIGHT, SEX = Variable("height", Real()), Variable("weight", Real()), Variable("sex", ["f", "m"])
MIXED = BayesianNetwork(
    Tabular(SEX, [], [0.4, 0.6]),
    ConditionalLinearGaussian(HEIGHT, [SEX], None, [165.0, 178.0], [40.0, 50.0]),
    LinearGaussian(WEIGHT, [HEIGHT], [0.9], -90.0, 60.0),
)


def network(seed: int) -> tuple[BayesianNetwork, dict[str, str]]:
    """A random Bayesian network, and labels of two of its variables that occur together."""
    rng = np.random.default_rng(seed)
    model = random_model(rng, variables=6, kind="bayesian")
    world = sample(model, 1, seed=seed % 1000)
    chosen = rng.choice(list(model.graph.names), 2, replace=False)
    return model, {str(name): world.labels(str(name))[0] for name in chosen}


@given(SEEDS)
@settings(max_examples=19)
def test_probabilities_are_within_their_standard_errors(seed: int) -> None:
    model, seen = network(seed)
    names = model.graph.names
    joint = tuple(names[:3])
    post = infer(model, [*names, joint], given=seen, engine=LikelihoodWeighting(4000, seed=seed % 1000))
    for target in (*names, joint):
        expected = brute_posterior(model, target, given=seen)
        gap = np.abs(post[target].numpy() - expected)
        assert (gap <= SIGMAS * post.standard_error(target).numpy() + 1e-12).all()


@given(SEEDS)
@settings(max_examples=30)
def test_the_log_evidence_is_within_its_standard_error(seed: int) -> None:
    model, seen = network(seed)
    post = infer(model, [], given=seen, engine=LikelihoodWeighting(4000, seed=seed % 1000))
    gap = abs(float(post.log_evidence) - brute_log_z(model, given=seen))
    assert gap <= SIGMAS * post.diagnostics["log_evidence_error"] + 1e-12


def test_standard_errors_cover_the_truth_as_often_as_they_should() -> None:
    """Of 200 seeds, 68.3 % lie within one error of the truth, give or take 3.3 % (five such are allowed)."""
    truth = float(infer(NET, ["rain"], given={"mud": "yes"})["rain", "yes"])
    evidence = float(infer(NET, [], given={"mud": "yes"}).log_evidence)
    hits = np.zeros(2)
    for seed in range(200):
        post = infer(NET, ["rain"], given={"mud": "yes"}, engine=LikelihoodWeighting(1000, seed=seed))
        hits[0] += abs(float(post["rain", "yes"]) - truth) < float(post.standard_error(("rain", "yes")))
        hits[1] += abs(float(post.log_evidence) - evidence) < post.diagnostics["log_evidence_error"]
    assert (np.abs(hits / 200 - 0.683) < 5 * 0.033).all()


def test_the_mean_weight_is_unbiased() -> None:
    """Over 200 seeds the mean of p(evidence) estimates lies within five of its standard errors of the truth."""
    found = [
        float(log_evidence(NET, given={"mud": "yes"}, engine=LikelihoodWeighting(50, seed=seed)).exp())
        for seed in range(200)
    ]
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - float(infer(NET, [], given={"mud": "yes"}).log_evidence.exp())) < 5 * error


@pytest.mark.parametrize("route", [compiled_source, torch_source])
def test_log_weights_are_the_terms_that_were_not_drawn_from(route) -> None:
    """Each draw weighs log p(draw, evidence) less the log of the probability that it was drawn with."""
    chain = Model(*NET.terms, Table([RAIN, MUD], [[1, 2], [3, 0.5]]))
    evidence = read_evidence(chain.graph, {"wet": ["yes", "no", "yes"]}, {"rain": [[0.5, 2], [1, 1], [3, 4]]})
    (asked,) = problems(chain, ["rain"], evidence, "test")
    found = route(asked, 3, 50)(slice(0, 3), 0, 50)
    soft = torch.tensor([[0.5, 2], [1, 1], [3, 4]], dtype=torch.float64).log()
    for row, label in enumerate(["yes", "no", "yes"]):
        states = {name: column[row] for name, column in found.columns.items()}
        assert states["wet"].tolist() == [WET.number(label)] * 50
        drawn = sum(
            chain.conditionals[n].log_prob(*(states[v.name] for v in chain.conditionals[n].scope))
            for n in ("rain", "mud")
        )
        expected = chain.log_prob(states) - drawn + soft[row][states["rain"]]
        torch.testing.assert_close(found.logs[row], expected)


def test_draws_do_not_depend_on_how_they_are_portioned() -> None:
    (asked,) = problems(NET, ["rain"], read_evidence(NET.graph, {"mud": ["yes", "no"]}, None), "test")
    draw = compiled_source(asked, 5, 100)
    whole = draw(slice(0, 2), 0, 100)
    pieces = [draw(slice(1, 2), before, 50) for before in (0, 50)]
    assert torch.equal(whole.columns["rain"][1:], torch.cat([piece.columns["rain"] for piece in pieces], 1))
    assert torch.equal(whole.logs[1:], torch.cat([piece.logs for piece in pieces], 1))


@torch.no_grad()
def test_sums_of_portions_are_the_sums_of_all() -> None:
    evidence = read_evidence(MIXED.graph, {"weight": [60.0, 90.0]}, None)
    (asked,) = problems(MIXED, ["sex", "height"], evidence, "test")
    draw, targets = torch_source(asked, 5, 100), ((SEX,), (HEIGHT,))
    parts = [draw(slice(0, 2), before, 50) for before in (0, 50)]
    merged = summed(parts[0], targets).plus(summed(parts[1], targets))
    columns = {name: torch.cat([part.columns[name] for part in parts], 1) for name in parts[0].columns}
    whole = summed(type(parts[0])(columns, torch.cat([part.logs for part in parts], 1)), targets)
    for name in ("count", "probabilities", "errors", "log_evidence", "effective"):
        torch.testing.assert_close(getattr(merged, name), getattr(whole, name))
    torch.testing.assert_close(merged.mean(0), whole.mean(0))
    torch.testing.assert_close(merged.covariance(0), whole.covariance(0))
    torch.testing.assert_close(stacked([merged, merged]).covariance(0)[2:], whole.covariance(0))


def test_both_ways_of_counting_are_equal() -> None:
    generator = torch.Generator().manual_seed(0)
    columns = [torch.randint(size, (3, 40), generator=generator) for size in (2, 5)]
    weights = torch.rand(3, 40, generator=generator, dtype=torch.float64)
    for one, two in zip(
        *(count(columns, [5, 1], weights, 10) for count in (compiled_counts, torch_counts)), strict=True
    ):
        torch.testing.assert_close(one, two)


def test_rows_with_cells_missing_are_answered_as_they_are_alone() -> None:
    rows = {"mud": ["yes", None, "no", "yes"], "rain": ["no", "no", None, None]}
    engine = LikelihoodWeighting(20_000)
    post = infer(NET, given=rows, engine=engine)
    exact = infer(NET, given=rows)
    for name in NET.graph.names:
        gap = (post[name] - exact[name]).abs()
        assert bool((gap <= SIGMAS * post.standard_error(name) + 1e-12).all())
    gap = (post.log_evidence - exact.log_evidence).abs()
    assert bool((gap <= SIGMAS * torch.tensor(post.diagnostics["log_evidence_error"]) + 1e-12).all())
    torch.testing.assert_close(post["rain"][:2], exact["rain"][:2])  # what is observed is certain, and has no error
    assert not post.standard_error("rain")[:2].any()


def test_soft_evidence_multiplies() -> None:
    soft = {"wet": [0.3, 0.9]}
    post = infer(NET, ["rain"], given={"mud": "yes"}, likelihood=soft, engine=LikelihoodWeighting(50_000))
    expected = infer(NET, ["rain"], given={"mud": "yes"}, likelihood=soft)
    assert abs(float(post["rain", "yes"] - expected["rain", "yes"])) < SIGMAS * float(post.standard_error("rain")[1])
    assert abs(float(post.log_evidence - expected.log_evidence)) < SIGMAS * post.diagnostics["log_evidence_error"]


def test_potentials_weigh() -> None:
    chain = Model(*NET.terms, Table([RAIN, MUD], [[1, 2], [3, 0.5]]))
    post = infer(chain, ["wet", ("rain", "mud")], given={}, engine=LikelihoodWeighting(50_000))
    for target in ("wet", ("rain", "mud")):
        gap = np.abs(post[target].numpy() - brute_posterior(chain, target))
        assert (gap < SIGMAS * post.standard_error(target).numpy()).all()
    assert abs(float(post.log_evidence) - brute_log_z(chain)) < SIGMAS * post.diagnostics["log_evidence_error"]


def test_a_mixture_and_its_numbers_agree_with_exact_inference() -> None:
    """The mean of n_e effective draws has the standard error std / sqrt(n_e), their variance about sqrt(2 / n_e)."""
    seen = {"weight": [60.0, 75.0, float("nan")]}
    post = infer(MIXED, given=seen, engine=LikelihoodWeighting(20_000))
    exact = infer(MIXED, given=seen)
    effective = torch.tensor(post.diagnostics["effective_samples"])
    assert bool(((post["sex"] - exact["sex"]).abs() < SIGMAS * post.standard_error("sex")).all())
    assert bool(
        ((post["height"].mean - exact["height"].mean).abs() < SIGMAS * exact["height"].std / effective.sqrt()).all()
    )
    assert bool(
        ((post["height"].variance / exact["height"].variance - 1).abs() < SIGMAS * (2 / effective).sqrt()).all()
    )
    gap = (post.log_evidence - exact.log_evidence).abs()
    assert bool((gap <= SIGMAS * torch.tensor(post.diagnostics["log_evidence_error"]) + 1e-12).all())


def test_a_joint_of_numbers_has_their_covariance() -> None:
    post = infer(MIXED, [("height", "weight")], engine=LikelihoodWeighting(100_000))
    exact = infer(MIXED, [("height", "weight")])
    one, two = post["height", "weight"].covariance, exact["height", "weight"].covariance
    torch.testing.assert_close(one, two, rtol=SIGMAS * (2 / 100_000) ** 0.5, atol=0.0)


def test_what_exact_inference_cannot_do() -> None:
    """A switch with a numeric parent: p(on | x) = sigmoid(x), x standard normal; by symmetry E[x^2 | on] = 1."""
    x, on = Variable("x", Real()), Variable("on", ["no", "yes"])
    net = BayesianNetwork(Gaussian(x, 0.0, 1.0), Logistic(on, [x], [1.0], 0.0))
    post = infer(net, ["x"], given={"on": "yes"}, engine=LikelihoodWeighting(50_000))
    effective = post.diagnostics["effective_samples"]
    second = post["x"].variance + post["x"].mean ** 2
    assert abs(float(second) - 1) < SIGMAS * (2 / effective) ** 0.5
    assert abs(float(post.log_evidence.exp()) - 0.5) < SIGMAS * 0.5 * post.diagnostics["log_evidence_error"]


def test_wide_causes_weigh_by_their_matrices() -> None:
    """p(effect) of a noisy or of twenty independent causes is a product: 1 - (1 - leak) prod (1 - p_i s_i)."""
    causes = [Variable(f"c{k}", ["no", "yes"]) for k in range(20)]
    effect = Variable("effect", ["no", "yes"])
    strengths = torch.linspace(0.1, 0.6, 20, dtype=torch.float64)
    net = BayesianNetwork(*(Tabular(c, [], [0.9, 0.1]) for c in causes), NoisyOr(effect, causes, strengths, leak=0.05))
    off = 0.95 * float((1 - 0.1 * strengths).prod())
    post = infer(net, ["c19"], given={"effect": "yes"}, engine=LikelihoodWeighting(20_000))
    # the effect stays off given that c19 is on with probability off * (1 - 0.6) / (1 - 0.06)
    expected = 0.1 * (1 - off * 0.4 / 0.94) / (1 - off)
    assert abs(float(post["c19", "yes"]) - expected) < SIGMAS * float(post.standard_error(("c19", "yes")))
    assert abs(float(post.log_evidence) - np.log(1 - off)) < SIGMAS * post.diagnostics["log_evidence_error"]


def test_states_that_were_never_seen_are_not_called_certain() -> None:
    rare = BayesianNetwork(Tabular(RAIN, [], [1 - 1e-6, 1e-6]))
    post = infer(rare, engine=LikelihoodWeighting(1000, seed=1))
    assert float(post["rain", "yes"]) == 0.0
    assert float(post.standard_error(("rain", "yes"))) == pytest.approx(1e-3)
    weighed = infer(Model(*rare.terms, Table([RAIN], [2.0, 5.0])), engine=LikelihoodWeighting(1000, seed=1))
    assert weighed.diagnostics["log_evidence_error"] == pytest.approx(1e-3)  # log Z is a little more than log 2


def test_samples_follow_the_posterior() -> None:
    """Resampled draws: their frequency has at most the variance of the weighted estimate and of its own count."""
    drawn = sample(NET, 20_000, given={"mud": "yes"}, seed=1, engine=LikelihoodWeighting(300_000))
    expected = infer(NET, [("rain", "wet")], given={"mud": "yes"})["rain", "wet"]
    effective = infer(NET, [], given={"mud": "yes"}, engine=LikelihoodWeighting(300_000)).diagnostics[
        "effective_samples"
    ]
    counts = torch.bincount(2 * drawn["rain"] + drawn["wet"], minlength=4).reshape(2, 2) / len(drawn)
    error = (expected * (1 - expected) * (1 / 20_000 + 1 / effective)).sqrt()
    assert bool(((counts - expected).abs() < SIGMAS * error).all())
    assert torch.equal(drawn["mud"], torch.ones(20_000, dtype=torch.long))


def test_samples_of_numbers_follow_the_posterior() -> None:
    drawn = sample(MIXED, 4000, ["height"], given={"weight": 75.0}, seed=1, engine=LikelihoodWeighting(100_000))
    exact = infer(MIXED, ["height"], given={"weight": 75.0})["height"]
    assert abs(float(drawn["height"].double().mean() - exact.mean)) < SIGMAS * float(exact.std) * (2 / 4000) ** 0.5


def test_no_samples_are_none() -> None:
    assert sample(NET, 0, given={"mud": "yes"}, engine=LikelihoodWeighting(10)).states.shape == (0, 3)


@given(SEEDS)
@settings(max_examples=10)
def test_a_seed_gives_the_same_answers(seed: int) -> None:
    model, seen = network(seed)
    one, two = (infer(model, given=seen, engine=LikelihoodWeighting(100, seed=3), impossible="nan") for _ in range(2))
    for name in model.graph.names:
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=0, equal_nan=True)


NEVER = BayesianNetwork(Tabular(RAIN, [], [1.0, 0.0]), *NET.terms[1:])
SAID = r"^LikelihoodWeighting: none of 50 draws agrees with the evidence{}, which does not prove it impossible\. Draw"


def test_evidence_that_no_draw_agrees_with_is_an_error() -> None:
    with pytest.raises(EvidenceError, match=SAID.format("")):
        infer(NEVER, given={"rain": "yes"}, engine=LikelihoodWeighting(50))
    with pytest.raises(EvidenceError, match=SAID.format(" in row 1")):
        infer(NEVER, given={"rain": ["no", "yes"]}, engine=LikelihoodWeighting(50))
    with pytest.raises(EvidenceError, match=SAID.format("")):
        sample(NEVER, 5, given={"rain": "yes"}, engine=LikelihoodWeighting(50))


def test_rows_that_no_draw_agrees_with_can_be_nan() -> None:
    post = infer(NEVER, given={"rain": ["no", "yes"]}, engine=LikelihoodWeighting(50), impossible="nan")
    assert post["wet"][1].isnan().all()
    assert post.log_evidence.isnan().tolist() == [False, True]
    torch.testing.assert_close(post["rain"][0], torch.tensor([1.0, 0.0], dtype=torch.float64))


def test_what_cannot_be_drawn_or_weighed_is_refused_by_name() -> None:
    a = Variable("a")
    engine = LikelihoodWeighting(10)
    with pytest.raises(PlanError, match=r"^LikelihoodWeighting: 'a' has no conditional to draw it from\. Use Gibbs"):
        infer(MarkovNetwork(Table([a], [1, 2])), engine=engine)
    x, y = Variable("x", Real()), Variable("y", Real())
    net = BayesianNetwork(Gaussian(x, 0.0, 1.0), Deterministic(y, [x], torch.exp))
    with pytest.raises(
        PlanError, match=r"^LikelihoodWeighting: 'y' is observed, but Deterministic\(y\) has no density"
    ):
        infer(net, ["x"], given={"y": 1.0}, engine=engine)
    with pytest.raises(PlanError, match=r"^LikelihoodWeighting: \(sex, height\) has finite and numeric variables"):
        infer(MIXED, [("sex", "height")], engine=engine)
    with pytest.raises(PlanError, match=r"^LikelihoodWeighting: samples is 1, expected 2 or more\."):
        LikelihoodWeighting(1)


def test_barren_variables_are_not_drawn() -> None:
    (asked,) = problems(NET, ["rain"], read_evidence(NET.graph, {"wet": "yes"}, None), "test")
    assert asked.order == ("rain", "wet")


def test_a_model_without_evidence_is_certain_of_it() -> None:
    post = infer(NET, engine=LikelihoodWeighting(100))
    assert float(post.log_evidence) == 0.0
    assert post.diagnostics == {
        "effective_samples": pytest.approx(100),
        "log_evidence_error": 0.0,
        "interrupted": False,
    }


@pytest.mark.gpu
def test_a_model_on_a_gpu_is_drawn_there() -> None:
    net = BayesianNetwork(*(type(t)(t.child, t.given, t.table.detach()) for t in NET.terms)).cuda()
    post = infer(net, ["rain"], given={"mud": ["yes", "no"]}, engine=LikelihoodWeighting(50_000))
    exact = infer(NET, ["rain"], given={"mud": ["yes", "no"]})
    assert bool(((post["rain"] - exact["rain"]).abs() < SIGMAS * post.standard_error("rain")).all())


def test_few_effective_samples_give_a_warning() -> None:
    """One draw in a thousand agrees with the evidence for sure, all others nearly never."""
    cause, effect = Variable("cause"), Variable("effect")
    net = BayesianNetwork(Tabular(cause, [], [0.999, 0.001]), Tabular(effect, [cause], [[1 - 1e-9, 1e-9], [0.0, 1.0]]))
    said = r"^LikelihoodWeighting: 3000 draws make [0-9.]+ effective samples for {} \(expected 10 or more\)"
    with pytest.warns(ConvergenceWarning, match=said.format("the evidence")):
        infer(net, ["cause"], given={"effect": "1"}, engine=LikelihoodWeighting(3000))
    with pytest.warns(ConvergenceWarning, match=said.format("row 1")):
        infer(net, ["cause"], given={"effect": ["0", "1"]}, engine=LikelihoodWeighting(3000))


def test_ctrl_c_keeps_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the third portion of draws, the answer is that of the first two."""
    engine, calls = LikelihoodWeighting(1000, seed=2), []

    def interrupted(draws: Draws, targets: Sequence[Target]) -> Sums:
        calls.append(draws)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return summed(draws, targets)

    monkeypatch.setattr(likelihood_weighting, "AT_ONCE", 300)  # a hundred draws of three variables
    monkeypatch.setattr(likelihood_weighting, "summed", interrupted)
    post = infer(NET, ["rain"], given={"mud": "yes"}, engine=engine)
    assert post.diagnostics["interrupted"] is True
    kept = summed(calls[0], [(RAIN,)]).plus(summed(calls[1], [(RAIN,)]))
    torch.testing.assert_close(post["rain"], kept.probabilities[0])
    torch.testing.assert_close(post.log_evidence, kept.log_evidence[0])
