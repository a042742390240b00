"""What can be asked of models with numeric variables, in which forms, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from pgm import (
    BayesianNetwork,
    ConditionalLinearGaussian,
    Count,
    Deterministic,
    EvidenceError,
    Exact,
    Gaussian,
    GraphError,
    Implicit,
    LinearGaussian,
    Logistic,
    MarkovNetwork,
    Neural,
    PlanError,
    Quadratic,
    Real,
    ShapeError,
    Tabular,
    Variable,
    infer,
    log_evidence,
    mpe,
    normal,
    plan_for,
    sample,
)
from pgm.hybrid.oracles import brute_answer, random_network
from pgm.model import Model

SEEDS = st.integers(0, 2**32 - 1)


def number(name: str, *shape: int) -> Variable:
    return Variable(name, Real(*shape))


@pytest.fixture(scope="module")
def mixture() -> Model:
    """A class, a hidden number that it moves, and a sensor of that number."""
    kind, x, y = Variable("kind", ["low", "high"]), number("x"), number("y")
    return BayesianNetwork(
        Tabular(kind, [], [0.3, 0.7]),
        ConditionalLinearGaussian(x, [kind], None, [0.0, 5.0], [1.0, 2.0]),
        LinearGaussian(y, [x], [2.0], 0.0, 1.0),
    )


@pytest.fixture(scope="module")
def sport() -> Model:
    """A hidden number with a finite child: beyond exact inference unless it is observed."""
    height, sport = number("height"), Variable("sport", ["no", "yes"])
    return BayesianNetwork(Gaussian(height, 0.0, 1.0), Logistic(sport, [height], [2.0], 0.5))


@settings(max_examples=10)
@given(SEEDS, st.integers(0, 2))
def test_rows_with_different_gaps_are_answered_as_one_by_one(seed: int, finite: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_network(generator, finite)
    rows: dict[str, object] = {}
    for variable in model.variables:
        if variable.finite:
            rows[variable.name] = torch.from_numpy(generator.integers(-1, variable.size, size=5))
        else:
            values = generator.normal(size=(5, *variable.shape))
            rows[variable.name] = np.where(generator.random(values.shape) < 0.5, np.nan, values)
    together = infer(model, given=rows)
    for row in range(5):
        alone = infer(model, given={name: values[row : row + 1] for name, values in rows.items()})
        assert alone.log_evidence.item() == pytest.approx(together.log_evidence[row].item(), abs=1e-10)
        for variable in model.variables:
            one, all_ = alone[variable.name], together[variable.name]
            left, right = (one, all_) if variable.finite else (one.covariance, all_.covariance)
            np.testing.assert_allclose(left[0], right[row], atol=1e-10)


@settings(max_examples=10)
@given(SEEDS)
def test_joint_targets_have_the_single_ones_as_margins(seed: int) -> None:
    model = random_network(np.random.default_rng(seed), finite=2, numeric=2)
    post = infer(model, [("s1", "s0"), ("x1", "x0"), "s0", "s1", "x0", "x1"])
    np.testing.assert_allclose(post["s1", "s0"].sum(0), post["s0"], atol=1e-12)
    np.testing.assert_allclose(post["s1", "s0"].sum(1), post["s1"], atol=1e-12)
    n = post["x1"].flat.shape[-1]
    np.testing.assert_allclose(post["x1", "x0"].covariance[:n, :n], post["x1"].covariance, atol=1e-10)
    np.testing.assert_allclose(post["x1", "x0"].covariance[n:, n:], post["x0"].covariance, atol=1e-10)


def test_answers_of_both_kinds_in_one_table(mixture: Model) -> None:
    post = infer(mixture, ["kind", ("x", "y"), "x"], given={"y": [1.0, 9.0]})
    frame, table = post.to_dataframe(), post.table()
    assert [*frame.columns] == [("kind", "low"), ("kind", "high")] + [(v, m) for v in "xy" for m in ("mean", "std")]
    assert frame["kind", "high"].tolist() == table["kind"]["high"] == post["kind", "high"].tolist()
    assert frame["x", "mean"].tolist() == table["x"]["mean"] == post["x"].mean.tolist()
    assert frame["x", "std"].tolist() == table["x"]["std"] == post["x"].std.tolist()
    assert frame["y", "std"].tolist() == table["y"]["std"] == [0.0, 0.0]
    one = infer(mixture, given={"y": 1.0})
    assert one.to_dataframe()["x", "mean"].tolist() == [one.table()["x"]["mean"]] == [one["x"].mean.item()]


def test_a_joint_covariance(mixture: Model) -> None:
    """y = 2 x + e, so cov(x, y) = 2 var(x)."""
    post = infer(mixture, [("x", "y"), "x"])
    assert post["x", "y"].covariance[0, 1].item() == pytest.approx(2 * post["x"].variance.item(), abs=1e-12)


@settings(max_examples=8)
@given(SEEDS)
def test_gradients_of_the_log_evidence(seed: int) -> None:
    """In every parameter and in the observed numbers, against finite differences; second derivatives too."""
    generator = np.random.default_rng(seed)
    model = random_network(generator, finite=1, numeric=2)
    parameters = dict(model.shared.named_parameters())
    seen = torch.tensor(generator.normal(size=model["x1"].shape), requires_grad=True)

    def total(value: torch.Tensor, *numbers: torch.Tensor) -> torch.Tensor:
        names = dict(zip(parameters, numbers, strict=True))
        return torch.func.functional_call(_Evidence(model), {f"shared.{k}": v for k, v in names.items()}, (value,))

    inputs = (seen, *(p.detach().clone().requires_grad_() for p in parameters.values()))
    assert torch.autograd.gradcheck(total, inputs)
    assert torch.autograd.gradgradcheck(lambda value: total(value, *inputs[1:]), (seen,))


class _Evidence(nn.Module):
    """log p(x1) as a function of the parameters."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.shared, self.model = model.shared, [model]

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return log_evidence(self.model[0], given={"x1": value})


