"""The structure of a network from rows alone: ALARM sampled, forgotten, learned again, and drawn beside the truth.

Two ways: climb to the graph with the best score, or ask for each pair whether anything makes it independent. Data tell
graphs apart only up to their class, so that classes are compared: the structural Hamming distance (SHD) counts the
pairs of variables that are linked differently. The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from math import log
from pathlib import Path
from time import perf_counter

import pgm
from pgm import CPDAG, Dirichlet, Picture
from pgm.pictures.sketch import Sketch
from pgm.pictures.style import BAR, EVIDENCE_LINE, LINE, MARRIED, NODE, attributes

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if smoke else "demo-output")
folder.mkdir(exist_ok=True)

alarm = pgm.load(Path(__file__).parent / "data" / "alarm.bif")
truth = CPDAG.of(alarm)
print(
    f"ALARM: 37 variables, 46 arrows, {len(truth.arrows)} of which have the same direction in all graphs of its class."
)

# How many rows it takes. KL is what the learned network, with tables from the same rows, loses against the truth, in
# nats a row: summed exactly over all 10^16 joint states.
print("\n          climbing by BIC                  PC, tests of independence")
print("  rows    SHD  KL (nats)   seconds        SHD  KL (nats)   seconds")
for rows in (500,) if smoke else (500, 2000, 10_000, 50_000):
    data = pgm.sample(alarm, rows, seed=1)
    started = perf_counter()
    climbed = pgm.hill_climb(data)
    halfway = perf_counter()
    tested = pgm.pc(data)
    times = halfway - started, perf_counter() - halfway
    classes = CPDAG.of(climbed.graph), tested
    line = f"{rows:>6}"
    for found, graph, seconds in zip(classes, (climbed.graph, tested.extension()), times, strict=True):
        model = pgm.fit_graph(graph, data, prior=Dirichlet(equivalent_rows=1))
        loss = pgm.kl_divergence(alarm, model).item()
        line += f"{pgm.structural_hamming_distance(found, truth):>7} {loss:>9.3f} {seconds:>10.2f}      "
    print(line)

# The score by another route: the log-likelihood of tables that are relative counts, less log(rows) / 2 for each free
# parameter. The search has done its part when the truth scores no better.
data = pgm.sample(alarm, 2000, seed=1)
climbed = pgm.hill_climb(data)
model = pgm.fit_graph(climbed.graph, data)
free = sum(term.factor().values.numel() * (1 - 1 / term.child.size) for term in model.conditionals.values())
log_likelihood = model.log_prob(dict(data)).sum().item()
print(f"\nBIC of 2,000 rows: {climbed.score:.2f}, by hand {log_likelihood - free * log(2000) / 2:.2f}; ", end="")
print(f"that of the truth {pgm.bic(data).total(alarm):.2f}, less because it has more parameters.")

# The picture: what was found, and what was not.
found = CPDAG.of(climbed.graph)
true, learned = ({frozenset(pair) for pair in (*each.arrows, *each.lines)} for each in (truth, found))
turned = {frozenset(pair) for pair in found.arrows ^ truth.arrows} & true & learned
LINKS = {
    "found": (true & learned - turned, attributes(color=LINE)),
    "found, but not which way": (turned, attributes(color=BAR, penwidth="2")),
    "missed (dashed)": (true - learned, attributes(color=MARRIED, penwidth="2", style="dashed")),
    "not there": (learned - true, attributes(color=EVIDENCE_LINE, penwidth="2")),
}
print("Of all links: " + ", ".join(f"{len(pairs)} {name}" for name, (pairs, _) in LINKS.items()))
edges = []
for name, (pairs, looks) in LINKS.items():
    source = climbed.graph if name == "not there" else alarm.graph
    arrows = [(a, child) for child, parents in source.parents.items() for a in parents if {a, child} in pairs]
    edges += [(a, child, looks) for a, child in arrows]
lines = (f'<FONT COLOR="{looks["color"]}">{len(pairs)} {name}</FONT>' for name, (pairs, looks) in LINKS.items())
nodes = {
    name: attributes(shape="box", style="rounded,filled", fillcolor=NODE, label=name) for name in alarm.graph.names
}
nodes["legend"] = attributes(shape="plaintext", label="<BR/>".join(lines), fontsize="14")
picture = Picture(Sketch(nodes, tuple(edges)).dot("ALARM, learned from 2,000 rows"), "directed", len(nodes))
print("\nPicture:", picture.save(folder / "alarm-learned.svg"))
picture.save(folder / "alarm-learned.png")
