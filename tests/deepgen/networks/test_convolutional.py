"""Convolutional networks fit their parents and results, and do to each row what they would do to it alone."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import example, given, settings

from deepgen.networks import convolutional, mlp
from deepgen.objectives import elbo
from deepgen.zoo.vae import vae
from pgm import Binary, Real, Variable
from pgm.errors import ShapeError

LABEL = Variable("label", range(3))
sides = st.integers(1, 12)
images = st.one_of(st.tuples(sides, sides), st.tuples(st.integers(1, 3), sides, sides))
events = st.one_of(st.just(()), st.tuples(st.integers(1, 4)), images)


def values(given, *batch):
    return [torch.rand(*batch, 3) if v.finite else torch.rand(*batch, *v.shape) for v in given]


@settings(max_examples=25)
@given(st.lists(events, min_size=1, max_size=2), events, st.booleans())
@example([(28, 28)], (50,), True)
@example([(50,)], (28, 28), False)
@example([(16, 7, 7)], (28, 28), False)
@example([(8, 4, 4), (8, 7, 7)], (28, 28), True)
@example([(28, 28)], (16, 7, 7), True)
@example([(5, 7)], (20, 9), False)
def test_any_shapes_and_batch_axes_fit(shapes, result, labelled):
    if not any(len(shape) > 1 for shape in (*shapes, result)):
        result = (4, 4)
    given = [Variable(f"v{number}", Real(*shape)) for number, shape in enumerate(shapes)] + [LABEL] * labelled
    network = convolutional(2, 3)(given, result)
    inputs = values(given, 2, 3)
    whole = network(*inputs)
    assert whole.shape == (2, 3, *result)
    alone = network(*(value[1, 2] for value in inputs))
    torch.testing.assert_close(alone, whole[1, 2])


def test_rows_of_parents_are_matched_as_torch_does():
    given = [Variable("x", Real(6, 6)), LABEL]
    network = convolutional(2)(given, [6, 6])
    image, label = values(given, 4)
    whole = network(image[:, None], label)
    assert whole.shape == (4, 4, 6, 6)
    torch.testing.assert_close(whole[1, 2], network(image[1], label[2]))


@pytest.mark.parametrize("given", [[Variable("x", Real(8, 8)), LABEL], [Variable("z", Real(2)), LABEL]])
def test_gradients_reach_all_inputs_and_weights(given):
    network = convolutional(4, 4)(given, [2, 8, 8])
    inputs = [value.requires_grad_() for value in values(given, 5)]
    network(*inputs).square().sum().backward()
    for tensor in (*inputs, *network.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


def test_images_of_one_size_are_shifted_with_what_they_are_made_of():
    given = [Variable("x", Real(16, 16))]
    network = convolutional(4, blocks=1)(given, [16, 16])
    spot = torch.zeros(16, 16)
    spot[5:8, 5:8] = torch.rand(3, 3)
    moved = network(spot.roll((3, 2), (0, 1)))
    inside = slice(5, 13)  # two convolutions of 3 x 3 see two sites far, and zeros beyond the border
    torch.testing.assert_close(moved[inside, inside], network(spot).roll((3, 2), (0, 1))[inside, inside])


def test_a_site_of_halved_images_sees_what_its_convolutions_reach():
    network = convolutional(3, 3, blocks=0)([Variable("x", Real(20, 20))], [1, 5, 5])
    x = torch.rand(20, 20, requires_grad=True)
    network(x)[0, 2, 2].backward()
    seen = x.grad.abs().nonzero()
    assert seen.min().item() >= 2 * (2 * 2 - 1) - 1  # site 2 of 5: sites 3 to 5 of 10, sites 5 to 11 of 20
    assert seen.max().item() <= 2 * (2 * 2 + 1) + 1


@pytest.mark.parametrize("domain", [Binary(8, 8), Real(9, 7), Real(3, 8, 8)])
def test_a_vae_takes_them(domain):
    pair = vae(Variable("x", domain), 2, label=LABEL, encoder=convolutional(4, 4), decoder=convolutional(4, 4))
    seen = {"x": torch.rand(5, *domain.shape).round(), "label": torch.arange(5) % 3}
    torch.manual_seed(0)
    whole = elbo(pair.model, pair.guide, seen, 500)
    torch.manual_seed(1)
    alone = elbo(pair.model, pair.guide, {name: value[3:4] for name, value in seen.items()}, 500)
    spread = torch.stack([elbo(pair.model, pair.guide, {n: v[3:4] for n, v in seen.items()}) for _ in range(100)]).std()
    assert abs(whole[3] - alone[0]) < 5 * spread * (2 / 500) ** 0.5  # two means of 500 draws each


def test_gaussians_of_images_have_means_before_deviations():
    pair = vae(Variable("x", Real(3, 4)), 2, decoder=mlp(5))
    decoder = pair.model.conditionals["x"]
    numbers = decoder.net(torch.ones(2))
    made = decoder.distribution(torch.ones(2))
    assert numbers.shape == (2, 3, 4)
    torch.testing.assert_close(made.mean, numbers[0])
    torch.testing.assert_close(made.variance, numbers[1].exp() ** 2)


def test_what_is_wrong_is_said():
    with pytest.raises(ShapeError, match=r"there are no channels, expected one number or more"):
        convolutional()
    with pytest.raises(ShapeError, match=r"\['z'\] and the result of shape \(3,\) are vectors, expected an image"):
        convolutional(4)([Variable("z", Real(2))], [3])


@pytest.mark.gpu
def test_on_a_gpu():
    given = [Variable("x", Real(8, 8)), LABEL]
    network = convolutional(4)(given, [3, 4, 4])
    inputs = values(given, 5)
    here = network(*inputs)
    there = network.cuda()(*(value.cuda() for value in inputs))
    torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=1e-3)
