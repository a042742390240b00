"""Images to images: outlines to digits from pairs (pix2pix), and digits to another look without pairs (CycleGAN).

From pairs a U-Net learns to fill in outlines; a discriminator that sees parts of both images judges it. Without pairs
two generators undo one another, and each has a discriminator that only knows what its images should look like. That
says nothing about which digit becomes which: where every pixel is inverted in its place the network finds the right
way, where digits are turned another one is as good, and there and back looks perfect. Labels, which no model here has
seen, show it. The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from sklearn.svm import SVC
from torch import Tensor

from deepgen import adam, centred, cosine, fit, named, paired, patchgan, unet_generator, unpaired
from deepgen.data.pairs import changed, edges, inverted, turned
from deepgen.zoo.adversarial import cycle, cycle_consistent, pix2pix, translator
from pgm.pictures.style import INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, wide = (2, 4) if smoke else (550, 32)

train, test = centred(named("digits")), centred(named("digits", "test"))
generator, discriminator = unet_generator(wide, 2 * wide), patchgan(wide, norm="none")
networks = {"generator": generator, "discriminator": discriminator, "patches": (4, 4)}
learning = {"optimiser": adam(1e-3, betas=(0.5, 0.99)), "rate": cosine(turns)}
options = {"turns": turns, "batch": 64, "average": 0.99, "device": "cpu"}
panels: dict[str, dict[str, Tensor]] = {}
seen: dict[str, Tensor] = {}


def look(title: str, stages: dict[str, Tensor], learned_from: Tensor) -> None:
    """Note images for the picture, print errors, and let a support vector machine say what translations show."""
    machine = SVC(C=10).fit(learned_from.flatten(1).numpy(), train["label"].numpy())
    labels = torch.from_numpy(machine.predict(stages["made"].flatten(1).numpy()))
    table = torch.zeros(10, 10).index_put_((test["label"], labels), torch.ones(len(labels)), accumulate=True)
    panels[title], seen[title] = stages, table / table.sum(1, keepdim=True)
    error, mean = ((stages["true"] - each).abs().mean() for each in (stages["made"], learned_from.mean(0)))
    kept = (labels == test["label"]).float().mean()
    print(f"{title}: absolute error {error:.3f} (of the mean image {mean:.3f}), labels kept {kept:.3f}", end="")
    print(f", error there and back {(stages['source'] - stages['back']).abs().mean():.3f}" if "back" in stages else "")


torch.manual_seed(0)
pairs = paired(changed(train, edges), train)
model = translator(pairs.variable("image"), pairs.variable("source"), **networks)
fit(pix2pix(model, **learning), pairs, **options)
outlines = edges(test["image"])
made = model.sample(len(test), {"source": outlines})
look("From pairs: outlines to digits", {"source": outlines, "made": made, "true": test["image"]}, train["image"])

for rule, title in ((inverted, "Without pairs: to inverted digits"), (turned, "Without pairs: to turned digits")):
    torch.manual_seed(0)
    half = len(train) // 2
    data = unpaired(train.rows(slice(half)), changed(train.rows(slice(half, None)), rule))
    both = cycle(data.variable("image"), data.variable("source"), **networks)
    fit(cycle_consistent(both, **learning), data, **options)
    made = both.translated(test["image"])
    back = both.back.sample(len(test), {"image": made})
    stages = {"source": test["image"], "made": made, "true": rule(test["image"]), "back": back}
    look(title, stages, rule(train["image"]))


def tiled(images: Tensor, gap: int = 1) -> Tensor:
    """Images side by side, white between them."""
    return torch.cat(list(torch.nn.functional.pad(images, (0, gap, 0, gap), value=-1.0)), 1)


chosen = [int((test["label"] == digit).nonzero()[n]) for digit in range(10) for n in range(2)]
heights = [len(stages) for stages in panels.values()]
figure, axes = plt.subplots(3, 2, figsize=(10.4, 5.9), layout="constrained", height_ratios=heights, width_ratios=(5, 1))
for (title, stages), (left, right) in zip(panels.items(), axes, strict=True):
    left.imshow(
        torch.cat([tiled(images[chosen]) for images in stages.values()]).numpy(), cmap="gray_r", vmin=-1, vmax=1
    )
    left.set_title(title, loc="left", fontsize=11, color=INK)
    left.set_xticks([])
    left.set_yticks([9 * row + 3.5 for row in range(len(stages))], list(stages), fontsize=9, color=QUIET)
    right.imshow(seen[title].numpy(), cmap="gray_r", vmin=0, vmax=1)
    right.set_title("digit (down) seen as", loc="left", fontsize=9, color=QUIET)
    right.set_xticks(range(10), range(10), fontsize=6, color=QUIET)
    right.set_yticks(range(10), range(10), fontsize=6, color=QUIET)
    for each in (left, right):
        each.tick_params(length=0)
        each.spines[:].set_visible(False)
figure.savefig(folder / "translated-digits.png", dpi=120)
print("\nPicture:", folder / "translated-digits.png")
