"""How sequences are read: forms that mean the same, and what errors say."""

import numpy as np
import pytest
import torch

from pgm import EvidenceError, Gaussian, LinearGaussian, Real, Tabular, Template, Variable, before, log_likelihood

SKY, WET = Variable("sky", ["clear", "grey"]), Variable("wet", ["no", "yes"])
CHANGE = Tabular(SKY, [before(SKY)], [[0.9, 0.1], [0.4, 0.6]])
WEATHER = Template([Tabular(SKY, [], [0.8, 0.2])], [CHANGE, Tabular(WET, [SKY], [[0.9, 0.1], [0.3, 0.7]])])
P, Y = Variable("p", Real()), Variable("y", Real(2))
WALK = Template(
    [Gaussian(P, 0.0, 1.0)],
    [LinearGaussian(P, [before(P)], [1.0], 0.0, 1.0), LinearGaussian(Y, [P], [[1.0, 2.0]], [0.0, 0.0], 1.0)],
)


@pytest.mark.parametrize(
    "wet",
    [
        ["no", "yes", None],
        ("no", "yes", ""),
        np.array([0, 1, -1]),
        torch.tensor([0, 1, -1]),
        torch.tensor([0, 1, -1], dtype=torch.int32),
    ],
)
def test_forms_of_one_sequence(wet: object) -> None:
    # a missing last observation sums to one
    expected = log_likelihood(WEATHER, {"wet": ["no", "yes"]})
    torch.testing.assert_close(log_likelihood(WEATHER, {"wet": wet}), expected)


def test_forms_of_a_batch() -> None:
    lists = log_likelihood(WEATHER, {"wet": [["no", "yes"], ["yes", "yes"]]})
    torch.testing.assert_close(log_likelihood(WEATHER, {"wet": torch.tensor([[0, 1], [1, 1]])}), lists)
    torch.testing.assert_close(log_likelihood(WEATHER, {"wet": [np.array([0, 1]), np.array([1, 1])]}), lists)
    shared = log_likelihood(WEATHER, {"wet": [["no", "yes"], ["yes", "yes"]], "sky": ["grey", "grey"]})
    alone = [log_likelihood(WEATHER, {"wet": wet, "sky": ["grey"] * 2}) for wet in (["no", "yes"], ["yes", "yes"])]
    torch.testing.assert_close(shared, torch.stack(alone))


def test_forms_of_numbers() -> None:
    rows = [[0.5, -0.5], [1.0, 2.0], [0.0, 0.1]]
    expected = log_likelihood(WALK, {"y": rows})
    assert expected.dim() == 0
    torch.testing.assert_close(log_likelihood(WALK, {"y": np.array(rows)}), expected)
    torch.testing.assert_close(log_likelihood(WALK, {"y": [rows, rows[:2]]})[0], expected)
    torch.testing.assert_close(
        log_likelihood(WALK, {"y": torch.tensor([rows, rows])}).double()[1], expected, atol=1e-6, rtol=0
    )


WRONG = [
    (WEATHER, {"snow": ["no"]}, None, "log_likelihood: 'snow' is not a variable; there are 'sky', 'wet'."),
    (WEATHER, {}, None, "nothing is given, so that the number of steps is not known"),
    (WEATHER, {"wet": "no"}, None, "'wet' is 'no', expected one value a step"),
    (WEATHER, {"wet": ["no", "maybe"]}, None, "log_likelihood: 'wet' is 'maybe'; its states are 'no', 'yes'."),
    (WEATHER, {"wet": [0.0, 1.0]}, None, "its states are 'no', 'yes'"),
    (WEATHER, {"wet": torch.tensor([0.0, 1.0])}, None, "is a torch.float32 array, expected integer state numbers"),
    (
        WEATHER,
        {"wet": torch.tensor([0, 2])},
        None,
        "'wet' has state numbers 0 to 2, expected 0 to 1, or -1 for missing.",
    ),
    (WEATHER, {"wet": torch.zeros(1, 1, 1).long()}, None, "has shape (1, 1, 1), expected [steps]"),
    (WEATHER, {"wet": ["no"], "sky": ["grey", "grey"]}, None, "'wet' has 1 steps and 'sky' 2; make them equal."),
    (WEATHER, {"wet": torch.zeros(2, 3).long()}, [3, 4], "lengths are [3, 4], expected one number from 1 to 3"),
    (WEATHER, {"wet": torch.zeros(2, 3).long(), "sky": torch.zeros(4, 3).long()}, None, "[2, 4] sequences"),
    (WEATHER, {"wet": []}, None, "log_likelihood: what is given has no steps, expected one or more; leave it out."),
    (WEATHER, {"wet": [["no"], []]}, None, "log_likelihood: sequence 1 has no steps, expected one or more"),
    (WEATHER, {"wet": torch.zeros(0, 3).long()}, None, "log_likelihood: no sequence is given, expected one or more."),
    (WALK, {"y": [[1.0], [2.0]]}, None, "'y' has shape (2, 1), expected [*batch, 2]"),
    (WALK, {"y": [[1.0, np.inf]]}, None, "'y' has inf, expected Real(2)"),
]


@pytest.mark.parametrize(("template", "given", "lengths", "message"), WRONG, ids=range(len(WRONG)))
def test_errors_say_what_is_wrong(template: Template, given: dict, lengths: list[int] | None, message: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        log_likelihood(template, given, lengths)
    assert message in str(caught.value)


def test_lengths_of_two_ragged_variables_must_agree() -> None:
    with pytest.raises(EvidenceError, match="sequences have different lengths"):
        log_likelihood(WEATHER, {"wet": [["no"], ["no", "yes"]], "sky": [["grey", "grey"], ["grey"]]})
