"""A code that corrects errors: checks that six bits be even together, and messages that find the word that was sent.

A regular low-density parity-check code (Gallager, 1962): each bit is in three checks, each check has six bits. The word
comes through a channel that flips each bit with a certain probability; the decoder is `infer` with loopy belief
propagation. The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import pgm
from pgm import ConvergenceWarning, LoopyBP, MarkovNetwork, Parity, Variable
from pgm.pictures.style import BAR, EVIDENCE_LINE, LINE, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-") if smoke else "demo-output")
folder.mkdir(exist_ok=True)

BITS, WORDS = (120, 4) if smoke else (1000, 100)
FLIPS = [0.03, 0.08] if smoke else [0.03, 0.04, 0.05, 0.06, 0.07, 0.075, 0.08, 0.09, 0.1, 0.11]
SETTLES = 0.084  # flips up to which belief propagation decodes endless codes of this kind (Richardson, Urbanke 2001)
SHANNON = 0.110  # flips up to which any code of half the rate can: where the entropy of a flip is half a bit
rng = np.random.default_rng(0)


def checks() -> np.ndarray:
    """Six different bits a check, three checks a bit: a shuffled deck, exchanging cards until no hand has a pair."""
    deck = rng.permutation(np.repeat(np.arange(BITS), 3)).reshape(-1, 6)
    while pairs := [(row, k) for row, hand in enumerate(deck) for k in range(6) if hand[k] in hand[:k]]:
        for row, k in pairs:
            other = rng.integers(len(deck)), rng.integers(6)
            deck[row, k], deck[other] = deck[other], deck[row, k]
    return deck


bits = [Variable(f"bit {k}") for k in range(BITS)]
code = MarkovNetwork(*(Parity([bits[k] for k in row]) for row in checks()), variables=bits)
print(f"{code}; {WORDS} words are sent at each rate of flips")


def decoded(received: np.ndarray, flip: float) -> tuple[np.ndarray, list[bool]]:
    """The most probable value of each bit `[words, bits]`, and in which words the messages settled."""
    likelihood = np.array([[1 - flip, flip], [flip, 1 - flip]])[received]  # [words, bits, states]
    evidence = {bit.name: likelihood[:, k] for k, bit in enumerate(bits)}
    engine = LoopyBP(damping=0.0, iterations=100, tolerance=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a decoder that gives up is counted, not reported
        post = pgm.infer(code, likelihood=evidence, engine=engine)
    on = np.stack([post[bit.name, "1"].numpy() for bit in bits], 1)
    return (on > 0.5).astype(int), post.diagnostics["converged"]


# The word of zeros stands for all: channel and decoder treat 0 and 1 alike, so each word of the code fares the same.
print("\nflipped   wrong when received   wrong when decoded   whole words right   settled")
rates = []
for flip in FLIPS:
    received = (rng.random((WORDS, BITS)) < flip).astype(int)
    found, settled = decoded(received, flip)
    rates.append(found.mean())
    right = (found == 0).all(1).mean()
    print(f"{flip:>7.1%} {received.mean():>17.2%} {found.mean():>20.3%} {right:>19.0%} {np.mean(settled):>11.0%}")

FLOOR = 1 / (WORDS * BITS)  # one wrong bit in all: what is below can not be measured here
figure, axes = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
none = np.array(rates) == 0
axes.plot(FLIPS, FLIPS, color=QUIET, lw=1.5)
axes.plot(np.array(FLIPS)[~none], np.array(rates)[~none], "o-", color=BAR, lw=2, ms=5)
axes.plot(np.array(FLIPS)[none], [FLOOR] * none.sum(), "v", color=BAR, ms=7)
axes.annotate("without code", (FLIPS[0], FLIPS[0]), (0, 18), textcoords="offset points", color=QUIET)
axes.annotate("with code", (FLIPS[-2], rates[-2]), (0, -18), textcoords="offset points", color=BAR)
if none.any():
    axes.annotate(
        f"none of {WORDS * BITS:,} bits wrong", (FLIPS[0], FLOOR), (0, 10), textcoords="offset points", color=BAR
    )
for place, text in ((SETTLES, "endless code,\nthis decoder"), (SHANNON, "any code:\nShannon's limit")):
    axes.axvline(place, color=EVIDENCE_LINE, lw=1, ls="--")
    axes.annotate(text, (place, FLOOR), (-5, 14), textcoords="offset points", color=EVIDENCE_LINE, ha="right")
axes.set(
    yscale="log", xlabel="share of bits flipped by the channel", ylabel="share of bits wrong", ylim=(FLOOR / 2, 0.4)
)
axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
axes.grid(axis="y", color=LINE, alpha=0.2)
axes.spines[["top", "right"]].set_visible(False)
figure.savefig(folder / "ldpc-decoding.png", dpi=100)
print("\nPicture:", folder / "ldpc-decoding.png")
