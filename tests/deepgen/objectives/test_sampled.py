"""Objectives of weighted and of finite draws: their expectations by enumeration, and Pyro's with the same noise."""

from collections.abc import Callable
from itertools import product
from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro import poutine
from pyro.infer import RenyiELBO, ReweightedWakeSleep
from torch import Tensor, nn

import pgm
from deepgen.objectives import (
    dreg,
    elbo,
    elbo_terms,
    iwae,
    log_weights,
    reinforce,
    reweighted_wake,
    sleep,
    vimco,
    wake,
)
from pgm import Gaussian, LinearGaussian, Model, Neural, Real, Tabular, Variable, as_pyro
from pgm.errors import PlanError

A, B, X = Variable("a"), Variable("b", 3), Variable("x")
REPEATS, ROWS = 40, 500


def rows_of(generator: torch.Generator, *shape: int) -> Tensor:
    return (torch.rand(*shape, generator=generator, dtype=torch.float64) + 0.2).softmax(-1)


def finite(seed: int) -> tuple[Model, Model]:
    """b -> a -> x, and a guide x -> a -> b: six joint states to be summed over."""
    g = torch.Generator().manual_seed(seed)
    above = Tabular(B, [], rows_of(g, 3)), Tabular(A, [B], rows_of(g, 3, 2))
    model = Model(*above, Tabular(X, [A, B], rows_of(g, 2, 3, 2)))
    return model, Model(Tabular(A, [X], rows_of(g, 2, 2)), Tabular(B, [A, X], rows_of(g, 2, 2, 3)))


STATES = torch.tensor(list(product(range(2), range(3))))  # [states, a and b]


def tables(model: Model, guide: Model, x: int) -> tuple[Tensor, Tensor]:
    """log p(x, a, b) and log q(a, b | x) of all joint states, with gradients."""
    values = {"a": STATES[:, 0], "b": STATES[:, 1], "x": torch.full((len(STATES),), x)}
    log_q = sum(c.log_prob(*(values[v.name] for v in c.scope)) for c in guide.conditionals.values())
    return model.log_prob(values), log_q


def gradients(total: Tensor, *models: nn.Module) -> Tensor:
    """The gradient in every parameter, end to end; of tables that in the logits of their rows."""
    parameters = [p for model in models for p in model.parameters()]
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    return torch.cat([_of_logits(p, g).flatten() for p, g in zip(parameters, found, strict=True)])


def _of_logits(table: Tensor, gradient: Tensor | None) -> Tensor:
    if gradient is None:
        return torch.zeros_like(table)
    is_table = table.dim() > 0 and bool((table.detach().sum(-1) - 1).abs().max() < 1e-9)
    return table.detach() * (gradient - (table.detach() * gradient).sum(-1, keepdim=True)) if is_table else gradient


