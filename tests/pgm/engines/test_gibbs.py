"""Gibbs sampling against enumeration, exact inference and its own standard errors."""

from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import (
    BayesianNetwork,
    Gibbs,
    MarkovNetwork,
    NoisyOr,
    Parity,
    Table,
    Tabular,
    Variable,
    grid,
    infer,
    log_evidence,
    sample,
)
from pgm.approximate.gibbs.sweep import Sweeper
from pgm.errors import ConvergenceWarning, EvidenceError, PlanError
from pgm.fields.field import Field
from pgm.fields.testing import random_field, worlds

SEEDS = st.integers(0, 10_000)


def repeated(field: Field, times: int) -> Field:
    """The same row of evidence many times."""
    assert field.constant is not None
    return Field(field.sizes, field.unary.expand(times, -1), field.groups, field.trains, field.constant.expand(times))


@pytest.mark.filterwarnings("ignore::pgm.errors.ConvergenceWarning")  # the errors are what is tested
@given(SEEDS, st.integers(0, 1))
@settings(max_examples=4)
def test_marginals_and_joints_lie_within_their_errors(seed: int, trains: int) -> None:
    """Six standard errors, by the t distribution with 63 degrees once in ten million; some hundred numbers."""
    field = random_field(seed, variables=5, rows=2, strength=0.7, trains=trains)
    found, expected = Gibbs(chains=64, sweeps=1000, thin=4).solve(field), worlds(field)
    assert found.errors is not None
    assert found.joint_errors is not None
    assert bool(((found.marginals - expected.marginals).abs() <= 6 * found.errors + 1e-12).all())
    gap = (found.joint((3, 1)) - expected.joint((3, 1))).abs()
    assert bool((gap <= 6 * found.joint_errors((3, 1)) + 1e-12).all())
    assert bool((found.errors < 0.05).all())


def test_errors_cover_as_often_as_they_say() -> None:
    """400 runs: 1.96 standard errors from 32 chains cover 94.1 of 100 (t, 31 degrees), give or take 5 times 1.2."""
    field = random_field(5, variables=4, strength=0.7)
    found = Gibbs(sweeps=100, warmup=20, thin=10).solve(repeated(field, 400))
    assert found.errors is not None
    assert found.joint_errors is not None
    inside = ((found.marginals - worlds(field).marginals).abs() < 1.96 * found.errors).double().mean(0)
    assert bool(((inside - 0.941).abs() < 5 * sqrt(0.941 * 0.059 / 400)).all())
    gap = (found.joint((0, 1)) - worlds(field).joint((0, 1))).abs()
    inside = (gap < 1.96 * found.joint_errors((0, 1))).double().mean(0)
    assert bool(((inside - 0.941).abs() < 5 * sqrt(0.941 * 0.059 / 400)).all())


@given(SEEDS)
@settings(max_examples=3)
def test_single_precision_is_as_good(seed: int) -> None:
    field = random_field(seed, variables=4, strength=0.5)
    found = Gibbs(sweeps=400, chains=64).solve(field.to(dtype=torch.float32))
    assert found.errors is not None
    assert bool(((found.marginals - worlds(field).marginals).abs() <= 6 * found.errors + 1e-6).all())


@pytest.mark.filterwarnings("ignore::pgm.errors.ConvergenceWarning")  # the errors are what is tested
def test_alarm_with_evidence_in_rows() -> None:
    """Two rows, one of them with a cell missing, against exact inference; the conditionals have zeros but mix."""
    pytest.importorskip("pgmpy", reason="carries the network")
    from benchmarks.networks import load

    model = load("alarm")
    seen = {"HRBP": ["HIGH", "LOW"], "PRESS": ["HIGH", None], "BP": ["LOW", "NORMAL"]}
    targets: list[str | tuple[str, ...]] = [*model.graph.names, ("CATECHOL", "HR")]
    engine = Gibbs(sweeps=4000, seed=1)
    found = infer(model, targets, given=seen, engine=engine)
    expected = infer(model, targets, given=seen)
    for target in targets:
        gap, error = (found[target] - expected[target]).abs(), found.standard_error(target)
        assert bool((gap <= 6 * error).all()), target
    assert bool(found.log_evidence.isnan().all())


@pytest.mark.filterwarnings("ignore::pgm.errors.ConvergenceWarning")  # the errors are what is tested
def test_what_no_chain_came_by_is_within_the_errors() -> None:
    """Rare states that all chains of a run may miss (their spread is 1e-9 of the truth): six of the stated errors."""
    pytest.importorskip("pgmpy", reason="carries the network")
    from benchmarks.networks import evidence, load

    model = load("insurance")
    row = {name: labels[0] for name, labels in evidence(model, 1).items()}
    expected, names = infer(model, given=row), [name for name in model.graph.names if name not in row]
    for seed in range(4):
        found = infer(model, given=row, engine=Gibbs(seed=seed))
        for name in names:
            assert bool(((found[name] - expected[name]).abs() <= 6 * found.standard_error(name) + 1e-12).all()), name


