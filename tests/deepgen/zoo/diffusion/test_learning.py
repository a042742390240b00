"""What diffusion models learn from."""

import pytest
import torch
from scipy.stats import chisquare

from deepgen import adam, arrays, fit
from deepgen.networks.timed import timed_mlp
from deepgen.training.phase import Moment
from deepgen.zoo.diffusion import Diffusion, cosine_noise, diffusion
from deepgen.zoo.diffusion.bound import sampled_costs
from deepgen.zoo.diffusion.learning import SHARE, denoised, hidden
from deepgen.zoo.diffusion.process import spread
from pgm import Real, Variable

X, LABEL, NOW = Variable("x", Real(2)), Variable("label", range(3)), Moment(0, 0, 0.0)
SEEN = {"x": torch.tensor([[0.5, -1.0]]), "label": torch.tensor([2])}


def made(variance: str = "added", label: bool = False, **options) -> Diffusion:
    torch.manual_seed(0)
    also = LABEL if label else None
    return diffusion(X, timed_mlp(8), label=also, noise=cosine_noise(4), variance=variance, **options)


@pytest.mark.parametrize(("variance", "levels"), [("added", None), ("learned", 5)])
def test_one_step_a_row_is_the_whole_bound_on_average(variance, levels):
    model, rows = made(variance, levels=levels, predicts="v"), 20_000
    batch = {"x": SEEN["x"].expand(rows, 2)}
    whole = model.costs(batch).total
    learned = denoised(model, "bound").objective(batch, NOW)["loss"].detach()
    for sampled in (learned, sampled_costs(model.denoiser, batch["x"], event=1, levels=levels, draws=2).total):
        error = (sampled.var() + whole.var()).sqrt() / rows**0.5  # steps are spread evenly: an upper bound
        assert abs(sampled.mean() - whole.mean()) < 5 * error


def test_the_hybrid_teaches_means_as_the_simple_goal_does():
    """What is said of means follows the squared error alone, what is said of variances the cost alone."""
    model = made("learned", predicts="v")
    batch = {"x": torch.randn(50, 2, generator=torch.Generator().manual_seed(0))}
    last = model.denoiser.net.last
    found = {}
    for goal in ("hybrid", "bound"):
        torch.manual_seed(3)
        terms = denoised(model, goal).objective(batch, NOW)
        found[goal] = torch.autograd.grad(terms["loss"].mean(), last.bias)[0]
        if goal == "hybrid":
            torch.manual_seed(3)
            terms = denoised(model, goal).objective(batch, NOW)
            found["error"] = torch.autograd.grad(terms["error"].mean(), last.bias)[0]
    torch.testing.assert_close(found["hybrid"][:2], found["error"][:2])
    torch.testing.assert_close(found["hybrid"][2:], SHARE / 2 * found["bound"][2:])  # a number of x


def test_steps_are_spread_evenly_and_equally_likely():
    torch.manual_seed(0)
    drawn = torch.stack([spread(12, 4, torch.device("cpu")) for _ in range(500)])
    assert drawn.sort(1).values.unique(dim=0).tolist() == [[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]]
    assert chisquare(drawn[:, 0].bincount(minlength=5)[1:]).pvalue > 1e-6
    few = torch.cat([spread(1, 4, torch.device("cpu")) for _ in range(2000)])
    assert chisquare(few.bincount(minlength=5)[1:]).pvalue > 1e-6


def test_rows_forget_all_that_is_given_at_once():
    torch.manual_seed(0)
    label, image = hidden([torch.ones(4000, 3), torch.ones(4000, 2, 2)], 0.25)
    assert torch.equal(label[:, 0], image[:, 0, 0])
    assert abs((label[:, 0] == 0).float().mean().item() - 0.25) < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_points_on_a_line_are_learned():
    """Data at two of four corners, each as often: so are nearly all samples."""
    data = arrays("two points", x=torch.tensor([[-1.0, 1.0], [1.0, -1.0]]).repeat(64, 1))
    torch.manual_seed(0)
    model = diffusion(X, timed_mlp(32, 32), noise=cosine_noise(20), predicts="v")
    fit(denoised(model, optimiser=adam(1e-2)), data, turns=200, batch=64, device="cpu", progress=False)
    corners = model.sample(500, seed=0).sign()
    assert (corners.sum(1) == 0).float().mean() > 0.95
    assert abs((corners[:, 0] > 0).float().mean() - 0.5) < 5 * (0.25 / 500) ** 0.5


@pytest.mark.parametrize(
    ("variance", "goal", "text"),
    [
        ("added", "best", "goal is 'best', expected 'simple', 'bound' or 'hybrid'"),
        ("added", "hybrid", "goal is 'hybrid' and variance 'added'; 'hybrid' and 'learned' go together"),
        ("learned", "simple", "goal is 'simple' and variance 'learned'"),
    ],
)
def test_refusals(variance, goal, text):
    with pytest.raises(ValueError, match=text):
        denoised(made(variance), goal)


def test_shades_from_0_to_255_are_no_shades_here_in_any_batch():
    model, batch = made(levels=256), {"x": torch.tensor([[0.0, 255.0]])}
    text = "shades of 'x' go from 0 to 255, expected -1 to 1, as in `centred` data"
    for moment in (NOW, Moment(7, 7, 0.5)):
        with pytest.raises(ValueError, match=f"denoised: {text}"):
            denoised(model).objective(batch, moment)
    with pytest.raises(ValueError, match=f"costs: {text}"):
        model.costs(batch)
