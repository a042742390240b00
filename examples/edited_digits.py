"""A hole in a digit, only its middle, or a crude drawing: one diffusion model finishes them all.

The model has learned handwritten digits, and nothing of holes. What is known of an image is put back at every step,
with as much noise as there is by then, so that the rest has to fit it; every step is taken a few times for that. A
crude drawing gets some noise, which hides what is crude about it, and the noise is taken away again. A classifier that
has seen real digits only says whether the results show what they should.
The pictures go to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from sklearn.svm import SVC

from deepgen import adam, centred, cosine, cosine_noise, denoised, diffusion, digits, fit, seven_segments, timed_mlp
from deepgen.pictures import inked
from deepgen.pictures.sheet import Text, sheet

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, repeats = (5, 1) if smoke else (3000, 10)
torch.manual_seed(0)

test, train = centred(digits()).split(12 if smoke else 297)
judge = SVC(C=10).fit(train["image"].flatten(1).numpy(), train["label"].numpy())
variables, network = [train.variable("image")], timed_mlp(512, 512, 512, 512)
model = diffusion(*variables, network, label=train.variable("label"), noise=cosine_noise(200), predicts="v", levels=17)
phase = denoised(model, optimiser=adam(2e-3), rate=cosine(turns))
fit(phase, train, turns=turns, batch=128, average=0.995, device="cpu")


def right(images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images of which the classifier says what they should show."""
    return float(judge.score(images.flatten(1).numpy(), labels.numpy()))


# 1 where a digit is known. A guidance of -1 forgets the label; what is known has to do.
hole, half = torch.ones(8, 8), torch.ones(8, 8)
hole[2:6, 2:6], half[4:] = 0, 0
masks = {"around a hole": hole, "upper half": half, "middle only": 1 - hole}
truth, given = test["image"], {"label": test["label"]}
print(f"Right, of {len(test)} held-out digits; as they are {right(truth, test['label']):.1%}:")
rows, known = [], {}
for name, mask in masks.items():
    for guidance, label in ((-1.0, "without"), (0.0, "with")):
        options = {"known": truth, "mask": mask, "guidance": guidance, "repeats": repeats, "steps": 20}
        made = model.sample(len(test), given, seed=1, **options)
        print(f"  {name:<14} {label:<8} label {right(made, test['label']):7.1%}")
    shown = torch.tensor([0, 5, 7])
    several = shown.repeat_interleave(8)
    options = {"known": truth[several], "mask": mask, "guidance": -1.0, "repeats": repeats, "steps": 20}
    made = model.sample(24, {"label": test["label"][several]}, seed=2, **options).reshape(3, 8, 8, 8)
    blank = torch.where(mask.bool(), truth[shown], -1.0)
    white, real = torch.ones(3, 1, 3, 8, 8), (1 - truth[shown, None, None].expand(-1, -1, 3, -1, -1)) / 2
    rows.append(torch.cat([inked(blank, mask)[:, None], white, inked(made, mask), white, real], 1))

tiles = torch.cat(rows)
above = ["known", "", "", "", "", "filled in, eight times", "", "", "", "", "", "the digit"]
text = Text("The rest of a digit: what was given is amber, what was made is blue", above=above)
sheet(tiles.flatten(0, 1), tiles.shape[1], text, band=3, path=folder / "edited-digits.png")

# From a pocket calculator to handwriting: more noise first, less of the drawing left.
start, labels = centred(seven_segments())["image"], torch.arange(10)
strengths, found = (0.2, 0.4, 0.6, 0.8), [inked(start, torch.ones(8, 8))]
times = 2 if smoke else 20
print("\nSeven segments made handwritten, as the digit that they show:")
for strength in strengths:
    options = {"start": start.repeat(times, 1, 1), "strength": strength, "guidance": 1.0, "steps": 50}
    made = model.sample(10 * times, {"label": labels.repeat(times)}, seed=1, **options)
    moved = (made - options["start"]).square().mean().sqrt().item()
    print(f"  strength {strength:g}: right {right(made, labels.repeat(times)):7.1%}, moved by {moved:.2f} a pixel")
    found.append(inked(made[:10], torch.zeros(8, 8)))
left = ["drawing", *(f"strength {strength:g}" for strength in strengths)]
text = Text("A crude drawing becomes handwriting, with more noise first from row to row", left=left)
sheet(torch.cat(found), 10, text, path=folder / "handwritten-segments.png")
print("\nPictures:", folder / "edited-digits.png", "and", folder / "handwritten-segments.png")
