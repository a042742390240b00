"""Kinds that nobody noted: a mixture of Gaussians fitted by expectation maximisation, and how many kinds there are.

Beetles of three kinds are measured, and which kind each one is gets lost. EM finds the kinds again; the Bayesian
information criterion, -2 log-likelihood + parameters * log rows (Schwarz, 1978), counts them.
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from math import log
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from matplotlib.patches import Ellipse
from sklearn.mixture import GaussianMixture

import pgm
from pgm import BayesianNetwork, ConditionalLinearGaussian, Real, Tabular, Variable
from pgm.pictures.style import BAR, EVIDENCE_LINE, LINE, MARRIED

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if smoke else "demo-output")
folder.mkdir(exist_ok=True)
count, most, least = (100, 3, 1e-3) if smoke else (600, 6, 1e-7)

# The truth: a kind, and given the kind a length and a width in mm that go together.
kind, size = Variable("kind", 3), Variable("size", Real(2))
shapes = [[[3.0, 0.8], [0.8, 0.5]], [[2.0, -0.6], [-0.6, 0.6]], [[1.0, 0.5], [0.5, 0.7]]]
truth = BayesianNetwork(
    Tabular(kind, [], [0.5, 0.3, 0.2]),
    ConditionalLinearGaussian(size, [kind], None, [[12.0, 5.0], [17.0, 6.5], [17.0, 9.5]], shapes),
)
beetles = pgm.sample(truth, count, seed=2)
rows = {"size": beetles["size"]}


def mixture(kinds: int) -> pgm.Fitted:
    """The best of three climbs, each from other clusters."""
    blank = Variable("kind", kinds)
    starts = [pgm.gaussian_mixture(blank, size, rows["size"], seed=seed) for seed in range(3)]
    return max((pgm.fit(start, rows, tolerance=least) for start in starts), key=lambda fitted: fitted.log_likelihood)


def bic(fitted: pgm.Fitted, kinds: int) -> float:
    """Each kind has a weight (the last one is what is left), two means, two variances and a covariance."""
    return -2 * fitted.log_likelihood + (6 * kinds - 1) * log(count)


tried = {kinds: mixture(kinds) for kinds in range(1, most + 1)}
criterion = {kinds: bic(fitted, kinds) for kinds, fitted in tried.items()}
best = min(criterion, key=lambda kinds: criterion[kinds])
print(f"{count} beetles. kinds  log-likelihood  iterations     BIC")
for kinds, fitted in tried.items():
    print(f"{kinds:>18} {fitted.log_likelihood:>15.2f} {fitted.iterations:>11} {criterion[kinds]:>7.1f}", end="")
    print("  <- least" if kinds == best else "")

model, history = tried[3].model, tried[3].history
peer = GaussianMixture(3, n_init=5, tol=1e-9, max_iter=2000, random_state=0).fit(rows["size"])
ours, theirs = tried[3].log_likelihood, count * peer.score(rows["size"])
print(f"Three kinds, log-likelihood: {ours:.2f}; scikit-learn {theirs:.2f}; ", end="")
print(f"the truth {pgm.log_evidence(truth, given=rows).sum():.2f}")
print("It never falls:", all(late >= early - 1e-9 for early, late in zip(history, history[1:], strict=False)))

# Kinds have no names; each one found is told by the true kind whose mean is nearest.
each = {"kind": [0, 1, 2]}
true, found = (pgm.infer(which, ["size"], given=each)["size"] for which in (truth, model))
nearest = torch.cdist(true.mean, found.mean).argmin(1)
shares = [pgm.infer(which, ["kind"])["kind"] for which in (truth, model)]
print("\n      share         length (mm)     width (mm)      each true and found")
for a, b in enumerate(nearest.tolist()):
    pairs = [(shares[0][a], shares[1][b]), *zip(true.mean[a], found.mean[b], strict=True)]
    print(f"kind {a}", "   ".join(f"{x:>5.2f} {y:>6.2f}" for x, y in pairs))
post = pgm.infer(model, ["kind"], given=rows)["kind"]
right = (post.argmax(1) == nearest[beetles["kind"]]).double().mean()
print(f"{right:.1%} of the beetles are put to their kind; the model expects {post.max(1).values.mean():.1%}.")

figure, (plane, rise, choice) = plt.subplots(1, 3, figsize=(9.6, 3.4), width_ratios=(2, 1, 1), layout="constrained")
for colour, marker, number in zip((BAR, EVIDENCE_LINE, MARRIED), "os^", nearest.tolist(), strict=True):
    plane.scatter(*rows["size"][post.argmax(1) == number].T.numpy(), s=9, marker=marker, c=colour, alpha=0.55, lw=0)
    spread, axes = torch.linalg.eigh(found.covariance[number])
    angle = torch.rad2deg(torch.atan2(axes[1, 1], axes[0, 1])).item()
    x, y = found.mean[number].tolist()
    for deviations in (1, 2):
        width, height = (2 * deviations * spread.sqrt().flip(0)).tolist()
        plane.add_patch(Ellipse((x, y), width, height, angle=angle, fill=False, ec=colour, lw=1.5))
plane.set(xlabel="length (mm)", ylabel="width (mm)", title="Three kinds: 1 and 2 standard deviations")
rise.plot(range(1, len(history) + 1), history, color=BAR)
rise.set(xlabel="iteration", title="Log-likelihood (nats)")
choice.plot(list(criterion), list(criterion.values()), "o-", color=LINE)
choice.plot(best, criterion[best], "o", color=EVIDENCE_LINE)
choice.set(xlabel="kinds", title="BIC (least is best)")
figure.savefig(folder / "mixture-ellipses.png", dpi=100)
print("\nPicture:", folder / "mixture-ellipses.png")
