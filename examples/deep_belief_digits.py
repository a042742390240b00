"""A deep belief network learns digits layer by layer, draws them to order, and teaches a classifier what to look for.

Two restricted machines learn one after the other, the second on what the first makes of digits and on their labels;
the first then turns into arrows downwards, and contrastive wake-sleep tunes the whole. What that does for the bound on
log p(image, label) of held-out digits is printed. A network that tells labels begins as the network infers, or at
random: the first needs fewer passes over the data, and fewer labels.
The picture, examples/pictures/deep-belief-digits.png, has the graph, digits to order, and how both classifiers learn.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from matplotlib.image import imread
from torch import nn

from deepgen import Phase, adam, cosine, digits, fit, mlp, neural, thresholded
from deepgen.pictures import graph
from deepgen.pictures.style import COLOURS, TEXT, canvas, headed, quiet, saved
from deepgen.zoo.boltzmann import belief_bounds, classifier, dbn, greedy, persistent, up_down
from pgm import Model

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if SMOKE else Path(__file__).parent / "pictures")
STEPS, SWEEPS, LOOKS, FEW = (5, 2, 3, 100) if SMOKE else (2000, 500, 20, 150)

test, train = thresholded(digits()).split(297)
image, label = train.variable("image"), train.variable("label")
torch.manual_seed(0)
belief = dbn(image, 128, 128, label=label)
options = {"optimiser": adam(0.003), "rate": cosine(STEPS)}
learn = partial(fit, data=train, turns=STEPS, batch=100, device="cpu", progress=False)


def measured(stage: str) -> None:
    """What the bound is now."""
    if not SMOKE:
        (found,) = belief_bounds(belief, test, (50,), progress=False)
        print(f"{stage:<34}{found.value:>8.2f} ± {found.error:.2f} nats")


print("Bound on log p(image, label) of held-out digits, 50 draws a row")
for phase in greedy(belief, partial(persistent, centring=0.01), **options):
    learn(phase)
measured("layer by layer")
learn(up_down(belief, optimiser=adam(0.001), rate=cosine(STEPS)))
measured("tuned by contrastive wake-sleep")

labels = torch.arange(10).repeat(6)  # six of each
drawn = belief.sample(60, {"label": labels}, sweeps=SWEEPS, seed=0, progress=False)
made = belief.pair.means(drawn)["image"]


def share_right(model: Model) -> float:
    """Of held-out labels."""
    told = model.conditionals["label"].distribution(test["image"]).logits.argmax(-1)
    return (told == test["label"]).float().mean().item()


curves = {}
print(f"\nHeld-out labels told right by a network that learns from {FEW} labels")
for start in ("as the network infers", "at random"):
    torch.manual_seed(0)
    fresh = Model(neural(label, [image], mlp(128, 128, activation=nn.Sigmoid)))
    model = classifier(belief, label) if start.startswith("as") else fresh
    tell = model.conditionals["label"]
    phase = Phase(
        "telling", {"classifier": model}, lambda rows, _, tell=tell: -tell.log_prob(rows["image"], rows["label"])
    )
    shares = []
    for look in range(LOOKS):
        fit(phase, train.rows(slice(FEW)), epochs=10, batch=50, seed=look, device="cpu", progress=False)
        shares.append(share_right(model))
    curves[start] = shares
    print(f"{start:<24}" + "  ".join(f"{10 * (at + 1)} passes {shares[at]:.1%}" for at in (1, LOOKS // 2, LOOKS - 1)))

figure = canvas(1180, 350)
figure.set_layout_engine("constrained")
left, middle, right = figure.subplots(1, 3, width_ratios=[1.3, 1.5, 1.2])
graph(belief.pair, path=folder / "deep-belief-graph.png")
left.imshow(imread(folder / "deep-belief-graph.png"))
(folder / "deep-belief-graph.png").unlink()
square = nn.functional.pad(made, (1, 1, 1, 1), value=torch.nan).reshape(6, 10, 10, 10)
middle.imshow(square.transpose(1, 2).reshape(60, 100).numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
for plane, title in ((left, "The model and its guide"), (middle, "Digits to order, a column each")):
    plane.set_axis_off()
    plane.set_anchor("N")
    headed(plane, title)
quiet(right)
for colour, (start, shares) in zip(COLOURS, curves.items(), strict=False):
    right.plot(range(10, 10 * LOOKS + 1, 10), [100 * share for share in shares], color=colour, label=start)
right.set(ylim=(0, 100), xlabel=f"passes over {FEW} labelled digits", ylabel="held-out labels told right, %")
right.legend(title="begins", title_fontsize=TEXT, fontsize=TEXT, loc="lower right", frameon=False)
headed(right, "A classifier that begins as the guide")
saved(figure, folder / "deep-belief-digits.png")
print("Picture:", folder / "deep-belief-digits.png")
