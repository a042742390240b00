"""Sixteen pixels are not many: several digits of 64 that they may come from, by a diffusion model.

A model of images is given the same image in a quarter of the pixels, and learns what they leave open. For one coarse
digit it has several answers, all of which have to average to it. A classifier that has seen real digits only says how
many show what the digit showed that the pixels come from, one that was never seen.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from sklearn.svm import SVC

from deepgen import adam, centred, coarsened, cosine, cosine_noise, denoised, diffusion, digits, fit, pooled, timed_mlp
from deepgen.pictures import inked
from deepgen.pictures.sheet import Text, sheet

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns = 5 if smoke else 2000
torch.manual_seed(0)

data = coarsened(centred(digits()), 2)
test, train = data.split(12 if smoke else 297)
print(train)
judge = SVC(C=10).fit(train["image"].flatten(1).numpy(), train["label"].numpy())
model = diffusion(
    train.variable("image"),
    timed_mlp(512, 512, 512, 512),
    given=[train.variable("coarse")],
    noise=cosine_noise(200),
    predicts="v",
    levels=17,
)
print(model)
phase = denoised(model, optimiser=adam(2e-3), rate=cosine(turns))
fit(phase, train, turns=turns, batch=128, average=0.995, device="cpu")

several = 8
coarse, labels = test["coarse"].repeat(several, 1, 1), test["label"].repeat(several)
blown = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
made = model.sample(len(coarse), {"coarse": coarse}, steps=20, seed=1)
print(f"\n{len(test)} held-out digits, {several} answers each:")
for name, images in (
    ("real digits", test["image"].repeat(several, 1, 1)),
    ("sixteen pixels", blown),
    ("answers", made),
):
    right = judge.score(images.flatten(1).numpy(), labels.numpy())
    off = (pooled(images, 2) - coarse).square().mean().sqrt().item()
    print(f"  {name:<15} right {right:6.1%}, off from the sixteen pixels by {off:.3f} of 2 shades")
answers = made.reshape(several, -1, 8, 8).transpose(0, 1)
print(f"  answers for one digit differ by {answers.std(1).mean().item():.3f} a pixel")

# One digit a row: what was given, the answers, and the digit that it was.
shown = torch.stack([(test["label"] == digit).nonzero()[0, 0] for digit in test["label"].unique()])
given = inked(blown[: len(test)][shown, None], torch.ones(8, 8))
drawn = inked(answers[shown], torch.zeros(8, 8))
truth = 1 - (test["image"][shown, None, None].expand(-1, -1, 3, -1, -1) + 1) / 2
white = torch.ones_like(given)
tiles = torch.cat([given, white, drawn, white, truth], 1)
above = ["given", "", "", "", "", "eight answers", "", "", "", "", "", "the digit"]
text = Text("64 pixels from 16: what was given is amber, what was made is blue", above=above)
sheet(tiles.flatten(0, 1), tiles.shape[1], text, path=folder / "upsampled-digits.png")
print("\nPicture:", folder / "upsampled-digits.png")
