"""Pictures of latent variables: what the decoder is asked, and what becomes of its answers."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.decomposition import PCA
from torch import Tensor

from deepgen import Pair, vae
from deepgen.data.data import Data
from deepgen.networks import mlp
from deepgen.pictures import arithmetic, interpolation, latents, manifold, reconstructions, traversals
from deepgen.pictures.moves import along_circle
from deepgen.zoo.hierarchical import markovian_hierarchical_vae
from pgm import Binary, Variable
from pgm.errors import EvidenceError, PlanError, ShapeError

IMAGE, LABEL = Variable("image", Binary(4, 3)), Variable("label", range(3))
GENERATOR = torch.Generator().manual_seed(0)
BATCH = {"image": torch.rand(12, 4, 3, generator=GENERATOR).round(), "label": torch.arange(12) % 3}
HALF = (0.0, 2.0)  # shades: white is never reached, so that images differ from paper


def made(size: int, label: Variable | None = None) -> Pair:
    torch.manual_seed(0)
    return vae(IMAGE, size, label=label, encoder=mlp(8), decoder=mlp(8))


@contextmanager
def asked(pair: Pair) -> Iterator[list[tuple[Tensor, ...]]]:
    """What the decoder is called with."""
    found: list[tuple[Tensor, ...]] = []
    hook = pair.model.conditionals["image"].net.register_forward_pre_hook(lambda module, given: found.append(given))
    yield found
    hook.remove()


def tiles(figure) -> np.ndarray:
    """The images on a sheet, `[rows, columns, H, W]`, in shades of at most 1; none of their pixels is white."""
    pixels = np.asarray(figure.axes[0].images[0].get_array())[..., 0].astype(int)
    rows, columns = (np.flatnonzero((pixels != 255).any(axis)) for axis in (1, 0))
    bands, strips = (np.split(where, np.flatnonzero(np.diff(where) > 1) + 1) for where in (rows, columns))
    scale = len(strips[0]) // 3
    return np.array([[pixels[np.ix_(a, b)][::scale, ::scale] for b in strips] for a in bands]) / 255 * 2


def test_a_traversal_changes_one_unit_alone():
    pair = made(4)
    with asked(pair) as calls:
        figure = traversals(pair, BATCH, steps=5, reach=2.0)
    rows = calls[-1][0].reshape(4, 5, 4)
    base = pair.infer(BATCH, mean=True)["z"][0]
    order = [int(text.get_text()[2]) for text in figure.axes[0].texts[-4:]]
    assert sorted(order) == [0, 1, 2, 3]
    for row, unit in zip(rows, order, strict=True):
        assert torch.allclose(row[:, unit], torch.linspace(-2, 2, 5))
        others = [k for k in range(4) if k != unit]
        assert torch.equal(row[:, others], base[others].expand(5, 3))


def test_units_are_in_the_order_of_their_divergence():
    pair = made(4)
    q = pair.guide.conditionals["z"].distribution(BATCH["image"])
    each = 0.5 * (q.mean.square() + q.variance - 1 - q.variance.log()).mean(0)
    left = [text.get_text() for text in traversals(pair, BATCH).axes[0].texts[-4:]]
    expected = [f"z[{k}]  {each[k]:.2f} nats" for k in each.argsort(descending=True).tolist()]
    assert left == expected


def test_traversals_without_data_are_around_zero():
    pair = made(2, LABEL)
    with asked(pair) as calls:
        traversals(pair, label=2, steps=3)
    z, label = calls[-1]
    assert z.tolist() == [[-3, 0], [0, 0], [3, 0], [0, -3], [0, 0], [0, 3]]
    assert label.tolist() == [[0, 0, 1]] * 6


def test_what_depends_on_a_unit_follows_it():
    torch.manual_seed(0)
    pair = markovian_hierarchical_vae(IMAGE, [3, 2], encoder=mlp(8), decoder=mlp(8))
    with asked(pair) as calls:
        traversals(pair, BATCH, latent="z2", steps=3)
    z2 = pair.infer(BATCH, mean=True)["z2"][:1].repeat(3, 1)
    z2[:, 0] = torch.tensor([-3.0, 0.0, 3.0])
    z1 = pair.model.conditionals["z1"].distribution(z2).mean
    found = calls[-1][0].reshape(2, 3, 3)
    assert min((row - z1).abs().max().item() for row in found) < 1e-6  # whichever row is unit 0
    with asked(pair) as calls:
        traversals(pair, BATCH, latent="z1", steps=3)
    assert calls[-1][0].shape == (9, 3)


@pytest.mark.parametrize("spherical", [False, True])
def test_an_interpolation_goes_from_one_reconstruction_to_the_other(spherical):
    pair = made(4, LABEL)
    one, other = ({name: column[rows] for name, column in BATCH.items()} for rows in ([0, 1], [3, 4]))
    found = tiles(interpolation(pair, one, other, steps=4, spherical=spherical, shades=HALF))
    assert found.shape == (2, 6, 4, 3)
    for column, batch in ((1, one), (4, other)):
        expected = pair.means(pair.infer(batch, mean=True))["image"]
        assert np.allclose(found[:, column], expected, atol=1 / 255)
    assert np.allclose(found[:, 0], one["image"], atol=1 / 255)
    assert np.allclose(found[:, 5], other["image"], atol=1 / 255)


def test_arcs_keep_the_length_and_turn_evenly():
    a, b = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([[0.0, 3.0, 0.0]])
    arc = along_circle(a, b, torch.linspace(0, 1, 4))[0]
    angles = torch.tensor([0.0, 30.0, 60.0, 90.0]).deg2rad()
    assert torch.allclose(arc, 3 * torch.stack([angles.cos(), angles.sin(), 0 * angles], -1), atol=1e-6)
    assert torch.allclose(along_circle(a, 2 * a, torch.tensor([0.5])), torch.tensor([[[4.5, 0.0, 0.0]]]))


def test_arithmetic_is_that_of_means():
    pair = made(4)
    parts = [{"image": BATCH["image"][rows]} for rows in (slice(0, 3), slice(3, 4), slice(4, 8))]
    with asked(pair) as calls:
        figure = arithmetic(pair, *parts, names=("x", "y", "w"), shades=HALF)
    a, b, c = (pair.infer(part, mean=True)["z"].mean(0) for part in parts)
    expected = torch.stack([a, b, c, a - b + c])
    assert torch.allclose(calls[-1][0], expected)
    assert np.allclose(tiles(figure)[0], pair.means({"z": expected})["image"], atol=1 / 255)
    assert [text.get_text() for text in figure.axes[0].texts] == ["x", "− y", "+ w", "="]


def test_a_manifold_lies_at_gaussian_quantiles():
    pair = made(2)
    with asked(pair) as calls:
        figure = manifold(pair, BATCH, side=3, shades=HALF)
    axis = norm.ppf([1 / 6, 3 / 6, 5 / 6])
    expected = [[across, up] for up in axis[::-1] for across in axis]
    assert np.allclose(calls[0][0], expected, atol=1e-6)
    assert np.allclose(tiles(figure).reshape(9, 4, 3), pair.means({"z": calls[0][0]})["image"], atol=1 / 255)
    drawn = np.concatenate([each.get_offsets() for each in figure.axes[1].collections])
    means = pair.infer(BATCH, mean=True)["z"]
    by_label = torch.cat([means[BATCH["label"] == k] for k in range(3)])
    assert np.allclose(drawn, norm.cdf(by_label), atol=1e-6)


def test_many_latents_are_shown_along_their_principal_directions():
    pair = made(5)
    (axes,) = latents(pair, Data(BATCH)).axes
    means = pair.infer(BATCH, mean=True)["z"]
    pca = PCA(2).fit(means)
    expected = np.abs(np.concatenate([pca.transform(means[BATCH["label"] == k]) for k in range(3)]))
    assert np.allclose(np.abs(np.concatenate([each.get_offsets() for each in axes.collections])), expected, atol=1e-5)
    assert axes.get_xlabel() == f"direction 1: {100 * pca.explained_variance_ratio_[0]:.0f} % of the variance"


def test_reconstructions_lie_below_their_images_with_their_errors():
    pair = made(4)
    figure = reconstructions(pair, BATCH, most=7, columns=5, shades=HALF)
    expected = pair.means(pair.infer(BATCH, mean=True))["image"][:7]
    found = tiles(figure)  # the last band has two images, and paper
    assert np.allclose(found[:2, :5], torch.stack([BATCH["image"][:5], expected[:5]]), atol=1 / 255)
    assert np.allclose(found[2:, :2], torch.stack([BATCH["image"][5:7], expected[5:]]), atol=1 / 255)
    errors = np.sqrt(((BATCH["image"][:7] - expected).numpy() ** 2).mean((1, 2)))
    written = [text.get_text() for text in figure.axes[0].texts[1:]]
    assert [each for each in written if each] == [f"{error:.2f}" for error in errors]


def test_pictures_say_what_they_cannot_show():
    with pytest.raises(PlanError, match=r"^manifold: 'z' has 3 numbers, expected 2\. Use traversals or latents\.$"):
        manifold(made(3))
    with pytest.raises(PlanError, match="traversals: Pair.* has no latent variable 'y' of numbers; there are 'z'"):
        traversals(made(2), latent="y")
    with pytest.raises(EvidenceError, match="manifold: label is None, expected a state of 'label'"):
        manifold(made(2, LABEL))
    with pytest.raises(EvidenceError, match="traversals: label is 1, expected None, for nothing is given"):
        traversals(made(2), label=1)
    with pytest.raises(EvidenceError, match="reconstructions: 'label' is not among 'image'; the rows have to hold it"):
        reconstructions(made(2, LABEL), {"image": BATCH["image"]})
    with pytest.raises(ShapeError, match="interpolation: there are 12 and 1 rows, expected as many in both"):
        interpolation(made(2), BATCH, {"image": BATCH["image"][:1]})
    with pytest.raises(PlanError, match="latents: 'z' is a single number, expected two or more"):
        latents(made(1), BATCH)


@pytest.mark.gpu
def test_pairs_on_a_gpu_have_pictures():
    pair = made(2, LABEL)
    for module in pair.modules.values():
        module.to("cuda")
    for draw in (reconstructions, traversals, latents):
        assert draw(pair, BATCH).axes
    assert interpolation(pair, BATCH, BATCH).axes
    assert arithmetic(pair, BATCH, BATCH, BATCH).axes
    assert manifold(pair, BATCH, label=1, side=3).axes
