"""A boat tracked by radar that loses it for a while: the Kalman filter, and the smoother that knows what came later.

Position and velocity change by a little at every step, z_t = z_t-1 A + noise; only the position is seen, not always.
Both answers are exact, in time proportional to the number of steps (Kalman, 1960; Rauch, Tung and Striebel, 1965).
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from torch import Tensor
from torch.distributions import MultivariateNormal

import pgm
from pgm import Gaussian, LinearGaussian, Moments, Real, Template, Variable, before
from pgm.pictures.style import BAR, EVIDENCE_LINE, INK, MARRIED

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

# East, north (km) and their change a minute; the boat is pushed about a little, the radar is off by 0.3 km.
boat, radar = Variable("boat", Real(4)), Variable("radar", Real(2))
eye = torch.eye(2, dtype=torch.float64)
move = torch.eye(4, dtype=torch.float64)
move[2:, :2] = eye  # position + velocity * 1 minute; rows are where a number comes from
push = 0.03**2 * torch.kron(torch.tensor([[1 / 3, 1 / 2], [1 / 2, 1.0]], dtype=torch.float64), eye)
look = torch.cat([eye, 0 * eye])
START, SPREAD = torch.tensor([[0.0, 0.0, 0.3, 0.1], [1.0, 1.0, 0.01, 0.01]], dtype=torch.float64)  # means, variances
NINETY_FIVE = 5.991  # of chi-squared with 2 degrees of freedom
steering = LinearGaussian(boat, [before(boat)], move, 0 * START, push)
seeing = LinearGaussian(radar, [boat], look, [0.0, 0.0], 0.09)
track = Template([Gaussian(boat, START, SPREAD)], [steering, seeing], "Track")

steps, gone = 60, slice(25, 38)
sailed = pgm.simulate(track, steps, seed=4)
truth, blips = sailed["boat"][0], sailed["radar"][0].clone()
blips[gone] = torch.nan  # behind an island
with torch.no_grad():  # answers about sequences are differentiable, which is not needed here
    filtered, smoothed = pgm.filtering(track, {"radar": blips}), pgm.smoothing(track, {"radar": blips})
    ahead = pgm.prediction(track, {"radar": blips}, 10)["boat"]


def by_hand() -> tuple[Tensor, float]:
    """The filter's last mean, and log p(blips), by the textbook's recursion."""
    mean, covariance, total = START, SPREAD.diag(), 0.0
    for t, blip in enumerate(blips):
        if t:
            mean, covariance = mean @ move, move.mT @ covariance @ move + push
        if not blip.isnan().any():
            surprise = MultivariateNormal(mean @ look, look.mT @ covariance @ look + 0.09 * eye)
            gain = torch.linalg.solve(surprise.covariance_matrix, look.mT @ covariance).mT
            total += surprise.log_prob(blip).item()
            mean, covariance = mean + gain @ (blip - mean @ look), covariance - gain @ look.mT @ covariance
    return mean, total


last, total = by_hand()
print(f"{track}, {steps} minutes, {len(blips[gone])} of them without radar")
print(f"log p(radar): library {filtered.log_evidence:.6f}, by hand {total:.6f}; ", end="")
print(f"last position differs by {(last - filtered['boat'].mean[-1]).abs().max():.0e} km")

print("\n                     seen   behind the island   root mean square error (km)")
for name, places in {"radar": blips, "filter": filtered["boat"].mean, "smoother": smoothed["boat"].mean}.items():
    off = ((places[:, :2] - truth[:, :2]) ** 2).sum(1)
    seen = off[~blips.isnan().any(1)]
    print(f"{name:<12} {seen.mean().sqrt():>12.2f} {off[gone].mean().sqrt():>14.2f}".replace("nan", "  -"))
for name, post in {"filter": filtered["boat"], "smoother": smoothed["boat"]}.items():
    far = (truth - post.mean)[:, :2, None]
    inside = far.mT @ torch.linalg.solve(post.covariance[:, :2, :2], far) < NINETY_FIVE
    print(f"The boat is within the 95% ellipse of the {name} {inside.double().mean():.0%} of the time.")


def ellipses(axes: Axes, post: Moments, every: int, colour: str) -> None:
    """Where the boat is with 95% probability."""
    for mean, covariance in zip(post.mean[::every], post.covariance[::every], strict=True):
        lengths, directions = torch.linalg.eigh(covariance[:2, :2])
        turn = torch.rad2deg(torch.atan2(directions[1, 0], directions[0, 0])).item()
        width, height = (2 * (NINETY_FIVE * lengths).sqrt()).tolist()
        axes.add_patch(Ellipse((mean[0].item(), mean[1].item()), width, height, angle=turn, fc=colour, alpha=0.25))


figure, axes = plt.subplots(2, 1, figsize=(7.2, 5.8), sharex=True, sharey=True, layout="constrained")
for plane, (title, post) in zip(axes, {"Filter": filtered["boat"], "Smoother": smoothed["boat"]}.items(), strict=True):
    ellipses(plane, post, 3, BAR)
    plane.plot(*truth[:, :2].T.numpy(), color=INK, lw=1, label="true")
    plane.plot(*blips.T.numpy(), "x", ms=4, color=EVIDENCE_LINE, label="radar")
    plane.plot(*post.mean[:, :2].T.numpy(), color=BAR, lw=2, label="mean, 95% ellipses")
    plane.set(ylabel="north (km)", title=title, aspect="equal")
ellipses(axes[0], ahead, 3, MARRIED)
axes[0].plot(*ahead.mean[:, :2].T.numpy(), "--", color=MARRIED, label="10 minutes ahead")
axes[1].set(xlabel="east (km)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
figure.savefig(folder / "kalman-track.png", dpi=100)
print("\nPicture:", folder / "kalman-track.png")
