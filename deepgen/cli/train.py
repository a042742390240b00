"""`deepgen train` and `deepgen resume`: each field of a recipe is an option."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from pgm.cli.progress import INTERRUPTED
from pgm.cli.show import count, print_json
from pgm.variable import quoted

from .. import runs
from ..errors import DivergenceError
from ..recipes import RECIPES, Recipe
from ..recipes.settings import Setting, mark, settings, summary
from .app import Compile, Device, Every, Json, Out, Precision, training

OPTIONS = {
    "out": (Out, Parameter.empty),
    "every": (Every, None),
    "device": (Device, None),
    "precision": (Precision, "no"),
    "compile": (Compile, False),
    "json": (Json, False),
}  # of every run, with their defaults


def commands() -> typer.Typer:
    """A command for each recipe."""
    return training({name: (summary(recipe), _command(recipe)) for name, recipe in RECIPES.items()})


def unknown(words: Sequence[str]) -> str:
    """What is wrong with the name of a recipe, if anything."""
    if not words or words[0].startswith("-") or words[0] in RECIPES:
        return "" if words else f"deepgen train: which recipe? There are {quoted(RECIPES, 40)}."
    near = get_close_matches(words[0], RECIPES, 1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"deepgen train: there is no recipe {words[0]!r}, expected {quoted(RECIPES, 40)}.{meant}"


def resume(folder: Path, epochs: float | None, json: bool, **options: Any) -> None:
    """Go on with a run."""
    _trained(lambda: runs.resume(folder, epochs, **options), json)


def _command(recipe: type[Recipe]) -> Callable[..., None]:
    """What trains a recipe; its signature says the options."""

    def command(**given: Any) -> None:
        options = {name: given.pop(name) for name in OPTIONS}
        out, json = options.pop("out"), options.pop("json")
        _trained(lambda: runs.train(recipe(**given), out, **options), json)

    parts = [_option(setting) for setting in settings(recipe).values()]
    parts += [_parameter(name, kind, default) for name, (kind, default) in OPTIONS.items()]
    command.__signature__ = Signature(parts)  # type: ignore[attr-defined]
    return command


def _option(setting: Setting) -> Parameter:
    """A setting as an option."""
    if setting.kind is bool:
        return _parameter(setting.name, Annotated[bool, typer.Option(help=setting.help)], setting.default)
    said = f"{setting.help}  [default: {setting.text()}]"
    option = typer.Option(parser=_reader(setting), metavar=mark(setting.kind), help=said, show_default=False)
    return _parameter(setting.name, Annotated[Any, option], setting.default)


def _reader(setting: Setting) -> Callable[[object], Any]:
    return lambda value: setting.read(value) if isinstance(value, str) else value


def _parameter(name: str, kind: object, default: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _trained(work: Callable[[], runs.Run], json: bool) -> None:
    """Train, and say what came out; when interrupted leave with its exit code."""
    try:
        run = work()
    except DivergenceError as error:
        raise typer.TyperException(str(error)) from None
    if runs.main_process():
        _say(run, json)
    if run.history.interrupted:
        raise typer.Exit(INTERRUPTED)


def _say(run: runs.Run, json: bool) -> None:
    """The end of a run, as text or JSON; how to go on, when it was interrupted."""
    last, ended = run.history.last, run.history.interrupted
    if ended:
        print(
            f"interrupted after {count(int(last['turn']), 'turn')}; go on with: deepgen resume {run.folder}",
            file=sys.stderr,
        )
    if json:
        noticed = [asdict(notice) for notice in run.history.notices]
        print_json({"run": str(run.folder), "interrupted": ended, "last": last, "notices": noticed})
        return
    print(f"{run.folder}: {run}, {last['seconds']:.0f} s", *_figures(last), *run.history.notices, sep="\n")


def _figures(last: Mapping[str, float]) -> list[str]:
    """The terms of each phase, a line each."""
    phases: dict[str, list[str]] = {}
    for name, value in last.items():
        phase, dot, term = name.rpartition(".")
        if dot:
            phases.setdefault(phase, []).append(f"{term} {value:.4g}")
    return [f"{phase}: {', '.join(terms)}" for phase, terms in phases.items()]
