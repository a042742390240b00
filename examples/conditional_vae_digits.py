"""Digits drawn to order: a variational autoencoder conditioned on the label.

Its samples are judged by a support vector machine that learned on real digits alone. The same latent z under ten labels
is ten digits in one hand: what the label does not say, z does.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from sklearn.svm import SVC

from deepgen import adam, bounds, cosine, digits, dynamic, fit, mlp, vae, variational
from pgm.pictures.style import INK

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns = 30 if smoke else 6000

test, train = digits().split(297)
pixels = dynamic(train)  # black or white, drawn anew whenever a digit is looked at
torch.manual_seed(0)
net = mlp(200, 200)
pair = vae(pixels.variable("image"), latents=16, label=pixels.variable("label"), encoder=net, decoder=net)
phase = variational(pair, optimiser=adam(2e-3), rate=cosine(turns))
fit(phase, pixels, turns=turns, batch=100, device="cpu")
for bound in bounds(pair, dynamic(test).rows(slice(0, 10 if smoke else None))):
    print(bound)

# The judge has seen shades of real digits; the samples are means of pixels, which are shades too.
judge = SVC().fit(train["image"].flatten(1), train["label"])
own = judge.score(test["image"].flatten(1), test["label"])
labels = torch.arange(10).repeat(200)
drawn = pair.means(pair.sample(2000, {"label": labels}, seed=0))["image"]
right = judge.score(drawn.flatten(1), labels)
print(f"Judged right: {own:.1%} of {len(test)} real test digits, {right:.1%} of {len(labels):,} drawn")

hands = 2 if smoke else 8
z = pair.sample(hands, {"label": torch.zeros(hands, dtype=torch.long)}, seed=1)["z"]
values = {"z": z.repeat_interleave(10, 0), "label": torch.arange(10).repeat(hands)}
sheet = pair.means(values)["image"].reshape(hands, 10, 8, 8)
figure, axes = plt.subplots(hands, 10, figsize=(5.4, 4.6), layout="constrained")
for row, images in zip(axes, sheet, strict=True):
    for place, image in zip(row, images, strict=True):
        place.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=1)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
for digit, place in enumerate(axes[0]):
    place.set_title(str(digit), fontsize=11, color=INK)
figure.suptitle("One row, one z; one column, one label", x=0.01, ha="left", fontsize=11, color=INK)
figure.savefig(folder / "conditional-vae.png", dpi=120)
print("\nPicture:", folder / "conditional-vae.png")
