"""Codes beside enumeration: what rows say of them bounds the mutual information, and is it where the reader is best."""

from collections.abc import Callable, Sequence
from math import log, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from deepgen.conditionals import neural
from deepgen.conditionals.discriminator import Discriminator
from deepgen.conditionals.generated import Generated
from deepgen.data.data import Data
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, adam
from deepgen.zoo.adversarial import Gan, adversarial, infogan, information
from deepgen.zoo.adversarial.gan import DENSE, FLAG, flipped
from deepgen.zoo.adversarial.infogan import prior
from pgm import Binary, Model, Real, Tabular, Variable
from pgm.errors import GraphError

PLACES, NOISE = 4, 5
CODE, Z, X = Variable("c", 3), Variable("z", NOISE), Variable("x", Real(1))


class Looked(nn.Module):
    """A network that looks numbers up: of the place that x is, or of the code and the noise, as one-hot rows."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, *values: Tensor) -> Tensor:
        if len(values) == 1:
            return self.table[values[0][..., 0].round().long()]
        first, second = (value.argmax(-1) for value in values)
        return self.table[first, second]


def looking(table: Tensor) -> Callable[[Sequence[Variable], Sequence[int]], nn.Module]:
    return lambda given, shape: Looked(table)


def channel(seed: int) -> tuple[Gan, Tensor]:
    """x is one of four places, looked up by a code and by noise of five states; and p(c, x) by counting."""
    draws = torch.Generator().manual_seed(seed)
    places = torch.randint(PLACES, (3, NOISE, 1), generator=draws).float()
    noise = torch.rand(NOISE, generator=draws).softmax(-1)
    weights = torch.randn(PLACES, 3, generator=draws)
    model = Model(flipped(), prior(CODE), Tabular(Z, [], noise), Generated(X, FLAG, [CODE, Z], looking(places)))
    guide = Model(Discriminator(FLAG, [X], DENSE), neural(CODE, [X], looking(weights)))
    joint = torch.zeros(3, PLACES)
    for c in range(3):
        for z in range(NOISE):
            joint[c, int(places[c, z])] += noise[z] / 3
    return Gan(Pair(model, guide)), joint


def mutual(joint: Tensor) -> float:
    apart = joint.sum(1, keepdim=True) * joint.sum(0)
    return torch.where(joint > 0, joint * (joint / apart).log(), 0.0).sum().item()


def summed(found: Gan, joint: Tensor) -> float:
    """log 3 + E log q(c | x), over all codes and noise with their weights."""
    c, z = (grid.flatten() for grid in torch.meshgrid(torch.arange(3), torch.arange(NOISE), indexing="ij"))
    rows = found.fake(len(c), {"c": c, "z": z})
    weights = found.pair.model.conditionals["z"].log_prob(z).exp() / 3
    return log(3) + (weights * found.encoders["c"].log_prob(rows["x"], rows["c"])).sum().item()


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_no_reader_finds_more_than_there_is_and_the_posterior_finds_it_all(seed: int) -> None:
    found, joint = channel(seed)
    reader, exact = found.encoders["c"], mutual(joint)
    assert summed(found, joint) <= exact + 1e-5
    with torch.no_grad():
        posterior = joint / joint.sum(0).clamp_min(1e-9)
        reader.net.table.copy_(posterior.clamp_min(1e-12).log().mT)
    assert summed(found, joint) == pytest.approx(exact, abs=1e-5)


def test_the_figure_is_that_sum_within_its_error() -> None:
    found, joint = channel(1)
    (figure,) = information(found, rows=4000)
    assert figure.error is not None
    assert abs(figure.value - summed(found, joint)) < 4 * figure.error
    assert str(figure).startswith("I(c; x) >= ")


def test_the_generators_cost_is_what_the_figure_lacks_of_the_entropy() -> None:
    """E[-log q(c | x)] of the phase's own rows is H(c) less the figure, each with its error."""
    found, _ = channel(2)
    torch.manual_seed(0)
    terms = adversarial(found)[1].objective({"x": torch.zeros(4000, 1)}, Moment(0, 0, 0.0))
    assert not isinstance(terms, Tensor)
    cost, (figure,) = terms["-log q(c)"].detach(), information(found, rows=4000, seed=1)
    assert figure.error is not None
    assert abs(log(3) - cost.mean().item() - figure.value) < 4 * sqrt(2) * figure.error


