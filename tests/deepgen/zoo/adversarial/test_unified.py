"""Games and autoencoders in one notation: the identities summed on a grid, with softmax parameters, in double."""

import re
from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import logsigmoid

from deepgen.conditionals import Standard, neural
from deepgen.conditionals.discriminator import Discriminator
from deepgen.conditionals.generated import Generated
from deepgen.networks import mlp
from deepgen.objectives import elbo
from deepgen.pair import Pair
from deepgen.training.phase import Moment
from deepgen.zoo.adversarial import Gan, adversarial, gan, infogan, minimax, non_saturating
from deepgen.zoo.adversarial.gan import DENSE, FLAG, flipped
from deepgen.zoo.adversarial.unified import flagged, unified
from deepgen.zoo.autoencoder import autoencoder
from deepgen.zoo.vae import vae
from pgm import BayesianNetwork, Binary, Model, Real, Tabular, Variable, infer
from pgm.errors import GraphError, PlanError

STATES, CODES = 6, 3
X, Z = Variable("x", Real(2)), Variable("z", Real(3))


def drawn(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def kl(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) of tables `[..., states]`."""
    return (p * (p / q).log()).sum(-1)


def reversed_(scores: Tensor) -> Tensor:
    """log q^r(y | x), `[y, states]`: log q(1 - y | x) of a discriminator with these log odds of 'real'."""
    return torch.stack([logsigmoid(scores), logsigmoid(-scores)])


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_the_best_discriminator_is_the_posterior_of_y(seed: int) -> None:
    """Its slope is 0 where sigmoid(s) is what exact inference in y -> x says, p / (p + q); the costs are convex."""
    fake, real = torch.stack(drawn(seed, (STATES,), (STATES,))).softmax(-1)
    x = Variable("x", STATES)
    graph = BayesianNetwork(flipped(), Tabular(x, [FLAG], torch.stack([fake, real])))
    posterior = infer(graph, given={"x": list(x.states)})["y", "real"].detach()
    scores = posterior.logit().requires_grad_()
    value = (real * non_saturating().real(scores) + fake * non_saturating().fake(scores)).sum()
    torch.testing.assert_close(torch.autograd.grad(value, scores)[0], torch.zeros(STATES).double())
    torch.testing.assert_close(posterior, real / (real + fake))


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_the_value_of_minimax_is_twice_jensen_shannon_less_log_4(seed: int) -> None:
    fake, real = torch.stack(drawn(seed, (STATES,), (STATES,))).softmax(-1)
    scores, both = (real / fake).log(), (real + fake) / 2
    value = -(real * minimax().real(scores) + fake * minimax().fake(scores)).sum()
    torch.testing.assert_close(value, kl(real, both) + kl(fake, both) - log(4))


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_the_generators_gradient_is_that_of_a_divergence_less_jensen_shannon(seed: int) -> None:
    """At any discriminator, not the best one alone, with q^r(x | y) ~ q^r(y | x) p(x) held where the generator is.

    E_y KL(p(x | y) || q^r(x | y)) = -E log q^r(y | x) + E_y KL(p(x | y) || p0(x)) + constant, and the second term is
    JS(p(x | fake), p(x | real)) + KL(p(x) || p0(x)), of which the latter is least at p0.
    """
    theta, data, scores = drawn(seed, (STATES,), (STATES,), (STATES,))
    theta.requires_grad_()
    p = torch.stack([theta.softmax(-1), data.softmax(-1)])  # [y, states]
    here = p.detach().mean(0)
    unnormalised = reversed_(scores).exp() * here
    held = unnormalised / unnormalised.sum(-1, keepdim=True)
    divergence = kl(p, held).mean() - kl(p, p.mean(0)).mean()
    cost = (p[0] * non_saturating().generated(scores)).sum() / 2  # of the rows that are fake: half of all
    for other in (cost, -(p * reversed_(scores)).sum(-1).mean()):
        (slope,) = torch.autograd.grad(other, theta, retain_graph=True)
        torch.testing.assert_close(slope, torch.autograd.grad(divergence, theta, retain_graph=True)[0])


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_with_codes_it_is_a_divergence_less_what_rows_say_of_y_and_the_code(seed: int) -> None:
    """q^r(x | y, c) ~ q^r(y | x) q(c | x) p(x), and I(x; y, c) for the Jensen-Shannon divergence."""
    theta, data, scores, guess = drawn(seed, (CODES, STATES), (STATES,), (STATES,), (CODES, STATES))
    theta.requires_grad_()
    read = guess.log_softmax(0)  # log q(c | x), [c, states]
    p = torch.stack([theta.softmax(-1), data.softmax(-1).expand(CODES, STATES)])  # [y, c, states]
    here = p.detach().mean((0, 1))
    unnormalised = (reversed_(scores)[:, None] + read).exp() * here
    held = unnormalised / unnormalised.sum(-1, keepdim=True)
    divergence = kl(p, held).mean() - kl(p, p.mean((0, 1))).mean()
    cost = (p[0] * (non_saturating().generated(scores) - read)).sum(-1).mean() / 2
    (slope,) = torch.autograd.grad(cost, theta, retain_graph=True)
    torch.testing.assert_close(slope, torch.autograd.grad(divergence, theta)[0])


def seeded(made: Gan, phase: int, x: Tensor) -> Tensor:
    """A phase's loss of a batch, with draws that are always the same."""
    torch.manual_seed(0)
    terms = adversarial(made)[phase].objective({"x": x}, Moment(0, 0, 0.0))
    assert not isinstance(terms, Tensor)
    return terms["loss"].mean()


def test_both_phases_are_the_log_density_of_y_in_the_graph_with_both_sources() -> None:
    """L_phi = E log q(y | x) and L_theta = E log q^r(y | x) over y and x; as costs twice that, since y is 1/2."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made, real = gan(X, 3), torch.randn(50, 2)
        torch.manual_seed(0)
        fake = made.fake(50)["x"]
        y, x = torch.arange(2).repeat_interleave(50), torch.cat([fake, real])  # 0 is fake
        q = made.pair.guide.conditionals["y"]
        torch.testing.assert_close(seeded(made, 0, real), -2 * q.log_prob(x.detach(), y).mean())
        moved = list(made.generator.parameters())
        ours = torch.autograd.grad(seeded(made, 1, real), moved)
        theirs = torch.autograd.grad(-2 * q.log_prob(x, 1 - y).mean(), moved)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_an_autoencoder_with_y_has_the_same_bound_less_log_2() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        pair, x = vae(X, 3, encoder=mlp(8), decoder=mlp(8)), torch.randn(20, 2)
        found = []
        for each in (pair, flagged(pair)):
            torch.manual_seed(0)
            bound = elbo(each.model, each.guide, {"x": x}, particles=3)
            found.append((bound, torch.autograd.grad(bound.sum(), list(pair.model.parameters()))))
    (plain, slopes), (with_y, same) = found
    torch.testing.assert_close(with_y.float(), plain - log(2))
    for one, other in zip(slopes, same, strict=True):
        torch.testing.assert_close(one, other)


def test_the_bound_is_minus_the_divergence_of_the_table() -> None:
    """-KL(q(z | x) q*^r(y | x) || p(z, y | x)) + log p(x), with every z and y enumerated; real rows have density 1."""
    x, z = Variable("x", Binary(3)), Variable("z", 4)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        decoder, encoder = neural(x, [z], mlp(5)), neural(z, [x], mlp(5))
    pair = flagged(Pair(Model(Tabular(z, [], [0.1, 0.2, 0.3, 0.4]), decoder), Model(encoder)))
    rows = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    prior = torch.tensor([0.1, 0.2, 0.3, 0.4])
    fake = 0.5 * prior * torch.stack([decoder.log_prob(torch.full((8,), k), rows).exp() for k in range(4)], 1)
    real = 0.5 * prior.expand(8, 4)
    evidence = (fake + real).sum(1)  # [rows]
    q = torch.stack([encoder.log_prob(rows, torch.full((8,), k)).exp() for k in range(4)], 1)
    divergence = kl(q, fake / evidence[:, None])  # q*^r says fake: no z with y = real has any weight
    torch.testing.assert_close(
        elbo(pair.model, pair.guide, {"x": rows}).float(), evidence.log() - divergence, atol=1e-5, rtol=1e-5
    )


def test_rows_of_the_data_are_not_drawn() -> None:
    pair = flagged(vae(X, 2))
    assert pair.sample(4, {"y": torch.zeros(4).long()})["x"].shape == (4, 2)
    with pytest.raises(PlanError, match=r"Flagged\(x\): rows of 'x' whose 'y' is 'real' are those of the data"):
        pair.sample(4, {"y": torch.ones(4).long()})


def bigan() -> Gan:
    model = Model(flipped(), Standard(Z), Generated(X, FLAG, [Z], DENSE))
    return Gan(Pair(model, Model(Discriminator(FLAG, [X, Z], DENSE), neural(Z, [X], DENSE))))


def test_what_is_latent_and_minimised_follows_from_the_graphs() -> None:
    label = Variable("label", 3)
    models: dict[str, Pair | Gan] = {
        "GAN": gan(X, 3),
        "given labels": gan(X, 3, label=label),
        "InfoGAN": infogan(X, 3, [Variable("c", 4)]),
        "BiGAN": bigan(),
        "VAE": vae(X, 3),
    }
    found = unified(models)
    assert [(each.visible, each.latent) for each in found.columns] == [
        ("y", "x"),
        ("y", "x"),
        ("y, c", "x"),
        ("y", "x, z"),
        ("x", "z, y"),
    ]
    assert [each.minimised for each in found.columns] == [
        "KL(p(x | y) || q^r(x | y)) - JS(p(x | fake), p(x | real))",
        "KL(p(x | y, label) || q^r(x | y, label)) - JS(p(x | fake, label), p(x | real, label))",
        "KL(p(x | y, c) || q^r(x | y, c)) - I(x; y, c)",
        "KL(p(x, z | y) || q^r(x, z | y)) - JS(p(x, z | fake), p(x, z | real))",
        "KL(q(z | x) q*^r(y | x) || p(z, y | x))",
    ]
    assert found["InfoGAN"].model_learns == "E log q^r(y | x) q(c | x)"
    assert unified({"VAE": flagged(vae(X, 3))}) == unified({"VAE": vae(X, 3)})


def test_it_prints_a_column_a_model() -> None:
    lines = str(unified({"GAN": gan(X, 3), "VAE": vae(X, 3)})).splitlines()
    assert lines[0].split() == ["model", "GAN", "VAE"]
    assert re.split(" {2,}", lines[1]) == ["generates", "p(y) p(z) p(x | y, z)", "p(y) p(z) p(x | y, z)"]
    assert max(map(len, lines)) < 100


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(GraphError, match="unified: the pair is Pair.*, expected a model of conditionals that explains"):
        unified({"sparse": autoencoder(X, 2, sparsity=1.0)})
