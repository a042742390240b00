"""What the graphs of a game answer, what they refuse and why; and densities around generators, beside closed forms."""

from pathlib import Path

import pytest
import torch
from pyro.poutine import trace
from torch import Tensor
from torch.distributions import MultivariateNormal

from deepgen.data.data import Data
from deepgen.evaluate.annealed import annealed
from deepgen.evaluate.bounds import bounds
from deepgen.networks import mlp
from deepgen.objectives import elbo
from deepgen.pictures import graph
from deepgen.zoo.adversarial import Gan, blurred, gan, infogan
from pgm import Model, Real, Tabular, Variable, as_pyro, infer, sample
from pgm.engines.importance import Importance
from pgm.errors import PlanError, ShapeError

X, LABEL = Variable("x", Real(3)), Variable("label", range(3))
WIDTH = 0.5
WHY = r"'x' has no log_prob, a network makes it .* \(bigan\).* \(blurred\).* a density, such as vae or flow_matching"


def made(seed: int = 0) -> Gan:
    """x = W z + V label + b."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return gan(X, latents=2, label=LABEL, generator=mlp())


def linear(found: Gan) -> tuple[Tensor, Tensor]:
    """Its matrix, of two numbers and three states, and its constants."""
    matrix, constants = (p.detach() for p in found.generator.parameters())
    return matrix, constants


def density(found: Gan, label: int) -> MultivariateNormal:
    """What the linear generator with noise makes of a label, in closed form."""
    matrix, constants = linear(found)
    spread = matrix[:, :2] @ matrix[:, :2].mT + WIDTH**2 * torch.eye(3)
    return MultivariateNormal(constants + matrix[:, 2 + label], spread)


def test_what_does_not_look_at_x_is_answered() -> None:
    model = made().pair.model
    assert infer(model, given={"label": 1}, targets=["y"])["y"].tolist() == [0.5, 0.5]
    joint = Model(*model.conditionals.values(), Tabular(LABEL, [], [0.2, 0.3, 0.5]))
    assert infer(joint, given={"y": "fake"}, targets=["label"])["label"].tolist() == pytest.approx([0.2, 0.3, 0.5])


@pytest.mark.parametrize("known", [{"label": 0}, {"label": 0, "y": "fake"}])
def test_a_density_of_x_is_refused_with_what_there_is_instead(known: dict[str, object]) -> None:
    found, x = made(), [0.0, 0.0, 0.0]
    with pytest.raises(PlanError, match=WHY):
        infer(found.pair.model, given={"x": x, **known})
    with pytest.raises(PlanError, match=WHY):
        found.pair.model.log_prob({"x": x, "y": "fake", "z": [0.0, 0.0], "label": 0})
    with pytest.raises(PlanError, match=r"Generated\(x\): it has no log_prob"):
        infer(found.pair.model, given={"x": x, **known}, engine=Importance())
    with pytest.raises(PlanError, match=r"'x' is observed, but Generated\(x\) has no density"):
        trace(as_pyro(found.pair.model, given={"x": x, **known})).get_trace()
    with pytest.raises(PlanError, match="Give the guide a conditional of it"):
        bounds(found.pair, Data({"x": torch.zeros(2, 3), "label": torch.zeros(2).long()}), (1,))


def test_fake_rows_are_drawn_in_three_ways_and_real_ones_by_none() -> None:
    """With a seed of its own each is W z + V label + b at the z that it says."""
    found = made()
    matrix, constants = linear(found)
    ours = found.pair.sample(5, {"label": torch.tensor([0, 1, 2, 0, 1]), "y": torch.zeros(5).long()}, seed=0)
    theirs = sample(found.pair.model, 5, given={"label": 2, "y": "fake"}, seed=0)
    nodes = trace(as_pyro(found.pair.model, given={"label": [0, 1, 2], "y": ["fake"] * 3})).get_trace().nodes
    pyros = nodes["_RETURN"]["value"]
    for label, z, x in ([values[name] for name in ("label", "z", "x")] for values in (ours, theirs, pyros)):
        told = torch.eye(3)[label].expand(len(z), 3)
        torch.testing.assert_close(x, torch.cat([z, told], 1).float() @ matrix.mT + constants)
    with pytest.raises(PlanError, match="rows of 'x' whose 'y' is 'real' are those of the data"):
        sample(found.pair.model, 50, given={"label": 0})


def test_it_is_drawn_without_a_density(tmp_path: Path) -> None:
    graph(made().pair, path=tmp_path / "graph.dot")
    drawn = (tmp_path / "graph.dot").read_text()
    arrows = [line for line in drawn.splitlines() if "->" in line]
    assert sum("normalobox" in line for line in arrows) == 3  # y, z and label -> x
    assert sum("normalbox" in line for line in arrows) == 2  # x and label -> y


def test_with_noise_around_it_annealing_finds_its_density() -> None:
    """Rows from elsewhere: below the truth by no more than intervals are wide. Its own rows: the interval covers."""
    found = made()
    pair = blurred(found, WIDTH)
    rows = Data({"x": torch.randn(40, 3, generator=torch.Generator().manual_seed(1)), "label": torch.ones(40).long()})
    below, dreams = annealed(pair, rows, temperatures=20, chains=5, leapfrog=2, start="prior", simulated=40)
    truth = density(found, 1).log_prob(rows["x"]).mean().item()
    assert dreams.interval is not None
    width = dreams.interval[1] - dreams.interval[0]
    assert width < 0.2
    assert truth - width < below.value < truth + width


def test_the_interval_covers_the_density_of_the_rows_it_drew() -> None:
    """The mean log p(x) of its rows is minus the entropy of a Gaussian, with the error of so many rows."""
    found = made(3)
    rows = Data({"x": torch.zeros(2, 3), "label": torch.full((2,), 2)})
    count = 200
    dreams = annealed(
        blurred(found, WIDTH), rows, temperatures=10, chains=2, leapfrog=2, start="prior", simulated=count
    )[1]
    assert dreams.interval is not None
    error = (3 / 2 / count) ** 0.5  # the variance of log N is half its dimension
    truth = -density(found, 2).entropy().item()
    assert dreams.interval[0] - 4 * error < truth < dreams.interval[1] + 4 * error


def test_noise_shares_the_generators_parameters_and_adds_none() -> None:
    found = made()
    pair = blurred(found, WIDTH)
    learned = {id(p) for p in pair.model.parameters() if p.requires_grad}
    assert learned == {id(p) for p in found.generator.parameters()}
    assert not list(pair.guide.parameters())
    values = {"x": torch.randn(4, 3), "label": torch.tensor([0, 1, 2, 0])}
    torch.testing.assert_close(
        pair.means({**values, "z": torch.ones(4, 2)})["x"],
        found.generator.generate(torch.ones(4, 2), values["label"]),
    )
    assert pair.infer(values)["z"].shape == (4, 2)


def test_finite_codes_are_summed_exactly() -> None:
    """One number and one code of three states: p(x) is the sum of three Gaussians."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = infogan(X, 1, [Variable("code", 3)], generator=mlp())
    pair, x = blurred(found, WIDTH), torch.randn(30, 3, generator=torch.Generator().manual_seed(2))
    matrix, constants = (p.detach() for p in found.generator.parameters())
    spread = matrix[:, :1] @ matrix[:, :1].mT + WIDTH**2 * torch.eye(3)
    parts = [MultivariateNormal(constants + matrix[:, 1 + code], spread).log_prob(x) for code in range(3)]
    truth = (torch.stack(parts).logsumexp(0) - torch.tensor(3.0).log()).mean().item()
    below, dreams = annealed(pair, Data({"x": x}), temperatures=20, chains=5, leapfrog=2, start="prior", simulated=40)
    assert dreams.interval is not None
    width = dreams.interval[1] - dreams.interval[0]
    assert width < 0.2
    assert truth - width < below.value < truth + width
    assert elbo(pair.model, pair.guide, {"x": x}).mean().item() < truth


def test_noise_has_a_width() -> None:
    with pytest.raises(ShapeError, match="deviation is 0, expected a number above 0"):
        blurred(made(), 0)


@pytest.mark.gpu
def test_noise_is_where_the_generator_is() -> None:
    """On the GPU the bound is that of the closed form as well."""
    found = made()
    found.pair.model.to("cuda")
    rows = Data({"x": torch.randn(40, 3, generator=torch.Generator().manual_seed(1)), "label": torch.ones(40).long()})
    below, dreams = annealed(blurred(found, WIDTH), rows, temperatures=20, chains=5, start="prior", simulated=40)
    assert dreams.interval is not None
    width = dreams.interval[1] - dreams.interval[0]
    matrix, constants = (each.cpu() for each in linear(found))
    spread = matrix[:, :2] @ matrix[:, :2].mT + WIDTH**2 * torch.eye(3)
    truth = MultivariateNormal(constants + matrix[:, 3], spread).log_prob(rows["x"]).mean().item()
    assert width < 0.2
    assert truth - width < below.value < truth + width
