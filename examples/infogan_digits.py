"""Kinds of digits that a generator found by itself: InfoGAN, which may not ignore the code that its rows are made of.

A network of the guide has to read the code off each generated digit; how well it does is a lower bound on what digits
say of their code, at most log 10. Applied to held-out digits it is a clustering that nobody asked for: labels are used
to say how pure it is, never to learn.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from sklearn.cluster import KMeans
from torch import nn

from deepgen import adam, centred, digits, fit, mlp, purity
from deepgen.pictures.sheet import Text, sheet
from deepgen.recipes.gan import bounded
from deepgen.zoo.adversarial import adversarial, infogan, information
from pgm import Variable

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, width, across = (3, 16, 2) if smoke else (2500, 256, 12)

test, train = centred(digits()).split(297)
torch.manual_seed(0)
seeing = mlp(width, width, activation=partial(nn.LeakyReLU, 0.2))
kind = Variable("kind", 10)
model = infogan(
    train.variable("image"), 16, [kind], generator=bounded(width, width), discriminator=seeing, reader=seeing
)
print(model)
phases = adversarial(model, optimiser=adam(5e-4, (0.5, 0.99)))
fit(phases, train, turns=turns, batch=64, device="cpu", average=0.99)
print(*information(model))


@torch.no_grad()
def read(images: torch.Tensor) -> torch.Tensor:
    """The most probable code of each image."""
    return model.encoders["kind"].distribution(images).mode


usual = KMeans(kind.size, n_init=1 if smoke else 10, random_state=0).fit(train["image"].flatten(1))
other = torch.from_numpy(usual.predict(test["image"].flatten(1))).long()
print(f"Purity of kinds: {purity(read(train['image']), train['label']):.3f} on the digits it saw,", end=" ")
print(f"{purity(read(test['image']), test['label']):.3f} on {len(test)} others; k-means", end=" ")
print(f"{purity(other, test['label']):.3f} on these")


def described(number: int) -> str:
    """What the digits that are read as a kind mostly are."""
    labels = train["label"][read(train["image"]) == number]
    if not len(labels):
        return "no digits"
    most = labels.mode().values
    return f"mostly {most.item()}, {(labels == most).float().mean():.0%}"


noise = torch.randn(across, 16, generator=torch.Generator().manual_seed(1))
values = {"z": noise.repeat(kind.size, 1), "kind": torch.arange(kind.size).repeat_interleave(across)}
written = {number: described(number) for number in range(kind.size)}
order = sorted(written, key=lambda number: written[number])
drawn = model.sample(kind.size * across, values).unflatten(0, (kind.size, across))[order].flatten(0, 1)
text = Text("A row for each kind that was found, a column for each draw of the noise", left=[written[n] for n in order])
sheet(drawn, across, text, shades=(1.0, -1.0), path=folder / "infogan-digits.png")
print("\nPicture:", folder / "infogan-digits.png")
