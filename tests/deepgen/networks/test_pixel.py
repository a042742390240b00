"""Autoregressive grids against the chain rule: what each site sees, all probabilities, draws, conditions."""

from itertools import product

import pytest
import torch

from deepgen.networks.pixel import pixel_cnn
from pgm import Binary, Count, Neural, Real, Variable

LABEL = Variable("label", range(2))
CODE = Variable("code", Count(2, 3))


def made(child, given, states, seed=0, **options):
    """A conditional whose weights are large enough for probabilities that differ."""
    torch.manual_seed(seed)
    prior = Neural(child, given, None, pixel_cnn(6, **options)(given, [states, *child.shape]))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(1.5 * torch.randn_like(parameter) / max(parameter[0].numel(), 1) ** 0.5)
    return prior


def grids(states, height, width):
    return torch.tensor(list(product(range(states), repeat=height * width))).reshape(-1, height, width).float()


@pytest.mark.parametrize("options", [{"layers": 1, "kernel": 3}, {"layers": 3, "kernel": 5}])
def test_a_site_depends_on_all_sites_before_it_and_on_no_other(options):
    net = made(Variable("code", Count(4, 5)), [], 3, **options).net.double()
    first = net.embedding(torch.randint(3, (1, 4, 5))).detach()
    net.embedding = torch.nn.Identity()  # so that there is a derivative by what is seen of each site

    def logits(seen):
        return net.logits(seen, net.place[None])[0].sum(0).flatten()

    found = torch.autograd.functional.jacobian(logits, first)[:, 0].abs().sum(-1).reshape(20, 20)
    assert torch.equal(found.triu(), torch.zeros(20, 20))
    far = [(19, 18), (19, 14), (6, 5), (6, 0)]  # the one to the left, the one above, and across the line's start
    assert all(found[site] > 0 for site in far)


def test_many_layers_see_everything_before():
    net = made(Variable("code", Count(4, 5)), [], 3, layers=6, kernel=5).net.double()
    first = net.embedding(torch.randint(3, (1, 4, 5))).detach()
    net.embedding = torch.nn.Identity()
    last = torch.autograd.functional.jacobian(lambda seen: net.logits(seen, net.place[None])[0, :, 3, 4].sum(), first)
    seen = last[0].abs().sum(-1).flatten()
    assert seen[:19].min() > 0
    assert seen[19] == 0


@pytest.mark.parametrize("label", [0, 1])
def test_probabilities_of_all_grids_sum_to_1(label):
    prior = made(CODE, [LABEL], 3).double()
    total = prior.log_prob(torch.tensor(label), grids(3, 2, 3).double()).exp().sum()
    torch.testing.assert_close(total, torch.ones_like(total))


def test_draws_are_as_frequent_as_their_density_says():
    rows, code = 4000, Variable("code", Count(2, 2))
    prior = made(code, [LABEL], 2)
    every = grids(2, 2, 2)
    for label in torch.arange(2):
        exact = prior.log_prob(label, every).exp()
        torch.manual_seed(3)
        drawn = prior.draw(label.expand(rows))
        found = (drawn[:, None] == every).all((-1, -2)).float().mean(0)
        error = (exact * (1 - exact) / rows).sqrt()
        assert ((found - exact).abs() < 5 * error + 1e-6).all()


def test_density_is_the_product_over_sites_drawn_one_after_another():
    prior = made(CODE, [LABEL], 3)
    value = torch.tensor([[0.0, 2.0, 1.0], [1.0, 1.0, 0.0]])
    net, context = prior.net, prior.distribution(torch.tensor(1)).context[None]
    total = 0.0
    for line, column in product(range(2), range(3)):
        seen = torch.zeros(1, 2, 3, dtype=torch.long)
        before = line * 3 + column
        seen.flatten()[:before] = value.flatten()[:before].long()
        logs = net.logits(seen[:, : line + 1], context[:, :, : line + 1]).log_softmax(1)
        total += logs[0, int(value[line, column]), line, column].item()
    assert prior.log_prob(torch.tensor(1), value).item() == pytest.approx(total, abs=1e-5)


def test_labels_change_what_is_drawn_and_rows_are_apart():
    prior = made(CODE, [LABEL], 3)
    values = grids(3, 2, 3)[:4]
    both = prior.log_prob(torch.tensor([[0], [1]]), values)
    assert both.shape == (2, 4)
    assert ((both[0] - both[1]).abs() > 1e-3).all()
    torch.testing.assert_close(both[1, 2], prior.log_prob(torch.tensor(1), values[2]))


def test_images_as_parents():
    above = Variable("above", Real(2, 2, 3))
    prior = made(CODE, [above, LABEL], 2)
    inputs = torch.rand(5, 2, 2, 3), torch.tensor([0, 1, 0, 1, 0])
    total = torch.stack([prior.log_prob(*inputs, value) for value in grids(2, 2, 3)]).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros(5), atol=1e-5, rtol=0)
    first = prior.log_prob(*inputs, torch.zeros(2, 3))
    other = prior.log_prob(inputs[0].roll(1, 0), inputs[1], torch.zeros(2, 3))
    assert ((first - other).abs() > 1e-4).all()


def test_what_is_no_state_is_impossible():
    prior = made(CODE, [], 3)
    assert prior.log_prob(torch.full((2, 3), 3.0)).item() == -torch.inf
    assert prior.log_prob(torch.full((2, 3), 0.5)).item() == -torch.inf


def test_binary_pixels_are_grids_of_two_states():
    pixels = Variable("x", Binary(3, 3))
    prior = made(pixels, [], 2)
    total = prior.log_prob(grids(2, 3, 3)).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros(()), atol=1e-5, rtol=0)
    assert set(prior.draw(shape=[50]).unique().tolist()) == {0.0, 1.0}
