"""A graph of opinions without directions: two foods, and how well they go together.

The weight of a pair is left(first) * table(first, second) * right(second); weights are no probabilities.
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch

import pgm
from pgm import BayesianNetwork, MarkovNetwork, Table, Tabular, Variable

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

FOODS = ["chocolate", "peanut butter", "ice cream", "tuna"]
first, second = Variable("first", FOODS), Variable("second", FOODS)
left, right = [0.1, 5, 1, 6], [4, 8, 7, 3]  # opinions of each food alone
together = [[2, 9, 7, 0.1], [4, 2, 3, 0.2], [7, 3, 2, 0.1], [0.1, 0.2, 0.1, 2]]
model = MarkovNetwork(Table([first], left), Table([first, second], together), Table([second], right), name="Two foods")

# Z is the sum of all sixteen weights. It makes probabilities of weights, and no table alone knows it.
weights = torch.tensor(left)[:, None] * torch.tensor(together) * torch.tensor(right)
log_z = pgm.log_evidence(model)
print(f"Z: by enumeration {weights.sum():.4f}, by the library {log_z.exp().item():.4f}")

post = pgm.infer(model, ["first", "second", ("first", "second")])
pair = post["first", "second"]
by_hand = 6 * 0.1 * 7 / weights.sum().item()  # tuna alone, tuna with ice cream, ice cream alone
print(f"p(tuna, ice cream) = 6 * .1 * 7 / Z: by hand {by_hand:.6f}, by the library {pair[3, 2].item():.6f}")

print("\nMarginals:")
print(post)
best = pgm.mpe(model)
print("\nThe most probable pair:", best)
print(f"its probability: {(best.log_prob[0] - log_z).exp().item():.4f}")
print("the most probable foods, each on its own:", post.argmax())
print("The two agree here; they need not (see diagnosis.py).")

# Globally normalised: one Z for the whole product, as above. Locally normalised: each table is made a conditional by
# itself, p(first) p(second | first), and Z is 1 by construction. The same numbers, read locally, give other answers:
# choosing `first` looks at `left` alone, and only then does the table have a say.
p_first = torch.tensor(left, dtype=torch.float64)
follow = torch.tensor(together, dtype=torch.float64) * torch.tensor(right, dtype=torch.float64)
local = BayesianNetwork(
    Tabular(first, [], p_first / p_first.sum()),
    Tabular(second, [first], follow / follow.sum(1, keepdim=True)),
)
walked = pgm.infer(local)
print("\np(first), globally and locally normalised:")
for food in FOODS:
    print(f"  {food:<14} {post['first', food].item():.4f}   {walked['first', food].item():.4f}")
print(
    "Tuna is the favourite first food, but it goes with little else: the product over the whole graph takes that into"
)
print("account, a choice from left to right cannot.")

# Any global model has an equal local one, whose tables are its conditionals, not its potentials row by row.
fixed = BayesianNetwork(
    Tabular(first, [], post["first"]),
    Tabular(second, [first], pair / pair.sum(1, keepdim=True)),
)
difference = (pgm.infer(fixed)["second"] - post["second"]).abs().max()
z = pgm.log_evidence(fixed).exp().item()
print(f"With its own conditionals as tables Z is {z:.4f} and the marginals differ by {difference:.0e}.")

print("\nPicture:", pgm.plot(model, posterior=post, view="factor").save(folder / "two-foods.svg"))
