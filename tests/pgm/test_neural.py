"""Neural conditionals against closed forms, enumeration and quadrature; samplers against their known distribution."""

import copy
import math
import pickle
from collections.abc import Callable

import numpy as np
import pyro.distributions as pyro
import pytest
import torch
import zuko
from scipy import special, stats
from torch import Tensor, distributions, nn

from pgm import (
    BayesianNetwork,
    Binary,
    Capabilities,
    Count,
    Gaussian,
    Implicit,
    Joined,
    Model,
    Neural,
    PlanError,
    Real,
    ShapeError,
    Softmax,
    Tabular,
    Variable,
    bernoulli,
    categorical,
    infer,
    normal,
)
from pgm.testing import enumerate_joint

Z, X, S, T = Variable("z", Real(2)), Variable("x", Binary(3)), Variable("s", Real()), Variable("t", Real())
K, B, R1 = Variable("k", ["a", "b", "c"]), Variable("b", 2), Variable("r", Real(1))
IMAGE = Variable("image", Binary(2, 3))


def linear(inputs: int, outputs: int, seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(inputs, outputs)


def test_independent_pixels_are_a_product_of_logistics() -> None:
    net = linear(2, 3)
    term = Neural(X, [Z], bernoulli, net)
    z, x = torch.tensor([[0.5, -1.0], [2.0, 0.3]]), torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    logits = z.numpy() @ net.weight.detach().numpy().T + net.bias.detach().numpy()
    p = special.expit(logits)
    expected = np.where(x.numpy() > 0, np.log(p), np.log1p(-p)).sum(-1)
    assert term.log_prob(z, x).tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    assert term.log_prob(z[:1], every).exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_normals_are_scipys() -> None:
    net = linear(2, 2).double()
    made = Neural(R1, [Z], normal, net)
    z, r = torch.randn(5, 2).double(), torch.randn(5, 1).double()
    mean, log_std = net(z).detach().numpy().T
    expected = stats.norm.logpdf(r.numpy()[:, 0], mean, np.exp(log_std))
    assert made.log_prob(z, r).tolist() == pytest.approx(expected.tolist(), rel=1e-12)


def test_a_linear_net_of_states_is_a_softmax() -> None:
    net = linear(3, 3).double()
    child = Variable("y", 3)
    neural = Neural(child, [K], categorical, net)
    other = Softmax(child, [K], net.weight.T.detach(), net.bias.detach())
    torch.testing.assert_close(neural.factor().values, other.factor().values, rtol=1e-12, atol=0)
    assert neural.capabilities == Capabilities(enumerable=True, reparameterised=False, has_log_prob=True)


def test_a_table_made_by_a_net_is_inferred_with() -> None:
    """Exact inference sees the table: Bayes' rule on the joint, enumerated."""
    net = BayesianNetwork(Tabular(B, [], [0.3, 0.7]), Neural(K, [B], categorical, linear(2, 3)))
    joint = enumerate_joint(net).values
    assert joint.sum().item() == pytest.approx(1, abs=1e-6)
    expected = joint[:, 2] / joint[:, 2].sum()
    assert infer(net, ["b"], given={"k": "c"})["b"].tolist() == pytest.approx(expected.tolist(), rel=1e-6)


class Flow(nn.Module):
    """A net for one scalar: zuko's flows have vectors for values and contexts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.flow = zuko.flows.NSF(1, 2, transforms=2, hidden_features=(8,))

    def forward(self, z: Tensor) -> distributions.Distribution:
        return self.flow(z)


@pytest.mark.parametrize("net", [Flow(), Joined(Flow())], ids=["as it is", "joined"])
def test_a_flow_is_a_density(net: nn.Module) -> None:
    term = Neural(R1, [Z], None, net)
    grid = torch.linspace(-30, 30, 6001).unsqueeze(-1)  # the trapezoid rule; tails of a standard normal
    density = term.log_prob(torch.tensor([0.4, -0.8]), grid).exp().detach()
    assert torch.trapezoid(density, grid[:, 0]).item() == pytest.approx(1, abs=1e-3)
    assert term.capabilities == Capabilities(enumerable=False, reparameterised=True, has_log_prob=True)
    z = torch.zeros(4, 2, requires_grad=True)
    term.draw(z, shape=(2,)).sum().backward()
    assert z.grad is not None
    assert bool(z.grad.ne(0).any())


def test_a_flow_without_parents_is_a_prior() -> None:
    torch.manual_seed(0)
    flow = zuko.flows.MAF(2, 0, transforms=1, hidden_features=(8,))
    term = Neural(Z, [], None, flow)
    value = torch.randn(3, 2)
    torch.testing.assert_close(term.log_prob(value.double()), flow().log_prob(value))
    assert term.draw(shape=(7,)).shape == (7, 2)


FAMILIES: dict[str, tuple[Callable[..., distributions.Distribution] | None, Callable[..., object]]] = {
    "torch class": (distributions.Normal, lambda s: (s, s.exp())),
    "by name": (distributions.Normal, lambda s: {"scale": s.exp(), "loc": s}),
    "pyro class": (pyro.Normal, lambda s: (s, s.exp())),
    "net": (None, lambda s: distributions.Normal(s, s.exp())),
    "lambda": (lambda s: distributions.Normal(s, s.exp()), lambda s: s),
}


@pytest.mark.parametrize("case", FAMILIES)
def test_families_are_any_distribution(case: str) -> None:
    s, t = torch.tensor([0.5, -1.0]), torch.tensor([0.2, 0.7])
    term = Neural(T, [S], *FAMILIES[case])
    assert term.log_prob(s, t).tolist() == pytest.approx(
        [stats.norm.logpdf(0.2, 0.5, math.exp(0.5)), stats.norm.logpdf(0.7, -1, math.exp(-1))]
    )
    assert term.draw(s, shape=(3,)).shape == (3, 2)
    assert term.capabilities.reparameterised


def test_counts_and_images() -> None:
    calls = Variable("calls", Count(2))
    term = Neural(calls, [S], distributions.Poisson, lambda s: torch.stack([s.exp(), 2 * s.exp()], -1))
    found = term.log_prob(torch.tensor([0.3]), torch.tensor([[2.0, 1.0]]))
    rate = math.exp(0.3)
    assert found.item() == pytest.approx(stats.poisson.logpmf(2, rate) + stats.poisson.logpmf(1, 2 * rate), rel=1e-6)
    image = Neural(IMAGE, [Z], bernoulli, nn.Sequential(linear(2, 6), nn.Unflatten(-1, (2, 3))))
    assert image.distribution(torch.zeros(4, 5, 2)).batch_shape == (4, 5)
    assert image.log_prob(torch.zeros(4, 1, 2), torch.zeros(5, 2, 3)).shape == (4, 5)


def test_joined_nets_see_all_parents_side_by_side() -> None:
    """Numbers, arrays and one-hot states, flattened, in the order of the parents."""
    term = Neural(
        Variable("all", Real(12)), [S, IMAGE, K, Z], lambda m: distributions.Normal(m, 1.0), Joined(nn.Identity())
    )
    s, image, k, z = (
        torch.tensor([0.5, 0.6]),
        torch.eye(2, 3).expand(2, 2, 3),
        torch.tensor([2, 0]),
        torch.tensor([[7.0, 8.0]]),
    )
    assert term.distribution(s, image, k, z).mean.tolist() == [
        [0.5, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8], [pytest.approx(0.6), 1, 0, 0, 0, 1, 0, 1, 0, 0, 7, 8],
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_net_sees_numbers_in_its_own_precision(dtype: torch.dtype) -> None:
    net = linear(5, 3).to(dtype)
    model = Model(
        Tabular(K, [], [0.2, 0.3, 0.5]), Gaussian(Z, [0.0, 0.0], 1.0), Neural(X, [K, Z], bernoulli, Joined(net))
    )
    rows = {"k": ["a", "c"], "z": [[0.1, 0.2], [0.3, 0.4]], "x": np.array([[0, 1, 1], [1, 0, 0]])}
    found = model.log_prob(rows)
    logits = nn.functional.linear(
        torch.tensor([[1, 0, 0, 0.1, 0.2], [0, 0, 1, 0.3, 0.4]], dtype=dtype), net.weight, net.bias
    )
    pixels = -nn.functional.softplus(torch.where(torch.tensor(rows["x"]) > 0, -logits, logits)).sum(-1).double()
    prior = np.log([0.2, 0.5]) + stats.norm.logpdf(rows["z"]).sum(-1)
    assert found.tolist() == pytest.approx((pixels.detach() + torch.from_numpy(prior)).tolist(), rel=1e-6)
    found.sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters() if p.numel())


def test_making_one_leaves_the_net_and_the_dice_alone() -> None:
    net = nn.Sequential(linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    net[1].eval()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    before = copy.deepcopy(net.state_dict())
    term = Neural(R1, [Z], lambda m: distributions.Normal(m[..., :1] + torch.rand(()), 1.0), net)
    assert torch.equal(torch.rand(2), expected)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net] == [True, False, True, True]
    assert term.training


def test_copies_and_pickles_work() -> None:
    term = Neural(X, [Z], bernoulli, linear(2, 3))
    z, x = torch.zeros(2), torch.ones(3)
    for twin in (copy.deepcopy(term), pickle.loads(pickle.dumps(term))):
        assert torch.equal(twin.log_prob(z, x), term.log_prob(z, x))
        assert twin.net.weight is not term.net.weight


WRONG = {
    "one output": (
        lambda: Neural(T, [Z], normal, linear(2, 2)),
        "Neural(t): for 7 rows of parents the result has shape (7, 1), expected (7,) = [rows, *event of 't']; "
        "look at the last layer and the family (one output fits Real(1)).",
    ),
    "too many outputs": (
        lambda: Neural(X, [Z], bernoulli, linear(2, 4)),
        "Neural(x): for 7 rows of parents the result has shape (7, 4), expected (7, 3) = [rows, *event of 'x']; "
        "look at the last layer and the family (one output fits Real(1)).",
    ),
    "no batch": (
        lambda: Neural(Z, [S], None, lambda s: distributions.Independent(distributions.Normal(torch.zeros(2), 1.0), 1)),
        "Neural(z): for 7 rows of parents the result has shape (2,), expected (7, 2) = [rows, *event of 'z']; "
        "look at the last layer and the family (one output fits Real(1)).",
    ),
    "rows taken for columns": (
        lambda: Neural(Z, [S], normal, linear(1, 4)),
        "Neural(z): net and family do not fit 7 rows of [s]: mat1 and mat2 shapes cannot be multiplied (1x7 and 1x4)",
    ),
    "not joined": (
        lambda: Neural(Z, [S, T], normal, linear(2, 4)),
        "Neural(z): net and family do not fit 7 rows of [s, t]: "
        "Linear.forward() takes 2 positional arguments but 3 were given",
    ),
    "no family": (
        lambda: Neural(X, [Z], None, linear(2, 3)),
        "Neural(x): the net returned a Tensor, expected a distribution; name a family such as normal, or let the net "
        "return one.",
    ),
    "no distribution": (
        lambda: Neural(X, [Z], torch.sigmoid, linear(2, 3)),
        "Neural(x): the family returned a Tensor, expected a distribution; name a family such as normal, or let the "
        "net return one.",
    ),
    "generator": (
        lambda: Implicit(Z, [S], lambda s, noise: noise, noise=3),
        "Implicit(z): for 7 rows of parents the result has shape (7, 3), expected (7, 2) = [rows, *event of 'z']; "
        "look at the last layer and the family (one output fits Real(1)).",
    ),
    "generator's arguments": (
        lambda: Implicit(Z, [S], nn.Linear(2, 2), noise=2),
        "Implicit(z): net and family do not fit 7 rows of [s]: "
        "Linear.forward() takes 2 positional arguments but 3 were given",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    make, text = WRONG[case]
    with pytest.raises(ShapeError) as caught:
        make()
    assert str(caught.value) == text


def test_a_generator_pushes_noise_forward() -> None:
    """A sum of 3 squares has mean 3 and variance 6; the sample mean lies within 5 sqrt(6 / n)."""
    torch.manual_seed(0)
    n, term = 20_000, Implicit(S, [], lambda noise: noise.square().sum(-1), noise=3)
    drawn = term.draw(shape=(n,))
    assert abs(drawn.mean().item() - 3) < 5 * math.sqrt(6 / n)
    assert stats.kstest(drawn.numpy(), "chi2", args=(3,)).pvalue > 1e-6
    assert term.capabilities == Capabilities(enumerable=False, reparameterised=True, has_log_prob=False)


@pytest.mark.parametrize("joined", [False, True])
def test_a_generator_sees_parents_and_noise_of_one_batch(joined: bool) -> None:
    """With a net that adds up what it is given, draws follow the parents."""
    add = nn.Linear(2 + 3 + 1, 2, bias=False)
    nn.init.constant_(add.weight, 1.0)
    net = Joined(add) if joined else lambda z, k, noise: add(torch.cat([z, k, noise], -1))
    term = Implicit(Z, [Variable("from", Real(2)), K], net, noise=1)
    drawn = term.draw(torch.tensor([[10.0, 20.0]]), torch.tensor([[0], [1], [2]]), shape=(5,))
    assert drawn.shape == (5, 3, 1, 2)
    assert bool(((drawn - 31).abs() < 7).all())  # 10 + 20 + one-hot 1 + standard noise
    assert drawn.dtype == torch.float32


def test_what_has_no_density_is_said() -> None:
    model = Model(Implicit(S, [], lambda noise: noise, noise=()))
    with pytest.raises(PlanError) as caught:
        model.log_prob({"s": 1.0})
    assert str(caught.value) == (
        "Implicit(s): 's' has no log_prob, it can only be sampled. "
        "Observe nothing below it, or use Neural with a density."
    )
