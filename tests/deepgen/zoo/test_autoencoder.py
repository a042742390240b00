"""Autoencoders beside principal components, sparse coding, and Pyro."""

import math
from functools import partial

import pytest
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor, nn
from torch.nn.functional import softshrink

from deepgen.conditionals import Isotropic
from deepgen.networks import dictionary, mlp
from deepgen.objectives import denoising, elbo, masked
from deepgen.testing import pyro_trained
from deepgen.zoo.autoencoder import autoencoder, linear_autoencoder
from pgm import Binary, GraphError, PlanError, Real, Variable, as_pyro

X, LABEL = Variable("x", Real(6)), Variable("label", range(3))


def rows(count: int = 40, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    spread = torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.5, 0.3, 0.2], dtype=torch.float64))
    mixed = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    return torch.randn(count, 6, generator=generator, dtype=torch.float64) @ spread @ mixed + 1


@pytest.fixture(scope="module")
def learned():
    """A linear autoencoder at its optimum, and its data."""
    torch.manual_seed(0)
    pair, x = linear_autoencoder(X, codes=2), rows()
    for module in pair.modules.values():
        module.double()
    parameters = [p for module in pair.modules.values() for p in module.parameters()]
    lbfgs = torch.optim.LBFGS(parameters, max_iter=600, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        lbfgs.zero_grad()
        found = -elbo(pair.model, pair.guide, {"x": x}).mean()
        found.backward()
        return found

    lbfgs.step(loss)
    return pair, x


def principal(x: Tensor) -> tuple[Tensor, Tensor]:
    """The first two principal directions `[2, numbers]`, and the reconstructions from them."""
    mean = x.mean(0)
    directions = torch.linalg.svd(x - mean, full_matrices=False).Vh[:2]
    return directions, (x - mean) @ directions.mT @ directions + mean


def test_a_linear_one_reconstructs_as_principal_components_do(learned):
    pair, x = learned
    reconstructed = pair.means(pair.infer({"x": x}))["x"]
    torch.testing.assert_close(reconstructed, principal(x)[1], atol=1e-3, rtol=0)


def test_a_linear_one_has_the_same_error_and_knows_it(learned):
    pair, x = learned
    error = (pair.means(pair.infer({"x": x}))["x"] - x).square().mean()
    best = (principal(x)[1] - x).square().mean()
    assert error.item() == pytest.approx(best.item(), rel=1e-6)
    width = pair.model.conditionals["x"].family.log_deviation.exp().item()
    assert width**2 == pytest.approx(best.item(), rel=1e-4)  # of maximum likelihood


def test_a_linear_one_spans_the_same_plane(learned):
    pair, x = learned
    weights = next(p for p in pair.model.conditionals["x"].net.parameters() if p.dim() == 2)  # [numbers, codes]
    plane = weights @ torch.linalg.pinv(weights)
    directions = principal(x)[0]
    torch.testing.assert_close(plane, directions.mT @ directions, atol=1e-3, rtol=0)


class Shrunk(nn.Module):
    """Codes shrunk towards 0 by learned amounts, after a linear map."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights, self.amounts = nn.Parameter(weights.clone()), nn.Parameter(torch.zeros(weights.shape[1]))

    def forward(self, x: Tensor) -> Tensor:
        z = x @ self.weights
        return z.sign() * (z.abs() - self.amounts).relu()


DEVIATION, COST = 0.5, 2.0


def sparse(atoms: Tensor):
    """A sparse autoencoder whose decoder is given and whose encoder shrinks."""

    def decoder(given, shape):
        net = nn.Linear(3, 6, bias=False).requires_grad_(False)
        net.weight.copy_(atoms.mT)
        return net

    width = Isotropic(DEVIATION, learned=False)
    return autoencoder(
        X, 3, sparsity=COST, encoder=lambda given, shape: Shrunk(atoms.mT), decoder=decoder, family=width
    )


def shrinkage(x: Tensor, atoms: Tensor, steps: int = 500) -> Tensor:
    """The best sparse codes of rows, by iterated shrinkage of |x - z D|^2 / 2 + cost * deviation^2 |z|."""
    size = 1 / torch.linalg.matrix_norm(atoms, 2).item() ** 2
    z = torch.zeros(len(x), len(atoms))
    for _ in range(steps):
        z = softshrink(z - size * (z @ atoms - x) @ atoms.mT, size * COST * DEVIATION**2)
    return z


def test_a_sparse_one_finds_the_codes_of_iterated_shrinkage():
    generator = torch.Generator().manual_seed(0)
    atoms = torch.linalg.qr(torch.randn(6, 3, generator=generator)).Q.mT  # orthogonal: one shrinkage is the optimum
    x = torch.randn(50, 6, generator=generator)
    pair = sparse(atoms)
    adam = torch.optim.Adam(pair.guide.parameters(), 1e-2)
    for _ in range(500):
        adam.zero_grad()
        (-elbo(pair.model, pair.guide, {"x": x}).mean()).backward()
        adam.step()
    best = shrinkage(x, atoms)
    torch.testing.assert_close(best, softshrink(x @ atoms.mT, COST * DEVIATION**2))
    found = pair.infer({"x": x})["z"]
    torch.testing.assert_close(found, best, atol=0.02, rtol=0)
    log_likelihood = torch.distributions.Normal(best @ atoms, DEVIATION).log_prob(x).sum(-1)
    optimum = (log_likelihood - COST * best.abs().sum(-1)).mean()
    reached = elbo(pair.model, pair.guide, {"x": x}).mean()
    assert optimum - 1e-3 < reached <= optimum + 1e-6


@pytest.fixture(scope="module")
def path():
    """Cost of codes and log-likelihood after training, one for each of three sparsities."""
    x, found = rows(30).float() / 5, []
    for sparsity in (0.0, 1.0, 10.0):
        torch.manual_seed(0)
        width = Isotropic(0.5, learned=False)
        pair = autoencoder(X, 4, sparsity=sparsity, encoder=mlp(16), decoder=dictionary, family=width)
        pyro_trained(pair, {"x": x}, steps=80, rate=3e-2)
        z = pair.infer({"x": x})
        found.append(
            (z["z"].abs().sum(-1).mean().item(), pair.model.conditionals["x"].log_prob(z["z"], x).sum().item())
        )
    return found


def test_the_more_codes_cost_the_smaller_they_are_and_the_less_they_say(path):
    """Of what is best for f + cost * g, g falls and f rises with the cost. Trained by plain Pyro."""
    sizes, likelihoods = zip(*path, strict=True)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert list(likelihoods) == sorted(likelihoods, reverse=True)


@pytest.mark.parametrize("domain", [Binary(6), Real(6)])
@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_bound_and_gradient_are_pyros(domain, sparsity):
    torch.manual_seed(0)
    x = torch.rand(5, 6).round()
    seen = {"x": x, "label": torch.tensor([0, 1, 2, 0, 1])}
    pair = autoencoder(Variable("x", domain), 2, label=LABEL, sparsity=sparsity, encoder=mlp(8), decoder=mlp(8))
    ours = elbo(pair.model, pair.guide, seen).sum()
    theirs = -Trace_ELBO().differentiable_loss(as_pyro(pair.model, given=seen), as_pyro(pair.guide, given=seen))
    torch.testing.assert_close(ours, theirs)
    parameters = [p for module in pair.modules.values() for p in module.parameters()]
    torch.testing.assert_close(torch.autograd.grad(ours, parameters), torch.autograd.grad(theirs, parameters))


def test_a_label_is_one_argument():
    torch.manual_seed(0)
    pair = autoencoder(X, 2, label=LABEL)
    assert [[v.name for v in part] for part in (pair.observed, pair.latents, pair.given)] == [["x"], ["z"], ["label"]]
    values = {"z": torch.zeros(3, 2), "label": torch.arange(3)}
    assert len(pair.means(values)["x"].unique(dim=0)) == 3


def test_nothing_is_drawn_of_what_has_no_distribution():
    with pytest.raises(PlanError, match="'z' has no conditional to be drawn from; give its values"):
        autoencoder(X, 2).sample(3)


@pytest.mark.parametrize("sparsity", [-1, math.nan])
def test_sparsity_is_a_cost(sparsity):
    with pytest.raises(GraphError, match=rf"autoencoder: sparsity is {sparsity}, expected 0 or more nats\."):
        autoencoder(X, 2, sparsity=sparsity)


def test_columns_of_a_dictionary_have_length_one_and_are_trained():
    net = dictionary([Variable("z", Real(3))], [2, 5])
    at = net(torch.eye(3)) - net(torch.zeros(3))
    torch.testing.assert_close(at.square().sum((1, 2)), torch.ones(3))
    loss = partial(denoising, corrupt=masked(0.5))
    pair = autoencoder(Variable("x", Real(2, 5)), 3, decoder=dictionary, encoder=mlp())
    loss(pair.model, pair.guide, {"x": torch.rand(4, 2, 5)}).sum().backward()
    assert all(p.grad is not None for p in pair.model.parameters())
