"""Draws of machines beside exact answers, what is known of them, and block Gibbs inside Pyro's MCMC."""

import pytest
import torch
from pyro import poutine
from pyro.infer import MCMC
from pyro.ops.stats import effective_sample_size

import pgm
from deepgen.zoo.boltzmann import Machine, boltzmann_machine, expanded, log_z, rbm
from deepgen.zoo.boltzmann.kernel import BlockGibbs
from pgm import Binary, Real, Variable, as_pyro

V, LABEL = Variable("v", Binary(3)), Variable("label", range(3))
ROWS = 4000


def machines() -> dict[str, Machine]:
    torch.manual_seed(0)
    return {
        "rbm": rbm(V, 2, deviation=1.0),
        "label": rbm(V, 2, label=LABEL, deviation=1.0),
        "general": boltzmann_machine(V, 2, deviation=1.0),
        "gaussian": rbm(Variable("v", Real(3)), 2, deviation=1.0),
    }


@pytest.mark.parametrize("name", ["rbm", "label", "general"])
@pytest.mark.parametrize("known", [{}, {"v": torch.tensor([1.0, torch.nan, 0.0])}], ids=["nothing", "two of three"])
def test_draws_are_of_the_exact_marginals_given_what_is_known(name, known):
    """Shares of 4,000 independent chains: within five standard errors."""
    machine = machines()[name]
    draws = machine.sample(ROWS, known, burn=50, seed=0)
    exact = pgm.infer(expanded(machine), given={"v[0]": "1", "v[2]": "0"} if known else {})
    bits = {
        f"{layer}[{place}]": draws[layer][:, place] for layer in ("v", "h") for place in range(draws[layer].shape[1])
    }
    for bit, values in bits.items():
        p = float(exact[bit][1]) if bit in exact.names else float(bit == "v[0]")
        assert abs(values.mean().item() - p) <= 5 * (p * (1 - p) / ROWS) ** 0.5
    assert all(bool(((x == 0) | (x == 1)).all()) for x in bits.values())


def test_rows_may_know_different_things():
    torch.manual_seed(0)
    machine = rbm(V, 2, label=LABEL)
    known = {"label": torch.tensor([2, -1, 0]), "v": torch.tensor([[1, 1, 1], [torch.nan] * 3, [0, torch.nan, 0]])}
    draws = machine.sample(3, known, burn=5)
    assert (draws["label"][[0, 2]].tolist(), draws["v"][0].tolist()) == ([2, 0], [1, 1, 1])
    assert draws["v"][2, [0, 2]].tolist() == [0, 0]


def test_what_is_known_may_be_of_any_precision():
    """Doubles, whole numbers and truths are as good as the machine's own numbers, and draws are the same."""
    machine, row = machines()["rbm"], torch.tensor([1.0, torch.nan, 1.0])
    plain, double = (machine.sample(3, {"v": row.to(kind)}, burn=2, seed=0) for kind in (torch.float32, torch.double))
    assert all(torch.equal(double[name], x) for name, x in plain.items())
    whole = [machine.sample(3, {"v": torch.ones(3).to(kind)}, burn=2, seed=0) for kind in (torch.long, torch.bool)]
    assert all(x.dtype == torch.float32 and bool((x == 1).all()) for each in whole for x in [each["v"]])


def test_the_same_seed_draws_the_same_and_leaves_other_randomness_alone():
    machine = machines()["rbm"]
    torch.manual_seed(1)
    first, after = machine.sample(5, burn=5, seed=3), torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(machine.sample(5, burn=5, seed=3)["v"], first["v"])


@pytest.mark.parametrize("name", ["rbm", "label", "general", "gaussian"])
def test_programs_have_the_density_of_the_machine(name):
    machine = machines()[name]
    given = {**machine.sample(1, burn=2, seed=0)}
    values = {key: x[0] for key, x in given.items()}
    trace = poutine.trace(as_pyro(machine.model, given=values)).get_trace()
    torch.testing.assert_close(trace.log_prob_sum(), machine.model.log_prob(given)[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["label", "general", "gaussian"])
def test_pyros_mcmc_draws_the_exact_marginals(name):
    """Means of 300 sweeps of one chain, within five standard errors by the effective sample size."""
    machine = machines()[name]
    torch.manual_seed(0)
    mcmc = MCMC(BlockGibbs(machine), num_samples=300, warmup_steps=10, disable_progbar=True)
    mcmc.run()
    draws = mcmc.get_samples(group_by_chain=True)["h"]
    error = draws[0].std(0) / effective_sample_size(draws, 0, 1).sqrt()
    assert ((draws[0].mean(0) - hidden_means(machine)).abs() < 5 * error).all()


def hidden_means(machine: Machine) -> torch.Tensor:
    """p(h = 1) of two hidden units, d log Z / d b_i, as differences of exact sums."""
    bias = next(term.bias for term in machine.model.terms if repr(term) == "Bias(h)")
    found = []
    for place in range(2):
        ends = []
        for step in (-1e-2, 1e-2):
            with torch.no_grad():
                bias[place] += step
                ends.append(log_z(machine))
                bias[place] -= step
        found.append((ends[1] - ends[0]) / 2e-2)
    return torch.tensor(found)


def test_what_is_known_stays_in_pyros_mcmc():
    kernel = BlockGibbs(machines()["rbm"], {"v": torch.tensor([1.0, 0.0, torch.nan])})
    start = {"v": torch.zeros(3), "h": torch.zeros(2)}
    mcmc = MCMC(kernel, num_samples=20, warmup_steps=0, initial_params=start, disable_progbar=True)
    mcmc.run()
    assert mcmc.get_samples()["v"][:, :2].unique(dim=0).tolist() == [[1, 0]]


def test_refusals():
    machine = rbm(V, 2, label=LABEL)
    with pytest.raises(ValueError, match=r"a value of 'v' is 0.3, expected 0, 1, or NaN where it is missing"):
        machine.sample(2, {"v": torch.tensor([0.3, 1.0, 0.0])})
    with pytest.raises(ValueError, match="a value of 'label' is 3, expected a state from 0 to 2"):
        machine.sample(2, {"label": torch.tensor(3)})
    with pytest.raises(ValueError, match=r"'v' is given in shape \(4,\), expected \(3,\), or \(2, 3\)"):
        machine.sample(2, {"v": torch.ones(4)})
    with pytest.raises(ValueError, match="0 rows after 1000 sweeps are asked for"):
        machine.sample(0)
    with pytest.raises(ValueError, match="'past' is never drawn, so that it has to be given"):
        rbm(V, 2, given=Variable("past", Binary(2))).sample(2)
