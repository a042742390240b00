"""The no-U-turn sampler within its own stated error of exact answers."""

import math

import pyro.distributions as dist
import pytest
import torch
from torch import Tensor, nn

import pgm
from pgm import (
    NUTS,
    BayesianNetwork,
    ConditionalLinearGaussian,
    Energy,
    LinearGaussian,
    Neural,
    Real,
    Tabular,
    Variable,
    infer,
)

K, X, Y = Variable("k", 2), Variable("x", Real()), Variable("y", Real(2))
QUICK = NUTS(samples=80, warmup=50, chains=2)


def test_moments_and_probabilities_lie_within_their_own_error() -> None:
    model = BayesianNetwork(
        Tabular(K, [], [0.3, 0.7]),
        ConditionalLinearGaussian(X, [K], None, [-1.0, 1.0], [1.0]),
        LinearGaussian(Y, [X], [[1.0, 0.5]], [0.0, 1.0], [0.5, 2.0]),
        LinearGaussian(Variable("z", Real()), [Y], [1.0, 1.0], 0.0, 1.0),
    )
    exact = infer(model, ["k", "x", "y"], given={"z": 1.0})
    found = infer(model, ["k", "x", "y"], given={"z": 1.0}, engine=QUICK)
    effective = found.diagnostics["effective_samples"]
    for name in ("x", "y"):
        bound = 4 * exact[name].std / effective[name].sqrt()
        assert bool(((found[name].mean - exact[name].mean).abs() <= bound).all())
        assert float(found.diagnostics["r_hat"][name].max()) < 1.2  # 1.0 but for some 1 / effective draws a half chain
    worst = float(min(size.min() for size in effective.values()))
    binomial = (exact["k"] * (1 - exact["k"]) / worst).sqrt()  # more than with k summed
    assert bool(((found["k"] - exact["k"]).abs() <= 4 * binomial).all())
    assert len(found.diagnostics["acceptance"]) == 2
    assert math.isnan(found.log_evidence.item())


def test_a_positive_variable_has_its_conjugate_posterior() -> None:
    rate, count = Variable("rate", Real()), Variable("count", pgm.Count())
    prior = Neural(rate, [], lambda a: dist.Gamma(a, 2.0), lambda: torch.tensor(3.0, dtype=torch.float64))
    model = BayesianNetwork(prior, Neural(count, [rate], dist.Poisson, nn.Identity()))
    found = infer(model, ["rate"], given={"count": 4.0}, engine=QUICK)
    exact = dist.Gamma(torch.tensor(7.0), torch.tensor(3.0))
    bound = 4 * exact.stddev.item() / math.sqrt(found.diagnostics["effective_samples"]["rate"])
    assert found["rate"].mean.item() == pytest.approx(exact.mean.item(), abs=bound)


def test_the_same_seed_draws_the_same_and_leaves_the_callers_randomness_alone() -> None:
    model = pgm.MarkovNetwork(Energy([X], lambda x: x.square()))
    before = torch.get_rng_state()
    short = [infer(model, ["x"], engine=NUTS(samples=4, warmup=2, chains=1, seed=s)).samples for s in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    first, again, other = (run["x"] for run in short if run is not None)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_stopping_early_answers_with_what_there_is() -> None:
    calls = []

    def energy(x: Tensor) -> Tensor:
        calls.append(x)
        if len(calls) == 200:
            raise KeyboardInterrupt
        return x.square()

    found = infer(pgm.MarkovNetwork(Energy([X], energy)), ["x"], engine=NUTS(samples=1000, warmup=5, chains=2))
    assert found.samples is not None
    assert 4 <= len(found.samples) < 200


def test_what_cannot_be_asked_is_said() -> None:
    model = BayesianNetwork(Tabular(K, [], [0.3, 0.7]), ConditionalLinearGaussian(X, [K], None, [-1.0, 1.0], [1.0]))
    with pytest.raises(pgm.PlanError, match=r"^NUTS: chains is 0, expected 1 or more\.$"):
        NUTS(chains=0)
    with pytest.raises(pgm.PlanError, match=r"^NUTS: it finds no log evidence, only posteriors\. Use engine=Import"):
        pgm.log_evidence(model, engine=NUTS())
    with pytest.raises(pgm.PlanError, match=r"^NUTS: no numeric variable is unknown, so nothing is to be drawn\."):
        infer(model, ["k"], given={"x": 0.0}, engine=NUTS())
    never = pgm.MarkovNetwork(Energy([X], lambda x: x * 0 + torch.inf))
    with pytest.raises(pgm.EvidenceError, match=r"^NUTS: the evidence has probability 0 at 100 draws from the prior"):
        infer(never, ["x"], engine=QUICK)
