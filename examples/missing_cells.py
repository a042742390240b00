"""A fifth of all cells is missing: expectation maximisation, or only the rows that are complete?

ASIA's tables are learned from rows with holes. EM fills each hole with its posterior, exactly, learns from what is
filled in, and repeats; the log-likelihood of what was seen never falls (Dempster, Laird and Rubin, 1977).
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import Tensor

import pgm
from pgm import Dirichlet
from pgm.pictures.style import BAR, EVIDENCE_LINE

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

truth = pgm.load(Path(__file__).parent / "data" / "asia.bif")
count = 2000 if "--smoke" in sys.argv else 10_000
Rows = dict[str, Tensor]
whole: Rows = dict(pgm.sample(truth, count, seed=0))
chance = torch.rand(count, len(whole), generator=torch.Generator().manual_seed(1))


def holed(share: float) -> Rows:
    """The rows with that share of the cells missing, -1, whatever is in them."""
    return {name: torch.where(chance[:, i] < share, -1, column) for i, (name, column) in enumerate(whole.items())}


def complete(rows: Rows) -> Rows:
    """The rows without a hole."""
    kept = (torch.stack(list(rows.values())) >= 0).all(0)
    return {name: column[kept] for name, column in rows.items()}


def learn(rows: Rows) -> pgm.Fitted:
    """All tables from rows, with a prior worth one row a table, so that no state is impossible."""
    start = pgm.fit_graph(truth, {name: whole[name][:1] for name in whole}, prior=Dirichlet(1.0))
    return pgm.fit(start, rows, prior=Dirichlet(equivalent_rows=1))


def loss(rows: Rows) -> float:
    """What a model learned from rows loses against the truth, in nats a row."""
    return pgm.kl_divergence(truth, learn(rows).model).item()


# How much is lost with the cells: EM wastes nothing that was seen, and hardly a row is complete where much is missing.
SHARES = [0.0, 0.1, 0.2, 0.3, 0.4]
losses = [(loss(holed(share)), loss(complete(holed(share)))) for share in SHARES]
print(f"ASIA, {count:,} rows. cells missing  complete rows  KL from the truth (nats): EM   complete rows")
for share, (em, few) in zip(SHARES, losses, strict=True):
    print(f"{share:>32.0%} {len(complete(holed(share))['asia']):>14,} {em:>29.5f} {few:>15.5f}")

fitted = learn(holed(0.2))
rises = zip(fitted.history, fitted.history[1:], strict=False)
print(f"\nA fifth missing: {fitted}")
print("Log-likelihood and log prior never fell:", all(late >= early - 1e-9 * abs(early) for early, late in rises))

# Worse than waste: where the holes depend on what was seen, complete rows are not like the others. Here hardly anyone
# who breathes well is X-rayed. EM, which is told who breathes well, is not misled.
well = whole["dysp"] == truth["dysp"].number("no")
skipped = {**whole, "xray": torch.where(well & (chance[:, 0] < 0.9), -1, whole["xray"])}
print("\nNine in ten of those who breathe well are not X-rayed.        truth     EM   complete rows")
models = truth, learn(skipped).model, learn(complete(skipped)).model
for name in ("smoke", "lung", "bronc", "xray", "dysp"):
    chances = [pgm.infer(model, [name])[name, "yes"].item() for model in models]
    print(f"{f'p({name} = yes)':>56}" + "".join(f"{p:>9.3f}" for p in chances))

figure, (climb, cost) = plt.subplots(1, 2, figsize=(7.2, 3), layout="constrained")
climb.plot(range(1, fitted.iterations + 1), fitted.history, "o-", ms=3, color=BAR)
climb.set(xlabel="iteration of EM", title="Log-likelihood + log prior (nats)")
climb.locator_params(axis="x", integer=True)
for values, name, colour, marker in zip(
    zip(*losses, strict=True), ("EM", "complete rows"), (BAR, EVIDENCE_LINE), "os", strict=True
):
    cost.semilogy([100 * share for share in SHARES], values, marker + "-", color=colour, label=name)
cost.set(xlabel="cells missing (%)", title="Distance from the truth (nats a row)")
cost.legend(frameon=False)
figure.savefig(folder / "missing-cells.png", dpi=100)
print("\nPicture:", folder / "missing-cells.png")
