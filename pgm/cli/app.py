"""Commands and their options; the work is imported when a command runs, so that `pgm --help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .engines import Wish

Model = Annotated[Path, typer.Argument(metavar="FILE", help="A .bif, .xml, .uai or .net file, or one with .gz.")]
Given = Annotated[list[str] | None, typer.Option(metavar="NAME=STATE", help="An observed state; repeatable.")]
Likelihood = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=.2,.8", help="Virtual evidence: p(observation | state) for each state; repeatable."),
]
Jeffrey = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=.3,.7", help="Soft evidence: the posterior that NAME must have; repeatable."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(metavar="A,B", help="Variables to maximise over, the rest summed out; all by default."),
]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="Memory limit, such as 4GB or 512MiB.")]
Seconds = Annotated[
    float | None, typer.Option(min=0, metavar="SECONDS", help="Time for the search of an elimination order.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
View = Literal["directed", "moral", "factor", "junction"]
Task = Literal["PR", "MAR", "MAP"]
Answering = Literal["exact", "lbp", "trw", "meanfield", "gibbs", "lw", "minibucket", "auto"]
Explaining = Literal["exact", "dual", "icm", "annealing", "maxproduct", "toulbar2", "auto"]
Sampling = Literal["exact", "gibbs", "lw", "auto"]
Solving = Literal[
    "exact", "lbp", "trw", "meanfield", "gibbs", "lw", "minibucket", "dual", "icm", "annealing", "maxproduct",
    "toulbar2", "auto",
]  # fmt: skip
Draws = Annotated[int | None, typer.Option(min=1, metavar="N", help="Draws of lw, sweeps of gibbs.")]
Seed = Annotated[int | None, typer.Option(min=0, metavar="SEED", help="Of engines that draw.")]
Method = Literal["hill-climb", "chow-liu", "pc"]
Criterion = Literal["bic", "bdeu"]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"pgm {version('pgm-deepgen')}")
        except PackageNotFoundError:
            typer.echo("pgm, version unknown: not installed as a package")
        raise typer.Exit


def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Probabilistic graphical models: ask a model file, draw it, convert it, learn one."""


def info(
    file: Model,
    everything: Annotated[bool, typer.Option("--all", help="List the variables of a large model too.")] = False,
    memory: Memory = None,
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Count a model's parts and the cost of answers."""
    from .info import info

    info(file, everything, memory, seconds, json)


def query(
    file: Model,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="TARGET", help="Variables asked for; all by default.")
    ] = None,
    given: Given = None,
    likelihood: Likelihood = None,
    jeffrey: Jeffrey = None,
    rows: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="One row of evidence a line; the header names variables, empty is missing."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="With --rows: copy columns that are not variables.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="CSV", help="Where rows go.")] = None,
    engine: Annotated[Answering, typer.Option(help="How to answer; all but exact approximate.")] = "exact",
    samples: Draws = None,
    seed: Seed = None,
    memory: Memory = None,
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Find probabilities given evidence, of a row or a file."""
    from .query import query

    wish = Wish(engine, memory, seconds, samples, seed)
    query(file, targets, (given, likelihood, jeffrey), (rows, keep, output), wish, json)


def mpe(
    file: Model,
    given: Given = None,
    likelihood: Likelihood = None,
    targets: Targets = None,
    k: Annotated[int, typer.Option("-k", min=1, metavar="K", help="How many explanations, best first.")] = 1,
    engine: Annotated[Explaining, typer.Option(help="How to search; all but exact approximate.")] = "exact",
    seed: Seed = None,
    memory: Memory = None,
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Find the most probable joint states."""
    from .explain import mpe

    mpe(file, (given, likelihood), targets, k, Wish(engine, memory, seconds, None, seed), json)