def test_samples_have_the_exact_moments(mixture: Model) -> None:
    """The share of a state is off by sqrt(p q / n), a mean by sigma / sqrt(n): five of these at most."""
    n, post = 4000, infer(mixture, given={"y": 6.0})
    draws = sample(mixture, n, given={"y": 6.0}, seed=3)
    p = post["kind", "low"].item()
    assert abs((draws["kind"] == 0).double().mean().item() - p) < 5 * np.sqrt(p * (1 - p) / n)
    assert abs(draws["x"].mean().item() - post["x"].mean.item()) < 5 * post["x"].std.item() / np.sqrt(n)
    assert draws["y"].tolist() == [6.0] * n


def test_samples_repeat_with_their_seed(mixture: Model) -> None:
    one, other, third = (sample(mixture, 50, given={"y": 6.0}, seed=seed)["x"] for seed in (1, 1, 2))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


@pytest.mark.parametrize("given", [{}, {"y": 6.0}])
def test_no_samples(mixture: Model, given: dict[str, float]) -> None:
    draws = sample(mixture, 0, given=given)
    assert [len(draws[name]) for name in mixture.graph.names] == [0, 0, 0]


def test_causes_are_drawn_before_effects_whatever_the_conditionals(sport: Model) -> None:
    """p(yes | height 1) = sigmoid(2.5); n draws are off by sqrt(p q / n)."""
    n, p = 4000, 1 / (1 + np.exp(-2.5))
    draws = sample(sport, n, given={"height": 1.0}, seed=0)
    assert abs(draws["sport"].double().mean().item() - p) < 5 * np.sqrt(p * (1 - p) / n)
    state = torch.random.get_rng_state()
    assert torch.equal(sample(sport, 9, seed=4)["height"], sample(sport, 9, seed=4)["height"])
    assert torch.equal(state, torch.random.get_rng_state())


def test_what_is_below_the_evidence_is_drawn_from_it_whatever_the_conditionals(mixture: Model) -> None:
    """p(wins | y) and E[shoe | y] by quadrature over x; shares and means of n draws are off by sigma / sqrt(n)."""
    x, wins, shoe = mixture["x"], Variable("wins", ["no", "yes"]), number("shoe")
    model = BayesianNetwork(
        *mixture.terms, Logistic(wins, [x], [1.0], -4.0), Deterministic(shoe, [x], lambda x: x.square())
    )
    n, y = 4000, 8.0
    draws = sample(model, n, given={"y": y}, seed=7)
    grid = np.linspace(-10, 20, 30001)
    density = stats.norm.pdf(y, 2 * grid, 1) * (
        0.3 * stats.norm.pdf(grid, 0, 1) + 0.7 * stats.norm.pdf(grid, 5, np.sqrt(2))
    )
    density /= density.sum()
    share, mean = density @ (1 / (1 + np.exp(4 - grid))), density @ grid**2
    spread = np.sqrt(density @ grid**4 - mean**2)
    assert abs(draws["wins"].double().mean().item() - share) < 5 * np.sqrt(share * (1 - share) / n)
    assert abs(draws["shoe"].mean().item() - mean) < 5 * spread / np.sqrt(n)
    assert torch.equal(draws["shoe"], draws["x"].square())


