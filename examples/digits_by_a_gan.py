"""Digits to order by a generative adversarial network: a generator learns from a discriminator alone.

Both are convolutional and told the label: it chooses the scales and shifts of the generator's norms, and projects the
discriminator's features. A support vector machine that learned on real digits says whether samples show what they
should. Ways between two draws, and sums of latent variables (the mean z of bold digits less that of thin ones), show
that the generator knows a space of digits, and the nearest digits that it learned from, that it knows none by heart.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import Tensor

from deepgen import adam, adversarial, centred, cosine, fit, gan, judged_right, memorised, named
from deepgen.evaluate.samples import nearest, sliced_wasserstein
from deepgen.networks.dcgan import dcgan_discriminator, dcgan_generator
from deepgen.pictures.moves import along_circle
from deepgen.zoo.adversarial.latent import difference, ink, slant
from pgm.pictures.style import INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, channels, count = (3, (4, 8), 300) if smoke else (2000, (32, 64), 2000)

train, test = centred(named("digits")), centred(named("digits", "test"))
torch.manual_seed(0)
model = gan(
    train.variable("image"),
    latents=32,
    label=train.variable("label"),
    generator=dcgan_generator(*channels),
    discriminator=dcgan_discriminator(*channels),
)
phases = adversarial(model, optimiser=adam(1e-3, betas=(0.5, 0.99)), rate=cosine(turns))
fit(phases, train, turns=turns, batch=64, average=0.99, device="cpu")

labels = torch.arange(count) % 10
drawn = model.sample(count, {"label": labels}, seed=0)
print(judged_right(drawn, labels, train, test))
for figure in memorised(drawn, train, test):
    print(figure)
n = len(test) if count > len(test) else count
print(f"sliced Wasserstein distance to held-out digits: {sliced_wasserstein(drawn[:n], test['image'][:n]):.3f}", end="")
print(f" (digits learned from: {sliced_wasserstein(train['image'][:n], test['image'][:n]):.3f})")

ten = torch.arange(10)
hands = torch.randn(6, 32, generator=torch.Generator().manual_seed(1))
samples = model.sample(60, {"z": hands.repeat_interleave(10, 0), "label": ten.repeat(6)})
ends = torch.randn(2, 6, 32, generator=torch.Generator().manual_seed(2))
ways = along_circle(ends[0], ends[1], torch.linspace(0, 1, 10)).flatten(0, 1)
between = model.sample(60, {"z": ways, "label": torch.tensor([0, 2, 3, 5, 6, 8]).repeat_interleave(10)})
start = torch.randn(10, 32, generator=torch.Generator().manual_seed(3))
of = {"bold": ink, "slanted": slant}
more = {name: difference(model, attribute, {"label": labels}, count)["z"] for name, attribute in of.items()}
places = {"z": start, "+ bold − thin": start + more["bold"], "+ slanted − upright": start + more["slanted"]}
places["+ both"] = start + more["bold"] + more["slanted"]
summed = torch.cat([model.sample(10, {"z": z, "label": ten}) for z in places.values()])
for name, images in zip(places, summed.split(10), strict=True):
    print(f"{name:<20} mean shade {ink(images).mean():5.2f}, slant {slant(images).mean():5.2f}")
found, far = nearest(drawn[:20], train["image"])
pairs = torch.cat([drawn[:10], train["image"][found[:10, 0]], drawn[10:20], train["image"][found[10:, 0]]])


def tiled(images: Tensor, gap: int = 2) -> Tensor:
    """Rows of ten images as one picture, white between them."""
    wide = torch.nn.functional.pad(images, (0, gap, 0, gap), value=-1.0)
    return torch.cat([torch.cat(list(row), 1) for row in wide.split(10)])[:-gap, :-gap]


panels = {
    "One row, one z; one column, one label": (samples, []),
    "From one z to another": (between, []),
    "Sums of latent variables": (summed, list(places)),
    "Draws, and below each the nearest digit learned from": (pairs, ["drawn", "nearest"] * 2),
}
figure, axes = plt.subplots(2, 2, figsize=(10.4, 5.5), layout="constrained", height_ratios=(6, 4))
for place, (title, (images, left)) in zip(axes.flat, panels.items(), strict=True):
    place.imshow(tiled(images).numpy(), cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    place.set_title(title, loc="left", fontsize=11, color=INK)
    place.set_xticks([])
    place.set_yticks([10 * row + 3.5 for row in range(len(left))], left, fontsize=9, color=QUIET)
    place.tick_params(length=0)
    place.spines[:].set_visible(False)
figure.savefig(folder / "digits-by-a-gan.png", dpi=120)
print("\nPicture:", folder / "digits-by-a-gan.png")
