"""Learning by the gradient of log Z: a small Markov network fitted by maximum likelihood with torch.optim.

log p(x) = sum_f log f(x) - log Z, and d log Z / d weight is the expected feature under the model: at the maximum the
model's expectations equal the data's averages.
"""

import sys

import torch

import pgm
from pgm import LogLinear, MarkovNetwork, Pairwise, Variable, spin

FRIENDS = ["Ann", "Bob", "Cal", "Dee"]
PAIRS = [(0, 1), (1, 2), (2, 3), (3, 0)]  # a ring: no directed graph has the same independences
people = [Variable(name, ["no", "yes"]) for name in FRIENDS]


def network(leanings: list[float], couplings: list[float]) -> MarkovNetwork:
    """Who agrees with whom: a leaning to yes for each person, a coupling (Ising) for each pair of friends."""
    alone = [LogLinear([v], [lambda a: a == "yes"], [w]) for v, w in zip(people, leanings, strict=True)]
    pairs = [Pairwise(people[i], people[j], w, spin) for (i, j), w in zip(PAIRS, couplings, strict=True)]
    return MarkovNetwork(*alone, *pairs, name="Friends")


# Data: votes drawn from a network that we then pretend not to know.
truth = network([0.5, -0.3, 0.0, 0.8], [0.6, 0.2, -0.4, 0.9])
count = 500 if "--smoke" in sys.argv else 5000
votes = pgm.sample(truth, count, seed=0)
rows = {name: votes[name] for name in FRIENDS}

# Twenty lines of learning: the negative log likelihood, a mean over rows, is a function of the parameters.
model = network([0.0] * 4, [0.0] * 4)
optimiser = torch.optim.LBFGS(model.parameters(), tolerance_grad=1e-9, tolerance_change=1e-14, max_iter=200)


def loss() -> torch.Tensor:
    """-mean log p(row) = log Z - mean log of the product of potentials."""
    optimiser.zero_grad()
    value = pgm.log_evidence(model) - model.log_prob(rows).mean()
    value.backward()
    return value


before = loss().item()
optimiser.step(loss)
print(f"Negative log likelihood a row: {before:.4f} before, {loss().item():.4f} after.")

print("\nwho              true   learned")
for term, true in zip(model.potentials, truth.potentials, strict=True):
    learned, real = next(iter(term.parameters())).item(), next(iter(true.parameters())).item()
    print(f"{', '.join(v.name for v in term.scope):<14} {real:>6.2f}   {learned:>6.2f}")

# What the maximum means: expectations of the model equal averages of the data.
post = pgm.infer(model, [*FRIENDS, *((FRIENDS[i], FRIENDS[j]) for i, j in PAIRS)])
print("\n                model    data")
for name in FRIENDS:
    print(f"{name + ' yes':<14} {post[name, 'yes'].item():.4f}  {rows[name].double().mean():.4f}")
for i, j in PAIRS:
    pair = post[FRIENDS[i], FRIENDS[j]]
    same = (rows[FRIENDS[i]] == rows[FRIENDS[j]]).double().mean()
    print(f"{FRIENDS[i]} = {FRIENDS[j]:<8} {(pair[0, 0] + pair[1, 1]).item():.4f}  {same:.4f}")

# How far the fit is from the truth, over all sixteen worlds.
print(f"\nKL(truth, learned) = {pgm.kl_divergence(truth, model).item():.5f} nats from {count:,} votes")
