"""A recurrent network as a directed graph: each word given all words before it, through a hidden state.

h_t = gru(h_t-1, word_t-1) is certain, word_t ~ softmax(layer(h_t)). All words being given, so are the hidden states,
and the likelihood of a text is exact. Trained by its gradient on a nursery rhyme, or on the .txt files in the folder
that DEEPGEN_DATA names.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor, nn

import pgm
from pgm import Deterministic, Neural, Real, Template, Variable, before

RHYME = """
this is the house that jack built
this is the malt that lay in the house that jack built
this is the rat that ate the malt that lay in the house that jack built
this is the cat that killed the rat that ate the malt that lay in the house that jack built
this is the dog that worried the cat that killed the rat that ate the malt that lay in the house that jack built
"""
smoke = "--smoke" in sys.argv
HIDDEN, STEPS, LONGEST = 32, 60 if smoke else 300, 40


def read_lines() -> list[list[str]]:
    """Each line as its words and a full stop."""
    folder = os.environ.get("DEEPGEN_DATA")
    texts = [path.read_text(errors="ignore") for path in sorted(Path(folder).glob("*.txt"))] if folder else []
    lines = [line.lower().split()[: LONGEST - 1] for line in "\n".join(texts or [RHYME]).splitlines()]
    return [[*line, "."] for line in lines if line][: 50 if smoke else 2000]


class Recurrence(nn.Module):
    """The hidden state from the one before and the word before."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding, self.cell = nn.Embedding(words, 16), nn.GRUCell(16, HIDDEN)

    def forward(self, hidden: Tensor, word: Tensor) -> Tensor:
        """`[rows, hidden]`."""
        return self.cell(self.embedding(word), hidden)


torch.manual_seed(0)
lines = read_lines()
frequent = {word for word, _ in Counter(word for line in lines for word in line).most_common(5000)}
lines = [[word if word in frequent else "?" for word in line] for line in lines]
word = Variable("word", sorted({word for line in lines for word in line}))
hidden = Variable("hidden", Real(HIDDEN))
recurrence, layer = Recurrence(word.size), nn.Linear(HIDDEN, word.size)
language = Template(
    [Deterministic(hidden, [], lambda: torch.zeros(HIDDEN))],
    [
        Deterministic(hidden, [before(hidden), before(word)], recurrence),
        Neural(word, [hidden], pgm.categorical, layer),
    ],
    name="Words",
)
print(language, f"{word.size} different words, {len(lines)} lines")
print("parents in the second step:", language.unroll(2).graph.parents["hidden[1]"])

# Train by the gradient of the exact likelihood; lines of different lengths are one batch.
count, letters = sum(map(len, lines)), sum(len(word) + 1 for line in lines for word in line)
optimiser = torch.optim.Adam(language.parameters(), lr=0.02)
for step in range(STEPS + 1):
    loss = -pgm.log_likelihood(language, {"word": lines}).sum()
    if step % (STEPS // 3) == 0:
        bits = loss.item() / torch.tensor(2.0).log().item()
        print(f"step {step:>3}: {loss.item() / count:.3f} nats a word, {bits / letters:.3f} bits a character")
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

# The likelihood is that of a recurrent network written as a loop.
state, by_hand = torch.zeros(1, HIDDEN), torch.zeros(())
for each in (torch.tensor([word.number(label)]) for label in lines[0]):
    by_hand = by_hand + layer(state).log_softmax(-1)[0, each[0]]
    state = recurrence(state, each)
by_library = pgm.log_likelihood(language, {"word": lines[0]})
print(f"\nlog p({' '.join(lines[0])}) = {by_library.item():.5f}; by a loop {by_hand.item():.5f}")

print("\nLines drawn from it:")
for line in pgm.simulate(language, 30, 3, seed=1).labels("word"):
    print("  ", " ".join(line[: line.index(".")] if "." in line else line))