def expected(model: Model, guide: Model, particles: int, of: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """E over all tuples of draws of a function of their log p and log q, `[particles]` each."""
    log_p, log_q = tables(model, guide, 1)
    total = torch.zeros(())
    for chosen in product(range(len(STATES)), repeat=particles):
        pick = list(chosen)
        total = total + log_q[pick].sum().exp() * of(log_p[pick], log_q[pick])
    return total


def estimated(objective: Callable[[], Tensor], *models: nn.Module) -> tuple[Tensor, Tensor]:
    """The mean gradient of a row over many batches of rows, and its standard error."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = torch.stack([gradients(objective().mean(), *models) for _ in range(REPEATS)])
    return found.mean(0), found.std(0) / REPEATS**0.5


def close(estimate: tuple[Tensor, Tensor], truth: Tensor) -> None:
    """Within 5 of its own standard errors everywhere."""
    mean, error = estimate
    assert bool(((mean - truth).abs() <= 5 * error + 1e-12).all()), (mean - truth) / error


def log_mean(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p - log_q).logsumexp(0) - log(len(log_p))


ONES = {"x": torch.ones(ROWS, dtype=torch.long)}


@pytest.mark.parametrize("particles", [1, 3])
def test_reinforce_follows_the_gradient_of_the_bound(particles: int) -> None:
    model, guide = finite(1)
    truth = gradients(expected(model, guide, 1, lambda p, q: (p - q).mean()), model, guide)
    close(estimated(lambda: reinforce(model, guide, ONES, particles, baseline=-1.0), model, guide), truth)


@pytest.mark.parametrize("particles", [2, 3])
def test_vimco_follows_the_gradient_of_the_weighted_bound(particles: int) -> None:
    model, guide = finite(2)
    truth = gradients(expected(model, guide, particles, log_mean), model, guide)
    close(estimated(lambda: vimco(model, guide, ONES, particles), model, guide), truth)


def test_values_are_the_bounds() -> None:
    model, guide = finite(3)
    with torch.no_grad():
        single = expected(model, guide, 1, log_mean).item()
        triple = expected(model, guide, 3, log_mean).item()
        torch.manual_seed(0)
        many = {"x": torch.ones(100_000, dtype=torch.long)}
        for found, truth in ((reinforce(model, guide, many), single), (vimco(model, guide, many, 3), triple)):
            assert abs(found.mean().item() - truth) < 5 * found.std().item() / len(found) ** 0.5
        evidence = pgm.log_evidence(model, given={"x": "1"}).item()
    assert single < triple < evidence


def test_reweighted_wake_leans_to_the_weighted_draws() -> None:
    model, guide = finite(4)

    def leaning(log_p: Tensor, log_q: Tensor) -> Tensor:
        return ((log_p - log_q).softmax(0).detach() * log_q).sum()

    model_truth = gradients(expected(model, guide, 2, log_mean), model)
    log_p, log_q = (each.detach() for each in tables(model, guide, 1))
    guide_truth = torch.zeros(sum(p.numel() for p in guide.parameters()), dtype=torch.float64)
    for pair in product(range(len(STATES)), repeat=2):
        _, live = tables(model, guide, 1)
        pick = list(pair)
        guide_truth += log_q[pick].sum().exp() * gradients(leaning(log_p[pick], live[pick]), guide)
    estimate = estimated(lambda: reweighted_wake(model, guide, ONES, 2), model, guide)
    close(estimate, torch.cat([model_truth, guide_truth]))


def test_awake_the_model_follows_the_bound_and_the_guide_stays() -> None:
    model, guide = finite(5)
    log_p, log_q = tables(model, guide, 1)
    truth = gradients((log_q.detach().exp() * log_p).sum(), model)
    estimate = estimated(lambda: wake(model, guide, ONES, 2), model, guide)
    close(estimate, torch.cat([truth, torch.zeros(sum(p.numel() for p in guide.parameters()), dtype=torch.float64)]))


@pytest.mark.parametrize("objective", [elbo, iwae, reinforce, reweighted_wake, vimco, wake])
def test_with_nothing_to_draw_everything_is_the_log_probability(objective: Callable[..., Tensor]) -> None:
    model, guide = finite(7)
    seen = {"a": STATES[:, 0], "b": STATES[:, 1], "x": torch.ones(len(STATES), dtype=torch.long)}
    torch.testing.assert_close(objective(model, guide, seen), model.log_prob(seen))


def test_asleep_the_guide_follows_dreams_and_the_model_stays() -> None:
    model, guide = finite(6)
    total = torch.zeros(())
    for x in range(2):
        log_p, log_q = tables(model, guide, x)
        total = total + (log_p.detach().exp() * log_q).sum()
    truth = torch.cat(
        [torch.zeros(sum(p.numel() for p in model.parameters()), dtype=torch.float64), gradients(total, guide)]
    )
    close(estimated(lambda: sleep(model, guide, ROWS), model, guide), truth)


def hierarchy(seed: int) -> tuple[Model, Model, Tensor]:
    """z2 -> z1 -> x and x -> z1 -> z2 with Gaussian noise: a guide that is not the posterior."""
    g = torch.Generator().manual_seed(seed)
    z1, z2, x = (Variable(name, Real(2)) for name in ("z1", "z2", "x"))
    w = [0.7 * torch.randn(2, 2, generator=g, dtype=torch.float64) for _ in range(4)]
    model = Model(
        Gaussian(z2, [0.0, 0.0], 1.0),
        LinearGaussian(z1, [z2], w[0], [0.1, 0.1], 0.5),
        LinearGaussian(x, [z1], w[1], [0.0, 0.3], 0.8),
    )
    guide = Model(LinearGaussian(z1, [x], w[2], [0.0, 0.0], 0.6), LinearGaussian(z2, [z1], w[3], [0.2, 0.0], 0.9))
    return model, guide, torch.randn(2, generator=g, dtype=torch.float64)


def test_dreg_follows_iwae_with_less_noise() -> None:
    model, guide, x = hierarchy(0)
    batch = {"x": x.expand(ROWS, 2)}
    plain = estimated(lambda: iwae(model, guide, batch, 8), model, guide)
    better = estimated(lambda: dreg(model, guide, batch, 8), model, guide)
    error = (plain[1].square() + better[1].square()).sqrt()
    assert bool(((plain[0] - better[0]).abs() <= 5 * error + 1e-12).all())
    own = sum(p.numel() for p in model.parameters())
    assert better[1][own:].mean() < plain[1][own:].mean()


def test_weighted_bounds_rise_to_the_evidence() -> None:
    model, guide, x = hierarchy(1)
    batch = {"x": x.expand(5_000, 2)}
    with torch.no_grad():
        torch.manual_seed(0)
        found = [iwae(model, guide, batch, k) for k in (1, 5, 25)]
        plain = elbo(model, guide, batch)
        weights = log_weights(model, guide, {"x": x}, 100_000).exp()
        evidence = pgm.log_evidence(model, given={"x": x}).item()
    means, errors = [f.mean().item() for f in found], [f.std().item() / len(f) ** 0.5 for f in found]
    assert means[0] + 5 * errors[0] < means[1] - 5 * errors[1]
    assert means[1] + 5 * errors[1] < means[2] - 5 * errors[2]
    assert means[2] - 5 * errors[2] < evidence
    assert abs(plain.mean().item() - means[0]) < 5 * (errors[0] + plain.std().item() / len(plain) ** 0.5)
    error = weights.std().item() / len(weights) ** 0.5
    assert abs(weights.mean().item() - torch.tensor(evidence).exp().item()) < 5 * error


def vae(seed: int) -> tuple[Model, Model, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        z, x = Variable("z", Real(2)), Variable("x", pgm.Binary(6))
        model = Model(Gaussian(z, [0.5, -0.5], [1.0, 2.0]), Neural(x, [z], pgm.bernoulli, nn.Linear(2, 6).double()))
        guide = Model(Neural(z, [x], pgm.normal, nn.Linear(6, 4).double()))
        return model, guide, torch.bernoulli(torch.full((1, 6), 0.5, dtype=torch.float64))


def same_noise(run: Callable[[], Tensor]) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return run()


@settings(max_examples=5)
@given(seed=st.integers(0, 1000), particles=st.integers(2, 4))
def test_iwae_is_pyros_with_the_same_noise(seed: int, particles: int) -> None:
    model, guide, x = vae(seed)

    def theirs() -> Tensor:
        program, proposal = as_pyro(model, given={"x": x}), as_pyro(guide, given={"x": x})
        return -RenyiELBO(alpha=0, num_particles=particles, max_plate_nesting=2).loss(
            program, lambda: poutine.block(proposal, hide=["x"])()
        )

    with torch.no_grad():
        ours = same_noise(lambda: torch.stack([log_weights(model, guide, {"x": x})[0] for _ in range(particles)]))
    bound = ours.logsumexp(0).sum().item() - log(particles)
    assert bound == pytest.approx(float(same_noise(theirs)), abs=1e-9)


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_reweighted_wake_is_pyros_with_the_same_noise(seed: int) -> None:
    model, guide, x = vae(seed)
    program, proposal = as_pyro(model, given={"x": x}), as_pyro(guide, given={"x": x})
    theirs = ReweightedWakeSleep(num_particles=3, insomnia=1.0, max_plate_nesting=2)
    torch.manual_seed(seed)
    wake_loss, _ = theirs.loss_and_grads(program, lambda: poutine.block(proposal, hide=["x"])())
    parameters = [p for each in (model, guide) for p in each.parameters()]
    follows = torch.cat([(torch.zeros_like(p) if p.grad is None else -p.grad).flatten() for p in parameters])
    assert follows.count_nonzero() > 20
    torch.manual_seed(seed)
    ours = reweighted_wake(model, guide, {"x": x}, 3).sum()  # so few numbers are drawn one after the other
    assert ours.item() == pytest.approx(-wake_loss, abs=1e-9)
    torch.testing.assert_close(gradients(ours, model, guide), follows)


def test_parts_add_up_to_the_bound() -> None:
    model, guide, x = hierarchy(2)
    whole = same_noise(lambda: elbo(model, guide, {"x": x}, 3))
    parts = same_noise(lambda: elbo_terms(model, guide, {"x": x}, 3))
    assert set(parts.divergence) == {"z1", "z2"}
    torch.testing.assert_close(parts.bound(), whole)
    twice = parts.reconstruction - 2 * sum(parts.divergence.values())
    torch.testing.assert_close(parts.bound(beta=2.0), twice)
    floor = 50.0
    torch.testing.assert_close(parts.bound(free=floor), parts.reconstruction - 2 * floor)


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_states_that_the_guide_leaves_out_are_summed(seed: int) -> None:
    """With b summed there is one weight for each state of a: sum_b p(a, b, x) / q(a | x)."""
    model, guide = finite(seed)
    alone = Model(guide.conditionals["a"])
    log_p = tables(model, guide, 1)[0].reshape(2, 3).logsumexp(1)
    log_q = torch.stack([alone.conditionals["a"].log_prob(torch.tensor(1), torch.tensor(a)) for a in range(2)])
    found = log_weights(model, alone, {"x": torch.ones(20, dtype=torch.long)}, 4).detach()
    distance = (found[..., None] - (log_p - log_q).detach()).abs().min(-1).values  # from the nearer of the two
    assert found.shape == (4, 20)
    assert distance.max() < 1e-6
    torch.testing.assert_close(
        iwae(model, Model(), {"x": torch.tensor([1])}), log_p.logsumexp(0)[None], check_dtype=False
    )


def test_what_cannot_be_is_refused_by_name() -> None:
    model, guide = finite(0)
    with pytest.raises(PlanError, match="vimco: particles is 1, expected 2 or more"):
        vimco(model, guide, ONES, 1)
    with pytest.raises(PlanError, match="dreg: node 'a' is not reparameterised"):
        dreg(model, guide, ONES)
    z, x = Variable("z", Real()), Variable("x", Real())
    with pytest.raises(PlanError, match="iwae: node 'z' is neither observed nor drawn"):
        iwae(Model(Gaussian(z, 0.0, 1.0), LinearGaussian(x, [z], [1.0], 0.0, 1.0)), Model(), {"x": torch.zeros(3)})
    with pytest.raises(PlanError, match=r"sleep: Table\(x\) cannot be drawn from"):
        sleep(Model(pgm.Table([X], [1.0, 2.0])), guide, 3)
    with pytest.raises(PlanError, match="sleep: 'a' has no conditional"):
        sleep(Model(Tabular(X, [A], [[0.5, 0.5], [0.5, 0.5]])), guide, 3)
