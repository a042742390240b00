"""One distribution, three graphs: five variables that are red or blue.

p(x1, ..., x5) = p(x1) p(x2 | x1) p(x3) p(x4 | x2, x3) p(x5 | x3)
Pictures go to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import pgm
from pgm import BayesianNetwork, MarkovNetwork, Table, Tabular, Variable

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)


def rows(table: list) -> list:
    """Add p(blue) = 1 - p(red) as the last axis."""
    return [rows(each) if isinstance(each, list) else [each, 1 - each] for each in table]


x1, x2, x3, x4, x5 = (Variable(f"x{i}", ["red", "blue"]) for i in range(1, 6))
model = BayesianNetwork(
    Tabular(x1, [], [0.4, 0.6]),
    Tabular(x2, [x1], rows([0.7, 0.5])),
    Tabular(x3, [], [0.6, 0.4]),
    Tabular(x4, [x2, x3], rows([[0.5, 0.8], [0.6, 0.3]])),
    Tabular(x5, [x3], rows([0.7, 0.4])),
    name="Five nodes",
)

# p(x4 = red) by hand, in the order that the graph suggests: first x1 leaves, then x2 and x3 meet.
#   p(x2 = red) = .4 * .7 + .6 * .5                = .58
#   p(x4 = red) = .58 * .6 * .5 + .58 * .4 * .8    = .174 + .1856
#               + .42 * .6 * .6 + .42 * .4 * .3    + .1512 + .0504 = .5612
by_hand = 0.58 * 0.6 * 0.5 + 0.58 * 0.4 * 0.8 + 0.42 * 0.6 * 0.6 + 0.42 * 0.4 * 0.3
post = pgm.infer(model)
print(post)
print(f"\np(x4 = red): by hand {by_hand:.4f}, by the library {post['x4', 'red'].item():.4f}")

# The joint of the three variables that meet in one table, and the probability of one world.
joint = pgm.infer(model, [("x2", "x3", "x4")])["x2", "x3", "x4"]
print(f"p(x2 = red, x3 = blue, x4 = red) = {joint[0, 1, 0].item():.4f} = .58 * .4 * .8")
world = dict.fromkeys(model.graph.names, "red")
print(f"p(all red) = {model.log_prob(world).exp().item():.4f} = .4 * .7 * .6 * .5 * .7")

# The undirected graph of the same distribution: each conditional becomes a potential over its scope. What is lost is
# the direction, and with it an independence: x2 and x3 are separated in the directed graph, married in the other.
undirected = MarkovNetwork(*(Table(factor.scope, factor.values.detach()) for factor in model.factors()))
assert abs(pgm.infer(undirected)["x4", "red"].item() - by_hand) < 1e-12
print(f"\nAs a product of potentials: Z = {pgm.log_evidence(undirected).exp().item():.6f}, the same marginals.")
print("Directed:  ", pgm.d_separated(model.graph, "x2", "x3"))
print("Undirected:", pgm.d_separated(undirected.graph, "x2", "x3"))
print("Markov blanket of x3, in either:", ", ".join(pgm.markov_blanket(model.graph, "x3")))

# The three graphs: arrows; lines (dashed: parents that only their child joins); squares for the five tables.
pictures = {
    "directed": pgm.plot(model, title="Five nodes: directed"),
    "moral": pgm.plot(model, view="moral", title="Five nodes: undirected"),
    "factor": pgm.plot(model, view="factor", title="Five nodes: factor graph"),
}
print("\nPictures:")
for view, picture in pictures.items():
    print(picture.save(folder / f"five-nodes-{view}.svg"))
