"""A hidden Markov model of 1,000 steps is a network like any other: equal to the forward-backward recursion.

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
from pgm import BayesianNetwork, Tabular, Variable

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

START = torch.tensor([0.5, 0.5], dtype=torch.float64)
MOVE = torch.tensor([[0.95, 0.05], [0.10, 0.90]], dtype=torch.float64)  # fair, loaded
ROLL = torch.tensor([[1 / 6] * 6, [0.1] * 5 + [0.5]], dtype=torch.float64)


def casino(steps: int) -> BayesianNetwork:
    """A hidden die and a seen roll for each step."""
    dice = [Variable(f"die {t}", ["fair", "loaded"]) for t in range(steps)]
    rolls = [Variable(f"roll {t}", [1, 2, 3, 4, 5, 6]) for t in range(steps)]
    moves = [Tabular(after, [before], MOVE) for before, after in zip(dice, dice[1:], strict=False)]
    seen = [Tabular(roll, [die], ROLL) for die, roll in zip(dice, rolls, strict=True)]
    return BayesianNetwork(Tabular(dice[0], [], START), *seen, *moves, name="Casino")


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


# Play a thousand rolls, hide the dice, and ask for each of them given all rolls.
steps = 1000
model = casino(steps)
played = pgm.sample(model, 1, seed=1)
given = {f"roll {t}": played.labels(f"roll {t}")[0] for t in range(steps)}
dice = [f"die {t}" for t in range(steps)]
post = pgm.infer(model, dice, given=given)
started = perf_counter()
post = pgm.infer(model, dice, given=given)
milliseconds = 1e3 * (perf_counter() - started)

smoothed = torch.stack([post[die] for die in dice])
rolls = torch.tensor([int(given[f"roll {t}"]) - 1 for t in range(steps)])
recursion, log_evidence = forward_backward(rolls)
print(f"{model.graph}, all {steps:,} posteriors in {milliseconds:.1f} ms")
print(f"log p(rolls): library {post.log_evidence.item():.9f}, recursion {log_evidence:.9f}")
print(f"largest difference of a smoothed probability: {(smoothed - recursion).abs().max():.0e}")

# The most probable sequence as a whole (Viterbi), beside the most probable die of each step.
path = pgm.mpe(model, dice, given=given).states[0]
truth = torch.stack([played[die][0] for die in dice])
print(f"dice told right: each step on its own {(smoothed.argmax(1) == truth).double().mean():.1%}, ", end="")
print(f"as a sequence {(path == truth).double().mean():.1%}")

# A piece of it: the rolls 60 to 119, F or L as played, as smoothed, and the most probable sequence.
piece = slice(60, 120)
print("\nrolls    ", "".join(str(roll + 1) for roll in rolls[piece].tolist()))
for name, states in (("played", truth), ("smoothed", smoothed.argmax(1)), ("sequence", path)):
    print(f"{name:<9}", "".join("FL"[state] for state in states[piece].tolist()))

short = casino(6)
seen = {f"roll {t}": roll for t, roll in enumerate([2, 6, 6, 6, 3, 1])}
picture = pgm.plot(short, given=seen, posterior=pgm.infer(short, given=seen), title="Six rolls, smoothed")
print("\nPicture:", picture.save(folder / "hidden-markov.svg"))
