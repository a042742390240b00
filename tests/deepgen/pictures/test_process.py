"""Pictures of diffusion beside what they are of."""

import pytest
import torch

from deepgen import cosine_noise, diffusion, linear_noise, timed_mlp
from deepgen.pictures import bound_terms, process, schedules
from deepgen.zoo.diffusion.bound import Costs
from pgm import Real, Variable


def test_strips_of_images_have_a_column_for_each_step_and_a_band_for_each_way():
    torch.manual_seed(0)
    model = diffusion(Variable("image", Real(3, 5)), timed_mlp(4), noise=cosine_noise(8), levels=2)
    figure = process(model, {"image": torch.ones(2, 3, 5)}, columns=5)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words[1:6] == ["0, 100 %", *(f"{t}, {100 * cosine_noise(8).kept[t]:.0f} %" for t in (2, 4, 6, 8))]
    assert [word for word in words[6:] if word] == ["noise added", "taken away", "x_0 in mind"]
    state = torch.get_rng_state()
    assert _pixels(process(model, {"image": torch.ones(2, 3, 5)}, columns=5)) == _pixels(figure)
    assert torch.equal(torch.get_rng_state(), state)


def _pixels(figure) -> bytes:
    return figure.axes[0].images[0].get_array().tobytes()


def test_strips_of_points_begin_with_the_data_and_end_with_noise():
    """At the last step of a cosine schedule nothing is left of the data: mean 0 and variance 1."""
    torch.manual_seed(0)
    model, x = diffusion(Variable("x", Real(2)), timed_mlp(4), noise=cosine_noise(8)), 3 + torch.randn(400, 2)
    axes = process(model, {"x": x}, columns=3).axes
    assert len(axes) == 9
    places = [torch.tensor(each.collections[0].get_offsets()) for each in axes]
    torch.testing.assert_close(places[0].float(), x)
    for last in (places[2], places[5]):
        assert last.mean(0).abs().max() < 5 / 400**0.5
        assert (last.var(0) - 1).abs().max() < 5 * (2 / 400) ** 0.5


def test_schedules_are_drawn_as_they_are():
    noises = {"cosine": cosine_noise(10), "linear": linear_noise(20)}
    share, ratio = schedules(noises).axes
    for place, noise in enumerate(noises.values()):
        assert share.lines[place].get_ydata().tolist() == noise.kept.tolist()
        assert ratio.lines[place].get_ydata().tolist() == noise.snr[1:].log().tolist()
    assert {text.get_text() for text in ratio.texts} == set(noises)


def test_terms_add_up_to_the_title():
    costs = Costs(torch.tensor([0.5, 0.5]), torch.tensor([[1.0, 3.0], [4.0, 4.0]]), torch.tensor([-2.0, -4.0]))
    bars, line = bound_terms(costs).axes
    assert [bar.get_width() for bar in bars.patches] == [-3.0, 6.0, 0.5]
    assert bars.get_title(loc="left") == "minus the bound: 3.5 nats"
    assert line.lines[0].get_xydata().tolist() == [[2.0, 2.0], [3.0, 4.0]]


def test_refusals():
    model = diffusion(Variable("x", Real(3)), timed_mlp(4), noise=cosine_noise(4))
    with pytest.raises(ValueError, match="columns is 1, expected 2 or more"):
        process(model, {"x": torch.zeros(2, 3)}, columns=1)
    with pytest.raises(ValueError, match="expected .n, H, W., .n, 1, H, W. or .n, 3, H, W."):
        process(model, {"x": torch.zeros(2, 3)})
    with pytest.raises(ValueError, match="there are no processes, expected one or more by name"):
        schedules({})
