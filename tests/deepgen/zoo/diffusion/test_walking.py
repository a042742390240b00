"""What a user of samples meets: Ctrl-C on the way, a look at the way, and what is refused by name."""

import pytest
import torch
from torch import Tensor, nn

from deepgen.networks.timed import timed_mlp
from deepgen.zoo.diffusion import Diffusion, cosine_noise, diffusion
from deepgen.zoo.diffusion.denoiser import Denoiser
from deepgen.zoo.diffusion.process import posterior_mean
from pgm import Real, Variable

X, LABEL = Variable("x", Real(2)), Variable("label", range(3))
STEPS, ROWS = 10, 4


class Halving(nn.Module):
    """Has half of x_t in mind; Ctrl-C is pressed while it is asked at one of the steps."""

    def __init__(self, pressed: int | None = None) -> None:
        super().__init__()
        self.pressed = pressed

    def forward(self, now: Tensor, time: Tensor) -> Tensor:
        if self.pressed is not None and round(time[0].item() * STEPS) == self.pressed:
            raise KeyboardInterrupt
        return now / 2


def made(pressed: int | None = None) -> Diffusion:
    return Diffusion(X, Denoiser(Halving(pressed), cosine_noise(STEPS), "data"))


def watched(model: Diffusion, **options) -> tuple[Tensor, list]:
    way: list = []
    return model.sample(ROWS, watch=lambda *seen: way.append(seen), **options), way


@pytest.mark.parametrize("pressed", [9, 5, 1])
def test_ctrl_c_returns_what_was_in_mind_at_the_step_before(pressed: int) -> None:
    _, way = watched(made(), seed=0)
    found, cut = watched(made(pressed), seed=0)
    assert [leg.step for leg, _, _ in cut] == list(range(STEPS, pressed, -1))
    leg, now, _ = way[STEPS - pressed - 1]
    assert leg.step == pressed + 1
    torch.testing.assert_close(found, now / 2, rtol=0, atol=0)


def test_ctrl_c_leaves_what_is_known_and_the_callers_randomness() -> None:
    known, mask = torch.tensor([0.3, 0.0]), torch.tensor([1, 0])
    torch.manual_seed(1)
    found = made(5).sample(ROWS, known=known, mask=mask, seed=0)
    after = torch.rand(1)
    assert found[:, 0].tolist() == [known[0].item()] * ROWS
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(made().sample(ROWS, seed=3), made().sample(ROWS, seed=3))


def test_ctrl_c_before_the_first_step_is_one_for_the_caller() -> None:
    with pytest.raises(KeyboardInterrupt):
        made(STEPS).sample(ROWS)


def test_the_way_is_seen_leg_by_leg() -> None:
    """Without draws each x_{t-1} is where the line of its leg leads from x_t and the x_0 in mind."""
    model = made()
    found, way = watched(model, eta=0.0, steps=5, seed=0)
    assert [leg.step for leg, _, _ in way] == [10, 8, 6, 4, 2]
    states = [now for _, now, _ in way] + [found]
    for (leg, now, start), after in zip(way, states[1:], strict=True):
        torch.testing.assert_close(start, now / 2)
        noise = (now - leg.kept**0.5 * start) / (1 - leg.kept) ** 0.5
        torch.testing.assert_close(after, leg.before**0.5 * start + (1 - leg.before) ** 0.5 * noise)
    torch.testing.assert_close(model.sample(ROWS, eta=0.0, steps=5, seed=0), found)


def test_the_last_leg_of_an_ancestral_way_is_its_mean() -> None:
    found, way = watched(made(), seed=0)
    leg, now, start = way[-1]
    assert leg.step == 1
    torch.testing.assert_close(found, posterior_mean(cosine_noise(STEPS), start, now, torch.ones(ROWS).long()))


@pytest.mark.parametrize(
    ("rows", "given", "text"),
    [
        (2, None, "sample: 'label' is not given; give its values"),
        (2, {"label": torch.tensor([0, 1]), "lable": 1}, "'lable' is given, but the model is conditioned on 'label'"),
        (3, {"label": torch.tensor([0, 1])}, r"'label' has shape \(2,\), expected \(3,\) = \[rows, \*event\]"),
        (2, {"label": torch.tensor([0, 3])}, "'label' holds 3, expected 0 to 2"),
        (1, {"label": torch.tensor([0.0])}, "'label' holds torch.float32, expected the numbers of its states"),
        (0, {"label": torch.tensor([0])}, "rows is 0, expected 1 or more"),
    ],
)
def test_what_is_given_is_checked_by_name(rows, given, text) -> None:
    model = diffusion(X, timed_mlp(4), label=LABEL, noise=cosine_noise(4))
    with pytest.raises(ValueError, match=text):
        model.sample(rows, given)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"known": torch.zeros(3, 2), "mask": torch.ones(2)}, r"known values have shape \(3, 2\), expected \(4, 2\)"),
        (
            {"known": torch.tensor([0.0, 2.0]), "mask": torch.ones(2)},
            "known values go from 0 to 2, expected -1 to 1, as in `centred` data",
        ),
        ({"start": torch.full((ROWS, 2), 255.0)}, "shades of the start go from 255 to 255, expected -1 to 1"),
        ({"steps": 0}, "steps is 0, expected 1 to 4"),
    ],
)
def test_what_is_known_and_begun_from_is_checked(options, text) -> None:
    model = diffusion(X, timed_mlp(4), noise=cosine_noise(4), levels=5)
    with pytest.raises(ValueError, match=text):
        model.sample(ROWS, **options)


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_what_is_known_stays_whatever_the_start_is(strength: float) -> None:
    known, mask = torch.tensor([0.3, 0.0]), torch.tensor([1, 0])
    found = made().sample(ROWS, start=torch.full((ROWS, 2), 0.7), strength=strength, known=known, mask=mask, seed=0)
    assert found[:, 0].tolist() == [known[0].item()] * ROWS


def test_columns_are_asked_for_by_name_and_shades_are_numbers() -> None:
    model = diffusion(X, timed_mlp(4), label=LABEL, noise=cosine_noise(4), levels=5)
    with pytest.raises(ValueError, match="diffusion: there is no column 'label'; there are 'x'"):
        model.costs({"x": torch.zeros(ROWS, 2)})
    with pytest.raises(ValueError, match="costs: there is no column 'x'; there are 'label'"):
        model.costs({"label": torch.zeros(ROWS, dtype=torch.long)})
    with pytest.raises(ValueError, match="costs: shades of 'x' go from nan to nan, expected -1 to 1"):
        model.costs({"x": torch.full((ROWS, 2), float("nan")), "label": torch.zeros(ROWS, dtype=torch.long)})


def test_beyond_the_shades_counts_only_where_it_is_known() -> None:
    model = diffusion(X, timed_mlp(4), noise=cosine_noise(4), levels=5)
    found = model.sample(ROWS, known=torch.tensor([0.5, 255.0]), mask=torch.tensor([True, False]), seed=0)
    assert found[:, 0].tolist() == [0.5] * ROWS
