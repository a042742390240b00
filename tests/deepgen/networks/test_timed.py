"""Networks that know the time."""

import pytest
import torch

from deepgen.networks.timed import timed_mlp
from deepgen.networks.unet import unet
from pgm import Real, Variable
from pgm.errors import ShapeError

TIME, LABEL = Variable("time", Real(1)), Variable("label", range(3))
SMALL = Variable("small", Real(4, 4))
NETWORKS = [timed_mlp(16, 16, 8), unet(8, 16, attention=4)]
READS = unet(8, 16, attention=4, words=True)  # `SMALL` is then four words


@pytest.mark.parametrize("network", [*NETWORKS, READS], ids=["mlp", "unet", "words"])
@pytest.mark.parametrize("event", [(6, 8), (3, 6, 8), (7, 5)])
def test_any_image_any_batch_twice_the_numbers(network, event):
    """Rows are answered each on its own, whatever axes they lie along."""
    torch.manual_seed(0)
    x, shape = Variable("x", Real(*event)), [*event[:-1], 2 * event[-1]]
    net = network([x, TIME, LABEL, SMALL], shape)
    for parameter in net.parameters():  # layers that are 0 at first would hide everything
        torch.nn.init.normal_(parameter, std=0.3)
    values = [torch.randn(2, 3, *event), torch.rand(2, 3, 1), torch.eye(3).expand(2, 3, 3), torch.randn(2, 3, 4, 4)]
    found = net(*values)
    assert found.shape == (2, 3, *shape)
    torch.testing.assert_close(found[1, 2], net(*(value[1, 2] for value in values)), atol=1e-4, rtol=1e-4)
    for changed in range(4):
        others = [value.clone() for value in values]
        others[changed][1, 2] += 1.0
        different = (net(*others) - found).abs().flatten(2).amax(-1) > 1e-4
        assert different.tolist() == [[False] * 3, [False, False, True]]


def test_a_new_unet_says_nothing():
    x = Variable("x", Real(8, 8))
    assert bool((unet(8)([x, TIME], [8, 8])(torch.randn(2, 8, 8), torch.rand(2, 1)) == 0).all())


@pytest.mark.parametrize("network", NETWORKS, ids=["mlp", "unet"])
def test_times_are_told_apart(network):
    """A network that sees the time alone can learn any function of it."""
    torch.manual_seed(0)
    x = Variable("x", Real(4, 4))
    net, time = network([x, TIME], [4, 4]), torch.linspace(0, 1, 16)[:, None]
    wanted = torch.sin(12 * time)[..., None].expand(16, 4, 4)
    optimiser = torch.optim.Adam(net.parameters(), 2e-2)
    for _ in range(40):
        loss = (net(torch.zeros(16, 4, 4), time) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05 * wanted.var().item()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: timed_mlp()([Variable("x", Real(2)), TIME], [2]), "there is no layer"),
        (lambda: timed_mlp(8)([Variable("x", Real(2))], [2]), r"the parents are \['x'\], expected x, a time"),
        (unet, "there are no channels"),
        (lambda: unet(8)([Variable("x", Real(2)), TIME], [2]), "'x' is Real.2., expected an image"),
        (lambda: unet(8, 8, 8, 8)([Variable("x", Real(6, 6)), TIME], [6, 6]), "too short to be halved 3 times"),
    ],
)
def test_refusals(make, text):
    with pytest.raises(ShapeError, match=text):
        make()


def test_octaves_are_sines_and_cosines_of_whole_frequencies_beside_x():
    """Without x itself all that is seen of it repeats after 2 pi, and not after a half of that."""
    torch.manual_seed(0)
    x, time = Variable("x", Real(2)), Variable("time", Real(1))
    net = timed_mlp(8, octaves=3)([x, time], [2])
    assert net.first.in_features == 2 + 2 * 3 * 2
    with torch.no_grad():
        net.first.weight[:, :2] = 0
    places, when = torch.randn(5, 2), torch.zeros(5, 1)
    torch.testing.assert_close(net(places + 2 * torch.pi, when), net(places, when), atol=1e-4, rtol=1e-4)
    assert (net(places + torch.pi, when) - net(places, when)).abs().max() > 1e-2