def test_learning_makes_rows_say_their_codes() -> None:
    """Three heaps of points: within 80 turns rows say of their code at least nine tenths of its entropy."""
    draws = torch.Generator().manual_seed(0)
    centres = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    points = centres[torch.randint(3, (600,), generator=draws)] + 0.1 * torch.randn(600, 2, generator=draws)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = mlp(32)
        found = infogan(Variable("x", Real(2)), 1, [CODE], generator=net, discriminator=net, reader=net)
        before = information(found)[0].value
        phases = adversarial(found, optimiser=adam(5e-3, (0.5, 0.99)))
        fit(phases, Data({"x": points}), turns=80, batch=50, device="cpu", progress=False, record=80)
    assert before < 0.1
    assert information(found)[0].value > 0.9 * log(3)


def slanted(along: float, beside: float) -> Gan:
    """x = a c + b z, and the reader with the best mean, E[c | x] = a x / (a^2 + b^2)."""
    found = infogan(Variable("x", Real(1)), 1, [Variable("c", Real(1))], generator=mlp(), reader=mlp())
    weight, bias = found.generator.parameters()
    reader, constant = found.encoders["c"].net.parameters()
    with torch.no_grad():
        weight.copy_(torch.tensor([[beside, along]]))
        reader.fill_(along / (along**2 + beside**2))
        for each in (bias, constant):
            each.zero_()
    return found


@pytest.mark.parametrize(("along", "beside"), [(1.0, 0.0), (2.0, 1.0), (0.5, 2.0)])
def test_a_number_is_worth_at_most_half_a_nat(along: float, beside: float) -> None:
    """x = a c + b z: E[log q(c | x) - log p(c)] = (1 - Var(c | x)) / 2 = a^2 / (a^2 + b^2) / 2 at the best mean."""
    (figure,) = information(slanted(along, beside), rows=4000)
    assert figure.error is not None
    assert abs(figure.value - along**2 / (along**2 + beside**2) / 2) < 4 * figure.error


def test_learning_makes_rows_say_their_numbers() -> None:
    """Points in two dimensions: within 120 turns rows say at least 0.4 of the half nat that there is."""
    points = torch.randn(600, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([2.0, 1.0])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, code = mlp(16), Variable("t", Real(1))
        found = infogan(Variable("x", Real(2)), 1, [code], generator=mlp(), discriminator=net, reader=net)
        phases = adversarial(found, optimiser=adam(1e-2, (0.5, 0.99)))
        fit(phases, Data({"x": points}), turns=120, batch=50, device="cpu", progress=False, record=120)
    (figure,) = information(found)
    assert figure.error is not None
    assert 0.4 < figure.value < 0.5 + 4 * figure.error
    t = torch.linspace(-2, 2, 9)[:, None]
    x = found.sample(9, {"t": t, "z": torch.zeros(9, 1)})
    read = found.encoders["t"].distribution(x).mean
    assert torch.corrcoef(torch.cat([read, t], 1).mT)[0, 1] > 0.9


def test_priors_of_codes() -> None:
    found = infogan(Variable("x", Real(2)), 0, [CODE, Variable("t", Real(2))], label=Variable("label", 2))
    assert found.pair.model.conditionals["c"].distribution().entropy().item() == pytest.approx(log(3))
    assert found.pair.model.conditionals["t"].log_prob(torch.zeros(2)).item() == pytest.approx(-log(2 * torch.pi))
    assert not any(p.requires_grad for p in found.pair.model.conditionals["c"].parameters())
    assert [v.name for v in found.encoders["t"].given] == ["x", "label"]


def test_codes_are_needed_and_of_two_kinds() -> None:
    x = Variable("x", Real(2))
    with pytest.raises(GraphError, match="infogan: there are no codes, expected one or more; without any use gan"):
        infogan(x, codes=[])
    with pytest.raises(GraphError, match=r"Standard\(b\): 'b' is Binary\(2\), expected Real"):
        infogan(x, codes=[Variable("b", Binary(2))])