def cliff(strength: float) -> Field:
    """Twelve spins that all want to be alike, with a slight pull: two modes, of 1 : exp(1.2)."""
    pull = torch.zeros(3, 4, 2, dtype=torch.float64)
    pull[..., 1] = 0.1
    return grid(pull, strength * torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64))


def test_replica_exchange_crosses_between_modes_and_plain_chains_do_not() -> None:
    field = cliff(1.5)
    expected = worlds(field).marginals
    with pytest.warns(
        ConvergenceWarning, match=r"Gibbs: the chains disagree in 1 of 1 rows; the worst R-hat is .*powers"
    ):
        plain = Gibbs(sweeps=200).solve(field)
    assert plain.diagnostics["r_hat"][0] > 1.5
    assert plain.diagnostics["converged"] == [False]
    found = Gibbs(sweeps=500, powers=(1.0, 0.6, 0.35, 0.15)).solve(field)
    assert found.errors is not None
    assert bool(((found.marginals - expected).abs() < 5 * found.errors).all())
    assert bool((found.errors < 0.04).all())
    assert 0.1 < found.diagnostics["swaps_accepted"][0] < 0.9


def test_bits_that_must_be_equal_are_drawn_as_one() -> None:
    """Single steps would never change them; as one they have two states, of 3 : 1."""
    a, b = Variable("a"), Variable("b")
    post = infer(MarkovNetwork(Table([a, b], [[3.0, 0.0], [0.0, 1.0]])), engine=Gibbs(sweeps=50))
    assert post["a"].tolist() == pytest.approx([0.75, 0.25])
    assert post.diagnostics["deterministic"] is False


def test_exact_zeros_that_are_left_are_said_to_be_there() -> None:
    """Parity checks of neighbours leave all 0 and all 1: R-hat tells that chains sit apart, `deterministic` why."""
    x = [Variable(f"x{i}") for i in range(8)]
    net = MarkovNetwork(*(Parity([x[i], x[i + 1]]) for i in range(7)), Parity(x))
    with pytest.warns(ConvergenceWarning, match="worst R-hat"):
        post = infer(net, engine=Gibbs(sweeps=50))
    assert post.diagnostics["deterministic"] is True
    assert post.diagnostics["r_hat"] > 100
    plain = MarkovNetwork(Table([x[0], x[1]], [[3.0, 1.0], [1.0, 1.0]]))
    assert infer(plain, engine=Gibbs()).diagnostics["converged"]


def test_a_logical_or_does_not_lock_the_chains() -> None:
    """The network of Lauritzen and Spiegelhalter (1988), whose `either` is tuberculosis or cancer."""
    pytest.importorskip("pgmpy", reason="carries the network")
    from benchmarks.networks import load

    asia = load("asia")
    found, expected = infer(asia, given={"dysp": "yes"}, engine=Gibbs()), infer(asia, given={"dysp": "yes"})
    assert found.diagnostics["converged"]
    for name in asia.graph.names:
        assert bool(((found[name] - expected[name]).abs() <= 6 * found.standard_error(name) + 1e-12).all())


def test_wide_causes() -> None:
    """A noisy or of thirty causes that is on, given five of them, against exact inference."""
    causes = [Variable(f"c{i}", ["no", "yes"]) for i in range(30)]
    effect = Variable("effect", ["no", "yes"])
    priors = [Tabular(c, [], [0.9, 0.1]) for c in causes]
    net = BayesianNetwork(*priors, NoisyOr(effect, causes, [0.02 * (i + 1) for i in range(30)], 0.05))
    seen = {"effect": "yes", **{f"c{i}": "no" for i in range(25, 30)}}
    found = infer(net, given=seen, engine=Gibbs(chains=64))
    factor = 1.0
    for i in range(25):
        factor *= 1 - 0.1 * 0.02 * (i + 1)
    for i in range(25):
        p = 0.02 * (i + 1)
        off = 0.95 * factor / (1 - 0.1 * p)  # p(effect off | c_i off)
        expected = 0.1 * (1 - off * (1 - p)) / (0.1 * (1 - off * (1 - p)) + 0.9 * (1 - off))
        assert abs(float(found[f"c{i}", "yes"]) - expected) < 6 * float(found.standard_error((f"c{i}", "yes")))


def test_impossible_evidence_is_proved_or_not_claimed() -> None:
    a, b, c = Variable("a"), Variable("b"), Variable("c")
    equal = [[1.0, 0.0], [0.0, 1.0]]
    chain = MarkovNetwork(Table([a, b], equal), Table([b, c], equal))
    with pytest.raises(EvidenceError, match=r"Gibbs: the evidence \{'a': '0', 'c': '1'\} has probability 0"):
        infer(chain, given={"a": "0", "c": "1"}, engine=Gibbs())
    rows = infer(chain, ["b"], given={"a": ["0", "0"], "c": ["0", "1"]}, engine=Gibbs(sweeps=20), impossible="nan")
    assert rows["b"][0].tolist() == [1.0, 0.0]
    assert bool(rows["b"][1].isnan().all())
    with pytest.raises(EvidenceError, match="nothing to sample"):
        sample(chain, 3, given={"a": "0", "c": "1"}, engine=Gibbs())
    odd = MarkovNetwork(Parity([a, b]), Parity([b, c]), Parity([a, c], odd=True))
    with pytest.raises(PlanError, match=r"Gibbs: found no state of positive weight .* in 1 of 1 rows"):
        infer(odd, engine=Gibbs())


