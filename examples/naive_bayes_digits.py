"""Handwritten digits told apart by what each digit looks like: p(digit | pixels) from p(digit) p(pixels | digit).

The domain of the pixels says which naive Bayes it is. A model of pixels, not only of their class, also draws digits
and fills in what is covered. With DEEPGEN_DATA set to a folder that holds mnist/*.gz, MNIST is told apart as well.
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import gzip
import os
import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.naive_bayes import BernoulliNB
from torch import Tensor

import pgm
from pgm import Binary, Count, Dirichlet, NormalInverseWishart, Real, Variable
from pgm.pictures.style import EVIDENCE

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

# 1,797 images of 8 x 8 pixels with ink from 0 to 16 (Alpaydin and Kaynak, 1998), two thirds to learn from.
images, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
train, test = order[:1200], order[1200 : 1300 if "--smoke" in sys.argv else None]
digit = Variable("digit", 10)


def accuracy(model: pgm.Model, pixels: Tensor, truth: Tensor) -> float:
    """The share of images whose most probable digit is the true one."""
    found = pgm.infer(model, ["digit"], given={"pixels": pixels})["digit"].argmax(1)
    return (found == truth).double().mean().item()


BINARY, COUNTS, NUMBERS = Variable("pixels", Binary(64)), Variable("pixels", Count(64)), Variable("pixels", Real(64))
ONE, SPREAD = Dirichlet(1.0), NormalInverseWishart(0.3)  # no pixel is certain; no covariance singular
ink, gray = (images > 8).double(), images / 16
CHOICES: dict[str, tuple[pgm.Model, Tensor, Dirichlet | NormalInverseWishart]] = {
    "ink or none, Bernoulli": (pgm.naive_bayes(digit, BINARY), ink, ONE),
    "drops of ink, multinomial": (pgm.naive_bayes(digit, COUNTS), images, ONE),
    "gray, one Gaussian a pixel": (pgm.naive_bayes(digit, NUMBERS), gray, NormalInverseWishart(0.01)),
    "gray, dependent, the same for all": (pgm.naive_bayes(digit, NUMBERS, covariance="full", tied=True), gray, SPREAD),
    "gray, dependent": (pgm.naive_bayes(digit, NUMBERS, covariance="full"), gray, SPREAD),
}
print(f"Learned from {len(train):,} digits, told apart {len(test)} others:")
models = {}
for name, (blank, pixels, prior) in CHOICES.items():
    rows = {"digit": labels[train], "pixels": pixels[train]}
    models[name] = pgm.fit(blank, rows, prior={"pixels": prior}).model
    print(f"  {name:<36} {accuracy(models[name], pixels[test], labels[test]):.1%} right")

# The first one is scikit-learn's, to the last digit.
peer = BernoulliNB(alpha=1.0).fit(ink[train], labels[train]).predict_proba(ink[test])
first = pgm.infer(models["ink or none, Bernoulli"], ["digit"], given={"pixels": ink[test]})["digit"]
print(f"Bernoulli beside scikit-learn: probabilities differ by {abs(first.numpy() - peer).max():.0e} at most")

# The last one knows how pixels go together, so that half an image tells of the other half: NaN is what is not seen.
best = models["gray, dependent"]
covered = gray[test].clone()
covered[:, 32:] = torch.nan
half = pgm.infer(best, given={"pixels": covered})
found = (half["digit"].argmax(1) == labels[test]).double().mean()
guesses = half["pixels"].mean, gray[train].mean(0)
errors, average = (((guess - gray[test])[:, 32:] ** 2).mean().sqrt() for guess in guesses)
print(f"\nLower half covered: {found:.1%} right. Filled in, a pixel is {16 * errors:.1f} of 16 shades off", end=" ")
print(f"(root mean square);\nwith the average image {16 * average:.1f}.")

one_each = torch.stack([(labels[test] == k).nonzero()[0, 0] for k in range(10)])
drawn = [pgm.sample(best, 1, ["pixels"], given={"digit": k}, seed=k)["pixels"] for k in range(10)]
lines = {
    "average": pgm.infer(best, ["pixels"], given={"digit": torch.arange(10)})["pixels"].mean,
    "drawn": torch.cat(drawn),
    "covered": covered[one_each],
    "filled in": half["pixels"].mean[one_each],
    "true": gray[test][one_each],
}
figure, axes = plt.subplots(5, 10, figsize=(6.4, 3.4), layout="constrained")
for line, (name, pictures) in zip(axes, lines.items(), strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for place, image in zip(line, pictures.detach().numpy(), strict=True):
        place.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        place.set(xticks=[], yticks=[], facecolor=EVIDENCE)
figure.savefig(folder / "digits.png", dpi=120)
print("\nPicture:", folder / "digits.png")
if "DEEPGEN_DATA" in os.environ:
    files = sorted((Path(os.environ["DEEPGEN_DATA"]) / "mnist").glob("*-ubyte.gz"))  # images and labels, t10k and train
    new, truth, old, told = (
        torch.frombuffer(bytearray(gzip.decompress(file.read_bytes())), dtype=torch.uint8, offset=header)
        for file, header in zip(files, (16, 8, 16, 8), strict=True)
    )
    seen, shown = ((pixels.reshape(-1, 784) > 127).double() for pixels in (old, new))
    big = pgm.naive_bayes(digit, Variable("pixels", Binary(784)))
    right = accuracy(pgm.fit(big, {"digit": told.long(), "pixels": seen}, prior=ONE).model, shown, truth)
    print(f"MNIST, 10,000 test images of ink or none: {right:.2%} right")
