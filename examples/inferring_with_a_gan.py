"""What is a digit made of? Two games that infer it, beside a variational autoencoder of the same networks.

A plain generator makes digits of z, and nobody knows the z of a digit. BiGAN lets an encoder guess it, and shows the
discriminator digits with their z: once it is fooled, the guesses are what digits were made of, though no pixel was ever
compared. VAE-GAN is an autoencoder that compares digits by what its discriminator sees in them. Both are a pair of
graphs, z -> x <- y and what is inferred, and learn by phases of the same `fit` as the autoencoder does.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn

from deepgen import Isotropic, Pair, adam, centred, cosine, fit, mlp, named, point, vae, variational
from deepgen.evaluate.probe import probed
from deepgen.evaluate.reconstruction import reconstruction, sharpness
from deepgen.evaluate.samples import sliced_wasserstein
from deepgen.pictures.moves import along_circle
from deepgen.recipes.gan import bounded
from deepgen.zoo.adversarial import adversarial, bigan, learned_similarity, r1, unflagged, vae_gan
from pgm.pictures.style import INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, latents = (3, 10) if smoke else (2000, 10)
some = slice(200 if smoke else None)
train, test = (centred(named("digits", split)).rows(some) for split in ("train", "test"))
image = train.variable("image")
seeing, painting = mlp(512, 512, activation=lambda: nn.LeakyReLU(0.2)), bounded(256, 256)
networks = {"generator": painting, "encoder": seeing, "discriminator": seeing}


def learned(phases, turns=turns) -> None:
    fit(phases, train, turns=turns, batch=64, average=0.99, device="cpu")


torch.manual_seed(0)
players = {"optimiser": adam(1e-3, betas=(0.5, 0.99)), "rate": cosine(turns), "penalty": r1(1.0)}
inferring = bigan(image, latents, family=point, **networks)
learned(adversarial(inferring, **players))
comparing = vae_gan(image, latents, **networks)
learned(learned_similarity(comparing, **players))
blurring = vae(image, latents, encoder=seeing, decoder=painting, family=Isotropic(0.5))
learned(variational(blurring, optimiser=adam(1e-3), rate=cosine(turns)))

pairs: dict[str, Pair] = {"BiGAN": unflagged(inferring), "VAE-GAN": unflagged(comparing), "VAE": blurring}
n = len(test)
for name, pair in pairs.items():
    drawn = pair.means(pair.sample(n, seed=0))["image"]
    codes, *others = probed(pair, train, test)
    print(f"{name}\n  {reconstruction(pair, test)}\n  {codes}")
    print(f"  samples: sliced Wasserstein distance {sliced_wasserstein(drawn, test['image']):.3f},", end=" ")
    print(f"sharpness {sharpness(drawn):.3f}")
print("Digits learned from:", f"{sliced_wasserstein(train['image'][:n], test['image']):.3f},", end=" ")
print(f"sharpness of held-out digits {sharpness(test['image']):.3f}")
print(*others, sep="\n")

first = torch.stack([test["image"][test["label"] == k][0] for k in range(10)])
ends = first[[0, 1, 4, 3]], first[[6, 7, 9, 8]]


def between(pair: Pair) -> Tensor:
    """Ten steps on the sphere from one digit's z to another's, a row for each two."""
    one, other = (pair.infer({"image": digits}, mean=True)["z"] for digits in ends)
    z = along_circle(one, other, torch.linspace(0, 1, 10)).flatten(0, 1)
    return pair.means({"z": z})["image"]


def tiled(images: Tensor, gap: int = 2) -> Tensor:
    """Rows of ten images as one picture, white between them."""
    wide = nn.functional.pad(images, (0, gap, 0, gap), value=-1.0)
    return torch.cat([torch.cat(list(row), 1) for row in wide.split(10)])[:-gap, :-gap]


again = {name: pair.means(pair.infer({"image": first}, mean=True))["image"] for name, pair in pairs.items()}
panels = {"Held-out digits, and what comes back": (torch.cat([first, *again.values()]), ["digits", *again])}
panels |= {f"{name}: from one held-out digit to another": (between(pair), []) for name, pair in pairs.items()}
figure, axes = plt.subplots(2, 2, figsize=(10.8, 4.75), layout="constrained")
figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
for place, (title, (images, left)) in zip(axes.flat, panels.items(), strict=True):
    place.imshow(tiled(images).numpy(), cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    place.set_title(title, loc="left", fontsize=11, color=INK)
    place.set_xticks([])
    place.set_yticks([10 * row + 3.5 for row in range(len(left))], left, fontsize=9, color=QUIET)
    place.tick_params(length=0)
    place.spines[:].set_visible(False)
figure.savefig(folder / "inferring-with-a-gan.png", dpi=120)
print("\nPicture:", folder / "inferring-with-a-gan.png")
