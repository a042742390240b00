"""How memories turn: energies never rise, fixed points and cycles are those that looking at all states finds."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen import DenseMemory, Hopfield, constant, exponential, geometric, hopfield, linear, polynomial
from deepgen.zoo.boltzmann.memory import Memory
from pgm import Binary, Real, Variable

X = Variable("x", Binary(6))
WORLDS = torch.tensor(list(product((0.0, 1.0), repeat=6)), dtype=torch.float64)
PLACES = 2 ** torch.arange(5, -1, -1)  # of the bits in the number of a state


def random_network(seed: int) -> Hopfield:
    """Weights of about 1, self-couplings not negative, and thresholds."""
    generator = torch.Generator().manual_seed(seed)
    half = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    weights = (half + half.T).fill_diagonal_(0) + torch.rand(6, generator=generator, dtype=torch.float64).diag()
    return Hopfield(X, weights, torch.randn(6, generator=generator, dtype=torch.float64))


def random_memory(seed: int, kind: str) -> Memory:
    if kind == "pairs":
        return random_network(seed)
    patterns = torch.randint(0, 2, (4, 6), generator=torch.Generator().manual_seed(seed)).double()
    return DenseMemory(X, patterns, {"cubes": polynomial(3), "exponential": exponential(0.7)}[kind])


kinds = st.sampled_from(["pairs", "cubes", "exponential"])


@settings(max_examples=15)
@given(st.integers(0, 1000), kinds, st.sampled_from(["asynchronous", "independent"]))
def test_energy_never_rises_where_units_turn_one_by_one(seed, kind, update):
    found = random_memory(seed, kind).recall(WORLDS, update=update, seed=seed)
    assert (found.energies.diff(dim=0) <= 1e-9).all()
    assert (found.settled == (found.period == 1)).all()
    assert found.settled.all()


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from(["cubes", "exponential"]))
def test_fixed_points_are_the_states_from_which_no_single_unit_lowers_the_energy(seed, kind):
    memory = random_memory(seed, kind)
    others = memory.energy((WORLDS[:, None] - torch.eye(6)).abs())  # [64, 6]: with one unit turned
    expected = (others > memory.energy(WORLDS)[:, None] - 1e-9).all(1)
    found = memory.recall(WORLDS, update="synchronous", sweeps=1)
    assert torch.equal((found.final == WORLDS).all(-1), expected)
    ends = (memory.recall(WORLDS, seed=seed).final.long() * PLACES).sum(-1)
    assert expected[ends].all()


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_synchronous_updates_end_in_fixed_points_or_cycles_of_two(seed):
    """Goles-Chacc, Fogelman-Soulie and Pellegrin (1985): no other cycle when weights are symmetric. The map of all
    states is written out, and followed for as many steps as there are states."""
    network = random_network(seed)
    fields = (2 * WORLDS - 1) @ network.weights - network.thresholds
    place = ((fields > 0).long() * PLACES).sum(-1)
    now = torch.arange(64)
    for _ in range(64):
        now = place[now]
    period = torch.where(place[now] == now, 1, 2)
    assert torch.equal(place[place[now]], now)
    found = network.recall(WORLDS, update="synchronous")
    assert torch.equal(found.period, period)
    ends = (found.final.long() * PLACES).sum(-1)
    assert torch.equal(torch.minimum(ends, place[ends]), torch.minimum(now, place[now]))


def test_two_units_that_hold_one_another_go_to_and_fro():
    network = Hopfield(Variable("x", Binary(2)), torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.zeros(2))
    found = network.recall(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), update="synchronous")
    assert found.period.tolist() == [2, 1]
    assert found.states[:, 0].tolist() == [[1, 0], [0, 1]]
    assert repr(found) == "Recall(1 sweeps: 1 at a fixed point, 1 in a 2-cycle)"
    assert network.recall(torch.tensor([1.0, 0.0])).settled.item()


def test_all_at_once_the_energy_may_rise():
    """E = s1 s2 - (s1 + s2) / 2: each of two units that are up would gain 1 by going down alone; both lose 2."""
    network = Hopfield(Variable("x", Binary(2)), torch.tensor([[0.0, -1.0], [-1.0, 0.0]]), torch.full((2,), -0.5))
    assert network.recall(torch.ones(2), update="synchronous", sweeps=1).energies.tolist() == [0, 2]
    assert network.recall(torch.ones(2)).energies[-1] == -1


def test_what_is_not_settled_is_said():
    """A chain of units that each follow the one before: synchronously the news goes one unit further a sweep."""
    weights = torch.zeros(6, 6)
    for unit in range(5):
        weights[unit, unit + 1] = weights[unit + 1, unit] = 2.0 ** (5 - unit)
    network = Hopfield(X, weights, torch.tensor([-100.0, 0, 0, 0, 0, 0]))
    found = network.recall(torch.zeros(6), update="synchronous", sweeps=4)
    assert found.states.sum(-1).tolist() == [0, 1, 2, 3, 4]
    assert repr(found) == "Recall(4 sweeps: 1 not settled)"
    assert network.recall(torch.zeros(6), update="synchronous").final.tolist() == [1] * 6


@pytest.mark.parametrize("update", ["asynchronous", "independent", "synchronous"])
def test_rows_recall_the_same_alone_as_together_and_known_units_stay(update):
    x = Variable("image", Binary(3, 4))
    generator = torch.Generator().manual_seed(0)
    patterns, shown = (torch.randint(0, 2, (n, 3, 4), generator=generator).float() for n in (3, 10))
    known = torch.rand(3, 4, generator=generator) < 0.4
    network = hopfield(x, patterns)
    together = network.recall(shown.reshape(2, 5, 3, 4), update=update, fixed=known, seed=4)
    assert together.states.shape[1:] == (2, 5, 3, 4)
    assert together.energies.shape == (len(together.states), 2, 5)
    assert (together.states[..., known] == shown.reshape(2, 5, 3, 4)[..., known]).all()
    last = together.states[-2:].flatten(1, 2)  # where rows go to and fro both count
    for number, row in enumerate(shown):
        alone = network.recall(row, update=update, fixed=known, seed=4)
        assert (alone.final == last[:, number]).flatten(1).all(1).any()
        assert alone.period == together.period.flatten()[number]
    torch.testing.assert_close(together.energies[-1], network.energy(together.final))


@pytest.mark.parametrize("update", ["asynchronous", "independent"])
@pytest.mark.parametrize("kind", ["pairs", "cubes", "exponential"])
def test_at_a_temperature_units_turn_as_in_thermal_equilibrium(kind, update):
    """Shares of all 64 states among 4,000 rows, beside exp(-E / T): within five standard errors of a binomial share."""
    memory, rows, temperature = random_memory(1, kind), 4000, 80.0 if kind == "cubes" else 2.0
    if isinstance(memory, Hopfield):
        memory = Hopfield(X, memory.weights - memory.weights.diagonal().diag(), memory.thresholds)
    found = memory.recall(WORLDS[torch.arange(rows) % 64], update=update, cooling=constant(temperature), sweeps=25)
    assert len(found.states) == 26
    shares = (found.final.long() * PLACES).sum(-1).bincount(minlength=64) / rows
    p = (-memory.energy(WORLDS) / temperature).softmax(0)
    assert ((shares - p).abs() < 5 * (p * (1 - p) / rows).sqrt() + 1 / rows).all()


def test_cooling_finds_the_least_energy_where_cold_units_stop_above_it():
    memory = random_network(2)
    least = memory.energy(WORLDS).min()
    cold, cooled = (memory.recall(WORLDS, cooling=each) for each in (constant(0.0), geometric(5.0, 0.05, 90)))
    assert (cold.energies[-1] > least + 0.1).sum() > (cooled.energies[-1] > least + 0.1).sum()
    assert cooled.settled.all()
    assert len(memory.recall(WORLDS, cooling=linear(2.0, 0.0, 10)).states) > 10


def test_seeds_say_which_units_turn():
    memory, shown = random_network(3), WORLDS
    films = [memory.recall(shown, seed=seed, sweeps=1).final for seed in (0, 0, 1)]
    assert torch.equal(films[0], films[1])
    assert not torch.equal(films[0], films[2])


def test_refusals():
    network = random_network(0)
    with pytest.raises(ValueError, match=r"recall: there are numbers of shape \(2, 5\), expected \[\*batch, 6\]"):
        network.recall(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"'x' has a value of -1, expected zeros and ones; of spins s they are \(1 \+"):
        network.recall(-torch.ones(6))
    with pytest.raises(ValueError, match="update is 'random' and sweeps is 100, expected one of asynchronous"):
        network.recall(torch.zeros(6), update="random")
    with pytest.raises(ValueError, match="sweeps is 0, expected .* 1 sweep or more"):
        network.recall(torch.zeros(6), sweeps=0)
    with pytest.raises(ValueError, match="the temperature of sweep 2 is -1.0, expected 0 or above"):
        network.recall(torch.zeros(6), cooling=linear(1.0, -1.0, 2))
    with pytest.raises(ValueError, match=r"fixed has shape \(5,\), expected \(6,\)"):
        network.recall(torch.zeros(6), fixed=torch.zeros(5))
    with pytest.raises(ValueError, match="'x' is Real\\(6\\), expected Binary units"):
        hopfield(Variable("x", Real(6)), torch.zeros(1, 6))


@pytest.mark.gpu
def test_memories_live_where_their_patterns_do():
    patterns = torch.randint(0, 2, (3, 6), generator=torch.Generator().manual_seed(0)).float()
    for there, here in (
        (hopfield(X, patterns.cuda()), hopfield(X, patterns)),
        (DenseMemory(X, patterns.cuda(), polynomial(4)), DenseMemory(X, patterns, polynomial(4))),
    ):
        found = there.recall(WORLDS.float().cuda())
        assert found.final.is_cuda
        assert torch.equal(found.final.cpu(), here.recall(WORLDS.float()).final)
