"""A Boltzmann machine invents a code for four patterns, by the exact gradient and by chains, and annealing reads it.

The 4-2-4 encoder of 1985: one of four units on the left is on, and the same one on the right. The sides are not
coupled, so that all that one knows of the other has to pass through two hidden units: they must find a code.
So small a machine is its own oracle: however it learned, its divergence from the data is exact.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from math import log
from pathlib import Path

import torch

from deepgen import adam, arrays, exact_likelihood, fit, geometric, linear, log_likelihood, persistent, sampled, sgd
from deepgen.pictures.chains import cooled, histogram
from deepgen.pictures.style import COLOURS, charts, headed, saved
from deepgen.potentials import Bias, Coupling, Within
from deepgen.zoo.boltzmann import Machine, energies, equilibrium, ground_state
from pgm import Binary, Model, Variable

SMOKE = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if SMOKE else Path(__file__).parent / "pictures"
SWEEPS = 10 if SMOKE else 200
TURNS = {"exact gradient": 5 if SMOKE else 400, "chains": 5 if SMOKE else 1600}
left, right, code = Variable("left", Binary(4)), Variable("right", Binary(4)), Variable("code", Binary(2))
seen = {"left": torch.eye(4), "right": torch.eye(4)}
data = arrays("encoder", **{name: x.repeat(25, 1) for name, x in seen.items()})


def encoder() -> Machine:
    """Potentials of single units, of pairs on one side, and of either side with the code."""
    layers, sides = (left, right, code), (left, right)
    singles, within = [Bias(layer) for layer in layers], [Within(layer, 0.1) for layer in layers]
    return Machine(Model(*singles, *within, *(Coupling(side, code, 0.1) for side in sides), name="encoder"), sides)


def divergence(machine: Machine) -> float:
    """KL(data || machine) in nats, exactly."""
    with torch.no_grad():
        return -log(4) - log_likelihood(machine, seen).mean().item()


# Learning: the exact gradient, and the same from clamped and free chains.
curves, machines = {}, {}
for way, turns in TURNS.items():
    torch.manual_seed(1)
    machine = machines[way] = encoder()
    if way == "chains":
        cooler = linear(1.0, 0.05, turns)
        phase = persistent(machine, chains=500, steps=3, clamped=sampled(3), optimiser=sgd(0.5), rate=cooler)
    else:
        phase = exact_likelihood(machine, optimiser=adam(0.1))
    every, watch = max(1, turns // 40), lambda moment, machine=machine: {"divergence": divergence(machine)}
    history = fit(phase, data, turns=turns, batch=100, every=every, watch=watch, device="cpu", progress=False)
    curves[way] = [(row["turn"], row["divergence"]) for row in history if "divergence" in row]
    print(f"KL(data || machine) after {turns:>4} turns of the {way + ':':<16}{divergence(machine):8.4f} nats")

# The code: which hidden units are on for each pattern, by the state of least energy given the left side alone.
machine = machines["exact gradient"]
print("\nleft      code   right, by annealing given the left side")
for pattern in torch.eye(4):
    answer = ground_state(machine, {"left": pattern}, cooling=geometric(20.0, 0.2, SWEEPS), sweeps=SWEEPS)
    words = ["".join(str(int(bit)) for bit in answer.values[name]) for name in ("left", "code", "right")]
    print(f"{words[0]:<10}{words[1]:<7}{words[2]}  {'right' if words[0] == words[2] else 'wrong'}")

# Annealing with all units free, and chains beside the exact distribution of energies, at two temperatures.
fall = ground_state(machine, cooling=geometric(50.0, 0.2, SWEEPS), sweeps=SWEEPS, restarts=30)
print(f"\n{fall}\nLowest of all {2**10:,} energies: {energies(machine)[0].min():.4g} nats")
chains = {}
for temperature in (1.0, 4.0):
    for term in machine.model.terms:
        term.temperature = temperature
    chains[temperature] = equilibrium(machine, chains=50, sweeps=5 * SWEEPS, burn=SWEEPS)
    print(f"At temperature {temperature:.0f}: {chains[temperature]}")

figure, planes = charts(1, 3, 460, 340)
headed(planes[0], "Divergence from the data, exactly")
for (way, points), colour in zip(curves.items(), COLOURS, strict=False):
    planes[0].plot(*zip(*points, strict=True), color=colour, lw=1.4, label=way)
planes[0].set(xlabel="turn", ylabel="nats", yscale="log", xscale="log")
planes[0].legend(frameon=False, fontsize=8, labelcolor="linecolor", loc="lower left")
headed(planes[1], f"Annealing: {fall.share:.0%} end in a ground state")
cooled(planes[1], fall)
headed(planes[2], "Energies at temperature 4; line: exact")
histogram(planes[2], chains[4.0].energies, energies(machine))
saved(figure, folder / "boltzmann-machine.png")
print("Picture:", folder / "boltzmann-machine.png")