def test_samples_are_of_the_posterior() -> None:
    """20,000 draws of two variables given a third, against exact inference; five standard errors of thinned draws."""
    rain, wet, news = Variable("rain", ["no", "yes"]), Variable("wet", ["no", "yes"]), Variable("news", ["no", "yes"])
    net = BayesianNetwork(
        Tabular(rain, [], [0.8, 0.2]),
        Tabular(wet, [rain], [[0.9, 0.1], [0.2, 0.8]]),
        Tabular(news, [wet], [[0.7, 0.3], [0.1, 0.9]]),
    )
    engine = Gibbs(thin=20, chains=64, sweeps=200)
    drawn = sample(net, 20_000, ["rain", "wet", "news"], given={"news": "yes"}, engine=engine, seed=3)
    expected = infer(net, [("rain", "wet")], given={"news": "yes"})["rain", "wet"].numpy()
    counts = torch.bincount(2 * drawn["rain"] + drawn["wet"], minlength=4).reshape(2, 2).numpy() / 20_000
    assert bool((abs(counts - expected) < 5 * (expected * (1 - expected) / 20_000) ** 0.5).all())
    assert len(drawn) == 20_000
    assert bool((drawn["news"] == 1).all())
    again = sample(net, 20_000, ["rain", "wet", "news"], given={"news": "yes"}, engine=engine, seed=3)
    assert torch.equal(drawn.states, again.states)
    assert len(sample(net, 7, given={"news": "yes"}, engine=engine, seed=1)) == 7
    assert drawn.diagnostics["converged"] is True
    assert drawn.diagnostics["r_hat"] < 1.05


def test_seeds_reproduce() -> None:
    field = random_field(2, variables=5, strength=0.3)
    first, again, other = (Gibbs(sweeps=200, seed=seed).solve(field).marginals for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_everything_observed_and_nothing_coupled() -> None:
    coin = Variable("coin", ["heads", "tails"])
    net = BayesianNetwork(Tabular(coin, [], [0.25, 0.75]))
    post = infer(net, engine=Gibbs(sweeps=10))
    assert post["coin"].tolist() == pytest.approx([0.25, 0.75])
    assert float(post.standard_error("coin").max()) < 1e-12
    assert float(infer(net, given={"coin": "tails"}, engine=Gibbs())["coin", "tails"]) == 1.0
    assert sample(net, 2, given={"coin": "tails"}, engine=Gibbs(), seed=0).labels("coin") == ["tails", "tails"]


def test_a_field_without_variables_is_its_constant() -> None:
    empty = Field(torch.zeros(0, dtype=torch.long), torch.zeros(2, 0), constant=torch.tensor([1.5, -2.0]))
    assert Gibbs().solve(empty).log_evidence.tolist() == [1.5, -2.0]


def test_ctrl_c_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    field, plain, calls = random_field(0, variables=4, strength=0.7), Sweeper.tallied, []

    def interrupted(self: Sweeper, *args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) > 12:
            raise KeyboardInterrupt
        return plain(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Sweeper, "tallied", interrupted)
    found = Gibbs(sweeps=10_000).solve(field)
    assert found.diagnostics["interrupted"] == [True]
    assert found.diagnostics["iterations"] == [6000]  # in 12 of 20 rounds
    assert found.errors is not None
    assert bool(((found.marginals - worlds(field).marginals).abs() < 6 * found.errors).all())


def test_what_is_said() -> None:
    field = random_field(1, variables=4, rows=2, strength=0.3)
    said = Gibbs(sweeps=400, thin=100).solve(field)
    assert set(said.diagnostics) == {
        "converged", "r_hat", "effective_samples", "iterations", "deterministic", "interrupted",
    }  # fmt: skip
    assert bool(said.log_evidence.isnan().all())
    assert said.diagnostics["converged"] == [True, True]
    assert said.samples is not None
    assert said.samples.shape == (2, 32 * 4, 4)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sweeps": 1}, "sweeps is 1, expected 2 or more"),
        ({"chains": 1}, "chains is 1, expected 2 or more"),
        ({"warmup": -1}, "warmup is -1, expected 0 or more"),
        ({"thin": 0}, "thin is 0, expected 1 or more"),
        ({"powers": (0.5, 0.2)}, r"powers is \(0.5, 0.2\), expected to fall from 1"),
        ({"powers": (1.0, 1.0)}, "expected to fall from 1"),
        ({"dtype": torch.int8}, "dtype is torch.int8"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(PlanError, match=f"Gibbs: .*{text}"):
        Gibbs(**options)  # type: ignore[arg-type]


def test_the_log_evidence_alone_is_refused() -> None:
    with pytest.raises(PlanError, match=r"^Gibbs: chains do not say the log evidence\. Use AIS\(\), or MiniBucket"):
        log_evidence(BayesianNetwork(Tabular(Variable("coin"), [], [0.5, 0.5])), engine=Gibbs())