def test_nothing_is_drawn_below_what_is_impossible() -> None:
    kind, x = Variable("kind", ["low", "high"]), number("x")
    never = Tabular(kind, [], [1.0, 0.0])
    model = BayesianNetwork(never, ConditionalLinearGaussian(x, [kind], None, [0.0, 5.0], [1.0]))
    with pytest.raises(EvidenceError, match=r"^sample: the evidence \{'kind': 'high'\} has probability 0"):
        sample(model, 2, given={"kind": "high"})


def test_any_likelihood_of_what_is_observed() -> None:
    """A finite cause with two effects observed, one of them a count: Bayes' rule by hand."""
    cause, level, events = Variable("cause", 2), number("level"), Variable("events", Count())
    rates = torch.tensor([1.0, 4.0])
    model = BayesianNetwork(
        Tabular(cause, [], [0.6, 0.4]),
        ConditionalLinearGaussian(level, [cause], None, [0.0, 1.0], [1.0, 1.0]),
        Neural(events, [cause], torch.distributions.Poisson, lambda chosen: chosen @ rates),
    )
    level_density = torch.distributions.Normal(torch.tensor([0.0, 1.0]), 1.0).log_prob(torch.tensor(0.8))
    weights = (
        torch.tensor([0.6, 0.4]).log() + level_density + torch.distributions.Poisson(rates).log_prob(torch.tensor(3.0))
    )
    post = infer(model, ["cause"], given={"level": 0.8, "events": 3})
    np.testing.assert_allclose(post["cause"], weights.softmax(0), atol=1e-6)
    assert post.log_evidence.item() == pytest.approx(weights.logsumexp(0).item(), abs=1e-6)


def test_a_network_with_known_parents_predicts_with_its_own_moments() -> None:
    d, o = number("d", 1), number("o", 1)
    net = nn.Linear(1, 2)
    model = BayesianNetwork(Gaussian(d, [0.0], 1.0), Neural(o, [d], normal, net))
    mean, log_std = net(torch.tensor([[0.5], [1.5]])).detach().unbind(-1)
    post = infer(model, ["o"], given={"d": [[0.5], [1.5]]})["o"]
    np.testing.assert_allclose(post.mean[:, 0], mean, atol=1e-6)
    np.testing.assert_allclose(post.std[:, 0], log_std.exp(), atol=1e-6)


def test_functions_of_what_is_known_are_known() -> None:
    x, y, z = map(number, "xyz")
    model = BayesianNetwork(
        Gaussian(x, 0.0, 1.0), Deterministic(y, [x], torch.exp), LinearGaussian(z, [y], [1.0], 0.0, 1.0)
    )
    post = infer(model, given={"x": 1.0})
    assert post["y"].mean.item() == post["z"].mean.item() == pytest.approx(np.e)
    with pytest.raises(EvidenceError, match=r"infer: the evidence \{'x': 1.0, 'y': 2.0\} has probability 0"):
        infer(model, given={"x": 1.0, "y": 2.0})


def test_what_does_not_matter_is_not_read(sport: Model) -> None:
    x, fake = number("x"), number("fake")
    model = BayesianNetwork(Gaussian(x, 2.0, 1.0), Implicit(fake, [x], lambda x, noise: x + noise[..., 0], noise=1))
    assert infer(model, ["x"])["x"].mean.item() == 2.0
    assert infer(sport, ["height"])["height"].variance.item() == pytest.approx(1.0)


def test_soft_evidence_on_a_finite_variable(mixture: Model) -> None:
    """A likelihood that rules out a state is that state not observed; Jeffrey's rule sets the posterior."""
    soft, hard = infer(mixture, likelihood={"kind": [0.0, 2.0]}), infer(mixture, given={"kind": "high"})
    assert soft["x"].mean.item() == pytest.approx(hard["x"].mean.item(), abs=1e-12)
    assert soft.log_evidence.item() == pytest.approx(hard.log_evidence.item() + np.log(2), abs=1e-12)
    post = infer(mixture, given={"y": 3.0}, jeffrey={"kind": [0.25, 0.75]})
    assert post["kind"].tolist() == pytest.approx([0.25, 0.75], abs=1e-9)


def test_marginal_map_sums_the_rest(mixture: Model) -> None:
    best = mpe(mixture, ["kind"], given={"y": 3.0})
    weights = infer(mixture, ["kind"], given={"y": 3.0})
    assert best.assignment() == {"kind": weights.argmax()["kind"]}
    expected = weights.log_evidence + weights["kind"].max().log()
    assert best.log_prob.item() == pytest.approx(expected.item(), abs=1e-12)
    assert str(mpe(mixture, given={"y": 3.0})).startswith("#1 log p -")


def test_a_batch_of_explanations(mixture: Model) -> None:
    best = mpe(mixture, given={"y": [3.0, 9.0]})
    assert best.numbers["x"].shape == (2, 1)
    assert best.assignment(row=1)["x"] == pytest.approx(mpe(mixture, given={"y": 9.0}).assignment()["x"], abs=1e-12)


