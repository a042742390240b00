"""Variational inference: exact where the guide can be, a bound elsewhere."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer.autoguide import AutoNormal
from torch import Tensor, nn

import pgm
from pgm import (
    SVI,
    BayesianNetwork,
    ConditionalLinearGaussian,
    Energy,
    Gaussian,
    Joined,
    LinearGaussian,
    Model,
    Neural,
    Plate,
    Real,
    Tabular,
    Variable,
    as_pyro,
    infer,
)

K, X, Y, Z = Variable("k", 2), Variable("x", Real()), Variable("y", Real(2)), Variable("z", Real())
KL = 1e-3  # nats that a fitted guide may lie below the evidence


def chain() -> BayesianNetwork:
    """x -> y, z of very different scales, all linear and Gaussian."""
    return BayesianNetwork(
        Gaussian(X, 100.0, 400.0),
        LinearGaussian(Y, [X], [[1.0, -0.5]], [0.0, 1.0], [[9.0, 4.0], [4.0, 16.0]]),
        LinearGaussian(Z, [Y], [0.1, 0.1], 0.0, 0.25),
    )


def test_a_full_normal_guide_reaches_a_gaussian_posterior() -> None:
    exact = infer(chain(), [("x", "y")], given={"z": 6.0})
    found = infer(chain(), [("x", "y")], given={"z": 6.0}, engine=SVI(steps=200))
    bound, evidence = found.log_evidence.item(), exact.log_evidence.item()
    error = found.diagnostics["log_evidence_error"]
    assert evidence - KL - 4 * error <= bound <= evidence + 4 * error
    # a KL of d between Gaussians bounds the means by sqrt(2 d) standard deviations; and there are 10,000 draws
    spread = exact["x", "y"].std * (math.sqrt(2 * KL) + 4 / math.sqrt(10_000))
    assert bool(((found["x", "y"].mean - exact["x", "y"].mean).abs() <= spread).all())


def test_a_diagonal_guide_loses_what_the_mean_field_bound_says() -> None:
    a, b = Variable("a", Real()), Variable("b", Real())
    precision = torch.tensor([[2.0, 1.2], [1.2, 1.5]], dtype=torch.float64)
    model = pgm.MarkovNetwork(pgm.Quadratic([a, b], precision, [1.0, -1.0]))
    found = infer(model, ["a", "b"], engine=SVI(covariance="diagonal", steps=200))
    shift = torch.tensor([1.0, -1.0], dtype=torch.float64)
    # log Z - KL of the best factorised Gaussian, whose variances are 1 / precision[i, i]
    log_z = 0.5 * (2 * math.log(2 * math.pi) - precision.logdet() + shift @ torch.linalg.solve(precision, shift))
    gap = 0.5 * (precision.diagonal().log().sum() - precision.logdet())
    error = found.diagnostics["log_evidence_error"]
    assert found.log_evidence.item() == pytest.approx((log_z - gap).item(), abs=KL + 4 * error)
    assert found["a"].variance.item() == pytest.approx(0.5, rel=4 * math.sqrt(2 / 10_000) + 2 * math.sqrt(KL))


def mixture() -> BayesianNetwork:
    return BayesianNetwork(
        Tabular(K, [], [0.3, 0.7]),
        ConditionalLinearGaussian(X, [K], None, [-1.0, 1.0], [1.0]),
        LinearGaussian(Z, [X], [1.0], 0.0, 0.5),
    )


def test_with_only_finite_unknowns_the_answer_is_exact() -> None:
    exact = infer(mixture(), ["k"], given={"x": 0.3, "z": 0.0})
    found = infer(mixture(), ["k"], given={"x": 0.3, "z": 0.0}, engine=SVI(steps=0))
    torch.testing.assert_close(found["k"], exact["k"])
    assert found.log_evidence.item() == pytest.approx(exact.log_evidence.item())


def test_summed_variables_leave_a_bound_on_the_evidence() -> None:
    exact = infer(mixture(), ["k", "x"], given={"z": 0.4})
    found = infer(mixture(), ["k", "x"], given={"z": 0.4}, engine=SVI(steps=300))
    error = 4 * found.diagnostics["log_evidence_error"]
    gap = exact.log_evidence.item() - found.log_evidence.item()
    assert -error <= gap
    # Pinsker: probabilities differ by at most sqrt(KL / 2), and the bound's gap is that KL
    limit = math.sqrt((gap + error) / 2) + 4 * 0.5 / math.sqrt(10_000)
    assert bool(((found["k"] - exact["k"]).abs() <= limit).all())
    assert len(found.diagnostics["history"]) == 300


def test_a_positive_variable_stays_positive_and_the_bound_below_the_evidence() -> None:
    rate, count = Variable("rate", Real()), Variable("count", pgm.Count())
    prior = Neural(rate, [], lambda a: dist.Gamma(a, 2.0), lambda: torch.tensor(3.0, dtype=torch.float64))
    model = BayesianNetwork(prior, Plate("day", 4, Neural(count, [rate], dist.Poisson, nn.Identity())))
    counts = [2.0, 1.0, 3.0, 0.0]
    found = infer(model, ["rate"], given={f"count[{i}]": n for i, n in enumerate(counts)}, engine=SVI(steps=300))
    # conjugate: the posterior is Gamma(3 + 6, 2 + 4); the evidence by the ratio of the densities
    at = torch.tensor(1.0, dtype=torch.float64)
    evidence = dist.Gamma(3.0, 2.0).log_prob(at) - dist.Gamma(9.0, 6.0).log_prob(at)
    evidence = (evidence + dist.Poisson(at).log_prob(torch.tensor(counts)).sum()).item()
    error = 4 * found.diagnostics["log_evidence_error"]
    gap = evidence - found.log_evidence.item()
    assert -error <= gap <= 0.01 + error  # a log-normal is this near to that Gamma: the best KL is 0.0046
    assert found.samples is not None
    assert bool((found.samples["rate"] > 0).all())


def test_a_model_is_trained_as_the_guide_and_the_given_one_left_alone() -> None:
    torch.manual_seed(0)  # the guide begins somewhere at random
    model = BayesianNetwork(Gaussian(Z, 0.0, 1.0), LinearGaussian(X, [Z], [1.0], 0.0, 1.0))
    guide = Model(Neural(Z, [X], lambda o: dist.Normal(o[..., 0], o[..., 1].exp()), Joined(nn.Linear(1, 2).double())))
    before = [parameter.clone() for parameter in guide.parameters()]
    found = infer(model, ["z"], given={"x": 2.0}, engine=SVI(guide=guide, steps=300, particles=64))
    error = 4 * found.diagnostics["log_evidence_error"]
    exact = dist.Normal(0.0, 2.0**0.5).log_prob(torch.tensor(2.0)).item()
    assert exact - 2 * KL - error <= found.log_evidence.item() <= exact + error
    assert all(torch.equal(a, b) for a, b in zip(before, guide.parameters(), strict=True))


def test_pyro_programs_and_automatic_guides_are_guides() -> None:
    model = BayesianNetwork(Gaussian(X, 0.0, 1.0), Plate("n", 3, LinearGaussian(Z, [X], [1.0], 0.0, 0.5)))
    evidence = {"z[0]": 1.0, "z[2]": 0.0}

    def guide() -> None:
        loc = pyro.param("loc", torch.zeros((), dtype=torch.float64))
        scale = pyro.param("scale", torch.ones((), dtype=torch.float64), constraint=dist.constraints.positive)
        pyro.sample("x", dist.Normal(loc, scale))

    exact = infer(model, ["x"], given=evidence)
    automatic = AutoNormal(poutine.block(as_pyro(Model(Gaussian(X, 0.0, 1.0))), expose=["x"]))
    kept = set(pyro.get_param_store())
    for chosen in (guide, automatic):
        found = infer(model, ["x"], given=evidence, engine=SVI(guide=chosen, steps=300, particles=32))
        error = 4 * found.diagnostics["log_evidence_error"]
        assert found.log_evidence.item() == pytest.approx(exact.log_evidence.item(), abs=2 * KL + error)
    assert set(pyro.get_param_store()) == kept


def test_stopping_early_answers_with_what_there_is() -> None:
    calls = []

    def energy(x: Tensor) -> Tensor:
        calls.append(x)
        if len(calls) == 60:
            raise KeyboardInterrupt
        return x.square()

    found = infer(pgm.MarkovNetwork(Energy([X], energy)), ["x"], engine=SVI(steps=100))
    assert 0 < len(found.diagnostics["history"]) < 60
    assert found["x"].variance.item() > 0


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(pgm.PlanError, match=r"^SVI: steps is -1, expected 0 or more\.$"):
        SVI(steps=-1)
    with pytest.raises(pgm.PlanError, match=r"^SVI: learning_rate is 0, expected a number above 0\.$"):
        SVI(learning_rate=0)
    with pytest.raises(pgm.EvidenceError, match=r"^SVI: evidence has 2 rows, expected one; call infer once a row\.$"):
        infer(mixture(), given={"z": [0.0, 1.0]}, engine=SVI())
    pixels = Variable("pixels", pgm.Binary(3))
    model = BayesianNetwork(
        Neural(pixels, [X], pgm.bernoulli, lambda x: x.unsqueeze(-1).expand(*x.shape, 3)), Gaussian(X, 0.0, 1.0)
    )
    with pytest.raises(pgm.PlanError, match=r"^SVI: 'pixels' is Binary\(3\), not observed, and cannot be moved conti"):
        infer(model, engine=SVI())


def test_a_guide_outside_the_support_is_an_error() -> None:
    hard = pgm.MarkovNetwork(Energy([X], lambda x: torch.where(x < 0, torch.inf, x)))
    with pytest.raises(pgm.EvidenceError, match=r"^SVI: the guide draws what the model and the evidence make impossi"):
        infer(hard, ["x"], engine=SVI(steps=2))


def test_impossible_evidence_is_an_error_or_nan() -> None:
    coin, same = Variable("coin"), Variable("same")
    net = BayesianNetwork(Tabular(coin, [], [1.0, 0.0]), Tabular(same, [coin], [[1.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(pgm.EvidenceError, match=r"^SVI: the evidence has probability 0\.$"):
        infer(net, ["coin"], given={"same": 1}, engine=SVI())
    found = infer(net, ["coin"], given={"same": 1}, engine=SVI(), impossible="nan")
    assert found.log_evidence.item() == -math.inf
    assert bool(found["coin"].isnan().all())


@pytest.mark.gpu
@pytest.mark.parametrize("engine", [SVI(steps=100), pgm.NUTS(samples=100, warmup=50, chains=1), pgm.Importance(20_000)])
def test_engines_run_where_the_model_is(engine: pgm.SVI | pgm.NUTS | pgm.Importance) -> None:
    exact = infer(mixture(), ["k", "x"], given={"z": 0.4})
    found = infer(mixture().to("cuda"), ["k", "x"], given={"z": 0.4}, engine=engine)
    # each engine's own error is tested on the CPU; 100 correlated draws are worth 20 or more
    assert float((found["k"].cpu() - exact["k"]).abs().max()) < 4 * 0.5 / math.sqrt(20)
    assert found["x"].mean.item() == pytest.approx(
        exact["x"].mean.item(), abs=4 * exact["x"].std.item() / math.sqrt(20)
    )
