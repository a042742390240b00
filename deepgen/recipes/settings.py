"""The settings of a recipe one by one: their kinds, defaults and help; read from text and from JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from inspect import getdoc
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pgm.errors import PlanError
from pgm.variable import quoted

from .recipe import Recipe

_WORDS = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Setting:
    """One field of a recipe.

    Args:
        name: of the field.
        kind: its type: bool, int, float, str, a `Literal`, a tuple of these, or one of them or None.
        default: its value when nothing is said.
        help: what its docstring says.
    """

    name: str
    kind: Any
    default: Any
    help: str

    def read(self, value: object) -> Any:
        """A value of this kind, from text or from what JSON holds.

        Raises:
            PlanError: when it is none.

        Example:
            >>> hidden = Setting("hidden", tuple[int, ...], (200, 200), "units of each hidden layer")
            >>> hidden.read("64,32"), hidden.read([64, 32])
            ((64, 32), (64, 32))
        """
        try:
            return _read(value, self.kind)
        except (TypeError, ValueError):
            near = _nearest(value, get_args(self.kind))
            raise PlanError(f"{self.name} is {value!r}, expected {words(self.kind)}.{near}") from None

    def text(self) -> str:
        """The default as one would type it."""
        return _text(self.default)


def settings(recipe: type[Recipe]) -> dict[str, Setting]:
    """The settings of a recipe by name, its own first and then those that all recipes have.

    Example:
        >>> from deepgen.recipes import RECIPES
        >>> found = settings(RECIPES["vae"])["latents"]
        >>> found.kind, found.help
        (<class 'int'>, 'how many numbers z has.')
    """
    kinds, said = get_type_hints(recipe), _help(recipe)
    own = [each for each in fields(recipe) if each.name not in Recipe.__dataclass_fields__]
    ordered = [*own, *(each for each in fields(recipe) if each not in own)]
    return {each.name: Setting(each.name, kinds[each.name], each.default, said.get(each.name, "")) for each in ordered}


def values(recipe: Recipe) -> dict[str, Any]:
    """All settings of a recipe as JSON can hold them."""
    return {each.name: getattr(recipe, each.name) for each in fields(recipe)}


def made(recipe: type[Recipe], given: Mapping[str, object]) -> Recipe:
    """A recipe with some settings given, as text or as JSON holds them, and defaults for all others.

    Raises:
        PlanError: on a setting that the recipe does not have, or a value that is none of its kind.

    Example:
        >>> from deepgen.recipes import RECIPES
        >>> made(RECIPES["vae"], {"latents": "2", "hidden": [64]}).hidden
        (64,)
    """
    known = settings(recipe)
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise PlanError(f"there is no setting {unknown!r}, expected {quoted(known, 40)}.{_nearest(unknown, known)}")
    return recipe(**{name: known[name].read(value) for name, value in given.items()})


def resampled(recipe: Recipe, given: Mapping[str, object]) -> Recipe:
    """The same recipe with other settings of sampling, as text or as JSON holds them.

    Raises:
        PlanError: on a setting that changes more than sampling, or a value that is none of its kind.

    Example:
        >>> from deepgen.recipes import RECIPES
        >>> resampled(RECIPES["diffusion"](labels=True), {"guidance": "2"}).guidance
        2.0
    """
    wrong = next((name for name in given if name not in recipe.sampling), None)
    if wrong is not None:
        name, known = type(recipe).__name__, settings(type(recipe))
        what = "is decided when it is trained" if wrong in known else "is no setting"
        choice = f"expected {quoted(recipe.sampling, 40)}" if recipe.sampling else "it has none of sampling"
        raise PlanError(f"{name}: {wrong!r} {what}; {choice}.{_nearest(wrong, recipe.sampling)}")
    return replace(recipe, **{name: settings(type(recipe))[name].read(value) for name, value in given.items()})


def words(kind: Any) -> str:
    """What values of a kind are, in words.

    Example:
        >>> words(int | None), words(tuple[int, ...]), words(Literal["elbo", "iwae"])
        ('a whole number or none', 'whole numbers with commas between them', "'elbo' or 'iwae'")
    """
    if _optional(kind):
        return f"{words(_one(kind))} or none"
    if get_origin(kind) is Literal:
        *others, last = map(repr, get_args(kind))
        return f"{', '.join(others)} or {last}" if others else last
    if get_origin(kind) is tuple:
        many = "" if ... in get_args(kind) else f"{len(get_args(kind))} "
        return f"{many}{words(get_args(kind)[0]).split(' ', 1)[-1]}s with commas between them"
    return {bool: "yes or no", int: "a whole number", float: "a number"}.get(kind, "text")


def mark(kind: Any) -> str:
    """What stands for a value in a line of help.

    Example:
        >>> mark(tuple[int, int]), mark(tuple[int, ...]), mark(Literal["elbo", "iwae"]), mark(float | None)
        ('N,N', 'N,N,...', 'elbo|iwae', 'X|none')
    """
    if _optional(kind):
        return f"{mark(_one(kind))}|none"
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple:
        return ",".join("..." if each is ... else mark(each) for each in _repeated(kind))
    return {bool: "yes|no", int: "N", float: "X"}.get(kind, "TEXT")


def summary(recipe: type[Recipe]) -> str:
    """The first sentence of a recipe's docstring.

    Example:
        >>> from deepgen.recipes import RECIPES
        >>> summary(RECIPES["vae"])
        'A variational autoencoder with dense networks; with labels a conditional one.'
    """
    return " ".join((getdoc(recipe) or "").split("\n\n")[0].split())


def _read(value: Any, kind: Any) -> Any:
    if _optional(kind):
        return None if value is None or value == "none" else _read(value, _one(kind))
    if get_origin(kind) is Literal:
        return {str(each): each for each in get_args(kind)}[_in(str(value), map(str, get_args(kind)))]
    if get_origin(kind) is tuple:
        parts = [each for each in value.split(",") if each.strip()] if isinstance(value, str) else list(value)
        kinds = get_args(kind) if ... not in get_args(kind) else get_args(kind)[:1] * len(parts)
        return tuple(_read(part, each) for part, each in zip(parts, kinds, strict=True))
    if kind is bool:
        return value if isinstance(value, bool) else _WORDS[_in(value, _WORDS)]
    if isinstance(value, bool) or value is None:
        raise ValueError
    return _number(value, kind) if kind in (int, float) else str(value)


def _number(value: Any, kind: type) -> Any:
    if kind is int and isinstance(value, str | int):
        return int(value)
    found = float(value)
    if not isfinite(found) or (kind is int and not found.is_integer()):
        raise ValueError
    return kind(found)


def _repeated(kind: Any) -> tuple[Any, ...]:
    """The kinds in a tuple; one that may be there any number of times is there twice."""
    kinds = get_args(kind)
    return (kinds[0], *kinds) if ... in kinds else kinds


def _in(value: Any, allowed: Any) -> Any:
    if value not in list(allowed):
        raise ValueError
    return value


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _one(kind: Any) -> Any:
    """The kind of a value that is not None."""
    return next(each for each in get_args(kind) if each is not NoneType)


def _nearest(value: object, names: Any) -> str:
    found = get_close_matches(str(value), [str(name) for name in names], 1)
    return f" Did you mean {found[0]!r}?" if found else ""


def _help(recipe: type[Recipe]) -> dict[str, str]:
    """What the docstrings of a recipe and of what it is made of say of each argument."""
    found: dict[str, str] = {}
    for kind in reversed(recipe.__mro__):
        section = re.search(r"Args:\n((?: {4}.*\n?|\n)*)", (kind.__doc__ and getdoc(kind)) or "")
        for entry in re.split(r"\n {4}(?=\w)", "\n" + section[1]) if section else ():
            names, _, said = entry.partition(":")
            found |= {name.strip(): " ".join(said.split()) for name in names.split(",")}
    return found
