"""Which modes does a generator find? Two sets of narrow clusters, learned by four games, and one of them as it goes.

On the grid the plain game forgets modes: its discriminator is sharp before its generator has been everywhere. Packs in
which rows are too much alike give themselves away, but there are fewer of them to learn from. A critic whose slope is
held near 1 leaves out nothing, nor does a discriminator with a penalty on its slope at the data (R1) that fades: smooth
at first, it spreads points over all modes, then it sharpens and draws them in, the better the longer it goes on.
A sample is of high quality within three standard deviations of the nearest centre.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import nn

from deepgen import Data, adam, cosine, fit, grid_of_gaussians, mlp, ring
from deepgen.data.standardised import spread_of, standardised
from deepgen.data.toys import grid_centres, ring_centres
from deepgen.evaluate.samples import modes
from deepgen.pictures.points import BEHIND
from deepgen.training.phase import Moment
from deepgen.training.schedules import constant, geometric
from deepgen.zoo.adversarial import adversarial, gan, gradient_penalty, non_saturating, r1, wasserstein
from pgm.pictures.style import BAR, INK

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
short, long, rows = (4, 4, 50) if smoke else (1000, 3000, 2500)
TOYS = {
    "Ring": (ring(40_000), ring_centres(), 0.01, short),
    "Grid": (grid_of_gaussians(40_000), grid_centres(), 0.05, long),
}
critic, generator = mlp(128, 128, 128, activation=lambda: nn.LeakyReLU(0.2)), mlp(128, 128, 128)
GAMES = {  # the game, rows in a pack, and what steadies it
    "Non-saturating": (non_saturating(), 1, {}),
    "Packed by 2": (non_saturating(), 2, {}),
    "Wasserstein, penalty": (wasserstein(), 1, {"penalty": gradient_penalty(1.0)}),
    "R1, fading": (non_saturating(), 1, {"penalty": r1(0.2)}),
}
SPREAD = 3.0  # layers see narrow clusters the sooner the wider they are apart

figure = plt.figure(figsize=(11.2, 8.9), layout="constrained")
axes = iter(figure.subplots(3, 4).flat)


def shown(samples: torch.Tensor, toy: str, title: str) -> None:
    """Samples over the centres of the clusters."""
    _, centres, deviation, _ = TOYS[toy]
    place, found = next(axes), modes(samples, centres, deviation)
    edge = 1.25 * centres.abs().max().item()
    place.scatter(*centres.T, s=60, color=BEHIND, linewidths=0)
    place.scatter(*samples.T, s=1.5, color=BAR, linewidths=0, alpha=0.7)
    place.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal", xticks=[], yticks=[])
    place.spines[:].set_visible(False)
    said = f"{found.captured} of {found.of} modes, {100 * found.high_quality:.0f} % of high quality"
    place.set_title(f"{title}\n{said}", loc="left", fontsize=9, color=INK)
    print(f"{toy}: {title:<28}{said}", flush=True)


def learned(toy: str, name: str) -> list[tuple[int, torch.Tensor]]:
    """Samples of a game at four times of training, by turns."""
    (points, _, _, turns), film = TOYS[toy], []
    (centre, deviation), data = spread_of(points), Data({"x": SPREAD * standardised(points)["x"]}, toy)
    game, pack, options = GAMES[name]
    fade = geometric(1.0, 0.015, round(0.8 * turns)) if "fading" in name else constant()
    torch.manual_seed(0)
    model = gan(data.variable("x"), latents=2, generator=generator, discriminator=critic, pack=pack)
    phases = adversarial(model, game, optimiser=adam(2e-3, (0.0, 0.9)), rate=cosine(turns), fade=fade, **options)

    def watch(moment: Moment) -> dict[str, float]:
        film.append((moment.turn, model.sample(rows, seed=0) * deviation / SPREAD + centre))
        return {}

    fit(phases, data, turns=turns, batch=256, average=0.995, every=turns // 4, watch=watch, device="cpu")
    return film


for toy in TOYS:
    for name in GAMES:
        film = learned(toy, name)
        shown(film[-1][1], toy, name)
for turn, samples in film:
    shown(samples, toy, f"{name}: turn {turn:,}")
figure.savefig(folder / "modes-of-a-gan.png", dpi=120)
print("\nPicture:", folder / "modes-of-a-gan.png")