def test_plans_print(mixture: Model) -> None:
    text = str(plan_for(mixture, given=["y"]))
    assert "runs as Gaussian elimination of 1 numbers, at most 1 at a time" in text
    assert "sum[x]" in plan_for(mixture, given=["y"]).table()
    assert infer(mixture, given={"y": 1.0}).plan == plan_for(mixture, given=["y"])
    assert "max[x]" in plan_for(mixture, task="maximum").table()


def test_rows_of_a_linear_model_share_one_covariance() -> None:
    x, y = number("x"), number("y")
    model = BayesianNetwork(Gaussian(x, 1.0, 2.0), LinearGaussian(y, [x], [1.0], 0.0, 1.0))
    post = infer(model, ["x"], given={"y": [0.0, 3.0, -100.0]})["x"]
    np.testing.assert_allclose(post.mean, 1 + 2 / 3 * (np.array([0.0, 3.0, -100.0]) - 1), atol=1e-12)
    np.testing.assert_allclose(post.variance, 2 / 3, atol=1e-12)


def test_numbers_beyond_the_floats_are_said(mixture: Model) -> None:
    """The square of 1e200 is infinite, so is what both terms of y = 2 x + noise say of x."""
    said = r"the evidence \{'x': 1e\+200\}.* (has probability 0 \(checked|is NaN: it, or a parameter, is beyond)"
    for seen in ({"x": 1e200}, {"x": [1e200, 0.0]}):
        with pytest.raises(EvidenceError, match=said):
            infer(mixture, given=seen)
    post = infer(mixture, given={"x": [1e200, 0.0]}, impossible="nan")
    assert post["kind"].isnan().any(1).tolist() == post["y"].mean.isnan().tolist() == [True, False]


def test_no_rows(mixture: Model) -> None:
    post = infer(mixture, given={"y": np.zeros(0)})
    assert (post["x"].mean.shape, post["kind"].shape, post.log_evidence.shape) == ((0,), (0, 2), (0,))


def _partly(x: Variable) -> Model:
    return BayesianNetwork(Gaussian(x, [0.0, 0.0], 1.0), Neural(number("y", 2), [x], normal, nn.Linear(2, 4)))


REFUSED = {
    "Logistic(sport | height): its parent 'height' is numeric and not observed, and the dependence is not "
    "linear-Gaussian; observe 'height', or use engine=SVI(), NUTS() or Importance().": lambda sport, _: infer(sport),
    "targets: ('kind', 'x') mixes finite and numeric variables; ask for joints of one kind.": lambda _, mixture: infer(
        mixture, [("kind", "x")]
    ),
    "mpe: 'x' is numeric and 'kind' would be summed out, which asks for the mode of a mixture; name 'kind' among the "
    "targets, or leave numeric variables out.": lambda _, mixture: mpe(mixture, ["x"]),
    "mpe: k is 2, expected 1 where numeric variables are not observed.": lambda _, mixture: mpe(mixture, k=2),
    "Neural(y | x): 'y' is observed in part only, which needs a linear-Gaussian dependence; observe all of its "
    "numbers or none, or use engine=SVI(), NUTS() or Importance().": lambda *_: infer(
        _partly(number("x", 2)), given={"x": [0.0, 0.0], "y": [1.0, np.nan]}
    ),
    "'x': the total precision is not positive definite, so that there is no density; expected conditionals or "
    "quadratic potentials that hold every numeric variable in place.": lambda *_: infer(
        MarkovNetwork(Quadratic([number("x")], [[0.0]]))
    ),
    "'x' is numeric and in no conditional or potential; give it one.": lambda *_: infer(
        Model(Tabular(Variable("s"), [], [0.5, 0.5]), variables=[number("x")])
    ),
    "plan: would take 1008 B (limit 100 B): widest clique {x, y}. Observe one of these, or use engine=SVI(), "
    "NUTS() or Importance().": lambda _, mixture: infer(mixture, engine=Exact(memory=100)),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_say_why_and_what_would_work(sport: Model, mixture: Model, text: str) -> None:
    with pytest.raises((PlanError, GraphError, ShapeError)) as error:
        REFUSED[text](sport, mixture)
    assert str(error.value) == text


def test_enumeration_agrees_with_a_closed_form() -> None:
    """The oracle itself: y = x + e given y, by hand."""
    x, y = number("x"), number("y")
    found = brute_answer(BayesianNetwork(Gaussian(x, 0.0, 1.0), LinearGaussian(y, [x], [1.0], 0.0, 1.0)), {"y": 2.0})
    assert (found.means["x"].tolist(), found.covariances["x"].tolist()) == ([1.0], [[0.5]])
