"""Bars against the numbers they stand for."""

from xml.etree import ElementTree

import torch
from hypothesis import given
from hypothesis import strategies as st

from pgm.pictures.bars import BAR_WIDTH, MOST_STATES, bars, percentage, rows
from pgm.pictures.style import BAR, TRACK, short
from pgm.variable import Variable

weights = st.lists(st.floats(0, 1), min_size=1, max_size=40).filter(lambda values: sum(values) > 1e-3)


def distribution(values: list[float]) -> tuple[Variable, torch.Tensor]:
    total = torch.tensor(values, dtype=torch.float64)
    return Variable("x", [f"s{i}" for i in range(len(values))]), total / total.sum()


@given(weights)
def test_rows_sum_to_one_and_hold_the_most_probable_states(values: list[float]) -> None:
    variable, p = distribution(values)
    shown = rows(variable, p)
    assert abs(sum(value for _, value in shown) - 1) < 1e-12
    assert shown[0][0] in variable.states
    named = [(label, value) for label, value in shown if label in variable.states]
    assert all(p[variable.number(label)].item() == value for label, value in named)
    least = min(value for _, value in named)
    hidden = [p[i].item() for i, label in enumerate(variable.states) if label not in dict(named)]
    assert max(hidden, default=0.0) <= least


def test_twelve_states_are_all_shown_and_thirteen_are_not() -> None:
    for size, lines in ((MOST_STATES, MOST_STATES), (MOST_STATES + 1, 11)):
        variable, p = distribution([1.0] * size)
        assert len(rows(variable, p)) == lines
    assert rows(variable, p)[-1][0] == "3 others"


@given(weights)
def test_cells_of_a_bar_fill_the_same_width_in_proportion(values: list[float]) -> None:
    variable, p = distribution(values)
    lines = ElementTree.fromstring(bars(variable, p)).findall("TR")[1:]
    for line, (_, value) in zip(lines, rows(variable, p), strict=True):
        widths = {BAR: 0, TRACK: 0} | {
            cell.attrib["BGCOLOR"]: int(cell.attrib["WIDTH"]) for cell in line.iter("TD") if "BGCOLOR" in cell.attrib
        }
        assert widths[BAR] + widths[TRACK] == BAR_WIDTH
        assert abs(widths[BAR] - BAR_WIDTH * value) <= 1
        assert (widths[BAR] > 0) == (value > 0)
        assert (widths[TRACK] > 0) == (value < 1)


@given(st.floats(0, 1))
def test_percentage_is_the_number_to_a_tenth_or_a_bound_on_it(value: float) -> None:
    text = percentage(value)
    number = float(text.strip("<>%")) / 100
    low, high = {"<": (0.0, number), ">": (number, 1.0)}.get(text[0], (number - 0.0005001, number + 0.0005001))
    assert low <= value <= high
    assert (text in ("0%", "100%")) == (value in (0.0, 1.0))


@given(st.text(max_size=60), st.integers(6, 30))
def test_short_text_is_at_most_that_long_and_keeps_both_ends(text: str, length: int) -> None:
    cut = short(text, length)
    assert len(cut) <= length
    assert cut.isprintable()
    line = "".join(c if c.isprintable() else " " for c in text)
    head, mark, tail = cut.partition("…")
    assert line == cut or (mark and line.startswith(head) and line.endswith(tail.rpartition("…")[2]))
