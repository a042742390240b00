"""Particle filters: within their own standard errors of exact filtering, and of enumeration where that cannot be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    ConditionalLinearGaussian,
    Deterministic,
    Gaussian,
    LinearGaussian,
    Logistic,
    ParticleFilter,
    Real,
    Table,
    Tabular,
    Template,
    Variable,
    before,
    filtering,
    infer,
    log_likelihood,
    smoothing,
)
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError

SEEDS = st.integers(0, 2**32 - 1)
MANY = ParticleFilter(particles=300, runs=32)
SIGMAS = 6.0  # of an error from the spread of 32 runs: Student's t of 31 freedoms is beyond it once in a million
SKY, WET = Variable("sky", ["clear", "grey", "dark"]), Variable("wet", ["no", "yes"])
X, Y = Variable("x", Real()), Variable("y", Real())
WALK = Template(
    [Gaussian(X, 0.0, 1.0)], [LinearGaussian(X, [before(X)], [0.9], 0.1, 0.5), LinearGaussian(Y, [X], [1.0], 0.0, 0.8)]
)
MODE = Variable("mode", ["calm", "wild"])
SWITCHING = Template(
    [Tabular(MODE, [], [0.7, 0.3]), Gaussian(X, 0.0, 1.0)],
    [
        Tabular(MODE, [before(MODE)], [[0.9, 0.1], [0.3, 0.7]]),
        ConditionalLinearGaussian(X, [MODE, before(X)], [[0.9], [-0.5]], [0.0, 1.0], [0.1, 2.0]),
        LinearGaussian(Y, [X], [1.0], 0.0, 0.5),
    ],
)


def weather(seed: int) -> Template:
    """A hidden Markov model of three states."""
    rng = np.random.default_rng(seed)
    start, move, seen = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3), rng.dirichlet(np.ones(2), 3)
    return Template([Tabular(SKY, [], start)], [Tabular(SKY, [before(SKY)], move), Tabular(WET, [SKY], seen)])


def assert_near(found: torch.Tensor, expected: torch.Tensor, error: torch.Tensor) -> None:
    """Within the stated errors where there is something to say, and NaN at the same places."""
    assert torch.equal(found.isnan(), expected.isnan())
    assert bool(((found - expected).abs() <= SIGMAS * error + 1e-9)[~expected.isnan()].all())


@given(SEEDS)
@settings(max_examples=4)
def test_a_hidden_markov_model_agrees_with_exact_filtering(seed: int) -> None:
    """Sequences of different lengths, with cells missing."""
    template = weather(seed)
    seen = {"wet": [["no", "yes", None, "yes", "no", "no"], ["yes", "yes", "no"], [None, "no", "no", "yes"]]}
    with torch.no_grad():
        found, exact = filtering(template, seen, engine=MANY), filtering(template, seen)
    assert_near(found["sky"], exact["sky"], found.standard_error("sky"))
    assert_near(found.log_evidence, exact.log_evidence, found.diagnostics["log_evidence_error"])


@torch.no_grad()
def test_a_linear_system_agrees_with_the_kalman_filter() -> None:
    """Also the variances, whose own error is below sqrt(2 / n) of them for n effective particles."""
    seen = {"y": [[0.3, 1.2, None, -0.5, 0.1], [2.0, 2.5, 1.0]]}
    found, exact = filtering(WALK, seen, engine=MANY), filtering(WALK, seen)
    assert_near(found["x"].mean, exact["x"].mean, found.standard_error("x"))
    assert_near(found.log_evidence, exact.log_evidence, found.diagnostics["log_evidence_error"])
    scale = exact["x"].variance * (2 / found.diagnostics["effective_samples"]).sqrt()
    assert_near(found["x"].variance, exact["x"].variance, scale)


@torch.no_grad()
def test_smoothing_agrees_with_exact_smoothing() -> None:
    """Finite and numeric, with missing cells and sequences of different lengths."""
    seen = {"y": [[0.3, 1.2, None, -0.5, 0.1], [2.0, 2.5, 1.0]]}
    found, exact = smoothing(WALK, seen, engine=MANY), smoothing(WALK, seen)
    assert_near(found["x"].mean, exact["x"].mean, found.standard_error("x"))
    assert_near(found.log_evidence, exact.log_evidence, found.diagnostics["log_evidence_error"])
    template, seen = weather(3), {"wet": [["no", "yes", None, "yes", "no", "no"], ["yes", "yes", "no"]]}
    found, exact = smoothing(template, seen, engine=MANY), smoothing(template, seen)
    assert_near(found["sky"], exact["sky"], found.standard_error("sky"))


@torch.no_grad()
def test_smoothing_a_switching_system_agrees_with_its_unrolled_mixture() -> None:
    ys = [0.2, 1.5, -0.7, 2.2]
    found = smoothing(SWITCHING, {"y": ys}, engine=MANY)
    exact = infer(SWITCHING.unroll(4), given={f"y[{t}]": y for t, y in enumerate(ys)})
    for t in range(4):
        assert_near(found["mode"][t], exact[f"mode[{t}]"], found.standard_error("mode")[t])
        assert_near(found["x"].mean[t], exact[f"x[{t}]"].mean, found.standard_error("x")[t])


def test_the_ancestors_of_the_last_particles_become_fewer() -> None:
    """Copied at each of forty steps, fifty particles descend from a handful; without weights they all stay."""
    given = {"y": [0.0] * 40}
    with pytest.warns(ConvergenceWarning, match="^ParticleFilter: 100 particles make .* at step 0"):
        traced = smoothing(WALK, given, engine=ParticleFilter(50, runs=2, threshold=1.0)).diagnostics
    assert float(traced["effective_samples"][0]) < 10 < float(traced["effective_samples"][-1])
    free = smoothing(WALK, {"y": [None] * 40}, engine=ParticleFilter(50, runs=2)).diagnostics["effective_samples"]
    torch.testing.assert_close(free, torch.full((40,), 100.0, dtype=torch.float64))


@torch.no_grad()
def test_a_switching_system_agrees_with_its_unrolled_mixture_of_gaussians() -> None:
    """Both kinds are hidden: the exact answer enumerates the modes of all four steps."""
    ys = [0.2, 1.5, -0.7, 2.2]
    with pytest.raises(PlanError, match="are both hidden.*Use engine=ParticleFilter"):
        filtering(SWITCHING, {"y": ys})
    found = filtering(SWITCHING, {"y": ys}, engine=MANY)
    for t in range(4):
        seen = {f"y[{k}]": ys[k] for k in range(t + 1)}
        exact = infer(SWITCHING.unroll(t + 1), [f"mode[{t}]", f"x[{t}]"], given=seen)
        assert_near(found["mode"][t], exact[f"mode[{t}]"], found.standard_error("mode")[t])
        assert_near(found["x"].mean[t], exact[f"x[{t}]"].mean, found.standard_error("x")[t])
    assert_near(found.log_evidence, exact.log_evidence, found.diagnostics["log_evidence_error"])


@pytest.mark.parametrize("resample", ["systematic", "stratified", "multinomial"])
@torch.no_grad()
def test_the_likelihood_is_unbiased(resample: str) -> None:
    """The mean over 300 seeds of filters with only ten particles lies within five of its standard errors."""
    seen = {"y": [0.3, 1.2, -0.5, 0.1, 2.0]}
    engines = [ParticleFilter(10, runs=1, resample=resample, seed=seed) for seed in range(300)]
    found = np.array([float(log_likelihood(WALK, seen, engine=engine).exp()) for engine in engines])
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - float(log_likelihood(WALK, seen).exp())) < 5 * error


@torch.no_grad()
def test_standard_errors_cover_the_truth_as_often_as_they_should() -> None:
    """Of 200 seeds 66.5 % lie within one error of 16 runs (Student's t of 15), give or take 3.3 %; five are allowed."""
    seen = {"y": [0.3, 1.2, -0.5]}
    exact, hits = filtering(WALK, seen), np.zeros(2)
    for seed in range(200):
        found = filtering(WALK, seen, engine=ParticleFilter(100, runs=16, seed=seed))
        hits[0] += abs(float(found["x"].mean[2] - exact["x"].mean[2])) < float(found.standard_error("x")[2])
        hits[1] += abs(float(found.log_evidence - exact.log_evidence)) < float(found.diagnostics["log_evidence_error"])
    assert (np.abs(hits / 200 - 0.665) < 5 * 0.033).all()


@pytest.mark.parametrize(("resample", "most"), [("systematic", 1.0), ("stratified", 2.0)])
@given(SEEDS)
@settings(max_examples=20)
def test_copies_are_as_many_as_the_weights_say(resample: str, most: float, seed: int) -> None:
    """The number of copies of a particle lies within one (two) of its weight times all; those without have none."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(2, 3, 50, generator=generator, dtype=torch.float64) ** 4
    weights[..., -7:] = 0.0
    logs = (weights / weights.sum(-1, keepdim=True)).log()
    index = ParticleFilter(50, resample=resample, threshold=1.0)._copied(logs, generator)
    copies = torch.zeros_like(weights).scatter_add(2, index, torch.ones_like(weights))
    assert bool(((copies - 50 * logs.exp()).abs() < most + 1e-9).all())
    assert not copies[..., -7:].any()


def test_particles_stay_while_enough_are_effective() -> None:
    even = torch.full((1, 1, 40), 1 / 40, dtype=torch.float64).log()
    assert ParticleFilter(40)._copied(even, torch.Generator()).tolist() == [[list(range(40))]]


@torch.no_grad()
def test_inputs_and_functions_of_what_is_hidden() -> None:
    """y observes twice the position, which an input moves; exact filtering knows the sum of both as one regression."""
    push, twice = Variable("push", Real()), Variable("twice", Real())
    move = LinearGaussian(X, [before(X), push], [1.0, 1.0], 0.0, 0.5)
    template = Template(
        [Gaussian(X, 0.0, 1.0)],
        [move, Deterministic(twice, [X], lambda x: 2 * x), LinearGaussian(Y, [twice], [1.0], 0.0, 1.0)],
    )
    plain = Template([Gaussian(X, 0.0, 1.0)], [move, LinearGaussian(Y, [X], [2.0], 0.0, 1.0)])
    seen = {"push": [0.0, 1.0, -2.0], "y": [1.0, 2.0, -1.0]}
    found, exact = filtering(template, seen, engine=MANY), filtering(plain, seen)
    assert_near(found["x"].mean, exact["x"].mean, found.standard_error("x"))
    assert_near(found["twice"].mean, 2 * exact["x"].mean, found.standard_error("twice"))


@torch.no_grad()
def test_a_finite_child_of_a_hidden_number() -> None:
    """One step, symmetric in x: p(on) = 1/2, and on a grid E[x | on] = 2 int x sigmoid(2 x) N(x) dx."""
    on = Variable("on", ["no", "yes"])
    step = [LinearGaussian(X, [before(X)], [1.0], 0.0, 1.0), Logistic(on, [X], [2.0], 0.0)]
    found = filtering(Template([Gaussian(X, 0.0, 1.0)], step), {"on": ["yes"]}, engine=MANY)
    x = torch.linspace(-10, 10, 20001, dtype=torch.float64)
    density = (-(x**2) / 2).exp() / (2 * torch.pi) ** 0.5
    mean = torch.trapezoid(2 * x * torch.sigmoid(2 * x) * density, x)
    assert_near(found["x"].mean, mean.expand(1), found.standard_error("x"))
    assert abs(float(found.log_evidence.exp()) - 0.5) < SIGMAS * float(found.diagnostics["log_evidence_error"])


def test_a_seed_gives_the_same_answers_and_leaves_the_callers_randomness_alone() -> None:
    seen = {"y": [0.3, 1.2, -0.5]}
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, two, other = (filtering(WALK, seen, engine=ParticleFilter(20, seed=s))["x"].mean for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(torch.rand(1), expected)


def test_one_run_states_no_error_and_exact_answers_have_none() -> None:
    seen = {"y": [0.3, 1.2]}
    assert filtering(WALK, seen, engine=ParticleFilter(20, runs=1)).standard_error("x").isnan().all()
    assert smoothing(WALK, seen).standard_error("x").tolist() == [0.0, 0.0]


def test_a_step_that_no_particle_agrees_with_is_named() -> None:
    never = Template(
        [Tabular(SKY, [], [1.0, 0.0, 0.0])],
        [Tabular(SKY, [before(SKY)], np.eye(3)), Tabular(WET, [SKY], [[1, 0], [0, 1], [0, 1]])],
    )
    said = r"^ParticleFilter: at step 1{} none of 2 x 5 particles agrees with what is given, which does not prove"
    with pytest.raises(EvidenceError, match=said.format("")):
        filtering(never, {"wet": ["no", "yes"]}, engine=ParticleFilter(5, runs=2))
    with pytest.raises(EvidenceError, match=said.format(" of sequence 1")):
        log_likelihood(never, {"wet": [["no", "no"], ["no", "yes"]]}, engine=ParticleFilter(5, runs=2))


def test_what_it_cannot_answer_is_refused_by_name() -> None:
    engine = ParticleFilter(5)
    field = Template([Table([SKY], [1, 2, 3])], [Table([before(SKY), SKY], np.ones((3, 3)))])
    with pytest.raises(PlanError, match="^log_likelihood: the template has potentials"):
        log_likelihood(field, {"sky": ["grey"]}, engine=engine)
    copied = Template(
        [Gaussian(X, 0.0, 1.0)], [LinearGaussian(X, [before(X)], [1.0], 0.0, 1.0), Deterministic(Y, [X], abs)]
    )
    with pytest.raises(PlanError, match=r"^ParticleFilter: 'y' is observed, but Deterministic\(y\) has no density"):
        filtering(copied, {"y": [1.0]}, engine=engine)
    pair = Variable("pair", Real(2))
    flat = Template([], [Gaussian(pair, np.zeros(2), np.eye(2))])
    with pytest.raises(EvidenceError, match=r"^ParticleFilter: 'pair' has a missing value beside others"):
        filtering(flat, {"pair": torch.tensor([[1.0, torch.nan]])}, engine=engine)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"particles": 0}, "particles is 0 and runs 8, expected 1 or more"),
        ({"resample": "best"}, "resample is 'best', expected 'systematic', 'stratified' or 'multinomial'"),
        ({"threshold": 2.0}, "threshold is 2.0, expected a share from 0 to 1"),
    ],
)
def test_options_are_checked(options: dict, said: str) -> None:
    with pytest.raises(PlanError, match=f"^ParticleFilter: {said}"):
        ParticleFilter(**options)


@pytest.mark.gpu
def test_particles_live_where_the_parameters_are() -> None:
    found = filtering(WALK.cuda(), {"y": [0.3, 1.2]}, engine=MANY)
    exact = filtering(WALK.cpu(), {"y": [0.3, 1.2]})
    assert found["x"].mean.is_cuda
    assert_near(found["x"].mean.cpu(), exact["x"].mean.detach(), found.standard_error("x").cpu())


def test_few_effective_particles_give_a_warning() -> None:
    """A sharp observation far from where particles are."""
    sharp = Template([], [Gaussian(X, 0.0, 1.0), LinearGaussian(Y, [X], [1.0], 0.0, 1e-6)])
    with pytest.warns(ConvergenceWarning, match=r"^ParticleFilter: 100 particles make \d\.\d effective ones at step 1"):
        filtering(sharp, {"y": [None, 2.0]}, engine=ParticleFilter(50, runs=2))
