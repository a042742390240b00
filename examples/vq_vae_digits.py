"""Handwritten digits in four whole numbers each: a vector-quantised autoencoder, and a prior that draws by label.

An image becomes a grid of 2 x 2 codes, each one of 64 entries of a codebook: 24 bits. What is lost is measured in bits;
a gated PixelCNN learns how codes go together for each digit, and new digits are drawn: codes first, then pixels. A
classifier that has seen real digits only says how many of them are what was asked for.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from sklearn.svm import SVC

from deepgen import adam, convolutional, cosine, digits, dynamic, fit, pixel_cnn, quantised, vq_vae
from deepgen.evaluate.codes import codes
from pgm.pictures.style import BAR, INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns = 5 if smoke else 1200
torch.manual_seed(0)

whole = digits()
shades, train_shades = whole.split(297)
test, train = dynamic(shades), dynamic(train_shades)  # pixels are drawn anew, black or white, whenever one looks
if smoke:
    test = test.rows(slice(20))

# label -> code -> entries of the codebook -> image, and the guide image -> features -> nearest entries
pair = vq_vae(
    train.variable("image"),
    codes=(2, 2),
    size=64,
    label=train.variable("label"),
    encoder=convolutional(32, 64),
    decoder=convolutional(32, 64),
    prior=pixel_cnn(32, layers=3),
)
print(pair)
phases = quantised(pair, optimiser=adam(2e-3), rate=cosine(turns))
history = fit(phases, train, turns=turns, batch=100, device="cpu")
for name in ("reconstruction", "perplexity of code", "used of code"):
    values = history[f"autoencoder.{name}"]
    print(f"  {name:<20} {values[0]:6.2f} at first, {values[-1]:6.2f} in the end")

print("\nOn new digits:")
for figure in codes(pair, test):
    print(" ", figure)

# New digits: codes by label, then the probability of ink at each pixel.
labels = torch.arange(10).repeat_interleave(8 if smoke else 50)
made = pair.means(pair.sample(len(labels), {"label": labels}, seed=1))["image"]
judge = SVC(C=10).fit(train_shades["image"].flatten(1).numpy(), train_shades["label"].numpy())
right = judge.score(shades["image"].flatten(1).numpy(), shades["label"].numpy())
asked = judge.score(made.flatten(1).numpy(), labels.numpy())
print(
    f"\nA classifier gets {right:.1%} of real digits right, and says of {asked:.1%} of drawn ones what was asked for."
)


def paste(images: torch.Tensor, columns: int) -> torch.Tensor:
    """Images `[n, height, width]` side by side on one sheet of paper."""
    framed = torch.nn.functional.pad(images, (1, 1, 1, 1))
    rows = framed.reshape(-1, columns, *framed.shape[1:])
    return 1 - rows.permute(0, 2, 1, 3).reshape(-1, columns * framed.shape[-1])


one_each = torch.stack([(shades["label"] == digit).nonzero()[0, 0] for digit in range(10)])
seen = dynamic(shades).batch(one_each, torch.Generator().manual_seed(0))["image"]
again = pair.means(pair.infer({"image": seen}))["image"]
drawn = made.reshape(10, -1, 8, 8)[:, :8].transpose(0, 1).flatten(0, 1)

figure = plt.figure(figsize=(9.2, 4.4), layout="constrained")
axes = figure.subplot_mosaic([["kept", "drawn"], ["use", "drawn"]], width_ratios=(1, 1.15), height_ratios=(1, 1.1))
left, right, bars = axes["kept"], axes["drawn"], axes["use"]
sheets = {"Digits, and what their codes keep": paste(torch.cat([shades["image"][one_each], seen, again]), 10)}
sheets["Drawn for each label"] = paste(drawn, 10)
for place, (title, sheet) in zip((left, right), sheets.items(), strict=True):
    place.imshow(sheet.numpy(), cmap="gray", vmin=0, vmax=1)
    place.set(xticks=[], yticks=[], anchor="NW")
    place.spines[:].set_visible(False)
    place.tick_params(length=0)
    place.set_title(title, loc="left", fontsize=10, color=INK)
left.set_yticks([4.5, 14.5, 24.5], ["shades", "seen", "kept"], fontsize=8, color=QUIET)
right.set_xticks([4.5 + 10 * digit for digit in range(10)], range(10), fontsize=8, color=QUIET)
numbers = pair.infer({"image": train["image"].round()})["code"].long().flatten()
use = torch.bincount(numbers, minlength=64).sort(descending=True).values / len(numbers)
bars.bar(range(64), use.numpy(), color=BAR)
bars.set_title("Share of codes, entry by entry", loc="left", fontsize=10, color=INK)
bars.set_xlabel("entries of the codebook, by use", fontsize=8, color=QUIET)
bars.tick_params(labelsize=8, colors=QUIET)
bars.spines[["top", "right"]].set_visible(False)
figure.savefig(folder / "vq-vae-digits.png", dpi=120)
print("\nPicture:", folder / "vq-vae-digits.png")
