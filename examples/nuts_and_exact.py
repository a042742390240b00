"""One model, two answers: the exact one, and that of a sampler which has to find the same numbers.

Two thermometers hang at a wall; the cheap one may stand in the sun. Given whether it does all is linear and Gaussian,
so that the answer is exact. Pyro's no-U-turn sampler draws from the same model, the state summed out inside, and its
standard errors say how far off it may be. Then a part is added that is not linear, where only one of the two goes on.
"""

import sys

import torch

import pgm
from pgm import NUTS, BayesianNetwork, ConditionalLinearGaussian, Gaussian, LinearGaussian, Real, Tabular, Variable

short = "--smoke" in sys.argv
sampler = NUTS(samples=40 if short else 800, warmup=20 if short else 200, chains=2, progress=not short)

place = Variable("place", ["shade", "sun"])
air, cheap, good, evening = (Variable(name, Real()) for name in ("air", "cheap", "good", "evening"))
parts = [
    Tabular(place, [], [0.7, 0.3]),
    Gaussian(air, 15.0, 25.0),  # degrees Celsius, and their square
    ConditionalLinearGaussian(cheap, [place, air], [[1.0], [1.1]], [0.0, 4.0], [1.0, 4.0]),
    LinearGaussian(good, [air], [1.0], 0.0, 2.25),
    LinearGaussian(evening, [air], [0.8], -1.0, 4.0),
]
model = BayesianNetwork(*parts, name="Thermometers")
seen = {"cheap": 24.0, "good": 19.5}


def compare(title: str, post: pgm.Posterior, means: dict[str, float], sun: float) -> None:
    """Each mean beside the sampler's, with its standard error: deviation / sqrt(effective sample size)."""
    print(f"{title:<46} {'sampler':>9} {'std. error':>11} {'off by':>16}")
    rows = []
    for name, mean in means.items():
        effective = post.diagnostics["effective_samples"][name].item()
        rows.append((f"{name} (degrees)", mean, post[name].mean.item(), post[name].std.item() / effective**0.5))
    share = post["place", "sun"].item()  # averaged over draws; a coin at each of them would be no more exact than this
    rows.append(("p(place = sun)", sun, share, (share * (1 - share) / effective) ** 0.5))
    for name, other, found, error in rows:
        print(f"  {name:<34} {other:>9.4f} {found:>9.4f} {error:>11.4f} {abs(found - other) / error:>9.1f} errors")


exact = pgm.infer(model, ["place", "air", "evening"], given=seen)
post = pgm.infer(model, ["place", "air", "evening"], given=seen, engine=sampler)
means = {name: exact[name].mean.item() for name in ("evening", "air")}
compare(f"{'Given ' + str(seen):<37} {'exact':>8}", post, means, exact["place", "sun"].item())
print(f"  air, standard deviation: exact {exact['air'].std:.4f}, by drawing {post['air'].std:.4f} degrees")
mixed = max(value.item() for value in post.diagnostics["r_hat"].values())
print(f"  R-hat at most {mixed:.3f}, divergences {post.diagnostics['divergences']}")

# A walker in a jacket comes by: the colder the likelier, which is no longer linear. The exact way says so and ends; the
# sampler goes on. With one unknown number a sum over a fine grid can check it.
jacket = Variable("jacket", ["no", "yes"])
more = BayesianNetwork(*parts[:4], pgm.Logistic(jacket, [air], [-0.8], 14.0), name="Thermometers and a jacket")
seen_more = {**seen, "jacket": "yes"}
try:
    pgm.infer(more, ["air"], given=seen_more)
except pgm.PlanError as error:
    print(f"\n{error}\n")

grid = torch.linspace(0.0, 40.0, 4001, dtype=torch.float64)
rows = {name: torch.full_like(grid, value) for name, value in seen.items()}
rows |= {"air": grid, "jacket": torch.ones(len(grid), dtype=torch.long)}
logs = torch.stack([more.log_prob({**rows, "place": [state] * len(grid)}) for state in place.states]).detach()
weight = torch.softmax(logs.flatten(), 0).reshape(logs.shape)
mean = (weight.sum(0) * grid).sum().item()
post = pgm.infer(more, ["place", "air"], given=seen_more, engine=sampler)
compare(f"{'Given the jacket, too':<37} {'grid':>8}", post, {"air": mean}, weight[1].sum().item())
