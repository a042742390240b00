"""One bound by three routes."""

import pytest
import torch
from torch import nn

from deepgen.networks.timed import timed_mlp
from deepgen.objectives import elbo
from deepgen.testing import pyro_bound
from deepgen.zoo.diffusion import Noise, cosine_noise
from deepgen.zoo.diffusion.bound import costs
from deepgen.zoo.diffusion.chain import chain
from deepgen.zoo.diffusion.denoiser import Denoiser
from pgm import Real, Variable

X, TIME, LABEL = Variable("x", Real(2)), Variable("time", Real(1)), Variable("label", range(3))
SEEN = {"x": torch.tensor([[0.5, -1.0], [0.0, 1.0]]), "label": torch.tensor([2, 0])}
DRAWS = 2000


def made(predicts: str, variance: str, label: bool = False, steps: int = 3) -> Denoiser:
    torch.manual_seed(0)
    shape = [4 if variance == "learned" else 2]
    net = timed_mlp(8)([X, TIME, LABEL] if label else [X, TIME], shape)
    return Denoiser(net, cosine_noise(steps), predicts, variance)


@pytest.mark.parametrize(
    ("predicts", "variance", "levels", "label"),
    [
        ("data", "posterior", None, False),
        ("mean", "added", None, True),
        ("v", "learned", 5, False),
        ("noise", "added", 5, True),
    ],
)
def test_closed_forms_the_hierarchy_and_pyro_agree(predicts, variance, levels, label):
    """Means over independent draws; each route states its error, and they lie within five of both together."""
    denoiser = made(predicts, variance, label)
    pair = chain(X, denoiser, [LABEL] if label else [], levels)
    seen = pair.seen(SEEN)
    told = [torch.nn.functional.one_hot(SEEN["label"], 3).float()] if label else []
    torch.manual_seed(1)
    rows = {name: value.expand(DRAWS, *value.shape) for name, value in seen.items()}
    ours = -elbo(pair.model, pair.guide, rows).sum(-1)
    wide = [value.expand(DRAWS, *value.shape) for value in told]
    closed = costs(denoiser, rows["x"], *wide, event=1, levels=levels).total.sum(-1)
    theirs, error = pyro_bound(pair, seen, 30)
    means = [(ours.mean(), ours.std() / DRAWS**0.5), (closed.mean(), closed.std() / DRAWS**0.5), (-theirs, error)]
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert abs(means[one][0] - means[other][0]) < 5 * (means[one][1] ** 2 + means[other][1] ** 2) ** 0.5


def test_costs_say_what_they_are():
    denoiser = made("noise", "posterior")
    text = str(costs(denoiser, SEEN["x"], event=1))
    assert [line.split("  ")[0] for line in text.splitlines()] == [
        "prior L_T", "steps L_1 to L_{T-1}", "data L_0", "total",
    ]  # fmt: skip


def test_graphs_are_those_of_a_markovian_hierarchical_vae():
    pair = chain(X, made("noise", "posterior"))
    assert {name: pair.guide.graph.parents[name] for name in ("x1", "x2", "x3")} == {
        "x1": ("x",), "x2": ("x1",), "x3": ("x2",),
    }  # fmt: skip
    assert [pair.model.graph.parents[name] for name in ("x", "x1", "x2", "x3")] == [("x1",), ("x2",), ("x3",), ()]
    assert list(pair.guide.parameters()) == []


@pytest.mark.parametrize(
    ("predicts", "variance", "text"),
    [
        ("velocity", "added", "what is predicted is 'velocity', expected one of"),
        ("noise", "fixed", "variance is 'fixed', expected one of 'posterior', 'added', 'learned', 'fitted'"),
    ],
)
def test_refusals(predicts, variance, text):
    with pytest.raises(ValueError, match=text):
        made(predicts, variance)


def test_noise_says_nothing_where_no_signal_is_left():
    with pytest.raises(ValueError, match="no signal is left at the last step"):
        Denoiser(nn.Identity(), Noise(torch.tensor([1.0, 0.0])), "noise")
