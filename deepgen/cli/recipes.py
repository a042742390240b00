"""`deepgen recipes`: what can be trained."""

from __future__ import annotations

from pgm.cli.show import console, print_json, table

from ..recipes import RECIPES
from ..recipes.settings import settings, summary


def recipes(json: bool) -> None:
    """List all recipes; JSON holds their settings with defaults too."""
    if json:
        print_json({name: _about(name) for name in RECIPES})
        return
    shown = table("recipe", "what it is")
    for name, recipe in RECIPES.items():
        shown.add_row(name, summary(recipe))
    console().print(shown)


def _about(name: str) -> dict[str, object]:
    found = settings(RECIPES[name])
    return {"summary": summary(RECIPES[name]), "settings": {each.name: each.default for each in found.values()}}
