"""Hundreds of diseases, dozens of findings: exact answers, and three engines that estimate them.

Each disease may cause each of its findings by itself, a noisy or of many causes. Findings that are absent cost an exact
answer nothing, each that is present doubles the work; so this patient can be answered exactly, and the estimates can be
held against the truth. The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import pgm
from pgm import BayesianNetwork, ConvergenceWarning, Gibbs, LikelihoodWeighting, LoopyBP, NoisyOr, Tabular, Variable
from pgm.pictures.style import BAR, EVIDENCE_LINE, INK, LINE, MARRIED

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if smoke else "demo-output")
folder.mkdir(exist_ok=True)

DISEASES, FINDINGS, CAUSES = (60, 12, 10) if smoke else (400, 60, 30)
rng = np.random.default_rng(3)
diseases = [Variable(f"disease {k}", ["no", "yes"]) for k in range(DISEASES)]
findings = [Variable(f"finding {k}", ["no", "yes"]) for k in range(FINDINGS)]
often = rng.uniform(0.001, 0.01, DISEASES)
terms = [Tabular(disease, [], [1 - p, p]) for disease, p in zip(diseases, often, strict=True)]
for finding in findings:
    causes = [diseases[k] for k in rng.choice(DISEASES, CAUSES, replace=False)]
    terms.append(NoisyOr(finding, causes, rng.uniform(0.1, 0.9, CAUSES), leak=0.01))
model = BayesianNetwork(*terms, name="Clinic")

# A patient with three diseases, drawn from the model itself; only the findings are known.
patient = pgm.sample(model, 1, given=dict.fromkeys([disease.name for disease in diseases[:3]], "yes"), seed=5)
seen = {finding.name: patient.labels(finding.name)[0] for finding in findings}
present = sum(label == "yes" for label in seen.values())
names = [disease.name for disease in diseases]
exact = pgm.infer(model, names, given=seen)
truth = np.array([exact[name, "yes"].item() for name in names])
print(f"{model}")
print(f"{present} findings present, {FINDINGS - present} absent; log p(findings) = {exact.log_evidence.item():.4f}")
print(
    f"the exact plan takes 2^{np.log2(exact.plan.operations):.0f} multiply-adds, a table of one finding 2^{CAUSES + 1}"
)

engines = {
    "LoopyBP": LoopyBP(),
    "Gibbs": Gibbs(sweeps=200 if smoke else 1000),
    "LikelihoodWeighting": LikelihoodWeighting(20_000 if smoke else 200_000),
}
estimates, errors = {}, {}
print("\nengine                log p(findings)   largest error   its standard error   effective samples")
for name, engine in engines.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what it says is in the last column
        post = pgm.infer(model, names, given=seen, engine=engine)
    estimates[name] = np.array([post[each, "yes"].item() for each in names])
    known = name != "LoopyBP"  # it does not draw: what it is off by is due to loops, and it does not know how much
    errors[name] = np.array([post.standard_error((each, "yes")).item() if known else 0.0 for each in names])
    off = np.abs(estimates[name] - truth)
    stated = f"{errors[name][off.argmax()]:.4f}" if known else "none"
    few = f"{np.min(post.diagnostics['effective_samples']):,.0f}" if known else "none"
    print(
        f"{name:<20} {post.log_evidence.item():>16.4f} {off.max():>15.4f} {stated:>20} {few:>19}".replace("nan", "  -")
    )
print(
    "Few effective samples mean that hardly any draw explains the findings: such an answer says itself not to trust it."
)

top = np.argsort(-truth)[:12]
figure, axes = plt.subplots(figsize=(7.2, 5.8), layout="constrained")
lines = np.arange(len(top))
axes.hlines(lines, 0, 1, color=LINE, alpha=0.2, lw=1)
axes.vlines(truth[top], lines - 0.38, lines + 0.38, color=INK, lw=2.5, label="exact")
for shift, (name, colour) in zip(
    (-0.22, 0.0, 0.22), zip(engines, (EVIDENCE_LINE, BAR, MARRIED), strict=True), strict=True
):
    low = np.minimum(estimates[name][top], 1.96 * errors[name][top])  # bars end at probabilities 0 and 1
    high = np.minimum(1 - estimates[name][top], 1.96 * errors[name][top])
    axes.errorbar(
        estimates[name][top], lines + shift, xerr=(low, high), fmt="o", ms=4, lw=1.5, color=colour, label=name
    )
axes.set(yticks=lines, yticklabels=[names[k] for k in top], xlim=(-0.02, 1.02))
axes.set_xlabel(f"probability given {FINDINGS} findings, {present} of them present; bars are 95% intervals")
axes.invert_yaxis()
axes.tick_params(axis="y", length=0)
axes.spines[["top", "right", "left"]].set_visible(False)
figure.legend(loc="outside upper center", ncols=4, frameon=False)
figure.savefig(folder / "noisy-or-diagnosis.png", dpi=100)
print("\nPicture:", folder / "noisy-or-diagnosis.png")