def sample(
    file: Model,
    n: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many.")] = 10,
    given: Given = None,
    likelihood: Likelihood = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="SEED", help="For draws that can be repeated.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="CSV", help="A file; the terminal by default.")
    ] = None,
    engine: Annotated[Sampling, typer.Option(help="How to draw; all but exact approximate.")] = "exact",
    memory: Memory = None,
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Draw samples given evidence, as CSV."""
    from .draw import sample

    sample(file, n, (given, likelihood), seed, output, Wish(engine, memory, seconds), json)


def plot(
    file: Model,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PICTURE", help="Ends in .svg, .png, .pdf, .dot or .gv.")
    ],
    view: Annotated[View, typer.Option(help="Which view of the graph.")] = "directed",
    given: Given = None,
    likelihood: Likelihood = None,
    posterior: Annotated[
        bool, typer.Option("--posterior", help="Show probabilities as bars without evidence too.")
    ] = False,
    memory: Memory = None,
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Draw the graph, with bars when there is evidence."""
    from .draw import plot

    plot(file, output, view, (given, likelihood), posterior, memory, seconds, json)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A model file.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The suffix says which format to write.")],
    json: Json = False,
) -> None:
    """Rewrite a model file in another format."""
    from .convert import convert

    convert(source, output, json)


def solve(
    file: Annotated[Path, typer.Argument(metavar="MODEL.uai", help="A model with numbered variables.")],
    task: Annotated[Task, typer.Option(help="log10 Z, all marginals, or the best assignment.")],
    evidence: Annotated[
        Path | None, typer.Argument(metavar="EVIDENCE", help="By default MODEL.uai.evid, when there is one.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A file; the terminal by default.")
    ] = None,
    engine: Annotated[Solving, typer.Option(help="How to answer; all but exact approximate.")] = "exact",
    seed: Seed = None,
    memory: Memory = None,
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Answer a task of the UAI competitions."""
    from .solve import solve

    solve(file, evidence, task, output, Wish(engine, memory, seconds, None, seed), json)


def learn(
    rows: Annotated[Path, typer.Argument(metavar="CSV", help="Complete rows; the header names the variables.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The model file; its suffix says the format.")
    ],
    method: Annotated[Method, typer.Option(help="How the structure is found.")] = "hill-climb",
    score: Annotated[Criterion, typer.Option(help="What is climbed, and what is reported.")] = "bic",
    max_parents: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="With hill-climb: parents a variable may have.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(metavar="P", help="With pc: how small a p-value shows dependence; 0.01 by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="SEED", help="Of the fresh starts of hill-climb.")] = 0,
    json: Json = False,
) -> None:
    """Learn a Bayesian network from rows: its structure, then its tables."""
    from .learn import learn

    learn(rows, output, method, score, max_parents, alpha, seed, json)


def fit(
    file: Model,
    rows: Annotated[Path, typer.Argument(metavar="CSV", help="The header names variables; an empty cell is missing.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The model file; its suffix says the format.")
    ],
    prior: Annotated[float, typer.Option(min=0, metavar="COUNT", help="Pseudo-count of every entry of a table.")] = 0.0,
    restarts: Annotated[int, typer.Option(min=1, metavar="N", help="Starts, of which the best is kept.")] = 1,
    iterations: Annotated[int, typer.Option(min=1, metavar="N", help="Of each start at most.")] = 500,
    tolerance: Annotated[
        float, typer.Option(min=0, metavar="SHARE", help="Growth of the log-likelihood at which a start ends.")
    ] = 1e-8,
    seed: Annotated[int, typer.Option(min=0, metavar="SEED", help="Of the random starts.")] = 0,
    json: Json = False,
) -> None:
    """Fit the tables of a model to rows, by EM where cells are empty."""
    from .fit import fit

    fit(file, rows, output, prior, restarts, iterations, tolerance, seed, json)


COMMANDS = (info, query, mpe, sample, plot, convert, solve, learn, fit)
app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(start)
for _command in COMMANDS:
    app.command()(_command)
