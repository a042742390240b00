"""Digits to order: a diffusion model of handwritten digits that is told which one it should make.

A network learns to take noise away from images, told the digit in nine of ten rows; sampling starts from nothing but
noise. With guidance it goes beyond what the digit asks for: clearer digits, less varied ones. A classifier that has
seen real digits only says how many are what was asked for, and neighbours among the digits learned from, how varied
they are and whether they are copies.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from sklearn.svm import SVC

from deepgen import adam, centred, cosine, cosine_noise, denoised, diffusion, digits, fit, timed_mlp
from deepgen.evaluate.samples import coverage, nearest
from deepgen.pictures import inked
from deepgen.pictures.sheet import Text, sheet

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, each = (5, 6) if smoke else (3000, 50)
torch.manual_seed(0)

test, train = centred(digits()).split(297)
judge = SVC(C=10).fit(train["image"].flatten(1).numpy(), train["label"].numpy())

# image -> x1 -> ... -> x200 adds noise, x200 -> ... -> x1 -> image given the label takes it away.
model = diffusion(
    train.variable("image"),
    timed_mlp(512, 512, 512, 512),
    label=train.variable("label"),
    noise=cosine_noise(200),
    predicts="v",
    levels=17,
)
print(model)
phase = denoised(model, optimiser=adam(2e-3), rate=cosine(turns))
history = fit(phase, train, turns=turns, batch=128, average=0.995, device="cpu")
print(f"  squared error {history['simple.loss'][0]:.3f} at first, {history['simple.loss'][-1]:.3f} in the end\n")

right = judge.score(test["image"].flatten(1).numpy(), test["label"].numpy())
real = nearest(test["image"], train["image"])[1].mean().item()
print(f"{'':<24}  what was asked for   variety   distance to the nearest digit learned from")
print(f"{'real digits, held out':<24}{right:>18.1%}{'':>12}{real:>10.2f}")
labels, made = torch.arange(10).repeat_interleave(each), {}
for guidance, steps, eta in [(0.0, 10, 0.0), (0.0, 20, 0.0), (0.0, 200, 1.0), (1.0, 20, 0.0), (3.0, 20, 0.0)]:
    given = {"label": labels}
    images = model.sample(len(labels), given, steps=steps, guidance=guidance, eta=eta, seed=1)
    right = judge.score(images.flatten(1).numpy(), labels.numpy())
    varied, apart = coverage(images, test["image"]).recall, nearest(images, train["image"])[1].mean().item()
    print(f"{f'guidance {guidance:g}, {steps} steps':<24}{right:>18.1%}{varied:>12.2f}{apart:>10.2f}")
    made[guidance, steps] = images.reshape(10, each, 8, 8)
print("Variety is recall: the share of held-out digits within reach of some sample.")

# A row for each digit; blocks of columns with more and more guidance.
nothing = torch.ones(10, 1, 3, 8, 8)  # white paper between blocks
blocks = [inked(made[guidance, 20][:, :6], torch.zeros(8, 8)) for guidance in (0.0, 1.0, 3.0)]
tiles = torch.cat([blocks[0], nothing, blocks[1], nothing, blocks[2]], 1)
above = [""] * tiles.shape[1]
above[2], above[9], above[16] = "no guidance", "guidance 1", "guidance 3"
text = Text("Digits to order, from noise in 20 steps", left=[str(digit) for digit in range(10)], above=above)
sheet(tiles.flatten(0, 1), tiles.shape[1], text, path=folder / "diffusion-digits.png")
print("\nPicture:", folder / "diffusion-digits.png")
