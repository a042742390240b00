"""A game beside an autoencoder: the same decoder and the same digits, two divergences, one table.

In the notation of y, which says whether a row is fake or real, both are pairs of graphs that make a KL divergence
small: the game with its generator as the first argument, the autoencoder with its decoder as the second. The table is
read off their graphs. With the same Gaussian noise around what each draws, annealing says how probable held-out digits
are: what the game does not draw is all but impossible for it, however good its samples look.
The pictures go to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import nn

from deepgen import Isotropic, adam, annealed, centred, cosine, digits, fit, mlp, vae, variational
from deepgen.evaluate.samples import sliced_wasserstein
from deepgen.pictures import graph
from deepgen.recipes.gan import bounded
from deepgen.zoo.adversarial import adversarial, blurred, flagged, gan, r1, unified
from pgm.pictures.style import INK

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, width, rows = (3, 16, 6) if smoke else (2500, 128, 60)
latents, noise = 8, 0.3  # deviation of shades from -1 to 1

test, train = centred(digits()).split(297)
image = train.variable("image")
decoder = bounded(width, width)
torch.manual_seed(0)
judge = mlp(width, width, activation=partial(nn.LeakyReLU, 0.2))
game = gan(image, latents, generator=decoder, discriminator=judge)
pair = vae(image, latents, encoder=mlp(width, width), decoder=decoder, family=Isotropic(noise, learned=False))
print(unified({"GAN": game, "VAE": pair}), end="\n\n")

options = {"data": train, "turns": turns, "batch": 64, "device": "cpu", "average": 0.99}
fit(adversarial(game, penalty=r1(0.1), optimiser=adam(5e-4, (0.5, 0.99))), **options)
fit(variational(pair, optimiser=adam(1e-3), rate=cosine(turns)), **options)

drawn = {"GAN": game.sample(297, seed=0), "VAE": pair.means(pair.sample(297, seed=0))["image"]}
shown = {"Held-out digits": test["image"]}
for name, each in {"GAN": blurred(game, noise), "VAE": pair}.items():
    start = "prior" if name == "GAN" else "guide"
    how = {"temperatures": 2, "chains": 1, "simulated": 2} if smoke else {"temperatures": 300, "simulated": rows}
    held, dreams = annealed(each, test.rows(slice(rows)), start=start, **how)
    print(f"{name}: held-out digits, {held}\n{'':<5}its own draws, {dreams}")
    far = sliced_wasserstein(drawn[name].flatten(1), test["image"].flatten(1))
    print(f"{'':<5}sliced Wasserstein distance of samples to held-out digits {far:.3f}")
    shown[f"{name}, log p ≥ {held.value:.1f}"] = drawn[name]

figure = plt.figure(figsize=(7.2, 2.6), layout="constrained")
for part, (name, images) in zip(figure.subfigures(1, 3, wspace=0.06), shown.items(), strict=True):
    part.suptitle(name, x=0.02, ha="left", fontsize=11, color=INK)
    for place, picture in zip(part.subplots(6, 6).flat, images, strict=False):
        place.imshow(picture.numpy(), cmap="gray_r", vmin=-1, vmax=1)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
figure.savefig(folder / "gan-beside-vae.png", dpi=120)
both = {"VAE": flagged(pair), "GAN": game.pair}
graphs = {f"{part} of the {name}": model for name, each in both.items() for part, model in each.modules.items()}
graph(graphs, path=folder / "gan-beside-vae.svg")
print("\nPictures:", folder / "gan-beside-vae.png", "and .svg")
