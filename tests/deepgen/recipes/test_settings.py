"""Settings survive text and JSON, whatever they are; what is no setting is named."""

import json
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen.data.data import Data
from deepgen.recipes import RECIPES, Recipe, Setup
from deepgen.recipes.settings import made, mark, summary, values, words
from deepgen.recipes.settings import settings as settings_of
from pgm import PlanError


@dataclass(frozen=True)
class Everything(Recipe):
    """A recipe with a setting of each kind.

    Args:
        switch: yes or no.
        units, more: some numbers, which
            take two lines.
    """

    switch: bool = True
    units: tuple[int, ...] = (8, 8)
    shares: tuple[float, ...] = (0.5,)
    size: tuple[int, int] = (7, 7)
    more: int | None = 3
    level: float | None = None
    how: Literal["this", "that"] = "this"
    name: str = "nobody"

    def setup(self, data: Data) -> Setup:
        raise NotImplementedError


FLOATS = st.floats(1e-6, 1e6)
DRAWN = st.fixed_dictionaries(
    {},
    optional={
        "switch": st.booleans(),
        "units": st.lists(st.integers(0, 2**62), max_size=4).map(tuple),
        "shares": st.lists(FLOATS, max_size=3).map(tuple),
        "size": st.tuples(st.integers(1, 99), st.integers(1, 99)),
        "more": st.none() | st.integers(),
        "level": st.none() | FLOATS,
        "how": st.sampled_from(["this", "that"]),
        "name": st.text(),
        "epochs": FLOATS,
        "seed": st.integers(0, 2**63 - 1),
    },
)


@settings(max_examples=50)
@given(DRAWN)
def test_recipes_survive_json(chosen: dict) -> None:
    recipe = Everything(**chosen)
    assert made(Everything, json.loads(json.dumps(values(recipe)))) == recipe


@settings(max_examples=50)
@given(DRAWN)
def test_recipes_survive_being_typed(chosen: dict) -> None:
    def typed(value: object) -> str:
        if isinstance(value, tuple):
            return ",".join(map(typed, value))
        return {"None": "none", "True": "yes", "False": "no"}.get(repr(value), str(value))

    assert made(Everything, {name: typed(value) for name, value in chosen.items()}) == Everything(**chosen)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_survives_json_and_explains_its_settings(name: str) -> None:
    recipe = RECIPES[name]()
    assert made(RECIPES[name], json.loads(json.dumps(values(recipe)))) == recipe
    found = settings_of(RECIPES[name])
    assert [each.name for each in found.values() if not each.help] == []
    assert summary(RECIPES[name]).endswith(".")


def test_help_is_what_docstrings_say() -> None:
    found = settings_of(Everything)
    assert found["more"].help == found["units"].help == "some numbers, which take two lines."
    assert found["rate"].help == "learning rate."
    assert list(found)[:2] == ["switch", "units"]
    assert [found[name].text() for name in ("switch", "units", "more", "level")] == ["yes", "8,8", "3", "none"]
    assert [mark(found[name].kind) for name in ("units", "size", "level", "how", "name")] == [
        "N,N,...", "N,N", "X|none", "this|that", "TEXT",
    ]  # fmt: skip
    assert words(tuple[float, ...]) == "numbers with commas between them"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"unit": 3}, "there is no setting 'unit', expected 'switch', .*Did you mean 'units'?"),
        ({"units": "8,x"}, "units is '8,x', expected whole numbers with commas between them."),
        ({"size": "8"}, "size is '8', expected 2 whole numbers with commas between them."),
        ({"units": 8}, "units is 8, expected whole numbers with commas between them."),
        ({"more": 1.5}, "more is 1.5, expected a whole number or none."),
        ({"level": "nan"}, "level is 'nan', expected a number or none."),
        ({"how": "thas"}, "how is 'thas', expected 'this' or 'that'. Did you mean 'this'?"),
        ({"switch": "perhaps"}, "switch is 'perhaps', expected yes or no."),
        ({"seed": True}, "seed is True, expected a whole number."),
        ({"epochs": -1}, "Everything: epochs is -1.0, expected a number above 0."),
        ({"warm_up": -1}, "Everything: warm_up is -1, expected 0 or more."),
    ],
)
def test_what_is_no_setting_is_named(wrong: dict, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        made(Everything, wrong)


@pytest.mark.parametrize("epochs", [float("nan"), float("inf")])
def test_numbers_without_end_are_refused(epochs: float) -> None:
    with pytest.raises(PlanError, match="epochs is (nan|inf), expected a number above 0"):
        Everything(epochs=epochs)
