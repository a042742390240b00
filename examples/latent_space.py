"""Inside a variational autoencoder of handwritten digits: a map of its plane, and what sixteen numbers stand for.

With two latent numbers everything the model knows can be laid out as a map. With sixteen one looks along directions
instead: one unit at a time, from one digit to another, and by arithmetic: what heavy zeros have and light zeros have
not is given to light eights, and their ink is measured.
The pictures go to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch

from deepgen import Data, Pair, adam, bounds, cosine, digits, dynamic, fit, mlp, vae, variational
from deepgen.pictures import arithmetic, interpolation, manifold, reconstructions, traversals

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns = 20 if smoke else 5000

test, train = digits().split(297)
pixels = dynamic(train)  # black or white, drawn anew whenever a digit is looked at


def trained(latents: int) -> Pair:
    """A VAE with so many latent numbers."""
    torch.manual_seed(0)
    pair = vae(pixels.variable("image"), latents, encoder=mlp(200, 200), decoder=mlp(200, 200))
    fit(variational(pair, optimiser=adam(2e-3), rate=cosine(turns)), pixels, turns=turns, batch=100, device="cpu")
    bound = bounds(pair, dynamic(test), particles=(50,))[0]
    print(f"{latents:>2} latent numbers: {bound}")
    return pair


def written(label: int, heavy: bool) -> Data:
    """Of the digits of a label the third with the most ink, or with the least."""
    rows = (train["label"] == label).nonzero()[:, 0]
    ink = train["image"][rows].sum((1, 2))
    return train.rows(rows[ink.argsort(descending=heavy)[: len(rows) // 3]])


plane, space = trained(2), trained(16)
manifold(plane, test, path=folder / "latent-plane.png")
reconstructions(space, test, path=folder / "latent-reconstructions.png")
traversals(space, test, units=8, path=folder / "latent-units.png")

first = [test.rows((test["label"] == k).nonzero()[0]) for k in range(10)]
ends = [Data({"image": torch.cat([first[k]["image"] for k in which])}) for which in ([0, 1, 4, 3], [6, 7, 9, 8])]
interpolation(space, *ends, spherical=True, path=folder / "latent-interpolation.png")

terms = written(0, heavy=True), written(0, heavy=False), written(8, heavy=False)
names = ("heavy 0", "light 0", "light 8")
arithmetic(space, *terms, names=names, path=folder / "latent-arithmetic.png")
a, b, c = (space.infer(dict(term.columns), mean=True)["z"].mean(0) for term in terms)
images = space.means({"z": torch.stack([c, a - b + c])})["image"]
inks = [*images.sum((1, 2)).tolist(), written(8, heavy=True)["image"].sum((1, 2)).mean().item()]
print("\nInk, in pixels:")
for name, ink in zip(["light 8", "light 8 with a heavy pen", "heavy 8 of the data"], inks, strict=True):
    print(f"  {name:<24} {ink:.1f}")
print("\nPictures:", folder)
