"""A photograph in black and white, every seventh pixel flipped, restored by belief propagation.

Each pixel is a variable: it prefers the tone it was received in, and the tones of its four neighbours. With 270,000
variables no exact answer is within reach; messages between neighbours settle in seconds.
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from sklearn.datasets import load_sample_image

from pgm import LoopyBP, grid
from pgm.pictures.style import LINE

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)
step = 4 if "--smoke" in sys.argv else 1  # every fourth row and column will do for a test

FLIPPED = 0.15  # share of pixels
COUPLING = 1.0  # nats by which neighbours of one tone are favoured

grey = torch.tensor(load_sample_image("china.jpg")[::step, ::step], dtype=torch.float64).mean(-1)
truth = (grey > grey.median()).long()
flips = torch.rand(truth.shape, generator=torch.Generator().manual_seed(1)) < FLIPPED
received = truth ^ flips.long()

# log p(received | tone): the evidence of a pixel, [height, width, tones]
likelihood = torch.tensor([[1 - FLIPPED, FLIPPED], [FLIPPED, 1 - FLIPPED]], dtype=torch.float64)
evidence = likelihood.log()[:, received].permute(1, 2, 0)
field = grid(evidence, COUPLING * torch.eye(2, dtype=torch.float64))

found = LoopyBP(tolerance=1e-3).solve(field)
white = found.marginals.reshape(*truth.shape, 2)[..., 1]  # p(white | everything received)
restored = (white > 0.5).long()


def window(tones: torch.Tensor) -> torch.Tensor:
    """The plain man's way: the tone of most of the nine pixels around each one."""
    padded = torch.nn.functional.pad(tones[None, None].double(), (1, 1, 1, 1), mode="replicate")
    return (torch.nn.functional.avg_pool2d(padded, 3, stride=1)[0, 0] > 0.5).long()


def wrong(tones: torch.Tensor) -> float:
    """The share of pixels in the wrong tone."""
    return (tones != truth).double().mean().item()


print(f"{field}: {found.diagnostics['iterations'][0]} iterations, settled: {found.diagnostics['converged'][0]}")
print("\nPixels in the wrong tone:")
rows = {"received": received, "most of nine": window(received), "belief propagation": restored}
for name, tones in rows.items():
    print(f"  {name:<20} {wrong(tones):>6.2%}")

# Probabilities say where to trust the picture: an error rate for each degree of belief.
belief = torch.maximum(white, 1 - white)
print("\nbelief in the tone   pixels   expected errors   errors")
for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 0.99), (0.99, 1.01)):
    some = (belief >= low) & (belief < high)
    off = (restored != truth)[some].double().mean()
    share, due = some.double().mean(), (1 - belief[some]).mean()
    print(f"  {low:.2f} to {min(high, 1):.2f}     {share:>8.1%} {due:>14.1%} {off:>11.1%}")

figure, axes = plt.subplots(2, 2, figsize=(9.6, 6.9), layout="constrained")
shown = {
    "Photograph in two tones": truth,
    f"Received: {wrong(received):.1%} wrong": received,
    f"Restored: {wrong(restored):.1%} wrong": restored,
}
for plane, (title, tones) in zip(axes.flat, shown.items(), strict=False):
    plane.imshow(tones.numpy(), cmap="gray", interpolation="nearest")
    plane.set_title(title)
doubt = axes[1, 1].imshow((1 - belief).numpy(), cmap="Blues", vmin=0, vmax=0.5, interpolation="nearest")
axes[1, 1].set_title("Doubt: probability of the other tone")
figure.colorbar(doubt, ax=axes[1, 1], shrink=0.9, ticks=[0, 0.25, 0.5])
for plane in axes.flat:
    plane.set(xticks=[], yticks=[])
    plane.spines[:].set_color(LINE)
figure.savefig(folder / "denoising.png", dpi=100)
print("\nPicture:", folder / "denoising.png")
