"""A hidden Markov model of 10,000 steps: one step written once, equal to the forward-backward recursion.

A casino swaps a fair die for a loaded one now and then; only the rolls are seen (after Durbin and others, 1998).
The picture, of a short piece, goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

import pgm
from pgm import Tabular, Template, Variable, before

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

START = torch.tensor([0.5, 0.5], dtype=torch.float64)
MOVE = torch.tensor([[0.95, 0.05], [0.10, 0.90]], dtype=torch.float64)  # fair, loaded
ROLL = torch.tensor([[1 / 6] * 6, [0.1] * 5 + [0.5]], dtype=torch.float64)


die, roll = Variable("die", ["fair", "loaded"]), Variable("roll", [1, 2, 3, 4, 5, 6])
casino = Template([Tabular(die, [], START)], [Tabular(die, [before(die)], MOVE), Tabular(roll, [die], ROLL)], "Casino")


def forward_backward(rolls: Tensor) -> tuple[Tensor, float]:
    """Smoothed p(die | all rolls), `[steps, 2]`, and log p(rolls): the recursion of Baum and Welch, scaled."""
    likelihood = ROLL[:, rolls].T  # [steps, 2]
    forward, log_evidence, before = [], 0.0, START
    for here in likelihood:
        joint = before * here
        log_evidence += joint.sum().log().item()
        forward.append(joint / joint.sum())
        before = forward[-1] @ MOVE
    backward = [torch.ones(2, dtype=torch.float64)]
    for here in likelihood.flip(0)[:-1]:
        message = MOVE @ (here * backward[-1])
        backward.append(message / message.sum())
    both = torch.stack(forward) * torch.stack(backward[::-1])
    return both / both.sum(1, keepdim=True), log_evidence


# Play, hide the dice, and ask for each of them given all rolls.
steps = 500 if "--smoke" in sys.argv else 10_000
played = pgm.simulate(casino, steps, seed=1)
rolls, truth = played["roll"][0], played["die"][0]
pgm.smoothing(casino, {"roll": rolls})  # compiles where that has not been done
started = perf_counter()
post = pgm.smoothing(casino, {"roll": rolls})
milliseconds = 1e3 * (perf_counter() - started)
smoothed = post["die"]
recursion, log_evidence = forward_backward(rolls)
print(f"{casino}: {steps:,} posteriors in {milliseconds:.1f} ms")
print(f"log p(rolls): library {post.log_evidence.item():.9f}, recursion {log_evidence:.9f}")
print(f"largest difference of a smoothed probability: {(smoothed - recursion).abs().max():.0e}")

# The most probable sequence as a whole (Viterbi), and the most probable die of each step: knowing all rolls, or only
# those so far.
path = pgm.viterbi(casino, {"roll": rolls})["die"]
filtered = pgm.filtering(casino, {"roll": rolls})["die"]
guesses = {"so far": filtered.argmax(1), "smoothed": smoothed.argmax(1), "sequence": path}
print("dice told right: " + ", ".join(f"{name} {(g == truth).double().mean():.1%}" for name, g in guesses.items()))

# A piece of it: the rolls 60 to 119, F or L as played, as told by each.
piece = slice(60, 120)
print("\nrolls    ", "".join(str(number + 1) for number in rolls[piece].tolist()))
for name, states in {"played": truth, **guesses}.items():
    print(f"{name:<9}", "".join("FL"[state] for state in states[piece].tolist()))

# A template of a few steps is a network like any other.
short, seen = casino.unroll(6), [2, 6, 6, 6, 3, 1]
given = {f"roll[{t}]": number for t, number in enumerate(seen)}
posterior = pgm.infer(short, given=given)
difference = pgm.smoothing(casino, {"roll": seen})["die"][2] - posterior["die[2]"]
print(f"\nSix rolls, as a sequence and as a network of 12 variables: they differ by {difference.abs().max():.0e}")
picture = pgm.plot(short, given=given, posterior=posterior, title="Six rolls, smoothed")
print("Picture:", picture.save(folder / "hidden-markov.svg"))
