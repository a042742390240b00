"""Five levels of latent variables on handwritten digits: what each carries, and how to keep the upper ones alive.

A chain z5 -> z4 -> z3 -> z2 -> z1 -> image is trained twice: by the plain bound, under which upper levels collapse onto
their priors, and with free bits and a warm-up of the divergences, under which all are used. Then one level at a time is
held while the others are drawn anew: the images of a row have in common what that level decides.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt

from deepgen import bounds, digits, dynamic, fit, levels, linear, markovian_hierarchical_vae, variational
from pgm.pictures.style import BAR, INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns = 5 if smoke else 2000

whole = dynamic(digits())  # pixels are drawn anew, black or white, whenever a digit is looked at
test, train = whole.split(297)
if smoke:
    test = test.rows(torch.arange(20))

pairs, used = {}, {}
for way in ("plain bound", "free bits and warm-up"):
    torch.manual_seed(0)
    pair = markovian_hierarchical_vae(train.variable("image"), latents=[32, 16, 8, 4, 2])
    if way == "plain bound":
        phase = variational(pair)
    else:  # half a nat of each level is free, and all divergences count fully after a tenth of the time only
        phase = variational(pair, free=0.5, beta=linear(0.0, 1.0, max(1, turns // 10)))
    history = fit(phase, train, turns=turns, batch=100, device="cpu")
    pairs[way], used[way] = pair, levels(pair, test)
    print(f"{way}, {turns} steps:\n{used[way]}")
    for bound in bounds(pair, test):
        print(bound)
    print()

# One draw of everything; then eight draws that share one of its levels with it.
pair = pairs["free bits and warm-up"]
first = pair.sample(1, seed=4)
rows = {}
for name in ("z5", "z4", "z3", "z2", "z1"):
    held = {name: first[name].expand(8, -1)}
    rows[name] = pair.means(pair.sample(8, held, seed=1))["image"]
spread = {name: images.var(0).mean().item() for name, images in rows.items()}
print("Variance of a pixel among images that share a level:")
print("   ".join(f"{name} {value:.4f}" for name, value in spread.items()))

figure, (bars, sheet) = plt.subplots(1, 2, figsize=(9.6, 3.9), width_ratios=(1, 1.25), layout="constrained")
names = list(rows)
for place, (way, colour) in enumerate(zip(used, ("#c8d0da", BAR), strict=True)):
    heights = [level.kl for level in used[way]]
    at = [number + 0.38 * (place - 0.5) for number in range(5)]
    bars.bar(at, heights, 0.36, color=colour, label=way)
    for x, height, level in zip(at, heights, used[way], strict=True):
        bars.text(x, max(height, 0) + 0.02, level.active, ha="center", va="bottom", fontsize=8, color=QUIET)
bars.set_xticks(range(5), [f"{level.name}\nof {level.units}" for level in used[way]])
bars.set_ylabel("KL (nats)", color=INK)
bars.set_title("What each level carries; above, its active units", loc="left", fontsize=10, color=INK)
bars.spines[["top", "right"]].set_visible(False)
bars.legend(frameon=False, fontsize=8)

gap = torch.ones(8, 1)  # white lines between the images
strips = [torch.cat([torch.cat([1 - image, gap], 1) for image in rows[name]], 1) for name in names]
blank = torch.ones(2, strips[0].shape[1])
sheet.imshow(torch.cat([torch.cat([strip, blank]) for strip in strips]).numpy(), cmap="gray", vmin=0, vmax=1)
sheet.set_yticks([3.5 + 10 * number for number in range(5)], [f"{name} held" for name in names])
sheet.set_xticks([])
sheet.tick_params(length=0)
sheet.spines[:].set_visible(False)
sheet.set_title("Eight images that share one level", loc="left", fontsize=10, color=INK)
figure.savefig(folder / "hierarchical-vae.png", dpi=100)
print("\nPicture:", folder / "hierarchical-vae.png")
