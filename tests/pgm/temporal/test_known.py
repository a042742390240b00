"""Recurrent networks as templates: hidden states that are functions of what was seen."""

import pytest
import torch
from torch import Tensor, nn

from pgm import (
    ConditionalLinearGaussian,
    Deterministic,
    EvidenceError,
    LinearGaussian,
    Neural,
    PlanError,
    Real,
    Tabular,
    Template,
    Variable,
    before,
    categorical,
    log_likelihood,
    prediction,
    simulate,
    smoothing,
)

WORDS, WIDTH = 7, 5


class Step(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell = nn.Embedding(WORDS, 4), nn.GRUCell(4, WIDTH)

    def forward(self, hidden: Tensor, word: Tensor) -> Tensor:
        return self.cell(self.embedding(word), hidden)


def language() -> tuple[Template, Step, nn.Linear]:
    """A recurrent language model, float64."""
    torch.manual_seed(0)
    word, hidden = Variable("word", WORDS), Variable("hidden", Real(WIDTH))
    step, layer = Step().double(), nn.Linear(WIDTH, WORDS).double()
    template = Template(
        [Deterministic(hidden, [], lambda: torch.zeros(WIDTH, dtype=torch.float64))],
        [Deterministic(hidden, [before(hidden), before(word)], step), Neural(word, [hidden], categorical, layer)],
    )
    return template, step, layer


def test_the_likelihood_and_its_gradient_are_those_of_a_loop() -> None:
    template, step, layer = language()
    words = torch.randint(WORDS, (3, 12))
    lengths = torch.tensor([12, 5, 1])
    hidden, expected = torch.zeros(3, WIDTH, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for t in range(12):
        logs = layer(hidden).log_softmax(-1)[torch.arange(3), words[:, t]]
        expected = expected + torch.where(t < lengths, logs, 0.0)
        hidden = step(hidden, words[:, t])
    found = log_likelihood(template, {"word": words}, lengths=lengths)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    parameters = list(template.parameters())
    assert len(parameters) == len([*step.parameters(), *layer.parameters()])
    mine, theirs = (torch.autograd.grad(x.sum(), parameters) for x in (found, expected))
    for x, y in zip(mine, theirs, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-12)


def test_simulated_words_follow_the_network() -> None:
    """The second word given the first, by its frequency among those with that first word."""
    template, step, layer = language()
    n = 4000
    words = simulate(template, 2, n, seed=1)["word"]
    zero = torch.zeros(1, WIDTH, dtype=torch.float64)
    first = layer(zero).softmax(-1)[0].detach()
    frequency = words[:, 0].bincount(minlength=WORDS) / n
    assert ((frequency - first).abs() < 4.5 * (first * (1 - first) / n).sqrt()).all()
    chosen = int(frequency.argmax())
    second = layer(step(zero, torch.tensor([chosen]))).softmax(-1)[0].detach()
    rest = words[words[:, 0] == chosen, 1]
    seen = rest.bincount(minlength=WORDS) / len(rest)
    assert ((seen - second).abs() < 4.5 * (second * (1 - second) / len(rest)).sqrt()).all()


def test_what_is_computed_may_drive_a_hidden_chain() -> None:
    """Running sums of an input choose the mean of an emission of a hidden state; the same with the sums given."""
    z, y, u, total = Variable("z", 2), Variable("y", Real()), Variable("u", Real()), Variable("total", Real())
    hidden = [Tabular(z, [], [0.5, 0.5])], [Tabular(z, [before(z)], [[0.9, 0.1], [0.2, 0.8]])]
    emission = ConditionalLinearGaussian(y, [z, total], [[1.0], [-1.0]], [0.0, 0.5], [1.0, 2.0])
    sums = Deterministic(total, [before(total), u], torch.add)
    whole = Template([*hidden[0], Deterministic(total, [u], lambda u: u)], [*hidden[1], sums, emission])
    given_sums = Template(hidden[0], [*hidden[1], emission])
    u_values, y_values = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.1, 0.2, -3.0])
    mine = smoothing(whole, {"u": u_values, "y": y_values})
    theirs = smoothing(given_sums, {"total": u_values.cumsum(0), "y": y_values})
    torch.testing.assert_close(mine["z"], theirs["z"])
    torch.testing.assert_close(mine.log_evidence, theirs.log_evidence)


def test_a_missing_word_is_refused() -> None:
    template, _, _ = language()
    with pytest.raises(EvidenceError, match="'word' has a missing value, but 'hidden' is computed from it"):
        log_likelihood(template, {"word": ["1", None, "2"]})


def test_words_to_come_are_drawn_not_predicted() -> None:
    template, _, _ = language()
    with pytest.raises(PlanError, match="'hidden' is computed from what is not known yet; draw with simulate"):
        prediction(template, {"word": ["1", "2"]}, 1)


def test_a_function_of_something_hidden_is_not_known() -> None:
    v, w, y = Variable("v", Real()), Variable("w", Real()), Variable("y", Real())
    start = LinearGaussian(v, [], [], 0.0, 1.0)
    template = Template(
        [start],
        [
            LinearGaussian(v, [before(v)], [1.0], 0.0, 1.0),
            Deterministic(w, [v], torch.exp),
            LinearGaussian(y, [v], [1.0], 0.0, 1.0),
        ],
    )
    found = smoothing(template, {"y": [1.0, 2.0]})  # w says nothing and is left out
    assert list(found) == ["v"]
