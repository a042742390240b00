"""A red 4 at top right: a diffusion model of codes that reads captions, also those that it has never seen together.

Handwritten digits are painted in one of four colours at one of four places, but a fifth of all combinations is held
back. An autoencoder makes a code of 8 x 4 x 4 numbers of each 3 x 16 x 16 picture; in the code a small U-Net takes
noise away, and at every pixel looks at the three words of the caption. Then each of all 160 captions is drawn, and
judged: the place is where most ink is, the colour the nearest one, the digit what a classifier of real digits says.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
from sklearn.svm import SVC

from deepgen import (
    Isotropic,
    adam,
    centred,
    cosine,
    cosine_noise,
    denoised_code,
    fit,
    latent_diffusion,
    mlp,
    named,
    painted,
    unet,
    vae,
    variational,
)
from deepgen.data.painted import COLOURS, PLACES
from deepgen.pictures.sheet import Text, sheet

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, rows, steps, each = ((2, 2), 200, 2, 1) if smoke else ((3000, 1200), 10_000, 30, 4)
torch.manual_seed(0)

grey = named("digits")
train, test = (centred(painted(*part, "seen")) for part in [(grey, rows), (named("digits", "test"), 200)])
words = [train.variable(name) for name in ("label", "colour", "place")]

# The autoencoder: image -> z and back; z has the shape of a small image too.
network = mlp(256, activation=torch.nn.SiLU)
autoencoder = vae(train.variable("image"), (8, 4, 4), encoder=network, decoder=network, family=Isotropic(0.1))
phase = variational(autoencoder, beta=0.1, optimiser=adam(2e-3), rate=cosine(turns[0]))
fit(phase, train, turns=turns[0], batch=100, device="cpu")
kept = autoencoder.means(autoencoder.infer({"image": test["image"]}, mean=True))["image"]
lost = (kept - test["image"]).square().mean() / test["image"].var()
print(f"The code keeps {1 - lost.item():.1%} of the variance of new pictures, in 128 numbers for 768.")

# The diffusion: noise -> z, told a caption. A tenth of the rows is told nothing, so that captions can be stressed.
model = latent_diffusion(autoencoder, unet(32, 64, words=True), given=words, noise=cosine_noise(200), predicts="v")
print(model)
phase = denoised_code(model, optimiser=adam(2e-3), rate=cosine(turns[1]))
fit(phase, train, turns=turns[1], batch=100, average=0.99, device="cpu")


def draw(captions: torch.Tensor, seed: int) -> torch.Tensor:
    """Pictures of captions `[rows, 3]`."""
    given = {word.name: column for word, column in zip(words, captions.T, strict=True)}
    return model.sample(len(captions), given, steps=steps, guidance=1.0, eta=1.0, seed=seed)


captions = torch.cartesian_prod(*(torch.arange(word.size) for word in words)).repeat(each, 1)
began, drawn = time.process_time(), draw(captions, seed=1)
print(f"Drawing took {1000 * (time.process_time() - began) / len(captions):.1f} ms of CPU time a picture.")

colours = torch.tensor(list(COLOURS.values()))
judge = SVC(C=10).fit(grey["image"].flatten(1).numpy(), grey["label"].numpy())


def judged(images: torch.Tensor) -> torch.Tensor:
    """Which digit, colour and place pictures show, `[rows, 3]`."""
    corners = ((images + 1) / 2).unfold(2, 8, 8).unfold(3, 8, 8).flatten(2, 3).movedim(2, 1)  # [rows, places, 3, 8, 8]
    place = corners.sum((2, 3, 4)).argmax(1)
    ink = corners[torch.arange(len(images)), place]
    colour = torch.cosine_similarity(ink.sum((2, 3))[:, None], colours, -1).argmax(1)
    shades = (ink / colours[colour][..., None, None]).mean(1).clamp(0, 1)
    return torch.stack([torch.from_numpy(judge.predict(shades.flatten(1).numpy())), colour, place], 1)


unseen = captions.sum(1) % 5 == 0  # those that `painted` held back
sets = {"seen captions": (drawn[~unseen], captions[~unseen]), "unseen captions": (drawn[unseen], captions[unseen])}
sets["real pictures"] = test["image"], torch.stack([test[word.name] for word in words], 1)
print(f"\n{'share that is right':<22}   digit  colour   place     all   by chance 10 %, 25 %, 25 %, 0.6 %")
for name, (images, asked) in sets.items():
    right = judged(images) == asked
    shares = [*right.float().mean(0).tolist(), right.all(1).float().mean().item()]
    print(f"{name:<22}" + "".join(f"{share:8.1%}" for share in shares) + f"   of {len(asked)}")

shown = [(4, 0, 1), (3, 2, 0), (0, 3, 2), (6, 2, 2), (7, 0, 3), (8, 1, 1), (1, 1, 3), (5, 3, 2)]  # digit, colour, place
said = [f"{list(COLOURS)[colour]} {digit}, {PLACES[place]}" for digit, colour, place in shown]
images, path = draw(torch.tensor(shown).repeat_interleave(8, 0), seed=2), folder / "latent-diffusion.png"
sheet(images, 8, Text("Combinations never seen", left=said), shades=(-1, 1), path=path)
print("\nPicture:", path)
