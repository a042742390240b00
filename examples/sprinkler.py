"""Define a network, draw it, ask it; observing against doing; independence with a witness.

It rains or not, and in dry weather the sprinkler is more often on; either makes the grass wet (after Pearl, 1988).
Pictures go to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import pgm
from pgm import BayesianNetwork, Tabular, Variable

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

# Define: a variable has a name and states; a conditional is a table whose last axis is the child.
rain = Variable("rain", ["no", "yes"])
sprinkler = Variable("sprinkler", ["off", "on"])
wet = Variable("wet", ["no", "yes"])
model = BayesianNetwork(
    Tabular(rain, [], [0.8, 0.2]),
    Tabular(sprinkler, [rain], [[0.6, 0.4], [0.99, 0.01]]),  # one row a state of rain
    Tabular(wet, [sprinkler, rain], [[[1.0, 0.0], [0.2, 0.8]], [[0.1, 0.9], [0.01, 0.99]]]),
    name="Sprinkler",
)
print(model)

# Ask: every variable's distribution, before and after looking at the grass.
print("\nNothing seen:")
print(pgm.infer(model))
seen = pgm.infer(model, given={"wet": "yes"})
print("\nThe grass is wet:")
print(seen)

# The same number by hand: p(rain, wet) / p(wet), summed over the sprinkler.
both = 0.2 * (0.99 * 0.8 + 0.01 * 0.99)
dry = 0.8 * (0.6 * 0.0 + 0.4 * 0.9)
print(f"\np(rain | wet): by hand {both / (both + dry):.6f}, by the library {seen['rain', 'yes'].item():.6f}")

# Explaining away: once the grass is wet, a sprinkler that is on makes rain less likely again.
for given in ({}, {"wet": "yes"}, {"wet": "yes", "sprinkler": "on"}):
    print(f"p(rain | {given or 'nothing'}) = {pgm.infer(model, ['rain'], given=given)['rain', 'yes'].item():.3f}")

# Observing is not doing. A sprinkler seen on tells of dry weather; one that we switch on tells nothing of it.
observed = pgm.infer(model, given={"sprinkler": "on"})
done = pgm.infer(model.do({"sprinkler": "on"}))
print(f"\np(rain | sprinkler seen on)     = {observed['rain', 'yes'].item():.4f}")
print(f"p(rain | sprinkler switched on) = {done['rain', 'yes'].item():.4f}")
print(f"p(wet | sprinkler seen on)      = {observed['wet', 'yes'].item():.4f}")
print(f"p(wet | sprinkler switched on)  = {done['wet', 'yes'].item():.4f}")

# Independence is read off the graph; where there is none, an active path is the witness.
switched = model.do({"sprinkler": "on"})
print()
print("In the model:        ", pgm.d_separated(model.graph, "rain", "sprinkler"))
print("Once switched:       ", pgm.d_separated(switched.graph, "rain", "sprinkler"))
print("Switched, grass seen:", pgm.d_separated(switched.graph, "rain", "sprinkler", given="wet"))

# Draw: what is set or seen is shaded, posteriors are bars.
pictures = {
    "sprinkler": pgm.plot(model),
    "sprinkler-wet": pgm.plot(model, given={"wet": "yes"}, posterior=seen, title="The grass is wet"),
    "sprinkler-do": pgm.plot(switched, given={"sprinkler": "on"}, posterior=done, title="do(sprinkler = on)"),
}
print("\nPictures:")
for name, picture in pictures.items():
    print(picture.save(folder / f"{name}.svg"))
