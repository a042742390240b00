"""Commands and their options; the work is imported when a command runs, so that `deepgen --help` answers at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

Folder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Out = Annotated[Path, typer.Option("-o", "--out", metavar="RUN", help="The folder that the run gets.")]
Device = Annotated[str | None, typer.Option(metavar="DEVICE", help="cpu, cuda, cuda:1; by default a GPU, if any.")]
Where = Annotated[str, typer.Option(metavar="DEVICE", help="cpu, cuda or cuda:1.")]
Precision = Annotated[Literal["no", "bf16"], typer.Option(help="no: float32 throughout; bf16: short floats.")]
Compile = Annotated[bool, typer.Option("--compile", help="Compile networks; the first steps then take long.")]
Every = Annotated[
    int | None, typer.Option(min=1, metavar="TURNS", help="Turns between checkpoints; by default there are ten.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Picture = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .png, .svg or .pdf.")
]  # fmt: skip
Label = Annotated[
    list[str] | None, typer.Option(metavar="STATE", help="What samples are of; repeatable; by default all by turns.")
]
Seed = Annotated[int | None, typer.Option(min=0, metavar="SEED", help="For draws that can be repeated.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting that only concerns sampling; repeatable."),
]
What = Literal[
    "graph", "samples", "curves", "reconstructions", "traversals", "interpolation", "manifold", "latents",
    "process", "schedule", "terms", "arithmetic", "neighbours", "codes", "translations",
]  # fmt: skip
Split = Literal["test", "train"]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"deepgen {version('pgm-deepgen')}")
        except PackageNotFoundError:
            typer.echo("deepgen, version unknown: not installed as a package")
        raise typer.Exit


def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Deep generative models: train one, go on, sample, evaluate, draw."""


def recipes(json: Json = False) -> None:
    """List what can be trained."""
    from .recipes import recipes

    recipes(json)


def resume(
    folder: Folder,
    epochs: Annotated[
        float | None, typer.Option(metavar="X", help="Passes over the data in all; more make the run longer.")
    ] = None,
    every: Every = None,
    device: Device = None,
    precision: Precision = "no",
    compile: Compile = False,
    json: Json = False,
) -> None:
    """Go on with a run from its newest checkpoint."""
    from .train import resume

    resume(folder, epochs, json, every=every, device=device, precision=precision, compile=compile)


def sample(
    folder: Folder,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .png, .svg, .pdf, or .npy for numbers.")
    ],
    n: Annotated[
        int | None, typer.Option("-n", min=1, metavar="N", help="How many; by default what fills a picture.")
    ] = None,
    label: Label = None,
    seed: Seed = None,
    set: Set = None,
    device: Where = "cpu",
    json: Json = False,
) -> None:
    """Draw samples into a picture or a file."""
    from .look import sample

    sample(folder, output, n, label, seed, set, device, json)


def evaluate(
    folder: Folder,
    particles: Annotated[
        str, typer.Option(metavar="K,K,...", help="Draws a row, one bound on log p(x) each; by default the family's.")
    ] = "",
    samples: Annotated[int, typer.Option(min=0, metavar="N", help="Compare so many samples with the data too.")] = 0,
    features: Annotated[
        bool, typer.Option("--features", help="With --samples: also in features of a network trained on the labels.")
    ] = False,
    split: Annotated[Split, typer.Option(help="Which rows of the data.")] = "test",
    set: Set = None,
    device: Where = "cpu",
    json: Json = False,
) -> None:
    """Measure a run: bounds on log p(x), and its samples beside the data."""
    from .look import evaluate

    evaluate(folder, particles, samples, features, split, set, device, json)


def draw(
    folder: Folder,
    output: Picture,
    what: Annotated[What, typer.Option(help="Which picture.")] = "graph",
    label: Annotated[str | None, typer.Option(metavar="STATE", help="What samples or a manifold are of.")] = None,
    set: Set = None,
    device: Where = "cpu",
    json: Json = False,
) -> None:
    """Draw a run: its graph, its curves, or what its latents do."""
    from .look import draw

    draw(folder, output, what, label, set, device, json)


def program(training: typer.Typer | None = None) -> typer.Typer:
    """All commands.

    Args:
        training: a command for each recipe, when one of them is to run; that needs what recipes import.
    """
    app = _empty()
    app.callback()(start)
    if training is None:
        app.command(name="train", help=TRAIN)(lambda: None)
    else:
        app.add_typer(training, name="train", help=TRAIN)
    for command in COMMANDS:
        app.command()(command)
    return app


def training(commands: dict[str, tuple[str, Callable[..., None]]]) -> typer.Typer:
    """Commands by the names of recipes, each with its help."""
    app = _empty()
    app.callback()(lambda: None)
    for name, (said, command) in commands.items():
        app.command(name, help=said)(command)
    return app


def _empty() -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


TRAIN = "Train a recipe, such as vae, in a folder."
COMMANDS = (recipes, resume, sample, evaluate, draw)
